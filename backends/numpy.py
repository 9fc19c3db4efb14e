"""NumPy: it does not differentiate, and every value can be read."""

from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._backend import Backend
from portable_losses._typing import Array, Namespace


def readable(x: Array) -> bool:
    """Say yes: a NumPy array is eager and in host memory."""
    del x
    return True


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    del xp
    out = np.zeros(shape, dtype=values.dtype)
    if all(k is None or k is ... or isinstance(k, int | slice) for k in _entries(key)):
        out[key] = values  # no place twice, and six times as fast
    else:
        np.add.at(out, key, values)
    return out


def _entries(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


BACKEND = Backend(
    "numpy",
    readable=readable,
    scatter_add=scatter_add,
    python_scalars=True,
    namespaces={np.ndarray: xp_numpy},
)
