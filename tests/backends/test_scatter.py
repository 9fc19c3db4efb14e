"""Adding at positions, and gathering what was added: what the tape differentiates indexing with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from portable_losses._backend import load_backend
from portable_losses._indexing import scatter_add
from tests.libraries import LIBRARIES, Library

ROOT = Path(pl.__file__).parents[1]


X = np.asarray([[-2.0, 0.0, 0.5], [1.5, 3.0, -0.25]])

FIRST, SECOND = np.asarray([0, 1, 1, 0, 1]), np.asarray([2, 0, 0, 2, 1])
ENTRIES: list[Any] = [0, (), ..., (-1, ...), (1, 2), (None, 1, None, slice(0, 2))]
SLICES: list[Any] = [np.s_[:, 1], np.s_[1:, ::2], np.s_[2:, 0:0], np.s_[..., None, 2]]
MASKS: list[Any] = [X > 0, X > 9, X < 9]
TOGETHER: list[Any] = [
    (FIRST, SECOND),
    (np.asarray([1, -1]), np.asarray([-3, 0])),
    (FIRST[:0], SECOND[:0]),
]
ONE: list[Any] = [FIRST, np.asarray([[0, 0], [1, 0]]), (slice(None), np.asarray([2, 2, -1]))]
ADDING = [
    (library, key)
    for library in LIBRARIES
    for key in (*ENTRIES, *SLICES, *MASKS, *TOGETHER, *ONE)
    # what a library does not index by, its gradient does not meet
    if library.module != "array_api_strict" or not any(key is one for one in ONE)
    if "restricted" not in library.name or not any(key is one for one in MASKS)
]


def in_library(library: Library, key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(in_library(library, k) for k in key)
    return library.array(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("library, key", ADDING, ids=lambda x: str(x).replace("\n", ""))
def test_values_are_added_where_a_key_chooses_as_numpy_adds_them(
    library: Library, key: Any
) -> None:
    values = (np.arange(6.0).reshape(2, 3) + 1)[key] * 0.5
    want = np.zeros((2, 3))
    np.add.at(want, key, values)
    add = scatter_add
    with library.active():
        there = in_library(library, key)
        given = library.array(values, "float32")
        if library.module == "dask.array" and any(key is mask for mask in MASKS):
            given = library.array(np.arange(6.0).reshape(2, 3) + 1, "float32")[there] * 0.5
        got = add((2, 3), there, given, xp=library.xp)
        assert got.dtype == library.xp.float32
        np.testing.assert_array_equal(library.numpy(got), want)


def test_a_mask_across_the_chunks_of_a_dask_array_chooses_in_numpys_order() -> None:
    da = pytest.importorskip("dask.array")
    entries = np.arange(6.0).reshape(2, 3)
    for chunks in ((2, 1), (1, 3), (2, (2, 1)), (1, (1, 2))):
        x = da.from_array(entries, chunks=chunks)
        grad = autograd.grad(lambda x: x.__array_namespace__().sum(x[x > 0.5] ** 3))(x)
        assert grad.chunks == x.chunks
        np.testing.assert_array_equal(grad.compute(scheduler="synchronous"), 3 * entries**2)


def test_a_mask_in_other_chunks_than_its_values_is_refused_not_misread() -> None:
    da = pytest.importorskip("dask.array")
    add: Any = load_backend("dask").indexing.scatter_add
    mask = np.asarray([True, True, True, True])
    there = da.from_array(mask, chunks=((3, 1),))
    values = da.from_array(np.arange(4.0), chunks=((1, 3),))
    message = "a mask must have the chunks of what it chooses from"
    for other in (values, values.rechunk(1)):  # seen when it is computed, and at once
        with pytest.raises(ValueError, match=message):
            add((4,), there, other, xp=da).compute(scheduler="synchronous")


KEYS: list[Any] = [
    (np.asarray([[1, 0], [0, -1]]), np.asarray([2, 1])),
    (slice(None), np.asarray([[0], [2]]), np.asarray([0, 3, 3])),
    (np.asarray([0, 1]), 1, np.asarray([2, 2])),
    (np.asarray([2, 0]),),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_dask_gathers_by_several_arrays_of_integers(key: tuple[Any, ...]) -> None:
    da = pytest.importorskip("dask.array")
    x = np.arange(36.0).reshape(3, 3, 4)
    there = [da.from_array(k, chunks=1) if isinstance(k, np.ndarray) else k for k in key]
    gather: Any = load_backend("dask").indexing.gather
    got = gather(da.from_array(x, chunks=2), tuple(there))
    assert (got.shape, got.dtype) == (x[key].shape, x.dtype)
    np.testing.assert_array_equal(got.compute(scheduler="synchronous"), x[key])


def test_several_entries_of_a_row_are_taken_and_differentiated_twice_on_dask() -> None:
    da = pytest.importorskip("dask.array")
    x, index = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.asarray([[0, 2, 2], [1, 1, 0]])

    def loss(z: Any) -> Any:
        xp = z.__array_namespace__()
        return xp.sum(xp.take_along_axis(z, da.from_array(index, chunks=1), axis=1) ** 3)

    def slope(z: Any) -> Any:
        return z.__array_namespace__().sum(autograd.grad(loss)(z))

    second = autograd.grad(slope)(da.from_array(x, chunks=2)).compute(scheduler="synchronous")
    counts = np.asarray([[1, 0, 2], [1, 2, 0]])
    np.testing.assert_array_equal(second, 6 * x * counts)
