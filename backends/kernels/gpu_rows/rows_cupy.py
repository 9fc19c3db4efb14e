"""Functions of rows on CuPy: CUDA C++, compiled on the card when it is first needed."""

__library__ = "cupy"

from typing import Any

import cupy
import numpy as np

from portable_losses._typing import Array

from ..trial.agreement import Trials
from .kernels import Language, kernels
from .launches_cuda import lanes, launches, rows_of_block, source

__all__ = ["ROWS"]

_MODULES: dict[int, Any] = {}  # by the number of threads of a row
_DTYPES = (np.float32, np.int64, np.float32, np.bool_)  # of logits, index, weight, rows that count


def _module(threads: int) -> Any:
    """Return the program compiled for so many threads a row."""
    if threads not in _MODULES:
        # no fast math: CuPy asks for none, and nothing here does
        options = ("-std=c++17", f"-DLANES={threads}")
        _MODULES[threads] = cupy.RawModule(code=source(), options=options)
    return _MODULES[threads]


def _start(kernel: str, count: int, classes: int, arguments: tuple[Any, ...]) -> None:
    """Launch a kernel on the device of its arrays, enough blocks for all rows."""
    threads = lanes(classes)
    rows = rows_of_block(threads)
    given = tuple(np.intp(0) if x is None else x for x in arguments)
    with next(x for x in arguments if isinstance(x, cupy.ndarray)).device:
        _module(threads).get_function(kernel)((-(-count // rows),), (threads, rows), given)


def _serves(arrays: tuple[Array | None, ...]) -> bool:
    """Say yes to float32, with indices, weights and rows as cross entropy has them.

    Halves never come: what computes in float32 is widened before it gets here.
    """
    pairs = zip(arrays, _DTYPES, strict=False)
    return all(x is None or (type(x) is cupy.ndarray and x.dtype == d) for x, d in pairs)


def _empty(like: Array, shape: tuple[int, ...], dtype: str | None) -> Array:
    with like.device:
        return cupy.empty(shape, dtype=like.dtype if dtype is None else dtype)


def _contiguous(x: Array) -> Array:
    with x.device:
        return cupy.ascontiguousarray(x)


def _asarray(x: Any, like: Array) -> Array:
    with like.device:
        return cupy.asarray(x)


_TRIALS = Trials(
    asarray=_asarray,
    numpy=lambda x: cupy.asnumpy(x),
    place=lambda x: f"GPU {x.device.id}",
    possible=lambda: not cupy.cuda.get_current_stream().is_capturing(),
)

_LAUNCHES = launches(_start)

ROWS = kernels(Language(lambda: _LAUNCHES, _serves, _empty, _contiguous, _TRIALS))
