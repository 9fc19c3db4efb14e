"""Rules of indexing, of taking by position, and of sorting."""

import math
from typing import Any, NamedTuple

from portable_losses import _indexing
from portable_losses._indexing import chosen
from portable_losses._polyfill import (
    device_of,
    is_known,
    knows_shape,
    places_along,
    take_along_axis,
    where,
)
from portable_losses._tape import TapeNamespace, inner_of, raw_array
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.table import VIEW, compose, register


def _scatter(xp: Namespace, shape: tuple[int, ...], key: Any, values: Array) -> Array:
    return _indexing.scatter_add(shape, key, values, xp=xp)


register("getitem", lambda grad, out, x, key, *, xp: _scatter(xp, x.shape, key, grad))
register("scatter_add", lambda grad, out, values, key, *, xp: chosen(grad, key, xp=xp), shares=VIEW)


# ---- assignment -------------------------------------------------------------------------------


def assigned(x: Array, value: Any, key: Any, *, xp: Namespace) -> Array:
    """Return `x` with `value` at `key`, in new memory."""
    if isinstance(xp, TapeNamespace):
        return xp.setitem(x, key, value)
    if _chooses_entries(key, x, value):
        if hasattr(value, "dtype") and value.dtype != x.dtype:
            value = xp.astype(value, x.dtype)
        return where(key, value, x, xp=xp)
    return _indexing.assign(x, key, value, xp=xp)


def _chooses_entries(key: Any, x: Array, value: Any) -> bool:
    """Say whether this is one number under a mask of the whole: a `where`, also under a trace."""
    is_mask = "bool" in str(getattr(key, "dtype", "")) and key.shape == x.shape
    return is_mask and not getattr(value, "shape", ())


def may_repeat(key: Any, *, xp: Namespace) -> bool:
    """Say whether `key` holds an array of positions, which may name one place twice."""
    return any(
        isinstance(k, list) or (getattr(k, "shape", ()) and xp.isdtype(k.dtype, "integral"))
        for k in (key if isinstance(key, tuple) else (key,))
    )


def settled(x: Array, value: Any, key: Any, *, xp: Namespace) -> tuple[Array, Array]:
    """Return what ``x[key]`` is after ``x[key] = value``, and which entries of it count.

    The library decides: the entries' numbers are assigned in their place and read again. Where
    several meet, each of them gets the value of the one that is left, which alone has a gradient.
    """
    shape = x[key].shape
    numbers = xp.reshape(xp.arange(math.prod(shape), device=device_of(x, xp=xp)), shape)
    places = xp.zeros(x.shape, dtype=numbers.dtype, device=device_of(x, xp=xp))
    left = assigned(places, numbers, key, xp=xp)[key]
    values = xp.broadcast_to(xp.reshape(value, value.shape[-len(shape) :]), shape)
    values = xp.take(xp.reshape(values, (-1,)), xp.reshape(left, (-1,)), axis=0)
    return xp.reshape(values, shape), left == numbers


def _value(
    grad: Array,
    out: Array,
    x: Array,
    value: Array,
    key: Any,
    *,
    counts: Array | None = None,
    xp: Namespace,
) -> Array:
    """Take the entries of `grad` at `key`, those that count, in the shape of the value."""
    if _chooses_entries(key, x, value):
        return xp.sum(where(key, grad, 0, xp=xp))
    part = grad[key]
    if counts is not None:
        part = where(counts, part, 0, xp=xp)
    extra = value.ndim - part.ndim  # NumPy lets a value have more axes of size 1
    return xp.reshape(part, (1,) * extra + tuple(part.shape)) if extra > 0 else part


register(
    "setitem",
    lambda grad, out, x, value, key, *, counts=None, xp: assigned(grad, 0, key, xp=xp),
    _value,
    shares=VIEW,
)


# ---- taking by position -----------------------------------------------------------------------


def _take(
    grad: Array, out: Array, x: Array, indices: Array, *, axis: int | None = None, xp: Namespace
) -> Array:
    """Put every entry of `grad` where it was taken from."""
    indices = raw_array(indices)
    before = (slice(None),) * ((axis or 0) % x.ndim)
    return _scatter(xp, x.shape, (*before, indices), grad)


def _take_along_axis(
    grad: Array, out: Array, x: Array, indices: Array, *, axis: int = -1, xp: Namespace
) -> Array:
    """Put every entry of `grad` where it was taken from."""
    axis %= x.ndim
    indices, raw = raw_array(indices), inner_of(xp)
    one = indices.shape[axis] == 1 and indices.ndim == x.ndim  # one class per row: no scatter
    if one or not (knows_shape(x) and knows_shape(indices)):
        places = places_along(axis - x.ndim, raw_array(x), dtype=indices.dtype, xp=raw)
        size = x.shape[axis]
        if not is_known(size):
            size = raw.max(places, axis=axis, keepdims=True) + 1
        wanted = where(indices < 0, indices + size, indices, xp=raw)
        if one:
            return where(wanted == places, grad, 0, xp=xp)
        places = raw.broadcast_arrays(places, raw_array(x))[0] if is_known(size) else places
        return _gathered(wanted, grad, raw_array(x), axis, xp=xp)
    return _scatter(xp, _wide(x.shape, grad.shape, axis), _mesh(indices, axis, xp), grad)


def _gathered(wanted: Array, grad: Array, x: Array, axis: int, *, xp: Namespace) -> Array:
    """Return for each place of `x` the sum of the entries of `grad` that are wanted there.

    By comparison, which needs no size.
    """
    raw = inner_of(xp)
    wanted, x = (raw.moveaxis(i, axis, -1) for i in (wanted, x))
    places = places_along(-1, x, dtype=wanted.dtype, xp=raw)
    hit = wanted[..., None, :] == places[..., None]
    each = xp.moveaxis(grad, axis, -1)[..., None, :]
    return xp.moveaxis(xp.sum(where(hit, each, 0, xp=xp), axis=-1), -1, axis)


def _wide(shape: tuple[int, ...], taken: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Shape of `x` broadcast against the indices, except along `axis`."""
    return tuple(n if i == axis else taken[i] for i, n in enumerate(shape))


def _mesh(indices: Array, axis: int, xp: Namespace) -> tuple[Array, ...]:
    """Return one integer array per axis that together name the places of `indices`."""
    xp, ndim = inner_of(xp), indices.ndim
    return tuple(
        indices
        if i == axis
        else xp.reshape(
            xp.arange(n, dtype=indices.dtype, device=device_of(indices, xp=xp)),
            (-1,) + (1,) * (ndim - 1 - i),
        )
        for i, n in enumerate(indices.shape)
    )


register("take", _take, lambda *_, **__: None)
register("take_along_axis", _take_along_axis, lambda *_, **__: None)


@compose("sort")
def sort(
    x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True, xp: Namespace
) -> Array:
    """Take the entries in their order; equal entries keep theirs."""
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, order, axis=axis, xp=xp)


# ---- sets -------------------------------------------------------------------------------------


class UniqueAllResult(NamedTuple):
    """Of `unique_all`."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    """Of `unique_counts`."""

    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    """Of `unique_inverse`."""

    values: Array
    inverse_indices: Array


def _sorted_order(x: Array, *, xp: Namespace) -> Array:
    """Return the stable order of a flat array, of complex numbers by real part, then imaginary."""
    if not xp.isdtype(x.dtype, "complex floating"):
        return xp.argsort(x)
    order = xp.argsort(xp.imag(x))
    return xp.take(order, xp.argsort(xp.take(xp.real(x), order)))


@compose("unique_all")
def unique_all(x: Array, /, *, xp: Namespace) -> UniqueAllResult:
    """Take the first of each run of equal entries; a gradient goes to the one that was taken."""
    shape, x = x.shape, xp.reshape(x, (-1,))
    order = _sorted_order(x, xp=xp)
    entries = xp.take(x, order)
    first = xp.ones_like(x, dtype=xp.bool)  # each NaN begins a run, as it equals nothing
    if x.shape[0] > 1:
        first = xp.concat([first[:1], entries[1:] != entries[:-1]])
    (starts,) = xp.nonzero(first)
    group = xp.cumulative_sum(xp.astype(first, order.dtype)) - 1
    return UniqueAllResult(
        xp.take(entries, starts),
        xp.take(order, starts),
        xp.reshape(xp.take(group, xp.argsort(order)), shape),
        xp.diff(starts, append=xp.full_like(starts[:1], x.shape[0])),
    )


@compose("unique_counts")
def unique_counts(x: Array, /, *, xp: Namespace) -> UniqueCountsResult:
    """Return two of the results of `unique_all`."""
    every = unique_all(x, xp=xp)
    return UniqueCountsResult(every.values, every.counts)


@compose("unique_inverse")
def unique_inverse(x: Array, /, *, xp: Namespace) -> UniqueInverseResult:
    """Return two of the results of `unique_all`."""
    every = unique_all(x, xp=xp)
    return UniqueInverseResult(every.values, every.inverse_indices)


@compose("unique_values")
def unique_values(x: Array, /, *, xp: Namespace) -> Array:
    """Return the first result of `unique_all`."""
    return unique_all(x, xp=xp).values
