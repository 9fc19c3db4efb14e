"""Losses that are the regret of a prediction: Fenchel-Young losses, sparsemax's among them."""

from collections.abc import Callable

from portable_losses._dtypes import widen
from portable_losses._gradient import with_gradient
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, reduced, weigh
from portable_losses._rows import as_rows, entry, place_of_largest
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_floating,
    check_axis,
    check_classes,
    check_floating,
    check_real_floating,
    check_same_shape,
    namespace_of,
)
from portable_losses._values import check_bits, mark_invalid
from portable_losses.activations.piecewise import _ramp, _sparse_plus
from portable_losses.activations.sparse import _sparsemax
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._targets import LAST, axis_of_classes, read_target

__all__ = ["binary_sparsemax_loss", "fenchel_young_loss", "sparsemax_loss"]


@public
@leaves_out(logits=0.5, target=0)
def sparsemax_loss(
    logits: Array,
    target: Array,
    /,
    *,
    axis: int = LAST,
    ignore_index: int = -100,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Loss whose gradient is ``sparsemax(logits) - target``.

    With z the logits of a row, p their sparsemax and q the target as probabilities::

        loss = sum(p * z) - sum(p**2) / 2 - (sum(q * z) - sum(q**2) / 2)

    Parameters
    ----------
    logits : array of a real floating dtype, shape (..., C)
        Scores. -inf is a class of probability 0.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0.
    axis : int, default -1
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``. To be written where
        the shape of class indices fits both.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `logits`. Exactly 0 where the target's logit leads by at least 1. A row of -inf alone, or
        with +inf or NaN, is NaN; a target on a class at -inf is +inf.

    Raises
    ------
    TypeError
        `logits` is not real floating, indices are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, or a probability or weight is negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    With tau the threshold of the sparsemax, and for a target that sums to 1, the loss is
    ``sum((p - q)**2) / 2 + sum(q * max(tau - z, 0))``: a sum that cannot cancel. What the target
    lacks of 1 is added times tau.

    Source: A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax" (2016),
    arXiv:1602.02068.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> logits = np.asarray([[1.0, 0.5, -1.0], [3.0, 0.0, 0.0]])
    >>> pl.sparsemax_loss(logits, np.asarray([1, 0]), reduction="none")
    array([0.5625, 0.    ])
    """
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    check_real_floating(xp, logits=logits)
    place = axis_of_classes(axis, logits, target, name="logits", xp=xp)
    z = as_rows(widen(logits, xp=xp), (place,), xp=xp)
    target, invalid = read_target(
        z, target, axis=place, ignore_index=ignore_index, name="logits", xp=xp
    )

    z = target.mask_logits(z, absent=-INF, xp=xp)
    loss = _sparsemax_loss(z, target.probabilities(z, xp=xp), xp=xp)
    loss = mark_invalid(target.mask_rows(loss, xp=xp), invalid, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        counts=target.counts(loss, xp=xp),
        dtype=logits.dtype,
        denominator=denominator,
        xp=xp,
    )


@public
@leaves_out(logits=0.5, target=1, elementwise=True)
def binary_sparsemax_loss(
    logits: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Sparsemax loss of two classes: ``sparse_plus(-m)`` with ``m = (2 * target - 1) * logits``.

    ::

        loss = 0                where m >= 1
               (1 - m)**2 / 4   where -1 < m < 1
               -m               where m <= -1

    Parameters
    ----------
    logits : array of a real floating dtype, shape (...)
        Difference of the scores of the two classes.
    target : array of any real dtype, shape of `logits`
        Labels, 0 or 1; converted to the dtype of `logits`.
    where : array of bool, broadcastable to `logits`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `logits`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `logits`.

    Raises
    ------
    TypeError
        `logits` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is neither 0 nor 1, a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    The gradient is ``sparse_sigmoid(logits) - target``.

    Source: A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax" (2016),
    arXiv:1602.02068.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.binary_sparsemax_loss(np.asarray([0.0, 3.0]), np.asarray([1, 0]), reduction="none")
    array([0.25, 3.  ])
    """
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, logits=logits, target=target)

    return reduced(
        _binary_sparsemax,
        {"logits": logits, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(check_bits(xp=xp, target=target),),
        denominator=denominator,
        xp=xp,
    )


def _binary_sparsemax_grad(
    grad: Array, out: Array, z: Array, y: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    """The derivative of `_sparse_plus` there, times ``1 - 2 * y``, and times ``-2 * z``."""
    sign = 1 - 2 * y
    slope = grad * _ramp(xp.multiply(sign, z), edge=1, xp=xp)
    return sign * slope, -2.0 * z * slope


@with_gradient(_binary_sparsemax_grad, elementwise=True)
def _binary_sparsemax(z: Array, y: Array, *, xp: Namespace) -> Array:
    """The sparse softplus of a logit with the sign that its label makes wrong."""
    return _sparse_plus(xp.multiply(1 - 2 * y, z), xp=xp)


@public
@leaves_out(scores=0.5, target=0)
def fenchel_young_loss(
    scores: Array,
    target: Array,
    /,
    *,
    max_fun: Callable[..., Array],
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Loss of a regularized maximum: ``max_fun(scores) - sum(target * scores)`` along `axis`.

    Parameters
    ----------
    scores : array of a real floating dtype, shape (..., C)
    target : array of any real dtype, shape of `scores`
        What the gradient of `max_fun` ought to be; converted to the dtype of `scores`.
    max_fun : callable, ``(array, *, axis) -> array``
        A convex function of the scores along an axis, which its result has not. For a
        differentiable loss it is differentiable by the library of `scores`, as `logsumexp` is.
    axis : int, default -1
        The axis of the scores that belong together.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `scores`. At least 0 up to a term that depends on `target` alone.

    Raises
    ------
    TypeError
        `scores` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes of `scores` and `target` differ, there are no scores along `axis`, the result of
        `max_fun` has not the shape of the rows, or a weight is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradient is that of `max_fun` less `target`. With `logsumexp` this is the cross entropy for
    probabilities that sum to 1; the difference of its two terms is taken as it stands, so
    `cross_entropy` and `sparsemax_loss` keep digits of small losses that this cannot. A score with
    target exactly 0 adds nothing to the sum, whatever it is.

    Source: M. Blondel, A. F. T. Martins, V. Niculae, "Learning with Fenchel-Young losses" (2020),
    arXiv:1901.02324.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> scores, target = np.asarray([[2.0, 0.0, 1.0]]), np.asarray([[1.0, 0.0, 0.0]])
    >>> pl.fenchel_young_loss(scores, target, max_fun=pl.logsumexp, reduction="none").round(4)
    array([0.4076])
    """
    xp = namespace_of(scores=scores, target=target, optional={"sample_weight": sample_weight})
    z, q = as_floating(xp, scores=scores, target=target)
    place = check_axis(axis, scores.ndim)
    check_classes(tuple(scores.shape), place, name="scores")

    reached = total(weigh(q, z, xp=xp), axis=place, xp=xp)
    best = max_fun(z, axis=place)
    check_same_shape(**{"rows of `scores`": reached, "result of `max_fun`": best})
    loss = xp.subtract(best, reached)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=scores.dtype,
        denominator=denominator,
        xp=xp,
    )


def _sparsemax_loss_grad(
    grad: Array, out: Array, z: Array, q: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``sparsemax(z) - q`` in z, ``q - z`` in q, where that is finite."""
    slope = grad[..., None]
    near = _where(xp.abs(z) < INF, q - z, 0.0, xp=xp)  # an infinite logit: a class of probability 0
    return slope * (_sparsemax(z, xp=xp) - q), slope * near


@with_gradient(_sparsemax_loss_grad)
def _sparsemax_loss(z: Array, q: Array, *, xp: Namespace) -> Array:
    """``sum((p - q)**2 / 2 + q * max(tau - z, 0)) + (1 - sum(q)) * tau``, p the sparsemax."""
    p = _sparsemax(z, xp=xp)
    k, _ = place_of_largest(z, xp=xp)
    tau = entry(z, k, xp=xp) - entry(p, k, xp=xp)
    below = _where(z >= tau, 0.0, tau - z, xp=xp)
    terms = (p - q) ** 2 / 2 + weigh(q, below, xp=xp)
    lack = 1 - total(q, axis=-1, xp=xp)
    return total(terms, axis=-1, xp=xp) + weigh(lack, tau[..., 0], xp=xp)
