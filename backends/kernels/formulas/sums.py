"""The sum of what machine code computes: of blocks of fixed length, and then of their sums.

So it is the same for any number of threads, on NumPy arrays and on tensors. Of fewer than `FEWEST`
entries it comes from one call of machine code (`averaged`).
"""

from array import array
from collections.abc import Sequence
from struct import pack, unpack
from typing import Any

import numpy as np

from ..machine.team_numpy import team as team_of_arrays
from ..machine.teams import Team
from .machine_code import LARGE, PARTS

__all__ = ["ENTRIES", "FEWEST", "total"]

ENTRIES = 256  # of one sum
FEWEST = 2**16  # entries from which on several threads pay; at most the square of `ENTRIES`
SPAN = 2**17 // ENTRIES  # sums that a thread computes at once


def total(
    code: Any,
    places: Sequence[int],
    sizes: Sequence[int],
    count: int,
    scale: float,
    team: Team = team_of_arrays,
) -> float:
    """Return the sum of the first result of `code`, which writes the others times `scale`.

    Operands and other results lie at `places`, without gaps, their entries of these `sizes`.
    """
    sums = np.empty(-(-count // ENTRIES))
    data = array("q", (code.flat, *unpack("q", pack("d", scale))))
    way = code.summed_past_way if count * sum(sizes) * PARTS.get() >= LARGE else code.summed_way
    code.share(
        way,
        data.buffer_info()[0],
        (*places, sums.__array_interface__["data"][0]),
        (*[size * ENTRIES for size in sizes], sums.itemsize),
        count,
        unit=ENTRIES,
        span=SPAN,
        team=team,
    )
    return float(np.add.reduce(sums))
