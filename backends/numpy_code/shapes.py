"""NumPy's functions that rearrange and repeat: shapes, axes, orders."""

from typing import Any

from .axes import axes_of, axis_of, inserted_axes, integers, key, positions, size_of, whole_shape
from .names import dtype_of, named
from .operands import home_of, tensor

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "moved",
    "ravel",
    "repeat",
    "reshape",
    "resize",
    "roll",
    "swapaxes",
    "transpose",
]


# ---- the same entries in another shape ----------------------------------------------------------


@named("reshape")
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None, xp: Any) -> Any:
    """Return the entries, read and written in one order, in another shape."""
    a = tensor(a, xp=xp)
    shape = whole_shape(shape, a.size)
    _check_order(order)
    if order == "C":
        return xp.reshape(a, shape) if copy is None else xp.reshape(a, shape, copy=copy)
    made = transpose(xp.reshape(transpose(a, xp=xp), shape[::-1]), xp=xp)
    return xp.asarray(made, copy=True) if copy else made


def _check_order(order: str) -> None:
    if order not in ("C", "F"):
        msg = f"`order` must be 'C' or 'F', got {order!r}: a Tensor has no layout of its own"
        raise ValueError(msg)


@named("ravel")
def ravel(a: Any, order: str = "C", *, xp: Any) -> Any:
    """Return all entries along one axis."""
    return reshape(a, -1, order, xp=xp)


@named("transpose")
def transpose(a: Any, axes: Any = None, *, xp: Any) -> Any:
    """Return the axes in another order, by default reversed."""
    a = tensor(a, xp=xp)
    order = tuple(reversed(range(a.ndim))) if axes is None else axes_of(tuple(axes), a.ndim)
    if len(order) != a.ndim:
        msg = f"axes {axes} don't match array of shape {a.shape}"
        raise ValueError(msg)
    return xp.permute_dims(a, order)


@named("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: Any, /, *, xp: Any) -> Any:
    """Return the last two axes exchanged."""
    return xp.matrix_transpose(tensor(x, xp=xp))


@named("swapaxes")
def swapaxes(a: Any, axis1: int, axis2: int, *, xp: Any) -> Any:
    """Return two axes exchanged."""
    a = tensor(a, xp=xp)
    order = list(range(a.ndim))
    i, j = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[i], order[j] = j, i
    return xp.permute_dims(a, tuple(order))


@named("moveaxis")
def moved(a: Any, source: Any, destination: Any, *, xp: Any) -> Any:
    """Return axes moved to new places, the others in their order."""
    a = tensor(a, xp=xp)
    return xp.moveaxis(a, axes_of(source, a.ndim), axes_of(destination, a.ndim))


@named("rollaxis")
def rollaxis(a: Any, axis: int, start: int = 0, *, xp: Any) -> Any:
    """Return one axis moved before another."""
    a = tensor(a, xp=xp)
    axis = axis_of(axis, a.ndim)
    start = a.ndim if start == a.ndim else axis_of(start, a.ndim)
    return moved(a, axis, start - 1 if start > axis else start, xp=xp)


@named("squeeze")
def squeeze(a: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return the array without axes of size 1, all of them or those named."""
    a = tensor(a, xp=xp)
    if axis is None:
        axes = tuple(i for i, n in enumerate(a.shape) if n == 1)
    else:
        axes = axes_of(axis, a.ndim) if a.ndim or axis not in (0, -1) else ()
    if any(a.shape[i] != 1 for i in axes):
        msg = "cannot select an axis to squeeze out which has size not equal to one"
        raise ValueError(msg)
    return xp.squeeze(a, axis=axes) if axes else a[...]


@named("expand_dims")
def expand_dims(a: Any, axis: Any, *, xp: Any) -> Any:
    """Return the array with axes of size 1 at the places `axis`."""
    a = tensor(a, xp=xp)
    places = inserted_axes(axis, a.ndim)
    sizes = iter(a.shape)
    return xp.reshape(
        a, tuple(1 if i in places else next(sizes) for i in range(a.ndim + len(places)))
    )


def _at_least(ndim: int) -> Any:
    """Return NumPy's function that gives arrays `ndim` axes, one array or several."""

    def widened(x: Any, xp: Any) -> Any:
        x = tensor(x, xp=xp)
        n = x.ndim
        if n >= ndim:
            return x
        if ndim == 3 and n:  # the third axis is the last one
            return xp.reshape(x, (*((1,) if n == 1 else ()), *x.shape, 1))
        return xp.reshape(x, (*(1,) * (ndim - n), *x.shape))

    def at_least(*arys: Any, xp: Any) -> Any:
        made = tuple(widened(x, xp) for x in arys)
        return made[0] if len(made) == 1 else made

    at_least.__doc__ = f"Return every array with {ndim} axes or more."
    return at_least


atleast_1d = named("atleast_1d")(_at_least(1))
atleast_2d = named("atleast_2d")(_at_least(2))
atleast_3d = named("atleast_3d")(_at_least(3))


@named("shape")
def shape(a: Any, *, xp: Any) -> tuple[int, ...]:
    """Return the sizes of all axes."""
    return tuple(tensor(a, xp=xp).shape)


@named("ndim")
def ndim(a: Any, *, xp: Any) -> int:
    """Return the number of axes."""
    return len(shape(a, xp=xp))


@named("size")
def size(a: Any, axis: Any = None, *, xp: Any) -> int:
    """Return the number of entries, of all or along some axes."""
    sizes = shape(a, xp=xp)
    return size_of(sizes[i] for i in axes_of(axis, len(sizes)))


# ---- copies -------------------------------------------------------------------------------------


@named("copy")
def copy(a: Any, order: str = "K", subok: bool = False, *, xp: Any) -> Any:
    """Return the values in memory of their own."""
    return xp.asarray(tensor(a, xp=xp), copy=True)


@named("astype")
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None, xp: Any) -> Any:
    """Return the values in another dtype."""
    options = {} if device is None else {"device": device}
    made = xp.astype(tensor(x, xp=xp), dtype_of(dtype, xp=xp), copy=copy, **options)
    if getattr(made.dtype, "kind", "") in ("O", "S", "U", "M", "m"):
        msg = f"a Tensor has numbers only, no {made.dtype}; use `.tolist()`, or `.numpy()` first"
        raise TypeError(msg)
    return made


@named("require", "asarray", "asanyarray")
def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    xp: Any,
) -> Any:
    """Return `a` as a Tensor, in the dtype given."""
    made = tensor(a, xp=xp)
    return xp.asarray(made, dtype=dtype_of(dtype, xp=xp), device=device, copy=copy)


@named("ascontiguousarray", "asfortranarray")
def contiguous(a: Any, dtype: Any = None, *, xp: Any) -> Any:
    """Return `a` as a Tensor of one axis or more: where it lies in memory is the library's."""
    return atleast_1d(asarray(a, dtype, xp=xp), xp=xp)


@named("array")
def new_array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    xp: Any,
) -> Any:
    """Return a new Tensor of `ndmin` axes or more."""
    made = asarray(object, dtype, copy=copy, xp=xp)
    return xp.reshape(made, (*(1,) * (ndmin - made.ndim), *made.shape))


# ---- broadcasting -------------------------------------------------------------------------------


@named("broadcast_to")
def broadcast_to(array: Any, shape: Any, subok: bool = False, *, xp: Any) -> Any:
    """Return the array in a larger shape, its entries shown several times."""
    return xp.broadcast_to(tensor(array, xp=xp), whole_shape(shape))


@named("broadcast_arrays")
def broadcast_arrays(*args: Any, subok: bool = False, xp: Any) -> tuple[Any, ...]:
    """Return all arrays in the shape that they have together."""
    return tuple(xp.broadcast_arrays(*[tensor(x, args, xp=xp) for x in args]))


# ---- another order ------------------------------------------------------------------------------


@named("flip")
def flip(m: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return the entries in reversed order along one axis, several or all."""
    m = tensor(m, xp=xp)
    return xp.flip(m, axis=axes_of(axis, m.ndim))


@named("flipud")
def flipud(m: Any, *, xp: Any) -> Any:
    """Return the first axis reversed."""
    return flip(m, 0, xp=xp)


@named("fliplr")
def fliplr(m: Any, *, xp: Any) -> Any:
    """Return the second axis reversed."""
    return flip(m, 1, xp=xp)


@named("rot90")
def rot90(m: Any, k: int = 1, axes: Any = (0, 1), *, xp: Any) -> Any:
    """Return the plane of two axes turned by `k` right angles."""
    m = tensor(m, xp=xp)
    i, j = axes_of(tuple(axes), m.ndim)
    turns = k % 4
    if turns == 2:
        return flip(m, (i, j), xp=xp)
    if turns == 1:
        return swapaxes(flip(m, j, xp=xp), i, j, xp=xp)
    return flip(swapaxes(m, i, j, xp=xp), j, xp=xp) if turns else m[...]


@named("roll")
def roll(a: Any, shift: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return the entries moved along axes, those that leave at one end back at the other."""
    a = tensor(a, xp=xp)
    shifts = integers(shift)
    shifts = shifts if isinstance(shifts, list) else [shifts]
    if axis is None:
        return reshape(roll(ravel(a, xp=xp), shifts, 0, xp=xp), a.shape, xp=xp)
    axes = [axis_of(i, a.ndim) for i in (axis if isinstance(axis, list | tuple) else (axis,))]
    count = max(len(shifts), len(axes))
    if {len(shifts), len(axes)} - {1, count}:
        msg = f"`shift` and `axis` must have the same length, got {len(shifts)} and {len(axes)}"
        raise ValueError(msg)
    sums: dict[int, int] = {}
    for i in range(count):
        place = axes[i % len(axes)]
        sums[place] = sums.get(place, 0) + shifts[i % len(shifts)]
    return xp.roll(a, tuple(sums.values()), axis=tuple(sums))


# ---- more entries -------------------------------------------------------------------------------


@named("tile")
def tile(A: Any, reps: Any, *, xp: Any) -> Any:  # noqa: N803 - NumPy's name
    """Return the array repeated as a whole along every axis."""
    return xp.tile(tensor(A, xp=xp), whole_shape(reps))


@named("repeat")
def repeat(a: Any, repeats: Any, axis: Any = None, *, xp: Any) -> Any:
    """Return every place along an axis as often as `repeats` says, one number or one for each."""
    a = tensor(a, xp=xp)
    if axis is None or (not a.ndim and axis in (0, -1)):
        a, axis = ravel(a, xp=xp), 0
    axis = axis_of(axis, a.ndim)
    n = a.shape[axis]
    times = integers(repeats)
    times = times if isinstance(times, list) else [times]
    times = times * n if len(times) == 1 else times
    if len(times) != n:
        msg = f"`repeats` must have one entry or {n}, got {len(times)}"
        raise ValueError(msg)
    if any(count < 0 for count in times):
        msg = f"`repeats` must not be negative, got {min(times)}"
        raise ValueError(msg)
    places = [i for i, count in enumerate(times) for _ in range(count)]
    return xp.take(a, positions(places, a, xp=xp), axis=axis)


@named("resize")
def resize(a: Any, new_shape: Any, *, xp: Any) -> Any:
    """Return the entries in another shape, from the first one again where there are too few."""
    a = ravel(a, xp=xp)
    shape = whole_shape(new_shape)
    if any(n < 0 for n in shape):
        msg = f"all elements of `new_shape` must be non-negative, got {shape}"
        raise ValueError(msg)
    count = size_of(shape)
    if a.size == 0:
        return xp.zeros(shape, dtype=a.dtype, device=home_of(a, xp=xp))
    times = max(-(-count // a.size), 1)
    return reshape(xp.tile(a, (times,))[:count], shape, xp=xp)


@named("trim_zeros")
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None, *, xp: Any) -> Any:
    """Return what is left without zeros at the ends of axes; the values are looked at."""
    x = tensor(filt, xp=xp)
    for i in axes_of(axis, x.ndim):
        others = tuple(j for j in range(x.ndim) if j != i)
        filled = (
            xp.any(x.detach() != 0, axis=others).tolist() if others else (x.detach() != 0).tolist()
        )
        places = [j for j, there in enumerate(filled) if there]
        if not places:
            return x[(slice(0, 0),) * x.ndim]
        first = places[0] if "f" in trim.lower() else 0
        last = places[-1] + 1 if "b" in trim.lower() else x.shape[i]
        x = x[key(i, slice(first, last))]
    return x
