"""The rows that every law runs over: each public function, each of its options; a file per family.

A family's file has some of these lists:

- `CURVES` (functions of one number), `OF_TWO` (of two), `POINTWISE` (losses of one element), and
  `ROWS`, written out, for everything else;
- `ERRORS` (calls that raise), `VALUES` (those that raise for a value), `BADS` (a loss of three rows
  with one bad entry, which is NaN where it cannot be read);
- `PEERS` (calls that PyTorch answers alike), `SCIPY` (name, arguments and options of a call that
  scipy.special answers alike);
- `BEYOND`, `BEYOND_SLOPES`, `BEYOND_ERRORS`: entries of the tables in peers/test_beyond_peers.py,
  calls to which a peer gives a wrong answer.
"""

from typing import Any

from tests.curves import Curve, OfTwo, Pointwise
from tests.libraries import EVERY_ROW
from tests.rows import (
    activations,
    along_an_axis,
    binary,
    contrastive,
    cross_entropy,
    ctc,
    deviance,
    divergence,
    embedding,
    gated,
    likelihood,
    linear_cross_entropy,
    margin,
    ordinal,
    piecewise,
    regression,
    relative,
    reweighted,
    robust,
    scaled,
    segmentation,
    sparse,
    special,
)
from tests.samples import Sample

__all__ = [
    "BY_FILE",
    "CURVES",
    "FEW",
    "OF_TWO",
    "ONCE",
    "POINTWISE",
    "SELECTED",
    "TABLE",
    "rows_of",
]

FAMILIES: list[Any] = [
    activations,
    piecewise,
    along_an_axis,
    special,
    cross_entropy,
    linear_cross_entropy,
    ctc,
    binary,
    regression,
    gated,
    margin,
    ordinal,
    reweighted,
    scaled,
    sparse,
    robust,
    relative,
    deviance,
    likelihood,
    divergence,
    segmentation,
    embedding,
    contrastive,
]


def rows_of(name: str) -> list[Any]:
    """Return what the families have under `name`."""
    return [one for family in FAMILIES for one in getattr(family, name, [])]


CURVES: list[Curve] = rows_of("CURVES")
OF_TWO: list[OfTwo] = rows_of("OF_TWO")
POINTWISE: list[Pointwise] = rows_of("POINTWISE")

TABLE: list[Sample] = [
    *(one.row for one in CURVES),
    *(one.row for one in OF_TWO),
    *rows_of("ROWS"),
    *(row for one in POINTWISE for row in one.rows),
]

#: Rows enough to show that a library works: every function once, and every way through the code.
SELECTED = [
    row
    for i, row in enumerate(TABLE)
    if row.function not in [before.function for before in TABLE[:i]]
    or (
        any(word in row.note for word in ("everything", "axis 1", "b, "))
        and not row.note.startswith(("one-hot", "where"))
    )
]

_FEW = [
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
        "huber_loss sample_weight",
    )
]
_ONCE = [
    row
    for i, row in enumerate(TABLE)
    if row in _FEW or row.function not in [other.function for other in (*_FEW, *TABLE[:i])]
]

#: Rows enough to show that a law which holds elsewhere holds on one library more.
FEW = _ONCE if EVERY_ROW else _FEW

#: Every function once, and the few: where a row takes seconds, to compile or to build a graph.
ONCE = SELECTED if EVERY_ROW else _ONCE

#: A row for each file of functions, and the few.
BY_FILE = [
    row
    for i, row in enumerate(ONCE)
    if EVERY_ROW
    or row in _FEW
    or row.function.__module__ not in [other.function.__module__ for other in ONCE[:i]]
]
