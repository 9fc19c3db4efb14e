"""Whether the entries of a NumPy array lie in an interval: machine code counts those that do not.

That is one pass and one call, where the smallest and the largest entry take two of each.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace

from ..machine.extremes_numpy import extremes
from .code_numpy import FEWEST, Machine
from .elementwise_numpy import FLOATS, program_of

__all__ = ["within"]

PATIENCE = 32  # calls


def within(x: Array, low: float, high: float) -> Callable[[Array], bool] | None:
    """Return a test of arrays like `x`, of its dtype and shape: all entries lie in [low, high].

    NaN does not. None where there is no machine code. It is made when it has been missed for a
    while: to compile it takes as long as thousands of calls.
    """
    if x.dtype.char not in FLOATS or not x.dtype.isnative or not x.ndim:
        return None
    flat, few, dtype = x.ndim == 1, x.size < FEWEST, x.dtype.char
    code: Machine | None = None
    count: Any = None
    missed = 0

    def test(x: Array) -> bool:
        nonlocal code, count, missed
        if count is not None and x.flags.c_contiguous:
            return not count(x if flat else x.reshape(-1))
        if code is None and missed < PATIENCE:
            missed += 1
            if missed == PATIENCE and (code := _counting(dtype, low, high)) is not None and few:
                count = code.adding(1, 0)
        if code is not None and not few and x.flags.c_contiguous:
            return not code.sum((x,), 1)[0]
        first, last = extremes(x)
        return low <= float(first) and float(last) <= high

    return test


@lru_cache(maxsize=64)
def _counting(dtype: str, low: float, high: float) -> Machine | None:
    """Return machine code that adds up how many entries lie outside."""
    options = {"low": low, "high": high, "xp": xp_numpy}
    like: Array = np.empty(1, dtype)
    made = program_of(_lies_outside, None, (like,), options, now=False)
    return made if isinstance(made, Machine) else None


def _lies_outside(x: Array, *, low: float, high: float, xp: Namespace) -> Array:
    """1 for what does not lie in [low, high], else 0."""
    return where((x >= low) & (x <= high), xp.zeros_like(x), xp.ones_like(x), xp=xp)
