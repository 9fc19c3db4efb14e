"""Numbers and lists where arrays are expected, and NumPy's arrays beside Tensors."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import Tensor
from tests.libraries import INSTALLED, LIBRARIES, Library, named
from tests.rows import ONCE, TABLE
from tests.samples import Sample

NUMPY = named("numpy")
OTHERS = [one for one in LIBRARIES if one.name in ("torch", "double")]


def listed(row: Sample) -> dict[Any, Any]:
    """The arrays of a row as nested lists of Python numbers."""
    return {key: a.tolist() if hasattr(a, "tolist") else a for key, a in row.given.items()}


def assert_close(got: Any, want: Any, library: Library = NUMPY) -> None:
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(library.numpy(one), library.numpy(other), 1e-13, 1e-14)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_lists_alone_are_arrays_of_numpy(row: Sample) -> None:
    assert_close(row.call(listed(row)), row.call(row.given))


@pytest.mark.parametrize("library", OTHERS, ids=str)
@pytest.mark.parametrize("row", [row for row in ONCE if len(row.given) > 1], ids=str)
def test_a_list_beside_arrays_is_of_their_library(library: Library, row: Sample) -> None:
    arrays, lists = row.on(library), listed(row)
    want = row.call(arrays)
    for key in list(arrays)[1:]:
        assert_close(row.call({**arrays, key: lists[key]}), want, library)
        assert_close(row.call({**arrays, 0: Tensor(arrays[0]), key: lists[key]}), want, library)


@pytest.mark.skipif(not INSTALLED["torch"], reason="torch is not installed")
@pytest.mark.parametrize("row", [row for row in ONCE if len(row.given) > 1], ids=str)
def test_an_array_of_numpy_beside_a_tensor_over_another_library_is_a_constant(row: Sample) -> None:
    torch = named("torch")
    arrays = row.on(torch)
    want = row.call(arrays)
    for key in list(arrays)[1:]:
        got = row.call({**arrays, 0: Tensor(arrays[0]), key: row.given[key]})
        assert_close(got, want, torch)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh", "softplus", "gelu", "erf"])
def test_a_number_is_an_array_without_axes(name: str) -> None:
    function: Callable[..., Any] = getattr(pl, name)
    for x in (2.0, 2, True):
        got = function(x)
        assert isinstance(got, np.ndarray | np.generic)
        assert got.shape == ()
        assert got == function(np.asarray(float(x)))


def test_integers_become_floating_where_a_function_needs_that_and_stay_classes_elsewhere() -> None:
    assert pl.relu([1, -2]).tolist() == [1.0, 0.0]
    assert pl.cross_entropy([[1000, 0], [0, 1000]], [0, 1]) == 0
    assert pl.one_hot([0, 2], 3).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert pl.softmax([[0, 5]], where=[[True, False]]).tolist() == [[1, 0]]
    got = pl.triplet_margin_loss([[1, 0]], [[1, 0]], [[0, 1]])
    want = pl.triplet_margin_loss(*(np.asarray(x, float) for x in ([[1, 0]], [[1, 0]], [[0, 1]])))
    assert got == want


def test_numbers_are_as_precise_as_the_array_they_stand_beside() -> None:
    torch = pytest.importorskip("torch")
    x = torch.asarray([0.3], dtype=torch.float64)
    assert pl.mse_loss(x, [0.1]) == (x - torch.asarray(0.1, dtype=torch.float64)) ** 2
    half = torch.asarray([0.5], dtype=torch.float16)
    assert pl.mse_loss(half, [0.25]).dtype == torch.float16


def test_an_option_that_may_be_an_array_may_be_a_list() -> None:
    x, y = np.asarray([[0.5, -1.0]]), np.asarray([[1.0, 0.0]])
    delta: Any = [1.0]
    got = pl.binary_cross_entropy_with_logits(x, y, pos_weight=[2, 3])
    assert got == pl.binary_cross_entropy_with_logits(x, y, pos_weight=np.asarray([2.0, 3.0]))
    with pytest.raises(TypeError, match="`delta` must be a Python number, got list"):
        pl.huber_loss(x, y, delta=delta)


@pytest.mark.parametrize(
    "values, error, message",
    [
        ([[1.0], [1.0, 2.0]], ValueError, "nested lists of numbers of one length"),
        (["a"], TypeError, "nested lists of numbers, got entries of dtype <U1"),
        ([None], TypeError, "nested lists of numbers, got entries of dtype object"),
        ("a", TypeError, "an array of an Array API library, got str"),
        ({}, TypeError, "an array of an Array API library, got dict"),
        (1j, TypeError, "a real floating dtype, got complex128"),
        ([Tensor(1.0, requires_grad=True)], TypeError, "nested lists of numbers: a tracked Tensor"),
    ],
)
def test_what_is_no_number_is_refused_by_name(
    values: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"`x` must .*{re.escape(message)}"):
        pl.relu(values)
    if not isinstance(values, complex):
        with pytest.raises(error, match="`target` must be"):
            pl.mse_loss(np.ones(1), values)


def test_arrays_of_two_libraries_do_not_meet_without_a_tensor() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="all arrays must come from one library"):
        pl.mse_loss(torch.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="all arrays must come from one library"):
        pl.mse_loss(Tensor(np.ones(2)), torch.ones(2))
