"""What NumPy makes of arguments: Tensors, of one dtype whatever the library below promotes."""

from collections.abc import Callable
from numbers import Number
from typing import Any

from array_api_compat import is_array_api_obj as is_array

from portable_losses._dtypes import kind_of
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray, raw_array

__all__ = [
    "arrays",
    "default_float",
    "default_integer",
    "exact",
    "floating",
    "home_of",
    "is_complex",
    "is_inexact",
    "lenient",
    "promoted",
    "real_floating",
    "tensor",
]

_RANKS = ("bool", "integral", "real floating", "complex floating")
_INEXACT = ("real floating", "complex floating")
_PYTHON = {bool: "bool", int: "integral", float: "real floating", complex: "complex floating"}


# ---- one array ----------------------------------------------------------------------------------


def tensor(x: Any, beside: Any = (), *, dtype: Any = None, xp: Any) -> Any:
    """Return `x` as a Tensor, where the first one is `beside` it or in it.

    Tensors and arrays of the library are taken as they are, numbers and nested lists by their
    values, and so are NumPy's integers and truth values; TypeError for other arrays.
    """
    if isinstance(x, TapeArray):
        return x
    first = _first((beside, x))
    device = None if first is None else device_of(first, xp=xp)
    made = xp.asarray(_taken(x, first, xp=xp), dtype=dtype, device=device)
    if not xp.isdtype(made.dtype, ("bool", "numeric")):
        msg = f"an array, a number, or nested lists of numbers are needed, got {x!r}"
        raise TypeError(msg)
    return made


def _taken(x: Any, first: Any, *, xp: Any) -> Any:
    """Return what the library takes for `x`; TypeError for arrays of another one."""
    if isinstance(x, list | tuple | range):
        return [_taken(v, first, xp=xp) for v in x]
    if type(x) in _PYTHON or isinstance(x, TapeArray | Number) or not is_array(x):
        return x
    return xp.library.taken(x, "operand", raw_array(first))


def home_of(*xs: Any, xp: Any) -> Any:
    """Return the device of the first Tensor in nested arguments, None where there is none."""
    first = _first(xs)
    return None if first is None else device_of(first, xp=xp)


def _first(x: Any) -> Any:
    """Return the first Tensor in nested lists and tuples, None where there is none."""
    if isinstance(x, TapeArray):
        return x
    if isinstance(x, list | tuple):
        return next((found for v in x if (found := _first(v)) is not None), None)
    return None


def is_inexact(x: Any, *, xp: Any) -> bool:
    """Say whether the Tensor `x` is of real or complex numbers."""
    return kind_of(x, xp=xp) in _INEXACT


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
    x = tensor(x, xp=xp)
    return x if is_inexact(x, xp=xp) else xp.astype(x, default_float(xp=xp))


def real_floating(x: Any, name: str, *, xp: Any) -> Any:
    """Return `x` as a Tensor of real floating numbers; TypeError for complex ones."""
    x = floating(x, xp=xp)
    if is_complex(x, xp=xp):
        msg = f"`{name}` takes real numbers only, got {x.dtype}"
        raise TypeError(msg)
    return x


def exact(x: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor of floating numbers, no less exact than the library's default ones."""
    x = floating(x, xp=xp)
    dtype = xp.result_type(x.dtype, default_float(xp=xp))
    return x if x.dtype == dtype else xp.astype(x, dtype)


# ---- several arrays -----------------------------------------------------------------------------


def arrays(*xs: Any, xp: Any) -> list[Any]:
    """Return `xs` as Tensors of one dtype."""
    if all(isinstance(x, TapeArray) for x in xs) and len({x.dtype for x in xs}) == 1:
        return list(xs)
    made = promoted(*xs, xp=xp)
    dtype = xp.result_type(*made)
    home = home_of(made, xp=xp)
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
    xs = tuple(_number(x, xp=xp) if isinstance(x, Number) else x for x in xs)
    if all(type(x) in _PYTHON for x in xs):
        xs = tuple(xp.asarray(x) for x in xs)
    beside = [x for x in xs if isinstance(x, TapeArray)]
    made: list[Any] = [x if type(x) in _PYTHON else _beside(x, beside, xp=xp) for x in xs]
    kinds = [_PYTHON.get(type(x)) or kind_of(x, xp=xp) for x in made]
    rank = max(_RANKS.index(kind) for kind in kinds)
    rank = max(rank, 2) if inexact else rank
    if rank == 0:
        return made
    made = [int(x) if x is True or x is False else x for x in made]
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


def _number(x: Any, *, xp: Any) -> Any:
    """Return a number; NumPy's scalars have a dtype beside NumPy's arrays only."""
    return x.item() if hasattr(x, "item") and not xp.library.owns(x) else x


def _beside(x: Any, tensors: list[Any], *, xp: Any) -> Any:
    """Return `x` as a Tensor, nested lists as exact as the Tensors, and where they are."""
    made = tensor(x, tensors, xp=xp)
    exact = [v.dtype for v in tensors if kind_of(v, xp=xp) == "real floating"]
    listed = isinstance(x, list | tuple) and not made.requires_grad
    if not listed or not exact or kind_of(made, xp=xp) != "real floating":
        return made
    return tensor(x, tensors, dtype=xp.result_type(made, *exact), xp=xp)


def lenient(function: Callable[..., Any], *xs: Any, xp: Any, inexact: bool = False) -> Any:
    """Return ``function(*xs)``; what the library refuses, lists and kinds that meet, converted."""
    try:
        return function(*xs)
    except (TypeError, RuntimeError):
        made = promoted(*xs, xp=xp, inexact=inexact)
        if all(a is b for a, b in zip(made, xs, strict=True)):
            raise
    return function(*made)
