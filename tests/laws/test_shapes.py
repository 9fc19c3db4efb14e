"""Shapes that do not fit: every function says so itself, and names the arrays."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import ONCE, TABLE
from tests.samples import Key, Sample

ROWS = [row for row in (TABLE if EVERY_ROW else ONCE) if len(row.given) > 1]
CALLS = [(named(one), row) for one in ("numpy", "array_api_strict", "torch") for row in ROWS]
OURS = Path(pl.__file__).parent


def misfits(a: Any) -> Iterator[Any]:
    """`a` with more entries along one axis, with an axis more, and with one less."""
    for i in range(a.ndim):
        yield np.resize(a, (*a.shape[:i], a.shape[i] + 4, *a.shape[i + 1 :]))
    yield np.resize(a, (7, *a.shape))
    if a.ndim:
        yield np.resize(a, a.shape[1:])


def refusal(row: Sample, arrays: dict[Key, Any]) -> Exception | None:
    """The error that the function raises; None where the shapes fit by chance."""
    try:
        row.call(arrays)
    except (ValueError, IndexError) as error:
        return error
    return None


@pytest.mark.parametrize("library, row", CALLS, ids="{}".format, indirect=["library"])
def test_arrays_that_do_not_fit_are_named_with_their_shapes(library: Library, row: Sample) -> None:
    arrays = row.on(library)
    calls = [
        {**arrays, key: library.array(misfit, "float64")}
        for key, a in row.given.items()
        for misfit in misfits(a)
    ]
    errors = [error for call in calls if (error := refusal(row, call)) is not None]
    assert errors
    names = inspect.signature(row.function).parameters
    for error in errors:
        assert OURS in Path(extract_tb(error.__traceback__)[-1].filename).parents, error
        assert any(f"`{name}`" in str(error) or f"{name}: (" in str(error) for name in names), error


@pytest.mark.parametrize("name", ["rel_entr", "xlogy", "xlog1py", "logsubexp"])
def test_both_shapes_are_in_the_message(library: Library, name: str) -> None:
    x, y = (library.array(np.ones(shape), "float64") for shape in ((2, 3), (2, 4)))
    with pytest.raises(ValueError, match=r"that broadcast to one, got \(2, 3\) and \(2, 4\)"):
        getattr(pl, name)(x, y)
    assert getattr(pl, name)(x, y[:, :1]).shape == (2, 3)
