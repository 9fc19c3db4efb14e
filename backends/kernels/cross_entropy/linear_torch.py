"""Cross entropy of a linear layer on PyTorch's CPU tensors."""

__library__ = "torch"

from functools import partial
from typing import Any

import torch

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from .linear import ARRAYS, Products, fits, run
from .sweep_torch import TORCH, constant_but

__all__ = ["LINEAR_CROSS_ENTROPY"]


def _into(out: Array, a: Array, b: Array) -> None:
    torch.mm(a, b, out=out)


def _added(out: Array, a: Array, b: Array) -> None:
    out.addmm_(a, b)


def _accepts(*arrays: Array | None, **options: Any) -> bool:
    return constant_but(ARRAYS, *arrays) and fits(*arrays, **options)


PRODUCTS = Products(TORCH._replace(size=2**20), _into, _added)  # several starts cost more here
LINEAR_CROSS_ENTROPY = Kernel(_accepts, partial(run, PRODUCTS), gradients=ARRAYS)
