"""The kernels of a linear layer's cross entropy against the portable pair."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import load_backend
from portable_losses._typing import Array
from tests.libraries import Library, named

blocks: Any = pytest.importorskip("portable_losses.backends.kernels.machine.blocks")
kernel: Any = pytest.importorskip("portable_losses.backends.kernels.cross_entropy.linear")
on_numpy: Any = pytest.importorskip("portable_losses.backends.kernels.cross_entropy.linear_numpy")

KERNELS = ["numpy", "torch"]
NAME = "linear_cross_entropy"
both = pytest.mark.parametrize("name", KERNELS)
random = np.random.default_rng(11)
ROWS, WIDTH, CLASSES = 9, 4, 7
HIDDEN, WEIGHT = random.normal(size=(ROWS, WIDTH)) * 2, random.normal(size=(CLASSES, WIDTH))
HIDDEN[0] = 9 * WEIGHT[0]  # a confident row
HIDDEN[1] = -9 * WEIGHT[1]  # and a wrong one
BIAS = random.normal(size=CLASSES)
INDEX: Any = np.arange(ROWS) * 5 % CLASSES
IGNORED = np.where(np.arange(ROWS) % 3 == 1, -100, INDEX)
OF_CLASS, OF_ROW = np.linspace(0, 2, CLASSES), np.linspace(0, 2, ROWS)
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": BIAS},
    "class_weight": {"class_weight": OF_CLASS},
    "smoothing": {"label_smoothing": 0.125},
    "smoothing 1": {"label_smoothing": 1.0},
    "z_loss": {"z_loss": 0.25},
    "softcap": {"softcap": 5.0, "bias": BIAS},
    "return_lse": {"return_lse": True},
    "sample_weight": {"sample_weight": OF_ROW},
    "chunks": {"chunk_size": 4},
    "smoothing, z_loss, sample_weight": {
        "label_smoothing": 0.125,
        "z_loss": 0.25,
        "bias": BIAS,
        "sample_weight": OF_ROW,
    },
    "class_weight, z_loss, softcap": {"class_weight": OF_CLASS, "z_loss": 0.25, "softcap": 5.0},
    "smoothing, softcap": {"label_smoothing": 0.125, "softcap": 5.0},
}
FALLS_BACK = {"smoothing, softcap"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two rows, and of sixteen entries within, so that small arrays have many."""
    monkeypatch.setattr(kernel, "FEWEST_ROWS", 2)
    monkeypatch.setattr(kernel, "BLOCK_BYTES", 1)
    monkeypatch.setattr(kernel, "PARTS", 1)
    monkeypatch.setattr(on_numpy, "PART_BYTES", 64)
    for name in KERNELS:
        found: Any = load_backend(name).speed.kernels[NAME]
        products = found.run.args[0]
        products = products._replace(library=products.library._replace(size=16))
        replace_kernel(monkeypatch, name, found._replace(run=found.run.func.__get__(products)))


def replace_kernel(monkeypatch: pytest.MonkeyPatch, name: str, new: Any) -> None:
    backend = load_backend(name)
    speed = replace(backend.speed, kernels={**backend.speed.kernels, NAME: new})
    monkeypatch.setitem(_backend._LOADED, name, replace(backend, speed=speed))


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The gradients that each sweep from now on was asked for, and made."""
    seen: list[tuple[int, ...]] = []
    sweep = kernel._sweep

    def counted(products: Any, work: Any, wanted: tuple[int, ...], grad: Any) -> Any:
        seen.append(wanted)
        out, made = sweep(products, work, wanted, grad)
        assert tuple(i for i, x in enumerate(made.grads) if x is not None) == wanted
        return out, made

    monkeypatch.setattr(kernel, "_sweep", counted)
    return seen


def scalar(library: Library, target: Any, dtype: str, **options: Any) -> Callable[..., Any]:
    """The loss as a function of hidden, weight and bias; after "none" every row has a factor."""
    given = {
        key: library.array(value, dtype) if isinstance(value, np.ndarray) else value
        for key, value in options.items()
    }
    given.pop("bias", None)
    target = library.array(target)

    def loss(hidden: Array, weight: Array, bias: Array | None = None) -> Any:
        out = pl.linear_cross_entropy(hidden, weight, target, bias=bias, **given)
        out = out[0] if isinstance(out, tuple) else out
        if out.ndim == 0:
            return out
        factor = 1.0 + np.arange(len(out)) % 7 / 8
        return array_namespace(out).sum(out * library.array(factor, dtype))

    return loss


def gradients(library: Library, f: Any, given: list[Any], places: tuple[int, ...]) -> Any:
    """The gradients of `f`, which nobody differentiates again: then the kernel makes them."""
    if library.module == "numpy":
        return autograd.grad(f, argnums=places)(*given)
    import torch

    leaves = [x.clone().requires_grad_(i in places) for i, x in enumerate(given)]
    return torch.autograd.grad(f(*leaves), [leaves[i] for i in places])


def value_and_grads(library: Library, f: Any, arrays: list[Any], dtype: str) -> list[Any]:
    given = [library.array(x, dtype) for x in arrays]
    grads = gradients(library, f, given, tuple(range(len(given))))
    return [library.numpy(x) for x in (f(*given), *grads)]


def arguments(options: dict[str, Any]) -> list[Any]:
    return [HIDDEN, WEIGHT, *([options["bias"]] if "bias" in options else [])]


def assert_as_near(got: list[Any], want: list[Any], exact: list[Any], ulps: float = 4) -> None:
    """Hold `got` to twice the pair's own distance from `exact`, and a few ulp of the largest.

    For float64 the pair is all there is, so the distance between two orders of summing counts.
    """
    for one, pair, right in zip(got, want, exact, strict=True):
        assert (one.shape, one.dtype) == (pair.shape, pair.dtype)
        unit = float(np.finfo(pair.dtype).eps) * max(np.max(np.abs(right), initial=0), 1e-30)
        unit *= 4 if pair is right or pair.dtype == np.float64 else 1
        error, allowed = (float(np.max(np.abs(x - right), initial=0)) for x in (one, pair))
        assert error <= 2 * allowed + ulps * unit


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("reduction", "ignored"), [("mean", False), ("mean", True), ("sum", False), ("none", True)]
)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.usefixtures("small")
def test_value_and_gradients_are_those_of_the_pair(
    name: str,
    dtype: str,
    reduction: str,
    ignored: bool,
    options: str,
    portable: Any,
    sweeps: list[Any],
) -> None:
    library, given = named(name), {**OPTIONS[options], "reduction": reduction}
    target, arrays = IGNORED if ignored else INDEX, arguments(given)
    f = scalar(library, target, dtype, **given)
    got = value_and_grads(library, f, arrays, dtype)
    assert bool(sweeps) == (options not in FALLS_BACK)
    want = portable(value_and_grads, library, f, arrays, dtype)
    sharp = scalar(library, target, "float64", **given)
    exact = portable(value_and_grads, library, sharp, arrays, "float64")
    assert_as_near(got, want, exact)


# One row, one class, one of each; a row more and less than two blocks; one feature.
SHAPES = [(1, 3, 5), (5, 3, 1), (1, 1, 1), (3, 2, 4), (5, 1, 8), (4, 7, 3), (6, 5, 33)]


@both
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("small")
def test_any_shape_is_that_of_the_pair(name: str, shape: Any, portable: Any) -> None:
    rows, width, classes = shape
    library, rng = named(name), np.random.default_rng(sum(shape))
    arrays = [rng.normal(size=s) for s in ((rows, width), (classes, width), classes)]
    f = scalar(library, np.arange(rows) % classes, "float64")
    got = value_and_grads(library, f, arrays, "float64")
    want = portable(value_and_grads, library, f, arrays, "float64")
    assert_as_near(got, want, want, 16)


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [999, 1024])
def test_blocks_of_their_own_size_are_right_as_well(
    name: str, dtype: str, classes: int, portable: Any
) -> None:
    library, rng = named(name), np.random.default_rng(7)
    arrays = [rng.normal(size=(1301, 16)), rng.normal(size=(classes, 16)), rng.normal(size=classes)]
    target: Array = np.arange(1301) * 7 % classes
    f = scalar(library, target, dtype)
    got = value_and_grads(library, f, arrays, dtype)
    want = portable(value_and_grads, library, f, arrays, dtype)
    exact = portable(
        value_and_grads, library, scalar(library, target, "float64"), arrays, "float64"
    )
    assert_as_near(got, want, exact)


# ---- how often it multiplies ---------------------------------------------------------------------


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
    assert_as_near(got, want, want, 16)


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


# ---- infinities and NaN --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("case", ["a class of probability 0", "such a target", "NaN", "inf"])
@pytest.mark.parametrize("options", ["plain", "z_loss", "softcap"])
@pytest.mark.usefixtures("small")
def test_infinities_and_nan_are_those_of_the_pair(
    name: str, case: str, options: str, portable: Any
) -> None:
    library, hidden, bias = named(name), HIDDEN.copy(), BIAS.copy()
    if case in ("NaN", "inf"):
        hidden[4, 1] = float(case)
    else:
        bias[INDEX[2] if case == "such a target" else 6] = -np.inf
    target = INDEX if case != "a class of probability 0" else np.where(INDEX == 6, 0, INDEX)
    f = scalar(library, target, "float64", **OPTIONS[options])
    with np.errstate(all="ignore"):
        got = value_and_grads(library, f, [hidden, WEIGHT, bias], "float64")
        want = portable(value_and_grads, library, f, [hidden, WEIGHT, bias], "float64")
    for one, right in zip(got, want, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-12, atol=1e-13)


# ---- what is the caller's, dtypes, threads, memory -----------------------------------------------


@pytest.mark.parametrize("order", ["F", "reversed", "every second", "read-only", "one row"])
@pytest.mark.usefixtures("small")
def test_the_layout_does_not_matter_and_nothing_is_written_to(order: str) -> None:
    ways: dict[str, Callable[[Array], Array]] = {
        "F": np.asfortranarray,
        "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
        "every second": lambda x: np.repeat(np.repeat(x, 2, 0), 2, 1)[::2, ::2],
        "read-only": lambda x: x.copy(),
        "one row": lambda x: np.broadcast_to(x[:1], x.shape),
    }
    laid = [ways[order](HIDDEN), ways[order](WEIGHT), BIAS.copy()]
    before = [x.copy() for x in laid]
    for x in laid:
        x.flags.writeable = False

    def f(hidden: Array, weight: Array, bias: Array) -> Array:
        return pl.linear_cross_entropy(hidden, weight, INDEX, bias=bias, sample_weight=OF_ROW)

    got = autograd.grad(f, argnums=(0, 1, 2))(*laid)
    want = autograd.grad(f, argnums=(0, 1, 2))(*(np.ascontiguousarray(x) for x in before))
    for one, right in zip(got, want, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-13, atol=1e-14)
    for x, was in zip(laid, before, strict=True):
        np.testing.assert_array_equal(x, was)


@both
@pytest.mark.parametrize("dtypes", [("float16", "float16"), ("float32", "float64")], ids=str)
def test_other_dtypes_are_those_of_the_pair(name: str, dtypes: Any, portable: Any) -> None:
    library, y = named(name), named(name).array(INDEX)
    of_hidden, of_weight = dtypes
    given = [library.array(HIDDEN, of_hidden), library.array(WEIGHT, of_weight)]

    def f(hidden: Array, weight: Array) -> Array:
        return pl.linear_cross_entropy(hidden, weight, y)

    run = lambda: (f(*given), *gradients(library, f, given, (0, 1)))  # noqa: E731
    for one, right in zip(run(), portable(run), strict=True):
        assert one.dtype == right.dtype
        rtol = 2e-3 if of_hidden == "float16" else 1e-5
        np.testing.assert_allclose(library.numpy(one), library.numpy(right), rtol, 1e-6)


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
