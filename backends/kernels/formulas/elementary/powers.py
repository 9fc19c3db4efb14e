"""Powers: float64 through a logarithm in two parts, float32 in float64."""

from math import inf, nan

from .coefficients import ATANH, EXP, LN2, LOG, TWO_THIRDS
from .exponentials import clamped, exp, reduced
from .logarithms import log_sum, split, split_any
from .two_parts import (
    Arithmetic,
    Two,
    Value,
    exact_product,
    exact_sum,
    polynomial,
    product,
    quotient,
)

__all__ = ["power"]


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
    parts = split(a, x)
    f = a.subtract(parts.significand, 1.0)
    square = a.multiply(f, f)
    tail = a.fma(f, polynomial(a, f, LOG["coarse"]), -0.5)
    logarithm = a.fma(parts.whole, LN2["float64"][0], a.fma(square, tail, f))
    n = reduced(a, clamped(a, a.multiply(y, _log_ends(a, x, logarithm)), -120.0, 100.0))
    r = n.rest.high
    near = a.add(1.0, a.fma(a.multiply(r, r), polynomial(a, r, EXP["coarse"]), r))
    scale = a.shift_left(a.subtract_integers(n.biased, a.kind.bias), a.kind.digits)
    return a.multiply(near, a.from_bits(scale))


def _log_ends(a: Arithmetic, x: Value, logarithm: Value) -> Value:
    """Return the logarithm of a number from 0 on: -inf at 0; infinity and NaN themselves."""
    return a.select(a.less(x, inf), a.select(a.equal(x, 0.0), -inf, logarithm), x)


def _log_in_two(a: Arithmetic, x: Value) -> Two:
    """Return the logarithm of a number from 0 on, with 11 digits more than the dtype has."""
    k, m = split_any(a, x)
    # log(m) = 2 s + s**3 (2/3 + z q(z)) with s = (m - 1) / (m + 1), z = s**2
    s = quotient(a, Two(a.subtract(m, 1.0), 0.0), exact_sum(a, 1.0, m))
    s = exact_sum(a, s.high, s.low)
    z = product(a, s, s)
    of_z = polynomial(a, z.high, ATANH[a.name])
    first, second = TWO_THIRDS[a.name]
    rest = exact_product(a, z.high, of_z)
    inner = exact_sum(a, first, rest.high)
    inner = Two(inner.high, a.add(inner.low, a.fma(z.low, of_z, a.add(rest.low, second))))
    cube = product(a, product(a, s, z), inner)
    near = exact_sum(a, a.multiply(s.high, 2.0), cube.high)
    near = Two(near.high, a.add(near.low, a.fma(s.low, 2.0, cube.low)))
    total = log_sum(a, k, near)
    total = exact_sum(a, total.high, total.low)
    inside = a.both(a.greater(x, 0.0), a.less(x, inf))
    return Two(_log_ends(a, x, total.high), a.select(inside, total.low, 0.0))
