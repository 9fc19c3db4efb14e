"""What is no array of the library at hand, and is made one: numbers, nested lists, NumPy's arrays.

Nothing here runs where all arguments are arrays: a check that meets something else raises `Unfit`,
and who called the function makes arrays and calls it again.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter
from numbers import Number
from types import UnionType
from typing import Any, get_args

from array_api_compat import is_array_api_obj, is_numpy_array

from portable_losses._backend import namespace_of_type, refusal_of
from portable_losses._dtypes import is_half, kind_of
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace, Options

__all__ = [
    "Unfit",
    "array_of_plain",
    "call_with_plain",
    "default_floating",
    "is_plain",
    "numpy_or",
]


class Unfit(TypeError):  # noqa: N818 - who sees it sees a TypeError
    """An argument, `name`, that is no array of the library, or none of the right dtype."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


def numpy_or(xp: Namespace | None, name: str = "xp") -> Namespace:
    """Return `xp`, and NumPy for None; `name` is the argument whose default it is."""
    if xp is not None:
        return xp
    try:
        return import_module("array_api_compat.numpy")
    except ModuleNotFoundError as error:
        advice = "pass " + ("the namespace" if name == "xp" else "an array") + " of a library"
        msg = f"`{name}` is NumPy's by default, which is not installed; {advice}"
        raise ModuleNotFoundError(msg) from error


def is_plain(x: Any) -> bool:
    """Say whether `x` is a number or a list, and no array."""
    return isinstance(x, Number | list | tuple | range) and not hasattr(x, "dtype")


def array_of_plain(
    data: Any, name: str, *, xp: Namespace, dtype: Any = None, device: Any = None
) -> Array:
    """Return a number or nested lists as an array; the error of what is neither names it."""
    wanted = f"`{name}` must be an array, a number, or nested lists of numbers"
    try:
        made: Array = xp.asarray(data, dtype=dtype, device=device)
    except ValueError as error:  # lists of different lengths
        msg = f"{wanted} of one length: {error}"
        raise ValueError(msg) from None
    except (OverflowError, RuntimeError, TypeError) as error:
        msg = f"{wanted}: {error}"
        raise TypeError(msg) from None
    if not xp.isdtype(made.dtype, ("bool", "numeric")):
        msg = f"{wanted}, got entries of dtype {made.dtype}"
        raise TypeError(msg)
    return made


def default_floating(xp: Namespace, device: Any = None) -> Any:
    """Return the dtype that the library gives to Python's floating numbers."""
    return xp.asarray(0.5, device=device).dtype


# ---- the arguments of a public function --------------------------------------------------------


def call_with_plain(
    unfit: Unfit,
    call: Callable[..., Any],
    parameters: Mapping[str, Parameter],
    options_alone: frozenset[str],
    args: tuple[Any, ...],
    options: Options,
) -> Any:
    """Call a function with arrays for numbers, for nested lists, and for NumPy's beside Tensors.

    They are of the library of the other arguments; NumPy's where there is no array. Floating
    numbers have the dtype of the first floating argument, integers become floating where the
    function wants that. Where nothing can be made an array, `unfit` is raised again: those in
    `options_alone` are numbers, whatever the annotation says.
    """
    given = dict(zip(parameters, args, strict=False)) | options
    plain = {
        name
        for name, x in given.items()
        if name not in options_alone and is_plain(x) and _takes(parameters[name].annotation, x)
    }
    numpys = {n for n, x in given.items() if is_numpy_array(x)}
    beside_tensors = any(isinstance(x, TapeArray) for x in given.values())
    if not plain and not (beside_tensors and numpys):
        raise unfit
    like = _example(given)
    xp = numpy_or(None, next(iter(given))) if like is None else namespace_of_type(like)
    device = None if like is None else device_of(like, xp=xp)
    floating = _floating_dtype(like, xp=xp, device=device)
    arrays: dict[str, Array] = {}
    for name in plain:
        made = array_of_plain(given[name], name, xp=xp, device=device)
        if kind_of(made, xp=xp) == "real floating":  # not rounded to the default dtype before
            made = array_of_plain(given[name], name, xp=xp, dtype=floating, device=device)
        arrays[name] = made
    if beside_tensors and not is_numpy_array(like):
        arrays |= {name: xp.asarray(given[name], device=device, copy=True) for name in numpys}
    if not arrays:
        raise unfit
    given |= arrays
    while True:
        by_place = [given[name] for name in list(parameters)[: len(args)]]
        try:
            return call(*by_place, **{name: given[name] for name in options})
        except Unfit as error:
            name = error.name
            if name not in plain or kind_of(given[name], xp=xp) not in ("integral", "bool"):
                raise
            given[name] = xp.astype(given[name], floating)


def _example(given: Mapping[str, Any]) -> Array | None:
    """Return the array that the others are to be like: of a Tensor if there is one, floating."""
    tensors = [x.array for x in given.values() if isinstance(x, TapeArray)]
    arrays = tensors or [
        x for x in given.values() if is_array_api_obj(x) and not refusal_of(type(x))
    ]
    floating = (x for x in arrays if kind_of(x, xp=namespace_of_type(x)) == "real floating")
    return next(floating, arrays[0] if arrays else None)


def _floating_dtype(like: Array | None, *, xp: Namespace, device: Any) -> Any:
    """Return the dtype of floating numbers beside `like`, of which they are not to lose digits."""
    if like is None or kind_of(like, xp=xp) != "real floating":
        return default_floating(xp, device)
    return xp.float32 if is_half(like, xp=xp) else like.dtype


def _takes(annotation: Any, x: Any) -> bool:
    """Say whether an argument may be an array; a number is one only where it is not an option."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return Any in kinds and not (float in kinds and isinstance(x, Number))
