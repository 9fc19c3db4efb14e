"""A formula as machine code: one loop over the entries, whatever the number of its steps.

Every step is an instruction, or a few (`elementary`), on a vector of entries. An entry is loaded
and stored in the dtype of its array, and computed in that of the formula: half types cost no pass
of their own. There are these ways in::

    flat(operands, results, count)               arrays without gaps, as pointers
    strided(pointers, sizes, strides, flat)      as NumPy calls a ufunc: any strides
    streamed(pointers, sizes, strides, flat)     the same for results too large for a cache
    summed(pointers, sizes, strides, data)       likewise, on several threads
    averaged(operands, results, number, divisor, count)
    core(pointers, sizes, strides, data)         `averaged`, as NumPy calls a gufunc

`strided` copies what has gaps, or is one number, into small buffers and calls `flat` on those, so
that there is one loop to compile; `streamed` writes past the caches, and asks for its operands in
time: large arrays take a third less. `summed` adds up the first result instead of writing it, and
multiplies the others with `scale` (`summed_past` writes these past the caches): of every `ENTRIES`
of them it writes the sum in float64, always by the same additions; `averaged` adds up those sums,
too. What is computed does not depend on how it is called, on the number of threads, or on the
vectors of the processor: nothing is reassociated or contracted.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ..machine.teams import share
from . import elementary
from .arithmetic_llvm import Arithmetic
from .bounds import ANY, Bounds, bounds_of, bounds_of_number
from .engines_llvm import engine_of, is_supported
from .entries_llvm import SUMMED, entry_of, loaded, loaded_in_pairs, stored, stored_in_pairs
from .loops_llvm import (
    LONG,
    vectors,
    write_averaged,
    write_region,
    write_summed,
    write_summed_way,
)
from .machine_code import ANYWHERE
from .strided_llvm import write_strided
from .trace import CAST, SELECT, Formula, Place, Step, Untraceable

__all__ = [
    "LANES",
    "WIDEST",
    "Code",
    "compiled",
    "computed",
    "entry_of",
    "is_supported",
    "loaded",
    "region",
    "stored",
]

BYTE, BIT = ir.IntType(8), ir.IntType(1)
LANES = {"float32": 16, "float64": 8}  # of a vector: one or two registers
WIDEST = '"prefer-vector-width"="512"'  # LLVM itself would take half of it, by a fifth slower


class Code(NamedTuple):
    """A compiled formula: the addresses of its ways in, and what keeps them alive.

    All but `flat` are those of all formulas of these dtypes: they are given `flat`.
    """

    flat: int
    strided: int
    streamed: int
    summed_way: int  # `summed`, as `strided` is called; 0 where a result is of a half type
    summed_past_way: int  # the same for results too large for a cache
    averaged: int
    core: int
    arrays: int  # operands and results
    engines: tuple[Any, ...]

    def share(self, way: int, data: int, *arrays: Any, **blocks: Any) -> None:
        """Call a way in on blocks of arrays, on several threads (`teams.share`)."""
        share(region(), way, data, *arrays, **blocks)

    def function(self) -> Callable[..., None]:
        """Return `flat` as a function of addresses and the number of entries, for few of them."""
        return _callable(self.flat, *[ctypes.c_void_p] * self.arrays, ctypes.c_int64)

    def averaging(self) -> Callable[..., None]:
        """Return `averaged` as a function of addresses, the divisor and the number of entries."""
        places = [ctypes.c_void_p] * (self.arrays + 1)
        made = _callable(self.averaged, *places, ctypes.c_double, ctypes.c_int64)
        return partial(made, self.flat)


def _callable(address: int, *kinds: Any) -> Callable[..., None]:
    """Return the function at an address. It keeps the interpreter lock: few entries take less."""
    return ctypes.PYFUNCTYPE(None, *kinds)(address)


# ---- steps --------------------------------------------------------------------------------------

_METHODS: dict[Any, str] = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.negative: "negative",
    np.absolute: "absolute",
    np.sqrt: "sqrt",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.floor: "floor",
    np.ceil: "ceil",
    np.trunc: "trunc",
    np.rint: "rint",
    np.copysign: "copysign",
    np.less: "less",
    np.less_equal: "less_equal",
    np.greater: "greater",
    np.greater_equal: "greater_equal",
    np.equal: "equal",
    np.not_equal: "not_equal",
    np.bitwise_and: "both",
    np.bitwise_or: "either",
    np.bitwise_xor: "differ",
    np.invert: "invert",
    SELECT: "select",
    CAST: "as_number",
}


def _square(a: Arithmetic, x: Any) -> Any:
    return a.multiply(x, x)


def _sign(a: Arithmetic, x: Any) -> Any:
    """Return -1, 0 or 1; of NaN itself, of a zero the zero."""
    one = a.copysign(a.constant(1.0), x)
    return a.select(a.either(a.less(x, 0.0), a.greater(x, 0.0)), one, x)


_BETWEEN: dict[Any, Callable[..., Any]] = {  # of bounds as well
    np.exp: elementary.exp_between,
    np.expm1: elementary.expm1_between,
    np.log1p: elementary.log1p_between,
}

_OWN: dict[Any, Callable[..., Any]] = {
    np.square: _square,
    np.reciprocal: lambda a, x: a.divide(1.0, x),
    "fma": lambda a, x, y, z: a.fma(x, y, z),
    np.isnan: lambda a, x: a.not_equal(x, x),
    np.isfinite: lambda a, x: a.less(a.absolute(x), inf),
    np.isinf: lambda a, x: a.equal(a.absolute(x), inf),
    np.sign: _sign,
}


def _computed(a: Arithmetic, formula: Formula, values: list[Any]) -> list[Any]:
    """Return the results of a formula of these values; Untraceable for a step that is not known."""
    known = [ANY] * len(values)

    def operand(x: Any) -> Any:
        return values[x.number] if isinstance(x, Place) else a.constant(float(x))

    def bounds(x: Any) -> Bounds:
        return known[x.number] if isinstance(x, Place) else bounds_of_number(x)

    for step in formula.steps:
        between = [bounds(x) for x in step.operands]
        chosen = _one_or_exponential(formula, step, between)
        if chosen is None:
            made = computed(a, step.operation, [operand(x) for x in step.operands], between)
        else:
            condition, e = map(operand, chosen)
            made = a.select(a.both(condition, a.equal(e, e)), 1.0, e)
        values.append(made)
        square = len(set(step.operands)) == 1
        known.append(bounds_of(step.operation, between, square=square))
    return [operand(x) for x in formula.results]


def _one_or_exponential(
    formula: Formula, step: Step, between: Sequence[Bounds]
) -> tuple[Place, Place] | None:
    """Return a condition, and an exponential of at most 1 that `step` chooses where it fails.

    It is written as the larger of a truth value and the exponential, which takes NumPy less time
    than a selection, and machine code six steps more.
    """
    if step.operation is not np.maximum:
        return None
    for x, y, (_, most) in zip(step.operands, step.operands[::-1], between[::-1], strict=True):
        places = isinstance(x, Place) and isinstance(y, Place)
        if places and min(x.number, y.number) >= formula.given and most <= 1:
            truth, other = [formula.steps[p.number - formula.given] for p in (x, y)]
            if truth.operation == CAST and other.operation is np.exp:
                return truth.operands[0], y
    return None


def computed(
    a: Arithmetic, operation: Any, given: Sequence[Any], between: Sequence[Bounds] = ()
) -> Any:
    """Return what a step makes of these values, which lie `between` bounds, if those are known.

    Untraceable for a step that is not known.
    """
    if operation in _BETWEEN and between:
        return _BETWEEN[operation](a, given[0], *between[0])
    if operation in _METHODS:
        return getattr(a, _METHODS[operation])(*given)
    name = getattr(operation, "__name__", operation)
    function = _OWN.get(operation) or getattr(elementary, name, None)
    if function is None:
        raise Untraceable(name)
    return function(a, *given)


# ---- the loops ----------------------------------------------------------------------------------


def _flat_type(dtypes: Sequence[Any]) -> Any:
    """Return the type of the loop over arrays without gaps."""
    pointers = [ir.PointerType(entry_of(dtype).type) for dtype in dtypes]
    return ir.FunctionType(ir.VoidType(), [*pointers, LONG])


def _flat(formula: Formula, dtypes: Sequence[Any]) -> Any:
    """Return a module with the loop over arrays without gaps."""
    module = ir.Module("formula")
    flat = ir.Function(module, _flat_type(dtypes), "flat")
    set.add(flat.attributes, WIDEST)
    builder = ir.IRBuilder(flat.append_basic_block())
    *arrays, count = flat.args
    flag = arrays.pop() if str(dtypes[-1]) == ANYWHERE else None
    in_pairs = set(dtypes) == {"bfloat16"}
    given, lanes = formula.given, LANES[formula.dtype.name] * (2 if in_pairs else 1)
    a = Arithmetic(builder, module, formula.dtype.name, lanes)

    def body(operands: list[Any], targets: list[Any]) -> None:
        raws = [builder.load(place, align=1) for place in operands]
        if in_pairs:
            values = [loaded_in_pairs(a, raw) for raw in raws]
        else:
            values = [loaded(a, *one) for one in zip(raws, dtypes[:given], strict=True)]
        results = _computed(a, formula, values)
        if flag is not None:
            anywhere: Any = builder.bitcast(results.pop(), ir.IntType(lanes))
            with builder.if_then(
                builder.icmp_unsigned("!=", anywhere, ir.Constant(anywhere.type, 0)), likely=False
            ):
                builder.store(ir.Constant(BYTE, 1), flag)
        for target, value, dtype in zip(targets, results, dtypes[given:], strict=False):
            made = stored_in_pairs(a, value) if in_pairs else stored(a, value, dtype)
            builder.store(made, target, align=1)

    missing = 0.0 if flag is None else nan  # which no test of entries finds
    vectors(builder, arrays, given, lanes, count, body, missing)
    builder.ret_void()
    return module


def compiled(formula: Formula, dtypes: Sequence[Any], *, without: str = "") -> Code:
    """Return the machine code of a formula, for arrays of these dtypes: operands, then results.

    Untraceable where a step is not known. What the processor has and begins with `without`
    ("avx512") is not used.
    """
    names = tuple(map(str, dtypes))
    region()  # while no other thread compiles
    engine = engine_of(
        lambda: _flat(formula, dtypes), ("flat", formula, names), without, vectorised=True
    )
    key = names, formula.given, without
    if key not in _WAYS:
        _WAYS[key] = engine_of(lambda: _ways(dtypes, formula.given), ("ways", *key), without)
    ways = _WAYS[key]
    names = Code._fields[1 : Code._fields.index("arrays")]
    addresses = map(ways.get_function_address, names)
    flat = engine.get_function_address("flat")
    return Code._make([flat, *addresses, len(dtypes), (engine, ways)])


_WAYS: dict[tuple[tuple[str, ...], int, str], Any] = {}  # by dtypes and number of operands


def _ways(dtypes: Sequence[Any], given: int) -> Any:
    """Return the loops around `flat`, the same for all formulas of these dtypes."""
    module = ir.Module("ways")
    flat_type, entries = _flat_type(dtypes), [entry_of(dtype) for dtype in dtypes]
    write_strided(module, flat_type, entries, given)
    write_strided(module, flat_type, entries, given, streams=True)
    if SUMMED.issuperset(entries[given:]):
        for streams in (False, True):
            write_summed(module, flat_type, given, streams=streams)
            write_summed_way(module, flat_type, given, streams=streams)
        write_averaged(module, flat_type, given)
    return module


@cache
def region() -> int:
    """Return the address of what every thread of a team runs."""
    engine = engine_of(_region, "region")
    _REGIONS.append(engine)
    return int(engine.get_function_address("region"))


def _region() -> Any:
    module = ir.Module("region")
    write_region(module)
    return module


_REGIONS: list[Any] = []
