"""Which tensors are plain: their entries are in memory, and no trace, transform or mode sees them.

These see the portable pair instead.
"""

__library__ = "torch"

from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor, is_legacy_batchedtensor
from torch.autograd import forward_ad

from portable_losses._typing import Array

from .code_torch import NAMES

__all__ = ["are_in_memory", "are_plain", "is_plain_in_memory", "is_watched"]

PLAIN = (torch.Tensor, torch.nn.Parameter)
_modes = torch._C._len_torch_dispatch_stack  # how many there are that see every operation
_traced = torch._C._get_tracing_state  # of torch.jit.trace
_keys = torch._C._dispatch_keys  # of a tensor: layout, device, transforms, the bit of a sign


def _keys_of_plain() -> frozenset[int]:
    """Return the keys of plain tensors, with a history and without one."""
    plain = torch.empty(0, device="cpu")
    with torch.inference_mode():
        return frozenset([_keys(x).raw_repr() for x in (plain, torch.empty(0, device="cpu"))])


_PLAIN_KEYS = _keys_of_plain()


def is_watched() -> bool:
    """Say whether a trace, forward mode or a mode sees every operation."""
    return bool(
        torch.compiler.is_compiling() or forward_ad._current_level >= 0 or _modes() or _traced()
    )


def are_plain(arrays: tuple[Any, ...]) -> bool:
    """Say whether tensors lie on one device, are of one shape, and seen by no transform."""
    if is_watched():
        return False
    first = arrays[0]
    on_card = not first.is_cpu
    if on_card and not (first.is_cuda and _is_ready(first.device)):
        return False
    for x in arrays:
        if x is not None and (
            x.__class__ not in PLAIN
            or not (_is_plain_on_card(x, first.device) if on_card else is_plain_in_memory(x))
            or (x is not first and x.shape != first.shape)
            or x.dtype not in NAMES
        ):
            return False
    return True


def are_in_memory(arrays: tuple[Any, ...]) -> bool:
    """Say whether tensors of any shapes are plain, in host memory, and seen by no transform."""
    if is_watched():
        return False
    return all(
        x is None or (x.__class__ in PLAIN and x.is_cpu and is_plain_in_memory(x)) for x in arrays
    )


def is_plain_in_memory(x: Array) -> bool:
    """Say whether `x` is dense in host memory as it stands, and wrapped by no transform."""
    return _keys(x).raw_repr() in _PLAIN_KEYS


def _is_plain_on_card(x: Array, device: Any) -> bool:
    """Say the same of a tensor on a GPU."""
    wrapped = is_functorch_wrapped_tensor(x) or is_legacy_batchedtensor(x) or x.is_neg()
    return x.device == device and not wrapped


def _is_ready(device: Any) -> bool:
    """Say whether a GPU may be waited for: not while its work is recorded for replay."""
    return torch.version.hip is None and not torch.cuda.is_current_stream_capturing()
