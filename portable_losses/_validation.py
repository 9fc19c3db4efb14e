"""Every check of every public function, each with its error message.

Namespaces, dtypes, shapes and Python numbers are always checked: that reads no value. The values
in an array are checked where looking at them is free (eager arrays in host memory); elsewhere, and
where `validation` is off, a check returns a factor that turns the affected entries of the result,
and their gradients, into NaN: never a wrong number, and nothing is computed or synchronised.
"""

from contextvars import ContextVar
from numbers import Integral
from typing import Any

from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._dtypes import kind_of, narrow
from portable_losses._gradient import entrywise
from portable_losses._polyfill import constant, readable, where
from portable_losses._stable import INF, NAN
from portable_losses._tape import inner_of
from portable_losses._typing import Array, Namespace

__all__ = ["validation"]

OPTIONAL = frozenset([  # may be None
    "alpha", "b", "bias", "class_weight", "gate", "mean", "negatives", "pos_weight",
    "ref_embeddings", "ref_labels", "sample_weight", "slope", "variance", "weight", "where",
])  # fmt: skip
_VALIDATING: ContextVar[bool] = ContextVar("portable_losses_validation", default=True)


class validation:  # noqa: N801 - used as a function and as a context manager
    """Switch the checks of values on or off, as a function or as a context manager.

    Shapes, dtypes, libraries and options are checked in any case. The setting belongs to the
    current thread and task.

    Parameters
    ----------
    enabled : bool
        True (the default of the library): class indices, probabilities, labels and weights are
        looked at where that is free, which is on eager arrays in host memory, and a bad one
        raises. False: nothing is looked at; a bad entry gives NaN, as it does on a GPU, under
        ``jax.jit`` and on Dask.

    Returns
    -------
    validation
        To be used with ``with``: on leaving the block the setting from before comes back.

    Raises
    ------
    TypeError
        `enabled` is not a bool.

    Notes
    -----
    A check costs a comparison and a reduction over the checked array.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> p, y = np.asarray([0.5, 1.5]), np.asarray([1.0, 1.0])
    >>> with pl.validation(False):
    ...     pl.binary_cross_entropy(p, y, reduction="none").round(4)
    array([0.6931,    nan])
    """

    def __init__(self, enabled: bool) -> None:
        if not isinstance(enabled, bool):
            msg = f"`enabled` must be True or False, got {enabled!r}"
            raise TypeError(msg)
        self._before = _VALIDATING.get()
        _VALIDATING.set(enabled)

    def __enter__(self) -> "validation":
        return self

    def __exit__(self, *_: object) -> None:
        _VALIDATING.set(self._before)


# ---- libraries, dtypes and shapes ------------------------------------------------------------


def namespace_of(**arrays: Array | None) -> Namespace:
    """Return the one namespace of all `arrays` that are not None; TypeError unless it is one.

    A Tensor of the tape goes together with plain arrays of the library that it wraps.
    """
    found: Namespace | None = None
    for name, x in arrays.items():
        if x is None and name in OPTIONAL:
            continue
        try:
            xp = namespace_of_type(x)
        except TypeError:
            msg = (
                f"`{name}` must be an array of an Array API library, got {type(x).__name__}; "
                "convert it first, for example with xp.asarray"
            )
            raise TypeError(msg) from None
        if found is None:
            found = xp
        elif xp is found or inner_of(found) is xp:
            continue
        elif inner_of(xp) is found:
            found = xp
        else:
            kinds = ", ".join(f"{n}: {_kind(a)}" for n, a in arrays.items() if a is not None)
            msg = f"all arrays must come from one library, got {kinds}"
            raise TypeError(msg)
    return found


def _kind(x: Array) -> str:
    return f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"


def check_real_floating(xp: Namespace, **arrays: Array) -> None:
    """Raise TypeError unless every array has a real floating dtype."""
    for name, x in arrays.items():
        if kind_of(x, xp=xp) != "real floating":
            msg = (
                f"`{name}` must have a real floating dtype, got {x.dtype}; "
                "convert it with xp.astype"
            )
            raise TypeError(msg)


def check_real(xp: Namespace, **arrays: Array | None) -> None:
    """Raise TypeError unless every array is real floating, integer or bool."""
    for name, x in arrays.items():
        if x is not None and kind_of(x, xp=xp) == "complex floating":
            msg = f"`{name}` must have a real floating, integer or bool dtype, got {x.dtype}"
            raise TypeError(msg)


def check_bool(xp: Namespace, **arrays: Array | None) -> None:
    """Raise TypeError unless every array is boolean."""
    for name, x in arrays.items():
        if x is not None and kind_of(x, xp=xp) != "bool":
            msg = f"`{name}` must have a bool dtype, got {x.dtype}"
            raise TypeError(msg)


def check_integer(xp: Namespace, **arrays: Array) -> None:
    """Raise TypeError unless every array has an integer dtype."""
    for name, x in arrays.items():
        if kind_of(x, xp=xp) != "integral":
            msg = f"`{name}` must hold class indices of an integer dtype, got {x.dtype}"
            raise TypeError(msg)


def check_same_shape(**arrays: Array) -> None:
    """Raise ValueError unless all shapes agree: silent broadcasting hides mistakes."""
    shapes = [tuple(x.shape) for x in arrays.values()]
    if shapes.count(shapes[0]) < len(shapes):
        named = zip(arrays, shapes, strict=True)
        msg = f"shapes must be equal, got {', '.join(f'{n}: {s}' for n, s in named)}"
        raise ValueError(msg)


def check_broadcasts_to(shape: tuple[int, ...], **arrays: Array | None) -> None:
    """Raise ValueError unless every array broadcasts to `shape` without changing it."""
    for name, x in arrays.items():
        if x is None:
            continue
        own = tuple(x.shape)
        fits = len(own) <= len(shape) and all(
            n == 1 or n == m  # `n in (1, m)` is false for a symbolic size of torch.compile
            for n, m in zip(reversed(own), reversed(shape), strict=False)
        )
        if not fits:
            msg = f"`{name}` must broadcast to shape {tuple(shape)}, got shape {own}"
            raise ValueError(msg)


def check_axis(axis: int, ndim: int) -> int:
    """Return `axis` counted from the front; IndexError where there is no such axis."""
    if not isinstance(axis, Integral) or isinstance(axis, bool):
        msg = f"`axis` must be an int, got {axis!r}"
        raise TypeError(msg)
    if not -ndim <= axis < ndim:
        msg = f"`axis` must lie in [{-ndim}, {ndim}) for an array of {ndim} axes, got {axis}"
        raise IndexError(msg)
    return int(axis) % ndim


def check_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return all of `axis` (None: every axis) counted from the front; no axis twice."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(check_axis(a, ndim) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) < len(axes):
        msg = f"`axis` must not name an axis twice, got {axis}"
        raise ValueError(msg)
    return axes


def check_ndim(ndim: int, layout: str, **arrays: Array) -> None:
    """Raise ValueError unless every array has `ndim` axes, which `layout` describes."""
    for name, x in arrays.items():
        if x.ndim != ndim:
            msg = f"`{name}` must have shape {layout}, got shape {tuple(x.shape)}"
            raise ValueError(msg)


def check_even(size: int, *, name: str, axis: int) -> int:
    """Return the size of `name` along `axis`; ValueError where it has no halves."""
    if size % 2:
        msg = f"`{name}` must have an even size along axis {axis}, got {size}"
        raise ValueError(msg)
    return size


def check_classes(shape: tuple[int, ...], place: int, *, name: str) -> None:
    """Raise ValueError where there is nothing along the axis of the classes."""
    if shape[place] == 0:
        msg = f"`{name}` must have at least one class, got shape {shape} with axis={place}"
        raise ValueError(msg)


# ---- values ----------------------------------------------------------------------------------


def check_values(
    x: Array,
    good: Array,
    requirement: str,
    *,
    name: str,
    like: Array | None,
    xp: Namespace,
    error: type[Exception] = ValueError,
) -> Array | None:
    """Raise `error` at the first entry of `x` that is not `good`, if `x` can be read.

    Otherwise return an array in `like`'s dtype that is 1 where `x` is good and NaN elsewhere, to
    be multiplied into the result; None where `like` is None, for a dtype without NaN.
    """
    if readable(good, xp=xp) and _VALIDATING.get():  # under jit the mask is traced, x not
        if not bool(namespace_of_type(good).all(good)):  # its own: on the tape, no detour
            value, place = _first_bad(x, good, xp=xp)
            msg = f"`{name}` must {requirement}, got {value} at position {place}"
            raise error(msg)
        return None
    if like is None:
        return None
    return where(good, constant(1.0, like, xp=xp), NAN, xp=xp)


def _first_bad(x: Array, good: Array, *, xp: Namespace) -> tuple[Any, tuple[int, ...]]:
    """Return the first entry of `x` that is not good, as a Python number, and its place."""
    shape = tuple(good.shape)
    first = int(xp.argmax(xp.reshape(xp.astype(~good, xp.int8), (-1,))))
    value = xp.reshape(xp.broadcast_to(x, shape), (-1,))[first]
    place: tuple[int, ...] = ()
    for size in reversed(shape):
        first, index = divmod(first, size)
        place = (index, *place)
    return (int if kind_of(x, xp=xp) == "integral" else float)(value), place


def check_all_in(
    low: float, high: float, *, like: Array, xp: Namespace, advice: str = "", **arrays: Array
) -> Array | None:
    """Check that every entry lies in [low, high] (NaN is let through); see `check_values`."""
    factor: Array | None = None
    for name, x in arrays.items():
        if kind_of(x, xp=xp) == "bool":
            continue
        space = namespace_of_type(x)
        if _plainly_in(x, low, high, space):
            continue
        good = _lies_in(x, low=low, high=high, xp=space)
        what = f"be at least {low}" if high == INF else f"lie in [{low}, {high}]"
        one = check_values(x, good, what + advice, name=name, like=like, xp=xp)
        factor = join(factor, one)
    return factor


def _plainly_in(x: Array, low: float, high: float, xp: Namespace) -> bool:
    """Say whether `x` lies in [low, high], NaN nowhere, where no array need be made for that."""
    backend = backend_of(xp)
    if backend.autodiff.differentiates or 0 in x.shape:
        return False
    if not (readable(x, xp=xp) and _VALIDATING.get()):
        return False
    quick = backend.speed.reductions
    smallest, most = quick.get("min") or xp.min, quick.get("max") or xp.max
    return low <= float(smallest(x)) and (high == INF or float(most(x)) <= high)


@entrywise
def _lies_in(x: Array, *, low: float, high: float, xp: Namespace) -> Array:
    del xp
    return ~(x < low if high == INF else (x < low) | (x > high))


def check_signs(*, like: Array, xp: Namespace, **arrays: Array) -> Array | None:
    """Check that every entry is -1 or 1 (NaN is let through); see `check_values`."""
    what = "be -1 or 1; 2 * t - 1 converts {0, 1}"
    return _check_either(-1, 1, what, like=like, xp=xp, **arrays)


def check_bits(*, like: Array, xp: Namespace, **arrays: Array) -> Array | None:
    """Check that every entry is 0 or 1 (NaN is let through); see `check_values`."""
    return _check_either(0, 1, "be 0 or 1", like=like, xp=xp, **arrays)


def _check_either(
    first: int, second: int, what: str, *, like: Array, xp: Namespace, **arrays: Array
) -> Array | None:
    factor: Array | None = None
    for name, x in arrays.items():
        good = (x == first) | (x == second) | (x != x)
        factor = join(factor, check_values(x, good, what, name=name, like=like, xp=xp))
    return factor


def check_indices(
    x: Array,
    classes: int,
    *,
    name: str,
    like: Array | None,
    xp: Namespace,
    ignore_index: int | None = None,
) -> Array | None:
    """Check that every entry is a class index or `ignore_index`; see `check_values`."""
    good = (x >= 0) & (x < classes)
    what = f"hold class indices in [0, {classes})"
    if ignore_index is not None:
        good = good | (x == ignore_index)
        what += f" or ignore_index={ignore_index}"
    return check_values(x, good, what, name=name, like=like, xp=xp, error=IndexError)


def join(first: Array | None, second: Array | None) -> Array | None:
    """Return the product of two factors, None being 1."""
    if first is None or second is None:
        return second if first is None else first
    return first * second


def spoil(result: Array, factor: Array | None) -> Array:
    """Return `result` times a factor that a check of values returned."""
    return result if factor is None else factor * result  # a Tensor of the tape stands first


def as_weight(
    weight: Array | None, shape: tuple[int, ...], *, name: str, like: Array, xp: Namespace
) -> Array | None:
    """Return `weight` in `like`'s dtype, checked; a bad entry that cannot be read is NaN."""
    if weight is None:
        return None
    check_real(xp, **{name: weight})
    check_broadcasts_to(shape, **{name: weight})
    factor = check_all_in(0, INF, like=like, xp=xp, **{name: weight})
    return spoil(narrow(weight, like.dtype, xp=xp), factor)
