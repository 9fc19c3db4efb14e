"""Losses that compare each embedding with all others of a batch."""

from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import exp, log1p, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import raises
from tests.definitions import ZERO, elementwise, exps, logs, reduce
from tests.rows.embedding import cosine
from tests.samples import Sample


def cosines(a: Array, b: Array) -> Array:
    return cosine(a[:, None, :], b[None, :, :])


def info_nce(
    q: Array,
    k: Array,
    negatives: Array | None = None,
    *,
    temperature: float = 0.1,
    symmetric: bool = False,
    **options: Any,
) -> Array:
    heat = mpf(temperature)
    own = exps(cosine(q, k) / heat)
    if negatives is None:
        e = exps(cosines(q, k) / heat)
        loss = -logs(own / e.sum(axis=1))
        if symmetric:
            loss = (loss - logs(own / e.sum(axis=0))) / 2
    else:
        s = cosines(q, negatives) if negatives.ndim == 2 else cosine(q[:, None, :], negatives)
        loss = -logs(own / (own + exps(s / heat).sum(axis=1)))
    return reduce(loss, **{"reduction": "mean", **options})


def ntxent(x: Array, labels: Array, *, temperature: float = 0.07, **options: Any) -> Array:
    e = exps(cosines(x, x) / mpf(temperature))
    same = labels[:, None] == labels[None, :]
    others = np.where(same, ZERO, e).sum(axis=1, keepdims=True)
    pairs = same & ~np.eye(len(labels), dtype=bool)
    loss = np.where(pairs, logs((e + others) / e), ZERO)
    return reduce(loss, counts=pairs, **{"reduction": "mean", **options})


# the weights are constants: rounding takes the steps of differences away
weights = elementwise(lambda v: mpf(float(max(v, ZERO))))


def circle(
    x: Array,
    labels: Array,
    refs: Array | None = None,
    ref_labels: Array | None = None,
    *,
    gamma: float = 80.0,
    margin: float = 0.4,
    **options: Any,
) -> Array:
    m, g = mpf(margin), mpf(gamma)
    own = np.eye(len(labels), dtype=bool) if refs is None else np.asarray(False)
    y, of_y = (x, labels) if refs is None else (refs, ref_labels)
    s = cosines(x, y)
    same = labels[:, None] == np.asarray(of_y)[None, :]
    apart = np.where(same, ZERO, exps(g * weights(s + m) * (s - m))).sum(axis=1)
    near = np.where(same & ~own, exps(g * weights(1 + m - s) * (1 - m - s)), ZERO).sum(axis=1)
    loss = elementwise(lambda v: log1p(v))(apart * near)
    return reduce(loss, **{"reduction": "mean", **options})


Q = [[1.0, -2.0], [3.0, 0.25], [-0.5, 1.5]]
K = [[0.5, -1.0], [2.0, 0.5], [-0.25, -1.5]]
FAR = [[1.0, 0.75], [-1.0, -0.25]]
DEEP = np.linspace(-3, 4, 12).reshape(3, 2, 2) * np.cos(np.arange(12)).reshape(3, 2, 2)
X = [[1.0, -2.0], [3.0, 0.25], [-0.5, 1.5], [0.25, 0.5]]
LABELS = [4, -1, 4, 4]
OF_ROW = np.asarray([1.0, 0.25, 2.0])


def of(function: Any, definition: Any, arrays: Any, note: str, **options: Any) -> Sample:
    fixed = (0, 2) if definition is circle else ()  # its weights are constants to the gradient
    return Sample(
        function, definition, arrays, options, note, constants=fixed, smooth_at_zero=False
    )


ROWS = [
    of(pl.info_nce_loss, info_nce, (Q, K), "mean", temperature=0.5),
    of(
        pl.info_nce_loss,
        info_nce,
        (Q, K),
        "symmetric, everything",
        symmetric=True,
        sample_weight=OF_ROW,
    ),
    of(pl.info_nce_loss, info_nce, (Q, K, FAR), "negatives", reduction="none"),
    of(pl.info_nce_loss, info_nce, (Q, K, DEEP), "own negatives, everything", reduction="sum"),
    of(pl.ntxent_loss, ntxent, (X, LABELS), "mean", temperature=0.5),
    of(pl.ntxent_loss, ntxent, (X, LABELS), "none", reduction="none"),
    of(
        pl.ntxent_loss,
        ntxent,
        (X, LABELS),
        "everything",
        temperature=2.0,
        sample_weight=np.asarray([[1.0], [0.5], [2.0], [0.0]]),
    ),
    of(pl.circle_loss, circle, (X, LABELS), "mean", gamma=2.0),
    of(pl.circle_loss, circle, (X, LABELS), "none", reduction="none", margin=0.25, gamma=8.0),
    of(
        pl.circle_loss,
        circle,
        (Q, [4, -1, 7], X, LABELS),
        "references, everything",
        gamma=4.0,
        sample_weight=OF_ROW,
    ),
]

A = np.asarray
V, L, N = A(X), A(LABELS), A(Q)
ERRORS = [
    *(
        raises("info_nce_loss", ValueError, f"`temperature` must be greater than 0, got {t}", N, N,
               temperature=t) for t in (0, -1.0)
    ),
    raises("info_nce_loss", ValueError, r"`query` must have shape \(N, D\), got shape \(2,\)", N[0],
           N[0]),
    raises("info_nce_loss", ValueError, r"shapes must be equal, got query: \(3, 2\)", N, V),
    raises("info_nce_loss", ValueError, r"`negatives` must have shape \(M, 2\) or \(3, M, 2\), got",
           N, N, V[:, None, :]),
    raises("info_nce_loss", ValueError, "`symmetric` must be False with `negatives`", N, N, V,
           symmetric=True),
    raises("ntxent_loss", ValueError, "`temperature` must be greater than 0, got 0", V, L,
           temperature=0),
    *(
        raises(f, TypeError, "`labels` must hold class indices of an integer dtype", V, V[:, 0])
        for f in ("ntxent_loss", "circle_loss")
    ),
    *(
        raises(f, ValueError, r"`labels` must have shape \(4,\), got shape \(3,\)", V, L[:3])
        for f in ("ntxent_loss", "circle_loss")
    ),
    raises("circle_loss", ValueError, "`gamma` must be greater than 0, got -1.0", V, L, gamma=-1.0),
    raises("circle_loss", ValueError, "`ref_labels` must come with `ref_embeddings`", V, L, V),
    raises("circle_loss", ValueError, r"`ref_embeddings` must have shape \(M, 2\), got", V, L,
           V[:, :1], L),
]  # fmt: skip

ALONE = A([[1.0, 0.0], [0.0, 1.0]])
BEYOND = [
    ("ntxent without pairs", (lambda: pl.ntxent_loss(ALONE, A([0, 1])), 0.0, "optax nan")),
    ("circle without pairs", (lambda: pl.circle_loss(ALONE, A([0, 1])), 0.0, None)),
    ("circle without negatives", (lambda: pl.circle_loss(ALONE, A([1, 1])), 0.0, None)),
    (
        "info_nce of a confident query",
        (
            lambda: pl.info_nce_loss(ALONE, ALONE, temperature=0.02),
            float(log1p(exp(mpf(-50)))),
            "the textbook 0",
        ),
    ),
]


def turned(x: Any, one: Any) -> Any:
    """Three embeddings, of which the first one's direction depends on a number."""
    return [[one, x], [one, 0.5 * one], [-0.25 * one, one]]


def circle_of(x: Array) -> Array:
    xp = array_namespace(x)
    one = xp.ones_like(x[0])
    rows = xp.stack([xp.stack([v + 0 * x[0] for v in row]) for row in turned(x[0], one)])
    return pl.circle_loss(rows, xp.astype(rows[:, 0] > 0, xp.int64), gamma=4.0)


def circle_slope(x: float) -> float:
    """The exact slope of `circle_of`."""
    with mpmath.workdps(140):
        step = mpf(10) ** -40
        ends = [
            circle(np.asarray(turned(mpf(x) + h, mpf(1))), np.asarray([1, 1, 0]), gamma=4.0)
            for h in (step, -step)
        ]
        return float((ends[0] - ends[1]) / (2 * step))


BEYOND_SLOPES = [
    ("circle at .25", (circle_of, 0.25, circle_slope(0.25), "keras: the weights differentiated")),
]
