"""Elementwise functions on Dask arrays: one task a chunk, in which the chunk's own library runs it.

A formula of thirty operations would be thirty tasks for every chunk, each of which passes over its
memory. In one task NumPy's machine code runs, the gradient as well. Nothing is computed while a
graph is built but the function on arrays without entries, which says how many results there are.
"""

__library__ = "dask"

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from operator import getitem
from typing import Any

import dask.array as da
from dask.base import tokenize

from portable_losses._backend import Kernel, Pair, backend_of, namespace_of_type
from portable_losses._gradient import entrywise, summed_pair, summed_with_gradient
from portable_losses._polyfill import knows_shape, total
from portable_losses._typing import Array, Namespace, Options

__all__ = ["ELEMENTWISE", "elementwise", "quiet_for", "several"]


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
    plain = {name: x for name, x in options.items() if name != "xp"}
    own: Options = {"function": function, "present": (True,) * len(given), "options": plain}
    like = _run_chunk(*[x._meta for x in given], **own)
    token = tokenize(id(function), [x.name for x in given], plain)
    together = da.map_blocks(  # whose chunks are tuples: only what follows looks at them
        _run_chunk, *given, dtype=first.dtype, meta=first._meta, name=f"several-{token}", **own
    )
    return tuple(
        [
            da.map_blocks(getitem, together, i, dtype=x.dtype, meta=x, name=f"several-{i}-{token}")
            for i, x in enumerate(like)
        ]
    )


def _run_chunk(
    *chunks: Any, function: Callable[..., Any], present: tuple[bool, ...], options: Options
) -> Any:
    """Return the function of the chunks at one place, None for the arrays that are absent."""
    found = iter(chunks)
    arrays = [next(found) if there else None for there in present]
    xp = namespace_of_type(chunks[-1])
    with quiet_for(xp):
        return entrywise(function)(*arrays, xp=xp, **options)


def quiet_for(xp: Namespace) -> AbstractContextManager[Any]:
    """Return what keeps a chunk's library from warning: Dask computes when our call is over."""
    quiet = backend_of(xp).arrays.quiet
    return nullcontext() if quiet is None else quiet()


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
    named = f"{each.forward.__name__.strip('_<>')}-"
    named += tokenize(id(each.forward), [x.name for x in given], present, plain, divisor, sloped)
    ones: Any = {"dtype": first.dtype, "chunks": tuple([(1,) * n for n in first.numblocks])}
    own: Any = {"pair": each, "present": present, "options": plain, "divisor": divisor}
    added = da.map_blocks(
        _sum_chunk, *given, name=f"sum-{named}", meta=first._meta, sloped=sloped, **ones, **own
    )
    together = added  # whose chunks are tuples where there is a slope
    if sloped:
        added = da.map_blocks(getitem, together, 0, name=f"value-{named}", meta=first._meta, **ones)

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
        slope = da.map_blocks(
            _slope_chunk,
            together,
            grad,
            name=f"slope-{tokenize(named, grad.name)}",
            dtype=first.dtype,
            meta=first._meta,
            chunks=first.chunks,
        )
        return slope, *(None for _ in arrays[1:])

    return added.sum(), backward


def _sum_chunk(
    *chunks: Any,
    pair: Pair,
    present: tuple[bool, ...],
    options: Options,
    divisor: float,
    sloped: bool,
) -> Any:
    """Return the sum of a pair's entries of the chunks at one place, in an array of their axes.

    With its slope in the first of them, if it is `sloped`.
    """
    found, xp = iter(chunks), namespace_of_type(chunks[0])
    arrays = tuple([next(found) if there else None for there in present])
    slope = None
    with quiet_for(xp):
        both = summed_with_gradient(pair, arrays, options, divisor=divisor) if sloped else None
        added = summed_pair(pair, arrays, options, divisor=divisor) if both is None else both[0]
        if both is not None:
            slope = both[1]
        elif sloped:
            grad = xp.full(chunks[0].shape, 1 / divisor, dtype=chunks[0].dtype)
            slope = entrywise(_gradient(pair, 0))(grad, *arrays, xp=xp, **options)
        if added is None:
            entries = entrywise(pair.forward)(*arrays, xp=xp, **options)
            added = total(entries, xp=xp) / divisor
    added = xp.reshape(xp.asarray(added), (1,) * chunks[0].ndim)
    return (added, slope) if sloped else added


def _slope_chunk(together: Any, grad: Any) -> Any:
    """Return the slope of a chunk times the gradient of the sum, which mostly is 1."""
    slope = together[1]
    return slope if float(grad) == 1 else slope * grad


ELEMENTWISE = Kernel(_accepts, _run, gradients=16, sums=_sums)


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
