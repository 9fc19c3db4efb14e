"""CuPy: it does not differentiate, and no value is read: that would wait for the GPU."""

from typing import Any

import cupy
import cupyx
from cupyx.scipy import special

from portable_losses._backend import Backend
from portable_losses._typing import Array, Namespace

from .kernels.choice import switched_off, unless_off
from .kernels.elementwise_cupy import elementwise
from .kernels.rows_cupy import ROWS


def readable(x: Array) -> bool:
    """Say no: reading copies from the device and waits for all work before it."""
    del x
    return False


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    del xp
    out = cupy.zeros(shape, dtype=values.dtype)
    cupyx.scatter_add(out, key, values)
    return out


def is_view(made: Array, x: Array) -> bool:
    """Say whether `made`, a reshaped `x`, shares its memory."""
    base = made.base
    return base is x or (base is not None and base is x.base)


BACKEND = Backend(
    "cupy",
    readable=readable,
    scatter_add=scatter_add,
    is_view=is_view,
    elementwise=None if switched_off() else elementwise,
    differentiates=False,
    python_scalars=True,
    kernels=unless_off(ROWS),
    special={"erf": special.erf, "erfc": special.erfc},
)
