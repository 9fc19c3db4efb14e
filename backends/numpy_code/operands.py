"""What a function makes of its arguments first: Tensors of one dtype, positions, axes."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray

from .names import array, dtype_of

__all__ = [
    "AxisError",
    "arrays",
    "axes_of",
    "axis_of",
    "beside",
    "default_float",
    "device_like",
    "floating",
    "home_of",
    "inserted_axes",
    "integers",
    "is_inexact",
    "key",
    "kind_of",
    "positions",
    "promoted",
    "size_of",
    "whole_shape",
]

_KINDS = ("bool", "integral", "real floating", "complex floating")


class AxisError(ValueError, IndexError):
    """An axis that an array has not, as NumPy's error of that name."""


# ---- arrays -------------------------------------------------------------------------------------


def kind_of(x: Any, *, xp: Any) -> int:
    """Return the place of the dtype of `x`, or of a dtype, in bool < integer < real < complex."""
    dtype = getattr(x, "dtype", None) if isinstance(x, TapeArray) else x
    return next(i for i in reversed(range(4)) if xp.isdtype(dtype, _KINDS[i]))


def is_inexact(x: Any, *, xp: Any) -> bool:
    """Say whether `x` is real or complex, not of integers or truth values."""
    return kind_of(x, xp=xp) > 1


def home_of(*xs: Any, xp: Any) -> Any:
    """Return the device of the first Tensor in nested arguments, None where there is none."""
    found = _first(xs)
    return None if found is None else device_like(found, xp=xp)


def device_like(x: Any, *, xp: Any) -> Any:
    """Return the device of the Tensor `x`."""
    return device_of(x, xp=xp)


def _first(x: Any) -> Any:
    """Return the first Tensor in nested lists and tuples, None where there is none."""
    if isinstance(x, TapeArray):
        return x
    if isinstance(x, list | tuple):
        return next((found for v in x if (found := _first(v)) is not None), None)
    return None


def arrays(*xs: Any, xp: Any) -> list[Any]:
    """Return all as Tensors of one dtype on one device; lists are as exact as the Tensors."""
    like = [x for x in map(_first, xs) if x is not None and is_inexact(x, xp=xp)]
    exact = xp.result_type(*like) if like else None
    home = home_of(xs, xp=xp)
    return promoted(*[_made(x, exact, home, xp=xp) for x in xs], xp=xp)


def _made(x: Any, exact: Any, home: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor, a list of numbers no less exact than the dtype `exact`."""
    if isinstance(x, TapeArray):
        return x
    if hasattr(x, "__array_namespace__") or _first(x) is not None:
        return array(_plain(x), xp=xp)
    made = xp.asarray(_plain(x), device=home)
    if exact is None or not is_inexact(made, xp=xp):
        return made
    if xp.finfo(made.dtype).eps <= xp.finfo(exact).eps:
        return made
    return xp.asarray(_plain(x), dtype=xp.result_type(made.dtype, exact), device=home)


def _plain(x: Any) -> Any:
    """Return `x` with tuples as lists, and NumPy's scalars as Python's."""
    if isinstance(x, list | tuple):
        return [_plain(v) for v in x]
    if isinstance(x, TapeArray) or getattr(x, "shape", None) != () or not hasattr(x, "item"):
        return x
    return x.item()


def promoted(*xs: Any, xp: Any) -> list[Any]:
    """Return Tensors in the dtype that they have together: integers take that of the rest."""
    if len({x.dtype for x in xs}) < 2:
        return list(xs)
    kinds = [kind_of(x, xp=xp) for x in xs]
    try:
        dtype = xp.result_type(*xs)
    except TypeError:  # array-api-strict promotes within a kind alone
        dtype = _across(xs, kinds, xp=xp)
    return [x if x.dtype == dtype else xp.astype(x, dtype) for x in xs]


def _across(xs: Sequence[Any], kinds: Sequence[int], *, xp: Any) -> Any:
    """Return the dtype of arrays of several kinds."""
    highest = [x.dtype for x, kind in zip(xs, kinds, strict=True) if kind == max(kinds)]
    reals = [x.dtype for x, kind in zip(xs, kinds, strict=True) if kind == 2]
    return xp.result_type(*highest, *(reals if max(kinds) == 3 else ()))


def beside(x: Any, others: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor on the device of `others`, in a dtype of its own."""
    return _made(x, None, home_of(others, xp=xp), xp=xp)


def floating(x: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of real or complex numbers; integers become the library's default."""
    (x,) = arrays(x, xp=xp)
    return x if is_inexact(x, xp=xp) else xp.astype(x, default_float(xp=xp))


def default_float(*, xp: Any) -> Any:
    """Return the dtype of NumPy's floats, or the library's own where it has none of them."""
    return dtype_of("float64", xp=xp)


# ---- positions ----------------------------------------------------------------------------------


def integers(x: Any) -> Any:
    """Return an integer, or nested lists of them, for a number, lists, an array or a range."""
    if hasattr(x, "tolist"):
        x = x.tolist()
    if isinstance(x, list | tuple | range):
        return [integers(v) for v in x]
    return x.__index__()


def positions(x: Any, like: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of integers beside `like`: a Tensor of them as it is."""
    if isinstance(x, TapeArray):
        return x
    return xp.asarray(integers(x), dtype=xp.int64, device=device_like(like, xp=xp))


def size_of(shape: Iterable[int]) -> int:
    """Return the number of entries of an array of `shape`."""
    return math.prod(shape)


def whole_shape(shape: Any, size: int | None = None) -> tuple[int, ...]:
    """Return a shape, given as an integer or several, with the size that -1 stands for."""
    found = integers(shape)
    shape = tuple(found) if isinstance(found, list) else (found,)
    if size is None or shape.count(-1) != 1:
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
