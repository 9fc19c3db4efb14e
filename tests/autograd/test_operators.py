"""Products with derivatives, whole derivatives, functions with their own gradient, checkpoints."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest
from array_api_compat import array_namespace

from portable_losses.autograd import (
    Tensor,
    checkpoint,
    custom_vjp,
    elementwise_grad,
    flatten,
    ggnvp,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    namespace,
    no_grad,
    tensor,
    value_and_grad,
    vjp,
)

NP = namespace(np)
X = np.asarray([1.0, 2.0, 3.0])
V = np.asarray([0.5, -1.0, 2.0])


class Pair(NamedTuple):
    a: Any
    b: Any


def on(library: Any, values: Any) -> Any:
    return library.asarray(np.asarray(values).tolist(), dtype=library.float64)


def cube(x: Any) -> Any:
    return x.__array_namespace__().sum(x**3)


# ---- products -----------------------------------------------------------------------------------


def test_an_elementwise_derivative_has_the_shape_of_its_argument(array_library: Any) -> None:
    derivative = elementwise_grad(elementwise_grad(lambda x: x**3))
    got = derivative(on(array_library, [X, V]))
    np.testing.assert_allclose(np.asarray(got), 6 * np.asarray([X, V]), rtol=1e-14)
    first, second = elementwise_grad(lambda x, y: x * y**2, argnums=(0, 1))(X, V)
    np.testing.assert_array_equal(first, V**2)
    np.testing.assert_array_equal(second, 2 * X * V)


def test_a_jvp_is_a_jacobian_times_a_tangent(array_library: Any) -> None:
    xp = namespace(array_library)
    x, v = on(array_library, X), on(array_library, V)
    y, dy = jvp(lambda x: {"y": xp.sin(x) * x[:1], "s": [xp.sum(x)]}, (x,), (v,))
    expected = np.cos(X) * V * X[0] + np.sin(X) * V[0]
    np.testing.assert_allclose(np.asarray(dy["y"]), expected, rtol=1e-14)
    np.testing.assert_allclose(float(dy["s"][0]), V.sum(), rtol=1e-14)
    np.testing.assert_allclose(np.asarray(y["y"]), np.sin(X) * X[0], rtol=1e-14)
    assert not isinstance(dy["y"], Tensor)


def test_a_tangent_has_the_shape_of_its_argument() -> None:
    with pytest.raises(ValueError, match=r"`tangents` must have the shapes"):
        jvp(cube, (X,), (np.ones(2),))
    with pytest.raises(ValueError, match="`tangents` must have 1 arrays"):
        jvp(cube, (X,), (X, X))


def test_an_infinite_slope_makes_no_nan_in_a_jvp() -> None:
    with np.errstate(divide="ignore"):
        _, dy = jvp(NP.sqrt, (np.asarray([0.0, 4.0]),), (np.ones(2),))
    assert dy.tolist() == [np.inf, 0.25]


def test_an_hvp_is_a_hessian_times_a_vector(array_library: Any) -> None:
    xp = namespace(array_library)
    x, v = on(array_library, X), on(array_library, V)

    def f(p: Any, q: Any) -> Any:
        return xp.sum(p["w"] ** 3) * q

    one = on(array_library, 2.0)
    first, second = hvp(f, ({"w": x}, one), ({"w": v}, one))
    np.testing.assert_allclose(np.asarray(first["w"]), 12 * X * V + 6 * X**2, rtol=1e-14)
    np.testing.assert_allclose(float(second), np.sum(3 * X**2 * V), rtol=1e-14)


def test_a_gauss_newton_product_is_positive_where_the_hessian_is_not() -> None:
    def model(x: Any) -> Any:
        return NP.stack([NP.sin(x[0]) * x[1], x[2] ** 2])

    def loss(y: Any) -> Any:
        return NP.sum(NP.exp(y))

    j = jacobian(model)(X)
    h = np.diag(np.exp(np.asarray(model(X).array)))
    np.testing.assert_allclose(ggnvp(model, loss, (X,), (V,))[0], j.T @ h @ j @ V, rtol=1e-13)
    assert ggnvp(model, loss, (X,), (V,))[0] @ V > 0


# ---- whole derivatives --------------------------------------------------------------------------


def test_a_jacobian_has_the_axes_of_result_and_argument(array_library: Any) -> None:
    xp = namespace(array_library)
    a = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    got = jacobian(lambda x: xp.sum(x**2, axis=0))(on(array_library, a))
    expected = np.zeros((2, 3, 2))
    for j in range(2):
        expected[j, :, j] = 2 * a[:, j]
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-14)


def test_jacobians_are_nested_as_results_and_arguments() -> None:
    def f(p: Any, scale: Any) -> Any:
        return {"sum": NP.sum(p.a) * scale, "both": (p.a * p.b[0], [p.b[0]])}

    p = Pair(X, [np.asarray(2.0)])
    got = jacobian(f)(p, 10.0)
    assert type(got["sum"]) is Pair
    assert got["sum"].a.tolist() == [10.0, 10.0, 10.0]
    assert float(got["sum"].b[0]) == 0.0
    assert got["both"][0].b[0].tolist() == X.tolist()
    np.testing.assert_array_equal(got["both"][0].a, 2 * np.eye(3))
    by_both = jacobian(lambda x, y: x * y, argnums=(-1, 0))(X, V)
    np.testing.assert_array_equal(by_both[0], np.diag(X))
    np.testing.assert_array_equal(by_both[1], np.diag(V))


def test_a_jacobian_of_nothing_is_empty() -> None:
    assert jacobian(lambda x: x * x)(np.ones(0)).shape == (0, 0)
    assert jacobian(lambda x: NP.sum(x))(np.ones(0)).shape == (0,)


def test_a_hessian_is_the_second_derivative(array_library: Any) -> None:
    xp = namespace(array_library)
    got = hessian(lambda x: xp.sum(x**3) * x[0])(on(array_library, X))
    expected = np.diag(6 * X * X[0])
    expected[0] += 3 * X**2
    expected[:, 0] += 3 * X**2
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-14)


def test_a_hessian_by_several_arguments_has_a_block_for_each_pair() -> None:
    (aa, ab), (ba, bb) = hessian(lambda a, b: NP.sum(a * a * b), argnums=(0, 1))(X, V)
    np.testing.assert_array_equal(aa, np.diag(2 * V))
    np.testing.assert_array_equal(ab, np.diag(2 * X))
    np.testing.assert_array_equal(ba, ab)
    np.testing.assert_array_equal(bb, np.zeros((3, 3)))
    blocks = hessian(lambda p: NP.sum(p["x"] ** 2) * p["y"])({"x": X, "y": np.asarray(2.0)})
    np.testing.assert_array_equal(blocks["x"]["y"], 2 * X)
    np.testing.assert_array_equal(blocks["y"]["x"], 2 * X)


def test_a_jacobian_is_differentiated() -> None:
    f = lambda x: NP.sum(jacobian(lambda y: y**3)(x))  # noqa: E731
    assert grad(f)(X).tolist() == (6 * X).tolist()
    gradcheck(lambda x: hessian(cube)(x), (X,))


def test_a_vector_holds_all_arrays_of_a_structure(array_library: Any) -> None:
    tree = {"w": on(array_library, [[1.0, 2.0]]), "b": [on(array_library, 3.0)]}
    vector, unflatten = flatten(tree)
    assert vector.shape == (3,)
    back = unflatten(vector)
    assert np.asarray(back["w"]).tolist() == [[1.0, 2.0]]
    assert float(back["b"][0]) == 3.0

    def f(vector: Any) -> Any:
        p = unflatten(vector)
        again, _ = flatten(p)
        return namespace(array_library).sum(again**2) * p["b"][0]

    np.testing.assert_allclose(np.asarray(grad(f)(vector)), [6.0, 12.0, 14.0 + 18.0])
    with pytest.raises(ValueError, match=r"must have shape \(3,\)"):
        unflatten(vector[:2])
    with pytest.raises(ValueError, match="at least one array"):
        flatten({})


def test_a_vector_holds_python_numbers_too() -> None:
    vector, unflatten = flatten((1.0, X, [2.0, {"a": 3}]))
    assert vector.tolist() == [1.0, *X.ravel().tolist(), 2.0, 3.0]
    assert unflatten(vector)[2] == [2.0, {"a": 3.0}]
    assert flatten(1 + 1j)[0].tolist() == [1 + 1j]
    assert grad(lambda x: NP.sum(flatten([x, 2.0 * x, 1.0])[0] ** 2))(3.0) == 30.0


def test_what_must_be_used_is_used() -> None:
    with pytest.raises(ValueError, match="does not depend on an argument"):
        grad(lambda x, y: NP.sum(x), argnums=(0, 1), allow_unused=False)(X, X)
    value, _ = value_and_grad(lambda x: NP.sum(x), allow_unused=False)(X)
    assert float(value) == 6.0


# ---- one inside another -------------------------------------------------------------------------


def test_three_levels_of_different_kinds_are_not_confused() -> None:
    def inner(x: Any, y: Any) -> Any:
        return jvp(lambda z: z * x * y, (y,), (x,))[1]  # x * x * y

    def middle(x: Any) -> Any:
        return grad(lambda y: inner(x, y) * y)(x)  # 2 x**3

    assert float(middle(tensor(np.asarray(3.0)))) == 54.0
    assert float(grad(middle)(np.asarray(3.0))) == 54.0
    assert float(grad(grad(middle))(np.asarray(3.0))) == 36.0
    assert float(hessian(middle)(np.asarray(3.0))) == 36.0


def test_an_inner_pullback_called_outside_keeps_to_its_level() -> None:
    def f(x: Any) -> Any:
        y, pullback = vjp(lambda z: z * z * x, x)
        return pullback(x)[0] + y  # 2 x**3 + x**3

    assert float(grad(f)(np.asarray(2.0))) == 36.0


ONE = np.asarray(1.0)
SLOPES: list[Any] = [  # every way to the derivative of f at x
    lambda f, x: grad(f)(x),
    lambda f, x: value_and_grad(f)(x)[1],
    lambda f, x: jvp(f, (x,), (ONE,))[1],
    lambda f, x: vjp(f, x)[1](ONE)[0],
    lambda f, x: jacobian(f)(x),
    lambda f, x: elementwise_grad(f)(x),
    lambda f, x: checkpoint(lambda z: grad(f)(z))(x),
]


@pytest.mark.parametrize("inner", range(len(SLOPES)))
@pytest.mark.parametrize("outer", range(len(SLOPES)))
def test_the_same_variable_at_two_levels_is_two_variables(outer: int, inner: int) -> None:
    def product(x: Any) -> Any:
        return x * SLOPES[inner](lambda y: x + y, x)

    # d/dx of x * d/dy(x + y) is 1; a tape that confuses its levels says 2
    assert float(SLOPES[outer](product, np.asarray(3.0))) == 1.0


@pytest.mark.parametrize("way", range(len(SLOPES)))
def test_the_same_variable_at_three_levels_is_three_variables(way: int) -> None:
    def middle(x: Any) -> Any:
        return SLOPES[way](lambda y: y * y * grad(lambda z: x * y * z)(y), x)  # 3 x y**2

    # d/dx of x * 3 x**3 is 12 x**3
    assert float(grad(lambda x: x * middle(x))(np.asarray(2.0))) == 96.0


def test_levels_are_not_confused_between_threads() -> None:
    def slope(i: int) -> float:
        way = SLOPES[i % len(SLOPES)]
        return float(grad(lambda x: x * way(lambda y: x * y, x))(np.asarray(float(i))))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(slope, range(64))) == [2.0 * i for i in range(64)]


# ---- a gradient of one's own --------------------------------------------------------------------


def _clipped_vjp(grad: Any, out: Any, x: Any, *, limit: float) -> Any:
    xp = array_namespace(x)
    return (xp.clip(grad, -limit, limit) * out,)


clipped = custom_vjp(lambda x, *, limit: array_namespace(x).exp(x), _clipped_vjp)


def test_the_users_gradient_is_used_at_every_order(array_library: Any) -> None:
    xp = namespace(array_library)
    x = on(array_library, X)
    got = grad(lambda x: xp.sum(clipped(x, limit=0.5) * 3))(x)
    np.testing.assert_allclose(np.asarray(got), 0.5 * np.exp(X), rtol=1e-14)
    second = elementwise_grad(elementwise_grad(lambda x: clipped(x, limit=2.0)))(x)
    np.testing.assert_allclose(np.asarray(second), np.exp(X), rtol=1e-14)


def test_other_libraries_use_the_users_gradient_too() -> None:
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    tripled = custom_vjp(lambda x: x * 1, lambda grad, out, x: (grad * 3,))
    t = torch.ones(2, requires_grad=True)
    tripled(t).sum().backward()
    assert t.grad.tolist() == [3.0, 3.0]
    assert jax.grad(lambda x: tripled(x).sum())(jax.numpy.ones(2)).tolist() == [3.0, 3.0]


def test_several_results_and_absent_arguments_have_gradients_of_ones_own() -> None:
    both = custom_vjp(
        lambda x, absent: (x * 2, x * 3), lambda grad, out, x, absent: (grad[0] + grad[1], None)
    )
    first, second = both(tensor(X), None)
    assert grad(lambda x: NP.sum(both(x, None)[1] * 5))(X).tolist() == [5.0, 5.0, 5.0]
    assert (first.requires_grad, second.tolist()) == (True, (3 * X).tolist())


def test_a_gradient_of_ones_own_that_does_not_fit_is_refused() -> None:
    wrong = custom_vjp(lambda x, y: x * y, lambda grad, out, x, y: (grad,))
    with pytest.raises(ValueError, match="must return a tuple of 2 gradients, got 1"):
        grad(lambda x: NP.sum(wrong(x, x)))(X)
    w = tensor(X)
    captured = custom_vjp(lambda x: w * x, lambda grad, out, x: (grad,))
    with pytest.raises(TypeError, match="pass it as argument"):
        captured(tensor(X))


# ---- checkpoints --------------------------------------------------------------------------------


def test_a_checkpoint_changes_no_derivative(array_library: Any) -> None:
    xp = namespace(array_library)
    x = on(array_library, X)

    def f(x: Any, scale: float) -> Any:
        return {"y": xp.sin(x) * x * scale, "name": "f"}

    def total(g: Any, x: Any) -> Any:
        out = g(g(x, scale=2.0)["y"], scale=0.5)
        assert out["name"] == "f"
        return xp.sum(out["y"] ** 2)

    again = checkpoint(f)
    for derivative in (grad, lambda g: elementwise_grad(grad(g)), hessian):
        expected = derivative(lambda x: total(f, x))(x)
        got = derivative(lambda x: total(again, x))(x)
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-13)


def test_a_checkpoint_differentiates_by_what_it_finds_outside() -> None:
    w, x = tensor(V), tensor(X)
    scaled = w * 2
    y = checkpoint(lambda x: NP.exp(x * scaled) * w)(x)
    NP.sum(y).backward()
    e = np.exp(2 * X * V)
    np.testing.assert_allclose(x.grad.array, 2 * V * e * V, rtol=1e-14)
    np.testing.assert_allclose(w.grad.array, e + 2 * X * e * V, rtol=1e-14)
    only_outside = checkpoint(lambda: NP.sum(w * w))()
    assert only_outside.requires_grad
    w.zero_grad()
    only_outside.backward()
    np.testing.assert_array_equal(w.grad.array, 2 * V)


def test_a_checkpoint_runs_once_forward_and_once_backward_and_keeps_only_inputs() -> None:
    runs: list[int] = []

    def f(x: Any) -> Any:
        runs.append(1)
        return NP.sin(NP.exp(x)) * x

    x = tensor(X)
    y = checkpoint(f)(x)
    assert len(runs) == 1
    (parent,) = y._node.parents  # the call: its inputs and its result
    assert parent.parents == (x._node,)
    assert [a is x.array for a in parent.args] == [True]
    NP.sum(y).backward()
    assert len(runs) == 2


def test_checkpoints_nest() -> None:
    def f(x: Any) -> Any:
        return checkpoint(lambda y: NP.sin(y) * x)(x * 2)

    gradcheck(checkpoint(f), (X,), order=2)
    x = tensor(X)
    NP.sum(checkpoint(f)(x)).backward(create_graph=True)
    first = x.grad
    x.zero_grad()
    NP.sum(first).backward()
    expected = elementwise_grad(elementwise_grad(lambda x: NP.sin(x * 2) * x))(X)
    np.testing.assert_allclose(x.grad.array, expected, rtol=1e-13)


def test_a_checkpoint_without_a_gradient_is_a_plain_call() -> None:
    f = checkpoint(lambda x: x * 2)
    assert f(X).tolist() == (2 * X).tolist()
    with no_grad():
        assert not f(tensor(X)).requires_grad


def test_a_checkpoint_that_changes_its_mind_is_refused() -> None:
    found = [tensor(V), tensor(X)]
    y = checkpoint(lambda x: x * found.pop())(tensor(X))
    with pytest.raises(RuntimeError, match="same Tensors every time"):
        NP.sum(y).backward()
