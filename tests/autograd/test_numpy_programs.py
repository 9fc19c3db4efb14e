"""Plain NumPy code differentiates: twenty-four programs, over the arrays of every library, twice.

Expected values are NumPy's on plain arrays, expected gradients are central differences of them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import _ufuncs

from portable_losses.autograd import grad, hvp, tensor, value_and_grad
from tests.autograd.numpy_programs import PROGRAMS, Program
from tests.libraries import EVERY_ROW, Library, named

LIBRARIES = ("torch", "jax", "double", "array_api_strict", "dask")
QUICK = ("torch", "double")  # the others in make test-all, and the first program on all of them
CASES = [
    pytest.param(program, named(library), id=f"{program}-{library}")
    for program in PROGRAMS
    for library in LIBRARIES
    if library not in program.not_on
    and (EVERY_ROW or library in QUICK or program.name == "logistic regression")
]


def along(f: Callable[[float], Any], step: float) -> Any:
    """The derivative of `f` at 0 by central differences of the sixth order."""
    near, middle, far = (f(k * step) - f(-k * step) for k in (1, 2, 3))
    return (45 * near - 9 * middle + far) / (60 * step)


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    """The derivatives of `f` by every entry of `x`."""

    def slope(direction: Any) -> Any:
        return along(lambda t: f(x + t * direction), 1e-3)

    return np.reshape([slope(d) for d in np.eye(x.size).reshape(-1, *x.shape)], x.shape)


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
    close(
        slope, differences(lambda x: program.function(x, *program.data), program.parameters), 1e-6
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_differentiates_twice(program: Program) -> None:
    def f(x: Any) -> Any:
        return program.function(x, *program.data)

    x, slope = program.parameters, grad(f)
    v = np.cos(np.arange(x.size) + 0.5).reshape(x.shape)
    (curved,) = hvp(f, (x,), (v,))
    close(curved, along(lambda t: slope(x + t * v), 1e-4), 1e-6)


@pytest.mark.parametrize("program, library", CASES)
def test_a_program_gives_the_same_gradients_over_another_library(
    program: Program, library: Library
) -> None:
    data = [tensor(library.array(x), requires_grad=False) for x in program.data]
    value, slope = value_and_grad(program.function)(library.array(program.parameters), *data)
    right, want = gradient_over_numpy(program.name)
    close(library.numpy(value), np.asarray(right), 1e-12)
    close(library.numpy(slope), want, 1e-10)


UFUNCS = ("expit", "logit", "gammaln", "psi", "erf", "ndtri", "log_ndtr", "entr", "xlogy", "kl_div")


@pytest.mark.parametrize("library", ["numpy", "torch", "double"])
@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_of_scipy_needs_no_switch(name: str, library: str) -> None:
    ufunc = getattr(_ufuncs, name)  # what `scipy.special` itself has where the switch is off
    assert type(ufunc) is np.ufunc
    x, home = np.array([0.2, 0.5, 0.9]), named(library)
    arrays = (x, x[::-1].copy())[: ufunc.nin]
    f: Callable[[Any], Any] = lambda x: np.sum(ufunc(x, *arrays[1:]))  # noqa: E731
    others = [tensor(home.array(a), requires_grad=False) for a in arrays[1:]]
    value, slope = value_and_grad(lambda x: np.sum(ufunc(x, *others)))(home.array(x))
    close(home.numpy(value), f(x), 1e-12)
    close(home.numpy(slope), differences(f, x), 1e-6)
