"""The Box-Cox transform, a power that becomes a logarithm."""

import math

from portable_losses._gradient import with_gradient
from portable_losses._marked import marked_call
from portable_losses._options import FINITE, is_number
from portable_losses._polyfill import clip, constant, where
from portable_losses._public import public
from portable_losses._stable import INF, NAN, log
from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of_floating
from portable_losses._values import check_all_in

__all__ = ["boxcox"]

SMALLEST = 1e-20  # below, ``x**lmbda - 1`` is ``lmbda * log(x)`` to every digit


@public(lmbda=FINITE)
def boxcox(x: Array, /, lmbda: float | Array) -> Array:
    """Box-Cox transform: ``(x**lmbda - 1) / lmbda``, and ``log(x)`` for a power of 0.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        At least 0.
    lmbda : float or 0-d array

    Returns
    -------
    array
        Shape, dtype and device of `x`. The limits are taken: ``-1 / lmbda`` at 0 for a power above
        0, else -inf, and at +inf +inf, or ``-1 / lmbda`` for a power below 0. Where the values
        cannot be read (on a GPU, under ``jax.jit``, on Dask), a negative one gives NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `x` is negative, or `lmbda` is not finite.

    Notes
    -----
    Computed as ``expm1(lmbda * log(x)) / lmbda`` where the power is between 1/e and e: there
    ``x**lmbda - 1`` cancels. The gradient is ``x**(lmbda - 1)``.

    Source: G. E. P. Box, D. R. Cox, "An analysis of transformations" (1964),
    doi:10.1111/j.2517-6161.1964.tb00553.x.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.boxcox(np.asarray([0.0, 1.0, 4.0]), 0.5)
    array([-2.,  0.,  2.])
    """
    xp = namespace_of_floating(x, "x")
    invalid = check_all_in(0, INF, xp=xp, x=x)

    if is_number(lmbda):
        power = 0.0 if abs(lmbda) < SMALLEST else float(lmbda)
    else:
        power = lmbda + where(abs(lmbda) < SMALLEST, constant(SMALLEST, lmbda, xp=xp), 0.0, xp=xp)
    return marked_call(_boxcox, x, invalid, power=power)


def _boxcox_grad(grad: Array, out: Array, x: Array, *, power: float, xp: Namespace) -> tuple[Array]:
    """``x**(power - 1)``."""
    return (grad * _power(x, power - 1, xp=xp),)


def _boxcox_by_power(grad: Array, out: Array, x: Array, *, power: float, xp: Namespace) -> Array:
    """``(u * exp(u) - expm1(u)) / power**2`` with ``u = power * log(x)``."""
    return grad * _growth(clip(power * log(x, xp=xp), -1000.0, 1000.0, xp=xp), power, xp=xp)


def _growth(u: Array, scale: Array | float, *, xp: Namespace) -> Array:
    """``(u * exp(u) - expm1(u)) / scale**2``, by a series where the difference cancels."""
    close = (u > -1) & (u < 1)
    v = where(close, u, 0.0, xp=xp)
    series = 0.0 * v
    for k in range(20, 1, -1):
        series = series * v + (k - 1) / math.factorial(k)
    near = (v / scale) * (v / scale) * series
    root = xp.exp(where(close, 1.0, u, xp=xp) / 2)  # the power alone may overflow
    far = ((u - 1) * root / scale) * (root / scale) + 1 / scale / scale
    return where(close, near, far, xp=xp)


@with_gradient(_boxcox_grad, elementwise=True, by={"power": _boxcox_by_power})
def _boxcox(x: Array, *, power: float, xp: Namespace) -> Array:
    """``(x**power - 1) / power``, of power 0 ``log(x)``; by expm1 where x**power is near 1."""
    if is_number(power) and power == 0:
        return log(x, xp=xp)
    inside = (x > 0) & (x < INF)
    exponent = power * xp.log(where(inside, x, 1.0, xp=xp))
    close = (exponent > -1) & (exponent < 1)
    near = xp.expm1(where(close, exponent, 0.0, xp=xp)) / power
    root = _power(where(inside & close, 1.0, x, xp=xp), power / 2, xp=xp)
    far = root * (root / power) - 1 / power  # the power alone may overflow
    return where(inside & close, near, far, xp=xp)


def _power(x: Array, power: float, *, xp: Namespace) -> Array:
    """``x**power``, with its limits at 0 and infinity, NaN below 0."""
    inside = (x > 0) & (x < INF)
    if is_number(power):
        at_zero, at_infinity = (0.0, INF) if power > 0 else (INF, 0.0) if power < 0 else (1.0, 1.0)
        at_zero = constant(at_zero, x, xp=xp)
    else:
        one = constant(1.0, x, xp=xp)
        at_zero = where(power > 0, 0.0, where(power < 0, INF, one, xp=xp), xp=xp)
        at_infinity = where(power < 0, 0.0, where(power > 0, INF, one, xp=xp), xp=xp)
    ends = where(x == 0, at_zero, NAN, xp=xp)
    ends = where(x == INF, at_infinity, ends, xp=xp)
    return where(inside, where(inside, x, 1.0, xp=xp) ** power, ends, xp=xp)
