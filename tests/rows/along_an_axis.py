"""Functions along an axis, and what makes targets."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.definitions import ZERO, elementwise, exps, logs, whole
from tests.samples import Sample

Z = [[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-1e4, 1e4, 3.0], [30.0, -10.0, 29.5]]
MASK = np.asarray([[True, True, False], [False, True, True], [True, False, True], [True] * 3])
SIGNED = np.asarray([[1.0, 2.0, -0.5], [1.0, 3.0, 0.25], [2.0, 1.0, 1.0], [0.5, 1.5, 0.75]])
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
