"""The target of a classification loss: which terms of each row count, and how much.

A target names classes by index, or gives every class a probability. Everything here works on rows:
the classes are the last axis.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from portable_losses._dtypes import computable, is_half, kind_of, narrow, widen
from portable_losses._gradient import stop_gradient
from portable_losses._indexing import as_index
from portable_losses._notes import noted
from portable_losses._options import is_number
from portable_losses._polyfill import (
    arange,
    broadcast_to,
    knows_shape,
    readable,
    take_along_axis,
    total,
    where,
)
from portable_losses._reduction import weigh
from portable_losses._rows import as_rows, largest_along
from portable_losses._stable import INF
from portable_losses._tape import inner_of, raw_array
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axis,
    check_classes,
    check_integer,
    check_real,
    fits_into,
    same_shape,
)
from portable_losses._values import (
    as_weight,
    check_all_in,
    check_indices,
    check_values,
    is_not,
    join_masks,
    lies_in,
    mark_invalid,
    named_class,
)

__all__ = [
    "LAST",
    "Target",
    "axis_of_classes",
    "idle_rows",
    "read_index",
    "read_target",
    "rows_of_classes",
    "smoothed_losses",
]


class Last(int):
    """The default of `axis`: -1, of which is known that the caller has not written it."""


LAST = Last(-1)


def axis_of_classes(axis: int, x: Array, target: Array, *, name: str, xp: Namespace) -> int:
    """Return `axis` counted from the front; it has to be given where axis 1 would fit as well."""
    shape = tuple(x.shape)
    if axis is LAST:
        axis = -1
        own = tuple(target.shape)
        fits = x.ndim > 2 and own == shape[:-1] == (*shape[:1], *shape[2:])
        if fits and kind_of(target, xp=xp) == "integral":
            msg = (
                f"`axis` must be given where the last axis of `{name}` and axis 1 could both hold "
                f"the classes: axis=-1, or axis=1 as in PyTorch; got shape {shape}, with "
                f"`target` of shape {own}"
            )
            raise ValueError(msg)
    return check_axis(axis, x.ndim)


class Target(NamedTuple):
    """A target as the arrays that a pair takes, in their order: ``_pair(z, *target, xp=xp)``.

    The pair makes it again, ``Target(*arrays)``, and a gradient of such a pair ends with
    ``*Target(q=..., weight=...)``. Either `q` or `indices` is given.

    Parameters
    ----------
    q : array of shape (..., C) or None
        The classes' probabilities.
    indices : array of shape (...) or None
        The classes' indices, all of them in range.
    weight : array of shape (C,) or None
        Weights of the classes.
    row_mask : array of bool, shape (...), or None
        The rows that count; None: all.
    class_mask : array of bool, shape (..., C), or None
        The classes that exist; None: all.
    """

    q: Array | None = None
    indices: Array | None = None
    weight: Array | None = None
    row_mask: Array | None = None
    class_mask: Array | None = None

    def select(self, terms: Array, *, label_smoothing: float | Array, xp: Namespace) -> Array:
        """Return ``sum over c of q_c * weight_c * terms_c`` for each row, q smoothed."""
        if not is_number(label_smoothing):
            return smoothed_losses(partial(self._selected, terms, xp=xp), label_smoothing, xp=xp)[0]
        if self.q is not None:
            q = self.smoothed(terms, label_smoothing=label_smoothing, xp=xp)
            selected = self._weighted_sum(q, terms, xp=xp)
        else:
            selected = self._picked(terms, xp=xp)
            if self.weight is not None:
                selected = weigh(self._weight_of_target(selected, xp=xp), selected, xp=xp)
            if label_smoothing:
                uniform = self._uniform(terms, label_smoothing, xp=xp)
                spread = self._weighted_sum(uniform, terms, xp=xp)
                selected = spread + ((1 - label_smoothing) * selected if label_smoothing < 1 else 0)
        return self.mask_rows(selected, xp=xp)

    def _selected(self, terms: Array, label_smoothing: float, *, xp: Namespace) -> tuple[Array]:
        return (self.select(terms, label_smoothing=label_smoothing, xp=xp),)

    def probabilities(self, like: Array, *, xp: Namespace) -> Array:
        """Return the probability of every class, in the dtype of `like`."""
        if self.q is not None:
            return self.q
        indices: Array = self.indices
        classes = arange(like.shape[-1], like, dtype=indices.dtype, xp=xp)
        # The Tensor, where `xp` is the tape, stands before the array, which may refuse it.
        return narrow(classes == indices[..., None], like.dtype, xp=xp)

    def smoothed(self, like: Array, *, label_smoothing: float | Array, xp: Namespace) -> Array:
        """Return the probability of every class, mixed with the uniform distribution."""
        q = self.probabilities(like, xp=xp)
        if is_number(label_smoothing) and not label_smoothing:
            return q
        return xp.add((1 - label_smoothing) * q, self._uniform(like, label_smoothing, xp=xp))

    def settle(self, z: Array, *, label_smoothing: float | Array, xp: Namespace) -> Array:
        """Return `z`, and 0 in rows that are not finite and whose coefficients are all 0."""
        if self.q is None and self.weight is None:
            return z
        q = self.smoothed(z, label_smoothing=label_smoothing, xp=xp)
        coefficient = q if self.weight is None else weigh(q, self.weight, xp=xp)
        finite = xp.isfinite(largest_along(z, (-1,), xp=xp))
        return where(idle_rows(coefficient, finite, xp=xp), 0.0, z, xp=xp)

    def mask_rows(self, values: Array, *, xp: Namespace) -> Array:
        """Return `values`, one for each row, and 0 for a row that does not count."""
        return values if self.row_mask is None else where(self.row_mask, values, 0.0, xp=xp)

    def mask_logits(self, logits: Array, *, absent: float, xp: Namespace) -> Array:
        """Return `logits`, `absent` for masked classes and 0 in rows that do not count.

        A row that does not count may hold NaN or infinities, whose product with a gradient of 0
        would be NaN.
        """
        if self.class_mask is not None:
            logits = where(self.class_mask, logits, absent, xp=xp)
        if self.row_mask is None:
            return logits
        return where(self.row_mask[..., None], logits, 0.0, xp=xp)

    def counts(self, like: Array, *, xp: Namespace) -> Array | None:
        """Return what each row adds to the denominator of the mean; None where that is 1."""
        if self.indices is not None and self.weight is not None:
            found = self._weight_of_target(like, xp=xp)
            if self.row_mask is None and (note := noted()) is not None:
                note.derived.append((found, (self.weight, self.indices), _taken))
            return self.mask_rows(found, xp=xp)
        return self.row_count(like, xp=xp)

    def row_count(self, like: Array, *, xp: Namespace) -> Array | None:
        """Return 1 for a row that counts and 0 for others; None where all count."""
        return None if self.row_mask is None else narrow(self.row_mask, like.dtype, xp=xp)

    def _weighted_sum(self, q: Array, terms: Array, *, xp: Namespace) -> Array:
        """``sum over c of (q_c * weight_c) * terms_c``, 0 where the coefficient is 0."""
        coefficient = q if self.weight is None else xp.multiply(q, self.weight)
        return total(weigh(coefficient, terms, xp=xp), axis=-1, xp=xp)

    def _weight_of_target(self, like: Array, *, xp: Namespace) -> Array:
        """Return the weight of each row's class."""
        weight: Array = self.weight
        shape = (*like.shape, weight.shape[0])
        table = broadcast_to(weight, shape, like=like[..., None], xp=xp)
        return self._picked(table, xp=xp)

    def _picked(self, x: Array, *, xp: Namespace) -> Array:
        """Return the entry of each row at its index."""
        indices: Array = self.indices
        return take_along_axis(x, indices[..., None], axis=-1, xp=xp)[..., 0]

    def _uniform(self, terms: Array, share: float | Array, *, xp: Namespace) -> Array:
        """Return `share` divided evenly among the classes that exist."""
        if self.class_mask is None:
            share = share / terms.shape[-1]
            like = stop_gradient(terms, xp=xp)
            return xp.full_like(like, share) if is_number(share) else share * xp.ones_like(like)
        exists = narrow(self.class_mask, terms.dtype, xp=xp)
        count = total(exists, axis=-1, keepdims=True, xp=xp)
        return exists * (share / where(count == 0, 1.0, count, xp=xp))


def _taken(weight: Any, indices: Array) -> Any:
    """Return the weight of each index; None where one has none."""
    try:
        return weight.take(indices)  # NumPy's and PyTorch's, in half the time of ``[...]``
    except IndexError:
        return None


def smoothed_losses(
    losses: Callable[[float], tuple[Array, ...]], label_smoothing: float | Array, *, xp: Namespace
) -> tuple[Array, ...]:
    """Return ``losses(label_smoothing)``, of which the first is linear in it.

    Of an array it is the mixture of the losses at 0 and 1; the others do not depend on it.
    """
    if is_number(label_smoothing):
        return losses(label_smoothing)
    (plain, *rest), (uniform, *_) = losses(0.0), losses(1.0)
    plain = weigh(1 - label_smoothing, plain, xp=xp)
    return (plain + weigh(label_smoothing, uniform, xp=xp), *rest)


def idle_rows(coefficient: Array, finite: Array, *, xp: Namespace) -> Array:
    """Return the mask (..., 1) of rows whose coefficients are all 0 and that are not `finite`.

    They may hold anything: 0 times NaN is 0. (Of a finite row with the coefficient 0, slopes of the
    coefficient are asked for.)
    """
    return xp.all(coefficient == 0, axis=-1, keepdims=True) & ~finite


def rows_of_classes(x: Array, axis: int, *, xp: Namespace) -> tuple[Array, Array]:
    """Return `x` with its classes last, and what `read_target` is to be given for it.

    Half dtypes stay where a kernel may load them as they are; else they are widened.
    """
    rows = as_rows(computable(x, xp=xp), (axis,), xp=xp)
    if is_half(rows, xp=xp) and readable(rows, xp=xp):
        return rows, widen(rows[..., :0], xp=xp)
    rows = widen(rows, xp=xp)
    return rows, rows


def read_target(
    rows: Array,
    target: Array,
    *,
    axis: int,
    ignore_index: int,
    name: str,
    xp: Namespace,
    weight: Array | None = None,
    weight_name: str = "weight",
    mask: Array | None = None,
    shape: tuple[int, ...] | None = None,
) -> tuple[Target, Array | None]:
    """Check a target, weights and mask against `rows`, whose classes are the last axis.

    Return them, and a mask of the rows whose target is bad and could not be read. `axis` is where
    the classes are in the caller's arrays, counted from the front; `name` is what the caller calls
    `rows`. With `shape`, that of rows which are not there yet, `rows` only tells dtype and device.
    """
    shape = tuple(rows.shape) if shape is None else shape
    classes = shape[-1]
    rest = shape[:-1]
    given = (*rest[:axis], classes, *rest[axis:])
    check_classes(given, axis, name=name)
    class_mask, row_mask = _read_mask(mask, rows, shape, axis, given, name=name, xp=xp)
    weight = as_weight(weight, (classes,), name=weight_name, like=rows, xp=xp)
    if weight is not None and weight.ndim != 1:
        msg = f"`{weight_name}` must have shape ({classes},), got {tuple(weight.shape)}"
        raise ValueError(msg)
    if weight is not None and weight.shape[0] != classes:
        weight = xp.broadcast_to(weight, (classes,))

    if same_shape(target.shape, given):
        check_real(xp, target=target)
        q = as_rows(target, (axis,), xp=xp)
        if class_mask is not None:  # what is masked may hold anything
            q = where(class_mask, narrow(q, rows.dtype, xp=xp), 0.0, xp=xp)
        invalid = check_all_in(0, INF, xp=xp, target=q)
        if invalid is not None:
            invalid = xp.any(invalid, axis=-1)
        q = narrow(q, rows.dtype, xp=xp)
        return Target(q, None, weight, row_mask, class_mask), invalid

    if not same_shape(target.shape, rest):
        raise ValueError(_shape_advice(name, given, tuple(target.shape), axis))
    check_integer(xp, target=target)
    own, target = target, as_index(target, xp=xp)
    if not 0 <= ignore_index < classes and lies_in(target, 0, classes - 1):
        invalid, index = None, target  # without an array more
        if (note := noted()) is not None:
            if own is not target:
                note.derived.append((target, (own,), partial(as_index, xp=xp)))
            note.classes.append((index, note.tests.pop()))
    else:
        invalid = check_indices(target, classes, name="target", ignore_index=ignore_index, xp=xp)
        constant, inner = raw_array(target), inner_of(xp)
        index = named_class(constant, classes=classes, xp=inner)
        counts = is_not(constant, ignored=ignore_index, xp=inner)
        if not (readable(counts, xp=xp) and bool(xp.all(counts))):
            row_mask = counts if row_mask is None else row_mask & counts
    if class_mask is not None:
        exists = Target(indices=index)._picked(narrow(class_mask, xp.int8, xp=xp), xp=xp)
        bad = exists == 0 if row_mask is None else (exists == 0) & row_mask
        what = "name a class that `where` does not mask"
        masked = check_values(target, bad, what, name="target", xp=xp)
        invalid = join_masks(invalid, masked, xp=xp)
    return Target(None, index, weight, row_mask, class_mask), invalid


def read_index(
    rows: Array, target: Array, *, axis: int, name: str, xp: Namespace
) -> tuple[Array, Array]:
    """Check a target that names the class of each row of `rows`, by an index.

    Return the rows, NaN where the index is bad and could not be read, and the indices, of shape
    (..., 1), 0 in place of a bad one. `axis` is where the classes are in the caller's array, which
    is called `name`.
    """
    *others, classes = tuple(rows.shape)
    given = (*others[:axis], classes, *others[axis:])
    check_classes(given, axis, name=name)
    if not same_shape(target.shape, tuple(others)):
        raise ValueError(_shape_advice(name, given, tuple(target.shape), axis, only_indices=True))
    check_integer(xp, target=target)
    target = as_index(target, xp=xp)
    invalid = check_indices(target, classes, name="target", xp=xp)
    index = where((target >= 0) & (target < classes), target, 0, xp=xp)[..., None]
    return mark_invalid(rows, invalid, xp=xp, of_rows=True), index


def _read_mask(
    mask: Array | None,
    rows: Array,
    shape: tuple[int, ...],
    place: int,
    given: tuple[int, ...],
    *,
    name: str,
    xp: Namespace,
) -> tuple[Array | None, Array | None]:
    """Return `mask` as a mask of classes or of rows, whichever its shape says."""
    if mask is None:
        return None, None
    if not xp.isdtype(mask.dtype, "bool"):
        msg = f"`where` must have a bool dtype, got {mask.dtype}"
        raise TypeError(msg)
    own = tuple(mask.shape)
    if len(own) == len(given) and fits_into(own, given):
        last = as_rows(mask, (place,), xp=xp)
        return broadcast_to(last, shape, like=rows, xp=xp), None
    if len(own) == len(shape) - 1 and fits_into(own, shape[:-1]):
        like = None if knows_shape(rows) else total(rows, axis=-1, xp=xp)
        return None, broadcast_to(mask, shape[:-1], like=like, xp=xp)
    msg = (
        f"`where` must have the shape of `{name}`, {given}, to mask classes, or {shape[:-1]}, "
        f"to mask rows, got shape {own}"
    )
    raise ValueError(msg)


def _shape_advice(
    name: str,
    given: tuple[int, ...],
    own: tuple[int, ...],
    place: int,
    *,
    only_indices: bool = False,
) -> str:
    """Return the message for a target whose shape fits neither indices nor probabilities."""
    without = given[:place] + given[place + 1 :]
    also = "" if only_indices else f" or {given} (probabilities)"
    msg = (
        f"`target` must have shape {without} (class indices){also} for `{name}` of shape "
        f"{given} with the classes on axis {place}, got shape {own}"
    )
    if len(given) > 2 and place != 1 and own == given[:1] + given[2:]:
        msg += "; for classes on axis 1, as in PyTorch, pass axis=1"
    return msg
