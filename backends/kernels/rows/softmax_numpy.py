"""Softmax, its logarithm, and the logarithm of the sum, on NumPy: rows in blocks, one buffer.

Each function here writes one block of the result, whose pages are the only new memory; what
remains between the operations is in cache. The formulas are those of the portable pairs.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..machine.blocks import in_blocks
from ..machine.memory_numpy import empty
from .exponentiate import exponentiate

__all__ = ["LOGSUMEXP", "LOG_SOFTMAX", "SOFTMAX"]

SIZE = 2**18  # entries in a block

Forward = Callable[[Array, Array], None]
Backward = Callable[[Array, Array, Array, Array], None]


def softmax(z: Array, out: Array) -> None:
    """Write ``exp(z - n) / sum``, n the largest rounded down."""
    rows, place, _, largest = _exponentials(z, out)
    whole = _sum_of_others(out, rows, place) + largest
    out[rows, place] = largest
    np.divide(out, whole[:, None], out=out)


def softmax_backward(grad: Array, out: Array, z: Array, by_z: Array) -> None:
    """Write ``p * (h - sum(h * p))``, with ``h`` the gradient without that of the largest p."""
    rows, place = np.arange(len(out)), out.argmax(-1)
    np.subtract(grad, grad[rows, place][:, None], out=by_z)
    by_z -= np.multiply(by_z, out).sum(-1, keepdims=True)
    by_z *= out


def log_softmax(z: Array, out: Array) -> None:
    """Write ``z - max - log1p(sum of the others' exponentials)``."""
    rows, place, top, largest = _exponentials(z, out)
    log_sum = np.log1p(_sum_of_others(out, rows, place) / largest)
    np.subtract(z, top[:, None], out=out)
    out -= log_sum[:, None]


def log_softmax_backward(grad: Array, out: Array, z: Array, by_z: Array) -> None:
    """Write ``grad - p * sum(grad)``, and what loses no digit where p is nearly 1."""
    rows, place, _, largest = _exponentials(z, by_z)
    own, log_p = grad[rows, place], out[rows, place]
    rest = _sum_of_others(grad.copy(), rows, place)
    p = np.exp(log_p)
    by_z *= (-p * (own + rest) / largest)[:, None]
    by_z += grad
    by_z[rows, place] = -own * np.expm1(log_p) - p * rest


def logsumexp(z: Array, out: Array) -> None:
    """Write ``max + log1p(sum of the others' exponentials)``."""
    e = np.empty_like(z)
    rows, place, _, largest = _exponentials(z, e)
    top = z[rows, place]
    sum_ = top + np.log1p(_sum_of_others(e, rows, place) / largest)
    out[:, 0] = np.where(np.isfinite(top), sum_, top)


def logsumexp_backward(grad: Array, out: Array, z: Array, by_z: Array) -> None:
    """Write ``grad * softmax(z)``, and 0 for a sum of nothing."""
    softmax(z, by_z)
    by_z *= grad
    by_z[out[:, 0] == -np.inf] = 0


def _exponentials(z: Array, e: Array) -> tuple[Array, Array, Array, Array]:
    """Write ``exp(z - n)`` to `e`, n the largest rounded down.

    Return the numbers of the rows, the places of the largest, these, NaN for infinities, and what
    is at their places in `e`.
    """
    rows, place = np.arange(len(z)), z.argmax(-1)
    top = z[rows, place]
    top = np.where(np.isfinite(top), top, np.nan)
    n = np.floor(top)[:, None]
    exponentiate(np, z, n, np.subtract(z, n, out=e), e)
    return rows, place, top, e[rows, place]


def _sum_of_others(x: Array, rows: Array, place: Array) -> Array:
    """Return the sum of each row without its entry at `place`, which is overwritten."""
    x[rows, place] = 0
    return x.sum(-1)


# ---- the kernels ------------------------------------------------------------------------------


def accepts(x: Array, **_: Any) -> bool:
    """Say whether there is anything to do."""
    return x.size > 0


def run(
    forward: Forward,
    backward: Backward,
    pair: Pair,
    arrays: tuple[Array, ...],
    options: Options,
    wanted: tuple[int, ...],
    *,
    keeps_axis: bool,
) -> tuple[Array, Callable[..., tuple[Array, ...]]]:
    """Run a pair that `forward` and `backward` compute for a block of rows."""
    (x,) = arrays
    out = empty(x.shape if keeps_axis else (*x.shape[:-1], 1), x.dtype)
    _in_blocks(forward, x, out)

    def whole(grad: Array, out: Array, x: Array, **_: Any) -> tuple[Array, ...]:
        by_x = empty(x.shape, x.dtype)
        _in_blocks(backward, grad, out, x, by_x)
        return (by_x,)

    return out, whole


def _in_blocks(function: Callable[..., None], *arrays: Array) -> None:
    """Call `function` on blocks of rows of all arrays, the last of which it writes."""
    parts = [x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) for x in arrays]

    def work(block: slice) -> None:
        with np.errstate(all="ignore"):  # infinities give NaN, as they should
            function(*(x[block] for x in parts))

    count, classes = max((x.shape for x in parts), key=lambda shape: shape[1])
    in_blocks(work, count, max(1, SIZE // classes))


SOFTMAX = Kernel(accepts, partial(run, softmax, softmax_backward, keeps_axis=True))
LOG_SOFTMAX = Kernel(accepts, partial(run, log_softmax, log_softmax_backward, keeps_axis=True))
LOGSUMEXP = Kernel(accepts, partial(run, logsumexp, logsumexp_backward, keeps_axis=False))
