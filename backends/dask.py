"""Dask: it does not differentiate, and nothing may be computed while a graph is built."""

from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Speed
from portable_losses._typing import Array, Namespace, Options

from .kernels.cross_entropy.sweep import WEIGHT
from .kernels.formulas.elementwise_dask import ELEMENTWISE, elementwise, one_like, several
from .kernels.formulas.tasks_dask import TOGETHER, with_constants_in_tasks
from .kernels.rows.rowwise_dask import rowwise


def readable(x: Array) -> bool:
    """Say no: reading computes the graph."""
    return False


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function with NumPy arrays beside Dask's own made arrays of Dask."""
    return function(*map(_adopted, args), **{name: _adopted(x) for name, x in options.items()})


def _adopted(x: Any) -> Any:
    """Return a NumPy array as one of Dask's, anything else as it is."""
    return da.asarray(x) if type(x) is np.ndarray else x


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`: by block behind a mask, else in one task."""
    if any(n != n for n in shape):
        return _by_blocks(tuple(shape), key if isinstance(key, tuple) else (key,), values)
    mask: Any = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if isinstance(mask, da.Array) and mask.dtype == bool and mask.shape == tuple(shape):
        return _fill_blocks(mask, values)
    keys = tuple(map(_whole, key)) if isinstance(key, tuple) else _whole(key)
    made = delayed(_add_at)(tuple(shape), keys, _whole(values))
    return da.from_delayed(made, tuple(shape), dtype=values.dtype)


def _by_blocks(shape: tuple[Any, ...], key: tuple[Any, ...], values: Array) -> Array:
    """Return `scatter_add` by blocks along the axes of unknown size, which `key` leaves whole."""
    named = sum(k is not None and k is not Ellipsis for k in key)
    place = key.index(Ellipsis) if Ellipsis in key else len(key)
    key = (*key[:place], *(slice(None),) * (len(shape) - named), *key[place + 1 :])
    axes = iter(shape)
    sizes = [None if k is None else next(axes) for k in key]  # NaN: unknown
    pairs = list(zip(sizes, key, strict=True))
    if not all(k is None or isinstance(k, int | slice) for k in key) or any(
        n != n and k != slice(None) for n, k in pairs
    ):
        raise ValueError(_UNKNOWN.format(shape))
    kept = [n for n, k in pairs if not isinstance(k, int)]
    values = values.rechunk({i: -1 for i, n in enumerate(kept) if n is not None and n == n})
    chunks = iter([values.chunks[i] for i, n in enumerate(kept) if n != n])
    return values.map_blocks(
        _place,
        shape,
        key,
        dtype=values.dtype,
        drop_axis=[i for i, n in enumerate(kept) if n is None],
        new_axis=[i for i, k in enumerate(k for k in key if k is not None) if isinstance(k, int)],
        chunks=tuple((n,) if n == n else next(chunks) for n in shape),
        meta=np.empty((0,) * len(shape), dtype=values.dtype),
    )


def _place(block: Any, shape: tuple[Any, ...], key: tuple[Any, ...]) -> Any:
    """Return zeros with the block at `key`: `shape`, with the block's own sizes for NaN."""
    sizes, axes, whole = iter(block.shape), iter(shape), []
    for k in key:
        if k is None:
            next(sizes)
            continue
        size, own = next(axes), None if isinstance(k, int) else next(sizes)
        whole.append(own if size != size else size)
    out = np.zeros(tuple(whole), dtype=block.dtype)
    out[key] = block
    return out


def gather(x: Array, key: Any) -> Array:
    """Return ``x[key]``: in one task by several arrays of integers, of which Dask takes one."""
    parts: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
    arrays = [k for k in parts if getattr(k, "ndim", 0)]
    if len(arrays) < 2 or any(k.dtype == bool for k in arrays):
        return x[key]
    places = tuple([np.zeros(k.shape, int) if hasattr(k, "shape") else k for k in parts])
    shape = np.broadcast_to(np.int8(0), x.shape)[places].shape
    made = delayed(_at)(_whole(x), *map(_whole, parts))
    return da.from_delayed(made, shape, dtype=x.dtype)


def _at(x: Any, *key: Any) -> Any:
    return x[key]


def _whole(x: Any) -> Any:
    """Return a Dask array as one task, anything else itself.

    `delayed` would copy the graph of an array under new names, and a chain of sums double it at
    every link; the tasks of ``to_delayed(optimize_graph=False)`` keep theirs and are shared.
    """
    if isinstance(x, da.Array):
        return delayed(np.block)(_tasks(x).tolist())
    return int(x) if isinstance(x, bool) else x  # Dask takes x[True] for x[1]


def _tasks(x: Any) -> Any:
    """Return the blocks of a Dask array, one task each."""
    return x.to_delayed(optimize_graph=False)


def _fill_blocks(mask: Array, values: Array) -> Array:
    """Undo ``x[mask]``, which has a block, of unknown length, for each of the mask's.

    Both are flat here, so that the values stand in NumPy's order.
    """
    flat = mask.ravel()
    chosen, masks = (_tasks(x).ravel() for x in (values, flat))
    if chosen.size != masks.size:
        raise ValueError(_OTHER_CHUNKS.format(mask.chunks))
    blocks = [
        da.from_delayed(delayed(_fill)(one, some, mask.chunks), (n,), dtype=values.dtype)
        for one, some, n in zip(masks, chosen, flat.chunks[0], strict=True)
    ]
    return da.concatenate(blocks).reshape(mask.shape).rechunk(mask.chunks)


def _add_at(shape: tuple[int, ...], key: Any, values: Any) -> Any:
    out = np.zeros(shape, dtype=values.dtype)
    np.add.at(out, key, values)
    return out


def _fill(mask: Any, values: Any, chunks: Any) -> Any:
    """Return zeros of one block with its `values` where `mask` is True."""
    if np.count_nonzero(mask) != values.size:  # NumPy would spread one value over many places
        raise ValueError(_OTHER_CHUNKS.format(chunks))
    out = np.zeros(mask.shape, dtype=values.dtype)
    out[mask] = values
    return out


_UNKNOWN = "an array of shape {} must know its sizes; call x.compute_chunk_sizes() first"
_OTHER_CHUNKS = "a mask must have the chunks of what it chooses from, got chunks {}"


def match_layout(grad: Array, x: Array) -> Array:
    """Return `grad` in the chunks of `x`, over which one number is spread."""
    if isinstance(grad, da.Array) and x.ndim > grad.ndim == 0:
        like = da.empty(x.shape, chunks=x.chunks, dtype=bool)  # by block: one task with its user
        return da.map_blocks(_spread, grad, like, dtype=grad.dtype)
    if not isinstance(grad, da.Array):
        return grad
    if grad.shape == x.shape and grad.chunks != x.chunks and all(n == n for n in x.shape):
        grad = grad.rechunk(x.chunks)
    return with_constants_in_tasks(grad)


def _spread(number: Any, like: Any) -> Any:
    """Return one number in the shape of a block."""
    return np.broadcast_to(number, like.shape)


def concat(arrays: Sequence[Array], *, axis: int) -> Array:
    """``da.concatenate``, also of arrays of unknown sizes, which agree along the other axes."""
    return da.concatenate(arrays, axis=axis, allow_unknown_chunksizes=True)


def sum_along(x: Array, axis: Any, keepdims: bool) -> Array:
    """``da.sum``, whose tree has a tenth of the nodes: parts are small beside the chunks."""
    return da.sum(x, axis=axis, dtype=x.dtype, keepdims=keepdims, split_every=TOGETHER)


BACKEND = Backend(
    "dask",
    Autodiff(differentiates=False),
    arrays=Arrays(
        readable=readable,
        concat=concat,
        one_like=one_like,
        match_layout=match_layout,
        call=call,
        python_scalars=True,
    ),
    indexing=Indexing(scatter_add=scatter_add, gather=gather),
    speed=Speed(
        sum_along=sum_along,
        elementwise=elementwise,
        several=several,
        elementwise_kernel=ELEMENTWISE,
        row_kernel=rowwise(WEIGHT),
    ),
)
