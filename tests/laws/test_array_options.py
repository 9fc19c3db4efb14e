"""Options that come as 0-d arrays: the value of the number, and derivatives by them.

The derivative is held to differences of the same call with Python numbers.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import ONCE, SELECTED, TABLE
from tests.samples import Key, Sample

Moved = tuple[Sample, str, float]


def options_of(row: Sample) -> list[tuple[str, float]]:
    """Return the options that may be arrays, with values inside their domains and off kinks."""
    found = []
    for name, p in inspect.signature(row.function).parameters.items():
        members = get_args(p.annotation)
        if p.kind is p.KEYWORD_ONLY and float in members and Any in members:
            value = row.options.get(name, p.default)
            if name in row.options and isinstance(value, int | float):
                found.append((name, 0.97 * value if value else 0.013))
    return found


BY_OPTION = [(row, *one) for row in SELECTED for one in options_of(row)]
EVERY = [f.__name__ for f in {row.function for row in TABLE}]


def named_case(case: Any) -> str:
    return str(case) if isinstance(case, Sample | str) else ""


def scalar(row: Sample, library: Library) -> Callable[..., Array]:
    """Return the row's call as a scalar function of its arrays and of one option."""
    weights = [np.cos(np.arange(np.size(v))).reshape(np.shape(v)) for v in row.value]

    def f(arrays: dict[Key, Array], **options: Any) -> Array:
        made = row.function(
            *(arrays.get(i, a) for i, a in enumerate(row.arrays)),
            **{k: arrays.get(k, v) for k, v in row.options.items()} | options,
        )
        sums: Array = 0
        for out, weight in zip(made if isinstance(made, tuple) else (made,), weights, strict=True):
            xp = array_namespace(out)
            sums = xp.sum(out * library.array(weight), dtype=out.dtype) + sums
        return sums

    return f


def difference(f: Callable[[float], float], at: float) -> float:
    """Return the derivative of `f` by a difference of fourth order."""
    h = 1e-3 * abs(at)
    near, far = f(at + h) - f(at - h), f(at + 2 * h) - f(at - 2 * h)
    return (8 * near - far) / (12 * h)


def arrays_of(row: Sample, library: Library) -> dict[Key, Array]:
    return {key: library.array(a) for key, a in row.moderate.items()}


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("row, name, value", BY_OPTION, ids=named_case)
def test_a_derivative_by_an_option_is_that_of_the_number(
    library: str, row: Sample, name: str, value: float
) -> None:
    one = named(library)
    arrays, f = arrays_of(row, one), scalar(row, one)
    plain = lambda v: float(f(arrays, **{name: v}))  # noqa: E731
    by_option = one.gradient(lambda v: f(arrays, **{name: v}), (0,))
    (got,) = by_option(one.array(value))
    size = abs(plain(value) / value) + abs(plain(value))
    assert got.shape == ()
    want = difference(plain, value)
    assert float(got) == pytest.approx(want, rel=1e-7, abs=1e-9 * size)
