"""Bounds of the steps of formulas: no value but NaN lies beyond."""

from typing import Any

import numpy as np
import pytest
from portable_losses.backends.kernels.formulas.bounds import (
    _CORNERS,
    _KNOWN,
    Bounds,
    bounds_of,
    bounds_of_number,
)
from portable_losses.backends.kernels.formulas.trace import CAST, SELECT

OPERATIONS = [*_CORNERS, *_KNOWN]
ENDS = [-np.inf, -1e30, -100.0, -1.0, 0.0, 0.5, 1.0, 40.0, 1e30, np.inf]
COUNTS = {"fma": 3, SELECT: 3, CAST: 1}


def some(random: Any) -> Bounds:
    """Return two numbers of `ENDS` between which there are others."""
    i, j = sorted(random.choice(len(ENDS), 2, replace=False))
    return Bounds(ENDS[i], ENDS[j])


def values(bounds: Bounds, random: Any) -> Any:
    """Return numbers between these, the ends among them."""
    ends = np.clip(np.asarray(bounds), -1e35, 1e35)
    inside = random.uniform(0, 1, 20)
    return np.concatenate([bounds, ends, ends[0] * inside + ends[1] * (1 - inside)])


def applied(operation: Any, arrays: list[Any]) -> Any:
    if operation == "fma":
        return arrays[0] * arrays[1] + arrays[2]
    if operation == SELECT:
        return np.where(arrays[0] > 0, arrays[1], arrays[2])
    return (arrays[0] > 0).astype(float) if operation == CAST else operation(*arrays)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda f: getattr(f, "__name__", f))
def test_no_value_is_beyond_the_bounds(operation: Any) -> None:
    random = np.random.default_rng(0)
    for _ in range(400):
        count = COUNTS.get(operation) or operation.nin
        given = [some(random) for _ in range(count)]
        arrays = [random.permutation(values(one, random)) for one in given]
        low, high = bounds_of(operation, given)
        with np.errstate(all="ignore"):
            found = applied(operation, arrays)
        found = found[np.isfinite(found)]
        assert np.all(found >= low - 1e-12 * np.abs(found))
        assert np.all(found <= high + 1e-12 * np.abs(found))


def test_a_square_is_not_negative() -> None:
    assert bounds_of(np.multiply, [Bounds(-2.0, 3.0)] * 2, square=True) == (0, 9)
    assert bounds_of(np.multiply, [Bounds(-2.0, 3.0)] * 2) == (-6, 9)


def test_a_number_or_nan_has_the_bounds_of_the_number() -> None:
    nowhere, one = bounds_of_number(np.nan), bounds_of_number(1.0)
    for ways in ([nowhere, one], [one, nowhere]):
        assert bounds_of(SELECT, [Bounds(0.0, 1.0), *ways]) == (1, 1)


def test_infinity_over_infinity_has_no_bounds() -> None:
    everything = Bounds(-np.inf, np.inf)
    for operation, given in [
        (np.add, [everything] * 2),
        (np.divide, [Bounds(0.0, np.inf), Bounds(np.inf, np.inf)]),
        (np.multiply, [everything, bounds_of_number(np.nan)]),
        (np.divide, [Bounds(0.0, 1.0), bounds_of(np.sqrt, [bounds_of_number(np.nan)])]),
    ]:
        assert not np.isnan(bounds_of(operation, given)).any()


def test_what_is_unknown_has_no_bounds() -> None:
    assert bounds_of(np.log1p, [Bounds(0.0, 1.0)]) == (-np.inf, np.inf)
    assert bounds_of(np.divide, [Bounds(0.0, 1.0), Bounds(-1.0, 1.0)]) == (-np.inf, np.inf)
