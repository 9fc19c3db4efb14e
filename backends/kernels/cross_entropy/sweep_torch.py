"""Cross entropy on PyTorch's CPU tensors: one sweep for class indices.

PyTorch shares out every operation among its own threads, so the blocks take turns, and one is as
large as the caches of all cores together.
"""

__library__ = "torch"

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd import forward_ad

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from ..machine.memory_torch import empty
from .sweep import WEIGHT, Library, fits, run

__all__ = ["CROSS_ENTROPY", "TORCH", "WEIGHT", "constant_but"]

PART = 256  # entries of which the largest is found at once


def _in_turn(work: Callable[[slice], None], count: int, size: int) -> None:
    for i in range(0, count, size):
        work(slice(i, min(i + size, count)))


def _largest(z: Array) -> Array:
    """Return the place of the largest entry in each row, ten times as fast as ``torch.argmax``.

    The largest of each part is found by `amax`, which uses vector instructions and keeps NaN.
    """
    count, classes = z.shape
    whole = classes // PART * PART
    if whole <= PART:
        return z.argmax(-1)
    parts = z[:, :whole].view(count, -1, PART)
    tops = parts.amax(-1)
    part = tops.argmax(-1)
    rows = torch.arange(count, device=z.device)
    place = part * PART + parts[rows, part].argmax(-1)
    if whole == classes:
        return place
    last = whole + z[:, whole:].argmax(-1)
    return torch.where((z[rows, place] >= z[rows, last]) | tops[rows, part].isnan(), place, last)


def constant_but(first: int, *arrays: Array | None) -> bool:
    """Say whether these are plain tensors on the CPU, and a reverse pass is all that may come.

    None but the `first` ones may need a gradient.
    """
    if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
        return False
    given = [x for x in arrays if x is not None]
    plain = all(x.device.type == "cpu" and not is_functorch_wrapped_tensor(x) for x in given)
    return plain and not any(x is not None and x.requires_grad for x in arrays[first:])


def _accepts(*arrays: Array | None, **options: Any) -> bool:
    return constant_but(1, *arrays) and fits(*arrays, **options)


TORCH = Library(torch, _in_turn, 2**20, _largest, empty, at={"device": "cpu"})
CROSS_ENTROPY = Kernel(_accepts, partial(run, TORCH))
