"""Machine code as a ufunc of NumPy: it broadcasts, takes any strides, and gives up the lock.

NumPy makes a ufunc of a loop's address (``PyUFunc_FromFuncAndData``, an entry of the table of
functions that it shows to compiled extensions).
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["as_ufunc"]

NUMBERS = {"bool": 0, "float16": 23, "float32": 11, "float64": 12}  # NumPy's, of dtypes


def _maker() -> Any:
    """Return NumPy's function that makes a ufunc."""
    core: Any = getattr(np, "_core", None) or np.core  # NumPy 1
    table = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    start = table(("PyCapsule_GetPointer", ctypes.pythonapi))(
        core._multiarray_umath._UFUNC_API, None
    )
    address = ctypes.cast(start, ctypes.POINTER(ctypes.c_void_p))[1]
    kinds = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 4 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    return ctypes.PYFUNCTYPE(ctypes.py_object, *kinds)(address)


_MAKE = _maker()


def as_ufunc(address: int, name: str, dtypes: Sequence[Any], given: int, data: int = 0) -> Any:
    """Return the loop at `address` as a ufunc of `given` operands; the rest are results.

    The loop is given the address `data` at every call.
    """
    loops = (ctypes.c_void_p * 1)(address)
    given_to_it = (ctypes.c_void_p * 1)(data)
    types = (ctypes.c_byte * len(dtypes))(*[NUMBERS[np.dtype(d).name] for d in dtypes])
    label = name.encode()
    made = _MAKE(
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
    )
    _KEPT.append((loops, given_to_it, types, label))  # a ufunc refers to them as long as it lives
    return made


_KEPT: list[Any] = []
