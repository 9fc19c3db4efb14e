"""The tape differentiates SciPy and scikit-learn, who never heard of it.

Each call of the table gives the value that it gives on NumPy's arrays, and the gradient that
differences give there.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import sklearn
from array_api_compat import array_namespace as namespace_of
from scipy import integrate, signal, special, stats
from scipy._lib import _array_api
from sklearn import metrics

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import grad, namespace, tensor, value_and_grad
from tests.autograd.foreign_calls import CALLS, Call, V

LIBRARIES = ("numpy", "array_api_strict", "torch")
ENOUGH = 30


@pytest.fixture(autouse=True)
def array_api() -> Iterator[None]:
    """Switch both on. SciPy looks at SCIPY_ARRAY_API once, when it is imported."""
    assert _array_api.SCIPY_ARRAY_API, "set SCIPY_ARRAY_API=1 before anything imports SciPy"
    with sklearn.config_context(array_api_dispatch=True):
        yield


def array_of(values: Any, xp: Namespace) -> Array:
    return xp.asarray(np.asarray(values, dtype=np.float64).tolist(), dtype=xp.float64)


def as_number(out: Array) -> Array:
    """Every entry times a weight of its own, summed."""
    xp = namespace_of(out)
    count = int(np.prod(out.shape))
    weights = xp.asarray([0.3 + np.cos(float(i)) for i in range(count)], dtype=out.dtype)
    return xp.sum(out * xp.reshape(weights, out.shape))


def differences(f: Callable[..., float], arrays: list[Array], step: float = 1e-5) -> list[Array]:
    """Central differences of the fourth order by every entry of every array."""
    found = []
    for i, x in enumerate(arrays):
        slope = np.empty_like(x)
        for place in np.ndindex(x.shape):

            def at(shift: float, i: int = i, place: Any = place, x: Array = x) -> float:
                moved = x.copy()
                moved[place] += shift * step
                return f(*arrays[:i], moved, *arrays[i + 1 :])

            slope[place] = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
        found.append(slope)
    return found


CASES = [
    pytest.param(call, library, id=f"{call}-{library}")
    for call in CALLS
    for library in LIBRARIES
    if library not in call.refused
]


@cache
def expected(call_name: str) -> tuple[float, list[Array]]:
    """Value and differences on NumPy's arrays."""
    call = next(one for one in CALLS if one.name == call_name)

    def of_numpy(*arrays: Array) -> float:
        return float(as_number(np.asarray(call.function(*arrays))))

    plain = [np.asarray(values, dtype=np.float64) for values in call.arrays]
    return of_numpy(*plain), differences(of_numpy, plain)


@pytest.mark.parametrize("call, library", CASES)
def test_a_call_gives_the_value_of_numpy_and_the_gradient_of_differences(
    call: Call, library: str
) -> None:
    def function(*arrays: Array) -> Array:
        return as_number(call.function(*arrays))

    arrays = [array_of(values, import_module(library)) for values in call.arrays]
    value, gradients = value_and_grad(function, argnums=tuple(range(len(arrays))))(*arrays)
    right, slopes = expected(call.name)
    assert float(value) == pytest.approx(right, rel=1e-9, abs=1e-9)
    for got, want in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_there_are_enough_calls_over_a_library(library: str) -> None:
    assert sum(library not in call.refused for call in CALLS) >= ENOUGH


def test_a_row_has_a_name_of_its_own() -> None:
    names = [call.name for call in CALLS]
    assert len(set(names)) == len(names)


def test_who_refuses_a_call_refuses_plain_arrays_as_well() -> None:
    for call in CALLS:
        for library, reason in call.refused.items():
            assert reason
            xp = import_module(library)
            with pytest.raises((AttributeError, IndexError, TypeError, ValueError)):
                call.function(*[array_of(x, xp) for x in call.arrays])


# ---- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_code_that_converts_to_numpy_raises_instead_of_losing_the_gradient(library: str) -> None:
    x = tensor(array_of(V, import_module(library)))
    converting: list[Any] = [signal.detrend, integrate.simpson, special.exp1]
    for convert in converting:
        with pytest.raises(TypeError, match=r"not converted silently.*detach"):
            convert(x)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_same_code_takes_constants(library: str) -> None:
    x = tensor(array_of(V, import_module(library))).detach()
    np.testing.assert_allclose(np.asarray(special.exp1(x)), special.exp1(np.asarray(V)))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_result_that_is_a_python_number_has_no_gradient_and_says_so(library: str) -> None:
    x, y = (array_of(v, import_module(library)) for v in (V, V[::-1]))
    with pytest.raises((TypeError, ValueError), match="Tensor"):
        grad(metrics.mean_squared_error)(x, y)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_parameter_without_a_gradient_is_refused(library: str) -> None:
    xp = import_module(library)
    x, y = (tensor(array_of(v, xp)) for v in (V, V[::-1]))
    with pytest.raises(TypeError, match="no gradient by its parameters"):
        stats.ttest_ind(x, y, equal_var=False)  # its degrees of freedom depend on the data


# ---- a step further ---------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_second_derivatives_go_through_other_peoples_code(library: str) -> None:
    x = array_of(V, import_module(library))
    step = 1e-5

    def slope(x: Array) -> Array:
        return grad(lambda z: as_number(special.gammaln(z) * stats.zscore(z)))(x)

    curvature = np.asarray(grad(lambda z: as_number(slope(z)))(x))
    for i in range(len(V)):
        up, down = (array_of(V, import_module(library)) for _ in range(2))
        up[i], down[i] = V[i] + step, V[i] - step
        want = (float(as_number(slope(up))) - float(as_number(slope(down)))) / (2 * step)
        assert curvature[i] == pytest.approx(want, rel=1e-6, abs=1e-6)


def test_a_namespace_is_found_by_scipy_and_scikit_learn() -> None:
    x = tensor(np.asarray(V))
    assert _array_api.array_namespace(x) is namespace(np)
    assert sklearn.utils._array_api.get_namespace(x)[0] is namespace(np)
