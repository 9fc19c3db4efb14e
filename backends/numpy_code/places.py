"""NumPy's functions that take, leave out, put in and replace entries at positions."""

from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray

from .axes import axis_of, integers, positions, size_of, whole_shape
from .names import named
from .operands import arrays, tensor
from .shapes import moved, ravel, resize

__all__ = ["append", "flat_places", "take", "take_along_axis", "updated"]


# ---- taking -------------------------------------------------------------------------------------


@named("take")
def take(
    a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise", *, xp: Any
) -> Any:
    """Return the entries, or what lies along an axis, at the positions: of their shape."""
    a = tensor(a, xp=xp)
    if axis is None or (not a.ndim and axis in (0, -1)):
        a, axis = ravel(a, xp=xp), 0
    axis = axis_of(axis, a.ndim)
    known = indices if isinstance(indices, TapeArray) else integers(indices)
    n = a.shape[axis]
    if not isinstance(known, TapeArray) and mode == "raise":
        check_places(known, n)
    places = counted(positions(known, a, xp=xp), n, mode, xp=xp)
    made = xp.take(a, xp.reshape(places, (-1,)), axis=axis)
    return xp.reshape(made, (*a.shape[:axis], *places.shape, *a.shape[axis + 1 :]))


def check_places(places: Any, n: int) -> None:
    """Raise IndexError for a position that an axis of size `n` has not."""
    if isinstance(places, list):
        for place in places:
            check_places(place, n)
    elif not -n <= places < n:
        msg = f"index {places} is out of bounds for axis with size {n}"
        raise IndexError(msg)


def counted(places: Any, n: int, mode: str, *, xp: Any) -> Any:
    """Return integer positions counted from the first of `n`, as `mode` says."""
    if mode == "wrap":
        return places % n
    if mode == "clip":
        return xp.clip(places, 0, n - 1)
    if mode == "raise":
        return xp.where(places < 0, places + n, places)
    msg = f"`mode` must be one of 'raise', 'wrap', 'clip', got {mode!r}"
    raise ValueError(msg)


@named("take_along_axis")
def take_along_axis(arr: Any, indices: Any, axis: Any = -1, *, xp: Any) -> Any:
    """Return for every line along an axis the entries at its own positions."""
    arr = tensor(arr, xp=xp)
    places = positions(indices, arr, xp=xp)
    if axis is None:
        arr, axis = ravel(arr, xp=xp), 0
    axis = axis_of(axis, arr.ndim)
    if places.ndim != arr.ndim:
        msg = "`indices` and `arr` must have the same number of dimensions"
        raise ValueError(msg)
    places = counted(places, arr.shape[axis], "raise", xp=xp)
    common = xp.broadcast_shapes(_without(arr.shape, axis), _without(places.shape, axis))
    wide = [
        xp.broadcast_to(x, (*common[:axis], x.shape[axis], *common[axis:])) for x in (arr, places)
    ]
    return xp.take_along_axis(*wide, axis=axis)


def _without(shape: Any, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


@named("delete")
def delete(arr: Any, obj: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return what is left along an axis without the positions `obj`."""
    a = tensor(arr, xp=xp)
    if axis is None:
        a, axis = ravel(a, xp=xp), 0
    axis = axis_of(axis, a.ndim)
    n = a.shape[axis]
    gone = set(_listed(obj, n))
    kept = [i for i in range(n) if i not in gone]
    return xp.take(a, positions(kept, a, xp=xp), axis=axis)


def _listed(obj: Any, n: int) -> list[int]:
    """Return the positions among `n` that an integer, a slice, a mask or a list names."""
    if isinstance(obj, slice):
        return list(range(*obj.indices(n)))
    found = obj.tolist() if hasattr(obj, "tolist") else obj
    found = list(found) if isinstance(found, list | tuple | range) else [found]
    if found and all(isinstance(i, bool) for i in found):
        if len(found) != n:
            msg = f"a mask must have one entry per place, {n}, got {len(found)}"
            raise ValueError(msg)
        return [i for i, there in enumerate(found) if there]
    places: list[int] = integers(found)
    check_places(places, n)
    return [i % n for i in places]


@named("insert")
def insert(arr: Any, obj: Any, values: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return the array with values put before the positions `obj` along an axis."""
    a = tensor(arr, xp=xp)
    if axis is None:
        a, axis = ravel(a, xp=xp), 0
    axis = axis_of(axis, a.ndim)
    n = a.shape[axis]
    single = not isinstance(obj, slice | list | tuple | range) and not getattr(obj, "shape", ())
    before = [integers(obj)] if single else _insertions(obj, n)
    new = xp.astype(arrays(a, values, xp=xp)[1], a.dtype)
    new = xp.reshape(new, (*(1,) * (a.ndim - new.ndim), *new.shape))
    if single:
        new = moved(new, 0, axis, xp=xp)
    if len(before) == 1:
        before = before * new.shape[axis]
    if any(not -n <= i <= n for i in before):
        msg = f"index {before} is out of bounds for axis {axis} with size {n}"
        raise IndexError(msg)
    before = [i + n if i < 0 else i for i in before]
    new = xp.broadcast_to(new, (*a.shape[:axis], len(before), *a.shape[axis + 1 :]))
    coming: list[list[int]] = [[] for _ in range(n + 1)]
    for number, place in enumerate(before):
        coming[place].append(n + number)
    order = [i for place, more in enumerate(coming) for i in (*more, place)][:-1]
    return xp.take(xp.concat([a, new], axis=axis), positions(order, a, xp=xp), axis=axis)


def _insertions(obj: Any, n: int) -> list[int]:
    """Return the positions before which something is put: up to `n` itself."""
    if isinstance(obj, slice):
        return list(range(*obj.indices(n)))
    found = obj.tolist() if hasattr(obj, "tolist") else list(obj)
    if found and all(isinstance(i, bool) for i in found):
        return [i for i, there in enumerate(found) if there]
    return list(integers(found))


@named("append")
def append(arr: Any, values: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return the array with values behind its last entries."""
    a, more = arrays(arr, values, xp=xp)
    if axis is None:
        return xp.concat([ravel(a, xp=xp), ravel(more, xp=xp)])
    return xp.concat([a, more], axis=axis_of(axis, a.ndim))


# ---- replacing, in place ------------------------------------------------------------------------


def updated(target: Any, name: str) -> Any:
    """Return the array to be updated in place; TypeError where it is no Tensor."""
    if not isinstance(target, TapeArray):
        msg = (
            f"`{name}` stores a Tensor in no {type(target).__name__}, its gradient would be lost; "
            "make that a Tensor first, or build the result with `np.where` or `np.concatenate`"
        )
        raise TypeError(msg)
    return target


def _stored_like(a: Any, values: Any, *, xp: Any) -> Any:
    """Return `values` as a Tensor of the dtype of `a`."""
    made = arrays(a, values, xp=xp)[1]
    return made if made.dtype == a.dtype else xp.astype(made, a.dtype)


def _mask(mask: Any, like: Any, *, xp: Any) -> Any:
    """Return a mask beside `like`; other numbers count as True where they are not 0."""
    made = tensor(mask, (like,), xp=xp)
    return made if xp.isdtype(made.dtype, "bool") else made != 0


def replaced(a: Any, places: list[int], values: Any, *, xp: Any) -> None:
    """Put `values`, one for each of the flat `places`, into `a`; of two at one place the last."""
    order = list(range(a.size))
    for number, place in enumerate(places):
        order[place] = a.size + number
    both = xp.concat([ravel(a, xp=xp), values])
    a[...] = xp.reshape(xp.take(both, positions(order, a, xp=xp), axis=0), a.shape)


@named("copyto")
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True, *, xp: Any) -> None:
    """Update `dst` to the values of `src`, where a mask says so."""
    a = updated(dst, "copyto")
    values = xp.broadcast_to(_stored_like(a, src, xp=xp), a.shape)
    if where is not True:
        mask = xp.broadcast_to(_mask(where, a, xp=xp), a.shape)
        values = xp.where(mask, values, a)
    a[...] = values


@named("put")
def put(a: Any, ind: Any, v: Any, mode: str = "raise", *, xp: Any) -> None:
    """Update the entries at flat positions, with values that are repeated as needed."""
    x = updated(a, "put")
    places = flat_places(ind, x, mode, xp=xp)
    values = _stored_like(x, v, xp=xp)
    if places and values.size:
        replaced(x, places, resize(values, len(places), xp=xp), xp=xp)


def flat_places(indices: Any, like: Any, mode: str, *, xp: Any) -> list[int]:
    """Return flat positions in `like` as a list of integers, read from a Tensor of them."""
    places = positions(indices, like, xp=xp)
    found: list[int] = xp.reshape(places, (-1,)).detach().tolist()
    if mode == "raise":
        check_places(found, like.size)
    made: list[int] = counted(
        positions(found, like, xp=xp), size_of(like.shape), mode, xp=xp
    ).tolist()
    return made


@named("putmask")
def putmask(a: Any, /, mask: Any, values: Any, *, xp: Any) -> None:
    """Update the entries under a mask, with the values at their places, repeated as needed."""
    x = updated(a, "putmask")
    under = xp.reshape(_mask(mask, x, xp=xp), x.shape)
    x[...] = xp.where(under, resize(_stored_like(x, values, xp=xp), x.shape, xp=xp), x)


@named("place")
def place(arr: Any, mask: Any, vals: Any, *, xp: Any) -> None:
    """Update the entries under a mask with the values in their order, repeated as needed."""
    x = updated(arr, "place")
    under = ravel(_mask(mask, x, xp=xp), xp=xp)
    values = ravel(_stored_like(x, vals, xp=xp), xp=xp)
    if values.size == 0:
        if bool(xp.any(under)):
            msg = "Cannot insert from an empty array!"
            raise ValueError(msg)
        return
    number = xp.cumulative_sum(xp.astype(under, xp.int64)) - 1
    number = xp.where(under, number % size_of(values.shape), 0)
    made = xp.where(under, xp.take(values, number, axis=0), ravel(x, xp=xp))
    x[...] = xp.reshape(made, x.shape)


@named("fill_diagonal")
def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, xp: Any) -> None:
    """Update the diagonal, with values that are repeated as needed."""
    x = updated(a, "fill_diagonal")
    if x.ndim < 2:
        msg = "array must be at least 2-d"
        raise ValueError(msg)
    if x.ndim > 2 and len(set(x.shape)) != 1:
        msg = "All dimensions of input must be of equal length"
        raise ValueError(msg)
    step = sum(size_of(x.shape[i + 1 :]) for i in range(x.ndim))
    end = x.size if wrap or x.ndim > 2 else min(x.size, x.shape[1] ** 2)
    places = list(range(0, end, step))
    replaced(x, places, resize(_stored_like(x, val, xp=xp), len(places), xp=xp), xp=xp)


@named("put_along_axis")
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any, *, xp: Any) -> None:
    """Update for every line along an axis the entries at its own positions."""
    x = updated(arr, "put_along_axis")
    numbers = xp.reshape(xp.arange(x.size, dtype=xp.int64, device=device_of(x, xp=xp)), x.shape)
    places = take_along_axis(numbers, positions(indices, x, xp=xp), axis, xp=xp)
    new = xp.broadcast_to(_stored_like(x, values, xp=xp), places.shape)
    replaced(x, ravel(places, xp=xp).tolist(), ravel(new, xp=xp), xp=xp)


# ---- positions themselves -----------------------------------------------------------------------


@named("ix_")
def ix_(*args: Any, xp: Any) -> tuple[Any, ...]:
    """Return positions along each axis, so that they index together as an open mesh."""
    made: list[Any] = []
    for number, x in enumerate(args):
        places = tensor(x, args, xp=xp)
        if places.ndim != 1:
            msg = "Cross index must be 1 dimensional"
            raise ValueError(msg)
        if xp.isdtype(places.dtype, "bool"):
            (places,) = xp.nonzero(places)
        shape = [1] * len(args)
        shape[number] = places.shape[0]
        made.append(xp.reshape(places, tuple(shape)))
    return tuple(made)


@named("unravel_index")
def unravel_index(indices: Any, shape: Any, order: str = "C", *, xp: Any) -> tuple[Any, ...]:
    """Return the position along every axis of flat positions."""
    rest = positions(indices, (), xp=xp)
    sizes = whole_shape(shape)
    made: list[Any] = []
    for n in sizes if order == "F" else reversed(sizes):
        made.append(rest % n)
        rest = rest // n
    return tuple(made if order == "F" else reversed(made))


@named("ravel_multi_index")
def ravel_multi_index(
    multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C", *, xp: Any
) -> Any:
    """Return the flat positions of those along every axis."""
    sizes = whole_shape(dims)
    modes = mode if isinstance(mode, tuple) else (mode,) * len(sizes)
    parts = xp.unstack(multi_index) if isinstance(multi_index, TapeArray) else multi_index
    flat: Any = 0
    along = list(zip(parts, sizes, modes, strict=True))
    for places, n, how in along if order == "C" else reversed(along):
        found = tensor(places, multi_index, xp=xp)
        if how != "raise":
            found = counted(found, n, how, xp=xp)
        elif found.size:
            _check_inside(found, n, xp=xp)
        flat = flat * n + found
    return flat


def _check_inside(places: Any, n: int, *, xp: Any) -> None:
    """Raise ValueError for a position outside of ``0 ... n - 1``."""
    if int(xp.min(places)) < 0 or int(xp.max(places)) >= n:
        msg = "invalid entry in coordinates array"
        raise ValueError(msg)
