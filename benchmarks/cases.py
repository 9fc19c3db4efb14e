"""What is measured: pairs of programs that compute the same value and the same gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import portable_losses as pl
from portable_losses.autograd import value_and_grad

Program = Callable[[], tuple[Any, Any]]


class Case(NamedTuple):
    """Two programs that return ``(value, gradient)``, and the ratio of times that we aim at."""

    name: str
    ours: Program
    torch: Program
    bar: float


def torch_value_and_grad(function: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """Run `function` and its derivative as PyTorch does by itself."""
    leaf = x.detach().requires_grad_()
    value = function(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def cross_entropy(rows: int, classes: int) -> list[Case]:
    """Index targets, on NumPy arrays and on tensors."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((rows, classes), dtype=np.float32)
    target = rng.integers(0, classes, rows)
    tensor, labels = torch.from_numpy(logits), torch.from_numpy(target)
    ours = value_and_grad(lambda z: pl.cross_entropy(z, target))
    size = f"{rows} x {classes}, float32"

    def eager() -> tuple[Any, Any]:
        return torch_value_and_grad(lambda z: torch.nn.functional.cross_entropy(z, labels), tensor)

    def ours_on_tensors() -> tuple[Any, Any]:
        return torch_value_and_grad(lambda z: pl.cross_entropy(z, labels), tensor)

    return [
        Case(f"cross_entropy, NumPy, {size}", lambda: ours(logits), eager, 0.5),
        Case(f"cross_entropy, PyTorch, {size}", ours_on_tensors, eager, 0.6),
    ]


def binary_cross_entropy(size: int) -> list[Case]:
    """Logits and targets in [0, 1]."""
    rng = np.random.default_rng(1)
    logits = rng.standard_normal(size, dtype=np.float32)
    target = rng.random(size, dtype=np.float32)
    tensor, labels = torch.from_numpy(logits), torch.from_numpy(target)
    ours = value_and_grad(lambda z: pl.binary_cross_entropy_with_logits(z, target))

    def eager() -> tuple[Any, Any]:
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        return torch_value_and_grad(lambda z: loss(z, labels), tensor)

    name = f"binary_cross_entropy_with_logits, NumPy, {size}, float32"
    return [Case(name, lambda: ours(logits), eager, 1.0)]


def softplus(size: int) -> list[Case]:
    """An activation and the sum of its values."""
    x = np.random.default_rng(2).standard_normal(size, dtype=np.float32)
    tensor = torch.from_numpy(x)

    def total(z: Any) -> Any:
        return z.__array_namespace__().sum(pl.softplus(z))

    def eager() -> tuple[Any, Any]:
        return torch_value_and_grad(lambda z: torch.nn.functional.softplus(z).sum(), tensor)

    ours = value_and_grad(total)
    return [Case(f"softplus, NumPy, {size}, float32", lambda: ours(x), eager, 2.0)]


def small_operations(count: int) -> list[Case]:
    """Three elements: what recording and walking back cost, and nothing else."""
    x = np.asarray([0.1, 0.2, 0.3])
    tensor = torch.from_numpy(x)

    def chain(z: Any, tanh: Callable[[Any], Any]) -> Any:
        for _ in range(count // 3):
            z = tanh(z * 1.1 + 0.1)
        return z

    def total(z: Any) -> Any:
        xp = z.__array_namespace__()
        return xp.sum(chain(z, xp.tanh))

    def eager() -> tuple[Any, Any]:
        return torch_value_and_grad(lambda z: chain(z, torch.tanh).sum(), tensor)

    ours = value_and_grad(total)
    return [Case(f"tape, {count} operations on 3 elements", lambda: ours(x), eager, 1.0)]


def full_size() -> list[Callable[[], list[Case]]]:
    """Return the sizes at which the ratios are published, one at a time in memory."""
    return [
        lambda: cross_entropy(4096, 32000),
        lambda: binary_cross_entropy(16_000_000),
        lambda: softplus(8_000_000),
        lambda: small_operations(60),
    ]


def tiny() -> list[Case]:
    """Return every case at a size that costs nothing, so that a test can run it."""
    return [*cross_entropy(4, 5), *binary_cross_entropy(6), *softplus(7), *small_operations(6)]
