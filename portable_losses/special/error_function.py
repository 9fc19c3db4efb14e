"""The error function and its complement: the Array API standard has neither."""

import math
from collections.abc import Callable

from portable_losses._backend import backend_of
from portable_losses._gradient import with_gradient
from portable_losses._portable import clip, minimum, narrow, where, widen
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses.special._coefficients import ERF
from portable_losses.special.normal import FAR, _gaussian, bell, polynomial, scaled_tail

__all__ = ["erf", "erfc"]


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
    >>> erf(np.asarray([-0.5, 0.0, 3.0])).round(6)
    array([-0.5205  ,  0.      ,  0.999978])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)

    return narrow(_erf(widen(x, xp=xp), xp=xp), x.dtype, xp=xp)


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
    >>> erfc(np.asarray([-0.5, 0.0, 3.0])).round(6)
    array([1.5205e+00, 1.0000e+00, 2.2000e-05])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)

    return narrow(_erfc(widen(x, xp=xp), xp=xp), x.dtype, xp=xp)


def _erf_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * (_gaussian(x, xp=xp, scale=1.0) * (2 / math.sqrt(math.pi))),)


@with_gradient(_erf_backward)
def _erf(x: Array, *, xp: Namespace) -> Array:
    native: Callable[[Array], Array] | None = backend_of(xp).special.get("erf")
    if native is not None:
        return native(x)
    tail = _tail(x, xp=xp)
    outside = where(x < 0, tail - 1.0, 1.0 - tail, xp=xp)
    near, rest = _series(x, xp=xp)
    return where(xp.abs(x) < 1, near + rest, outside, xp=xp)


def _erfc_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * (_gaussian(x, xp=xp, scale=1.0) * (-2 / math.sqrt(math.pi))),)


@with_gradient(_erfc_backward)
def _erfc(x: Array, *, xp: Namespace) -> Array:
    native: Callable[[Array], Array] | None = backend_of(xp).special.get("erfc")
    if native is not None:
        return native(x)
    tail = _tail(x, xp=xp)
    near, rest = _series(x, xp=xp)
    left = where(x > -1, (1.0 - near) - rest, 2.0 - tail, xp=xp)
    return where(x > 0.5, tail, left, xp=xp)


def _tail(x: Array, *, xp: Namespace) -> Array:
    """Return ``erfc(|x|)``, without cancellation for any x and exact enough from 1/2 on."""
    unit = math.sqrt(2)  # erfc(x) = 2 * Phi(-sqrt(2) * x)
    z = minimum(xp.abs(x), FAR / unit, xp=xp)
    return scaled_tail(z, unit=unit, xp=xp) * unit * bell(z, 1.0, xp=xp)


def _series(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return x and what erf(x) has beyond it, for ``|x| <= 1``; elsewhere any finite numbers."""
    near = clip(x, -1.0, 1.0, xp=xp)
    return near, near * polynomial(near * near, ERF, xp=xp)
