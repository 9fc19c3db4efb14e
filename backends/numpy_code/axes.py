"""What a function makes of arguments that are no arrays: positions, shapes, axes."""

import math
from collections.abc import Iterable
from typing import Any

from .operands import tensor

__all__ = [
    "AxisError",
    "axes_of",
    "axis_of",
    "inserted_axes",
    "integers",
    "key",
    "positions",
    "size_of",
    "whole_shape",
]


class AxisError(ValueError, IndexError):
    """An axis that an array has not, as NumPy's error of that name."""


# ---- positions ----------------------------------------------------------------------------------


def integers(x: Any) -> Any:
    """Return an integer, or nested lists of them, for a number, lists, an array or a range."""
    if x.__class__ is int:
        return x
    if hasattr(x, "tolist"):
        x = x.tolist()
    if isinstance(x, list | tuple | range):
        return [integers(v) for v in x]
    if not hasattr(x, "__index__"):
        msg = f"an integer is needed, got {x!r}"
        raise TypeError(msg)
    return x.__index__()


def positions(x: Any, like: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of integers beside `like`; IndexError for other numbers."""
    if not hasattr(x, "dtype"):
        return tensor(integers(x), (like,), dtype=xp.int64, xp=xp)
    made = tensor(x, (like,), xp=xp)
    if xp.isdtype(made.dtype, "bool"):
        return xp.astype(made, xp.int64)
    if not xp.isdtype(made.dtype, "integral"):
        msg = f"positions must be integers, got {made.dtype}"
        raise IndexError(msg)
    return made


def size_of(shape: Iterable[int]) -> int:
    """Return the number of entries of an array of `shape`."""
    return math.prod(shape)


def whole_shape(shape: Any, size: int | None = None) -> tuple[int, ...]:
    """Return a shape, given as an integer or several, with the size that -1 stands for."""
    found = integers(shape)
    shape = tuple(found) if isinstance(found, list) else (found,)
    if size is None or shape.count(-1) != 1:
        if size is not None and size_of(shape) != size:
            msg = f"cannot reshape array of size {size} into shape {shape}"
            raise ValueError(msg)
        return shape
    others = size_of(n for n in shape if n != -1)
    if others == 0 or size % others:
        msg = f"cannot reshape array of size {size} into shape {shape}"
        raise ValueError(msg)
    return tuple(size // others if n == -1 else n for n in shape)


def key(axis: int, part: Any) -> tuple[Any, ...]:
    """Return the index that takes `part` along `axis` and all of the others."""
    return (*(slice(None),) * axis, part, ...)


# ---- axes ---------------------------------------------------------------------------------------


def axis_of(axis: Any, ndim: int) -> int:
    """Return `axis` counted from the first; AxisError where there is none such among `ndim`."""
    place: int = axis.__index__()
    if not -ndim <= place < ndim:
        msg = f"axis {place} is out of bounds for array of dimension {ndim}"
        raise AxisError(msg)
    return place % ndim


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return one axis or several, counted from the first; None: all of them."""
    if axis is None:
        return tuple(range(ndim))
    found = tuple(axis_of(a, ndim) for a in (axis if isinstance(axis, list | tuple) else (axis,)))
    if len(set(found)) < len(found):
        msg = f"repeated axis in {axis}"
        raise ValueError(msg)
    return found


def inserted_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the places of new axes in an array that has `ndim` without them."""
    count = len(axis) if isinstance(axis, list | tuple) else 1
    return axes_of(axis, ndim + count)
