"""Elementwise functions on NumPy as programs, in blocks: the same bits as at once.

The programs serve where nothing is compiled; `test_machine_code.py` is about what is.
"""

import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._gradient import entrywise, with_gradient
from portable_losses._typing import Array
from portable_losses.autograd import grad, value_and_grad, vjp
from tests.kernels.entries import BLOCK, LAYOUTS, SIZES, bce, bits, numbers, targets
from tests.libraries import LIBRARIES
from tests.rows import ONCE
from tests.samples import Sample

blocks: Any = pytest.importorskip("portable_losses.backends.kernels.machine.blocks")
formulas: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.trace")
kernels: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.elementwise_numpy")
programs: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.program_numpy")

pytestmark = pytest.mark.usefixtures("uncompiled")

NUMPY = next(one for one in LIBRARIES if one.module == "numpy")


def value_and_slopes(function: Callable[..., Any], *arrays: Array) -> tuple[Array, ...]:
    """The values and the gradients by all arrays, each entry with a weight of its own."""
    out, pull = vjp(function, *arrays)
    weights = np.linspace(0.5, 1.0, out.size).astype(out.dtype).reshape(out.shape)
    slopes = pull(weights)
    return (out, *slopes)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], Any]:
    """Call a function as it stands: not as a program, and without blocks."""

    def call(function: Callable[..., Any], *arrays: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr("portable_losses._public.may_repeat", lambda x: None)
            patch.setattr(kernels, "program_of", lambda *_, **__: None)
            patch.setattr(kernels, "FEWEST", 10**12)
            return function(*arrays)

    return call


@pytest.fixture(params=["1", "3"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(blocks.VARIABLE, request.param)
    return request.param


FUNCTIONS = [pl.silu, pl.softplus, pl.gelu, pl.mish, pl.elu, pl.tanh, pl.log_sigmoid]


# ---- the same bits ------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [row for row in ONCE if row.variables], ids=str)
def test_every_function_is_the_same_as_a_program_and_in_blocks_of_few_entries(
    sample: Sample, monkeypatch: pytest.MonkeyPatch, at_once: Any
) -> None:
    def value_and_gradients() -> tuple[Any, ...]:
        with NUMPY.active():
            arrays = sample.on(NUMPY)
            f = sample.scalar(arrays, NUMPY, "float64")
            gradient = NUMPY.gradient(f, range(len(sample.variables)))
            slopes = gradient(*[arrays[key] for key in sample.variables])
            return (*sample.call(arrays), *slopes)

    whole = at_once(value_and_gradients)
    for _ in range(2):  # the first call of a small program only leaves its name
        assert bits(value_and_gradients()) == bits(whole)
    monkeypatch.setattr(kernels, "FEWEST", 1)
    monkeypatch.setattr(kernels, "SIZE", 16)
    assert bits(value_and_gradients()) == bits(whole)
    monkeypatch.setattr(kernels, "SMALL", 0)
    assert bits(value_and_gradients()) == bits(whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.usefixtures("threads")
def test_activations_are_the_same(
    function: Callable[..., Any], size: int, dtype: Any, at_once: Any
) -> None:
    x = numbers(size, dtype)
    whole = at_once(value_and_slopes, function, x)
    assert bits(value_and_slopes(function, x)) == bits(whole)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.usefixtures("threads")
def test_a_loss_of_two_arrays_is_the_same(size: int, at_once: Any) -> None:
    z, y = numbers(size), targets(size)
    whole = at_once(value_and_slopes, bce, z, y)
    assert bits(value_and_slopes(bce, z, y)) == bits(whole)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_reduced_loss_and_its_gradient_are_the_same(reduction: Any, at_once: Any) -> None:
    z, y = np.nan_to_num(numbers(SIZES[-1])) / 1e30, targets(SIZES[-1])
    loss = value_and_grad(lambda x: pl.binary_cross_entropy_with_logits(x, y, reduction=reduction))
    assert bits(loss(z)) == bits(at_once(loss, z))


def test_the_second_derivative_is_the_same(at_once: Any) -> None:
    def slope(x: Any) -> Any:
        xp = array_namespace(x)
        return xp.sum(grad(lambda z: xp.sum(pl.softplus(z)))(x))

    x = np.nan_to_num(numbers(SIZES[-1], np.float64)) / 1e30
    second = grad(slope)(x)
    assert bits(second) == bits(at_once(grad(slope), x))
    np.testing.assert_allclose(second, pl.sigmoid(x) * pl.sigmoid(-x), rtol=1e-14)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_gives_the_same_and_is_not_written_to(
    layout: Callable[[Array], Array], at_once: Any
) -> None:
    z, y = layout(numbers(8 * BLOCK)), layout(targets(8 * BLOCK))
    z.flags.writeable = y.flags.writeable = False
    before = z.copy()
    whole = at_once(value_and_slopes, bce, z, y)
    assert bits(value_and_slopes(bce, z, y)) == bits(whole)
    assert bits(z) == bits(before)


# ---- what a function may be ---------------------------------------------------------------------


def calls(*arrays: Any, **options: Any) -> tuple[Any, list[Any]]:
    """The sum of the arrays, and the shapes that the function has been called with."""
    seen: list[Any] = []

    @entrywise
    def added(*parts: Any, xp: Any, shift: Any = 0.0) -> Any:
        del xp
        seen.append([None if x is None else x.shape for x in parts])
        return sum(x for x in parts if x is not None) + shift

    return added(*arrays, xp=array_namespace(arrays[0]), **options), seen


def test_arrays_broadcast_and_absent_ones_stay_absent() -> None:
    x, column, row = np.ones((kernels.FEWEST, 3)), np.ones((kernels.FEWEST, 1)), np.ones(3)
    total, seen = calls(x, None, column, row, np.asarray(4.0))
    assert len(seen) > 2
    assert all(shapes[1] is None and shapes[4] == () for shapes in seen)
    np.testing.assert_array_equal(total, np.full((kernels.FEWEST, 3), 7.0), strict=True)


def test_small_arrays_and_arrays_among_the_options_are_computed_at_once() -> None:
    x = np.ones(kernels.FEWEST)
    assert len(calls(x)[1]) > 2
    assert len(calls(x[1:])[1]) == 1
    assert len(calls(x, shift=x)[1]) == 1


def test_a_joint_gradient_may_leave_arrays_out() -> None:
    def backward(grad: Array, out: Array, x: Array, k: Array, *, xp: Any) -> tuple[Any, ...]:
        del out, k, xp
        return 2 * x * grad, None

    @with_gradient(backward, elementwise=True)
    def f(x: Array, k: Array, *, xp: Any) -> Array:
        del k, xp
        return x * x

    x = np.linspace(-1.0, 1.0, SIZES[-1])
    k = np.arange(x.size)
    slope = grad(lambda z: array_namespace(z).sum(f(z, k, xp=array_namespace(z))))(x)
    np.testing.assert_array_equal(slope, 2 * x)


def test_several_results_come_back_as_a_tuple() -> None:
    @entrywise
    def parts(x: Array, *, xp: Any) -> tuple[Array, Array]:
        return xp.floor(x), x > 0

    x = np.linspace(-2.0, 2.0, SIZES[-1])
    assert bits(parts(x, xp=array_namespace(x))) == bits((np.floor(x), x > 0))


@pytest.mark.usefixtures("threads")
def test_warnings_are_those_of_the_caller() -> None:
    @entrywise
    def exponential(x: Array, *, xp: Any) -> Array:
        return xp.exp(x)

    x = np.zeros(SIZES[-1])
    x[-1] = 1e4
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        exponential(x, xp=array_namespace(x))
    with np.errstate(over="ignore"):
        assert exponential(x, xp=array_namespace(x))[-1] == np.inf


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_finite_numbers_raise_no_flag_but_underflow(function: Callable[..., Any]) -> None:
    x = numbers(SIZES[-1])
    x[~np.isfinite(x)] = 1
    with np.errstate(all="raise", under="ignore"):
        value_and_slopes(function, x)


@pytest.mark.parametrize("function", [pl.silu, pl.quick_gelu, pl.gelu, pl.mish])
@pytest.mark.parametrize("far", [False, True], ids=["usual", "far"])
def test_the_far_tails_are_the_same(
    function: Callable[..., Any], far: bool, portable: Callable[..., Any]
) -> None:
    x = np.random.default_rng(1).standard_normal(SIZES[-1]).astype(np.float32)
    if far:
        x[5], x[6], x[-1] = -10.3, -55, -95  # where an exponential is subnormal
    options = {"approximate": "tanh"} if function is pl.gelu else {}

    def both(x: Array) -> Any:
        return value_and_slopes(lambda z: function(z, **options), x)

    assert bits(both(x)) == bits(portable(both, x))


def test_memory_is_that_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = import_module("portable_losses.backends.kernels.machine.memory")
    monkeypatch.setattr(memory, "_FREE", None)  # all of it is NumPy's, which tracemalloc sees
    x = np.random.default_rng(0).standard_normal(2**22, dtype=np.float32)
    pl.gelu(x)
    tracemalloc.start()
    pl.gelu(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * x.nbytes
