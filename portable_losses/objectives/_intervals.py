"""What labels and predictions may be, as scikit-learn asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import is_array_api_obj

from portable_losses import losses
from portable_losses._typing import Array, Options
from portable_losses._validation import namespace_of
from portable_losses.objectives._facts import Facts

__all__ = ["Interval", "intervals_of"]

INF = float("inf")


@dataclass(frozen=True)
class Interval:
    """The numbers between `low` and `high`."""

    low: float
    high: float
    low_inclusive: bool
    high_inclusive: bool

    def includes(self, x: Array | float) -> bool:
        """Say whether it has all entries of an array, or a number."""
        above = x >= self.low if self.low_inclusive else x > self.low
        below = x <= self.high if self.high_inclusive else x < self.high
        if not is_array_api_obj(x):
            return bool(above and below)
        return bool(namespace_of(x=x).all(above & below))


_NUMBERS = Interval(-INF, INF, low_inclusive=False, high_inclusive=False)
_POSITIVE = Interval(0, INF, low_inclusive=False, high_inclusive=False)
_NOT_NEGATIVE = Interval(0, INF, low_inclusive=True, high_inclusive=False)
_SHARES = Interval(0, 1, low_inclusive=True, high_inclusive=True)
_INSIDE = Interval(0, 1, low_inclusive=False, high_inclusive=False)
_POWERS = {
    losses.poisson_deviance_loss: 1.0,
    losses.poisson_nll_loss: 1.0,
    losses.gamma_deviance_loss: 2.0,
}


def intervals_of(
    loss: Callable[..., Any], facts: Facts, options: Options
) -> tuple[Interval, Interval]:
    """Return the domain of the labels and that of the predictions."""
    power = _POWERS.get(loss)
    if loss is losses.tweedie_deviance_loss:
        power = options.get("power", 1.5)
    if power is not None:
        labels = _NUMBERS if power <= 0 else _NOT_NEGATIVE if power < 2 else _POSITIVE
        return labels, _NUMBERS if facts.link == "identity" and power == 0 else _POSITIVE
    if facts.link == "softmax":
        return _NOT_NEGATIVE, _INSIDE
    if facts.labels == "signs":
        return _SHARES, _INSIDE if facts.link != "identity" else _NUMBERS
    return (_SHARES, _INSIDE) if facts.link == "logit" else (_NUMBERS, _NUMBERS)
