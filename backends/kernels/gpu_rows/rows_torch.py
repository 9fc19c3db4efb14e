"""Functions of rows on PyTorch's CUDA tensors: Triton, imported for the first such tensor."""

__library__ = "torch"

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd import forward_ad

from portable_losses._typing import Array

from ..trial.agreement import Trials
from .kernels import Language, kernels

__all__ = ["CUDA", "TRIALS", "empty", "launches"]

PLAIN = (torch.Tensor, torch.nn.Parameter)


def launches() -> dict[str, Callable[..., None]]:
    """Return Triton's kernels by name."""
    from . import cross_entropy_triton, softmax_triton

    return {
        name: getattr(m, name) for m in (softmax_triton, cross_entropy_triton) for name in m.__all__
    }


def serves(arrays: tuple[Array | None, ...]) -> bool:
    """Say yes to plain float32 tensors on a card of which only the first may need a gradient.

    Halves never come: what computes in float32 is widened before it gets here.
    """
    z, *rest = (x for x in arrays if x is not None)
    if not z.is_cuda or z.dtype != torch.float32 or not _has_triton():
        return False
    if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
        return False
    plain = all(type(x) in PLAIN and not is_functorch_wrapped_tensor(x) for x in (z, *rest))
    return plain and all(x.is_cuda and not x.requires_grad for x in rest)


def _has_triton() -> bool:
    if not _FOUND:
        _FOUND.append(find_spec("triton") is not None)
    return _FOUND[0]


_FOUND: list[bool] = []


def empty(like: Array, shape: tuple[int, ...], dtype: str | None) -> Array:
    """Return memory on the device of `like`, of its dtype if no other is named."""
    kind = like.dtype if dtype is None else getattr(torch, dtype)
    return torch.empty(shape, dtype=kind, device=like.device)


def _numpy(x: Array) -> Any:
    return x.detach().cpu().numpy()


TRIALS = Trials(
    asarray=lambda x, like: torch.as_tensor(x, device=like.device),
    numpy=_numpy,
    place=lambda x: x.device,
    possible=lambda: not torch.cuda.is_current_stream_capturing(),
)

CUDA = kernels(Language(launches, serves, empty, torch.Tensor.contiguous, TRIALS))
