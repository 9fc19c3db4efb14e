"""Elementwise functions on Dask arrays: one task a chunk, in which the chunk's own library runs it.

A formula of thirty operations would be thirty tasks for every chunk, each of which passes over its
memory. In one task NumPy's machine code runs, the gradient as well. Nothing is computed while a
graph is built but the function on arrays without entries, which says how many results there are.
"""

__library__ = "dask"

from collections.abc import Callable
from typing import Any

import dask.array as da
from dask.base import tokenize

from portable_losses._backend import Kernel, Pair, namespace_of_type
from portable_losses._gradient import entrywise
from portable_losses._polyfill import knows_shape
from portable_losses._typing import Array, Options

__all__ = ["ELEMENTWISE", "elementwise"]


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
    given = [x for x in arrays if x is not None]
    chunks = max(given, key=lambda x: x.npartitions).chunks
    given = [x if x.chunks == chunks else x.rechunk(chunks) for x in given]
    present = tuple([x is not None for x in arrays])
    plain = {name: x for name, x in options.items() if name != "xp"}
    like = _run_chunk(*[x._meta for x in given], function=function, present=present, options=plain)
    if isinstance(like, tuple):
        return None
    # By identity: to look into a function takes a millisecond.
    token = tokenize(id(function), [x.name for x in given], present, plain)
    return da.map_blocks(
        _run_chunk,
        *given,
        dtype=like.dtype,
        meta=like,
        name=f"{function.__name__.strip('_<>')}-{token}",
        function=function,
        present=present,
        options=plain,
    )


def _run_chunk(
    *chunks: Any, function: Callable[..., Any], present: tuple[bool, ...], options: Options
) -> Any:
    """Return the function of the chunks at one place, None for the arrays that are absent."""
    found = iter(chunks)
    arrays = [next(found) if there else None for there in present]
    return entrywise(function)(*arrays, xp=namespace_of_type(chunks[0]), **options)


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

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Array | None, ...]:
        if not isinstance(grad, da.Array) or not _fits(arrays, options):
            found: tuple[Array | None, ...] = pair.backward(grad, out, *arrays, **options)
            return found
        return tuple(
            [
                _by_chunk(_gradient(pair, i), (grad, *arrays), options) if i in wanted else None
                for i in range(len(arrays))
            ]
        )

    return pair.forward(*arrays, **options), backward


ELEMENTWISE = Kernel(_accepts, _run, gradients=16)


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
