"""Elementwise functions on Dask arrays: one task a chunk, in which the chunk's own library runs it.

A formula of thirty operations would be thirty tasks for every chunk, each of which passes over its
memory. In one task NumPy's machine code runs, the gradient as well. Nothing is computed while a
graph is built but the function on arrays without entries, which says how many results there are.
"""

__library__ = "dask"

import os
from collections.abc import Callable
from functools import partial
from itertools import product
from operator import itemgetter
from typing import Any

import dask.array as da
from dask.array.utils import meta_from_array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from portable_losses._backend import Kernel, Pair, backend_of, namespace_of_type
from portable_losses._gradient import (
    entrywise,
    summed_again,
    summed_pair,
    summed_with_gradient,
)
from portable_losses._polyfill import knows_shape, total
from portable_losses._typing import Array, Namespace, Options

from ..machine.blocks import limit_workers, workers
from .machine_code import PARTS

__all__ = ["ELEMENTWISE", "elementwise", "in_task", "one_like", "several"]

TOGETHER = 32  # numbers that one task adds up


def elementwise(function: Callable[..., Any], arrays: tuple[Any, ...], options: Options) -> Any:
    """Return ``function(*arrays, **options)``, one task a chunk where it has one result."""
    if not _fits(arrays, options):
        return function(*arrays, **options)
    found = _by_chunk(function, arrays, options)
    return function(*arrays, **options) if found is None else found


def _by_chunk(
    function: Callable[..., Any], arrays: tuple[Any, ...], options: Options
) -> Array | None:
    """Return the Dask array of the function of each chunk; None where it has several results."""
    given = _aligned(arrays)
    own = _own(function, arrays, options)
    like = _run_chunk(*[x._meta for x in given], chunks_in_all=1, **own)
    if isinstance(like, tuple):
        return None
    run = partial(_run_chunk, chunks_in_all=given[-1].npartitions, **own)
    return _layer(_name(function, given, own), run, given, like)


def several(function: Callable[..., Any], arrays: tuple[Any, ...], options: Options) -> Any:
    """Return the results of an elementwise function: a task a chunk, and one to take each."""
    first = arrays[0]
    shaped = [
        x if x.shape == first.shape or not knows_shape(first) else da.broadcast_to(x, first.shape)
        for x in arrays
    ]
    if not _fits(tuple(shaped), options):
        return function(*arrays, **options)
    given = [x if x.chunks == first.chunks else x.rechunk(first.chunks) for x in shaped]
    own = _own(function, arrays, options)
    like = _run_chunk(*[x._meta for x in given], chunks_in_all=1, **own)
    name = f"several-{_name(function, given, own)}"
    run = partial(_run_chunk, chunks_in_all=first.npartitions, **own)
    together = _layer(name, run, given, first._meta)
    return tuple([_part(together, i, x) for i, x in enumerate(like)])


def _own(function: Callable[..., Any], arrays: tuple[Any, ...], options: Options) -> Options:
    """Return what `_run_chunk` is given beside chunks, in every call of a function."""
    plain = {name: x for name, x in options.items() if name != "xp"}
    return {
        "function": function,
        "present": tuple([x is not None for x in arrays]),
        "options": plain,
    }


def _name(function: Callable[..., Any], given: list[Any], own: Options, *more: Any) -> str:
    """Return the name of what is made of a function and these arrays: the same for the same."""
    # Functions and pairs by identity: to look into one takes a millisecond.
    said = [id(x) if callable(x) or isinstance(x, Pair) else x for x in own.values()]
    token = tokenize(id(function), [x.name for x in given], said, *more)
    return f"{function.__name__.strip('_<>')}-{token}"


# ---- graphs ------------------------------------------------------------------------------------


def _layer(name: str, run: Callable[..., Any], arrays: list[Any], like: Any) -> Any:
    """Return a Dask array whose chunk at each place is what `run` makes of those of `arrays` there.

    ``map_blocks`` does the same in five times the time, and its tasks in twice: Dask joins each
    with the one that has its operand, and orders the two anew when it runs them.
    """
    shape = max(arrays, key=lambda x: x.ndim)
    places = list(product(*map(range, shape.numblocks)))
    graph: dict[Any, Any] = {}
    operands = [_operands(x, places) for x in arrays]
    for place, *given in zip(places, *operands, strict=True):
        graph[name, *place] = (run, *given)
    return _array(name, graph, arrays, shape.chunks, like)


def _array(name: str, graph: dict[Any, Any], arrays: list[Any], chunks: Any, like: Any) -> Any:
    """Return the Dask array of the tasks of a graph, which use those of `arrays`."""
    above = [x for x in arrays if not _is_in_memory(x)]
    whole: Any = HighLevelGraph.from_collections(name, graph, dependencies=above)
    made: Any = da.Array
    return made(whole, name, chunks, meta=like, dtype=like.dtype)


def _operands(x: Any, places: list[tuple[int, ...]]) -> list[Any]:
    """Return the keys of the chunks of `x`; of a mask of our own the tasks themselves.

    So a mask is no array in memory, and no task: what it is computed from is read once. A chunk in
    memory stands for itself: Dask would pass it from a node of its own.
    """
    keys = [(x.name, *place) if x.ndim else (x.name,) for place in places]
    layer = _layer_of(x)
    if _is_in_memory(x):
        return [layer[key] for key in keys]
    if x.dtype == bool and layer is not None:
        return [layer[key] if _is_own(layer[key]) else key for key in keys]
    return keys


def _layer_of(x: Any) -> Any:
    """Return the tasks of a Dask array by their keys; None where they are not written down."""
    found = x.dask.layers.get(x.name)
    return found if isinstance(found, MaterializedLayer) else None


def _is_in_memory(x: Any) -> bool:
    """Say whether the chunks of a Dask array are arrays that are there already."""
    layer = _layer_of(x)
    kind = type(x._meta)
    return layer is not None and all([type(one) is kind for one in layer.values()])


def _is_own(task: Any) -> bool:
    return isinstance(task, tuple) and isinstance(task[0], partial) and task[0].func is _run_chunk


def _part(together: Any, i: int, like: Any) -> Any:
    """Return the results at place `i`, where those of a chunk are together in a tuple."""
    return _layer(f"{i}-{together.name}", itemgetter(i), [together], like)


def _added(name: str, numbers: Any, like: Any) -> Any:
    """Return the sum of numbers, one for each chunk of a Dask array, alone or with its slope."""
    graph: dict[Any, Any] = {}
    keys: list[Any] = [(numbers.name, *place) for place in product(*map(range, numbers.numblocks))]
    while len(keys) > TOGETHER:
        parts = [keys[i : i + TOGETHER] for i in range(0, len(keys), TOGETHER)]
        keys = [(f"part-{name}", len(graph) + i) for i in range(len(parts))]
        graph.update({key: (_sum, part) for key, part in zip(keys, parts, strict=True)})
    graph[name,] = (_sum, keys)
    return _array(name, graph, [numbers], (), like)


def _sum(numbers: list[Any]) -> Any:
    """Return the sum of a library's numbers, some of which come with a slope."""
    numbers = [x[0] if isinstance(x, tuple) else x for x in numbers]
    xp = namespace_of_type(numbers[0])
    return xp.sum(xp.stack([xp.asarray(x) for x in numbers]))


# ---- tasks -------------------------------------------------------------------------------------


def _run_chunk(
    *chunks: Any,
    function: Callable[..., Any],
    present: tuple[bool, ...],
    options: Options,
    chunks_in_all: int,
) -> Any:
    """Return the function of the chunks at one place, None for the arrays that are absent."""
    found = iter(chunks)
    arrays = [next(found) if there else None for there in present]
    xp = namespace_of_type(chunks[-1])
    with in_task(xp, chunks_in_all):
        return entrywise(function)(*arrays, xp=xp, **options)


class in_task:  # noqa: N801 - used as a function
    """Keep a chunk's library from warning, as Dask computes when our call is over.

    And leave processors and caches to the other tasks, of which there is one for each chunk. What
    these have read has left nothing of Python's in the caches: each step takes ten times as long.
    """

    __slots__ = ("_chunks", "_limit", "_parts", "_quiet")

    def __init__(self, xp: Namespace, chunks: int) -> None:
        quiet = backend_of(xp).arrays.quiet
        self._quiet: Any = quiet and quiet()
        self._chunks = chunks
        self._limit = limit_workers(1 if chunks >= PROCESSORS else max(1, workers() // chunks))

    def __enter__(self) -> None:
        if self._quiet is not None:
            self._quiet.__enter__()
        self._limit.__enter__()
        self._parts = PARTS.set(self._chunks)

    def __exit__(self, *error: object) -> None:
        PARTS.reset(self._parts)
        self._limit.__exit__()
        if self._quiet is not None:
            self._quiet.__exit__(*error)


PROCESSORS = os.cpu_count() or 1


class Kept(dict[Any, Any]):
    """What chunks of a kind run, looked up once in each process that has such."""

    def __reduce__(self) -> Any:
        return Kept, ()


def _aligned(arrays: tuple[Any, ...]) -> list[Any]:
    """Return the arrays that are present, in the chunks of the one that has most."""
    given = [x for x in arrays if x is not None]
    chunks = max(given, key=lambda x: x.npartitions).chunks
    return [x if x.chunks == chunks or not x.ndim else x.rechunk(chunks) for x in given]


def _gradient(pair: Pair, place: int) -> Callable[..., Any]:
    """Return the gradient by the array at `place`, as one function of ``(grad, *arrays)``."""
    key = pair.forward, pair.backward, place
    found = _GRADIENTS.get(key)
    if found is not None:
        return found

    def gradient(grad: Any, *arrays: Any, **options: Any) -> Any:
        out = pair.forward(*arrays, **options)
        if pair.rules:
            return pair.rules[place](grad, out, *arrays, **options)
        return pair.backward(grad, out, *arrays, **options)[place]

    gradient.__name__ = f"{pair.forward.__name__}_gradient"
    if len(_GRADIENTS) > KEPT:
        _GRADIENTS.clear()
    _GRADIENTS[key] = gradient
    return gradient


_GRADIENTS: dict[Any, Callable[..., Any]] = {}  # one function each, so that it is compiled once
KEPT = 512


def _accepts(*arrays: Any, **options: Any) -> bool:
    return _fits(arrays, options)


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the value and a backward: a task for each chunk, in backward one for each gradient."""
    if pair.summand is not None:
        return _run_summed(pair, arrays, options, wanted)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Array | None, ...]:
        if not isinstance(grad, da.Array) or not _fits(arrays, options):
            found: tuple[Array | None, ...] = pair.backward(grad, out, *arrays, **options)
            return found
        return _gradients(pair, grad, arrays, options, wanted)

    return pair.forward(*arrays, **options), backward


def _gradients(
    pair: Pair, grad: Array, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> tuple[Array | None, ...]:
    """Return the gradients by the arrays at the places `wanted`."""
    given = grad, *arrays
    return tuple(
        [
            _by_chunk(_gradient(pair, i), given, options) if i in wanted else None
            for i in range(len(arrays))
        ]
    )


def _sums(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether the sum of these arrays has a task a chunk."""
    first = arrays[0]
    own = first.ndim and knows_shape(first) and first.dtype.itemsize >= _FLOAT
    return bool(own) and _fits(arrays, options)


_FLOAT = 4  # bytes of float32: half dtypes are computed in another


def _run_summed(
    pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Any:
    """Return the sum of the summand over the divisor, and a backward: each a task a chunk.

    A sum whose gradient by the first array is asked for is computed with its slope, in one task.
    """
    each: Any = pair.summand
    divisor = options["divisor"]
    plain = {name: x for name, x in options.items() if name not in ("xp", "divisor")}
    given, present = _aligned(arrays), tuple([x is not None for x in arrays])
    first, sloped = given[0], wanted == (0,)
    own = {"pair": each, "present": present, "options": plain, "divisor": divisor, "sloped": sloped}
    name = _name(each.forward, given, own)
    run = partial(_sum_chunk, chunks_in_all=first.npartitions, kept=Kept(), **own)
    together = _layer(f"sums-{name}", run, given, first._meta)
    value = _added(f"sum-{name}", together, meta_from_array(first._meta, ndim=0))

    def backward(
        grad: Any, out: Any, *arrays: Any, divisor: int, **options: Any
    ) -> tuple[Array | None, ...]:
        if not isinstance(grad, da.Array):
            found: tuple[Array | None, ...] = pair.backward(
                grad, out, *arrays, divisor=divisor, **options
            )
            return found
        if not sloped:
            return _gradients(each, grad / divisor, arrays, options, wanted)
        if grad is one_like(grad):  # so no slope waits for the sum
            slope = _part(together, 1, first._meta)
        else:
            name = f"slope-{tokenize(together.name, grad.name)}"
            slope = _layer(name, _slope_chunk, [together, grad], first._meta)
        return slope, *(None for _ in arrays[1:])

    return value, backward


def one_like(number: Any) -> Any:
    """Return ``number**0`` of a Dask array; of one without axes, what does not wait for that."""
    if number.ndim:
        return number**0
    like = number._meta
    key = type(like), number.dtype
    if key not in _ONES:
        name = f"one-{tokenize(type(like), number.dtype)}"
        one = namespace_of_type(like).ones((), dtype=number.dtype)
        _ONES[key] = _array(name, {(name,): one}, [], (), one)
    return _ONES[key]


_ONES: dict[Any, Any] = {}


def _sum_chunk(
    *chunks: Any,
    pair: Pair,
    present: tuple[bool, ...],
    options: Options,
    divisor: float,
    sloped: bool,
    chunks_in_all: int,
    kept: Kept,
) -> Any:
    """Return the sum of a pair's entries of the chunks at one place.

    With its slope in the first of them, if it is `sloped`.
    """
    found, xp = iter(chunks), namespace_of_type(chunks[0])
    arrays = tuple([next(found) if there else None for there in present])
    kinds = tuple([(x.__class__, x.dtype, x.shape) for x in chunks])
    with in_task(xp, chunks_in_all):
        if kinds not in kept:
            kept[kinds] = summed_again(pair, arrays, options, divisor=divisor, sloped=sloped)
        again = kept[kinds]
        both = None if again is None else again(arrays)
        if both is None:
            both = _summed(pair, arrays, options, divisor, sloped=sloped, xp=xp)
    return both if sloped else both[0]


def _summed(
    pair: Pair,
    arrays: tuple[Any, ...],
    options: Options,
    divisor: float,
    *,
    sloped: bool,
    xp: Namespace,
) -> tuple[Any, Any]:
    """Return the sum of a pair's entries over the divisor and, if it is `sloped`, the slope."""
    both = summed_with_gradient(pair, arrays, options, divisor=divisor) if sloped else None
    if both is not None:
        return both
    slope, first = None, arrays[0]
    added = summed_pair(pair, arrays, options, divisor=divisor)
    if sloped:
        grad = xp.full(first.shape, 1 / divisor, dtype=first.dtype)
        slope = entrywise(_gradient(pair, 0))(grad, *arrays, xp=xp, **options)
    if added is None:
        added = total(entrywise(pair.forward)(*arrays, xp=xp, **options), xp=xp) / divisor
    return added, slope


def _slope_chunk(together: Any, grad: Any) -> Any:
    """Return the slope of a chunk times the gradient of the sum, which mostly is 1."""
    slope = together[1]
    return slope if float(grad) == 1 else slope * grad


ELEMENTWISE = Kernel(_accepts, _run, gradients=16, sums=_sums, weighs_unread=True)


def _fits(arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether all arrays are Dask's, of one shape (chunks, where that is unknown)."""
    given = [x for x in arrays if x is not None]
    first = given[0]
    for x in given:
        if not isinstance(x, da.Array):
            return False
        if x.chunks != first.chunks and (x.shape != first.shape or not knows_shape(x)):
            return False
    return not any(isinstance(x, da.Array) for x in options.values())
