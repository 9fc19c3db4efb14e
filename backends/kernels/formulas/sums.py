"""The sum of what machine code computes: of blocks of fixed length, and then of their sums.

So it is the same for any number of threads, on NumPy arrays and on tensors.
"""

from array import array
from collections.abc import Callable, Sequence
from ctypes import addressof, c_double
from struct import pack, unpack
from typing import Any

import numpy as np

from ..machine.teams import Team, pool

__all__ = ["ENTRIES", "total"]

ENTRIES = 256  # of one sum
FEWEST = 2**16  # entries from which on several threads pay
SPAN = 2**17 // ENTRIES  # sums that a thread computes at once


def total(
    code: Any,
    run: Callable[..., None],
    places: Sequence[int],
    sizes: Sequence[int],
    count: int,
    scale: float = 1.0,
    team: Team = pool,
) -> float:
    """Return the sum of the first result of `code`, which writes the others times `scale`.

    Operands and other results lie at `places`, without gaps, their entries of these `sizes`; `run`
    is ``code.summing()``.
    """
    if count <= ENTRIES:
        one = c_double()  # of an array even the address takes longer to ask for
        run(*places, addressof(one), scale, count)
        return one.value
    sums = np.empty(-(-count // ENTRIES))
    start = sums.ctypes.data
    if count < FEWEST:
        run(*places, start, scale, count)
    else:
        data = array("q", (code.flat, *unpack("q", pack("d", scale))))
        units = [size * ENTRIES for size in sizes]
        code.share(
            code.summed_way,
            data.buffer_info()[0],
            (*places, start),
            (*units, sums.itemsize),
            count,
            unit=ENTRIES,
            span=SPAN,
            team=team,
        )
    return float(sums.sum())
