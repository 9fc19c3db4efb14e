"""Elementary functions on the operations of `Arithmetic` alone: the same bits everywhere.

Each takes the arithmetic ``a`` of float32 or float64 and returns the function of `x`, at most one
ulp off over the whole range: subnormal numbers, signed zeros, infinities and NaN included. There
are no branches: a loop around them runs on vectors.

Integers are kept in the low digits of a float to which `_magic` was added, because processors
convert vectors of integers of 64 bits slowly, or not at all.
"""

from collections.abc import Sequence
from math import inf, nan
from typing import Any, NamedTuple

from .elementary_coefficients import (
    ATANH,
    ERF,
    ERFC,
    EXP,
    LN2,
    LOG,
    LOG2E,
    MIDDLE,
    REACH,
    TWO_THIRDS,
)

__all__ = [
    "arctanh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "polynomial",
    "power",
    "sinh",
    "tanh",
]

Value = Any  # of the arithmetic
Arithmetic = Any  # `arithmetic_llvm.Arithmetic`, or one with the same operations

# From here on exp is infinite, and from there down it is 0: both clamps are beyond by a little.
LARGEST = {"float32": 89.0, "float64": 710.0}
SMALLEST = {"float32": -104.5, "float64": -746.0}
NO_MORE = {"float32": 20.0, "float64": 40.0}  # expm1(-x) is -1, and tanh(x / 2) is 1
ROOT_HALF_BITS = {"float32": 0x3F3504F3, "float64": 0x3FE6A09E667F3BCD}  # of the root of 1/2
LINEAR = {"float32": 2.0**-13, "float64": 2.0**-27}  # sinh(x) is x below
HUGE = 2.0**60  # beside it 1 is nothing
FLAT = 64.0  # an exponent at which 1 is nothing


def polynomial(a: Arithmetic, x: Value, coefficients: Sequence[float]) -> Value:
    """Return a polynomial, highest coefficient first, by Horner's rule."""
    found = coefficients[0]
    for c in coefficients[1:]:
        found = a.fma(found, x, c)
    return found


# ---- numbers in two parts ----------------------------------------------------------------------


class Two(NamedTuple):
    """A number as a sum that is not computed: the second part is tiny beside the first."""

    high: Value
    low: Value


def _rounded(a: Arithmetic, x: Two) -> Value:
    """Return the nearest number."""
    return a.add(x.high, x.low)


def _sum(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x + y`` exactly, for ``|x| >= |y|`` or ``x == 0``."""
    high = a.add(x, y)
    return Two(high, a.subtract(y, a.subtract(high, x)))


def _sum_of_any(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x + y`` exactly."""
    high = a.add(x, y)
    of_x = a.subtract(high, y)
    of_y = a.subtract(high, of_x)
    return Two(high, a.add(a.subtract(x, of_x), a.subtract(y, of_y)))


def _product(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x * y`` exactly."""
    high = a.multiply(x, y)
    return Two(high, a.fma(x, y, a.negative(high)))


def _times(a: Arithmetic, x: Two, y: Two) -> Two:
    """Return ``x * y``."""
    product = _product(a, x.high, y.high)
    low = a.fma(x.high, y.low, a.fma(x.low, y.high, product.low))
    return Two(product.high, low)


def _quotient(a: Arithmetic, x: Two, y: Two) -> Two:
    """Return ``x / y``."""
    inverse = a.divide(1.0, y.high)
    high = a.multiply(x.high, inverse)
    rest = a.add(a.fma(a.negative(high), y.high, x.high), a.fma(a.negative(high), y.low, x.low))
    return Two(high, a.multiply(rest, inverse))


# ---- exponents ---------------------------------------------------------------------------------


def _magic(a: Arithmetic) -> float:
    """Return the number to which an integer of either sign is added to lie in its low digits."""
    return float(3 * 2 ** (a.kind.digits - 1))


class Reduced(NamedTuple):
    """``x = n log(2) + rest``: the rest in two parts; n as a float, and plus twice the bias."""

    rest: Two
    whole: Value
    biased: Value


def _reduced(a: Arithmetic, x: Value, low: Value | None = None) -> Reduced:
    """Return `x`, of moderate size, plus what it may lack (`low`), as a multiple of log(2)."""
    magic = _magic(a)
    first, second = LN2[a.name]
    shifted = a.fma(x, LOG2E[a.name][0], magic)
    whole = a.subtract(shifted, magic)
    exact = a.fma(whole, -first, x)  # no digit is lost: the product is close to x
    rest = a.fma(whole, -second, exact)
    lost = a.fma(whole, -second, a.subtract(exact, rest))
    if low is not None:
        rest, lost = _sum(a, rest, a.add(lost, low))
    return Reduced(Two(rest, lost), whole, _biased(a, shifted))


def _biased(a: Arithmetic, shifted: Value) -> Value:
    """Return the integer in the low digits, plus twice the bias: never below 0."""
    origin = a.bits(_magic(a))
    return a.add_integers(a.subtract_integers(a.bits(shifted), origin), 2 * a.kind.bias)


def _scaled(a: Arithmetic, x: Value, biased: Value) -> Value:
    """Return ``x 2**n``, by two factors, as the power alone may overflow or be subnormal."""
    half = a.shift_right(biased, 1)
    other = a.subtract_integers(biased, half)
    once = a.multiply(x, a.from_bits(a.shift_left(half, a.kind.digits)))
    return a.multiply(once, a.from_bits(a.shift_left(other, a.kind.digits)))


def _clamped(a: Arithmetic, x: Value, low: float, high: float) -> Value:
    """Return `x` between two numbers; NaN stays."""
    x = a.select(a.less(x, low), low, x)
    return a.select(a.greater(x, high), high, x)


def exp(a: Arithmetic, x: Value, low: Value | None = None) -> Value:
    """``exp(x)``, or ``exp(x + low)`` of a number in two parts."""
    x = _clamped(a, x, SMALLEST[a.name], LARGEST[a.name])
    n = _reduced(a, x, low)
    return _scaled(a, _rounded(a, _exp_near_0(a, n.rest)), n.biased)


def _exp_near_0(a: Arithmetic, r: Two, table: str | None = None) -> Two:
    """Return ``exp(r)`` for ``|r| <= log(2) / 2``."""
    total = _sum(a, 1.0, r.high)
    return Two(total.high, a.add(total.low, _exp_tail(a, r, table)))


def _exp_tail(a: Arithmetic, r: Two, table: str | None = None) -> Value:
    """Return ``exp(r.high + r.low) - 1 - r.high``."""
    low = a.fma(r.high, r.low, r.low)
    return a.fma(a.multiply(r.high, r.high), polynomial(a, r.high, EXP[table or a.name]), low)


def exp2(a: Arithmetic, x: Value) -> Value:
    """``2**x``."""
    bias = float(a.kind.bias)
    x = _clamped(a, x, -bias - a.kind.digits - 2, bias + 2)
    magic = _magic(a)
    shifted = a.add(x, magic)
    f = a.subtract(x, a.subtract(shifted, magic))
    first, second = LN2[a.name]
    r = _sum(a, a.multiply(f, first), a.multiply(f, second))
    lost = a.fma(f, first, a.negative(a.multiply(f, first)))
    near = _exp_near_0(a, Two(r.high, a.add(r.low, lost)))
    return _scaled(a, _rounded(a, near), _biased(a, shifted))


def _expm1_parts(a: Arithmetic, x: Value) -> tuple[Two, Value]:
    """Return y and n with ``exp(x) - 1 = y 2**n``, y in two parts and n as `Reduced.biased`."""
    n = _reduced(a, x)
    inverse = a.shift_left(a.subtract_integers(3 * a.kind.bias, n.biased), a.kind.digits)
    inverse = a.select(a.greater(n.whole, FLAT), 0.0, a.from_bits(inverse))
    # exp(x) - 1 = 2**n (1 - 2**-n + r + tail)
    start = _sum_of_any(a, 1.0, a.negative(inverse))
    near = _sum(a, start.high, n.rest.high)
    low = a.add(a.add(near.low, start.low), _exp_tail(a, n.rest))
    return _sum(a, near.high, low), n.biased


def expm1(a: Arithmetic, x: Value) -> Value:
    """``exp(x) - 1``."""
    y, n = _expm1_parts(a, _clamped(a, x, -NO_MORE[a.name], LARGEST[a.name]))
    return a.select(a.equal(x, 0.0), x, _scaled(a, y.high, n))


def tanh(a: Arithmetic, x: Value) -> Value:
    """``-y / (2 + y)`` with ``y = exp(-2 |x|) - 1``, and the sign of `x`."""
    size = a.absolute(x)
    size = a.select(a.greater(size, NO_MORE[a.name]), NO_MORE[a.name], size)
    y = _expm1_of_negative(a, a.multiply(size, -2.0))
    below = _sum(a, 2.0, y.high)
    found = _quotient(a, y, Two(below.high, a.add(below.low, y.low)))
    return a.select(a.equal(x, 0.0), x, a.copysign(a.add(found.high, found.low), x))


def _expm1_of_negative(a: Arithmetic, x: Value) -> Two:
    """Return ``exp(x) - 1`` in two parts, for x between ``-2 NO_MORE`` and 0."""
    y, n = _expm1_parts(a, x)
    power = a.from_bits(a.shift_left(a.subtract_integers(n, a.kind.bias), a.kind.digits))
    return Two(a.multiply(y.high, power), a.multiply(y.low, power))


def sinh(a: Arithmetic, x: Value) -> Value:
    """``(y + y / (1 + y)) / 2`` with ``y = exp(|x|) - 1``, and the sign of `x`."""
    size = a.absolute(x)
    y, n = _expm1_parts(a, _clamped(a, size, 0.0, LARGEST[a.name] + 1))
    n = a.subtract_integers(n, 1)  # the half of y, which is finite where y is not
    half = Two(_scaled(a, y.high, n), _scaled(a, y.low, n))
    large = a.greater(half.high, HUGE)
    y = Two(
        a.multiply(a.select(large, HUGE, half.high), 2.0),
        a.multiply(a.select(large, 0.0, half.low), 2.0),
    )
    below = _sum_of_any(a, 1.0, y.high)
    share = _quotient(a, y, Two(below.high, a.add(below.low, y.low)))
    total = _sum(a, half.high, a.multiply(share.high, 0.5))
    low = a.add(total.low, a.fma(share.low, 0.5, half.low))
    found = a.select(a.less(half.high, inf), a.add(total.high, low), half.high)
    found = a.select(a.less(size, LINEAR[a.name]), size, found)
    return a.copysign(found, x)


# ---- logarithms --------------------------------------------------------------------------------


class Split(NamedTuple):
    """``x = 2**k m`` with m between the square roots of 1/2 and 2; k as a float, and biased."""

    whole: Value
    biased: Value
    significand: Value


def _split(a: Arithmetic, x: Value) -> Split:
    """Return the exponent and the significand of a positive normal number."""
    digits, one = a.kind.digits, a.kind.bias << a.kind.digits
    start = ROOT_HALF_BITS[a.name]
    shifted = a.add_integers(a.bits(x), one - start)
    biased = a.shift_right(shifted, digits)
    float_of = a.from_bits(a.or_bits(biased, a.bits(2.0**digits)))
    fraction = a.and_bits(shifted, (1 << digits) - 1)
    significand = a.from_bits(a.add_integers(fraction, start))
    return Split(a.subtract(float_of, 2.0**digits + a.kind.bias), biased, significand)


def _split_any(a: Arithmetic, x: Value) -> tuple[Value, Value]:
    """Return k and m of a positive number, which may be subnormal."""
    lift = a.kind.digits + 1
    small = a.less(x, 2.0 ** (1 - a.kind.bias))
    split = _split(a, a.select(small, a.multiply(x, 2.0**lift), x))
    return a.add(split.whole, a.select(small, -float(lift), 0.0)), split.significand


def _log_near_1(a: Arithmetic, f: Value) -> Two:
    """Return ``log(1 + f)`` for numbers between the square roots of 1/2 and 2."""
    half = a.multiply(f, -0.5)
    high = a.fma(half, f, f)
    lost = a.fma(half, f, a.subtract(f, high))  # exact: high is close to f
    cube = a.multiply(a.multiply(f, f), f)
    return Two(high, a.fma(cube, polynomial(a, f, LOG[a.name]), lost))


def _log_sum(a: Arithmetic, k: Value, near: Two) -> Two:
    """Return ``k log(2) + near``."""
    first, second = LN2[a.name]
    total = _sum(a, a.multiply(k, first), near.high)  # the product is exact
    return Two(total.high, a.add(total.low, a.fma(k, second, near.low)))


def _with_ends(a: Arithmetic, x: Value, found: Value, pole: float = 0.0) -> Value:
    """Return a logarithm: -inf at the pole, NaN below it, and infinity and NaN themselves."""
    outside = a.select(a.equal(x, pole), -inf, nan)
    found = a.select(a.greater(x, pole), found, outside)
    return a.select(a.less(x, inf), found, a.multiply(x, x))


def log(a: Arithmetic, x: Value) -> Value:
    """The natural logarithm."""
    k, m = _split_any(a, x)
    found = _log_sum(a, k, _log_near_1(a, a.subtract(m, 1.0)))
    return _with_ends(a, x, a.add(found.high, found.low))


def log2(a: Arithmetic, x: Value) -> Value:
    """The logarithm to the base 2."""
    k, m = _split_any(a, x)
    near = _log_near_1(a, a.subtract(m, 1.0))
    near = _sum(a, near.high, near.low)
    first, second = LOG2E[a.name]
    scaled = _product(a, near.high, first)
    low = a.fma(near.high, second, a.fma(near.low, first, scaled.low))
    total = _sum(a, k, scaled.high)
    return _with_ends(a, x, a.add(total.high, a.add(total.low, low)))


def log1p(a: Arithmetic, x: Value, low: Value | None = None) -> Value:
    """``log(1 + x)``, or ``log(1 + x + low)`` of a number in two parts."""
    u, lost = _sum_of_any(a, 1.0, x)
    split = _split(a, u)
    inverse = a.shift_left(a.subtract_integers(2 * a.kind.bias, split.biased), a.kind.digits)
    rest = lost if low is None else a.add(lost, low)
    rest = a.select(a.less(x, 2.0**60), a.multiply(rest, a.from_bits(inverse)), 0.0)
    near_0 = a.equal(split.whole, 0.0)
    f = a.select(near_0, x, a.subtract(split.significand, 1.0))
    rest = a.select(near_0, 0.0 if low is None else low, rest)
    near = _log_near_1(a, f)
    slope = polynomial(a, f, [-1.0, 1.0, -1.0, 1.0])  # 1 / (1 + f), nearly
    found = _log_sum(a, split.whole, Two(near.high, a.fma(rest, slope, near.low)))
    found = a.select(a.equal(x, 0.0), x, a.add(found.high, found.low))
    return _with_ends(a, x, found, pole=-1.0)


def arctanh(a: Arithmetic, x: Value) -> Value:
    """``log1p(2 |x| / (1 - |x|)) / 2``, and the sign of `x`."""
    size = a.absolute(x)
    below = _sum(a, 1.0, a.negative(size))
    ratio = _quotient(a, Two(a.multiply(size, 2.0), 0.0), below)
    found = a.multiply(log1p(a, ratio.high, ratio.low), 0.5)
    found = a.select(a.less(size, 1.0), found, a.select(a.equal(size, 1.0), inf, nan))
    return a.copysign(found, x)


# ---- powers ------------------------------------------------------------------------------------


def power(a: Arithmetic, x: Value, y: Value) -> Value:
    """``x**y``, with the ends that C and NumPy have."""
    size = a.absolute(x)
    found = _power_of_size(a, size, y)
    found = a.select(a.either(a.equal(y, 0.0), a.equal(x, 1.0)), 1.0, found)
    found = a.select(a.both(a.equal(size, 1.0), a.equal(y, y)), 1.0, found)

    is_integer = a.equal(a.rint(y), y)
    half = a.multiply(y, 0.5)
    is_odd = a.both(is_integer, a.not_equal(a.rint(half), half))
    signed = a.select(is_odd, a.copysign(found, x), found)
    undefined = a.both(a.both(a.less(x, 0.0), a.less(size, inf)), a.invert(is_integer))
    return a.select(a.both(undefined, a.not_equal(y, 0.0)), nan, signed)


def _power_of_size(a: Arithmetic, x: Value, y: Value) -> Value:
    """Return ``x**y`` for x from 0 to infinity, NaN for ``0 * inf`` in the exponent."""
    if a.name == "float32":
        return a.narrowed(_coarse_power(a.wide, a.widened(x), a.widened(y)))
    logarithm = _log_in_two(a, x)
    high = a.multiply(y, logarithm.high)
    low = a.fma(y, logarithm.low, a.fma(y, logarithm.high, a.negative(high)))
    return exp(a, high, a.select(a.less(a.absolute(high), 2000.0), low, 0.0))


def _coarse_power(a: Arithmetic, x: Value, y: Value) -> Value:
    """Return ``x**y`` of widened numbers, with some digits more than float32 has."""
    split = _split(a, x)
    f = a.subtract(split.significand, 1.0)
    square = a.multiply(f, f)
    tail = a.fma(f, polynomial(a, f, LOG["coarse"]), -0.5)
    logarithm = a.fma(split.whole, LN2["float64"][0], a.fma(square, tail, f))
    n = _reduced(a, _clamped(a, a.multiply(y, _log_ends(a, x, logarithm)), -120.0, 100.0))
    r = n.rest.high
    near = a.add(1.0, a.fma(a.multiply(r, r), polynomial(a, r, EXP["coarse"]), r))
    scale = a.shift_left(a.subtract_integers(n.biased, a.kind.bias), a.kind.digits)
    return a.multiply(near, a.from_bits(scale))


def _log_ends(a: Arithmetic, x: Value, logarithm: Value) -> Value:
    """Return the logarithm of a number from 0 on: -inf at 0; infinity and NaN themselves."""
    return a.select(a.less(x, inf), a.select(a.equal(x, 0.0), -inf, logarithm), x)


def _log_in_two(a: Arithmetic, x: Value) -> Two:
    """Return the logarithm of a number from 0 on, with 11 digits more than the dtype has."""
    k, m = _split_any(a, x)
    # log(m) = 2 s + s**3 (2/3 + z q(z)) with s = (m - 1) / (m + 1), z = s**2
    s = _quotient(a, Two(a.subtract(m, 1.0), 0.0), _sum(a, 1.0, m))
    s = _sum(a, s.high, s.low)
    z = _times(a, s, s)
    quotient = polynomial(a, z.high, ATANH[a.name])
    first, second = TWO_THIRDS[a.name]
    rest = _product(a, z.high, quotient)
    inner = _sum(a, first, rest.high)
    inner = Two(inner.high, a.add(inner.low, a.fma(z.low, quotient, a.add(rest.low, second))))
    cube = _times(a, _times(a, s, z), inner)
    near = _sum(a, a.multiply(s.high, 2.0), cube.high)
    near = Two(near.high, a.add(near.low, a.fma(s.low, 2.0, cube.low)))
    total = _log_sum(a, k, near)
    total = _sum(a, total.high, total.low)
    inside = a.both(a.greater(x, 0.0), a.less(x, inf))
    return Two(_log_ends(a, x, total.high), a.select(inside, total.low, 0.0))


# ---- the error function ------------------------------------------------------------------------


def erf(a: Arithmetic, x: Value) -> Value:
    """The error function; float32 is computed in float64, as for the next one."""
    return a.narrowed(_erf(a.wide, a.widened(x), _table(a)))


def erfc(a: Arithmetic, x: Value) -> Value:
    """One minus the error function."""
    return a.narrowed(_erfc(a.wide, a.widened(x), _table(a)))


def _table(a: Arithmetic) -> str:
    return "coarse" if a.name == "float32" else a.name


def _erf(a: Arithmetic, x: Value, table: str) -> Value:
    """Return ``x + x q(x**2)`` up to 1, from there on ``1 - erfc(|x|)`` with the sign of `x`."""
    size = a.absolute(x)
    near = a.fma(x, polynomial(a, a.multiply(x, x), ERF[table]), x)
    far = a.copysign(a.subtract(1.0, _erfc(a, size, table)), x)
    return a.select(a.less(size, 1.0), a.select(a.equal(x, 0.0), x, near), far)


def _erfc(a: Arithmetic, x: Value, table: str) -> Value:
    """Return ``exp(-x**2) p(t) / (1 + 2 x)`` from 0 on, two minus that of ``-x`` below."""
    size = _clamped(a, a.absolute(x), 0.0, REACH[table])
    square = _product(a, size, size)
    n = _reduced(a, a.negative(square.high), a.negative(square.low))
    t = a.divide(a.subtract(size, MIDDLE), a.add(size, MIDDLE))
    *highest, last = ERFC[table]
    p = _sum(a, last, a.multiply(t, polynomial(a, t, highest)))
    below = _sum_of_any(a, 1.0, a.multiply(size, 2.0))
    found = _rounded(a, _quotient(a, _times(a, _exp_near_0(a, n.rest, table), p), below))
    found = _scaled(a, found, n.biased)
    return a.select(a.less(x, 0.0), a.subtract(2.0, found), found)
