"""Losses for rows that belong to several classes at once."""

from portable_losses._dtypes import widen
from portable_losses._gradient import differentiable_again
from portable_losses._indexing import as_index
from portable_losses._polyfill import arange, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, weigh
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, finite_or_nan, largest_along
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_floating,
    check_axis,
    check_classes,
    check_integer,
    check_real_floating,
    check_same_shape,
    namespace_of,
    of_one_dtype,
)
from portable_losses._values import (
    as_weight,
    check_all_in,
    check_values,
    join_masks,
    mark_invalid,
)
from portable_losses.activations.logistic import _softplus
from portable_losses.losses._foreseen import foreseen_mean
from portable_losses.losses._left_out import leaves_out, settle

__all__ = ["multilabel_margin_loss", "multilabel_soft_margin_loss"]


@public
@leaves_out(input=0.5, target=-1)
def multilabel_margin_loss(
    input: Array,
    target: Array,
    /,
    *,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Hinge of every label's score against that of every other class.

    With x the scores of a row, Y its labels and C the number of classes::

        loss = 1 / C * sum over y in Y and i not in Y of max(0, 1 - (x_y - x_i))

    Parameters
    ----------
    input : array of a real floating dtype, shape (..., C)
        Scores. -inf is a class that is never near.
    target : array of an integer dtype, shape of `input`
        The labels of each row, class indices in [0, C), each once, up to the first -1; what stands
        behind it is not looked at.
    axis : int, default -1
        The axis of the classes.
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
        `input`. 0 for a row without labels. A row with a label of infinite score is NaN.

    Raises
    ------
    TypeError
        `input` is not real floating, `target` does not hold integers, or the arrays come from two
        libraries.
    ValueError
        The shapes differ, there are no classes, a row names a class twice, or a weight is
        negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    All pairs of classes are compared: C times the memory of `input`. The gradient at a kink is 0.

    Source: torch.nn.functional.multilabel_margin_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, y = np.asarray([[0.1, 0.2, 0.4, 0.8]]), np.asarray([[3, 0, -1, 1]])
    >>> pl.multilabel_margin_loss(x, y, reduction="none").round(4)
    array([0.85])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_real_floating(xp, input=input)
    check_integer(xp, target=target)
    check_same_shape(input=input, target=target)
    place = check_axis(axis, input.ndim)
    check_classes(tuple(input.shape), place, name="input")
    x = as_rows(differentiable_again(widen(input, xp=xp), xp=xp), (place,), xp=xp)
    label, invalid = _read_labels(as_rows(target, (place,), xp=xp), x, xp=xp)

    x = mark_invalid(x, invalid, xp=xp, of_rows=True)
    h = 1 + (x[..., None, :] - finite_or_nan(x, xp=xp)[..., :, None])
    h = _where(h <= 0, 0.0, h, xp=xp)
    apart = label[..., :, None] & ~label[..., None, :]
    loss = total(_where(apart, h, 0.0, xp=xp), axis=(-2, -1), xp=xp) / x.shape[-1]

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=input.dtype,
        denominator=denominator,
        xp=xp,
    )


@public
@leaves_out(input=0.5, target=0)
def multilabel_soft_margin_loss(
    input: Array,
    target: Array,
    /,
    *,
    weight: Array | None = None,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Mean over the classes of the binary cross entropy from logits.

    With C the number of classes::

        loss = 1 / C * sum over c of weight_c * (y_c * softplus(-x_c) + (1 - y_c) * softplus(x_c))

    Parameters
    ----------
    input : array of a real floating dtype, shape (..., C)
        Log-odds.
    target : array of any real dtype, shape of `input`
        Probabilities or labels, in [0, 1]; converted to the dtype of `input`.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0; the mean over the classes divides by C all the same.
    axis : int, default -1
        The axis of the classes.
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
        `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, there are no classes, a target lies outside [0, 1], or a weight is
        negative.
    IndexError
        There is no such axis.

    Notes
    -----
    Stable as `binary_cross_entropy_with_logits` is; the gradient is
    ``weight / C * ((1 - y) * sigmoid(x) - y * sigmoid(-x))``.

    Source: torch.nn.functional.multilabel_soft_margin_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, y = np.asarray([[0.0, 1000.0, -1000.0]]), np.asarray([[1, 1, 0]])
    >>> pl.multilabel_soft_margin_loss(x, y, reduction="none").round(4)
    array([0.231])
    """
    xp = namespace_of(
        input=input, target=target, optional={"weight": weight, "sample_weight": sample_weight}
    )
    prepared = of_one_dtype if weight is None else as_floating
    x, y = prepared(xp, input=input, target=target)
    place = check_axis(axis, input.ndim)
    check_classes(tuple(input.shape), place, name="input")
    x, y = as_rows(x, (place,), xp=xp), as_rows(y, (place,), xp=xp)
    invalid = check_all_in(0, 1, xp=xp, target=y)
    of_class = as_weight(weight, (x.shape[-1],), name="weight", like=x, xp=xp)

    seen = foreseen_mean(
        reduction, x, tuple(x.shape[:-1]), where, sample_weight, denominator=denominator, xp=xp
    )
    loss = _soft_margins(x, y, invalid, of_class, foreseen=seen, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=input.dtype,
        denominator=denominator,
        xp=xp,
    )


def _read_labels(target: Array, x: Array, *, xp: Namespace) -> tuple[Array, Array | None]:
    """Return the mask of each row's labels, and the mask of the rows with a bad one."""
    classes = x.shape[-1]
    target = as_index(target, xp=xp)
    places = arange(classes, x, dtype=target.dtype, xp=xp)
    ends = _where(target == -1, places, classes, xp=xp)
    named = places < -largest_along(-ends, (-1,), xp=xp)
    # What `xp` makes stands first: on the tape it is a Tensor, and `target` is not.
    twin = (places[:, None] > places) & (target[..., :, None] == target[..., None, :])
    outside = named & ((target < 0) | (target >= classes))
    what = f"hold class indices in [0, {classes}) up to the first -1"
    first = check_values(target, outside, what, name="target", xp=xp, error=IndexError)
    twice = named & xp.any(twin, axis=-1)
    what = "name a class once in a row"
    second = check_values(target, twice, what, name="target", xp=xp)
    invalid = join_masks(first, second, xp=xp)
    if invalid is not None:
        invalid = xp.any(invalid, axis=-1)
    label = xp.any(named[..., :, None] & (places == target[..., :, None]), axis=-2)
    return label, invalid


@of_rows(wide=True)
def _soft_margins(
    x: Array, y: Array, invalid: Array | None, of_class: Array | None, *, xp: Namespace
) -> Array:
    """Return the mean over the classes of each row; NaN for entries that are `invalid`."""
    if of_class is not None:
        x = settle(x, of_class == 0, xp=xp)
    loss = weigh(y, _softplus(-x, beta=1.0, xp=xp), xp=xp)
    loss = loss + weigh(1 - y, _softplus(x, beta=1.0, xp=xp), xp=xp)
    if of_class is not None:
        loss = weigh(of_class, loss, xp=xp)
    return total(mark_invalid(loss, invalid, xp=xp), axis=-1, xp=xp) / x.shape[-1]
