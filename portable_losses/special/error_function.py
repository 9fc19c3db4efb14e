"""The error function and its complement, also scaled: the Array API standard has none of them."""

import math
from collections.abc import Callable

from portable_losses._backend import backend_of
from portable_losses._dtypes import largest
from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._polyfill import clip, maximum, minimum, where
from portable_losses._public import public
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses.special._coefficients import ERF, FALL, MIDDLE, TURN
from portable_losses.special.normal import (
    FAR,
    _gaussian,
    bell,
    fraction,
    polynomial,
    scaled_tail,
)
from portable_losses.special.two_floats import multiply_add, square

__all__ = ["erf", "erfc", "erfcx"]

BEYOND = 14.0  # from here on 12 terms of the continued fraction are exact


@public
def erf(x: Array, /) -> Array:
    """Error function: twice the area under the bell ``exp(-t**2) / sqrt(pi)`` from 0 to x.

    With a polynomial q::

        erf(x) = x + x * q(x**2)            where |x| < 1
                 sign(x) * (1 - erfc(|x|))  elsewhere

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [-1, 1]; shape, dtype and device of `x`. -1 at -inf, 1 at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    Where ``|x| >= 1`` the complement is small, so nothing cancels. The gradient is
    ``2 / sqrt(pi) * exp(-x**2)`` with x**2 kept in two parts: its rounding alone would cost 64
    ulp in float32 and 500 in float64. A library's own erf is used where it is as accurate.

    Source: NIST Digital Library of Mathematical Functions, 7.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.erf(np.asarray([-0.5, 0.0, 3.0])).round(6)
    array([-0.5205  ,  0.      ,  0.999978])
    """
    return elementwise_call(_erf, x)


@public
def erfc(x: Array, /) -> Array:
    """Complementary error function: ``1 - erf(x)``, with all digits of the right tail.

    With a polynomial p and ``t = (x - sqrt(8)) / (x + sqrt(8))``::

        erfc(x) = exp(-x**2) * p(t) / (x + sqrt(2))  where x > 1/2
                  1 - erf(x)                         elsewhere

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [0, 2]; shape, dtype and device of `x`. 2 at -inf, 0 at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    Relative accuracy down to the smallest numbers: ``1 - erf(x)`` is 0 from 6 on. The gradient
    is ``-2 / sqrt(pi) * exp(-x**2)``. In both, x**2 is kept in two parts: its rounding alone
    would cost 64 ulp in float32 and 500 in float64. A library's own erfc is used where it is as
    accurate.

    Source: NIST Digital Library of Mathematical Functions, 7.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.erfc(np.asarray([-0.5, 0.0, 3.0])).round(6)
    array([1.5205e+00, 1.0000e+00, 2.2000e-05])
    """
    return elementwise_call(_erfc, x)


@public
def erfcx(x: Array, /) -> Array:
    """Scaled complementary error function: ``exp(x**2) * erfc(x)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Above 0; shape, dtype and device of `x`. +inf at -inf and where ``2 * exp(x**2)`` overflows
        on the left, 0 at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    On the right a rational function, falling like ``1 / (sqrt(pi) * x)``; on the left
    ``2 * exp(x**2) - erfcx(-x)`` with x**2 in two parts. The gradient,
    ``2 * x * erfcx(x) - 2 / sqrt(pi)``, cancels on the right, and is computed there from a rational
    function of its own.

    Source: NIST Digital Library of Mathematical Functions, 7.2.3; scipy.special.erfcx.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.erfcx(np.asarray([-1.0, 0.0, 1e6]))
    array([5.00898008e+00, 1.00000000e+00, 5.64189584e-07])
    """
    return elementwise_call(_erfcx, x)


def _erf_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * (_gaussian(x, xp=xp, scale=1.0) * (2 / math.sqrt(math.pi))),)


@with_gradient(_erf_grad, elementwise=True)
def _erf(x: Array, *, xp: Namespace) -> Array:
    """``erf(x)``: a series for ``|x| < 1``, else 1 less the tail."""
    native: Callable[[Array], Array] | None = backend_of(xp).speed.special.get("erf")
    if native is not None:
        return native(x)
    tail = _tail(x, xp=xp)
    outside = where(x < 0, tail - 1.0, 1.0 - tail, xp=xp)
    near, rest = _erf_series(x, xp=xp)
    return where(xp.abs(x) < 1, near + rest, outside, xp=xp)


def _erfc_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * (_gaussian(x, xp=xp, scale=1.0) * (-2 / math.sqrt(math.pi))),)


@with_gradient(_erfc_grad, elementwise=True)
def _erfc(x: Array, *, xp: Namespace) -> Array:
    """``erfc(x)``: the tail from 1/2 on, ``1 - series`` from -1 on, else ``2 - tail``."""
    native: Callable[[Array], Array] | None = backend_of(xp).speed.special.get("erfc")
    if native is not None:
        return native(x)
    tail = _tail(x, xp=xp)
    near, rest = _erf_series(x, xp=xp)
    left = where(x > -1, (1.0 - near) - rest, 2.0 - tail, xp=xp)
    return where(x > 0.5, tail, left, xp=xp)


def _tail(x: Array, *, xp: Namespace) -> Array:
    """``erfc(|x|)``: no cancellation for any x, and within 4 ulp for ``|x| >= 1/2``."""
    unit = math.sqrt(2)  # erfc(x) = 2 * Phi(-sqrt(2) * x)
    z = minimum(xp.abs(x), FAR / unit, xp=xp)
    return scaled_tail(z, unit=unit, xp=xp) * unit * bell(z, 1.0, xp=xp)


def _erf_series(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return x and ``erf(x) - x`` for ``|x| <= 1``; elsewhere finite numbers that are not used."""
    near = clip(x, -1.0, 1.0, xp=xp)
    return near, near * polynomial(near * near, ERF, xp=xp)


def _erfcx_slope_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``2 * erfcx(x) + 2 * x * out``; where x > 0, and that cancels, a rational function.

    Far out ``-4 * out`` times the ratio of the second and the first repeated integral of erfc.
    """
    limit, end = 0.5 * largest(x, xp=xp), BEYOND / math.sqrt(2)
    low = clip(x, -2 * limit, 0.0, xp=xp)
    left = 2 * _erfcx(low, xp=xp) + 2 * low * out
    z = math.sqrt(2) * clip(x, 0.0, end, xp=xp)
    right = 4 * polynomial((z - MIDDLE) / (z + MIDDLE), TURN, xp=xp) / (z + 2) / (z + 2) / (z + 2)
    far = clip(x, end, limit, xp=xp)
    ratio = 1 / (2 * far)
    for n in range(12, 1, -1):
        ratio = 1 / (2 * far + 2 * (n + 1) * ratio)
    right = where(x < end, right, -4 * ratio * out, xp=xp)
    return (grad * where(x < 0, left, right, xp=xp),)


@with_gradient(_erfcx_slope_grad, elementwise=True)
def _erfcx_slope(x: Array, *, xp: Namespace) -> Array:
    """``2 x erfcx(x) - 2 / sqrt(pi)``."""
    left = 2 * minimum(x, 0.0, xp=xp) * _erfcx(minimum(x, 0.0, xp=xp), xp=xp)
    z = math.sqrt(2) * minimum(maximum(x, 0.0, xp=xp), 0.5 * largest(x, xp=xp), xp=xp)
    near = minimum(z, BEYOND, xp=xp)
    fall = polynomial((near - MIDDLE) / (near + MIDDLE), FALL, xp=xp)
    fall = fall / multiply_add(near, near + 4, 4.0, xp=xp)  # (near + 2)**2, rounded less
    far = maximum(z, BEYOND, xp=xp)
    rest = fraction(far, xp=xp, terms=12)
    beyond = rest / (far + rest) / math.sqrt(2 * math.pi)
    right = -2 * math.sqrt(2) * where(z < BEYOND, fall, beyond, xp=xp)
    return where(x < 0, left - 2 / math.sqrt(math.pi), right, xp=xp)


def _erfcx_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * _erfcx_slope(x, xp=xp),)


@with_gradient(_erfcx_grad, elementwise=True)
def _erfcx(x: Array, *, xp: Namespace) -> Array:
    """``exp(x**2) erfc(x)``."""
    size = where(x < 0, -x, x, xp=xp)
    z = math.sqrt(2) * minimum(size, 0.5 * largest(x, xp=xp), xp=xp)
    rest = fraction(maximum(z, BEYOND, xp=xp), xp=xp, terms=12)
    beyond = 1 / math.sqrt(math.pi) / (maximum(size, 1.0, xp=xp) + rest / math.sqrt(2))
    near = 2 * scaled_tail(minimum(z, BEYOND, xp=xp), xp=xp)
    right = where(z < BEYOND, near, beyond, xp=xp)
    endless = x == -INF
    value, rest = square(clip(where(endless, 0.0, x, xp=xp), -FAR, 0.0, xp=xp), xp=xp)
    left = 2 * xp.exp(value) * (1 + rest)  # a product: it may be infinite
    return where(endless, INF, where(x < 0, left - right, right, xp=xp), xp=xp)
