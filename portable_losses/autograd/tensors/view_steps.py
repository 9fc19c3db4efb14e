"""The steps from a Tensor to a view of it, forwards and backwards.

A step is a function of the standard, or indexing, with the arguments of its call.
"""

from collections.abc import Callable
from numbers import Integral
from operator import attrgetter
from typing import Any, NoReturn, TypeAlias

from portable_losses._typing import Array
from portable_losses.autograd._libraries import library_of

__all__ = [
    "UNKNOWN",
    "VIEWS",
    "Step",
    "backward",
    "forward",
    "is_basic",
    "is_view_key",
    "parts_of",
    "refuse",
]

Step: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]  # name, arguments, options
UNKNOWN: Step = ("", ("",), {})  # a step that may have made a copy


def is_view_key(key: Any, out: Array) -> bool:
    """Say whether ``out = x[key]`` is a view of `x`: basic indexing that leaves an axis.

    As in NumPy, a key of nothing but integers that takes a single entry gives a number.
    """
    kind = key.__class__
    if kind is slice or key is None or key is Ellipsis:
        return True
    sliced = False
    for k in key if kind is tuple else (key,):
        if not is_basic(k):
            return False
        sliced = sliced or not isinstance(k, Integral)
    return sliced or out.ndim > 0


def is_basic(k: Any) -> bool:
    """Say whether a part of a key is an integer, a slice, None or an ellipsis."""
    kind = k.__class__
    if kind is slice or kind is int or k is None or k is Ellipsis:
        return True
    return isinstance(k, Integral) and kind is not bool


def parts_of(key: Any) -> tuple[Any, ...]:
    """Return the parts of a key, one for each axis that it names."""
    return key if isinstance(key, tuple) else (key,)


# ---- every step, forwards and backwards ---------------------------------------------------------


def forward(step: Step, x: Any) -> Any:
    """Return what the step shows of `x`."""
    name, args, options = step
    if name == "getitem":
        return x[args[0]]
    shown: Any = attrgetter(name)(library_of(x.array).tape)(x, *args, **options)
    return shown


def backward(step: Step, x: Any, new: Any) -> Any:
    """Return what becomes of `x` when what the step showed of it becomes `new`."""
    name, args, options = step
    return VIEWS[name](library_of(x.array).tape, x, new, *args, **options)


def _index(xp: Any, x: Any, new: Any, key: Any) -> Any:
    """Return `x` with `new` at `key`."""
    parts = parts_of(key)
    if None in parts:  # array-api-strict assigns to no key with None
        key = tuple(k for k in parts if k is not None)
        new = xp.reshape(new, x[key].shape)
    return xp.setitem(x, key, new)


def _reshape(xp: Any, x: Any, new: Any, *_: Any, **__: Any) -> Any:
    return xp.reshape(new, x.shape)


def _permute_dims(xp: Any, x: Any, new: Any, /, axes: tuple[int, ...]) -> Any:
    places = [a % len(axes) for a in axes]
    return xp.permute_dims(new, tuple(places.index(i) for i in range(len(axes))))


def _moveaxis(xp: Any, x: Any, new: Any, source: Any, destination: Any, /) -> Any:
    return xp.moveaxis(new, destination, source)


def _matrix_transpose(xp: Any, x: Any, new: Any, /) -> Any:
    return xp.matrix_transpose(new)


def _flip(xp: Any, x: Any, new: Any, /, *, axis: Any = None) -> Any:
    return xp.flip(new, axis=axis)


def refuse(what: str) -> NoReturn:
    """Raise RuntimeError for an update of `what`."""
    msg = f"{what}; copy it with `xp.asarray(x, copy=True)`, or update the original"
    raise RuntimeError(msg)


def _broadcast_to(xp: Any, x: Any, new: Any, *_: Any, **__: Any) -> NoReturn:
    refuse("what `broadcast_to` returns is not updated in place: several entries are one")


def _part(xp: Any, x: Any, new: Any, *_: Any, **__: Any) -> NoReturn:
    refuse("what `real`, `imag` and `diagonal` return is not updated in place")


# The functions that return views in NumPy, and how an update goes back through them.
VIEWS: dict[str, Callable[..., Any]] = {
    "getitem": _index,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "permute_dims": _permute_dims,
    "moveaxis": _moveaxis,
    "matrix_transpose": _matrix_transpose,
    "linalg.matrix_transpose": _matrix_transpose,
    "flip": _flip,
    "broadcast_to": _broadcast_to,
    "real": _part,
    "imag": _part,
    "linalg.diagonal": _part,
}
