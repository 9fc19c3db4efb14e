"""Ours beside what no way to compute them can spare: reading and writing, products of matrices.

Where a ratio to a peer misses its aim and the one here is about 1, only a quicker memory or a
quicker product would help.
"""

from typing import Any

import numpy as np
import torch

import portable_losses as pl
from benchmarks.elementwise import on_array
from benchmarks.timing import Race

__all__ = ["MOVED", "floors"]

MOVED = "a copy and a product of two"
NAMES = ("sigmoid", "tanh", "silu", "gelu", "softmax", "log_softmax")


def floors(entries: int, classes: int, linear: tuple[int, int, int]) -> list[Race]:
    """Return the races of functions of so many entries, and of the loss of a `linear` layer."""
    return [*moving(entries // classes, classes), *multiplying(*linear)]


def moving(rows: int, classes: int) -> list[Race]:
    """Value and gradient beside moving what they read and write, by PyTorch, into known memory.

    The value reads an array and writes one, the gradient reads two and writes one.
    """
    x = np.random.default_rng(9).standard_normal((rows, classes), dtype=np.float32)
    given = torch.from_numpy(x)
    ones, value, gradient = torch.ones_like(given), torch.empty_like(given), given.clone()

    def moved() -> None:
        value.copy_(given)
        torch.mul(given, ones, out=gradient)

    return [
        Race(
            f"{name}, NumPy, {x.size} float32",
            {"ours": on_array(getattr(pl, name), x), MOVED: moved},
            {MOVED: None},
        )
        for name in NAMES
    ]


def multiplying(rows: int, width: int, classes: int) -> list[Race]:
    """The three products of a linear layer's loss and gradients, beside PyTorch's whole loss."""
    rng = np.random.default_rng(3)
    hidden = rng.standard_normal((rows, width), dtype=np.float32)
    weight = rng.standard_normal((classes, width), dtype=np.float32) / np.float32(width**0.5)
    logits: Any = np.empty((rows, classes), np.float32)
    outs = hidden.copy(), weight.copy()
    h, w, z, by_h, by_w = (torch.from_numpy(x) for x in (hidden, weight, logits, *outs))
    labels = torch.from_numpy(rng.integers(0, classes, rows))
    size = f"{rows} x {width} x {classes}"
    leaves = [x.clone().requires_grad_() for x in (h, w)]

    def on_arrays() -> None:
        np.matmul(hidden, weight.T, out=logits)
        np.matmul(logits, weight, out=outs[0])
        np.matmul(logits.T, hidden, out=outs[1])

    def on_tensors() -> None:
        torch.mm(h, w.T, out=z)
        torch.mm(z, w, out=by_h)
        torch.mm(z.T, h, out=by_w)

    def eager() -> Any:
        loss = torch.nn.functional.cross_entropy(leaves[0] @ leaves[1].T, labels)
        return torch.autograd.grad(loss, leaves)

    return [
        Race(
            f"products of linear_cross_entropy, {kind}, {size} float32",
            {"ours": products, "PyTorch": eager},
            {"PyTorch": None},
        )
        for kind, products in (("NumPy", on_arrays), ("tensors", on_tensors))
    ]
