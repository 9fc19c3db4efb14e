"""Cross entropy on NumPy: one sweep for class indices, blocks of rows for everything else."""

from functools import partial
from typing import Any

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Options

from ..machine.blocks import in_blocks
from ..machine.memory_numpy import empty
from ..rows import blockwise_numpy as rows
from .sweep import WEIGHT, Library, fits, run

__all__ = ["CROSS_ENTROPY", "WEIGHT"]

NUMPY = Library(
    np, in_blocks, 2**17, partial(np.argmax, axis=-1), empty, lambda: np.errstate(all="ignore")
)


def _accepts(*arrays: Any, **options: Any) -> bool:
    return fits(*arrays, **options) or rows.accepts(*arrays)


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    if fits(*arrays, **options):
        return run(NUMPY, pair, arrays, options, wanted)
    return rows.rows_of(pair, arrays, options, whole=WEIGHT)


CROSS_ENTROPY = Kernel(_accepts, _run, gradients=WEIGHT)
