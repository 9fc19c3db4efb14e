"""Every rule against differences, against the exact derivative, and over every library."""

from importlib import import_module
from typing import Any

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace

from portable_losses.autograd import grad, gradcheck, namespace, tensor
from portable_losses.autograd.rules import OPERATIONS, register
from tests.autograd.cases import CASES, LIBRARIES, Case
from tests.libraries import EVERY_ROW, SLOW

NP = namespace(np)
ORDERS = {"jax.numpy": (2,)}  # which holds the first, and compiling takes a second
EVERYWHERE = [
    (case, name)
    for name in LIBRARIES
    for case in (CASES if EVERY_ROW or name not in SLOW else CASES[::3])
    if name not in case.not_on
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_derivatives_of_two_orders_are_those_of_differences(case: Case) -> None:
    arrays = [np.asarray(values) for values in case.arrays]
    gradcheck(lambda *xs: case.function(NP, *xs), arrays, order=2)


@pytest.mark.parametrize("case, name", EVERYWHERE, ids=str)
def test_every_library_gives_the_gradients_of_numpy(case: Case, name: str) -> None:
    library = import_module(name)
    theirs = [library.asarray(values, dtype=library.float64) for values in case.arrays]
    ours = [np.asarray(values) for values in case.arrays]
    for order in ORDERS.get(name, (1, 2)):
        got = derivatives(case, namespace(library), theirs, order)
        expected = derivatives(case, NP, ours, order)
        for x, y, given in zip(got, expected, theirs, strict=True):
            assert array_namespace(x) is array_namespace(given)
            np.testing.assert_allclose(np.asarray(x), y, rtol=1e-9, atol=1e-12)


def derivatives(case: Case, xp: Any, arrays: list[Any], order: int) -> Any:
    everyone = tuple(range(len(arrays)))
    slope = grad(lambda *xs: xp.sum(case.function(xp, *xs)), argnums=everyone)
    if order == 2:
        first = slope
        slope = grad(lambda *xs: sum(xp.sum(g * g) for g in first(*xs)), argnums=everyone)
    if xp.library.name == "jax.numpy" and case.name != "a mask":  # its shape depends on data
        slope = import_module("jax").jit(slope)  # one compilation, not one per operation
    return slope(*arrays)


UNARY = {
    "exp": ([-30.0, -0.5, 0.0, 2.0], mpmath.exp),
    "expm1": ([-40.0, -1e-3, 0.0, 2.0], mpmath.expm1),
    "log": ([1e-3, 0.5, 7.0], mpmath.log),
    "log1p": ([-0.9, 1e-9, 5.0], mpmath.log1p),
    "sqrt": ([1e-3, 2.0], mpmath.sqrt),
    "sin": ([-2.0, 0.0, 3.0], mpmath.sin),
    "cos": ([-2.0, 0.0, 3.0], mpmath.cos),
    "tan": ([-1.2, 0.0, 1.0], mpmath.tan),
    "asin": ([-0.9, 0.0, 0.5], mpmath.asin),
    "acos": ([-0.9, 0.0, 0.5], mpmath.acos),
    "atan": ([-1e5, -1.0, 0.0, 1.0, 4.0], mpmath.atan),
    "sinh": ([-3.0, 0.0, 1.0], mpmath.sinh),
    "cosh": ([-3.0, 0.0, 1.0], mpmath.cosh),
    "tanh": ([-25.0, -1.0, 0.0, 1e-3, 30.0], mpmath.tanh),
    "asinh": ([-1e5, -1.0, 0.0, 1.0, 3.0], mpmath.asinh),
    "acosh": ([1.001, 3.0, 1e5], mpmath.acosh),
    "atanh": ([-0.9, 0.0, 0.5], mpmath.atanh),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", UNARY)
def test_the_derivative_of_a_function_is_exact(name: str, order: int) -> None:
    points, exact = UNARY[name]
    derivative = getattr(NP, name)
    for _ in range(order):
        derivative = _summed_gradient(derivative)
    got = derivative(np.asarray(points))
    with mpmath.workdps(60):
        expected = [float(mpmath.diff(exact, point, order)) for point in points]
    np.testing.assert_allclose(got, expected, rtol=1e-13 * 10**order, atol=1e-30)


def _summed_gradient(f: Any) -> Any:
    return grad(lambda x: NP.sum(f(x)))


def test_the_slope_of_tanh_keeps_its_digits_in_the_tails() -> None:
    (got,) = grad(lambda x: NP.sum(NP.tanh(x)))(np.asarray([300.0]))
    assert got == pytest.approx(4 * float(mpmath.exp(-600)), rel=1e-14, abs=0)


@pytest.mark.parametrize(
    "name, x1, x2, first, second",
    [
        ("maximum", 1.0, 1.0, 0.5, 0.5),
        ("minimum", 1.0, 1.0, 0.5, 0.5),
        ("logaddexp", -np.inf, -np.inf, 0.5, 0.5),
        ("logaddexp", 50.0, 0.0, 1.0, float(mpmath.exp(-50))),
        ("logaddexp", -800.0, 800.0, 0.0, 1.0),
        ("pow", 0.0, 0.0, 0.0, 0.0),
        ("pow", 0.0, 2.0, 0.0, 0.0),
        ("pow", 3.0, 0.0, 0.0, float(mpmath.log(3))),
        ("hypot", 0.0, 0.0, 0.0, 0.0),
        ("hypot", 3e200, 4e200, 0.6, 0.8),
        ("hypot", 0.0, -2.0, 0.0, -1.0),
        ("atan2", 1e200, 1e200, 0.5e-200, -0.5e-200),
        ("floor_divide", 7.5, 2.0, 0.0, 0.0),
        ("remainder", 7.5, 2.0, 1.0, -3.0),
    ],
)
def test_a_tie_or_a_far_point_has_the_slope_that_was_chosen(
    name: str, x1: float, x2: float, first: float, second: float
) -> None:
    f = getattr(NP, name)
    got = grad(lambda a, b: NP.sum(f(a, b)), argnums=(0, 1))(np.asarray([x1]), np.asarray([x2]))
    assert [float(g[0]) for g in got] == pytest.approx([first, second], rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("name", ["max", "min"])
def test_several_extremes_share_the_gradient(name: str) -> None:
    x = np.asarray([[2.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    got = grad(lambda x: NP.sum(getattr(NP, name)(x, axis=1)))(x)
    expected = [[0.5, 0.0, 0.5], [1 / 3] * 3] if name == "max" else [[0.0, 1.0, 0.0], [1 / 3] * 3]
    np.testing.assert_array_equal(got, expected)


def test_the_slope_of_abs_is_0_at_0() -> None:
    np.testing.assert_array_equal(grad(lambda x: NP.sum(abs(x)))(np.zeros(2)), [0.0, 0.0])


def test_the_slope_of_std_is_0_where_all_entries_are_equal() -> None:
    np.testing.assert_array_equal(grad(NP.std)(np.ones(3)), np.zeros(3))


def test_clip_passes_the_gradient_at_its_bounds() -> None:
    x = np.asarray([-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(grad(lambda x: NP.sum(NP.clip(x, -1.0, 1.0)))(x), [0, 1, 1, 1, 0])


@pytest.mark.parametrize("name", ["sign", "floor", "ceil", "trunc", "round"])
def test_steps_are_flat(name: str) -> None:
    slope = grad(lambda x: NP.sum(getattr(NP, name)(x)))
    np.testing.assert_array_equal(slope(np.asarray([0.4, -1.6])), [0.0, 0.0])


def test_logaddexp_and_tanh_bend_at_a_tie() -> None:
    def slope(f: Any) -> Any:
        return grad(lambda x: NP.sum(_summed_gradient(f)(x)))(np.zeros(1))

    assert slope(lambda x: NP.logaddexp(x, np.zeros(1))) == pytest.approx(0.25)
    assert _summed_gradient(_summed_gradient(_summed_gradient(NP.tanh)))(np.zeros(1)) == -2.0


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "std", "var", "max"])
def test_the_gradients_of_reductions_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    x = np.asarray([[1.5, -0.5, 2.0], [0.3, 0.7, -1.1]])
    t = torch.tensor(x, requires_grad=True)
    options = {"correction": 1} if name in ("std", "var") else {}
    theirs = {"max": torch.amax}.get(name, getattr(torch, name))
    theirs(t, dim=1, **options).sum().backward()
    ours = grad(lambda x: NP.sum(getattr(NP, name)(x, axis=1, **options)))(x)
    np.testing.assert_allclose(ours, t.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_arrays_without_entries_have_gradients_without_entries(shape: tuple[int, ...]) -> None:
    def f(x: Any) -> Any:
        y = NP.concat([x * 2.0, NP.exp(x)], axis=0)
        return NP.sum(y) + NP.sum(NP.prod(y, axis=-1)) + NP.sum(x[..., ::2]) + NP.sum(x @ x.mT)

    if len(shape) == 1:
        got = grad(lambda x: NP.sum(x[1:]) + NP.prod(x) + NP.sum(x @ x))(np.zeros(shape))
    else:
        got = grad(f)(np.zeros(shape))
    assert got.shape == shape


def test_a_number_without_axes_goes_through() -> None:
    got = grad(lambda x: NP.sum(NP.exp(x) * x) + NP.max(x) + NP.mean(x))(np.asarray(1.0))
    assert got.shape == ()
    assert float(got) == pytest.approx(2 * float(mpmath.e) + 2)


def test_the_gradient_has_the_dtype_of_its_argument() -> None:
    x, y = tensor(np.ones(2, dtype=np.float32)), tensor(np.ones(2))
    NP.sum(x * y + x).backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_a_complex_detour_leads_back_to_a_real_gradient() -> None:
    x = tensor(np.ones(2))
    NP.sum(NP.abs(x * 1j)).backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_function_has_one_gradient() -> None:
    with pytest.raises(RuntimeError, match="`exp` has a gradient already"):
        register("exp", lambda grad, out, x, *, xp: grad)
    assert len(OPERATIONS["exp"].rules) == 1
