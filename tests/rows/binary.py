"""Binary cross entropy, of logits and of probabilities."""

from typing import Any

import numpy as np
from mpmath import log, log1p, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.curves import Pointwise
from tests.definitions import ZERO, Number, elementwise, product, reduce, sigmoid, softplus
from tests.samples import Sample


def sum_with_logits(z: Number, t: Number) -> Number:
    return t * softplus(-z) + (1 - t) * softplus(z)


def sum_with_logits_slope(z: Number, t: Number) -> tuple[Number, Number]:
    return (1 - t) * sigmoid(z), -t * sigmoid(-z)


def bce_exact(p: Number, t: Number) -> Number:
    """Return the cross entropy of two probabilities, each logarithm at least -100."""
    left = max(log(p), mpf(-100)) if p > 0 else mpf(-100)
    right = max(log1p(-p), mpf(-100)) if p < 1 else mpf(-100)
    return -t * left - (1 - t) * right


def bce_slope(p: Number, t: Number) -> tuple[Number, Number]:
    """Return the terms of (p - t) / (p (1 - p)), over 1e-12 at exactly 0 and 1."""
    scale = p * (1 - p) if 0 < p < 1 else mpf(10) ** -12
    return p / scale, -t / scale


def binary_cross_entropy(
    probs: Array,
    target: Array,
    *,
    weight: Any = 1,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    loss = elementwise(bce_exact)(probs, target + ZERO)
    return reduce(weight * loss, reduction, sample_weight)


def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    *,
    weight: Any = 1,
    pos_weight: Any = 1,
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    e = mpf(label_smoothing)
    y = target * (1 - e) + e / 2
    softpluses = elementwise(softplus)
    loss = product(pos_weight * y, softpluses(-logits)) + product(1 - y, softpluses(logits))
    return reduce(product(weight + 0 * y, loss), reduction, sample_weight)


PROBS = [[1e-30, 0.125, 0.5], [0.75, 0.9375, 0.25]]
LABELS = [[0.0, 1.0, 0.25], [0.5, 1.0, 0.0]]
LOGITS = [[-30.5, 1e4, 0.0], [3.0, 20.0, -1e4]]
OF_COLUMN = np.asarray([0.5, 2.0, 1.0])
OF_ELEMENT = np.asarray([[1.0, 0.0, 2.0], [0.5, 1.0, 0.25]])
BOOLS = np.asarray([[True, False, True], [False, True, False]])


def bce(x: Any, y: Any, note: str, **options: Any) -> Sample:
    definition = binary_cross_entropy if x is PROBS else binary_cross_entropy_with_logits
    return Sample(
        getattr(pl, definition.__name__),
        definition,
        (x, y),
        options,
        note,
        inside={0: (0.2, 0.8)} if x is PROBS else {},
        smooth_at_zero=x is not PROBS,
    )


ROWS = [
    *(bce(x, BOOLS, "bools, none", reduction="none") for x in (PROBS, LOGITS)),
    *(bce(x, BOOLS.astype(np.int64), "integers") for x in (PROBS, LOGITS)),
    *(bce(x, LABELS, "weight", weight=OF_COLUMN) for x in (PROBS, LOGITS)),
    bce(PROBS, LABELS, "both weights", weight=OF_ELEMENT, sample_weight=OF_COLUMN),
    bce(LOGITS, LABELS, "pos_weight", pos_weight=OF_COLUMN),
    bce(LOGITS, LABELS, "smoothed", label_smoothing=0.25, reduction="none"),
    bce(
        LOGITS,
        LABELS,
        "everything",
        weight=OF_ELEMENT,
        pos_weight=OF_COLUMN,
        label_smoothing=0.25,
        sample_weight=OF_ELEMENT[:, :1] + 1,
    ),
]

POINTWISE = [
    Pointwise(
        pl.binary_cross_entropy_with_logits,
        sum_with_logits,
        sum_with_logits_slope,
        targets="share",
        x=LOGITS,
        y=LABELS,
    ),
    Pointwise(
        pl.binary_cross_entropy,
        bce_exact,
        bce_slope,
        inputs="share",
        targets="share",
        x=PROBS,
        y=LABELS,
        smooth_at_zero=False,
        inside={0: (0.2, 0.8)},
    ),
]
