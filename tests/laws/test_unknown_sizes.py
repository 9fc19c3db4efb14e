"""Arrays that have no number for the size of their batch: None, as lazy libraries may give it."""

import inspect
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.double import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE, TABLE
from tests.samples import Key, Sample

BATCH = 7  # a size that nothing else has in the rows
OF_CLASSES = {"weight", "class_weight", "bias", "pos_weight"}
DOUBLE = named("double")


@pytest.fixture(autouse=True)
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test library says None for the batch."""
    sizes = lambda self: tuple(None if n == BATCH else n for n in self.revealed.shape)  # noqa: E731
    monkeypatch.setattr(Array, "shape", property(sizes))


def batch_of(row: Sample) -> dict[Key, Any] | None:
    """The arrays of a row, its rows repeated until they fill the batch; None if there are none."""
    first = row.given[0]
    if first.ndim == 0:
        return None
    arrays: dict[Key, Any] = {}
    for key, a in row.given.items():
        fixed = (key in OF_CLASSES and a.ndim == 1) or a.ndim == 0 or a.shape[0] != first.shape[0]
        fixed = fixed or (row.function is pl.linear_cross_entropy and key == 1)
        arrays[key] = a if fixed else np.resize(a, (BATCH, *a.shape[1:]))
    return arrays


def runs(row: Sample) -> bool:
    """Say whether the row has a value at this batch at all."""
    given = batch_of(row)
    try:
        return given is not None and bool(row.call(given))
    except (ValueError, IndexError):  # the axis of the classes comes first, or no row is allowed
        return False


ROWS = [row for row in (TABLE if EVERY_ROW else ONCE) if runs(row)]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_batch_of_unknown_size_has_its_value_or_an_error_that_names_it(row: Sample) -> None:
    given = batch_of(row)
    assert given is not None
    arrays = {key: DOUBLE.array(a, "float64") for key, a in given.items()}
    wanted = row.call(given)
    try:
        outs = row.call(arrays)
    except ValueError as error:
        said = str(error)
        names = (*inspect.signature(row.function).parameters, "axis")
        needs_it = any(f"`{name}` needs sizes" in said for name in names)
    else:
        said, needs_it = "", False
        for out, want in zip(outs, wanted, strict=True):
            np.testing.assert_allclose(DOUBLE.numpy(out), want, 1e-12, 1e-13)
    assert needs_it == (said != ""), said
