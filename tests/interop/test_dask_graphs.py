"""Dask: what stands in a graph of rows, and what its tasks are in other processes."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
from cloudpickle import dumps, loads
from dask._task_spec import Alias, DataNode
from dask.base import collections_to_expr

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
@pytest.mark.parametrize(("classes", "most"), [(CLASSES, 10), (CLASSES // 4, 30)])
def test_softmax_regression_takes_few_tasks_for_a_chunk_of_rows(
    classes: int, most: int, options: dict[str, Any]
) -> None:
    made = regression(classes, **options)
    graph = collections_to_expr(made).optimize().__dask_graph__()
    tasks = [task for task in graph.values() if not isinstance(task, Alias | DataNode)]
    assert len(tasks) / CHUNKS <= most - 2  # inputs and targets are in memory here


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
