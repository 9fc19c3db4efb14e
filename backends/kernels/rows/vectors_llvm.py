"""Vectors of a row's entries in memory; the last one of a row may be there in part."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

__all__ = ["Turn", "Vectors", "bytes_of", "likely"]

BIT, INT = ir.IntType(1), ir.IntType(32)
ONE = ir.Constant(INT, 1)  # what addresses are multiples of
WIDTHS = {"half": 16, "float": 32, "double": 64}  # of types, in bits
NAMES = {"half": "f16", "float": "f32", "double": "f64"}  # of types, in names of functions


class Turn(NamedTuple):
    """One turn of a loop over a row: its first entry, and which lanes are there, perhaps all.

    `places` are those of the lanes in the row, `arrays` the vectors of the arrays, 0 in lanes that
    are not there. `past` says whether whole vectors are written past the caches: in a loop of which
    it is None no place is a multiple of a vector.
    """

    first: Any
    whole: Any
    there: Any
    places: Any
    arrays: Sequence[Any]
    past: Any


class Vectors:
    """Loads and stores of so many lanes."""

    def __init__(self, builder: Any, module: Any, lanes: int) -> None:
        self.builder = builder
        self.module = module
        self.lanes = lanes

    def all(self, x: Any) -> Any:
        """Return a vector with the number `x` in every lane."""
        type_ = ir.VectorType(x.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(type_, ir.Undefined), x, ir.Constant(INT, 0))
        zeros = ir.Constant(ir.VectorType(INT, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, one, zeros)

    def place(self, row: Any, type_: Any, first: Any) -> Any:
        """Return the address of a vector in a row, from its entry `first` on."""
        b = self.builder
        entry = b.gep(b.bitcast(row, ir.PointerType(type_)), [first])
        return b.bitcast(entry, ir.PointerType(ir.VectorType(type_, self.lanes)))

    def turn(self, first: Any, count: Any, places: Sequence[Any], past: Any) -> Turn:
        """Write the beginning of a turn of a loop over `count` entries, which loads from `places`.

        Most are of a whole vector, and spend nothing on what may not be there.
        """
        b, lanes = self.builder, self.lanes
        whole = b.icmp_signed(">=", b.sub(count, first), ir.Constant(first.type, lanes))
        if past is not None:
            whole = b.and_(whole, b.icmp_signed(">=", first, ir.Constant(first.type, 0)))
        full, part, join = [b.function.append_basic_block() for _ in range(3)]
        likely(b.cbranch(whole, full, part))
        b.position_at_end(full)
        one = ir.Constant(BIT, 1)
        all_there = ir.Constant(ir.VectorType(BIT, lanes), [one] * lanes)
        ready = [all_there, *[b.load(place, align=1) for place in places]]
        b.branch(join)
        b.position_at_end(part)
        there = self._places(first), self.all(b.trunc(count, INT))
        there = b.icmp_unsigned("<", *there)  # nor before the row
        types = [place.type.pointee for place in places]
        masked = [there]
        masked += [
            b.call(self._masked("load", type_), [place, ONE, there, _zeros(type_)])
            for place, type_ in zip(places, types, strict=True)
        ]
        b.branch(join)
        b.position_at_end(join)
        found = []
        for one, other in zip(ready, masked, strict=True):
            phi = b.phi(one.type)
            phi.add_incoming(one, full)
            phi.add_incoming(other, part)
            found.append(phi)
        return Turn(first, whole, found[0], self._places(first), found[1:], past)

    def _places(self, first: Any) -> Any:
        """Return those of the lanes in the row."""
        lanes = ir.Constant(ir.VectorType(INT, self.lanes), list(range(self.lanes)))
        return self.builder.add(lanes, self.all(self.builder.trunc(first, INT)))

    def store(self, pairs: Sequence[tuple[Any, Any]], turn: Turn) -> None:
        """Write vectors to their places, those lanes that are there."""
        if not pairs:
            return
        b = self.builder
        full, part, join = [b.function.append_basic_block() for _ in range(3)]
        likely(b.cbranch(turn.whole, full, part))
        b.position_at_end(full)
        if turn.past is not None:
            with b.if_else(turn.past) as (past, others):
                with past:
                    for value, place in pairs:
                        self._store_past(value, place)
                with others:
                    for value, place in pairs:
                        b.store(value, place, align=1)
        else:
            for value, place in pairs:
                b.store(value, place, align=1)
        b.branch(join)
        b.position_at_end(part)
        for value, place in pairs:
            b.call(self._masked("store", value.type), [value, place, ONE, turn.there])
        b.branch(join)
        b.position_at_end(join)

    def _store_past(self, value: Any, place: Any) -> None:
        """Write a whole vector past the caches, which would read what is overwritten."""
        b, size = self.builder, bytes_of(value.type.element)
        whole = ir.VectorType(ir.IntType(8 * size), self.lanes)  # of halves, too
        place = b.bitcast(place, whole.as_pointer())
        stored = b.store(b.bitcast(value, whole), place, align=size * self.lanes)
        one = self.module.add_metadata([ONE])
        stored.set_metadata("nontemporal", one)

    def prefetch(self, place: Any, *, writes: bool = False) -> None:
        """Ask for the memory at an address, which need not be there, before it is needed."""
        name, near, data = "llvm.prefetch.p0", ir.Constant(INT, 2), ir.Constant(INT, 1)
        function = self.module.globals.get(name)
        if function is None:
            kind = ir.FunctionType(ir.VoidType(), [place.type, INT, INT, INT])
            function = ir.Function(self.module, kind, name)
        self.builder.call(function, [place, ir.Constant(INT, int(writes)), near, data])

    def _masked(self, name: str, type_: Any) -> Any:
        """Return LLVM's load or store of some lanes."""
        element = NAMES.get(str(type_.element), str(type_.element))
        full = f"llvm.masked.{name}.v{self.lanes}{element}.p0"
        known = self.module.globals.get(full)
        if known is not None:
            return known
        pointer, mask = ir.PointerType(type_), ir.VectorType(BIT, self.lanes)
        kinds = {
            "load": ir.FunctionType(type_, [pointer, INT, mask, type_]),
            "store": ir.FunctionType(ir.VoidType(), [type_, pointer, INT, mask]),
        }
        return ir.Function(self.module, kinds[name], full)


def likely(branch: Any) -> None:
    """Say that the first way of a branch is mostly taken: it needs no jump."""
    branch.set_weights([2000, 1])


def bytes_of(type_: Any) -> int:
    """Return the size of a number in memory."""
    width = getattr(type_, "width", None) or WIDTHS[str(type_)]
    return int(width) // 8


def _zeros(type_: Any) -> Any:
    return ir.Constant(type_, [ir.Constant(type_.element, 0)] * type_.count)
