"""ndonnx: a graph of ONNX is built, whose sizes and values are known when it runs."""

from collections.abc import Callable
from typing import Any

import ndonnx as ndx
import numpy as np

from portable_losses._backend import Arrays, Autodiff, Backend
from portable_losses._typing import Array, Options


def readable(x: Array) -> bool:
    """Say no: an argument of the graph has no values yet."""
    return False


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function with NumPy arrays beside ndonnx's own made constants of the graph."""
    return function(*map(_adopted, args), **{name: _adopted(x) for name, x in options.items()})


def _adopted(x: Any) -> Any:
    """Return a NumPy array as a constant, anything else as it is."""
    return ndx.asarray(x) if type(x) is np.ndarray else x


def one_like(x: Array) -> Array:
    """Return 1 in the dtype of `x`."""
    return ndx.asarray(1, dtype=x.dtype)


BACKEND = Backend(
    "ndonnx",
    Autodiff(differentiates=False),
    Arrays(readable=readable, call=call, one_like=one_like, python_scalars=True),
)
