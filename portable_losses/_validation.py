"""Checks of libraries, dtypes and shapes, each with its error message: no value is read.

`_options.py` checks Python numbers and names, `_values.py` the values in arrays.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from portable_losses._backend import namespace_of_type, refusal_of
from portable_losses._dtypes import computable, is_half, kind_of, narrow, widen
from portable_losses._plain import Unfit
from portable_losses._polyfill import is_known, knows_shape
from portable_losses._tape import inner_of
from portable_losses._typing import Array, Namespace

__all__ = [
    "as_floating",
    "check_axes",
    "check_axis",
    "check_bool",
    "check_broadcastable",
    "check_broadcasts_to",
    "check_classes",
    "check_even",
    "check_floating",
    "check_integer",
    "check_ndim",
    "check_real",
    "check_real_floating",
    "check_same_shape",
    "fits_into",
    "in_one_dtype",
    "namespace_of",
    "namespace_of_floating",
    "of_one_dtype",
    "same_shape",
]


def namespace_of(
    *, optional: Mapping[str, Array | None] | None = None, **arrays: Array
) -> Namespace:
    """Return the one namespace of all arrays; TypeError unless it is one.

    Arrays are given by name. Those in `optional` may be None. A Tensor of the tape goes together
    with plain arrays of the library that it wraps.
    """
    given = arrays if optional is None else {**arrays, **optional}
    found: Namespace | None = None
    for name, x in given.items():
        if x is None and name not in arrays:
            continue
        try:
            xp = namespace_of_type(x)
        except TypeError:
            raise _no_array(name, x) from None
        if found is None:
            found = xp
        elif xp is found or inner_of(found) is xp:
            continue
        elif inner_of(xp) is found:
            found = xp
        else:
            kinds = ", ".join(f"{n}: {_kind(a)}" for n, a in given.items() if a is not None)
            raise Unfit(f"all arrays must come from one library, got {kinds}")  # noqa: EM102
    return found


def namespace_of_floating(x: Array, name: str) -> Namespace:
    """Return the namespace of one array; TypeError unless its dtype is real floating.

    `namespace_of` and `check_real_floating` in one call, which is 4 % of a relu of 10 entries less.
    """
    try:
        xp = namespace_of_type(x)
    except TypeError:
        raise _no_array(name, x) from None
    if kind_of(x, xp=xp) != "real floating":
        raise _not_floating(name, x)
    return xp


def _no_array(name: str, x: object) -> Unfit:
    """Return the error of an argument that is no array, and what to write instead."""
    advice = refusal_of(type(x))
    kind = _kind(x).removeprefix("builtins.")
    if not advice:
        found = [a for k, a in _CONVERSIONS.items() if kind.startswith(k) or hasattr(x, k)]
        advice = found[0] if found else "convert it first, for example with xp.asarray"
    msg = f"`{name}` must be an array of an Array API library, got {kind}; {advice}"
    return Unfit(msg, name)


_CONVERSIONS = {  # what has an array in it, by its type or by a method, and how to get at that
    "xarray.Dataset": "pass the `.data` of one of its variables",
    "xarray.": "pass its `.data`, or call through `xarray.apply_ufunc`",
    "to_numpy": "pass its `.to_numpy()`",  # Series, DataFrames, columns: pandas, polars, pyarrow
    "toarray": "pass its `.toarray()`",  # sparse matrices
    "numpy": "pass its `.numpy()`",
}


def _kind(x: Array) -> str:
    return f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"


def check_real_floating(xp: Namespace, **arrays: Array) -> None:
    """Raise TypeError unless every array has a real floating dtype."""
    for name, x in arrays.items():
        if kind_of(x, xp=xp) != "real floating":
            raise _not_floating(name, x)


def _not_floating(name: str, x: Array) -> Unfit:
    """Return the error of an array whose dtype is not real floating."""
    return Unfit(
        f"`{name}` must have a real floating dtype, got {x.dtype}; convert it with xp.astype", name
    )


def check_real(xp: Namespace, **arrays: Array | None) -> None:
    """Raise TypeError unless every array is real floating, integer or bool."""
    for name, x in arrays.items():
        if x is not None and kind_of(x, xp=xp) == "complex floating":
            raise _not_real(name, x)


def _not_real(name: str, x: Array) -> TypeError:
    """Return the error of an array whose dtype is complex."""
    return TypeError(f"`{name}` must have a real floating, integer or bool dtype, got {x.dtype}")


def check_bool(xp: Namespace, **arrays: Array | None) -> None:
    """Raise TypeError unless every array is boolean."""
    for name, x in arrays.items():
        if x is not None and kind_of(x, xp=xp) != "bool":
            msg = f"`{name}` must have a bool dtype, got {x.dtype}"
            raise TypeError(msg)


def check_integer(xp: Namespace, **arrays: Array) -> None:
    """Raise TypeError unless every array has an integer dtype."""
    for name, x in arrays.items():
        if kind_of(x, xp=xp) != "integral":
            msg = f"`{name}` must hold class indices of an integer dtype, got {x.dtype}"
            raise TypeError(msg)


def check_same_shape(**arrays: Array) -> None:
    """Raise ValueError unless all shapes agree: silent broadcasting hides mistakes."""
    shapes = [tuple(x.shape) for x in arrays.values()]
    if not all(same_shape(shapes[0], shape) for shape in shapes[1:]):
        named = zip(arrays, shapes, strict=True)
        msg = f"shapes must be equal, got {', '.join(f'{n}: {s}' for n, s in named)}"
        if not all(map(knows_shape, arrays.values())):
            msg += "; on Dask call x.compute_chunk_sizes() first"
        raise ValueError(msg)


def same_shape(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Say whether two shapes agree; a size that is not known agrees with another such one."""
    return len(first) == len(second) and all(
        n == m or not (is_known(n) or is_known(m)) for n, m in zip(first, second, strict=True)
    )


def as_floating(xp: Namespace, **arrays: Array) -> tuple[Array, ...]:
    """Return arrays of one shape in the dtype to compute in, that of the first.

    The first must be real floating (float16 and bfloat16 become float32); the others may be
    integers and bools too.
    """
    check_floating(xp, **arrays)
    return in_one_dtype(xp, *arrays.values())


def of_one_dtype(xp: Namespace, **arrays: Array) -> tuple[Array, ...]:
    """Return what `as_floating` does, but arrays of one half dtype as they are, for `of_rows`."""
    check_floating(xp, **arrays)
    first, *others = [computable(x, xp=xp) for x in arrays.values()]
    if is_half(first, xp=xp) and all(x.dtype == first.dtype for x in others):
        return first, *others
    return in_one_dtype(xp, first, *others)


def in_one_dtype(xp: Namespace, first: Array, *others: Array | None) -> tuple[Any, ...]:
    """Return arrays in the dtype to compute in, that of the first; None stays."""
    x = widen(first, xp=xp)
    return (x, *[None if y is None else narrow(y, x.dtype, xp=xp) for y in others])


def check_floating(xp: Namespace, **arrays: Array | None) -> None:
    """Raise unless the arrays are real and of one shape, and the first of a floating dtype."""
    first: Any = None
    for name, x in arrays.items():
        if x is None:
            continue
        if first is None:
            if kind_of(x, xp=xp) != "real floating":
                raise _not_floating(name, x)
            first = x
        else:
            if x.dtype is not first.dtype and kind_of(x, xp=xp) == "complex floating":
                raise _not_real(name, x)
            if x.shape != first.shape:
                check_same_shape(**{n: x for n, x in arrays.items() if x is not None})


def check_broadcastable(**arrays: Array) -> None:
    """Raise ValueError unless the shapes broadcast to one."""
    sizes: dict[int, Any] = {}  # of the axes, from the last
    for x in arrays.values():
        for axis, n in enumerate(reversed(x.shape)):
            m = sizes.get(axis, 1)
            if m == 1 or not is_known(m):
                sizes[axis] = n
            elif not (n == 1 or n == m) and is_known(n):
                names = " and ".join(f"`{name}`" for name in arrays)
                shapes = " and ".join(str(tuple(x.shape)) for x in arrays.values())
                msg = f"{names} must have shapes that broadcast to one, got {shapes}"
                raise ValueError(msg)


def check_broadcasts_to(shape: tuple[int, ...], **arrays: Array | None) -> None:
    """Raise ValueError unless every array broadcasts to `shape` without changing it."""
    for name, x in arrays.items():
        if x is None:
            continue
        if not fits_into(x.shape, shape):
            msg = f"`{name}` must broadcast to shape {tuple(shape)}, got shape {tuple(x.shape)}"
            raise ValueError(msg)


def fits_into(own: tuple[Any, ...], shape: tuple[Any, ...]) -> bool:
    """Say whether the first shape broadcasts to the second."""
    return len(own) <= len(shape) and all(
        n == 1 or n == m or not (is_known(n) or is_known(m))  # symbolic sizes: no `in`
        for n, m in zip(reversed(own), reversed(shape), strict=False)
    )


def check_axis(axis: int, ndim: int) -> int:
    """Return `axis` counted from the front; IndexError where there is no such axis."""
    if axis.__class__ is not int and (not isinstance(axis, Integral) or isinstance(axis, bool)):
        msg = f"`axis` must be an int, got {axis!r}"
        raise TypeError(msg)
    if not -ndim <= axis < ndim:
        msg = f"`axis` must lie in [{-ndim}, {ndim}) for an array of {ndim} axes, got {axis}"
        raise IndexError(msg)
    place = ndim - 1
    while axis != place and axis != place - ndim:  # torch.compile may make a symbol of `axis`
        place -= 1
    return place


def check_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return all of `axis` (None: every axis) counted from the front; no axis twice."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(check_axis(a, ndim) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) < len(axes):
        msg = f"`axis` must not name an axis twice, got {axis}"
        raise ValueError(msg)
    return axes


def check_ndim(ndim: int, layout: str, **arrays: Array) -> None:
    """Raise ValueError unless every array has `ndim` axes, which `layout` describes."""
    for name, x in arrays.items():
        if x.ndim != ndim:
            msg = f"`{name}` must have shape {layout}, got shape {tuple(x.shape)}"
            raise ValueError(msg)


def check_even(size: int, *, name: str, axis: int) -> int:
    """Return the size of `name` along `axis`; ValueError where it has no halves."""
    if size % 2:
        msg = f"`{name}` must have an even size along axis {axis}, got {size}"
        raise ValueError(msg)
    return size


def check_classes(shape: tuple[int, ...], place: int, *, name: str) -> None:
    """Raise ValueError where nothing, or nothing known, is along the axis of the classes."""
    if shape[place] is None:
        msg = f"`{name}` must have a number of classes, got shape {shape} with axis={place}"
        raise ValueError(msg)
    if shape[place] == 0:
        msg = f"`{name}` must have at least one class, got shape {shape} with axis={place}"
        raise ValueError(msg)
