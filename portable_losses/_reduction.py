"""The one place where a loss of many elements becomes one number."""

import math
from typing import Any

from portable_losses._dtypes import narrow
from portable_losses._gradient import with_gradient
from portable_losses._options import check_reduction
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF
from portable_losses._typing import Array, BatchReduction, Namespace
from portable_losses._validation import check_bool, check_broadcasts_to
from portable_losses._values import as_weight

__all__ = ["contribution", "reduce", "weigh"]


def weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return ``weight * loss``, and 0 where `weight` is exactly 0, whatever `loss` is there."""
    weight, loss = xp.broadcast_arrays(weight, loss)
    return _weigh(weight, loss, xp=xp)


def _weigh_grad(
    grad: Array, out: Array, weight: Array, loss: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """`loss` in the weight, `weight` in the loss; 0 in both where the loss does not contribute."""
    contributes = _contributes(weight, loss, xp=xp)
    in_weight = grad * _where(contributes, loss, 0.0, xp=xp)
    return in_weight, weight * _where(contributes, grad, 0.0, xp=xp)


@with_gradient(_weigh_grad, elementwise=True)
def _weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """``weight * loss``, 0 where the loss does not contribute."""
    return weight * contribution(weight, loss, xp=xp)


def contribution(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return `loss`, and 0 where it is not finite and `weight` is 0."""
    return _where(_contributes(weight, loss, xp=xp), loss, 0.0, xp=xp)


def _contributes(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return a mask, False only where `weight` is 0 and `loss` is not finite.

    A finite loss contributes with weight 0 too: it is the slope in the weight.
    """
    return (weight != 0) | (xp.abs(loss) < INF)


def reduce(
    loss: Array,
    reduction: BatchReduction,
    *,
    xp: Namespace,
    dtype: Any,
    where: Array | None = None,
    sample_weight: Array | None = None,
    denominator: Array | None = None,
    batch: int | None = None,
) -> Array:
    """Return the mean of `loss`, its sum, or `loss` itself, rounded once to `dtype`.

    With weights s and the denominator d, an array (None: 1), the mean is
    ``sum(s * loss) / sum(s * d)``, and 0 with gradient 0 where there is nothing to divide by. What
    the mask `where` leaves out adds 0 to both sums. Where `batch` is given, "batchmean" is the sum
    divided by that number.
    """
    check_reduction(reduction, *(() if batch is None else ("batchmean",)))
    weight = as_weight(sample_weight, tuple(loss.shape), name="sample_weight", like=loss, xp=xp)
    if where is not None:
        check_bool(xp, where=where)
        check_broadcasts_to(tuple(loss.shape), where=where)
        mask = xp.broadcast_to(where, loss.shape)
        loss = _where(mask, loss, 0.0, xp=xp)
        counted = narrow(mask, loss.dtype, xp=xp)
        denominator = counted if denominator is None else _where(mask, denominator, 0.0, xp=xp)
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
    if reduction == "none":
        return narrow(loss, dtype, xp=xp)
    if reduction == "mean" and weight is None and denominator is None and math.prod(loss.shape):
        return narrow(xp.mean(loss), dtype, xp=xp)
    result = total(loss, xp=xp)
    if reduction == "batchmean" and batch is not None:
        result = result / max(batch, 1)
    elif reduction == "mean":
        if weight is not None:
            weight = xp.broadcast_to(weight, loss.shape)
            denominator = weight if denominator is None else xp.multiply(weight, denominator)
        if denominator is not None:  # else `loss` is empty, and its mean 0
            divisor = total(denominator, xp=xp)
            result = result / _where(divisor == 0, 1.0, divisor, xp=xp)
    return narrow(result, dtype, xp=xp)
