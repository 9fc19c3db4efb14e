"""What may stand beside a Tensor: numbers, Tensors and arrays of the wrapped library."""

from numbers import Number
from typing import Any

from portable_losses._typing import Array
from portable_losses.autograd._libraries import Library, is_array, library_of

__all__ = ["raw_key", "raw_operand"]

_PYTHON = (bool, int, float, complex)


def raw_operand(x: Any, beside: Array) -> Any:
    """Return what the library of `beside` takes for `x`, NotImplemented if there is nothing.

    A scalar of another library than that of `beside` counts as a Python number.
    """
    if type(x) in _PYTHON or type(x) is type(beside):
        return x
    library = library_of(beside)
    if isinstance(x, Number):
        return x if library.owns(x) else _python_number(x)
    if not is_array(x):
        return NotImplemented
    library.check(x, "operand")
    return x


def _python_number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def raw_key(key: Any) -> Any:
    """Return an index with the raw arrays of its Tensors."""
    if isinstance(key, tuple):
        return tuple([getattr(k, "array", k) if hasattr(k, "_node") else k for k in key])
    return key.array if hasattr(key, "_node") else key


def raw_operand_in(library: Library, x: Any, name: str) -> Any:
    """Return what `library` takes for `x`; TypeError naming both libraries otherwise."""
    if hasattr(x, "_node"):
        x = x.array
    kind = type(x)
    if kind in _PYTHON or library.knows(kind):
        return x
    if isinstance(x, Number) and not library.owns(x):
        return _python_number(x)
    library.check(x, name)
    return x
