"""The linear algebra extension: every rule against PyTorch or JAX, and on every library."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import Tensor, grad, gradcheck, namespace, tensor
from portable_losses.autograd.rules import COMPOSED, OPERATIONS
from portable_losses.autograd.rules.constant import NO_GRADIENT
from tests.autograd.cases import LIBRARIES
from tests.autograd.peers import Sample, check_against_the_peer, check_over, numbers

NP = namespace(np)
KINDS = ("float64", "complex128")


def hermitian(xp: Namespace, x: Array) -> Array:
    return (x + xp.conj(xp.matrix_transpose(x))) / 2


def positive(xp: Namespace, x: Array) -> Array:
    one = xp.eye(x.shape[-1], dtype=x.dtype)
    return xp.matmul(x, xp.conj(xp.matrix_transpose(x))) + one * 2


def scaled(xp: Namespace, vectors: Array, values: Array) -> Array:
    """Return ``V diag(values) V^H``: what does not depend on the phase of the vectors."""
    back = xp.conj(xp.matrix_transpose(vectors))
    return xp.matmul(vectors * values[..., None, :], back)


def eigh(xp: Namespace, x: Array) -> tuple[Array, Array]:
    values, vectors = xp.linalg.eigh(hermitian(xp, x))
    return values, scaled(xp, vectors, xp.exp(values))


def projections(xp: Namespace, x: Array) -> Array:
    vectors = xp.linalg.eigh(hermitian(xp, x))[1]
    return vectors[..., :, None, :] * xp.conj(vectors[..., None, :, :])


def eig(xp: Namespace, x: Array) -> tuple[Array, Array]:
    values, vectors = xp.linalg.eig(x)
    size = xp.abs(vectors)  # of length 1, of any phase
    return xp.sum(values * values, axis=-1), xp.sum(
        size * size * xp.abs(values)[..., None, :], axis=-1
    )


def svd(xp: Namespace, x: Array) -> tuple[Array, Array]:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return s, xp.matmul(u * xp.exp(-s)[..., None, :], vh)


def left_vectors(xp: Namespace, x: Array) -> Array:
    u, s, _ = xp.linalg.svd(x, full_matrices=False)
    return scaled(xp, u, 1 / s)


def right_vectors(xp: Namespace, x: Array) -> Array:
    _, s, vh = xp.linalg.svd(x, full_matrices=x.shape[-1] < x.shape[-2])
    return scaled(xp, xp.conj(xp.matrix_transpose(vh)), xp.sin(s))


def qr(xp: Namespace, x: Array, mode: str = "reduced") -> Array:
    q, r = xp.linalg.qr(x, mode=mode)
    # The phase of a row of R is the library's choice, its products with Q are not.
    return xp.matmul(q, xp.abs(r) * r), xp.abs(q), xp.abs(r)


def of(name: str, **options: Any) -> Callable[..., Any]:
    """Return ``(xp, *arrays) -> xp.linalg.<name>(*arrays, **options)``."""
    return lambda xp, *xs: getattr(xp.linalg, name)(*xs, **options)


def samples_of(kind: str) -> list[Sample]:
    def a(*shape: int, seed: int = 0) -> Any:
        return numbers(*shape, seed=seed, kind=kind)

    square = a(2, 3, 3)
    no_dask = ("dask.array",)  # which has few of these, and wants single chunks for the others
    found = [
        ("cholesky", lambda xp, x: xp.linalg.cholesky(positive(xp, x)), (square,)),
        (
            "cholesky, upper",
            lambda xp, x: xp.linalg.cholesky(positive(xp, x), upper=True),
            (square,),
        ),
        ("cross", of("cross"), (a(2, 3), a(2, 3, seed=1))),
        ("cross along another axis", of("cross", axis=-2), (a(3, 2), a(3, 2, seed=1))),
        ("cross, broadcast", of("cross"), (a(2, 1, 3), a(4, 3, seed=1))),
        ("det", of("det"), (square,)),
        ("det of 4 x 4", of("det"), (a(4, 4),)),
        ("diagonal", of("diagonal"), (a(2, 3, 4),)),
        ("diagonal above", of("diagonal", offset=2), (a(3, 4),)),
        ("diagonal below", of("diagonal", offset=-1), (a(2, 4, 3),)),
        ("eigh", eigh, (square,)),
        ("eigh, vectors", projections, (a(3, 3),)),
        ("eigvalsh", lambda xp, x: xp.linalg.eigvalsh(hermitian(xp, x)), (square,)),
        ("inv", of("inv"), (square,)),
        ("matmul", of("matmul"), (a(2, 3, 4), a(4, 2, seed=1))),
        ("matmul of a vector", of("matmul"), (a(2, 3, 4), a(4, seed=1))),
        ("matmul, vector first", of("matmul"), (a(3), a(2, 3, 2, seed=1))),
        ("matmul of vectors", of("matmul"), (a(3), a(3, seed=1))),
        *[
            (f"matrix_norm, {ord}", of("matrix_norm", ord=ord), (a(2, 3, 4),))
            for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
        ],
        ("matrix_norm, kept", of("matrix_norm", ord="nuc", keepdims=True), (a(4, 3),)),
        ("matrix_norm, square", of("matrix_norm", ord="nuc"), (square,)),
        *[
            (f"matrix_power {n}", lambda xp, x, n=n: xp.linalg.matrix_power(x, n), (square,))
            for n in (-2, 0, 1, 5)
        ],
        ("matrix_transpose", of("matrix_transpose"), (square,)),
        ("outer", of("outer"), (a(2), a(3, seed=1))),
        ("pinv, tall", of("pinv"), (a(4, 2),)),
        ("pinv, wide", of("pinv"), (a(2, 2, 3),)),
        ("pinv, rtol", of("pinv", rtol=1e-3), (a(3, 3),)),
        ("qr", qr, (square,)),
        ("qr, tall", qr, (a(4, 2),)),
        ("qr, wide", qr, (a(2, 2, 4),)),
        ("qr, complete", lambda xp, x: qr(xp, x, "complete"), (square,)),
        ("qr, complete and wide", lambda xp, x: qr(xp, x, "complete"), (a(2, 4),)),
        ("qr, R only", lambda xp, x: xp.abs(xp.linalg.qr(x)[1]), (a(4, 3),)),
        ("qr, Q only", lambda xp, x: xp.abs(xp.linalg.qr(x)[0]), (a(4, 3),)),
        ("slogdet", lambda xp, x: tuple(xp.linalg.slogdet(x)), (square,)),
        ("slogdet, sign only", lambda xp, x: xp.linalg.slogdet(x)[0], (square,)),
        ("slogdet, logarithm only", lambda xp, x: xp.linalg.slogdet(x)[1], (square,)),
        ("solve", of("solve"), (square, a(2, 3, 2, seed=1))),
        ("solve for a vector", of("solve"), (a(3, 3), a(3, seed=1))),
        ("solve, broadcast", of("solve"), (square, a(4, 1, 3, 2, seed=1))),
        ("solve, a matrix for all", of("solve"), (square, a(3, 1, seed=1))),
        ("svd", svd, (square,)),
        ("svd, tall", svd, (a(4, 2),)),
        ("svd, wide", svd, (a(2, 2, 4),)),
        ("svd, left only", left_vectors, (a(4, 3),)),
        ("svd, right only", right_vectors, (a(2, 4),)),
        ("svd, full and square", lambda xp, x: scaled(xp, *xp.linalg.svd(x)[:2]), (a(3, 3),)),
        ("svdvals", of("svdvals"), (a(2, 3, 4),)),
        ("tensordot", of("tensordot"), (a(2, 3, 4), a(3, 4, 2, seed=1))),
        (
            "tensordot of axes",
            of("tensordot", axes=((0, -1), (1, 0))),
            (a(2, 3, 4), a(4, 2, seed=1)),
        ),
        ("trace", of("trace"), (a(2, 3, 4),)),
        ("trace above", of("trace", offset=1), (a(3, 4),)),
        ("trace below", of("trace", offset=-2), (a(4, 3),)),
        ("vecdot", of("vecdot"), (a(2, 3), a(2, 3, seed=1))),
        ("vecdot, broadcast", of("vecdot", axis=-2), (a(4, 1, 3, 2), a(3, 2, seed=1))),
        *[
            (f"vector_norm, {ord}", of("vector_norm", ord=ord, axis=-1), (a(3, 4),))
            for ord in (0, 1, 2, 3, 4, 0.5, 1.5, -1, -2.5, math.inf, -math.inf)
        ],
        ("vector_norm of all", of("vector_norm"), (a(2, 3),)),
        (
            "vector_norm of two axes",
            of("vector_norm", axis=(0, 2), ord=3, keepdims=True),
            (a(2, 3, 2),),
        ),
        ("vector_norm, kept", of("vector_norm", axis=0, keepdims=True, ord=math.inf), (a(3, 2),)),
    ]
    found_all = [Sample(f"{name} ({kind})", f, xs, not_on=no_dask) for name, f, xs in found]
    eigs = Sample(f"eig ({kind})", eig, (a(3, 3),), not_on=("dask.array", "array_api_strict"))
    values = Sample(
        f"eigvals ({kind})", lambda xp, x: xp.linalg.eigvals(x) ** 2, (a(3, 3),), not_on=eigs.not_on
    )
    return [*found_all, eigs, values]


SAMPLES = [sample for kind in KINDS for sample in samples_of(kind)]
EVERYWHERE = [
    (sample, name)
    for sample in SAMPLES
    for name in LIBRARIES[1:]
    if name not in sample.not_on and name != "jax.numpy"
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_gradient_is_that_of_torch(sample: Sample, order: int) -> None:
    check_against_the_peer(sample, order)


@pytest.mark.parametrize("sample, name", EVERYWHERE, ids=str)
def test_every_library_gives_the_gradients_of_numpy(sample: Sample, name: str) -> None:
    check_over(name, sample)


# Compiling takes a second each.
COMPILED = ("cholesky", "det", "eigh", "pinv, tall", "qr, wide", "slogdet", "solve", "svd, tall")
SOME = [sample for sample in SAMPLES if sample.name.partition(" (")[0] in COMPILED][::2]


@pytest.mark.parametrize("sample", SOME, ids=str)
def test_the_gradients_are_the_same_over_jax_under_jit(sample: Sample) -> None:
    check_over("jax.numpy", sample, order=1)


@pytest.mark.parametrize("sample", SOME, ids=str)
def test_the_gradient_is_that_of_jax(sample: Sample) -> None:
    check_against_the_peer(sample._replace(peer="jax.numpy"), 1)


# ---- equal values, lost ranks, zeros ----------------------------------------------------------


def of_rank(rank: int, kind: str = "float64") -> Any:
    """Return a 4 x 4 matrix."""
    left, right = numbers(4, rank, kind=kind), numbers(rank, 4, seed=1, kind=kind)
    return left @ right


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("order", [1, 2])
def test_det_has_gradients_at_matrices_of_any_rank(order: int, rank: int, kind: str) -> None:
    check_against_the_peer(Sample("det", of("det"), (of_rank(rank, kind),), peer=""), order)


def test_det_has_a_third_derivative() -> None:
    gradcheck(NP.linalg.det, [np.eye(4) + numbers(4, 4) / 4], order=3)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
@pytest.mark.parametrize("values", [np.eye(3), np.zeros((2, 3)), np.ones((3, 2))])
def test_a_norm_of_a_matrix_with_equal_singular_values_has_a_finite_gradient(
    ord: Any, values: Any
) -> None:
    got = grad(lambda x: NP.linalg.matrix_norm(x, ord=ord))(values)
    assert np.all(np.isfinite(got))
    if ord == "fro" and not values.any():
        np.testing.assert_array_equal(got, 0.0)


def test_the_nuclear_norm_is_smooth_at_equal_singular_values() -> None:
    sample = Sample("nuc", of("matrix_norm", ord="nuc"), (np.eye(3) * 2,), peer="")
    check_against_the_peer(sample, 1)
    check_against_the_peer(sample, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ord", [0, 1, 2, 3, 4.5, 1.5, 0.5, math.inf, -math.inf])
def test_a_norm_is_flat_at_the_zero_vector(ord: float, kind: str) -> None:
    x: Any = np.zeros((2, 3), dtype=kind)
    got = grad(lambda x: NP.sum(NP.linalg.vector_norm(x, ord=ord, axis=1)))(x)
    np.testing.assert_array_equal(got, 0.0)


@pytest.mark.parametrize("ord", [1, 2, 3, 1.5, 0.5, math.inf, -math.inf])
def test_a_norm_of_a_vector_with_zeros_and_ties_has_the_gradient_of_torch(ord: float) -> None:
    x = np.asarray([0.0, 2.0, -2.0, 1.0, 0.0])
    if ord == -math.inf:
        x = x[1:3]
    check_against_the_peer(Sample("ties", of("vector_norm", ord=ord), (x,)), 1)


@pytest.mark.parametrize("name", ["eigvalsh", "svdvals"])
def test_equal_values_have_a_finite_gradient(name: str) -> None:
    for x in (np.eye(3), np.zeros((3, 3)), np.ones((3, 3))):
        got = grad(lambda x: NP.sum(getattr(NP.linalg, name)(x)))(x)
        assert np.all(np.isfinite(got))
        if x[0, 0] > x[0, 1]:
            np.testing.assert_allclose(got, np.eye(3), atol=1e-15)


def test_vectors_of_equal_values_have_no_silent_gradient() -> None:
    weights = numbers(3, 3)
    with np.errstate(all="ignore"):
        for f in (
            lambda x: NP.linalg.eigh(x).eigenvectors,
            lambda x: NP.linalg.svd(x).U,
            lambda x: grad(lambda x: NP.sum(NP.linalg.eigvalsh(x) ** 2))(x),
        ):
            got = grad(lambda x, f=f: NP.sum(f(x) * weights))(np.eye(3))
            assert not np.all(np.isfinite(got))


# ---- what is refused --------------------------------------------------------------------------


def test_vectors_that_are_not_unique_have_no_gradient() -> None:
    tall, wide = tensor(numbers(4, 2)), tensor(numbers(2, 4))
    q, r = NP.linalg.qr(tall, mode="complete")
    assert r.shape == (4, 2)
    with pytest.raises(ValueError, match="no gradient through a complete `Q`"):
        NP.sum(q).backward()
    for x, name in ((tall, "U"), (wide, "Vh")):
        result = NP.linalg.svd(x)
        with pytest.raises(ValueError, match=f"no gradient through `{name}` of a matrix of shape"):
            NP.sum(getattr(result, name)).backward(retain_graph=True)
        NP.sum(result.S).backward()
        assert x.grad.shape == x.shape


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="`ord` must be 'fro', 'nuc', 1, -1, 2, -2"):
        NP.linalg.matrix_norm(tensor(np.eye(2)), ord=3)


def test_a_matrix_without_an_inverse_is_refused_by_the_library() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        NP.linalg.inv(tensor(np.ones((2, 2))))
    with np.errstate(divide="ignore"):
        out = NP.linalg.slogdet(tensor(np.ones((2, 2)))).logabsdet
    with pytest.raises(np.linalg.LinAlgError):
        out.backward()


# ---- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, fields",
    [
        ("eigh", ("eigenvalues", "eigenvectors")),
        ("qr", ("Q", "R")),
        ("slogdet", ("sign", "logabsdet")),
        ("svd", ("U", "S", "Vh")),
    ],
)
def test_several_results_have_the_names_of_the_standard(
    array_library: Any, name: str, fields: tuple[str, ...]
) -> None:
    xp = namespace(array_library)
    if not hasattr(xp.linalg, name) or array_library.__name__ == "dask.array":
        return  # Dask has some of them, in its own way
    for tracked in (True, False):
        x = tensor(array_library.asarray([[2.0, 1.0], [1.0, 3.0]]), requires_grad=tracked)
        result = getattr(xp.linalg, name)(x)
        assert result._fields == fields
        assert type(result).__module__.startswith("portable_losses.autograd.rules")
        assert all(isinstance(part, Tensor) for part in result)
        assert all(part.requires_grad is tracked for part in result)


def test_ranks_are_constants() -> None:
    assert not NP.linalg.matrix_rank(tensor(np.eye(2))).requires_grad


def test_a_trace_in_double_precision_has_a_gradient_in_single() -> None:
    x: Any = np.eye(2, dtype=np.float32)
    assert grad(lambda x: NP.linalg.trace(x, dtype=np.float64))(x).dtype == np.float32


EMPTY = {
    "cholesky": lambda x: x @ x.mT,
    "det": lambda x: x,
    "diagonal": lambda x: x,
    "eigvalsh": lambda x: x,
    "inv": lambda x: x,
    "pinv": lambda x: x,
    "svdvals": lambda x: x,
    "trace": lambda x: x,
    "vector_norm": lambda x: x,
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 2, 2)])
@pytest.mark.parametrize("order", [1, 2])
def test_empty_matrices_have_empty_gradients(name: str, shape: Any, order: int) -> None:
    def f(x: Any) -> Any:
        return NP.sum(getattr(NP.linalg, name)(x) ** 2)

    slope = grad(f)
    if order == 2:
        slope = grad(lambda x: NP.sum(grad(f)(x) ** 2))
    assert slope(np.zeros(shape)).shape == shape


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (0, 2, 3)])
def test_empty_factors_have_empty_gradients(shape: tuple[int, ...]) -> None:
    def f(x: Any) -> Any:
        u, s, vh = NP.linalg.svd(x, full_matrices=False)
        q, r = NP.linalg.qr(x)
        return sum(NP.sum(part) for part in (u, s, vh, q, r))

    assert grad(f)(np.zeros(shape)).shape == shape


def test_every_function_of_the_extensions_has_a_gradient_or_a_place_in_the_list() -> None:
    strict = pytest.importorskip("array_api_strict")
    for prefix, extension in (("linalg.", strict.linalg), ("fft.", strict.fft)):
        names = [prefix + name for name in extension.__all__]
        assert [n for n in names if n not in {*OPERATIONS, *COMPOSED, *NO_GRADIENT}] == []
