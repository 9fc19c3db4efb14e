"""Rules of the norms, and of the products and diagonals of the linalg extension.

A norm has the gradient 0 at 0, whatever its order.
"""

import math
from typing import Any, Literal

from portable_losses._gradient import with_gradient
from portable_losses._polyfill import device_of, where
from portable_losses._typing import Array, Axis, Namespace
from portable_losses.autograd.rules.complex_numbers import adjoint, conj, direction
from portable_losses.autograd.rules.reduction import kept
from portable_losses.autograd.rules.table import compose, register

# ---- norms ------------------------------------------------------------------------------------


def _vector_norm(
    grad: Array,
    out: Array,
    x: Array,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ord: float = 2,
    xp: Namespace,
) -> Array:
    """``sign(x) (|x| / norm)**(ord - 1)``; the largest (or smallest) entries share evenly."""
    if ord == 0:  # a count
        return xp.zeros_like(x)
    grad, norm = (kept(part, x, axis, keepdims, xp=xp) for part in (grad, out))
    if ord == 1:
        return grad * direction(x, xp=xp)
    if abs(ord) == math.inf:
        chosen = xp.abs(x) == norm
        count = xp.sum(xp.astype(chosen, norm.dtype), axis=axis, keepdims=True)
        return direction(x, xp=xp) * where(chosen, grad / count, 0, xp=xp)
    still = norm == 0
    norm = where(still, 1, norm, xp=xp)
    grad = where(still, 0, grad, xp=xp)
    if ord == 2:
        return x * (grad / norm)
    size = xp.abs(x)
    zero = size == 0
    share = where(zero, 0, (where(zero, 1, size, xp=xp) / norm) ** (ord - 1), xp=xp)
    return direction(x, xp=xp) * (grad * share)


register("linalg.vector_norm", _vector_norm)


def _polar_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """Divided by sums of singular values, never by their differences."""
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    along, v = s[..., :, None], adjoint(vh, xp=xp)
    left, right = xp.matmul(adjoint(u, xp=xp), grad), xp.matmul(grad, v)
    turn = xp.matmul(left, v)
    inner = xp.matmul((turn - adjoint(turn, xp=xp)) / (along + s[..., None, :]), vh)
    rows, columns = x.shape[-2:]
    if rows > columns:
        outside = (right - xp.matmul(u, turn)) / s[..., None, :]
        return (xp.matmul(u, inner) + xp.matmul(outside, vh),)
    if columns > rows:
        inner = inner + (left - xp.matmul(turn, vh)) / along
    return (xp.matmul(u, inner),)


@with_gradient(_polar_backward)
def _polar(x: Array, *, xp: Namespace) -> Array:
    """Return the isometry nearest to `x`, the slope of the nuclear norm."""
    u, _, vh = xp.linalg.svd(x, full_matrices=False)
    return xp.matmul(u, vh)


def _nuclear_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad[..., None, None] * _polar(x, xp=xp),)


@with_gradient(_nuclear_backward)
def _nuclear(x: Array, *, xp: Namespace) -> Array:
    return xp.sum(xp.linalg.svdvals(x), axis=-1)


@compose("linalg.matrix_norm")
def matrix_norm(
    x: Array,
    /,
    *,
    keepdims: bool = False,
    ord: float | Literal["fro", "nuc"] | None = "fro",
    xp: Namespace,
) -> Array:
    """Return the norm of each matrix: of its entries, its singular values, its rows or columns."""
    if ord in ("fro", None):
        return xp.linalg.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        norm = _nuclear(x, xp=xp)
    else:
        if ord in (2, -2):
            sizes = xp.linalg.svdvals(x)
        elif ord in (1, -1, math.inf, -math.inf):
            sizes = xp.sum(xp.abs(x), axis=-2 if abs(ord) == 1 else -1)
        else:
            msg = f"`ord` must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}"
            raise ValueError(msg)
        norm = xp.max(sizes, axis=-1) if ord > 0 else xp.min(sizes, axis=-1)
    return norm[..., None, None] if keepdims else norm


# ---- products and diagonals -------------------------------------------------------------------


def _cross_left(
    grad: Array, out: Array, x1: Array, x2: Array, *, axis: int = -1, xp: Namespace
) -> Array:
    axis = axis if axis < 0 else axis - x1.ndim
    return xp.linalg.cross(conj(x2, xp=xp), grad, axis=axis)


def _cross_right(
    grad: Array, out: Array, x1: Array, x2: Array, *, axis: int = -1, xp: Namespace
) -> Array:
    axis = axis if axis < 0 else axis - x1.ndim
    return xp.linalg.cross(grad, conj(x1, xp=xp), axis=axis)


register("linalg.cross", _cross_left, _cross_right)


def _on_diagonal(values: Array, x: Array, offset: int, *, xp: Namespace) -> Array:
    """Return zeros in the shape of `x` with `values` on one diagonal, or on all of it."""
    home = device_of(x, xp=xp)
    mask = xp.eye(*x.shape[-2:], k=offset, dtype=xp.bool, device=home)
    return where(mask, values, 0, xp=xp)


def _diagonal(grad: Array, out: Array, x: Array, *, offset: int = 0, xp: Namespace) -> Array:
    """Put `grad` on the diagonal that it was taken from."""
    before = min(max(0, -offset), x.shape[-2] - grad.shape[-1])  # none where it is outside
    after = x.shape[-2] - before - grad.shape[-1]
    home = device_of(x, xp=xp)
    around = [
        xp.zeros((*grad.shape[:-1], n), dtype=grad.dtype, device=home) for n in (before, after)
    ]
    rows = xp.concat([around[0], grad, around[1]], axis=-1)
    return _on_diagonal(rows[..., None], x, offset, xp=xp)


def _trace(
    grad: Array, out: Array, x: Array, *, offset: int = 0, dtype: Any = None, xp: Namespace
) -> Array:
    return _on_diagonal(grad[..., None, None], x, offset, xp=xp)


register("linalg.diagonal", _diagonal)
register("linalg.trace", _trace)
