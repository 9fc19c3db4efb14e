"""Cross entropy from logits, and from log-probabilities."""

from typing import Any

from portable_losses._dtypes import computable, is_half, narrow, widen
from portable_losses._gradient import by_kernel, differentiable_again, with_gradient
from portable_losses._options import FRACTION, NONNEGATIVE, POSITIVE, is_number
from portable_losses._polyfill import is_eager, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce, weigh
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, largest_along
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses._values import mark_invalid
from portable_losses.activations.hyperbolic import _softcap_grad, softcap_in_parts
from portable_losses.activations.softmaxes import _log_softmax_grad, log_softmax_in_parts
from portable_losses.losses._foreseen import foreseen_gradients
from portable_losses.losses._left_out import leaves_out
from portable_losses.losses._summed_rows import reduce_with_lse, summed_rows
from portable_losses.losses._targets import (
    LAST,
    Target,
    axis_of_classes,
    idle_rows,
    read_target,
    rows_of_classes,
    smoothed_losses,
)
from portable_losses.special.log_exp import _logsumexp_grad, logsumexp_in_parts

__all__ = ["cross_entropy", "nll_loss"]


@public(label_smoothing=FRACTION, z_loss=NONNEGATIVE, softcap=POSITIVE)
@leaves_out(logits=0.5, target=0)
def cross_entropy(
    logits: Array,
    target: Array,
    /,
    *,
    axis: int = LAST,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    z_loss: float | Array = 0.0,
    softcap: float | Array | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    return_lse: bool = False,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``. To be written where
        the shape of class indices fits both.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    label_smoothing : float or 0-d array in [0, 1], default 0.0
        Share of the uniform distribution over the classes that exist.
    z_loss : float or 0-d array, default 0.0
        Factor of the squared log-partition function, at least 0.
    softcap : float or 0-d array, optional
        Replace z by ``softcap * tanh(z / softcap)`` first; infinities stay. Greater than 0.
    where : array of bool, optional
        With the shape of `logits` (or broadcastable to it): classes that exist, the others having
        probability 0. With the shape of the rows: rows that count. What is masked may hold NaN.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0.
    return_lse : bool, default False
        Return ``(loss, lse)``, lse the logsumexp of each row, 0 for a row left out.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

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
    >>> import portable_losses as pl
    >>> logits = np.asarray([[1000.0, 0.0], [20.0, 0.0]])
    >>> pl.cross_entropy(logits, np.asarray([1, 0]), reduction="none")
    array([1.00000000e+03, 2.06115362e-09])
    """
    xp = namespace_of(
        logits=logits,
        target=target,
        optional={"weight": weight, "where": where, "sample_weight": sample_weight},
    )
    check_real_floating(xp, logits=logits)
    place = axis_of_classes(axis, logits, target, name="logits", xp=xp)
    z = as_rows(computable(logits, xp=xp), (place,), xp=xp)
    halves = is_half(z, xp=xp) and is_eager(z, xp=xp)  # which a kernel need not have widened
    target, invalid = read_target(
        widen(z[..., :0] if halves else z, xp=xp),
        target,
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        mask=where,
        name="logits",
        shape=tuple(z.shape),
        xp=xp,
    )

    options = {
        "softcap": softcap,
        "with_lse": return_lse or not is_number(z_loss) or z_loss != 0,
        "foreseen": foreseen_gradients(
            reduction,
            target,
            sample_weight,
            z,
            label_smoothing,
            z_loss,
            denominator=denominator,
            xp=xp,
        ),
    }

    if is_number(label_smoothing) and not options["with_lse"]:
        added = summed_rows(
            _cross_entropy,
            z,
            target,
            {**options, "label_smoothing": label_smoothing},
            reduction,
            invalid=invalid,
            sample_weight=sample_weight,
            denominator=denominator,
            xp=xp,
        )
        if added is not None:
            return narrow(added, logits.dtype, xp=xp)

    def losses(smoothing: float) -> tuple[Array, ...]:
        """Return the loss of each row, and its logsumexp."""
        given = {"label_smoothing": smoothing, **options}
        made: Any = None
        if halves:
            made = by_kernel(_cross_entropy, (z, *target), given, wide=True)
        if made is None:
            made = _cross_entropy(widen(z, xp=xp), *target, xp=xp, **given)
        found: tuple[Array, ...] = made
        return found

    loss, *rest = smoothed_losses(losses, label_smoothing, xp=xp)
    loss, lse = mark_invalid(loss, invalid, xp=xp), rest[0] if rest else None

    result = reduce_with_lse(
        loss,
        lse,
        target,
        reduction,
        z_loss=z_loss,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
    )
    result = narrow(result, logits.dtype, xp=xp)
    return (result, narrow(lse, logits.dtype, xp=xp)) if return_lse else result


@public
@leaves_out(log_probs=0.5, target=0)
def nll_loss(
    log_probs: Array,
    target: Array,
    /,
    *,
    axis: int = LAST,
    weight: Array | None = None,
    ignore_index: int = -100,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
        The axis of the classes. PyTorch's (N, C, d1, ...) layout is ``axis=1``. To be written where
        the shape of class indices fits both.
    weight : array of shape (C,), optional
        Weights of the classes, at least 0.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
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
    >>> import portable_losses as pl
    >>> log_probs = np.log(np.asarray([[0.5, 0.5], [0.25, 0.75]]))
    >>> pl.nll_loss(log_probs, np.asarray([0, 1]), reduction="none").round(4)
    array([0.6931, 0.2877])
    """
    xp = namespace_of(
        log_probs=log_probs,
        target=target,
        optional={"weight": weight, "sample_weight": sample_weight},
    )
    check_real_floating(xp, log_probs=log_probs)
    place = axis_of_classes(axis, log_probs, target, name="log_probs", xp=xp)
    rows, like = rows_of_classes(log_probs, place, xp=xp)
    target, invalid = read_target(
        like,
        target,
        shape=tuple(rows.shape),
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        name="log_probs",
        xp=xp,
    )

    # The gradient of a bad row is NaN in every class, not in the one that stands for a bad index.
    rows = mark_invalid(rows, invalid, xp=xp, of_rows=True)
    foreseen = None
    if where is None:
        foreseen = foreseen_gradients(
            reduction, target, sample_weight, rows, 0.0, 0.0, denominator=denominator, xp=xp
        )
    loss = mark_invalid(_nll(rows, *target, foreseen=foreseen, xp=xp), invalid, xp=xp)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        counts=target.counts(loss, xp=xp),
        dtype=log_probs.dtype,
        denominator=denominator,
        xp=xp,
    )


@of_rows(wide=True)
def _nll(rows: Array, *arrays: Array | None, xp: Namespace) -> Array:
    """Return the loss of each row of log-probabilities; `arrays` are those of a `Target`."""
    target = Target(*arrays)
    terms = -target.mask_logits(differentiable_again(rows, xp=xp), absent=-INF, xp=xp)
    return target.select(terms, label_smoothing=0.0, xp=xp)


# ---- the pair: along the last axis ------------------------------------------------------------


def _cross_entropy_grad(
    grad: tuple[Array, ...],
    out: tuple[Array, ...],
    z: Array,
    *arrays: Array | None,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    foreseen: Any = None,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``softmax(z) * sum(coefficient) - coefficient`` in z, ``coefficient = q * weight``."""
    target = Target(*arrays)
    weight = target.weight
    seen = target.mask_logits(z, absent=-INF, xp=xp)
    q = target.smoothed(seen, label_smoothing=label_smoothing, xp=xp)
    coefficient = q if weight is None else weigh(q, weight, xp=xp)
    idle: Array | None = None
    if not with_lse and (weight is not None or target.q is not None):
        finite = xp.isfinite(largest_along(seen, (-1,), xp=xp))
        idle = idle_rows(coefficient, finite, xp=xp)
        seen = _where(idle, 0.0, seen, xp=xp)
    capped, rest = (seen, None) if softcap is None else softcap_in_parts(seen, softcap, xp=xp)
    log_p = log_softmax_in_parts(capped, rest, xp=xp)
    parts = (capped,) if rest is None else (capped, rest)
    g = target.mask_rows(grad[0], xp=xp)[..., None]
    in_z: Array = _log_softmax_grad(-g * coefficient, log_p, *parts, xp=xp)[0]
    if with_lse:
        g_lse = target.mask_rows(grad[1], xp=xp)[..., None]
        in_z = in_z + _logsumexp_grad(g_lse, out[1][..., None], *parts, xp=xp)[0]
    if softcap is not None:
        in_z = _softcap_grad(in_z, capped, seen, cap=softcap, xp=xp)[0]
    in_z = target.mask_logits(in_z, absent=0.0, xp=xp)
    if target.q is None and weight is None:
        return in_z, *Target()
    contributes = (coefficient != 0) | (log_p > -INF)
    if idle is not None:
        contributes = contributes & ~idle
    in_coefficient = g * _where(contributes, -log_p, 0.0, xp=xp)
    in_q = in_weight = None
    if weight is not None:
        in_weight = total(q * in_coefficient, axis=tuple(range(z.ndim - 1)), xp=xp)
        in_coefficient = in_coefficient * weight
    if target.q is not None:
        in_q = target.mask_logits((1 - label_smoothing) * in_coefficient, absent=0.0, xp=xp)
    return in_z, *Target(q=in_q, weight=in_weight)


@with_gradient(_cross_entropy_grad, rows=True, kernel="cross_entropy", by={"softcap": None})
def _cross_entropy(
    z: Array,
    *arrays: Array | None,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    foreseen: tuple[Array | float, float] | None = None,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the loss of each row, and its logsumexp; `arrays` are those of a `Target`.

    `foreseen`, read by kernels alone, has the gradients that the losses will have (see
    `foreseen_gradients`) and `z_loss`.
    """
    target = Target(*arrays)
    z = target.mask_logits(z, absent=-INF, xp=xp)  # before the cap, whose slope is NaN at NaN
    rest = None
    if softcap is not None:
        z, rest = softcap_in_parts(z, softcap, xp=xp)
    log_p = log_softmax_in_parts(z, rest, xp=xp)
    loss = target.select(0.0 - log_p, label_smoothing=label_smoothing, xp=xp)
    if not with_lse:
        return (loss,)
    lse = logsumexp_in_parts(z, rest, xp=xp)[..., 0]
    return loss, target.mask_rows(lse, xp=xp)
