"""The threads for NumPy arrays: our own, or PyTorch's where those are there and quicker.

After an operation PyTorch's threads wait for the next one in a loop, for some milliseconds. A
program that goes back and forth between both libraries then has more threads that want to run than
processors, and ours take a third longer; PyTorch's do not. In a program that only imports PyTorch
they are no quicker, and would wait in the way of others. So both are measured, on large arrays
alone, and the quicker one works; the other has another try now and then.
"""

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from math import inf
from time import perf_counter
from typing import Any

from .blocks import workers
from .teams import kind_of_task, pool

__all__ = ["team"]

FEWEST = 2**23  # bytes from which on it is worth while to look at the clock
AGAIN = 16  # calls after which the slower one has another try
BETTER = 0.9  # the part of our threads' time that PyTorch's may take
OLDER = 1.1  # what a time grows by until it is measured again
KEPT = 256  # tasks whose times are kept


class Times:
    """How long a task takes on our threads and on PyTorch's: the least, which grows with time."""

    __slots__ = ("_calls", "_ours", "_theirs")

    def __init__(self) -> None:
        self._calls = 0
        self._ours = self._theirs = inf

    def are_theirs_next(self) -> bool:
        """Say who works next: at first both twice, since a first call waits for memory."""
        self._calls += 1
        if self._calls <= 4:
            return self._calls > 2
        quicker = self._theirs < BETTER * self._ours
        return quicker != (self._calls % AGAIN == 0)

    def took(self, seconds: float, *, theirs: bool) -> None:
        """Note a time. One that is longer counts little: it may be another program's doing."""
        if theirs:
            self._theirs = min(seconds, OLDER * self._theirs)
        else:
            self._ours = min(seconds, OLDER * self._ours)


def team(region: int, task: int, blocks: int) -> None:
    """Run the region on the quicker threads, no more of them than there are blocks."""
    threads = min(blocks, workers())
    start = _theirs() if threads > 1 else None
    if start is None or (kind := kind_of_task(task))[1] < FEWEST:
        pool(region, task, blocks)
        return
    key = *kind, threads
    if key not in _TIMES and len(_TIMES) >= KEPT:
        _TIMES.clear()
    times = _TIMES.setdefault(key, Times())
    theirs, begin = times.are_theirs_next(), perf_counter()
    if not (theirs and start(region, task, threads)):
        pool(region, task, blocks)
    times.took(perf_counter() - begin, theirs=theirs)


def _theirs() -> Callable[[int, int, int], bool] | None:
    """Return what starts PyTorch's threads; None where it is not loaded, or off the main thread.

    Every thread that starts some has a team of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    if not hasattr(sys.modules.get("torch"), "compile"):  # one of the last names that it defines
        return None
    found: Any = import_module("portable_losses.backends.kernels.machine.team_torch")
    return found.start


_TIMES: dict[tuple[int, int, int], Times] = {}
