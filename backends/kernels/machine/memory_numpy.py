"""Large arrays of NumPy in memory that is reused."""

import math
from typing import Any

import numpy as np

from portable_losses._typing import Array

from .memory import large

__all__ = ["empty"]


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """``np.empty``."""
    memory = large(math.prod(shape) * np.dtype(dtype).itemsize)
    return np.empty(shape, dtype) if memory is None else np.ndarray(shape, dtype, memory)
