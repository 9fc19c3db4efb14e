"""Measure functions of rows at every distance from the largest entry: a part of docs/accuracy.md.

The rows and the functions are those of `tests/accuracy/gaps.py`; `tools.report_accuracy` writes it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.accuracy.gaps import CASES, both, measured
from tests.libraries import Library, named

__all__ = ["section"]

DTYPES = (np.float32, np.float64)
LIBRARIES = ("numpy", "torch", "jax")

ABOUT = """\
The largest strict errors of value / gradient, in ulps, of rows with entries at distances of 0 to
700 from the largest (85 in float32), alone and together, at either side of 0; JAX under `jax.jit`.
Where the gradient has terms of both signs, an ulp is one of the largest term. The bar is 8.

Not in it: what cosines have lost before a temperature divides them, and a student next to its
teacher, whose loss cancels; a change of the input by one ulp makes as much. The focal
loss is a product of four factors that share the error of XLA's logarithm."""


def section() -> list[str]:
    """Return the heading, what was measured, and the table."""
    return ["## Rows, at any distance from the largest entry", ABOUT, "\n".join(_table())]


def _table() -> Iterator[str]:
    heads = [f"{name}, {np.dtype(dtype).name}" for name in LIBRARIES for dtype in DTYPES]
    yield "| function | " + " | ".join(heads) + " |"
    yield "|" + "---|" * (1 + len(heads))
    for case in CASES:
        cells = [_cell(named(name), case, dtype) for name in LIBRARIES for dtype in DTYPES]
        yield f"| {case} | " + " | ".join(cells) + " |"


def _cell(library: Library, case: str, dtype: Any) -> str:
    """Return both errors."""
    errors = measured(library, case, dtype, _run(library, case))
    return " / ".join(f"{error:.1f}" for error, _ in errors)


def _run(library: Library, case: str) -> Callable[..., Any]:
    """Return what computes value and gradient, compiled where the library has a compiler."""
    run = both(library, case)
    if library.module != "jax.numpy":
        return run
    import jax

    compiled: Callable[..., Any] = jax.jit(run)
    return compiled
