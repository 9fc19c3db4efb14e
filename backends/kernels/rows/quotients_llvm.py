"""Quotients of entries by a number of their row: products with its inverse, corrected."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..formulas.arithmetic_llvm import Arithmetic
from .vectors_llvm import likely

__all__ = ["Inverse", "quotient"]

USUAL = 2.0**-60, 2.0**60  # sizes between which an inverse may be used


class Inverse(NamedTuple):
    """The inverse of a number of the row, in every lane, and whether it may be used."""

    value: Any
    usual: Any

    @classmethod
    def of(cls, a: Arithmetic, x: Any, spread: Callable[[Any], Any]) -> "Inverse":
        """Return that of `x`, which `spread` puts into every lane."""
        size = a.absolute(x)
        usual = a.both(a.greater(size, USUAL[0]), a.less(size, USUAL[1]))
        return cls(spread(a.divide(1.0, x)), usual)


def quotient(a: Arithmetic, x: Any, y: Any, inverse: Inverse | np.floating[Any]) -> Any:
    """Return ``x / y`` of one `y` for the row, by its inverse, or of a number.

    What a product with the inverse lacks is known exactly by `fma`, so the result is rounded as the
    quotient is; that would take as long as an exponential.
    """
    if not isinstance(inverse, Inverse):
        number = float(type(inverse)(1) / inverse)
        usual = USUAL[0] < abs(inverse) < USUAL[1]
        return _corrected(a, x, y, a.constant(number)) if usual else a.divide(x, y)
    b = a.builder
    quick, slow, join = [b.function.append_basic_block() for _ in range(3)]
    likely(b.cbranch(inverse.usual, quick, slow))
    b.position_at_end(quick)
    first = _corrected(a, x, y, inverse.value)
    b.branch(join)
    b.position_at_end(slow)
    second = a.divide(x, y)
    b.branch(join)
    b.position_at_end(join)
    phi = b.phi(a.type)
    phi.add_incoming(first, quick)
    phi.add_incoming(second, slow)
    return phi


def _corrected(a: Arithmetic, x: Any, y: Any, inverse: Any) -> Any:
    """Return ``x * inverse``, corrected by what is left of `x`; infinities stay."""
    first = a.multiply(x, inverse)
    rest = a.fma(a.negative(first), y, x)
    return a.select(a.equal(rest, rest), a.fma(rest, inverse, first), first)
