"""exp and what follows from it: a multiple of log(2), and a polynomial for the rest.

Integers are kept in the low digits of a float to which `_magic` was added, because processors
convert vectors of integers of 64 bits slowly, or not at all.
"""

from math import inf
from typing import NamedTuple

from .coefficients import EXP, EXPM1, HALF, LN2, LOG2E, NEAR, TANH
from .two_parts import (
    Arithmetic,
    Two,
    Value,
    exact_product,
    exact_sum,
    exact_sum_of_any,
    polynomial,
    quotient,
    rounded,
)

__all__ = [
    "Reduced",
    "clamped",
    "exp",
    "exp2",
    "exp_between",
    "exp_near_0",
    "expm1",
    "expm1_between",
    "reduced",
    "scaled",
    "sinh",
    "tanh",
]

# From here on exp is infinite, and from there down it is 0: both clamps are beyond by a little.
LARGEST = {"float32": 89.0, "float64": 710.0}
SMALLEST = {"float32": -104.5, "float64": -746.0}
NO_MORE = {"float32": 20.0, "float64": 40.0}  # expm1(-x) is -1, and tanh(x / 2) is 1
MODERATE = 70.0  # exp of what is no larger has a power of two that is no extreme number
LINEAR = {"float32": 2.0**-13, "float64": 2.0**-27}  # sinh(x) is x below
LAST = -0.24  # about the polynomial of tanh at its end, where what z lacks is felt
HUGE = 2.0**60  # beside it 1 is nothing
FLAT = 64.0  # an exponent at which 1 is nothing


def _magic(a: Arithmetic) -> float:
    """Return the number to which an integer of either sign is added to lie in its low digits."""
    return float(3 * 2 ** (a.kind.digits - 1))


class Reduced(NamedTuple):
    """``x = n log(2) + rest``: the rest in two parts; n as a float, and plus twice the bias."""

    rest: Two
    whole: Value
    biased: Value


def reduced(a: Arithmetic, x: Value, low: Value | None = None) -> Reduced:
    """Return `x`, of moderate size, plus what it may lack (`low`), as a multiple of log(2)."""
    magic = _magic(a)
    first, second = LN2[a.name]
    shifted = a.fma(x, LOG2E[a.name][0], magic)
    whole = a.subtract(shifted, magic)
    exact = a.fma(whole, -first, x)  # no digit is lost: the product is close to x
    rest = a.fma(whole, -second, exact)
    lost = a.fma(whole, -second, a.subtract(exact, rest))
    if low is not None:
        rest, lost = exact_sum(a, rest, a.add(lost, low))
    return Reduced(Two(rest, lost), whole, _biased(a, shifted))


def _biased(a: Arithmetic, shifted: Value) -> Value:
    """Return the integer in the low digits, plus twice the bias: never below 0."""
    origin = a.bits(_magic(a))
    return a.add_integers(a.subtract_integers(a.bits(shifted), origin), 2 * a.kind.bias)


def scaled(a: Arithmetic, x: Value, biased: Value) -> Value:
    """Return ``x 2**n``, by two factors, as the power alone may overflow or be subnormal."""
    half = a.shift_right(biased, 1)
    other = a.subtract_integers(biased, half)
    once = a.multiply(x, a.from_bits(a.shift_left(half, a.kind.digits)))
    return a.multiply(once, a.from_bits(a.shift_left(other, a.kind.digits)))


def clamped(a: Arithmetic, x: Value, low: float, high: float) -> Value:
    """Return `x` between two numbers; NaN stays."""
    x = a.select(a.less(x, low), low, x)
    return a.select(a.greater(x, high), high, x)


def exp(
    a: Arithmetic, x: Value, low: Value | None = None, between: tuple[float, float] = (-inf, inf)
) -> Value:
    """``exp(x)``, or ``exp(x + low)`` of a number in two parts; x lies `between` two numbers."""
    x = _bounded(a, x, *between)
    if a.name == "float32" and low is None:
        shifted, near = _short_exp(a, x, _magic(a))
        return scaled(a, near, _biased(a, shifted))
    n = reduced(a, x, low)
    return scaled(a, rounded(a, exp_near_0(a, n.rest)), n.biased)


def exp_between(a: Arithmetic, x: Value, least: float, most: float) -> Value:
    """``exp(x)`` of what lies between two numbers: in float32 with fewer steps, if they help."""
    if a.name != "float32" or most > MODERATE:
        return exp(a, x, between=(least, most))
    if least > -MODERATE:
        shifted, near = _short_exp(a, x, _magic(a) + a.kind.bias)
        return a.multiply(near, _power(a, shifted))
    x = _bounded(a, x, least, most)
    # By a factor too large, so that it is no subnormal number.
    shifted, near = _short_exp(a, x, _magic(a) + a.kind.bias + a.kind.digits + 1)
    return a.multiply(a.multiply(near, _power(a, shifted)), 2.0 ** -(a.kind.digits + 1))


def _bounded(a: Arithmetic, x: Value, least: float, most: float) -> Value:
    """Return `x`, which lies between two numbers, where its exponential is neither 0 nor inf."""
    if least < SMALLEST[a.name]:
        x = a.select(a.less(x, SMALLEST[a.name]), SMALLEST[a.name], x)
    if most > LARGEST[a.name]:
        x = a.select(a.greater(x, LARGEST[a.name]), LARGEST[a.name], x)
    return x


def _power(a: Arithmetic, shifted: Value) -> Value:
    """Return the power of two whose exponent, with its bias, is in the low digits."""
    return a.from_bits(a.shift_left(a.bits(shifted), a.kind.digits))


def _short_exp(a: Arithmetic, x: Value, magic: float) -> tuple[Value, Value]:
    """Return y and n with ``exp(x) = y 2**n``, n in the low digits, y in one part: in float32.

    All that is rounded on the way stays below 1 ulp.
    """
    first, second = LN2[a.name]
    shifted = a.fma(x, LOG2E[a.name][0], magic)
    whole = a.subtract(shifted, magic)
    r = a.fma(whole, -second, a.fma(whole, -first, x))
    near = a.fma(a.multiply(r, r), polynomial(a, r, EXP[a.name]), r)
    return shifted, a.add(near, 1.0)


def exp_near_0(a: Arithmetic, r: Two, table: str | None = None) -> Two:
    """Return ``exp(r)`` for ``|r| <= log(2) / 2``."""
    total = exact_sum(a, 1.0, r.high)
    return Two(total.high, a.add(total.low, _exp_tail(a, r, table)))


def _exp_tail(a: Arithmetic, r: Two, table: str | None = None) -> Value:
    """Return ``exp(r.high + r.low) - 1 - r.high``."""
    low = a.fma(r.high, r.low, r.low)
    return a.fma(a.multiply(r.high, r.high), polynomial(a, r.high, EXP[table or a.name]), low)


def exp2(a: Arithmetic, x: Value) -> Value:
    """``2**x``."""
    bias = float(a.kind.bias)
    x = clamped(a, x, -bias - a.kind.digits - 2, bias + 2)
    magic = _magic(a)
    shifted = a.add(x, magic)
    f = a.subtract(x, a.subtract(shifted, magic))
    first, second = LN2[a.name]
    r = exact_sum(a, a.multiply(f, first), a.multiply(f, second))
    lost = a.fma(f, first, a.negative(a.multiply(f, first)))
    near = exp_near_0(a, Two(r.high, a.add(r.low, lost)))
    return scaled(a, rounded(a, near), _biased(a, shifted))


def _expm1_parts(a: Arithmetic, x: Value) -> tuple[Two, Value]:
    """Return y and n with ``exp(x) - 1 = y 2**n``, y in two parts and n as `Reduced.biased`."""
    n = reduced(a, x)
    inverse = a.shift_left(a.subtract_integers(3 * a.kind.bias, n.biased), a.kind.digits)
    inverse = a.select(a.greater(n.whole, FLAT), 0.0, a.from_bits(inverse))
    # exp(x) - 1 = 2**n (1 - 2**-n + r + tail)
    start = exact_sum_of_any(a, 1.0, a.negative(inverse))
    near = exact_sum(a, start.high, n.rest.high)
    low = a.add(a.add(near.low, start.low), _exp_tail(a, n.rest))
    return exact_sum(a, near.high, low), n.biased


def expm1(a: Arithmetic, x: Value) -> Value:
    """``exp(x) - 1``."""
    y, n = _expm1_parts(a, clamped(a, x, -NO_MORE[a.name], LARGEST[a.name]))
    return a.select(a.equal(x, 0.0), x, scaled(a, y.high, n))


def expm1_between(a: Arithmetic, x: Value, least: float, most: float) -> Value:
    """``exp(x) - 1`` of what lies between two numbers: near 0 a polynomial."""
    if least < -HALF or most > HALF:
        return expm1(a, x)
    near = a.fma(a.multiply(x, x), polynomial(a, x, EXPM1[a.name]), x)
    return a.select(a.equal(x, 0.0), x, near)


def tanh(a: Arithmetic, x: Value) -> Value:
    """``-y / (2 + y)`` with ``y = exp(-2 |x|) - 1``, and the sign of `x`."""
    if a.name == "float32":
        return _short_tanh(a, x)
    size = a.absolute(x)
    size = a.select(a.greater(size, NO_MORE[a.name]), NO_MORE[a.name], size)
    y = _expm1_of_negative(a, a.multiply(size, -2.0))
    below = exact_sum(a, 2.0, y.high)
    found = quotient(a, y, Two(below.high, a.add(below.low, y.low)))
    return a.select(a.equal(x, 0.0), x, a.copysign(a.add(found.high, found.low), x))


def _short_tanh(a: Arithmetic, x: Value) -> Value:
    """Return a polynomial where ``|x| < NEAR``, else ``1 - 2 e / (1 + e)``, ``e = exp(-2 |x|)``."""
    size = a.absolute(x)
    z, lost = exact_product(a, size, size)
    bent = a.fma(z, polynomial(a, z, TANH[a.name]), a.multiply(lost, LAST))
    near = a.fma(size, bent, size)
    far = a.select(a.greater(size, NO_MORE[a.name]), NO_MORE[a.name], size)
    e = exp_between(a, a.multiply(far, -2.0), -2 * NO_MORE[a.name], 0.0)
    far = a.subtract(1.0, a.divide(a.add(e, e), a.add(e, 1.0)))
    return a.copysign(a.select(a.less(size, NEAR), near, far), x)


def _expm1_of_negative(a: Arithmetic, x: Value) -> Two:
    """Return ``exp(x) - 1`` in two parts, for x between ``-2 NO_MORE`` and 0."""
    y, n = _expm1_parts(a, x)
    power = a.from_bits(a.shift_left(a.subtract_integers(n, a.kind.bias), a.kind.digits))
    return Two(a.multiply(y.high, power), a.multiply(y.low, power))


def sinh(a: Arithmetic, x: Value) -> Value:
    """``(y + y / (1 + y)) / 2`` with ``y = exp(|x|) - 1``, and the sign of `x`."""
    size = a.absolute(x)
    y, n = _expm1_parts(a, clamped(a, size, 0.0, LARGEST[a.name] + 1))
    n = a.subtract_integers(n, 1)  # the half of y, which is finite where y is not
    half = Two(scaled(a, y.high, n), scaled(a, y.low, n))
    large = a.greater(half.high, HUGE)
    y = Two(
        a.multiply(a.select(large, HUGE, half.high), 2.0),
        a.multiply(a.select(large, 0.0, half.low), 2.0),
    )
    below = exact_sum_of_any(a, 1.0, y.high)
    share = quotient(a, y, Two(below.high, a.add(below.low, y.low)))
    total = exact_sum(a, half.high, a.multiply(share.high, 0.5))
    low = a.add(total.low, a.fma(share.low, 0.5, half.low))
    found = a.select(a.less(half.high, inf), a.add(total.high, low), half.high)
    found = a.select(a.less(size, LINEAR[a.name]), size, found)
    return a.copysign(found, x)
