"""Losses of regions: how little a prediction and its target overlap."""

from portable_losses._dtypes import narrow
from portable_losses._gradient import stop_gradient
from portable_losses._options import NONNEGATIVE, require
from portable_losses._polyfill import broadcast_to, concat, expand_dims, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, weigh
from portable_losses._rows import as_rows
from portable_losses._typing import Array, Axis, Reduction
from portable_losses._validation import (
    as_floating,
    check_bool,
    check_broadcasts_to,
    namespace_of,
)
from portable_losses._values import check_all_in, join_masks
from portable_losses.losses._left_out import weightless
from portable_losses.losses._regions import layout, of_classes, overlaps, share, weights_of_regions

__all__ = ["dice_loss", "jaccard_loss", "tversky_loss"]


@public(smooth=NONNEGATIVE)
def dice_loss(
    input: Array,
    target: Array,
    /,
    *,
    axis: Axis = None,
    class_axis: int | None = None,
    smooth: float | Array = 0.0,
    class_weight: Array | str | None = None,
    ignore_background: bool = False,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """One minus the Dice coefficient of two regions.

    With p the input, t the target, and over `axis` the sums ``I = sum(p * t)``,
    ``FP = sum(p * (1 - t))`` and ``FN = sum((1 - p) * t)``::

        loss = (FP + FN) / (2 * I + FP + FN + 2 * smooth)

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Probabilities, in [0, 1].
    target : array of any real dtype, shape of `input`
        Labels or probabilities, in [0, 1]; converted to the dtype of `input`.
    axis : int, tuple of int or None, default None
        Axes to sum over. None: all but the first and `class_axis`.
    class_axis : int, optional
        The axis of the classes, one region each.
    smooth : float or 0-d array, default 0.0
        Added to the denominator, at least 0.
    class_weight : array of shape (C,) or "generalized", optional
        Weights w of the classes, at least 0; "generalized": ``1 / sum(t)**2``, and 0 for a class
        that is not there. The loss is then one quotient, of the sums over the classes of w times
        numerator and of w times denominator.
    ignore_background : bool, default False
        Leave class 0 out.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing to any sum, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        In [0, 1]. Shape () after "mean" and "sum"; after "none" that of `input` without `axis`,
        with the classes last, or without them where they are weighted. Dtype and device of
        `input`. An empty region predicted to be empty costs 0.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, an entry of `input` or `target` lies outside [0, 1], an option needs a
        `class_axis` or an option is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The quotient of what is wrong, not one minus the quotient of what is right: a small loss keeps
    its digits. An empty region has the gradient 0.

    Source: F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: fully convolutional neural networks for
    volumetric medical image segmentation" (2016), arXiv:1606.04797; generalized: C. H. Sudre et
    al. (2017), arXiv:1707.03237.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> p, t = np.asarray([[0.5, 1.0, 0.0, 0.0]]), np.asarray([[1, 1, 1, 0]])
    >>> pl.dice_loss(p, t, reduction="none").round(4)
    array([0.3333])
    """
    return _overlap_loss(
        input,
        target,
        alpha=0.5,
        beta=0.5,
        axis=axis,
        class_axis=class_axis,
        smooth=smooth,
        class_weight=class_weight,
        ignore_background=ignore_background,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


@public(smooth=NONNEGATIVE)
def jaccard_loss(
    input: Array,
    target: Array,
    /,
    *,
    axis: Axis = None,
    class_axis: int | None = None,
    smooth: float | Array = 0.0,
    class_weight: Array | str | None = None,
    ignore_background: bool = False,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """One minus the Jaccard index of two regions: their intersection over their union.

    With p the input, t the target, and over `axis` the sums ``I = sum(p * t)``,
    ``FP = sum(p * (1 - t))`` and ``FN = sum((1 - p) * t)``::

        loss = (FP + FN) / (I + FP + FN + smooth)

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Probabilities, in [0, 1].
    target : array of any real dtype, shape of `input`
        Labels or probabilities, in [0, 1]; converted to the dtype of `input`.
    axis : int, tuple of int or None, default None
        Axes to sum over. None: all but the first and `class_axis`.
    class_axis : int, optional
        The axis of the classes, one region each.
    smooth : float or 0-d array, default 0.0
        Added to the denominator, at least 0.
    class_weight : array of shape (C,) or "generalized", optional
        Weights w of the classes, at least 0; "generalized": ``1 / sum(t)**2``, and 0 for a class
        that is not there. The loss is then one quotient, of the sums over the classes of w times
        numerator and of w times denominator.
    ignore_background : bool, default False
        Leave class 0 out.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing to any sum, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        In [0, 1]. Shape () after "mean" and "sum"; after "none" that of `input` without `axis`,
        with the classes last, or without them where they are weighted. Dtype and device of
        `input`. An empty region predicted to be empty costs 0.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, an entry of `input` or `target` lies outside [0, 1], an option needs a
        `class_axis` or an option is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The quotient of what is wrong, not one minus the quotient of what is right: a small loss keeps
    its digits. An empty region has the gradient 0.

    Source: M. A. Rahman, Y. Wang, "Optimizing intersection-over-union in deep neural networks for
    image segmentation" (2016), doi:10.1007/978-3-319-50835-1_22.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> p, t = np.asarray([[0.5, 1.0, 0.0, 0.0]]), np.asarray([[1, 1, 1, 0]])
    >>> pl.jaccard_loss(p, t, reduction="none")
    array([0.5])
    """
    return _overlap_loss(
        input,
        target,
        alpha=1.0,
        beta=1.0,
        axis=axis,
        class_axis=class_axis,
        smooth=smooth,
        class_weight=class_weight,
        ignore_background=ignore_background,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


@public(alpha=NONNEGATIVE, beta=NONNEGATIVE, smooth=NONNEGATIVE)
def tversky_loss(
    input: Array,
    target: Array,
    /,
    *,
    alpha: float | Array = 0.5,
    beta: float | Array = 0.5,
    axis: Axis = None,
    class_axis: int | None = None,
    smooth: float | Array = 0.0,
    class_weight: Array | str | None = None,
    ignore_background: bool = False,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """One minus the Tversky index of two regions.

    With p the input, t the target, and over `axis` the sums ``I = sum(p * t)``,
    ``FP = sum(p * (1 - t))`` and ``FN = sum((1 - p) * t)``::

        loss = (alpha * FP + beta * FN) / (I + alpha * FP + beta * FN + smooth)

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Probabilities, in [0, 1].
    target : array of any real dtype, shape of `input`
        Labels or probabilities, in [0, 1]; converted to the dtype of `input`.
    alpha : float or 0-d array, default 0.5
        Weight of the false positives, at least 0.
    beta : float or 0-d array, default 0.5
        Weight of the false negatives, at least 0.
    axis : int, tuple of int or None, default None
        Axes to sum over. None: all but the first and `class_axis`.
    class_axis : int, optional
        The axis of the classes, one region each.
    smooth : float or 0-d array, default 0.0
        Added to the denominator, at least 0.
    class_weight : array of shape (C,) or "generalized", optional
        Weights w of the classes, at least 0; "generalized": ``1 / sum(t)**2``, and 0 for a class
        that is not there. The loss is then one quotient, of the sums over the classes of w times
        numerator and of w times denominator.
    ignore_background : bool, default False
        Leave class 0 out.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing to any sum, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        In [0, 1]. Shape () after "mean" and "sum"; after "none" that of `input` without `axis`,
        with the classes last, or without them where they are weighted. Dtype and device of
        `input`. An empty region predicted to be empty costs 0.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, an entry of `input` or `target` lies outside [0, 1], an option needs a
        `class_axis` or an option is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The quotient of what is wrong, not one minus the quotient of what is right: a small loss keeps
    its digits. Both weights 1/2 make it `dice_loss`, both 1 `jaccard_loss`. An empty region has the
    gradient 0.

    Source: S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image
    segmentation using 3D fully convolutional deep networks" (2017), arXiv:1706.05721.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> p, t = np.asarray([[0.5, 1.0, 0.0, 0.0]]), np.asarray([[1, 1, 1, 0]])
    >>> pl.tversky_loss(p, t, alpha=0.0, beta=1.0, reduction="none")
    array([0.5])
    """
    return _overlap_loss(
        input,
        target,
        alpha=alpha,
        beta=beta,
        axis=axis,
        class_axis=class_axis,
        smooth=smooth,
        class_weight=class_weight,
        ignore_background=ignore_background,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


def _overlap_loss(
    input: Array,
    target: Array,
    *,
    alpha: float,
    beta: float,
    axis: Axis,
    class_axis: int | None,
    smooth: float,
    class_weight: Array | str | None,
    ignore_background: bool,
    where: Array | None,
    sample_weight: Array | None,
    reduction: Reduction,
    denominator: float | Array | None,
) -> Array:
    """Return the reduced Tversky loss: ``wrong / (both + wrong + smooth)`` of every region."""
    weights = None if isinstance(class_weight, str) else class_weight
    xp = namespace_of(
        input=input,
        target=target,
        optional={"class_weight": weights, "where": where, "sample_weight": sample_weight},
    )
    p, t = as_floating(xp, input=input, target=target)
    summed, place = layout(input.ndim, axis, class_axis)
    if place is None:
        what = "come with `class_axis`"
        require(class_weight is None, "class_weight", what, class_weight)
        require(not ignore_background, "ignore_background", what, ignore_background)
    check_bool(xp, where=where)
    check_broadcasts_to(tuple(input.shape), where=where)
    if where is not None:
        p, t = _where(where, p, 0.5, xp=xp), _where(where, t, 0.0, xp=xp)
    if weights is not None and class_axis is not None:
        check_broadcasts_to((input.shape[class_axis],), class_weight=weights)
        along = [1] * input.ndim
        along[class_axis] = -1
        out = xp.reshape(weights == 0, tuple(along))
        p, t = (_where(out & ~((x >= 0) & (x <= 1)), 0.5, x, xp=xp) for x in (p, t))

    def unreduced(p: Array, t: Array) -> Array:
        bad_input = check_all_in(0, 1, xp=xp, input=p)
        bad_target = check_all_in(0, 1, xp=xp, target=t)
        given = [p, t, where, join_masks(bad_input, bad_target, xp=xp)]
        given = [None if x is None else broadcast_to(x, p.shape, like=p, xp=xp) for x in given]
        rows = [None if x is None else as_rows(x, summed, xp=xp) for x in given]
        numerator, both, volume = (
            of_classes(x, place, ignore_background, xp=xp)
            for x in overlaps(*rows, alpha=alpha, beta=beta, xp=xp)
        )
        if class_weight is not None:
            w = weights_of_regions(class_weight, volume, ignore_background, xp=xp)
            numerator = total(weigh(w, numerator, xp=xp), axis=-1, xp=xp)
            both = total(weigh(w, both, xp=xp), axis=-1, xp=xp)
        return share(numerator, both + smooth, xp=xp)

    if sample_weight is not None:
        shape = [n for i, n in enumerate(input.shape) if i not in summed]
        if place is not None:
            classes = shape.pop(place) - ignore_background
            shape += [classes] if class_weight is None else []
        constants, held = (
            [stop_gradient(x, xp=xp) for x in (p, t)],
            {"sample_weight": sample_weight},
        )
        bad = weightless(lambda: unreduced(*constants), held, tuple(shape), xp=xp)
        if bad is not None:
            given = narrow(sample_weight, p.dtype, xp=xp)
            given = broadcast_to(given, bad.shape, like=bad, xp=xp)
            sample_weight = _where(bad, 0.0, given, xp=xp)
            if ignore_background and class_weight is None:
                background = xp.all(bad, axis=-1, keepdims=True)  # left out with all the others
                bad = concat([background, bad], axis=-1, xp=xp)
            if place is not None:
                each = class_weight is None
                bad = xp.moveaxis(bad, -1, place) if each else expand_dims(bad, (place,), xp=xp)
            for i in summed:
                bad = expand_dims(bad, (i,), xp=xp)
            p, t = _where(bad, 0.5, p, xp=xp), _where(bad, 0.0, t, xp=xp)
    loss = unreduced(p, t)

    return reduce(
        loss,
        reduction,
        sample_weight=sample_weight,
        dtype=input.dtype,
        denominator=denominator,
        xp=xp,
    )
