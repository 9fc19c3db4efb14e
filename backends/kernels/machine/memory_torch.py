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
    """``torch.empty`` on the CPU."""
    memory = large(math.prod(shape) * dtype.itemsize)
    if memory is None:
        return torch.empty(shape, dtype=dtype, device="cpu")
    made = torch.frombuffer(memory, dtype=dtype)
    return made if len(shape) == 1 else _laid_out(made, shape, None)


def laid_like(x: Array, dtype: Any) -> Array:
    """``torch.empty_like`` of a tensor without gaps."""
    memory = large(x.numel() * dtype.itemsize)
    if memory is None:
        return torch.empty_like(x, dtype=dtype)
    made = torch.frombuffer(memory, dtype=dtype)
    return made if x.ndim == 1 else _laid_out(made, x.shape, x.stride())


def _laid_out(x: Array, shape: Sequence[int], strides: Sequence[int] | None) -> Array:
    """Return a tensor of the memory of `x`, which is no view: results may be updated in place."""
    layout = (shape,) if strides is None else (shape, strides)
    return torch.empty(0, dtype=x.dtype, device="cpu").set_(x.untyped_storage(), 0, *layout)
