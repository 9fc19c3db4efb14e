"""The normal distribution's exponential, its tail, and gelu: every derivative exact everywhere.

The gradients form a closed family of pairs, so that any order of derivative works::

    erf, erfc -> _gaussian -> _gaussian
    _gelu -> _gelu_slope -> _gaussian
    _ndtr -> _gaussian
    _log_ndtr -> _hazard -> _hazard
"""

import math
from collections.abc import Mapping

from portable_losses._dtypes import largest
from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._polyfill import clip, constant, maximum, minimum, where
from portable_losses._public import public
from portable_losses._stable import INF, log1p_inside
from portable_losses._typing import Array, Namespace
from portable_losses.special._coefficients import ERF, FALL, GELU_ROOT, MIDDLE, SLOPE, TAIL
from portable_losses.special.two_floats import multiply_add, square

__all__ = ["log_ndtr", "ndtr"]

# exp(-x**2 / 2) is 0 from 38.6 on, in float64 and in all below: a larger argument may be set
# to this before it is squared, and neither overflows nor meets an infinity.
FAR = 40.0


@public
def ndtr(x: Array, /) -> Array:
    """Distribution function of the standard normal distribution: ``(1 + erf(x / sqrt(2))) / 2``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [0, 1]; shape, dtype and device of `x`. 0 at -inf, 1 at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The left tail is computed as such, ``exp(-x**2 / 2)`` times a rational function, and keeps its
    digits down to the smallest numbers. The gradient is ``exp(-x**2 / 2) / sqrt(2 pi)``. In both,
    x**2 is kept in two parts.

    Source: NIST Digital Library of Mathematical Functions, 7.17; scipy.special.ndtr.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.ndtr(np.asarray([-np.inf, 0.0, 1.96])).round(4)
    array([0.   , 0.5  , 0.975])
    """
    return elementwise_call(_ndtr, x)


@public
def log_ndtr(x: Array, /) -> Array:
    """Logarithm of the standard normal distribution function: ``log(ndtr(x))``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        At most 0; shape, dtype and device of `x`. -inf at -inf, 0 at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    On the left ``log(r) - x**2 / 2``, r the tail without its exponential; on the right
    ``log1p(-ndtr(-x))``. The gradient is the density over the distribution function; on the far
    left it is computed as ``-x`` and a continued fraction, and not as a quotient of two numbers
    that are 0.

    Source: scipy.special.log_ndtr; NIST Digital Library of Mathematical Functions, 7.9.1.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.log_ndtr(np.asarray([-1e4, 0.0, 10.0]))
    array([-5.00000101e+07, -6.93147181e-01, -7.61985302e-24])
    """
    return elementwise_call(_log_ndtr, x)


def dtype_name(x: Array, *, xp: Namespace) -> str:
    """Return "float32" or "float64": the key of the coefficients for `x`."""
    return "float32" if x.dtype == xp.float32 else "float64"


def polynomial(x: Array, coefficients: Mapping[str, tuple[float, ...]], *, xp: Namespace) -> Array:
    """Evaluate by Horner's rule the polynomial of `x`'s dtype, highest coefficient first."""
    highest, second, *others = coefficients[dtype_name(x, xp=xp)]
    result = multiply_add(x, highest, second, xp=xp)
    for coefficient in others:
        result = multiply_add(result, x, coefficient, xp=xp)
    return result


def bell(x: Array, scale: float, *, xp: Namespace) -> Array:
    """Return ``exp(-scale * x**2)`` to the accuracy of ``xp.exp``; `scale` is a power of two."""
    value, rest = square(x, xp=xp)  # its rounding alone costs 64 ulp in float32, 500 in float64
    result = xp.exp(-scale * value)
    return result - result * (scale * rest)


def bell_in_two(z: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``exp(-z**2 / 2)``, z not below 0, as a product, whose first is never subnormal.

    The second is 1, and ``exp(-64)`` in the far tail. (Where the first is 0 or subnormal, their
    product is below the smallest number.)
    """
    value, rest = square(z, xp=xp)
    exponent, far = -0.5 * value, z > 11.25  # -63.3
    first, one = xp.exp(where(far, exponent + 64.0, exponent, xp=xp)), constant(1.0, z, xp=xp)
    first = first - first * (0.5 * rest)  # the sum above is exact
    return first, where(far, math.exp(-64.0), one, xp=xp)


def times_bell(factor: Array, z: Array, *, xp: Namespace) -> Array:
    """Return ``factor * exp(-z**2 / 2)``, right where the exponential alone is subnormal."""
    first, second = bell_in_two(z, xp=xp)
    return factor * first * second


def scaled_tail(z: Array, *, xp: Namespace, unit: float = 1.0) -> Array:
    """Return ``unit * Phi(-u) * exp(u**2 / 2)`` with ``u = unit * z``, for ``0 <= u <= FAR``.

    It falls from 1/2 to 0 like 1 / u; the tail of the distribution is its product with one
    exponential, without a cancellation.
    """
    middle = MIDDLE / unit
    t = (z - middle) / (z + middle)
    return polynomial(t, TAIL, xp=xp) / (z + 2.0 / unit)


def _gaussian_grad(
    grad: Array, out: Array, x: Array, *, xp: Namespace, scale: float
) -> tuple[Array]:
    """``-2 * scale * x * out``."""
    return (grad * (-2.0 * scale * clip(x, -FAR, FAR, xp=xp) * out),)


@with_gradient(_gaussian_grad, elementwise=True)
def _gaussian(x: Array, *, xp: Namespace, scale: float) -> Array:
    """``exp(-scale * x**2)`` for a scale of 1 or 1/2."""
    return bell(clip(x, -FAR, FAR, xp=xp), scale, xp=xp)


def _gelu_slope_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``(2 - x**2) * phi(x)``."""
    near = clip(x, -FAR, FAR, xp=xp)
    density = _gaussian(x, xp=xp, scale=0.5) / math.sqrt(2 * math.pi)
    return (grad * ((2.0 - near * near) * density),)


@with_gradient(_gelu_slope_grad, elementwise=True)
def _gelu_slope(x: Array, *, xp: Namespace) -> Array:
    """``Phi(x) + x phi(x)``, all digits kept next to its root at -0.75."""
    z = minimum(xp.abs(x), FAR, xp=xp)
    root, value = GELU_ROOT[dtype_name(x, xp=xp)]
    t = (z - MIDDLE) / (z + MIDDLE)
    factor = (z - root) * polynomial(t, SLOPE, xp=xp) + value
    left = times_bell(factor, z, xp=xp)  # the value at -z
    return where(x < 0, left, 1.0 - left, xp=xp)


def _gelu_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * _gelu_slope(x, xp=xp),)


@with_gradient(_gelu_grad, elementwise=True)
def _gelu(x: Array, *, xp: Namespace) -> Array:
    """``x * Phi(x)``, Phi from the tail of the side of x: ``1 + erf`` would cancel on the left."""
    z = minimum(xp.abs(x), FAR, xp=xp)
    first, second = bell_in_two(z, xp=xp)
    tail = scaled_tail(z, xp=xp) * first
    # The second factor last: the tail alone is subnormal before its product with x is.
    scaled = maximum(x, -FAR, xp=xp) * where(x < 0, tail, 1.0 - tail * second, xp=xp)
    return where(x < 0, scaled * second, scaled, xp=xp)


def _abs(x: Array, *, xp: Namespace) -> Array:
    """``|x|`` by the selection x < 0: slope 1 at 0, as in the formulas of x >= 0."""
    return where(x < 0, -x, x, xp=xp)


def _ndtr_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * (_gaussian(x, xp=xp, scale=0.5) / math.sqrt(2 * math.pi)),)


@with_gradient(_ndtr_grad, elementwise=True)
def _ndtr(x: Array, *, xp: Namespace) -> Array:
    """``Phi(x)``, the standard normal distribution function."""
    z = minimum(_abs(x, xp=xp), FAR, xp=xp)
    tail = times_bell(scaled_tail(z, xp=xp), z, xp=xp)
    far = where(x < 0, tail, 1.0 - tail, xp=xp)
    return where(z <= CLOSE, _middle(x, xp=xp), far, xp=xp)


def _log_ndtr_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * _hazard(x, xp=xp),)


@with_gradient(_log_ndtr_grad, elementwise=True)
def _log_ndtr(x: Array, *, xp: Namespace) -> Array:
    """``log(Phi(x))``: for x < 0 ``log(scaled_tail(-x)) - x**2 / 2``, else ``log1p(-tail)``."""
    z = _abs(x, xp=xp)
    near = minimum(z, largest(x, xp=xp), xp=xp)
    left = xp.log(scaled_tail(near, xp=xp)) - 0.5 * z * z
    near = minimum(z, FAR, xp=xp)
    right = log1p_inside(-times_bell(scaled_tail(near, xp=xp), near, xp=xp), xp=xp)
    middle = xp.log(_middle(x, xp=xp))
    return where(z < CLOSE, middle, where(x < 0, left, right, xp=xp), xp=xp)


def _hazard_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``-out * (x + out)``, and -1 where out is infinite."""
    z = clip(-x, 0.0, BEND, xp=xp)
    t = (z - MIDDLE) / (z + MIDDLE)
    left = polynomial(t, FALL, xp=xp) / ((z + 2) * polynomial(t, TAIL, xp=xp))
    far = fraction(clip(-x, BEND, None, xp=xp), xp=xp)
    left = where(x < -BEND, far, left, xp=xp)
    beyond = where(x < 0, left, x + out, xp=xp)  # where x < 0 the sum x + out cancels
    finite = where(out < INF, out, 0.0, xp=xp)
    slope = where(out < INF, -finite * where(out < INF, beyond, 0.0, xp=xp), -1.0, xp=xp)
    return (grad * slope,)


@with_gradient(_hazard_grad, elementwise=True)
def _hazard(x: Array, *, xp: Namespace) -> Array:
    """``phi(x) / Phi(x)``, the slope of log_ndtr: about -x on the far left."""
    z = _abs(x, xp=xp)
    near = minimum(z, BEND, xp=xp)
    inverse = 1.0 / (scaled_tail(near, xp=xp) * math.sqrt(2 * math.pi))
    far = maximum(z, BEND, xp=xp)
    left = where(z < BEND, inverse, far + fraction(far, xp=xp), xp=xp)
    capped = minimum(z, FAR, xp=xp)
    tail = times_bell(scaled_tail(capped, xp=xp), capped, xp=xp)
    whole = where(z < CLOSE, _middle(x, xp=xp), 1.0 - tail, xp=xp)
    right = _gaussian(x, xp=xp, scale=0.5) / (math.sqrt(2 * math.pi) * whole)
    return where(x <= -CLOSE, left, right, xp=xp)


def _middle(x: Array, *, xp: Namespace) -> Array:
    """``Phi(x)`` where ``|x| <= CLOSE``, by the series of erf: it rounds less than the tails."""
    near = clip(x, -CLOSE, CLOSE, xp=xp) * math.sqrt(0.5)
    return 0.5 + 0.5 * multiply_add(near, polynomial(near * near, ERF, xp=xp), near, xp=xp)


CLOSE = 0.5
BEND = 6.0  # from here on the fraction has converged


def fraction(z: Array, *, xp: Namespace, terms: int = 40) -> Array:
    """Return ``_hazard(-z) - z`` for z from `BEND` on: ``1 / (z + 2 / (z + 3 / (z + ...)))``."""
    result = z
    for k in range(terms, 1, -1):
        result = z + k / result
    return 1.0 / result
