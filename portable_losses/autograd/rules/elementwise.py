"""Rules of the elementwise functions. Broadcasting is undone by the caller."""

import math
from typing import Any

from portable_losses._portable import where
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules import VIEW, register, zero

# ---- arithmetic -------------------------------------------------------------------------------

register("positive", lambda grad, out, x, *, xp: grad)
register("negative", lambda grad, out, x, *, xp: -grad)
register("add", lambda grad, out, x1, x2, *, xp: grad, lambda grad, out, x1, x2, *, xp: grad)
register("subtract", lambda grad, out, x1, x2, *, xp: grad, lambda grad, out, x1, x2, *, xp: -grad)
register(
    "multiply",
    lambda grad, out, x1, x2, *, xp: grad * x2,
    lambda grad, out, x1, x2, *, xp: grad * x1,
)
register(
    "divide",
    lambda grad, out, x1, x2, *, xp: grad / x2,
    lambda grad, out, x1, x2, *, xp: -grad * out / x2,
)
register("reciprocal", lambda grad, out, x, *, xp: -grad * out * out)
register("square", lambda grad, out, x, *, xp: grad * x * 2)
register("sqrt", lambda grad, out, x, *, xp: grad * 0.5 / out)  # inf at 0
register("abs", lambda grad, out, x, *, xp: grad * xp.sign(x))  # 0 at 0
for _name in ("sign", "floor", "ceil", "trunc", "round"):
    register(_name, zero)
register("floor_divide", zero, zero)
register(
    "remainder",
    lambda grad, out, x1, x2, *, xp: grad,
    lambda grad, out, x1, x2, *, xp: -grad * xp.floor(x1 / x2),
)


def _pow_base(grad: Array, out: Array, x1: Array, x2: Any, *, xp: Namespace) -> Array:
    """``x2 * x1**(x2 - 1)``, and 0 for the exponent 0, also at 0."""
    if isinstance(x2, int | float):
        if x2 == 2:
            return grad * x1 * 2
        return xp.zeros_like(grad) if x2 == 0 else grad * (x1 ** (x2 - 1) * x2)
    constant = x2 == 0
    slope = x1 ** (where(constant, 1, x2, xp=xp) - 1) * x2
    return where(constant, 0, grad * slope, xp=xp)


def _pow_exponent(grad: Array, out: Array, x1: Any, x2: Array, *, xp: Namespace) -> Array:
    """``x1**x2 * log(x1)``, and 0 at the base 0 for exponents that are not negative."""
    if isinstance(x1, int | float):
        if x1 == 0:
            return where(x2 >= 0, 0, -grad * out, xp=xp)
        return grad * out * (math.log(x1) if x1 > 0 else math.nan)
    flat = (x1 == 0) & (x2 >= 0)
    return where(flat, 0, grad * out * xp.log(where(flat, 1, x1, xp=xp)), xp=xp)


register("pow", _pow_base, _pow_exponent)

# ---- exponentials and logarithms --------------------------------------------------------------

register("exp", lambda grad, out, x, *, xp: grad * out)
register("exp2", lambda grad, out, x, *, xp: grad * out * math.log(2))
register("expm1", lambda grad, out, x, *, xp: grad * xp.exp(x))  # out + 1 loses the tail
register("log", lambda grad, out, x, *, xp: grad / x)
register("log1p", lambda grad, out, x, *, xp: grad / (x + 1))
register("log2", lambda grad, out, x, *, xp: grad / x / math.log(2))
register("log10", lambda grad, out, x, *, xp: grad / x / math.log(10))


def _share(grad: Array, mine: Array, other: Array, *, xp: Namespace) -> Array:
    """Give `mine` its softmax share of `grad`; two equal infinities share it evenly."""
    even = xp.isinf(mine) & (mine == other)  # inf - inf is taken nowhere
    gap = where(even, 0, other, xp=xp) - where(even, 0, mine, xp=xp)
    below = gap <= 0  # one branch throughout, so that ties differentiate
    e = xp.exp(where(below, gap, -gap, xp=xp))
    return grad * where(below, 1, e, xp=xp) / (e + 1)  # never 1 - the other's share


register(
    "logaddexp",
    lambda grad, out, x1, x2, *, xp: _share(grad, *_both(x1, x2, xp=xp), xp=xp),
    lambda grad, out, x1, x2, *, xp: _share(grad, *_both(x2, x1, xp=xp), xp=xp),
)


def _both(x1: Any, x2: Any, *, xp: Namespace) -> tuple[Array, Array]:
    """Return two arguments as arrays, one of which may be a Python number."""
    if isinstance(x1, int | float):
        return xp.zeros_like(x2) + x1, x2
    return (x1, xp.zeros_like(x1) + x2) if isinstance(x2, int | float) else (x1, x2)


# ---- circles and hyperbolas -------------------------------------------------------------------


def _tanh(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    """``4 e / (1 + e)**2`` with ``e = exp(-2 |x|)``: 1 - out**2 has no digits in the tails."""
    e = xp.exp(where(x >= 0, x * -2, x * 2, xp=xp))
    return grad * (e * 4 / (e + 1) / (e + 1))


def _hypotenuse(x: Array, *, xp: Namespace) -> Array:
    """``sqrt(x**2 + 1)`` without overflow, smooth at 0 and where the branches meet."""
    far = xp.abs(x) > 1
    long = where(far, xp.abs(x), 1, xp=xp)
    ratio = where(far, 1, x, xp=xp) / long
    return long * xp.sqrt(ratio * ratio + 1)


register("sin", lambda grad, out, x, *, xp: grad * xp.cos(x))
register("cos", lambda grad, out, x, *, xp: -grad * xp.sin(x))
register("tan", lambda grad, out, x, *, xp: grad * (out * out + 1))
register("asin", lambda grad, out, x, *, xp: grad / xp.sqrt((1 - x) * (x + 1)))
register("acos", lambda grad, out, x, *, xp: -grad / xp.sqrt((1 - x) * (x + 1)))
register(
    "atan",
    lambda grad, out, x, *, xp: grad / _hypotenuse(x, xp=xp) / _hypotenuse(x, xp=xp),
)
register("sinh", lambda grad, out, x, *, xp: grad * xp.cosh(x))
register("cosh", lambda grad, out, x, *, xp: grad * xp.sinh(x))
register("tanh", _tanh)
register("asinh", lambda grad, out, x, *, xp: grad / _hypotenuse(x, xp=xp))
register("acosh", lambda grad, out, x, *, xp: grad / xp.sqrt(x - 1) / xp.sqrt(x + 1))
register("atanh", lambda grad, out, x, *, xp: grad / (1 - x) / (x + 1))


def _length(x1: Any, x2: Any, *, xp: Namespace) -> Array:
    """``sqrt(x1**2 + x2**2)`` without overflow, 1 at the origin."""
    x1, x2 = _both(x1, x2, xp=xp)
    first = xp.abs(x1) > xp.abs(x2)
    long = xp.abs(where(first, x1, x2, xp=xp))
    long = where(long == 0, 1, long, xp=xp)
    ratio = where(first, x2, x1, xp=xp) / long
    return long * xp.sqrt(ratio * ratio + 1)


def _atan2(grad: Array, other: Any, x1: Any, x2: Any, *, xp: Namespace) -> Array:
    length = _length(x1, x2, xp=xp)
    return grad * (other / length) / length


register(
    "atan2",
    lambda grad, out, x1, x2, *, xp: _atan2(grad, x2, x1, x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: -_atan2(grad, x1, x1, x2, xp=xp),
)
register(
    "hypot",  # 0 at the origin, as every norm here
    lambda grad, out, x1, x2, *, xp: grad * (x1 / _length(x1, x2, xp=xp)),
    lambda grad, out, x1, x2, *, xp: grad * (x2 / _length(x1, x2, xp=xp)),
)
register(
    "copysign",
    lambda grad, out, x1, x2, *, xp: grad * (xp.sign(x1) * xp.sign(out)),
    zero,
)

# ---- choices ----------------------------------------------------------------------------------


def _winner(grad: Array, mine: Any, other: Any, *, xp: Namespace) -> Array:
    """All of `grad` where `mine` is larger, half of it at a tie; NaN passes to both."""
    return where(mine < other, 0, where(mine == other, grad / 2, grad, xp=xp), xp=xp)


register(
    "maximum",
    lambda grad, out, x1, x2, *, xp: _winner(grad, x1, x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: _winner(grad, x2, x1, xp=xp),
)
register(
    "minimum",
    lambda grad, out, x1, x2, *, xp: _winner(grad, -x1, -x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: _winner(grad, -x2, -x1, xp=xp),
)
register(
    "where",
    zero,
    lambda grad, out, condition, x1, x2, *, xp: where(condition, grad, 0, xp=xp),
    lambda grad, out, condition, x1, x2, *, xp: where(condition, 0, grad, xp=xp),
)


def _clip(
    grad: Array, out: Array, x: Array, low: Any = None, high: Any = None, *, xp: Namespace
) -> Array:
    """1 between the bounds and at them."""
    if low is not None:
        grad = where(x < low, 0, grad, xp=xp)
    return grad if high is None else where(x > high, 0, grad, xp=xp)


def _clip_low(
    grad: Array, out: Array, x: Array, low: Any, high: Any = None, *, xp: Namespace
) -> Array:
    grad = where(x < low, grad, 0, xp=xp)
    return grad if high is None else where(low > high, 0, grad, xp=xp)  # high wins


def _clip_high(grad: Array, out: Array, x: Array, low: Any, high: Any, *, xp: Namespace) -> Array:
    wins = x > high if low is None else (x > high) | (low > high)
    return where(wins, grad, 0, xp=xp)


register("clip", _clip, _clip_low, _clip_high, shares=VIEW)
