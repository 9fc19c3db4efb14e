"""Whether the entries of a NumPy array lie in an interval: machine code counts those that do not.

That is one pass and one call, where the smallest and the largest entry take two of each.
"""

from collections.abc import Callable
from functools import lru_cache

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace

from ..machine.extremes_numpy import extremes
from .code_numpy import FEWEST, Machine
from .elementwise_numpy import FLOATS, program_of

__all__ = ["within"]


def within(x: Array, low: float, high: float) -> Callable[[Array], bool] | None:
    """Return a test of arrays like `x`, of its dtype and shape: all entries lie in [low, high].

    NaN does not. None without machine code.
    """
    if x.dtype.char not in FLOATS or not x.dtype.isnative or not x.ndim:
        return None
    code = _counting(x.dtype.char, low, high)
    if code is None:
        return None
    flat, count = x.ndim == 1, code.adding(1, 0)
    few = count is not None and x.size < FEWEST

    def test(x: Array) -> bool:
        if not x.flags.c_contiguous:
            first, last = extremes(x)
            return low <= float(first) and float(last) <= high
        if few:
            return not count(x if flat else x.reshape(-1))
        return not code.sum((x,), 1)[0]

    return test


@lru_cache(maxsize=64)
def _counting(dtype: str, low: float, high: float) -> Machine | None:
    """Return machine code that adds up how many entries lie outside."""
    options, like = {"low": low, "high": high, "xp": xp_numpy}, np.empty(1, dtype)
    made = program_of(_lies_outside, None, (like,), options, now=False)
    return made if isinstance(made, Machine) else None


def _lies_outside(x: Array, *, low: float, high: float, xp: Namespace) -> Array:
    """1 for what does not lie in [low, high], else 0."""
    return where((x >= low) & (x <= high), xp.zeros_like(x), xp.ones_like(x), xp=xp)
