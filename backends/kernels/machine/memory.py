"""Memory for large results, reused when an earlier result is garbage.

The system clears every page that it hands out, which for half a gigabyte takes twice as long as
writing it. A loop asks for the same sizes over and over; so the last few pieces whose arrays (and
views of them) are garbage are kept for the next array of that size. But for the newest ones, as
many as the C library would keep of smaller pieces, they are marked free (``MADV_FREE``): the system
takes their pages back as soon as it needs memory for anything else, although it may count them as
this process's until then. To mark 16 MB and take them again costs 0.1 to 0.2 ms, a tenth of what
a softmax of as many takes: it stops the processors that have seen the pages.

Where the system cannot mark memory so (Windows), every array is a new one of its library.
"""

import mmap
from collections import deque
from collections.abc import Iterator
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
WARM = 2**26  # bytes of the newest pieces, which are not marked free

# Private: after os.fork, what one process writes is not seen by the other.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_FREE: int | None = getattr(mmap, "MADV_FREE", None)
_HUGE: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
_warm: deque[mmap.mmap] = deque()  # each of its operations is atomic; the newest is the last
_unused: deque[mmap.mmap] = deque()  # older ones, marked free


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
    """Return a kept piece of this size, no longer kept: the newest, which may be in a cache."""
    for pieces in (_warm, _unused):
        for piece in reversed(pieces.copy()):  # the collector may run in tuple(pieces)
            if len(piece) == size:
                try:
                    pieces.remove(piece)
                except ValueError:  # another thread took it
                    continue
                return piece
    return None


def _new(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=_FLAGS)
    _advise(memory, _HUGE)
    return memory


def _keep(memory: mmap.mmap) -> None:
    """Keep a piece, and of older ones the newest, as many as there is room for."""
    _warm.append(memory)
    for piece in _oldest(_warm, _bytes(_warm) - WARM):
        if _advise(piece, _FREE):
            _unused.append(piece)
    excess = _bytes(_warm) + _bytes(_unused) - KEPT
    for _ in _oldest(_unused, excess, PIECES - len(_warm)):  # they go back to the system
        pass


def _bytes(pieces: deque[mmap.mmap]) -> int:
    return sum(map(len, pieces.copy()))


def _oldest(pieces: deque[mmap.mmap], excess: int, fewest: int = 0) -> Iterator[mmap.mmap]:
    """Take the oldest pieces of so many bytes from a deque, but leave the `fewest`."""
    while excess > 0 and len(pieces) > fewest:
        try:
            piece = pieces.popleft()
        except IndexError:  # another thread took it
            return
        excess -= len(piece)
        yield piece


def _advise(memory: mmap.mmap, advice: int | None) -> bool:
    """Say whether the system takes this advice."""
    if advice is None:
        return False
    try:
        memory.madvise(advice)
    except OSError:
        return False
    return True
