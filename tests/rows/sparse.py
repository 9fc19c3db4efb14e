"""Sparsemax, 1.5-entmax, and the losses that belong to the first."""

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Case, raises
from tests.curves import Pointwise
from tests.definitions import ZERO, Number, product, reduce, rows_of
from tests.rows.along_an_axis import DEEP, SIGNED, Z, logsumexp
from tests.rows.cross_entropy import IGNORED, INDEX, OF_ROW, SHARES
from tests.samples import Sample


def of_mean(x: Array) -> Number:
    """The threshold at which the entries of `x` would sum to 1."""
    return (x.sum() - 1) / len(x)


def of_squares(x: Array) -> Number:
    """The lower threshold at which the squares of the entries of `x` would sum to 1."""
    mean = x.sum() / len(x)
    rest = 1 - ((x - mean) ** 2).sum()
    return mean - mpmath.sqrt(rest / len(x)) if rest >= 0 else mpmath.inf


def cut(row: Array, threshold: Callable[[Array], Number]) -> Array:
    """Subtract the threshold of the one support that is consistent with it."""
    ordered = np.asarray(sorted(row, reverse=True))
    for size in range(len(row), 0, -1):
        tau = threshold(ordered[:size])
        if tau < ordered[size - 1]:
            return np.asarray([max(v - tau, ZERO) for v in row])
    raise AssertionError(row)


def sparsemax(x: Array, *, axis: int = -1) -> Array:
    return np.apply_along_axis(partial(cut, threshold=of_mean), axis, x)


def entmax15(x: Array, *, axis: int = -1) -> Array:
    return np.apply_along_axis(partial(cut, threshold=of_squares), axis, x / 2) ** 2


def sparsemax_loss(
    logits: Array,
    target: Array,
    *,
    axis: int = -1,
    ignore_index: int = -100,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    z, q, counts, _ = rows_of(logits, target, axis, ignore_index, None)
    p = sparsemax(z)
    loss = (product(p, z) - p * p / 2 + q * q / 2 - product(q, z)).sum(-1)
    return reduce(np.where(counts, loss, ZERO), reduction, sample_weight, counts)


def fenchel_young_loss(
    scores: Array,
    target: Array,
    *,
    max_fun: Any,
    axis: int = -1,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    best = logsumexp(2 * scores if max_fun is doubled else scores, axis=axis)
    loss = best - product(target, scores).sum(axis)
    return reduce(loss, reduction, sample_weight)


def doubled(x: Array, *, axis: int) -> Array:
    """Another maximum than logsumexp."""
    return pl.logsumexp(2 * x, axis=axis)


def sparse_plus(x: Number) -> Number:
    return ZERO if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4


def binary(z: Number, y: Number) -> Number:
    return sparse_plus((1 - 2 * y) * z)


def binary_slope(z: Number, y: Number) -> Number:
    return (1 - 2 * y) * min(max(((1 - 2 * y) * z + 1) / 2, ZERO), mpf(1))


def loss(target: Any, note: str, x: Any = Z, **options: Any) -> Sample:
    return Sample(pl.sparsemax_loss, sparsemax_loss, (x, target), options, note)


NEAR: Any = np.asarray(DEEP) / 4  # many classes in the support
AXIS_1 = [[0, 2, 1, 1], [2, 0, -100, 1]]

ROWS = [
    Sample(pl.sparsemax, sparsemax, (Z,)),
    Sample(pl.sparsemax, sparsemax, (NEAR,), {"axis": 1}, "axis 1"),
    Sample(pl.entmax15, entmax15, (Z,)),
    Sample(pl.entmax15, entmax15, (NEAR,), {"axis": 1}, "axis 1"),
    loss(INDEX, "index"),
    loss(IGNORED, "ignored, none", reduction="none"),
    loss(AXIS_1, "axis 1, everything", NEAR, axis=1, sample_weight=SIGNED[:2, :1] ** 2),
    loss(SHARES, "shares", sample_weight=OF_ROW),
    Sample(
        pl.fenchel_young_loss,
        fenchel_young_loss,
        (Z, SHARES),
        {"max_fun": pl.logsumexp, "sample_weight": OF_ROW},
    ),
    Sample(
        pl.fenchel_young_loss,
        fenchel_young_loss,
        (DEEP, DEEP[::-1]),
        {"max_fun": doubled, "axis": 1, "reduction": "none"},
        "axis 1, another maximum",
    ),
]

POINTWISE = [
    Pointwise(
        pl.binary_sparsemax_loss,
        binary,
        binary_slope,
        targets="bit",
        y=((1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
    ),
]

T, BITS = np.zeros((2, 3)), np.asarray([0.0, 1.0, 0.5])

ERRORS: list[Case] = [
    *(
        raises("sparsemax_loss", ValueError, message, x, y)
        for message, x, y in (
            (r"`target` must have shape \(2,\) \(class indices\) or \(2, 3\)", T, np.zeros((2, 1))),
            (r"`logits` must have at least one class, got shape \(2, 0\)", T[:, :0], BITS[:2]),
        )
    ),
    raises("sparsemax_loss", TypeError, "`target` must hold class indices of an", T, BITS[:2]),
    raises(
        "fenchel_young_loss",
        ValueError,
        r"shapes must be equal, got rows of `scores`: \(2,\), result of `max_fun`: \(\)",
        T,
        T,
        max_fun=lambda x, axis: pl.logsumexp(x),
    ),
    raises(
        "fenchel_young_loss",
        ValueError,
        "`scores` must have at least one class",
        T[:, :0],
        T[:, :0],
        max_fun=pl.logsumexp,
    ),
]

VALUES: list[Case] = [
    raises(
        "sparsemax_loss",
        IndexError,
        r"`target` must hold class indices in \[0, 3\) or ignore_index=-100, got 3 at position ",
        T,
        np.asarray([0, 3]),
    ),
    raises("sparsemax_loss", ValueError, "`target` must be at least 0, got -1", T, T - 1),
    raises(
        "binary_sparsemax_loss",
        ValueError,
        r"`target` must be 0 or 1, got 0.5 at position \(2,\)",
        T[0],
        BITS,
    ),
]

ROW3 = np.asarray(Z)[[0, 1, 3]]
P = np.asarray([0.5, 0.25, 0.75])
BADS = [
    Bad(pl.sparsemax_loss, ROW3, np.asarray([0, 3, 2]), {}, IndexError),
    Bad(pl.sparsemax_loss, ROW3, np.asarray([[1.0, 0, 0], [-1.0, 1, 1], [0, 0, 1]])),
    Bad(
        pl.sparsemax_loss, ROW3, np.asarray([0, 1, 2]), {"sample_weight": np.asarray([1.0, -1, 1])}
    ),
    Bad(pl.binary_sparsemax_loss, P, np.asarray([1.0, 0.5, 0.0])),
    Bad(
        pl.fenchel_young_loss,
        ROW3,
        np.asarray(SHARES[:3]),
        {"max_fun": pl.logsumexp, "sample_weight": np.asarray([1.0, -1.0, 1.0])},
    ),
]

INF, NAN = np.inf, np.nan
A = np.asarray
ROW = A([[1.0, 2, 3], [1, 0, -1]])


def largest_of(*others: float) -> Any:
    """The probability of the only entry of an array among others."""

    def f(x: Array) -> Array:
        xp = array_namespace(x)
        rest = (0 * xp.ones_like(x) + v for v in others)
        return pl.sparsemax(xp.concat([x, *rest]))[:1]

    return f


BEYOND = [
    ("sparsemax, masked", (lambda: pl.sparsemax(A([-INF, 0.0, 0.0]))[1], 0.5, None)),
    ("sparsemax of -inf", (lambda: pl.sparsemax(A([-INF, -INF]))[0], NAN, None)),
    ("sparsemax of nan", (lambda: pl.sparsemax(A([NAN, 0.0]))[1], NAN, None)),
    ("sparsemax of inf", (lambda: pl.sparsemax(A([INF, 0.0]))[1], NAN, None)),
    ("sparsemax, huge", (lambda: pl.sparsemax(A([1e300, 1e300]))[0], 0.5, None)),
    ("entmax15, masked", (lambda: pl.entmax15(A([-INF, 0.0, 0.0]))[1], 0.5, None)),
    ("entmax15 of nan", (lambda: pl.entmax15(A([NAN, 0.0]))[1], NAN, None)),
    ("sparsemax loss, certain", (lambda: pl.sparsemax_loss(A([[1.0, 0]]), A([0])), 0.0, None)),
    (
        "sparsemax loss, nearly certain",
        (lambda: pl.sparsemax_loss(A([[1 - 2.0**-20, 0]]), A([0])), 2.0**-42, None),
    ),
    ("sparsemax loss, -inf", (lambda: pl.sparsemax_loss(A([[-INF, 0.0]]), A([1])), 0.0, None)),
    ("sparsemax loss at -inf", (lambda: pl.sparsemax_loss(A([[-INF, 0.0]]), A([0])), INF, None)),
    ("sparsemax loss, ignored", (lambda: pl.sparsemax_loss(ROW, A([-100, -100])), 0.0, None)),
    (
        "fenchel_young_loss, 0 times inf",
        (
            lambda: pl.fenchel_young_loss(
                A([[-INF, 0.0, 0.0]]), A([[0.0, 1, 0]]), max_fun=pl.logsumexp
            ),
            float(np.log(2)),
            None,
        ),
    ),
]
BEYOND_SLOPES = [
    ("sparsemax, outside", (largest_of(2.0, 0.5), 0.0, 0.0, None)),
    ("sparsemax, next to the edge", (largest_of(0.5), 0.0, 0.5, None)),
    ("sparsemax, masked", (largest_of(0.0, 0.0), -INF, 0.0, None)),
    ("sparsemax of nan", (largest_of(0.0, 0.0), NAN, NAN, None)),
]
BEYOND_ERRORS = [
    (
        "sparsemax_loss, index 3",
        (lambda: pl.sparsemax_loss(ROW, A([0, 3])), IndexError, "optax a plausible number"),
    ),
    (
        "binary_sparsemax_loss, (4,) and (4, 1)",
        (lambda: pl.binary_sparsemax_loss(A([0.0] * 4), A([[0.0]] * 4)), ValueError, "broadcasts"),
    ),
]
