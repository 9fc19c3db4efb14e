"""How a formula of rows is split into loops over a row.

A reduction ends a loop: what depends on it is computed in a later one. What a later loop needs
of an earlier one is computed again, if that is a few operations, and otherwise kept in a buffer as
long as the row, which stays in cache: an exponential is taken once.
"""

from typing import NamedTuple

import numpy as np

from ..formulas.trace import BOOL, CAST, SELECT, Place
from .trace import POSITION, REDUCTIONS, SUM, RowFormula

__all__ = ["Pass", "Plan", "Summand", "plan", "summand"]

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
    """One loop over a row: what it computes, by the numbers of values, in order.

    It comes after the numbers of the row of its stage.
    """

    stage: int
    values: tuple[int, ...]  # one per entry: computed, or loaded from a buffer
    loaded: frozenset[int]
    kept: frozenset[int]  # stored to buffers
    reductions: tuple[int, ...]
    results: tuple[int, ...]  # the numbers of results, which it stores


class Summand(NamedTuple):
    """What a reduction takes: a value, and of a sum whose other terms are zeros, where.

    It is taken where a condition (the number of its value) holds, or where it does not.
    """

    value: int
    condition: int | None = None
    holds: bool = True


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
    earlier: dict[int, int] = {}  # the first loop that computes a value
    kept: list[set[int]] = []
    passes: list[Pass] = []

    def add(
        stage: int,
        roots: list[int],
        reductions: list[int],
        results: list[int],
        ready: frozenset[int] = frozenset(),
    ) -> None:
        """Add a loop for these values; what is `ready` it loads in any case."""
        values, loaded = set[int](), set[int]()
        todo = [(x, stage) for x in roots]
        while todo:
            x, user = todo.pop()
            if not per_entry[x] or x in values:
                continue
            values.add(x)
            home = earlier.setdefault(x, len(passes))
            known = home < len(passes) and passes[home].stage < stage
            cost = _cost(rows, x, operands) if known else 0
            if x in ready or cost >= (KEPT_FROM if stages[x] < user else SLOW):
                loaded.add(x)
                kept[home].add(x)
                continue
            todo += [(y, stages[x]) for y in operands[x]]
        own = tuple(sorted(values)), frozenset(loaded), frozenset[int]()
        passes.append(Pass(stage, *own, tuple(reductions), tuple(results)))
        kept.append(set())

    for stage in range(last + 1):
        reductions = [
            count + i
            for i, step in enumerate(formula.steps)
            if step.operation in REDUCTIONS and stages[count + i] == stage + 1
        ]
        summands = {x: summand(rows, x).value for x in reductions}
        added = {
            x: value
            for x, value in summands.items()
            if value not in earlier and _is_added_later(rows, x, operands)
        }
        results = [
            i for i, x in enumerate(formula.results) if entries[i] and stages[x.number] == stage
        ]
        first = [x for x in reductions if x not in added]
        roots = [operands[x][0] for x in first] + [formula.results[i].number for i in results]
        add(stage, [*roots, *added.values()], first, results)
        if added:
            ready = frozenset(added.values())
            add(stage, [operands[x][0] for x in added], list(added), [], ready)
    passes = [each._replace(kept=frozenset(own)) for each, own in zip(passes, kept, strict=True)]
    lengths = [
        sum(_own_cost(rows, x) for x in each.values if x not in each.loaded) for each in passes
    ]
    busiest = lengths.index(max(lengths)) if lengths else 0  # a formula of picked entries has none
    waits = max(lengths[:-1], default=0) < SLOW
    return Plan(tuple(passes), tuple(stages), tuple(sorted(set().union(*kept))), busiest, waits)


def summand(rows: RowFormula, x: int) -> Summand:
    """Return what the reduction `x` takes."""
    count, steps = rows.formula.given, rows.formula.steps
    number = steps[x - count].operands[0].number
    if steps[x - count].operation == SUM and number >= count:
        operation, operands, _ = steps[number - count]
        if operation == SELECT and rows.per_entry[operands[0].number]:
            condition, *ways = operands
            for own, other in (ways, ways[::-1]):
                zero = not isinstance(other, Place) and other == 0
                if zero and isinstance(own, Place) and rows.per_entry[own.number]:
                    return Summand(own.number, condition.number, own is ways[0])
    return Summand(number)


def _is_added_later(rows: RowFormula, x: int, operands: list[tuple[int, ...]]) -> bool:
    """Say whether a reduction is a sum that is widened, of what takes long to compute."""
    formula = rows.formula
    if formula.steps[x - formula.given].operation != SUM or formula.dtype != np.float32:
        return False
    value, condition, _ = summand(rows, x)
    tested = () if condition is None else operands[condition]
    quick = all(_cost(rows, y, operands) < KEPT_FROM for y in tested)
    return quick and _cost(rows, value, operands) >= SLOW


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
