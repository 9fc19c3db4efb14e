"""NumPy's orders, searches and selections: what is sorted or taken keeps its gradient."""

from typing import Any

from portable_losses._gradient import stop_gradient

from .axes import positions
from .names import named
from .operands import arrays, is_complex, tensor

__all__ = ["lexsort", "searchsorted", "sort"]


def _flat(a: Any, axis: int | None, *, xp: Any) -> tuple[Any, int]:
    """Return array and axis, of all entries in their order where no axis is given."""
    a = tensor(a, xp=xp)
    return (xp.reshape(a, (-1,)), 0) if axis is None else (a, axis)


# ---- orders -----------------------------------------------------------------------------------


@named("sort")
def sort(
    a: Any,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    xp: Any,
) -> Any:
    """Return the entries in ascending order, complex ones by real part, then imaginary."""
    a, axis = _flat(a, axis, xp=xp)
    if is_complex(a, xp=xp):
        return xp.take_along_axis(a, argsort(a, axis, xp=xp), axis=axis)
    whole = xp.isdtype(a.dtype, "bool")
    made = xp.sort(xp.astype(a, xp.uint8) if whole else a, axis=axis)
    return xp.astype(made, xp.bool) if whole else made


@named("argsort")
def argsort(
    a: Any,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    xp: Any,
) -> Any:
    """Return the places of the entries in ascending order; equal ones keep theirs."""
    a, axis = _flat(a, axis, xp=xp)
    if is_complex(a, xp=xp):
        return lexsort((xp.imag(a), xp.real(a)), axis, xp=xp)
    a = xp.astype(a, xp.uint8) if xp.isdtype(a.dtype, "bool") else a
    return xp.argsort(a, axis=axis)


@named("sort_complex")
def sort_complex(a: Any, *, xp: Any) -> Any:
    """Return the entries along the last axis in ascending order, as complex numbers."""
    a = sort(a, xp=xp)
    if is_complex(a, xp=xp):
        return a
    single = xp.isdtype(a.dtype, "integral") and xp.iinfo(a.dtype).bits < 32  # as in NumPy
    return xp.astype(a, xp.complex64 if single else xp.complex128)


@named("partition")
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, xp: Any
) -> Any:
    """Return the entries in ascending order, which puts any of them in its place."""
    return sort(a, axis, xp=xp)


@named("argpartition")
def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, xp: Any
) -> Any:
    """Return the places of the entries in ascending order."""
    return argsort(a, axis, xp=xp)


@named("lexsort")
def lexsort(keys: Any, axis: int = -1, *, xp: Any) -> Any:
    """Return the places of entries in ascending order of the last key, of the one before, ..."""
    if not isinstance(keys, list | tuple):
        keys = [keys[i, ...] for i in range(keys.shape[0])]
    first, *rest = (tensor(key, xp=xp) for key in keys)
    order = xp.argsort(first, axis=axis)
    for key in rest:
        along = xp.take_along_axis(stop_gradient(key, xp=xp), order, axis=axis)
        order = xp.take_along_axis(order, xp.argsort(along, axis=axis), axis=axis)
    return order


# ---- searches ---------------------------------------------------------------------------------


@named("searchsorted")
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None, *, xp: Any) -> Any:
    """Return where each `v` would be put among the ascending entries of `a`."""
    a, v = (stop_gradient(x, xp=xp) for x in arrays(a, v, xp=xp))
    if sorter is not None:
        a = xp.take(a, positions(sorter, a, xp=xp), axis=0)
    return xp.reshape(xp.searchsorted(a, xp.reshape(v, (-1,)), side=side), v.shape)


@named("digitize")
def digitize(x: Any, bins: Any, right: bool = False, *, xp: Any) -> Any:
    """Return the number of the bin that each entry is in; the edges ascend or descend."""
    x, bins = (stop_gradient(v, xp=xp) for v in arrays(x, bins, xp=xp))
    if is_complex(x, xp=xp):
        msg = "`digitize` takes real numbers only"
        raise TypeError(msg)
    side = "left" if right else "right"
    place = searchsorted(bins, x, side, xp=xp)
    if bins.shape[0] < 2:
        return place
    from_above = bins.shape[0] - searchsorted(xp.flip(bins), x, side, xp=xp)
    return xp.where(bins[0] > bins[-1], from_above, place)


@named("nonzero")
def nonzero(a: Any, *, xp: Any) -> tuple[Any, ...]:
    """Return the places of the entries that are not 0, an array for each axis."""
    return tuple(xp.nonzero(tensor(a, xp=xp)))


@named("flatnonzero")
def flatnonzero(a: Any, *, xp: Any) -> Any:
    """Return the places of the entries that are not 0, counted through all axes."""
    return xp.nonzero(xp.reshape(tensor(a, xp=xp), (-1,)))[0]


@named("argwhere")
def argwhere(a: Any, *, xp: Any) -> Any:
    """Return a row of places for each entry that is not 0."""
    a = tensor(a, xp=xp)
    if not a.ndim:
        return xp.zeros((int(bool(a != 0)), 0), dtype=xp.int64)
    return xp.stack(xp.nonzero(a), axis=-1)


# ---- selections -------------------------------------------------------------------------------


@named("extract")
def extract(condition: Any, arr: Any, *, xp: Any) -> Any:
    """Return the entries where a condition holds."""
    return compress(xp.reshape(tensor(condition, arr, xp=xp), (-1,)), arr, xp=xp)


@named("compress")
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None, *, xp: Any) -> Any:
    """Return the entries, or along `axis` the parts, where a condition holds."""
    a, axis = _flat(a, axis, xp=xp)
    return xp.take(a, flatnonzero(tensor(condition, a, xp=xp), xp=xp), axis=axis)
