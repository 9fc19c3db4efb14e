"""Cross entropies times a power of the probability that is missing, as pairs."""

from typing import Any, NamedTuple

from portable_losses._backend import backend_of
from portable_losses._dtypes import largest, narrow
from portable_losses._gradient import with_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import minimum
from portable_losses._polyfill import where as _where
from portable_losses._reduction import _weigh, contribution
from portable_losses._stable import INF, expm1, log
from portable_losses._typing import Array, Namespace
from portable_losses.activations.logistic import _sigmoid, _softplus
from portable_losses.special.logistic import negative_size
from portable_losses.special.two_floats import multiply_add, product, sum_of

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
    logarithm = _where(missing < 0.5, log(far, xp=xp), xp.log1p(-near), xp=xp)
    return _where(missing == 0, 0.0, logarithm, xp=xp)


def _focal_by_gamma(grad: Array, out: Array, loss: Array, *, gamma: float, xp: Namespace) -> Array:
    """``out * log(1 - p)`` with ``p = exp(-loss)``."""
    logarithm = _log_of(-xp.expm1(-loss), xp.exp(-loss), xp=xp)
    return grad * _weigh(logarithm, out, xp=xp)


@with_gradient(_focal_grad, elementwise=True, by={"gamma": _focal_by_gamma})
def _focal(loss: Array, *, gamma: float, xp: Namespace) -> Array:
    """``(1 - exp(-loss))**gamma * loss``."""
    return _modulation(-xp.expm1(-loss), gamma, xp=xp) * loss


class _Parts(NamedTuple):
    """Of a logit and the shares of its two classes."""

    hit: Array  # the probability ``p = sigmoid(z)``
    miss: Array  # ``1 - p``
    missing: Array  # ``1 - p_t``
    loss: Array  # the cross entropy
    rest: Array | None  # what `missing` lacks, as a share of it

    def modulation(self, gamma: float, *, xp: Namespace) -> Array:
        """Return ``(1 - p_t)**gamma``."""
        return _modulation(self.missing, gamma, self.rest, xp=xp)


def _binary_parts(z: Array, positive: Array, negative: Array, *, xp: Namespace) -> _Parts:
    """Return the parts of a focal loss."""
    hit, miss = _sigmoid(z, xp=xp), _sigmoid(-z, xp=xp)
    loss = _weigh(positive, _softplus(-z, beta=1.0, xp=xp), xp=xp)
    loss = loss + _weigh(negative, _softplus(z, beta=1.0, xp=xp), xp=xp)
    e = xp.exp(negative_size(z, xp=xp))  # one division: a power of the result has gamma of its ulps
    far, near = _where(z >= 0, positive, negative, xp=xp), _where(z >= 0, negative, positive, xp=xp)
    above, below = multiply_add(far, e, near, xp=xp), 1 + e
    missing = above / below
    fma = backend_of(xp).speed.special.get("fma")
    if fma is None:
        return _Parts(hit, miss, missing, loss, None)
    whole, lost = product(far, e, xp=xp)
    total, lost_too = sum_of(whole, near)
    lost = (total - above) + (lost + lost_too) - missing * (e - (below - 1))
    rest = (fma(-missing, below, above) + lost) / above
    known = xp.abs(rest) < 1  # not so of 0 / 0
    return _Parts(hit, miss, missing, loss, _where(known, rest, 0.0, xp=xp))


def _binary_focal_slope_grad(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    *,
    gamma: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """The second derivative by z, and those by z and each of the others.

    With m = ``1 - p_t``, q = ``m' / m`` and l the cross entropy, the first is ``m**gamma`` times
    ``gamma * q * ((gamma - 1) * q * l + (1 - 2 p) * l + 2 l') + l''``.
    """
    parts = _binary_parts(z, positive, negative, xp=xp)
    hit, miss, missing, loss, _ = parts
    power, both = parts.modulation(gamma, xp=xp), hit * miss
    loss = minimum(loss, largest(loss, xp=xp) / (2 + gamma) ** 2, xp=xp)
    spread = _over(both, missing, xp=xp)
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
    )


@with_gradient(_binary_focal_slope_grad, elementwise=True, by={"gamma": None})
def _binary_focal_slope(
    z: Array, positive: Array, negative: Array, *, gamma: float, xp: Namespace
) -> Array:
    """The derivative of `_binary_focal` by z."""
    parts = _binary_parts(z, positive, negative, xp=xp)
    hit, miss, missing, loss, _ = parts
    power = parts.modulation(gamma, xp=xp)
    loss = minimum(loss, largest(loss, xp=xp) / (1 + gamma), xp=xp)
    # The loss comes last: hit * miss is 0 where it is infinite.
    rise = gamma * (negative - positive) * (_over(hit * miss, missing, xp=xp) * loss)
    return power * (rise + (negative * hit - positive * miss))


def _binary_focal_grad(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    *,
    gamma: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """By z, positive and negative, with ``1 - p_t = positive * (1 - p) + negative * p``."""
    parts = _binary_parts(z, positive, negative, xp=xp)
    hit, miss, missing, loss, _ = parts
    power = parts.modulation(gamma, xp=xp)
    loss = minimum(loss, largest(loss, xp=xp) / (1 + gamma), xp=xp)
    pull = gamma * _over(loss, missing, xp=xp)
    by_positive = _weigh(miss, pull, xp=xp) + _softplus(-z, beta=1.0, xp=xp)
    by_negative = _weigh(hit, pull, xp=xp) + _softplus(z, beta=1.0, xp=xp)
    return (
        grad * _binary_focal_slope(z, positive, negative, gamma=gamma, xp=xp),
        grad * _weigh(power, by_positive, xp=xp),
        grad * _weigh(power, by_negative, xp=xp),
    )


def _binary_focal_by_gamma(
    grad: Array,
    out: Array,
    z: Array,
    positive: Array,
    negative: Array,
    *,
    gamma: float,
    xp: Namespace,
) -> Array:
    """``out * log(1 - p)``, p the probability given to the target."""
    hit, miss, missing, _, _ = _binary_parts(z, positive, negative, xp=xp)
    logarithm = _log_of(missing, positive * hit + negative * miss, xp=xp)
    return grad * _weigh(logarithm, out, xp=xp)


@with_gradient(_binary_focal_grad, elementwise=True, by={"gamma": _binary_focal_by_gamma})
def _binary_focal(
    z: Array, positive: Array, negative: Array, *, gamma: float, xp: Namespace
) -> Array:
    """``(1 - p)**gamma`` times the binary cross entropy, p the probability given to the target."""
    parts = _binary_parts(z, positive, negative, xp=xp)
    return parts.modulation(gamma, xp=xp) * parts.loss


def _shares(
    y: Array, alpha: float | None, label_smoothing: float, *, xp: Namespace
) -> tuple[Array, Array, Array | None]:
    """Return the smoothed target, what it lacks to 1, and the weight of the entry by `alpha`."""
    kept, spread = 1 - label_smoothing, label_smoothing / 2
    positive = multiply_add(y, kept, spread, xp=xp)
    negative = multiply_add(1 - y, kept, spread, xp=xp)
    weight = None if alpha is None else positive * alpha + negative * (1 - alpha)
    return positive, negative, weight


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
    positive, negative, weight = _shares(y, alpha, label_smoothing, xp=xp)
    slope = _binary_focal_slope(z, positive, negative, gamma=gamma, xp=xp)
    loss = _binary_focal(z, positive, negative, gamma=gamma, xp=xp)
    parts: Any = _binary_focal_grad(grad, loss, z, positive, negative, gamma=gamma, xp=xp)
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
    positive, negative, weight = _shares(y, alpha, label_smoothing, xp=xp)
    loss = _binary_focal(z, positive, negative, gamma=gamma, xp=xp)
    return loss if weight is None else weight * contribution(weight, loss, xp=xp)
