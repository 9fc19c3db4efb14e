"""NumPy's products, joins, polynomials and convolutions on Tensors, beside NumPy's own."""

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

U, V, W = numbers(5), numbers(3), numbers(3, seed=1)
M, K, C = numbers(2, 3), numbers(3, 4), numbers(2, 3, 4)
S = numbers(3, 3)
N = np.asarray(0.7)
Z = numbers(2, 3, kind="complex128")
COMPLEX = ("dask",)  # warns when it takes from complex numbers
ONES = np.asarray([[1, 2, 3], [4, 5, 6]])

CASES = [
    *[
        call("dot", a, b)
        for a, b in ((V, W), (M, K), (M, V), (C, numbers(4)), (C, K.T), (N, M), (M, 2), (ONES, K))
    ],
    call("dot", C, numbers(2, 4, 2)),
    call("dot", V, [1, 2, 3]),
    call("vdot", M, numbers(2, 3, seed=1)),
    call("vdot", Z, Z[::-1]),
    call("inner", V, W),
    call("inner", M, numbers(4, 3)),
    call("inner", C, numbers(5, 4)),
    call("inner", 2.0, M),
    call("outer", V, U),
    call("outer", M, V),
    call("linalg.outer", V, U),
    call("kron", V, U),
    call("kron", M, K),
    call("kron", V, M),
    call("kron", C, V),
    call("tensordot", C, numbers(3, 4, 2)),
    call("tensordot", C, K.T, 1),
    call("tensordot", V, M, 0),
    call("tensordot", C, numbers(4, 2), ([0, -1], [1, 0])),
    call("tensordot", C, K, axes=(1, 0)),
    call("linalg.tensordot", C, numbers(3, 4, 2)),
    call("linalg.matmul", C, K.T),
    call("linalg.vecdot", M, numbers(2, 3, seed=1)),
    call("linalg.vecdot", C, numbers(3, 1), axis=-2),
    call("cross", V, W),
    call("cross", M, V),
    call("cross", numbers(3, 2), numbers(3, 2, seed=1), axis=0),
    call("cross", numbers(3, 2), M, 0, 1, 0),
    call("cross", numbers(3, 4, 2), numbers(4, 3, 2), 0, 1, 1),
    call("linalg.cross", M, V),
    call("linalg.multi_dot", [V, S, M.T]),
    call("linalg.multi_dot", [M, K, numbers(4, 2), numbers(2, 5)]),
    call("linalg.multi_dot", [V, S, W]),
    # ---- einsum ----
    *[
        call("einsum", subscripts, *operands)
        for subscripts, *operands in (
            ("ij,jk->ik", M, K),
            ("ij,jk", M, K),
            ("ij,ij->", M, M[::-1]),
            ("ji", M),
            ("ii", S),
            ("ii->i", S),
            ("iij->j", numbers(3, 3, 2)),
            ("ijk->k", C),
            ("ij,j,k->ik", M, V, U),
            ("i,j,ij", numbers(2), V, M),
            ("bij,bjk->bik", C, numbers(2, 4, 3)),
            ("...ij,...jk->...ik", C, numbers(4, 3)),
            ("i...,i...->...", M, numbers(2, 1)),
            ("...i", C),
            ("i...->...", C),
            ("...,...", M, N),
            ("ij,kl->ikjl", M, K),
            ("ab,bc,cd,de->ae", M, K, numbers(4, 2), numbers(2, 5)),
            (" i j , j -> i ", M, V),
            ("ij,jk,ki->", M, K, numbers(4, 2)),
            ("ii,ij->j", S, numbers(3, 2)),
            ("ij,ij,ij->ij", M, M[::-1], numbers(2, 3, seed=2)),
            ("bi,bj->b", M, numbers(2, 4)),
            ("i,i,i,i", V, W, V[::-1], W[::-1]),
            ("ij,j->i", ONES, V),
            ("->", N),
            (",ij", N, M),
            ("ik,kj->ij", numbers(2, 1), numbers(3, 4)),
            ("ij,jk,ik->ik", M, numbers(3, 1), numbers(2, 4)),
            ("ij,jk,ik->", M, numbers(3, 1), numbers(2, 4)),
            ("ij,ij->i", numbers(1, 3), M),
            ("ijj,j...->i...", numbers(2, 3, 3), K),
            ("ij,jk->ik", Z, Z.T),
        )
    ],
    call("einsum", M, [0, 1], K, [1, 2], [0, 2]),
    call("einsum", M, [0, 1], K, [1, 2]),
    call("einsum", C, [..., 0, 1], K.T, [1, 2], [..., 0, 2]),
    call("einsum", "ij,jk->ik", M, K, optimize=True),
    # ---- joins ----
    call("concatenate", [M, numbers(4, 3)]),
    call("concatenate", (M, numbers(2, 1)), axis=-1),
    call("concatenate", [M, V], axis=None),
    call("concatenate", M),
    call("concatenate", [V, [1, 2], np.asarray([3.5])]),
    call("concatenate", [V, ONES[0]]),
    call("stack", [V, W]),
    call("stack", [V, W, [1.0, 2.0, 3.0]], axis=-1),
    call("stack", [N, 1.0, N]),
    call("stack", M, axis=1),
    call("hstack", [V, U]),
    call("hstack", [M, numbers(2, 1)]),
    call("hstack", [N, 2.0]),
    call("vstack", [V, W, [1, 2, 3]]),
    call("vstack", [M, V]),
    call("dstack", [V, W]),
    call("dstack", [M, M[::-1]]),
    call("column_stack", [V, W]),
    call("column_stack", [numbers(3, 2), V]),
    call("block", [[M, numbers(2, 1)], [numbers(1, 3), N]]),
    call("block", [V, 1.0]),
    call("block", N),
    call("block", [[V], [W]]),
    call("split", U, [1, 3]),
    call("split", M, 3, axis=-1),
    call("split", U, (2, 2, 9)),
    call("array_split", U, 3),
    call("array_split", M, 2, axis=1),
    call("hsplit", M, 3),
    call("hsplit", U, [2]),
    call("vsplit", M, 2),
    call("dsplit", C, 2),
    call("unstack", M),
    call("unstack", M, axis=-1),
    call("meshgrid", V, U),
    call("meshgrid", V, U, indexing="ij"),
    call("meshgrid", V, [1.0, 2.0], numbers(2), sparse=True),
    call("meshgrid", V),
    # ---- convolutions and polynomials ----
    *[
        call(name, a, v, mode)
        for name in ("convolve", "correlate")
        for mode in ("full", "same", "valid")
        for a, v in ((U, V), (V, U), (U, numbers(4)), (numbers(2), U))
    ],
    call("convolve", U, [1, 2]),
    call("correlate", U, numbers(3, kind="complex128"), "full", not_on=COMPLEX),
    call(
        "correlate",
        numbers(2, kind="complex128"),
        numbers(5, kind="complex128"),
        "same",
        not_on=COMPLEX,
    ),
    call("vander", V),
    call("vander", V, 2),
    call("vander", V, 4, increasing=True),
    call("polyval", V, M),
    call("polyval", [1.0, 2.0, 3.0], V),
    call("polyval", V, 2.0),
    call("polynomial.polynomial.polyval2d", M, M[::-1], K),
    call("polynomial.polynomial.polyval2d", M, 2 * M, numbers(3, 2, 2)),
    call("polynomial.polynomial.polygrid2d", V, M, K),
    call("polyadd", V, U),
    call("polysub", U, V),
    call("polymul", V, U),
    call("polydiv", U, V),
    call("polydiv", V, U),
    call("polyder", U),
    call("polyder", U, 2),
    call("polyint", V),
    call("polyint", V, 2, [1.0, 2.0]),
    call("polyint", V, 1, N),
    call("poly", V),
    call("poly", S + S.T, not_on=("dask",)),
    call("roots", np.asarray([1.0, -3.5, 2.0, 0.4]), not_on=("dask",), then=sum),
    call("polyfit", numbers(8), numbers(8, seed=1), 2, not_on=("dask",)),
    call("polyfit", numbers(8), numbers(8, 2), 1, w=np.linspace(0.5, 1.5, 8), not_on=("dask",)),
    call("polyfit", numbers(8), numbers(8, seed=1), 1, cov=True, not_on=("dask",)),
    call("polyfit", numbers(8), numbers(8, seed=1), 1, cov="unscaled", not_on=("dask",)),
    call("polyfit", numbers(8), numbers(8, seed=1), 1, full=True, not_on=("dask",)),
]


@pytest.mark.parametrize(("library", "one"), over_libraries(CASES), ids=str)
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if one.smooth], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)
