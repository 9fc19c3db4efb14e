"""Whose threads compute large NumPy arrays: the quicker ones, and the same bits by any."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import portable_losses as pl

pytest.importorskip("llvmlite")
pytest.importorskip("torch")
MACHINE = "portable_losses.backends.kernels.machine"
team_numpy: Any = import_module(f"{MACHINE}.team_numpy")
team_torch: Any = import_module(f"{MACHINE}.team_torch")


def chosen(times: Any, ours: float, theirs: float, calls: int) -> list[bool]:
    """Return who works at each call, if both always take these times."""
    found = []
    for _ in range(calls):
        found.append(times.are_theirs_next())
        times.took(theirs if found[-1] else ours, theirs=found[-1])
    return found


def test_the_quicker_threads_work_and_the_others_have_another_try() -> None:
    again = team_numpy.AGAIN
    slower = chosen(team_numpy.Times(), 1.0, 0.95, 2 * again)
    quicker = chosen(team_numpy.Times(), 1.0, 0.8, 2 * again)
    assert slower[:4] == quicker[:4] == [False, False, True, True]
    assert [i for i, theirs in enumerate(slower[4:], start=5) if theirs] == [again, 2 * again]
    assert [i for i, theirs in enumerate(quicker[4:], start=5) if not theirs] == [again, 2 * again]


def test_who_is_quicker_may_change_but_not_by_one_slow_call() -> None:
    times = team_numpy.Times()
    assert chosen(times, 1.0, 0.7, 6)[-1]
    times.took(9.0, theirs=True)
    assert chosen(times, 1.0, 0.7, 1) == [True]
    assert not chosen(times, 1.0, 2.0, team_numpy.AGAIN)[-2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_of_pytorch_change_no_bit(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if team_torch._START[0] is None:
        pytest.skip("this PyTorch has no OpenMP of GNU's")
    x = (4 * np.random.default_rng(0).standard_normal((2400, 1001))).astype(dtype)
    started: list[int] = []

    def start(region: int, task: int, threads: int) -> bool:
        started.append(threads)
        return bool(team_torch.start(region, task, threads))

    def results() -> list[Any]:
        leaf = pl.tensor(x)
        pl.gelu(leaf).backward(x)
        return [
            pl.gelu(x),
            pl.huber_loss(x, x[::-1].copy()),
            pl.softmax(x),
            leaf.grad.array,
            pl.derivatives(pl.huber_loss, x, x[::-1].copy()).gradient,
        ]

    monkeypatch.setattr(team_numpy, "workers", lambda: 2)
    monkeypatch.setattr(team_numpy, "_theirs", lambda: None)
    own = results()
    assert not started
    monkeypatch.setattr(team_numpy, "_theirs", lambda: start)
    monkeypatch.setattr(team_numpy.Times, "are_theirs_next", lambda self: True)
    for got, want in zip(results(), own, strict=True):
        assert np.asarray(got).tobytes() == np.asarray(want).tobytes()
    assert started
    assert set(started) == {2}


def test_other_threads_of_a_program_keep_to_ours() -> None:
    assert team_numpy._theirs() is team_torch.start
    with ThreadPoolExecutor(1) as one:
        assert one.submit(team_numpy._theirs).result() is None


@pytest.mark.parametrize("order", ["native", "swapped", "unaligned", "gaps", "backwards"])
def test_large_arrays_in_any_layout_have_the_same_bits(order: str) -> None:
    x = np.random.default_rng(1).standard_normal(300_001).astype(np.float32)
    want = pl.silu(x)
    given: Any = x
    if order == "swapped":
        given = x.astype(x.dtype.newbyteorder())
    elif order == "unaligned":
        given = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32)
        given[:] = x
    elif order == "gaps":
        given = np.repeat(x, 2)[::2]
    elif order == "backwards":
        given, want = x[::-1], want[::-1]
    assert np.asarray(pl.silu(given), np.float32).tobytes() == want.tobytes()
