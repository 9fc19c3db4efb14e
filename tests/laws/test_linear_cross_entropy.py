"""Linear cross entropy is the cross entropy of the logits, without their memory."""

import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import Backend
from portable_losses._typing import Array
from tests.libraries import LIBRARIES, SLOW, Library, named

random = np.random.default_rng(3)
N, D, C = 7, 3, 5
HIDDEN, WEIGHT = random.normal(size=(N, D)) * 2, random.normal(size=(C, D))
BIAS, OF_CLASS = random.normal(size=C), random.uniform(size=C)
OF_ROW = random.uniform(size=N)
INDEX = np.asarray([0, 4, 1, 1, 3, 2, 0])
IGNORED = np.asarray([0, -100, 1, -100, 3, 2, -100])
SHARES = random.dirichlet(np.ones(C), size=N)
ONE_HOT: Any = np.eye(C)[INDEX] == 1
EVERYTHING: dict[str, Any] = {
    "label_smoothing": 0.1,
    "z_loss": 0.3,
    "softcap": 2.5,
    "return_lse": True,
}
EAGER = [one for one in LIBRARIES if one.module not in SLOW and not one.read_only]
TARGETS = {"index": INDEX, "ignored": IGNORED, "shares": SHARES, "one-hot": ONE_HOT}


def both(
    target: Any, chunk_size: int | None = None, **options: Any
) -> tuple[Callable[..., Any], Callable[..., Any], list[Any]]:
    """The fused loss and the plain one as functions of the same arrays, and those arrays."""
    soft = target.dtype.kind == "f"

    def split(rest: Any) -> tuple[Any, dict[str, Any]]:
        bias, of_class, of_row, *shares = rest
        return (shares or [target])[0], {"bias": bias, "of_class": of_class, "of_row": of_row}

    def fused(hidden: Array, weight: Array, *rest: Array) -> Any:
        y, named = split(rest)
        return pl.linear_cross_entropy(
            hidden,
            weight,
            y,
            bias=named["bias"],
            class_weight=named["of_class"],
            sample_weight=named["of_row"],
            chunk_size=chunk_size,
            **options,
        )

    def plain(hidden: Array, weight: Array, *rest: Array) -> Any:
        y, named = split(rest)
        return pl.cross_entropy(
            hidden @ weight.T + named["bias"],
            y,
            weight=named["of_class"],
            sample_weight=named["of_row"],
            **options,
        )

    return fused, plain, [HIDDEN, WEIGHT, BIAS, OF_CLASS, OF_ROW, *([target] if soft else [])]


def number(f: Callable[..., Any]) -> Callable[..., Any]:
    """The sum of all results of `f`, each with a weight of its own."""

    def summed(*arrays: Array) -> Array:
        outs = f(*arrays)
        total: Array = 0
        for i, out in enumerate(outs if isinstance(outs, tuple) else (outs,)):
            total = array_namespace(out).sum(out * out) * (1 + i / 2) + total
        return total

    return summed


def assert_same(got: Any, want: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.max(np.abs(want), initial=0.1))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("chunk_size", [1, 3, N, 100, None])
def test_value_and_every_gradient_are_those_of_cross_entropy(
    chunk_size: int | None, kind: str, options: dict[str, Any], reduction: str
) -> None:
    fused, plain, arrays = both(TARGETS[kind], chunk_size, reduction=reduction, **options)
    by = tuple(range(len(arrays)))
    got, grads = autograd.value_and_grad(number(fused), argnums=by)(*arrays)
    want, wanted = autograd.value_and_grad(number(plain), argnums=by)(*arrays)
    assert_same(got, want)
    for grad, right in zip(grads, wanted, strict=True):
        assert_same(grad, right)


@pytest.mark.parametrize("kind", TARGETS)
def test_second_derivatives_are_those_of_cross_entropy(kind: str) -> None:
    fused, plain, arrays = both(TARGETS[kind], 2, **EVERYTHING)
    directions = tuple(np.cos(np.arange(a.size)).reshape(a.shape) for a in arrays)
    for got, want in zip(
        autograd.hvp(number(fused), tuple(arrays), directions),
        autograd.hvp(number(plain), tuple(arrays), directions),
        strict=True,
    ):
        assert_same(got, want, rtol=1e-11)


@pytest.mark.parametrize("library", EAGER, ids=str)
def test_every_row_has_a_gradient_of_its_own(library: Library) -> None:
    with library.active():
        hidden, weight = library.array(HIDDEN, "float64"), library.array(WEIGHT, "float64")
        y = library.array(INDEX)
        scale = library.array(np.arange(float(N)), "float64")

        def scaled(hidden: Array) -> Array:
            losses = pl.linear_cross_entropy(hidden, weight, y, chunk_size=3, reduction="none")
            return array_namespace(losses).sum(losses * scale)

        grad = library.numpy(library.gradient(scaled, (0,))(hidden)[0])
    alone = autograd.grad(lambda h: pl.linear_cross_entropy(h, WEIGHT, INDEX, reduction="sum"))
    assert_same(grad, alone(HIDDEN) * np.arange(N)[:, None])


# ---- rows that are not there, or left out -----------------------------------------------------


@pytest.mark.parametrize("library", EAGER, ids=str)
@pytest.mark.parametrize("case", ["no rows", "all ignored"])
def test_the_mean_over_nothing_is_zero_with_zero_gradient(library: Library, case: str) -> None:
    rows = 0 if case == "no rows" else N
    with library.active():
        hidden = library.array(HIDDEN[:rows], "float64")
        weight, bias = library.array(WEIGHT, "float64"), library.array(BIAS, "float64")
        y = library.array(np.full(rows, -100))

        def loss(hidden: Array, weight: Array, bias: Array) -> Array:
            return pl.linear_cross_entropy(hidden, weight, y, bias=bias, z_loss=0.5)

        assert library.numpy(loss(hidden, weight, bias)) == 0
        grads = library.gradient(loss, (0, 1, 2))(hidden, weight, bias)
        for grad, x in zip(grads, (HIDDEN[:rows], WEIGHT, BIAS), strict=True):
            np.testing.assert_array_equal(library.numpy(grad), np.zeros(x.shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_ignored_row_adds_nothing_whatever_it_holds(library: Library, bad: float) -> None:
    counts = IGNORED != -100
    with library.active():
        spoiled = library.array(np.where(counts[:, None], HIDDEN, bad), "float64")
        weight, y = library.array(WEIGHT, "float64"), library.array(IGNORED)

        def loss(hidden: Array, weight: Array) -> Array:
            return pl.linear_cross_entropy(hidden, weight, y, chunk_size=4, z_loss=0.5)

        value = library.numpy(library.quickly(loss)(spoiled, weight))
        grads = library.quickly(library.gradient(loss, (0, 1)))(spoiled, weight)
        by_hidden, by_weight = map(library.numpy, grads)
    few = lambda h, w: pl.linear_cross_entropy(h, w, INDEX[counts], z_loss=0.5)  # noqa: E731
    want, wanted = autograd.value_and_grad(few, argnums=(0, 1))(HIDDEN[counts], WEIGHT)
    assert_same(value, want)
    assert_same(by_hidden[counts], wanted[0])
    np.testing.assert_array_equal(by_hidden[~counts], 0.0)
    assert_same(by_weight, wanted[1])


MODULE = sys.modules["portable_losses.losses._linear_rows"]


def multiplied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of every product from now on, without kernels."""
    monkeypatch.setitem(_backend._LOADED, "numpy", Backend("numpy"))
    layer, sizes = MODULE.Layer, list[int]()
    raw = layer.raw

    def counted(self: Any, hidden: Array) -> Array:
        sizes.append(hidden.shape[0])
        return raw(self, hidden)

    monkeypatch.setattr(layer, "raw", counted)
    return sizes


def test_an_ignored_row_is_not_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = multiplied(monkeypatch)
    pl.linear_cross_entropy(HIDDEN, WEIGHT, IGNORED, chunk_size=3)
    assert sizes == [3, 1]


# ---- memory ----------------------------------------------------------------------------------


def test_a_block_has_the_bytes_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = multiplied(monkeypatch)
    monkeypatch.setattr(MODULE, "BLOCK_BYTES", 2 * C * 4)
    single = (HIDDEN.astype(np.float32), WEIGHT.astype(np.float32))
    pl.linear_cross_entropy(*single, INDEX)
    pl.linear_cross_entropy(HIDDEN, WEIGHT, INDEX)
    pl.linear_cross_entropy(HIDDEN.astype(np.float16), WEIGHT.astype(np.float16), INDEX)
    assert sizes == [2, 2, 2, 1, *[1] * N, 2, 2, 2, 1]


def peak(run: Callable[[], Any]) -> int:
    run()  # what is made once is not the call's
    tracemalloc.start()
    run()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
def test_the_logits_never_exist_all_at_once(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = import_module("portable_losses.backends.kernels.machine.memory")
    monkeypatch.setattr(memory, "_FREE", None)  # all of it is NumPy's, which tracemalloc sees
    rows, width, classes, chunk_size = 1024, 8, 4000, 16
    hidden = random.normal(size=(rows, width)).astype(np.float32)
    weight = random.normal(size=(classes, width)).astype(np.float32)
    target = random.integers(0, classes, rows)

    def fused(hidden: Array, weight: Array) -> Array:
        out = pl.linear_cross_entropy(hidden, weight, target, chunk_size=chunk_size, **options)
        return out[0] if options else out

    def plain(hidden: Array, weight: Array) -> Array:
        out = pl.cross_entropy(hidden @ weight.T, target, **options)
        return out[0] if options else out

    block, gradients = chunk_size * classes * 4, hidden.nbytes + weight.nbytes
    both = autograd.value_and_grad(fused, argnums=(0, 1))
    assert peak(lambda: both(hidden, weight)) < 3 * gradients + 14 * block
    assert 3 * gradients + 14 * block < rows * classes
    whole = autograd.value_and_grad(plain, argnums=(0, 1))
    assert peak(lambda: whole(hidden, weight)) > 2 * rows * classes * 4


# ---- dtypes ----------------------------------------------------------------------------------


def test_the_gradient_of_the_weight_is_summed_in_float32() -> None:
    rows = 4000
    hidden: Array = np.ones((rows, 1), np.float16)
    weight: Array = np.zeros((2, 1), np.float16)
    target: Array = np.zeros(rows, np.int64)
    options: dict[str, Any] = {"chunk_size": 1, "reduction": "sum"}
    grad = autograd.grad(lambda w: pl.linear_cross_entropy(hidden, w, target, **options))(weight)
    assert grad.dtype == np.float16
    np.testing.assert_array_equal(grad, [[-rows / 2], [rows / 2]])


@pytest.mark.parametrize("library", [named("numpy"), named("torch"), named("array_api_strict")])
def test_a_weight_of_another_precision_keeps_it(library: Library) -> None:
    hidden = library.array(HIDDEN, "float32")
    weight, bias = library.array(WEIGHT, "float64"), library.array(BIAS, "float64")
    y = library.array(INDEX)

    def loss(hidden: Array, weight: Array, bias: Array) -> Array:
        return pl.linear_cross_entropy(hidden, weight, y, bias=bias)

    assert loss(hidden, weight, bias).dtype == library.xp.float32
    grads = library.gradient(loss, (0, 1, 2))(hidden, weight, bias)
    assert [g.dtype for g in grads] == [x.dtype for x in (hidden, weight, bias)]
