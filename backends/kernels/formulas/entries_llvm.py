"""Entries of arrays in memory, as values of an `Arithmetic`: half types and truth values, too."""

from typing import Any

import numpy as np
from llvmlite import ir

from .arithmetic_llvm import Arithmetic
from .machine_code import ANYWHERE
from .strided_llvm import Entry
from .trace import BOOL, Untraceable

__all__ = [
    "SUMMED",
    "entry_of",
    "loaded",
    "loaded_in_pairs",
    "stored",
    "stored_in_pairs",
]

BYTE, BIT = ir.IntType(8), ir.IntType(1)


def entry_of(dtype: Any) -> Entry:
    """Return how entries of a dtype lie in memory; bfloat16 is named, as NumPy has none."""
    found = _ENTRIES.get(dtype if isinstance(dtype, str) else np.dtype(dtype).name)
    if found is None:
        raise Untraceable
    return found


_ENTRIES = {
    ANYWHERE: Entry(BYTE, 0),
    "bool": Entry(BYTE, 1),
    "float16": Entry(ir.HalfType(), 2),
    "bfloat16": Entry(ir.IntType(16), 2),
    "float32": Entry(ir.FloatType(), 4),
    "float64": Entry(ir.DoubleType(), 8),
}
SUMMED = frozenset([_ENTRIES["float32"], _ENTRIES["float64"]])


def loaded(a: Arithmetic, raw: Any, dtype: Any) -> Any:
    """Return an entry of an array as a value of the arithmetic, or a condition."""
    builder = a.builder
    if dtype == "bfloat16":
        wide = builder.zext(raw, a.of(ir.IntType(32)))
        return builder.bitcast(builder.shl(wide, a.same(ir.IntType(32), 16)), a.type)
    if dtype == BOOL:
        return builder.icmp_unsigned("!=", raw, a.same(BYTE, 0))
    return builder.fpext(raw, a.type) if raw.type != a.type else raw


def stored(a: Arithmetic, value: Any, dtype: Any) -> Any:
    """Return a value as an entry of an array."""
    builder = a.builder
    if dtype == "bfloat16":
        return _as_bfloat16(a, value)
    if value.type == a.of(BIT):
        return builder.zext(value, a.of(BYTE))
    entry = a.of(entry_of(dtype).type)
    return builder.fptrunc(value, entry) if value.type != entry else value


def _as_bfloat16(a: Arithmetic, value: Any) -> Any:
    """Return the upper half of the bits, rounded to nearest, ties to even."""
    upper = a.shift_right(_rounded_bits(a, value), 16)
    return a.builder.trunc(upper, a.of(ir.IntType(16)))


def _rounded_bits(a: Arithmetic, value: Any) -> Any:
    """Return the bits of a float32, of which the upper half is rounded.

    NaN stays one: it is a half's, or what processors make, and so the lower half has no bits.
    """
    bits = a.bits(value)
    last = a.and_bits(a.shift_right(bits, 16), 1)
    return a.add_integers(bits, a.add_integers(last, 0x7FFF))


def loaded_in_pairs(a: Arithmetic, raw: Any) -> Any:
    """Return bfloat16 as values: first those of even place, and then the others.

    Two neighbours are one integer of 32 bits, of which a shift makes the one and a mask the other.
    So is the order of what is stored (`stored_in_pairs`), and none of the steps looks at it.
    """
    builder, half = a.builder, a.lanes // 2
    part = Arithmetic(builder, a.module, a.name, half)
    both = builder.bitcast(raw, part.of(ir.IntType(32)))
    even, odd = part.shift_left(both, 16), part.and_bits(both, 0xFFFF0000)
    return builder.bitcast(builder.shuffle_vector(even, odd, _order(range(a.lanes))), a.type)


def stored_in_pairs(a: Arithmetic, value: Any) -> Any:
    """Return values, those of even place first, as bfloat16 in their order."""
    builder, half = a.builder, a.lanes // 2
    part = Arithmetic(builder, a.module, a.name, half)
    bits = _rounded_bits(a, value)
    even, odd = (
        builder.shuffle_vector(bits, bits, _order(range(first, first + half)))
        for first in (0, half)
    )
    both = part.or_bits(part.shift_right(even, 16), part.and_bits(odd, 0xFFFF0000))
    return builder.bitcast(both, a.of(ir.IntType(16)))


def _order(places: range) -> Any:
    """Return the mask that a shuffle of vectors is given."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
