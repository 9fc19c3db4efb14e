"""Functions along an axis, value and gradient, beside PyTorch and a copy of their logits.

On tensors, also of bfloat16, and on NumPy arrays; and a cross entropy so small that only the steps
to its loop count.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import portable_losses as pl
from benchmarks.elementwise import on_array, on_tensor
from benchmarks.timing import Program, Race

__all__ = ["beside_a_copy", "rows", "small_rows"]

F = torch.nn.functional

Loss = Callable[..., Any]


def pairs(labels: Any, shares: Any) -> dict[str, tuple[Loss, Loss]]:
    """Return ours and PyTorch's by name; losses of indices and of probabilities."""
    return {
        "softmax": (pl.softmax, lambda x: torch.softmax(x, -1)),
        "log_softmax": (pl.log_softmax, lambda x: torch.log_softmax(x, -1)),
        "cross_entropy, indices": (
            lambda x: pl.cross_entropy(x, labels),
            lambda x: F.cross_entropy(x, labels),
        ),
        "cross_entropy, probabilities": (
            lambda x: pl.cross_entropy(x, shares),
            lambda x: F.cross_entropy(x, shares),
        ),
        "cross_entropy, smoothed": (
            lambda x: pl.cross_entropy(x, labels, label_smoothing=0.1),
            lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        ),
    }


AIMS = {torch.float32: 1.0, torch.bfloat16: 1.3}


def rows(
    count: int, classes: int, *, entries_on_numpy: int | None = None, halves: bool = True
) -> list[Race]:
    """Return the races on tensors, and softmax and its logarithm on NumPy arrays."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((count, classes), dtype=np.float32)
    labels = torch.from_numpy(rng.integers(0, classes, count))
    shares = torch.softmax(torch.from_numpy(x[::-1].copy()), -1)
    races: list[Race] = []
    for dtype in [*AIMS] if halves else [torch.float32]:
        given = torch.from_numpy(x).to(dtype)
        for name, both in pairs(labels, shares.to(dtype)).items():
            ours, theirs = (on_tensor(function, given) for function in both)
            size = f"{count} x {classes} {str(dtype).removeprefix('torch.')}"
            programs = {"ours": ours, "PyTorch": theirs}
            races.append(Race(f"{name}, tensors, {size}", programs, {"PyTorch": AIMS[dtype]}))
    long = rng.standard_normal(((entries_on_numpy or x.size) // classes, classes), np.float32)
    for name in ("softmax", "log_softmax"):
        ours, theirs = pairs(labels, shares)[name]
        programs = {"ours": on_array(ours, long), "PyTorch": on_tensor(theirs, torch.tensor(long))}
        races.append(Race(f"{name}, NumPy, {long.size} float32", programs, {"PyTorch": 0.5}))
    return races


def beside_a_copy(count: int, classes: int) -> list[Race]:
    """Return the race of cross entropy with a copy of its logits, into memory that is there."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((count, classes), dtype=np.float32)
    target, held = rng.integers(0, classes, count), np.empty_like(x)
    ours = on_array(lambda z: pl.cross_entropy(z, target), x)
    programs: dict[str, Program] = {"ours": ours, "a copy": lambda: np.copyto(held, x)}
    name = f"cross_entropy, NumPy, {count} x {classes} float32"
    return [Race(name, programs, {"a copy": 5.0})]


def small_rows(count: int = 32, classes: int = 10) -> list[Race]:
    """Return the races of a small cross entropy: plain, and weighted."""
    rng = np.random.default_rng(8)
    x, target = rng.standard_normal((count, classes), np.float32), rng.integers(0, classes, count)
    weight, given, labels = (
        rng.uniform(0.5, 2, classes).astype(np.float32),
        torch.tensor(x),
        torch.tensor(target),
    )
    races: list[Race] = []
    for name, more in (("", {}), (", weighted", {"weight": weight})):
        held = {n: torch.tensor(w) for n, w in more.items()}

        def on_arrays(z: Any, more: Any = more) -> Any:
            return pl.cross_entropy(z, target, **more)

        def on_tensors(z: Any, held: Any = held) -> Any:
            return pl.cross_entropy(z, labels, **held)

        def theirs(z: Any, held: Any = held) -> Any:
            return F.cross_entropy(z, labels, **held)

        eager, size = on_tensor(theirs, given), f"{count} x {classes} float32"
        races += [
            Race(
                f"cross_entropy{name}, {kind}, {size}",
                {"ours": ours, "PyTorch": eager},
                {"PyTorch": aim},
            )
            for kind, ours, aim in (
                ("NumPy", on_array(on_arrays, x), 1.2),
                ("tensors", on_tensor(on_tensors, given), 2.0),
            )
        ]
    return races
