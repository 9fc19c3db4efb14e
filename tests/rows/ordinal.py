"""Cross entropy of ordered classes."""

from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.definitions import reduce
from tests.samples import Sample


def sigmoid(x: Any) -> Any:
    return mpf(1) if x == np.inf else mpf(0) if x == -np.inf else 1 / (1 + mpmath.exp(-x))


def ordinal(
    z: Array,
    target: Array,
    *,
    thresholds: Array,
    ignore_index: int = -100,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    counts = (target != ignore_index) & (True if where is None else where)
    t: Any = np.broadcast_to(thresholds, (*z.shape, thresholds.shape[-1]))
    loss: Any = np.full(z.shape, mpf(0), dtype=object)
    for i in zip(*np.nonzero(counts), strict=True):
        bounds = [-np.inf, *t[i], np.inf]
        low, high = bounds[target[i]], bounds[target[i] + 1]
        loss[i] = -mpmath.log(sigmoid(high - z[i]) - sigmoid(low - z[i]))
    return reduce(loss, reduction, sample_weight, counts)


Z = np.asarray([[0.5, -3.0, 8.0], [2.0, 0.125, -1.5]])
CLASSES = [[1, 0, 3], [2, 1, 0]]
THRESHOLDS = np.asarray([-1.0, 0.75, 2.5])
OF_EACH = np.asarray([[[-1.0, 0.75, 2.5]], [[0.0, 0.5, 9.0]]])
T_LEAST: Any = np.asarray([-0.75, 0.25, 1.0])
WEIGHT = np.asarray([[1.0, 0.0, 2.0], [0.5, 1.0, 0.25]])
MASK: Any = np.asarray([[True, False, True], [True, True, False]])


def of(note: str, target: Any = CLASSES, **options: Any) -> Sample:
    options = {"thresholds": THRESHOLDS, **options}
    inside: Any = {"thresholds": (T_LEAST, T_LEAST + 0.5)}  # they increase
    return Sample(pl.ordinal_cross_entropy, ordinal, (Z, target), options, note, inside=inside)


ROWS = [
    of("mean"),
    of("none", reduction="none"),
    of("sum", reduction="sum"),
    of("sample_weight", sample_weight=WEIGHT),
    of("where", where=MASK),
    of("thresholds of each row", thresholds=OF_EACH),
    of(
        "everything",
        [[1, -100, 3], [2, 1, 0]],
        thresholds=OF_EACH,
        where=MASK,
        sample_weight=WEIGHT,
    ),
]

X, Y, T = np.asarray([0.5, 0.25]), np.asarray([1, 0]), np.asarray([0.0, 1.0])
NAME = "ordinal_cross_entropy"
ERRORS = [
    raises(NAME, ValueError, "shapes must be equal", X, Y[:1], thresholds=T),
    raises(NAME, ValueError, r"`thresholds` must have shape \(..., K - 1\)", X, Y,
           thresholds=T[:0]),
    raises(NAME, ValueError, "`thresholds` must broadcast to shape", X, Y,
           thresholds=T[None, None]),
    raises(NAME, TypeError, "`target` must hold class indices", X, X, thresholds=T),
    raises(NAME, TypeError, "`input` must have a real floating dtype", Y, Y, thresholds=T),
]  # fmt: skip
VALUES = [
    raises(NAME, ValueError, "`thresholds` must be finite and increase, got 0.0 at", X, Y,
           thresholds=np.asarray([0.0, 0.0])),
    raises(NAME, ValueError, "`thresholds` must be finite and increase, got inf at", X, Y,
           thresholds=np.asarray([0.0, np.inf])),
    raises(NAME, IndexError, "`target` must", X, Y + 2, thresholds=T),
]  # fmt: skip
BADS = [
    Bad(pl.ordinal_cross_entropy, np.asarray([0.5, 0.25, 0.75]), np.asarray([1, 4, 0]),
        {"thresholds": np.asarray([[0.0, 1.0]] * 3)}),
]  # fmt: skip
