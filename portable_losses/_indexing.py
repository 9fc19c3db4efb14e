"""Positions: adding, assigning and taking at them, and going along them step by step.

Each function asks `Backend.indexing` first; what follows is the portable way. The gradient of
``x[key]`` adds what arrives at the entries that `key` chose, and an entry chosen twice gets both.
"""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._dtypes import narrow
from portable_losses._polyfill import device_of, is_known, knows_shape, total, where
from portable_losses._typing import Array, Namespace

__all__ = ["as_index", "assign", "chosen", "gather", "portable_scatter_add", "scan", "scatter_add"]

_BASIC = (int, slice, type(None), type(Ellipsis))
_UNKNOWN = "the gradient of an index needs the sizes of the axes that it changes, got {!r}"


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Return zeros of `shape` with `values` added at `key`.

    Parameters
    ----------
    shape : tuple of int
        Of the result.
    key : index
        What ``x[key]`` takes: integers, slices, None, Ellipsis, integer arrays, a mask.
    values : array
        Of the shape of ``x[key]``.
    xp : namespace
        Of `values`.

    Returns
    -------
    array
        Dtype and device of `values`. What meets in one place is summed pairwise.

    Notes
    -----
    A key without arrays pads with zeros, in the time and memory of the result. One with arrays
    sorts: with m values and n entries, O((m + n) log(m + n)) time and O(m + n) memory, no entry
    read by the host, no shape that depends on data (a mask's own apart), and no 0 * inf.
    """
    own = backend_of(xp).indexing.scatter_add
    return (portable_scatter_add if own is None else own)(shape, key, values, xp=xp)


def portable_scatter_add(
    shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace
) -> Array:
    """Return what `scatter_add` does, on the standard's functions alone."""
    parts = key if isinstance(key, tuple) else (key,)
    if all(type(k) in _BASIC for k in parts):
        return _padded(tuple(shape), parts, values, xp=xp)
    return _summed(tuple(shape), key, values, xp=xp)


# ---- integers and slices ----------------------------------------------------------------------


def _padded(shape: tuple[int, ...], key: tuple[Any, ...], values: Array, *, xp: Namespace) -> Array:
    """Undo the index one axis after the other."""
    named = sum(k is not None and k is not Ellipsis for k in key)
    free = (slice(None),) * (len(shape) - named)
    if Ellipsis in key:
        place = key.index(Ellipsis)
        key = (*key[:place], *free, *key[place + 1 :])
    else:
        key = (*key, *free)
    # Axes of `values` that are no axes of the result go, axes that an integer took come back.
    if knows_shape(values):
        sizes = iter(values.shape)
        now = [1 if isinstance(k, int) else next(sizes) for k in key]
        shaped = tuple(n for n, k in zip(now, key, strict=True) if k is not None)
        values = xp.reshape(values, shaped)
    else:
        back = {int: None, type(None): 0}
        values = values[tuple(back.get(type(k), slice(None)) for k in key)]
    for axis, k in enumerate(k for k in key if k is not None):
        values = _spread(values, axis, shape[axis], k, xp=xp)
    return values


def _spread(values: Array, axis: int, size: int, key: int | slice, *, xp: Namespace) -> Array:
    """Put the entries along `axis` where `key` took them from, among zeros."""
    if key == slice(None):
        return values
    if not is_known(size):
        raise ValueError(_UNKNOWN.format(key))
    if isinstance(key, int):
        key = slice(key % size, key % size + 1)
    start, stop, step = key.indices(size)
    count = len(range(start, stop, step))
    if count == size and step == 1:
        return values
    if step < 0:
        values = xp.flip(values, axis=axis)
        start, step = start + (count - 1) * step, -step
    if not knows_shape(values):  # no zeros can be made
        return _selected(values, axis, range(start, start + count * step, step), size, xp=xp)
    before, after = values.shape[:axis], values.shape[axis + 1 :]

    def zeros(*middle: int) -> Array:
        return xp.zeros(
            (*before, *middle, *after), dtype=values.dtype, device=device_of(values, xp=xp)
        )

    if step > 1 and count > 1:  # a gap after each entry, then without the last gap
        apart = xp.reshape(values, (*before, count, 1, *after))
        apart = xp.concat([apart, zeros(count, step - 1)], axis=axis + 1)
        apart = xp.reshape(apart, (*before, count * step, *after))
        values = apart[(*(slice(None),) * axis, slice(0, (count - 1) * step + 1), ...)]
    used = values.shape[axis]
    lead = start if count else 0
    around = [zeros(lead), values, zeros(size - lead - used)]
    return xp.concat([part for part in around if part.shape[axis]] or [zeros(size)], axis=axis)


def _selected(values: Array, axis: int, at: range, size: int, *, xp: Namespace) -> Array:
    """Return what `_spread` does, by taking an entry for each place and a selection."""
    device = device_of(values, xp=xp)
    if not at:
        values = total(values, axis=axis, keepdims=True, xp=xp)
    taken = [at.index(i) if i in at else 0 for i in range(size)]
    there = xp.asarray([i in at for i in range(size)], dtype=xp.bool, device=device)
    there = xp.reshape(there, (-1,) + (1,) * (values.ndim - 1 - axis))
    return where(there, xp.take(values, xp.asarray(taken, device=device), axis=axis), 0, xp=xp)


# ---- arrays -----------------------------------------------------------------------------------


def _summed(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Sort the values by position behind a zero for each entry, and sum runs by doubling.

    Once positions are sorted, all values of one entry are a run. After the step of length d each
    place holds the sum of up to 2 d values of its run, so the last place of a run, which is the
    zero that every entry brought, ends with the run's sum.
    """
    if not all(map(is_known, shape)):
        raise ValueError(_UNKNOWN.format(key))
    size = math.prod(shape)
    entries = xp.arange(size, dtype=xp.int64, device=device_of(values, xp=xp))
    places = xp.reshape(chosen(xp.reshape(entries, shape), key, xp=xp), (-1,))
    count = places.shape[0]
    if count is None or count != count:  # what a mask chose, on a lazy library
        msg = "how many entries a mask chose is not known; use `xp.where` instead of indexing"
        raise ValueError(msg)
    positions = xp.concat([places, entries])
    nothing = xp.zeros((size,), dtype=values.dtype, device=device_of(values, xp=xp))
    sums = xp.concat([xp.reshape(values, (-1,)), nothing])
    if sums.shape[0] == 0:
        return xp.reshape(nothing, shape)
    order = xp.argsort(positions, stable=True)
    positions, sums = xp.take(positions, order, axis=0), xp.take(sums, order, axis=0)
    step = 1
    while step <= count:
        same = positions[step:] == positions[:-step]
        more = where(same, sums[:-step], 0, xp=xp)
        sums = xp.concat([sums[:step], sums[step:] + more])
        step *= 2
    back = xp.argsort(order, stable=True)[count:]
    return xp.reshape(xp.take(sums, back, axis=0), shape)


def chosen(entries: Array, key: Any, *, xp: Namespace) -> Array:
    """Return ``entries[key]``; whole axes before one integer array are `take` in the standard."""
    if isinstance(key, tuple) and key:
        *before, last = key
        whole = all(isinstance(k, slice) and k == slice(None) for k in before)
        if whole and getattr(last, "ndim", 0) == 1 and not xp.isdtype(last.dtype, "bool"):
            return xp.take(entries, last, axis=len(before))
    return gather(entries, key, xp=xp)


# ---- taking, assigning, going along -----------------------------------------------------------


def gather(x: Array, key: Any, *, xp: Namespace) -> Array:
    """Return ``x[key]``; `key` may hold several arrays of integers on every library."""
    own = backend_of(xp).indexing.gather
    return x[key] if own is None else own(x, key)


def assign(x: Array, key: Any, value: Any, *, xp: Namespace) -> Array:
    """Return `x` with `value` at `key`, in new memory; of duplicates any one counts."""
    own = backend_of(xp).indexing.assign
    if own is not None:
        return own(x, key, value, xp=xp)
    copied = xp.astype(x, x.dtype, copy=True)
    copied[key] = value
    return copied


def scan(
    step: Callable[..., Array], start: Array, arrays: tuple[Array, ...], *, xp: Namespace
) -> Array:
    """Return `start`, and the state after each step, one for every entry of `arrays`, stacked."""
    own = backend_of(xp).indexing.scan
    if own is not None:
        return own(step, start, arrays, xp=xp)
    states = [start]
    for i in range(arrays[0].shape[0]):
        states.append(step(states[-1], *(a[i, ...] for a in arrays)))
    return xp.stack(states)


def as_index(x: Array, *, xp: Namespace) -> Array:
    """Return integers in the dtype that the library gathers by, which holds any class."""
    if x.dtype == xp.int64:
        return x
    return narrow(x, xp.arange(1, device=device_of(x, xp=xp)).dtype, xp=xp)
