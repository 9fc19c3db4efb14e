"""log and what follows from it: an exponent, and a polynomial for a significand near 1."""

from math import inf, nan
from typing import NamedTuple

from .coefficients import LN2, LOG, LOG2E
from .two_parts import (
    Arithmetic,
    Two,
    Value,
    exact_product,
    exact_sum,
    exact_sum_of_any,
    polynomial,
    quotient,
)

__all__ = [
    "Split",
    "arctanh",
    "log",
    "log1p",
    "log1p_between",
    "log2",
    "log_sum",
    "split",
    "split_any",
]

ROOT_HALF_BITS = {"float32": 0x3F3504F3, "float64": 0x3FE6A09E667F3BCD}  # of the root of 1/2

ROOT_2_LESS_1 = 2**0.5 - 1
SLOPE = 0.69  # of log((1 + x) / 2) at x from there up to 1/2: with more, x - 1 is exact


class Split(NamedTuple):
    """``x = 2**k m`` with m between the square roots of 1/2 and 2; k as a float, and biased."""

    whole: Value
    biased: Value
    significand: Value


def split(a: Arithmetic, x: Value) -> Split:
    """Return the exponent and the significand of a positive normal number."""
    digits, one = a.kind.digits, a.kind.bias << a.kind.digits
    start = ROOT_HALF_BITS[a.name]
    shifted = a.add_integers(a.bits(x), one - start)
    biased = a.shift_right(shifted, digits)
    float_of = a.from_bits(a.or_bits(biased, a.bits(2.0**digits)))
    fraction = a.and_bits(shifted, (1 << digits) - 1)
    significand = a.from_bits(a.add_integers(fraction, start))
    return Split(a.subtract(float_of, 2.0**digits + a.kind.bias), biased, significand)


def split_any(a: Arithmetic, x: Value) -> tuple[Value, Value]:
    """Return k and m of a positive number, which may be subnormal."""
    lift = a.kind.digits + 1
    small = a.less(x, 2.0 ** (1 - a.kind.bias))
    parts = split(a, a.select(small, a.multiply(x, 2.0**lift), x))
    return a.add(parts.whole, a.select(small, -float(lift), 0.0)), parts.significand


def _log_near_1(a: Arithmetic, f: Value) -> Two:
    """Return ``log(1 + f)`` for numbers between the square roots of 1/2 and 2."""
    half = a.multiply(f, -0.5)
    high = a.fma(half, f, f)
    lost = a.fma(half, f, a.subtract(f, high))  # exact: high is close to f
    cube = a.multiply(a.multiply(f, f), f)
    return Two(high, a.fma(cube, polynomial(a, f, LOG[a.name]), lost))


def log_sum(a: Arithmetic, k: Value, near: Two) -> Two:
    """Return ``k log(2) + near``."""
    first, second = LN2[a.name]
    total = exact_sum(a, a.multiply(k, first), near.high)  # the product is exact
    return Two(total.high, a.add(total.low, a.fma(k, second, near.low)))


def _with_ends(a: Arithmetic, x: Value, found: Value, pole: float = 0.0) -> Value:
    """Return a logarithm: -inf at the pole, NaN below it, and infinity and NaN themselves."""
    outside = a.select(a.equal(x, pole), -inf, nan)
    found = a.select(a.greater(x, pole), found, outside)
    return a.select(a.less(x, inf), found, a.multiply(x, x))


def log(a: Arithmetic, x: Value) -> Value:
    """The natural logarithm."""
    k, m = split_any(a, x)
    found = log_sum(a, k, _log_near_1(a, a.subtract(m, 1.0)))
    return _with_ends(a, x, a.add(found.high, found.low))


def log2(a: Arithmetic, x: Value) -> Value:
    """The logarithm to the base 2."""
    k, m = split_any(a, x)
    near = _log_near_1(a, a.subtract(m, 1.0))
    near = exact_sum(a, near.high, near.low)
    first, second = LOG2E[a.name]
    scaled = exact_product(a, near.high, first)
    low = a.fma(near.high, second, a.fma(near.low, first, scaled.low))
    total = exact_sum(a, k, scaled.high)
    return _with_ends(a, x, a.add(total.high, a.add(total.low, low)))


def log1p(a: Arithmetic, x: Value, low: Value | None = None) -> Value:
    """``log(1 + x)``, or ``log(1 + x + low)`` of a number in two parts."""
    u, lost = exact_sum_of_any(a, 1.0, x)
    parts = split(a, u)
    inverse = a.shift_left(a.subtract_integers(2 * a.kind.bias, parts.biased), a.kind.digits)
    rest = lost if low is None else a.add(lost, low)
    rest = a.select(a.less(x, 2.0**60), a.multiply(rest, a.from_bits(inverse)), 0.0)
    near_0 = a.equal(parts.whole, 0.0)
    f = a.select(near_0, x, a.subtract(parts.significand, 1.0))
    rest = a.select(near_0, 0.0 if low is None else low, rest)
    near = _log_near_1(a, f)
    slope = polynomial(a, f, [-1.0, 1.0, -1.0, 1.0])  # 1 / (1 + f), nearly
    found = log_sum(a, parts.whole, Two(near.high, a.fma(rest, slope, near.low)))
    found = a.select(a.equal(x, 0.0), x, a.add(found.high, found.low))
    return _with_ends(a, x, found, pole=-1.0)


def log1p_between(a: Arithmetic, x: Value, least: float, most: float) -> Value:
    """``log(1 + x)`` of what lies between two numbers: between 0 and 1 with half the steps.

    There 1 + x is near 1, or its half is: ``log(2) + log(1 + (x - 1) / 2)``.
    """
    if least < 0 or most > 1:
        return log1p(a, x)
    far = a.greater(x, ROOT_2_LESS_1)
    less = a.subtract(x, 1.0)
    lost = a.select(far, a.subtract(x, a.add(less, 1.0)), 0.0)  # all that `less` has lost
    near = _log_near_1(a, a.select(far, a.multiply(less, 0.5), x))
    first, second = [a.select(far, part, 0.0) for part in LN2[a.name]]
    total = exact_sum(a, first, near.high)
    low = a.add(a.fma(lost, SLOPE, near.low), second)
    return a.add(total.high, a.add(total.low, low))


def arctanh(a: Arithmetic, x: Value) -> Value:
    """``log1p(2 |x| / (1 - |x|)) / 2``, and the sign of `x`."""
    size = a.absolute(x)
    below = exact_sum(a, 1.0, a.negative(size))
    ratio = quotient(a, Two(a.multiply(size, 2.0), 0.0), below)
    found = a.multiply(log1p(a, ratio.high, ratio.low), 0.5)
    found = a.select(a.less(size, 1.0), found, a.select(a.equal(size, 1.0), inf, nan))
    return a.copysign(found, x)
