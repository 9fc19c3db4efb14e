"""Functions of rows are within 8 ulp of the truth at any distance from the largest entry."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from portable_losses._typing import Array
from tests.accuracy.gaps import CASES, Given, errors, given, inputs
from tests.accuracy.test_elements import DTYPES
from tests.libraries import LIBRARIES, Library

BAR = 8
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "array_api_strict", "torch")]
COMPILED = [one for one in LIBRARIES if one.module == "jax.numpy"]
FEW = ("softmax", "log_softmax", "logsumexp", "cross_entropy smoothed")  # each takes a second


def both(library: Library, name: str) -> Callable[..., tuple[Array, Array]]:
    """Return the function of a library's arrays that computes value and gradient of a case."""

    def of(x: Array, *rest: Array) -> tuple[Array, Array]:
        g = Given(*rest)
        value = CASES[name].call(x, g)
        weights = g.cotangent if value.ndim == x.ndim else g.cotangent[..., 0] * 0 + 1

        def summed(z: Array) -> Array:
            made = CASES[name].call(z, g)
            return array_namespace(made).sum(made * weights, dtype=made.dtype)

        return value, library.gradient(summed, [0])(x)[0]

    return of


def assert_near(library: Library, name: str, dtype: Any, run: Callable[..., Any]) -> None:
    """Hold value and gradient of a case to the bar, on all of its inputs."""
    for place, x in enumerate(inputs(dtype)):
        arrays = [library.array(a, np.dtype(dtype).name) for a in (x, *given(x))]
        found = [library.numpy(one) for one in run(*arrays)]
        measured = errors(name, dtype, place, *found)
        for what, error in zip(("value", "gradient"), measured, strict=True):
            worst = int(np.argmax(error))
            assert error[worst] <= BAR, (what, place, worst, float(error[worst]))


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


@pytest.mark.skipif(not COMPILED, reason="JAX is not installed")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FEW)
def test_so_it_is_where_a_compiler_has_joined_the_steps(name: str, dtype: Any) -> None:
    import jax

    (library,) = COMPILED
    assert_near(library, name, dtype, jax.jit(both(library, name)))
