"""Numbers as sums of two, the second too small to be part of the first; and polynomials."""

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = [
    "Arithmetic",
    "Two",
    "Value",
    "exact_product",
    "exact_sum",
    "exact_sum_of_any",
    "polynomial",
    "product",
    "quotient",
    "rounded",
]

Value = Any  # of the arithmetic
Arithmetic = Any  # `arithmetic_llvm.Arithmetic`, or one with the same operations


def polynomial(a: Arithmetic, x: Value, coefficients: Sequence[float]) -> Value:
    """Return a polynomial, highest coefficient first, by Horner's rule."""
    found = coefficients[0]
    for c in coefficients[1:]:
        found = a.fma(found, x, c)
    return found


class Two(NamedTuple):
    """A number as a sum that is not computed: the second part is tiny beside the first."""

    high: Value
    low: Value


def rounded(a: Arithmetic, x: Two) -> Value:
    """Return the nearest number."""
    return a.add(x.high, x.low)


def exact_sum(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x + y`` exactly, for ``|x| >= |y|`` or ``x == 0``."""
    high = a.add(x, y)
    return Two(high, a.subtract(y, a.subtract(high, x)))


def exact_sum_of_any(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x + y`` exactly."""
    high = a.add(x, y)
    of_x = a.subtract(high, y)
    of_y = a.subtract(high, of_x)
    return Two(high, a.add(a.subtract(x, of_x), a.subtract(y, of_y)))


def exact_product(a: Arithmetic, x: Value, y: Value) -> Two:
    """Return ``x * y`` exactly."""
    high = a.multiply(x, y)
    return Two(high, a.fma(x, y, a.negative(high)))


def product(a: Arithmetic, x: Two, y: Two) -> Two:
    """Return ``x * y``."""
    product = exact_product(a, x.high, y.high)
    low = a.fma(x.high, y.low, a.fma(x.low, y.high, product.low))
    return Two(product.high, low)


def quotient(a: Arithmetic, x: Two, y: Two) -> Two:
    """Return ``x / y``."""
    inverse = a.divide(1.0, y.high)
    high = a.multiply(x.high, inverse)
    rest = a.add(a.fma(a.negative(high), y.high, x.high), a.fma(a.negative(high), y.low, x.low))
    return Two(high, a.multiply(rest, inverse))
