"""The sum of what machine code computes: of blocks of fixed length, and then of their sums.

So it is the same for any number of threads, on NumPy arrays and on tensors. Of fewer than `FEWEST`
entries it comes from one call of machine code (`averaged`).
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..machine.blocks import in_blocks

__all__ = ["ENTRIES", "FEWEST", "total"]

ENTRIES = 256  # of one sum
FEWEST = 2**16  # entries from which on several threads pay; at most the square of `ENTRIES`
SPAN = 2**17  # entries that a thread takes at once


def total(
    run: Callable[..., None],
    places: Sequence[int],
    sizes: Sequence[int],
    count: int,
    scale: float = 1.0,
) -> float:
    """Return the sum of the first result of `run`, which writes the others times `scale`.

    Operands and other results lie at `places`, without gaps, their entries of these `sizes`.
    """
    sums = np.empty(-(-count // ENTRIES))
    start = sums.ctypes.data

    def work(block: slice) -> None:
        own = [p + block.start * n for p, n in zip(places, sizes, strict=True)]
        added = start + block.start // ENTRIES * sums.itemsize
        run(*own, added, scale, block.stop - block.start)

    in_blocks(work, count, SPAN)
    return float(sums.sum())
