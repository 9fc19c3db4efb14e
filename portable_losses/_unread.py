"""Weights where values cannot be read: checked by the pass that adds them up."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._backend import Pair, backend_of_array, namespace_of_type
from portable_losses._gradient import entrywise
from portable_losses._polyfill import knows_shape, where
from portable_losses._stable import NAN
from portable_losses._tape import raw_array
from portable_losses._typing import Array, Namespace

__all__ = ["CHECKED", "checked", "counted", "divisor_unread", "nan_where", "weighs_unread"]


def weighs_unread(x: Any) -> bool:
    """Say whether the library of `x`, whose values cannot be read, checks weights as it adds up."""
    return _count_of(x) is not None


def divisor_unread(x: Array, weight: Array | None = None, mask: Array | None = None) -> Any:
    """Return what a mean over the entries of `x` divides by: the sum of the weights that count."""
    raws = [raw_array(one) for one in (x, weight, mask)]
    if weight is None and mask is None and knows_shape(raws[0]):
        return math.prod(raws[0].shape)
    count: Any = _count_of(x)
    return count(CHECKED, *raws)


def _count_of(x: Any) -> Callable[..., Any] | None:
    """Return what counts the entries of `x` in the library's tasks, None where it reads them."""
    raw = raw_array(x)
    backend = backend_of_array(raw)
    kernel = None if backend is None else backend.speed.elementwise_kernel
    if kernel is None or kernel.counts_unread is None:
        return None
    return kernel.counts_unread if kernel.accepts(raw, xp=namespace_of_type(raw)) else None


def counted(weight: Array, mask: Array | None, *, xp: Namespace, **_: Any) -> Array:
    """Return the weights, 0 where the mask is False."""
    return weight if mask is None else where(mask, weight, 0.0, xp=xp)


def nan_where(bad: Array | None, x: Array, *, xp: Namespace) -> Array:
    """Return `x`, NaN where it is bad."""
    return x if bad is None else where(bad, NAN, x, xp=xp)


def _checked_grad(
    grad: Array, out: Array, weight: Array, mask: Array | None, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """1, as far as the weights count."""
    slope = nan_where(weight < 0, grad, xp=xp)
    return slope if mask is None else where(mask, slope, 0.0, xp=xp), None


@entrywise
def checked(weight: Array, mask: Array | None, *, xp: Namespace) -> Array:
    """Return the weights, NaN where they are negative, and 0 where the mask is False."""
    return counted(nan_where(weight < 0, weight, xp=xp), mask, xp=xp)


CHECKED = Pair(checked, _checked_grad, elementwise=True, masked=True)
