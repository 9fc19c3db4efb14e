"""The standard as its newest year has it, on libraries that follow an older one.

Before 2024.12 no function takes a Python scalar for an array; 2022.12 has no `maximum`,
`minimum`, `clip`; `take_along_axis` came with 2024.12, and Dask has none. Where a library has the
real thing, each of these is one comparison away from it. What a backend says of its arrays
(`Backend.arrays`) is asked here too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import array_api_compat

from portable_losses._backend import backend_of
from portable_losses._notes import noted
from portable_losses._typing import Array, Namespace

__all__ = [
    "arange",
    "broadcast_arrays",
    "broadcast_to",
    "check_known",
    "clip",
    "concat",
    "constant",
    "device_of",
    "expand_dims",
    "is_eager",
    "is_known",
    "knows_shape",
    "maximum",
    "minimum",
    "places_along",
    "readable",
    "reshape",
    "take_along_axis",
    "total",
    "where",
]


def readable(x: Array, *, xp: Namespace) -> bool:
    """Say whether looking at the values of `x` is free; who asks looks at them."""
    found = is_eager(x, xp=xp)
    if found and (note := noted()) is not None:
        note.looked = True
    return found


def is_eager(x: Array, *, xp: Namespace) -> bool:
    """Say whether `x` is readable, for who does not look: by default an eager array on a CPU."""
    own = backend_of(xp).arrays.readable
    if own is not None:
        return own(x)
    if hasattr(x, "compute"):  # as lazy libraries call it
        return False
    # The device first: is_lazy_array asks an array of an unknown library for a value.
    on_cpu = "cpu" in str(array_api_compat.device(x)).lower()
    return on_cpu and not array_api_compat.is_lazy_array(x)


def device_of(x: Array, *, xp: Namespace) -> Any:
    """Return the device of `x`, in the form that the library's creation functions take."""
    own = backend_of(xp).arrays.device
    return array_api_compat.device(x) if own is None else own(x)


def arange(stop: int, like: Array, *, dtype: Any = None, xp: Namespace) -> Array:
    """Return 0, 1 ... up to `stop` on the device of `like`; of a list where there is no arange."""
    device = device_of(like, xp=xp)
    if hasattr(xp, "arange"):
        return xp.arange(stop, dtype=dtype, device=device)
    return xp.asarray(list(range(stop)), dtype=dtype, device=device)


def constant(value: float, like: Array, *, xp: Namespace) -> Array:
    """Return `value` as a 0-d array of the dtype and on the device of `like`."""
    return xp.full((), value, dtype=like.dtype, device=device_of(like, xp=xp))


def where(condition: Array, x1: Array | float, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.where``; at least one of `x1` and `x2` is an array, whose dtype a scalar takes."""
    if _takes_scalars(xp):
        return xp.where(condition, x1, x2)
    if isinstance(x1, int | float):
        x1 = constant(x1, x2, xp=xp)
    if isinstance(x2, int | float):
        x2 = constant(x2, x1, xp=xp)
    return xp.where(condition, x1, x2)


def maximum(x1: Array, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.maximum``: NaN where either is NaN; at a tie with a number the slope is that of `x1`."""
    if _has_extrema(x2, xp=xp):
        return xp.maximum(x1, x2)
    return where(_or_nan(x1 < x2, x2), x2, x1, xp=xp)


def minimum(x1: Array, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.minimum``: NaN where either is NaN; at a tie with a number the slope is that of `x1`."""
    if _has_extrema(x2, xp=xp):
        return xp.minimum(x1, x2)
    return where(_or_nan(x1 > x2, x2), x2, x1, xp=xp)


def _has_extrema(x2: Array | float, *, xp: Namespace) -> bool:
    if isinstance(x2, int | float):  # libraries that differentiate halve the slope at a tie
        own = backend_of(xp)
        return own.arrays.python_scalars and not own.autodiff.differentiates
    return str(getattr(xp, "__array_api_version__", "2022.12")) >= "2023.12"


def _or_nan(chosen: Array, x2: Array | float) -> Array:
    return chosen if isinstance(x2, int | float) else chosen | (x2 != x2)


def clip(x: Array, low: float | None, high: float | None, *, xp: Namespace) -> Array:
    """``xp.clip`` between two Python scalars, NaN kept; slope 1 at the bounds."""
    # Two comparisons instead of xp.clip: array_api_compat's costs eight microseconds a call.
    if low is not None:
        x = maximum(x, low, xp=xp)
    return x if high is None else minimum(x, high, xp=xp)


def is_known(size: Any) -> bool:
    """Say whether an array knows its size along an axis: a lazy one may have NaN or None there."""
    return size is not None and size == size


def check_known(
    x: Array, axes: Iterable[int] | None = None, *, name: str = "axis", now: bool = True
) -> None:
    """Raise ValueError unless `x` knows its sizes along `axes` (None: every axis).

    Without `now` a size may be None, which a graph knows when it runs; NaN, on Dask, is lost.
    """
    sizes = [x.shape[i] for i in (range(x.ndim) if axes is None else axes)]
    if not all(is_known(n) or (n is None and not now) for n in sizes):
        advice = "give them numbers" if None in sizes else "on Dask call x.compute_chunk_sizes()"
        msg = (
            f"`{name}` needs sizes that an array of shape {tuple(x.shape)} does not know; "
            f"{advice} first"
        )
        raise ValueError(msg)


def places_along(axis: int, x: Array, *, dtype: Any = None, xp: Namespace) -> Array:
    """Return 0, 1, ... along an axis of `x`, counted from its end, to be broadcast with it."""
    size = x.shape[axis]
    if is_known(size):
        places = arange(size, x, dtype=dtype, xp=xp)
        return places if axis == -1 else xp.reshape(places, (-1,) + (1,) * (-1 - axis))
    ones = xp.ones_like(x, dtype=xp.int64 if dtype is None else dtype, device=device_of(x, xp=xp))
    return xp.cumulative_sum(ones, axis=axis) - 1


def reshape(x: Array, shape: Sequence[int | None], *, xp: Namespace) -> Array:
    """``xp.reshape``, to a shape of which one size may be known only when a graph runs."""
    sizes = tuple([-1 if n is None else n for n in shape])
    if len([n for n in shape if n is None]) > 1:
        msg = f"axes are joined to one, so only one size may be unknown, got shape {tuple(x.shape)}"
        raise ValueError(msg)
    return xp.reshape(x, sizes)


def knows_shape(x: Array) -> bool:
    """Say whether an array knows its size along every axis."""
    return all(n is not None and n == n for n in x.shape)


def broadcast_arrays(*arrays: Array, xp: Namespace) -> Sequence[Array]:
    """``xp.broadcast_arrays``, also of arrays that do not know their sizes."""
    for x in arrays:
        if not knows_shape(x):
            break
    else:
        made: Sequence[Array] = xp.broadcast_arrays(*arrays)
        return made
    everywhere = _everywhere(arrays[0], xp=xp)
    for x in arrays[1:]:
        everywhere = xp.logical_or(everywhere, _everywhere(x, xp=xp))
    return [xp.where(everywhere, x, x) for x in arrays]


def _everywhere(x: Array, *, xp: Namespace) -> Array:
    """Return a mask of the shape of `x`, True everywhere."""
    return xp.ones_like(x, dtype=xp.bool, device=device_of(x, xp=xp))


def broadcast_to(
    x: Array, shape: tuple[int, ...], *, like: Array | None = None, xp: Namespace
) -> Array:
    """``xp.broadcast_to``, in the library's quickest way.

    Where sizes of `shape` are not known, it is the shape to which `x` and `like` broadcast.
    """
    if like is not None and not knows_shape(like):
        return broadcast_arrays(x, like, xp=xp)[0]
    if tuple(x.shape) == tuple(shape):
        return x
    backend = backend_of(xp)
    laid = backend.arrays.match_layout
    if laid is not None and not x.ndim and like is not None and tuple(like.shape) == tuple(shape):
        return laid(x, like)
    spread = backend.speed.spread
    if spread is not None:
        return spread(x, shape)
    return xp.broadcast_to(x, shape)


def expand_dims(x: Array, axes: Sequence[int], *, xp: Namespace) -> Array:
    """Return `x` with axes of size 1 at the places `axes` of the result."""
    known = knows_shape(x)
    for axis in sorted(axes):  # Dask expands no axis beside an unknown size, and indexes there
        before = (slice(None),) * axis
        x = xp.expand_dims(x, axis=axis) if known else x[(*before, None, ...)]
    return x


def concat(arrays: Sequence[Array], *, axis: int = 0, xp: Namespace) -> Array:
    """``xp.concat``, also inside a gradient that the library batches."""
    return (backend_of(xp).arrays.concat or xp.concat)(arrays, axis=axis)


def take_along_axis(x: Array, indices: Array, *, axis: int, xp: Namespace) -> Array:
    """``xp.take_along_axis`` of indices in range, by comparison where a library has none.

    The comparison reads every entry of `x` once per index and keeps a lazy array's chunks.
    """
    own = backend_of(xp).indexing.take_along_axis
    if own is not None:
        return own(x, indices, axis=axis)
    if hasattr(xp, "take_along_axis") and _takes_scalars(xp):
        return xp.take_along_axis(x, indices, axis=axis)
    axis %= x.ndim
    last = (*(i for i in range(x.ndim) if i != axis), axis)
    back = tuple(sorted(range(x.ndim), key=last.__getitem__))
    entries, wanted = xp.permute_dims(x, last), xp.permute_dims(indices, last)
    size = x.shape[axis]
    positions = arange(size, x, dtype=indices.dtype, xp=xp)
    wanted = where(wanted < 0, wanted + size, wanted, xp=xp)
    hit = wanted[..., None] == positions
    picked = total(where(hit, entries[..., None, :], 0, xp=xp), axis=-1, xp=xp)
    return xp.permute_dims(picked, back)


def total(
    x: Array, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, xp: Namespace
) -> Array:
    """``xp.sum`` in `x`'s own dtype (2022.12 sums float32 in float64)."""
    if axis is None and not keepdims:  # on small arrays, options cost as much as the sum
        quick = backend_of(xp).speed.reductions.get("sum")
        if quick is None:
            return xp.sum(x, dtype=x.dtype)
        made = quick(x)
        return made if made.dtype == x.dtype else xp.astype(made, x.dtype)
    along = backend_of(xp).speed.sum_along
    if along is not None:
        return along(x, axis, keepdims)
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _takes_scalars(xp: Namespace) -> bool:
    return str(getattr(xp, "__array_api_version__", "2022.12")) >= "2024.12"
