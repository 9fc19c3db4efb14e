"""What the gradients of losses will be after a reduction: then a kernel may use them early."""

import math
from typing import Any

from portable_losses._dtypes import astype_like, computable, kind_of
from portable_losses._gradient import stop_gradient
from portable_losses._notes import noted
from portable_losses._options import is_number
from portable_losses._polyfill import is_eager, readable, total
from portable_losses._tape import raw_array
from portable_losses._typing import Array, BatchReduction, Namespace, Reduction
from portable_losses._validation import check_broadcasts_to, check_real
from portable_losses.losses._targets import Target

__all__ = ["foreseen_factors", "foreseen_gradients", "foreseen_mean"]


def foreseen_factors(
    reduction: Reduction,
    target: Target,
    sample_weight: Array | None,
    shape: tuple[int, ...],
    *,
    z_loss: float,
    denominator: float | Array | None = None,
    xp: Namespace,
) -> tuple[Array | None] | None:
    """Return the losses' gradients up to a common factor, as ``(factors of rows,)``; None: unknown.

    The factors are None where they are all the same. A kernel may then compute the gradients along
    with the losses. Known are constants that can be read.
    """
    if reduction == "none":
        return None
    if z_loss and reduction == "mean" and target.weight is not None and denominator is None:
        return None  # the penalty's denominator is not that of the losses
    if sample_weight is None:
        return (None,)
    if not is_eager(sample_weight, xp=xp):
        return None
    check_real(xp, sample_weight=sample_weight)
    check_broadcasts_to(shape, sample_weight=sample_weight)
    weight = computable(stop_gradient(sample_weight, xp=xp), xp=xp)
    return (xp.broadcast_to(weight, shape),)


def foreseen_gradients(
    reduction: Reduction,
    target: Target,
    sample_weight: Array | None,
    z: Array,
    label_smoothing: float | Array,
    z_loss: float | Array,
    *,
    denominator: float | Array | None = None,
    xp: Namespace,
) -> tuple[Array | float, float] | None:
    """Return the gradients of the losses that are to be expected, and `z_loss`; None: unknown."""
    if not (is_number(label_smoothing) and is_number(z_loss) and is_eager(z, xp=xp)):
        return None
    shape = tuple(z.shape[:-1])
    found = foreseen_factors(
        reduction, target, sample_weight, shape, z_loss=z_loss, denominator=denominator, xp=xp
    )
    if found is None or 0 in shape:
        return None
    factor: Array | float = 1.0 if found[0] is None else found[0]
    if not is_number(factor) and kind_of(factor, xp=xp) != "real floating":
        factor = astype_like(factor, z, xp=xp)
    if denominator is not None:
        given = _number(denominator, xp=xp)
        return None if given is None else (factor / given, z_loss)
    if reduction == "sum":
        return factor, z_loss
    counted: Any = factor
    if target.weight is not None or target.row_mask is not None:
        own = target.counts(stop_gradient(z[..., 0], xp=xp), xp=xp)
        counted = counted if own is None else counted * stop_gradient(own, xp=xp)
    if is_number(counted):
        divisor = counted * math.prod(shape)
    elif not is_eager(counted, xp=xp):  # as of a constant that is counted within a trace
        return None
    else:
        if target.row_mask is not None and (note := noted()) is not None:
            note.looked = True  # else a plan adds them up again
        divisor = float(total(counted, xp=xp))
    return (factor / divisor, z_loss) if divisor else None


def foreseen_mean(
    reduction: BatchReduction,
    z: Array,
    shape: tuple[int, ...],
    *masks: Array | None,
    denominator: float | Array | None = None,
    xp: Namespace,
) -> tuple[float, float] | None:
    """Return the same of losses of this shape, none of which is masked or weighed."""
    if reduction == "none" or not readable(z, xp=xp) or any(x is not None for x in masks):
        return None
    if denominator is not None:
        given = _number(denominator, xp=xp)
        return None if given is None else (1 / given, 0.0)
    counted = {"mean": math.prod(shape), "sum": 1, "batchmean": z.shape[0] if z.ndim else 1}
    return (1 / counted[reduction], 0.0) if counted[reduction] else None


def _number(x: float | Array, *, xp: Namespace) -> float | None:
    """Return the number in `x`; None where it cannot be read."""
    if is_number(x):
        return x
    x = stop_gradient(x, xp=xp)
    return float(raw_array(x)) if readable(x, xp=xp) else None
