"""Functions along an axis, and what makes targets."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Case, Peer, raises
from tests.definitions import ZERO, elementwise, exps, logs, product, whole
from tests.samples import Sample

Z = [[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-1e4, 1e4, 3.0], [30.0, -10.0, 29.5]]
MASK = np.asarray([[True, True, False], [False, True, True], [True, False, True], [True] * 3])
SIGNED = np.asarray([[1.0, 2.0, -0.5], [1.0, 3.0, 0.25], [2.0, 1.0, 1.0], [0.5, 1.5, 0.75]])
SHARES = np.asarray([[0.5, 0.25, 0.25], [0.9375, 1e-6, 0.0625]])
DEEP = np.linspace(-3, 4, 24).reshape(2, 3, 4) * np.cos(np.arange(24)).reshape(2, 3, 4)


def softmax(x: Array, *, axis: Any = -1, where: Array | None = None) -> Array:
    e = exps(x) if where is None else np.where(where, exps(np.where(where, x, ZERO)), ZERO)
    sums = e.sum(axis=axis, keepdims=True)
    return e / np.where(sums == 0, mpf(1), sums)


def log_softmax(x: Array, *, axis: Any = -1, where: Array | None = None) -> Array:
    p = softmax(x, axis=axis, where=where)
    return elementwise(lambda v: mpmath.log(v) if v else -mpmath.inf)(p)


def softmin(x: Array, *, axis: Any = -1) -> Array:
    return softmax(-x, axis=axis)


def logsumexp(
    x: Array,
    *,
    axis: Any = None,
    keepdims: bool = False,
    b: Array | None = None,
    return_sign: bool = False,
    where: Array | None = None,
) -> Any:
    terms = exps(x) if b is None else b * exps(x)
    if where is not None:
        terms = np.where(where, terms, ZERO)
    sums = np.asarray(terms.sum(axis=whole(x) if axis is None else axis, keepdims=keepdims))
    size = logs(abs(sums))
    return (size, elementwise(mpmath.sign)(sums)) if return_sign else size


def logmeanexp(
    x: Array, *, axis: Any = None, keepdims: bool = False, where: Array | None = None
) -> Any:
    axis = whole(x) if axis is None else axis
    there = np.ones(x.shape, bool) if where is None else np.broadcast_to(where, x.shape)
    sums = np.where(there, exps(x), ZERO).sum(axis=axis, keepdims=keepdims)
    return logs(np.asarray(sums / there.sum(axis=axis, keepdims=keepdims)))


def cumulative_logsumexp(x: Array, *, axis: int = -1) -> Array:
    return logs(np.cumsum(exps(x), axis=axis))


def entropy(p: Array, *, axis: Any = -1, log_input: bool = False) -> Any:
    size = exps(p) if log_input else p
    shares = product(size, elementwise(lambda v: mpmath.log(v) if v else ZERO)(size))
    return np.asarray(-shares.sum(axis=axis))


def one_hot(x: Array, num_classes: int, *, axis: int = -1) -> Array:
    return np.moveaxis(np.eye(num_classes)[x], -1, axis)


def smooth_labels(
    target: Array, *, alpha: float, axis: int = -1, where: Array | None = None
) -> Array:
    exists = np.ones(target.shape, bool) if where is None else np.broadcast_to(where, target.shape)
    count = exists.sum(axis=axis, keepdims=True)
    share = mpf(alpha) / np.maximum(count, 1)
    return np.where(exists, (1 - mpf(alpha)) * target + share, ZERO)


def of(
    function: Callable[..., Any],
    definition: Callable[..., Any],
    x: Any = Z,
    note: str = "",
    **options: Any,
) -> Sample:
    return Sample(function, definition, (x,), options, note)


ROWS = [
    of(pl.softmax, softmax),
    of(pl.softmax, softmax, note="axis 0", axis=0),
    of(pl.softmax, softmax, DEEP, note="two axes", axis=(0, 2)),
    of(pl.softmax, softmax, note="where", where=MASK),
    of(pl.softmax, softmax, note="where, broadcast", where=MASK[:1]),
    of(pl.log_softmax, log_softmax),
    of(pl.log_softmax, log_softmax, DEEP, note="axis 1", axis=1),
    of(pl.log_softmax, log_softmax, DEEP, note="two axes", axis=(0, -1)),
    of(pl.log_softmax, log_softmax, note="where", where=MASK),
    of(pl.softmin, softmin),
    of(pl.softmin, softmin, DEEP, note="axis 0", axis=0),
    of(pl.logsumexp, logsumexp),
    of(pl.logsumexp, logsumexp, note="axis, keepdims", axis=-1, keepdims=True),
    of(pl.logsumexp, logsumexp, DEEP, note="two axes, keepdims", axis=(2, 0), keepdims=True),
    of(pl.logsumexp, logsumexp, note="b", axis=1, b=abs(SIGNED)),
    of(pl.logsumexp, logsumexp, note="b, return_sign", axis=1, b=-SIGNED, return_sign=True),
    of(pl.logsumexp, logsumexp, note="return_sign", axis=0, return_sign=True),
    of(pl.logsumexp, logsumexp, note="where", axis=1, where=MASK),
    of(pl.logsumexp, logsumexp, note="b, where, broadcast", axis=1, b=abs(SIGNED[:1]), where=MASK),
    of(pl.logmeanexp, logmeanexp),
    of(pl.logmeanexp, logmeanexp, DEEP, note="axis 1, keepdims", axis=(1, 0), keepdims=True),
    of(pl.logmeanexp, logmeanexp, note="where, axis 1", axis=1, where=MASK),
    of(pl.cumulative_logsumexp, cumulative_logsumexp),
    of(pl.cumulative_logsumexp, cumulative_logsumexp, DEEP, note="axis 1", axis=1),
    Sample(pl.entropy, entropy, (SHARES,), inside={0: (0.2, 0.8)}, smooth_at_zero=False),
    of(pl.entropy, entropy, DEEP, note="everything", axis=(0, 1), log_input=True),
    of(pl.smooth_labels, smooth_labels, abs(SIGNED), alpha=0.125),
    of(
        pl.smooth_labels,
        smooth_labels,
        DEEP,
        note="where, axis 1",
        alpha=0.25,
        axis=1,
        where=DEEP < 1,
    ),
    Sample(pl.one_hot, one_hot, ([[0, 2], [1, 1]], 3)),
    Sample(pl.one_hot, one_hot, ([[0, 2], [1, 1]], 4), {"axis": 1}, "axis 1"),
]

TWO: Any = np.zeros((2, 3))
ERRORS: list[Case] = [
    raises("logmeanexp", TypeError, "`where` must have a bool dtype, got .*float", TWO, where=TWO),
    raises("logmeanexp", ValueError, r"`where` must broadcast to shape \(2, 3\), got shape \(2,\)",
           TWO, where=np.ones(2, bool)),
    *(raises(f, ValueError, r"`axis` must not name an axis twice, got \(0, -2\)", TWO, axis=(0, -2))
      for f in ("logmeanexp", "entropy")),
    raises("cumulative_logsumexp", TypeError, "`axis` must be an int, got None", TWO, axis=None),
    raises("cumulative_logsumexp", IndexError, r"`axis` must lie in \[0, 0\)", np.asarray(1.0)),
]  # fmt: skip

AXIS: Any = {"ours": {"axis": 1}, "torchs": {"dim": 1}}
PEERS = [
    Peer(("cumulative_logsumexp", "logcumsumexp"), (DEEP,), **AXIS),
    Peer(("cumulative_logsumexp", "logcumsumexp"), (np.asarray(Z),), torchs={"dim": -1}),
]

A, INF = np.asarray, np.inf
BEYOND = [
    ("logmeanexp of equals", (lambda: pl.logmeanexp(A([1e-3] * 7)), 1e-3, "lse - log n")),
    ("logmeanexp of zeros", (lambda: pl.logmeanexp(np.zeros(5)), 0.0, "lse - log n: 2e-16")),
    ("logmeanexp of nothing", (lambda: pl.logmeanexp(np.zeros(0)), np.nan, None)),
    ("logmeanexp, all masked", (
        lambda: pl.logmeanexp(np.zeros(3), where=A([False] * 3)), np.nan, None)),
    ("logmeanexp of -inf", (lambda: pl.logmeanexp(np.full(3, -INF)), -INF, None)),
    ("logmeanexp, one at -inf", (
        lambda: pl.logmeanexp(A([0.0, -INF, -INF]), where=A([True, True, False])), -np.log(2),
        None)),
    ("cumulative_logsumexp, far below", (
        lambda: pl.cumulative_logsumexp(A([-1000.0, -1000.0, 0.0]))[1], -1000 + np.log(2),
        "cumsum of exp(x - max): -inf")),
    ("cumulative_logsumexp, certain", (
        lambda: pl.cumulative_logsumexp(A([0.0, -20.0], np.float32))[1], np.log1p(np.exp(-20)),
        None)),
    ("cumulative_logsumexp of -inf", (
        lambda: pl.cumulative_logsumexp(A([-INF, -INF]))[1], -INF, None)),
    ("entropy of certainty", (lambda: pl.entropy(A([1.0, 0.0])), 0.0, "-p log p: nan")),
    ("entropy, log", (
        lambda: pl.entropy(A([0.0, -INF]), log_input=True), 0.0, "-exp(l) l: nan")),
]  # fmt: skip


def row_of(x: Array, *others: float) -> Array:
    """A row that begins with the only entry of `x`."""
    xp = array_namespace(x)
    return xp.concat([x, *(0 * xp.ones_like(x) + other for other in others)])


BEYOND_SLOPES = [
    ("cumulative_logsumexp at -inf", (
        lambda x: pl.cumulative_logsumexp(row_of(x, 0.0))[1], -INF, 0.0, "torch, jax nan")),
    ("cumulative_logsumexp at 1e30", (
        lambda x: pl.cumulative_logsumexp(row_of(x, 1e30, 1e30))[2], 1e30, 1 / 3, "torch, jax 1")),
    ("cumulative_logsumexp, the first", (
        lambda x: pl.cumulative_logsumexp(row_of(x, 20.0))[0], -3.0, 1.0, None)),
    ("logmeanexp of -inf", (lambda x: pl.logmeanexp(row_of(x, -INF)), -INF, 0.0, None)),
    ("entropy at -inf", (
        lambda x: pl.entropy(row_of(x, 0.0), log_input=True), -INF, 0.0, "-exp(l) l: nan")),
]  # fmt: skip
