"""Cross entropy on PyTorch's CPU tensors: one sweep for class indices.

PyTorch shares out every operation among its own threads, so the blocks take turns, and one is as
large as the caches of all cores together.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd import forward_ad

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from .cross_entropy import Library, fits, run

__all__ = ["CROSS_ENTROPY"]


def _in_turn(work: Callable[[slice], None], count: int, size: int) -> None:
    for i in range(0, count, size):
        work(slice(i, min(i + size, count)))


def _accepts(z: Array, *arrays: Array | None, **options: Any) -> bool:
    """Say yes to plain tensors on the CPU of which only `z` needs a gradient, by reverse mode."""
    if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
        return False
    given = [x for x in (z, *arrays) if x is not None]
    plain = all(x.device.type == "cpu" and not is_functorch_wrapped_tensor(x) for x in given)
    constants = not any(x.requires_grad for x in given[1:])
    return plain and constants and fits(z, *arrays, **options)


CROSS_ENTROPY = Kernel(_accepts, partial(run, Library(torch, _in_turn, 2**18)))
