"""Memory for large results, reused when an earlier result is garbage.

The system clears every page that it hands out, which for half a gigabyte takes twice as long as
writing it. A loop asks for the same sizes over and over; so the last few pieces whose arrays (and
views of them) are garbage are kept for the next array of that size. Until then they are
marked free (``MADV_FREE``): the system takes their pages back as soon as it needs memory for
anything else, although it may count them as this process's until then.

Where the system cannot mark memory so (Windows), every array is a new one of its library.
"""

import mmap
from collections import deque
from ctypes import c_char
from functools import lru_cache
from typing import Any
from weakref import ref

__all__ = ["large"]

PAGE = 2**21  # bytes: a large page, which is cleared in a fifth of the time of its small ones
LEAST = 2**20  # bytes: the C library keeps smaller pieces itself
MOST = 2**30  # bytes: larger pieces go back at once
PIECES = 4  # that are kept of any size: value and slope of the last two sizes
KEPT = 2**29  # bytes in more pieces than that: those of the chunks of one array, say

# Private: after os.fork, what one process writes is not seen by the other.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_FREE: int | None = getattr(mmap, "MADV_FREE", None)
_HUGE: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
_unused: deque[mmap.mmap] = deque()  # each of its operations is atomic


class _Lent(ref[Any]):
    """A buffer that is in use, and the memory that it lies in."""

    memory: mmap.mmap


_lent: dict[int, _Lent] = {}  # by their addresses


def large(size: int) -> Any:
    """Return an uninitialised buffer of `size` bytes, which are reused when it is garbage.

    None where the library's own memory is as quick.
    """
    if _FREE is None or not LEAST <= size <= MOST:
        return None
    whole = -(-size // PAGE) * PAGE
    try:
        memory = _kept(whole) or _new(whole)
    except OSError:  # out of memory: the library raises the right error
        return None
    buffer = _type(size).from_buffer(memory)  # all arrays on it refer to it, not to `memory`
    lent = _Lent(buffer, _given_up)
    lent.memory = memory
    _lent[id(lent)] = lent
    return buffer


def _given_up(lent: Any) -> None:
    """Keep the memory of a buffer that is garbage."""
    del _lent[id(lent)]
    _keep(lent.memory)


@lru_cache(maxsize=64)
def _type(size: int) -> Any:
    """Return the type of a buffer; to make one is slow, and leaves a cycle behind."""
    return c_char * size


def _kept(size: int) -> mmap.mmap | None:
    """Return a kept piece of this size, no longer kept."""
    for _ in range(len(_unused)):
        try:
            piece = _unused.popleft()
        except IndexError:
            break
        if len(piece) == size:
            return piece
        _unused.append(piece)
    return None


def _new(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=_FLAGS)
    if _HUGE is not None:
        _advise(memory, _HUGE)
    return memory


def _keep(memory: mmap.mmap) -> None:
    """Keep a piece, and of older ones the newest, as many as there is room for."""
    if _FREE is None or not _advise(memory, _FREE):
        return
    _unused.append(memory)
    excess = sum(map(len, tuple(_unused))) - KEPT
    while excess > 0 and len(_unused) > PIECES:
        try:
            excess -= len(_unused.popleft())  # goes back to the system
        except IndexError:  # another thread took it
            return


def _advise(memory: mmap.mmap, advice: int) -> bool:
    """Say whether the system takes this advice."""
    try:
        memory.madvise(advice)
    except OSError:
        return False
    return True
