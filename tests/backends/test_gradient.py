"""Where a function and its hand-written gradient are joined: what is given is what is used."""

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._typing import Array
from tests.libraries import LIBRARIES, ON_TAPE, Library

everywhere = pytest.mark.parametrize("library", [*LIBRARIES, *ON_TAPE], ids=str)


# A gradient that is nobody's derivative and depends on nothing: only our rule can return it.
def _seven_grad(grad: Array, out: Array, x: Array, *, xp: Any) -> tuple[Array]:
    return (7 * grad,)


@with_gradient(_seven_grad)
def _seven(x: Array, *, xp: Any) -> Array:
    return xp.exp(x)


def seven(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.sum(_seven(x, xp=xp))


# Two results, an array that is absent and one of integers.
def _two_grad(grad: Any, out: Any, x: Array, none: None, n: Array, *, xp: Any) -> Any:
    first, second = grad
    return 7 * first + 11 * second, None, None


@with_gradient(_two_grad)
def _two(x: Array, none: None, n: Array, *, xp: Any) -> tuple[Array, Array]:
    return xp.exp(x), x * x


@everywhere
def test_the_gradient_that_is_given_comes_back(library: Library) -> None:
    with library.active():
        x = library.array([0.5, -1.0, 2.0])
        np.testing.assert_allclose(library.numpy(seven(x)), np.exp([0.5, -1.0, 2.0]).sum())
        np.testing.assert_array_equal(library.numpy(library.gradient(seven, (0,))(x)[0]), [7] * 3)


@everywhere
def test_several_results_and_arrays_without_a_gradient_are_joined_as_well(
    library: Library,
) -> None:
    with library.active():
        x, n = library.array([0.5, -1.0]), library.array([1, 2])

        def f(x: Array) -> Array:
            xp = array_namespace(x)
            first, second = _two(x, None, n, xp=xp)
            return xp.sum(first) + 2 * xp.sum(second)

        np.testing.assert_array_equal(library.numpy(library.gradient(f, (0,))(x)[0]), [29, 29])


@everywhere
def test_nothing_passes_through_stop_gradient(library: Library) -> None:
    def f(x: Array) -> Array:
        xp = array_namespace(x)
        return xp.sum(stop_gradient(x * x, xp=xp) * x)

    with library.active():
        x = library.array([3.0, -2.0])
        np.testing.assert_array_equal(library.numpy(library.gradient(f, (0,))(x)[0]), [9, 4])
