"""Rules of the functions that rearrange, repeat, join and convert."""

import math
from collections.abc import Sequence
from typing import Any

from array_api_compat import device as own_device
from array_api_compat import to_device

from portable_losses._polyfill import device_of, expand_dims, knows_shape, reshape
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.table import LIST, VIEW, compose, register


def _reshaped(
    grad: Array, out: Array, x: Array, *_: Any, copy: Any = None, xp: Namespace, **__: Any
) -> Array:
    """Return `grad` in the shape of `x`."""
    return reshape(grad, x.shape, xp=xp)


def _squeezed(
    grad: Array, out: Array, x: Array, axis: int | tuple[int, ...], *, xp: Namespace
) -> Array:
    """Return the gradient with the axes of one entry again."""
    if knows_shape(x):
        return xp.reshape(grad, x.shape)
    axes = (axis,) if isinstance(axis, int) else axis
    return expand_dims(grad, [i % x.ndim for i in axes], xp=xp)


def _expanded(grad: Array, out: Array, x: Array, *, axis: int = 0, xp: Namespace) -> Array:
    return xp.reshape(grad, x.shape) if knows_shape(x) else xp.squeeze(grad, axis=axis)


def _permute_dims(
    grad: Array, out: Array, x: Array, axes: tuple[int, ...], *, xp: Namespace
) -> Array:
    places = [a % x.ndim for a in axes]
    return xp.permute_dims(grad, tuple(places.index(i) for i in range(x.ndim)))


def _moveaxis(
    grad: Array, out: Array, x: Array, source: Any, destination: Any, /, *, xp: Namespace
) -> Array:
    return xp.moveaxis(grad, destination, source)


def _roll(
    grad: Array, out: Array, x: Array, shift: Any, *, axis: Any = None, xp: Namespace
) -> Array:
    back = -shift if isinstance(shift, int) else tuple(-s for s in shift)
    return xp.roll(grad, back, axis=axis)


def _broadcast_to(
    grad: Array, out: Array, x: Array, shape: tuple[int, ...], *, xp: Namespace
) -> Array:
    return grad  # the caller undoes broadcasting


def _converted(
    grad: Array,
    out: Array,
    x: Array,
    dtype: Any = None,
    *,
    copy: Any = None,
    device: Any = None,
    xp: Namespace,
) -> Array:
    """Bring `grad` back to the device of `x`; the caller undoes the change of dtype."""
    home = own_device(x)
    if own_device(grad) == home:
        return grad
    tensor: Any = grad
    return tensor.to_device(home) if isinstance(grad, TapeArray) else to_device(grad, home)


register("reshape", _reshaped, shares=VIEW)
register("squeeze", _squeezed, shares=VIEW)
register("expand_dims", _expanded, shares=VIEW)
register("permute_dims", _permute_dims, shares=VIEW)
register("moveaxis", _moveaxis, shares=VIEW)
register("matrix_transpose", lambda grad, out, x, *, xp: xp.matrix_transpose(grad), shares=VIEW)
register("flip", lambda grad, out, x, *, axis=None, xp: xp.flip(grad, axis=axis), shares=VIEW)
register("roll", _roll)
register("broadcast_to", _broadcast_to, shares=VIEW)
register("astype", _converted, shares=VIEW)
register("to_device", _converted, shares=VIEW)
register("tril", lambda grad, out, x, *, k=0, xp: xp.tril(grad, k=k))
register("triu", lambda grad, out, x, *, k=0, xp: xp.triu(grad, k=k))


def _concat(
    grad: Array, out: Array, arrays: Sequence[Array], *, axis: int | None = 0, xp: Namespace
) -> list[Array]:
    """Cut `grad` where the arrays met."""
    parts: list[Array] = []
    start = 0
    for x in arrays:
        size = math.prod(x.shape) if axis is None else x.shape[axis]
        place = (*(slice(None),) * ((axis or 0) % out.ndim), slice(start, start + size), ...)
        part = grad[place]
        parts.append(xp.reshape(part, x.shape) if axis is None else part)
        start += size
    return parts


def _stack(
    grad: Array, out: Array, arrays: Sequence[Array], *, axis: int = 0, xp: Namespace
) -> list[Array]:
    before = (slice(None),) * (axis % out.ndim)
    return [grad[(*before, i, ...)] for i in range(len(arrays))]


register("concat", _concat, form=LIST, shares=VIEW)
register("stack", _stack, form=LIST, shares=VIEW)


@compose("unstack")
def unstack(x: Array, /, *, axis: int = 0, xp: Namespace) -> tuple[Array, ...]:
    """Return one array per place along `axis`."""
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, i, ...)] for i in range(x.shape[axis]))


@compose("broadcast_arrays")
def broadcast_arrays(*arrays: Array, xp: Namespace) -> tuple[Array, ...]:
    """Broadcast each to the shape of all."""
    shape = broadcast_shape(*(x.shape for x in arrays))
    return tuple(xp.broadcast_to(x, shape) for x in arrays)


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of `shapes` broadcast to, if they do."""
    ndim = max(map(len, shapes), default=0)
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True))


@compose("meshgrid")
def meshgrid(*arrays: Array, indexing: str = "xy", xp: Namespace) -> tuple[Array, ...]:
    """Spread each one-dimensional array along an axis of its own."""
    ndim = len(arrays)
    places = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        places[:2] = [1, 0]
    spread = [
        xp.reshape(x, tuple(-1 if i == place else 1 for i in range(ndim)))
        for x, place in zip(arrays, places, strict=True)
    ]
    made: tuple[Array, ...] = broadcast_arrays(*spread, xp=xp)
    return made


@compose("tile")
def tile(x: Array, repetitions: tuple[int, ...], /, *, xp: Namespace) -> Array:
    """Give every axis a partner, broadcast along the partners, and merge them."""
    ndim = max(x.ndim, len(repetitions))
    times = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    shape = (1,) * (ndim - x.ndim) + tuple(x.shape)
    apart = xp.reshape(x, tuple(n for size in shape for n in (1, size)))
    wide = tuple(n for pair in zip(times, shape, strict=True) for n in pair)
    merged = tuple(t * n for t, n in zip(times, shape, strict=True))
    return xp.reshape(xp.broadcast_to(apart, wide), merged, copy=True)


@compose("repeat")
def repeat(x: Array, repeats: Any, /, *, axis: int | None = None, xp: Namespace) -> Array:
    """Take every place as often as it is repeated."""
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    places = xp.arange(x.shape[axis], dtype=xp.int64, device=device_of(x, xp=xp))
    return xp.take(x, xp.repeat(places, repeats), axis=axis)


@compose("diff")
def diff(
    x: Array,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Array | None = None,
    append: Array | None = None,
    xp: Namespace,
) -> Array:
    """Subtract every entry from the next, `n` times."""
    around = [part for part in (prepend, x, append) if part is not None]
    x = xp.concat(around, axis=axis) if len(around) > 1 else x
    before = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = x[(*before, slice(1, None), ...)] - x[(*before, slice(None, -1), ...)]
    return x


# ---- from numbers -----------------------------------------------------------------------------


def filled(
    shape: Any, value: Array, *, dtype: Any = None, device: Any = None, xp: Namespace
) -> Array:
    """Return `full` of a Tensor without axes, in memory of its own."""
    value = _number(value, "fill_value", dtype=dtype, xp=xp)
    wide = xp.broadcast_to(value, (shape,) if isinstance(shape, int) else tuple(shape))
    return xp.asarray(wide, device=device, copy=True)


def _number(x: Any, name: str, *, dtype: Any = None, xp: Namespace) -> Any:
    """Return `x`, a number or an array without axes, in the given dtype."""
    if getattr(x, "ndim", 0):
        msg = f"`{name}` must have no axes, got shape {x.shape}"
        raise ValueError(msg)
    if dtype is None or not hasattr(x, "dtype") or x.dtype == dtype:
        return x
    return xp.astype(x, dtype)


def _kind(*numbers: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return dtype and device of the Tensors among `numbers`."""
    arrays = [x for x in numbers if hasattr(x, "dtype")]
    return xp.result_type(*arrays), device_of(arrays[0], xp=xp)


@compose("linspace")
def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
    xp: Namespace,
) -> Array:
    """Weigh the two ends, either of which may be tracked; both are met exactly."""
    start, stop = _number(start, "start", xp=xp), _number(stop, "stop", xp=xp)
    kind, home = _kind(start, stop, xp=xp)
    weight = xp.linspace(0.0, 1.0, num, dtype=kind, device=home, endpoint=endpoint)
    made = start * (1 - weight) + stop * weight
    return xp.asarray(made, dtype=dtype, device=device)


@compose("arange")
def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    xp: Namespace,
) -> Array:
    """Count in steps from `start`, any of which may be tracked; how often is read from them."""
    if stop is None:
        start, stop = 0, start
    start, stop, step = (
        _number(x, name, xp=xp) for x, name in ((start, "start"), (stop, "stop"), (step, "step"))
    )
    kind, home = _kind(start, stop, step, xp=xp)
    places = xp.arange(float(start), float(stop), float(step), dtype=kind, device=home)
    steps = xp.arange(places.shape[0], dtype=kind, device=home)
    return xp.asarray(steps * step + start, dtype=dtype, device=device)


# The argument of a differentiated function that is itself part of another differentiation.
ALIAS = register("alias", lambda grad, out, x, *, xp: grad, shares=VIEW)
