"""Losses of pairs that a target of -1 or 1 tells apart."""

from portable_losses._dtypes import astype_like
from portable_losses._gradient import with_gradient
from portable_losses._options import FINITE
from portable_losses._polyfill import constant
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, reduced
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_floating,
    check_real,
    check_real_floating,
    check_same_shape,
    namespace_of,
    same_shape,
)
from portable_losses._values import check_signs, mark_invalid
from portable_losses.activations.rectified import relu
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses.embedding import _cosine, _distance_of_directions, _vectors

__all__ = ["cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss"]


@public(margin=FINITE)
@leaves_out(x1=0.5, x2=0.5, target=1)
def cosine_embedding_loss(
    x1: Array,
    x2: Array,
    target: Array,
    /,
    *,
    margin: float | Array = 0.0,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Pull directions together or push them apart.

    ::

        loss = 1 - cos(x1, x2)                 where target = 1
               max(0, cos(x1, x2) - margin)    where target = -1

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, shape of `x1`
        Vectors; converted to the dtype of `x1`.
    target : array of any real dtype, shape of `x1` without `axis`
        -1 or 1.
    margin : float or 0-d array, default 0.0
        Cosine up to which a pair of target -1 costs nothing.
    axis : int, default -1
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", that of `target` after "none". Dtype and device of `x1`.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not fit, a target is neither -1 nor 1, a weight is negative, or `reduction`
        is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The two parts are `cosine_distance`, which keeps the digits of a small loss, and
    `cosine_similarity`, with gradient 0 at the margin.

    Source: torch.nn.functional.cosine_embedding_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[1.0, 0.0], [1.0, 0.0]])
    >>> pl.cosine_embedding_loss(x, x, np.asarray([1, -1]), margin=0.25, reduction="none")
    array([0.  , 0.75])
    """
    xp = namespace_of(x1=x1, x2=x2, target=target, optional={"sample_weight": sample_weight})
    check_same_shape(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)
    if not same_shape(a.shape[:-1], target.shape):
        msg = f"`target` must have shape {tuple(a.shape[:-1])}, got shape {tuple(target.shape)}"
        raise ValueError(msg)
    check_real(xp, target=target)
    sign = astype_like(target, a, xp=xp)
    invalid = check_signs(xp=xp, target=sign)
    a = mark_invalid(a, invalid, xp=xp, of_rows=True)

    apart = relu(_cosine(a, b, eps=0.0, xp=xp) - margin)
    loss = _where(sign > 0, _distance_of_directions(a, b, eps=0.0, xp=xp), apart, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=x1.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(margin=FINITE)
@leaves_out(x1=0.5, x2=0.5, target=1, elementwise=True)
def margin_ranking_loss(
    x1: Array,
    x2: Array,
    target: Array,
    /,
    *,
    margin: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Ask that one number of a pair be larger: ``max(0, margin - target * (x1 - x2))``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Scores.
    x2 : array of a real floating dtype, shape of `x1`
        Scores; converted to the dtype of `x1`.
    target : array of any real dtype, shape of `x1`
        1 where `x1` should be larger, -1 where `x2` should.
    margin : float or 0-d array, default 0.0
        By how much.
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `x1`.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is neither -1 nor 1, a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    The gradient in `x1` is ``-target`` where the loss is above 0, and 0 elsewhere.

    Source: torch.nn.functional.margin_ranking_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x1, x2, target = np.asarray([1.0, 1.0]), np.asarray([0.0, 3.0]), np.asarray([1, 1])
    >>> pl.margin_ranking_loss(x1, x2, target, margin=0.5, reduction="none")
    array([0. , 2.5])
    """
    xp = namespace_of(x1=x1, x2=x2, target=target, optional={"sample_weight": sample_weight})
    check_real_floating(xp, x1=x1, x2=x2)
    check_floating(xp, x1=x1, x2=x2, target=target)

    return reduced(
        _behind,
        {"x1": x1, "x2": x2, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(check_signs(xp=xp, target=target),),
        denominator=denominator,
        xp=xp,
        margin=margin,
    )


@public(margin=FINITE)
@leaves_out(input=0.5, target=1, elementwise=True)
def hinge_embedding_loss(
    input: Array,
    target: Array,
    /,
    *,
    margin: float | Array = 1.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Make distances small or large: ``input``, or ``max(0, margin - input)``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Distances.
    target : array of any real dtype, shape of `input`
        1 where the distance is the loss, -1 where it should be at least `margin`.
    margin : float or 0-d array, default 1.0
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is neither -1 nor 1, a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    The gradient is 1 where the target is 1; where it is -1, ``-1`` below the margin and 0
    elsewhere.

    Source: torch.nn.functional.hinge_embedding_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, target = np.asarray([0.25, 0.25, 2.0]), np.asarray([1, -1, -1])
    >>> pl.hinge_embedding_loss(x, target, reduction="none")
    array([0.25, 0.75, 0.  ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, input=input, target=target)

    return reduced(
        _near_or_far,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(check_signs(xp=xp, target=target),),
        denominator=denominator,
        xp=xp,
        margin=margin,
    )


def _behind_grad(
    grad: Array, out: Array, a: Array, b: Array, sign: Array, *, margin: float, xp: Namespace
) -> tuple[Array, ...]:
    """``-sign``, ``sign`` and ``b - a`` where the loss is not 0."""
    by_gap = _behind_by_margin(grad, out, a, b, sign, margin=margin, xp=xp)
    return -sign * by_gap, sign * by_gap, (b - a) * by_gap


def _behind_by_margin(
    grad: Array, out: Array, a: Array, b: Array, sign: Array, *, margin: float, xp: Namespace
) -> Array:
    """1 where the loss is not 0."""
    behind = margin - xp.multiply(sign, a - b) > 0
    return grad * _where(behind, constant(1.0, a, xp=xp), 0.0, xp=xp)  # NaN stays NaN


@with_gradient(_behind_grad, elementwise=True, by={"margin": _behind_by_margin})
def _behind(a: Array, b: Array, sign: Array, *, margin: float, xp: Namespace) -> Array:
    """``max(0, margin - sign * (a - b))``."""
    gap = margin - xp.multiply(sign, a - b)
    return _where(gap <= 0, 0.0, gap, xp=xp)


def _near_or_far_grad(
    grad: Array, out: Array, x: Array, sign: Array, *, margin: float, xp: Namespace
) -> tuple[Array, ...]:
    """1, or -1 below the margin where the sign is -1; 0 in the sign."""
    far = _where(margin - x <= 0, 0.0, constant(-1.0, x, xp=xp), xp=xp)
    return grad * _where(sign > 0, 1.0, far, xp=xp), 0.0 * grad  # NaN stays NaN


def _near_or_far_by_margin(
    grad: Array, out: Array, x: Array, sign: Array, *, margin: float, xp: Namespace
) -> Array:
    """1 below the margin where the sign is -1, else 0."""
    near = (sign > 0) | (margin - x <= 0)
    return grad * _where(near, 0.0, constant(1.0, x, xp=xp), xp=xp)


@with_gradient(_near_or_far_grad, elementwise=True, by={"margin": _near_or_far_by_margin})
def _near_or_far(x: Array, sign: Array, *, margin: float, xp: Namespace) -> Array:
    """``x`` where the sign is 1, else ``max(0, margin - x)``."""
    gap = margin - x
    return _where(sign > 0, x, _where(gap <= 0, 0.0, gap, xp=xp), xp=xp)
