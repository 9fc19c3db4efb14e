"""Memory for large results, taken again when an earlier result is given up.

The system clears every page that it hands out, which for half a gigabyte takes twice as long as
writing it. A loop asks for the same sizes over and over; so the last few pieces whose arrays (and
views of them) are gone are kept for the next array of exactly that size. Until then they are
marked free (``MADV_FREE``): the system takes their pages back as soon as it needs memory for
anything else, although it may count them as this process's until then.

Where the system cannot mark memory so (Windows), every array is a new one of its library.
"""

import mmap
from collections import deque
from ctypes import c_char
from functools import lru_cache
from typing import Any
from weakref import finalize

__all__ = ["large"]

LEAST = 2**22  # bytes: the C library keeps smaller pieces itself
MOST = 2**30  # bytes: larger pieces go back at once
PIECES = 4  # that are kept: value and slope of the last two sizes

# Private: after os.fork, what one process writes is not seen by the other.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_FREE: int | None = getattr(mmap, "MADV_FREE", None)
_HUGE: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
_given_up: deque[mmap.mmap] = deque(maxlen=PIECES)  # each of its operations is one step


def large(size: int) -> Any:
    """Return a buffer of so many bytes, whatever they hold, which are given up when it is gone.

    None where the library's own memory does as well.
    """
    if _FREE is None or not LEAST <= size <= MOST:
        return None
    try:
        memory = _kept(size) or _new(size)
    except OSError:  # there is none left: the library has the right error
        return None
    buffer = _type(size).from_buffer(memory)  # all arrays on it refer to it, not to `memory`
    finalize(buffer, _give_up, memory).atexit = False
    return buffer


@lru_cache(maxsize=2 * PIECES)
def _type(size: int) -> Any:
    """Return the type of a buffer; to make one is slow, and leaves a cycle behind."""
    return c_char * size


def _kept(size: int) -> mmap.mmap | None:
    """Return a kept piece of this size, no longer kept."""
    for _ in range(PIECES):
        try:
            piece = _given_up.popleft()
        except IndexError:
            break
        if len(piece) == size:
            return piece
        _given_up.append(piece)
    return None


def _new(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=_FLAGS)
    if _HUGE is not None:
        _advise(memory, _HUGE)
    return memory


def _give_up(memory: mmap.mmap) -> None:
    if _FREE is not None and _advise(memory, _FREE):
        _given_up.append(memory)  # beyond PIECES the oldest goes back to the system


def _advise(memory: mmap.mmap, advice: int) -> bool:
    """Say whether the system takes this advice."""
    try:
        memory.madvise(advice)
    except OSError:
        return False
    return True
