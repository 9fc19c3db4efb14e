"""Elementwise functions, value and gradient, beside PyTorch, JAX and optax; small calls; Dask.

Every function on tensors (float32 and bfloat16) and on NumPy arrays beside PyTorch eager, and under
``jax.jit`` beside jax.nn and optax. A gradient of ones pulls an activation back, a loss is a mean.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

import portable_losses as pl
from benchmarks.timing import Program, Race
from portable_losses.autograd import tensor

F = torch.nn.functional
WAITING = ("relu", "leaky_relu", "hard_silu")  # which only wait for memory
BCE = "binary_cross_entropy_with_logits"
TENSORS, JIT = "tensors", "jax.jit"
MEANS = {(TENSORS, "PyTorch"): 0.8, (JIT, "JAX"): 1.1}  # the aims for geometric means


class Peers(NamedTuple):
    """One function in PyTorch and in JAX."""

    eager: Callable[..., Any]
    jax: Callable[..., Any]
    of_two: bool = False


def functions() -> dict[str, Peers]:
    """Return what ours are compared with, by their names here."""
    nn, jnp, optax = (import_module(name) for name in ("jax.nn", "jax.numpy", "optax"))
    return {
        "relu": Peers(F.relu, nn.relu),
        "leaky_relu": Peers(F.leaky_relu, nn.leaky_relu),
        "sigmoid": Peers(torch.sigmoid, nn.sigmoid),
        "tanh": Peers(torch.tanh, jnp.tanh),
        "silu": Peers(F.silu, nn.silu),
        "gelu": Peers(F.gelu, lambda x: nn.gelu(x, approximate=False)),
        "mish": Peers(F.mish, nn.mish),
        "softplus": Peers(F.softplus, nn.softplus),
        "elu": Peers(F.elu, nn.elu),
        "selu": Peers(F.selu, nn.selu),
        "log_sigmoid": Peers(F.logsigmoid, nn.log_sigmoid),
        "hard_silu": Peers(F.hardswish, nn.hard_silu),
        BCE: Peers(
            F.binary_cross_entropy_with_logits,
            lambda x, y: optax.sigmoid_binary_cross_entropy(x, y).mean(),
            of_two=True,
        ),
        "mse_loss": Peers(F.mse_loss, lambda x, y: optax.squared_error(x, y).mean(), of_two=True),
        "l1_loss": Peers(F.l1_loss, lambda x, y: jnp.abs(x - y).mean(), of_two=True),
        "huber_loss": Peers(F.huber_loss, lambda x, y: optax.huber_loss(x, y).mean(), of_two=True),
        "smooth_l1_loss": Peers(
            F.smooth_l1_loss, lambda x, y: optax.huber_loss(x, y).mean(), of_two=True
        ),
    }


def on_tensor(function: Callable[..., Any], x: Any, *others: Any) -> Program:
    """Return the function and its gradient by PyTorch."""
    leaf, ones = x.clone().requires_grad_(), torch.ones_like(x)

    def program() -> Any:
        value = function(leaf, *others)
        gradient = torch.autograd.grad(value, leaf, ones if value.ndim else None)
        return value.detach(), gradient[0]

    return program


def on_array(function: Callable[..., Any], x: Any, *others: Any) -> Program:
    """Return the function and its gradient by the tape."""
    ones = np.ones_like(x)

    def program() -> Any:
        leaf = tensor(x)
        value: Any = function(leaf, *others)
        value.backward(ones if value.ndim else None)
        return value.array, leaf.grad.array

    return program


def by_jax(function: Callable[..., Any], x: Any, *others: Any) -> Program:
    """Return the function and its gradient, compiled by JAX."""
    jax = import_module("jax")
    given = [jax.numpy.asarray(one) for one in (x, *others)]

    def both(z: Any, *rest: Any) -> Any:
        value, pull = jax.vjp(lambda z: function(z, *rest), z)
        return value, pull(jax.numpy.ones_like(value))[0]

    compiled = jax.jit(both)
    return lambda: jax.block_until_ready(compiled(*given))


def arguments(name: str, size: int) -> tuple[Any, ...]:
    """Return the arrays of one function."""
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((2, size), dtype=np.float32)
    if not functions()[name].of_two:
        return (3 * x,)
    return 3 * x, np.asarray(y > 0, np.float32) if name == BCE else y


def elementwise(
    size: int, *, entries_on_numpy: int | None = None, names: Iterable[str] | None = None
) -> list[Race]:
    """Return every way to call the functions, each beside its peers."""
    found = [of_one(size, entries_on_numpy or size, name) for name in names or functions()]
    return [race for races in found for race in races]


def of_one(size: int, entries_on_numpy: int, name: str) -> list[Race]:
    """Return every way to call one function."""
    ours, theirs = getattr(pl, name), functions()[name]
    given, more = arguments(name, size), arguments(name, entries_on_numpy)
    tensors = [torch.from_numpy(x) for x in given]
    halves = [x.bfloat16() for x in tensors]
    on_numpy = {
        "ours": on_array(ours, *more),
        "PyTorch": on_tensor(theirs.eager, *map(torch.from_numpy, more)),
    }
    by_autograd = {"ours": on_tensor(ours, *tensors), "PyTorch": on_tensor(theirs.eager, *tensors)}
    of_halves = {"ours": on_tensor(ours, *halves), "PyTorch": on_tensor(theirs.eager, *halves)}
    compiled = {"ours": by_jax(ours, *given), "JAX": by_jax(theirs.jax, *given)}
    aim = 0.4 if name == BCE else 1.2 if name in WAITING else 0.9
    return [
        Race(
            f"{name}, {TENSORS}, {size} float32",
            by_autograd,
            {"PyTorch": 0.8 if name == BCE else 1.3},
        ),
        Race(f"{name}, tensors, {size} bfloat16", of_halves, {"PyTorch": 1.3}),
        Race(f"{name}, NumPy, {entries_on_numpy} float32", on_numpy, {"PyTorch": aim}),
        Race(f"{name}, {JIT}, {size} float32", compiled, {"JAX": 2.0}),
    ]


def means(lines: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Return a line for each geometric mean that has an aim, of the lines of all functions."""
    for (way, peer), aim in MEANS.items():
        ratios = [
            float(line[4])
            for line in lines
            if f", {way}, " in line[0]
            and line[0].endswith("000000 float32")
            and line[1] == peer
            and line[0].partition(",")[0] in functions()
        ]
        if ratios:
            name = f"geometric mean of these {len(ratios)}, {way}, float32"
            yield [name, peer, "", "", f"{statistics.geometric_mean(ratios):.4g}", f"{aim:g}"]


def small(size: int = 256) -> list[Race]:
    """Calls so short that only the steps from the public function to its loop count."""
    races: list[Race] = []
    for name in (BCE, "huber_loss", "gelu"):
        ours, theirs, given = getattr(pl, name), functions()[name].eager, arguments(name, size)
        tensors = [torch.from_numpy(x) for x in given]
        eager = on_tensor(theirs, *tensors)
        on_numpy = {"ours": on_array(ours, *given), "PyTorch": eager}
        on_tensors = {"ours": on_tensor(ours, *tensors), "PyTorch": eager}
        races += [
            Race(f"{name}, NumPy, {size} float32", on_numpy, {"PyTorch": 1.2}),
            Race(f"{name}, tensors, {size} float32", on_tensors, {"PyTorch": 2.0}),
        ]
    return races


def dask(size: int, chunks: int = 8) -> list[Race]:
    """Value and gradient of chunks that are there already, left in memory; beside NumPy."""
    base, da = import_module("dask"), import_module("dask.array")
    races: list[Race] = []
    for name in ("gelu", BCE, "huber_loss"):
        ours, given = getattr(pl, name), arguments(name, size)
        lazy = base.persist(*[da.from_array(x, chunks=-(-size // chunks)) for x in given])
        ones = da.ones_like(lazy[0])

        def program(ours: Any = ours, lazy: Any = lazy, ones: Any = ones) -> Any:
            leaf = tensor(lazy[0])
            value: Any = ours(leaf, *lazy[1:])
            value.backward(ones if value.ndim else None)
            return base.persist(value.array, leaf.grad.array)

        programs = {"ours": program, "NumPy": on_array(ours, *given)}
        races.append(Race(f"{name}, Dask, {chunks} chunks, {size} float32", programs, {"NumPy": 2}))
    return races
