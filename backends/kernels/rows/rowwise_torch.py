"""Pairs of rows on PyTorch's CPU tensors."""

__library__ = "torch"

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from portable_losses._backend import Kernel
from portable_losses._typing import Array, Options

from ..formulas.code_torch import DTYPES, NAMES
from ..formulas.elementwise_torch import (
    FLOATS,
    HALVES,
    backward_of,
)
from ..formulas.plain_torch import are_in_memory
from ..machine.memory_torch import empty
from ..machine.team_torch import team
from .rowwise import Library, Rowwise

__all__ = ["TORCH", "rowwise", "several_of_rows"]

ROW_NAMES = {**NAMES, torch.int64: "int64"}
ROW_DTYPES = {**DTYPES, "int64": torch.int64}


def _plain(arrays: tuple[Any, ...]) -> bool:
    """Say whether these are plain tensors in host memory, which no transform sees."""
    if not are_in_memory(arrays):
        return False
    dtype = arrays[0].dtype
    floats = dtype in FLOATS or dtype in HALVES
    return floats and all(x is None or x.dtype in ROW_NAMES for x in arrays)


def _empty(shape: Sequence[int], like: Array, name: str) -> Array:
    """Return memory for a result."""
    return empty(shape, ROW_DTYPES[name])


def _laid(x: Array, classes: int | None) -> tuple[Array, int, int]:
    """Return `x` as rows, its address, and the bytes from row to row."""
    size = x.dtype.itemsize
    strides = x.stride()
    if not strides:
        return x, x.data_ptr(), 0
    if classes is None:
        if not x.is_contiguous():
            x = x.reshape(-1)
            size *= x.stride()[0]
        return x, x.data_ptr(), size
    if x.is_contiguous():
        return x, x.data_ptr(), classes * size
    if not any(strides):  # one number: the gradient of a sum
        x = x.reshape(-1)[:1].repeat(classes) if x.ndim < 2 else x[(0,) * (x.ndim - 1)].contiguous()
        return x, x.data_ptr(), 0
    rows = x.reshape(-1, classes)
    if rows.stride()[1] != 1:
        rows = rows.contiguous()
    return rows, rows.data_ptr(), rows.stride()[0] * size


def _rows(factor: Any, like: Array) -> Array:
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return torch.as_tensor(factor, dtype=dtype, device="cpu")  # whatever the default device is


def _name(x: Array) -> str:
    return ROW_NAMES.get(x.dtype, "")


def _spread(grad: Any, divisor: float, like: Array) -> Array:
    return (grad / divisor).expand(like.shape).contiguous()


TORCH = Library(
    _plain,
    _name,
    _empty,
    _rows,
    _laid,
    team,
    backward_of,
    lambda x: x.data_ptr() if x.is_contiguous() else None,
    lambda shape, like: partial(torch.empty_like, like),
    torch.sum,
    lambda x: x,
    _spread,
)


def rowwise(by_hand: Kernel | None = None, *weights: int) -> Kernel:
    """Return the kernel of a pair of rows; see `Rowwise`."""
    return Rowwise(TORCH, by_hand, weights).kernel()


def several_of_rows(*weights: int) -> Callable[..., Any]:
    """Return what runs functions of rows with several results; see `Rowwise`."""
    run = Rowwise(TORCH, None, weights).several

    def several(
        function: Callable[..., Any],
        arrays: tuple[Any, ...],
        options: Options,
        out: Sequence[Any] = (),
    ) -> Any:
        return run(function, arrays, options)

    return several
