"""Cross entropy of a linear layer's logits, which never exist all at once."""

import math
from collections.abc import Callable
from functools import partial

from portable_losses._dtypes import kind_of, narrow, widen
from portable_losses._options import (
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    is_number,
    require,
)
from portable_losses._polyfill import (
    broadcast_to,
    concat,
    device_of,
    is_known,
    readable,
    reshape,
    total,
)
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_broadcasts_to,
    check_classes,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import mark_invalid
from portable_losses.losses._foreseen import foreseen_factors
from portable_losses.losses._left_out import Entries, leaves_out
from portable_losses.losses._linear_rows import _linear_cross_entropy
from portable_losses.losses._summed_rows import reduce_with_lse
from portable_losses.losses._targets import read_target, smoothed_losses

__all__ = ["linear_cross_entropy"]


def _bound(hidden: Array, weight: Array, target: Array, *, xp: Namespace) -> Array:
    """Return the largest size that the logits of each row may have, and its probabilities."""
    largest = 0.0 if 0 in weight.shape else xp.max(xp.abs(weight))
    sizes = total(xp.abs(hidden), axis=-1, xp=xp) * largest
    shares = target.ndim == hidden.ndim and kind_of(target, xp=xp) == "real floating"
    return sizes + total(xp.abs(target), axis=-1, xp=xp) if shares else sizes


@public(label_smoothing=FRACTION, z_loss=NONNEGATIVE, softcap=POSITIVE)
@leaves_out(hidden=Entries(0.5, axes=-1), target=Entries(0, axes=-1), bound=_bound)
def linear_cross_entropy(
    hidden: Array,
    weight: Array,
    target: Array,
    /,
    *,
    bias: Array | None = None,
    class_weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    z_loss: float | Array = 0.0,
    softcap: float | Array | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    chunk_size: int | None = None,
    return_lse: bool = False,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Cross entropy of the logits ``hidden @ weight.T + bias``, which never exist all at once.

    Equal to ``cross_entropy(hidden @ weight.T + bias, target, weight=class_weight, ...)``, where
    the formula is, in value and gradient. With C classes and R rows at a time it needs memory for
    R * C logits beside its arguments and their gradients.

    Parameters
    ----------
    hidden : array of a real floating dtype, shape (..., D)
        What the last layer is applied to.
    weight : array of a real floating dtype, shape (C, D)
        That layer's weight. It is converted to the dtype that is computed in.
    target : array of an integer dtype, shape (...); or of any real dtype, shape (..., C)
        Class indices in [0, C), or `ignore_index`; or the classes' probabilities, at least 0.
    bias : array of a real floating dtype, shape (C,), optional
        That layer's bias. -inf is a class of probability 0.
    class_weight : array of shape (C,), optional
        Weights of the classes, at least 0; the `weight` of `cross_entropy`.
    ignore_index : int, default -100
        An index that marks a row to leave out. May also be a class.
    label_smoothing : float or 0-d array in [0, 1], default 0.0
        Share of the uniform distribution over the classes.
    z_loss : float or 0-d array, default 0.0
        Factor of the squared log-partition function, at least 0.
    softcap : float or 0-d array, optional
        Replace a logit z by ``softcap * tanh(z / softcap)`` first. Greater than 0.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0.
    chunk_size : int, optional
        How many rows at a time, at least 1. By default as many as have 8 MiB of logits; where
        there is a kernel (NumPy, PyTorch on the CPU) up to a ninth of the rows.
    return_lse : bool, default False
        Return ``(loss, lse)``, lse the logsumexp of each row, 0 for a row left out.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats, or tuple of two arrays
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `hidden`; float16 and bfloat16 are computed and summed in float32 and rounded once.

    Raises
    ------
    TypeError
        `hidden`, `weight` or `bias` is not real floating, indices are not integers, or the arrays
        come from two libraries.
    ValueError
        The shapes do not fit, there are no classes, a probability or weight is negative, or an
        option is out of its domain.
    IndexError
        A class index is out of range.

    Notes
    -----
    Forward and backward go through the rows in blocks; the backward computes the logits again, so
    that nothing is kept between the two. The gradient of `weight` is summed over the blocks in at
    least float32. Where values can be read, rows that are left out are not multiplied at all.
    After "none", every row's loss has its own gradient. A second derivative differentiates the
    backward, and keeps what that computes for all rows; so does ``jax.grad``.

    Source: E. Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models" (2024),
    arXiv:2411.09009, for the idea; `cross_entropy` has the source of every option.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> hidden = np.asarray([[1.0, 2.0], [0.0, 20.0]])
    >>> weight = np.asarray([[1.0, 0.0], [0.0, 1.0]])
    >>> pl.linear_cross_entropy(hidden, weight, np.asarray([0, 1]), reduction="none").round(11)
    array([1.31326169e+00, 2.06000000e-09])
    """
    xp = namespace_of(
        hidden=hidden,
        weight=weight,
        target=target,
        optional={"bias": bias, "class_weight": class_weight, "sample_weight": sample_weight},
    )
    check_real_floating(xp, hidden=hidden, weight=weight)
    if bias is not None:
        check_real_floating(xp, bias=bias)
    _check_shapes(hidden, weight, bias)
    if chunk_size is not None:
        require(chunk_size >= 1, "chunk_size", "be at least 1", chunk_size)
    classes, shape = weight.shape[0], tuple(hidden.shape[:-1])
    given = target
    check_broadcasts_to(shape, where=where)
    mask = None if where is None else broadcast_to(where, shape, like=hidden[..., 0], xp=xp)
    target, invalid = read_target(
        widen(hidden[..., :0], xp=xp),
        target,
        axis=len(shape),
        weight=class_weight,
        ignore_index=ignore_index,
        name="hidden @ weight.T",
        shape=(*shape, classes),
        weight_name="class_weight",
        mask=mask,
        xp=xp,
    )
    foreseen = None
    if is_number(z_loss) and is_number(label_smoothing):
        foreseen = foreseen_factors(
            reduction, target, sample_weight, shape, z_loss=z_loss, denominator=denominator, xp=xp
        )

    def losses(hidden: Array, labels: Array, factor: Array | None) -> tuple[Array, ...]:
        pair = partial(
            _linear_cross_entropy,
            hidden,
            weight,
            bias,
            labels,
            target.weight,
            chunk_size=chunk_size,
            softcap=softcap,
            with_lse=return_lse or not is_number(z_loss) or z_loss != 0,
            foreseen=None if foreseen is None else (factor, z_loss),
            masked=rows is not None and not readable(rows, xp=xp),
            xp=xp,
        )
        return smoothed_losses(
            lambda smoothing: pair(label_smoothing=smoothing), label_smoothing, xp=xp
        )

    def flat(x: Array, *last: int) -> Array:
        rows = math.prod(shape) if all(map(is_known, shape)) else None
        return x if len(shape) == 1 else reshape(x, (rows, *last), xp=xp)

    labels = flat(given, classes) if target.indices is None else flat(target.indices)
    rows = None if target.row_mask is None else flat(target.row_mask)
    factor = None if foreseen is None or foreseen[0] is None else flat(foreseen[0])
    found = _of_rows(losses, flat(hidden, hidden.shape[-1]), labels, factor, rows, xp=xp)
    loss, *rest = found if len(shape) == 1 else (reshape(one, shape, xp=xp) for one in found)
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
    result = narrow(result, hidden.dtype, xp=xp)
    return (result, narrow(lse, hidden.dtype, xp=xp)) if return_lse else result


def _check_shapes(hidden: Array, weight: Array, bias: Array | None) -> None:
    """Raise ValueError unless the three make a linear layer."""
    if hidden.ndim == 0 or weight.ndim != 2 or weight.shape[1] != hidden.shape[-1]:
        msg = (
            "`hidden` and `weight` must have shapes (..., D) and (C, D), "
            f"got {tuple(hidden.shape)} and {tuple(weight.shape)}"
        )
        raise ValueError(msg)
    check_classes(tuple(weight.shape), 0, name="weight")
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        msg = f"`bias` must have shape {(weight.shape[0],)}, got {tuple(bias.shape)}"
        raise ValueError(msg)


def _of_rows(
    losses: Callable[[Array, Array, Array | None], tuple[Array, ...]],
    hidden: Array,
    target: Array,
    factor: Array | None,
    row: Array | None,
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return ``losses(hidden, target, factor)``, and 0 where the mask `row` is False."""
    if row is None:
        return losses(hidden, target, factor)
    if not readable(row, xp=xp):  # it may hold NaN, times 0 in the weight's gradient
        if target.ndim == 1:
            target = _where(row, target, -1, xp=xp)
        found = losses(_where(row[:, None], hidden, 0.0, xp=xp), target, factor)
        return tuple(_where(row, one, 0.0, xp=xp) for one in found)
    order = xp.argsort(xp.astype(~row, xp.int8), stable=True)
    kept = order[: int(total(xp.astype(row, xp.int32), xp=xp))]
    factor = None if factor is None else xp.take(factor, kept, axis=0)
    found = losses(xp.take(hidden, kept, axis=0), xp.take(target, kept, axis=0), factor)
    others = (row.shape[0] - kept.shape[0],)
    zeros = xp.zeros(others, dtype=found[0].dtype, device=device_of(hidden, xp=xp))
    back = xp.argsort(order)
    return tuple(xp.take(concat([one, zeros], xp=xp), back, axis=0) for one in found)
