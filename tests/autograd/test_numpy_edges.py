"""NumPy's functions at the edges: no axes, no entries, truth values, dtypes, complex numbers."""

from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import tensor
from tests.autograd.numpy_calls import (
    FUNCTIONS,
    NUMPY,
    OVER,
    Call,
    call,
    check_gradients,
    check_values,
    has_slopes,
    numbers,
    over_libraries,
)
from tests.libraries import Library, named

N, V, M, Z = numbers(), numbers(3), numbers(2, 3), numbers(2, 3, kind="complex128")
EMPTY, T = np.zeros((3, 0)), np.asarray([True, False, True])
REDUCED = ("sum", "prod", "max", "min", "any", "all")
STEPS = frozenset(["argmax", "argmin", "any", "all", "argsort"])
LAZY = ("dask", "jax")  # no axis of an array without any, no median of nothing
COMPLEX = ("torch", "array_api_strict", "jax", "dask")  # have no order of complex numbers

CASES = [
    # ---- no axes ----
    *[call(name, N, axis, not_on=LAZY) for name in REDUCED for axis in (0, -1, ())],
    *[call(name, N) for name in ("argmax", "cumsum", "cumulative_sum", "cumulative_prod")],
    *[call("take", N, [0, -1], axis, not_on=LAZY) for axis in (None, 0, -1)],
    *[call("repeat", N, 2, axis, not_on=LAZY) for axis in (None, 0, -1)],
    *[call("squeeze", N, axis) for axis in (None, 0, -1)],
    # ---- no entries ----
    *[call(name, EMPTY, smooth=False, not_on=LAZY) for name in ("sum", "prod", "sort", "cumsum")],
    *[call("median", EMPTY, axis, smooth=False, not_on=LAZY) for axis in (None, 1)],
    *[call("nanmedian", EMPTY, axis, smooth=False, not_on=LAZY) for axis in (None, -1)],
    *[call(name, M, k, smooth=False) for name in ("diagonal", "diag") for k in (-5, 4)],
    *[call("trace", M, k) for k in (-5, -2, 3)],
    # ---- truth values ----
    *[call(name, T, smooth=False) for name in ("argmax", "argmin", "sort", "sum", "nanargmax")],
    call("argsort", T, kind="stable", smooth=False),
    *[call(name, M, True) for name in ("add", "subtract", "multiply", "maximum", "fmin")],
    *[call(name, V, T) for name in ("add", "subtract", "minimum", "maximum")],
    call("ldexp", V, T),
    # ---- two dtypes, and unsigned integers ----
    call("minimum", V * 40, np.asarray([30, 1, 250], dtype=np.uint8), not_on=("array_api_strict",)),
    *[call("percentile", np.asarray([3, 1, 7]), 30, method=m) for m in ("lower", "nearest")],
    call("reciprocal", np.asarray([1, -1, 2, -7])),
    *[call(name, np.asarray([1, 2]), initial=2.7) for name in ("sum", "prod", "max")],
    # ---- complex numbers ----
    call("median", Z, axis=1, smooth=False, not_on=COMPLEX),
    *[call(name, Z, 1, where=T, smooth=False) for name in ("mean", "var", "std")],
    *[call(name, Z, smooth=False) for name in ("nanmean", "nanstd", "nansum")],
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("library", "one"), over_libraries(CASES), ids=str)
def test_values_at_the_edges_are_those_of_numpy(library: Library, one: Call) -> None:
    check_values(one, library)


SMOOTH = [one for one in CASES if has_slopes(one, STEPS)]


@pytest.mark.parametrize("one", SMOOTH, ids=str)
def test_gradients_at_the_edges_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)


@pytest.mark.parametrize("library", [named("numpy"), named("torch"), named("jax")], ids=str)
def test_a_product_of_two_dtypes_is_taken_by_name(library: Library) -> None:
    single: Any = np.ones((2, 3), dtype=np.float32)
    double = numbers(3)
    mine: Any = tensor(library.array(single))
    found: Any = np.matmul(mine, tensor(library.array(double)))  # pyright: ignore[reportArgumentType, reportCallIssue]
    np.testing.assert_allclose(library.numpy(found), single @ double)


@pytest.mark.parametrize(
    "name", ["cbrt", "fabs", "deg2rad", "degrees", "modf", "frexp", "spacing", "i0"]
)
def test_functions_of_real_numbers_refuse_complex_ones(name: str) -> None:
    with pytest.raises(TypeError, match="takes real numbers only"):
        getattr(np, name)(tensor(Z))


def test_bits_are_counted_of_integers_only() -> None:
    with pytest.raises(TypeError, match="takes integers only"):
        np.bitwise_count(tensor(V))


def test_the_slope_at_a_tie_of_two_is_half() -> None:
    x = tensor(np.asarray([1.0, 2.0, 3.0]))
    np.sum(np.minimum(x, np.asarray([2, 2, 2], dtype=np.uint8))).backward()
    assert x.grad.tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("library", OVER, ids=str)
def test_a_power_of_numbers_without_a_dtype_keeps_that_of_the_tensor(library: Library) -> None:
    xp = tensor(library.array(V)).__array_namespace__()
    x = tensor(library.array(V, dtype="float32"), requires_grad=False)
    made = FUNCTIONS["logaddexp2"](x, 2.0, xp=xp)
    assert str(made.dtype).endswith("float32")
