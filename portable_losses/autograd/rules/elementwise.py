"""Rules of the elementwise functions. Broadcasting is undone by the caller."""

import cmath
import math
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._polyfill import where
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.complex_numbers import conj, direction, is_complex, real
from portable_losses.autograd.rules.table import VIEW, register, zero

# ---- arithmetic -------------------------------------------------------------------------------

register("positive", lambda grad, out, x, *, xp: grad)
register("negative", lambda grad, out, x, *, xp: -grad)
register("add", lambda grad, out, x1, x2, *, xp: grad, lambda grad, out, x1, x2, *, xp: grad)
register("subtract", lambda grad, out, x1, x2, *, xp: grad, lambda grad, out, x1, x2, *, xp: -grad)
register(
    "multiply",
    lambda grad, out, x1, x2, *, xp: grad * conj(x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: grad * conj(x1, xp=xp),
)
register(
    "divide",
    lambda grad, out, x1, x2, *, xp: grad / conj(x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: -grad * conj(out, xp=xp) / conj(x2, xp=xp),
)
register("reciprocal", lambda grad, out, x, *, xp: -grad * conj(out * out, xp=xp))
register("square", lambda grad, out, x, *, xp: grad * conj(x, xp=xp) * 2)
register("sqrt", lambda grad, out, x, *, xp: grad * 0.5 / conj(out, xp=xp))  # inf at 0
register("abs", lambda grad, out, x, *, xp: grad * direction(x, xp=xp))  # 0 at 0
for _name in ("floor", "ceil", "trunc", "round"):
    register(_name, zero)
register("floor_divide", zero, zero)
register(
    "remainder",
    lambda grad, out, x1, x2, *, xp: grad,
    lambda grad, out, x1, x2, *, xp: -grad * xp.floor(x1 / x2),
)


def _pow_base(grad: Array, out: Array, x1: Array, x2: Any, *, xp: Namespace) -> Array:
    """``x2 * x1**(x2 - 1)``, and 0 for the exponent 0, also at 0."""
    if isinstance(x2, int | float | complex):
        if x2 == 2:
            return grad * conj(x1, xp=xp) * 2
        return xp.zeros_like(grad) if x2 == 0 else grad * conj(x1 ** (x2 - 1) * x2, xp=xp)
    constant = x2 == 0
    slope = x1 ** (where(constant, 1, x2, xp=xp) - 1) * x2
    return where(constant, 0, grad * conj(slope, xp=xp), xp=xp)


def _pow_exponent(grad: Array, out: Array, x1: Any, x2: Array, *, xp: Namespace) -> Array:
    """``x1**x2 * log(x1)``, and 0 at the base 0 for exponents that are not negative."""
    flat = (x1 == 0) & (real(x2, xp=xp) >= 0)
    log: Any = -1  # of the number 0, whose negative powers are infinite
    if not isinstance(x1, int | float | complex):
        base = where(flat, 1, x1, xp=xp)
        log = xp.log(xp.astype(base, out.dtype) if is_complex(out, xp=xp) else base)
    elif is_complex(out, xp=xp):
        log = cmath.log(x1) if x1 else log
    elif x1:
        log = math.log(abs(x1)) if abs(x1) == x1 else math.nan
    return where(flat, 0, grad * conj(out, xp=xp) * conj(log, xp=xp), xp=xp)


register("pow", _pow_base, _pow_exponent)

# ---- exponentials and logarithms --------------------------------------------------------------

register("exp", lambda grad, out, x, *, xp: grad * conj(out, xp=xp))
register("exp2", lambda grad, out, x, *, xp: grad * conj(out, xp=xp) * math.log(2))
register(  # out + 1 loses the tail
    "expm1", lambda grad, out, x, *, xp: grad * conj(xp.exp(x), xp=xp)
)
register("log", lambda grad, out, x, *, xp: grad / conj(x, xp=xp))
register("log1p", lambda grad, out, x, *, xp: grad / conj(x + 1, xp=xp))
register("log2", lambda grad, out, x, *, xp: grad / conj(x, xp=xp) / math.log(2))
register("log10", lambda grad, out, x, *, xp: grad / conj(x, xp=xp) / math.log(10))


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
    has_parts = is_complex(x, xp=xp)
    if has_parts or backend_of(xp).autodiff.differentiates:
        right = (xp.real(x) if has_parts else x) >= 0
        below = xp.where(right, -x, x)  # one branch, so that ties differentiate
        e = xp.exp(below + below)
    else:  # in a third of the passes over memory
        e = xp.exp(xp.abs(x) * -2)
    whole = e + 1
    slope = e / whole / whole * 4
    return grad * (xp.conj(slope) if has_parts else slope)


def _hypotenuse(x: Array, *, xp: Namespace) -> Array:
    """``sqrt(x**2 + 1)`` without overflow, smooth at 0 and where the branches meet."""
    if is_complex(x, xp=xp):
        return xp.sqrt(x * x + 1)
    far = xp.abs(x) > 1
    long = where(far, xp.abs(x), 1, xp=xp)
    ratio = where(far, 1, x, xp=xp) / long
    return long * xp.sqrt(ratio * ratio + 1)


def _across(x: Array, *, xp: Namespace) -> Array:
    """``sqrt(1 - x**2)``, on the side of the cut where the function itself is."""
    if is_complex(x, xp=xp):  # -(x - 1) keeps the sign of an imaginary 0, which 1 - x does not
        return xp.conj(xp.sqrt(-(x - 1)) * xp.sqrt(x + 1))
    return xp.sqrt((1 - x) * (x + 1))


def _atan(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    long = conj(_hypotenuse(x, xp=xp), xp=xp)
    return grad / long / long


def _acosh(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    x = conj(x, xp=xp)
    return grad / xp.sqrt(x - 1) / xp.sqrt(x + 1)


def _atanh(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    x = conj(x, xp=xp)
    return grad / (1 - x) / (x + 1)


register("sin", lambda grad, out, x, *, xp: grad * conj(xp.cos(x), xp=xp))
register("cos", lambda grad, out, x, *, xp: -grad * conj(xp.sin(x), xp=xp))
register("tan", lambda grad, out, x, *, xp: grad * conj(out * out + 1, xp=xp))
register("asin", lambda grad, out, x, *, xp: grad / _across(x, xp=xp))
register("acos", lambda grad, out, x, *, xp: -grad / _across(x, xp=xp))
register("atan", _atan)
register("sinh", lambda grad, out, x, *, xp: grad * conj(xp.cosh(x), xp=xp))
register("cosh", lambda grad, out, x, *, xp: grad * conj(xp.sinh(x), xp=xp))
register("tanh", _tanh)
register("asinh", lambda grad, out, x, *, xp: grad / conj(_hypotenuse(x, xp=xp), xp=xp))
register("acosh", _acosh)
register("atanh", _atanh)


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
    lambda grad, out, x1, x2, *, xp: grad * (sign(x1, xp=xp) * sign(out, xp=xp)),
    zero,
)

# ---- choices ----------------------------------------------------------------------------------


def _winner(grad: Array, high: Any, low: Any, *, xp: Namespace) -> Array:
    """All of `grad` where `high` is larger than `low`, half of it at a tie, and all beside NaN."""
    return where(high < low, 0, where(high == low, grad / 2, grad, xp=xp), xp=xp)


register(
    "maximum",
    lambda grad, out, x1, x2, *, xp: _winner(grad, x1, x2, xp=xp),
    lambda grad, out, x1, x2, *, xp: _winner(grad, x2, x1, xp=xp),
)
register(
    "minimum",  # not by `-x1`: truth values and unsigned integers have no negative
    lambda grad, out, x1, x2, *, xp: _winner(grad, x2, x1, xp=xp),
    lambda grad, out, x1, x2, *, xp: _winner(grad, x1, x2, xp=xp),
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
