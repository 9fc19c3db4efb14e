"""Cross entropy of a linear layer on PyTorch's CPU tensors."""

__library__ = "torch"

from functools import partial
from typing import Any

import torch

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from ..rows.rowwise import Rowwise
from ..rows.rowwise_torch import TORCH as ROWS
from .linear import ARRAYS, WEIGHTS, Products, fits, run
from .sweep_torch import TORCH, constant_but

__all__ = ["LINEAR_CROSS_ENTROPY"]


def _into(out: Array, a: Array, b: Array) -> None:
    torch.mm(a, b, out=out)


def _added(out: Array, a: Array, b: Array) -> None:
    out.addmm_(a, b)


def _accepts(*arrays: Array | None, **options: Any) -> bool:
    return constant_but(ARRAYS, *arrays) and fits(*arrays, **options)


# Several starts cost more here.
PRODUCTS = Products(TORCH._replace(size=2**20), Rowwise(ROWS, weights=WEIGHTS), _into, _added)
LINEAR_CROSS_ENTROPY = Kernel(_accepts, partial(run, PRODUCTS), gradients=ARRAYS)
