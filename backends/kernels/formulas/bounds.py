"""Bounds of what a formula computes: every value but NaN lies between them.

What is never positive needs no second factor in its exponential, and what is neither tiny nor huge
no division: see `elementary`.
"""

from collections.abc import Callable
from itertools import product
from math import exp, inf, isnan, sqrt
from typing import Any, NamedTuple

import numpy as np

from .trace import CAST, SELECT

__all__ = ["ANY", "Bounds", "bounds_of", "bounds_of_number"]


class Bounds(NamedTuple):
    """The least and the largest value."""

    low: float
    high: float


ANY = Bounds(-inf, inf)
NOWHERE = Bounds(inf, -inf)  # of NaN: no value


def bounds_of_number(x: Any) -> Bounds:
    """Return the bounds of a constant."""
    return NOWHERE if isnan(x) else Bounds(float(x), float(x))


def bounds_of(operation: Any, given: list[Bounds], *, square: bool = False) -> Bounds:
    """Return the bounds of a step, given those of its operands; `square` says that both are one."""
    if square and operation is np.multiply:
        operation, given = np.square, given[:1]
    if operation in _CORNERS:
        found = [_CORNERS[operation](*corner) for corner in product(*given)]
        return ANY if any(map(isnan, found)) else Bounds(min(found), max(found))
    known = _KNOWN.get(operation)
    made = ANY if known is None else known(*given)
    return ANY if any(map(isnan, made)) else made  # infinity over infinity


def _product(x: float, y: float) -> float:
    return 0.0 if 0 in (x, y) else x * y  # infinity times 0 is NaN, which is no value here


def _exponential(x: float) -> float:
    return exp(x) if x < 700 else inf


# Operations that take their extremes at extremes of their operands.
_CORNERS: dict[Any, Callable[..., float]] = {
    np.add: lambda x, y: x + y,
    np.subtract: lambda x, y: x - y,
    np.multiply: _product,
    np.negative: lambda x: -x,
    np.maximum: max,
    np.minimum: min,
    np.exp: _exponential,
    "fma": lambda x, y, z: _product(x, y) + z,
}


def _size(x: Bounds) -> Bounds:
    least = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Bounds(least, max(abs(x.low), abs(x.high)))


def _quotient(x: Bounds, y: Bounds) -> Bounds:
    if min(y) <= 0 or (y.high == inf and ANY.high in _size(x)):
        return ANY
    found = [a / b for a, b in product(x, y)]
    return Bounds(min(found), max(found))


_KNOWN: dict[Any, Callable[..., Bounds]] = {
    np.absolute: _size,
    np.square: lambda x: Bounds(*[_product(one, one) for one in _size(x)]),
    np.divide: _quotient,
    np.sqrt: lambda x: Bounds(*[sqrt(one) if 0 < one < inf else max(one, 0.0) for one in x]),
    np.tanh: lambda x: Bounds(-1.0, 1.0),
    np.expm1: lambda x: Bounds(-1.0, inf),
    CAST: lambda x: Bounds(0.0, 1.0),
    SELECT: lambda _, x, y: Bounds(min(x.low, y.low), max(x.high, y.high)),
}
