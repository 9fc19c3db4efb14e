"""CuPy: it does not differentiate, and no value is read: that would wait for the GPU."""

from typing import Any

import cupy
import cupyx
from cupyx.scipy import special

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Speed
from portable_losses._typing import Array, Namespace

from .kernels.formulas.elementwise_cupy import elementwise
from .kernels.gpu_rows.rows_cupy import ROWS


def readable(x: Array) -> bool:
    """Say no: reading copies from the device and waits for all work before it."""
    return False


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    out = cupy.zeros(shape, dtype=values.dtype)
    cupyx.scatter_add(out, key, values)
    return out


def is_view(made: Array, x: Array) -> bool:
    """Say whether `made`, a reshaped `x`, shares its memory."""
    base = made.base
    return base is x or (base is not None and base is x.base)


BACKEND = Backend(
    "cupy",
    Autodiff(differentiates=False),
    Arrays(readable=readable, is_view=is_view, python_scalars=True),
    Indexing(scatter_add=scatter_add),
    Speed(
        special={"erf": special.erf, "erfc": special.erfc},
        elementwise=elementwise,
        several=elementwise,
        kernels=ROWS,
    ),
)
