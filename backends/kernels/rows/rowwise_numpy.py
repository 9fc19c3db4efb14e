"""Pairs of rows on NumPy."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..machine.memory_numpy import empty, usable
from ..machine.team_numpy import team
from .rowwise import Library, Rowwise

__all__ = ["NUMPY", "rowwise", "several_of_rows"]

HALF = np.dtype(np.float16)
FLOATS = frozenset([HALF, np.dtype(np.float32), np.dtype(np.float64)])  # in this byte order
NAMES = {np.dtype(name): name for name in ("float16", "float32", "float64", "bool", "int64")}


def _plain(arrays: tuple[Any, ...]) -> bool:
    """Say whether these are arrays of NumPy's own type, of dtypes that the code knows."""
    if arrays[0].dtype not in FLOATS:
        return False
    for x in arrays:
        if x is not None and (type(x) is not np.ndarray or x.dtype not in NAMES):
            return False
    return True


def _empty(shape: Sequence[int], like: Array, name: str) -> Array:
    return empty(tuple(shape), name)


def _laid(x: Array, classes: int | None) -> tuple[Array, int, int]:
    """Return `x` as rows, its address, and the bytes from row to row."""
    if not x.ndim:
        x = np.asarray(x)  # of NumPy's numbers, whose address is of a copy
        return x, x.__array_interface__["data"][0], 0
    if classes is None:
        if x.flags.c_contiguous:
            return x, x.__array_interface__["data"][0], x.itemsize
        x = x.reshape(-1)
        return x, x.__array_interface__["data"][0], x.strides[0]
    if x.flags.c_contiguous:
        return x, x.__array_interface__["data"][0], classes * x.itemsize
    if not any(x.strides):  # one number: the gradient of a sum
        x = np.full(classes, x[(0,) * x.ndim], x.dtype)
        return x, x.__array_interface__["data"][0], 0
    rows = x.reshape(-1, classes)
    if rows.strides[1] != x.itemsize:
        rows = np.ascontiguousarray(rows)
    return rows, rows.__array_interface__["data"][0], rows.strides[0]


def _rows(factor: Any, like: Array) -> Array:
    return np.asarray(factor, np.float32 if like.dtype == HALF else like.dtype)


def _backward_of(pair: Pair, arrays: tuple[Any, ...]) -> Any:
    """Return the pair's backward; of halves it computes in float32."""
    if arrays[0].dtype != HALF:
        return pair.backward

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        wide = [_wide(x) for x in arrays]
        out = pair.forward(*wide, **options)  # not what has been rounded
        found = pair.backward(_wide(grad), out, *wide, **options)
        return tuple(
            [
                None if g is None else g.astype(x.dtype, copy=False)
                for g, x in zip(found, arrays, strict=True)
            ]
        )

    return backward


def _wide(x: Any) -> Any:
    """Return an array, or each in a tuple, with halves in float32."""
    if isinstance(x, tuple):
        return tuple(map(_wide, x))
    return x.astype(np.float32) if x is not None and x.dtype == HALF else x


def _place(x: Array) -> int | None:
    return x.__array_interface__["data"][0] if x.flags.c_contiguous else None


def _spread(grad: Any, divisor: float, like: Array) -> Array:
    return np.full(like.shape, grad / divisor, like.dtype)


NUMPY = Library(
    _plain,
    lambda x: NAMES.get(x.dtype, ""),
    _empty,
    _rows,
    _laid,
    team,
    _backward_of,
    _place,
    lambda shape, like: partial(np.empty, shape, like.dtype),
    lambda x: np.add.reduce(x, None),
    lambda x: x[()],
    _spread,
)


def rowwise(by_hand: Kernel | None = None, *weights: int) -> Kernel:
    """Return the kernel of a pair of rows; see `Rowwise`."""
    return Rowwise(NUMPY, by_hand, weights).kernel()


def several_of_rows(*weights: int) -> Callable[..., Any]:
    """Return what runs functions of rows with several results; see `Rowwise`."""
    run = Rowwise(NUMPY, None, weights).several

    def several(
        function: Callable[..., Any],
        arrays: tuple[Any, ...],
        options: Options,
        out: Sequence[Any] = (),
    ) -> Any:
        return run(function, arrays, options, usable(out, arrays))

    return several
