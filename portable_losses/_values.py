"""Checks of the values in arrays, and the NaN that they leave where they cannot raise.

Every check has one contract. Where looking is free (eager arrays in host memory) it raises at a
bad entry and otherwise returns None. Elsewhere, and where `validation` is off, it returns a mask,
True at the bad entries, for `mark_invalid`, which turns them into NaN in value and gradient: never
a wrong number, and nothing is computed or synchronised in order to look.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from portable_losses._backend import (
    Speed,
    backend_of_array,
    namespace_of_type,
    traced_as_constant,
)
from portable_losses._dtypes import computable, kind_of, narrow
from portable_losses._gradient import entrywise, stop_gradient
from portable_losses._notes import noted
from portable_losses._polyfill import constant, readable, where
from portable_losses._stable import INF, NAN
from portable_losses._tape import TapeArray, inner_of, raw_array
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_broadcasts_to, check_real

__all__ = [
    "as_weight",
    "check_all_above",
    "check_all_in",
    "check_bits",
    "check_indices",
    "check_signs",
    "check_signs_or_shares",
    "check_values",
    "is_not",
    "is_positive",
    "join_masks",
    "lies_in",
    "mark_invalid",
    "named_class",
    "validating",
    "validation",
]

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


@traced_as_constant
def validating() -> bool:
    """Say whether values are checked (`validation`)."""
    return _VALIDATING.get()


def check_values(
    x: Array,
    bad: Array,
    requirement: str | Callable[[], str],
    *,
    name: str,
    xp: Namespace,
    error: type[Exception] = ValueError,
) -> Array | None:
    """Raise `error` at the first `bad` entry of `x`, called `name`, which must meet `requirement`.

    One with a number in it is a function, as torch.compile cannot write symbols. None: there is no
    such entry. Where `bad` cannot be read it comes back, for `mark_invalid`.
    """
    if not (readable(bad, xp=xp) and _VALIDATING.get()):  # under jit the mask is traced, x not
        return bad
    if bool(namespace_of_type(bad).any(bad)):  # its own namespace: on the tape, no detour
        value, position = _first_bad(x, bad, xp=xp)
        what = requirement if isinstance(requirement, str) else requirement()
        place = f" at position {position}" if position else ""  # a 0-d array has no positions
        msg = f"`{name}` must {what}, got {value}{place}"
        raise error(msg)
    return None


def _first_bad(x: Array, bad: Array, *, xp: Namespace) -> tuple[Any, tuple[int, ...]]:
    """Return the first bad entry of `x`, as a Python number, and its position."""
    shape = tuple(bad.shape)
    first = int(xp.argmax(xp.reshape(xp.astype(bad, xp.int8), (-1,))))
    x = stop_gradient(x, xp=xp)  # a number that JAX differentiates by is not shown
    value = xp.reshape(xp.broadcast_to(x, shape), (-1,))[first]
    position: tuple[int, ...] = ()
    for size in reversed(shape):
        first, index = divmod(first, size)
        position = (index, *position)
    return (int if kind_of(x, xp=xp) == "integral" else float)(value), position


def mark_invalid(
    result: Array, *masks: Array | None, xp: Namespace, of_rows: bool = False
) -> Array:
    """Return `result`, NaN where a check failed and could not raise, in value and gradient.

    `masks` are what the checks returned. With `of_rows` they have an entry for each row of
    `result`, whose last axis they lack.
    """
    for mask in masks:
        if mask is not None:
            bad = mask[..., None] if of_rows else mask
            # A product: a selection alone would have the gradient 0 there. The factor stands first,
            # which on the tape is a Tensor.
            result = where(bad, NAN, constant(1.0, result, xp=xp), xp=xp) * result
    return result


def join_masks(*masks: Array | None, xp: Namespace) -> Array | None:
    """Return the mask of what any of `masks` has, which checks returned; None if all are None."""
    joined: Array | None = None
    for mask in masks:
        if mask is not None:
            joined = mask if joined is None else xp.logical_or(joined, mask)
    return joined


def check_all_in(
    low: float, high: float, *, xp: Namespace, advice: str = "", **array: Array
) -> Array | None:
    """Check that every entry of the one `array` lies in [low, high] (NaN is let through)."""
    ((name, x),) = array.items()
    taken, mask = _taken_over(x, partial(_lies_outside, low=low, high=high))
    if taken:
        return mask
    if lies_in(x, low, high) or kind_of(x, xp=xp) == "bool":
        return None
    x, own_xp = _constant(x)
    bad = _lies_outside(x, low=low, high=high, xp=own_xp)
    what = f"be at least {low}" if high == INF else f"lie in [{low}, {high}]"
    return check_values(x, bad, what + advice, name=name, xp=own_xp)


def check_all_above(low: float, *, xp: Namespace, advice: str = "", **array: Array) -> Array | None:
    """Check that every entry of the one `array` is greater than `low` (NaN is let through)."""
    ((name, x),) = array.items()
    taken, mask = _taken_over(x, partial(_is_at_most, low=low))
    if taken:
        return mask
    if _passes(x, partial(_is_above, low)):
        return None
    x, own_xp = _constant(x)
    bad = _is_at_most(x, low=low, xp=own_xp)
    return check_values(x, bad, f"be greater than {low}{advice}", name=name, xp=own_xp)


def _constant(x: Array) -> tuple[Array, Namespace]:
    """Return `x` without its history, in a dtype to compute with, and its namespace."""
    raw = raw_array(x)
    xp = namespace_of_type(raw)
    return computable(raw, xp=xp), xp


def _taken_over(x: Array, bad: Callable[..., Array]) -> tuple[bool, Array | None]:
    """Return whether a later pass looks at `x`, and the mask of what is to be marked."""
    note = noted()
    if note is None or note.takes_over is None:
        return False, None
    return note.takes_over(raw_array(x), bad)


def lies_in(x: Array, low: float, high: float) -> bool:
    """Return whether a readable `x` lies in [low, high] and has no NaN, without making an array.

    A third of the time of `_lies_outside`, which would say the same (NumPy, 100,000 entries).
    """

    def again(speed: Speed, raw: Array) -> Callable[[Array], bool] | None:
        return None if speed.within is None else speed.within(raw, low, high)

    return _passes(x, partial(_is_between, low, high), again)


def _passes(
    x: Array,
    test: Callable[[Speed, Array], bool],
    again: Callable[[Speed, Array], Callable[[Array], bool] | None] | None = None,
) -> bool:
    """Return ``test(speed, raw)`` of a readable `x`, and note it if that is true.

    `again` may make a quicker test of further arrays with this dtype and shape.
    """
    given, x = x, x.array if isinstance(x, TapeArray) else x
    backend = backend_of_array(x)
    if backend is None or 0 in x.shape:
        return False
    of_all, speed = backend.arrays.readable, backend.speed
    if of_all is None or not (of_all(x) and _VALIDATING.get()):  # in a trace only the first
        return False
    passed = test(speed, x)
    if passed and (note := noted()) is not None:
        # Of what a transform has wrapped meanwhile, nothing is read.
        later = None if again is None else again(speed, x)
        later = later or partial(test, speed)
        note.tests.append((given, lambda raw: of_all(raw) and later(raw)))
    return passed


def is_positive(x: Array) -> bool:
    """Return whether all entries of a readable `x` are known to be greater than 0."""
    return _passes(x, partial(_is_above, 0))


def _is_above(low: float, speed: Speed, x: Array) -> bool:
    """Say whether the entries of a raw `x` are greater than `low`, by a library's reductions."""
    quick = speed.reductions
    if "min" in quick:
        return low < float(quick["min"](x))
    found = quick["extremes"](x) if "extremes" in quick else None
    return found is not None and low < float(found[0])


def _is_either(first: int, second: int, speed: Speed, x: Array) -> bool:
    """Say whether all entries of a raw `x` are one of two numbers, of a library with reductions."""
    return bool(speed.reductions) and bool(((x == first) | (x == second)).all())


def _is_between(low: float, high: float, speed: Speed, x: Array) -> bool:
    """Say whether the entries of a raw `x` lie in [low, high], by a library's reductions."""
    quick = speed.reductions
    if high == INF and "min" in quick:
        return low <= float(quick["min"](x))
    if "extremes" not in quick or (found := quick["extremes"](x)) is None:
        return False
    return low <= float(found[0]) and float(found[1]) <= high


@entrywise
def _lies_outside(x: Array, *, low: float, high: float, xp: Namespace) -> Array:
    """``x < low | x > high``: not true of NaN."""
    return x < low if high == INF else (x < low) | (x > high)


@entrywise
def _is_at_most(x: Array, *, low: float, xp: Namespace) -> Array:
    """``x <= low``: not true of NaN."""
    return x <= low


def check_signs(*, xp: Namespace, **array: Array) -> Array | None:
    """Check that every entry of the one `array` is -1 or 1 (NaN is let through)."""
    return _check_either(-1, 1, "be -1 or 1; 2 * t - 1 converts {0, 1}", xp=xp, **array)


def check_signs_or_shares(*, xp: Namespace, **array: Array) -> Array | None:
    """Check that every entry of the one `array` is -1 or lies in [0, 1] (NaN is let through)."""
    ((name, x),) = array.items()
    taken, mask = _taken_over(x, _is_no_share)
    if taken:
        return mask
    if _passes(x, _are_signs_or_shares):
        return None
    x, own_xp = _constant(x)
    bad = _is_no_share(x, xp=own_xp)
    return check_values(x, bad, "be -1, or lie in [0, 1]", name=name, xp=own_xp)


def _are_signs_or_shares(speed: Speed, x: Array) -> bool:
    """Say whether all entries of a raw `x` are -1 or lie in [0, 1]: a library with reductions."""
    if _is_between(0, 1, speed, x):  # without an array
        return True
    return bool(speed.reductions) and bool((((x >= 0) | (x == -1)) & (x <= 1)).all())


@entrywise
def _is_no_share(x: Array, *, xp: Namespace) -> Array:
    """Not -1, and outside of [0, 1]."""
    return ((x < 0) & (x != -1)) | (x > 1)


def check_bits(*, xp: Namespace, **array: Array) -> Array | None:
    """Check that every entry of the one `array` is 0 or 1 (NaN is let through)."""
    (x,) = array.values()
    if kind_of(x, xp=namespace_of_type(x)) == "bool":  # which strict libraries compare with none
        return None
    return _check_either(0, 1, "be 0 or 1", xp=xp, **array)


def _check_either(
    first: int, second: int, requirement: str, *, xp: Namespace, **array: Array
) -> Array | None:
    """Check that every entry of the one `array` is `first`, `second` or NaN."""
    ((name, x),) = array.items()
    taken, mask = _taken_over(x, partial(_is_neither, first=first, second=second))
    if taken:
        return mask
    x = computable(x, xp=namespace_of_type(x))
    if _passes(x, partial(_is_either, first, second)):
        return None
    x, own_xp = _constant(x)
    bad = _is_neither(x, first=first, second=second, xp=own_xp)
    return check_values(x, bad, requirement, name=name, xp=own_xp)


@entrywise
def _is_neither(x: Array, *, first: int, second: int, xp: Namespace) -> Array:
    """``(x != first) & (x != second)``: not true of NaN."""
    return (x != first) & (x != second) & (x == x)


def check_indices(
    x: Array, classes: int, *, name: str, xp: Namespace, ignore_index: int | None = None
) -> Array | None:
    """Check that every entry of `x`, called `name`, is a class index or `ignore_index`."""
    if lies_in(x, 0, classes - 1):
        return None
    x, xp = raw_array(x), inner_of(xp)
    bad = _is_no_class(x, classes=classes, ignore_index=ignore_index, xp=xp)

    def requirement() -> str:
        ignored = "" if ignore_index is None else f" or ignore_index={ignore_index}"
        return f"hold class indices in [0, {classes}){ignored}"

    return check_values(x, bad, requirement, name=name, xp=xp, error=IndexError)


@entrywise
def _is_no_class(x: Array, *, classes: int, ignore_index: int | None, xp: Namespace) -> Array:
    """``x < 0 | x >= classes``, and not `ignore_index`."""
    bad = (x < 0) | (x >= classes)
    return bad if ignore_index is None else bad & (x != ignore_index)


@entrywise
def named_class(x: Array, *, classes: int, xp: Namespace) -> Array:
    """Return `x`, 0 in place of what is no class."""
    return where((x >= 0) & (x < classes), x, 0, xp=xp)


@entrywise
def is_not(x: Array, *, ignored: int, xp: Namespace) -> Array:
    """``x != ignored``."""
    return x != ignored


def as_weight(
    weight: Array | None, shape: tuple[int, ...], *, name: str, like: Array, xp: Namespace
) -> Array | None:
    """Return `weight` in `like`'s dtype, checked: at least 0, and broadcastable to `shape`."""
    if weight is None:
        return None
    check_real(xp, **{name: weight})
    check_broadcasts_to(shape, **{name: weight})
    bad = check_all_in(0, INF, xp=xp, **{name: weight})
    return mark_invalid(narrow(weight, like.dtype, xp=xp), bad, xp=xp)
