"""What the target of a classification loss is, and which terms of a loss it picks.

A target names classes by index, or gives every class a probability. Everything here works on rows:
the classes are the last axis.
"""

from dataclasses import dataclass

from portable_losses._dtypes import narrow
from portable_losses._gradient import stop_gradient
from portable_losses._indexing import as_index
from portable_losses._polyfill import device_of, readable, take_along_axis, total, where
from portable_losses._reduction import weigh
from portable_losses._rows import as_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    as_weight,
    check_all_in,
    check_axis,
    check_classes,
    check_indices,
    check_integer,
    check_real,
    check_values,
    join,
    spoil,
)

__all__ = ["Target", "read_index", "read_target"]


@dataclass
class Target:
    """A target, ready to pick terms.

    Parameters
    ----------
    index : array of shape (..., 1) or None
        The classes' indices, all of them in range.
    q : array of shape (..., C) or None
        The classes' probabilities, where there are no indices.
    row : array of bool, shape (...), or None
        The rows that count; None: all.
    classes : array of bool, shape (..., C), or None
        The classes that exist; None: all.
    weight : array of shape (C,) or None
        Weights of the classes.
    factor : array of shape (...) or None
        NaN for a row whose target is bad and could not be read.
    """

    index: Array | None
    q: Array | None
    row: Array | None
    classes: Array | None
    weight: Array | None
    factor: Array | None

    def pick(self, terms: Array, *, label_smoothing: float, xp: Namespace) -> Array:
        """Return ``sum over c of q_c * weight_c * terms_c`` for each row, q smoothed."""
        if self.q is not None:
            q = self.smoothed(terms, label_smoothing=label_smoothing, xp=xp)
            picked = self._sum(q, terms, xp=xp)
        else:
            picked = take_along_axis(terms, self.index, axis=-1, xp=xp)[..., 0]
            if self.weight is not None:
                picked = weigh(self._weight_of_target(picked, xp=xp), picked, xp=xp)
            if label_smoothing:
                spread = self._sum(self._uniform(terms, label_smoothing, xp=xp), terms, xp=xp)
                picked = spread + ((1 - label_smoothing) * picked if label_smoothing < 1 else 0)
        return spoil(self.rows(picked, xp=xp), self.factor)

    def shares(self, like: Array, *, xp: Namespace) -> Array:
        """Return the probability of every class, in the dtype of `like`."""
        if self.q is not None:
            return self.q
        index: Array = self.index
        classes = xp.arange(like.shape[-1], dtype=index.dtype, device=device_of(like, xp=xp))
        return narrow(index == classes, like.dtype, xp=xp)

    def smoothed(self, like: Array, *, label_smoothing: float, xp: Namespace) -> Array:
        """Return the probability of every class, mixed with the uniform distribution."""
        share = self.shares(like, xp=xp)
        if not label_smoothing:
            return share
        return (1 - label_smoothing) * share + self._uniform(like, label_smoothing, xp=xp)

    def _sum(self, q: Array, terms: Array, *, xp: Namespace) -> Array:
        """Return the sum of the weighted terms: one coefficient, so that 0 stays 0 times any."""
        coefficient = q if self.weight is None else xp.multiply(q, self.weight)
        return total(weigh(coefficient, terms, xp=xp), axis=-1, xp=xp)

    def _weight_of_target(self, like: Array, *, xp: Namespace) -> Array:
        """Return the weight of each row's class."""
        weight: Array = self.weight
        table = xp.broadcast_to(weight, (*like.shape, weight.shape[0]))
        return take_along_axis(table, self.index, axis=-1, xp=xp)[..., 0]

    def _uniform(self, terms: Array, share: float, *, xp: Namespace) -> Array:
        """Return `share` divided evenly among the classes that exist."""
        if self.classes is None:
            return xp.full_like(stop_gradient(terms, xp=xp), share / terms.shape[-1])
        exists = narrow(self.classes, terms.dtype, xp=xp)
        count = total(exists, axis=-1, keepdims=True, xp=xp)
        return exists * (share / where(count == 0, 1.0, count, xp=xp))

    def rows(self, values: Array, *, xp: Namespace) -> Array:
        """Return `values`, one for each row, and 0 for a row that does not count."""
        return values if self.row is None else where(self.row, values, 0.0, xp=xp)

    def mask(self, logits: Array, *, absent: float, xp: Namespace) -> Array:
        """Return `logits` with `absent` for classes that do not exist, rows out of count hidden.

        A row that does not count may hold NaN or infinities, which its gradient, a product with
        0, would otherwise meet.
        """
        if self.classes is not None:
            logits = where(self.classes, logits, absent, xp=xp)
        return logits if self.row is None else where(self.row[..., None], logits, 0.0, xp=xp)

    def counts(self, like: Array, *, xp: Namespace) -> Array | None:
        """Return what each row adds to the denominator of the mean; None where that is 1."""
        if self.index is None or self.weight is None:
            return None if self.row is None else narrow(self.row, like.dtype, xp=xp)
        return self.rows(self._weight_of_target(like, xp=xp), xp=xp)


def read_target(
    rows: Array,
    target: Array,
    *,
    axis: int,
    weight: Array | None,
    ignore_index: int,
    mask: Array | None,
    name: str,
    xp: Namespace,
    shape: tuple[int, ...] | None = None,
    weight_name: str = "weight",
) -> Target:
    """Check a target, weights and mask against `rows`, whose classes are the last axis.

    `axis` is where the classes are in the caller's arrays; `name` is what the caller calls
    `rows`. With `shape`, that of rows which are not there yet, `rows` only tells dtype and device.
    """
    shape = tuple(rows.shape) if shape is None else shape
    classes = shape[-1]
    place = check_axis(axis, len(shape))
    given = (*shape[:-1][:place], classes, *shape[:-1][place:])
    check_classes(given, axis, name=name)
    of_class, of_row = _read_mask(mask, shape, place, given, name=name, xp=xp)
    weight = as_weight(weight, (classes,), name=weight_name, like=rows, xp=xp)
    if weight is not None and weight.ndim != 1:
        msg = f"`{weight_name}` must have shape ({classes},), got {tuple(weight.shape)}"
        raise ValueError(msg)
    if weight is not None and weight.shape[0] != classes:
        weight = xp.broadcast_to(weight, (classes,))

    if tuple(target.shape) == given:
        check_real(xp, target=target)
        q = as_rows(target, (place,), xp=xp)
        factor = check_all_in(0, INF, like=rows, xp=xp, target=q)
        if factor is not None:
            factor = total(factor, axis=-1, xp=xp) / classes  # NaN where any is NaN, else 1
        q = narrow(q, rows.dtype, xp=xp)
        if of_class is not None:
            q = where(of_class, q, 0.0, xp=xp)
        return Target(None, q, of_row, of_class, weight, factor)

    if tuple(target.shape) != shape[:-1]:
        raise ValueError(_shape_advice(name, given, tuple(target.shape), place))
    check_integer(xp, target=target)
    target = as_index(target, xp=xp)
    index, in_range, index_factor = _in_range(
        target, classes, like=rows, ignore_index=ignore_index, xp=xp
    )
    counted = in_range if index_factor is None else target != ignore_index
    counted = counted & (target != ignore_index)
    if not (readable(counted, xp=xp) and bool(xp.all(counted))):
        of_row = counted if of_row is None else of_row & counted
    if of_class is not None:
        exists = take_along_axis(narrow(of_class, xp.int8, xp=xp), index, axis=-1, xp=xp)[..., 0]
        good = (exists == 1) if of_row is None else (exists == 1) | ~of_row
        what = "name a class that `where` does not mask"
        masked = check_values(target, good, what, name="target", like=rows, xp=xp)
        index_factor = join(index_factor, masked)
    return Target(index, None, of_row, of_class, weight, index_factor)


def read_index(
    rows: Array, target: Array, *, axis: int, name: str, xp: Namespace
) -> tuple[Array, Array | None]:
    """Check a target that names the class of each row.

    Return the indices, of shape (..., 1) and all in range, and a factor that is NaN where one was
    not and could not be read.
    """
    *others, classes = tuple(rows.shape)
    given = (*others[:axis], classes, *others[axis:])
    check_classes(given, axis, name=name)
    if tuple(target.shape) != tuple(others):
        raise ValueError(_shape_advice(name, given, tuple(target.shape), axis, only_indices=True))
    check_integer(xp, target=target)
    index, _, factor = _in_range(
        as_index(target, xp=xp), classes, like=rows, ignore_index=None, xp=xp
    )
    return index, factor


def _in_range(
    target: Array, classes: int, *, like: Array, ignore_index: int | None, xp: Namespace
) -> tuple[Array, Array, Array | None]:
    """Return the indices, 0 for those out of range; which are in range; and a factor."""
    factor = check_indices(
        target, classes, name="target", like=like, ignore_index=ignore_index, xp=xp
    )
    in_range = (target >= 0) & (target < classes)
    return where(in_range, target, 0, xp=xp)[..., None], in_range, factor


def _read_mask(
    mask: Array | None,
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
    if len(own) == len(given) and all(n == 1 or n == m for n, m in zip(own, given, strict=True)):
        return as_rows(xp.broadcast_to(mask, given), (place,), xp=xp), None
    if len(own) == len(shape) - 1 and all(
        n == 1 or n == m for n, m in zip(own, shape[:-1], strict=True)
    ):
        return None, xp.broadcast_to(mask, shape[:-1])
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
    without = given[:place] + given[place + 1 :]
    also = "" if only_indices else f" or {given} (probabilities)"
    msg = (
        f"`target` must have shape {without} (class indices){also} for `{name}` of shape "
        f"{given} with the classes on axis {place}, got shape {own}"
    )
    if len(given) > 2 and place != 1 and own == given[:1] + given[2:]:
        msg += "; for classes on axis 1, as in PyTorch, pass axis=1"
    return msg
