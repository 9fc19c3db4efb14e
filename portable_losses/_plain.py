"""Numbers and nested lists where arrays are expected, and the library that such arrays are of."""

from importlib import import_module
from numbers import Number
from typing import Any

from portable_losses._typing import Array, Namespace

__all__ = ["array_of_plain", "default_floating", "is_plain", "numpy_or"]


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


def array_of_plain(data: Any, name: str, *, xp: Namespace, device: Any = None) -> Array:
    """Return a number or nested lists as an array; the error of what is neither names it."""
    wanted = f"`{name}` must be an array, a number, or nested lists of numbers"
    try:
        made: Array = xp.asarray(data, device=device)
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
