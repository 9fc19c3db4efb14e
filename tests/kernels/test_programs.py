"""Elementwise formulas as programs: traced, every operation once, the same bits as the formula."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._backend import load_backend
from portable_losses._gradient import entrywise
from portable_losses._typing import Array
from portable_losses.autograd import tensor
from tests.kernels.entries import SIZES, bce, bits, numbers, targets

formulas: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.trace")
kernels: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.elementwise_numpy")
programs: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.program_numpy")


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
    monkeypatch.setattr(kernels, "KEPT", 8)
    x = np.linspace(-1.0, 1.0, 5)
    for i in range(20):
        for _ in range(3):
            pl.softplus(x, beta=1.0 + i)
        assert 1 <= len(kernels._PROGRAMS) <= 10
    monkeypatch.setattr(kernels, "_MET", set())
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
