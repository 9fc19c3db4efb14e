"""Complex numbers: every rule that meets them against PyTorch and JAX, in PyTorch's convention."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import grad, namespace, tensor

from .cases import LIBRARIES
from .peers import Sample, check_against_the_peer, check_over, numbers

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
    if name not in sample.not_on and name != "jax.numpy"
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
