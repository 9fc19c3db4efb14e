"""Losses of lists: scores of items against their relevance."""

from portable_losses._polyfill import broadcast_to
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_axis,
    check_bool,
    check_broadcasts_to,
    check_classes,
    namespace_of,
    of_one_dtype,
)
from portable_losses._values import check_all_in, mark_invalid
from portable_losses.losses._foreseen import foreseen_gradients
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._targets import Target
from portable_losses.losses.reweighted import log_losses

__all__ = ["ranking_softmax_loss"]


@public
@leaves_out(scores=0.5, labels=0, masks_loss=False)
def ranking_softmax_loss(
    scores: Array,
    labels: Array,
    /,
    *,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Cross entropy of the softmax over a list: ``-sum(labels * log_softmax(scores))``.

    Parameters
    ----------
    scores : array of a real floating dtype, shape (..., n)
        Scores of the n items of a list.
    labels : array of any real dtype, shape of `scores`
        Relevance of the items, at least 0; converted to the dtype of `scores`.
    axis : int, default -1
        The axis of the items.
    where : array of bool, broadcastable to the shape of `scores`, optional
        Items that there are. The others take no part, whatever they hold.
    sample_weight : array, broadcastable to the lists, optional
        Weights of the lists, at least 0.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", that of the lists after "none". Dtype and device of
        `scores`. A list of scores at -inf alone, or with +inf or NaN, is NaN.

    Raises
    ------
    TypeError
        `scores` is not real floating, `where` is not boolean, or the arrays come from two
        libraries.
    ValueError
        The shapes of `scores` and `labels` differ, there are no items, `where` does not broadcast
        to them, or a label or weight is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    A list without items is 0 and does not count: "mean" divides by the number of the other lists,
    or the sum of their weights. The rest is as in `cross_entropy`.

    Source: Z. Cao et al., "Learning to rank: from pairwise approach to listwise approach" (2007),
    doi:10.1145/1273496.1273513; optax.losses.ranking_softmax_loss.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> scores, labels = np.asarray([[2.0, 0.0, 1.0]]), np.asarray([[1, 0, 2]])
    >>> pl.ranking_softmax_loss(scores, labels, reduction="none").round(4)
    array([3.2228])
    """
    xp = namespace_of(
        scores=scores, labels=labels, optional={"where": where, "sample_weight": sample_weight}
    )
    z, q = of_one_dtype(xp, scores=scores, labels=labels)
    check_bool(xp, where=where)
    shape = tuple(scores.shape)
    check_broadcasts_to(shape, where=where)
    place = check_axis(axis, scores.ndim)
    check_classes(shape, place, name="scores")
    z, q = as_rows(z, (place,), xp=xp), as_rows(q, (place,), xp=xp)
    items, lists = None, None
    if where is not None:
        items = as_rows(broadcast_to(where, shape, like=scores, xp=xp), (place,), xp=xp)
        lists = xp.any(items, axis=-1)
        q = _where(items, q, 0.0, xp=xp)
    invalid = check_all_in(0, INF, xp=xp, labels=q)
    if invalid is not None:
        invalid = xp.any(invalid, axis=-1)
    target = Target(q=q, row_mask=lists, class_mask=items)

    seen = foreseen_gradients(
        reduction, target, sample_weight, z, 0.0, 0.0, denominator=denominator, xp=xp
    )
    loss = _listwise(z, *target, foreseen=seen, xp=xp)
    loss = mark_invalid(loss, invalid, xp=xp)

    return reduce(
        loss,
        reduction,
        sample_weight=sample_weight,
        counts=target.counts(loss, xp=xp),
        dtype=scores.dtype,
        denominator=denominator,
        xp=xp,
    )


@of_rows(wide=True)
def _listwise(z: Array, *arrays: Array | None, xp: Namespace) -> Array:
    """Return the loss of each list of scores; `arrays` are those of a `Target`."""
    target, _, loss = log_losses(z, arrays, label_smoothing=0.0, xp=xp)
    return target.select(loss, label_smoothing=0.0, xp=xp)
