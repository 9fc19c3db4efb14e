"""NumPy's `pad`, windows of an array, and functions applied along axes."""

from collections.abc import Callable
from math import prod
from typing import Any

from portable_losses._polyfill import device_of

from .axes import axes_of, axis_of, key, positions, whole_shape
from .names import named
from .operands import arrays, default_float, is_inexact, tensor
from .shapes import moved

__all__ = ["apply_along_axis", "pad", "windows"]

Pair = tuple[Any, Any]


# ---- padding ------------------------------------------------------------------------------------


@named("pad")
def pad(array: Any, pad_width: Any, mode: Any = "constant", *, xp: Any, **kwargs: Any) -> Any:
    """Return the array with more entries before and behind along every axis."""
    a = tensor(array, xp=xp)
    if mode not in _KEPT_OPTIONS:
        _refuse_mode(mode)
    extra = set(kwargs) - set(_KEPT_OPTIONS[mode])
    if extra:
        msg = f"unsupported keyword arguments for mode '{mode}': {extra}"
        raise ValueError(msg)
    for axis, width in enumerate(_pairs(pad_width, a.ndim, dictionary=True)):
        before, behind = (int(n) for n in width)
        if before < 0 or behind < 0:
            msg = "index can't contain negative values"
            raise ValueError(msg)
        if before or behind:
            a = _padded(a, axis, (before, behind), mode, kwargs, xp=xp)
    return a


_KEPT_OPTIONS = {
    "constant": ("constant_values",),
    "linear_ramp": ("end_values",),
    "edge": (),
    "wrap": (),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "maximum": ("stat_length",),
    "minimum": ("stat_length",),
    "mean": ("stat_length",),
    "median": ("stat_length",),
}


def _refuse_mode(mode: Any) -> None:
    what = "'empty', whose entries are anything" if mode == "empty" else repr(mode)
    msg = f"`mode` of `pad` on a Tensor must be one of {', '.join(_KEPT_OPTIONS)}, got {what}"
    raise ValueError(msg)


def _pairs(given: Any, ndim: int, *, dictionary: bool = False) -> list[Pair]:
    """Return what is before and behind every axis, given once, once for all axes, or for each."""
    if dictionary and isinstance(given, dict):
        found: list[Any] = [(0, 0)] * ndim
        for axis, width in given.items():
            found[axis_of(axis, ndim)] = width if isinstance(width, tuple | list) else (width,) * 2
        return [(a, b) for a, b in found]
    if hasattr(given, "shape") and given.shape != ():
        given = [list(row) if getattr(row, "shape", ()) != () else row for row in given]
    if not isinstance(given, list | tuple):
        return [(given, given)] * ndim
    rows = [list(r) if isinstance(r, list | tuple) else r for r in given]
    if all(isinstance(r, list) for r in rows):
        rows = [r * 2 if len(r) == 1 else r for r in rows]
        rows = rows * ndim if len(rows) == 1 else rows
        if len(rows) != ndim:
            msg = f"one pair for each of {ndim} axes is needed, got {len(rows)}"
            raise ValueError(msg)
        return [(r[0], r[1]) for r in rows]
    return [(rows[0], rows[-1])] * ndim


def _padded(
    a: Any, axis: int, width: tuple[int, int], mode: str, options: dict[str, Any], *, xp: Any
) -> Any:
    """Return `a`, padded along one axis."""
    if mode in _POSITIONS:
        n = a.shape[axis]
        if not n:
            msg = f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
            raise ValueError(msg)
        if options.get("reflect_type", "even") == "odd":
            return _oddly(a, axis, width, mode, xp=xp)
        places = [_POSITIONS[mode](i, n) for i in range(-width[0], n + width[1])]
        return xp.take(a, positions(places, a, xp=xp), axis=axis)
    sides = [
        _side(a, axis, count, end, mode, options, xp=xp) for end, count in enumerate(width) if count
    ]
    return xp.concat(
        [*(sides[:1] if width[0] else ()), a, *(sides[-1:] if width[1] else ())], axis=axis
    )


def _reflected(i: int, n: int) -> int:
    """Return where the entry `i` comes from if both ends are mirrors, in the middle of an entry."""
    i %= max(2 * (n - 1), 1)
    return min(i, 2 * (n - 1) - i)


def _mirrored(i: int, n: int) -> int:
    """Return where the entry `i` comes from if both ends are mirrors, behind the last entry."""
    i %= 2 * n
    return min(i, 2 * n - 1 - i)


_POSITIONS: dict[str, Callable[[int, int], int]] = {
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "wrap": lambda i, n: i % n,
    "reflect": _reflected,
    "symmetric": _mirrored,
}


def _oddly(a: Any, axis: int, width: tuple[int, int], mode: str, *, xp: Any) -> Any:
    """Return `a` turned about its ends, over and over: twice the end less the mirrored entry."""
    n = a.shape[axis]
    if n == 1:
        return _padded(a, axis, width, "edge", {}, xp=xp)
    ends = [a[key(axis, slice(0, 1))], a[key(axis, slice(n - 1, n))]]
    period = n if mode == "symmetric" else n - 1
    shift = 2 * (ends[1] - ends[0])
    # Two periods further the entries are larger by `shift`; an odd period mirrors them.
    parts: list[Any] = []
    for i in range(-width[0], n + width[1]):
        turns, rest = divmod(i, 2 * period)
        if rest < n:
            value = a[key(axis, slice(rest, rest + 1))]
        else:
            back = 2 * period - rest - (1 if mode == "symmetric" else 0)
            value = 2 * ends[1] - a[key(axis, slice(back, back + 1))]
        parts.append(value + turns * shift if turns else value)
    return xp.concat(parts, axis=axis)


def _side(
    a: Any, axis: int, count: int, end: int, mode: str, options: dict[str, Any], *, xp: Any
) -> Any:
    """Return the `count` entries before (end 0) or behind (end 1) an axis."""
    shape = (*a.shape[:axis], count, *a.shape[axis + 1 :])
    if mode in ("constant", "linear_ramp"):
        name = "constant_values" if mode == "constant" else "end_values"
        value = _value(a, _pairs(options.get(name, 0), a.ndim)[axis][end], xp=xp)
        if mode == "constant":
            return xp.broadcast_to(value, shape)
        return _ramp(a, axis, count, end, value, xp=xp)
    length = _pairs(options.get("stat_length"), a.ndim)[axis][end]
    n = a.shape[axis]
    taken = n if length is None else min(int(length), n)
    if taken < 1:
        msg = f"stat_length of 0 yields no value for padding, along axis {axis}"
        raise ValueError(msg)
    part = a[key(axis, slice(n - taken, n) if end else slice(0, taken))]
    return xp.broadcast_to(_STATISTICS[mode](part, axis, xp), shape)


def _value(a: Any, value: Any, *, xp: Any) -> Any:
    """Return a number as a Tensor of the dtype of `a`."""
    made = arrays(a, value, xp=xp)[1]
    return made if made.dtype == a.dtype else xp.astype(made, a.dtype)


def _ramp(a: Any, axis: int, count: int, end: int, value: Any, *, xp: Any) -> Any:
    """Return entries from `value` towards the edge of `a`, which is not among them."""
    n = a.shape[axis]
    edge = a[key(axis, slice(n - 1, n) if end else slice(0, 1))]
    kind = a.dtype if is_inexact(a, xp=xp) else default_float(xp=xp)
    steps = [i / count for i in range(count)]
    weight = xp.asarray(steps[::-1] if end else steps, dtype=kind, device=device_of(a, xp=xp))
    weight = xp.reshape(weight, (-1,) + (1,) * (a.ndim - 1 - axis))
    edge, value = (xp.astype(x, kind) for x in (edge, value))
    return xp.astype(value + (edge - value) * weight, a.dtype)


def _mean(x: Any, axis: int, xp: Any) -> Any:
    """Return the mean along an axis; of integers, the nearest integer."""
    if is_inexact(x, xp=xp):
        return xp.mean(x, axis=axis, keepdims=True)
    mean = xp.mean(xp.astype(x, default_float(xp=xp)), axis=axis, keepdims=True)
    return xp.astype(xp.round(mean), x.dtype)


def _median(x: Any, axis: int, xp: Any) -> Any:
    """Return the middle entry along an axis, or the mean of both."""
    n = x.shape[axis]
    x = xp.sort(x, axis=axis)
    return _mean(x[key(axis, slice((n - 1) // 2, n // 2 + 1))], axis, xp)


_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": lambda x, axis, xp: xp.max(x, axis=axis, keepdims=True),
    "minimum": lambda x, axis, xp: xp.min(x, axis=axis, keepdims=True),
    "mean": _mean,
    "median": _median,
}


# ---- windows ------------------------------------------------------------------------------------


def windows(x: Any, size: int, axis: int, *, xp: Any) -> Any:
    """Return every `size` neighbours along an axis, along a new last axis."""
    n = x.shape[axis] - size + 1
    if size < 0 or n < 1:
        msg = "window shape cannot be larger than input array shape"
        raise ValueError(msg)
    first, step = (xp.arange(k, dtype=xp.int64, device=device_of(x, xp=xp)) for k in (n, size))
    taken = xp.take(x, xp.reshape(first[:, None] + step[None, :], (-1,)), axis=axis)
    apart = xp.reshape(taken, (*x.shape[:axis], n, size, *x.shape[axis + 1 :]))
    return xp.moveaxis(apart, axis + 1, -1)


@named("lib.stride_tricks.sliding_window_view")
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
    xp: Any,
) -> Any:
    """Return every window of a shape, a copy: its axes are the last ones."""
    x = tensor(x, xp=xp)
    sizes = whole_shape(window_shape)
    given = axis if isinstance(axis, list | tuple) else (axis,)
    places = range(x.ndim) if axis is None else [axis_of(i, x.ndim) for i in given]
    if len(sizes) != len(places):
        msg = f"`window_shape` must have one size for each of {len(places)} axes, got {len(sizes)}"
        raise ValueError(msg)
    for size, place in zip(sizes, places, strict=True):
        x = windows(x, size, place, xp=xp)
    return x


# ---- a function of the user's along axes --------------------------------------------------------


@named("apply_along_axis")
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, xp: Any, **kwargs: Any
) -> Any:
    """Return what a function makes of every line along an axis, in the place of that line."""
    a = tensor(arr, xp=xp)
    axis = axis_of(axis, a.ndim)
    lines = moved(a, axis, -1, xp=xp)
    outer = lines.shape[:-1]
    if not prod(outer):
        msg = "Cannot apply_along_axis when any iteration dimensions are 0"
        raise ValueError(msg)
    flat = xp.reshape(lines, (-1, a.shape[axis]))
    made = xp.stack(arrays(*[func1d(line, *args, **kwargs) for line in xp.unstack(flat)], xp=xp))
    inner = made.shape[1:]
    made = xp.reshape(made, (*outer, *inner))
    places = tuple(range(len(outer), len(outer) + len(inner)))
    return xp.moveaxis(made, places, tuple(range(axis, axis + len(inner)))) if inner else made


@named("apply_over_axes")
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any, *, xp: Any) -> Any:
    """Return what a function makes of the array along one axis after the other."""
    x = tensor(a, xp=xp)
    given = axes if isinstance(axes, list | tuple) else (axes,)
    for axis in axes_of(tuple(given), x.ndim):
        made = func(x, axis)
        x = made if made.ndim == x.ndim else xp.expand_dims(made, axis=axis)
    return x
