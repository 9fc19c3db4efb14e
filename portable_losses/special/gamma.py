"""The logarithm of the gamma function and its derivatives, for arguments above 0.

The gradients form a closed family of pairs, so that any order of derivative works::

    _gammaln -> _polygamma, order 0 (digamma) -> order 1 -> order 2 ...
"""

import math

from portable_losses._gradient import with_gradient
from portable_losses._marked import marked_call
from portable_losses._polyfill import constant, minimum, where
from portable_losses._public import public
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of_floating
from portable_losses._values import check_all_in
from portable_losses.special._gamma_coefficients import (
    BERNOULLI,
    DIGAMMA,
    DIGAMMA_MIDDLE,
    GAMMALN,
    HIGH,
    LOW,
    MIDDLE,
    ROOT,
    STIRLING,
)
from portable_losses.special.normal import dtype_name, polynomial

__all__ = ["digamma", "gammaln"]

STEPS = 12  # from x to where the series of polygamma holds


@public
def gammaln(x: Array, /) -> Array:
    """Logarithm of the gamma function: ``log(gamma(x))``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        At least 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. +inf at 0 and at +inf. Where the values cannot be read (on a
        GPU, under ``jax.jit``, on Dask), a negative one gives NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `x` is negative.

    Notes
    -----
    ``(x - 1) * (x - 2)`` times a polynomial below 12, so that the values next to the roots at 1 and
    2 keep their digits; Stirling's series from there on. The gradient is `digamma`.

    Source: NIST Digital Library of Mathematical Functions, 5.11.1; scipy.special.gammaln.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.gammaln(np.asarray([0.0, 0.5, 5.0])).round(4)
    array([   inf, 0.5724, 3.1781])
    """
    xp = namespace_of_floating(x, "x")
    invalid = check_all_in(0, INF, xp=xp, x=x)

    return marked_call(_gammaln, x, invalid)


@public
def digamma(x: Array, /) -> Array:
    """Derivative of the logarithm of the gamma function.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        At least 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. -inf at 0, +inf at +inf. Where the values cannot be read (on
        a GPU, under ``jax.jit``, on Dask), a negative one gives NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `x` is negative.

    Notes
    -----
    The distance from the root at 1.46 times a rational function below 12, so that values next to
    the root keep their digits; the asymptotic series from there on. The gradient is the trigamma
    function.

    Source: NIST Digital Library of Mathematical Functions, 5.11.2; scipy.special.digamma.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.digamma(np.asarray([0.0, 1.0, 5.0])).round(4)
    array([   -inf, -0.5772,  1.5061])
    """
    xp = namespace_of_floating(x, "x")
    invalid = check_all_in(0, INF, xp=xp, x=x)

    return marked_call(_polygamma, x, invalid, order=0)


def _gammaln_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * _polygamma(x, xp=xp, order=0),)


@with_gradient(_gammaln_grad, elementwise=True)
def _gammaln(x: Array, *, xp: Namespace) -> Array:
    """``log(gamma(x))``; +inf at 0 and NaN below.

    Below 12 by a polynomial with the roots at 1 and 2 divided out, so that they keep their digits.
    """
    inside = (x > 0) & (x < INF)
    z = where(inside, x, 1.0, xp=xp)
    small = z < LOW
    near = minimum(where(small, z + 1, z, xp=xp), HIGH, xp=xp)
    first = where(small, z, near - 1, xp=xp)  # y - 1 and y - 2, without the rounding of y = x + 1
    second = where(small, z - 1, near - 2, xp=xp)
    t = (near - MIDDLE) / (near + MIDDLE)
    lower = first * second * polynomial(t, GAMMALN, xp=xp)
    lower = where(small, lower - xp.log(z), lower, xp=xp)

    far = where(z < HIGH, HIGH, z, xp=xp)
    upper = _stirling(far, STIRLING, xp=xp) / far + (0.5 * math.log(2 * math.pi) - 0.5)
    upper = (far - 0.5) * (xp.log(far) - 1) + upper
    return _ends(x, where(z < HIGH, lower, upper, xp=xp), INF, xp=xp)


def _polygamma_grad(
    grad: Array, out: Array, x: Array, *, xp: Namespace, order: int
) -> tuple[Array]:
    """The next polygamma."""
    return (grad * _polygamma(x, xp=xp, order=order + 1),)


@with_gradient(_polygamma_grad, elementwise=True)
def _polygamma(x: Array, *, xp: Namespace, order: int) -> Array:
    """Derivative of `order` of digamma; infinite at 0 and NaN below."""
    inside = (x > 0) & (x < INF)
    z = where(inside, x, 1.0, xp=xp)
    if order == 0:
        return _ends(x, _digamma(z, xp=xp), -INF, xp=xp)

    # All terms have one sign: 1 / z**(order + 1) and its like up to z + 11, then the series.
    total = 0.0 * z
    for k in reversed(range(STEPS)):
        total = total + (z + k) ** -(order + 1)
    far = z + STEPS
    rest = 0.0 * z
    for k, b in reversed(list(enumerate(BERNOULLI, 1))):
        factor = b * math.factorial(2 * k + order - 1) / math.factorial(2 * k)
        rest = (rest + factor) / (far * far)
    rest = rest + math.factorial(order) / (2 * far) + math.factorial(order - 1)
    sign = 1.0 if order % 2 else -1.0
    value = sign * (math.factorial(order) * total + rest * far**-order)
    value = where(x == INF, 0.0, value, xp=xp)
    return _ends(x, value, sign * INF, xp=xp, limit=0.0)


def _digamma(z: Array, *, xp: Namespace) -> Array:
    """``digamma(z)`` of positive, finite numbers."""
    small = z < LOW
    near = minimum(where(small, z + 1, z, xp=xp), HIGH, xp=xp)
    root, rest = ROOT[dtype_name(z, xp=xp)]
    t = (near - DIGAMMA_MIDDLE) / (near + DIGAMMA_MIDDLE)
    lower = ((near - root) - rest) * polynomial(t, DIGAMMA, xp=xp) / near
    lower = where(small, lower - 1 / z, lower, xp=xp)

    far = where(z < HIGH, HIGH, z, xp=xp)
    series = [b / (2 * k) for k, b in enumerate(BERNOULLI, 1)]
    upper = xp.log(far) - (0.5 + _stirling(far, series, xp=xp) / far) / far
    return where(z < HIGH, lower, upper, xp=xp)


def _stirling(x: Array, coefficients: "tuple[float, ...] | list[float]", *, xp: Namespace) -> Array:
    """``sum over k of coefficients[k] / x**(2 * k)``, for x from 12 on."""
    inverse = 1 / x
    step = inverse * inverse
    result = 0.0 * x + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        result = result * step + c
    return result


def _ends(x: Array, value: Array, pole: float, *, xp: Namespace, limit: float = INF) -> Array:
    """Return `value`, with its pole at 0, its limit at infinity, and NaN where x < 0 or NaN."""
    value = where(x > 0, value, where(x == 0, constant(pole, x, xp=xp), NAN, xp=xp), xp=xp)
    return where(x == INF, limit, value, xp=xp)
