"""Sums and products with their rounding errors, for exponents: a result as ``value + rest``.

An exponential turns the rounding of its argument u into ``|u|`` ulp. Where u is a formula, its
rounding error is computed beside it, and ``exp(u) * (1 + rest)`` has all digits. T. J. Dekker,
doi:10.1007/BF01397083.
"""

from portable_losses._backend import backend_of
from portable_losses._typing import Array, Namespace

__all__ = ["product", "split", "square", "sum_of"]


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
