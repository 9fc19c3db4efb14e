"""Dtypes that a library holds and does not compute with: swapped bytes, wide unsigned integers."""

from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import ONCE, TABLE
from tests.samples import Key, Sample

NUMPY = named("numpy")
ROWS = TABLE if EVERY_ROW else ONCE


def results(row: Sample, arrays: dict[Key, Any]) -> list[Any]:
    """The results of a row on NumPy, and its gradients on the tape."""
    places = range(len(row.variables))
    gradient = NUMPY.gradient(row.scalar(arrays, NUMPY, "float64"), places)
    grads = gradient(*(arrays[key] for key in row.variables)) if row.variables else ()
    return [*row.call(arrays), *grads]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_order_of_bytes_changes_no_bit_and_results_have_the_own_one(row: Sample) -> None:
    swapped = {key: a.astype(a.dtype.newbyteorder()) for key, a in row.given.items()}
    assert any(not a.dtype.isnative for a in swapped.values() if a.dtype.itemsize > 1)
    wanted = results(row, row.given)
    mixed = [{**row.given, key: a} for key, a in swapped.items()] if len(swapped) > 1 else []
    for arrays in (swapped, *mixed):
        for got, want in zip(results(row, arrays), wanted, strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [">f2", ">f4"])
def test_a_result_of_swapped_bytes_is_rounded_to_their_dtype(dtype: str) -> None:
    x = np.asarray([0.5, -1.25, 3.0])
    for f in (pl.gelu, pl.relu, pl.softmax, pl.standardize):
        got, want = f(x.astype(dtype)), f(x.astype(dtype[1:]))
        assert got.dtype == np.dtype(dtype[1:])
        np.testing.assert_array_equal(got, want)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def whole(row: Sample) -> list[Key]:
    """The arrays of a row that hold small whole numbers without a sign, and may be integers."""
    found = [key for key, a in row.given.items() if a.dtype.kind in "if" and np.all(a % 128 == a)]
    found = [key for key in found if np.all(row.given[key] % 1 == 0)]
    return [key for key in found if takes_integers(row, key)]


def takes_integers(row: Sample, key: Key) -> bool:
    """Say whether the array may have a dtype of integers at all."""
    try:
        row.call({**row.given, key: row.given[key].astype("int64")})
    except TypeError:
        return False
    return True


OF_INTEGERS = [row for row in ROWS if whole(row)]
CALLS = [(named(one), row) for one in ("numpy", "array_api_strict", "torch") for row in OF_INTEGERS]


@pytest.mark.parametrize("library, row", CALLS, ids="{}".format, indirect=["library"])
def test_every_dtype_of_integers_serves_for_labels_and_weights(
    library: Library, row: Sample
) -> None:
    arrays, keys = row.on(library), whole(row)
    wanted = [library.numpy(out) for out in row.call(arrays)]
    for i in range(1, len(INTEGERS), 2):  # several arrays in several dtypes
        dtypes = dict(zip(keys, INTEGERS[i:] + INTEGERS[:i], strict=False))
        given = {key: library.array(row.given[key].astype(dtype)) for key, dtype in dtypes.items()}
        for got, want in zip(row.call({**arrays, **given}), wanted, strict=True):
            np.testing.assert_allclose(library.numpy(got), want, 1e-13, 1e-300)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_and_those_of_references_may_have_two_dtypes(library: Library, dtype: str) -> None:
    x, refs = (library.array(np.sin(np.arange(n).reshape(-1, 2)), "float64") for n in (8.0, 6.0))
    labels, others = np.asarray([0, 1, 0, 1]), np.asarray([1, 0, 1])
    want = pl.circle_loss(x, library.array(labels), refs, library.array(others))
    for one, two in ((dtype, "uint64"), (dtype, "int16"), ("uint32", dtype)):
        of_x, of_refs = (library.array(a.astype(d)) for a, d in ((labels, one), (others, two)))
        got = pl.circle_loss(x, of_x, refs, of_refs)
        assert library.numpy(got) == library.numpy(want)


def test_counts_of_any_dtype_are_targets_of_a_deviance(library: Library) -> None:
    x, y = library.array(np.asarray([0.5, 2.0, 3.5]), "float64"), np.asarray([1, 2, 7])
    for power in (1.0, 1.5, 2.0, 3.0):
        want = pl.tweedie_deviance_loss(x, library.array(y), power=power)
        for dtype in INTEGERS:
            got = pl.tweedie_deviance_loss(x, library.array(y.astype(dtype)), power=power)
            assert library.numpy(got) == library.numpy(want)
