"""Rules of the products of vectors and matrices."""

import math
from collections.abc import Sequence
from typing import Any

from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.complex_numbers import adjoint, conj
from portable_losses.autograd.rules.table import VIEW, register


def _matmul_left(grad: Array, out: Array, x1: Array, x2: Array, *, xp: Namespace) -> Array:
    """``grad x2^H``, for vectors as for matrices of one row or column."""
    if x2.ndim == 1:
        return (grad if x1.ndim == 1 else grad[..., None]) * conj(x2, xp=xp)
    if x1.ndim == 1:
        return xp.matmul(conj(x2, xp=xp), grad[..., None])[..., 0]
    return xp.matmul(grad, adjoint(x2, xp=xp))


def _matmul_right(grad: Array, out: Array, x1: Array, x2: Array, *, xp: Namespace) -> Array:
    """``x1^H grad``, for vectors as for matrices of one row or column."""
    if x1.ndim == 1:
        x1 = conj(x1, xp=xp)
        return x1 * grad if x2.ndim == 1 else x1[:, None] * grad[..., None, :]
    if x2.ndim == 1 and x1.ndim == 2:
        return conj(x1, xp=xp).T @ grad
    if x2.ndim == 1:
        return xp.matmul(adjoint(x1, xp=xp), grad[..., None])[..., 0]
    if x2.ndim == 2 and x1.ndim > 2:  # one product instead of a sum over the batch
        x1 = xp.reshape(x1, (-1, x1.shape[-1]))
        grad = xp.reshape(grad, (-1, grad.shape[-1]))
    return xp.matmul(adjoint(x1, xp=xp), grad)


register("matmul", _matmul_left, _matmul_right)


def _contracted(x1: Array, x2: Array, axes: Any) -> tuple[list[int], list[int]]:
    """Return the axes of both that are summed over."""
    if isinstance(axes, int):
        return list(range(x1.ndim - axes, x1.ndim)), list(range(axes))
    first, second = axes
    return [i % x1.ndim for i in first], [i % x2.ndim for i in second]


def _rows(x: Array, inner: Sequence[int], *, xp: Namespace) -> tuple[Array, list[int]]:
    """Return `x` as a matrix with the axes `inner` along its columns, and the other axes."""
    outer = [i for i in range(x.ndim) if i not in inner]
    width = math.prod(x.shape[i] for i in inner)
    height = math.prod(x.shape[i] for i in outer)
    return xp.reshape(xp.permute_dims(x, (*outer, *inner)), (height, width)), outer


def _put_back(
    rows: Array, x: Array, outer: Sequence[int], inner: Sequence[int], *, xp: Namespace
) -> Array:
    """Undo `_rows` for a gradient."""
    order = [*outer, *inner]
    apart = xp.reshape(rows, tuple(x.shape[i] for i in order))
    return xp.permute_dims(apart, tuple(order.index(i) for i in range(x.ndim)))


def _tensordot_left(
    grad: Array, out: Array, x1: Array, x2: Array, *, axes: Any = 2, xp: Namespace
) -> Array:
    """``grad x2^H`` with both as matrices, in the axes of x1."""
    first, second = _contracted(x1, x2, axes)
    other, free = _rows(x2, second, xp=xp)
    outer = [i for i in range(x1.ndim) if i not in first]
    height = math.prod(x1.shape[i] for i in outer)
    flat = xp.reshape(grad, (height, math.prod(x2.shape[i] for i in free)))
    return _put_back(xp.matmul(flat, conj(other, xp=xp)), x1, outer, first, xp=xp)


def _tensordot_right(
    grad: Array, out: Array, x1: Array, x2: Array, *, axes: Any = 2, xp: Namespace
) -> Array:
    """``x1^H grad`` with both as matrices, in the axes of x2."""
    first, second = _contracted(x1, x2, axes)
    other, free = _rows(x1, first, xp=xp)
    outer = [i for i in range(x2.ndim) if i not in second]
    width = math.prod(x2.shape[i] for i in outer)
    flat = xp.reshape(grad, (math.prod(x1.shape[i] for i in free), width))
    rows = xp.matmul(xp.matrix_transpose(flat), conj(other, xp=xp))
    return _put_back(rows, x2, outer, second, xp=xp)


register("tensordot", _tensordot_left, _tensordot_right)


def _vecdot_left(
    grad: Array, out: Array, x1: Array, x2: Array, *, axis: int = -1, xp: Namespace
) -> Array:
    return xp.expand_dims(conj(grad, xp=xp), axis=axis) * x2  # the conjugate of x1 is multiplied


def _vecdot_right(
    grad: Array, out: Array, x1: Array, x2: Array, *, axis: int = -1, xp: Namespace
) -> Array:
    return xp.expand_dims(grad, axis=axis) * x1


register("vecdot", _vecdot_left, _vecdot_right)

# ---- the extension's names --------------------------------------------------------------------

register("linalg.matmul", _matmul_left, _matmul_right)
register("linalg.tensordot", _tensordot_left, _tensordot_right)
register("linalg.vecdot", _vecdot_left, _vecdot_right)
register(
    "linalg.matrix_transpose", lambda grad, out, x, *, xp: xp.matrix_transpose(grad), shares=VIEW
)
register(
    "linalg.outer",
    lambda grad, out, x1, x2, *, xp: xp.matmul(grad, conj(x2, xp=xp)),
    lambda grad, out, x1, x2, *, xp: xp.matmul(conj(x1, xp=xp), grad),
)
