"""Cross entropy of classes in an order, from one score: the cumulative logit model."""

from typing import Any

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import with_gradient
from portable_losses._indexing import as_index
from portable_losses._polyfill import broadcast_to, take_along_axis
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_bool,
    check_broadcasts_to,
    check_integer,
    check_real,
    check_real_floating,
    check_same_shape,
    namespace_of,
)
from portable_losses._values import check_indices, check_values, mark_invalid
from portable_losses.activations.logistic import _sigmoid, _softplus
from portable_losses.losses._left_out import leaves_out
from portable_losses.special.log_exp import _log1mexp
from portable_losses.special.two_floats import sum_of

__all__ = ["ordinal_cross_entropy"]


@public
@leaves_out(input=0.5, target=0)
def ordinal_cross_entropy(
    input: Array,
    target: Array,
    /,
    *,
    thresholds: Array,
    ignore_index: int = -100,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Negative log-likelihood of classes in an order: the proportional odds model.

    The K classes are intervals between K - 1 thresholds, in which a score with logistic noise
    falls. With y the target, t the thresholds, ``t[-1] = -inf`` and ``t[K - 1] = inf``::

        -log(sigmoid(t[y] - input) - sigmoid(t[y - 1] - input))

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Scores: the greater, the later the class.
    target : array of an integer dtype, shape of `input`
        Class indices in [0, K), or `ignore_index`.
    thresholds : array of any real dtype, shape (K - 1,) or broadcastable to (..., K - 1)
        Where one class ends and the next begins: finite, each greater than the one before; K is at
        least 2. May be learned.
    ignore_index : int, default -100
        An index that marks an element to leave out. May also be a class.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, `target` does not hold integers, or the arrays come from two
        libraries.
    ValueError
        The shapes differ, the thresholds do not increase, or a weight is negative.
    IndexError
        A class index is out of range.

    Notes
    -----
    With ``a = input - t[y]`` and ``b = t[y - 1] - input`` the loss is ``softplus(a) + softplus(b) -
    log1mexp(a + b)``, three terms of one sign: no probability is too small, and no difference of
    sigmoids is taken. The gradient in `input` is ``sigmoid(a) - sigmoid(b)``, as a product.

    Source: P. McCullagh, "Regression models for ordinal data" (1980),
    doi:10.1111/j.2517-6161.1980.tb01109.x.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> scores, classes = np.asarray([-3.0, 0.0, 900.0]), np.asarray([0, 1, 1])
    >>> t = np.asarray([-1.0, 1.0])
    >>> pl.ordinal_cross_entropy(scores, classes, thresholds=t, reduction="none").round(4)
    array([1.269000e-01, 7.719000e-01, 8.991454e+02])
    """
    given = {"input": input, "target": target, "thresholds": thresholds}
    xp = namespace_of(**given, optional={"sample_weight": sample_weight})
    check_real_floating(xp, input=input)
    check_integer(xp, target=target)
    check_real(xp, thresholds=thresholds)
    check_bool(xp, where=where)
    check_same_shape(input=input, target=target)
    count = thresholds.shape[-1] if thresholds.ndim else 0
    if count == 0:
        msg = f"`thresholds` must have shape (..., K - 1), K >= 2, got {tuple(thresholds.shape)}"
        raise ValueError(msg)
    check_broadcasts_to((*input.shape, count), thresholds=thresholds)
    z = widen(input, xp=xp)
    t = narrow(thresholds, z.dtype, xp=xp)
    finite = xp.isfinite(t[..., :1])
    rising = xp.isfinite(t[..., 1:]) & (t[..., 1:] > t[..., :-1])
    invalid = check_values(
        t, ~xp.concat([finite, rising], axis=-1), "be finite and increase", name="thresholds", xp=xp
    )
    if invalid is not None:
        invalid = xp.any(invalid, axis=-1)
    target = as_index(target, xp=xp)
    counts = target != ignore_index
    outside = check_indices(_where(counts, target, 0, xp=xp), count + 1, name="target", xp=xp)

    low, high = _bounds(t, target, xp=xp)
    loss = _ordinal(_where(counts, z, 0.0, xp=xp), low, high, xp=xp)
    loss = mark_invalid(loss, invalid, outside, xp=xp)

    where = counts if where is None else widen(where, xp=xp) & counts
    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=input.dtype,
        denominator=denominator,
        xp=xp,
    )


def _bounds(t: Array, target: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return the thresholds below and above each class, -inf and inf at the ends."""
    count = t.shape[-1]
    table = broadcast_to(t, (*target.shape, count), like=target[..., None], xp=xp)

    def at(place: Array) -> Array:
        inside = _where((place >= 0) & (place < count), place, 0, xp=xp)
        return take_along_axis(table, inside[..., None], axis=-1, xp=xp)[..., 0]

    low = _where(target > 0, at(target - 1), -INF, xp=xp)
    return low, _where(target < count, at(target), INF, xp=xp)


def _distance(x: Array, y: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``x - y``, and what its rounding left out, 0 where one of them is infinite."""
    there = xp.isfinite(x) & xp.isfinite(y)
    _, rest = sum_of(_where(there, x, 0.0, xp=xp), _where(there, -y, 0.0, xp=xp))
    return _where(x == y, 0.0, x, xp=xp) - _where(x == y, 0.0, y, xp=xp), rest


def _parts(z: Array, low: Array, high: Array, *, xp: Namespace) -> tuple[Any, Any, Any]:
    """Return a and b with their rests, and the sigmoids of a, b, -a and -b."""
    (a, more), (b, less) = _distance(z, high, xp=xp), _distance(low, z, xp=xp)
    a, b = _where(high == INF, -INF, a, xp=xp), _where(low == -INF, -INF, b, xp=xp)
    of_a, of_b = _sigmoid(a, xp=xp), _sigmoid(b, xp=xp)
    not_a, not_b = _sigmoid(-a, xp=xp), _sigmoid(-b, xp=xp)
    found = (of_a + of_a * (not_a * more), of_b + of_b * (not_b * less))
    return (
        (a, more),
        (b, less),
        (*found, not_a - not_a * (of_a * more), not_b - not_b * of_b * less),
    )


def _slope_grad(
    grad: Array, out: Array, z: Array, low: Array, high: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``s(a) * s(-a) + s(b) * s(-b)`` in z, and the slopes of the two sigmoids in the bounds."""
    _, _, (of_a, of_b, not_a, not_b) = _parts(z, low, high, xp=xp)
    at_high, at_low = of_a * not_a, of_b * not_b
    return grad * (at_high + at_low), -grad * at_low, -grad * at_high


@with_gradient(_slope_grad, elementwise=True)
def _slope(z: Array, low: Array, high: Array, *, xp: Namespace) -> Array:
    """``s(a) - s(b) = s(a) * s(-b) * (1 - exp(b - a))``, s the sigmoid; of the larger one."""
    (a, more), (b, less), (of_a, of_b, not_a, not_b) = _parts(z, low, high, xp=xp)
    gap = _distance(a, b, xp=xp)[0] + (more - less)
    later = gap >= 0
    share = -xp.expm1(_where(later, -gap, gap, xp=xp))
    return _where(later, of_a * not_b, -(of_b * not_a), xp=xp) * share


def _odds(low: Array, high: Array, *, xp: Namespace) -> Array:
    """``1 / expm1(high - low)``; NaN where the bounds have changed places."""
    tail = xp.exp(low - high)
    return _where(low > high, NAN, tail / -xp.expm1(low - high), xp=xp)


def _by_input(
    grad: Array, out: Array, z: Array, low: Array, high: Array, *, xp: Namespace
) -> Array:
    """The slope."""
    return grad * _slope(z, low, high, xp=xp)


def _by_low(grad: Array, out: Array, z: Array, low: Array, high: Array, *, xp: Namespace) -> Array:
    """``sigmoid(b) + 1 / expm1(high - low)``."""
    return grad * (_sigmoid(low - z, xp=xp) + _odds(low, high, xp=xp))


def _by_high(grad: Array, out: Array, z: Array, low: Array, high: Array, *, xp: Namespace) -> Array:
    """``-sigmoid(a) - 1 / expm1(high - low)``."""
    return -grad * (_sigmoid(z - high, xp=xp) + _odds(low, high, xp=xp))


@with_gradient(_by_input, _by_low, _by_high, elementwise=True)
def _ordinal(z: Array, low: Array, high: Array, *, xp: Namespace) -> Array:
    """``softplus(a) + softplus(b) - log1mexp(high - low)``."""
    (a, more), (b, less), (of_a, of_b, _, _) = _parts(z, low, high, xp=xp)
    ends = (_softplus(a, beta=1.0, xp=xp) + of_a * more) + (
        _softplus(b, beta=1.0, xp=xp) + of_b * less
    )
    return ends - _log1mexp(high - low, xp=xp)
