"""Peak memory of one program beyond what its arguments hold, in a process of its own.

``python -m benchmarks.memory NAME`` prints it in bytes. Linux only: the kernel keeps the largest
resident size of a process, and forgets it on request.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import portable_losses as pl
from benchmarks.cases import by_torch, by_torch_both, fused_linear_cross_entropy
from portable_losses.autograd import value_and_grad

ROWS, CLASSES, WIDTH = 4096, 32000, 256
LOGITS = 4 * ROWS * CLASSES  # bytes

#: by name: a program of (rows, classes), and the largest part of the logits that it may take
PROGRAMS: dict[str, tuple[Callable[[int, int], Callable[[], Any]], float | None]] = {}


def program(name: str, bar: float | None) -> Callable[[Any], Any]:
    """Enter a function that makes a program in the table."""

    def enter(make: Any) -> Any:
        PROGRAMS[name] = make, bar
        return make

    return enter


def given(rows: int, classes: int) -> tuple[Any, Any]:
    """Logits and indices."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((rows, classes), dtype=np.float32)
    return logits, rng.integers(0, classes, rows)


@program("cross_entropy, NumPy", 1.15)
def on_numpy(rows: int, classes: int) -> Callable[[], Any]:
    """Our loss on NumPy arrays."""
    logits, target = given(rows, classes)
    both = value_and_grad(lambda z: pl.cross_entropy(z, target))
    return lambda: both(logits)


@program("cross_entropy, tensors", 1.15)
def on_tensors(rows: int, classes: int) -> Callable[[], Any]:
    """Our loss on tensors."""
    logits, target = map(torch.from_numpy, given(rows, classes))
    return lambda: by_torch(lambda z: pl.cross_entropy(z, target), logits)


@program("cross_entropy, PyTorch's own", None)
def by_pytorch(rows: int, classes: int) -> Callable[[], Any]:
    """PyTorch's loss."""
    logits, target = map(torch.from_numpy, given(rows, classes))
    return lambda: by_torch(lambda z: torch.nn.functional.cross_entropy(z, target), logits)


LAYER = (4 * WIDTH * (ROWS + CLASSES)) / LOGITS + 0.15  # the gradients, and 15 % of the logits


def layer(rows: int, classes: int) -> tuple[Any, Any, Any]:
    """Arguments of a linear layer and its loss."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((rows, WIDTH), dtype=np.float32)
    weight = rng.standard_normal((classes, WIDTH), dtype=np.float32)
    return hidden, weight, rng.integers(0, classes, rows)


@program("linear_cross_entropy, NumPy", LAYER)
def fused(rows: int, classes: int) -> Callable[[], Any]:
    """A linear layer and its loss, whose logits never exist all at once."""
    hidden, weight, target = layer(rows, classes)
    both = value_and_grad(lambda h, w: pl.linear_cross_entropy(h, w, target), argnums=(0, 1))
    return lambda: both(hidden, weight)


@program("linear_cross_entropy, tensors", LAYER)
def fused_on_tensors(rows: int, classes: int) -> Callable[[], Any]:
    """The same on tensors."""
    hidden, weight, target = map(torch.from_numpy, layer(rows, classes))
    return lambda: by_torch_both(lambda h, w: pl.linear_cross_entropy(h, w, target), hidden, weight)


@program("linear_cross_entropy, PyTorch's fused", None)
def fused_by_pytorch(rows: int, classes: int) -> Callable[[], Any]:
    """PyTorch's own."""
    hidden, weight, target = map(torch.from_numpy, layer(rows, classes))
    loss = fused_linear_cross_entropy()
    return lambda: by_torch_both(lambda h, w: loss(h, w, target), hidden, weight)


def resident(field: str) -> int:
    """A size of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak_extra(name: str, rows: int = ROWS, classes: int = CLASSES) -> int:
    """Run a program once, after a small one that loads and starts whatever it needs."""
    make, _ = PROGRAMS[name]
    make(300, 1000)()
    ready = make(rows, classes)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    kept = ready()
    del kept
    return resident("VmHWM") - before


def measure(name: str) -> float:
    """Peak extra memory of a program, as a part of the logits, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / LOGITS


if __name__ == "__main__":
    print(peak_extra(sys.argv[1]))
