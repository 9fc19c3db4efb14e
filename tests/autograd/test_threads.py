"""Threads, tasks, memory: nothing is shared, nothing is left behind."""

import asyncio
import gc
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from portable_losses.autograd import (
    Tensor,
    checkpoint,
    grad,
    hessian,
    namespace,
    no_grad,
    tensor,
)
from portable_losses.autograd.graph.node import Node

NP = namespace(np)


def work(seed: int) -> list[bytes]:
    """Use the whole tape; return the bits of what it says."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 5, 5))
    w = tensor(a)
    y = NP.tanh(w @ b + w)
    y[1:] *= y[:-1]
    NP.sum(y * y).backward()
    with no_grad():
        w[0, :] -= 0.1 * w.grad[0, :]
    second = hessian(lambda v: NP.sum(NP.exp(v) * v))(a[0])
    third = grad(checkpoint(lambda v: NP.sum(v**3)))(b)
    return [w.grad.array.tobytes(), w.array.tobytes(), second.tobytes(), third.tobytes()]


def test_sixteen_threads_get_the_bits_of_one() -> None:
    expected = [work(seed) for seed in range(16)]
    barrier = threading.Barrier(16)

    def together(seed: int) -> list[list[bytes]]:
        barrier.wait()
        return [work(seed) for _ in range(5)]

    with ThreadPoolExecutor(16) as pool:
        for seed, found in enumerate(pool.map(together, range(16))):
            assert found == [expected[seed]] * 5


def test_threads_share_a_leaf_that_they_read() -> None:
    w = tensor(np.arange(6.0).reshape(2, 3))
    expected = grad(lambda x: NP.sum(NP.reshape(w, (-1,))[1:] * x))(np.ones(5)).tolist()

    def read(_: int) -> Any:
        return grad(lambda x: NP.sum(NP.reshape(w, (-1,))[1:] * x))(np.ones(5)).tolist()

    with ThreadPoolExecutor(16) as pool:
        assert all(found == expected for found in pool.map(read, range(64)))


def test_tasks_do_not_see_each_others_no_grad() -> None:
    x = tensor(np.ones(1))

    async def quiet(started: asyncio.Event, done: asyncio.Event) -> bool:
        with no_grad():
            started.set()
            await done.wait()
            return (x * 2).requires_grad

    async def loud(started: asyncio.Event, done: asyncio.Event) -> bool:
        await started.wait()
        found = (x * 2).requires_grad
        done.set()
        return found

    async def both() -> tuple[bool, bool]:
        started, done = asyncio.Event(), asyncio.Event()
        first, second = await asyncio.gather(quiet(started, done), loud(started, done))
        return first, second

    assert asyncio.run(both()) == (False, True)


# ---- memory -------------------------------------------------------------------------------------


def nodes_alive() -> int:
    return sum(issubclass(type(o), Node | Tensor) for o in gc.get_objects())


def step(w: Tensor, x: Any) -> None:
    y = NP.tanh(x @ w)
    y[0, :] += 1.0
    part = NP.reshape(y, (-1,))[1:]
    NP.sum(part * part).backward()
    with no_grad():
        w -= 1e-3 * w.grad
    w.zero_grad()


def test_a_thousand_steps_leave_nothing_behind() -> None:
    w, x = tensor(np.ones((4, 3))), np.ones((5, 4))
    for _ in range(10):
        step(w, x)
    gc.collect()
    gc.disable()
    try:
        nodes = nodes_alive()
        tracemalloc.start()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            step(w, x)
        assert gc.collect() == 0  # no cycles; and Python's own free lists are emptied
        after, _ = tracemalloc.get_traced_memory()
        assert after - before < 20_000
        assert nodes_alive() == nodes
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_recorded_gradient_makes_no_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        x = tensor(np.ones(3))
        before = nodes_alive()
        y = NP.sum(NP.exp(x) * x[1:2])
        y.backward(create_graph=True)
        alive = weakref.ref(x)
        count = nodes_alive()
        x.zero_grad()  # frees the graph of the gradient ...
        assert nodes_alive() < count
        del y
        assert nodes_alive() == before
        y = NP.sum(NP.exp(x) * x)
        y.backward(create_graph=True)
        del x, y  # ... and so does the death of the leaf
        assert alive() is None
        assert nodes_alive() == before - 2
        grad(lambda x: NP.sum(grad(lambda y: NP.sum(y**3))(x)))(np.ones(2))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_hook_makes_no_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        x = tensor(np.ones(3))
        x.register_hook(lambda g: g * 2)
        y = NP.exp(x)
        y.register_hook(lambda g: None)
        NP.sum(y).backward()
        alive = weakref.ref(x)
        del x, y
        assert alive() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_gradient_whose_leaf_is_gone_goes_nowhere() -> None:
    x = tensor(np.ones(3))
    y = NP.sum(x * x)
    del x
    y.backward()  # nobody can ask for the gradient any more
