"""The axes of a formula of rows, of whose sizes nothing is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..formulas.trace import Symbol, Untraceable

__all__ = ["CLASSES", "KINDS", "SHARE", "C", "N", "Size", "broadcast"]

CLASSES = "classes"  # how many entries a row has
SHARE = "share"  # a number divided by that
N, C = "rows", "classes"  # the sizes of axes
KINDS: dict[str, tuple[str | int, ...]] = {
    "entries": (N, C),
    "kept": (N, 1),
    "row": (N,),
    "weights": (C,),  # the same entries in every row
}


class Size:
    """The size of an axis, of which nothing is known but that it is not 0."""

    def __init__(self, recording: Any, name: str) -> None:
        self.recording = recording
        self.name = name

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and other.name == self.name

    def __lt__(self, other: float) -> bool:  # max(size, 1)
        if other != 1:
            raise Untraceable
        return False

    __gt__ = __lt__  # of 1, too, it is not known to be larger, which max() need not know

    def __rtruediv__(self, other: Any) -> Any:
        """Return a number divided by the size, rounded once."""
        if isinstance(other, Symbol):
            return other / self.number()
        return self.number(SHARE, np.float64(other))

    def number(self, name: str = CLASSES, *operands: Any) -> Any:
        """Return the size as a number of the formula's dtype."""
        if self.name != C:
            raise Untraceable
        return self.recording.made(name, operands, self.recording.dtype, (), per_entry=False)


def broadcast(shapes: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the axes to which these broadcast; Untraceable if they do not."""
    most = max(map(len, shapes), default=0)
    padded = [(1,) * (most - len(axes)) + axes for axes in shapes]
    found: list[Any] = []
    for sizes in zip(*padded, strict=True):
        larger = {size for size in sizes if size != 1}
        if len(larger) > 1:
            raise Untraceable
        found.append(next(iter(larger), 1))
    return tuple(found)
