"""Cross entropy of a linear layer: what `cross_entropy` of its logits is."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.rows.cross_entropy import cross_entropy
from tests.samples import Sample


def linear_cross_entropy(
    hidden: Array,
    weight: Array,
    target: Array,
    *,
    bias: Any = 0,
    class_weight: Array | None = None,
    chunk_size: int | None = None,
    **options: Any,
) -> Any:
    del chunk_size
    return cross_entropy(hidden @ weight.T + bias, target, weight=class_weight, **options)


HIDDEN = [[2.0, -1.0], [0.25, 0.5], [-3.0, 4.0], [1.5, 0.0]]
WEIGHT = [[1.0, -0.5], [-2.0, 10.0], [0.75, 0.5]]
INDEX, IGNORED = [0, 2, 1, 0], [0, -100, 1, -100]
SHARES = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.25, 0.75, 0.0], [1.0, 0.5, 0.0]]
ONE_HOT: Any = np.eye(3, dtype=np.int64)[INDEX]
DEEP = np.cos(np.arange(8.0)).reshape(2, 2, 2)
BIAS, OF_CLASS = np.asarray([0.5, -0.25, 1.0]), np.asarray([1.0, 0.5, 2.0])
OF_ROW = np.asarray([1.0, 0.25, 2.0, 0.0])
EVERYTHING: dict[str, Any] = {
    "bias": BIAS,
    "class_weight": OF_CLASS,
    "label_smoothing": 0.125,
    "z_loss": 0.25,
    "softcap": 20.0,
    "sample_weight": OF_ROW,
}


def row(target: Any, note: str, hidden: Any = HIDDEN, **options: Any) -> Sample:
    given = (hidden, WEIGHT, target)
    inside: dict[int | str, tuple[float, float]] = {1: (-1.0, 1.0), "bias": (-1.0, 1.0)}
    return Sample(
        pl.linear_cross_entropy, linear_cross_entropy, given, options, note, inside=inside
    )


ROWS = [
    row(INDEX, "index"),
    row(INDEX, "index, none", reduction="none", chunk_size=3, bias=BIAS),
    row(SHARES, "shares, sum", reduction="sum", chunk_size=2),
    row(ONE_HOT, "one-hot, class_weight", class_weight=OF_CLASS, chunk_size=2),
    row(IGNORED, "ignored, everything", **EVERYTHING, chunk_size=1, return_lse=True),
    row(SHARES, "shares, everything, none", **EVERYTHING, chunk_size=3, reduction="none"),
    row([[0, 2], [1, 1]], "two axes, lse", DEEP, return_lse=True, chunk_size=3),
    row(np.asarray(2), "one row", HIDDEN[0], bias=BIAS),
]


# ---- errors ----------------------------------------------------------------------------------

H, W, Y = np.zeros((2, 3)), np.zeros((4, 3)), np.asarray([0, 3])
NAME = "linear_cross_entropy"
SHAPES = r"`hidden` and `weight` must have shapes \(\.\.\., D\) and \(C, D\), got "
ERRORS = [
    raises(NAME, ValueError, SHAPES + r"\(2, 3\) and \(4, 2\)", H, W[:, :2], Y),
    raises(NAME, ValueError, SHAPES + r"\(2, 3\) and \(3,\)", H, W[0], Y),
    raises(NAME, ValueError, SHAPES + r"\(\) and \(4, 3\)", np.zeros(()), W, Y),
    raises(NAME, ValueError, r"`bias` must have shape \(4,\), got \(3,\)", H, W, Y, bias=H[0]),
    raises(NAME, ValueError, r"`class_weight` must have shape \(4,\), got \(\)", H, W, Y,
           class_weight=np.asarray(1.0)),
    raises(NAME, ValueError, r"`target` must have shape \(2,\) \(class indices\) or \(2, 4\) "
           r"\(probabilities\) for `hidden @ weight.T` of shape \(2, 4\)", H, W, Y[:1]),
    raises(NAME, ValueError, "`weight` must have at least one class", H, W[:0], Y),
    raises(NAME, TypeError, "`weight` must have a real floating dtype, got .*int64", H,
           W.astype(np.int64), Y),
    raises(NAME, TypeError, "`bias` must have a real floating dtype, got .*int64", H, W, Y,
           bias=np.zeros(4, np.int64)),
    raises(NAME, TypeError, "`target` must hold class indices of an integer dtype, got .*float64",
           H, W, Y.astype(np.float64)),
    raises(NAME, ValueError, "`chunk_size` must be at least 1, got 0", H, W, Y, chunk_size=0),
    raises(NAME, TypeError, "`chunk_size` must be an int, got 2.0", H, W, Y, chunk_size=2.0),
    raises(NAME, ValueError, r"`label_smoothing` must lie in \[0, 1\]", H, W, Y, label_smoothing=2),
    raises(NAME, ValueError, "`z_loss` must be at least 0, got -1.0", H, W, Y, z_loss=-1.0),
    raises(NAME, ValueError, "`softcap` must be greater than 0, got 0", H, W, Y, softcap=0),
]  # fmt: skip

VALUES = [
    raises(NAME, IndexError, r"`target` must hold class indices in \[0, 4\) or ignore_index=-100, "
           r"got 4 at position \(1,\)", H, W, np.asarray([0, 4])),
    raises(NAME, ValueError, r"`target` must be at least 0, got -1.0 at position \(1, 2\)", H, W,
           np.asarray([[0.0, 0, 0, 1], [1, 1, -1, 0]])),
    raises(NAME, ValueError, r"`class_weight` must be at least 0, got -2.0 at position \(1,\)", H,
           W, Y, class_weight=np.asarray([0.0, -2, 0, 0])),
]  # fmt: skip


def of_hidden(x: Array, y: Array, **options: Any) -> Array:
    """The loss with one weight, a matrix of the library of `x`."""
    xp = array_namespace(x)
    weight = xp.eye(3, dtype=x.dtype, device=device(x))
    return pl.linear_cross_entropy(x, weight, y, **options)


THREE = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.25, 0.0], [3.0, 1.0, 2.0]])
BADS = [
    *(Bad(of_hidden, THREE, np.asarray([0, i, 2]), {}, IndexError) for i in (-1, 3)),
    Bad(of_hidden, THREE, np.asarray([[1.0, 0, 0], [1, -0.5, 0], [0, 0, 1]])),
    Bad(of_hidden, THREE, np.asarray([0, 1, 2]), {"sample_weight": np.asarray([1.0, -1, 1])}),
]


# ---- where a peer is wrong -------------------------------------------------------------------

EYE = np.eye(2)
E20 = float(np.log1p(np.exp(-20)))
BEYOND = [
    (
        "linear, all ignored",
        (lambda: pl.linear_cross_entropy(EYE, EYE, np.asarray([-100, -100])), 0.0, "torch nan"),
    ),
    (
        "linear, confident row",
        (lambda: pl.linear_cross_entropy(20 * EYE[:1], EYE, np.asarray([0])), E20, "torch 0"),
    ),
    (
        "linear, softcap keeps the mask",
        (
            lambda: pl.linear_cross_entropy(
                0 * EYE[:1], EYE, np.asarray([1]), bias=np.asarray([-np.inf, 0.0]), softcap=5.0
            ),
            0.0,
            "liger, CCE: the mask is lost",
        ),
    ),
]
