"""Deviances of an expected value m, or its logarithm, and a target t, as pairs of the two arrays.

Within, ``r = log(t / m)``; a t that is not positive is replaced by 1.
"""

import math

from portable_losses._dtypes import largest, tiny
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._polyfill import clip, constant
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace
from portable_losses.special.entropies import _log_ratio

__all__ = ["deviance", "deviance_of_mean", "squared_error", "squared_error_of_mean"]


def _squared_error_grad(
    grad: Array, out: Array, x: Array, t: Array, *, log_input: bool, xp: Namespace
) -> tuple[Array | None, ...]:
    """``2 * (m - t) * dm/dx`` in x, ``-2 * (m - t)`` in t."""
    m = xp.exp(x) if log_input else x
    slope = 2 * (m - t)
    in_x = _times_power(slope, x, 1, log_input=True, xp=xp) if log_input else slope
    return grad * in_x, -grad * slope


@with_gradient(_squared_error_grad, elementwise=True)
def squared_error(x: Array, t: Array, *, log_input: bool, xp: Namespace) -> Array:
    """``(m - t)**2``, m the expected value."""
    d = (xp.exp(x) if log_input else x) - t
    return d * d


def _mean(x: Array, *, xp: Namespace) -> Array:
    """``x``, and 1 where it is not positive."""
    return _where(x <= 0, 1.0, x, xp=xp)


def _bound(x: Array, *, xp: Namespace) -> float:
    """Return the largest b for which ``exp(b)`` and ``exp(-b)`` are normal numbers, nearly."""
    return math.log(largest(x, xp=xp)) - 2


def _power_of_mean(x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``m**c``."""
    if c == 0:
        return _where(x == x, constant(1.0, x, xp=xp), NAN, xp=xp)
    power: Array = xp.exp(c * x) if log_input else _mean(x, xp=xp) ** c
    return power


def _times_power(y: Array, x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``y * m**c``, computed so that it overflows only where the product does."""
    if not log_input:
        m = _mean(x, xp=xp)
        if c >= -2:
            return y / m * m ** (c + 1) if c <= -1 else y * m**c
        power, half = m ** (c + 1), m ** ((c + 1) / 2)  # the power alone may overflow
        ends = (power == INF) | (power < tiny(x, xp=xp))
        return _where(ends, y / m * half * half, y / m * power, xp=xp)
    bound, e = _bound(x, xp=xp), c * x
    shift = clip(e, -bound, bound, xp=xp)
    return y * xp.exp(shift) * xp.exp(e - shift)


def _log_ratio_of(x: Array, t: Array, *, log_input: bool, xp: Namespace) -> tuple[Array, Array]:
    """Return t, 1 where it is not positive, and ``r = log(t / m)``."""
    y = _where(t > 0, t, 1.0, xp=xp)
    if not log_input:
        return y, _log_ratio(y, _mean(x, xp=xp), xp=xp)
    bound, size = _bound(x, xp=xp), xp.abs(x)
    mean = xp.exp(clip(x, -bound, bound, xp=xp))
    direct = (size < 0.5) | ~(size < bound)  # elsewhere the logarithm would round more
    return y, _where(direct, xp.log(y) - x, _log_ratio(y, mean, xp=xp), xp=xp)


def _gap(high: Array, low: Array, r: Array, c: float, *, xp: Namespace) -> Array:
    """``(high - low) / c`` for ``high = low * exp(c * r)``, and ``low * r`` at c = 0."""
    if c == 0:
        return low * r
    small = xp.abs(c * r) < 1
    near = _where(small, low, 0.0, xp=xp) * xp.expm1(_where(small, c * r, 0.0, xp=xp))
    return _where(small, near, high - low, xp=xp) / c


def _curve(r: Array, b: float, *, xp: Namespace) -> Array:
    """Half the deviance over ``m**b``, as a power series, for ``|r| * max(1, |b|) <= 1``."""
    coefficients, factor = [], 0.0
    for k in range(1, 21):
        factor = 1 + b * factor
        coefficients.append(factor / math.factorial(k + 1))
    result = 0.0 * r
    for c in reversed(coefficients):
        result = result * r + c
    return result * r * r


def _slope_in_mean_grad(
    grad: Array,
    out: Array,
    x: Array,
    t: Array,
    r: Array,
    *,
    power: float,
    log_input: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """The derivatives of ``m**(c + 1) - t * m**c`` by x and t, in which no digit is lost."""
    c = 1 - power if log_input else -power
    less = c if log_input else c - 1  # the power of m in its derivative
    xs = _where(t == 0, 1.0, x, xp=xp) if c <= 0 else x
    y = _where(t == 0, 1.0, t, xp=xp)  # negative ones, too, where the power has them
    bend = 0.0 * t
    if c + 1:
        bend = bend + (c + 1) * _power_of_mean(x, less + 1, log_input=log_input, xp=xp)
    if c:
        drop = -c * _times_power(y, xs, less, log_input=log_input, xp=xp)
        bend = bend + _where(t == 0, -c * t, drop, xp=xp)
    return grad * bend, -grad * _power_of_mean(x, c, log_input=log_input, xp=xp), None


@with_gradient(_slope_in_mean_grad, elementwise=True)
def _slope_in_mean(
    x: Array, t: Array, r: Array, *, power: float, log_input: bool, xp: Namespace
) -> Array:
    """``(m - t) * m**(-power) * dm/dx``; r, which x and t say, comes along as a constant."""
    a = 1 - power
    c = a if log_input else -power
    y = _where(t > 0, t, 1.0, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x  # m**a has no part where t = 0
    upper = _power_of_mean(x, c + 1, log_input=log_input, xp=xp)
    lower = _times_power(y, xs, c, log_input=log_input, xp=xp)
    below = r < 0  # upper - lower from the larger one, as lower / upper = exp(r)
    share = xp.expm1(_where(below, r, -r, xp=xp))
    slope = _where(below, upper, lower, xp=xp) * _where(below, -share, share, xp=xp)
    rest = upper - t * _power_of_mean(x, c, log_input=log_input, xp=xp) if a > 0 else upper
    return _where(t > 0, slope, rest, xp=xp)


def _deviance_grad(
    grad: Array,
    out: Array,
    x: Array,
    t: Array,
    *,
    power: float,
    log_input: bool,
    factor: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``(m - t) * m**(-power) * dm/dx`` in x, ``(t**a - m**a) / a`` in t, times `factor`."""
    a = 1 - power
    y, r = _log_ratio_of(x, t, log_input=log_input, xp=xp)
    constant_r = stop_gradient(r, xp=xp)
    in_x = _slope_in_mean(x, t, constant_r, power=power, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x
    part = _power_of_mean(xs, a, log_input=log_input, xp=xp)
    rest = -part / a if a > 0 else 0.0  # infinite at t = 0, which adds nothing
    in_t = _where(t > 0, _gap(y**a, part, r, a, xp=xp), rest, xp=xp)
    return grad * (factor * in_x), grad * (factor * in_t)


@with_gradient(_deviance_grad, elementwise=True)
def deviance(
    x: Array, t: Array, *, power: float, log_input: bool, factor: float, xp: Namespace
) -> Array:
    """``t * (t**a - m**a) / a - (t**b - m**b) / b``, times `factor`: a = 1 - power, b = a + 1."""
    a, b = 1 - power, 2 - power
    y, r = _log_ratio_of(x, t, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x
    whole = _power_of_mean(x, b, log_input=log_input, xp=xp)
    lower = _times_power(y, xs, a, log_input=log_input, xp=xp)
    near = xp.abs(r) * max(1.0, abs(b)) < 1
    series = _where(near, whole, 0.0, xp=xp) * _curve(_where(near, r, 0.0, xp=xp), b, xp=xp)
    drop = _where(whole < INF, r, 0.0, xp=xp) if a == 0 else r  # avoids inf - inf
    far = _gap(y**b, lower, drop, a, xp=xp) - _gap(y**b, whole, r, b, xp=xp)
    rest = whole / b if b else whole
    if a > 0:
        rest = rest - t * _power_of_mean(x, a, log_input=log_input, xp=xp) / a
    return factor * _where(t > 0, _where(near, series, far, xp=xp), rest, xp=xp)


# ---- without the terms in t alone --------------------------------------------------------------


def _squared_error_of_mean_grad(
    grad: Array, out: Array, x: Array, t: Array, *, log_input: bool, xp: Namespace
) -> tuple[Array | None, ...]:
    """``2 * (m - t) * dm/dx`` in x, ``-2 * m`` in t."""
    in_x, _ = _squared_error_grad(grad, out, x, t, log_input=log_input, xp=xp)
    return in_x, -grad * (2 * (xp.exp(x) if log_input else x))


@with_gradient(_squared_error_of_mean_grad, elementwise=True)
def squared_error_of_mean(x: Array, t: Array, *, log_input: bool, xp: Namespace) -> Array:
    """``m * (m - 2 * t)``, m the expected value."""
    m = xp.exp(x) if log_input else x
    if not log_input:
        return m * (m - 2 * t)
    square = m * m
    return square - 2 * _where(
        square < INF, _times_power(t, x, 1, log_input=True, xp=xp), 0.0, xp=xp
    )


def _integral(x: Array, c: float, far: float, *, log_input: bool, xp: Namespace) -> Array:
    """``m**c / c``; at c = 0 ``log(m)``, 0 at its infinity `far`, where another term rules."""
    if c:
        return _power_of_mean(x, c, log_input=log_input, xp=xp) / c
    logarithm = x if log_input else xp.log(_mean(x, xp=xp))
    return _where(logarithm == far, 0.0, logarithm, xp=xp)


def _deviance_of_mean_grad(
    grad: Array,
    out: Array,
    x: Array,
    t: Array,
    *,
    power: float,
    log_input: bool,
    factor: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``(m - t) * m**(-power) * dm/dx`` in x, ``-m**a / a`` in t, times `factor`."""
    _, r = _log_ratio_of(x, t, log_input=log_input, xp=xp)
    constant_r = stop_gradient(r, xp=xp)
    in_x = _slope_in_mean(x, t, constant_r, power=power, log_input=log_input, xp=xp)
    in_t = _integral(x, 1 - power, INF, log_input=log_input, xp=xp)
    return grad * (factor * in_x), -grad * (factor * in_t)


@with_gradient(_deviance_of_mean_grad, elementwise=True)
def deviance_of_mean(
    x: Array, t: Array, *, power: float, log_input: bool, factor: float, xp: Namespace
) -> Array:
    """``m**b / b - t * m**a / a``, times `factor`; the logarithm of m for a quotient by 0."""
    a, b = 1 - power, 2 - power
    upper = _integral(x, b, -INF, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x  # m**a has no part where t = 0
    if a:
        lower = _times_power(t, xs, a, log_input=log_input, xp=xp) / a
    else:
        lower = t * _integral(xs, 0.0, INF, log_input=log_input, xp=xp)
    if a >= 0:  # of two infinities the first is larger, or else the second
        lower = _where(upper == INF, 0.0, lower, xp=xp)
    elif b < 0:
        upper = _where(lower == -INF, 0.0, upper, xp=xp)
    return factor * (upper - lower)
