"""Binary cross entropy, from logits and from probabilities."""

from typing import Any

from portable_losses._gradient import are_numbers, with_gradient
from portable_losses._options import FRACTION, WEIGHT, is_number
from portable_losses._polyfill import maximum
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import contribution, reduce, reduced, weigh
from portable_losses._stable import INF, log, log1p
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_floating, in_one_dtype, namespace_of
from portable_losses._values import as_weight, check_all_in, mark_invalid
from portable_losses._weighted import spread
from portable_losses.activations.logistic import _softplus
from portable_losses.losses._deviances import _in_steps
from portable_losses.losses._left_out import leaves_out, settle
from portable_losses.special.logistic import negative_size

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits"]


@public
@leaves_out(probs=0.5, target=1, weights=("weight", "sample_weight"), elementwise=True)
def binary_cross_entropy(
    probs: Array,
    target: Array,
    /,
    *,
    weight: Array | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
    where : array of bool, broadcastable to `probs`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `probs`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

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
    >>> import portable_losses as pl
    >>> p, y = np.asarray([0.5, 0.0]), np.asarray([1, 1])
    >>> pl.binary_cross_entropy(p, y, reduction="none").round(4)
    array([  0.6931, 100.    ])
    """
    xp = namespace_of(
        probs=probs, target=target, optional={"weight": weight, "sample_weight": sample_weight}
    )
    check_floating(xp, probs=probs, target=target)
    advice = "; for logits use binary_cross_entropy_with_logits"
    bad_probs = check_all_in(0, 1, advice=advice, xp=xp, probs=probs)
    bad_target = check_all_in(0, 1, xp=xp, target=target)

    return reduced(
        _binary_cross_entropy,
        {"probs": probs, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        weight=weight,
        invalid=(bad_probs, bad_target),
        denominator=denominator,
        xp=xp,
    )


@public(pos_weight=WEIGHT, label_smoothing=FRACTION)
@leaves_out(logits=0.5, target=1, weights=("weight", "sample_weight"), elementwise=True)
def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    /,
    *,
    weight: Array | None = None,
    pos_weight: float | Array | None = None,
    label_smoothing: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
    pos_weight : float, or array broadcastable to `logits`, optional
        Weight of the positive term, at least 0: usually one number per class.
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
    >>> import portable_losses as pl
    >>> z, y = np.asarray([2000.0, -2000.0, 0.0]), np.asarray([1, 1, 1])
    >>> pl.binary_cross_entropy_with_logits(z, y, reduction="none").round(4)
    array([0.000e+00, 2.000e+03, 6.931e-01])
    """
    xp = namespace_of(
        logits=logits,
        target=target,
        optional={"weight": weight, "pos_weight": pos_weight, "sample_weight": sample_weight},
    )
    check_floating(xp, logits=logits, target=target)
    invalid = check_all_in(0, 1, xp=xp, target=target)
    shape = tuple(logits.shape)
    if are_numbers([label_smoothing], beside=logits):
        function, balance = _logistic_loss, None
        own: dict[str, Any] = {}
        if pos_weight is not None or not is_number(label_smoothing) or label_smoothing != 0:
            (z,) = in_one_dtype(xp, logits)
            balance = as_weight(pos_weight, shape, name="pos_weight", like=z, xp=xp)
            balance = None if balance is None else spread(balance, z, xp=xp)
            function, own = _balanced, {"smoothing": label_smoothing}
        return reduced(
            function,
            {"logits": logits, "target": target, "balance": balance},
            reduction,
            where=where,
            sample_weight=sample_weight,
            weight=weight,
            invalid=(invalid,),
            denominator=denominator,
            xp=xp,
            **own,
        )
    z, positive = in_one_dtype(xp, logits, target)
    weight = as_weight(weight, shape, name="weight", like=z, xp=xp)
    pos_weight = as_weight(pos_weight, shape, name="pos_weight", like=z, xp=xp)

    negative = (1 - positive) * (1 - label_smoothing) + label_smoothing / 2
    positive = positive * (1 - label_smoothing) + label_smoothing / 2
    if pos_weight is not None:
        positive = xp.multiply(pos_weight, positive)
        z = settle(z, (positive == 0) & (negative == 0), xp=xp)
    loss = _logistic_loss(z, positive, negative, xp=xp)
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
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


def _negative(positive: Array, negative: Array | None) -> Array:
    """Return `negative`, or ``1 - positive`` where it is None: then no array is kept for it."""
    return 1 - positive if negative is None else negative


def _logistic_loss_grad_z(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array | None, *, xp: Namespace
) -> Array:
    """``negative * sigmoid(z) - positive * sigmoid(-z)``, over one denominator."""
    e, negative = xp.exp(negative_size(z, xp=xp)), _negative(positive, negative)
    slope = xp.where(z >= 0, negative - positive * e, negative * e - positive)
    return grad * (slope / (1 + e))


def _logistic_loss_grad_positive(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array | None, *, xp: Namespace
) -> Array:
    """``softplus(-z)``, and where `negative` is ``1 - positive`` less ``softplus(z)``."""
    slope = grad * contribution(positive, _softplus(-z, beta=1.0, xp=xp), xp=xp)
    if negative is None:
        slope = slope - _logistic_loss_grad_negative(grad, out, z, positive, 1 - positive, xp=xp)
    return slope


def _logistic_loss_grad_negative(
    grad: Array, out: Array, z: Array, positive: Array, negative: Array, *, xp: Namespace
) -> Array:
    """``softplus(z)``."""
    return grad * contribution(negative, _softplus(z, beta=1.0, xp=xp), xp=xp)


@with_gradient(
    _logistic_loss_grad_z,
    _logistic_loss_grad_positive,
    _logistic_loss_grad_negative,
    elementwise=True,
)
def _logistic_loss(z: Array, positive: Array, negative: Array | None, *, xp: Namespace) -> Array:
    """``positive * softplus(-z) + negative * softplus(z)``, no term of which is negative.

    Either softplus is ``log1p(exp(-|z|))``, and that on the side of z is ``|z|`` more.
    """
    below = negative_size(z, xp=xp)
    wrong = xp.where(z >= 0, _negative(positive, negative), positive)
    either = xp.log1p(xp.exp(below))
    if negative is not None:
        either = (positive + negative) * either
    return wrong * _where(wrong != 0, -below, 0.0, xp=xp) + either


def _coefficients(
    z: Array,
    y: Array,
    balance: Array | None,
    *,
    smoothing: float,
    xp: Namespace,
) -> tuple[Array, Array, Array, Array]:
    """Return z, the smoothed target with and without its weight, and what it lacks to 1.

    An infinite z is 0 where both coefficients are.
    """
    label, negative = y, 1 - y
    if smoothing:
        label, negative = (x * (1 - smoothing) + smoothing / 2 for x in (label, negative))
    positive = label if balance is None else label * balance
    nothing = (positive == 0) & (negative == 0) & ~(xp.abs(z) < INF)
    return _where(nothing, 0.0, z, xp=xp), positive, label, negative


def _balanced_grad(
    grad: Array,
    out: Array,
    z: Array,
    y: Array,
    balance: Array | None,
    *,
    smoothing: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """Those of `_logistic_loss`, the weight of the positive term times that of its coefficient."""
    z, positive, label, negative = _coefficients(z, y, balance, smoothing=smoothing, xp=xp)
    given = grad, out, z, positive, negative
    in_z = _logistic_loss_grad_z(*given, xp=xp)
    in_positive = _logistic_loss_grad_positive(*given, xp=xp)
    in_negative = _logistic_loss_grad_negative(*given, xp=xp)
    in_label = in_positive if balance is None else in_positive * balance
    in_target = (in_label - in_negative) * (1 - smoothing)
    return in_z, in_target, None if balance is None else in_positive * label


@with_gradient(_balanced_grad, elementwise=True)
def _balanced(
    z: Array,
    y: Array,
    balance: Array | None,
    *,
    smoothing: float,
    xp: Namespace,
) -> Array:
    """`_logistic_loss` of a smoothed target y, its positive term times a weight."""
    z, positive, _, negative = _coefficients(z, y, balance, smoothing=smoothing, xp=xp)
    return _logistic_loss(z, positive, negative, xp=xp)


_FLOOR = -100.0  # of each logarithm, PyTorch's
_FLAT = 1e-12  # least p * (1 - p), PyTorch's


def _slope_in_p_grad(
    grad: Array, out: Array, p: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``y / p**2 + (1 - y) / (1 - p)**2`` in p, ``-1 / (p * (1 - p))`` in y."""
    flat = (p == 0) | (p == 1)
    p = _where(flat, 0.5, p, xp=xp)
    bend = _in_steps(y, p, -2.0, xp=xp) + (1 - y) / (1 - p) / (1 - p)
    in_y = 1 / (p * (1 - p))
    return (
        grad * _where(flat, 1 / _FLAT, bend, xp=xp),
        -grad * _where(flat, 1 / _FLAT, in_y, xp=xp),
    )


@with_gradient(_slope_in_p_grad, elementwise=True)
def _slope_in_p(p: Array, y: Array, *, xp: Namespace) -> Array:
    """``(p - y) / (p * (1 - p))``."""
    return (p - y) / _where((p == 0) | (p == 1), _FLAT, p * (1 - p), xp=xp)


def _binary_cross_entropy_grad(
    grad: Array, out: Array, p: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(p - y) / (p * (1 - p))`` in p, ``log(1 - p) - log(p)`` in y."""
    in_y = maximum(log1p(-p, xp=xp), _FLOOR, xp=xp) - maximum(log(p, xp=xp), _FLOOR, xp=xp)
    return grad * _slope_in_p(p, y, xp=xp), grad * in_y


@with_gradient(_binary_cross_entropy_grad, elementwise=True)
def _binary_cross_entropy(p: Array, y: Array, *, xp: Namespace) -> Array:
    """``-y * log(p) - (1 - y) * log(1 - p)``, each logarithm at least -100."""
    hit = maximum(log(p, xp=xp), _FLOOR, xp=xp)
    miss = maximum(log1p(-p, xp=xp), _FLOOR, xp=xp)
    return -(y * hit) - (1 - y) * miss
