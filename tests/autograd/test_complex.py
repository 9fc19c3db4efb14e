"""Complex numbers: every rule that meets them against PyTorch and JAX, in PyTorch's convention."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import grad, gradcheck, hessian, jacobian, jvp, namespace, tensor
from tests.autograd.cases import LIBRARIES
from tests.autograd.peers import Sample, check_against_the_peer, check_over, numbers
from tests.libraries import EVERY_ROW, SLOW

NP = namespace(np)

Z, W = numbers(2, 3, kind="complex128"), numbers(3, seed=1, kind="complex128")
X, Y = numbers(2, 3, seed=2), numbers(3, seed=3)  # real
UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "conj",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "imag",
    "log",
    "log10",
    "log1p",
    "log2",
    "negative",
    "positive",
    "real",
    "reciprocal",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]
# JAX calls `sign` constant, and takes the other root in the left half of the plane for `acosh`.
JAX_DIFFERS = ("sign", "acosh")


def unary(name: str) -> Callable[..., Any]:
    return lambda xp, z: getattr(xp, name)(z) * z


def parts(xp: Namespace, z: Array) -> Array:
    return xp.real(z) * xp.imag(z) ** 2 + xp.abs(z) * 3


def indexed(xp: Namespace, z: Array) -> Array:
    rows = xp.concat([z[1:, ...], z * z], axis=0)
    rows = xp.stack([rows, xp.flip(rows, axis=1)])
    return xp.permute_dims(rows, (2, 0, 1)) * xp.reshape(z, (-1,))[1] + xp.broadcast_to(
        z[0, 0], (3, 2, 3)
    )


SAMPLES = [
    *[Sample(name, unary(name), (Z,)) for name in UNARY],
    Sample("add, broadcast", lambda xp, z, w: (z + w) * z, (Z, W)),
    Sample("add a real array", lambda xp, z, x: (z + x) * (x - z) * z, (Z, X)),
    Sample("add a real number", lambda xp, z: (z + 2) * (1.5 - z), (Z,)),
    Sample("add a complex number", lambda xp, x: (x + 2j) * ((1 - 1j) - x) * x, (X,)),
    Sample("multiply", lambda xp, z, w: z * w * z, (Z, W)),
    Sample("multiply a real array", lambda xp, z, y: z * y * z * y, (Z, Y)),
    Sample("multiply a complex number", lambda xp, z: z * (1 + 2j) * z, (Z,)),
    Sample("a real array and a complex number", lambda xp, x: (1 + 2j) * x * x - x * 1j, (X,)),
    Sample("divide", lambda xp, z, w: z / w, (Z, W)),
    Sample("divide real by complex", lambda xp, x, w: x / w + w / (x + 3.0), (X, W)),
    Sample("divide a complex number", lambda xp, z: (1 - 2j) / z + z / (2 + 1j), (Z,)),
    Sample("pow", lambda xp, z, w: z**w, (Z, W)),
    Sample("pow, real base", lambda xp, x, w: xp.exp(x) ** w, (X, W)),
    Sample("pow, real exponent", lambda xp, z, y: z**y, (Z, Y)),
    Sample("pow, numbers", lambda xp, z: z**3 + z**2 + z**-1 + z**0.5 + z ** (1 + 2j), (Z,)),
    Sample("pow of numbers", lambda xp, z: 2**z + (1 + 2j) ** z, (Z,)),
    Sample("parts", parts, (Z,)),
    Sample("sum and mean", lambda xp, z: xp.sum(z * z, axis=0) * xp.mean(z), (Z,)),
    Sample("prod", lambda xp, z: xp.prod(z, axis=1) * xp.prod(z), (Z,)),
    Sample("cumulative_sum", lambda xp, z: xp.cumulative_sum(z, axis=1) ** 2, (Z,)),
    Sample("where", lambda xp, z, w: xp.where(xp.real(z) > 0, z * z, w), (Z, W)),
    Sample(  # PyTorch's own rule fails on this one
        "where, real and complex",
        lambda xp, z, x: xp.where(x > 0, z * z, x * x),
        (Z, X),
        peer="jax.numpy",
    ),
    Sample("shapes", indexed, (Z,)),
    Sample(
        "triangles",
        lambda xp, z: xp.tril(z) * z + xp.triu(z, k=1) ** 2,
        (Z,),
        not_on=("dask.array",),  # which warns of complex numbers
    ),
    Sample("tensordot and matmul", lambda xp, z, w: xp.tensordot(z, w, axes=1) * (z @ w), (Z, W)),
    Sample(
        "matmul, real and complex",
        lambda xp, x, z: xp.matmul(x, xp.matrix_transpose(z)) ** 2,
        (X, Z),
    ),
    Sample("vecdot", lambda xp, z, w: xp.vecdot(z, w) ** 2, (Z, W)),
    Sample("vecdot, real first", lambda xp, x, w: xp.vecdot(x, w) ** 2, (X, W)),
    Sample("astype", lambda xp, x: xp.astype(x, xp.complex128) * (2 - 1j) * x, (X,)),
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_gradient_is_that_of_torch(sample: Sample, order: int) -> None:
    check_against_the_peer(sample, order)


WITH_JAX = [sample for sample in SAMPLES if sample.name not in JAX_DIFFERS][::2]


@pytest.mark.parametrize("sample", WITH_JAX, ids=str)
def test_the_second_gradient_is_the_conjugate_of_jaxs(sample: Sample) -> None:
    check_against_the_peer(sample._replace(peer="jax.numpy"), 2)


@pytest.mark.parametrize("sample", SAMPLES[::3], ids=str)
def test_the_gradient_is_that_of_differences_by_both_parts(sample: Sample) -> None:
    check_against_the_peer(sample._replace(peer=""), 1)


EVERYWHERE = [
    (sample, name)
    for sample in SAMPLES
    for name in LIBRARIES[1:]
    if name not in sample.not_on and (EVERY_ROW or name not in SLOW)
]


@pytest.mark.parametrize("sample, name", EVERYWHERE, ids=str)
def test_every_library_gives_the_gradients_of_numpy(sample: Sample, name: str) -> None:
    check_over(name, sample)


def test_a_step_against_the_gradient_goes_down() -> None:
    z = np.asarray([3 + 4j, -1j])
    np.testing.assert_allclose(grad(lambda z: NP.sum(NP.abs(z) ** 2))(z), 2 * z, rtol=1e-15)


def test_the_gradient_of_a_holomorphic_function_is_the_conjugate_of_its_derivative() -> None:
    z = np.asarray(0.5 + 2j)
    np.testing.assert_allclose(grad(lambda z: NP.real(z**3))(z), np.conj(3 * z**2), rtol=1e-15)


def test_abs_and_sign_are_flat_at_0_at_both_orders() -> None:
    z: Any = np.zeros(2, dtype=np.complex128)
    assert not np.any(grad(lambda z: NP.sum(NP.abs(z)))(z))
    assert not np.any(grad(lambda z: NP.sum(NP.abs(grad(lambda z: NP.sum(NP.abs(z)))(z)) ** 2))(z))


def test_powers_of_0_have_the_slopes_of_the_reals() -> None:
    z: Any = np.zeros(2, dtype=np.complex128)
    powers = [grad(lambda z, n=n: NP.sum(NP.real(z**n)))(z) for n in (0, 1, 2, 3)]
    np.testing.assert_array_equal(powers, [[0, 0], [1, 1], [0, 0], [0, 0]])
    exponents = np.asarray([0, 2 + 1j])
    got = grad(lambda w: NP.sum(NP.real(tensor(z, requires_grad=False) ** w)))(exponents)
    np.testing.assert_array_equal(got, [0, 0])


def test_tanh_keeps_its_digits_where_it_is_nearly_1() -> None:
    z = np.asarray(30 + 1j)
    got = grad(lambda z: NP.real(NP.tanh(z)))(z)
    np.testing.assert_allclose(got, np.conj(4 * np.exp(-2 * z)), rtol=1e-14)


def test_a_real_argument_of_a_complex_result_has_a_real_gradient() -> None:
    x = np.asarray([1.0, -2.0], dtype=np.float32)
    got = grad(lambda x: NP.sum(NP.abs(NP.exp(x * 1j) * x)))(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [1.0, -1.0], rtol=1e-6)


def test_the_gradient_has_the_precision_of_its_argument() -> None:
    z: Any = np.ones(2, dtype=np.complex64)
    w: Any = np.ones(2, dtype=np.complex128)
    slopes = grad(lambda z, w: NP.sum(NP.real(z * w)), argnums=(0, 1))(z, w)
    assert [g.dtype for g in slopes] == [np.complex64, np.complex128]


def test_a_complex_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="must return one real number"):
        grad(lambda z: NP.sum(z))(Z)
    with pytest.raises(ValueError, match="complex"):
        NP.sum(tensor(Z)).backward()


def test_a_complex_result_takes_a_complex_gradient() -> None:
    z = tensor(np.asarray([1 + 1j]))
    (z * 2j).backward(np.asarray([1 + 0j]))
    assert z.grad.tolist() == [-2j]


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name != "numpy"])
@pytest.mark.parametrize("sample", SAMPLES[1 :: 7 if EVERY_ROW else 20], ids=str)
def test_gradcheck_agrees_over_every_library(sample: Sample, name: str) -> None:
    library = import_module(name)
    arrays = [
        library.asarray(x.tolist(), dtype=getattr(library, str(x.dtype))) for x in sample.arrays
    ]
    gradcheck(lambda *xs: sample.function(namespace(library), *xs), arrays)


# ---- Jacobians ----------------------------------------------------------------------------------

MATRIX = numbers(3, 3, seed=7, kind="complex128")


def holomorphic(xp: Namespace, z: Array, matrix: Array) -> Array:
    return xp.exp(xp.matmul(matrix, z)) * z[0] ** 2


def test_the_jacobian_of_a_holomorphic_function_is_that_of_jax(array_library: Any) -> None:
    jax = pytest.importorskip("jax")
    xp, matrix = namespace(array_library), array_library.asarray(MATRIX)
    derivative = jacobian(lambda z: holomorphic(xp, z, matrix), holomorphic=True)
    got = derivative(array_library.asarray(W))
    expected = jax.jacrev(lambda z: holomorphic(jax.numpy, z, MATRIX), holomorphic=True)(W)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-12)


def test_the_jacobian_of_a_real_result_is_that_of_torch(array_library: Any) -> None:
    torch = pytest.importorskip("torch")

    def f(xp: Any, z: Any) -> Any:
        return xp.abs(z) ** 2 * xp.real(z[0] * z)

    got = jacobian(lambda z: f(namespace(array_library), z))(array_library.asarray(W))
    expected = torch.autograd.functional.jacobian(lambda z: f(torch, z), torch.asarray(W))
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-12)


def test_the_jacobian_by_real_numbers_has_the_derivatives_of_both_parts(array_library: Any) -> None:
    xp = namespace(array_library)

    def f(x: Any) -> Any:
        return xp.exp(x * (0.5 + 2j)) * x[1]

    y = array_library.asarray(Y)
    got = np.asarray(jacobian(f)(y))
    parts = [np.asarray(jacobian(lambda x, p=p: p(f(x)))(y)) for p in (xp.real, xp.imag)]
    np.testing.assert_allclose(got, parts[0] + 1j * parts[1], rtol=1e-14)
    analytic = np.diag((0.5 + 2j) * np.exp(Y * (0.5 + 2j)) * Y[1])
    analytic[:, 1] += np.exp(Y * (0.5 + 2j))
    np.testing.assert_allclose(got, analytic, rtol=1e-13)


def test_a_jacobian_of_mixed_structures_has_the_kind_of_each_pair() -> None:
    x: Any = Y.astype(np.float32)
    got = jacobian(lambda p: {"zx": p["z"] * p["x"], "re": NP.real(p["z"])}, holomorphic=True)(
        {"z": W, "x": x}
    )
    np.testing.assert_allclose(got["zx"]["z"], np.diag(x), rtol=1e-15)
    np.testing.assert_allclose(got["zx"]["x"], np.diag(W), rtol=1e-7)
    np.testing.assert_array_equal(got["re"]["z"], np.eye(3))
    assert got["zx"]["x"].dtype == np.complex64  # of the precision of the argument
    assert got["re"]["x"].dtype == np.float32
    assert jacobian(lambda z: z * z, holomorphic=True)(W[:0]).shape == (0, 0)
    assert jacobian(lambda x: x * 1j)(Y[:0]).dtype == np.complex128


def test_a_complex_jacobian_is_differentiated() -> None:
    first = jacobian(lambda z: z**3, holomorphic=True)
    second = jacobian(first, holomorphic=True)(W)
    expected: Any = np.zeros((3, 3, 3), dtype=np.complex128)
    for i in range(3):
        expected[i, i, i] = 6 * W[i]
    np.testing.assert_allclose(second, expected, rtol=1e-14)


def test_what_may_not_be_holomorphic_has_no_jacobian() -> None:
    for derivative in (jacobian(NP.conj), hessian(lambda z: NP.sum(NP.abs(z) ** 2))):
        with pytest.raises(TypeError, match="only if the function is holomorphic"):
            derivative(W)
    by_parts = jacobian(lambda z: (NP.real(NP.conj(z)), NP.imag(NP.conj(z))))(W)
    np.testing.assert_array_equal(by_parts, [np.eye(3), -1j * np.eye(3)])


def test_a_jvp_of_complex_numbers_is_the_difference_along_the_tangent() -> None:
    def f(z: Any) -> Any:
        return NP.exp(z) * NP.conj(z) * NP.abs(z)

    tangent, step = numbers(3, seed=9, kind="complex128"), 1e-6
    _, got = jvp(f, (W,), (tangent,))
    ahead, behind = (f(tensor(W + s * step * tangent)).detach().array for s in (1, -1))
    np.testing.assert_allclose(got, (ahead - behind) / (2 * step), rtol=1e-8)
