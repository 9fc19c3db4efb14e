"""Losses of rows, added up: in the pass that computes them where no value is readable, or later."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._gradient import entrywise, pair_of
from portable_losses._options import is_number
from portable_losses._polyfill import broadcast_to, knows_shape, where
from portable_losses._reduction import reduce
from portable_losses._stable import NAN
from portable_losses._sums import summed_pair
from portable_losses._tape import TapeArray, inner_of, raw_array
from portable_losses._typing import Array, Namespace, Options, Reduction
from portable_losses._unread import divisor_unread, weighs_unread
from portable_losses._validation import check_broadcasts_to, check_real
from portable_losses.losses._targets import Target

__all__ = ["reduce_with_lse", "summed_rows"]


def summed_rows(
    function: Callable[..., Any],
    z: Array,
    target: Target,
    options: Options,
    reduction: Reduction,
    *,
    invalid: Array | None,
    sample_weight: Array | None,
    denominator: float | Array | None,
    xp: Namespace,
) -> Array | None:
    """Return the sum or the mean of a pair's losses of rows; None where that is no single pass.

    So it is where a library that is not read (Dask) has whole rows in its chunks. The rows that are
    `invalid`, or whose weight is negative, make it NaN.
    """
    pair, constants = pair_of(function), (*target, sample_weight, denominator)
    shape = tuple(z.shape[:-1])
    if pair is None or reduction == "none" or not weighs_unread(z) or not knows_shape(raw_array(z)):
        return None
    if any(isinstance(x, TapeArray) for x in constants) or 0 in shape:
        return None
    xp, like = inner_of(xp), raw_array(z)[..., 0]
    weight: Any = sample_weight
    if weight is not None:
        check_real(xp, sample_weight=weight)
        check_broadcasts_to(shape, sample_weight=weight)
        weight = broadcast_to(xp.astype(weight, z.dtype), shape, like=like, xp=xp)
    divisor: Any = 1
    if reduction == "mean" and denominator is not None:
        divisor = denominator if is_number(denominator) else raw_array(denominator)
    elif reduction == "mean":
        if target.weight is not None:
            return None
        mask = target.row_mask
        counts = weight is None and mask is None
        divisor = math.prod(shape) if counts else divisor_unread(like, weight, mask)
    if invalid is not None:
        bad = raw_array(invalid)
        double = z.dtype == xp.float64
        weight = _ones(bad, double=double, xp=xp) if weight is None else _marked(weight, bad, xp=xp)
    return summed_pair(pair, (z, *target), options, divisor=divisor, weights=weight)


@entrywise
def _ones(bad: Array, *, double: bool, xp: Namespace) -> Array:
    """Return 1, NaN where it is bad."""
    return where(bad, NAN, xp.astype(~bad, xp.float64 if double else xp.float32), xp=xp)


@entrywise
def _marked(weight: Array, bad: Array, *, xp: Namespace) -> Array:
    """Return the weights, NaN where they are negative or a row is bad."""
    return where(bad | (weight < 0), NAN, weight, xp=xp)


def reduce_with_lse(
    loss: Array,
    lse: Array | None,
    target: Target,
    reduction: Reduction,
    *,
    z_loss: float,
    sample_weight: Array | None,
    denominator: float | Array | None,
    xp: Namespace,
) -> Array:
    """Return the reduced losses of rows plus ``z_loss`` times the reduced squares of `lse`."""
    given: Any = {"sample_weight": sample_weight, "denominator": denominator, "xp": xp}
    given["dtype"] = loss.dtype
    result = reduce(loss, reduction, counts=target.counts(loss, xp=xp), **given)
    if lse is None or (is_number(z_loss) and not z_loss):
        return result
    counts = target.row_count(loss, xp=xp)  # class weights do not weigh the penalty
    return xp.add(result, reduce(z_loss * lse * lse, reduction, counts=counts, **given))
