"""array-api-strict: what the standard promises and no more, in every year and on another device."""

from typing import Any

import array_api_strict
import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from tests.libraries import VERSIONS, Library, named


@pytest.mark.parametrize("library", VERSIONS, ids=str)
def test_the_year_is_in_force_while_a_test_runs(library: Library) -> None:
    with library.active():
        assert array_api_strict.__array_api_version__ == str(library).partition(", ")[2]
        with_maximum = library.flags["api_version"] > "2022.12"
        x = library.array([1.0])
        if with_maximum:
            array_api_strict.maximum(x, x)
        else:
            with pytest.raises(RuntimeError, match="requires API version"):
                array_api_strict.maximum(x, x)


def test_the_restrictions_are_in_force_while_a_test_runs() -> None:
    library = named("array_api_strict, restricted")
    with library.active():
        x = library.array([1.0, 2.0])
        with pytest.raises(RuntimeError):
            x[x > 1]


def test_a_result_stays_on_the_device_that_is_not_the_default() -> None:
    library = named("array_api_strict, device1")
    z, y = library.array([[1.0, 2.0]]), library.array([0])
    loss, lse = pl.cross_entropy(z, y, return_lse=True)
    grad = autograd.grad(lambda z: pl.cross_entropy(z, y))(z)
    one_hot = pl.one_hot(y, 2)
    assert {str(x.device) for x in (loss, lse, grad, one_hot)} == {str(z.device)}
    assert "device1" in str(z.device)


def test_arrays_of_two_devices_are_never_moved_together() -> None:
    z = named("array_api_strict, device1").array([[1.0, 2.0]])
    y = named("array_api_strict").array([0])
    with pytest.raises(ValueError, match="device"):
        pl.cross_entropy(z, y)


@pytest.mark.parametrize("library", [named("array_api_strict"), *VERSIONS], ids=str)
def test_no_dtype_is_promoted_silently(library: Library) -> None:
    with library.active():
        x = library.array(np.ones(3), "float32")
        y = library.array(np.zeros(3), "float64")
        assert pl.mse_loss(x, y).dtype == array_api_strict.float32
        assert pl.binary_cross_entropy(x, y).dtype == array_api_strict.float32
        assert pl.xlogy(x, y + 1).dtype == array_api_strict.float64


X = [[0.5, -1.0, 2.0], [1.0, 0.0, -2.0]]
MASKED = {"where": [False, True]}
MIXED = [
    ("binary_sparsemax_loss", X[0], [False, True, False], {}),
    ("ranking_softmax_loss", X, [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], {"sample_weight": [2, 3]}),
    ("info_nce_loss", X, X[::-1], MASKED),
    ("ntxent_loss", X, [0, 0], MASKED),
    ("circle_loss", X, [0, 0], MASKED),
    ("ordinal_cross_entropy", X[0], [1, 2, 0], {"thresholds": [-1.0, 2.5], "where": [1, 0, 1]}),
]


@pytest.mark.parametrize(("name", "first", "second", "options"), MIXED)
@pytest.mark.parametrize("recorded", [False, True])
def test_truth_values_and_whole_numbers_beside_others(
    name: str, first: Any, second: Any, options: dict[str, Any], *, recorded: bool
) -> None:
    def run(xp: Any) -> float:
        given = [xp.asarray(x) for x in (first, second)]
        leaf = autograd.tensor(given[0]) if recorded else given[0]
        rest = {key: xp.asarray(x) for key, x in options.items()}
        if "where" in rest:
            rest["where"] = xp.astype(rest["where"], xp.bool)
        return float(getattr(pl, name)(leaf, given[1], **rest))

    assert run(array_api_strict) == pytest.approx(run(np), rel=1e-14)
