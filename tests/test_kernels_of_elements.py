"""Elementwise functions on NumPy in blocks: the same bits as at once, whatever the arrays."""

import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._backend import load_backend
from portable_losses._gradient import entrywise, with_gradient
from portable_losses._typing import Array
from portable_losses.autograd import grad, tensor, value_and_grad, vjp
from tests.libraries import LIBRARIES
from tests.rows import ONCE
from tests.samples import Sample

blocks: Any = pytest.importorskip("portable_losses.backends.kernels.machine.blocks")
formulas: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.trace")
kernels: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.elementwise_numpy")
programs: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.program_numpy")

NUMPY = next(one for one in LIBRARIES if one.module == "numpy")
BLOCK = 2**10  # no block is smaller

# What takes no buffers, and one entry more; one entry short of threads, threads, and one more.
SIZES = [kernels.SMALL, kernels.SMALL + 1, *(kernels.FEWEST + i for i in (-1, 0, 1))]
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 3e38, -3e38, -90.0, 90.0, 17.0, -60.0]


def numbers(size: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    """Normal numbers, a few odd ones at the start, in every block, and at the end."""
    x = np.random.default_rng(seed).standard_normal(size).astype(dtype)
    for place in range(0, size, BLOCK):
        near: Array = np.arange(place - 6, place + 7) % size
        x[near] = ODD
    return x


def targets(size: int, dtype: Any = np.float32) -> Array:
    y = np.random.default_rng(9).random(size).astype(dtype)
    y[::7], y[3::7] = 0, 1
    return y


def bits(results: Any) -> list[tuple[Any, ...]]:
    """All that can differ: dtypes, shapes, where NaN is, and all other bits (of -0.0, too)."""
    listed = results if isinstance(results, tuple) else (results,)
    nans = [np.asarray(x != x) for x in listed]
    rest = [np.where(nan, np.zeros_like(x), x) for nan, x in zip(nans, listed, strict=True)]
    return [
        (x.dtype, x.shape, nan.tobytes(), x.tobytes()) for nan, x in zip(nans, rest, strict=True)
    ]


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
            patch.setattr(kernels, "_program", lambda *_, **__: None)
            patch.setattr(kernels, "FEWEST", 10**12)
            return function(*arrays)

    return call


@pytest.fixture(params=["1", "3"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(blocks.VARIABLE, request.param)
    return request.param


def bce(z: Array, y: Array) -> Array:
    return pl.binary_cross_entropy_with_logits(z, y, reduction="none")


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


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "every second entry": lambda x: x[::2],
    "backwards": lambda x: x[::-1],
    "rows": lambda x: x.reshape(-1, 4),
    "columns": lambda x: x.reshape(-1, 4).T,
    "column by column": lambda x: np.asfortranarray(x.reshape(-1, 4)),
    "one row": lambda x: x[None],
    "not aligned to the rows": lambda x: x.reshape(-1, 4)[:, 1:],
    "broadcast": lambda x: np.broadcast_to(x[:5], (x.size // 4, 5)),
    "one number": lambda x: np.broadcast_to(x[20], x.shape),
    "no number": lambda x: x[:0],
    "three axes": lambda x: x.reshape(2, -1, 2).swapaxes(0, 1),
}


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
def test_a_rare_condition_is_seen_wherever_it_holds(
    function: Callable[..., Any], far: bool, portable: Callable[..., Any]
) -> None:
    x = np.random.default_rng(1).standard_normal(SIZES[-1]).astype(np.float32)
    if far:
        x[5], x[6], x[-1] = -10.3, -55, -95  # where an exponential is subnormal
    options = {"approximate": "tanh"} if function is pl.gelu else {}

    def both(x: Array) -> Any:
        return value_and_slopes(lambda z: function(z, **options), x)

    assert bits(both(x)) == bits(portable(both, x))


def test_a_formula_without_its_rare_conditions() -> None:
    def formula(x: Any, *, xp: Any) -> Any:
        rarely = xp.__portable_losses_backend__.speed.rarely
        far = rarely(-abs(x) < -8.0)
        scale = xp.where(far, 0.5, xp.ones_like(x))
        return xp.where(far, xp.exp(x), x) * scale, xp.where(x > 0, x, 0.0) * scale

    found = formulas.trace(formula, [np.dtype(np.float64)], {})
    assert len(found.rare) == 1
    usual = [one.operation for one in found.usual.steps]
    assert usual == [np.absolute, np.negative, np.less, np.greater, formulas.SELECT]
    assert found.usual.guards == (formulas.Place(3),)
    assert not found.usual.rare
    program = programs.Branching(found)
    for x in (np.asarray([1.0, -2.0, 7.5]), np.asarray([1.0, -2.0, 8.5])):
        outs = np.empty(3), np.empty(3)
        program.run([x], outs, program.buffers((3,)))
        far = np.abs(x) > 8
        scale = np.where(far, 0.5, 1.0)
        want = np.where(far, np.exp(x), x) * scale, np.where(x > 0, x, 0.0) * scale
        assert bits(outs) == bits(want)


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


# ---- programs -----------------------------------------------------------------------------------


def as_programs(formula: Callable[..., Any], *arrays: Any, **options: Any) -> list[Any]:
    """The results of a formula as a simple program and as one on buffers."""
    found = formulas.trace(formula, [None if x is None else x.dtype for x in arrays], options)
    given = [x for x in arrays if x is not None]
    shape = np.broadcast_shapes(*[x.shape for x in given])
    outs = tuple(np.empty(shape, dtype) for dtype in found.dtypes)
    program = programs.Blockwise(found)
    with np.errstate(all="ignore"):
        program.run(given, outs, program.buffers(shape))
        return [programs.simple(found)(given), outs]


MASKS = {"mixed": [True, False, True], "all": [True] * 3, "none": [False] * 3}
CHOICES: list[tuple[Any, Any]] = [
    ("x", "y"), ("x", "x"), ("x", 2.0), (2.0, "x"), ("x", 0.0), (0.0, "x"), (-0.0, "x"),
    ("x", -0.0), (1.0, np.float64(2.0)), (np.float64(0.0), 1.0), (np.float64(3.0), 0.0),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_where_selects_every_bit(mask: list[bool], dtype: Any, chosen: tuple[Any, Any]) -> None:
    condition = np.asarray(mask)
    x, y = np.asarray([0.0, -0.0, np.nan], dtype), np.asarray([np.inf, 1e-30, -np.nan], dtype)

    def formula(c: Any, x: Any, y: Any, *, xp: Any) -> Any:
        known = {"x": x, "y": y}
        numbers = [dtype(one) if isinstance(one, np.float64) else one for one in chosen]
        return xp.where(c, *[known.get(one, one) for one in numbers])

    known = {"x": x, "y": y}
    first, second = (known[one] if isinstance(one, str) else dtype(one) for one in chosen)
    want = np.where(condition, first, second)
    for (got,) in as_programs(formula, condition, x, y):
        assert bits(np.broadcast_to(got, want.shape)) == bits(want)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("bound", [-1.0, 0.0, 2.0, np.inf, np.nan])
def test_extrema_are_those_of_numpy(name: str, bound: float) -> None:
    x = np.asarray([-1.5, 1.0, np.nan, 5.0, np.inf])
    want = getattr(np, name)(x, bound)
    for (got,) in as_programs(lambda x, *, xp: getattr(xp, name)(x, bound), x):
        assert bits(got) == bits(want)


def test_a_program_computes_everything_once_and_nothing_in_vain() -> None:
    def formula(x: Any, y: Any, *, xp: Any) -> Any:
        xp.log(y)
        e = xp.exp(xp.negative(-xp.negative(abs(x * 1.0))))
        return e + xp.exp(-xp.abs(1.0 * x / 1.0)), xp.exp(-abs(x)), None, y, x > 0

    dtypes = [np.dtype(np.float64)] * 2
    found = formulas.trace(formula, dtypes, {})
    assert [step.operation for step in found.steps] == [
        np.absolute, np.negative, np.exp, np.add, np.greater,
    ]  # fmt: skip
    assert found.several == (True, True, False, True, True)
    x, y = np.asarray([1.0, -2.0]), np.asarray([3.0, 4.0])
    e = np.exp(-np.abs(x))
    for got in as_programs(formula, x, y):
        assert bits(tuple(got)) == bits((e + e, e, y, x > 0))


def test_a_slope_is_what_a_rule_multiplies_the_gradient_with() -> None:
    dtypes = [np.dtype(np.float32)]

    def square(x: Any, *, xp: Any) -> Any:
        del xp
        return x * x

    def rule(grad: Any, out: Any, x: Any, *, xp: Any) -> Any:
        del out, xp
        return (2 * x) * grad

    def no_product(grad: Any, out: Any, x: Any, *, xp: Any) -> Any:
        del out
        return xp.where(x > 0, grad, 0.0)

    def no_rule(grad: Any, out: Any, x: Any, *, xp: Any) -> Any:
        del out, xp
        return grad * (grad * x)

    x = np.asarray([1.5, -2.0], np.float32)
    out, slope = programs.simple(formulas.slopes_of(square, [rule], dtypes, {}))([x])
    assert bits((out, slope)) == bits((x * x, 2 * x))
    for wrong in (no_product, no_rule):
        with pytest.raises(formulas.Untraceable):
            formulas.slopes_of(square, [wrong], dtypes, {})


NO_FORMULAS: dict[str, Callable[..., Any]] = {
    "a shape": lambda x, *, xp: x * x.shape[0],
    "a value": lambda x, *, xp: x if x > 0 else -x,
    "a reduction": lambda x, *, xp: x - xp.sum(x),
    "an integer": lambda x, *, xp: x * xp.astype(x > 0, xp.int32),
    "another dtype": lambda x, *, xp: xp.astype(x, xp.float32),
    "no array": lambda x, *, xp: 1.0,
    "an array from elsewhere": lambda x, *, xp: x + np.ones(3),
    "a conjunction with a number": lambda x, *, xp: x + (True & (x > 0)),
}


@pytest.mark.parametrize("function", NO_FORMULAS.values(), ids=NO_FORMULAS)
def test_what_is_no_formula_is_not_traced(function: Callable[..., Any]) -> None:
    with pytest.raises((formulas.Untraceable, AttributeError)):
        formulas.trace(function, [np.dtype(np.float64)], {})


def test_dtypes_that_are_mixed_are_not_traced() -> None:
    for dtypes in ([np.float32, np.float64], [np.int64], [bool], [np.float16], [np.complex128]):
        with pytest.raises(formulas.Untraceable):
            formulas.trace(lambda *xs, xp: xs[0] + xs[0], [np.dtype(d) for d in dtypes], {})


def test_programs_differ_with_every_option_that_can_make_a_difference() -> None:
    @entrywise
    def scaled(x: Array, *, by: Any, xp: Any) -> Array:
        del xp
        return x * (2.0 if by is False or by is None else 3.0 if by is True else by)

    x = np.asarray([1.0, 2.0])
    for _ in range(3):
        for by in (0.0, -0.0, 1.0, 1, True, False, None, 0.5):
            want = x * (2.0 if by is False or by is None else 3.0 if by is True else by)
            assert bits(scaled(x, by=by, xp=array_namespace(x))) == bits(want)


def test_a_key_tells_apart_options_that_are_equal_and_reads_no_array() -> None:
    values = (0, 0.0, -0.0, np.float32(0.0), np.float32(-0.0), False, 1, 1.0, True, None)
    assert len({formulas.key_of({"by": value}) for value in values}) == len(values)
    assert formulas.key_of({"by": 0.5}) == formulas.key_of({"by": 0.5})
    unreadable = import_module("tests.double").asarray([0.0])  # whose truth nothing may ask for
    assert formulas.key_of({"by": unreadable}) == (("by", type(unreadable), unreadable),)


def test_programs_are_kept_but_not_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_PROGRAMS", {})
    monkeypatch.setattr(kernels, "_MET", set())
    monkeypatch.setattr(kernels, "KEPT", 8)
    x = np.linspace(-1.0, 1.0, 5)
    for i in range(20):
        for _ in range(3):
            pl.softplus(x, beta=1.0 + i)
        assert 1 <= len(kernels._PROGRAMS) <= 10
    for i in range(20):  # each once
        pl.softplus(x, beta=100.0 + i)
        assert len(kernels._MET) <= 10


@pytest.mark.parametrize("size", [5, *SIZES])
def test_a_graph_that_is_walked_twice_gives_the_same_twice(size: int) -> None:
    z, y = numbers(size), targets(size)
    for _ in range(2):
        leaf = tensor(z)
        loss = bce(leaf, y)
        weights = np.linspace(0.5, 1.0, size).astype(np.float32)
        loss.backward(weights, retain_graph=True)
        first, leaf.grad = leaf.grad, None
        loss.backward(weights)
        assert first is not None
        assert leaf.grad is not None
        assert bits(leaf.grad.array) == bits(first.array)
        assert bits(bce(z, y)) == bits(loss.array)


def test_formulas_on_numpy_may_use_the_library_functions_that_have_no_slope_at_a_tie() -> None:
    assert not load_backend("numpy").autodiff.differentiates
    assert load_backend("a library that nobody has written a file for").autodiff.differentiates
