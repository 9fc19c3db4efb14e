"""Measure functions of rows at every distance from the largest entry: a part of docs/accuracy.md.

The rows and the functions are those of `tests/accuracy/gaps.py`, and of `cancellations.py` beside
it; `tools.report_accuracy` writes it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tests.accuracy import cancellations
from tests.accuracy.gaps import CASES, both, measured
from tests.libraries import Library, named

__all__ = ["section"]

DTYPES = (np.float32, np.float64)
LIBRARIES = ("numpy", "torch", "jax")

ABOUT = """\
The largest strict errors of value / gradient, in ulps, of rows with entries at distances of 0 to
700 from the largest (85 in float32), alone and together, at either side of 0; JAX under `jax.jit`.
Where the gradient has terms of both signs, an ulp is one of the largest term. The bar is 8."""

CANCELS = """\
What cancels: a student next to its teacher, vectors of nearly one direction, slopes of two signs.
There an input changed by one ulp changes most of the digits. The largest errors of value / gradient
beyond what one ulp of each input makes, by the derivatives of the definition, at the bar of 8; in
parentheses the strict ones; JAX under `jax.jit`. The inputs are rows of three entries, at distances
of 2^-14 to 12 from the other; the cotangent is one of them where the result has entries."""


def section() -> list[str]:
    """Return the heading, what was measured, and the table."""
    title = "## Rows, at any distance from the largest entry"
    tables = (
        "\n".join(_table("function", CASES, _cell)),
        "\n".join(_table("what cancels", cancellations.CASES, _cell_of_cancelled)),
    )
    return [title, ABOUT, tables[0], CANCELS, tables[1]]


def _table(first: str, cases: Iterable[str], cell: Callable[..., str]) -> Iterator[str]:
    """Return the lines of a table, whose first column has the cases."""
    heads = [f"{name}, {np.dtype(dtype).name}" for name in LIBRARIES for dtype in DTYPES]
    yield f"| {first} | " + " | ".join(heads) + " |"
    yield "|" + "---|" * (1 + len(heads))
    for case in cases:
        cells = [cell(named(name), case, dtype) for name in LIBRARIES for dtype in DTYPES]
        yield f"| {case} | " + " | ".join(cells) + " |"


def _cell(library: Library, case: str, dtype: Any) -> str:
    """Return both errors."""
    errors = measured(library, case, dtype, _compiled(library, both(library, case)))
    return " / ".join(f"{error:.1f}" for error, _ in errors)


def _cell_of_cancelled(library: Library, case: str, dtype: Any) -> str:
    """Return both errors beyond what is allowed, and the strict ones."""
    run = _compiled(library, cancellations.both(library, case))
    errors = cancellations.measured(library, case, dtype, run)
    strict, beyond = (" / ".join(f"{x:.2g}" for x in two) for two in zip(*errors, strict=True))
    return f"{beyond} ({strict})"


def _compiled(library: Library, run: Callable[..., Any]) -> Callable[..., Any]:
    """Return what computes value and gradient, compiled where the library has a compiler."""
    if library.module != "jax.numpy":
        return run
    import jax

    compiled: Callable[..., Any] = jax.jit(run)
    return compiled
