"""A compiled formula of rows, called on addresses; `program_llvm` says what its arguments are."""

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any

from ..formulas.machine_code import LARGE, PARTS
from ..formulas.program_llvm import region
from ..machine.teams import Team, share

__all__ = ["NOTHING_ADDED", "Code"]

WORD = 8  # bytes of an address
SPAN = 2**17  # entries that a thread takes at once,
BLOCKS = 64  # but less than one of so many parts: threads end at the same time
NOTHING_ADDED = (0, 0, 0, 0)
FAILED = 3 + len(NOTHING_ADDED)  # its place, from the end


class Code:
    """A compiled formula."""

    def __init__(self, address: int, engine: Any) -> None:
        self._address = address
        self._engine = engine  # the code lives as long as this
        # It keeps the interpreter lock: few rows take less than to give it up.
        self._call = ctypes.PYFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address)

    def run(
        self,
        places: Sequence[int],
        strides: Sequence[int],
        count: int,
        classes: int,
        adding: Sequence[int] = NOTHING_ADDED,
    ) -> bool:
        """Compute so few rows of arrays at these places, so many bytes apart.

        Say whether all indices name classes. `adding` are the last of the data, the divisor's bits.
        """
        arrays = len(places)
        words = array("q", (*places, count, *strides, classes, 0, 0, 0, *adding))
        start = words.buffer_info()[0]
        sizes = start + WORD * arrays
        self._call(start, sizes, sizes + WORD, sizes + WORD + WORD * arrays)
        if words[-FAILED]:
            raise MemoryError
        return not words[1 - FAILED]

    def share(
        self,
        places: Sequence[int],
        strides: Sequence[int],
        count: int,
        classes: int,
        team: Team,
    ) -> bool:
        """Compute many on the threads of `team`; say whether all indices name classes."""
        span = max(1, min(SPAN, count * classes // BLOCKS) // classes)
        large = sum(strides) * count * PARTS.get() >= LARGE
        past = large and len(set(places)) == len(places)  # not in place: what is there was read
        data = array("q", (classes, 0, 0, past, *NOTHING_ADDED))
        address = data.buffer_info()[0]
        share(region(), self._address, address, places, strides, count, span=span, team=team)
        if data[1]:
            raise MemoryError
        return not data[2]
