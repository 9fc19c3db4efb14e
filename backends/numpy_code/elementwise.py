"""NumPy's ufuncs: those whose meaning is the standard's as data, the others composed."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._dtypes import kind_of
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import readable

from .names import named
from .operands import arrays, floating, is_complex, lenient, real_floating, tensor

__all__ = ["conjugate", "heaviside", "truth"]


# ---- the standard's own -----------------------------------------------------------------------

# The standard's name, and NumPy's where they differ. Integers are taken as the library takes them.
ANY = """
abs:absolute,abs add bitwise_and bitwise_invert:invert,bitwise_not,bitwise_invert
bitwise_left_shift:left_shift,bitwise_left_shift bitwise_or
bitwise_right_shift:right_shift,bitwise_right_shift bitwise_xor ceil equal floor floor_divide
greater greater_equal less less_equal maximum minimum multiply negative not_equal positive
pow:power,pow remainder:remainder,mod sign square subtract trunc
"""
# Integers become floating.
INEXACT = """
acos:arccos,acos acosh:arccosh,acosh asin:arcsin,asin asinh:arcsinh,asinh atan:arctan,atan
atan2:arctan2,atan2 atanh:arctanh,atanh copysign cos cosh divide:divide,true_divide exp expm1
hypot isfinite isinf isnan log log10 log1p log2 logaddexp nextafter signbit sin sinh
sqrt tan tanh
"""


def _standard(own: str, *, inexact: bool) -> Callable[..., Any]:
    """Return the standard's function, which takes what NumPy's ufunc takes."""

    def function(*args: Any, xp: Any) -> Any:
        known = getattr(xp, own)
        try:  # here, as one call more costs as much as the rest
            return known(*args)
        except (TypeError, RuntimeError):
            return lenient(known, *args, xp=xp, inexact=inexact)

    return function


for _table, _inexact in ((ANY, False), (INEXACT, True)):
    for _row in _table.split():
        _own, _, _names = _row.partition(":")
        named(*(_names or _own).split(","))(_standard(_own, inexact=_inexact))


def _truth(own: str) -> Callable[..., Any]:
    """Return a function of truth values that takes any numbers."""

    def function(*args: Any, xp: Any) -> Any:
        return getattr(xp, own)(*[truth(x, args, xp=xp) for x in args])

    return function


def truth(x: Any, beside: Any = (), *, xp: Any) -> Any:
    """Return where `x` is not 0."""
    x = tensor(x, beside, xp=xp)
    return x if kind_of(x, xp=xp) == "bool" else x != 0


for _own in ("logical_and", "logical_not", "logical_or", "logical_xor"):
    named(_own)(_truth(_own))


# ---- formulas of one number -------------------------------------------------------------------


@named("conjugate", "conj")
def conjugate(x: Any, /, *, xp: Any) -> Any:
    """Return the conjugate, of real numbers themselves."""
    x = tensor(x, xp=xp)
    return xp.conj(x) if is_complex(x, xp=xp) else x


@named("reciprocal")
def reciprocal(x: Any, /, *, xp: Any) -> Any:
    """Return ``1 / x``, of integers the integer towards 0."""
    x = tensor(x, xp=xp)
    if xp.isdtype(x.dtype, "integral"):
        return xp.where((x == 1) | (x == -1), x, xp.zeros_like(x))
    return xp.reciprocal(floating(x, xp=xp))


@named("rint")
def rint(x: Any, /, *, xp: Any) -> Any:
    """Return the nearest integer, the even one of two, as a floating number."""
    return xp.round(floating(x, xp=xp))


@named("fabs")
def fabs(x: Any, /, *, xp: Any) -> Any:
    """Return the absolute value of a real number."""
    return xp.abs(real_floating(x, "fabs", xp=xp))


@named("cbrt")
def cbrt(x: Any, /, *, xp: Any) -> Any:
    """Return the real cube root: a power, and one step of Newton's, as 1/3 is no binary number."""
    x = real_floating(x, "cbrt", xp=xp)
    zero, far = x == 0, xp.isinf(x)
    size = xp.where(zero | far, 1.0, xp.abs(x))
    root = size ** (1 / 3)
    root = xp.sign(x) * (root - (root - size / root / root) / 3)
    root = xp.where(far, stop_gradient(x, xp=xp), root)
    return xp.where(zero, xp.where(zero, x, 1.0) ** (1 / 3), root)


named("exp2")(lambda x, /, *, xp: xp.pow(2.0, floating(x, xp=xp)))
named("deg2rad", "radians")(
    lambda x, /, *, xp: real_floating(x, "deg2rad", xp=xp) * (math.pi / 180)
)
named("rad2deg", "degrees")(
    lambda x, /, *, xp: real_floating(x, "rad2deg", xp=xp) * (180 / math.pi)
)


@named("spacing")
def spacing(x: Any, /, *, xp: Any) -> Any:
    """Return the distance to the next number away from 0, a constant."""
    x = stop_gradient(real_floating(x, "spacing", xp=xp), xp=xp)
    return xp.nextafter(x, xp.copysign(xp.full_like(x, math.inf), x)) - x


@named("modf")
def modf(x: Any, /, *, xp: Any) -> tuple[Any, Any]:
    """Return fraction and whole part, both with the sign of `x`."""
    x = real_floating(x, "modf", xp=xp)
    whole = xp.trunc(x)
    far = xp.isinf(x)
    return xp.where(far, 0.0, x) - xp.where(far, 0.0, whole), whole


@named("frexp")
def frexp(x: Any, /, *, xp: Any) -> tuple[Any, Any]:
    """Return mantissa, at least 1/2 and below 1 in size, and exponent of 2."""
    x = real_floating(x, "frexp", xp=xp)
    size = xp.abs(stop_gradient(x, xp=xp))
    plain = xp.isfinite(size) & (size != 0)
    size = xp.where(plain, size, 0.5)
    power = xp.floor(xp.log2(size)) + 1
    scaled = _times_power_of_2(size, -power, xp=xp)
    power = xp.where(scaled >= 1, power + 1, xp.where(scaled < 0.5, power - 1, power))
    power = xp.where(plain, power, 0.0)
    return _times_power_of_2(x, -power, xp=xp), xp.astype(power, xp.int32)


@named("ldexp")
def ldexp(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return ``x1 * 2**x2`` of integers `x2`."""
    x1 = real_floating(x1, "ldexp", xp=xp)
    x2 = stop_gradient(tensor(x2, x1, xp=xp), xp=xp)
    if not xp.isdtype(x2.dtype, ("bool", "integral")):
        msg = f"`x2` of `ldexp` must be integers, got {x2.dtype}; write `x1 * np.exp2(x2)`"
        raise TypeError(msg)
    return _times_power_of_2(x1, xp.astype(x2, x1.dtype), xp=xp)


def _times_power_of_2(x: Any, power: Any, *, xp: Any) -> Any:
    """Return ``x * 2**power`` in two steps, since the power itself may be out of range."""
    half = xp.trunc(power / 2)
    return x * xp.pow(2.0, half) * xp.pow(2.0, power - half)


@named("bitwise_count")
def bitwise_count(x: Any, /, *, xp: Any) -> Any:
    """Return how many bits of ``|x|`` are 1."""
    x = tensor(x, xp=xp)
    if xp.isdtype(x.dtype, "bool"):
        return xp.astype(x, xp.uint8)
    if not xp.isdtype(x.dtype, "integral"):
        msg = f"`bitwise_count` takes integers only, got {x.dtype}"
        raise TypeError(msg)
    size = xp.abs(x) if xp.isdtype(x.dtype, "signed integer") else x
    bits = [(size >> i) & 1 for i in range(xp.iinfo(x.dtype).bits)]
    return xp.astype(sum(bits[1:], bits[0]), xp.uint8)


# ---- formulas of two numbers ------------------------------------------------------------------


@named("float_power")
def float_power(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return ``x1**x2``, computed in double precision."""
    x1, x2 = (floating(tensor(x, (x1, x2), xp=xp), xp=xp) for x in (x1, x2))
    wide = xp.complex128 if is_complex(x1, xp=xp) or is_complex(x2, xp=xp) else xp.float64
    return xp.pow(xp.astype(x1, wide), xp.astype(x2, wide))


@named("logaddexp2")
def logaddexp2(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return ``log2(2**x1 + 2**x2)``."""
    x1, x2 = (real_floating(x, "logaddexp2", xp=xp) * math.log(2) for x in arrays(x1, x2, xp=xp))
    return xp.logaddexp(x1, x2) / math.log(2)


@named("fmax")
def fmax(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the larger of two numbers, the other one beside a NaN."""
    x1, x2 = arrays(x1, x2, xp=xp)
    return _beside_nan(x1, x2, xp.maximum(x1, x2), xp=xp)


@named("fmin")
def fmin(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the smaller of two numbers, the other one beside a NaN."""
    x1, x2 = arrays(x1, x2, xp=xp)
    return _beside_nan(x1, x2, xp.minimum(x1, x2), xp=xp)


def _beside_nan(x1: Any, x2: Any, chosen: Any, *, xp: Any) -> Any:
    """Return `chosen`, or the one of two numbers that is no NaN."""
    return xp.where(x1 != x1, x2, xp.where(x2 != x2, x1, chosen))


@named("heaviside")
def heaviside(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return 0 below 0, `x2` at 0, 1 above."""
    x1, x2 = (real_floating(x, "heaviside", xp=xp) for x in arrays(x1, x2, xp=xp))
    x1 = stop_gradient(x1, xp=xp)  # constant between its jumps
    step = xp.where(x1 != x1, x1, xp.astype(x1 > 0, x1.dtype))
    return xp.where(x1 == 0, x2, step)


@named("fmod")
def fmod(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the remainder with the sign of `x1`; `remainder` has that of `x2`."""
    x1, x2 = arrays(x1, x2, xp=xp)
    below = x1 < 0
    rest = xp.remainder(xp.where(below, -x1, x1), xp.where(x2 < 0, -x2, x2))
    return xp.where(below, -rest, rest)


@named("divmod")
def divmod_(x1: Any, x2: Any, /, *, xp: Any) -> tuple[Any, Any]:
    """Return quotient, rounded down, and remainder."""
    x1, x2 = arrays(x1, x2, xp=xp)
    return xp.floor_divide(x1, x2), xp.remainder(x1, x2)


@named("gcd")
def gcd(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the greatest common divisor of integers, by Euclid's steps until all are done."""
    x1, x2 = _whole("gcd", x1, x2, xp=xp)
    x1, x2 = xp.broadcast_arrays(xp.abs(x1), xp.abs(x2))
    for _ in range(92):  # more than any two numbers of 64 bits need
        if readable(x2, xp=xp) and not bool(xp.any(x2 != 0)):
            break
        divisor = xp.where(x2 == 0, 1, x2)
        x1, x2 = xp.where(x2 == 0, x1, x2), xp.where(x2 == 0, 0, xp.remainder(x1, divisor))
    return x1


@named("lcm")
def lcm(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the least common multiple of integers, 0 beside a 0."""
    x1, x2 = _whole("lcm", x1, x2, xp=xp)
    common = gcd(x1, x2, xp=xp)
    return xp.abs(xp.floor_divide(x1, xp.where(common == 0, 1, common)) * x2)


def _whole(name: str, x1: Any, x2: Any, *, xp: Any) -> list[Any]:
    """Return two arrays of integers; TypeError for others."""
    made = arrays(x1, x2, xp=xp)
    if not xp.isdtype(made[0].dtype, "integral"):
        msg = f"`{name}` takes integers only, got {made[0].dtype}"
        raise TypeError(msg)
    return made
