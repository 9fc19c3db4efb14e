"""At a kink every library has the same slope: at a bound, a margin, a target."""

import inspect
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from tests.libraries import EVERYWHERE, Library, named
from tests.rows import FEW, SELECTED, TABLE
from tests.samples import Sample

#: Where formulas are cut, beside the options of a function.
MARKS = (0.0, 0.5, 1.0, 2.0, 3.0, 6.0)


def marks_of(row: Sample) -> list[float]:
    """The numbers at which a function may have a kink, inside the domain of its first variable."""
    parameters = inspect.signature(row.function).parameters
    options = {name: p.default for name, p in parameters.items()} | dict(row.options)
    own = [v for v in options.values() if isinstance(v, float)]
    sizes = [*MARKS, *own, *(1 - v for v in own)]
    low, high = row.inside.get(row.variables[0], (-np.inf, np.inf))
    if low >= 0:
        return [v for v in sizes if 0 <= v <= (1 if high <= 1 else np.inf)]
    return [*sizes, *(-v for v in sizes)]


def derivatives(row: Sample, library: Library, given: dict[Any, Any]) -> tuple[Any, Any]:
    """The gradient of the sum of the results by the first variable, and that of its sum."""
    first = row.variables[0]
    arrays = {key: library.array(a, "float64") for key, a in given.items()}

    def total(x: Any) -> Any:
        out = row.call({**arrays, first: x})[0]
        return array_namespace(out).sum(out)

    slope = library.gradient(total, (0,))

    def bend(x: Any) -> Any:
        made = slope(x)[0]
        return array_namespace(made).sum(made)

    by = library.quickly(slope), library.quickly(library.gradient(bend, (0,)))
    one, other = (library.numpy(f(arrays[first])[0]) for f in by)
    return one, other


def at_ties(row: Sample, seed: int) -> dict[Any, Any]:
    """The arrays of a call, its first variable drawn from the marks, or equal to the second."""
    first, dice, given = row.variables[0], np.random.default_rng(seed), dict(row.given)
    shape = given[first].shape
    given[first] = dice.choice(marks_of(row), shape)
    others = [a for k, a in row.given.items() if k != first and a.dtype.kind == "f"]
    if seed and others and others[0].shape == shape:
        given[first] = np.where(dice.uniform(size=shape) < 0.5, others[0], given[first])
    return given


#: JAX compiles each call for seconds: one whose formula clips.
CLIPPED = [row for row in TABLE if str(row) == "logit eps"]
CASES = [
    (library, row)
    for name, rows in (("torch", SELECTED), ("array_api_strict", FEW), ("jax", []))
    for library in EVERYWHERE
    if library.name == name
    for row in [*CLIPPED, *rows]
    if row.variables
]


@pytest.mark.parametrize(("library", "row"), CASES, ids=str)
def test_the_slopes_at_a_kink_are_those_of_the_tape_on_numpy(library: Library, row: Sample) -> None:
    for seed in range(2):
        given = at_ties(row, seed)
        with library.active(), np.errstate(all="ignore"), pl.validation(False):
            want = derivatives(row, named("numpy"), given)
            got = derivatives(row, library, given)
        rtol = 1e-6 if want[0].dtype == got[0].dtype else 1e-4  # JAX may compute in float32
        for one, other in zip(got, want, strict=True):
            finite = np.isfinite(one) | np.isfinite(other)  # else both have overflowed
            kept = np.where(finite, one, 0.0), np.where(finite, other, 0.0)
            np.testing.assert_allclose(*kept, rtol=rtol, atol=rtol * 1e-3, err_msg=str(given))
