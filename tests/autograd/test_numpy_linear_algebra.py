"""NumPy's `linalg` and `fft` on Tensors, beside NumPy's own."""

from typing import Any

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

NO_DASK = ("dask",)  # has few of these, and wants single chunks for the others
V, M, C = numbers(4), numbers(3, 4), numbers(2, 3, 4)
S = numbers(3, 3) + 2 * np.eye(3)
SS = numbers(2, 3, 3) + 3 * np.eye(3)
P = S @ S.T + np.eye(3)
Z = numbers(3, 3, kind="complex128")
H = Z @ Z.conj().T + np.eye(3)
ZV = numbers(5, kind="complex128")
INF = float("inf")


def squares(out: Any) -> Any:
    """What does not depend on the signs of vectors: values, and the squares of entries."""
    return [abs(x) ** 2 for x in out]


def product(out: Any) -> Any:
    return [out[0] @ out[1], abs(out[1]), abs(out[0])]


def values_and_product(out: Any) -> Any:
    u, s, vh = out
    k = s.shape[-1]
    return [s, (u[..., :, :k] * s[..., None, :] ** 2) @ vh[..., :k, :]]


CASES = [
    *[
        call("linalg.norm", x, order, axis)
        for x, order, axis in (
            (V, None, None),
            (M, None, None),
            (C, None, None),
            *((V, order, None) for order in (0, 1, 2, 3, -1, -2, 0.5, INF, -INF)),
            *((M, order, None) for order in ("fro", 1, -1, INF, -INF)),
            (C, None, 1),
            (C, 3, -1),
            (C, 1, (0, 2)),
            (C, None, (1, 0)),
            (C, -INF, (2, 0)),
            (Z, None, None),
            (Z, 1, 0),
        )
        if order != 0
    ],
    call("linalg.norm", V, 0, smooth=False),
    *[call("linalg.norm", C, order, (0, 1), not_on=NO_DASK) for order in ("nuc", 2, -2)],
    call("linalg.norm", C, keepdims=True),
    call("linalg.norm", C, 1, 1, True),
    call("linalg.norm", C, "fro", (0, 2), keepdims=True),
    call("linalg.norm", [[V, V], [V, V]], axis=(0, 1)),
    call("linalg.vector_norm", C),
    call("linalg.vector_norm", C, axis=(0, 2), ord=3, keepdims=True),
    call("linalg.matrix_norm", C, ord=1, keepdims=True),
    call("linalg.cholesky", P, not_on=NO_DASK),
    call("linalg.cholesky", P, upper=True, not_on=NO_DASK),
    call("linalg.cholesky", H, not_on=NO_DASK),
    call("linalg.qr", S, then=product, not_on=NO_DASK),
    call("linalg.qr", numbers(4, 2), then=product),
    call("linalg.qr", M, then=product, not_on=NO_DASK),
    call("linalg.qr", M, "complete", then=product, not_on=NO_DASK),
    call("linalg.qr", M, mode="r", then=abs, not_on=NO_DASK),
    call("linalg.svd", M, False, then=values_and_product),
    call("linalg.svd", numbers(4, 2), full_matrices=False, then=values_and_product),
    call("linalg.svd", M, then=lambda out: out[1], not_on=NO_DASK),
    call("linalg.svd", S, then=values_and_product),
    call("linalg.svd", M, compute_uv=False),
    call("linalg.svd", P, hermitian=True, then=values_and_product, not_on=NO_DASK),
    call("linalg.svd", S, hermitian=True, then=values_and_product, not_on=NO_DASK),
    call("linalg.svd", S, compute_uv=False, hermitian=True, not_on=NO_DASK),
    call("linalg.svdvals", C, not_on=NO_DASK),
    *[
        one
        for x in (S, SS, Z)
        for uplo in "LU"
        for one in (
            call("linalg.eigh", x, uplo, then=squares, not_on=NO_DASK),
            call("linalg.eigvalsh", x, UPLO=uplo, not_on=NO_DASK),
        )
    ],
    call("linalg.eig", P, then=lambda out: sum(out[0] ** 3), not_on=NO_DASK),
    call("linalg.eigvals", S, then=lambda out: abs(sum(out**3)), not_on=NO_DASK),
    *[
        call(f"linalg.{name}", x, not_on=NO_DASK)
        for name in ("det", "slogdet")
        for x in (S, SS, Z, numbers(1, 1))
    ],
    *[call("linalg.inv", x, not_on=NO_DASK) for x in (S, SS, Z)],
    *[
        call("linalg.pinv", x, not_on=NO_DASK)
        for x in (S, M, C, numbers(4, 2), numbers(3, 2, kind="complex128"))
    ],
    call("linalg.pinv", M, 0.3, not_on=NO_DASK),
    call("linalg.pinv", M, rtol=None, not_on=NO_DASK),
    call("linalg.pinv", S, hermitian=True, not_on=NO_DASK),
    call("linalg.solve", S, numbers(3), not_on=NO_DASK),
    call("linalg.solve", S, numbers(3, 2), not_on=NO_DASK),
    call("linalg.solve", SS, numbers(3, 2), not_on=NO_DASK),
    call("linalg.solve", SS, numbers(3), not_on=NO_DASK),
    call("linalg.solve", SS, [[1], [2], [3]], not_on=NO_DASK),
    call("linalg.solve", S, [1, 2, 3], not_on=NO_DASK),
    call("linalg.lstsq", numbers(5, 2), numbers(5), not_on=NO_DASK),
    call("linalg.lstsq", numbers(5, 2), numbers(5, 3), rcond=1e-3, not_on=NO_DASK),
    call("linalg.lstsq", M, numbers(3), not_on=NO_DASK),
    *[call("linalg.matrix_power", S, n) for n in (1, 2, 3, 5)],
    call("linalg.matrix_power", S, 0, smooth=False),
    call("linalg.matrix_power", SS, -3, not_on=NO_DASK),
    call("linalg.matrix_rank", M, smooth=False),
    call("linalg.matrix_rank", np.ones((2, 3, 3)), smooth=False, not_on=NO_DASK),
    call("linalg.matrix_rank", V, smooth=False),
    call("linalg.matrix_rank", S, 1.5, smooth=False),
    call("linalg.matrix_rank", S, rtol=0.5, hermitian=True, smooth=False, not_on=NO_DASK),
    *[
        call("linalg.cond", S, p, not_on=NO_DASK)
        for p in (None, 2, -2, 1, -1, INF, -INF, "fro", "nuc")
    ],
    call("linalg.tensorinv", numbers(4, 6, 8, 3) + 0.0, not_on=(*NO_DASK, "jax")),
    call("linalg.tensorinv", numbers(6, 2, 3), ind=1, not_on=NO_DASK),
    call("linalg.tensorsolve", numbers(2, 3, 6), numbers(2, 3), not_on=NO_DASK),
    call("linalg.tensorsolve", numbers(6, 2, 3), numbers(2, 3), axes=(0,), not_on=NO_DASK),
    # ---- fft ----
    *[
        call(f"fft.{name}", x, not_on=NO_DASK)
        for name in ("fft", "ifft", "hfft", "irfft")
        for x in (numbers(5), ZV, C)
    ],
    *[call(f"fft.{name}", x, not_on=NO_DASK) for name in ("rfft", "ihfft") for x in (V, C)],
    *[
        call(f"fft.{name}", C, n, 1, norm, not_on=NO_DASK)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for n, norm in ((2, "ortho"), (5, "forward"), (None, "backward"))
    ],
    *[
        call(f"fft.{name}", C, s, axes, norm, not_on=NO_DASK)
        for name in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
        for s, axes, norm in (
            (None, (0, 1), None),
            ((3, 2), (-1, 0), "ortho"),
            ((-1, 5), (1, 2), "forward"),
            (None, (1, 1), None),
        )
    ],
    *[
        call(f"fft.{name}", C, not_on=NO_DASK)
        for name in ("fft2", "fftn", "rfftn", "irfftn", "irfft2")
    ],
    call("fft.fftn", C, axes=(0,), not_on=NO_DASK),
    call("fft.fftshift", C),
    call("fft.fftshift", C, 1),
    call("fft.ifftshift", C, (0, 2)),
    call("fft.ifftshift", numbers(5)),
]


@pytest.mark.parametrize(("library", "one"), over_libraries(CASES), ids=str)
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if one.smooth], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)
