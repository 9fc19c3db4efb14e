"""What NumPy makes of arguments: Tensors of one dtype, whatever the library below promotes."""

from collections.abc import Callable
from numbers import Number
from typing import Any

from portable_losses._dtypes import kind_of
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray

from .names import array

__all__ = [
    "arrays",
    "default_float",
    "default_integer",
    "exact",
    "floating",
    "is_complex",
    "lenient",
    "promoted",
]

_RANKS = ("bool", "integral", "real floating", "complex floating")
_INEXACT = ("real floating", "complex floating")
_PYTHON = {bool: "bool", int: "integral", float: "real floating", complex: "complex floating"}


def default_float(*, xp: Any) -> Any:
    """Return the library's default dtype of real numbers."""
    return xp.__array_namespace_info__().default_dtypes()["real floating"]


def default_integer(*, xp: Any) -> Any:
    """Return the library's default dtype of integers."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def is_complex(x: Any, *, xp: Any) -> bool:
    """Say whether the Tensor `x` has a complex dtype."""
    return kind_of(x, xp=xp) == "complex floating"


def floating(x: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of a floating dtype, real or complex."""
    x = array(x, xp=xp)
    return x if kind_of(x, xp=xp) in _INEXACT else xp.astype(x, default_float(xp=xp))


def exact(x: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of floating numbers, no less exact than the library's default ones."""
    x = floating(x, xp=xp)
    dtype = xp.result_type(x.dtype, default_float(xp=xp))
    return x if x.dtype == dtype else xp.astype(x, dtype)


def arrays(*xs: Any, xp: Any) -> list[Any]:
    """Return `xs` as Tensors of one dtype."""
    if all(isinstance(x, TapeArray) for x in xs) and len({x.dtype for x in xs}) == 1:
        return list(xs)
    made = promoted(*xs, xp=xp)
    dtype = xp.result_type(*made)
    home = _home(made, xp=xp)
    return [
        xp.asarray(x, dtype=dtype, device=home)
        if type(x) in _PYTHON
        else (x if x.dtype == dtype else xp.astype(x, dtype))
        for x in made
    ]


def promoted(*xs: Any, xp: Any, inexact: bool = False) -> list[Any]:
    """Return `xs` as the standard takes them: Tensors of one kind of dtype, and Python numbers.

    Integers and truth values beside floating numbers become floating, with `inexact` all do. A
    Python number stays one, as it has no dtype of its own, unless there is nothing else.
    """
    if all(type(x) in _PYTHON for x in xs):
        xs = tuple(xp.asarray(x) for x in xs)
    beside = [x for x in xs if isinstance(x, TapeArray)]
    made = [x if type(x) in _PYTHON else _beside(x, beside, xp=xp) for x in xs]
    kinds = [_PYTHON.get(type(x)) or kind_of(x, xp=xp) for x in made]
    rank = max(_RANKS.index(kind) for kind in kinds)
    rank = max(rank, 2) if inexact else rank
    if rank == 0:
        return made
    wanted = _INEXACT if rank >= 2 else (_RANKS[1],)
    pairs = list(zip(made, kinds, strict=True))
    found = [x.dtype for x, kind in pairs if kind in wanted and type(x) not in _PYTHON]
    if found:
        dtype = _together([x for x in made if isinstance(x, TapeArray)], found, xp=xp)
    else:
        dtype = default_float(xp=xp) if rank >= 2 else default_integer(xp=xp)
    return [x if type(x) in _PYTHON or kind in wanted else xp.astype(x, dtype) for x, kind in pairs]


def _together(tensors: list[Any], found: list[Any], *, xp: Any) -> Any:
    """Return the dtype of Tensors of several kinds, of the highest of which `found` has the dtypes.

    It is the library's own: of float32 and int64 NumPy makes float64, PyTorch and JAX float32.
    """
    try:
        return xp.result_type(*tensors)
    except TypeError:  # array-api-strict has none for kinds that meet
        return xp.result_type(*found)


def _beside(x: Any, tensors: list[Any], *, xp: Any) -> Any:
    """Return `x` as a Tensor, nested lists as exact as the Tensors, and where they are."""
    if not isinstance(x, list | tuple):
        return array(x, xp=xp)
    made = xp.asarray(x, device=_home(tensors, xp=xp))
    exact = [v.dtype for v in tensors if kind_of(v, xp=xp) == "real floating"]
    if made.requires_grad or not exact or kind_of(made, xp=xp) != "real floating":
        return made
    return xp.asarray(x, dtype=xp.result_type(made, *exact), device=made.device)


def _home(xs: list[Any], *, xp: Any) -> Any:
    """Return the device of the first Tensor, None where there is none."""
    return next((device_of(x, xp=xp) for x in xs if isinstance(x, TapeArray)), None)


def lenient(function: Callable[..., Any], *xs: Any, xp: Any, inexact: bool = False) -> Any:
    """Return ``function(*xs)``; what the library refuses, lists and kinds that meet, converted."""
    try:
        return function(*xs)
    except (TypeError, RuntimeError):
        for x in xs:
            if not isinstance(x, TapeArray | Number | list | tuple):
                xp.library.check(x, "operand")  # nothing of another library is converted
        made = promoted(*xs, xp=xp, inexact=inexact)
        if all(a is b for a, b in zip(made, xs, strict=True)):
            raise
    return function(*made)
