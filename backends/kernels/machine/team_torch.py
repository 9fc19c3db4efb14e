"""PyTorch's own threads: those of OpenMP, which wait for work in a loop.

Were others to work on its tensors, both would want the same processors. Where PyTorch has no
OpenMP, or after a fork (which its threads do not survive), our own threads serve, as many as
PyTorch would use.
"""

__library__ = "torch"

import ctypes
import os
from typing import Any

import torch

from .blocks import limit_workers
from .teams import call_region, pool

__all__ = ["start", "team"]


def _starter() -> Any:
    """Return the function of GNU's OpenMP that starts a team; others have it by the same name."""
    if not torch.backends.openmp.is_available():
        return None
    try:
        found: Any = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):  # another system, another OpenMP
        return None
    found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    found.restype = None
    return found


_START: list[Any] = [_starter()]


def team(region: int, task: int, blocks: int) -> None:
    """Run the region on PyTorch's threads, no more of them than there are blocks."""
    threads = min(blocks, torch.get_num_threads())
    if threads == 1:
        call_region(region)(task)
    elif not start(region, task, threads):
        with limit_workers(threads):
            pool(region, task, blocks)


def start(region: int, task: int, threads: int) -> bool:
    """Run the region on so many of PyTorch's threads; False where there are none."""
    if _START[0] is None:
        return False
    _START[0](region, task, threads, 0)
    return True


def _forget() -> None:
    _START[:] = [None]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
