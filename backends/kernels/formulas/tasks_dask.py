"""Dask graphs that have one task a chunk, and what runs in such a task."""

__library__ = "dask"

import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from operator import itemgetter
from typing import Any

import dask.array as da
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._gradient import entrywise
from portable_losses._typing import Namespace, Options

from ..machine.blocks import limit_workers, workers
from .constants_dask import put_constants_in_tasks
from .machine_code import PARTS
from .sent_dask import Sent

__all__ = [
    "PROCESSORS",
    "TOGETHER",
    "array_of",
    "in_task",
    "layer_of",
    "operands_of",
    "part",
    "run_chunk",
    "sum_of_chunks",
    "with_constants_in_tasks",
    "with_late",
]

TOGETHER = 32  # numbers that one task adds up
PROCESSORS = os.cpu_count() or 1


def layer_of(name: str, run: Callable[..., Any], arrays: list[Any], like: Any) -> Any:
    """Return a Dask array whose chunk at each place is what `run` makes of those of `arrays` there.

    ``map_blocks`` does the same in five times the time, and its tasks in twice: Dask joins each
    with the one that has its operand, and orders the two anew when it runs them.
    """
    shape = max(arrays, key=lambda x: x.ndim)
    places = list(product(*map(range, shape.numblocks)))
    graph: dict[Any, Any] = {}
    operands = [operands_of(x, places) for x in arrays]
    for place, *given in zip(places, *operands, strict=True):
        graph[name, *place] = (run, *given)
    return array_of(name, graph, arrays, shape.chunks, like)


def array_of(
    name: str,
    graph: dict[Any, Any],
    arrays: list[Any],
    chunks: Any,
    like: Any,
    *,
    inner: Any = None,
) -> Any:
    """Return the Dask array of the tasks of a graph, which use those of `arrays`.

    The one that is `inner` is used by no others (see `operands_of`).
    """
    layers: dict[str, Any] = {name: graph}
    above: dict[str, set[str]] = {name: set()}
    for x in arrays:
        if _stands_in_tasks(x, inner=x is inner):  # then Dask would keep its layer for nothing
            needed = x.dask.dependencies[x.name]
            rest = {key: layer for key, layer in x.dask.layers.items() if key != x.name}
        else:
            needed, rest = {x.name}, x.dask.layers
        layers.update(rest)
        above.update({key: x.dask.dependencies[key] for key in rest})
        above[name] |= needed
    put_constants_in_tasks(layers, above)
    made: Any = da.Array
    return made(HighLevelGraph(layers, above), name, chunks, meta=like, dtype=like.dtype)


def with_constants_in_tasks(x: Any) -> Any:
    """Return a Dask array in whose graph small arrays in memory stand in tasks."""
    layers = dict(x.dask.layers)
    above = {name: x.dask.dependencies[name] for name in layers}
    if not put_constants_in_tasks(layers, above) or x.name not in layers:
        return x
    made: Any = da.Array
    return made(HighLevelGraph(layers, above), x.name, x.chunks, meta=x._meta)


def operands_of(x: Any, places: list[tuple[int, ...]], *, inner: bool = False) -> list[Any]:
    """Return the keys of the chunks of `x`, or what stands there: as always where it is `inner`."""
    keys = [(x.name, *place) if x.ndim else (x.name,) for place in places]
    if not _stands_in_tasks(x, inner=inner):
        return keys
    layer = _written(x)
    return [layer[key] for key in keys]


def _stands_in_tasks(x: Any, *, inner: bool = False) -> bool:
    """Say whether the chunks of `x` are no tasks of their own to those that use them.

    Those in memory are not, which Dask would pass from nodes of their own; and masks and indices of
    our own, or any of our own that is `inner`: they are no arrays in memory then, and what they are
    computed from is read once.
    """
    layer = _written(x)
    if layer is None:
        return False
    kind, ours = type(x._meta), inner or x.dtype.kind in "bi"
    return all(type(one) is kind or (ours and _is_own(one)) for one in layer.values())


def _written(x: Any) -> Any:
    """Return the tasks of a Dask array by their keys; None where they are not written down."""
    found = x.dask.layers.get(x.name)
    return found if isinstance(found, MaterializedLayer) else None


def _is_own(task: Any) -> bool:
    return isinstance(task, tuple) and isinstance(task[0], partial) and task[0].func is run_chunk


def part(together: Any, i: int, like: Any) -> Any:
    """Return the results at place `i`, where those of a chunk are together in a tuple."""
    return layer_of(f"{i}-{together.name}", itemgetter(i), [together], like)


def sum_of_chunks(name: str, numbers: Any, like: Any, *, or_one: bool = False) -> Any:
    """Return the sum of numbers, one for each chunk of a Dask array, alone or with its slope.

    With `or_one` it is 1 for 0, and the numbers are Python's.
    """
    graph: dict[Any, Any] = {}
    keys: list[Any] = [(numbers.name, *place) for place in product(*map(range, numbers.numblocks))]
    if not or_one and has_cluster():
        alone = [(f"number-{name}", i) for i in range(len(keys))]
        graph.update({key: (_number, x) for key, x in zip(alone, keys, strict=True)})
        keys = alone
    while len(keys) > TOGETHER:
        parts = [keys[i : i + TOGETHER] for i in range(0, len(keys), TOGETHER)]
        keys = [(f"part-{name}", len(graph) + i) for i in range(len(parts))]
        add = sum if or_one else _sum
        graph.update({key: (add, part) for key, part in zip(keys, parts, strict=True)})
    graph[name,] = (partial(_sum_or_one, like=like), keys) if or_one else (_sum, keys)
    return array_of(name, graph, [numbers], (), like)


def has_cluster() -> bool:
    """Say whether graphs are computed by several processes, as it seems.

    Then each number is a task of its own, which sends it: its slope is large, and stays.
    """
    cluster = sys.modules.get("distributed")
    if cluster is None:
        return False
    try:
        cluster.default_client()
    except ValueError:
        return False
    return True


def _number(x: Any) -> Any:
    return x[0] if isinstance(x, tuple) else x


def _sum(numbers: list[Any]) -> Any:
    """Return the sum of a library's numbers, some of which come with a slope."""
    numbers = list(map(_number, numbers))
    xp = namespace_of_type(numbers[0])
    return xp.sum(xp.stack([xp.asarray(x) for x in numbers]))


def _sum_or_one(numbers: list[Any], like: Any) -> Any:
    """Return the sum of numbers, 1 for 0, as an array."""
    return namespace_of_type(like).asarray(sum(numbers) or 1, dtype=like.dtype)


# ---- tasks -------------------------------------------------------------------------------------


def run_chunk(
    *chunks: Any,
    function: Sent,
    present: tuple[bool, ...],
    options: Options,
    chunks_in_all: int,
    late: tuple[str, ...] = (),
) -> Any:
    """Return the function of the chunks at one place, None for the arrays that are absent.

    The last chunks are numbers, the options `late`.
    """
    chunks, options = with_late(chunks, options, late)
    found = iter(chunks)
    arrays = [next(found) if there else None for there in present]
    xp = namespace_of_type(chunks[-1])
    with in_task(xp, chunks_in_all):
        return entrywise(function.it)(*arrays, xp=xp, **options)


def with_late(chunks: Any, options: Options, late: tuple[str, ...]) -> tuple[Any, Options]:
    """Return the chunks of arrays, and the options with those that come as chunks."""
    if not late:
        return chunks, options
    numbers = map(float, chunks[-len(late) :])
    return chunks[: -len(late)], {**options, **dict(zip(late, numbers, strict=True))}


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
