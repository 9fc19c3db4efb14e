"""Sums and products with their rounding errors, for exponents: a result as ``value + rest``.

An exponential turns the rounding of its argument u into ``|u|`` ulp. Where u is a formula, its
rounding error is computed beside it, and ``exp(u) * (1 + rest)`` has all digits. T. J. Dekker,
doi:10.1007/BF01397083.
"""

import math
from fractions import Fraction
from struct import pack, unpack
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._gradient import stop_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import where
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace

__all__ = [
    "exponential",
    "halves",
    "minus_product",
    "multiply_add",
    "parts_of",
    "product",
    "quotient",
    "quotient_in_parts",
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


def quotient_in_parts(
    x: Array, divisor: float | Array, *, xp: Namespace
) -> tuple[Array, Array | None]:
    """Return ``x / divisor`` of any library; the rest is constant, and None where it is 0.

    A number is taken as it is, with more digits than the dtype of `x` may have.
    """
    value = x / divisor
    if is_number(divisor) and math.frexp(divisor)[0] == 0.5:  # a power of two
        return value, None
    joined = "fma" in backend_of(xp).speed.special
    value = value if joined else _rounded(value, xp=xp)
    v, x = stop_gradient(value, xp=xp), stop_gradient(x, xp=xp)
    if not joined:  # without warnings
        finite = xp.abs(v) < INF
        v, x = (where(finite, y, 0.0, xp=xp) for y in (v, x))
    high, low = halves(divisor, x, xp=xp)
    rest = minus_product(x, v, high, low, xp=xp) / (high + low)
    return value, where(xp.abs(rest) < INF, rest, 0.0, xp=xp)


def _rounded(x: Array, *, xp: Namespace) -> Array:
    """Return `x`, whose rounding no compiler undoes: what joins a product sees a sum here."""
    fits = xp.abs(x) < 1e30
    return where(fits, sum(split(where(fits, x, 0.0, xp=xp), xp=xp)), x, xp=xp)


def minus_product(
    x: Array, a: Array, high: Array | float, low: Array | float, *, xp: Namespace
) -> Array:
    """Return ``x - a * (high + low)`` of numbers next to each other, the last from `halves`.

    Each product is exact, or small; so it is right after a compiler has joined products and sums.
    """
    fma = backend_of(xp).speed.special.get("fma")
    if fma is not None:
        return fma(-a, high, x) - a * low
    first, second = split(a, xp=xp)
    return (((x - first * high) - first * low) - second * high) - second * low


def halves(factor: float | Array, like: Array, *, xp: Namespace) -> tuple[Any, Any]:
    """Return a factor as a sum of two, for `minus_product`; it is constant.

    A number keeps digits that the dtype of `like` has not.
    """
    joined = "fma" in backend_of(xp).speed.special
    if is_number(factor):
        digits = (24, 53) if joined else (12, 26)
        return _halves(factor, digits[like.dtype != xp.float32])
    factor = stop_gradient(factor, xp=xp)
    return (factor, 0.0) if joined else split(factor, xp=xp)


def _halves(number: float, digits: int) -> tuple[float, float]:
    """Return a number rounded to so many binary digits, and the rest."""
    mantissa, power = math.frexp(number)
    high = math.ldexp(round(math.ldexp(mantissa, digits)), power - digits)
    return high, number - high


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
