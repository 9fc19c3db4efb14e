"""From Tensors to the arrays of the wrapped library: operands, keys, nested arguments."""

from numbers import Number
from typing import Any

from array_api_compat import is_numpy_array

from portable_losses._dtypes import kind_of
from portable_losses._plain import array_of_plain
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray
from portable_losses._typing import Array
from portable_losses.autograd._libraries import Library, is_array, library_of
from portable_losses.autograd.graph.node import Node

__all__ = ["is_tracked", "raw_argument", "raw_key", "raw_operand", "raw_tree", "unwrap"]

_PYTHON = (bool, int, float, complex)


def unwrap(x: Any) -> tuple[Any, Node | None]:
    """Return the raw array (or `x` itself where it is no Tensor) and the node, if any."""
    return (x.array, x._node) if isinstance(x, TapeArray) else (x, None)


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
        return _of_list(x, beside) if isinstance(x, list | tuple) else NotImplemented
    return library.taken(x, "operand", beside)


def _of_list(x: Any, beside: Array) -> Array:
    """Return nested lists of numbers as an array; tracked Tensors in them raise TypeError."""
    if is_tracked(x):
        msg = "a list of tracked Tensors is no operand; join them by `np.stack` (`xp.stack`)"
        raise TypeError(msg)
    library, xp = library_of(beside), library_of(beside).xp
    listed, device = raw_tree(x, library, "operand"), device_of(beside, xp=library.xp)
    made = xp.asarray(listed, device=device)
    if kind_of(made, xp=xp) == kind_of(beside, xp=xp) == "real floating":
        dtype = xp.result_type(made, beside)  # not rounded to the library's default before
        made = made if made.dtype == dtype else xp.asarray(listed, dtype=dtype, device=device)
    return made


def raw_argument(library: Library, x: Any, name: str) -> Any:
    """Return what a function of `library` takes for `x`; TypeError naming both libraries if not."""
    if isinstance(x, TapeArray):
        x = x.array
    kind = type(x)
    if kind in _PYTHON or library.knows(kind):
        return x
    if isinstance(x, Number) and not library.owns(x):
        return _python_number(x)
    library.check(x, name)
    return x


def _python_number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def raw_key(key: Any, beside: Array) -> Any:
    """Return an index of `beside` with arrays of its library for Tensors, lists and NumPy's."""
    if isinstance(key, tuple):
        return tuple([_raw_part(k, beside) for k in key])
    return _raw_part(key, beside)


def _raw_part(k: Any, beside: Array) -> Any:
    """Return a part of a key as the library of `beside` takes it."""
    kind = k.__class__
    if kind is slice or kind is int or k is None or k is Ellipsis or kind is beside.__class__:
        return k
    if isinstance(k, TapeArray):
        return k.array
    if kind in _LISTED or (is_numpy_array(k) and k.ndim):
        return _positions(k, beside)
    return k


def _positions(given: Any, beside: Array) -> Array:
    """Return positions, or truth values, as an array of the library of `beside`."""
    xp = library_of(beside).xp
    device = device_of(beside, xp=xp)
    if is_numpy_array(given):
        return xp.asarray(given, device=device)
    if len(given):
        return array_of_plain(list(given), "key", xp=xp, device=device)
    return xp.zeros(0, dtype=xp.int64, device=device)


_LISTED = frozenset([list, range])


def raw_tree(x: Any, library: Library, name: str) -> Any:
    """Return nested arguments with raw arrays for Tensors."""
    if isinstance(x, TapeArray):
        library.check(x.array, name)
        return x.array
    if isinstance(x, list):
        return [raw_tree(v, library, name) for v in x]
    if type(x) is tuple:
        return tuple(raw_tree(v, library, name) for v in x)
    if type(x) not in _PYTHON and not isinstance(x, Number | type) and is_array(x):
        library.check(x, name)
    return x


def is_tracked(x: Any) -> bool:
    """Say whether a tracked Tensor is anywhere in nested arguments."""
    if isinstance(x, TapeArray):
        return x._node is not None
    if isinstance(x, dict):
        return any(is_tracked(v) for v in x.values())
    return isinstance(x, list | tuple) and any(is_tracked(v) for v in x)
