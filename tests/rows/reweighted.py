"""Focal losses, their relatives, and the softmax of a list."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import expm1, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Case, raises
from tests.curves import Pointwise
from tests.definitions import (
    ZERO,
    Number,
    elementwise,
    product,
    reduce,
    rows_of,
    sigmoid,
    sigmoid_slope,
    softplus,
)
from tests.rows.along_an_axis import DEEP, MASK, Z, log_softmax
from tests.rows.cross_entropy import IGNORED, INDEX, OF_CLASS, OF_ROW, SHARES
from tests.samples import Sample

# ---- of classes ------------------------------------------------------------------------------


def reweighted(
    logits: Array,
    target: Array,
    term: Callable[[Number], Number],
    *,
    axis: int = -1,
    weight: Array | None = None,
    alpha: Any = 1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """Sum the terms of -log p, weighed by the probabilities of the target."""
    z, q, counts, _ = rows_of(logits, target, axis, ignore_index, None)
    e = mpf(label_smoothing)
    of_class = np.broadcast_to(1 if weight is None else weight, q.shape)
    share = ((1 - e) * q + e / q.shape[-1]) * of_class * alpha
    terms = elementwise(term)(-log_softmax(np.where(counts[..., None], z, ZERO)))
    loss = np.where(counts, product(share, terms).sum(-1), ZERO)
    amount = (q * of_class).sum(-1) if target.ndim < z.ndim else 1
    return reduce(loss, reduction, sample_weight, np.where(counts, amount, 0))


def softmax_focal_loss(
    logits: Array, target: Array, *, gamma: float = 2.0, **options: Any
) -> Array:
    def term(loss: Number) -> Number:
        return (-expm1(-loss)) ** mpf(gamma) * loss

    return reweighted(logits, target, term, **options)


def poly_loss(logits: Array, target: Array, *, epsilon: float = 2.0, **options: Any) -> Array:
    def term(loss: Number) -> Number:
        return loss - mpf(epsilon) * expm1(-loss)

    return reweighted(logits, target, term, **options)


def generalized_cross_entropy(
    logits: Array, target: Array, *, q: float = 0.7, **options: Any
) -> Array:
    def term(loss: Number) -> Number:
        return -expm1(-mpf(q) * loss) / mpf(q) if q else loss

    return reweighted(logits, target, term, **options)


def ranking_softmax_loss(
    scores: Array,
    labels: Array,
    *,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    mask = np.ones(scores.shape, bool) if where is None else np.broadcast_to(where, scores.shape)
    z, q, mask = (np.moveaxis(a, axis, -1) for a in (scores, labels + ZERO, mask))
    loss = product(np.where(mask, q, ZERO), -log_softmax(z, where=mask)).sum(-1)
    return reduce(loss, reduction, sample_weight, mask.any(-1))


DEFINED: dict[Any, Any] = {
    pl.softmax_focal_loss: softmax_focal_loss,
    pl.poly_loss: poly_loss,
    pl.generalized_cross_entropy: generalized_cross_entropy,
    pl.ranking_softmax_loss: ranking_softmax_loss,
}
AXIS_1 = [[0, 2, 1, 1], [2, 0, -100, 1]]
LISTS = np.asarray([[True, False, True], [False] * 3, [True, True, False], [True] * 3])
RELEVANCE = [[0, 2, 1], [1, 1, 1], [3, 0, 0], [0, 0, 1]]


def of(function: Any, target: Any, note: str, x: Any = Z, **options: Any) -> Sample:
    return Sample(function, DEFINED[function], (x, target), options, note)


SMOOTHED: dict[str, Any] = {"label_smoothing": 0.125, "sample_weight": OF_ROW}
LAYOUT: dict[str, Any] = {"axis": 1, "reduction": "none"}
FOCAL, POLY, GENERALIZED = pl.softmax_focal_loss, pl.poly_loss, pl.generalized_cross_entropy

ROWS = [
    of(FOCAL, INDEX, "index"),
    of(FOCAL, IGNORED, "ignored, gamma 0.5", gamma=0.5),
    of(FOCAL, SHARES, "shares, everything", gamma=3, alpha=OF_CLASS, **SMOOTHED),
    of(FOCAL, AXIS_1, "axis 1", DEEP, alpha=0.25, gamma=0, **LAYOUT),
    of(POLY, INDEX, "index"),
    of(POLY, IGNORED, "ignored, weight", weight=OF_CLASS),
    of(POLY, SHARES, "shares, everything", epsilon=-0.5, weight=OF_CLASS, **SMOOTHED),
    of(POLY, AXIS_1, "axis 1", DEEP, **LAYOUT),
    of(GENERALIZED, INDEX, "index"),
    of(GENERALIZED, IGNORED, "ignored, q 0", q=0, sample_weight=OF_ROW),
    of(GENERALIZED, SHARES, "shares, q 1", q=1.0),
    of(GENERALIZED, AXIS_1, "axis 1", DEEP, q=0.25, **LAYOUT),
    of(pl.ranking_softmax_loss, RELEVANCE, "integers"),
    of(pl.ranking_softmax_loss, SHARES, "everything", where=LISTS, sample_weight=OF_ROW),
    of(pl.ranking_softmax_loss, abs(DEEP), "axis 1", DEEP, where=MASK[:3, :1] | True, **LAYOUT),
]

# ---- of one class ----------------------------------------------------------------------------


def sigmoid_focal(
    gamma: float, alpha: float | None = None, smoothing: float = 0.0
) -> tuple[Any, Any]:
    def parts(z: Number, t: Number) -> Any:
        y = t * (1 - mpf(smoothing)) + mpf(smoothing) / 2
        no = (1 - t) * (1 - mpf(smoothing)) + mpf(smoothing) / 2
        weight = mpf(1) if alpha is None else y * mpf(alpha) + no * (1 - mpf(alpha))
        missing = y * sigmoid(-z) + no * sigmoid(z)
        entropy = (y * softplus(-z) if y else ZERO) + (no * softplus(z) if no else ZERO)
        return y, no, weight, missing, entropy

    def value(z: Number, t: Number) -> Number:
        _, _, weight, missing, entropy = parts(z, t)
        return weight * missing ** mpf(gamma) * entropy

    def slope(z: Number, t: Number) -> Any:
        y, no, weight, missing, entropy = parts(z, t)
        power = weight * missing ** mpf(gamma)
        if not power:
            return ZERO
        rise = power * gamma * sigmoid_slope(z) / missing * entropy if gamma else ZERO
        terms = (no * rise, -y * rise, power * no * sigmoid(z), -power * y * sigmoid(-z))
        return terms if y and no else mpmath.fsum(terms)

    return value, slope


LOGITS = [[-30.5, 1e4, 0.0], [3.0, 20.0, -1e4]]
LABELS = [[0.0, 1.0, 0.25], [0.5, 1.0, 0.0]]
MODERATE = [[-3.5, 12.0, 0.0], [3.0, 1e-3, -0.75]]
INSIDE = [[0.125, 0.75, 0.25], [0.5, 0.875, 0.375]]  # 0 and 1 are poles of the slope for gamma < 1
SIGMOID: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"gamma": 0.5}, "gamma 0.5"),
    ({"gamma": 0, "alpha": 0.25}, "gamma 0, alpha"),
    ({"gamma": 3.0, "alpha": 0.75, "label_smoothing": 0.25}, "everything"),
]
POINTWISE = [
    Pointwise(
        pl.sigmoid_focal_loss,
        *sigmoid_focal(o.get("gamma", 2.0), o.get("alpha"), o.get("label_smoothing", 0.0)),
        o,
        note,
        targets="share",
        x=LOGITS if o.get("gamma") != 0.5 else MODERATE,
        y=LABELS if o.get("gamma") != 0.5 else INSIDE,
    )
    for o, note in SIGMOID
]

# ---- bad calls -------------------------------------------------------------------------------

T, Y, P = np.zeros((2, 3)), np.asarray([0, 1]), np.full((4,), 0.5)
OF_CLASSES = ("softmax_focal_loss", "poly_loss", "generalized_cross_entropy")
FOCALS: tuple[tuple[str, tuple[Any, Any]], ...] = (
    ("softmax_focal_loss", (T, Y)),
    ("sigmoid_focal_loss", (P, P)),
)

ERRORS: list[Case] = [
    *(
        raises(f, error, message, x, y)
        for f in OF_CLASSES
        for error, message, x, y in (
            (TypeError, "`target` must hold class indices of an integer dtype", T, Y / 1),
            (ValueError, r"`target` must have shape \(2,\) \(class indices\)", T, Y[:, None]),
            (ValueError, "`logits` must have at least one class", T[:, :0], Y),
        )
    ),
    *(
        raises(f, ValueError, r"`label_smoothing` must lie in \[0, 1\], got 1.5", *arrays,
               label_smoothing=1.5)
        for f, arrays in (*FOCALS, ("poly_loss", (T, Y)))
    ),
    *(raises(f, ValueError, "`gamma` must be at least 0, got -1", *a, gamma=-1) for f, a in FOCALS),
    raises("sigmoid_focal_loss", ValueError, r"`alpha` must lie in \[0, 1\]", P, P, alpha=2),
    raises("softmax_focal_loss", ValueError, "`alpha` must be at least 0, got -1", T, Y, alpha=-1),
    raises("softmax_focal_loss", ValueError, r"`alpha` must broadcast to shape \(3,\)", T, Y,
           alpha=np.ones(2)),
    raises("softmax_focal_loss", TypeError, "`alpha` must be an array", T, Y, alpha="even"),
    raises("poly_loss", ValueError, "`epsilon` must be a finite number, got inf", T, Y,
           epsilon=np.inf),
    *(raises("generalized_cross_entropy", ValueError, rf"`q` must lie in \[0, 1\], got {q}", T, Y,
             q=q) for q in (-0.5, 2)),
    raises("ranking_softmax_loss", ValueError, r"shapes must be equal, got scores: \(2, 3\)", T,
           T[:1]),
    raises("ranking_softmax_loss", ValueError, "`where` must broadcast to shape", T, T,
           where=Y == 1),
    raises("ranking_softmax_loss", TypeError, "`where` must have a bool dtype", T, T, where=T),
    raises("ranking_softmax_loss", ValueError, "`scores` must have at least one", T[:, :0],
           T[:, :0]),
]  # fmt: skip

VALUES: list[Case] = [
    *(raises(f, IndexError, r"`target` must hold class indices in \[0, 3\)", T, Y + 2)
      for f in OF_CLASSES),
    *(raises(f, ValueError, "`target` must be at least 0, got -1", T, T - 1) for f in OF_CLASSES),
    raises("sigmoid_focal_loss", ValueError, r"`target` must lie in \[0, 1\], got 1.5", P, P + 1),
    raises("softmax_focal_loss", ValueError, r"`alpha` must be at least 0, got -1.0 at position "
           r"\(0,\)", T, Y, alpha=np.asarray([-1.0, 0, 0])),
    raises("ranking_softmax_loss", ValueError, "`labels` must be at least 0, got -1", T, T - 1),
]  # fmt: skip

ROW3 = np.asarray(Z)[[0, 1, 3]]
ONE_BAD = np.asarray([[1.0, 0, 0], [-1.0, 1, 1], [0, 0, 1]])
BADS = [
    *(Bad(f, ROW3, np.asarray([0, 7, 2]), {}, IndexError) for f in (FOCAL, POLY, GENERALIZED)),
    *(Bad(f, ROW3, ONE_BAD) for f in (FOCAL, POLY, GENERALIZED, pl.ranking_softmax_loss)),
    Bad(FOCAL, ROW3, np.asarray([0, 1, 2]), {"alpha": np.asarray([1.0, -1.0, 1.0])}),
    Bad(POLY, ROW3, np.asarray([0, 1, 2]), {"weight": np.asarray([1.0, -1.0, 1.0])}),
    Bad(pl.sigmoid_focal_loss, P[:3], np.asarray([1.0, 1.5, 0.0])),
]

# ---- beyond the peers ------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
A = np.asarray
ROW, PAIR = A([[1.0, 2, 3], [1, 0, -1]]), A([0, 0])
E20 = float(mpmath.log1p(mpmath.exp(-20)))
SMALL = -float(np.expm1(-E20))  # 1 - p of a row [20, 0]


def binary(**options: Any) -> Any:
    return lambda x: pl.sigmoid_focal_loss(x, array_namespace(x).ones_like(x), **options)


def two(target: int, function: Any, **options: Any) -> Any:
    """The loss of a row of the only entry of an array and 0."""

    def f(x: Array) -> Array:
        xp = array_namespace(x)
        row = xp.concat([x, 0 * xp.ones_like(x)])
        return function(row, xp.astype(0 * xp.ones_like(row[0]), xp.int64) + target, **options)

    return f


BEYOND = [
    ("focal, a certain miss", (lambda: FOCAL(A([[30.0, 0]]), A([1])),
                               30 * (1 - 2 * np.exp(-30)), "keras 16.118, gradient 0")),
    ("focal, a certain hit", (lambda: FOCAL(A([[20.0, 0]]), A([0])), SMALL**2 * E20, None)),
    ("binary focal at -30", (lambda: pl.sigmoid_focal_loss(A([-30.0]), A([1])),
                             30 * (1 - 2 * np.exp(-30)), "keras 16.118")),
    ("binary focal at 20", (lambda: pl.sigmoid_focal_loss(A([20.0]), A([1]), gamma=0.5),
                            SMALL**0.5 * E20, "torchvision 0")),
    ("binary focal at inf", (lambda: pl.sigmoid_focal_loss(A([INF]), A([1.0])), 0.0, "nan")),
    ("binary focal at -inf", (lambda: pl.sigmoid_focal_loss(A([-INF]), A([1.0])), INF, "nan")),
    ("poly of a confident row", (lambda: pl.poly_loss(A([[20.0, 0]]), A([0])),
                                 E20 + 2 * SMALL, "optax 0")),
    *((f"{f.__name__}, 0 times inf", (lambda f=f: f(A([[-INF, 0.0]]), A([[0.0, 1]])), 0.0,
                                      "optax nan")) for f in (FOCAL, POLY, GENERALIZED)),
    *((f"{f.__name__}, all ignored", (lambda f=f: f(ROW, A([-100, -100])), 0.0, None))
      for f in (FOCAL, POLY, GENERALIZED)),
    ("generalized cross entropy at -inf", (
        lambda: GENERALIZED(A([[-INF, 0.0]]), A([0]), q=0.5), 2.0, None)),
    ("ranking, no items", (lambda: pl.ranking_softmax_loss(
        A([[NAN, 1.0]]), A([[1.0, 1.0]]), where=A([[False, False]])), 0.0, None)),
    ("ranking, an item that is not there", (lambda: pl.ranking_softmax_loss(
        A([[NAN, 1.0, 1.0]]), A([[NAN, 1.0, 0.0]]), where=A([[False, True, True]])),
        float(np.log(2)), None)),
]  # fmt: skip
BEYOND_SLOPES = [
    ("focal, a certain miss", (two(1, FOCAL), 30.0, 1 + 57 * float(np.exp(-30)), "keras 0")),
    ("binary focal at 20", (
        binary(gamma=0.5), 20.0,
        -float(SMALL**0.5 * (0.5 * E20 * (1 - SMALL) + SMALL)), "torchvision nan")),
    ("binary focal at 1000", (binary(gamma=0.5), 1000.0, 0.0, "torchvision nan")),
    ("binary focal at inf", (binary(), INF, 0.0, "nan")),
    ("binary focal at -inf", (binary(), -INF, -1.0, "nan")),
    ("generalized cross entropy at -60", (
        two(0, GENERALIZED, q=0.5), -60.0, -float(np.exp(-30.0)), "1 + expm1: 0")),
    ("focal, gamma 0.5, one class", (
        lambda x: FOCAL(x, 0 * x + 1, gamma=0.5), 3.0, 0.0, "nan")),
]  # fmt: skip
BEYOND_ERRORS = [
    ("focal, gamma -1", (lambda: FOCAL(ROW, PAIR, gamma=-1), ValueError, "torchvision accepts")),
    ("binary focal, (4,) and (4, 1)", (
        lambda: pl.sigmoid_focal_loss(A([0.0] * 4), A([[0.0]] * 4)), ValueError, "optax (4, 4)")),
]  # fmt: skip
