"""Rows: what every function along an axis shares.

Pairs of the softmax family work along the last axis; these bring any axis, or several, there and
back, find the entry that is set aside in every sum of exponentials, and take the exponentials.
"""

import math

from portable_losses._backend import backend_of
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import (
    check_known,
    device_of,
    knows_shape,
    maximum,
    minimum,
    places_along,
    reshape,
    take_along_axis,
    total,
    where,
)
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace

__all__ = [
    "as_rows",
    "entry",
    "exponentials",
    "finite_or_nan",
    "from_rows",
    "largest_along",
    "place_of_largest",
    "sum_of_others",
]

NOTHING = -104.5, -746.0  # the exponential of this is 0: in float64 of the second


def as_rows(x: Array, axes: tuple[int, ...], *, xp: Namespace) -> Array:
    """Return `x` with all of `axes` joined to one axis, the last; ValueError if it has no size."""
    check_known(x, axes, now=False)
    if axes == (x.ndim - 1,):
        return x
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    moved = xp.permute_dims(x, (*kept, *axes))
    if len(axes) == 1:
        return moved
    sizes = [x.shape[i] for i in axes]
    size = math.prod(sizes) if all(n is not None for n in sizes) else None
    return reshape(moved, [*(x.shape[i] for i in kept), size], xp=xp)


def from_rows(
    rows: Array, axes: tuple[int, ...], shape: tuple[int, ...], *, xp: Namespace
) -> Array:
    """Undo `as_rows` for a result that has kept the last axis."""
    if axes == (len(shape) - 1,):
        return rows
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    order = (*kept, *axes)
    moved = reshape(rows, [shape[i] for i in order], xp=xp) if len(axes) != 1 else rows
    return xp.permute_dims(moved, tuple(sorted(range(len(shape)), key=order.__getitem__)))


def place_of_largest(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return the index of each row's largest entry, the first of equal ones, and a mask of it.

    0 where there is none.
    """
    if 0 in x.shape:  # of nothing, no library has a largest entry
        k = xp.zeros((*x.shape[:-1], 1), dtype=xp.int64, device=device_of(x, xp=xp))
    else:
        own = backend_of(xp).indexing.argmax
        k = xp.argmax(x, axis=-1, keepdims=True) if own is None else own(x)
    return k, places_along(-1, x, dtype=k.dtype, xp=xp) == k


def entry(x: Array, k: Array, *, xp: Namespace) -> Array:
    """Return the entry of each row at `k`, with the axis kept.

    What is picked, not reduced to, has the derivative of one entry on every library, ties too.
    """
    return take_along_axis(x, k, axis=-1, xp=xp)


def finite_or_nan(x: Array, *, xp: Namespace) -> Array:
    """Return `x` with NaN for infinities: NaN passes through arithmetic without a warning."""
    return where(xp.abs(x) < INF, x, NAN, xp=xp)


def exponentials(x: Array, top: Array, rest: Array | None = None, *, xp: Namespace) -> Array:
    """``exp(x - n)``, n the `top` of each row rounded down, with all digits however far x is.

    With a constant `rest`, x is ``x + rest`` with more digits than its dtype has.

    A difference d is rounded, and the exponential multiplies that error by ``|d|``. As n is whole,
    ``(d + n) - x`` is exactly what d has too much; of ``x - top`` it were twice the operations.
    """
    n = xp.floor(stop_gradient(top, xp=xp))
    d = maximum(x - n, NOTHING[x.dtype == xp.float64], xp=xp)
    excess = minimum(stop_gradient((d + n) - x, xp=xp), 1.0, xp=xp)  # infinite at -inf
    if rest is not None:  # up to half an ulp of x, whose square is not to be left out
        rest = rest - excess
        d, before = d + rest, d
        excess = (d - before) - rest  # all of it, or the rest is small and d smaller (Dekker)
    return xp.exp(d) * (1 - excess)


def sum_of_others(e: Array, k: Array, largest: Array, *, xp: Namespace) -> Array:
    """Return the sum of each row of `e` but its entry at `k`, the `largest`, divided by that."""
    others = total(where(largest, 0.0, e, xp=xp), axis=-1, keepdims=True, xp=xp)
    return others / entry(e, k, xp=xp)


def largest_along(x: Array, axes: tuple[int, ...], *, xp: Namespace) -> Array:
    """``xp.max`` along `axes`, which are kept; 0 of nothing."""
    if 0 in x.shape:
        return total(x, axis=axes, keepdims=True, xp=xp)
    if not knows_shape(x) and axes in ((-1,), (x.ndim - 1,)):  # Dask fails at an empty block
        return entry(x, place_of_largest(x, xp=xp)[0], xp=xp)
    return xp.max(x, axis=axes, keepdims=True)
