"""Exponential linear units: they fall to a constant on the negative half line."""

from portable_losses._backend import backend_of
from portable_losses._dtypes import largest
from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._options import FINITE, POSITIVE, is_number
from portable_losses._polyfill import maximum, minimum, where
from portable_losses._public import public
from portable_losses._typing import Array, Namespace
from portable_losses.special.box_cox import _growth
from portable_losses.special.two_floats import exponential, quotient

__all__ = ["celu", "elu", "selu"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@public(alpha=FINITE)
def elu(x: Array, /, *, alpha: float | Array = 1.0) -> Array:
    """Exponential linear unit: ``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    alpha : float or 0-d array, default 1.0
        Minus the limit at -inf.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; -alpha at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `alpha` is not finite.

    Notes
    -----
    Computed with ``expm1`` of ``min(x, 0)``. The gradient is 1 above 0 and ``alpha * exp(x)``
    elsewhere, alpha at 0: never ``elu(x) + alpha``, which is 0 from -17 (float32) on. The second
    derivative is 0 at 0.

    Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning
    by exponential linear units" (2016), arXiv:1511.07289.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.elu(np.asarray([-np.inf, -1.0, 3.0])).round(4)
    array([-1.    , -0.6321,  3.    ])
    """
    return elementwise_call(_elu, x, above=1.0, below=alpha, scaled=False)


@public
def selu(x: Array, /) -> Array:
    """Self-normalizing exponential linear unit: ``scale * elu(x, alpha=alpha)``.

    The constants are scale = 1.0507009873554805 and alpha = 1.6732632423543772.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; -1.7581 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    With these constants the unit keeps mean 0 and variance 1. The gradient is ``scale`` above 0 and
    ``scale * alpha * exp(x)`` elsewhere, 0 included; the second derivative is 0 at 0.

    Source: G. Klambauer et al., "Self-normalizing neural networks" (2017), arXiv:1706.02515.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.selu(np.asarray([-np.inf, -1.0, 3.0])).round(4)
    array([-1.7581, -1.1113,  3.1521])
    """
    below = SELU_SCALE * SELU_ALPHA
    return elementwise_call(_elu, x, above=SELU_SCALE, below=below, scaled=False)


@public(alpha=POSITIVE)
def celu(x: Array, /, *, alpha: float | Array = 1.0) -> Array:
    """Exponential linear unit of slope 1 at 0: ``x`` if ``x > 0``, else ``a * (exp(x / a) - 1)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    alpha : float or 0-d array, default 1.0
        The a of the formula: minus the limit at -inf. Greater than 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; -alpha at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `alpha` is not positive.

    Notes
    -----
    The gradient is 1 above 0 and ``exp(x / alpha)`` elsewhere, without a jump; the second
    derivative is 0 at 0.

    Source: J. T. Barron, "Continuously differentiable exponential linear units" (2017),
    arXiv:1704.07483.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.celu(np.asarray([-np.inf, -1.0, 3.0]), alpha=0.5).round(4)
    array([-0.5   , -0.4323,  3.    ])
    """
    return elementwise_call(_elu, x, above=1.0, below=alpha, scaled=True)


def _negative_part(x: Array, positive: Array, width: float, *, xp: Namespace) -> Array:
    """``min(x, 0)``, 0 where `positive`, and bounded below where ``exp(x / width)`` is 0."""
    if is_number(width) and width == 1 and not backend_of(xp).autodiff.differentiates:
        return minimum(x, 0.0, xp=xp)
    z = where(positive, 0.0, x, xp=xp)
    if is_number(width):
        return maximum(z, -min(1000 * width, largest(z, xp=xp)), xp=xp)
    return maximum(z, -minimum(1000 * width, largest(z, xp=xp), xp=xp), xp=xp)


def _elu_grad(
    grad: Array, out: Array, x: Array, *, above: float, below: float, scaled: bool, xp: Namespace
) -> tuple[Array]:
    """``above`` where x > 0, else ``below / width * exp(x / width)``; the width is 1 or `below`."""
    width = below if scaled else 1.0
    z = _negative_part(x, x >= 0, width, xp=xp)  # constant at 0: second derivative 0
    steepness = 1.0 if scaled else below
    slope = steepness * exponential(*quotient(z, width, xp=xp), xp=xp)
    # At z = 0 the slope is the steepness: where that is `above`, x > 0 needs no selection.
    same = is_number(steepness) and steepness == above
    if not same or backend_of(xp).autodiff.differentiates:
        slope = where(x > 0, above, slope, xp=xp)
    return (grad * slope,)


def _elu_by_below(
    grad: Array, out: Array, x: Array, *, above: float, below: float, scaled: bool, xp: Namespace
) -> Array:
    """0 where x > 0, else ``expm1(x)``; if `scaled`, ``expm1(u) - u * exp(u)`` of ``x / below``."""
    width = below if scaled else 1.0
    u = _negative_part(x, x > 0, width, xp=xp) / width
    return grad * (-_growth(u, 1.0, xp=xp) if scaled else xp.expm1(u))


@with_gradient(_elu_grad, elementwise=True, by={"below": _elu_by_below})
def _elu(x: Array, *, above: float, below: float, scaled: bool, xp: Namespace) -> Array:
    """``above * x`` where x > 0, else ``below * expm1(x / width)``; the width is 1 or `below`."""
    width = below if scaled else 1.0
    # A library that differentiates this formula gets the slope of x < 0 at 0; on others -0.0 is
    # kept.
    rises = x > 0 if backend_of(xp).autodiff.differentiates else x >= 0
    rising = x if above == 1 else above * where(rises, x, 0.0, xp=xp)
    return where(
        rises, rising, below * xp.expm1(_negative_part(x, rises, width, xp=xp) / width), xp=xp
    )
