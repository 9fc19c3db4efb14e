"""Dask: what stands in a graph of rows, and what its tasks are in other processes."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import dask.config
import numpy as np
import pytest
from cloudpickle import dumps, loads
from dask._task_spec import Alias, DataNode
from dask.base import collections_to_expr, compute, persist
from dask.distributed import Client, LocalCluster, wait

import portable_losses as pl
from portable_losses import autograd
from tests.interop.test_dask import assert_close

ROWS, FEATURES, CLASSES, CHUNKS = 4, 3, 8, 64


def regression(classes: int, **options: Any) -> tuple[Any, ...]:
    """The mean loss of a softmax regression, and its gradients, of parameters in such chunks."""
    inputs: Any = np.sin(np.arange(CHUNKS * ROWS * FEATURES)).reshape(-1, FEATURES)
    target: Any = np.arange(CHUNKS * ROWS) % (CLASSES + 1) - 1
    weight: Any = np.cos(np.arange(FEATURES * CLASSES)).reshape(FEATURES, CLASSES)

    def both(of: Callable[..., Any]) -> tuple[Any, ...]:
        w, b = (autograd.tensor(of(x, classes)) for x in (weight, np.zeros(CLASSES)))
        y = of(target, ROWS)
        loss = pl.cross_entropy(of(inputs, (ROWS, FEATURES)) @ w + b, y, ignore_index=-1, **options)
        loss.backward()
        return loss.array, w.grad.array, b.grad.array

    def in_chunks(x: Any, sizes: Any) -> Any:
        whole: Any = da.from_array(x)
        return whole.rechunk({-1: sizes} if isinstance(sizes, int) else sizes).persist()

    made, want = both(in_chunks), both(lambda x, _: x)
    for got, one in zip(made, want, strict=True):
        assert_close(got, one)
    return made


@pytest.mark.parametrize("options", [{}, {"reduction": "sum"}, {"label_smoothing": 0.1}], ids=str)
@pytest.mark.parametrize(("classes", "most"), [(CLASSES, 9), (CLASSES // 4, 30)])
def test_softmax_regression_takes_few_tasks_for_a_chunk_of_rows(
    classes: int, most: int, options: dict[str, Any]
) -> None:
    made = regression(classes, **options)
    graph = collections_to_expr(made).optimize().__dask_graph__()
    tasks = [task for task in graph.values() if not isinstance(task, Alias | DataNode)]
    assert len(tasks) / CHUNKS <= most - 2  # inputs and targets are in memory here


def test_no_chunk_waits_for_the_count_of_a_mean() -> None:
    """Gradients are divided by it when their parts have been added up."""
    graph: Any = collections_to_expr(regression(CLASSES)).optimize().__dask_graph__()
    waiting = {key for key in graph if str(key).count("divisor")}
    assert waiting
    while more := {k for k, task in graph.items() if task.dependencies & waiting} - waiting:
        waiting |= more
    assert len(waiting) < CHUNKS / 4


@pytest.mark.parametrize("watched", ["nothing", "a hook", "a gradient kept", "another term", "two"])
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_gradient_that_is_divided_last_is_right_for_all_who_see_it(
    watched: str, dtype: str
) -> None:
    x: Any = np.linspace(-1.0, 1.0, 48).reshape(16, 3).astype(dtype)
    y: Any = np.arange(16) % 3 - 1
    seen: list[Any] = []

    def doubled(g: Any) -> Any:
        seen.append(g.array)
        return 2 * g

    def gradients(of: Callable[[Any], Any]) -> list[Any]:
        w, b = (autograd.tensor(of(n)) for n in (x[:3] + 1, x[0]))
        z = of(x) @ w + b
        if watched == "a hook":
            z.register_hook(doubled)
        if watched == "a gradient kept":
            z.retain_grad()
        loss = pl.cross_entropy(z, of(y), ignore_index=-1)
        if watched == "another term":
            loss = loss + (w * w).sum() / 8
        if watched == "two":
            loss = 3 * loss + pl.huber_loss(z, of(x), where=of((y > 0)[:, None]))
        loss.backward()
        kept = [z.grad.array] if watched == "a gradient kept" else []
        return [w.grad.array, b.grad.array, *kept, *seen]

    want = gradients(lambda n: n)
    seen.clear()
    made = gradients(lambda n: da.from_array(n).rechunk((4, *n.shape[1:])))
    tolerance = 1e-13 if dtype == "float64" else 2e-3
    for got, one in zip(compute(*made), want, strict=True):
        assert got.dtype == one.dtype
        np.testing.assert_allclose(got, one, rtol=tolerance, atol=tolerance / 4)


@pytest.mark.parametrize("watch", ["retain_grad", "register_hook"])
def test_a_sum_that_is_watched_sees_its_own_gradient(watch: str) -> None:
    x: Any = autograd.tensor(da.from_array(np.arange(6.0)).rechunk(2))
    total, seen = (x * x).sum(), list[Any]()
    total.retain_grad() if watch == "retain_grad" else total.register_hook(seen.append)
    (total / da.from_array(np.asarray(4.0))).backward()
    own = total.grad if watch == "retain_grad" else seen[0]
    assert float(own.array.compute()) == 0.25
    assert_close(x.grad.array, np.arange(6.0) / 2)


THETA: Any = np.cos(np.arange(40.0))
INPUTS: Any = np.sin(np.arange(36.0)).reshape(12, 3)
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "a product": lambda x, p: x @ p[:12].reshape(3, 4) + p[12:16],
    "a layer": lambda x, p: (x @ p[:12].reshape(4, 3).T + p[None, 12:16]) @ p[16:32].reshape(4, 4),
    "used twice": lambda x, p: (x @ p[:9].reshape(3, 3)) @ p[:9].reshape(3, 3).T,
    "a number": lambda x, p: x * p[3] + p[:3],
    "an axis more": lambda x, p: x[:, :, None] - p[:12].reshape(1, 3, 4),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_parameters_stand_in_the_tasks_that_read_them(program: Callable[[Any, Any], Any]) -> None:
    """No task of theirs lies on all workers, any of which would do for the next one then."""

    def value_and_grad(x: Any, p: Any) -> Any:
        return autograd.value_and_grad(lambda p: pl.huber_loss(program(x, p), 0 * program(x, p)))(p)

    x: Any = da.from_array(INPUTS).rechunk((4, 3)).persist()
    theta: Any = da.from_array(THETA)
    made = value_and_grad(x, theta)
    for got, want in zip(made, value_and_grad(INPUTS, THETA), strict=True):
        assert_close(got, want)
    graph = collections_to_expr(made[:1]).optimize().__dask_graph__()
    for key, task in graph.items():
        names = {one[0] for one in task.dependencies if isinstance(one, tuple)}
        assert theta.name not in names, key
    assert (theta.name, 0) not in graph


def test_a_large_parameter_stays_a_task_of_its_own() -> None:
    weight: Any = da.from_array(np.ones((3, 2**16)))
    product = da.from_array(INPUTS).rechunk((4, 3)) @ weight
    loss = pl.mse_loss(product, product)
    assert (weight.name, 0, 0) in collections_to_expr((loss,)).optimize().__dask_graph__()


def test_between_workers_partial_sums_move_and_no_chunk() -> None:
    chunks, size, wide = 12, 400, 20
    quiet = {"distributed.scheduler.work-stealing": False}  # moves chunks to workers without work
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        sizes: Any = (size, wide)
        x: Any = da.random.default_rng(0).normal(size=(chunks * size, wide), chunks=sizes)
        x, y = persist(x, (x[:, :CLASSES]).argmax(axis=1))
        wait([x, y])
        leaves = [
            autograd.tensor(da.from_array(np.zeros(n))) for n in ((wide, CLASSES), (CLASSES,))
        ]
        loss = pl.cross_entropy(x @ leaves[0] + leaves[1], y, denominator=chunks * size)
        loss.backward()
        value, *_ = compute(loss.array, *[w.grad.array for w in leaves])
        moved: Any = client.run(
            lambda dask_worker: [x["total"] for x in dask_worker.transfer_incoming_log]
        )
    assert abs(value - np.log(CLASSES)) < 1e-12
    partial_sums = chunks * (wide * CLASSES + CLASSES + 1) * 8
    assert sum(map(sum, moved.values())) <= 1.5 * partial_sums < size * wide * 8


def functions_in(task: Any) -> list[Any]:
    """What a task calls, of ours."""
    found = [x for x in (task, *(task if isinstance(task, tuple | list) else ())) if callable(x)]
    inner = task if isinstance(task, tuple | list) else ()
    return [*found, *(f for x in inner if isinstance(x, tuple | list) for f in functions_in(x))]


def sent(name: str) -> list[Any]:
    """The functions of all tasks of a loss with weights and masks, and of its gradient."""
    x, y, w = (da.from_array(np.linspace(0.1, 0.9, 8)).rechunk(4) for _ in range(3))
    leaf = autograd.tensor(x)
    loss = getattr(pl, name)(leaf, y, sample_weight=w, where=y > 0.2)
    loss.backward()
    layers = {**loss.array.dask.layers, **leaf.grad.array.dask.layers}
    tasks = [task for layer in layers.values() for task in dict(layer).values()]
    return [f for task in tasks for f in functions_in(task) if "portable_losses" in repr(f)]


@pytest.mark.parametrize(
    "name", ["huber_loss", "binary_cross_entropy", "poisson_nll_loss", "kl_div", "hinge_loss"]
)
def test_what_a_task_calls_is_found_by_its_name_in_another_process(name: str) -> None:
    functions = sent(name)
    assert functions
    for function in functions:
        data = dumps(function)
        assert len(data) < 1000  # code would be longer
        again = loads(data)
        held = getattr(function, "keywords", {})
        assert held or again is function
        for key in {"function", "pair"} & set(held):
            assert held[key] is None or again.keywords[key].it == held[key].it
