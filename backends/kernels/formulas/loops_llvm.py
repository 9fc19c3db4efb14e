"""Loops in machine code: of turns, of sums of what another one computes, of blocks of a task.

Sums are of float64, and of `ENTRIES` results each, by the same additions on every processor: those
of `LANES` columns, and then of their halves. Up to `ENTRIES` such sums are added up alike.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .sums import ENTRIES

__all__ = [
    "LINE",
    "LONG",
    "WAY",
    "long",
    "loop",
    "prefetch",
    "vectors",
    "write_averaged",
    "write_region",
    "write_summed",
    "write_summed_way",
]

LONG = ir.IntType(64)
BYTES = ir.PointerType(ir.IntType(8))
LONGS = ir.PointerType(LONG)
WAY = ir.FunctionType(ir.VoidType(), [ir.PointerType(BYTES), LONGS, LONGS, BYTES])  # as NumPy calls
LINE = 64  # bytes that are written past the caches at once, from a multiple of as many
FLOWING = 1  # sums of a call where results are written past the caches, while others are computed
SUMS, LANES = 8, 16  # of a call, so that calls cost little; columns of a sum, on every processor


def long(x: int) -> Any:
    """Return a constant of 64 bits."""
    return ir.Constant(LONG, x)


def loop(builder: Any, count: Any, body: Callable[[Any], None]) -> None:
    """Write a loop over ``range(count)``, whose `body` is given the number of the turn."""
    function, before = builder.function, builder.block
    inside, after = (function.append_basic_block(name) for name in ("inside", "after"))
    zero, one = ir.Constant(LONG, 0), ir.Constant(LONG, 1)
    builder.cbranch(builder.icmp_signed(">", count, zero), inside, after)
    builder.position_at_end(inside)
    i = builder.phi(LONG)
    i.add_incoming(zero, before)
    body(i)
    following = builder.add(i, one, flags=["nsw"])
    i.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), inside, after)
    builder.position_at_end(after)


def prefetch(builder: Any, place: Any, lines: Any) -> None:
    """Write a loop that asks for so many lines of memory, and does not wait for them."""
    whole = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [BYTES, whole, whole, whole])
    ask = builder.module.declare_intrinsic("llvm.prefetch", [BYTES], kind)
    reading, near, data = (ir.Constant(whole, n) for n in (0, 3, 1))

    def one(j: Any) -> None:
        line = builder.gep(place, [builder.mul(j, ir.Constant(LONG, LINE))])
        builder.call(ask, [line, reading, near, data])

    loop(builder, lines, one)


def vectors(
    builder: Any,
    arrays: Sequence[Any],
    given: int,
    lanes: int,
    count: Any,
    body: Callable[[list[Any], list[Any]], None],
    missing: float = 0.0,
) -> None:
    """Write a loop over the entries of arrays, `lanes` of them in a turn.

    `body` is given the addresses of vectors, of the first `given` arrays to load and of the others
    to store. In the last turn entries may be `missing`: then they are those of buffers, which are
    copied from and to the arrays. So there is one copy of `body` to compile.
    """
    zero, whole = ir.Constant(LONG, 0), ir.Constant(LONG, lanes)
    types = [ir.VectorType(array.type.pointee, lanes) for array in arrays]
    buffers = [builder.alloca(type_) for type_ in types]
    for buffer, type_ in zip(buffers[:given], types, strict=False):
        absent = missing if _is_floating(type_.element) else 0
        builder.store(ir.Constant(type_, [ir.Constant(type_.element, absent)] * lanes), buffer)
    buffers = [builder.bitcast(one, array.type) for one, array in zip(buffers, arrays, strict=True)]
    before = builder.block
    head, turn, part, inside, following, last, after = [
        builder.function.append_basic_block() for _ in range(7)
    ]
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(LONG)
    i.add_incoming(zero, before)
    left = builder.sub(count, i)
    builder.cbranch(builder.icmp_signed(">", left, zero), turn, after)

    builder.position_at_end(turn)
    there = [builder.gep(array, [i]) for array in arrays]
    is_whole = builder.icmp_signed(">=", left, whole)
    builder.cbranch(is_whole, inside, part)

    builder.position_at_end(part)
    _copy(builder, there[:given], buffers[:given], left)
    copied = builder.block
    builder.branch(inside)

    builder.position_at_end(inside)
    places = []
    for here, buffer, type_ in zip(there, buffers, types, strict=True):
        place = builder.phi(here.type)
        place.add_incoming(here, turn)
        place.add_incoming(buffer, copied)
        places.append((place, ir.PointerType(type_)))
    addresses = [builder.bitcast(place, pointer) for place, pointer in places]
    body(addresses[:given], addresses[given:])
    builder.cbranch(is_whole, following, last)

    builder.position_at_end(following)
    i.add_incoming(builder.add(i, whole, flags=["nsw"]), following)
    builder.branch(head)

    builder.position_at_end(last)
    _copy(builder, buffers[given:], there[given:], left)
    builder.branch(after)
    builder.position_at_end(after)


def _copy(builder: Any, sources: Sequence[Any], targets: Sequence[Any], count: Any) -> None:
    """Write a loop that copies so many entries of each source to its target."""

    def one(j: Any) -> None:
        for source, target in zip(sources, targets, strict=True):
            builder.store(builder.load(builder.gep(source, [j])), builder.gep(target, [j]))

    loop(builder, count, one)


def write_summed(module: Any, flat_type: Any, given: int, *, streams: bool = False) -> None:
    """Write the loop that adds up the first result, and multiplies the others with a number.

    It is given the address of a loop of this type, which computes the results. The one that
    `streams` writes the others past the caches.
    """
    double, one = ir.DoubleType(), ir.Constant(LONG, 1)
    pointers: list[Any] = list(flat_type.args[:-1])
    places = [*pointers[:given], *pointers[given + 1 :], ir.PointerType(double)]
    kind = ir.FunctionType(ir.VoidType(), [flat_type.as_pointer(), *places, double, LONG])
    summed = ir.Function(module, kind, "summed_past" if streams else "summed")
    builder = ir.IRBuilder(summed.append_basic_block())
    flat, *arrays, sums, scale, count = summed.args
    entry = pointers[given].pointee
    sums_at_once = FLOWING if streams else SUMS
    entries = ENTRIES * sums_at_once
    most, size = ir.Constant(LONG, entries), ir.Constant(LONG, ENTRIES)

    def held(entry: Any) -> Any:
        made: Any = builder.alloca(ir.ArrayType(entry, entries))
        made.align = LINE
        return builder.bitcast(made, ir.PointerType(entry))

    buffer = held(entry)
    others = [held(p.pointee) for p in pointers[given + 1 :]] if streams else []

    def over(length: Any, each: Any) -> Any:
        return builder.sdiv(builder.add(length, builder.sub(each, one)), each)

    def chunk(number: Any) -> None:
        start = builder.mul(number, most)
        rest = builder.sub(count, start)
        length = builder.select(builder.icmp_signed("<", rest, most), rest, most)
        parts = [builder.gep(array, [start]) for array in arrays]
        computed = others or parts[given:]
        if streams:
            following = builder.add(start, most)
            there = builder.icmp_signed("<=", builder.add(following, most), count)
            for array, kind in zip(arrays[:given], pointers, strict=False):
                lines = ir.Constant(LONG, entries * _size(kind.pointee) // LINE)
                place = builder.bitcast(builder.gep(array, [following]), BYTES)
                prefetch(builder, place, builder.select(there, lines, ir.Constant(LONG, 0)))
        builder.call(flat, [*parts[:given], buffer, *computed, length])
        blocks = over(length, size)

        def fill(j: Any) -> None:  # what the last block lacks
            place = builder.gep(buffer, [builder.add(length, j)])
            builder.store(ir.Constant(entry, 0.0), place)

        loop(builder, builder.sub(builder.mul(blocks, size), length), fill)
        targets = builder.gep(sums, [builder.mul(number, ir.Constant(LONG, sums_at_once))])

        def block(k: Any) -> None:
            row = builder.gep(buffer, [builder.mul(k, size)])
            builder.store(_added(builder, row, entry), builder.gep(targets, [k]))

        loop(builder, blocks, block)
        for source, target in zip(computed, parts[given:], strict=True):
            _multiply(builder, source, target, scale, length)

    loop(builder, over(count, most), chunk)
    if streams:
        builder.fence("seq_cst")  # what is written so is seen by others from here on
    builder.ret_void()


def _is_floating(entry: Any) -> bool:
    """Say whether a type of entries is one of those that formulas compute in."""
    return entry in (ir.FloatType(), ir.DoubleType())


def _size(entry: Any) -> int:
    """Return the bytes of a floating type."""
    return 8 if entry == ir.DoubleType() else 4


def _multiply(builder: Any, source: Any, target: Any, scale: Any, count: Any) -> None:
    """Write a loop that multiplies entries with a number, past the caches unless in place."""
    entry = source.type.pointee
    factor = scale if entry == ir.DoubleType() else builder.fptrunc(scale, entry)
    done = ir.Constant(LONG, 0)
    if source is not target:
        lanes = LINE // _size(entry)
        line = ir.PointerType(ir.VectorType(entry, lanes))
        begin = builder.and_(builder.ptrtoint(target, LONG), ir.Constant(LONG, LINE - 1))
        aligned = builder.icmp_signed("==", begin, done)
        lines = builder.select(aligned, builder.sdiv(count, ir.Constant(LONG, lanes)), done)
        sources, targets = builder.bitcast(source, line), builder.bitcast(target, line)
        factors = _splat(builder, factor, lanes)
        past = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])

        def one(j: Any) -> None:
            value = builder.fmul(builder.load(builder.gep(sources, [j]), align=LINE), factors)
            place = builder.gep(targets, [j])
            builder.store(value, place, align=LINE).set_metadata("nontemporal", past)

        loop(builder, lines, one)
        done = builder.mul(lines, ir.Constant(LONG, lanes))

    def rest(j: Any) -> None:
        at = [builder.add(done, j)]
        value = builder.fmul(builder.load(builder.gep(source, at)), factor)
        builder.store(value, builder.gep(target, at))

    loop(builder, builder.sub(count, done), rest)


def _splat(builder: Any, x: Any, lanes: int) -> Any:
    """Return a vector of so many lanes, all of them `x`."""
    whole = ir.IntType(32)
    held = ir.VectorType(x.type, lanes)
    first = builder.insert_element(ir.Constant(held, ir.Undefined), x, ir.Constant(whole, 0))
    everywhere = ir.Constant(ir.VectorType(whole, lanes), [0] * lanes)
    return builder.shuffle_vector(first, first, everywhere)


def _added(builder: Any, buffer: Any, entry: Any) -> Any:
    """Return the sum of `ENTRIES` in float64: of `LANES` columns each, then of halves of them."""
    double = ir.DoubleType()
    rows = builder.bitcast(buffer, ir.PointerType(ir.VectorType(entry, LANES)))
    total = None
    for i in range(ENTRIES // LANES):
        row = builder.load(builder.gep(rows, [ir.Constant(LONG, i)]), align=4)
        if entry != double:
            row = builder.fpext(row, ir.VectorType(double, LANES))
        total = row if total is None else builder.fadd(total, row)
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        halves = [
            ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
            for first in (0, lanes)
        ]
        total = builder.fadd(*[builder.shuffle_vector(total, total, half) for half in halves])
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


def write_summed_way(module: Any, flat_type: Any, given: int, *, streams: bool = False) -> None:
    """Write `summed` as a way: the last pointer is that of the sums, data are `flat` and scale."""
    summed = module.get_global("summed_past" if streams else "summed")
    function = ir.Function(module, WAY, "summed_past_way" if streams else "summed_way")
    builder = ir.IRBuilder(function.append_basic_block())
    pointers, sizes, _, data = function.args
    *kinds, double, _ = summed.function_type.args[1:]
    places = []
    for i, kind in enumerate(kinds):
        place = builder.load(builder.gep(pointers, [ir.Constant(LONG, i)]))
        places.append(builder.bitcast(place, kind))
    words = builder.bitcast(data, LONGS)
    flat = builder.inttoptr(builder.load(words), flat_type.as_pointer())
    scale = builder.load(builder.gep(words, [ir.Constant(LONG, 1)]))
    count = builder.load(sizes)
    builder.call(summed, [flat, *places, builder.bitcast(scale, double), count])
    builder.ret_void()


def write_averaged(module: Any, flat_type: Any, given: int) -> None:
    """Write what has the sum of few entries over a divisor, as one number of their dtype.

    ``averaged(flat, operands, other results, number, divisor, count)`` is called with addresses;
    ``core(pointers, sizes, strides, data)`` as NumPy calls a gufunc of arrays without gaps. Its
    data are the address of `flat`, and whether the divisor is the number of entries, or 1.
    """
    double, one = ir.DoubleType(), ir.Constant(LONG, 1)
    summed = module.get_global("summed")
    flat_pointer, *places, _, _, _ = summed.function_type.args
    entry = flat_type.args[given].pointee
    number = ir.PointerType(entry)
    kind = ir.FunctionType(ir.VoidType(), [flat_pointer, *places, number, double, LONG])
    averaged = ir.Function(module, kind, "averaged")
    builder = ir.IRBuilder(averaged.append_basic_block())
    flat, *arrays, out, divisor, count = averaged.args
    held = builder.alloca(ir.ArrayType(double, ENTRIES))
    sums = builder.bitcast(held, ir.PointerType(double))
    builder.call(
        summed, [flat, *arrays, sums, builder.fdiv(ir.Constant(double, 1.0), divisor), count]
    )
    size = ir.Constant(LONG, ENTRIES)
    blocks = builder.sdiv(builder.add(count, builder.sub(size, one)), size)

    def fill(j: Any) -> None:  # what there is no block for
        builder.store(ir.Constant(double, 0.0), builder.gep(sums, [builder.add(blocks, j)]))

    loop(builder, builder.sub(size, blocks), fill)
    added = builder.fdiv(_added(builder, sums, double), divisor)
    builder.store(added if entry == double else builder.fptrunc(added, entry), out)
    builder.ret_void()

    core = ir.Function(module, WAY, "core")
    builder = ir.IRBuilder(core.append_basic_block())
    pointers, sizes, _, data = core.args
    data = builder.bitcast(data, LONGS)

    def at(pointer: Any, i: int) -> Any:
        return builder.load(builder.gep(pointer, [ir.Constant(LONG, i)]))

    order = [*range(given), *range(given + 1, len(flat_type.args) - 1), given]
    kinds = [*places, number]
    arrays = [builder.bitcast(at(pointers, i), kind) for i, kind in zip(order, kinds, strict=True)]
    count = at(sizes, 1)
    divisor = builder.select(
        builder.icmp_signed("!=", at(data, 1), ir.Constant(LONG, 0)), count, one
    )
    builder.call(
        averaged,
        [
            builder.inttoptr(at(data, 0), flat_pointer),
            *arrays,
            builder.sitofp(divisor, double),
            count,
        ],
    )
    builder.ret_void()


def write_region(module: Any) -> None:
    """Write what each thread runs: it takes blocks of a task until there are none.

    A task is whole numbers: the next unit, the number of units, units of a block, entries, entries
    of a unit, number of arrays, addresses of the way and of its data, then the arrays' addresses,
    and the bytes of a unit of each.
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [LONGS]), "region")
    (task,) = function.args
    builder = ir.IRBuilder(function.append_basic_block())

    def word(i: int) -> Any:
        return builder.load(builder.gep(task, [ir.Constant(LONG, i)]))

    units, span, entries, unit, arrays = (word(i) for i in range(1, 6))
    way, data = builder.inttoptr(word(6), WAY.as_pointer()), builder.inttoptr(word(7), BYTES)
    places = builder.gep(task, [ir.Constant(LONG, 8)])
    strides = builder.gep(places, [arrays])
    pointers, length = builder.alloca(BYTES, arrays), builder.alloca(LONG)
    take, run, done = (function.append_basic_block(name) for name in ("take", "run", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    start = builder.atomic_rmw("add", task, span, "monotonic")
    builder.cbranch(builder.icmp_signed("<", start, units), run, done)
    builder.position_at_end(run)

    def place(i: Any) -> None:
        offset = builder.mul(start, builder.load(builder.gep(strides, [i])))
        address = builder.add(builder.load(builder.gep(places, [i])), offset)
        builder.store(builder.inttoptr(address, BYTES), builder.gep(pointers, [i]))

    loop(builder, arrays, place)
    rest = builder.sub(entries, builder.mul(start, unit))
    whole = builder.mul(span, unit)
    builder.store(builder.select(builder.icmp_signed("<", rest, whole), rest, whole), length)
    builder.call(way, [pointers, length, strides, data])
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
