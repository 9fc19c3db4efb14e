"""Kernels of rows against the portable pairs that they stand for, and the blocks they work in."""

import os
import threading
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, Library, named

blocks: Any = pytest.importorskip("portable_losses.backends.kernels.machine.blocks")
cross_entropy: Any = pytest.importorskip(
    "portable_losses.backends.kernels.cross_entropy.sweep_numpy"
)
rows: Any = pytest.importorskip("portable_losses.backends.kernels.rows.blockwise_numpy")
softmax: Any = pytest.importorskip("portable_losses.backends.kernels.rows.softmax_numpy")

KERNELS = ["numpy", "torch"]  # the libraries that have any
both = pytest.mark.parametrize("name", KERNELS)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of sixteen entries on NumPy, so that small arrays have many."""
    monkeypatch.setattr(softmax, "SIZE", 16)
    monkeypatch.setattr(rows, "SIZE", 16)
    monkeypatch.setattr(rows, "FEWEST", 2)
    monkeypatch.setattr(cross_entropy, "NUMPY", cross_entropy.NUMPY._replace(size=16))


def value_and_slope(library: Library, f: Callable[[Array], Any], x: Any, dtype: str) -> list[Any]:
    """What `f` returns, and the gradient of the sum of that, each entry with its own weight."""
    z = library.array(x, dtype)

    def total(z: Array) -> Array:
        outs = f(z)
        parts = []
        for out in outs if isinstance(outs, tuple) else (outs,):
            weights = 1.0 + np.arange(int(np.prod(out.shape))).reshape(out.shape) % 7 / 8
            xp = array_namespace(out)
            finite = xp.where(xp.isfinite(out), out, xp.zeros_like(out))
            parts.append(xp.sum(finite * library.array(weights, dtype)))
        return sum(parts[1:], parts[0])

    outs = f(z)
    found = outs if isinstance(outs, tuple) else (outs,)
    return [library.numpy(x) for x in (*found, *library.gradient(total, (0,))(z))]


def assert_near(got: Any, want: Any, ulps: int, terms: float = 0.0) -> None:
    """Hold `got` to so many ulps of `want`, or of the largest term where it is a difference."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    unit = np.finfo(want.dtype).eps
    np.testing.assert_allclose(got, want, rtol=ulps * unit, atol=unit * terms)


def logits(*shape: int) -> Any:
    """Normal numbers; a tie, a confident row, a wrong one, and an entry at -inf among them."""
    z = np.random.default_rng(5).standard_normal(shape) * 3
    flat = z.reshape(-1, shape[-1])
    flat[0, :2] = 1.5
    if len(flat) > 3 and shape[-1] > 1:
        flat[1, 0], flat[2, -1], flat[3, 1] = 40.0, -30.0, -np.inf
    return z


# One row, one class, one of each; primes; a row that fills a block, one more and one less; blocks
# that end with a row, and inside one; axes in front.
SHAPES = [(1, 1), (1, 5), (7, 1), (5, 7), (3, 16), (4, 17), (5, 15), (16, 2), (9, 4), (2, 3, 5)]


# ---- softmax and its relatives -----------------------------------------------------------------

RELATIVES = [pl.softmax, pl.log_softmax, pl.logsumexp, pl.softmin]


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("f", RELATIVES, ids=lambda f: f.__name__)
@pytest.mark.usefixtures("small")
def test_softmax_and_its_relatives_are_those_of_the_pairs(
    name: str, dtype: str, shape: Any, f: Any, portable: Any
) -> None:
    library, z = named(name), logits(*shape)
    got = value_and_slope(library, lambda x: f(x, axis=-1), z, dtype)
    want = portable(value_and_slope, library, lambda x: f(x, axis=-1), z, dtype)
    assert_near(got[0], want[0], 2, 2.0)
    assert_near(got[1], want[1], 4, 4.0)


# ---- cross entropy -------------------------------------------------------------------------------

ROWS, CLASSES = 9, 4
INDEX = np.asarray([0, 1, 2, 3, 0, 3, 2, 1, 1])
IGNORED = np.where(np.arange(ROWS) % 3 == 1, -100, INDEX)
SHARES = np.random.default_rng(8).dirichlet(np.ones(CLASSES), ROWS)
OF_CLASS, OF_ROW = np.asarray([1.0, 0.5, 0.0, 2.0]), np.linspace(0, 2, ROWS)
COUNTED, OPEN = np.arange(ROWS) != 4, np.arange(CLASSES) != 2
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight": {"weight": OF_CLASS},
    "smoothing": {"label_smoothing": 0.125},
    "smoothing 1": {"label_smoothing": 1.0},
    "z_loss": {"z_loss": 0.25},
    "softcap": {"softcap": 5.0},
    "return_lse": {"return_lse": True},
    "rows masked": {"where": COUNTED},
    "smoothing, z_loss": {"label_smoothing": 0.125, "z_loss": 0.25},
    "weight, softcap": {"weight": OF_CLASS, "softcap": 5.0},
    "sample_weight": {"sample_weight": OF_ROW},
    "everything": {
        "weight": OF_CLASS,
        "label_smoothing": 0.125,
        "z_loss": 0.25,
        "softcap": 5.0,
        "sample_weight": OF_ROW,
        "return_lse": True,
    },
}
TARGETS = {"index": INDEX, "ignored": IGNORED, "shares": SHARES}


def loss(library: Library, target: Any, dtype: str, **options: Any) -> Callable[[Array], Any]:
    given = {
        key: library.array(value, dtype) if isinstance(value, np.ndarray) else value
        for key, value in options.items()
    }
    target = library.array(target, dtype)
    return lambda z: pl.cross_entropy(z, target, **given)


CASES = [*product(KERNELS, ["float32", "float64"], ["mean", "none"], OPTIONS, TARGETS)]


@pytest.mark.parametrize(
    ("name", "dtype", "reduction", "options", "target"),
    CASES if EVERY_ROW else [case for i, case in enumerate(CASES) if i % 7 in (0, 2, 5)],
)
@pytest.mark.usefixtures("small")
def test_cross_entropy_is_that_of_the_pair(
    name: str, dtype: str, reduction: str, options: str, target: str, portable: Any
) -> None:
    library, z = named(name), logits(ROWS, CLASSES)
    if "smoothing" in options or options == "everything" or target == "shares":
        z = np.where(np.isfinite(z), z, -20.0)
    f = loss(library, TARGETS[target], dtype, reduction=reduction, **OPTIONS[options])
    *values, slope = value_and_slope(library, f, z, dtype)
    *wanted, wanted_slope = portable(value_and_slope, library, f, z, dtype)
    terms = options not in ("plain", "weight") or target == "shares"
    for got, want in zip(values, wanted, strict=True):
        assert_near(got, want, 2, 2.0 * terms)
    assert_near(slope, wanted_slope, 4, 4.0 * terms)


@both
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("small")
def test_cross_entropy_of_any_shape_is_that_of_the_pair(
    name: str, shape: Any, portable: Any
) -> None:
    library, z = named(name), logits(*shape)
    target = np.arange(int(np.prod(shape[:-1]))).reshape(shape[:-1]) % shape[-1]
    f = loss(library, target, "float64", axis=-1, reduction="none")
    got = value_and_slope(library, f, z, "float64")
    want = portable(value_and_slope, library, f, z, "float64")
    assert_near(got[0], want[0], 2)
    assert_near(got[1], want[1], 4)


@both
def test_blocks_of_their_own_size_are_right_as_well(name: str, portable: Any) -> None:
    """Two and a half of the library's own blocks, with the kernel that one uses."""
    library, z = named(name), logits(651, 1000)
    target: Array = np.arange(651) % 1000
    for f in (
        loss(library, target, "float32"),
        loss(library, np.eye(1000)[target], "float32"),
        lambda x: pl.softmax(x, axis=-1),
    ):
        got = value_and_slope(library, f, z, "float32")
        want = portable(value_and_slope, library, f, z, "float32")
        assert_near(got[0], want[0], 4)
        assert_near(got[1], want[1], 8, 1.0)  # the pair itself is off by as much


@both
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.usefixtures("small")
def test_the_second_derivative_is_that_of_the_pair(name: str, options: str, portable: Any) -> None:
    library, z = named(name), np.where(logits(ROWS, CLASSES) == -np.inf, -20, logits(ROWS, CLASSES))
    f = loss(library, INDEX, "float64", reduction="sum", **OPTIONS[options])

    def bend(z: Array) -> Array:
        first = lambda z: f(z)[0] if options in ("return_lse", "everything") else f(z)  # noqa: E731
        (grad,) = library.gradient(first, (0,))(z)
        return array_namespace(grad).sum(grad * grad)

    run = lambda: library.gradient(bend, (0,))(library.array(z, "float64"))[0]  # noqa: E731
    assert_near(library.numpy(run()), library.numpy(portable(run)), 64, 64.0)


@both
@pytest.mark.usefixtures("small")
def test_a_graph_may_be_walked_twice(name: str) -> None:
    """The first backward takes the exponentials that the forward left; the second sweeps again."""
    library = named(name)
    f = loss(library, INDEX, "float64", label_smoothing=0.125)
    z = library.array(np.where(logits(ROWS, CLASSES) == -np.inf, -9, logits(ROWS, CLASSES)))
    if name == "torch":
        import torch

        z = z.requires_grad_()
        out = f(z)
        grads = [torch.autograd.grad(out, z, retain_graph=True)[0] for _ in range(3)]
    else:
        _, pullback = autograd.vjp(f, z)
        grads = [pullback(np.ones(()))[0] for _ in range(3)]
    before = np.array(library.numpy(grads[0]))
    for grad in grads:
        np.testing.assert_array_equal(library.numpy(grad), before)
    assert len({id(grad) for grad in grads}) == 3


# ---- layouts, and what is the caller's -----------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", ["C", "F", "reversed", "every second", "read-only", "one row"])
@pytest.mark.usefixtures("small")
def test_the_layout_does_not_matter_and_nothing_is_written_to(
    order: str, axis: int, portable: Any
) -> None:
    z = np.where(logits(6, 6) == -np.inf, 0.0, logits(6, 6))
    laid = {
        "C": lambda: z.copy(),
        "F": lambda: np.asfortranarray(z),
        "reversed": lambda: z[::-1, ::-1].copy()[::-1, ::-1],
        "every second": lambda: np.repeat(np.repeat(z, 2, 0), 2, 1)[::2, ::2],
        "read-only": lambda: z.copy(),
        "one row": lambda: np.broadcast_to(z[:1], (6, 6)),
    }[order]()
    laid.flags.writeable = False
    target: Array = np.arange(6) % 6
    before, places = laid.tobytes(), target.copy()
    for f in (
        lambda x: pl.softmax(x, axis=axis),
        lambda x: pl.log_softmax(x, axis=axis),
        lambda x: pl.logsumexp(x, axis=axis),
        lambda x: pl.cross_entropy(x, target, axis=axis, reduction="none"),
    ):
        y, pullback = autograd.vjp(f, laid)
        grad = np.ones_like(y)
        grad.flags.writeable = False
        (slope,) = pullback(grad)
        wanted, back = portable(autograd.vjp, f, z[:1].repeat(6, 0) if order == "one row" else z)
        np.testing.assert_allclose(y, wanted, rtol=1e-15, atol=1e-15)
        np.testing.assert_allclose(slope, portable(back, grad)[0], rtol=1e-14, atol=1e-15)
    assert laid.tobytes() == before
    np.testing.assert_array_equal(target, places)


@both
@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)], ids=str)
def test_no_rows_give_no_results(name: str, shape: Any) -> None:
    library, z = named(name), np.zeros(shape)
    target = np.zeros(shape[:-1], np.int64)
    f = loss(library, target, "float64", axis=-1, reduction="none")
    got = value_and_slope(library, f, z, "float64")
    assert [x.shape for x in got] == [shape[:-1], shape]
    assert library.numpy(pl.softmax(library.array(z, "float64"), axis=-1)).shape == shape


def test_torch_keeps_what_its_transforms_need() -> None:
    """torch.func and forward mode look inside: the pair serves them, with the same numbers."""
    torch = pytest.importorskip("torch")
    z = torch.asarray(np.where(logits(ROWS, CLASSES) == -np.inf, -9, logits(ROWS, CLASSES)))
    f = loss(named("torch"), INDEX, "float64")
    leaf = z.clone().requires_grad_()
    f(leaf).backward()
    torch.testing.assert_close(torch.func.grad(f)(z), leaf.grad, rtol=1e-14, atol=1e-16)
    step = torch.cos(z)
    _, slope = torch.func.jvp(f, (z,), (step,))
    assert slope.item() == pytest.approx((leaf.grad * step).sum().item(), rel=1e-13)


# ---- the blocks ----------------------------------------------------------------------------------


@pytest.fixture(params=["1", "2", "5"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(blocks.VARIABLE, request.param)
    yield request.param
    blocks._stop()


@pytest.mark.parametrize("count, size", [*product([0, 1, 7, 8, 9], [1, 4, 9])])
def test_every_place_is_worked_on_once(count: int, size: int, threads: str) -> None:
    seen: Array = np.zeros(count, int)

    def work(block: slice) -> None:
        assert 0 < block.stop - block.start <= size
        seen[block] += 1

    blocks.in_blocks(work, count, size)
    np.testing.assert_array_equal(seen, np.ones(count, int))


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    z: Array = logits(700, 999).astype(np.float32)
    target: Array = np.arange(700) % 999
    found = []
    for number in ("1", "2", "7"):
        monkeypatch.setenv(blocks.VARIABLE, number)
        value, grad = autograd.value_and_grad(lambda z: pl.cross_entropy(z, target))(z)
        found.append((value.tobytes(), grad.tobytes(), pl.softmax(z).tobytes()))
    blocks._stop()
    assert found[0] == found[1] == found[2]


def test_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (blocks.VARIABLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert blocks.workers() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "6,2")
    assert blocks.workers() == 6
    monkeypatch.setenv(blocks.VARIABLE, "4")
    assert blocks.workers() == 4
    with blocks.limit_workers(3):
        assert blocks.workers() == 3
        with blocks.limit_workers(5):  # a limit within a limit only lowers
            assert blocks.workers() == 3
        with blocks.limit_workers(1):
            assert blocks.workers() == 1
    assert blocks.workers() == 4
    monkeypatch.setenv(blocks.VARIABLE, "many")
    with pytest.raises(ValueError, match="PORTABLE_LOSSES_NUM_THREADS` must be a whole number"):
        blocks.workers()
    with (
        pytest.raises(ValueError, match="`count` must be at least 1, got 0"),
        blocks.limit_workers(0),
    ):
        pass


def test_one_worker_starts_no_thread_and_a_block_within_a_block_none_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks._stop()
    monkeypatch.setenv(blocks.VARIABLE, "1")
    before = threading.active_count()
    names: set[str] = set()
    blocks.in_blocks(lambda _: names.add(threading.current_thread().name), 9, 1)
    assert threading.active_count() == before
    assert names == {threading.current_thread().name}
    monkeypatch.setenv(blocks.VARIABLE, "3")
    pairs: list[tuple[str, str]] = []

    def outer(_: slice) -> None:
        here = threading.current_thread().name
        blocks.in_blocks(lambda _: pairs.append((here, threading.current_thread().name)), 4, 1)

    blocks.in_blocks(outer, 6, 1)
    assert len(pairs) == 24
    assert all(here == there for here, there in pairs)
    blocks._stop()


def test_an_exception_in_a_block_is_raised_and_ends_the_work(threads: str) -> None:
    def work(block: slice) -> None:
        if block.start == 3:
            msg = "the fourth"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="the fourth"):
        blocks.in_blocks(work, 10_000, 1)
    done: list[int] = []
    blocks.in_blocks(lambda block: done.append(block.start), 5, 1)  # and the pool still works
    assert sorted(done) == list(range(5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_child_works_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "3")
    z = logits(700, 999)
    want = pl.softmax(z)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(pl.softmax(z), want) else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(pl.softmax(z), want)
    blocks._stop()


def test_many_threads_may_share_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "4")
    z = logits(700, 999)
    want, found = pl.softmax(z), {}

    def run(i: int) -> None:
        found[i] = pl.softmax(z)

    crowd = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(found) == 8
    for got in found.values():
        np.testing.assert_array_equal(got, want)
    blocks._stop()
