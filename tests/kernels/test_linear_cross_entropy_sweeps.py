"""How often a linear layer's cross entropy goes through its logits, and what it keeps."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.kernels.linear_layer import (
    BIAS,
    HIDDEN,
    IGNORED,
    INDEX,
    OF_CLASS,
    OF_ROW,
    OPTIONS,
    WEIGHT,
    WIDTH,
    assert_near,
    blocks,
    both,
    gradients,
    scalar,
    value_and_grads,
)
from tests.libraries import named

ALL = (0, 1)


@both
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [ALL]),
        ({"reduction": "sum"}, [ALL]),
        ({"sample_weight": OF_ROW}, [ALL]),
        ({"z_loss": 0.25, "sample_weight": OF_ROW}, [ALL]),
        ({"class_weight": OF_CLASS}, [ALL]),
        ({"class_weight": OF_CLASS, "z_loss": 0.25}, [(), ALL]),  # of two denominators
        ({"reduction": "none"}, [(), ALL]),
    ],
)
def test_rows_are_gone_through_once_where_their_gradients_are_foreseen(
    name: str, options: dict[str, Any], found: Any, sweeps: list[Any]
) -> None:
    library = named(name)
    f = scalar(library, IGNORED, "float32", **options)
    given = [library.array(x, "float32") for x in (HIDDEN, WEIGHT)]
    gradients(library, f, given, ALL)
    assert sweeps == found


@both
def test_only_what_is_wanted_is_multiplied(name: str, sweeps: list[Any]) -> None:
    library = named(name)
    f = scalar(library, INDEX, "float64")
    given = [library.array(x, "float64") for x in (HIDDEN, WEIGHT, BIAS)]
    f(*given)
    for places in ((0,), (1,), (2,), (0, 2)):
        gradients(library, f, given, places)
    assert [one for one in sweeps if one] == [(0,), (1,), (2,), (0, 2)]


# ---- backward ------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_graph_may_be_walked_twice(name: str, reduction: str) -> None:
    library = named(name)
    f = scalar(library, INDEX, "float64", reduction=reduction)
    given = [library.array(x, "float64") for x in (HIDDEN, WEIGHT)]
    if name == "torch":
        import torch

        given = [x.requires_grad_() for x in given]
        out = f(*given)
        grads = [torch.autograd.grad(out, given, retain_graph=True) for _ in range(3)]
    else:
        _, pullback = autograd.vjp(f, *given)
        grads = [pullback(np.ones(())) for _ in range(3)]
    for later in grads[1:]:
        for one, first in zip(later, grads[0], strict=True):
            assert one is not first
            np.testing.assert_allclose(library.numpy(one), library.numpy(first), 1e-14, 1e-15)


@both
def test_a_gradient_that_nobody_foresaw_is_right(name: str, portable: Any) -> None:
    """The sum of the losses and of their logsumexps, of which only the first was foreseen."""
    library = named(name)
    y = library.array(INDEX)

    def loss(hidden: Array, weight: Array) -> Any:
        loss, lse = pl.linear_cross_entropy(hidden, weight, y, z_loss=0.5, return_lse=True)
        return loss * 3 + (lse[0] * 2 - lse[1])

    got = value_and_grads(library, loss, [HIDDEN, WEIGHT], "float64")
    want = portable(value_and_grads, library, loss, [HIDDEN, WEIGHT], "float64")
    assert_near(got, want, [HIDDEN, WEIGHT], "float64")


@both
@pytest.mark.parametrize("options", ["plain", "z_loss", "sample_weight", "class_weight"])
def test_the_second_derivative_is_that_of_the_pair(name: str, options: str, portable: Any) -> None:
    library = named(name)
    f = scalar(library, INDEX, "float64", **OPTIONS[options])

    def bend(hidden: Array, weight: Array) -> Any:
        by_hidden, by_weight = library.gradient(f, (0, 1))(hidden, weight)
        return (by_hidden * by_hidden).sum() + (by_weight * by_weight).sum()

    if name == "numpy":
        step = (np.cos(HIDDEN), np.sin(WEIGHT))
        run = lambda: autograd.hvp(f, (HIDDEN, WEIGHT), step)  # noqa: E731
    else:
        given = [library.array(x, "float64") for x in (HIDDEN, WEIGHT)]
        run = lambda: library.gradient(bend, (0, 1))(*given)  # noqa: E731
    for got, want in zip(run(), portable(run), strict=True):
        np.testing.assert_allclose(library.numpy(got), library.numpy(want), 1e-12, 1e-14)


@both
def test_no_rows_take_the_pair(name: str, sweeps: list[Any]) -> None:
    library = named(name)
    f = scalar(library, INDEX[:0], "float64", reduction="sum")
    value, by_hidden, by_weight = value_and_grads(library, f, [HIDDEN[:0], WEIGHT], "float64")
    assert (value, by_hidden.shape) == (0, (0, WIDTH))
    np.testing.assert_array_equal(by_weight, np.zeros(WEIGHT.shape))
    assert sweeps == []


def test_torch_keeps_what_its_transforms_need(sweeps: list[Any]) -> None:
    """torch.func and forward mode look inside: the pair serves them, with the same numbers."""
    torch = pytest.importorskip("torch")
    hidden, weight = torch.asarray(HIDDEN), torch.asarray(WEIGHT)
    f = scalar(named("torch"), INDEX, "float64")
    leaf = hidden.clone().requires_grad_()
    f(leaf, weight).backward()
    assert sweeps == [(0,)]
    torch.testing.assert_close(torch.func.grad(f)(hidden, weight), leaf.grad, rtol=1e-13, atol=0)
    step = torch.cos(hidden)
    _, slope = torch.func.jvp(lambda h: f(h, weight), (hidden,), (step,))
    assert slope.item() == pytest.approx((leaf.grad * step).sum().item(), rel=1e-12)
    assert sweeps == [(0,)]


# ---- threads and memory -------------------------------------------------------------------------


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    hidden: Array = rng.normal(size=(700, 8)).astype(np.float32)
    weight: Array = rng.normal(size=(1500, 8)).astype(np.float32)
    target: Array = np.arange(700)
    loss = autograd.value_and_grad(
        lambda h, w: pl.linear_cross_entropy(h, w, target, z_loss=0.5), argnums=(0, 1)
    )
    found = []
    for number in ("1", "3"):
        monkeypatch.setenv(blocks.VARIABLE, number)
        value, grads = loss(hidden, weight)
        found.append([x.tobytes() for x in (value, *grads)])
    blocks._stop()
    assert found[0] == found[1]


def test_the_gradients_and_a_tenth_of_the_logits_are_all_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside that: the product to be added, and temporaries of a few rows of the logits."""
    monkeypatch.setenv(blocks.VARIABLE, "1")
    rows, width, classes = 1024, 16, 4000
    rng = np.random.default_rng(4)
    hidden: Array = rng.normal(size=(rows, width)).astype(np.float32)
    weight: Array = rng.normal(size=(classes, width)).astype(np.float32)
    target: Array = np.arange(rows)
    run = autograd.value_and_grad(
        lambda h, w: pl.linear_cross_entropy(h, w, target), argnums=(0, 1)
    )
    tracemalloc.start()
    run(hidden, weight)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < hidden.nbytes + 2 * weight.nbytes + 0.2 * rows * classes * 4


@pytest.mark.parametrize("classes", [1, 255, 256, 511, 512, 700, 1024])
@pytest.mark.parametrize("value", [9.0, float("nan")])
def test_torch_finds_the_largest_wherever_it_is(classes: int, value: float) -> None:
    torch = pytest.importorskip("torch")
    on_torch: Any = pytest.importorskip(
        "portable_losses.backends.kernels.cross_entropy.sweep_torch"
    )
    z = torch.asarray(np.cos(np.arange(float(classes))))
    z = z + torch.diag(torch.full((classes,), value, dtype=z.dtype))
    np.testing.assert_array_equal(on_torch._largest(z), np.arange(classes))
    np.testing.assert_array_equal(on_torch._largest(-torch.ones(2, classes)), [0, 0])
