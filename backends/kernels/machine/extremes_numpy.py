"""The smallest and the largest entry of a NumPy array: of large ones in blocks, on all threads."""

from typing import Any

import numpy as np

from portable_losses._typing import Array

from .blocks import in_blocks

__all__ = ["extremes", "smallest"]

FEWEST = 2**20  # entries from which on several threads pay
BLOCK = 2**18  # entries, which stay in a cache from one reduction to the next


def smallest(x: Array) -> Any:
    """Return the smallest entry; NaN if there is one."""
    if x.size < FEWEST or not x.flags.c_contiguous:
        return np.minimum.reduce(x, None)
    return _reduced(x, np.minimum)[0]


def extremes(x: Array) -> Any:
    """Return the smallest and the largest entry, from one pass over memory; NaN if there is one."""
    if x.size < FEWEST or not x.flags.c_contiguous:
        return np.minimum.reduce(x, None), np.maximum.reduce(x, None)
    return _reduced(x, np.minimum, np.maximum)


def _reduced(x: Array, *functions: Any) -> list[Any]:
    """Return what each of these functions of two entries makes of all entries."""
    flat, found = x.reshape(-1), list[Any]()

    def work(block: slice) -> None:
        found.append([function.reduce(flat[block]) for function in functions])

    in_blocks(work, flat.size, BLOCK)
    return [f.reduce(column) for f, column in zip(functions, zip(*found, strict=True), strict=True)]
