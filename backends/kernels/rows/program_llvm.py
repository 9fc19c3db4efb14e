"""A formula of rows as machine code: a few loops over each row (`passes`), on vectors.

::

    rows(pointers, [count], strides, data)
    data = [classes, failed, outside, past, adding, flat, number, divisor]

computes so many rows, whose arrays begin at `pointers` and lie `strides` bytes apart; the entries
of a row lie without gaps. `failed` becomes 1 where there is no memory for buffers, `outside` where
an index names no class. Where `past` is not 0, results are written past the caches if the loops
before do not take longer than memory. `adding` and `flat` are 0, or the addresses by which the
first results, numbers that lie without gaps, are added up: their sum over the divisor is written to
`number`.

The vectors have so many lanes on every processor, and a sum is one sum for each lane, in float64
(of float64: with what each addition loses), and then of their halves: so the bits are the same on
all processors, for any number of threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..formulas.arithmetic_llvm import Arithmetic
from ..formulas.bounds import Bounds, bounds_of_number
from ..formulas.engines_llvm import engine_of, is_supported
from ..formulas.loops_llvm import LONG, LONGS, WAY, long
from ..formulas.program_llvm import (
    LANES,
    WIDEST,
    computed,
    entry_of,
    loaded,
    stored,
)
from ..formulas.trace import BOOL, Place, Step
from .axes import CLASSES, SHARE
from .bounds import all_bounds
from .compiled_rows import NOTHING_ADDED, Code
from .passes import Pass, Plan, plan, summand
from .quotients_llvm import Inverse, quotient
from .reductions_llvm import REDUCERS
from .trace import PICK, POSITION, REDUCTIONS, RowFormula
from .vectors_llvm import Turn, Vectors, bytes_of

__all__ = ["compiled", "is_supported"]

BYTE, INT = ir.IntType(8), ir.IntType(32)
BYTES = ir.PointerType(BYTE)
INDEX = "int64"


def compiled(rows: RowFormula, dtypes: Sequence[str], *, without: str = "") -> Code:
    """Return the machine code of a formula, for arrays of these dtypes: operands, then results.

    Untraceable where a step is not known. What the processor has and begins with `without`
    ("avx512") is not used.
    """
    names = tuple(map(str, dtypes))
    engine = engine_of(
        lambda: _module(rows, dtypes), ("rows", rows, names), without, vectorised=True
    )
    return Code(engine.get_function_address("rows"), engine)


def _module(rows: RowFormula, dtypes: Sequence[str]) -> Any:
    module = ir.Module("rows")
    _Writer(module, rows, dtypes).write()
    return module


class _Writer:
    """Writes the function of a formula."""

    def __init__(self, module: Any, rows: RowFormula, dtypes: Sequence[str]) -> None:
        self.module = module
        self.rows = rows
        self.formula = rows.formula
        self.plan: Plan = plan(rows)
        self.dtypes = dtypes
        self.function = ir.Function(module, WAY, "rows")
        set.add(self.function.attributes, WIDEST)
        self.builder: Any = ir.IRBuilder(self.function.append_basic_block())
        name = self.formula.dtype.name
        self.lanes = LANES[name]
        self.scalar = Arithmetic(self.builder, module, name)
        self.vector = Arithmetic(self.builder, module, name, self.lanes)
        self.vectors = Vectors(self.builder, module, self.lanes)
        self.bounds = all_bounds(rows)
        self.values: dict[int, Any] = {}  # of the row
        self.pointers: list[Any] = []  # to the row in each array

    def write(self) -> None:
        """Write the loop over rows."""
        b = self.builder
        pointers, count, strides, data = self.function.args
        self.data = b.bitcast(data, LONGS)
        last, self.classes = b.load(count), b.load(self.data)
        past = b.load(b.gep(self.data, [long(3)])) if self.plan.waits else long(0)
        self.past = b.icmp_signed("!=", past, long(0))
        starts = [b.load(b.gep(pointers, [long(i)])) for i in range(len(self.dtypes))]
        steps = [b.load(b.gep(strides, [long(i)])) for i in range(len(self.dtypes))]
        self._buffers()
        head, inside, done = [self.function.append_basic_block() for _ in range(3)]
        b.branch(head)
        before = b.block
        b.position_at_end(head)
        i = b.phi(LONG)
        i.add_incoming(long(0), before)
        b.cbranch(b.icmp_signed("<", i, last), inside, done)
        b.position_at_end(inside)
        self.pointers = [
            b.gep(start, [b.mul(i, step)]) for start, step in zip(starts, steps, strict=True)
        ]
        self.steps = steps
        self._row()
        i.add_incoming(b.add(i, long(1)), b.block)
        b.branch(head)
        b.position_at_end(done)
        self._add_up(starts[self.formula.given], last)
        with b.if_then(self.past):
            b.fence("seq_cst")  # what is written so is seen by others from here on
        if self.plan.buffers:
            free = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [BYTES]), "free")
            b.call(free, [self._room])
        b.ret_void()

    def _buffers(self) -> None:
        """Ask for the memory of the buffers: of a row, and a vector before it and after it."""
        b = self.builder
        self.buffers: dict[int, Any] = {}
        if not self.plan.buffers:
            return
        size = self.scalar.kind.width // 8
        whole = b.and_(b.add(self.classes, long(3 * self.lanes - 1)), long(-self.lanes))
        part = b.mul(whole, long(size))
        malloc = ir.Function(self.module, ir.FunctionType(BYTES, [LONG]), "malloc")
        self._room = b.call(malloc, [b.mul(part, long(len(self.plan.buffers)))])
        none, there = [self.function.append_basic_block() for _ in range(2)]
        b.cbranch(b.icmp_unsigned("==", self._room, ir.Constant(BYTES, None)), none, there)
        b.position_at_end(none)
        b.store(long(1), b.gep(self.data, [long(1)]))
        b.ret_void()
        b.position_at_end(there)
        for i, x in enumerate(self.plan.buffers):
            start = b.add(b.mul(part, long(i)), long(self.lanes * size))
            self.buffers[x] = b.gep(self._room, [start])

    def _add_up(self, terms: Any, count: Any) -> None:
        """Write the call that adds up the first results, where it is asked for."""
        b = self.builder
        if self.rows.kinds[self.formula.given] not in ("kept", "row"):
            return
        adding, flat, number, divisor = [
            b.load(b.gep(self.data, [long(i)])) for i in range(4, 4 + len(NOTHING_ADDED))
        ]
        double = ir.DoubleType()
        kind = ir.FunctionType(ir.VoidType(), [LONG, BYTES, LONG, double, LONG])
        with b.if_then(b.icmp_signed("!=", adding, long(0)), likely=False):
            function = b.inttoptr(adding, kind.as_pointer())
            b.call(function, [flat, terms, number, b.bitcast(divisor, double), count])

    # ---- a row ---------------------------------------------------------------------------------

    def _row(self) -> None:
        """Write what is done with a row."""
        formula, per_entry = self.formula, self.rows.per_entry
        self.values = {}
        for number in range(formula.given):
            if not per_entry[number]:
                self.values[number] = self._read(number, long(0))
        for stage in range(self.plan.passes[-1].stage + 2 if self.plan.passes else 1):
            for i, step in enumerate(formula.steps, start=formula.given):
                own = not per_entry[i] and self.plan.stages[i] == stage
                if own and step.operation not in REDUCTIONS:
                    self.values[i] = self._number(step)
            for own_pass in [each for each in self.plan.passes if each.stage == stage]:
                self._loop(own_pass)
        for i, x in enumerate(formula.results):
            number = formula.given + i
            if self.rows.kinds[number] in ("kept", "row"):
                entry = entry_of(self.dtypes[number])
                place = self.builder.bitcast(self.pointers[number], ir.PointerType(entry.type))
                value = stored(self.scalar, self.values[x.number], self.dtypes[number])
                self.builder.store(value, place)

    def _read(self, number: int, at: Any) -> Any:
        """Return the entry of an array at a place of the row."""
        dtype = self.dtypes[number]
        type_ = LONG if dtype == INDEX else entry_of(dtype).type
        place = self.builder.bitcast(self.pointers[number], ir.PointerType(type_))
        raw = self.builder.load(self.builder.gep(place, [at]))
        return self._class(raw) if dtype == INDEX else loaded(self.scalar, raw, _named(dtype))

    def _class(self, index: Any) -> Any:
        """Return an index; 0 for one that names no class, which is said in the data."""
        b = self.builder
        there = b.icmp_unsigned("<", index, self.classes)
        with b.if_then(b.not_(there), likely=False):
            b.store(long(1), b.gep(self.data, [long(2)]))
        return b.select(there, index, long(0))

    def _number(self, step: Step) -> Any:
        """Return what a step makes of numbers of the row."""
        a, b = self.scalar, self.builder
        if step.operation == PICK:
            x, at = step.operands
            return self._read(x.number, self.values[at.number])
        if step.operation == CLASSES:
            return b.uitofp(self.classes, a.type)
        if step.operation == SHARE:
            wide = a.wide
            share = wide.constant(float(step.operands[0]))
            return a.narrowed(wide.divide(share, b.uitofp(self.classes, wide.type)))
        given = [
            self.values[x.number] if isinstance(x, Place) else _constant(a, x)
            for x in step.operands
        ]
        if LONG in [x.type for x in given]:
            return b.icmp_signed(_SIGNS[step.operation], *given)
        return computed(a, step.operation, given, self._between(step))

    def _between(self, step: Step) -> list[Bounds]:
        """Return the bounds of the operands of a step."""
        return [
            self.bounds[x.number] if isinstance(x, Place) else bounds_of_number(x)
            for x in step.operands
        ]

    # ---- a loop over its entries ---------------------------------------------------------------

    def _loop(self, own: Pass) -> None:
        """Write one loop over a row."""
        b, a, formula = self.builder, self.vector, self.formula
        count = formula.given
        spread = self._spread(own)
        reducers = {
            x: REDUCERS[formula.steps[x - count].operation](a, b, self.module)
            for x in own.reductions
        }
        starts = {x: reducer.start() for x, reducer in reducers.items()}
        beginning, past = self._beginning(own)
        before = b.block
        head = self.function.append_basic_block()
        after = self.function.append_basic_block()
        b.branch(head)
        b.position_at_end(head)
        j = b.phi(LONG)
        j.add_incoming(beginning, before)
        states = {x: [b.phi(part.type) for part in start] for x, start in starts.items()}
        for x, start in starts.items():
            for phi, part in zip(states[x], start, strict=True):
                phi.add_incoming(part, before)
        arrays = [x for x in own.values if x < count]
        sources = [self._place(x, j) for x in arrays]
        turn = self.vectors.turn(j, self.classes, sources, past)

        if own is self.plan.passes[self.plan.busiest]:
            self._prefetch(turn.first)
        values = self._loads(own, arrays, turn)
        for x in own.values:
            if x not in values:
                values[x] = self._entry(formula.steps[x - count], values, spread, turn)
        for x in own.kept:
            place = self.vectors.place(self.buffers[x], a.kind.type, j)
            b.store(values[x], place, align=a.kind.width // 8)
        self.vectors.store(self._results(own, values, spread, j), turn)
        for x, reducer in reducers.items():
            operand, there = self._reduced(x, values, turn)
            states_of = reducer.step(states[x], operand, there, turn)
            for phi, part in zip(states[x], states_of, strict=True):
                phi.add_incoming(part, b.block)
        following = b.add(j, long(self.lanes), flags=["nsw"])
        j.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.classes), head, after)
        ended = {x: [phi.incomings[-1][0] for phi in states[x]] for x in reducers}
        b.position_at_end(after)
        for x, reducer in reducers.items():
            self.values[x] = reducer.end(ended[x])

    def _beginning(self, own: Pass) -> tuple[Any, Any]:
        """Return the first entry of a loop, and whether it writes past the caches.

        Then it begins before the row, so that whole vectors lie at multiples of their size: nothing
        is added up in such a loop.
        """
        b, count = self.builder, self.formula.given
        if not self.plan.waits or own is not self.plan.passes[-1] or own.reductions:
            return long(0), None
        if len(own.results) != 1:
            return long(0), None
        size = bytes_of(entry_of(self.dtypes[count + own.results[0]]).type)
        address = b.ptrtoint(self.pointers[count + own.results[0]], LONG)
        entries = b.icmp_unsigned("==", b.and_(address, long(size - 1)), long(0))
        past = b.and_(self.past, entries)
        before = b.udiv(b.and_(address, long(size * self.lanes - 1)), long(size))
        return b.select(past, b.sub(long(0), before), long(0)), past

    def _spread(self, own: Pass) -> dict[Any, Any]:
        """Return the numbers of the row that a loop needs, each in every lane of a vector.

        A divisor has its inverse as well, and whether that may be used.
        """
        b, formula, found = self.builder, self.formula, dict[Any, Any]()
        needed = [
            formula.steps[x - formula.given]
            for x in own.values
            if x >= formula.given and x not in own.loaded
        ]
        numbers = [y.number for step in needed for y in step.operands if isinstance(y, Place)]
        numbers += [formula.results[i].number for i in own.results]
        for x in numbers:
            if not self.rows.per_entry[x] and x not in found:
                value = self.values[x]
                found[x] = self.vectors.all(b.trunc(value, INT) if value.type == LONG else value)
        quotients = [step.operands[1] for step in needed if step.operation is np.divide]
        for divisor in quotients:
            if isinstance(divisor, Place) and divisor.number in found:
                x = self.values[divisor.number]
                found["divisor", divisor.number] = Inverse.of(self.scalar, x, self.vectors.all)
        return found

    def _loads(self, own: Pass, arrays: Sequence[int], turn: Turn) -> dict[int, Any]:
        """Return the arrays' entries that a loop needs, and what it needs of the buffers."""
        a, b = self.vector, self.builder
        values = {
            x: loaded(a, raw, _named(self.dtypes[x]))
            for x, raw in zip(arrays, turn.arrays, strict=True)
        }
        for x in own.loaded:
            place = self.vectors.place(self.buffers[x], a.kind.type, turn.first)
            values[x] = b.load(place, align=a.kind.width // 8)
        return values

    def _reduced(self, x: int, values: dict[int, Any], turn: Turn) -> tuple[Any, Any]:
        """Return what a reduction takes, and of which lanes."""
        own = summand(self.rows, x)
        if own.condition is None:
            return values[own.value], turn.there
        condition = values[own.condition]
        holds = condition if own.holds else self.builder.not_(condition)
        return values[own.value], self.builder.and_(turn.there, holds)

    def _prefetch(self, first: Any) -> None:
        """Ask for what the next row reads, and for what is written next: memory need not wait.

        In the loop that computes longest there is time for that.
        """
        b, given, passes = self.builder, self.formula.given, self.plan.passes
        ahead = self.plan.busiest == len(passes) - 1  # what this row writes is being written
        for x in sorted({x for each in passes for x in each.values if x < given}):
            place = b.bitcast(self._place(x, first), BYTES)
            self.vectors.prefetch(b.gep(place, [self.steps[x]]))
        with b.if_then(b.not_(self.past)):
            for x in (given + i for i in passes[-1].results):
                place = b.bitcast(self._place(x, first), BYTES)
                if ahead:
                    place = b.gep(place, [self.steps[x]])
                self.vectors.prefetch(place, writes=True)

    def _results(self, own: Pass, values: Any, spread: Any, first: Any) -> list[tuple[Any, Any]]:
        """Return the results of a loop as they lie in memory, and where."""
        pairs = []
        for i in own.results:
            number, x = self.formula.given + i, self.formula.results[i].number
            value = values[x] if x in values else spread[x]
            made = stored(self.vector, value, _named(self.dtypes[number]))
            pairs.append((made, self._place(number, first)))
        return pairs

    def _place(self, number: int, first: Any) -> Any:
        """Return the address of a vector in an array, from an entry of the row on."""
        type_ = entry_of(self.dtypes[number]).type
        return self.vectors.place(self.pointers[number], type_, first)

    def _entry(self, step: Step, values: dict[int, Any], spread: dict[Any, Any], turn: Turn) -> Any:
        """Return what a step makes of entries."""
        a, b = self.vector, self.builder
        if step.operation == POSITION:
            return turn.places
        given = []
        for x in step.operands:
            if not isinstance(x, Place):
                given.append(_constant(a, x))
            else:
                given.append(values[x.number] if x.number in values else spread[x.number])
        if step.operation is np.divide:
            divisor = step.operands[1]
            if not (isinstance(divisor, Place) and divisor.number in values):
                by = spread["divisor", divisor.number] if isinstance(divisor, Place) else divisor
                return quotient(a, given[0], given[1], by)
        if given and given[0].type == ir.VectorType(INT, self.lanes):
            return b.icmp_signed(_SIGNS[step.operation], *given)
        return computed(a, step.operation, given, self._between(step))


def _constant(a: Arithmetic, x: Any) -> Any:
    """Return a number of a step."""
    if isinstance(x, np.integer):
        return a.same(LONG if a.lanes == 1 else INT, int(x))
    return a.constant(float(x))


def _named(dtype: str) -> Any:
    return BOOL if dtype == "bool" else dtype


_SIGNS = {
    np.equal: "==",
    np.not_equal: "!=",
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
}
