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


def _logits(out: Array, x: Array, weight: Array) -> None:
    np.matmul(x, weight.T, out=out)


def _product(out: Array, a: Array, b: Array, add: bool) -> None:
    if add:
        out += np.matmul(a, b)
    else:
        np.matmul(a, b, out=out)


PRODUCTS = Products(NUMPY, Rowwise(ROWS, weights=WEIGHTS), _logits, _product)
LINEAR_CROSS_ENTROPY = Kernel(fits, partial(run, PRODUCTS), gradients=ARRAYS)
