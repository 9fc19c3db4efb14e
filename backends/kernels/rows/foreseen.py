"""Gradients of losses that are foreseen, and how those that come compare with them."""

from typing import Any

from portable_losses._typing import Options

__all__ = ["foreseen_gradients", "has_several", "ratio_of"]

NEAR = 4  # units in the last place: what is foreseen has been rounded a few times


def has_several(options: Options) -> bool:
    """Say whether the pair of a loss returns a tuple: with the logsumexp, or where that may be."""
    return "with_lse" in options


def foreseen_gradients(factor: Any, out: tuple[Any, ...], penalty: float) -> tuple[Any, ...]:
    """Return the gradients of losses, and of their logsumexps, whose squares are a penalty."""
    return (factor, *(factor * (2 * penalty * lse) for lse in out[1:]))


def ratio_of(had: tuple[Any, ...], got: tuple[Any, ...], xp: Any) -> float | None:
    """Return by which number `had` must be multiplied to become `got`, None if there is none."""
    pairs = list(zip(had, got, strict=True))
    if all(bool((x == y).all()) for x, y in pairs):
        return 1.0
    first, other = (xp.reshape(x, (-1,)) for x in xp.broadcast_arrays(*pairs[0]))
    place = xp.argmax(xp.abs(first))
    x, y = float(first[place]), float(other[place])
    unit = NEAR * xp.finfo(had[0].dtype).eps
    ratio = y / x if x else 1.0
    if abs(ratio - 1) < unit:
        ratio = 1.0
    for x, y in pairs:
        want = x * ratio
        if not bool(xp.all(xp.abs(y - want) <= unit * xp.abs(want))):
            return None
    return ratio
