"""Large arrays of NumPy in memory that is reused."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from portable_losses._typing import Array

from .memory import large

__all__ = ["empty", "usable"]


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """``np.empty``."""
    memory = large(math.prod(shape) * np.dtype(dtype).itemsize)
    return np.empty(shape, dtype) if memory is None else np.ndarray(shape, dtype, memory)


def usable(out: Sequence[Array | None], arrays: Sequence[Any]) -> list[Array | None]:
    """Return those of `out` to which results can be written while `arrays` are read, else None."""
    read = [x for x in arrays if x is not None]

    def fits(x: Array | None) -> bool:
        if type(x) is not np.ndarray or not x.flags.carray or not x.dtype.isnative:
            return False
        others = [one for one in out if one is not None and one is not x]
        once = sum(one is x for one in out) == 1
        return once and not any(np.may_share_memory(x, one) for one in (*read, *others))

    return [x if fits(x) else None for x in out]
