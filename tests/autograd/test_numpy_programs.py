"""Plain NumPy code differentiates: twenty-four programs, over the arrays of every library, twice.

Expected values are NumPy's on plain arrays, expected gradients are central differences of them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import grad, hvp, tensor, value_and_grad
from tests.autograd.numpy_programs import PROGRAMS, Program
from tests.libraries import EVERY_ROW, Library, named

LIBRARIES = ("torch", "jax", "double", "array_api_strict") if EVERY_ROW else ("torch", "double")
CASES = [
    pytest.param(program, named(library), id=f"{program}-{library}")
    for program in PROGRAMS
    for library in LIBRARIES
    if library not in program.not_on
]


def differences(f: Callable[[Any], Any], x: Any, step: float = 1e-3) -> Any:
    """Central differences of the sixth order by every entry of `x`, of what `f` returns."""

    def along(place: tuple[int, ...]) -> Any:
        def at(shift: float) -> Any:
            moved = x.copy()
            moved[place] += shift * step
            return f(moved)

        near, middle, far = at(1) - at(-1), at(2) - at(-2), at(3) - at(-3)
        return (45 * near - 9 * middle + far) / (60 * step)

    return np.reshape([along(place) for place in np.ndindex(x.shape)], x.shape)


@cache
def gradient_over_numpy(name: str) -> tuple[Any, Any]:
    """Value and gradient by the tape on NumPy's arrays."""
    program = next(one for one in PROGRAMS if one.name == name)
    return value_and_grad(program.function)(program.parameters, *program.data)


def close(got: Any, want: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(want))))
    np.testing.assert_allclose(got / scale, want / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_gives_the_value_of_numpy_and_the_gradient_of_differences(
    program: Program,
) -> None:
    value, slope = gradient_over_numpy(program.name)
    plain = program.function(program.parameters, *program.data)
    assert float(value) == pytest.approx(float(plain), rel=1e-12)
    assert type(slope) is np.ndarray
    close(slope, differences(lambda x: program.function(x, *program.data), program.parameters), 1e-6)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_differentiates_twice(program: Program) -> None:
    def f(x: Any) -> Any:
        return program.function(x, *program.data)

    x, direction = program.parameters, np.cos(np.arange(program.parameters.size) + 0.5)
    v = np.reshape(direction, x.shape)
    curved = hvp(f, (x,), (v,))[0]
    slope = grad(f)
    want = differences(lambda t: slope(x + t * v), np.zeros(()), 1e-4)
    close(curved, np.reshape(want, x.shape), 1e-6)


@pytest.mark.parametrize("program, library", CASES)
def test_a_program_gives_the_same_gradients_over_another_library(
    program: Program, library: Library
) -> None:
    data = [tensor(library.array(x), requires_grad=False) for x in program.data]
    value, slope = value_and_grad(program.function)(library.array(program.parameters), *data)
    right, want = gradient_over_numpy(program.name)
    close(library.numpy(value), np.asarray(right), 1e-12)
    close(library.numpy(slope), want, 1e-10)
