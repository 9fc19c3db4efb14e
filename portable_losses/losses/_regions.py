"""Regions of an image: which axes a loss sums over, the sums, and the weights of the classes."""

from typing import Any

from portable_losses._gradient import with_gradient
from portable_losses._options import check_choice, require
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows
from portable_losses._typing import Array, Axis, Namespace
from portable_losses._validation import check_axes, check_axis
from portable_losses._values import as_weight, mark_invalid

__all__ = ["layout", "of_classes", "overlaps", "share", "weights_of_regions"]


def layout(ndim: int, axis: Axis, class_axis: int | None) -> tuple[tuple[int, ...], int | None]:
    """Return the axes to sum over, and the place of the classes among those that are left."""
    where_classes = None if class_axis is None else check_axis(class_axis, ndim)
    if axis is None:
        summed = tuple(i for i in range(1, ndim) if i != where_classes)
    else:
        summed = check_axes(axis, ndim)
    if where_classes is None:
        return summed, None
    require(where_classes not in summed, "class_axis", "not be one of `axis`", class_axis)
    return summed, [i for i in range(ndim) if i not in summed].index(where_classes)


def of_classes(sums: Array, place: int | None, ignore_background: bool, *, xp: Namespace) -> Array:
    """Return the sums of regions with the classes that count as the last axis."""
    if place is None:
        return sums
    sums = as_rows(sums, (place,), xp=xp)
    return sums[..., 1:] if ignore_background else sums


def weights_of_regions(
    class_weight: Any, volume: Array, ignore_background: bool, *, xp: Namespace
) -> Array:
    """Return the weights of the classes that count."""
    if isinstance(class_weight, str):
        check_choice(("generalized",), class_weight=class_weight)
        absent = volume == 0
        inverse = _where(absent, 0.0, 1 / _where(absent, 1.0, volume, xp=xp), xp=xp)
        return inverse * inverse
    classes = volume.shape[-1] + ignore_background
    weight = as_weight(class_weight, (classes,), name="class_weight", like=volume, xp=xp)
    return xp.broadcast_to(weight, (classes,))[int(ignore_background) :]


def _share_grad(
    grad: Array, out: Array, x: Array, rest: Array, *, xp: Namespace
) -> tuple[Any, ...]:
    """``rest / (x + rest)**2`` in x, ``-x / (x + rest)**2`` in the rest."""
    whole = _where(x + rest == 0, 1.0, x + rest, xp=xp)
    return grad * (rest / whole / whole), grad * (-(x / whole) / whole)


@with_gradient(_share_grad)
def share(x: Array, rest: Array, *, xp: Namespace) -> Array:
    """``x / (x + rest)``, 0 where both are 0: no difference in its gradient cancels."""
    empty = x + rest == 0
    return _where(empty, 0.0, x, xp=xp) / _where(empty, 1.0, x + rest, xp=xp)


@of_rows(wide=True)
def overlaps(
    p: Array,
    t: Array,
    there: Array | None,
    bad: Array | None,
    *,
    alpha: float | Array,
    beta: float | Array,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return how far p and t differ, how far they overlap, and how large t is, of each region."""
    terms = [alpha * (p * (1 - t)) + beta * ((1 - p) * t), p * t, t]
    terms[0] = mark_invalid(terms[0], bad, xp=xp)
    if there is not None:
        terms = [_where(there, x, 0.0, xp=xp) for x in terms]
    return tuple([total(x, axis=-1, xp=xp) for x in terms])
