"""Reductions of a row: a state for each lane, and how it becomes one number.

Lanes are joined in halves, so the order of all additions is fixed by the number of lanes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from ..formulas.arithmetic_llvm import Arithmetic
from ..formulas.elementary.two_parts import exact_sum_of_any
from ..formulas.loops_llvm import LONG
from .trace import ALL, ANY, ARGMAX, LARGEST, SMALLEST, SUM
from .vectors_llvm import Turn

__all__ = ["REDUCERS"]

INT = ir.IntType(32)
INF = float("inf")
NOWHERE = 2**31 - 1  # behind every place
Values = Sequence[Any]


class Reducer:
    """A reduction in a loop of vectors; what is not `there` is beyond the end of the row."""

    def __init__(self, a: Arithmetic, builder: Any, module: Any) -> None:
        self.a = a
        self.builder = builder
        self.module = module

    def start(self) -> list[Any]:
        """Return the state before the first vector."""
        raise NotImplementedError

    def step(self, state: Values, x: Any, there: Any, turn: Turn) -> list[Any]:
        """Return the state with a vector more."""
        raise NotImplementedError

    def end(self, state: Values) -> Any:
        """Return the number of the row."""
        raise NotImplementedError

    def halves(self, x: Any) -> tuple[Any, Any]:
        """Return the lower and the upper half of a vector."""
        half = x.type.count // 2
        masks = [
            ir.Constant(ir.VectorType(INT, half), list(range(first, first + half)))
            for first in (0, half)
        ]
        first, second = [self.builder.shuffle_vector(x, x, mask) for mask in masks]
        return first, second

    def joined(self, state: Values, join: Callable[..., list[Any]]) -> list[Any]:
        """Return a state of one lane: halves are joined until it is one."""
        parts = list(state)
        while parts[0].type.count > 1:
            pairs = [self.halves(x) for x in parts]
            parts = join([x for x, _ in pairs], [y for _, y in pairs])
        return [self.builder.extract_element(x, ir.Constant(INT, 0)) for x in parts]

    def arithmetic(self, like: Any) -> Arithmetic:
        """Return the arithmetic of vectors of this size."""
        return Arithmetic(self.builder, self.module, self.a.name, like.type.count)


class Sum(Reducer):
    """Of float32 a sum in float64; of float64 one with what is lost, added up as well."""

    def start(self) -> list[Any]:
        zero = self.a.wide.constant(0.0)
        return [zero] if self.a.name == "float32" else [zero, zero]

    def step(self, state: Values, x: Any, there: Any, turn: Turn) -> list[Any]:
        a = self.a
        if a.name == "float32":  # widened first: from memory this takes one step
            return [a.wide.add(state[0], a.wide.select(there, a.widened(x), 0.0))]
        x = a.select(there, x, 0.0)
        both = exact_sum_of_any(a, state[0], x)
        return [both.high, a.add(state[1], both.low)]

    def end(self, state: Values) -> Any:
        wide = Arithmetic(self.builder, self.module, "float64")

        def join(x: Values, y: Values) -> list[Any]:
            a = Arithmetic(self.builder, self.module, "float64", x[0].type.count)
            if len(x) == 1:
                return [a.add(x[0], y[0])]
            both = exact_sum_of_any(a, x[0], y[0])
            return [both.high, a.add(both.low, a.add(x[1], y[1]))]

        found = self.joined(state, join)
        if len(found) == 1:
            return self.builder.fptrunc(found[0], ir.FloatType())
        total, lost = found
        return wide.select(wide.equal(lost, lost), wide.add(total, lost), total)


class Largest(Reducer):
    """The largest entry and its place, the first of equal ones; NaN is larger than all.

    The place of the first NaN is a part of the state of its own: comparisons with what is the
    largest so far wait for each other.
    """

    sign = 1.0

    def start(self) -> list[Any]:
        lanes = self.a.lanes
        first = ir.Constant(ir.VectorType(INT, lanes), list(range(lanes)))
        return [self.a.constant(-self.sign * INF), first, self.a.same(INT, NOWHERE)]

    def better(self, a: Arithmetic, x: Any, y: Any) -> Any:
        """Say whether `x` takes the place of `y`."""
        return a.greater(x, y) if self.sign > 0 else a.less(x, y)

    def step(self, state: Values, x: Any, there: Any, turn: Turn) -> list[Any]:
        a, b = self.a, self.builder
        x = a.select(there, x, -self.sign * INF)
        chosen = self.better(a, x, state[0])
        return [
            a.select(chosen, x, state[0]),
            b.select(chosen, turn.places, state[1]),
            b.select(a.not_equal(x, x), self._earlier(turn.places, state[2]), state[2]),
        ]

    def end(self, state: Values) -> Any:
        value, _, nan = self._ended(state)
        one = Arithmetic(self.builder, self.module, self.a.name)
        there = self.builder.icmp_signed("<", nan, ir.Constant(INT, NOWHERE))
        return one.select(there, float("nan"), value)

    def _earlier(self, x: Any, y: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def _ended(self, state: Values) -> list[Any]:
        """Return the state with the lanes joined."""

        def join(x: Values, y: Values) -> list[Any]:
            a, b = self.arithmetic(x[0]), self.builder
            earlier = b.and_(a.equal(x[0], y[0]), b.icmp_signed("<", y[1], x[1]))
            chosen = b.or_(self.better(a, y[0], x[0]), earlier)
            return [*(b.select(chosen, y[i], x[i]) for i in range(2)), self._earlier(x[2], y[2])]

        return self.joined(state, join)


class Smallest(Largest):
    """The smallest entry; NaN if there is one."""

    sign = -1.0


class PlaceOfLargest(Largest):
    """The place of the largest entry."""

    def end(self, state: Values) -> Any:
        _, place, nan = self._ended(state)
        there = self.builder.icmp_signed("<", nan, ir.Constant(INT, NOWHERE))
        return self.builder.zext(self.builder.select(there, nan, place), LONG)


class Any_(Reducer):  # noqa: N801 - of the builtin's name
    """Whether a condition holds anywhere."""

    def start(self) -> list[Any]:
        return [self.a.same(INT, 0)]

    def step(self, state: Values, x: Any, there: Any, turn: Turn) -> list[Any]:
        found = self.builder.sext(self.builder.and_(x, there), self.a.of(INT))
        return [self.builder.or_(state[0], found)]

    def end(self, state: Values) -> Any:
        (found,) = self.joined(state, lambda x, y: [self.builder.or_(x[0], y[0])])
        return self.builder.icmp_signed("!=", found, ir.Constant(INT, 0))


class All_(Any_):  # noqa: N801
    """Whether a condition holds everywhere."""

    def step(self, state: Values, x: Any, there: Any, turn: Turn) -> list[Any]:
        return super().step(state, self.builder.not_(x), there, turn)

    def end(self, state: Values) -> Any:
        return self.builder.not_(super().end(state))


REDUCERS: dict[str, type[Reducer]] = {
    ALL: All_,
    ANY: Any_,
    ARGMAX: PlaceOfLargest,
    LARGEST: Largest,
    SMALLEST: Smallest,
    SUM: Sum,
}
