"""array-api-strict: what the standard promises and no more, in every year and on another device."""

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
