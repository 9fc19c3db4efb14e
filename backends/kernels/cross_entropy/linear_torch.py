"""Cross entropy of a linear layer on PyTorch's CPU tensors."""

__library__ = "torch"

import platform
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from portable_losses._backend import Kernel
from portable_losses._typing import Array

from ..rows.rowwise import Rowwise
from ..rows.rowwise_torch import TORCH as ROWS
from .linear import ARRAYS, WEIGHTS, Products, fits, run
from .sweep_torch import TORCH, constant_but

__all__ = ["LINEAR_CROSS_ENTROPY"]

FEWEST = 64  # rows and features: with fewer, a copy of the logits is as long as their product


def _logits(out: Array, x: Array, weight: Array) -> None:
    """Write ``x @ weight.T`` to `out`, by oneDNN where that pays."""
    large = out.dtype == torch.float32 and min(x.shape) >= FEWEST
    laid = x.is_contiguous() and weight.is_contiguous()  # else oneDNN takes a thousandfold
    quicker = _of_onednn() if large and laid else None
    if quicker is None:
        torch.mm(x, weight.T, out=out)
        return
    with torch.autocast("cpu", enabled=False):
        out.copy_(quicker(x, weight, None, "none", [], ""))


@lru_cache(maxsize=1)
def _of_onednn() -> Any:
    """Return PyTorch's own ``x @ weight.T`` by oneDNN where it is the quicker one, else None.

    ``torch.mm`` is MKL's, which runs its code for AVX2 on AMD's processors: half of what AVX-512
    gives. What is called is private, as PyTorch's compiler does, so it is tried first.
    """
    if not (torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()):
        return None
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not _is_amd():
        return None
    try:
        product = torch.ops.mkldnn._linear_pointwise
        x, weight = [
            torch.tensor(entries, dtype=torch.float32, device="cpu")
            for entries in ([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]])
        ]
        right = product(x, weight, None, "none", [], "").tolist() == [[11.0, 17.0]]
    except (AttributeError, RuntimeError, TypeError):  # another PyTorch
        return None
    return product if right else None


def _is_amd() -> bool:
    """Return whether AMD made the processor."""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return "AuthenticAMD" in lines.read(2**10)
    except OSError:  # another system
        return "AuthenticAMD" in platform.processor()


def _product(out: Array, a: Array, b: Array, add: bool) -> None:
    if add:
        out.addmm_(a, b)
    else:
        torch.mm(a, b, out=out)


def _accepts(*arrays: Array | None, **options: Any) -> bool:
    return constant_but(ARRAYS, *arrays) and fits(*arrays, **options)


# Several starts cost more here.
PRODUCTS = Products(TORCH._replace(size=2**20), Rowwise(ROWS, weights=WEIGHTS), _logits, _product)
LINEAR_CROSS_ENTROPY = Kernel(_accepts, partial(run, PRODUCTS), gradients=ARRAYS)
