"""Binary cross entropy, from logits and from probabilities."""

from portable_losses._dtypes import astype_like, widen
from portable_losses._gradient import with_gradient
from portable_losses._options import check_fraction
from portable_losses._polyfill import maximum, where
from portable_losses._reduction import counted, reduce, weigh
from portable_losses._stable import log, log1p
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_weight,
    check_all_in,
    check_real,
    check_real_floating,
    check_same_shape,
    join,
    namespace_of,
    spoil,
)
from portable_losses.activations.sigmoid import _softplus
from portable_losses.special.logistic import negative_size

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits"]


def binary_cross_entropy(
    probs: Array,
    target: Array,
    /,
    *,
    weight: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Binary cross entropy from probabilities.

    ::

        loss = -weight * (target * log(probs) + (1 - target) * log(1 - probs))

    Parameters
    ----------
    probs : array of a real floating dtype, shape (...)
        Probabilities, in [0, 1].
    target : array of any real dtype, shape of `probs`
        Probabilities or labels, in [0, 1]; converted to the dtype of `probs`.
    weight : array, broadcastable to `probs`, optional
        Weights of the elements, at least 0. "mean" divides by the number of elements all the
        same, as PyTorch does.
    sample_weight : array, broadcastable to `probs`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `probs`.

    Raises
    ------
    TypeError
        `probs` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, or an entry of `probs`, `target` or a weight is out of its domain.

    Notes
    -----
    Each logarithm is at least -100, PyTorch's floor, so a certain miss costs 100 and not
    infinity; `binary_cross_entropy_with_logits` needs no floor and is right for every logit. The
    gradient is ``(p - y) / (p * (1 - p))``, as if nothing were floored, and PyTorch's
    ``(p - y) / 1e-12`` at exactly 0 and 1.

    Source: torch.nn.functional.binary_cross_entropy, for the arguments and the floor.

    Examples
    --------
    >>> import numpy as np
    >>> binary_cross_entropy(np.asarray([0.5, 0.0]), np.asarray([1, 1]), reduction="none").round(4)
    array([  0.6931, 100.    ])
    """
    xp = namespace_of(probs=probs, target=target, weight=weight, sample_weight=sample_weight)
    check_real_floating(xp, probs=probs)
    check_real(xp, target=target)
    check_same_shape(probs=probs, target=target)
    p = widen(probs, xp=xp)
    factor = check_all_in(
        0,
        1,
        like=p,
        xp=xp,
        advice="; for logits use binary_cross_entropy_with_logits",
        probs=probs,
    )
    factor = join(factor, check_all_in(0, 1, like=p, xp=xp, target=target))
    weight = as_weight(weight, tuple(p.shape), name="weight", like=p, xp=xp)

    loss = _binary_cross_entropy(p, astype_like(target, p, xp=xp), xp=xp)
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
    loss = spoil(loss, factor)

    return reduce(loss, reduction, sample_weight=sample_weight, dtype=probs.dtype, xp=xp)


def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    /,
    *,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Binary cross entropy from logits.

    ::

        y    = target * (1 - label_smoothing) + label_smoothing / 2
        loss = weight * (pos_weight * y * softplus(-logits) + (1 - y) * softplus(logits))

    Parameters
    ----------
    logits : array of a real floating dtype, shape (...)
        Log-odds.
    target : array of any real dtype, shape of `logits`
        Probabilities or labels, in [0, 1]; converted to the dtype of `logits`.
    weight : array, broadcastable to `logits`, optional
        Weights of the elements, at least 0. "mean" divides by the number of elements all the
        same, as PyTorch does.
    pos_weight : array, broadcastable to `logits`, optional
        Weight of the positive term, at least 0: usually one number per class.
    label_smoothing : float in [0, 1], default 0.0
    sample_weight : array, broadcastable to `logits`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

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
        The shapes differ, a target lies outside [0, 1], a weight is negative, or
        `label_smoothing` lies outside [0, 1].

    Notes
    -----
    Two terms, each 0 where its coefficient is 0: nothing cancels for a confident right
    prediction, where ``max(z, 0) - z * y + log1p(exp(-|z|))`` loses all digits. The gradient is
    ``(1 - y) * sigmoid(z) - pos_weight * y * sigmoid(-z)``.

    Source: torch.nn.functional.binary_cross_entropy_with_logits, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.asarray([2000.0, -2000.0, 0.0]), np.asarray([1, 1, 1])
    >>> binary_cross_entropy_with_logits(z, y, reduction="none").round(4)
    array([0.000e+00, 2.000e+03, 6.931e-01])
    """
    xp = namespace_of(
        logits=logits,
        target=target,
        weight=weight,
        pos_weight=pos_weight,
        sample_weight=sample_weight,
    )
    check_real_floating(xp, logits=logits)
    check_real(xp, target=target)
    check_same_shape(logits=logits, target=target)
    check_fraction(label_smoothing=label_smoothing)
    z = widen(logits, xp=xp)
    shape = tuple(z.shape)
    factor = check_all_in(0, 1, like=z, xp=xp, target=target)
    weight = as_weight(weight, shape, name="weight", like=z, xp=xp)
    pos_weight = as_weight(pos_weight, shape, name="pos_weight", like=z, xp=xp)

    positive, negative = astype_like(target, z, xp=xp), None
    if label_smoothing:
        negative = (1 - positive) * (1 - label_smoothing) + label_smoothing / 2
        positive = positive * (1 - label_smoothing) + label_smoothing / 2
    if pos_weight is not None:
        negative = _rest(positive, negative)
        positive = pos_weight * positive
    loss = _logistic_losses(z, positive, negative, xp=xp)
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
    loss = spoil(loss, factor)

    return reduce(loss, reduction, sample_weight=sample_weight, dtype=logits.dtype, xp=xp)


def _rest(positive: Array, negative: Array | None) -> Array:
    """Return `negative`: as None it is ``1 - positive``, which then is no array of its own."""
    return 1 - positive if negative is None else negative


def _in_logits(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array | None, *, xp: Namespace
) -> Array:
    """``negative * sigmoid(z) - positive * sigmoid(-z)``, over one denominator."""
    e, negative = xp.exp(negative_size(z, xp=xp)), _rest(positive, negative)
    slope = xp.where(z >= 0, negative - positive * e, negative * e - positive)
    return grad * (slope / (1 + e))


def _in_positive(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array | None, *, xp: Namespace
) -> Array:
    slope = grad * counted(positive, _softplus(-z, beta=1.0, xp=xp), xp=xp)
    if negative is None:
        slope = slope - _in_negative(grad, out, z, positive, 1 - positive, xp=xp)
    return slope


def _in_negative(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array, *, xp: Namespace
) -> Array:
    return grad * counted(negative, _softplus(z, beta=1.0, xp=xp), xp=xp)


@with_gradient(_in_logits, _in_positive, _in_negative, elementwise=True)
def _logistic_losses(z: Array, positive: Array, negative: Array | None, *, xp: Namespace) -> Array:
    """``positive * softplus(-z) + negative * softplus(z)``, no term of which is negative.

    Either softplus is ``log1p(exp(-|z|))``, and that on the side of z is ``|z|`` more.
    """
    below = negative_size(z, xp=xp)
    wrong = xp.where(z >= 0, _rest(positive, negative), positive)
    either = xp.log1p(xp.exp(below))
    if negative is not None:
        either = (positive + negative) * either
    return wrong * where(wrong != 0, -below, 0.0, xp=xp) + either


_FLOOR = -100.0  # PyTorch's, of each logarithm
_FLAT = 1e-12  # PyTorch's, of p * (1 - p)


def _binary_cross_entropy_grad(
    grad: Array, out: Array, p: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    spread = where((p == 0) | (p == 1), _FLAT, p * (1 - p), xp=xp)
    in_y = maximum(log1p(-p, xp=xp), _FLOOR, xp=xp) - maximum(log(p, xp=xp), _FLOOR, xp=xp)
    return grad * ((p - y) / spread), grad * in_y


@with_gradient(_binary_cross_entropy_grad, elementwise=True)
def _binary_cross_entropy(p: Array, y: Array, *, xp: Namespace) -> Array:
    hit = maximum(log(p, xp=xp), _FLOOR, xp=xp)
    miss = maximum(log1p(-p, xp=xp), _FLOOR, xp=xp)
    return -(y * hit) - (1 - y) * miss
