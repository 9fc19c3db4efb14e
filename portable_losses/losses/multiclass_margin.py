"""Losses of margins between the scores of classes."""

from typing import Literal

from portable_losses._dtypes import widen
from portable_losses._gradient import differentiable_again
from portable_losses._options import FINITE
from portable_losses._polyfill import arange, broadcast_to, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, weigh
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, entry, finite_or_nan, place_of_largest
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses._values import as_weight
from portable_losses.losses._foreseen import foreseen_mean
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._targets import LAST, axis_of_classes, read_index

__all__ = [
    "multi_margin_loss",
    "multiclass_hinge_loss",
    "multiclass_perceptron_loss",
]


@public(margin=FINITE)
@leaves_out(input=0.5, target=0)
def multi_margin_loss(
    input: Array,
    target: Array,
    /,
    *,
    p: Literal[1, 2] = 1,
    margin: float | Array = 1.0,
    weight: Array | None = None,
    axis: int = LAST,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Hinge of the target's score against every other class's.

    With x the scores of a row, y its class and C the number of classes::

        loss = weight_y / C * sum over j != y of max(0, margin - x_y + x_j)**p

    Parameters
    ----------
    input : array of a real floating dtype, shape (..., C)
        Scores. -inf is a class that is never near.
    target : array of an integer dtype, shape (...)
        Class indices in [0, C).
    p : {1, 2}
    margin : float or 0-d array, default 1.0
    weight : array of shape (C,), optional
        Weights of the classes, at least 0. "mean" divides by the number of rows all the same, as
        PyTorch does.
    axis : int, default -1
        The axis of the classes. To be written where the shape of `target` would fit axis 1 as well.
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
        `input`. A row whose target has an infinite score is NaN.

    Raises
    ------
    TypeError
        `input` is not real floating, `target` does not hold integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, `p` is neither 1 nor 2, `margin` is not
        finite, or a weight is negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    The difference of the scores comes before the margin, which large scores would swallow. The
    gradient at a kink is 0.

    Source: torch.nn.functional.multi_margin_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> scores = np.asarray([[1.0, 0.5, 2.0]])
    >>> pl.multi_margin_loss(scores, np.asarray([0]), reduction="none").round(4)
    array([0.8333])
    """
    xp = namespace_of(
        input=input, target=target, optional={"weight": weight, "sample_weight": sample_weight}
    )
    x, index = _read(input, target, axis=axis, xp=xp)
    classes = x.shape[-1]
    of_class = as_weight(weight, (classes,), name="weight", like=x, xp=xp)

    masks = where, sample_weight, of_class
    seen = foreseen_mean(reduction, x, tuple(x.shape[:-1]), *masks, denominator=denominator, xp=xp)
    loss = _margins(x, index, p=p, margin=margin, foreseen=seen, xp=xp)
    if of_class is not None:
        of_row = entry(broadcast_to(of_class, x.shape, like=x, xp=xp), index, xp=xp)[..., 0]
        loss = weigh(of_row, loss, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=input.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(margin=FINITE)
@leaves_out(input=0.5, target=0)
def multiclass_hinge_loss(
    input: Array,
    target: Array,
    /,
    *,
    margin: float | Array = 1.0,
    axis: int = LAST,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Hinge of the target's score against the largest other: ``max(0, margin + x_j - x_y)``.

    j is the class of the largest score but for y, the target.

    Parameters
    ----------
    input : array of a real floating dtype, shape (..., C)
        Scores. -inf is a class that is never near.
    target : array of an integer dtype, shape (...)
        Class indices in [0, C).
    margin : float or 0-d array, default 1.0
    axis : int, default -1
        The axis of the classes. To be written where the shape of `target` would fit axis 1 as well.
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
        `input`. 0 for a single class. A row whose target has an infinite score is NaN.

    Raises
    ------
    TypeError
        `input` is not real floating, `target` does not hold integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, `margin` is not finite, or a weight is
        negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    The gradient is 1 at j, -1 at y and 0 elsewhere, and 0 at the kink; of equal largest scores the
    first is j.

    Source: K. Crammer, Y. Singer, "On the algorithmic implementation of multiclass kernel-based
    vector machines" (2001), JMLR 2.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.multiclass_hinge_loss(np.asarray([[1.0, 0.5, 2.0]]), np.asarray([0]), reduction="none")
    array([2.])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    x, index = _read(input, target, axis=axis, xp=xp)

    seen = foreseen_mean(
        reduction, x, tuple(x.shape[:-1]), where, sample_weight, denominator=denominator, xp=xp
    )
    loss = _rivalry(x, index, margin=margin, foreseen=seen, xp=xp)

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
def multiclass_perceptron_loss(
    input: Array,
    target: Array,
    /,
    *,
    axis: int = LAST,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """How far the target's score is below the largest: ``max(x) - x_y``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (..., C)
        Scores. -inf is a class that is never near.
    target : array of an integer dtype, shape (...)
        Class indices in [0, C).
    axis : int, default -1
        The axis of the classes. To be written where the shape of `target` would fit axis 1 as well.
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
        `input`. 0 for a single class. A row whose target has an infinite score is NaN.

    Raises
    ------
    TypeError
        `input` is not real floating, `target` does not hold integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, or a weight is negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    Equal to ``multiclass_hinge_loss(margin=0)``, gradient included.

    Source: M. Collins, "Discriminative training methods for hidden Markov models" (2002),
    doi:10.3115/1118693.1118694.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> scores = np.asarray([[1.0, 0.5, 2.0]])
    >>> pl.multiclass_perceptron_loss(scores, np.asarray([0]), reduction="none")
    array([1.])
    """
    return multiclass_hinge_loss(
        input,
        target,
        margin=0.0,
        axis=axis,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


def _read(input: Array, target: Array, *, axis: int, xp: Namespace) -> tuple[Array, Array]:
    """Return the scores, classes on the last axis, and the indices of the targets, both checked."""
    check_real_floating(xp, input=input)
    place = axis_of_classes(axis, input, target, name="input", xp=xp)
    x = as_rows(widen(input, xp=xp), (place,), xp=xp)
    return read_index(x, target, axis=place, name="input", xp=xp)


def _is_class(x: Array, index: Array, *, xp: Namespace) -> Array:
    """Return the mask of each row's entry at `index`."""
    places = arange(x.shape[-1], x, dtype=index.dtype, xp=xp)
    return index == places


def _score(x: Array, index: Array, *, xp: Namespace) -> Array:
    """Return the score at `index`, NaN where it is infinite: a difference would warn."""
    return finite_or_nan(entry(x, index, xp=xp), xp=xp)


def _positive(x: Array, *, xp: Namespace) -> Array:
    """``max(x, 0)``; gradient 0 at 0."""
    return _where(x <= 0, 0.0, x, xp=xp)


@of_rows(wide=True)
def _margins(x: Array, index: Array, *, p: int, margin: float | Array, xp: Namespace) -> Array:
    """Return the mean of each row's hinges, or of their squares."""
    x = differentiable_again(x, xp=xp)
    h = _positive(margin + (x - _score(x, index, xp=xp)), xp=xp)
    h = _where(_is_class(x, index, xp=xp), 0.0, h, xp=xp)
    return total(h if p == 1 else h * h, axis=-1, xp=xp) / x.shape[-1]


@of_rows(wide=True)
def _rivalry(x: Array, index: Array, *, margin: float | Array, xp: Namespace) -> Array:
    """Return each row's hinge against the largest other score."""
    x = differentiable_again(x, xp=xp)
    others = _where(_is_class(x, index, xp=xp), -INF, x, xp=xp)
    rival, _ = place_of_largest(others, xp=xp)
    gap = entry(others, rival, xp=xp) - _score(x, index, xp=xp)
    return _positive(margin + gap, xp=xp)[..., 0]
