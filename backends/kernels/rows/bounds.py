"""Bounds of what a formula of rows computes; what is less than the row's largest is negative."""

import numpy as np

from ..formulas.bounds import ANY, Bounds, bounds_of, bounds_of_number
from ..formulas.trace import SELECT, Place
from .trace import ARGMAX, LARGEST, PICK, SMALLEST, SUM, RowFormula

__all__ = ["all_bounds"]

INF = float("inf")


def all_bounds(rows: RowFormula) -> list[Bounds]:
    """Return the bounds of every value; NaN lies between any."""
    formula = rows.formula
    known = [ANY] * formula.given
    for step in formula.steps:
        between = [
            known[x.number] if isinstance(x, Place) else bounds_of_number(x) for x in step.operands
        ]
        if step.operation in (LARGEST, SMALLEST):
            known.append(between[0])
        elif step.operation == SUM:
            known.append(Bounds(0.0, INF) if between[0].low >= 0 else ANY)
        elif step.operation is np.subtract and (above := _above(rows, *step.operands)) is not None:
            known.append(Bounds(-INF, above))
        else:
            square = len(set(step.operands)) == 1
            known.append(bounds_of(step.operation, between, square=square))
    return known


def _above(rows: RowFormula, x: Place, y: Place) -> float | None:
    """Return how far `x` may be above `y`, if that is the row's largest, or that rounded down."""
    count, steps = rows.formula.given, rows.formula.steps
    if not isinstance(y, Place) or y.number < count:
        return None
    operation, operands, _ = steps[y.number - count]
    if operation is np.floor:
        above = _above(rows, x, operands[0])
        return None if above is None else above + 1
    if operation == SELECT and not isinstance(operands[2], Place) and operands[2] != operands[2]:
        return _above(rows, x, operands[1])  # or NaN
    if operation == LARGEST:
        return 0.0 if operands[0] == x else None
    if operation != PICK or operands[0] != x or operands[1].number < count:
        return None
    place = steps[operands[1].number - count]
    return 0.0 if place.operation == ARGMAX and place.operands[0] == x else None
