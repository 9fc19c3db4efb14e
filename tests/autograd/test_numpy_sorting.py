"""NumPy's orders, searches, sets and choices on Tensors, beside NumPy's own."""

from typing import Any

import numpy as np
import pytest
from portable_losses.backends.numpy_code.names import FUNCTIONS

from portable_losses.autograd import namespace, tensor
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

V, M, C = numbers(7), numbers(3, 4), numbers(2, 3, 4)
Z = numbers(5, kind="complex128")
R = np.asarray([1.5, -0.7, 1.5, 0.2, -0.7, 3.0])
G = np.asarray([np.nan, 1.5, -0.7, np.nan, 1.5])
ROWS = np.asarray([[1.5, 0.2], [-0.7, 3.0], [1.5, 0.2], [1.5, -0.4]])
K = np.asarray([3, 1, 4, 1, 5, 1, 4])
T = np.asarray([[True, False, True, True], [False, False, True, False], [True] * 4])
N = np.asarray(0.3)
UNKNOWN = ("dask",)  # does not know how many entries there are

SETS = "intersect union setdiff setxor"

CASES = [
    # ---- orders ----
    *[call(name, M) for name in ("sort", "argsort", "sort_complex")],
    *[call(name, C, 0) for name in ("sort", "argsort")],
    *[call(name, M, None, "stable") for name in ("sort", "argsort")],
    *[call(name, [V, V * 2], axis=1, stable=True) for name in ("sort", "argsort")],
    *[call(name, Z) for name in ("sort", "argsort", "sort_complex")],
    *[call(name, K, kind="stable", constants=True) for name in ("sort", "argsort")],
    *[call(name, V, 3, then=lambda x: x[3]) for name in ("partition", "argpartition")],
    *[call(name, M, [1, 2], 0, then=lambda x: x[1, ...]) for name in ("partition", "argpartition")],
    call("lexsort", (V, R[[0, 1, 2, 3, 4, 5, 0]])),
    call("lexsort", M),
    call("lexsort", (M, np.round(M)), axis=0),
    # ---- searches ----
    call("searchsorted", np.sort(V), M),
    call("searchsorted", np.sort(R), R, "right"),
    call("searchsorted", np.sort(V), 0.5, smooth=False),
    call("searchsorted", V, M, sorter=np.argsort(V), constants=True),
    call("digitize", M, np.asarray([-1.0, 0.0, 1.0])),
    call("digitize", R, [3.0, 1.5, -0.7]),
    call("digitize", R, [-0.7, 1.5, 3.0], right=True),
    call("digitize", R, [3.0, 1.5, -0.7], right=True),
    *[call(name, M * T) for name in ("nonzero", "flatnonzero")],
    call("argwhere", M * T, not_on=UNKNOWN),
    call("where", M > 0, constants=True),
    # ---- selections ----
    call("extract", M > 0, M, constants=True),
    call("compress", [True, False, True], M, 0),
    call("compress", V > 0, M, constants=True),
    # ---- sets ----
    call("unique", R, smooth=False),
    call("unique", ROWS, smooth=False),
    call("unique", R, True, True, True, not_on=UNKNOWN, smooth=False),
    call("unique", ROWS, return_inverse=True, not_on=UNKNOWN, smooth=False),
    call("unique", ROWS, axis=0, smooth=False),
    call("unique", ROWS, True, True, True, axis=0, not_on=UNKNOWN, smooth=False),
    call("unique", ROWS[:, [0, 1, 0]], axis=1, smooth=False),
    call("unique", G, smooth=False),
    call("unique", G, equal_nan=False, return_counts=True, not_on=UNKNOWN, smooth=False),
    call("unique", K, return_counts=True, constants=True, not_on=UNKNOWN),
    call("unique", Z, not_on=UNKNOWN),
    call("unique", np.zeros(0)),
    *[call(f"unique_{name}", V, not_on=UNKNOWN) for name in ("all", "counts", "inverse", "values")],
    call("isin", R, [1.5, 3.0]),
    call("isin", ROWS, R[1:4], invert=True),
    call("isin", K, [1, 5], constants=True),
    *[
        call(name, R, ROWS, smooth=False, not_on=UNKNOWN)
        for name in ("intersect1d", "union1d", "setdiff1d", "setxor1d")
    ],
    *[call(name, V, [0.3, 9.0], not_on=UNKNOWN) for name in ("union1d", "setdiff1d", "setxor1d")],
    *[
        call(name, K, [1, 7, 4], constants=True, not_on=UNKNOWN)
        for name in ("intersect1d", "union1d")
    ],
    call("intersect1d", R, ROWS, return_indices=True, smooth=False, not_on=UNKNOWN),
    call("setdiff1d", V, V[2:4], assume_unique=True, smooth=False, not_on=UNKNOWN),
    # ---- questions ----
    call("isclose", M, M + 1e-9),
    call("isclose", G, [np.nan, 1.5, np.inf, 0, 1.5], equal_nan=True),
    call("isclose", np.asarray([np.inf, -np.inf, 1.0]), np.asarray([np.inf, np.inf, 1.1]), 0.2),
    call("isclose", K, 4, constants=True),
    call("allclose", M, M + 1e-9),
    call("allclose", M, V[:4]),
    call("array_equal", M, M),
    call("array_equal", M, V),
    call("array_equal", G, G, equal_nan=True),
    call("array_equiv", M, M[:1]),
    call("array_equiv", V, V[None]),
    # ---- choices ----
    call("where", M > 0, M, V[:4], constants=True),
    call("where", M > 0, M, 0.0, constants=True),
    call("where", M > 0, 1, N, constants=True),
    call("where", [True, False, True], [1.0, 2.0, 3.0], V[:3]),
    call("where", T, 1.5, K[:4], constants=True),
    call("select", [M > 1, M > 0], [M**2, M * N], constants=True),
    call("select", [M > 1, M > 0], [M**2, 1.0], M + V[:4], constants=True),
    *[
        call("piecewise", *parts, constants=True, not_on=UNKNOWN)
        for parts in (
            (M, [M < 0, M > 1], [lambda x: x**2, lambda x: x * x[0], 3.0]),
            (M, [M < 0], [-1.0, lambda x, p: x * p], 2.0),
            (V, V < 0, [lambda x: 1 / x, lambda x: x]),
            (V[:3], [True, False, True], [lambda x: 1 / x]),
            (N, [True], [lambda x: x * x]),
        )
    ],
    call("choose", np.asarray([2, 0, 1, 2]), [M, V[:4], 1.0], constants=True),
    call("choose", np.asarray([3, -1, 1, 2]), [M, V[:4], V[3:]], mode="wrap", constants=True),
    call("choose", np.asarray([3, -1, 1, 2]), [M, V[:4], V[3:]], mode="clip", constants=True),
]
STEPS = """
argsort argpartition lexsort searchsorted digitize nonzero flatnonzero argwhere isin isclose
allclose array_equal array_equiv
"""


@pytest.mark.parametrize("library, one", over_libraries(CASES), ids=str)
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if has_slopes(one, STEPS.split())], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)


def test_the_first_of_equal_entries_gets_the_gradient() -> None:
    xp = namespace(np)
    x = tensor(np.asarray([2.0, 1.0, 2.0]))
    xp.sum(FUNCTIONS["unique"](x, xp=xp)).backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "name, args, message",
    [
        ("where", ([True], 1.0), "`where` takes both `x` and `y`, or neither"),
        ("select", ([True], [1.0, 2.0]), "differ in length: 1, 2"),
        ("choose", ([0, 2], [V, V]), "`a` must be in 0 ... 1 to choose from 2 arrays"),
        ("piecewise", (V, [V < 0], [1.0, 2.0, 3.0]), "`funclist` must have 1 functions or one"),
    ],
)
def test_a_choice_that_cannot_be_made_raises(name: str, args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FUNCTIONS[name](*args, xp=namespace(np))
