"""What is left of x by a hyperbolic tangent, and logits capped by one."""

from portable_losses._gradient import elementwise_call, stop_gradient, with_gradient
from portable_losses._options import POSITIVE
from portable_losses._polyfill import clip, constant, minimum, where
from portable_losses._public import public
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses.activations.logistic import _clip_size, _tanh, _tanh_slope
from portable_losses.special.two_floats import (
    halves,
    minus_product,
    quotient_in_parts,
    split,
    square,
    sum_of,
)

__all__ = ["softcap", "softcap_in_parts", "tanh_shrink"]

NEAR = 1.5  # from here on x - tanh(x) loses no more than a bit


@public
def tanh_shrink(x: Array, /) -> Array:
    """Hyperbolic tangent shrinkage: ``x - tanh(x)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN and infinities stay.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    For ``|x| < 1.5`` computed without a difference, by a continued fraction: ``x * q / (1 + q)``
    with ``q = x**2 / (3 + x**2 / (5 + x**2 / (7 + ...)))``, so that ``tanh_shrink(1e-5)`` has all
    digits of ``x**3 / 3``. The gradient is ``tanh(x)**2``.

    Source: NIST Digital Library of Mathematical Functions, 4.39.1; torch.nn.functional.tanhshrink.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.tanh_shrink(np.asarray([-3e-5, 0.0, 3.0]))
    array([-9.00000000e-15,  0.00000000e+00,  2.00494525e+00])
    """
    return elementwise_call(_tanh_shrink, x)


@public(cap=POSITIVE)
def softcap(x: Array, /, *, cap: float | Array) -> Array:
    """Bound logits smoothly: ``cap * tanh(x / cap)``, infinities kept.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    cap : float or 0-d array
        Bound of the result, greater than 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`, in [-cap, cap] where `x` is finite. -inf stays -inf, so that
        a mask stays a mask, and +inf stays +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `cap` is not positive.

    Notes
    -----
    The gradient is ``1 - tanh(x / cap)**2``, with all digits in both tails, and 0 at infinities.

    Source: Gemma Team, "Gemma 2" (2024), arXiv:2408.00118.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.softcap(np.asarray([-np.inf, 1.0, 1000.0]), cap=30.0).round(4)
    array([   -inf,  0.9996, 30.    ])
    """
    return elementwise_call(_softcap, x, cap=cap)


def _tanh_shrink_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``tanh(x)**2``."""
    t = _tanh(x, xp=xp)
    return (grad * (t * t),)


@with_gradient(_tanh_shrink_grad, elementwise=True)
def _tanh_shrink(x: Array, *, xp: Namespace) -> Array:
    """``x - tanh(x)``; for ``|x| < NEAR``, where that cancels, from tanh's continued fraction."""
    near = clip(x, -NEAR, NEAR, xp=xp)
    square = near * near
    fraction = 0.0 * square + 21.0
    for odd in range(19, 1, -2):
        fraction = odd + square / fraction
    small = near * (square / (fraction + square))
    return where(xp.abs(x) < NEAR, small, x - _tanh(x, xp=xp), xp=xp)


def _softcap_grad(grad: Array, out: Array, x: Array, *, cap: float, xp: Namespace) -> tuple[Array]:
    """``1 - tanh(x / cap)**2``."""
    value, rest = quotient_in_parts(_clip_size(x, 1000 * cap, xp=xp), cap, xp=xp)
    slope = _tanh_slope(value, xp=xp)
    if rest is not None:  # of a relative slope of 2 tanh(value), which is 2 where it matters
        slope = slope - slope * (2 * where(x >= 0, rest, -rest, xp=xp))
    return (grad * slope,)


def _softcap_by_cap(grad: Array, out: Array, x: Array, *, cap: float, xp: Namespace) -> Array:
    """``tanh(u) - u * (1 - tanh(u)**2)`` with ``u = x / cap``, 0 at infinities."""
    u = where(xp.abs(x) == INF, 0.0, _clip_size(x, 1000 * cap, xp=xp), xp=xp) / cap
    near, t = clip(u, -NEAR, NEAR, xp=xp), _tanh(u, xp=xp)
    small = near * t * t - _tanh_shrink(near, xp=xp)
    return grad * where(xp.abs(u) < NEAR, small, t - u * _tanh_slope(u, xp=xp), xp=xp)


@with_gradient(_softcap_grad, elementwise=True, by={"cap": _softcap_by_cap})
def _softcap(x: Array, *, cap: float, xp: Namespace) -> Array:
    """``cap * tanh(x / cap)``, infinities kept."""
    bounded = cap * _tanh(_clip_size(x, 1000 * cap, xp=xp) / cap, xp=xp)
    high = where(x == INF, constant(INF, x, xp=xp), bounded, xp=xp)
    return where(x == -INF, -INF, high, xp=xp)


HALVINGS = 8  # of the exponent, before its exponential is a short series
FARTHEST = {4: 22.0, 8: 40.0}  # by the bytes of the dtype: from here on tanh is 1 in two parts


def softcap_in_parts(x: Array, cap: float | Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``cap * tanh(x / cap)``, and what rounding it has lost, a constant.

    An exponential would turn that into as many units in the last place as `cap` has: it is
    ``cap * e / (e + 2) - value`` with ``e = expm1(2 * |x| / cap)``, in two parts throughout.
    """
    value = _softcap(x, cap=cap, xp=xp)
    size, known = (xp.abs(stop_gradient(y, xp=xp)) for y in (x, value))
    most = FARTHEST[8 if x.dtype == xp.float64 else 4]
    exponent, more = quotient_in_parts(minimum(size, most * cap, xp=xp), cap, xp=xp)
    high, low = _expm1_in_parts(2 * exponent, 0.0 if more is None else 2 * more, xp=xp)
    below, lost = sum_of(high, 2.0)  # the denominator
    ratio = high / below
    left = minus_product(high, ratio, *split(below, xp=xp), xp=xp)
    rest = (left + (low - ratio * (lost + low))) / below
    beyond = -minus_product(known, ratio, *halves(cap, x, xp=xp), xp=xp) + cap * rest
    beyond = where(xp.abs(beyond) < INF, beyond, 0.0, xp=xp)
    return value, stop_gradient(where(x < 0, -beyond, beyond, xp=xp), xp=xp)


def _expm1_in_parts(x: Array, rest: Array | float, *, xp: Namespace) -> tuple[Array, Array]:
    """``exp(x + rest) - 1`` from 0 on, as a sum of two: of a part of the exponent, then squared."""
    part = 0.5**HALVINGS
    x, rest = x * part, rest * part
    series = 0.0 * x + 1 / 40320
    for term in (5040, 720, 120, 24, 6):
        series = series * x + 1 / term
    whole, lost = square(x, xp=xp)
    high, low = sum_of(x, whole / 2)
    high, low = sum_of(high, low + (lost / 2 + rest * (1 + x) + x * whole * series))
    for _ in range(HALVINGS):  # (1 + e)**2 - 1
        whole, lost = square(high, xp=xp)
        doubled, more = sum_of(2 * high, whole)
        high, low = sum_of(doubled, more + (lost + 2 * low * (1 + high)))
    return high, low
