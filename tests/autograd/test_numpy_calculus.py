"""NumPy's differences and integrals, and the arrays it makes beside Tensors, beside its own."""

import numpy as np
import pytest

from tests.autograd.numpy_calls import (
    NUMPY,
    Call,
    call,
    check_gradients,
    check_values,
    numbers,
    over_libraries,
)
from tests.libraries import Library

V, M, C = numbers(5), numbers(3, 4), numbers(3, 4, 5)
X = np.asarray([0.1, 0.4, 1.1, 1.3, 2.2])
N = np.asarray(0.7)

CASES = [
    call("diff", V),
    call("diff", C, 2, 1),
    call("diff", V, 0),
    call("diff", V, 9),
    call("diff", M, prepend=N, append=2),
    call("diff", M, axis=0, prepend=[[1, 2, 3, 4]]),
    call("diff", V, append=[1.0, 2.0]),
    call("ediff1d", M),
    call("ediff1d", V, [1.0, 2.0], N),
    call("ediff1d", V, to_begin=3),
    call("trapezoid", V),
    call("trapezoid", M, dx=N),
    call("trapezoid", V, X),
    call("trapezoid", C, X),
    call("trapezoid", C, X[:4], axis=1),
    call("trapezoid", M, numbers(3, 4, seed=1), axis=0),
    call("gradient", V),
    call("gradient", M),
    call("gradient", C),
    call("gradient", M, 0.5),
    call("gradient", M, N, X[:4]),
    call("gradient", V, X),
    call("gradient", V, X, edge_order=2),
    call("gradient", C, axis=1, edge_order=2),
    call("gradient", C, 0.3, X, axis=(0, 2)),
    call("gradient", M, 2.0, 3.0, axis=(1, 0), edge_order=2),
    call("gradient", numbers(2)),
    call("gradient", [1.0, 4.0, N]),
    # ---- creation ----
    *[call(name, M, smooth=False) for name in ("zeros_like", "ones_like")],
    call("zeros_like", M, np.int64, smooth=False),
    call("ones_like", M, dtype="float32", shape=(2, 2), smooth=False),
    call("empty_like", M, shape=0, smooth=False),
    call("full_like", M, 3.0, smooth=False),
    call("full_like", np.asarray([1, 2, 3]), N, dtype=float),
    call("full_like", M, V[:4]),
    call("full_like", M, N, shape=5),
    call("linspace", N, 2.0, 4),
    call("linspace", N, 2.0, 4, endpoint=False),
    call("linspace", V, 1, 3),
    call("linspace", V, X, 3, axis=-1),
    call("linspace", N, X, 3, True, True),
    call("linspace", N, 1.5, 1, retstep=True, smooth=False),
    call("linspace", N, 1.5, 0, smooth=False),
    call("linspace", N, 5.5, 4, dtype=int, smooth=False),
    call("logspace", N, 1.5, 4),
    call("logspace", N, X, 3, base=2.0, axis=1),
    call("logspace", 0, 2, 3, base=X, axis=-1),
    call("geomspace", N, 8.0, 4),
    call("geomspace", X, 3 * X, 4, axis=-1),
    call("geomspace", np.asarray(-0.7), -8.0, 3, endpoint=False),
]


@pytest.mark.parametrize(("library", "one"), over_libraries(CASES), ids=str)
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if one.smooth], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)
