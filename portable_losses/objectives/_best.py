"""The constant with the least loss: from where boosting starts."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._polyfill import broadcast_to, clip, device_of
from portable_losses._typing import Array, Namespace, Options
from portable_losses._validation import namespace_of
from portable_losses.objectives._facts import LINKS, Facts

__all__ = ["best_constant", "weighted_mean", "weighted_quantile"]

_STEPS = 200


def weighted_mean(x: Array, weight: Array | None, *, xp: Namespace) -> Array:
    """Return the mean over the samples, which are the first axis."""
    if weight is None:
        return xp.mean(x, axis=0)
    w = weight if x.ndim == 1 else weight[:, None]
    return xp.sum(w * x, axis=0) / xp.sum(w)


def weighted_quantile(x: Array, weight: Array | None, q: float, *, xp: Namespace) -> Array:
    """Return the quantile of samples; midway where a step of the distribution is hit.

    Without weights it is interpolated between two samples, as by `numpy.quantile`.
    """
    order = xp.argsort(x)
    ordered, count = xp.take(x, order, axis=0), int(x.shape[0])
    if weight is None:
        place = q * (count - 1)
        low = min(int(place), count - 1)
        high = min(low + 1, count - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    sums = xp.cumulative_sum(xp.take(weight, order, axis=0))
    reached = int(xp.sum(xp.astype(sums < q * sums[-1], xp.int64)))
    return ordered[min(reached, count - 1)]


def best_constant(
    derive: Callable[..., Any],
    facts: Facts,
    options: Options,
    labels: Array,
    weight: Array | None,
    classes: int | None,
) -> float | list[float]:
    """Return the score, or a list of one for each class, with the least loss over all samples."""
    xp = namespace_of(data=labels)
    if not xp.isdtype(labels.dtype, "real floating"):
        labels = xp.astype(labels, xp.float64)
    if weight is not None:
        weight = xp.astype(xp.asarray(weight, device=device_of(labels, xp=xp)), labels.dtype)
    if facts.best == "quantile":
        q = options.get("q", 0.5)
        if isinstance(q, int | float):
            return float(weighted_quantile(labels, weight, q, xp=xp))
        return [float(weighted_quantile(labels, weight, float(p), xp=xp)) for p in q]
    if facts.labels == "signs":
        labels = xp.astype(labels > 0, labels.dtype)
    if facts.best == "mean":
        shares = _shares(labels, classes, xp=xp)
        mean = weighted_mean(shares, weight, xp=xp)
        scores = LINKS[facts.link][0](_inside(mean, facts.link, xp=xp), xp=xp)
        return float(scores) if scores.ndim == 0 else [float(z) for z in scores]
    middle = facts.link == "identity" and facts.labels == "numbers" and classes is None
    start = float(weighted_quantile(labels, weight, 0.5, xp=xp)) if middle else 0.0
    return _searched(derive, labels, weight, classes, start, xp=xp)


def _inside(mean: Array, link: str, *, xp: Namespace) -> Array:
    """Return a mean a few units away from where its score would be infinite."""
    edge = 10 * xp.finfo(mean.dtype).eps
    if link == "identity":
        return mean
    return clip(mean, edge, None if link == "log" else 1 - edge, xp=xp)


def _shares(labels: Array, classes: int | None, *, xp: Namespace) -> Array:
    """Return labels as shares: a column of 0 and 1 for each class."""
    if classes is None:
        return labels
    places = xp.arange(classes, dtype=labels.dtype, device=device_of(labels, xp=xp))
    return xp.astype(labels[:, None] == places[None, :], labels.dtype)


def _searched(
    derive: Callable[..., Any],
    labels: Array,
    weight: Array | None,
    classes: int | None,
    start: float,
    *,
    xp: Namespace,
) -> float | list[float]:
    """Descend from `start` by Newton's steps, halved until the loss falls."""
    count = int(labels.shape[0])
    shape = (count,) if classes is None else (count, classes)
    device = device_of(labels, xp=xp)

    def at(point: list[float]) -> tuple[float, list[float]]:
        scores = xp.asarray(point, dtype=labels.dtype, device=device)
        scores = broadcast_to(scores, (count, len(point)), like=scores, xp=xp)
        found = derive(xp.reshape(scores, shape), labels, weight, order=2, hessian="boosting")
        axis = None if classes is None else 0
        slopes = xp.reshape(xp.sum(found.gradient, axis=axis), (-1,))
        curvatures = xp.reshape(xp.sum(found.hessian, axis=axis), (-1,))
        pairs = [(float(slopes[k]), float(curvatures[k])) for k in range(len(point))]
        return float(xp.sum(found.value)), [g / h if h > 0 else g / count for g, h in pairs]

    point = [start] * (classes or 1)
    loss, step = at(point)
    for _ in range(_STEPS):
        size = 1.0
        while True:
            moved = [z - size * d for z, d in zip(point, step, strict=True)]
            least, following = at(moved)
            if least < loss or size < 1e-10 or not math.isfinite(loss):
                break
            size /= 2
        if not least < loss or all(
            abs(a - b) <= 1e-12 * (1 + abs(b)) for a, b in zip(moved, point, strict=True)
        ):
            break
        point, loss, step = moved, least, following
    return point[0] if classes is None else point
