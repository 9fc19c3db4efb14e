"""The one place where a loss of many elements becomes one number."""

from typing import Any

from portable_losses._dtypes import narrow
from portable_losses._gradient import with_gradient
from portable_losses._options import check_reduction
from portable_losses._polyfill import total, where
from portable_losses._stable import INF
from portable_losses._typing import Array, BatchReduction, Namespace
from portable_losses._validation import as_weight

__all__ = ["counted", "reduce", "weigh"]


def weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return ``weight * loss``, and 0 where `weight` is exactly 0, whatever `loss` is there."""
    weight, loss = xp.broadcast_arrays(weight, loss)
    return _weigh(weight, loss, xp=xp)


def _weigh_grad(
    grad: Array, out: Array, weight: Array, loss: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    felt = _felt(weight, loss, xp=xp)
    return grad * where(felt, loss, 0.0, xp=xp), weight * where(felt, grad, 0.0, xp=xp)


@with_gradient(_weigh_grad, elementwise=True)
def _weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    return weight * counted(weight, loss, xp=xp)


def counted(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return `loss`, and 0 where it is infinite or NaN and its weight is 0."""
    return where(_felt(weight, loss, xp=xp), loss, 0.0, xp=xp)


def _felt(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Say where the loss counts: not where it is infinite or NaN and its weight is 0.

    Where it is finite it always does: the slope in a weight of 0 is the loss.
    """
    return (weight != 0) | (xp.abs(loss) < INF)


def reduce(
    loss: Array,
    reduction: BatchReduction,
    *,
    xp: Namespace,
    dtype: Any,
    sample_weight: Array | None = None,
    counts: Array | None = None,
    batch: int | None = None,
) -> Array:
    """Return the mean of `loss`, its sum, or `loss` itself, rounded once to `dtype`.

    With weights s and counts c (1 where None) the mean is ``sum(s * loss) / sum(s * c)``, and 0
    with zero gradient where there is nothing to divide by. Where `batch` is given, "batchmean"
    is the sum over that number.
    """
    check_reduction(reduction, *(() if batch is None else ("batchmean",)))
    weight = as_weight(sample_weight, tuple(loss.shape), name="sample_weight", like=loss, xp=xp)
    size = _size(loss)
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
    if reduction == "none":
        return narrow(loss, dtype, xp=xp)
    if reduction == "mean" and weight is None and counts is None and size:
        return narrow(xp.mean(loss), dtype, xp=xp)
    result = total(loss, xp=xp)
    if reduction == "batchmean" and batch is not None:
        result = result / max(batch, 1)
    elif reduction == "mean":
        if weight is not None:
            weight = xp.broadcast_to(weight, loss.shape)
            counts = weight if counts is None else xp.multiply(weight, counts)
        if counts is not None:  # else there is nothing to divide, nor to divide by
            amount = total(counts, xp=xp)
            result = result / where(amount == 0, 1.0, amount, xp=xp)
    return narrow(result, dtype, xp=xp)


def _size(x: Array) -> int:
    size = 1
    for n in x.shape:
        size *= n
    return size
