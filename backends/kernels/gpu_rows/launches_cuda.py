"""How the kernels of ``rows.cu`` are started: threads, blocks, and arguments in order.

Nothing here needs a card. CuPy starts them on one; a test starts them in threads of the processor.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from portable_losses._typing import Array

from ..cross_entropy.sweep import RowArguments
from .kernels import RowStatistics, parts_of_cap

__all__ = ["lanes", "launches", "rows_of_block", "source"]

WARP = 32
THREADS = 128  # of a block whose rows have a warp each

# start(kernel, count, classes, arguments); None among the arguments is a null pointer
Start = Callable[[str, int, int, tuple[Any, ...]], None]


def source() -> str:
    """Return the program."""
    return Path(__file__).with_name("rows.cu").read_text("utf-8")


def lanes(classes: int) -> int:
    """Return how many threads share a row of this length: at most 32 to 128 entries for each."""
    if classes <= 1024:
        return WARP
    return 256 if classes <= 2**15 else 1024


def rows_of_block(threads: int) -> int:
    """Return how many rows one block has."""
    return THREADS // WARP if threads == WARP else 1


def launches(start: Start) -> dict[str, Callable[..., None]]:
    """Return the kernels by name, each of which is run by `start`."""

    def on_rows(kernel: str, z: Array, arguments: tuple[Any, ...]) -> None:
        count, classes = z.shape
        start(kernel, count, classes, (*arguments, np.int64(count), np.int32(classes)))

    def softmax(z: Array, out: Array, statistics: RowStatistics) -> None:
        on_rows("softmax", z, (z, out, *statistics))

    def softmax_slope(
        grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
    ) -> None:
        on_rows("softmax_slope", z, (grad, out, statistics.place, by_z))

    def log_softmax(z: Array, out: Array, statistics: RowStatistics) -> None:
        on_rows("log_softmax", z, (z, out, *statistics))

    def log_softmax_slope(
        grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
    ) -> None:
        on_rows("log_softmax_slope", z, (grad, z, *statistics, by_z))

    def logsumexp(z: Array, out: Array, statistics: RowStatistics) -> None:
        on_rows("logsumexp", z, (z, out, *statistics))

    def logsumexp_slope(
        grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
    ) -> None:
        on_rows("logsumexp_slope", z, (grad, out, z, statistics.shift, statistics.others, by_z))

    def of_cross_entropy(kernel: str, given: RowArguments, arguments: tuple[Any, ...]) -> None:
        count, classes = given.z.shape
        numbers = 1 - given.smoothing, given.smoothing / classes, *parts_of_cap(given)
        sizes = np.int64(count), np.int32(classes)
        start(kernel, count, classes, (*arguments, *sizes, *map(np.float32, numbers)))

    def cross_entropy(
        given: RowArguments, loss: Array, lse: Array | None, statistics: RowStatistics
    ) -> None:
        arrays = given.z, given.index, given.weight, given.row
        of_cross_entropy("cross_entropy", given, (*arrays, loss, lse, *statistics))

    def cross_entropy_slope(
        given: RowArguments,
        grad: Array,
        grad_lse: Array | None,
        statistics: RowStatistics,
        by_z: Array,
    ) -> None:
        arrays = given.z, given.index, given.weight, given.row
        result = *statistics, by_z
        of_cross_entropy("cross_entropy_slope", given, (grad, grad_lse, *arrays, *result))

    found = softmax, log_softmax, logsumexp, cross_entropy
    slopes = softmax_slope, log_softmax_slope, logsumexp_slope, cross_entropy_slope
    return {one.__name__: one for one in (*found, *slopes)}
