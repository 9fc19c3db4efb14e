"""Machine code on several threads: each takes blocks of one task until there are none.

What a block computes never depends on who computes it. A *way* is a loop that is called as NumPy
calls one of a ufunc, ``way(pointers, [count], strides, data)``; ``region`` is the machine code that
every thread of a team runs.
"""

from array import array
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, c_int64, c_void_p
from functools import lru_cache
from typing import Any

from .blocks import in_blocks, workers

__all__ = ["Team", "call_region", "kind_of_task", "pool", "share"]

Team = Callable[[int, int, int], None]  # given the addresses of region and task, and the blocks


def share(
    region: int,
    way: int,
    data: int,
    places: Sequence[int],
    strides: Sequence[int],
    entries: int,
    *,
    span: int,
    unit: int = 1,
    team: Team,
) -> None:
    """Call `way` on blocks of `span` units of arrays at `places`, on the threads of `team`.

    A unit is so many entries, and so many bytes of each array as `strides` says.
    """
    units = -(-entries // unit)
    head = (0, units, span, entries, unit, len(places), way, data)
    task = array("q", (*head, *places, *strides))
    team(region, task.buffer_info()[0], -(-units // span))


def kind_of_task(task: int) -> tuple[int, int]:
    """Return the way of a task, and how many bytes its arrays have."""
    _, units, _, _, _, count, way = (c_int64 * 7).from_address(task)
    strides = (c_int64 * count).from_address(task + 8 * (8 + count))
    return way, units * sum(strides)


def pool(region: int, task: int, blocks: int) -> None:
    """Run the region on our own threads, no more of them than there are blocks."""
    run, count = call_region(region), min(blocks, workers())
    if count == 1:
        run(task)
    else:
        in_blocks(lambda _: run(task), count, 1)


@lru_cache(maxsize=8)
def call_region(region: int) -> Any:
    """Return the region as a function of a task's address; it gives up the interpreter lock."""
    return CFUNCTYPE(None, c_void_p)(region)
