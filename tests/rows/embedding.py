"""Similarities and distances of vectors, and losses of them."""

import math
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Peer, each_reduction, raises
from tests.definitions import ZERO, elementwise, reduce
from tests.samples import Sample

roots = elementwise(mpmath.sqrt)
relu = elementwise(lambda v: max(v, ZERO))


def lengths(x: Array, axis: int, eps: float) -> Array:
    norm = roots((x * x).sum(axis=axis, keepdims=True))
    return elementwise(lambda n: max(n, mpf(eps)) if n else mpf(1))(norm)


def cosine(a: Array, b: Array, *, axis: int = -1, eps: float = 0.0) -> Array:
    u, v = a / lengths(a, axis, eps), b / lengths(b, axis, eps)
    return np.asarray((u * v).sum(axis=axis))


def cosine_distance(a: Array, b: Array, **options: Any) -> Array:
    return 1 - cosine(a, b, **options)


def distance(
    a: Array, b: Array, *, p: float = 2, eps: float = 0.0, axis: int = -1, keepdims: bool = False
) -> Array:
    d = abs(a - b + mpf(eps))
    if p == math.inf:
        return np.asarray(d.max(axis=axis, keepdims=keepdims))
    power = elementwise(lambda v: v ** mpf(p) if v else ZERO)
    sums = np.asarray(power(d).sum(axis=axis, keepdims=keepdims))
    return elementwise(lambda v: v ** (1 / mpf(p)) if v else ZERO)(sums)


def triplet(
    a: Array,
    near: Array,
    far: Array,
    *,
    margin: float = 1.0,
    swap: bool = False,
    distance: Any = distance,
    sample_weight: Array | None = None,
    reduction: str = "mean",
    **options: Any,
) -> Array:
    if distance is pl.cosine_distance:
        distance = cosine_distance
    away = distance(a, far, **options)
    if swap:
        away = np.minimum(away, distance(near, far, **options))
    loss = relu(distance(a, near, **options) - away + mpf(margin))
    return reduce(loss, reduction, sample_weight)


def pair_loss(
    a: Array, b: Array, t: Array, *, margin: float = 0.0, axis: int = -1, **options: Any
) -> Array:
    c = cosine(a, b, axis=axis)
    return reduce(np.where(t > 0, 1 - c, relu(c - mpf(margin))), **{"reduction": "mean", **options})


def ranking(a: Array, b: Array, t: Array, *, margin: float = 0.0, **options: Any) -> Array:
    return reduce(relu(mpf(margin) - t * (a - b)), **{"reduction": "mean", **options})


def hinge(x: Array, t: Array, *, margin: float = 1.0, **options: Any) -> Array:
    loss = np.where(t > 0, x, relu(mpf(margin) - x))
    return reduce(loss, **{"reduction": "mean", **options})


A = [[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]]
B = [[0.5, 1.0, -0.25], [2.0, 0.5, -1.5]]
C = [[0.75, -1.0, 0.125], [-2.0, 1.5, 0.25]]
DEEP = np.linspace(-3, 4, 12).reshape(2, 3, 2) * np.cos(np.arange(12)).reshape(2, 3, 2)
OF_ROW = np.asarray([1.0, 0.25])
SIGNS = [1, -1]


def of(function: Any, definition: Any, arrays: Any, note: str = "", **options: Any) -> Sample:
    return Sample(function, definition, arrays, options, note, smooth_at_zero=False)


ROWS = [
    of(pl.cosine_similarity, cosine, (A, B)),
    of(pl.cosine_similarity, cosine, (DEEP, DEEP[::-1]), "axis 1, eps", axis=1, eps=4.0),
    of(pl.cosine_distance, cosine_distance, (A, B)),
    of(pl.cosine_distance, cosine_distance, (DEEP, DEEP[::-1]), "axis 1, eps", axis=1, eps=4.0),
    of(pl.pairwise_distance, distance, (A, B)),
    of(pl.pairwise_distance, distance, (DEEP, DEEP[::-1]), "axis 1", axis=1, keepdims=True, p=3),
    of(pl.pairwise_distance, distance, (A, B), "p 1", p=1.0),
    of(pl.pairwise_distance, distance, (A, B), "p 1.5, eps", p=1.5, eps=0.125),
    of(pl.pairwise_distance, distance, (A, B), "p inf", p=math.inf),
    of(pl.triplet_margin_loss, triplet, (A, C, B)),
    of(
        pl.triplet_margin_loss,
        triplet,
        (A, C, B),
        "everything",
        margin=3.0,
        p=3.0,
        eps=0.125,
        swap=True,
        axis=0,
        sample_weight=np.asarray([1.0, 0.5, 0.25]),
    ),
    of(
        pl.triplet_margin_loss,
        triplet,
        (A, C, B),
        "distance",
        distance=pl.cosine_distance,
        reduction="none",
    ),
    of(pl.cosine_embedding_loss, pair_loss, (A, B, SIGNS)),
    of(
        pl.cosine_embedding_loss,
        pair_loss,
        (DEEP, DEEP[::-1], [[1, -1], [-1, 1]]),
        "everything, axis 1",
        axis=1,
        margin=-2.0,
        sample_weight=OF_ROW,
    ),
    of(pl.margin_ranking_loss, ranking, (A, B, [[1, -1, 1], [1, -1, -1]]), margin=0.375),
    of(
        pl.margin_ranking_loss,
        ranking,
        (A, B, [[1, -1, 1], [1, -1, -1]]),
        "everything",
        margin=8.0,
        sample_weight=OF_ROW[:, None],
        reduction="sum",
    ),
    of(pl.hinge_embedding_loss, hinge, (A, [[1, -1, 1], [1, -1, -1]]), margin=0.375),
    of(
        pl.hinge_embedding_loss,
        hinge,
        (A, [[1.0, -1.0, 1.0], [1.0, -1.0, -1.0]]),
        "everything",
        margin=8.0,
        sample_weight=OF_ROW[:, None],
        reduction="none",
    ),
]
ROWS[-1] = Sample(
    pl.hinge_embedding_loss,
    hinge,
    ROWS[-1].arrays,
    ROWS[-1].options,
    "everything",
    constants=(1,),
)

# ---- peers and errors ------------------------------------------------------------------------

N = np.asarray
X, Y, W = N(A), N(B), N(C)
DIM, EPS = {"axis": 1}, {"dim": 1}
PEERS: list[Peer] = [
    Peer("cosine_similarity", (X, Y), {"eps": 1e-8}, DIM, EPS),
    *(
        Peer("pairwise_distance", (X, Y), {"p": p, "eps": 1e-6}, {"keepdims": k}, {"keepdim": k})
        for p in (1.0, 2.0, 3.0, math.inf)
        for k in (True, False)
    ),
    *each_reduction("cosine_embedding_loss", X, Y, N(SIGNS), margin=0.25),
    *each_reduction("margin_ranking_loss", X, Y, N([[1, -1, 1], [1, -1, -1]]), margin=0.375),
    *each_reduction("hinge_embedding_loss", X, N([[1, -1, 1], [1, -1, -1]]), margin=0.375),
    *each_reduction("triplet_margin_loss", X, W, Y, eps=1e-6),
    *each_reduction("triplet_margin_loss", X, W, Y, eps=1e-6, swap=True, p=3.0, margin=3.0),
]
P, T = N([0.5, 0.25, 0.75]), N([1, -1, 1])
ZERO_ONE = N([1, 0, 1])
MESSAGE = r"`target` must be -1 or 1; 2 \* t - 1 converts \{0, 1\}, got 0(\.0)? at position \(1,\)"
ERRORS = [
    *(
        raises(f, ValueError, "`x1` and `x2` must have shapes that broadcast to one", X, P[:2])
        for f in ("cosine_similarity", "cosine_distance", "pairwise_distance")
    ),
    *(
        raises(f, ValueError, "`eps` must be at least 0, got -1.0", X, Y, eps=-1.0)
        for f in ("cosine_similarity", "cosine_distance", "pairwise_distance")
    ),
    *(
        raises("pairwise_distance", ValueError, f"`p` must be greater than 0, got {p}", X, Y, p=p)
        for p in (0, -1.0)
    ),
    raises("triplet_margin_loss", ValueError, "`p` must be greater than 0, got 0", X, Y, W, p=0),
    raises("triplet_margin_loss", ValueError, r"shapes must be equal, got anchor: \(2, 3\)", X, Y,
           P),
    raises("triplet_margin_loss", ValueError, "`margin` must be a finite number", X, Y, W,
           margin=float("nan")),
]  # fmt: skip
VALUES = [
    raises("cosine_embedding_loss", ValueError, MESSAGE, DEEP[0], DEEP[1], ZERO_ONE),
    raises("margin_ranking_loss", ValueError, MESSAGE, P, P, ZERO_ONE),
    raises("hinge_embedding_loss", ValueError, MESSAGE, P, ZERO_ONE),
]


def to_half(x: Array, t: Array, *, reduction: Any) -> Array:
    return pl.margin_ranking_loss(x, 0 * x + 0.5, t, reduction=reduction)


def to_itself(x: Array, t: Array, *, reduction: Any) -> Array:
    return pl.cosine_embedding_loss(x, 1 - x, t, reduction=reduction)


BADS = [
    *(Bad(pl.hinge_embedding_loss, x, ZERO_ONE) for x in (P, P + 2)),
    Bad(to_half, P, ZERO_ONE),
    Bad(to_half, P, N([1.0, 0.5, -1.0])),
    Bad(to_itself, N([[1.0, 2.0], [0.5, -1.0], [0.25, 3.0]]), ZERO_ONE),
]

F32 = np.float32
TINY: Array = np.full((1, 4), 1e-25, F32)
LARGE: Array = np.full((1, 4), 1e25, F32)
NULL = np.zeros((1, 2))


def first(f: Any) -> Any:
    return lambda: f()[0]


BEYOND = [
    ("cosine of 1e-25", (first(lambda: pl.cosine_similarity(TINY, TINY)), 1.0, "torch 3e-34")),
    ("cosine of 1e25", (first(lambda: pl.cosine_similarity(LARGE, LARGE)), 1.0, "torch 0")),
    ("cosine of 0", (first(lambda: pl.cosine_similarity(NULL, NULL + 1)), 0.0, "optax nan")),
    (
        "distance of directions",
        (
            first(lambda: pl.cosine_distance(N([[1.0, 0.0]]), N([[1.0, 1e-10]]))),
            5e-21,
            "one minus the cosine 0",
        ),
    ),
    ("distance of equals", (first(lambda: pl.pairwise_distance(X[:1], X[:1])), 0.0, "torch 1e-6")),
    (
        "distance of 1e25",
        (first(lambda: pl.pairwise_distance(LARGE, 0 * LARGE)), float(F32(2e25)), "torch inf"),
    ),
    (
        "triplet, p = 1",
        (
            lambda: pl.triplet_margin_loss(N([[0.0, 0.0]]), N([[3.0, -3.0]]), NULL + 0.5, p=1.0),
            6.0,
            "optax 0",
        ),
    ),
]


def of_shape(f: Any, *others: float) -> Any:
    def call(x: Array) -> Array:
        return f(x[None, :], 0 * x[None, :] + others[0])

    return call


BEYOND_SLOPES = [
    ("cosine at 0", (of_shape(pl.cosine_similarity, 1.0), 0.0, 0.0, "torch 4.5e7")),
    ("distance at 0", (of_shape(pl.pairwise_distance, 0.0), 0.0, 0.0, "torch .707")),
]
BEYOND_ERRORS = [
    (
        "hinge_embedding, (3,) and (3, 1)",
        (lambda: pl.hinge_embedding_loss(P, T[:, None]), ValueError, "torch (3, 3)"),
    ),
    ("targets 0 and 1", (lambda: pl.hinge_embedding_loss(P, ZERO_ONE), ValueError, "torch")),
]
