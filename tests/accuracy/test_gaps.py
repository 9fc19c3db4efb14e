"""Functions of rows are within 8 ulp of the truth at any distance from the largest entry."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.accuracy.gaps import CASES, both, measured
from tests.accuracy.test_elements import DTYPES
from tests.libraries import LIBRARIES, Library

BAR = 8
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "array_api_strict", "torch")]
COMPILED = [one for one in LIBRARIES if one.module == "jax.numpy"]
FEW = ("softmax", "log_softmax", "logsumexp", "cross_entropy smoothed")  # each takes a second


def assert_near(library: Library, name: str, dtype: Any, run: Callable[..., Any]) -> None:
    """Hold value and gradient of a case, which `run` computes, to the bar."""
    for what, (worst, place) in zip(
        ("value", "gradient"), measured(library, name, dtype, run), strict=True
    ):
        assert worst <= BAR, (what, worst, place)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("library", EAGER, ids=str)
def test_a_row_is_right_at_every_distance_from_its_largest_entry(
    library: Library, name: str, dtype: Any
) -> None:
    assert_near(library, name, dtype, both(library, name))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("library", EAGER[::2], ids=str)
def test_so_it_is_without_kernels(
    library: Library, name: str, dtype: Any, portable: Callable[..., Any]
) -> None:
    run = both(library, name)
    assert_near(library, name, dtype, lambda *arrays: portable(run, *arrays))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_a_small_spread_about_a_large_mean_keeps_its_digits(library: Library, dtype: Any) -> None:
    unit = 2.0 ** (-13 if dtype == np.float32 else -40)
    steps = np.asarray([[0, 1, 3, 4, 11], [7, 2, 2, 1, -9]])
    x = (1001 + steps * unit).astype(dtype)
    d = 5 * steps - np.sum(steps, axis=1, keepdims=True)  # exact, as are the sums of squares
    want = d / np.sqrt(np.sum(d * d, axis=1, keepdims=True) / 5)
    got = library.numpy(pl.standardize(library.array(x, np.dtype(dtype).name), eps=0.0))
    np.testing.assert_allclose(got, want, rtol=BAR * float(np.finfo(dtype).eps) / 2)


@pytest.mark.skipif(not COMPILED, reason="JAX is not installed")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FEW)
def test_so_it_is_where_a_compiler_has_joined_the_steps(name: str, dtype: Any) -> None:
    import jax

    (library,) = COMPILED
    assert_near(library, name, dtype, jax.jit(both(library, name)))
