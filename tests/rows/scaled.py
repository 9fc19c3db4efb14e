"""Norms of 1, means of 0 with variances of 1, and samples from a softmax."""

from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Case, Peer, raises
from tests.definitions import ZERO, elementwise
from tests.rows.along_an_axis import DEEP, MASK, Z, softmax
from tests.samples import Sample

roots = elementwise(mpmath.sqrt)


def normalize(x: Array, *, p: float = 2.0, axis: Any = -1, eps: float = 1e-12) -> Array:
    size = np.abs(x)
    if p == np.inf:
        norm = size.max(axis=axis, keepdims=True)
    else:
        norm = (size ** mpf(p)).sum(axis=axis, keepdims=True) ** (1 / mpf(p))
    return x / np.maximum(norm, mpf(eps))


def standardize(
    x: Array,
    *,
    axis: Any = -1,
    mean: Array | None = None,
    variance: Array | None = None,
    eps: float = 1e-5,
    where: Array | None = None,
) -> Array:
    taking_part = np.ones(x.shape, bool) if where is None else np.broadcast_to(where, x.shape)
    count = np.maximum(taking_part.sum(axis=axis, keepdims=True), 1)
    x = np.where(taking_part, x, ZERO)
    d = x - (x.sum(axis=axis, keepdims=True) / count if mean is None else mean)
    if variance is None:
        variance = np.where(taking_part, d * d, ZERO).sum(axis=axis, keepdims=True) / count
    square = variance + mpf(eps)
    return np.where(taking_part, d / roots(np.where(square == 0, mpf(1), square)), ZERO)


def gumbel_softmax(
    x: Array, noise: Array, *, temperature: float = 1.0, hard: bool = False, axis: int = -1
) -> Array:
    p = softmax((x + noise) / mpf(temperature), axis=axis)
    return np.where(p == p.max(axis=axis, keepdims=True), mpf(1), ZERO) if hard else p


X = [[2.0, -1.0, 0.5], [1e-25, 3e-25, -2e-25], [-1e4, 1e5, 3.0], [3e25, -1e25, 2.5e25]]
NEAR = np.asarray(DEEP) + 0.3
OF_COLUMN = np.asarray([0.5, -2.0, 1.0])
NOISE = [[-0.5, 1.25, 0.25], [2.0, 0.0, -1.0], [0.5, 0.5, 0.75], [0.0, 3.0, -0.25]]


def of(function: Any, definition: Any, arrays: Any, note: str = "", **options: Any) -> Sample:
    flat = function is not pl.normalize and options.get("eps", 1) > 0
    return Sample(function, definition, arrays, options, note, smooth_at_zero=flat)


def scaled(note: str, x: Any = X, **options: Any) -> Sample:
    return of(pl.normalize, normalize, (x,), note, **options)


def centred(note: str, x: Any = NEAR, **options: Any) -> Sample:
    return of(pl.standardize, standardize, (x,), note, **options)


ROWS = [
    scaled("", NEAR[0]),
    scaled("sizes", eps=0.0),
    scaled("p 3, axis 1", NEAR, p=3, axis=1),
    scaled("p 1", NEAR, p=1.0, axis=0),
    scaled("p inf, two axes", NEAR, p=np.inf, axis=(0, 2)),
    scaled("eps", NEAR, eps=100.0),
    centred(""),
    centred("axis 1, everything", axis=(1, 0), eps=0.5, where=NEAR < 1.5),
    centred("mean", X[:1], mean=OF_COLUMN, eps=0.25),
    centred(
        "axis 1, variance", [Z[0], Z[3]], mean=OF_COLUMN, variance=OF_COLUMN**2, where=MASK[:2]
    ),
    of(pl.gumbel_softmax, gumbel_softmax, (Z, NOISE)),
    of(pl.gumbel_softmax, gumbel_softmax, (DEEP, -NEAR), "axis 1", axis=1, temperature=0.5),
    Sample(pl.gumbel_softmax, gumbel_softmax, (Z, NOISE), {"hard": True}, "hard", constants=(0, 1)),
]

ERRORS: list[Case] = [
    *(
        raises("normalize", ValueError, f"`p` must be greater than 0, got {p}", NEAR, p=p)
        for p in (0, -1.0)
    ),
    raises("normalize", ValueError, "`eps` must be at least 0, got -1", NEAR, eps=-1),
    raises("normalize", ValueError, "`axis` must not name an axis twice", NEAR, axis=(0, -3)),
    raises("standardize", ValueError, "`eps` must be at least 0, got -1", NEAR, eps=-1),
    raises("standardize", ValueError, "`mean` must broadcast", NEAR, mean=np.zeros(5)),
    raises("standardize", ValueError, "`variance` must broadcast", NEAR, variance=np.zeros(5)),
    raises("standardize", ValueError, "`where` must broadcast", NEAR, where=np.zeros(5, bool)),
    raises("standardize", TypeError, "`where` must have a bool dtype", NEAR, where=np.zeros(4)),
    raises(
        "gumbel_softmax", TypeError, "`noise` must have a real floating", NEAR, NEAR.astype(int)
    ),
    raises("gumbel_softmax", ValueError, "shapes must be equal, got x: .*noise", NEAR, NEAR[:1]),
    *(
        raises("gumbel_softmax", ValueError, "`temperature` must be", NEAR, NEAR, temperature=t)
        for t in (0, -1.0, np.inf)
    ),
]

VALUES: list[Case] = [
    raises(
        "standardize",
        ValueError,
        r"`variance` must be at least 0, got -2.0 at position \(1,\)",
        np.zeros((2, 3)),
        variance=OF_COLUMN,
    ),
]

PEERS = [
    *(
        Peer("normalize", (NEAR,), {"p": p, "eps": eps}, {"axis": axis}, {"dim": axis})
        for p, eps, axis in ((2.0, 1e-12, 1), (1.0, 1e-12, -1), (3.5, 100.0, 0))
    ),
    *(Peer("normalize", (np.asarray(x),), {}, {"axis": -1}, {"dim": -1}) for x in (X[:1], X[2:3])),
]

INF, NAN = np.inf, np.nan
A = np.asarray


def first(function: Any, *others: float, **options: Any) -> Any:
    """The first entry of a row of the only entry of an array and others."""

    def f(x: Array) -> Array:
        xp = array_namespace(x)
        rest = (xp.asarray([v], dtype=x.dtype) + 0 * xp.ones_like(x) for v in others)
        return function(xp.concat([x, *rest]), **options)[:1]

    return f


def drawn(x: Array) -> Array:
    """The first of three probabilities, drawn with a hard sample."""
    return first(lambda z: pl.gumbel_softmax(z, 0 * z, hard=True, temperature=0.5), 0.0, -1.0)(x)


P0 = 1 / (1 + 1 + np.exp(-2.0))
BEYOND = [
    ("normalize, 1e-25", (lambda: pl.normalize(A([3e-25, 4e-25]), eps=0.0)[0], 0.6, None)),
    (
        "normalize, 1e25 in float32",
        (lambda: pl.normalize(A([3e25, 4e25], np.float32))[0], 0.6, "torch 0"),
    ),
    (
        "normalize, next to the largest number",
        (lambda: pl.normalize(A([3e38] * 4, np.float32))[0], 0.5, "torch 0"),
    ),
    ("normalize, zeros", (lambda: pl.normalize(A([0.0, 0.0]), eps=0.0)[0], 0.0, "torch nan")),
    ("normalize, inf", (lambda: pl.normalize(A([INF, 0.0]))[1], NAN, None)),
    ("standardize, 1e200", (lambda: pl.standardize(A([1e200, 3e200]))[1], 1.0, "jax 0")),
    ("standardize, constant", (lambda: pl.standardize(A([2.0, 2.0]), eps=0.0)[1], 0.0, "jax nan")),
    (
        "standardize, nothing takes part",
        (lambda: pl.standardize(A([NAN, 2.0]), where=A([False]))[0], 0.0, "jax nan"),
    ),
    (
        "standardize, nan masked",
        (lambda: pl.standardize(A([NAN, 2.0, 4]), eps=0.0, where=A([False, True, True]))[2], 1.0,
         None),
    ),
    ("gumbel_softmax, hard", (lambda: pl.gumbel_softmax(A([0.3, 0.1]), A([0.0, 0]), hard=True)[0],
                              1.0, "torch 1 ulp off for some")),
    ("gumbel_softmax, masked", (lambda: pl.gumbel_softmax(A([-INF, 0.0]), A([9.0, 0]))[0], 0.0,
                                None)),
]  # fmt: skip
BEYOND_SLOPES = [
    ("normalize at 0", (first(pl.normalize, 0.0), 0.0, 0.0, "torch 1e12")),
    ("normalize, 1 of (1, 1)", (first(pl.normalize, 1.0), 1.0, 0.5**1.5, None)),
    ("normalize, eps", (first(pl.normalize, 0.0, eps=0.5), 0.25, 2.0, None)),
    ("normalize, p inf, a tie", (first(pl.normalize, 1.0, p=INF), 1.0, 0.5, None)),
    ("standardize, masked", (
        lambda x: pl.standardize(x, where=x > 1), NAN, 0.0, None)),
    ("gumbel_softmax, hard", (drawn, 0.0, 2 * P0 * (1 - P0), None)),
]  # fmt: skip
