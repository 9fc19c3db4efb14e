"""Arrays of many entries, odd ones among them, of the sizes that matter; and all their bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array

kernels: Any = pytest.importorskip("portable_losses.backends.kernels.formulas.elementwise_numpy")

BLOCK = 2**10  # no block is smaller

# What takes no buffers, and one entry more; one entry short of threads, threads, and one more.
SIZES = [kernels.SMALL, kernels.SMALL + 1, *(kernels.FEWEST + i for i in (-1, 0, 1))]
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 3e38, -3e38, -90.0, 90.0, 17.0, -60.0]

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "every second entry": lambda x: x[::2],
    "backwards": lambda x: x[::-1],
    "rows": lambda x: x.reshape(-1, 4),
    "columns": lambda x: x.reshape(-1, 4).T,
    "column by column": lambda x: np.asfortranarray(x.reshape(-1, 4)),
    "one row": lambda x: x[None],
    "not aligned to the rows": lambda x: x.reshape(-1, 4)[:, 1:],
    "broadcast": lambda x: np.broadcast_to(x[:5], (x.size // 4, 5)),
    "one number": lambda x: np.broadcast_to(x[20], x.shape),
    "no number": lambda x: x[:0],
    "three axes": lambda x: x.reshape(2, -1, 2).swapaxes(0, 1),
}


def numbers(size: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    """Normal numbers, a few odd ones at the start, in every block, and at the end."""
    x = np.random.default_rng(seed).standard_normal(size).astype(dtype)
    for place in range(0, size, BLOCK):
        near: Array = np.arange(place - 6, place + 7) % size
        x[near] = ODD
    return x


def targets(size: int, dtype: Any = np.float32) -> Array:
    y = np.random.default_rng(9).random(size).astype(dtype)
    y[::7], y[3::7] = 0, 1
    return y


def bits(results: Any) -> list[tuple[Any, ...]]:
    """All that can differ: dtypes, shapes, where NaN is, and all other bits (of -0.0, too)."""
    listed = results if isinstance(results, tuple) else (results,)
    nans = [np.asarray(x != x) for x in listed]
    rest = [np.where(nan, np.zeros_like(x), x) for nan, x in zip(nans, listed, strict=True)]
    return [
        (x.dtype, x.shape, nan.tobytes(), x.tobytes()) for nan, x in zip(nans, rest, strict=True)
    ]


def bce(z: Array, y: Array) -> Array:
    return pl.binary_cross_entropy_with_logits(z, y, reduction="none")
