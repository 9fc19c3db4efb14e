"""The rows that every law of test_laws.py runs over: each public function, each of its options."""

from typing import Any

import numpy as np

import portable_losses as pl
from tests import definitions, references
from tests.definitions import elementwise
from tests.samples import Sample

X = [[-1e4, -30.5, -2.25, -0.75], [0.0, 1e-3, 3.0, 40.0]]
BENT = [[-1e4, -30.5, -2.25, -0.75], [0.5, 1e-3, 3.0, 40.0]]  # no point on a kink


def of_one(name: str, x: Any = X, key: str = "", **options: Any) -> Sample:
    """A row of a function of one number."""
    function = getattr(pl, name)
    value = references.ELEMENTWISE[key or name].value
    note = key.partition(", ")[2]
    return Sample(function, lambda x, **_: elementwise(value)(x), (x,), options, note)


ELEMENTWISE = [
    of_one("relu", BENT),
    of_one("leaky_relu", BENT),
    of_one("leaky_relu", BENT, "leaky_relu, slope 2", negative_slope=2.0),
    of_one("sigmoid"),
    of_one("log_sigmoid"),
    of_one("tanh"),
    of_one("softplus"),
    of_one("softplus", key="softplus, beta 2.5", beta=2.5),
    of_one("silu"),
    of_one("gelu"),
    of_one("gelu", key="gelu, tanh form", approximate="tanh"),
    of_one("erf"),
    of_one("erfc"),
    of_one("log1mexp", BENT),
    of_one("logit", [[1e-30, 0.125, 0.25, 0.4375], [0.5, 0.625, 0.75, 0.9375]]),
]

# ---- along an axis ---------------------------------------------------------------------------

Z = [[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-1e4, 1e4, 3.0], [30.0, -10.0, 29.5]]
MASK = np.asarray([[True, True, False], [False, True, True], [True, False, True], [True] * 3])
SIGNED = np.asarray([[1.0, 2.0, -0.5], [1.0, 3.0, 0.25], [2.0, 1.0, 1.0], [0.5, 1.5, 0.75]])
DEEP = np.linspace(-3, 4, 24).reshape(2, 3, 4) * np.cos(np.arange(24)).reshape(2, 3, 4)


def of_rows(name: str, x: Any = Z, note: str = "", **options: Any) -> Sample:
    return Sample(getattr(pl, name), getattr(definitions, name), (x,), options, note)


ALONG_AN_AXIS = [
    of_rows("softmax"),
    of_rows("softmax", note="axis 0", axis=0),
    of_rows("softmax", DEEP, note="two axes", axis=(0, 2)),
    of_rows("softmax", note="where", where=MASK),
    of_rows("softmax", note="where, broadcast", where=MASK[:1]),
    of_rows("log_softmax"),
    of_rows("log_softmax", DEEP, note="axis 1", axis=1),
    of_rows("log_softmax", DEEP, note="two axes", axis=(0, -1)),
    of_rows("log_softmax", note="where", where=MASK),
    of_rows("softmin"),
    of_rows("softmin", DEEP, note="axis 0", axis=0),
    of_rows("logsumexp"),
    of_rows("logsumexp", note="axis, keepdims", axis=-1, keepdims=True),
    of_rows("logsumexp", DEEP, note="two axes, keepdims", axis=(2, 0), keepdims=True),
    of_rows("logsumexp", note="b", axis=1, b=abs(SIGNED)),
    of_rows("logsumexp", note="b, return_sign", axis=1, b=-SIGNED, return_sign=True),
    of_rows("logsumexp", note="return_sign", axis=0, return_sign=True),
    of_rows("logsumexp", note="where", axis=1, where=MASK),
    of_rows("logsumexp", note="b, where, broadcast", axis=1, b=abs(SIGNED[:1]), where=MASK),
    of_rows("smooth_labels", abs(SIGNED), alpha=0.125),
    of_rows("smooth_labels", DEEP, note="where, axis 1", alpha=0.25, axis=1, where=DEEP < 1),
    Sample(pl.one_hot, definitions.one_hot, ([[0, 2], [1, 1]], 3)),
    Sample(pl.one_hot, definitions.one_hot, ([[0, 2], [1, 1]], 4), {"axis": 1}, "axis 1"),
]


def clamped(p: Any, *, eps: float) -> Any:
    return definitions.logit(p, eps=eps)


SPECIAL = [
    Sample(pl.logit, clamped, ([[1e-30, 0.125, 0.4375, 0.9375]],), {"eps": 0.1}, "eps"),
    Sample(
        pl.xlogy,
        elementwise(references.OF_TWO["xlogy"].value),
        ([[0.0], [-2.0], [1.5]], [0.5, 1.0, 1e-3, 1e4]),
    ),
    Sample(
        pl.xlog1py,
        elementwise(references.OF_TWO["xlog1py"].value),
        ([[0.0], [-2.0], [1.5]], [-0.5, 0.0, 1e-3, 1e4]),
    ),
]

# ---- classification --------------------------------------------------------------------------

INDEX = [0, 2, 1, 0]
IGNORED = [0, -100, 1, 0]
ONE_HOT: Any = np.eye(3, dtype=np.int64)[INDEX]
SHARES = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.25, 0.75, 0.0], [1.0, 0.5, 0.0]]
OF_CLASS = np.asarray([1.0, 0.5, 2.0])
OF_ROW = np.asarray([1.0, 0.25, 2.0, 0.0])
FITTING = [0, 2, 2, 1]  # classes that MASK leaves
ROWS = np.asarray([True, False, True, True])
EVERYTHING: dict[str, Any] = {
    "weight": OF_CLASS,
    "label_smoothing": 0.125,
    "z_loss": 0.25,
    "softcap": 20.0,
    "sample_weight": OF_ROW,
}


def ce(target: Any, note: str, x: Any = Z, **options: Any) -> Sample:
    return Sample(pl.cross_entropy, definitions.cross_entropy, (x, target), options, note)


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
    *each("rows masked", where=ROWS),
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
    return Sample(pl.nll_loss, definitions.nll_loss, (x, target), options, note)


NLL = [
    nll(INDEX, "index"),
    nll(ONE_HOT, "one-hot, weight", weight=OF_CLASS),
    nll(SHARES, "shares, weight, sample_weight", weight=OF_CLASS, sample_weight=OF_ROW),
    nll(IGNORED, "ignored, weight, sample_weight", weight=OF_CLASS, sample_weight=OF_ROW),
    nll(INDEX, "sum", reduction="sum"),
    nll([[0, 2, 1, 1], [2, 0, -100, 1]], "axis 1, none", DEEP, axis=1, reduction="none"),
]

# ---- losses of one element -------------------------------------------------------------------

PROBS = [[1e-30, 0.125, 0.5], [0.75, 0.9375, 0.25]]
LABELS = [[0.0, 1.0, 0.25], [0.5, 1.0, 0.0]]
LOGITS = [[-30.5, 1e4, 0.0], [3.0, 20.0, -1e4]]
OF_COLUMN = np.asarray([0.5, 2.0, 1.0])
OF_ELEMENT = np.asarray([[1.0, 0.0, 2.0], [0.5, 1.0, 0.25]])
BOOLS = np.asarray([[True, False, True], [False, True, False]])


def bce(x: Any, y: Any, note: str, **options: Any) -> Sample:
    name = "binary_cross_entropy" + ("" if x is PROBS else "_with_logits")
    return Sample(getattr(pl, name), getattr(definitions, name), (x, y), options, note)


BINARY = [
    *(bce(x, LABELS, "mean") for x in (PROBS, LOGITS)),
    *(bce(x, LABELS, "sum", reduction="sum") for x in (PROBS, LOGITS)),
    *(bce(x, BOOLS, "bools, none", reduction="none") for x in (PROBS, LOGITS)),
    *(bce(x, BOOLS.astype(np.int64), "integers") for x in (PROBS, LOGITS)),
    *(bce(x, LABELS, "weight", weight=OF_COLUMN) for x in (PROBS, LOGITS)),
    *(bce(x, LABELS, "sample_weight", sample_weight=OF_ELEMENT) for x in (PROBS, LOGITS)),
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

INPUT = [[0.5, -3.0, 1e4], [2.0, 0.125, -1.5]]
OBSERVED = [[0.25, 1.0, -1e4], [1.75, 0.0, -1.0]]


def regression(
    name: str, key: str = "", note: str = "", y: Any = OBSERVED, **options: Any
) -> Sample:
    given = ("reduction", "sample_weight")
    defined = definitions.pointwise(key or name)

    def definition(x: Any, target: Any, **known: Any) -> Any:
        return defined(x, target, **{k: v for k, v in known.items() if k in given})

    return Sample(getattr(pl, name), definition, (INPUT, y), options, note)


REGRESSION = [
    *(
        row
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
        for row in (
            regression(name),
            regression(name, note="none", reduction="none"),
            regression(name, note="sum", reduction="sum"),
            regression(name, note="sample_weight", sample_weight=OF_ELEMENT),
            regression(
                name,
                note="integers, sample_weight",
                y=[[1, 2, 3], [4, -5, 6]],
                sample_weight=OF_COLUMN,
            ),
        )
    ),
    regression("smooth_l1_loss", "smooth_l1_loss, beta 0.3", "beta", beta=0.3),
    regression("smooth_l1_loss", "l1_loss", "beta 0", beta=0),
    regression("huber_loss", "huber_loss, delta 2.5", "delta", delta=2.5, reduction="none"),
]

TABLE = [
    *ELEMENTWISE,
    *ALONG_AN_AXIS,
    *SPECIAL,
    *CROSS_ENTROPY,
    *NLL,
    *BINARY,
    *REGRESSION,
]

#: Rows enough to show that a library works: every function once, and every way through the code.
#: The laws take these where a library needs seconds to compile, or to build a graph.
SELECTED = [
    row
    for i, row in enumerate(TABLE)
    if row.function not in [before.function for before in TABLE[:i]]
    or (
        any(word in row.note for word in ("everything", "axis 1", "b, "))
        and not row.note.startswith(("one-hot", "where"))
    )
]

#: Rows enough to show that a law which holds elsewhere holds on one library more.
FEW = [
    row
    for row in SELECTED
    if str(row)
    in (
        "gelu",
        "erf",
        "log_softmax axis 1",
        "logsumexp b, return_sign",
        "xlogy",
        "cross_entropy index, classes masked, everything",
        "cross_entropy shares, everything, none",
        "binary_cross_entropy mean",
        "binary_cross_entropy_with_logits everything",
        "huber_loss",
    )
]
