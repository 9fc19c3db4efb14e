"""Machine code as a ufunc of NumPy: it broadcasts, takes any strides, and gives up the lock.

NumPy makes a ufunc of a loop's address (``PyUFunc_FromFuncAndData``, an entry of the table of
functions that it shows to compiled extensions), and a gufunc, whose results are of whole arrays.
Calling one costs a fifth of asking two arrays for their addresses, and calling the loop itself.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["as_sum", "as_ufunc"]

NUMBERS = {"bool": 0, "float16": 23, "float32": 11, "float64": 12}  # NumPy's, of dtypes


def _maker(place: int, *more: Any) -> Any:
    """Return the function at a place of NumPy's table, which makes a ufunc."""
    core: Any = getattr(np, "_core", None) or np.core  # NumPy 1
    table = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    start = table(("PyCapsule_GetPointer", ctypes.pythonapi))(
        core._multiarray_umath._UFUNC_API, None
    )
    address = ctypes.cast(start, ctypes.POINTER(ctypes.c_void_p))[place]
    kinds = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 4 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    return ctypes.PYFUNCTYPE(ctypes.py_object, *kinds, *more)(address)


_MAKE = _maker(1)  # PyUFunc_FromFuncAndData
_MAKE_CORE = _maker(31, ctypes.c_char_p)  # PyUFunc_FromFuncAndDataAndSignature


def as_ufunc(address: int, name: str, dtypes: Sequence[Any], given: int, data: int = 0) -> Any:
    """Return the loop at `address` as a ufunc of `given` operands; the rest are results.

    The loop is given the number `data` at every call.
    """
    return _made(_MAKE, address, name, dtypes, given, data)


def as_sum(
    address: int, name: str, dtypes: Sequence[Any], given: int, data: tuple[int, int]
) -> Any:
    """Return the loop at `address` as a gufunc of arrays of one axis.

    The first result is a number, the others have the size of the operands. The loop is given the
    address of the two numbers `data` at every call.
    """
    held = (ctypes.c_int64 * 2)(*data)
    _KEPT.append(held)
    others = ["(n)"] * (len(dtypes) - given - 1)
    signature = f"{','.join(['(n)'] * given)}->{','.join(['()', *others])}".encode()
    return _made(_MAKE_CORE, address, name, dtypes, given, ctypes.addressof(held), signature)


def _made(
    make: Any,
    address: int,
    name: str,
    dtypes: Sequence[Any],
    given: int,
    data: int,
    *signature: bytes,
) -> Any:
    """Return the ufunc that `make` makes."""
    loops = (ctypes.c_void_p * 1)(address)
    given_to_it = (ctypes.c_void_p * 1)(data)
    types = (ctypes.c_byte * len(dtypes))(*[NUMBERS[np.dtype(d).name] for d in dtypes])
    label = name.encode()
    made = make(
        ctypes.addressof(loops),
        ctypes.addressof(given_to_it),
        ctypes.addressof(types),
        1,
        given,
        len(dtypes) - given,
        -1,  # no identity
        label,
        b"",
        0,
        *signature,
    )
    _KEPT.append(
        (loops, given_to_it, types, label, signature)
    )  # a ufunc refers to them all its life
    return made


_KEPT: list[Any] = []
