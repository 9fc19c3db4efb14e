"""Weights of samples, of any sign: 0 wins over infinities and NaN."""

from portable_losses._dtypes import narrow
from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_broadcasts_to, check_real

__all__ = ["times", "weight_of_samples"]


def weight_of_samples(
    weight: Array | None, like: Array, shape: tuple[int, ...], *, xp: Namespace
) -> Array | None:
    """Return the weights in the dtype of `like`, checked: they broadcast to `shape`."""
    if weight is None:
        return None
    check_real(xp, sample_weight=weight)
    check_broadcasts_to(shape, sample_weight=weight)
    return narrow(weight, like.dtype, xp=xp)


def times(weight: Array | None, x: Array, *, xp: Namespace) -> Array:
    """``weight * x``, 0 where the weight is 0."""
    if weight is None:
        return x
    return weight * where(weight == 0, 0.0, x, xp=xp)
