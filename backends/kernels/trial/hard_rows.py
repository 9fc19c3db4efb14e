"""The rows on which a kernel is tried before its first use: few, each a common way to fail."""

from typing import Any

import numpy as np

from portable_losses._typing import Options
from portable_losses.losses._targets import Target

from .agreement import Case

__all__ = ["case_of_cross_entropy", "case_of_rows", "logits"]

FINITE_ROWS = 11


def logits(classes: int, *, finite: bool) -> Any:
    """Rows of float32: ordinary ones, and one for each way to fail."""
    rng = np.random.default_rng(classes)
    z = 3 * rng.standard_normal((FINITE_ROWS + (0 if finite else 5), classes))
    last = classes - 1
    z[1] = 0.5  # all equal
    z[2, last] = z[2, 0] = 9.0  # the largest twice: the first of them is left out
    z[3, last // 2] += 40.0  # certain
    z[4, 0] += 1000.0  # so certain that the others are 0
    z[5] *= 1e4  # far apart
    z[6] -= 1e4  # far from 0
    z[7] = np.where(np.arange(classes) % 3 == 1, -80.0, z[7])
    z[8] *= 1e-20  # nearly equal
    if not finite:
        z[9] = np.where(np.arange(classes) % 3 == 1, -np.inf, z[9])
        z[11, last] = np.nan
        z[12] = -np.inf
        z[13, 0] = np.inf
        z[14] = np.inf
        z[15, : last // 2 + 1] = -np.inf
        z[15, last] = np.nan
    return z.astype(np.float32)


def _targets(rows: int, classes: int) -> Any:
    return (np.arange(rows) * 7 + 3) % classes


def case_of_rows(name: str, classes: int, options: Options) -> Case:
    """Return the trial of a function of rows that keeps the shape of them, or the sum of one."""
    z = logits(classes, finite=False)
    rows = len(z)
    weights = 0.5 + np.arange(rows, dtype=np.float32)[:, None] / rows
    if name == "logsumexp":
        return Case((z,), options, (weights,), differs=True)
    grad = np.zeros_like(z)
    grad[np.arange(rows), _targets(rows, classes)] = weights[:, 0]
    return Case((z,), options, (grad,), differs=name == "softmax")


def case_of_cross_entropy(classes: int, options: Options, *, weighted: bool, masked: bool) -> Case:
    """Return the trial of cross entropy with the options of a call."""
    smoothed, capped = bool(options["label_smoothing"]), options["softcap"] is not None
    z = logits(classes, finite=smoothed)
    rows = len(z)
    index = _targets(rows, classes)
    index[:8:2] = z[:8:2].argmax(-1)  # rows that are right
    weight = np.asarray([0.5, 1.0, 0.0, 2.0, 1.0], np.float32)[np.arange(classes) % 5]
    grads = [0.5 + np.arange(rows, dtype=np.float32) / rows for _ in range(1 + options["with_lse"])]
    given = {
        **options,
        "label_smoothing": 0.125 if smoothed else 0.0,
        "softcap": 5.0 if capped else None,
    }
    target = Target(
        indices=index,
        weight=weight if weighted else None,
        row_mask=np.arange(rows) % 4 != 1 if masked else None,
    )
    differs = smoothed or capped or options["with_lse"]
    return Case((z, *target), given, tuple(grads), differs, slack=10.0 if capped else 0.0)
