"""Deviances of an expected value m, or its logarithm, and a target t, as pairs of the two arrays.

Within, ``r = log(t / m)``; a t that is not positive is replaced by 1.
"""

import math

from portable_losses._dtypes import largest, tiny
from portable_losses._gradient import with_gradient
from portable_losses._polyfill import clip, constant, minimum
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace
from portable_losses.special.entropies import _log_ratio
from portable_losses.special.normal import dtype_name

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


def _power(m: Array, c: float, *, xp: Namespace) -> Array:
    """``m**c`` of positive numbers."""
    return m**c if _steps(c) is None else _in_steps(constant(1.0, m, xp=xp), m, c, xp=xp)


def _steps(c: float) -> int | None:
    """Return how many roots of m make ``m**c`` if they are few; products cost less than powers."""
    return round(2 * abs(c)) if abs(c) <= 3 and 2 * c == round(2 * c) else None


def _in_steps(y: Array, m: Array, c: float, *, xp: Namespace) -> Array:
    """``y * m**c`` for a whole number of halves c: it overflows only where the product does.

    At most one division is by m itself: XLA makes one of several, by a product that overflows.
    """
    steps = round(2 * abs(c))
    if steps >= 2:
        y, steps = y * m if c > 0 else y / m, steps - 2
    if steps:
        root = xp.sqrt(m) if c > 0 else 1 / xp.sqrt(m)
        for _ in range(steps):
            y = y * root
    return y


def _power_of_mean(x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``m**c``."""
    if c == 0:
        return _where(x == x, constant(1.0, x, xp=xp), NAN, xp=xp)
    return xp.exp(c * x) if log_input else _power(_mean(x, xp=xp), c, xp=xp)


def _times_power(y: Array, x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``y * m**c``, computed so that it overflows only where the product does."""
    if c == 0:
        return y
    if log_input:
        far = xp.abs(x) > _bound(x, xp=xp) / abs(c)
        power = xp.exp(_where(far, c / 2 * x, c * x, xp=xp))
        return y * power * _where(far, power, 1.0, xp=xp)
    m = _mean(x, xp=xp)
    if _steps(c) is not None:
        return _in_steps(y, m, c, xp=xp)
    if c >= -2:
        return y / m * m ** (c + 1) if c <= -1 else y * m**c
    power, half = m ** (c + 1), m ** ((c + 1) / 2)  # the power alone may overflow
    ends = (power == INF) | (power < tiny(x, xp=xp))
    return _where(ends, y / m * half * half, y / m * power, xp=xp)


def _log_ratio_of(x: Array, t: Array, *, log_input: bool, xp: Namespace) -> tuple[Array, Array]:
    """Return t, 1 where it is not positive, and ``r = log(t / m)``.

    The logarithm of t is rounded by as much as x is, where the two are close.
    """
    y = _where(t > 0, t, 1.0, xp=xp)
    if log_input:
        return y, xp.log(y) - x
    return y, _log_ratio(y, _mean(x, xp=xp), xp=xp)


def _gap(
    high: Array, low: Array, r: Array, c: float, *, least: float = 0.0, xp: Namespace
) -> Array:
    """``(high - low) / c`` for ``high = low * exp(c * r)``, and ``low * r`` at c = 0.

    Where ``|r| < least`` it is not needed.
    """
    if c == 0:
        return low * r
    if abs(c) * least >= 1:
        return (high - low) / c
    small = xp.abs(c * r) < 1
    near = _where(small, low, 0.0, xp=xp) * xp.expm1(_where(small, c * r, 0.0, xp=xp))
    return _where(small, near, high - low, xp=xp) / c


def _curve(r: Array, b: float, *, xp: Namespace) -> Array:
    """Half the deviance over ``m**b``, as a power series, for ``|r| * max(1, |b|) <= 1``."""
    coefficients, factor = [], 0.0
    for k in range(1, 12 if dtype_name(r, xp=xp) == "float32" else 19):
        factor = 1 + b * factor
        coefficients.append(factor / math.factorial(k + 1))
    result = 0.0 * r
    for c in reversed(coefficients):
        result = result * r + c
    return result * r * r


def _slope_by_mean_grad(
    grad: Array, out: Array, m: Array, t: Array, *, power: float, xp: Namespace
) -> tuple[Array, Array]:
    """``((1 - power) * m + power * t) * m**(-power - 1)``, which may have a root, and in t."""
    both = power != 1
    scale = 0.125 if both else 1.0  # the sum overflows before the derivative does
    part = scale * power * t
    if both:
        part = scale * (1 - power) * m + part
    bend = _times_power(part, m, -power - 1, log_input=False, xp=xp) / scale
    return grad * bend, -grad * _power(m, -power, xp=xp)


@with_gradient(_slope_by_mean_grad, elementwise=True)
def _slope_by_mean(m: Array, t: Array, *, power: float, xp: Namespace) -> Array:
    """``(m - t) * m**(-power)``."""
    return _times_power(m - t, m, -power, log_input=False, xp=xp)


def _slope_by_log_grad(
    grad: Array, out: Array, x: Array, t: Array, *, power: float, xp: Namespace
) -> tuple[Array, Array]:
    """``b * m**b - a * t * m**a`` in x, ``-m**a`` in t."""
    a, b = 1 - power, 2 - power
    bend = 0.0 * t
    if b:
        bend = bend + b * _power_of_mean(x, b, log_input=True, xp=xp)
    if a:
        xs = _where(t == 0, 1.0, x, xp=xp) if a < 0 else x
        y = _where(t == 0, 1.0, t, xp=xp)  # negative ones, too, where the power has them
        drop = -a * _times_power(y, xs, a, log_input=True, xp=xp)
        bend = bend + _where(t == 0, -a * t, drop, xp=xp)
    if b < 0:  # of two signs: a root
        inside = (xp.abs(x) < _bound(x, xp=xp)) & (xp.abs(a * t) < largest(x, xp=xp) / 4)
        sums = b * xp.exp(_where(inside, x, 0.0, xp=xp)) - a * t
        bend = _where(inside, _times_power(sums, x, a, log_input=True, xp=xp), bend, xp=xp)
    return grad * bend, -grad * _power_of_mean(x, a, log_input=True, xp=xp)


@with_gradient(_slope_by_log_grad, elementwise=True)
def _slope_by_log(x: Array, t: Array, *, power: float, xp: Namespace) -> Array:
    """``m**b - t * m**a``; where m is near t, ``(m - t) * m**a``, in which no digit is lost."""
    a, b, bound = 1 - power, 2 - power, _bound(x, xp=xp)
    small = xp.abs(x) < 0.5  # there exp(x) would round more than x was, and t - 1 is exact
    inner = clip(x, -0.5, 0.5, xp=xp)
    if a == 0:
        return _where(small, xp.expm1(inner) - (t - 1), xp.exp(x) - t, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a < 0 else x  # m**a has no part where t = 0
    lower = _times_power(t, xs, a, log_input=True, xp=xp)
    if b == 0:
        return _where(small, (1 - t) - t * xp.expm1(-inner), 1 - lower, xp=xp)
    upper = _power_of_mean(x, b, log_input=True, xp=xp)
    if a > 0:  # of two infinities the first is larger, or else the second
        lower = _where(upper == INF, 0.0, lower, xp=xp)
    elif b < 0:
        upper = _where(lower == INF, 0.0, upper, xp=xp)
    m = xp.exp(minimum(x, bound, xp=xp))
    near = (0.5 * m < t) & (0.5 * t < m) & (x < bound)
    difference = _where(small, xp.expm1(inner) - (t - 1), m - t, xp=xp)
    product = _times_power(_where(near, difference, 0.0, xp=xp), xs, a, log_input=True, xp=xp)
    return _where(near, product, upper - lower, xp=xp)


def _slope(x: Array, t: Array, *, power: float, log_input: bool, xp: Namespace) -> Array:
    """``(m - t) * m**(-power) * dm/dx``."""
    if log_input:
        return _slope_by_log(x, t, power=power, xp=xp)
    return _slope_by_mean(_mean(x, xp=xp), t, power=power, xp=xp)


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
    in_x = _slope(x, t, power=power, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x
    part = _power_of_mean(xs, a, log_input=log_input, xp=xp)
    rest = -part / a if a > 0 else 0.0  # infinite at t = 0, which adds nothing
    in_t = _where(t > 0, _gap(_power(y, a, xp=xp), part, r, a, xp=xp), rest, xp=xp)
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
    least = 1 / max(1.0, abs(b))
    near = xp.abs(r) < least
    series = _where(near, whole, 0.0, xp=xp) * _curve(_where(near, r, 0.0, xp=xp), b, xp=xp)
    drop = _where(whole < INF, r, 0.0, xp=xp) if a == 0 else r  # avoids inf - inf
    power = _power(y, b, xp=xp)
    far = _gap(power, lower, drop, a, least=least, xp=xp)
    far = far - _gap(power, whole, r, b, least=least, xp=xp)
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
    in_x = _slope(x, t, power=power, log_input=log_input, xp=xp)
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
