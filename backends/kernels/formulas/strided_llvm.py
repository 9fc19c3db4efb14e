"""Loops in machine code around the loop of a formula: arrays of any strides, and large ones.

What has gaps in memory, or is one number, goes through a buffer, so that one loop serves any
strides. Large results are written past the caches, which otherwise read from memory what is about
to be overwritten, and what comes next is asked for while a chunk is computed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from .loops_llvm import LINE, LONG, WAY, loop, prefetch

__all__ = ["Entry", "write_strided"]

BIT = ir.IntType(1)
HELD = 1024  # entries of a buffer: what a few of them hold stays in the nearest cache
FLOWING = 256  # the same, where one chunk is written while the next is computed


class Entry(NamedTuple):
    """How entries of a dtype lie in memory."""

    type: Any
    size: int


def write_strided(
    module: Any, flat_type: Any, entries: Sequence[Entry], given: int, *, streams: bool = False
) -> None:
    """Write the loop that NumPy calls, over chunks of entries, with the address of `flat`.

    The one that `streams` writes results without gaps past the caches, and asks for the operands of
    the next chunk before it computes one: else long formulas wait for them.
    """
    held = FLOWING if streams else HELD
    strided = ir.Function(module, WAY, "streamed" if streams else "strided")
    strided.attributes.add("minsize")
    strided.attributes.add("optsize")
    builder = ir.IRBuilder(strided.append_basic_block())
    arguments, sizes, steps, address = strided.args
    flat = builder.bitcast(address, flat_type.as_pointer())
    types = [ir.PointerType(entry.type) for entry in entries]
    results = [i for i in range(given, len(entries)) if entries[i].size]  # else one place for all
    none, most = ir.Constant(LONG, 0), ir.Constant(LONG, held)

    def at(pointer: Any, i: int) -> Any:
        return builder.load(builder.gep(pointer, [ir.Constant(LONG, i)]))

    count = at(sizes, 0)
    pointers = [at(arguments, i) for i in range(len(entries))]
    strides = [at(steps, i) for i in range(len(entries))]
    direct: list[Any] = [
        builder.icmp_signed("==", stride, ir.Constant(LONG, entry.size))
        for stride, entry in zip(strides, entries, strict=True)
    ]
    lines = [ir.Constant(LONG, held * entry.size // LINE) for entry in entries]
    flows: dict[int, Any] = dict.fromkeys(results, ir.Constant(BIT, 0))
    if streams:
        long_enough = builder.icmp_signed(">=", count, most)
        for i in results:
            rest = builder.and_(builder.ptrtoint(pointers[i], LONG), ir.Constant(LONG, LINE - 1))
            aligned = builder.and_(builder.icmp_signed("==", rest, none), long_enough)
            flows[i] = builder.and_(direct[i], aligned)
            direct[i] = builder.and_(direct[i], builder.not_(flows[i]))
    whole = ir.Constant(BIT, 1)
    for one in direct:
        whole = builder.and_(whole, one)
    buffers = [_buffer(builder, entry, held) for entry in entries]
    # As many entries at once as a buffer holds; all of them where no buffer is needed.
    step = builder.select(whole, count, most)
    step = builder.select(builder.icmp_signed(">", step, none), step, ir.Constant(LONG, 1))
    chunks = builder.sdiv(builder.sub(builder.add(count, step), ir.Constant(LONG, 1)), step)

    repeated = [builder.icmp_signed("==", stride, none) for stride in strides]
    first = builder.select(builder.icmp_signed("<", count, step), count, step)
    for i in range(given):  # one number, for all chunks
        place = builder.bitcast(pointers[i], types[i])

        def fill(j: Any, i: int = i, place: Any = place) -> None:
            builder.store(builder.load(place), builder.gep(buffers[i], [j]))

        loop(builder, builder.select(repeated[i], first, none), fill)

    def copy(i: int, start: Any, length: Any, *, out: bool) -> None:
        """Copy a chunk from an array with gaps into its buffer, or back."""

        def one(j: Any) -> None:
            offset = builder.mul(builder.add(start, j), strides[i])
            place = builder.bitcast(builder.gep(pointers[i], [offset]), types[i])
            kept = builder.gep(buffers[i], [j])
            source, target = (kept, place) if out else (place, kept)
            builder.store(builder.load(source), target)

        done = direct[i] if out else builder.or_(direct[i], repeated[i])
        if out and streams:
            full = builder.and_(flows[i], builder.icmp_signed("==", length, most))
            target = builder.gep(pointers[i], [builder.mul(start, strides[i])])
            _stream(builder, buffers[i], target, builder.select(full, lines[i], none))
            done = builder.or_(done, full)
        loop(builder, builder.select(done, none, length), one)

    def chunk(number: Any) -> None:
        start = builder.mul(number, step)
        rest = builder.sub(count, start)
        length = builder.select(builder.icmp_signed("<", rest, step), rest, step)
        for i in range(given):
            copy(i, start, length, out=False)
        places = []
        for i, type_ in enumerate(types):
            place = builder.gep(pointers[i], [builder.mul(start, strides[i])])
            places.append(builder.select(direct[i], builder.bitcast(place, type_), buffers[i]))
        if streams:
            following = builder.add(start, step)
            there = builder.icmp_signed("<=", builder.add(following, most), count)
            for i in range(given):
                place = builder.gep(pointers[i], [builder.mul(following, strides[i])])
                wanted = builder.and_(there, direct[i])
                prefetch(builder, place, builder.select(wanted, lines[i], none))
        builder.call(flat, [*places, length])
        for i in results:
            copy(i, start, length, out=True)

    loop(builder, chunks, chunk)
    if streams:
        builder.fence("seq_cst")  # what is written so is seen by others from here on
    builder.ret_void()


def _buffer(builder: Any, entry: Entry, count: int) -> Any:
    """Return a buffer of so many entries on the stack."""
    held = builder.alloca(ir.ArrayType(entry.type, count))
    held.align = LINE
    return builder.bitcast(held, ir.PointerType(entry.type))


def _stream(builder: Any, source: Any, target: Any, lines: Any) -> None:
    """Write a loop that copies so many lines past the caches."""
    line = ir.PointerType(ir.VectorType(LONG, LINE // 8))
    source, target = (builder.bitcast(place, line) for place in (source, target))
    past = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])

    def one(j: Any) -> None:
        value = builder.load(builder.gep(source, [j]), align=LINE)
        builder.store(value, builder.gep(target, [j]), align=LINE).set_metadata("nontemporal", past)

    loop(builder, lines, one)
