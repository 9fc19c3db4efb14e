"""In which rounds the sums of a formula of rows are exchanged, whose entries lie in parts.

The numbers that one round exchanges depend on those of earlier rounds alone. Those that need no
gradient are exchanged with the value, though the gradients need them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..formulas.trace import Place, Step
from .rewritten import EXCHANGED, LATE, Rewritten
from .trace import RowFormula

__all__ = ["Phase", "Rounds", "rounds"]


class Phase(NamedTuple):
    """What is computed before each round, then the reductions of it; the last round has none."""

    rounds: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    results: tuple[Any, ...]  # places, or numbers


class Rounds(NamedTuple):
    """The steps by their number, and the two phases: of the value, and of the gradients."""

    given: int
    steps: tuple[Step, ...]
    value: Phase
    gradients: Phase


def rounds(rows: RowFormula, gradients: int, values: int) -> Rounds:
    """Return the rounds of a formula, of which so many arrays are gradients, and results values."""
    written = Rewritten(rows, gradients)
    made: list[Any] = [Place(i) for i in range(rows.formula.given)]

    def moved(x: Any) -> Any:
        return made[x.number] if isinstance(x, Place) else x

    for step in rows.formula.steps:
        made += [written.make(step.operation, tuple(map(moved, step.operands)), step.dtype)]
    found = [written.whole(moved(x)) for x in rows.formula.results]
    return _Ordered(written).rounds(found[:values], found[values:])


class _Ordered:
    """The steps of a formula, put in order."""

    def __init__(self, written: Rewritten) -> None:
        self.given, self.steps, self.stages = written.given, written.steps, written.stages

    def rounds(self, values: list[Any], gradients: list[Any]) -> Rounds:
        """Return the rounds in which these results are known."""
        wanted = self._needed([*values, *gradients])
        exchanged = [i for i in sorted(wanted) if self._is_exchanged(i)]
        early = [i for i in exchanged if self.stages[i] < LATE]
        late = [i for i in exchanged if self.stages[i] >= LATE]
        value, pulled = self._phase(early, values, ()), self._phase(late, gradients, early)
        return Rounds(self.given, tuple(self.steps), value, pulled)

    def _is_exchanged(self, number: int) -> bool:
        return number >= self.given and self.steps[number].operation in EXCHANGED

    def _needed(self, results: Sequence[Any]) -> set[int]:
        """Return the numbers of what these depend on."""
        todo, found = [x for x in results if isinstance(x, Place)], set[int]()
        while todo:
            x = todo.pop()
            if x.number in found:
                continue
            found.add(x.number)
            if x.number >= self.given:
                todo += [y for y in self.steps[x.number].operands if isinstance(y, Place)]
        return found

    def _phase(self, exchanged: list[int], results: list[Any], known: Sequence[int]) -> Phase:
        """Return the steps between the rounds of these sums, each computed when it is needed."""
        done, made = {*range(self.given), *known}, []
        for stage in sorted({self.stages[i] for i in exchanged}):
            own = tuple([i for i in exchanged if self.stages[i] == stage])
            made.append((self._order([self.steps[i].operands[0] for i in own], done), own))
            done.update(own)
        return Phase((*made, (self._order(results, done), ())), tuple(results))

    def _order(self, results: Sequence[Any], done: set[int]) -> tuple[int, ...]:
        """Return the steps to these results that are not `done` yet, in an order to take them."""
        order: list[int] = []
        todo = [x.number for x in reversed(results) if isinstance(x, Place)]
        while todo:
            x = todo[-1]
            missing = (
                []
                if x in done
                else [
                    y.number
                    for y in self.steps[x].operands
                    if isinstance(y, Place) and y.number not in done
                ]
            )
            if missing:
                todo += missing
                continue
            todo.pop()
            if x not in done:
                done.add(x)
                order.append(x)
        return tuple(order)
