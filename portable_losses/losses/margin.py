"""Losses of a margin: for a score and a target of -1 or 1."""

from portable_losses._public import public
from portable_losses._typing import Array, Reduction
from portable_losses._values import check_signs_or_shares
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._margins import (
    exponential,
    hinge,
    modified_huber,
    perceptron,
    reduced_margin,
    soft_margin,
    squared_hinge,
)

__all__ = [
    "exponential_loss",
    "hinge_loss",
    "modified_huber_loss",
    "perceptron_loss",
    "soft_margin_loss",
    "squared_hinge_loss",
]

# In all of them m = target * input, the margin: positive where the sign of the score is right.


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def hinge_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Linear below a margin of 1: ``max(0, 1 - m)`` with ``m = target * input``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
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
        The shapes differ, a target is not -1 or 1, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``-target`` where m < 1 and 0 elsewhere, 0 at the kink.

    Source: C. Cortes, V. Vapnik, "Support-vector networks" (1995), doi:10.1007/BF00994018.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.hinge_loss(np.asarray([0.5, 3.0]), np.asarray([1, -1]), reduction="none")
    array([0.5, 4. ])
    """
    return reduced_margin(hinge, input, target, where, sample_weight, reduction, denominator)


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def squared_hinge_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Square of the hinge: ``max(0, 1 - m)**2`` with ``m = target * input``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
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
        The shapes differ, a target is not -1 or 1, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``-2 * target * max(0, 1 - m)``.

    Source: Y. Tang, "Deep learning using linear support vector machines" (2013), arXiv:1306.0239.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.squared_hinge_loss(np.asarray([0.5, 3.0]), np.asarray([1, -1]), reduction="none")
    array([ 0.25, 16.  ])
    """
    return reduced_margin(
        squared_hinge, input, target, where, sample_weight, reduction, denominator
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def modified_huber_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Square of the hinge, linear for margins below -1.

    With ``m = target * input``::

        loss = max(0, 1 - m)**2    where m >= -1
               -4 * m              elsewhere

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
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
        The shapes differ, a target is not -1 or 1, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    Computed as ``near * (2 * h - near)`` with ``h = max(0, 1 - m)`` and ``near = min(h, 2)``:
    nothing overflows before the loss does. The gradient is ``-2 * target * near``.

    Source: T. Zhang, "Solving large scale linear prediction problems using stochastic gradient
    descent algorithms", ICML 2004.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.modified_huber_loss(np.asarray([0.5, 3.0]), np.asarray([1, -1]), reduction="none")
    array([ 0.25, 12.  ])
    """
    return reduced_margin(
        modified_huber, input, target, where, sample_weight, reduction, denominator
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def perceptron_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Linear for a wrong sign: ``max(0, -m)`` with ``m = target * input``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
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
        The shapes differ, a target is not -1 or 1, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``-target`` where m < 0 and 0 elsewhere, 0 at the kink.

    Source: F. Rosenblatt, "The perceptron" (1958), doi:10.1037/h0042519.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.perceptron_loss(np.asarray([0.5, 3.0]), np.asarray([1, -1]), reduction="none")
    array([0., 3.])
    """
    return reduced_margin(perceptron, input, target, where, sample_weight, reduction, denominator)


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def soft_margin_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Logistic loss of a margin: ``log(1 + exp(-m))`` with ``m = target * input``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.
        0 at a margin of +inf, +inf at -inf.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is not -1 or 1, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    Computed as ``softplus(-m)``, which overflows nowhere and keeps its digits for a certain hit.
    The gradient is ``-target * sigmoid(-m)``.

    Source: torch.nn.functional.soft_margin_loss, for the name.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.soft_margin_loss(np.asarray([1000.0, 1000.0]), np.asarray([1, -1]), reduction="none")
    array([   0., 1000.])
    """
    return reduced_margin(soft_margin, input, target, where, sample_weight, reduction, denominator)


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def exponential_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Exponential loss of a margin: ``exp(-m)`` with ``m = target * input``.

    Of a target t that is a share, between 0 and 1: ``t * exp(-input) + (1 - t) * exp(input)``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores.
    target : array of any real dtype, shape of `input`
        Labels, -1 or 1; or shares of the label 1, in [0, 1], of which 0 is -1. Converted to the
        dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.
        +inf where the exponential overflows.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is neither -1 nor in [0, 1], a weight is negative, or
        `reduction` is unknown.

    Notes
    -----
    The gradient is ``-target * exp(-m)``, of a share ``(1 - t) * exp(input) - t * exp(-input)``.

    Source: Y. Freund, R. E. Schapire, "A decision-theoretic generalization of on-line learning and
    an application to boosting" (1997), doi:10.1006/jcss.1997.1504.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.exponential_loss(np.asarray([0.5, 3.0]), np.asarray([1, -1]), reduction="none").round(4)
    array([ 0.6065, 20.0855])
    """
    return reduced_margin(
        exponential,
        input,
        target,
        where,
        sample_weight,
        reduction,
        denominator,
        check_signs_or_shares,
    )
