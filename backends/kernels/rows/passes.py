"""How a formula of rows is split into loops over a row.

A reduction ends a loop: what depends on it is computed in a later one. What a later loop needs
of an earlier one is computed again, if that is a few operations, and otherwise kept in a buffer as
long as the row, which stays in cache: an exponential is taken once.
"""

from typing import Any, NamedTuple

import numpy as np

from ..formulas.trace import BOOL, CAST, SELECT, Place
from .trace import POSITION, REDUCTIONS, RowFormula

__all__ = ["Pass", "Plan", "plan"]

KEPT_FROM = 12  # operations from which on loading what was stored is quicker
COSTS = {np.divide: 6, np.sqrt: 12, POSITION: 1}  # in operations
QUICK = frozenset(
    [
        *(np.add, np.subtract, np.multiply, np.negative, np.absolute, np.maximum, np.minimum),
        *(np.floor, np.ceil, np.trunc, np.rint, np.copysign, np.square, np.sign, "fma"),
        *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
        *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.isnan, np.isfinite),
        *(np.isinf, SELECT, CAST),
    ]
)
SLOW = 20  # of every other operation: exp, log and the like


class Pass(NamedTuple):
    """One loop over a row: what it computes, by the numbers of values, in order."""

    values: tuple[int, ...]  # one per entry: computed, or loaded from a buffer
    loaded: frozenset[int]
    kept: frozenset[int]  # stored to buffers
    reductions: tuple[int, ...]
    results: tuple[int, ...]  # the numbers of results, which it stores


class Plan(NamedTuple):
    """The loops over a row, and before which of them each value of a row is computed."""

    passes: tuple[Pass, ...]
    stages: tuple[int, ...]
    buffers: tuple[int, ...]  # the values that are kept
    busiest: int  # the number of the loop that computes longest
    waits: bool  # for memory, into which it writes: nothing before the last loop takes so long


def plan(rows: RowFormula) -> Plan:
    """Return the loops of a formula."""
    formula, per_entry = rows.formula, rows.per_entry
    count = formula.given
    stages = _stages(rows)
    entries = [kind in ("entries", "weights") for kind in rows.kinds[count:]]
    last = max(
        [stages[x.number] - 1 for x in formula.results]
        + [stages[x.number] for x, own in zip(formula.results, entries, strict=True) if own]
    )
    operands: list[tuple[int, ...]] = [()] * count
    operands += [
        tuple([x.number for x in step.operands if isinstance(x, Place)]) for step in formula.steps
    ]
    found: list[Any] = []
    earlier: dict[int, int] = {}  # the first loop that computes a value
    kept: list[set[int]] = []
    for number in range(last + 1):
        reductions = tuple(
            [
                count + i
                for i, step in enumerate(formula.steps)
                if step.operation in REDUCTIONS and stages[count + i] == number + 1
            ]
        )
        results = tuple(
            [i for i, x in enumerate(formula.results) if entries[i] and stages[x.number] == number]
        )
        roots = [operands[x][0] for x in reductions]
        roots += [formula.results[i].number for i in results]
        values: set[int] = set()
        loaded: set[int] = set()
        kept.append(set())
        todo = [(x, number) for x in roots]
        while todo:
            x, user = todo.pop()
            if not per_entry[x] or x in values:
                continue
            values.add(x)
            home = earlier.setdefault(x, number)
            cost = _cost(rows, x, operands) if home < number else 0
            if cost >= (KEPT_FROM if stages[x] < user else SLOW):
                loaded.add(x)
                kept[home].add(x)
                continue
            todo += [(y, stages[x]) for y in operands[x]]
        found.append((values, loaded, reductions, results))
    passes = tuple(
        [
            Pass(tuple(sorted(values)), frozenset(loaded), frozenset(own), reductions, results)
            for (values, loaded, reductions, results), own in zip(found, kept, strict=True)
        ]
    )
    lengths = [
        sum(_own_cost(rows, x) for x in each.values if x not in each.loaded) for each in passes
    ]
    busiest = lengths.index(max(lengths)) if lengths else 0  # a formula of picked entries has none
    waits = max(lengths[:-1], default=0) < SLOW
    return Plan(passes, tuple(stages), tuple(sorted(set().union(*kept))), busiest, waits)


def _stages(rows: RowFormula) -> list[int]:
    """Return of each value the number of the first loop that may use it."""
    stages = [0] * rows.formula.given
    for step in rows.formula.steps:
        stage = max([stages[x.number] for x in step.operands if isinstance(x, Place)], default=0)
        stages.append(stage + (step.operation in REDUCTIONS))
    return stages


def _cost(rows: RowFormula, x: int, operands: list[tuple[int, ...]]) -> int:
    """Return how many operations it takes to compute a value of an entry from the arrays.

    None for a truth value: what it was found by is kept, as buffers hold numbers.
    """
    count, seen, todo, cost = rows.formula.given, set[int](), [x], 0
    if x >= count and rows.formula.steps[x - count].dtype == BOOL:
        return 0
    while todo:
        y = todo.pop()
        if y in seen or not rows.per_entry[y] or y < count:
            continue
        seen.add(y)
        cost += _own_cost(rows, y)
        todo += operands[y]
    return cost


def _own_cost(rows: RowFormula, x: int) -> int:
    """Return how many operations a value of an entry takes, once its operands are there."""
    if x < rows.formula.given:
        return 0
    operation = rows.formula.steps[x - rows.formula.given].operation
    return 1 if operation in QUICK else COSTS.get(operation, SLOW)
