"""Divergences between distributions."""

from portable_losses._options import FRACTION, UNIT
from portable_losses._public import public
from portable_losses._stable import INF
from portable_losses._typing import Array, Axis, BatchReduction
from portable_losses._validation import check_axes, namespace_of, of_one_dtype
from portable_losses._values import check_all_in
from portable_losses.losses import _divergences as own
from portable_losses.losses._left_out import leaves_out

__all__ = ["generalized_kl_div", "js_div", "kl_div", "tvd_loss"]


@public
@leaves_out(log_probs=0.5, target=1, elementwise="unread")
def kl_div(
    log_probs: Array,
    target: Array,
    /,
    *,
    log_target: bool = False,
    axis: Axis = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Kullback-Leibler divergence from log-probabilities.

    ``p * (log(p) - log_probs)``, and 0 where p is 0.

    Parameters
    ----------
    log_probs : array of a real floating dtype, shape (...)
        Logarithms of the probabilities q. -inf is a probability of 0.
    target : array of any real dtype, shape of `log_probs`
        Probabilities p, at least 0, or their logarithms; converted to the dtype of `log_probs`.
    log_target : bool, default False
        Does `target` hold logarithms?
    axis : int, tuple of int or None, default None
        Axes to sum over before the reduction, those of the classes: "mean" is then the mean
        divergence. None: every entry is an element.
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" is the sum over the size of axis 0.
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after a reduction; after "none" that of `log_probs`, without `axis`. Dtype and
        device of `log_probs`.

    Raises
    ------
    TypeError
        `log_probs` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a probability or a weight is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    An entry with p exactly 0 adds 0 to value and gradient, also where `log_probs` is -inf; one with
    p > 0 there is +inf. The gradient is ``-p`` in `log_probs` and ``log(p) + 1 - log_probs`` in p.

    Source: S. Kullback, R. A. Leibler, "On information and sufficiency" (1951),
    doi:10.1214/aoms/1177729694; torch.nn.functional.kl_div, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> log_q = np.log(np.asarray([[0.5, 0.5]]))
    >>> pl.kl_div(log_q, np.asarray([[1.0, 0.0]]), axis=-1, reduction="none").round(4)
    array([0.6931])
    """
    xp = namespace_of(log_probs=log_probs, target=target, optional={"sample_weight": sample_weight})
    axes = _axes(axis, log_probs)
    lp, t = of_one_dtype(xp, log_probs=log_probs, target=target)
    invalid = None if log_target else check_all_in(0, INF, xp=xp, target=target)

    return own.sum_and_reduce(
        own.kl_sum,
        (lp, t),
        axes,
        reduction,
        invalid=invalid,
        options={"log_target": log_target},
        where=where,
        sample_weight=sample_weight,
        dtype=log_probs.dtype,
        denominator=denominator,
        xp=xp,
    )


@public
@leaves_out(log_probs=0.5, target=1, elementwise="unread")
def generalized_kl_div(
    log_probs: Array,
    target: Array,
    /,
    *,
    log_target: bool = False,
    axis: Axis = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Kullback-Leibler divergence of measures that need not sum to 1.

    ``p * (log(p) - log_probs) - p + q`` with ``q = exp(log_probs)``, at least 0.

    Parameters
    ----------
    log_probs : array of a real floating dtype, shape (...)
        Logarithms of the probabilities q. -inf is a probability of 0.
    target : array of any real dtype, shape of `log_probs`
        Probabilities p, at least 0, or their logarithms; converted to the dtype of `log_probs`.
    log_target : bool, default False
        Does `target` hold logarithms?
    axis : int, tuple of int or None, default None
        Axes to sum over before the reduction, those of the classes: "mean" is then the mean
        divergence. None: every entry is an element.
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" is the sum over the size of axis 0.
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after a reduction; after "none" that of `log_probs`, without `axis`. Dtype and
        device of `log_probs`.

    Raises
    ------
    TypeError
        `log_probs` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a probability or a weight is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    Computed near ``p = q`` as ``p * (exp(u) - 1 - u)`` with ``u = log(q / p)``, by a series that
    does not cancel. The gradient is ``q - p`` in `log_probs` and ``-u`` in p, 0 where p is 0.

    Source: I. Csiszár, "Why least squares and maximum entropy?" (1991),
    doi:10.1214/aos/1176348385.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> log_q = np.log(np.asarray([2.0, 1.0]))
    >>> pl.generalized_kl_div(log_q, np.asarray([0.0, 1.0]), reduction="none")
    array([2., 0.])
    """
    xp = namespace_of(log_probs=log_probs, target=target, optional={"sample_weight": sample_weight})
    axes = _axes(axis, log_probs)
    lp, t = of_one_dtype(xp, log_probs=log_probs, target=target)
    invalid = None if log_target else check_all_in(0, INF, xp=xp, target=target)

    return own.sum_and_reduce(
        own.generalized_kl_sum,
        (lp, t),
        axes,
        reduction,
        invalid=invalid,
        options={"log_target": log_target},
        where=where,
        sample_weight=sample_weight,
        dtype=log_probs.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(beta=FRACTION._replace(of_arrays=UNIT))
@leaves_out(log_probs=0.5, target=1, elementwise="unread")
def js_div(
    log_probs: Array,
    target: Array,
    /,
    *,
    log_target: bool = False,
    beta: float | Array = 0.5,
    axis: Axis = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Jensen-Shannon divergence, or its generalisation to unequal shares.

    ``beta * KL(p | m) + (1 - beta) * KL(q | m)`` with ``q = exp(log_probs)`` and the mixture
    ``m = beta * p + (1 - beta) * q``.

    Parameters
    ----------
    log_probs : array of a real floating dtype, shape (...)
        Logarithms of the probabilities q. -inf is a probability of 0.
    target : array of any real dtype, shape of `log_probs`
        Probabilities p, at least 0, or their logarithms; converted to the dtype of `log_probs`.
    log_target : bool, default False
        Does `target` hold logarithms?
    beta : float or 0-d array in [0, 1], default 0.5
        Share of p in the mixture. At 0 the loss is ``KL(p | q)``, at 1 ``KL(q | p)``: the limits of
        the divergence over ``beta * (1 - beta)``. An array lies in (0, 1).
    axis : int, tuple of int or None, default None
        Axes to sum over before the reduction, those of the classes: "mean" is then the mean
        divergence. None: every entry is an element.
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" is the sum over the size of axis 0.
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after a reduction; after "none" that of `log_probs`, without `axis`. Dtype and
        device of `log_probs`.

    Raises
    ------
    TypeError
        `log_probs` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a probability or a weight is negative, `beta` lies outside [0, 1], or
        `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    Each part is computed as ``p * log(p / m) - p + m``, at least 0, whose extra terms add up to
    0: an entry with ``p = q`` loses no digit. Probabilities of 0 on either side add what their
    limit is. The gradient is ``(1 - beta) * q * log(q / m)`` in `log_probs` and
    ``beta * log(p / m)`` in p, 0 where p is 0.

    Source: J. Lin, "Divergence measures based on the Shannon entropy" (1991), doi:10.1109/18.61115;
    R. Agarwal et al., "On-policy distillation of language models" (2023), arXiv:2306.13649, for
    `beta`.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> log_q = np.asarray([[0.0, -np.inf]])
    >>> pl.js_div(log_q, np.asarray([[0.0, 1.0]]), axis=-1, reduction="none").round(4)
    array([0.6931])
    """
    xp = namespace_of(log_probs=log_probs, target=target, optional={"sample_weight": sample_weight})
    axes = _axes(axis, log_probs)
    lp, t = of_one_dtype(xp, log_probs=log_probs, target=target)
    invalid = None if log_target else check_all_in(0, INF, xp=xp, target=target)

    return own.sum_and_reduce(
        own.js_sum,
        (lp, t),
        axes,
        reduction,
        invalid=invalid,
        options={"beta": beta, "log_target": log_target},
        where=where,
        sample_weight=sample_weight,
        dtype=log_probs.dtype,
        denominator=denominator,
        xp=xp,
    )


@public
@leaves_out(probs=0.5, target=1, elementwise="unread")
def tvd_loss(
    probs: Array,
    target: Array,
    /,
    *,
    axis: Axis = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Total variation distance: ``sum(|probs - target|) / 2``.

    Parameters
    ----------
    probs : array of a real floating dtype, shape (...)
        Probabilities.
    target : array of any real dtype, shape of `probs`
        Probabilities; converted to the dtype of `probs`.
    axis : int, tuple of int or None, default None
        Axes to sum over before the reduction, those of the classes: "mean" is then the mean
        divergence. None: every entry is an element.
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" is the sum over the size of axis 0.
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after a reduction; after "none" that of `probs`, without `axis`. Dtype and
        device of `probs`.

    Raises
    ------
    TypeError
        `probs` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a weight is negative, or `reduction` is unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradient is ``sign(probs - target) / 2``, 0 where the two are equal.

    Source: D. A. Levin, Y. Peres, "Markov Chains and Mixing Times" (2017), section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> p, q = np.asarray([[0.5, 0.5]]), np.asarray([[1.0, 0.0]])
    >>> pl.tvd_loss(p, q, axis=-1, reduction="none")
    array([0.5])
    """
    xp = namespace_of(probs=probs, target=target, optional={"sample_weight": sample_weight})
    p, t = of_one_dtype(xp, probs=probs, target=target)
    axes = _axes(axis, probs)

    return own.sum_and_reduce(
        own.tvd_sum,
        (p, t),
        axes,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=probs.dtype,
        denominator=denominator,
        xp=xp,
    )


def _axes(axis: Axis, x: Array) -> tuple[int, ...]:
    """Return the axes to sum over, counted from the front; none where `axis` is None."""
    return () if axis is None else check_axes(axis, x.ndim)
