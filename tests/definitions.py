"""What every function with arguments that `references.py` does not have is defined to be.

NumPy arrays of mpmath numbers, 140 digits, the textbook's formula with every option: nothing
here is stable, and nothing needs to be. The names and arguments are those of the library.
"""

from typing import Any

import mpmath
import numpy as np

from portable_losses._typing import Array
from tests import references

DIGITS = 140


def exact(values: Any) -> Array:
    """Return floating values as mpmath numbers; integers and bools stay what they are."""
    values = np.asarray(values)
    return np.vectorize(mpmath.mpf, otypes=[object])(values) if values.dtype.kind == "f" else values


def elementwise(function: Any) -> Any:
    """Let a function of numbers take arrays."""
    return np.vectorize(function, otypes=[object])


exp, log, tanh = elementwise(mpmath.exp), elementwise(mpmath.log), elementwise(mpmath.tanh)
ZERO = mpmath.mpf(0)


def product(coefficient: Array, term: Array) -> Array:
    """Zero times anything is zero."""
    return elementwise(lambda c, t: ZERO if c == 0 else c * t)(coefficient, term)


def whole(x: Array) -> Any:
    """All axes."""
    return tuple(range(x.ndim))


# ---- along an axis ---------------------------------------------------------------------------


def softmax(x: Array, *, axis: Any = -1, where: Array | None = None) -> Array:
    e = exp(x) if where is None else np.where(where, exp(np.where(where, x, ZERO)), ZERO)
    sums = e.sum(axis=axis, keepdims=True)
    return e / np.where(sums == 0, mpmath.mpf(1), sums)


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
    terms = exp(x) if b is None else b * exp(x)
    if where is not None:
        terms = np.where(where, terms, ZERO)
    sums = np.asarray(terms.sum(axis=whole(x) if axis is None else axis, keepdims=keepdims))
    logs = log(abs(sums))
    return (logs, elementwise(mpmath.sign)(sums)) if return_sign else logs


# ---- special functions -----------------------------------------------------------------------


def logit(p: Array, *, eps: float | None = None) -> Array:
    if eps is not None:
        p = np.minimum(np.maximum(p, mpmath.mpf(eps)), 1 - mpmath.mpf(eps))
    return log(p / (1 - p))


def one_hot(x: Array, num_classes: int, *, axis: int = -1) -> Array:
    return np.moveaxis(np.eye(num_classes)[x], -1, axis)


def smooth_labels(
    target: Array, *, alpha: float, axis: int = -1, where: Array | None = None
) -> Array:
    exists = np.ones(target.shape, bool) if where is None else np.broadcast_to(where, target.shape)
    count = exists.sum(axis=axis, keepdims=True)
    share = mpmath.mpf(alpha) / np.maximum(count, 1)
    return np.where(exists, (1 - mpmath.mpf(alpha)) * target + share, ZERO)


# ---- losses ----------------------------------------------------------------------------------


def reduce(
    loss: Array, reduction: str, sample_weight: Array | None = None, counts: Any = 1
) -> Array:
    loss = np.asarray(loss)
    weight = np.broadcast_to(1 if sample_weight is None else sample_weight, loss.shape)
    loss = np.asarray(product(weight, loss))
    if reduction == "none":
        return loss
    amount = np.sum(weight * counts) if reduction == "mean" else 1
    return np.asarray(loss.sum() / amount if amount else ZERO)


def pointwise(name: str) -> Any:
    """Return a loss of one element, with the options that all of them have."""

    def call(
        x: Array, target: Array, *, sample_weight: Array | None = None, reduction: str = "mean"
    ) -> Array:
        loss = elementwise(references.LOSSES[name].value)(x, target + ZERO)
        return reduce(loss, reduction, sample_weight)

    return call


def binary_cross_entropy(
    probs: Array,
    target: Array,
    *,
    weight: Any = 1,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    loss = elementwise(references.bce)(probs, target + ZERO)
    return reduce(weight * loss, reduction, sample_weight)


def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    *,
    weight: Any = 1,
    pos_weight: Any = 1,
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    e = mpmath.mpf(label_smoothing)
    y = target * (1 - e) + e / 2
    softplus = elementwise(references.softplus)
    loss = product(pos_weight * y, softplus(-logits)) + product(1 - y, softplus(logits))
    return reduce(product(weight + 0 * y, loss), reduction, sample_weight)


def rows_of(
    x: Array, target: Array, axis: int, ignore_index: int, where: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Return rows, target probabilities, rows that count and classes that exist."""
    x = np.moveaxis(x, axis, -1)
    classes, counts = np.ones(x.shape, bool), np.ones(x.shape[:-1], bool)
    if where is not None and where.ndim == x.ndim:
        classes = np.moveaxis(np.broadcast_to(where, np.moveaxis(x, -1, axis).shape), axis, -1)
    elif where is not None:
        counts = np.broadcast_to(where, counts.shape)
    if target.ndim == x.ndim:
        q = np.moveaxis(target, axis, -1) + ZERO
    else:
        counts = counts & (target != ignore_index)
        q = np.eye(x.shape[-1])[np.where(target == ignore_index, 0, target)] + ZERO
    return np.where(classes, x, -mpmath.inf), np.where(classes, q, ZERO), counts, classes


def cross_entropy(
    logits: Array,
    target: Array,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    return_lse: bool = False,
    reduction: str = "mean",
) -> Any:
    if softcap is not None:
        logits = elementwise(lambda z: references.capped(z, mpmath.mpf(softcap)))(logits)
    z, q, counts, classes = rows_of(logits, target, axis, ignore_index, where)
    e = mpmath.mpf(label_smoothing)
    smooth = np.where(classes, (1 - e) * q + e / classes.sum(-1, keepdims=True), ZERO)
    z = np.where(counts[..., None], z, ZERO)
    of_class = np.broadcast_to(1 if weight is None else weight, q.shape)
    loss = product(smooth * of_class, -log_softmax(z, where=classes)).sum(-1)
    denominator = np.where(counts, (q * of_class).sum(-1) if target.ndim < z.ndim else 1, 0)
    lse = np.where(counts, logsumexp(z, axis=-1, where=classes), ZERO)
    result = reduce(np.where(counts, loss, ZERO), reduction, sample_weight, denominator)
    penalty = reduce(mpmath.mpf(z_loss) * lse**2, reduction, sample_weight, counts)
    return (result + penalty, lse) if return_lse else result + penalty


def nll_loss(
    log_probs: Array,
    target: Array,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    x, q, counts, _ = rows_of(log_probs, target, axis, ignore_index, None)
    of_class = np.broadcast_to(1 if weight is None else weight, q.shape)
    loss = np.where(counts, product(q * of_class, -x).sum(-1), ZERO)
    denominator = np.where(counts, (q * of_class).sum(-1) if target.ndim < x.ndim else 1, 0)
    return reduce(loss, reduction, sample_weight, denominator)
