"""How it is measured: the two programs take turns, and the medians are compared."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Times(NamedTuple):
    """Medians in seconds."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Our time as a fraction of theirs: below 1 is faster."""
        return self.ours / self.theirs


def seconds(program: Callable[[], Any], repeats: int) -> float:
    """Time of one run, as the mean of `repeats` runs without a pause."""
    start = time.perf_counter()
    for _ in range(repeats):
        program()
    return (time.perf_counter() - start) / repeats


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], *, rounds: int) -> Times:
    """Let two programs take turns `rounds` times, after one turn each to warm up.

    In turns, because a machine's clock and its neighbours change within seconds; a turn lasts
    about 20 ms or one run, because a clock is read in a fraction of a microsecond.
    """
    first = min(seconds(ours, 1), seconds(theirs, 1))
    repeats = max(1, int(0.02 / max(first, 1e-6)))
    turns = [(seconds(ours, repeats), seconds(theirs, repeats)) for _ in range(rounds)]
    return Times(*(statistics.median(column) for column in zip(*turns, strict=True)))
