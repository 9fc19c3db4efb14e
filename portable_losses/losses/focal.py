"""Focal losses: cross entropies in which easy examples weigh less."""

from portable_losses._gradient import are_numbers
from portable_losses._options import FRACTION, NONNEGATIVE, is_number
from portable_losses._public import public
from portable_losses._reduction import reduce, reduced, weigh
from portable_losses._row_functions import of_rows
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_floating, in_one_dtype, namespace_of
from portable_losses._values import check_all_in, mark_invalid
from portable_losses.losses._focal import _binary_focal, _focal, _sigmoid_focal
from portable_losses.losses._foreseen import foreseen_gradients
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._targets import LAST
from portable_losses.losses.reweighted import log_losses, read_classes

__all__ = ["sigmoid_focal_loss", "softmax_focal_loss"]


@public(alpha=FRACTION, gamma=NONNEGATIVE, label_smoothing=FRACTION)
@leaves_out(logits=0.5, target=1, elementwise=True)
def sigmoid_focal_loss(
    logits: Array,
    target: Array,
    /,
    *,
    alpha: float | Array | None = None,
    gamma: float | Array = 2.0,
    label_smoothing: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Binary cross entropy from logits, easy examples weighing less.

    With ``p = sigmoid(logits)``::

        y     = target * (1 - label_smoothing) + label_smoothing / 2
        p_t   = y * p + (1 - y) * (1 - p)
        alpha_t = y * alpha + (1 - y) * (1 - alpha), or 1 without alpha
        loss  = alpha_t * (1 - p_t)**gamma * -(y * log(p) + (1 - y) * log(1 - p))

    Parameters
    ----------
    logits : array of a real floating dtype, shape (...)
        Log-odds.
    target : array of any real dtype, shape of `logits`
        Probabilities or labels, in [0, 1]; converted to the dtype of `logits`.
    alpha : float or 0-d array in [0, 1], optional
        Weight of the positive examples, ``1 - alpha`` being that of the negative ones.
    gamma : float or 0-d array, default 2.0
        How much easy examples lose, at least 0; 0 is the binary cross entropy.
    label_smoothing : float or 0-d array in [0, 1], default 0.0
    where : array of bool, broadcastable to `logits`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `logits`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `logits`. A
        certain hit costs 0 also at an infinite logit, a certain miss there +inf.

    Raises
    ------
    TypeError
        `logits` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target, `alpha` or `label_smoothing` lies outside [0, 1], or `gamma`
        or a weight is negative.

    Notes
    -----
    ``1 - p_t`` is computed as ``y * sigmoid(-z) + (1 - y) * sigmoid(z)``, a sum that cannot
    cancel, so a confident hit keeps its digits in value and gradient.

    Source: T.-Y. Lin et al., "Focal loss for dense object detection" (2017), arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> z, y = np.asarray([20.0, 0.0, -30.0]), np.asarray([1, 1, 1])
    >>> print(pl.sigmoid_focal_loss(z, y, reduction="none"))
    [8.75651072e-27 1.73286795e-01 3.00000000e+01]
    """
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, logits=logits, target=target)
    invalid = check_all_in(0, 1, xp=xp, target=target)
    if are_numbers([gamma, label_smoothing, alpha], beside=logits):
        return reduced(
            _sigmoid_focal,
            {"logits": logits, "target": target},
            reduction,
            where=where,
            sample_weight=sample_weight,
            invalid=(invalid,),
            denominator=denominator,
            xp=xp,
            gamma=gamma,
            alpha=alpha,
            label_smoothing=label_smoothing,
        )
    z, y = in_one_dtype(xp, logits, target)

    kept, spread = 1 - label_smoothing, label_smoothing / 2
    positive, negative = y * kept + spread, (1 - y) * kept + spread
    loss = _binary_focal(z, positive, negative, None, None, gamma=gamma, xp=xp)
    if alpha is not None:
        loss = weigh(positive * alpha + negative * (1 - alpha), loss, xp=xp)
    loss = mark_invalid(loss, invalid, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=logits.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(alpha=NONNEGATIVE._replace(broadcasts=True), gamma=NONNEGATIVE, label_smoothing=FRACTION)
@leaves_out(logits=0.5, target=0)
def softmax_focal_loss(
    logits: Array,
    target: Array,
    /,
    *,
    alpha: float | Array | None = None,
    gamma: float | Array = 2.0,
    axis: int = LAST,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Cross entropy from logits, easy examples weighing less.

    With p the softmax of the logits of a row, t the target as probabilities and C the number of
    classes::

        q    = (1 - label_smoothing) * t + label_smoothing / C
        loss = sum over c of q_c * alpha_c * (1 - p_c)**gamma * -log(p_c)

    Parameters
    ----------
    logits : array of a real floating dtype, shape (..., C)
        Unnormalized log-probabilities. -inf is a class of probability 0.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0.
    alpha : float, 0-d array or array of shape (C,), optional
        Weights of the classes, at least 0. "mean" does not divide by them.
    gamma : float or 0-d array, default 2.0
        How much easy examples lose, at least 0; 0 is the cross entropy.
    axis : int, default -1
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``. To be written where
        the shape of class indices fits both.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    label_smoothing : float or 0-d array in [0, 1], default 0.0
        Share of the uniform distribution.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `logits`.

    Raises
    ------
    TypeError
        `logits` is not real floating, indices are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, a probability, a weight, `alpha` or `gamma`
        is negative, or `label_smoothing` lies outside [0, 1].
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    With ``l = -log(p)`` as `cross_entropy` computes it, ``1 - p`` is ``-expm1(-l)``: a confident
    row keeps its digits. The slope in l is ``(1 - p)**gamma * (1 + gamma * p * l / (1 - p))``.

    Source: T.-Y. Lin et al., "Focal loss for dense object detection" (2017), arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> logits = np.asarray([[20.0, 0.0], [0.0, 30.0]])
    >>> print(pl.softmax_focal_loss(logits, np.asarray([0, 0]), reduction="none"))
    [8.75651072e-27 3.00000000e+01]
    """
    of_class = None if is_number(alpha) or not getattr(alpha, "ndim", 1) else alpha
    xp = namespace_of(
        logits=logits, target=target, optional={"alpha": of_class, "sample_weight": sample_weight}
    )
    target, z, invalid = read_classes(
        logits,
        target,
        axis=axis,
        ignore_index=ignore_index,
        weight=of_class,
        weight_name="alpha",
        xp=xp,
    )

    seen = foreseen_gradients(
        reduction, target, sample_weight, z, label_smoothing, 0.0, denominator=denominator, xp=xp
    )
    options = {"gamma": gamma, "label_smoothing": label_smoothing}
    rows = _softmax_focal(z, *target, **options, foreseen=seen, xp=xp)
    rows = mark_invalid(rows, invalid, xp=xp)
    if alpha is not None and of_class is None:
        rows = alpha * rows if isinstance(alpha, int | float) else weigh(alpha, rows, xp=xp)

    return reduce(
        rows,
        reduction,
        where=where,
        sample_weight=sample_weight,
        counts=target.row_count(rows, xp=xp),  # `alpha` does not weigh the mean
        dtype=logits.dtype,
        denominator=denominator,
        xp=xp,
    )


# ---- the pairs -------------------------------------------------------------------------------


@of_rows(wide=True)
def _softmax_focal(
    z: Array,
    *arrays: Array | None,
    gamma: float | Array,
    label_smoothing: float | Array,
    xp: Namespace,
) -> Array:
    """Return the loss of each row of logits; `arrays` are those of a `Target`."""
    target, _, loss = log_losses(z, arrays, label_smoothing=label_smoothing, xp=xp)
    terms = _focal(loss, gamma=gamma, xp=xp)
    return target.select(terms, label_smoothing=label_smoothing, xp=xp)
