"""What a function of rows computes, as a list of operations, none of them twice.

A value is one number per entry of a row, or one per row. Elementwise operations are those of
`formulas.trace`; a reduction makes a number of a row (`REDUCTIONS`), and what is picked of a row at
a place is computed of the operands at that place, down to the arrays, which are read there::

    x -> exp(x - x[argmax(x)]) -> sum        1 = argmax(x)      4 = exp(3)
                                             2 = x picked at 1  5 = sum(4)
                                             3 = x - 2

The arrays have two axes here, rows and classes; a row's number may keep its axis or not.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from portable_losses._typing import Options

from ..formulas.trace import (
    BOOL,
    FLOATS,
    SELECT,
    Formula,
    Place,
    Recording,
    RecordingNamespace,
    Step,
    Symbol,
    Untraceable,
)
from .axes import CLASSES, KINDS, SHARE, C, N, Size, broadcast

__all__ = [
    "ARGMAX",
    "LARGEST",
    "LOST",
    "PICK",
    "POSITION",
    "REDUCTIONS",
    "SMALLEST",
    "STRUCTURAL",
    "SUM",
    "RowFormula",
    "RowNamespace",
    "RowRecording",
    "RowSymbol",
    "trace",
]

INDEX = np.dtype(np.int64)
ARGMAX, ALL, ANY, LARGEST, SMALLEST, SUM = REDUCTIONS = (
    *("argmax", "all", "any", "largest", "smallest", "sum"),
)
PICK = "pick"  # an array's entry at a place of the row
POSITION = "position"  # 0, 1, ... along the row
STRUCTURAL = frozenset([*REDUCTIONS, POSITION, CLASSES, SHARE])  # what is not computed by entries


class RowFormula(NamedTuple):
    """A `Formula` of rows: of each value, whether there is one per entry; the kind of each result.

    `kinds` are those of the arguments, then of the results: keys of `KINDS`.
    """

    formula: Formula
    per_entry: tuple[bool, ...]
    kinds: tuple[str, ...]


class RowRecording(Recording):
    """The steps so far, and which values are one per entry."""

    picks_largest = False  # or what is computed is picked as a whole where its largest entry is

    def __init__(self, dtypes: Sequence[Any], kinds: Sequence[str], dtype: Any) -> None:
        super().__init__(dtypes)
        self.per_entry = [KINDS[kind][-1] == C for kind in kinds]
        self.dtype = dtype
        self.sizes: dict[Any, Any] = {N: Size(self, N), C: Size(self, C), 1: 1}
        self._picked: dict[tuple[Place, Place], Any] = {}

    def argument(self, number: int, kind: str) -> "RowSymbol":
        """Return an array of the formula."""
        return RowSymbol(self, Place(number), self.dtypes[number], KINDS[kind])

    def made(
        self,
        operation: Any,
        operands: tuple[Any, ...],
        dtype: Any,
        axes: tuple[Any, ...],
        *,
        per_entry: bool,
    ) -> "RowSymbol":
        """Write down an operation that is not elementwise, unless it stands there already."""
        key = operation, *operands
        found = self.known.get(key)
        if found is None:
            found = Symbol(self, Place(len(self.dtypes)), dtype)
            self.dtypes.append(dtype)
            self.per_entry.append(per_entry)
            self.steps.append(Step(operation, operands, dtype))
            self.known[key] = found
        return RowSymbol(self, found.place, dtype, axes)

    def apply(self, operation: Any, *operands: Any, dtype: Any = None) -> Any:
        """Write down an elementwise operation on symbols and scalars."""
        operands = tuple([x.number() if isinstance(x, Size) else x for x in operands])
        given = [x for x in operands if isinstance(x, RowSymbol)]
        axes = broadcast([x.axes for x in given])
        lost = next((x for x in given if x.place == LOST), None)
        if lost is not None:
            return RowSymbol(self, LOST, dtype or lost.dtype, axes)
        before = len(self.dtypes)
        found = super().apply(operation, *operands, dtype=dtype)
        if len(self.dtypes) > before:
            self.per_entry.append(any(self.per_entry[x.place.number] for x in given))
        if not isinstance(found, Symbol):
            return found
        return RowSymbol(self, found.place, found.dtype, axes)

    def picked(self, x: Place, at: Place) -> Any:
        """Return the operand that is the value `x` at the place `at` of each row, or a bool."""
        if not self.per_entry[x.number]:
            return x
        if (x, at) not in self._picked:
            self._picked[x, at] = self._picked_now(x, at)
        return self._picked[x, at]

    def _picked_now(self, x: Place, at: Place) -> Any:
        """Return the same, of an operation the operation of what its operands are there."""
        dtype = self.dtypes[x.number]
        if x.number < self.count or (self.picks_largest and self._is_largest(x, at)):
            return self.made(PICK, (x, at), dtype, (N, 1), per_entry=False).place
        step = self.steps[x.number - self.count]
        if step.operation == POSITION:
            return at
        found = [self.picked(y, at) if isinstance(y, Place) else y for y in step.operands]
        known = _folded(step.operation, found, of_places=self._is_of_places(step))
        if known is not None:
            return known
        given = [self._symbol(y) for y in found]
        made = self.apply(step.operation, *given, dtype=dtype)
        return made.place if isinstance(made, Symbol) else made

    def _is_largest(self, x: Place, at: Place) -> bool:
        """Say whether the largest entry of a value is picked."""
        step = self.steps[at.number - self.count] if at.number >= self.count else None
        return step is not None and step.operation == ARGMAX and step.operands == (x,)

    def _is_of_places(self, step: Step) -> bool:
        x = step.operands[0]
        return isinstance(x, Place) and self.dtypes[x.number] == INDEX

    def _symbol(self, x: Any) -> Any:
        if isinstance(x, bool):
            raise Untraceable
        return RowSymbol(self, x, self.dtypes[x.number], (N, 1)) if isinstance(x, Place) else x


LOST = Place(-1)  # what no code of a row can compute; a result may not depend on it


def _folded(operation: Any, operands: Sequence[Any], *, of_places: bool) -> Any:
    """Return what an operation makes of operands that are known, None if it must be computed."""
    if operation is np.equal and of_places and operands[0] == operands[1]:
        return True  # a number is not equal to itself if it is NaN
    if operation is np.invert and isinstance(operands[0], bool):
        return not operands[0]
    if operation == SELECT and isinstance(operands[0], bool):
        return operands[1] if operands[0] else operands[2]
    if operation in (np.bitwise_and, np.bitwise_or):
        for own, other in (operands, operands[::-1]):
            if isinstance(own, bool):
                return other if own is (operation is np.bitwise_and) else own
    return None


class RowSymbol(Symbol):
    """An array of which only the dtype is known, and its axes."""

    __slots__ = ("axes",)
    __hash__ = object.__hash__
    recording: Any

    def __init__(self, recording: Any, place: Place, dtype: Any, axes: tuple[Any, ...]) -> None:
        super().__init__(recording, place, dtype)
        self.axes = axes

    @property
    def shape(self) -> tuple[Any, ...]:
        """Its sizes."""
        return tuple([self.recording.sizes[axis] for axis in self.axes])

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.axes)

    def __getitem__(self, key: Any) -> "RowSymbol":
        """Return the same with an axis of size 1 more at the end, or less."""
        if key == (..., None):
            return self._as((*self.axes, 1))
        if key == (..., 0) and self.axes[-1:] == (1,):
            return self._as(self.axes[:-1])
        raise Untraceable

    def _as(self, axes: tuple[Any, ...]) -> "RowSymbol":
        return RowSymbol(self.recording, self.place, self.dtype, axes)


class RowNamespace(RecordingNamespace):
    """The namespace in which a function of rows is written down."""

    _recording: RowRecording

    def _reduced(self, name: str, x: Any, axis: Any, *, keepdims: bool, dtype: Any = None) -> Any:
        """Write down a reduction along the classes; over rows it is lost."""
        if not isinstance(x, RowSymbol):
            raise Untraceable
        axes = axis if isinstance(axis, tuple) else (axis,)
        if None in axes:
            raise Untraceable
        counted = {a % x.ndim for a in axes}
        left = [1 if i in counted else a for i, a in enumerate(x.axes)]
        if not keepdims:
            left = [a for i, a in enumerate(x.axes) if i not in counted]
        dtype = dtype or x.dtype
        gone = {x.axes[i] for i in counted}
        if N in gone or x.place == LOST:
            return RowSymbol(self._recording, LOST, dtype, tuple(left))
        if C not in gone:
            return RowSymbol(self._recording, x.place, x.dtype, tuple(left))
        if not self._recording.per_entry[x.place.number]:
            if name == SUM:
                x = x * self._recording.sizes[C].number()
            return RowSymbol(self._recording, x.place, x.dtype, tuple(left))
        return self._recording.made(name, (x.place,), dtype, tuple(left), per_entry=False)

    def sum(self, x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        """``xp.sum`` of a row."""
        if x.dtype not in FLOATS or dtype not in (None, x.dtype):
            raise Untraceable
        return self._reduced(SUM, x, axis, keepdims=keepdims)

    def max(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """``xp.max`` of a row."""
        return self._reduced(LARGEST, x, axis, keepdims=keepdims)

    def min(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """``xp.min`` of a row."""
        return self._reduced(SMALLEST, x, axis, keepdims=keepdims)

    def all(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """``xp.all`` of a row."""
        return self._reduced(ALL, x, axis, keepdims=keepdims)

    def any(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """``xp.any`` of a row."""
        return self._reduced(ANY, x, axis, keepdims=keepdims)

    def argmax(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """``xp.argmax`` of a row."""
        return self._reduced(ARGMAX, x, axis, keepdims=keepdims, dtype=INDEX)

    def arange(self, stop: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
        """``xp.arange`` of the size of a row."""
        if not isinstance(stop, Size) or stop.name != C or dtype != INDEX:
            raise Untraceable
        return self._recording.made(POSITION, (), INDEX, (C,), per_entry=True)

    def take_along_axis(self, x: Any, indices: Any, /, *, axis: int = -1) -> Any:
        """``xp.take_along_axis`` of one place in each row."""
        if axis % x.ndim != x.ndim - 1 or indices.axes[-1] != 1 or indices.dtype != INDEX:
            raise Untraceable
        axes = (*broadcast([x.axes[:-1], indices.axes[:-1]]), 1)
        if LOST in (x.place, indices.place):
            return RowSymbol(self._recording, LOST, x.dtype, axes)
        found = self._recording.picked(x.place, indices.place)
        if not isinstance(found, Place):
            raise Untraceable
        return RowSymbol(self._recording, found, x.dtype, axes)

    def broadcast_to(self, x: RowSymbol, shape: Any, /) -> RowSymbol:
        """``xp.broadcast_to``: nothing to compute."""
        names = [1 if isinstance(size, int) else size.name for size in shape]
        return x._as(broadcast([x.axes, tuple(names)]))

    def broadcast_arrays(self, *arrays: Any) -> list[Any]:
        """``xp.broadcast_arrays``: nothing to compute."""
        axes = broadcast([x.axes for x in arrays])
        return [x._as(axes) for x in arrays]

    def full_like(self, x: RowSymbol, value: Any, /) -> Any:
        """``xp.full_like``: the number itself."""
        return value._as(x.axes) if isinstance(value, RowSymbol) else x.dtype.type(value)

    int64 = INDEX


def trace(
    function: Callable[..., Any],
    dtypes: Sequence[Any],
    kinds: Sequence[str],
    options: Options,
    *,
    native: Sequence[str] = (),
    namespace: Callable[[RowRecording, Sequence[str]], Any] = RowNamespace,
) -> RowFormula:
    """Return the formula of ``function(*arrays, **options)``; the dtype None: an absent array.

    Of each array that is present there is its kind. The function may return None among others.
    `namespace` is made of the recording and the `native` functions.
    """
    floats = {d for d in dtypes if d is not None and d not in (BOOL, INDEX)}
    if len(floats) != 1 or not floats.issubset(FLOATS):
        raise Untraceable
    present = [d for d in dtypes if d is not None]
    recording = RowRecording(present, kinds, *floats)
    symbols = iter([recording.argument(i, kind) for i, kind in enumerate(kinds)])
    given = [None if d is None else next(symbols) for d in dtypes]
    made = function(*given, **{**options, "xp": namespace(recording, native)})
    listed = made if isinstance(made, tuple) else (made,)
    rows = _needed(recording, kinds, [x for x in listed if x is not None])
    if not isinstance(made, tuple):
        return rows
    several = tuple([x is not None for x in made])
    return rows._replace(formula=rows.formula._replace(several=several))


def _needed(recording: RowRecording, kinds: Sequence[str], results: Sequence[Any]) -> RowFormula:
    """Return the formula of these results, without the steps that none of them depends on."""
    if not all(isinstance(x, RowSymbol) and x.place != LOST for x in results):
        raise Untraceable
    named = {axes: kind for kind, axes in KINDS.items()}
    own = [named.get(x.axes) for x in results]
    if not all(own):
        raise Untraceable
    count, steps = recording.count, recording.steps
    wanted = {x.place.number for x in results}
    for number in range(len(recording.dtypes) - 1, count - 1, -1):
        if number in wanted:
            operands = steps[number - count].operands
            wanted.update(x.number for x in operands if isinstance(x, Place))
    kept = sorted(x for x in wanted if x >= count)
    order = [*range(count), *kept]
    places = {old: Place(new) for new, old in enumerate(order)}

    def moved(x: Any) -> Any:
        return places[x.number] if isinstance(x, Place) else x

    formula = Formula(
        count,
        tuple(
            [
                step._replace(operands=tuple(map(moved, step.operands)))
                for step in (steps[x - count] for x in kept)
            ]
        ),
        tuple([moved(x.place) for x in results]),
        tuple([x.dtype for x in results]),
        recording.dtype,
    )
    per_entry = tuple([recording.per_entry[x] for x in order])
    return RowFormula(formula, per_entry, (*kinds, *(str(kind) for kind in own)))
