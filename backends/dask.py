"""Dask: it does not differentiate, and nothing may be computed while a graph is built."""

from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed

from portable_losses._backend import Arrays, Backend, Indexing
from portable_losses._typing import Array, Namespace


def readable(x: Array) -> bool:
    """Say no: reading computes the graph."""
    return False


def adopt(x: Any) -> Any:
    """Return a NumPy array as a Dask array."""
    return da.asarray(x) if type(x) is np.ndarray else x


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`: by block behind a mask, else in one task."""
    mask: Any = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if isinstance(mask, da.Array) and mask.dtype == bool and mask.shape == tuple(shape):
        return _fill_blocks(mask, values)
    keys = tuple(map(_whole, key)) if isinstance(key, tuple) else _whole(key)
    made = delayed(_add_at)(tuple(shape), keys, _whole(values))
    return da.from_delayed(made, tuple(shape), dtype=values.dtype)


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


_OTHER_CHUNKS = "a mask must have the chunks of what it chooses from, got chunks {}"


def match_layout(grad: Array, x: Array) -> Array:
    """Return `grad` in the chunks of `x`."""
    if not isinstance(grad, da.Array) or grad.chunks == x.chunks or grad.shape != x.shape:
        return grad
    return grad.rechunk(x.chunks)


BACKEND = Backend(
    "dask",
    arrays=Arrays(readable=readable, adopt=adopt, match_layout=match_layout, python_scalars=True),
    indexing=Indexing(scatter_add=scatter_add, gather=gather),
)
