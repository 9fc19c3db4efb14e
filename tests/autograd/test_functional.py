"""`grad`, `value_and_grad` and `vjp`: arguments, results, errors, and one inside another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from portable_losses.autograd import (
    Tensor,
    elementwise_grad,
    ggnvp,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    namespace,
    no_grad,
    stop_gradient,
    tensor,
    value_and_grad,
    vjp,
)
from portable_losses.autograd.transforms.nested import flatten_nested as flatten

NP = namespace(np)
X = np.asarray([1.0, 2.0, 3.0])


class Layer(NamedTuple):
    weight: Any
    bias: Any


def cube(x: Any) -> Any:
    return NP.sum(x**3)


def test_results_are_plain_arrays() -> None:
    value, gradient = value_and_grad(cube)(X)
    assert type(gradient) is np.ndarray
    assert not isinstance(value, Tensor)
    assert (float(value), gradient.tolist()) == (36.0, [3.0, 12.0, 27.0])


def test_every_operator_returns_plain_arrays_to_who_gives_plain_arrays() -> None:
    def squares(x: Any) -> Any:
        return {"y": x * x}

    result, pullback = vjp(squares, X)
    pulled = pullback({"y": X})
    pushed = jvp(squares, (X,), (tensor(X, requires_grad=False),))
    products = [hvp(cube, (X,), (X,)), ggnvp(lambda x: x * x, cube, (X,), (X,))]
    wholes = [jacobian(squares)(X), hessian(cube)(X), elementwise_grad(lambda x: x**3)(X)]
    found, _ = flatten([result, pulled, pushed, products, wholes])
    assert [type(x) for x in found] == [np.ndarray] * 9


def test_a_pullback_is_recorded_for_who_differentiates_by_its_cotangent() -> None:
    _, pullback = vjp(lambda x: x * x, X)
    assert pullback(tensor(X))[0].requires_grad
    with no_grad():
        assert type(pullback(tensor(X))[0]) is np.ndarray


def test_a_constant_tensor_gives_constant_tensors() -> None:
    value, gradient = value_and_grad(cube)(tensor(X, requires_grad=False))
    assert isinstance(gradient, Tensor)
    assert isinstance(value, Tensor)
    assert not gradient.requires_grad
    assert not value.requires_grad


def test_argnums_choose_the_arguments() -> None:
    def f(x: Any, y: Any, z: Any = 1.0) -> Any:
        return NP.sum(x * y) * z

    assert grad(f, argnums=1)(X, X + 1.0).tolist() == [1.0, 2.0, 3.0]
    first, second = grad(f, argnums=(0, -1))(X, X + 1.0)
    assert (first.tolist(), second.tolist()) == ([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert grad(f)(X, X, z=2.0).tolist() == [2.0, 4.0, 6.0]
    with pytest.raises(ValueError, match="`argnums` names argument 2 of 2"):
        grad(f, argnums=2)(X, X)


def test_arguments_and_results_are_nested() -> None:
    parameters = {"layers": [Layer(X, np.asarray(0.5))], "scale": (np.asarray(2.0), None)}

    def f(p: Any) -> Any:
        (layer,), (scale, _) = p["layers"], p["scale"]
        return NP.sum(layer.weight * layer.weight + layer.bias) * scale

    gradient = grad(f)(parameters)
    assert type(gradient["layers"][0]) is Layer
    assert gradient["layers"][0].weight.tolist() == [4.0, 8.0, 12.0]
    assert float(gradient["layers"][0].bias) == 6.0
    assert float(gradient["scale"][0]) == 15.5
    assert gradient["scale"][1] is None


def test_aux_comes_back_beside_the_value() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        return NP.sum(y), {"y": y, "name": "twice"}

    (value, aux), gradient = value_and_grad(f, has_aux=True)(X)
    assert type(aux["y"]) is np.ndarray
    assert (float(value), aux["name"], gradient.tolist()) == (12.0, "twice", [2.0, 2.0, 2.0])
    gradient, aux = grad(f, has_aux=True)(X)
    assert aux["y"].tolist() == [2.0, 4.0, 6.0]
    with pytest.raises(ValueError, match="has_aux"):
        grad(cube, has_aux=True)(X)


def test_an_unused_argument_has_gradient_0() -> None:
    assert grad(lambda x, y: NP.sum(x), argnums=1)(X, X).tolist() == [0.0, 0.0, 0.0]
    assert grad(lambda x: NP.sum(stop_gradient(x)))(X).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: x * 2, r"one real number, got shape \(3,\)"),
        (lambda x: NP.argmax(x), "one real number"),
        (lambda x: float(NP.sum(x)), "must return a Tensor, got float"),
        (lambda x: np.sum(x.array), "must return a Tensor"),
        (lambda x: None, "must return a Tensor, got NoneType"),
    ],
)
def test_what_is_not_a_number_on_the_tape_is_refused(f: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grad(f)(X)


@pytest.mark.parametrize("x", [np.asarray([1, 2]), np.asarray([True])])
def test_only_floating_arguments_are_differentiated(x: Any) -> None:
    with pytest.raises(TypeError, match="only floating arrays have a gradient, got"):
        grad(cube)(x)
    assert tensor(x).dtype == np.float64  # a leaf is made floating, an argument is not
    assert tensor(x, requires_grad=False).dtype == x.dtype


def test_what_is_no_array_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="asarray"):
        tensor("text")
    with pytest.raises(TypeError, match="asarray"):
        grad(cube)("text")


def test_other_arguments_may_be_anything() -> None:
    got = grad(lambda x, i, options: NP.sum(x[i]) * options["scale"])(X, 1, {"scale": 3})
    assert got.tolist() == [0.0, 3.0, 0.0]


# ---- one inside another -----------------------------------------------------------------------


def test_derivatives_nest() -> None:
    f = lambda x: x**4  # noqa: E731
    for expected in (32.0, 48.0, 48.0, 24.0):
        f = grad(f)
        assert float(f(np.asarray(2.0))) == expected


def test_perturbations_are_not_confused() -> None:
    def outer(x: Any) -> Any:
        return x * grad(lambda y: x + y)(x)

    assert float(grad(outer)(np.asarray(3.0))) == 1.0
    assert float(grad(lambda x: grad(lambda y: x * y * y)(x) * x)(np.asarray(3.0))) == 54.0


def test_an_outer_array_in_a_closure_is_differentiated_by() -> None:
    def outer(a: Any) -> Any:
        return NP.sum(grad(lambda b: NP.sum(a * a * b))(X))  # X itself is plain

    assert grad(outer)(X).tolist() == [2.0, 4.0, 6.0]


def test_a_value_inside_another_differentiation_keeps_its_history() -> None:
    def outer(a: Any) -> Any:
        value, gradient = value_and_grad(lambda b: NP.sum(b**3))(a)
        return value + NP.sum(gradient)

    assert grad(outer)(X).tolist() == [3 + 6.0, 12 + 12.0, 27 + 18.0]


def test_an_imperative_leaf_outside_collects_through_grad() -> None:
    w = tensor(np.asarray(2.0))
    gradient = grad(lambda x: NP.sum(w * w * x))(X)
    assert isinstance(gradient, Tensor)
    NP.sum(gradient).backward()
    assert w.grad is not None
    assert float(w.grad) == 12.0


def test_no_grad_outside_does_not_stop_grad_but_its_history() -> None:
    x = tensor(X)
    with no_grad():
        gradient = grad(cube)(x)
    assert gradient.tolist() == [3.0, 12.0, 27.0]
    assert not gradient.requires_grad


def test_stop_gradient_stops_every_order() -> None:
    f = grad(lambda x: NP.sum(stop_gradient(x) * x))
    assert f(X).tolist() == X.tolist()
    assert grad(lambda x: NP.sum(f(x)))(X).tolist() == [0.0, 0.0, 0.0]


# ---- vjp and gradcheck ------------------------------------------------------------------------


def test_a_pullback_is_called_more_than_once() -> None:
    (y, z), pullback = vjp(lambda x: (x * x, [NP.sum(x)]), X)
    assert (y.tolist(), float(z[0])) == ([1.0, 4.0, 9.0], 6.0)
    for _ in range(2):
        (gradient,) = pullback((np.ones(3), [np.asarray(10.0)]))
        assert gradient.tolist() == [12.0, 14.0, 16.0]
    with pytest.raises(ValueError, match="2 arrays, got 1"):
        pullback((np.ones(3),))
    with pytest.raises(ValueError, match="must have shape"):
        pullback((np.ones(2), [np.asarray(1.0)]))


def test_vjp_gives_aux_and_one_gradient_per_argument() -> None:
    y, pullback, aux = vjp(lambda a, b: (a * b, a), X, X + 1, has_aux=True)
    assert (y.tolist(), aux.tolist()) == ([2.0, 6.0, 12.0], X.tolist())
    first, second = pullback(np.ones(3))
    assert (first.tolist(), second.tolist()) == ([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])


def test_a_pullback_is_differentiated() -> None:
    def outer(u: Any) -> Any:
        _, pullback = vjp(lambda x: x**3, X)
        return NP.sum(pullback(u)[0] ** 2)

    assert grad(outer)(np.ones(3)).tolist() == [18.0, 288.0, 1458.0]


def test_gradcheck_takes_complex_numbers(array_library: Any) -> None:
    xp = namespace(array_library)
    z = array_library.asarray([1.0 + 2.0j, -0.5 + 0.25j], dtype=array_library.complex128)
    gradcheck(lambda z: z * z * xp.conj(z), (z,), order=2)
    with pytest.raises(AssertionError, match="differences give"):
        gradcheck(lambda z: xp.real(z * stop_gradient(z)), (z,))


def test_gradcheck_takes_no_single_precision() -> None:
    for kind in (np.float32, np.complex64):
        with pytest.raises(TypeError, match="must be float64 or complex128, got"):
            gradcheck(lambda x: NP.sum(NP.abs(x)), (X.astype(kind),))


def test_gradcheck_finds_a_wrong_gradient_of_either_order() -> None:
    gradcheck(cube, (X,), order=3)
    with pytest.raises(AssertionError, match="differences give"):
        gradcheck(lambda x: NP.sum(stop_gradient(x) * x), (X,))
    with pytest.raises(AssertionError, match="differences give"):  # the second order only
        gradcheck(lambda x: NP.sum(x * x + (x - stop_gradient(x)) ** 2), (X,), order=2)


# ---- libraries that differentiate or trace underneath -----------------------------------------


def test_jax_compiles_and_differentiates_a_gradient_of_the_tape() -> None:
    jax = pytest.importorskip("jax")
    xp = namespace(jax.numpy)
    x = jax.numpy.asarray(X)
    slope = grad(lambda x: xp.sum(xp.exp(-x) * xp.max(x) * x[::2][0] + xp.tanh(x)))
    ours = grad(lambda x: xp.sum(slope(x) ** 2))
    theirs = jax.grad(lambda x: jax.numpy.sum(slope(x) ** 2))
    np.testing.assert_allclose(jax.jit(theirs)(x), jax.jit(ours)(x), rtol=1e-12)


def test_torch_differentiates_a_gradient_of_the_tape() -> None:
    torch = pytest.importorskip("torch")
    xp = namespace(torch)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    gradient = grad(lambda x: xp.sum(xp.exp(x) * x[0]))(x)
    gradient.sum().backward()
    e = torch.exp(x.detach())
    expected = torch.stack([3 * e[0] + e[1], 2 * e[1]])
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("order", [1, 2])
def test_torch_maps_a_gradient_and_has_the_same_at_kinks_and_nan(order: int) -> None:
    torch = pytest.importorskip("torch")
    xp = namespace(torch)
    x = torch.tensor([[1.5, -2.0, 0.0], [3.0, torch.nan, -1.0]], dtype=torch.float64)
    one = torch.tensor(1.0, dtype=torch.float64)

    def slope_in(library: Any, gradient: Any) -> Any:
        def f(x: Any) -> Any:
            return library.sum(library.abs(x) * x * x + library.copysign(x + 0.5, one) * x)

        slope = gradient(f)
        return slope if order == 1 else gradient(lambda x: library.sum(slope(x) ** 2))

    got = torch.func.vmap(slope_in(xp, grad))(x)
    expected = torch.func.vmap(slope_in(torch, torch.func.grad))(x)
    torch.testing.assert_close(got, expected, equal_nan=True)


# ---- Python numbers ---------------------------------------------------------------------------


def cubed(x: Any) -> Any:
    return x * x * x


@pytest.mark.parametrize(
    "derivative, expected",
    [
        (lambda: grad(cubed)(2.0), 12.0),
        (lambda: grad(cubed)(2), 12.0),
        (lambda: grad(grad(cubed))(2.0), 12.0),
        (lambda: value_and_grad(lambda x, y: x * y, argnums=(0, 1))(3, 4.0), (12.0, (4.0, 3.0))),
        (lambda: grad(lambda p: p["a"] * p["b"][0])({"a": 3.0, "b": [2]}), {"a": 2.0, "b": [3.0]}),
        (lambda: elementwise_grad(cubed)(2.0), 12.0),
        (lambda: jacobian(lambda x: [x, x * x])(3.0), [1.0, 6.0]),
        (lambda: hessian(cubed)(2.0), 12.0),
        (lambda: vjp(cubed, 2.0)[1](0.5), (6.0,)),
        (lambda: jvp(cubed, (2.0,), (0.5,)), (8.0, 6.0)),
        (lambda: hvp(cubed, (2.0,), (0.5,)), (6.0,)),
        (lambda: ggnvp(cubed, cubed, (1.0,), (1.0,)), (54.0,)),
    ],
)
def test_python_numbers_have_python_numbers_for_derivatives(
    derivative: Callable[[], Any], expected: Any
) -> None:
    found = derivative()
    assert found == expected
    assert all(type(x) is float for x in flatten(found)[0])


def test_a_number_becomes_an_array_of_the_library_beside_it(array_library: Any) -> None:
    x = array_library.asarray([1.0, 2.0], dtype=array_library.float64)
    slope, slopes = grad(lambda s, x: (x * x) @ x * s, argnums=(0, 1))(3.0, x)
    assert slope == 9.0
    assert [float(v) for v in slopes] == [9.0, 36.0]
