"""Cross entropy with every kind of target, and the negative log-likelihood."""

from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.definitions import ZERO, elementwise, product, reduce, rows_of
from tests.rows.along_an_axis import DEEP, MASK, SIGNED, Z, log_softmax, logsumexp
from tests.samples import Sample


def capped(x: Any, cap: Any) -> Any:
    return x if mpmath.isinf(x) else cap * mpmath.tanh(x / cap)


def cross_entropy(
    logits: Array,
    target: Array,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    return_lse: bool = False,
    reduction: str = "mean",
) -> Any:
    if softcap is not None:
        logits = elementwise(lambda z: capped(z, mpf(softcap)))(logits)
    z, q, counts, classes = rows_of(logits, target, axis, ignore_index, where)
    e = mpf(label_smoothing)
    smooth = np.where(classes, (1 - e) * q + e / classes.sum(-1, keepdims=True), ZERO)
    z = np.where(counts[..., None], z, ZERO)
    of_class = np.broadcast_to(1 if weight is None else weight, q.shape)
    loss = product(smooth * of_class, -log_softmax(z, where=classes)).sum(-1)
    denominator = np.where(counts, (q * of_class).sum(-1) if target.ndim < z.ndim else 1, 0)
    lse = np.where(counts, logsumexp(z, axis=-1, where=classes), ZERO)
    result = reduce(np.where(counts, loss, ZERO), reduction, sample_weight, denominator)
    penalty = reduce(mpf(z_loss) * lse**2, reduction, sample_weight, counts)
    return (result + penalty, lse) if return_lse else result + penalty


def nll_loss(
    log_probs: Array,
    target: Array,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    x, q, counts, _ = rows_of(log_probs, target, axis, ignore_index, None)
    of_class = np.broadcast_to(1 if weight is None else weight, q.shape)
    loss = np.where(counts, product(q * of_class, -x).sum(-1), ZERO)
    denominator = np.where(counts, (q * of_class).sum(-1) if target.ndim < x.ndim else 1, 0)
    return reduce(loss, reduction, sample_weight, denominator)


INDEX = [0, 2, 1, 0]
IGNORED = [0, -100, 1, 0]
ONE_HOT: Any = np.eye(3, dtype=np.int64)[INDEX]
SHARES = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.25, 0.75, 0.0], [1.0, 0.5, 0.0]]
OF_CLASS = np.asarray([1.0, 0.5, 2.0])
OF_ROW = np.asarray([1.0, 0.25, 2.0, 0.0])
FITTING = [0, 2, 2, 1]  # classes that MASK leaves
COUNTED: Any = np.asarray([True, False, True, True])
EVERYTHING: dict[str, Any] = {
    "weight": OF_CLASS,
    "label_smoothing": 0.125,
    "z_loss": 0.25,
    "softcap": 20.0,
    "sample_weight": OF_ROW,
}


def ce(target: Any, note: str, x: Any = Z, **options: Any) -> Sample:
    return Sample(pl.cross_entropy, cross_entropy, (x, target), options, note)


def each(note: str, **options: Any) -> list[Sample]:
    """The same options with the three kinds of targets."""
    return [
        ce(INDEX, f"index, {note}", **options),
        ce(ONE_HOT, f"one-hot, {note}", **options),
        ce(SHARES, f"shares, {note}", **options),
    ]


CROSS_ENTROPY = [
    *each("mean"),
    *each("none", reduction="none"),
    *each("sum", reduction="sum"),
    *each("weight", weight=OF_CLASS),
    *each("smoothed", label_smoothing=0.125, reduction="none"),
    *each("z_loss", z_loss=0.25),
    *each("softcap", softcap=5.0),
    *each("rows masked", where=COUNTED),
    *each("sample_weight", sample_weight=OF_ROW),
    *each("sample_weight, broadcast", sample_weight=OF_ROW[:1]),
    *each("lse", return_lse=True, reduction="none"),
    *each("everything", **EVERYTHING),
    *each("everything, none", **EVERYTHING, reduction="none", return_lse=True),
    ce(IGNORED, "ignored"),
    ce(IGNORED, "ignored, everything", **EVERYTHING, return_lse=True),
    ce(INDEX, "ignored class", ignore_index=2, weight=OF_CLASS, label_smoothing=0.25),
    ce(FITTING, "index, classes masked", where=MASK),
    ce(FITTING, "index, classes masked, everything", where=MASK, **EVERYTHING),
    ce(SHARES, "shares, classes masked", where=MASK[:1]),
    ce(SHARES, "shares, classes masked, everything", where=MASK, **EVERYTHING),
    ce([[0, 2, 1, 1], [2, 0, -100, 1]], "index, axis 1", DEEP, axis=1, weight=OF_CLASS),
    ce(abs(DEEP), "shares, axis 1", DEEP, axis=1, label_smoothing=0.25),
    ce([[0, 2, 1, 1], [2, 0, 1, 1]], "axis 1, rows", DEEP, axis=1, where=DEEP[:, 0] < 0),
    ce([[1, 0, 0, 1], [1, 0, 1, 1], [0, 1, 1, 0]], "axis 0", DEEP, axis=0, reduction="none"),
    ce(np.asarray(2), "one row", Z[0]),
]


def nll(target: Any, note: str, x: Any = SIGNED, **options: Any) -> Sample:
    return Sample(pl.nll_loss, nll_loss, (x, target), options, note)


NLL = [
    nll(INDEX, "index"),
    nll(ONE_HOT, "one-hot, weight", weight=OF_CLASS),
    nll(SHARES, "shares, weight, sample_weight", weight=OF_CLASS, sample_weight=OF_ROW),
    nll(IGNORED, "ignored, weight, sample_weight", weight=OF_CLASS, sample_weight=OF_ROW),
    nll(INDEX, "sum", reduction="sum"),
    nll([[0, 2, 1, 1], [2, 0, -100, 1]], "axis 1, none", DEEP, axis=1, reduction="none"),
]

ROWS: list[Sample] = [*CROSS_ENTROPY, *NLL]
