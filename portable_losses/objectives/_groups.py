"""Ranking: samples come one below another, with the sizes of their groups; a loss wants rows."""

from typing import Any, NamedTuple

from portable_losses._polyfill import device_of, minimum
from portable_losses._typing import Array, Namespace

__all__ = ["Rows", "rows_of_groups"]


class Rows(NamedTuple):
    """Groups as rows of one length; `mask` says what of a row is there."""

    arrays: tuple[Array, Array, Array | None]  # scores, labels, weights of the rows
    mask: Array

    def back(self, x: Array) -> Array:
        """Return the samples of such rows one below another again."""
        return x[self.mask]


def rows_of_groups(
    scores: Array, labels: Array, weight: Array | None, sizes: Array | None, *, xp: Namespace
) -> Rows:
    """Return scores, labels and weights of samples as rows, a group each.

    A group's weight is that of its first sample, unless there is one weight for each group.
    """
    if sizes is None or not len(sizes):
        msg = "a ranking loss needs the groups of the samples, got none"
        raise ValueError(msg)
    device = device_of(scores, xp=xp)
    lengths = [int(size) for size in sizes]
    count = int(scores.shape[0])
    if sum(lengths) != count:
        msg = f"the sizes of the groups must add up to the {count} samples, got {sum(lengths)}"
        raise ValueError(msg)
    size = xp.asarray(lengths, dtype=xp.int64, device=device)
    first = xp.cumulative_sum(size) - size
    inside = xp.arange(max(lengths), dtype=xp.int64, device=device)
    place = minimum(first[:, None] + inside[None, :], count - 1, xp=xp)
    shape, flat = place.shape, xp.reshape(place, (-1,))

    def rows(x: Array) -> Array:
        return xp.reshape(xp.take(xp.asarray(x, device=device), flat, axis=0), shape)

    of_groups: Any = None if weight is None else xp.asarray(weight, device=device)
    if of_groups is not None and int(of_groups.shape[0]) != len(lengths):
        of_groups = xp.take(of_groups, first, axis=0)
    return Rows((rows(scores), rows(labels), of_groups), inside[None, :] < size[:, None])
