"""Cross entropy of a linear layer on NumPy."""

from functools import partial

import numpy as np

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from ..rows.rowwise import Rowwise
from ..rows.rowwise_numpy import NUMPY as ROWS
from .linear import ARRAYS, WEIGHTS, Products, fits, run
from .sweep_numpy import NUMPY

__all__ = ["LINEAR_CROSS_ENTROPY"]

PART_BYTES = 2**22  # of a product at a time that is to be added: NumPy has no fused product and sum


def _into(out: Array, a: Array, b: Array) -> None:
    np.matmul(a, b, out=out)


def _added(out: Array, a: Array, b: Array) -> None:
    """Add ``a @ b`` to `out`, a part of its rows at a time."""
    size = max(1, PART_BYTES // (out.itemsize * out.shape[1]))
    room = np.empty((min(size, len(out)), out.shape[1]), out.dtype)
    for start in range(0, len(out), size):
        into = out[start : start + size]
        part = np.matmul(a[start : start + size], b, out=room[: len(into)])
        np.add(into, part, out=into)


PRODUCTS = Products(NUMPY, Rowwise(ROWS, weights=WEIGHTS), _into, _added)
LINEAR_CROSS_ENTROPY = Kernel(fits, partial(run, PRODUCTS), gradients=ARRAYS)
