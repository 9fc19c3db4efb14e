"""Memory for large results: taken again when it is given up, and never before."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses.autograd import tensor

memory: Any = import_module("portable_losses.backends.kernels.machine.memory")
empty = import_module("portable_losses.backends.kernels.machine.memory_numpy").empty

pytestmark = pytest.mark.skipif(memory._FREE is None, reason="the system has no MADV_FREE")

COUNT = memory.PAGE // 8  # entries of float64 in the smallest array that fills its memory


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()  # else what an earlier test left may be given up in this one
    memory._warm.clear()
    memory._unused.clear()
    yield
    memory._warm.clear()
    memory._unused.clear()


def address(x: Any) -> int:
    place: int = x.__array_interface__["data"][0]
    return place


def test_a_piece_is_taken_again_for_the_same_size() -> None:
    first = empty((COUNT,), np.float64)
    place = address(first)
    other = empty((COUNT,), np.float64)
    assert address(other) != place
    del first
    assert address(empty((COUNT + 1,), np.float64)) != place
    assert address(empty((COUNT // 2, 4), np.float32)) == place  # as many bytes, another shape


def test_a_view_keeps_the_memory() -> None:
    x = empty((COUNT,), np.float64)
    x[:] = 3
    view = x[1:].reshape(-1)[::2]
    del x
    for _ in range(2 * memory.PIECES):
        empty((COUNT,), np.float64)[:] = 5
    assert (view == 3).all()


def test_a_tensor_keeps_the_memory() -> None:
    torch = pytest.importorskip("torch")
    own: Any = import_module("portable_losses.backends.kernels.machine.memory_torch")
    x = own.empty((2, COUNT // 2), torch.float64)
    assert tuple(x.shape) == (2, COUNT // 2)
    assert x.dtype == torch.float64
    part = x.fill_(3)[1]
    del x
    for _ in range(2 * memory.PIECES):
        own.empty((COUNT,), torch.float64).fill_(5)
    assert bool((part == 3).all())


@pytest.mark.parametrize("rows", [32, 2000])
def test_a_tensor_of_rows_is_garbage_as_soon_as_nobody_has_it(rows: int) -> None:
    torch = pytest.importorskip("torch")
    x = torch.zeros(rows, 40, requires_grad=True)
    gc.disable()
    try:
        for _ in range(3):  # the first call, and those of a plan
            made = pl.softmax(x)
            torch.autograd.grad(made, x, torch.ones_like(made), retain_graph=True)
            seen = weakref.ref(made)
            del made
            assert seen() is None
    finally:
        gc.enable()


def test_results_of_two_calls_are_two_arrays() -> None:
    x = np.linspace(-3, 3, 2 * COUNT)
    first = pl.sigmoid(x)
    kept = first.copy()
    second = pl.sigmoid(-x)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_allclose(first + second, 1, rtol=1e-15)


def test_gradients_of_two_calls_are_two_arrays() -> None:
    z = np.zeros((4, COUNT))
    first, second = tensor(z), tensor(z)
    pl.cross_entropy(first, np.asarray([0, 0, 0, 0])).backward()
    pl.cross_entropy(second, np.asarray([1, 1, 1, 1])).backward()
    assert not np.shares_memory(first.grad.array, second.grad.array)
    assert (first.grad.array[:, 0] < 0).all()
    assert (second.grad.array[:, 1] < 0).all()


@pytest.mark.parametrize(("pages", "most"), [(1, 8), (2, 4), (16, 4)])
def test_no_more_pieces_are_kept_than_promised(
    monkeypatch: pytest.MonkeyPatch, pages: int, most: int
) -> None:
    monkeypatch.setattr(memory, "KEPT", 8 * memory.PAGE)
    monkeypatch.setattr(memory, "WARM", 2 * memory.PAGE)
    several = [empty((pages * COUNT,), np.float64) for _ in range(3 * memory.PIECES)]
    several.clear()
    assert len(memory._warm) + len(memory._unused) == most


def test_the_newest_pieces_are_not_marked_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WARM", 2 * memory.PAGE)
    pieces = [empty((COUNT,), np.float64) for _ in range(4)]
    while pieces:
        pieces.pop(0)
    assert [len(memory._unused), len(memory._warm)] == [2, 2]
    newest = address(np.frombuffer(memory._warm[-1]))
    assert address(empty((COUNT,), np.float64)) == newest
    large = empty((3 * COUNT,), np.float64)
    del large
    assert [len(memory._unused), len(memory._warm)] == [4 + 1, 0]  # and that one, which is too much


def test_the_collector_may_run_whenever_memory_is_asked_for() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me, self.piece = self, empty((COUNT,), np.float64)

    several = [empty((COUNT,), np.float64) for _ in range(25)]  # more than a small tuple
    several.clear()
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(0)
    try:
        for after in range(1, 25):
            Cycle()
            gc.set_threshold(after)
            empty((2 * COUNT,), np.float64)  # no piece has this size: all are looked at
            gc.set_threshold(0)
            gc.collect()
    finally:
        gc.set_threshold(*before)


def test_a_piece_of_another_size_is_kept_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT", 8 * memory.PAGE)
    monkeypatch.setattr(memory, "WARM", memory.PAGE)
    several = [empty((COUNT,), np.float64) for _ in range(3 * memory.PIECES)]
    larger = empty((4 * COUNT,), np.float64)
    several.clear()
    del larger
    assert sorted(map(len, memory._unused)) == [*[memory.PAGE] * 4, 4 * memory.PAGE]  # 8 in all


@pytest.mark.parametrize("size", [0, 1, memory.LEAST - 1, memory.MOST + 1])
def test_other_sizes_are_left_to_the_library(size: int) -> None:
    assert memory.large(size) is None


def refused(*_: Any, **__: Any) -> Any:
    raise OSError(12, "no")


def test_where_there_is_no_memory_the_library_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_new", refused)
    assert memory.large(memory.LEAST) is None
    assert empty((COUNT,), np.float64).flags.owndata


def test_where_the_system_has_no_such_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_FREE", None)
    assert memory.large(memory.LEAST) is None


def test_memory_that_cannot_be_marked_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_FREE", -1)  # no advice of any system
    monkeypatch.setattr(memory, "WARM", 0)
    x = empty((COUNT,), np.float64)
    del x
    assert not memory._unused


def test_threads_get_memory_of_their_own() -> None:
    def work(number: int) -> bool:
        good = True
        for i in range(20):
            x = empty((COUNT,), np.float64)
            x[::512] = 100 * number + i
            y = empty((COUNT,), np.float64)
            y[::512] = -1
            good = good and bool((x[::512] == 100 * number + i).all())
        return good

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


FORKING = """
import os
from portable_losses.backends.kernels.machine.memory_numpy import empty
x = empty((2**20,), "float64")
x[:] = 3
child = os.fork()
if not child:
    x[:] = 5
    os._exit(0 if (x == 5).all() else 1)
assert os.waitpid(child, 0)[1] == 0
assert (x == 3).all()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_what_a_child_writes_stays_there() -> None:
    """In a process of its own: other tests leave threads behind, which no fork likes."""
    command = [sys.executable, "-W", "error", "-c", "import portable_losses" + FORKING]
    subprocess.run(command, check=True, timeout=60)
