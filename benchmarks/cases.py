"""What is measured on large arrays: a value and its gradient, in several libraries."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch

import portable_losses as pl
from benchmarks.derivatives import derivatives
from benchmarks.elementwise import dask, elementwise, functions, small
from benchmarks.floors import floors
from benchmarks.numpy_code import numpy_code
from benchmarks.rows import beside_a_copy, rows, small_rows
from benchmarks.tape import called, sgd_step, sixty_operations, written_out
from benchmarks.timing import Program, Race
from portable_losses.autograd import value_and_grad

F = torch.nn.functional


def by_torch(function: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """Run `function` and its derivative as PyTorch does by itself."""
    leaf = x.detach().requires_grad_()
    value = function(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def by_torch_both(function: Callable[[Any, Any], Any], x: Any, y: Any) -> tuple[Any, Any]:
    """The same for a function of two tensors."""
    leaves = [one.detach().requires_grad_() for one in (x, y)]
    value = function(*leaves)
    return value.detach(), torch.autograd.grad(value, leaves)


def fused_linear_cross_entropy() -> Callable[[Any, Any, Any], Any]:
    """Return PyTorch's own loss of a linear layer, in parts as it sees fit."""
    module = import_module("torch.nn.functional")  # both are newer than some PyTorch
    options = import_module("torch.nn").LinearCrossEntropyOptions()
    return lambda h, w, y: module.linear_cross_entropy(h, w, y, options=options)


def by_optax(logits: Any, target: Any) -> Program:
    """Return optax's loss and its derivative, compiled by JAX."""
    jax, optax = import_module("jax"), import_module("optax")
    given = jax.numpy.asarray(logits), jax.numpy.asarray(target, dtype="int32")

    def loss(z: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    both = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(both(*given))


def cross_entropy(rows: int, classes: int, *, compiled: bool = True) -> list[Race]:
    """Class indices, on NumPy arrays and on tensors."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((rows, classes), dtype=np.float32)
    target = rng.integers(0, classes, rows)
    tensor, labels = torch.from_numpy(logits), torch.from_numpy(target)
    ours = value_and_grad(lambda z: pl.cross_entropy(z, target))
    theirs = torch.compile(F.cross_entropy) if compiled else F.cross_entropy
    eager: Program = lambda: by_torch(lambda z: F.cross_entropy(z, labels), tensor)  # noqa: E731
    programs: dict[str, Program] = {
        "ours": lambda: ours(logits),
        "PyTorch": eager,
        "torch.compile": lambda: by_torch(lambda z: theirs(z, labels), tensor),
        "jax.jit, optax": by_optax(logits, target),
    }
    on_tensors: dict[str, Program] = {
        "ours": lambda: by_torch(lambda z: pl.cross_entropy(z, labels), tensor),
        "PyTorch": eager,
    }
    size = f"{rows} x {classes} float32"
    return [
        Race(
            f"cross_entropy, NumPy, {size}",
            programs,
            {"PyTorch": 0.2, "torch.compile": 0.35, "jax.jit, optax": 0.6},
        ),
        Race(f"cross_entropy, tensors, {size}", on_tensors, {"PyTorch": 0.25}),
    ]


def linear_cross_entropy(rows: int, width: int, classes: int) -> list[Race]:
    """A linear layer, its loss, and the gradients of both its arguments."""
    rng = np.random.default_rng(3)
    hidden = rng.standard_normal((rows, width), dtype=np.float32)
    weight = rng.standard_normal((classes, width), dtype=np.float32) / np.float32(width**0.5)
    target = rng.integers(0, classes, rows)
    tensors = torch.from_numpy(hidden), torch.from_numpy(weight)
    labels = torch.from_numpy(target)
    ours = value_and_grad(lambda h, w: pl.linear_cross_entropy(h, w, target), argnums=(0, 1))

    fused = fused_linear_cross_entropy()
    peers: dict[str, Program] = {
        "PyTorch": lambda: by_torch_both(lambda h, w: F.cross_entropy(h @ w.T, labels), *tensors),
        "PyTorch's fused": lambda: by_torch_both(lambda h, w: fused(h, w, labels), *tensors),
    }
    on_arrays: Program = lambda: ours(hidden, weight)  # noqa: E731
    on_tensors: Program = lambda: by_torch_both(  # noqa: E731
        lambda h, w: pl.linear_cross_entropy(h, w, labels), *tensors
    )
    size, bars = f"{rows} x {width} x {classes} float32", dict.fromkeys(peers, 0.6)
    return [
        Race(f"linear_cross_entropy, NumPy, {size}", {"ours": on_arrays, **peers}, bars),
        Race(f"linear_cross_entropy, tensors, {size}", {"ours": on_tensors, **peers}, bars),
    ]


def on_one_thread(program: Program) -> Program:
    """Return `program` without the help of other threads."""
    limit_workers = import_module("portable_losses.backends.kernels.machine.blocks").limit_workers

    def alone() -> Any:
        with limit_workers(1):
            return program()

    return alone


def threads(rows: int, classes: int, size: int) -> list[Race]:
    """What the threads are worth: rows, and elements."""
    rng = np.random.default_rng(0)
    logits, x = (rng.standard_normal(n, dtype=np.float32) for n in ((rows, classes), size))
    target = rng.integers(0, classes, rows)
    by_rows = value_and_grad(lambda z: pl.cross_entropy(z, target))
    by_elements = value_and_grad(lambda z: z.__array_namespace__().sum(pl.gelu(z)))
    found = []
    for name, program in (
        (f"cross_entropy, threads, {rows} x {classes} float32", lambda: by_rows(logits)),
        (f"gelu, threads, {size} float32", lambda: by_elements(x)),
    ):
        programs = {"ours": program, "one thread": on_one_thread(program)}
        found.append(Race(name, programs, {"one thread": 1.0}))
    return found


def tape() -> list[Race]:
    """What recording costs, and a step of gradient descent on a first lesson's data."""
    return [sixty_operations(), sgd_step(written_out()), sgd_step(called())]


def full_size() -> list[Callable[[], list[Race]]]:
    """Return the sizes at which the ratios are published, one group at a time in memory."""
    return [
        lambda: cross_entropy(2048, 32000),
        lambda: beside_a_copy(2048, 32000),
        lambda: rows(4096, 1000, entries_on_numpy=8_000_000),
        *(
            partial(elementwise, 4_000_000, entries_on_numpy=8_000_000, names=(name,))
            for name in functions()
        ),
        lambda: linear_cross_entropy(4096, 256, 32000),
        lambda: floors(8_000_000, 1000, (4096, 256, 32000)),
        lambda: threads(4096, 32000, 8_000_000),
        small,
        small_rows,
        tape,
        lambda: dask(16_000_000),
        lambda: derivatives(1_000_000, 100_000, 50),
        lambda: numpy_code(rows=200, entries=1_000_000, steps=1_000),
    ]


def tiny() -> list[Race]:
    """Return every race of one computation at a size that costs nothing: a test runs them."""
    return [
        *cross_entropy(4, 5, compiled=False),
        *rows(4, 5, halves=False),
        *small_rows(),
        *elementwise(7, names=("gelu", "huber_loss")),
        *small(5),
        *dask(6, chunks=2),
        *linear_cross_entropy(4, 3, 5),
        *threads(4, 5, 7),
        sixty_operations(6),
        *(sgd_step(losses, rows=7, columns=3) for losses in (written_out(), called())),
        *derivatives(5, 4, 3, dtypes=(np.float64,)),
        *numpy_code(rows=7, entries=9, steps=8),
    ]
