"""Cross entropy from logits, and from log-probabilities."""

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import with_gradient
from portable_losses._options import (
    check_fraction,
    check_nonnegative,
    check_positive,
    check_reduction,
)
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._reduction import reduce, weigh
from portable_losses._rows import as_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_axis, check_real_floating, namespace_of, spoil
from portable_losses.activations.hyperbolic import _softcap, _softcap_backward
from portable_losses.activations.softmax import _log_softmax, _log_softmax_backward
from portable_losses.losses._targets import Target, read_target
from portable_losses.special.log_exp import _logsumexp, _logsumexp_backward

__all__ = ["cross_entropy", "nll_loss"]


def cross_entropy(
    logits: Array,
    target: Array,
    /,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    return_lse: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    """Cross entropy between class logits and a target.

    With p the softmax of the logits z of a row, t the target as probabilities and C the number
    of classes::

        q    = (1 - label_smoothing) * t + label_smoothing / C
        loss = sum over c of q_c * weight_c * -log(p_c)  +  z_loss * logsumexp(z)**2

    Parameters
    ----------
    logits : array of a real floating dtype, shape (..., C)
        Unnormalized log-probabilities. -inf is a class of probability 0.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0 (a
        one-hot target of integers or bools is one of them). Rows of probabilities usually sum to
        1; what they sum to multiplies the loss.
    axis : int, default -1
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    label_smoothing : float in [0, 1], default 0.0
        Share of the uniform distribution over the classes that exist.
    z_loss : float, default 0.0
        Factor of the squared log-partition function, at least 0.
    softcap : float, optional
        Replace z by ``softcap * tanh(z / softcap)`` first; infinities stay. Greater than 0.
    where : array of bool, optional
        With the shape of `logits` (or broadcastable to it): classes that exist, the others having
        probability 0. With the shape of the rows: rows that count. What is masked may hold NaN.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0.
    return_lse : bool, default False
        Return ``(loss, lse)``, lse the logsumexp of each row, 0 for a row left out.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array, in nats, or tuple of two arrays
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `logits`; float16 and bfloat16 are computed and summed in float32 and rounded once. A row
        of -inf alone, or with +inf or NaN, is NaN; a target on a class of probability 0 is +inf.

    Raises
    ------
    TypeError
        `logits` is not real floating, indices are not integers, `where` is not boolean, or the
        arrays come from two libraries.
    ValueError
        The shapes do not fit, there are no classes, a probability or weight is negative, a
        target index names a class that `where` masks, or an option is out of its domain.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    "mean" divides by the sum of ``sample_weight * weight[target]`` over the rows that count, for
    indices, and by the sum of `sample_weight` for probabilities, as PyTorch does; the `z_loss`
    part by the sum of `sample_weight`. The mean over nothing is 0 with zero gradient.

    Small losses keep their digits: a row that is right by a gap of 20 costs 2.06e-9, not 0, and
    its gradient at the target is ``expm1(-loss)``, not ``p - 1``. A class with target probability
    or weight exactly 0 adds exactly 0, also where its log-probability is -inf. Where values
    cannot be read (on a GPU, under ``jax.jit``, on Dask), a row with a bad target is NaN.

    Source: I. J. Good, "Rational decisions" (1952); the arguments are those of
    torch.nn.functional.cross_entropy; z_loss: A. Chowdhery et al., "PaLM" (2022),
    arXiv:2204.02311.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.asarray([[1000.0, 0.0], [20.0, 0.0]])
    >>> cross_entropy(logits, np.asarray([1, 0]), reduction="none")
    array([1.00000000e+03, 2.06115362e-09])
    """
    xp = namespace_of(
        logits=logits, target=target, weight=weight, where=where, sample_weight=sample_weight
    )
    check_real_floating(xp, logits=logits)
    place = check_axis(axis, logits.ndim)
    check_fraction(label_smoothing=label_smoothing)
    check_nonnegative(z_loss=z_loss)
    check_reduction(reduction)
    if softcap is not None:
        check_positive(softcap=softcap)
    z = as_rows(widen(logits, xp=xp), (place,), xp=xp)
    aim = read_target(
        z,
        target,
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        mask=where,
        name="logits",
        xp=xp,
    )

    loss, *rest = _cross_entropy(
        z,
        aim.q,
        aim.index,
        aim.weight,
        aim.row,
        aim.classes,
        label_smoothing=label_smoothing,
        softcap=softcap,
        with_lse=bool(z_loss) or return_lse,
        xp=xp,
    )
    loss, lse = spoil(loss, aim.factor), rest[0] if rest else None
    result = _reduced(loss, lse, aim, reduction, z_loss=z_loss, sample_weight=sample_weight, xp=xp)
    result = narrow(result, logits.dtype, xp=xp)
    return (result, narrow(lse, logits.dtype, xp=xp)) if return_lse else result


def nll_loss(
    log_probs: Array,
    target: Array,
    /,
    *,
    axis: int = -1,
    weight: Array | None = None,
    ignore_index: int = -100,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Negative log-likelihood of a target: ``-weight_y * log_probs_y``.

    For a target of probabilities t: ``-sum over c of t_c * weight_c * log_probs_c``.

    Parameters
    ----------
    log_probs : array of a real floating dtype, shape (..., C)
        Log-probabilities, as `log_softmax` returns them.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0 (a
        one-hot target of integers or bools is one of them).
    axis : int, default -1
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `log_probs`.

    Raises
    ------
    TypeError
        `log_probs` is not real floating, indices are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, there are no classes, or a probability or weight is negative.
    IndexError
        A class index is out of range, or there is no such axis.

    Notes
    -----
    The denominators of "mean" are those of `cross_entropy`. A class with target probability or
    weight exactly 0 adds exactly 0, also where its log-probability is -inf. The gradient is
    ``-weight_y`` at the target and 0 elsewhere. log_probs above 0 are not refused: rounding makes
    them.

    Source: torch.nn.functional.nll_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = np.log(np.asarray([[0.5, 0.5], [0.25, 0.75]]))
    >>> nll_loss(log_probs, np.asarray([0, 1]), reduction="none").round(4)
    array([0.6931, 0.2877])
    """
    xp = namespace_of(
        log_probs=log_probs, target=target, weight=weight, sample_weight=sample_weight
    )
    check_real_floating(xp, log_probs=log_probs)
    place = check_axis(axis, log_probs.ndim)
    check_reduction(reduction)
    rows = as_rows(widen(log_probs, xp=xp), (place,), xp=xp)
    aim = read_target(
        rows,
        target,
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        mask=None,
        name="log_probs",
        xp=xp,
    )

    terms = -aim.mask(rows, absent=-INF, xp=xp)
    if aim.factor is not None:  # NaN for every class of a bad row, not for one that nobody named
        terms = spoil(terms, aim.factor[..., None])
    loss = aim.pick(terms, label_smoothing=0.0, xp=xp)

    return reduce(
        loss,
        reduction,
        sample_weight=sample_weight,
        counts=aim.counts(loss, xp=xp),
        dtype=log_probs.dtype,
        xp=xp,
    )


def _reduced(
    loss: Array,
    lse: Array | None,
    aim: Target,
    reduction: Reduction,
    *,
    z_loss: float,
    sample_weight: Array | None,
    xp: Namespace,
) -> Array:
    """Reduce the losses of rows, and the squares of `lse`, each with its own denominator."""
    result = reduce(
        loss,
        reduction,
        sample_weight=sample_weight,
        counts=aim.counts(loss, xp=xp),
        dtype=loss.dtype,
        xp=xp,
    )
    if lse is None or not z_loss:
        return result
    rows = None if aim.row is None else narrow(aim.row, loss.dtype, xp=xp)
    penalty = reduce(
        z_loss * lse * lse,
        reduction,
        sample_weight=sample_weight,
        counts=rows,
        dtype=loss.dtype,
        xp=xp,
    )
    return xp.add(result, penalty)


# ---- the pair: along the last axis ------------------------------------------------------------


def _cross_entropy_backward(
    grad: tuple[Array, ...],
    out: tuple[Array, ...],
    z: Array,
    q: Array | None,
    index: Array | None,
    weight: Array | None,
    row: Array | None,
    classes: Array | None,
    *,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    aim = Target(index, q, row, classes, weight, None)
    seen = aim.mask(z, absent=-INF, xp=xp)
    capped = seen if softcap is None else _softcap(seen, cap=softcap, xp=xp)
    log_p = _log_softmax(capped, xp=xp)
    share = aim.smoothed(capped, label_smoothing=label_smoothing, xp=xp)
    g = aim.rows(grad[0], xp=xp)[..., None]

    coefficient = share if weight is None else weigh(share, weight, xp=xp)
    by_z: Array = _log_softmax_backward(-g * coefficient, log_p, capped, xp=xp)[0]
    if with_lse:
        g_lse = aim.rows(grad[1], xp=xp)[..., None]
        by_z = by_z + _logsumexp_backward(g_lse, out[1][..., None], capped, xp=xp)[0]
    if softcap is not None:
        by_z = _softcap_backward(by_z, capped, seen, cap=softcap, xp=xp)[0]
    by_z = aim.mask(by_z, absent=0.0, xp=xp)
    if q is None and weight is None:
        return by_z, None, None, None, None, None

    felt = (coefficient != 0) | (log_p > -INF)
    by_coefficient = g * _where(felt, -log_p, 0.0, xp=xp)
    by_q = by_weight = None
    if weight is not None:
        by_weight = total(share * by_coefficient, axis=tuple(range(z.ndim - 1)), xp=xp)
        by_coefficient = by_coefficient * weight
    if q is not None:
        by_q = aim.mask((1 - label_smoothing) * by_coefficient, absent=0.0, xp=xp)
    return by_z, by_q, None, by_weight, None, None


@with_gradient(_cross_entropy_backward, kernel="cross_entropy")
def _cross_entropy(
    z: Array,
    q: Array | None,
    index: Array | None,
    weight: Array | None,
    row: Array | None,
    classes: Array | None,
    *,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the loss of each row, and its logsumexp; the arrays are those of a `Target`."""
    aim = Target(index, q, row, classes, weight, None)
    z = aim.mask(z, absent=-INF, xp=xp)  # before the cap, whose slope would meet what is masked
    if softcap is not None:
        z = _softcap(z, cap=softcap, xp=xp)
    loss = aim.pick(0.0 - _log_softmax(z, xp=xp), label_smoothing=label_smoothing, xp=xp)
    return (loss, aim.rows(_logsumexp(z, xp=xp)[..., 0], xp=xp)) if with_lse else (loss,)
