"""A formula of rows whose entries lie in parts, written so that sums wait for each other less.

Each process has some entries of every row. What is reduced is a sum over the processes: of its own
entries' sum, or of its largest entry in a place of its own among those of all. A sum is known a
round later than what is added, and these rules make what is added known earlier:

- what a row's condition selects is reduced in both cases, where the condition comes later;
- a number of the row that comes later, as the gradient of a loss does, is a factor of the sum;
- ``log1p`` of such a sum, which a logarithm of probabilities lacks, is taken off the sum;
- ``sum((a - a[k]) * y)`` is ``sum(a * y) - a[k] * sum(y)`` over the others than k.
"""

from typing import Any

import numpy as np

from ..formulas.trace import BOOL, CAST, SELECT, Place, Step
from .axes import CLASSES, SHARE
from .trace import (
    ALL,
    ANY,
    ARGMAX,
    INDEX,
    LARGEST,
    PICK,
    POSITION,
    REDUCTIONS,
    SMALLEST,
    SUM,
    RowFormula,
)

__all__ = ["EACH", "EXCHANGED", "FIRST", "LATE", "TOP", "Rewritten"]

EACH = "each"  # each process's largest entry, in a place of its own: a reduction
TOP = "top"  # the largest of these
FIRST = "first"  # a mask of the row's first largest entry, of the entries and these
EXCHANGED = frozenset([SUM, EACH])
LATE = 1000  # the round of what depends on gradients


class Rewritten:
    """The steps so far, none of them twice, and of each the round after which it is known."""

    def __init__(self, rows: RowFormula, gradients: int) -> None:
        self.given = rows.formula.given
        self.dtype = rows.formula.dtype
        self.steps: list[Any] = [None] * self.given
        self.per_entry = list(rows.per_entry[: self.given])
        self.stages = [LATE if i < gradients else 0 for i in range(self.given)]
        self.known: dict[Any, Place] = {}

    # ---- what is asked of a value --------------------------------------------------------------

    def stage(self, *xs: Any) -> int:
        """Return after which round all of these are known."""
        return max([self.stages[x.number] for x in xs if isinstance(x, Place)], default=0)

    def is_row(self, x: Any) -> bool:
        """Say whether this is a number of the row, or one of all."""
        return not (isinstance(x, Place) and self.per_entry[x.number])

    def step(self, x: Any, *operations: Any) -> Any:
        """Return the operands of a value that is made by one of these operations, else None."""
        step = self.steps[x.number] if isinstance(x, Place) else None
        return step.operands if step is not None and step.operation in operations else None

    def cases(self, x: Any) -> Any:
        """Return condition and cases of a selection by a row's condition that comes later."""
        found = self.step(x, SELECT)
        if found is None or not self.is_row(found[0]):
            return None
        return found if self.stage(*found[1:]) < self.stage(found[0]) else None

    # ---- what is written -----------------------------------------------------------------------

    def write(self, operation: Any, xs: tuple[Any, ...], dtype: Any, *, per_entry: bool) -> Place:
        """Write a step down, unless it stands there already."""
        key = operation, dtype, *[x if isinstance(x, Place) else (type(x), str(x)) for x in xs]
        if key not in self.known:
            self.known[key] = Place(len(self.steps))
            self.steps.append(Step(operation, xs, dtype))
            self.per_entry.append(per_entry)
            self.stages.append(self.stage(*xs) + (operation in EXCHANGED))
        return self.known[key]

    def make(self, operation: Any, xs: tuple[Any, ...], dtype: Any) -> Any:
        """Return an operation of values and numbers, by the rules."""
        if operation in REDUCTIONS:
            return self.reduce(operation, xs[0], dtype)
        if operation == PICK:
            return self.pick(*xs, dtype=dtype)
        if operation in (POSITION, CLASSES, SHARE):
            return self.write(operation, xs, dtype, per_entry=operation == POSITION)
        if operation is np.equal:
            for x, y in (xs, xs[::-1]):
                if self.step(x, POSITION) is not None and (own := self.step(y, ARGMAX)):
                    return self.first(*own)
        if operation == SELECT:
            return self.select(*xs, dtype=dtype)
        if operation is np.not_equal and _is_zero(xs[1]) and (own := self.step(xs[0], SHARE)):
            return np.bool_(own[0] != 0)
        if operation in (np.bitwise_or, np.bitwise_and):
            for x, other in (xs, xs[::-1]):
                if isinstance(x, np.bool_):
                    return other if bool(x) is (operation is np.bitwise_and) else x
        return self.elementwise(operation, xs, dtype)

    def select(self, condition: Any, x: Any, y: Any, *, dtype: Any) -> Any:
        """Return a selection, of what is one already what it selects there."""
        for i, own in enumerate((self.step(x, SELECT), self.step(y, SELECT))):
            if own is not None and own[0] == condition:
                x, y = (x, own[2]) if i else (own[1], y)
        if not isinstance(condition, Place):
            return x if condition else y
        return x if _same(x, y) else self.elementwise(SELECT, (condition, x, y), dtype)

    def elementwise(self, operation: Any, xs: tuple[Any, ...], dtype: Any) -> Any:
        """Return an operation, of a row's later condition in both cases."""
        if not any(isinstance(x, Place) for x in xs):
            return _number(operation, xs, dtype)
        split = self.split(xs)
        if split is not None:
            condition, *both = split
            cases = [self.make(operation, case, dtype) for case in both]
            return self.chosen(condition, *cases, dtype=dtype)
        if dtype != INDEX:
            xs = tuple(map(self.whole, xs))
        per_entry = not all(map(self.is_row, xs))
        return self.write(operation, xs, dtype, per_entry=per_entry)

    def split(self, xs: tuple[Any, ...]) -> Any:
        """Return a condition, and the operands in both cases; None where nothing comes later."""
        for x in xs:
            found = self.cases(x)
            if found is None:
                continue
            condition = found[0]
            owns = [self.step(y, SELECT) for y in xs]
            both = [
                tuple(
                    [
                        own[i] if own is not None and own[0] == condition else y
                        for y, own in zip(xs, owns, strict=True)
                    ]
                )
                for i in (1, 2)
            ]
            if self.stage(*both[0], *both[1]) < self.stage(condition):
                return condition, *both
        return None

    def chosen(self, condition: Place, x: Any, y: Any, *, dtype: Any) -> Any:
        """Return what a row's condition selects."""
        if _same(x, y):
            return x
        per_entry = not (self.is_row(x) and self.is_row(y))
        return self.write(SELECT, (condition, x, y), dtype, per_entry=per_entry)

    # ---- reductions ----------------------------------------------------------------------------

    def reduce(self, operation: str, x: Any, dtype: Any) -> Any:
        """Return a reduction of the row."""
        found = self.cases(x)
        if found is not None:
            return self.chosen(
                found[0], *[self.reduce(operation, y, dtype) for y in found[1:]], dtype=dtype
            )
        if operation == SUM:
            return self.sum(x)
        if self.is_row(x):
            return np.int64(0) if operation == ARGMAX else x
        if operation in (ANY, ALL):
            own = x if operation == ANY else self.make(np.invert, (x,), BOOL)
            count = self.sum(self.make(CAST, (own,), self.dtype))
            compare = np.greater if operation == ANY else np.equal
            return self.make(compare, (count, self.dtype.type(0)), BOOL)
        if operation == SMALLEST:
            return self.negative(self.reduce(LARGEST, self.negative(x), dtype))
        if operation == ARGMAX:  # a place that is asked for: see `first` and `whole`
            return self.write(ARGMAX, (x,), INDEX, per_entry=False)
        each = self.write(EACH, (x,), dtype, per_entry=False)
        return self.write(TOP, (each,), dtype, per_entry=False)

    def first(self, x: Any) -> Place:
        """Return the mask of the first largest entry."""
        each = self.write(EACH, (x,), self.dtype, per_entry=False)
        return self.write(FIRST, (x, each), BOOL, per_entry=True)

    def whole(self, x: Any) -> Any:
        """Return a value, of the place of the largest entry as a number: known a round later."""
        own = self.step(x, SELECT)
        if own is not None and self.steps[x.number].dtype == INDEX:
            return self.chosen(own[0], *map(self.whole, own[1:]), dtype=INDEX)
        own = self.step(x, ARGMAX)
        if own is None:
            return x
        position = self.write(POSITION, (), INDEX, per_entry=True)
        place = self.make(CAST, (position,), self.dtype)
        return self.make(CAST, (self.sum(self.only(self.first(*own), place)),), INDEX)

    def pick(self, x: Any, at: Any, *, dtype: Any) -> Any:
        """Return the entry at a place of the row."""
        if self.is_row(x):
            return x
        split = self.split((x, at))
        if split is not None:
            condition, *both = split
            return self.chosen(
                condition, *[self.pick(*case, dtype=dtype) for case in both], dtype=dtype
            )
        own = self.step(at, ARGMAX)
        if own == (x,):
            return self.reduce(LARGEST, x, dtype)
        position = self.write(POSITION, (), INDEX, per_entry=True)
        there = self.make(np.equal, (position, at), BOOL)
        if dtype == self.dtype:
            return self.sum(self.only(there, x))
        found = self.sum(self.only(there, self.make(CAST, (x,), self.dtype)))
        return self.make(CAST, (found,), dtype)

    def only(self, mask: Any, x: Any) -> Any:
        """Return the entries under a mask, and 0."""
        return self.make(SELECT, (mask, x, self.dtype.type(0)), self.dtype)

    def but(self, mask: Any, x: Any) -> Any:
        """Return the entries that are not under a mask, and 0."""
        return self.make(SELECT, (mask, self.dtype.type(0), x), self.dtype)

    def times(self, x: Any, y: Any) -> Any:
        """Return a product."""
        for own, other in ((x, y), (y, x)):
            if not isinstance(own, Place) and own == 1:
                return other
        return self.make(np.multiply, (x, y), self.dtype)

    def negative(self, x: Any) -> Any:
        """Return the same with the other sign."""
        return self.make(np.negative, (x,), self.dtype)

    def sum(self, x: Any) -> Any:
        """Return the sum of a row."""
        found = self.cases(x)
        if found is not None:
            return self.chosen(found[0], *map(self.sum, found[1:]), dtype=self.dtype)
        if self.is_row(x):
            return self.times(x, self.write(CLASSES, (), self.dtype, per_entry=False))
        apart = self.apart(x)
        if apart is not None:
            return apart
        terms = self.terms(x, self.stage(x))
        if terms is None:
            return self.write(SUM, (x,), self.dtype, per_entry=False)
        (factor, rest), *others = terms
        found = self.times(factor, self.sum(rest))
        for factor, rest in others:
            found = self.make(np.add, (found, self.times(factor, self.sum(rest))), self.dtype)
        return found

    def terms(self, x: Any, late: int) -> list[tuple[Any, Any]] | None:
        """Return numbers of the row and what each multiplies, that known before `late`; or None.

        The sum of these products is `x`.
        """
        one = self.dtype.type(1)
        if self.stage(x) < late:
            return [(one, x)]
        if self.is_row(x):
            return [(x, one)]
        if own := self.step(x, np.multiply):
            for y, other in (own, own[::-1]):
                if self.is_row(y) or self.stage(y) < late:
                    found = self.terms(other, late)
                    if found is not None and self.is_row(y):
                        return [(self.times(y, factor), rest) for factor, rest in found]
                    if found is not None:
                        return [(factor, self.times(y, rest)) for factor, rest in found]
        if own := self.step(x, np.negative):
            return self.without(None, *own, late=late)
        if (own := self.step(x, np.subtract)) and (_is_zero(own[0]) or self.step(own[1], np.log1p)):
            return self.without(*own, late=late)
        if (own := self.step(x, SELECT)) and self.stage(own[0]) < late:
            for i, masked in ((1, self.but), (2, self.only)):
                found = self.terms(own[3 - i], late) if _is_zero(own[i]) else None
                if found is not None:
                    return [(factor, masked(own[0], rest)) for factor, rest in found]
        return None

    def without(self, x: Any, y: Any, *, late: int) -> list[tuple[Any, Any]] | None:
        """Return the terms of ``x - y``; no x: of ``-y``."""
        first = [] if x is None or _is_zero(x) else self.terms(x, late)
        second = self.terms(y, late)
        if first is None or second is None:
            return None
        return [*first, *[(self.negative(factor), rest) for factor, rest in second]]

    def apart(self, x: Any) -> Any:
        """Return ``sum((a - a[k]) * y)`` as two sums of the others; None of another sum."""
        product = self.step(x, np.multiply) or ()
        for difference, y in zip(product, product[::-1], strict=True):
            own = self.step(difference, np.subtract)
            if own is None or not self.is_row(own[1]):
                continue
            a, k = own
            picked = self.step(self.step(k, SUM) and self.step(k, SUM)[0], SELECT)
            if picked is None or not (picked[1] == a and _is_zero(picked[2])):
                continue
            others = [self.sum(self.but(picked[0], z)) for z in (self.times(a, y), y)]
            return self.make(np.subtract, (others[0], self.times(k, others[1])), self.dtype)
        return None


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, Place) or isinstance(y, Place):
        return isinstance(x, Place) and isinstance(y, Place) and x == y
    return str(x) == str(y)


def _is_zero(x: Any) -> bool:
    return not isinstance(x, Place) and bool(x == 0)


def _number(operation: Any, xs: tuple[Any, ...], dtype: Any) -> Any:
    """Return what an operation makes of numbers."""
    with np.errstate(all="ignore"):
        if operation == CAST:
            return dtype.type(xs[0])
        return dtype.type(operation(*xs))
