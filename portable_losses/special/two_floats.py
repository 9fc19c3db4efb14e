"""Sums and products with their rounding errors, for exponents: a result as ``value + rest``.

An exponential turns the rounding of its argument u into ``|u|`` ulp. Where u is a formula, its
rounding error is computed beside it, and ``exp(u) * (1 + rest)`` has all digits. T. J. Dekker,
doi:10.1007/BF01397083.
"""

from fractions import Fraction
from struct import pack, unpack

from portable_losses._backend import backend_of
from portable_losses._options import is_number
from portable_losses._typing import Array, Namespace

__all__ = [
    "exponential",
    "multiply_add",
    "parts_of",
    "product",
    "quotient",
    "scaled",
    "split",
    "square",
    "sum_of",
]


def multiply_add(a: Array, b: Array | float, c: Array | float, *, xp: Namespace) -> Array:
    """Return ``a * b + c``, rounded once where the library has that."""
    fma = backend_of(xp).speed.special.get("fma")
    return a * b + c if fma is None else fma(a, b, c)


def scaled(x: Array, factor: float, *, xp: Namespace) -> tuple[Array, Array | None]:
    """Return ``factor * x``; the rest only where that is one operation, else None."""
    fma = backend_of(xp).speed.special.get("fma")
    value = factor * x
    return value, None if fma is None else fma(x, factor, -value)


def quotient(x: Array, divisor: float, *, xp: Namespace) -> tuple[Array, Array | None]:
    """Return ``x / divisor``, as `scaled` does."""
    fma = backend_of(xp).speed.special.get("fma")
    value = x / divisor
    if fma is None or (is_number(divisor) and divisor == 1):
        return value, None
    return value, fma(-value, divisor, x) / divisor


def exponential(value: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """Return ``exp(value + rest)`` of finite numbers."""
    result = xp.exp(value)
    return result if rest is None else multiply_add(result, rest, result, xp=xp)


def parts_of(number: Fraction, like: Array, *, xp: Namespace) -> tuple[float, float]:
    """Return a number as one of the dtype of an array, and what that lacks."""
    value = float(number)
    if like.dtype == xp.float32:
        (value,) = unpack("f", pack("f", value))
    return value, float(number - Fraction(value))


def split(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return x as a sum of two halves whose products with halves fit the dtype (Veltkamp)."""
    shifted = x * (4097.0 if x.dtype == xp.float32 else 134217729.0)  # 2**12 + 1, 2**27 + 1
    high = shifted - (shifted - x)
    return high, x - high


def square(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``x * x``; right also after a compiler has joined products and sums."""
    fma = backend_of(xp).speed.special.get("fma")
    if fma is not None:
        value = x * x
        return value, fma(x, x, -value)
    high, low = split(x, xp=xp)
    whole, rest = high * high, low * (x + high)
    value = whole + rest
    return value, (whole - value) + rest


def product(a: Array, b: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``a * b``."""
    fma = backend_of(xp).speed.special.get("fma")
    if fma is not None:
        value = a * b
        return value, fma(a, b, -value)
    (a1, a2), (b1, b2) = split(a, xp=xp), split(b, xp=xp)
    value = a * b
    return value, ((a1 * b1 - value) + (a1 * b2 + a2 * b1)) + a2 * b2


def sum_of(a: Array, b: Array | float) -> tuple[Array, Array]:
    """Return ``a + b``, whichever is larger (Knuth)."""
    value = a + b
    added = value - a
    return value, (a - (value - added)) + (b - added)
