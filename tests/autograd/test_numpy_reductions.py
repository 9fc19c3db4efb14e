"""NumPy's reductions on Tensors, with and without NaN, beside NumPy's own."""

import numpy as np
import pytest

from tests.autograd.numpy_calls import (
    NUMPY,
    Call,
    call,
    check_gradients,
    check_values,
    has_slopes,
    numbers,
    over_libraries,
)
from tests.libraries import Library

V, M, C = numbers(5), numbers(2, 3), numbers(2, 3, 4)
Z = numbers(2, 3, kind="complex128")
K, J = np.asarray([3, 1, 4]), np.asarray([[-2, 5, 6], [0, 1, 7]])
T = np.asarray([[True, False, True], [False, False, True]])
S = np.asarray([1, 2], dtype=np.int32)
N = np.asarray(0.7)
G = np.asarray([[np.nan, 1.2, -0.7], [0.4, np.nan, 2.2]])
H = np.asarray([[np.nan, 1.2], [np.nan, 0.3]])

OF_AXES = ["sum", "prod", "mean", "max", "amax", "min", "amin", "ptp", "std", "var"]
RUNNING = ["cumsum", "cumprod"]
WITHOUT_NAN = ["nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanstd", "nanvar"]

CASES = [
    *[call(name, M) for name in (*OF_AXES, *RUNNING, *WITHOUT_NAN)],
    *[call(name, C, 1) for name in (*OF_AXES, *RUNNING, *WITHOUT_NAN)],
    *[call(name, C, axis=(0, -1)) for name in (*OF_AXES, *WITHOUT_NAN)],
    *[call(name, C, axis=(0, 2), keepdims=True) for name in (*OF_AXES, *WITHOUT_NAN)],
    *[call(name, M, keepdims=True) for name in OF_AXES],
    *[call(name, M, axis=np.int64(1)) for name in OF_AXES],
    *[call(name, [V, V * 2]) for name in OF_AXES],
    *[call(name, [V[0:1], [2.0], [-0.5]], 0) for name in ("sum", "mean", "max", "var")],
    *[call(name, N) for name in (*OF_AXES, *RUNNING)],
    *[call(name, J, constants=True) for name in (*OF_AXES, *RUNNING, *WITHOUT_NAN)],
    *[call(name, J, 0, constants=True) for name in (*OF_AXES, *RUNNING)],
    *[call(name, S, constants=True) for name in ("sum", "prod", "cumsum", "cumprod", "mean")],
    *[call(name, T, constants=True) for name in ("sum", "prod", "mean", "std", "cumsum")],
    *[call(name, T, 1, constants=True) for name in ("sum", "prod", "mean", "var", "cumprod")],
    *[call(name, Z) for name in ("sum", "prod", "mean", "std", "var", "cumsum", "cumprod")],
    *[call(name, G, 0) for name in (*WITHOUT_NAN, "nancumsum", "nancumprod")],
    *[call(name, G) for name in (*WITHOUT_NAN, "nancumsum", "nancumprod")],
    *[call(name, H, 0, smooth=False) for name in (*WITHOUT_NAN, "nancumsum")],
    *[call(name, G, 0, smooth=False) for name in OF_AXES],
    # ---- options ----
    call("sum", M, initial=1.5),
    call("sum", M, where=T, constants=True),
    call("sum", M, 1, where=[True, False, True], initial=N),
    call("sum", M, dtype=np.float32, smooth=False),
    call("sum", J, dtype=float, constants=True),
    call("sum", M, 0, float, None, True),
    call("sum", M, axis=()),
    call("prod", M, initial=N),
    call("prod", M, 1, where=T, constants=True),
    call("mean", M, 1, where=T, constants=True),
    call("mean", M, where=T, keepdims=True, constants=True),
    call("mean", J, dtype="float64", constants=True),
    call("max", M, initial=0.5),
    call("max", M, 1, where=T, initial=-7.0, constants=True),
    call("min", M, 0, where=T, initial=N, constants=True),
    call("max", np.zeros((0, 3)), 0, initial=2.0, smooth=False),
    call("var", M, 1, ddof=1),
    call("std", M, correction=1),
    call("var", C, axis=(0, 2), ddof=2, keepdims=True),
    call("var", M, 1, where=T, ddof=0, constants=True),
    call("std", C, axis=0, mean=numbers(1, 3, 4, seed=2)),
    call("std", C, where=C > 0, constants=True),
    call("nanvar", G, ddof=1),
    call("nanstd", np.asarray([[np.nan, 1.0, 3.0, 4.0]]), 1, ddof=1, keepdims=True),
    call("nanmean", G, 1, where=T, constants=True),
    call("nanmax", G, initial=0.5),
    call("nanmin", G, 1, where=T, initial=3.0, constants=True),
    call("nansum", G, 0, where=T, initial=2.0, constants=True),
    # ---- positions, truth ----
    *[call(name, M) for name in ("argmax", "argmin", "nanargmax", "nanargmin")],
    *[call(name, C, 1, keepdims=True) for name in ("argmax", "argmin")],
    *[call(name, G, 0) for name in ("argmax", "nanargmax", "nanargmin")],
    *[call(name, M) for name in ("any", "all", "count_nonzero")],
    *[call(name, J, 1, constants=True) for name in ("any", "all", "count_nonzero")],
    *[call(name, J, axis=(0, 1), keepdims=True, constants=True) for name in ("any", "all")],
    *[call(name, T, 0, where=T, constants=True) for name in ("any", "all")],
    call("count_nonzero", T, axis=(0, 1), keepdims=True, constants=True),
    # ---- step by step ----
    call("cumsum", M, dtype=np.float32, smooth=False),
    call("cumulative_sum", V),
    call("cumulative_sum", C, axis=1, include_initial=True),
    call("cumulative_prod", C, axis=-1),
    call("cumulative_prod", V, include_initial=True),
    call("cumulative_sum", K, constants=True, include_initial=True),
]
STEPS = frozenset(["argmax", "argmin", "nanargmax", "nanargmin", "any", "all", "count_nonzero"])


@pytest.mark.parametrize("library, one", over_libraries(CASES), ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if has_slopes(one, STEPS)], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)
