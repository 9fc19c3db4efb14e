"""Cross entropies times a power of the probability that is missing, as pairs."""

from fractions import Fraction
from typing import Any, NamedTuple

from portable_losses._dtypes import largest, narrow
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import constant, minimum
from portable_losses._polyfill import where as _where
from portable_losses._reduction import _weigh, contribution
from portable_losses._stable import INF, expm1, log, log1p_inside
from portable_losses._typing import Array, Namespace
from portable_losses.activations.logistic import _sigmoid, _softplus
from portable_losses.special.logistic import negative_size
from portable_losses.special.two_floats import multiply_add, parts_of, product, sum_of

__all__: list[str] = []


def _modulation(missing: Array, gamma: float, rest: Array | None = None, *, xp: Namespace) -> Array:
    """``(missing * (1 + rest))**gamma``, with gradient 0 where `missing` is 0."""
    nothing = missing == 0
    power = _where(nothing, 1.0, missing, xp=xp) ** gamma
    if rest is not None:
        finite = minimum(power, largest(power, xp=xp), xp=xp)  # infinity times 0 is NaN
        power = multiply_add(finite, gamma * rest, power, xp=xp)
    at_zero = float(gamma == 0) if is_number(gamma) else narrow(gamma == 0, power.dtype, xp=xp)
    return _where(nothing, at_zero, power, xp=xp)


def _over(x: Array, missing: Array, *, xp: Namespace) -> Array:
    """``x / missing``, and 1, the limit, where `missing` has underflowed to 0."""
    nothing = missing == 0
    return _where(nothing, 1.0, x / _where(nothing, 1.0, missing, xp=xp), xp=xp)


def _focal_grad(
    grad: Array, out: Array, loss: Array, *, gamma: float, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(1 - p)**gamma * (1 + gamma * p * loss / (1 - p))`` with ``p = exp(-loss)``."""
    near = minimum(loss, 1000.0, xp=xp)  # from there on p is 0
    missing = -expm1(-near, xp=xp)
    rise = gamma * (xp.exp(-near) * _over(near, missing, xp=xp))
    return (grad * (_modulation(missing, gamma, xp=xp) * (1 + rise)),)


def _log_of(missing: Array, hit: Array, *, xp: Namespace) -> Array:
    """``log(missing)``, given ``hit = 1 - missing``, and 0 where it is -inf."""
    far = _where(missing < 0.5, missing, 0.5, xp=xp)
    near = _where(missing < 0.5, 0.5, hit, xp=xp)
    logarithm = _where(missing < 0.5, log(far, xp=xp), log1p_inside(-near, xp=xp), xp=xp)
    return _where(missing == 0, 0.0, logarithm, xp=xp)


def _focal_by_gamma(grad: Array, out: Array, loss: Array, *, gamma: float, xp: Namespace) -> Array:
    """``out * log(1 - p)`` with ``p = exp(-loss)``."""
    logarithm = _log_of(-expm1(-loss, xp=xp), xp.exp(-loss), xp=xp)
    return grad * _weigh(logarithm, out, xp=xp)


@with_gradient(_focal_grad, elementwise=True, by={"gamma": _focal_by_gamma})
def _focal(loss: Array, *, gamma: float, xp: Namespace) -> Array:
    """``(1 - exp(-loss))**gamma * loss``."""
    return _modulation(-expm1(-loss, xp=xp), gamma, xp=xp) * loss


class _Parts(NamedTuple):
    """Of a logit and the shares of its two classes."""

    hit: Array  # the probability ``p = sigmoid(z)``
    miss: Array  # ``1 - p``
    missing: Array  # ``1 - p_t``
    loss: Array  # the cross entropy
    rest: Array | None  # what `missing` lacks, as a share of it
    spread: Array  # ``p * (1 - p) / (1 - p_t)``

    def modulation(self, gamma: float, *, xp: Namespace) -> Array:
        """Return ``(1 - p_t)**gamma``."""
        return _modulation(self.missing, gamma, self.rest, xp=xp)


def _binary_parts(
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    xp: Namespace,
) -> _Parts:
    """Return the parts of a focal loss; `more` and `fewer` are what the two shares lack."""
    hit, miss = _sigmoid(z, xp=xp), _sigmoid(-z, xp=xp)
    of_positive = contribution(positive, _softplus(-z, beta=1.0, xp=xp), xp=xp)
    of_negative = contribution(negative, _softplus(z, beta=1.0, xp=xp), xp=xp)
    loss = multiply_add(positive, of_positive, negative * of_negative, xp=xp)
    e = xp.exp(negative_size(z, xp=xp))  # one division: a power of the result has gamma of its ulps
    is_hit = z >= 0
    far, near = _where(is_hit, positive, negative, xp=xp), _where(is_hit, negative, positive, xp=xp)
    above, below = multiply_add(far, e, near, xp=xp), 1 + e
    missing = above / below
    whole, lost = product(far, e, xp=xp)
    total, lost_too = sum_of(whole, near)
    lost = (total - above) + (lost + lost_too) - missing * (e - (below - 1))
    if more is not None and fewer is not None:
        far = _where(is_hit, more, fewer, xp=xp)
        lost = lost + multiply_add(far, e, _where(is_hit, fewer, more, xp=xp), xp=xp)
    divided, left = product(missing, below, xp=xp)
    nothing = missing == 0
    divisor = _where(nothing, 1.0, above, xp=xp)
    rest = (((above - divided) - left) + lost) / divisor
    known = xp.abs(rest) < 1  # not so of NaN
    spread = _where(nothing, 1.0, e / (below * divisor), xp=xp)
    return _Parts(hit, miss, missing, loss, _where(known, rest, 0.0, xp=xp), spread)


def _binary_focal_slope_grad(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    gamma: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """The second derivative by z, and those by z and each of the others.

    With m = ``1 - p_t``, q = ``m' / m`` and l the cross entropy, the first is ``m**gamma`` times
    ``gamma * q * ((gamma - 1) * q * l + (1 - 2 p) * l + 2 l') + l''``.
    """
    parts = _binary_parts(z, positive, negative, more, fewer, xp=xp)
    hit, miss, missing, loss, _, spread = parts
    power, both = parts.modulation(gamma, xp=xp), hit * miss
    loss = minimum(loss, largest(loss, xp=xp) / (2 + gamma) ** 2, xp=xp)
    q, rise = (negative - positive) * spread, negative * hit - positive * miss
    curve = (gamma - 1) * q * (q * loss) + (miss - hit) * (q * loss) + 2 * q * rise

    def mixed(side: Array, own: Array, sign: float) -> Array:
        share = _over(side, missing, xp=xp)
        inner = (gamma - 1) * (q * loss) * share + sign * (spread * loss)
        return gamma * (inner + q * own + share * rise) + sign * side

    by_positive = mixed(miss, _softplus(-z, beta=1.0, xp=xp), -1.0)
    by_negative = mixed(hit, _softplus(z, beta=1.0, xp=xp), 1.0)
    return (
        grad * (power * (gamma * curve + (positive + negative) * both)),
        grad * _weigh(power, by_positive, xp=xp),
        grad * _weigh(power, by_negative, xp=xp),
        None,
        None,
    )


@with_gradient(_binary_focal_slope_grad, elementwise=True, by={"gamma": None})
def _binary_focal_slope(
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    gamma: float,
    xp: Namespace,
) -> Array:
    """The derivative of `_binary_focal` by z."""
    parts = _binary_parts(z, positive, negative, more, fewer, xp=xp)
    hit, miss, _, loss, _, spread = parts
    power = parts.modulation(gamma, xp=xp)
    loss = minimum(loss, largest(loss, xp=xp) / (1 + gamma), xp=xp)
    apart, pull = negative - positive, multiply_add(negative, hit, -positive * miss, xp=xp)
    if more is not None and fewer is not None:
        apart = apart + (fewer - more)
        pull = pull + multiply_add(fewer, hit, -more * miss, xp=xp)
    # The loss comes last: the spread is 0 where it is infinite.
    return power * multiply_add(gamma * apart, spread * loss, pull, xp=xp)


def _binary_focal_grad(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    gamma: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """By z, positive and negative, with ``1 - p_t = positive * (1 - p) + negative * p``."""
    parts = _binary_parts(z, positive, negative, more, fewer, xp=xp)
    hit, miss, missing, loss, *_ = parts
    power = parts.modulation(gamma, xp=xp)
    loss = minimum(loss, largest(loss, xp=xp) / (1 + gamma), xp=xp)
    pull = gamma * _over(loss, missing, xp=xp)
    by_positive = _weigh(miss, pull, xp=xp) + _softplus(-z, beta=1.0, xp=xp)
    by_negative = _weigh(hit, pull, xp=xp) + _softplus(z, beta=1.0, xp=xp)
    return (
        grad * _binary_focal_slope(z, positive, negative, more, fewer, gamma=gamma, xp=xp),
        grad * _weigh(power, by_positive, xp=xp),
        grad * _weigh(power, by_negative, xp=xp),
        None,
        None,
    )


def _binary_focal_by_gamma(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    gamma: float,
    xp: Namespace,
) -> Array:
    """``out * log(1 - p)``, p the probability given to the target."""
    hit, miss, missing, *_ = _binary_parts(z, positive, negative, more, fewer, xp=xp)
    logarithm = _log_of(missing, positive * hit + negative * miss, xp=xp)
    return grad * _weigh(logarithm, out, xp=xp)


@with_gradient(_binary_focal_grad, elementwise=True, by={"gamma": _binary_focal_by_gamma})
def _binary_focal(
    z: Array,
    positive: Array,
    negative: Array,
    more: Array | None,
    fewer: Array | None,
    *,
    gamma: float,
    xp: Namespace,
) -> Array:
    """``(1 - p)**gamma`` times the binary cross entropy, p the probability given to the target."""
    parts = _binary_parts(z, positive, negative, more, fewer, xp=xp)
    return parts.modulation(gamma, xp=xp) * parts.loss


class _Shares(NamedTuple):
    """Of a target, smoothed."""

    positive: Array
    negative: Array  # what it lacks to 1
    more: Array  # what these two lack, as constants
    fewer: Array
    weight: Array | None  # by `alpha`


def _shares(y: Array, alpha: float | None, label_smoothing: float, *, xp: Namespace) -> _Shares:
    """Return the shares of the two classes, and the weight of the entry."""
    smoothing, lacking = Fraction(label_smoothing), 1 - y
    (kept, kept_rest), (spread, spread_rest) = (
        parts_of(x, y, xp=xp) for x in (1 - smoothing, smoothing / 2)
    )
    positive = multiply_add(y, kept, spread, xp=xp)
    negative = multiply_add(lacking, kept, spread, xp=xp)
    lost, weight = (1 - lacking) - y, None
    if alpha is not None:  # a sum of what is not negative
        share = Fraction(alpha)
        (of_positive, rest), (of_negative, other) = (
            parts_of((1 - smoothing) * x, y, xp=xp) for x in (share, 1 - share)
        )
        start = spread + (lost * of_negative + (y * rest + lacking * other))
        weight = multiply_add(lacking, of_negative, start, xp=xp)
        weight = multiply_add(y, of_positive, weight, xp=xp)

    def lacks(share: Array, x: Array, lost: Array | float) -> Array:
        """Return what the share of `x`, which has lost as much itself, lacks."""
        whole, missing = product(x, constant(kept, x, xp=xp), xp=xp)
        both, more = sum_of(whole, spread)
        known = ((both - share) + more) + missing
        return known + (x * kept_rest + (lost * kept + spread_rest))

    more, fewer = lacks(positive, y, 0.0), lacks(negative, lacking, lost)
    more, fewer = (stop_gradient(x, xp=xp) for x in (more, fewer))
    return _Shares(positive, negative, more, fewer, weight)


def _sigmoid_focal_grad(
    grad: Array,
    out: Array,
    z: Array,
    y: Array,
    *,
    gamma: float,
    alpha: float | None,
    label_smoothing: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """Those of `_binary_focal` times the weight, and that of the weight."""
    *shares, weight = _shares(y, alpha, label_smoothing, xp=xp)
    slope = _binary_focal_slope(z, *shares, gamma=gamma, xp=xp)
    loss = _binary_focal(z, *shares, gamma=gamma, xp=xp)
    parts: Any = _binary_focal_grad(grad, loss, z, *shares, gamma=gamma, xp=xp)
    in_target = parts[1] - parts[2]
    if alpha is not None and weight is not None:
        counts = (weight != 0) | (xp.abs(loss) < INF)
        slope = weight * _where(counts, slope, 0.0, xp=xp)
        in_target = weight * _where(counts, in_target, 0.0, xp=xp)
        in_target = in_target + (2 * alpha - 1) * (grad * _where(counts, loss, 0.0, xp=xp))
    return grad * slope, (1 - label_smoothing) * in_target


@with_gradient(_sigmoid_focal_grad, elementwise=True)
def _sigmoid_focal(
    z: Array,
    y: Array,
    *,
    gamma: float,
    alpha: float | None,
    label_smoothing: float,
    xp: Namespace,
) -> Array:
    """`_binary_focal` of a smoothed target, weighed by `alpha`."""
    *shares, weight = _shares(y, alpha, label_smoothing, xp=xp)
    loss = _binary_focal(z, *shares, gamma=gamma, xp=xp)
    return loss if weight is None else weight * contribution(weight, loss, xp=xp)
