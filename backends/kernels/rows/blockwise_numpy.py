"""Any function of rows on NumPy, in blocks of rows whose temporaries stay in cache.

A formula of ten operations on a large array passes over memory ten times, and the operating system
clears the pages of each new temporary. The same formula, unchanged, on a few rows at a time writes
nothing but its result to memory, and several threads share the blocks (`blocks`).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..machine.blocks import in_blocks
from ..machine.memory_numpy import empty

__all__ = ["ROWS", "accepts", "rows_of"]

SIZE = 2**18  # entries in a block: more leave the cache, with fewer the threads wait for the lock
FEWEST = SIZE  # entries in all, from which on this pays
NONE = -9  # no array's place


def accepts(x: Array, *_: Any, **__: Any) -> bool:
    """Say whether there is more than one row, and enough in all."""
    return x.ndim > 1 and x.size >= FEWEST


def rows_of(pair: Pair, arrays: tuple[Any, ...], options: Options, *, whole: int = NONE) -> Any:
    """Run `pair` a block of rows at a time; every block gets the array at place `whole` whole."""
    lead = arrays[0].shape[:-1]

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        function = _without(pair.backward, whole)
        return _in_blocks(function, (grad, out, *arrays), lead, whole + 2, options)

    return _in_blocks(pair.forward, arrays, lead, whole, options), backward


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    return rows_of(pair, arrays, options)


ROWS = Kernel(accepts, _run)


def _without(backward: Callable[..., Any], whole: int) -> Callable[..., tuple[Any, ...]]:
    """Return `backward` with None for the array at place `whole`."""

    def partial(*arrays: Any, **options: Any) -> tuple[Any, ...]:
        found = backward(*arrays, **options)
        return tuple(None if i == whole else one for i, one in enumerate(found))

    return partial


def _in_blocks(
    function: Callable[..., Any],
    arrays: tuple[Any, ...],
    lead: tuple[int, ...],
    whole: int,
    options: Options,
) -> Any:
    """Return ``function(*arrays, **options)``; the results have the axes `lead` as well."""
    count = math.prod(lead)
    given = [
        x if i == whole else _each(lambda a: a.reshape(count, *a.shape[len(lead) :]), x)
        for i, x in enumerate(arrays)
    ]

    def at(block: slice) -> Any:
        parts = [x if i == whole else _each(lambda a: a[block], x) for i, x in enumerate(given)]
        return function(*parts, **options)

    largest = max(x.size for x in arrays if isinstance(x, np.ndarray))
    rows = max(1, SIZE * count // largest)
    first = at(slice(0, rows))
    outs = _each(lambda a: empty((count, *a.shape[1:]), a.dtype), first)

    def work(block: slice) -> None:
        _put(outs, block, first if block.start == 0 else at(block))

    in_blocks(work, count, rows)
    return _each(lambda a: a.reshape(*lead, *a.shape[1:]), outs)


def _each(function: Callable[[Array], Array], x: Any) -> Any:
    """Return `function` of an array, or of each in a tuple; None stays."""
    if isinstance(x, tuple):
        return tuple(_each(function, one) for one in x)
    return None if x is None else function(x)


def _put(outs: Any, block: slice, results: Any) -> None:
    """Write the results of a block to their places in `outs`."""
    if isinstance(outs, tuple):
        for out, result in zip(outs, results, strict=True):
            _put(out, block, result)
    elif outs is not None:
        outs[block] = results
