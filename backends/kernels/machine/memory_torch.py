"""Large tensors in host memory that is reused."""

__library__ = "torch"

import math
from collections.abc import Sequence
from typing import Any

import torch

from portable_losses._typing import Array

from .memory import large

__all__ = ["empty", "laid_like"]


def empty(shape: Sequence[int], dtype: Any) -> Array:
    """``torch.empty`` on the CPU; no view: results may be updated in place."""
    memory = large(math.prod(shape) * dtype.itemsize)
    if memory is None:
        return torch.empty(shape, dtype=dtype, device="cpu")
    return torch.frombuffer(memory, dtype=dtype).resize_(shape)


def laid_like(x: Array, dtype: Any) -> Array:
    """``torch.empty_like`` of a tensor without gaps."""
    memory = large(x.numel() * dtype.itemsize)
    if memory is None:
        return torch.empty_like(x, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype).as_strided_(x.shape, x.stride())
