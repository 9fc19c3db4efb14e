"""What may stand beside a Tensor: numbers, Tensors and arrays of the wrapped library."""

from numbers import Number
from typing import Any

from portable_losses._typing import Array
from portable_losses.autograd import namespaces as spaces

__all__ = ["raw_key", "raw_operand"]

_PYTHON = (bool, int, float, complex)


def raw_operand(x: Any, beside: Array) -> Any:
    """Return what the library of `beside` takes for `x`, NotImplemented if there is nothing.

    A scalar of another library than that of `beside` counts as a Python number.
    """
    if type(x) in _PYTHON or type(x) is type(beside):
        return x
    space = spaces.space_of(beside)
    if isinstance(x, Number):
        return x if space.owns(x) else _python_number(x)
    if not spaces.is_array(x):
        return NotImplemented
    space.check_library(x, "operand")
    return x


def _python_number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def raw_key(key: Any) -> Any:
    """Return an index with the raw arrays of its Tensors."""
    if isinstance(key, tuple):
        return tuple([getattr(k, "array", k) if hasattr(k, "_node") else k for k in key])
    return key.array if hasattr(key, "_node") else key


def raw_operand_in(space: "spaces.TapeNamespace", x: Any, name: str) -> Any:
    """Return what ``space.inner`` takes for `x`; TypeError naming both libraries otherwise."""
    if hasattr(x, "_node"):
        x = x.array
    kind = type(x)
    if kind in _PYTHON or space.knows(kind):
        return x
    if isinstance(x, Number) and not space.owns(x):
        return _python_number(x)
    space.check_library(x, name)
    return x
