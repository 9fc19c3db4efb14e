"""Rules of the functions that sum, average or choose along axes."""

import math
from typing import Any

from portable_losses._dtypes import narrow, widen
from portable_losses._polyfill import (
    broadcast_to,
    check_known,
    device_of,
    expand_dims,
    knows_shape,
    where,
)
from portable_losses._typing import Array, Axis, Namespace
from portable_losses.autograd.rules.table import OVERLAPPING, compose, register

EXACT = 256  # every dtype holds the numbers up to here: bfloat16 no further


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the reduced axes as non-negative numbers."""
    if axis is None or not ndim:  # NumPy takes axis 0 of no axes
        return tuple(range(ndim))
    return tuple(i % ndim for i in ((axis,) if isinstance(axis, int) else axis))


def kept(reduced: Array, x: Array, axis: Axis, keepdims: bool, *, xp: Namespace) -> Array:
    """Return a reduction of `x` with its reduced axes kept as axes of size 1."""
    if keepdims:
        return reduced
    axes = axes_of(axis, x.ndim)
    if knows_shape(x):
        return xp.reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
    return expand_dims(reduced, axes, xp=xp)


def count(x: Array, axis: Axis) -> int:
    """Return how many entries each result is made of."""
    axes = axes_of(axis, x.ndim)
    check_known(x, axes)
    return math.prod(x.shape[i] for i in axes)


def count_as_array(x: Array, axis: Axis, *, xp: Namespace) -> Any:
    """`count`, or an array of the counts, as lazy as `x`, where `x` does not know its sizes."""
    if knows_shape(x):
        return count(x, axis)
    each = xp.ones_like(widen(x, xp=xp), device=device_of(x, xp=xp))
    return xp.sum(each, axis=axis, keepdims=True)


def _sum(
    grad: Array,
    out: Array,
    x: Array,
    *,
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    xp: Namespace,
) -> Array:
    """`grad`, spread over the reduced axes."""
    if grad.ndim:  # a single number fits as it is
        grad = kept(grad, x, axis, keepdims, xp=xp)
    return broadcast_to(grad, x.shape, like=x, xp=xp)


def _mean(
    grad: Array, out: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, xp: Namespace
) -> Array:
    """``grad / n`` at each of the n entries; float16 holds no n above 65,504."""
    if not knows_shape(x):
        wide = widen(kept(grad, x, axis, keepdims, xp=xp), xp=xp)
        share = narrow(wide / count_as_array(x, axis, xp=xp), grad.dtype, xp=xp)
        return broadcast_to(share, x.shape, like=x, xp=xp)
    n = math.prod(x.shape) if axis is None else count(x, axis)
    if 0 < n <= EXACT:  # half of the instructions of the other way
        share = grad / n
    else:
        share = narrow(widen(grad, xp=xp) / n, grad.dtype, xp=xp) if n else grad
    return _sum(share, out, x, axis=axis, keepdims=keepdims, xp=xp)


register("sum", _sum, shares=OVERLAPPING)
register("mean", _mean, shares=OVERLAPPING)


def _extreme(
    grad: Array, not_extreme: Array, x: Array, axis: Axis, keepdims: bool, *, xp: Namespace
) -> Array:
    """Share `grad` evenly among the extreme entries; all of them if one is NaN."""
    wide = widen(kept(grad, x, axis, keepdims, xp=xp), xp=xp)  # float16 counts to 2,048
    ties = xp.sum(xp.astype(~not_extreme, wide.dtype), axis=axis, keepdims=True)
    return where(not_extreme, 0, narrow(wide / ties, x.dtype, xp=xp), xp=xp)


def _max(
    grad: Array, out: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, xp: Namespace
) -> Array:
    return _extreme(grad, x < kept(out, x, axis, keepdims, xp=xp), x, axis, keepdims, xp=xp)


def _min(
    grad: Array, out: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, xp: Namespace
) -> Array:
    return _extreme(grad, x > kept(out, x, axis, keepdims, xp=xp), x, axis, keepdims, xp=xp)


register("max", _max)
register("min", _min)


def _var(
    grad: Array,
    out: Array,
    x: Array,
    *,
    axis: Axis = None,
    correction: float = 0.0,
    keepdims: bool = False,
    xp: Namespace,
) -> Array:
    """``grad * 2 * (x - mean) / (n - correction)``, rounded once in half precision."""
    free = count_as_array(x, axis, xp=xp) - correction
    wide = widen(x, xp=xp)
    if knows_shape(x):
        factor = 2 / free if free > 0 else math.nan
    else:
        factor = where(free > 0, 2 / where(free > 0, free, 1.0, xp=xp), math.nan, xp=xp)
    centred = wide - xp.mean(wide, axis=axis, keepdims=True)
    share = widen(kept(grad, x, axis, keepdims, xp=xp), xp=xp) * factor
    return narrow(share * centred, x.dtype, xp=xp)


def _std(
    grad: Array,
    out: Array,
    x: Array,
    *,
    axis: Axis = None,
    correction: float = 0.0,
    keepdims: bool = False,
    xp: Namespace,
) -> Array:
    """0 where all entries are equal, as every norm here."""
    flat = out == 0
    half = where(flat, 0, grad / where(flat, 1, out, xp=xp) / 2, xp=xp)
    return _var(half, out, x, axis=axis, correction=correction, keepdims=keepdims, xp=xp)


register("var", _var)
register("std", _std)


@compose("prod")
def prod(
    x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False, xp: Namespace
) -> Array:
    """Multiply one half with the other until one entry is left.

    No division, so that zeros are nothing special, in derivatives of any order.
    """
    if dtype is not None:
        x = xp.astype(x, dtype)
    axes = axes_of(axis, x.ndim)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    n = count(x, axis)
    rows = xp.permute_dims(x, (*rest, *axes)) if axes else x
    rows = xp.reshape(rows, (*(x.shape[i] for i in rest), n))
    if n == 0:
        rows = xp.ones_like(xp.sum(rows, axis=-1, keepdims=True))
    while n > 1:
        half = n // 2
        pairs = rows[..., :half] * rows[..., half : 2 * half]
        rows = xp.concat([pairs, rows[..., 2 * half :]], axis=-1) if n % 2 else pairs
        n -= half
    return xp.reshape(rows, shape if keepdims else tuple(x.shape[i] for i in rest))


def _cumulative_sum(
    grad: Array,
    out: Array,
    x: Array,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    xp: Namespace,
) -> Array:
    """Sum from the other end."""
    along = (axis or 0) % x.ndim
    if include_initial:
        grad = grad[(*(slice(None),) * along, slice(1, None), ...)]
    return xp.flip(xp.cumulative_sum(xp.flip(grad, axis=along), axis=along), axis=along)


register("cumulative_sum", _cumulative_sum)


@compose("cumulative_prod")
def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    xp: Namespace,
) -> Array:
    """Multiply every entry with that 1, 2, 4 ... places before: log2(n) products, no division."""
    if dtype is not None:
        x = xp.astype(x, dtype)
    along = (axis or 0) % x.ndim
    before = (slice(None),) * along
    step = 1
    while step < x.shape[along]:
        later, earlier = x[(*before, slice(step, None), ...)], x[(*before, slice(-step), ...)]
        x = xp.concat([x[(*before, slice(step), ...)], later * earlier], axis=along)
        step *= 2
    if include_initial:
        shape = tuple(1 if i == along else n for i, n in enumerate(x.shape))
        one = xp.ones(shape, dtype=x.dtype, device=device_of(x, xp=xp))
        x = xp.concat([one, x], axis=along)
    return x
