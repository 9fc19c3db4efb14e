"""Losses of a margin ``m = target * input`` as pairs of the two arrays: one pass computes both."""

from collections.abc import Callable
from functools import wraps

from portable_losses._gradient import with_gradient
from portable_losses._polyfill import clip, constant, minimum
from portable_losses._polyfill import where as _where
from portable_losses._reduction import reduced
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import as_floating, namespace_of
from portable_losses._values import check_signs
from portable_losses.activations.logistic import _sigmoid, _softplus
from portable_losses.losses._deviances import _times_power

__all__ = [
    "exponential",
    "hinge",
    "modified_huber",
    "perceptron",
    "reduced_margin",
    "soft_margin",
    "squared_hinge",
]


def _of_margin(
    slope: Callable[..., Array],
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Decorate ``f(m, xp)``, whose slope is ``slope(m, xp)``: then it is a pair of two arrays."""

    def by_input(grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace) -> Array:
        """Return the gradient by the scores."""
        return grad * (y * slope(y * x, xp=xp))

    def by_target(grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace) -> Array:
        """Return the gradient by the signs."""
        return grad * (x * slope(y * x, xp=xp))

    def decorate(function: Callable[..., Array]) -> Callable[..., Array]:
        @with_gradient(by_input, by_target, elementwise=True)
        @wraps(function)
        def call(x: Array, y: Array, *, xp: Namespace) -> Array:
            return function(y * x, xp=xp)

        return call

    return decorate


def _below(m: Array, level: float, *, xp: Namespace) -> Array:
    """-1 where m < level, else 0."""
    return _where(m >= level, 0.0, constant(-1.0, m, xp=xp), xp=xp)


@_of_margin(lambda m, xp: _below(m, 1.0, xp=xp))
def hinge(m: Array, *, xp: Namespace) -> Array:
    """``max(0, 1 - m)``; gradient 0 at 1."""
    return _lack(m, xp=xp)


@_of_margin(lambda m, xp: -2 * _lack(m, xp=xp))
def squared_hinge(m: Array, *, xp: Namespace) -> Array:
    """``max(0, 1 - m)**2``."""
    lack = _lack(m, xp=xp)
    return lack * lack


@_of_margin(lambda m, xp: -2 * clip(1 - m, 0.0, 2.0, xp=xp))
def modified_huber(m: Array, *, xp: Namespace) -> Array:
    """``max(0, 1 - m)**2`` for m >= -1, else ``-4 * m``."""
    lack = _lack(m, xp=xp)
    near = minimum(lack, 2.0, xp=xp)
    return near * (2 * lack - near)


@_of_margin(lambda m, xp: _below(m, 0.0, xp=xp))
def perceptron(m: Array, *, xp: Namespace) -> Array:
    """``max(0, -m)``; gradient 0 at 0."""
    return _where(m >= 0, 0.0, -m, xp=xp)


@_of_margin(lambda m, xp: -_sigmoid(-m, xp=xp))
def soft_margin(m: Array, *, xp: Namespace) -> Array:
    """``log(1 + exp(-m))``."""
    return _softplus(-m, beta=1.0, xp=xp)


def _exponential_slope_by_input(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> Array:
    """The loss itself."""
    return grad * exponential(x, y, xp=xp)


def _exponential_slope_by_target(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> Array:
    """``-exp(x) - exp(-x)``, and for -1 ``-(1 + x) * exp(x)``."""
    up, down = xp.exp(_where(y < 0, 0.0, -x, xp=xp)), xp.exp(x)
    return grad * _where(y < 0, -(1 + x) * down, -(up + down), xp=xp)


@with_gradient(_exponential_slope_by_input, _exponential_slope_by_target, elementwise=True)
def _exponential_slope(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``(1 - s) * exp(x) - s * exp(-x)``, s the share of 1."""
    hit, miss = _shared_exponentials(x, y, xp=xp)
    return miss - hit


def _exponential_by_input(grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace) -> Array:
    """``(1 - s) * exp(x) - s * exp(-x)``, s the share of 1."""
    return grad * _exponential_slope(x, y, xp=xp)


def _exponential_by_target(grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace) -> Array:
    """``exp(-x) - exp(x)``, and for -1 ``-x * exp(x)``, as of a margin."""
    up, down = xp.exp(_where(y < 0, 0.0, -x, xp=xp)), xp.exp(x)
    return grad * _where(y < 0, -x * down, up - down, xp=xp)


@with_gradient(_exponential_by_input, _exponential_by_target, elementwise=True)
def exponential(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``s * exp(-x) + (1 - s) * exp(x)``, s the share of 1: y, and 0 for -1."""
    hit, miss = _shared_exponentials(x, y, xp=xp)
    return hit + miss


def _shared_exponentials(x: Array, y: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """``s * exp(-x)`` and ``(1 - s) * exp(x)``, each 0 where its factor is."""
    share = _where(y < 0, 0.0, y, xp=xp)
    return _times_exponential(share, -x, xp=xp), _times_exponential(1 - share, x, xp=xp)


def _times_exponential(share: Array, x: Array, *, xp: Namespace) -> Array:
    """``share * exp(x)``, 0 where the share is; infinite only where the product is."""
    x = _where(share == 0, 0.0, x, xp=xp)
    return _times_power(share, x, 1.0, log_input=True, xp=xp)


def _lack(m: Array, *, xp: Namespace) -> Array:
    """``max(0, 1 - m)``."""
    return _where(m >= 1, 0.0, 1 - m, xp=xp)


def reduced_margin(
    function: Callable[..., Array],
    input: Array,
    target: Array,
    where: Array | None,
    sample_weight: Array | None,
    reduction: Reduction,
    denominator: float | Array | None,
    check: Callable[..., Array | None] = check_signs,
) -> Array:
    """Return the reduced loss of a margin, its arrays checked."""
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    sign = target
    if target.dtype != input.dtype:
        _, sign = as_floating(xp, input=input, target=target)
    return reduced(
        function,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        invalid=(check(xp=xp, target=sign),),
        xp=xp,
    )
