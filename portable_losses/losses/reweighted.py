"""Cross entropies that give doubtful examples another weight."""

from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import FINITE, FRACTION, SHARE, is_number
from portable_losses._polyfill import maximum, minimum, where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._row_functions import of_rows
from portable_losses._rows import (
    entry,
    exponentials,
    finite_or_nan,
    place_of_largest,
    sum_of_others,
)
from portable_losses._stable import INF, expm1
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses._values import mark_invalid
from portable_losses.activations.softmaxes import _log_softmax
from portable_losses.losses._foreseen import foreseen_gradients
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._targets import (
    LAST,
    Target,
    axis_of_classes,
    read_target,
    rows_of_classes,
)
from portable_losses.special.box_cox import _growth
from portable_losses.special.two_floats import halves, minus_product, sum_of

__all__ = ["generalized_cross_entropy", "poly_loss"]

FARTHEST = -1e30  # of a logit from the largest; its products stay finite


@public(epsilon=FINITE, label_smoothing=FRACTION)
@leaves_out(logits=0.5, target=0)
def poly_loss(
    logits: Array,
    target: Array,
    /,
    *,
    epsilon: float | Array = 2.0,
    axis: int = LAST,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Cross entropy from logits plus `epsilon` times the probability that is missing.

    With p the softmax of the logits of a row, t the target as probabilities and C the number of
    classes::

        q    = (1 - label_smoothing) * t + label_smoothing / C
        loss = sum over c of q_c * weight_c * (-log(p_c) + epsilon * (1 - p_c))

    Parameters
    ----------
    logits : array of a real floating dtype, shape (..., C)
        Unnormalized log-probabilities. -inf is a class of probability 0.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0.
    epsilon : float or 0-d array, default 2.0
        Change of the first coefficient of the cross entropy's expansion in ``1 - p``; 0 is the
        cross entropy.
    axis : int, default -1
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``. To be written where
        the shape of class indices fits both.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    label_smoothing : float or 0-d array in [0, 1], default 0.0
        Share of the uniform distribution.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0.
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
        The shapes do not fit, there are no classes, a probability or weight is negative,
        `label_smoothing` lies outside [0, 1], or `epsilon` is not finite.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    The denominators of "mean" are those of `cross_entropy`. With ``l = -log(p)`` as it computes
    it, ``1 - p`` is ``-expm1(-l)``: a confident row keeps its digits.

    Source: Z. Leng et al., "PolyLoss" (2022), arXiv:2204.12511.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> logits = np.asarray([[20.0, 0.0], [0.0, 30.0]])
    >>> print(pl.poly_loss(logits, np.asarray([0, 0]), reduction="none"))
    [6.18346086e-09 3.20000000e+01]
    """
    xp = namespace_of(
        logits=logits, target=target, optional={"weight": weight, "sample_weight": sample_weight}
    )
    target, z, invalid = read_classes(
        logits,
        target,
        axis=axis,
        ignore_index=ignore_index,
        weight=weight,
        xp=xp,
    )

    seen = foreseen_gradients(
        reduction, target, sample_weight, z, label_smoothing, 0.0, denominator=denominator, xp=xp
    )
    options = {"epsilon": epsilon, "label_smoothing": label_smoothing}
    rows = _poly(z, *target, **options, foreseen=seen, xp=xp)
    rows = mark_invalid(rows, invalid, xp=xp)

    return reduce(
        rows,
        reduction,
        where=where,
        sample_weight=sample_weight,
        counts=target.counts(rows, xp=xp),
        dtype=logits.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(q=FRACTION._replace(of_arrays=SHARE))
@leaves_out(logits=0.5, target=0)
def generalized_cross_entropy(
    logits: Array,
    target: Array,
    /,
    *,
    q: float | Array = 0.7,
    axis: int = LAST,
    ignore_index: int = -100,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Between cross entropy (q = 0) and absolute error (q = 1): ``(1 - p_y**q) / q``.

    p is the softmax of the logits of a row. For a target of probabilities t:
    ``sum over c of t_c * (1 - p_c**q) / q``.

    Parameters
    ----------
    logits : array of a real floating dtype, shape (..., C)
        Unnormalized log-probabilities. -inf is a class of probability 0.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0.
    q : float or 0-d array in [0, 1], default 0.7
        The greater, the less a wrong label pulls. An array is above 0.
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
        `logits`. At most ``1 / q`` for one class.

    Raises
    ------
    TypeError
        `logits` is not real floating, indices are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, a probability or weight is negative, or `q`
        lies outside [0, 1].
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    Computed as ``-expm1(-q * l) / q`` with ``l = -log(p)`` as `cross_entropy` computes it, so that
    a confident row keeps its digits and small q lose none. The slope in l is ``p**q``.

    Source: Z. Zhang, M. R. Sabuncu, "Generalized cross entropy loss for training deep neural
    networks with noisy labels" (2018), arXiv:1805.07836.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> logits = np.asarray([[20.0, 0.0], [0.0, 30.0]])
    >>> pl.generalized_cross_entropy(logits, np.asarray([0, 0]), q=0.5, reduction="none").round(4)
    array([0., 2.])
    """
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    target, z, invalid = read_classes(
        logits,
        target,
        axis=axis,
        ignore_index=ignore_index,
        weight=None,
        xp=xp,
    )

    seen = foreseen_gradients(
        reduction, target, sample_weight, z, 0.0, 0.0, denominator=denominator, xp=xp
    )
    rows = _generalized(z, *target, q=q, foreseen=seen, xp=xp)
    rows = mark_invalid(rows, invalid, xp=xp)

    return reduce(
        rows,
        reduction,
        where=where,
        sample_weight=sample_weight,
        counts=target.counts(rows, xp=xp),
        dtype=logits.dtype,
        denominator=denominator,
        xp=xp,
    )


def read_classes(
    logits: Array,
    target: Array,
    *,
    axis: int,
    ignore_index: int,
    weight: Array | None,
    xp: Namespace,
    weight_name: str = "weight",
) -> tuple[Target, Array, Array | None]:
    """Return the target, checked, the logits, and the mask of invalid rows.

    The classes are the last axis; logits of a half dtype stay so where a kernel may take them.
    """
    check_real_floating(xp, logits=logits)
    place = axis_of_classes(axis, logits, target, name="logits", xp=xp)
    z, like = rows_of_classes(logits, place, xp=xp)
    target, invalid = read_target(
        like,
        target,
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        name="logits",
        xp=xp,
        weight_name=weight_name,
        shape=tuple(z.shape),
    )
    return target, z, invalid


def log_losses(
    z: Array, arrays: tuple[Array | None, ...], *, label_smoothing: float | Array, xp: Namespace
) -> tuple[Target, Array, Array]:
    """Return the target made of `arrays`, the logits, masked, and -log(softmax) of them."""
    target = Target(*arrays)
    z = target.mask_logits(z, absent=-INF, xp=xp)
    z = target.settle(z, label_smoothing=label_smoothing, xp=xp)
    return target, z, 0.0 - _log_softmax(z, xp=xp)


@of_rows(wide=True)
def _poly(
    z: Array,
    *arrays: Array | None,
    epsilon: float | Array,
    label_smoothing: float | Array,
    xp: Namespace,
) -> Array:
    """Return the loss of each row of logits; `arrays` are those of a `Target`."""
    target, _, loss = log_losses(z, arrays, label_smoothing=label_smoothing, xp=xp)
    terms = loss - epsilon * expm1(-loss, xp=xp)
    return target.select(terms, label_smoothing=label_smoothing, xp=xp)


@of_rows(wide=True)
def _generalized(z: Array, *arrays: Array | None, q: float | Array, xp: Namespace) -> Array:
    """Return the loss of each row of logits; `arrays` are those of a `Target`."""
    target, z, loss = log_losses(z, arrays, label_smoothing=0.0, xp=xp)
    terms = loss if is_number(q) and not q else _tempered(loss, z, q=q, xp=xp)
    return target.select(terms, label_smoothing=0.0, xp=xp)


def _powers(z: Array, q: float | Array, *, xp: Namespace) -> Array:
    """``p**q``, p the softmax of z: the exponential of a product in two parts."""
    k, largest = place_of_largest(z, xp=xp)
    top = finite_or_nan(entry(z, k, xp=xp), xp=xp)
    others = sum_of_others(exponentials(z, top, xp=xp), k, largest, xp=xp)
    d = maximum(z - top, FARTHEST, xp=xp)
    exponent = q * d
    # What rounding the difference and the product have lost, a constant.
    u, v = stop_gradient(exponent, xp=xp), stop_gradient(d, xp=xp)
    lost = sum_of(stop_gradient(z, xp=xp), -stop_gradient(top, xp=xp))[1]
    rest = q * lost - minus_product(u, v, *halves(q, z, xp=xp), xp=xp)
    rest = where(xp.abs(rest) < 1, rest, 0.0, xp=xp)
    return xp.exp(exponent) * (1 + rest) * xp.exp(-q * xp.log1p(others))


def _tempered_grad(
    grad: Array, out: Array, loss: Array, z: Array, *, q: float, xp: Namespace
) -> tuple[Array | None, ...]:
    """``p**q``, all digits of it far from 0, too."""
    return grad * _powers(z, q, xp=xp), None


def _tempered_by_q(
    grad: Array, out: Array, loss: Array, z: Array, *, q: float, xp: Namespace
) -> Array:
    """``(u * exp(-u) + expm1(-u)) / q**2`` with ``u = q * loss``."""
    return grad * -_growth(-minimum(q * loss, 1000.0, xp=xp), q, xp=xp)


@with_gradient(_tempered_grad, by={"q": _tempered_by_q})
def _tempered(loss: Array, z: Array, *, q: float, xp: Namespace) -> Array:
    """``(1 - p**q) / q`` of -log(p), by which alone it is differentiated, and the logits."""
    return -xp.expm1(-q * loss) / q
