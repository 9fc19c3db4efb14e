"""NumPy's norms of vectors and matrices."""

from typing import Any

from .axes import axes_of
from .names import named
from .operands import floating
from .shapes import ravel

__all__ = ["norm"]


@named("linalg.norm")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, *, xp: Any) -> Any:
    """Return the norm of all entries, of vectors along one axis or of matrices along two."""
    x = floating(x, xp=xp)
    if axis is None:
        if ord is None:
            made = xp.linalg.vector_norm(ravel(x, xp=xp))
            return xp.reshape(made, (1,) * x.ndim) if keepdims else made
        if x.ndim not in (1, 2):
            msg = "Improper number of dimensions to norm."
            raise ValueError(msg)
    axes = axes_of(tuple(axis) if isinstance(axis, list | tuple) else axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, 2 if ord is None else ord, axes, keepdims, xp=xp)
    if len(axes) != 2:
        msg = "Improper number of dimensions to norm."
        raise ValueError(msg)
    return _of_matrices(x, "fro" if ord is None else ord, axes, keepdims, xp=xp)


def _of_vectors(x: Any, order: Any, axis: Any, keepdims: bool, *, xp: Any) -> Any:
    """Return the norm along axes: the sum of powers, the largest, the smallest, or how many."""
    if order in ("fro", "nuc"):
        msg = f"Invalid norm order {order!r} for vectors"
        raise ValueError(msg)
    axes = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    return xp.linalg.vector_norm(x, axis=axes, keepdims=keepdims, ord=order)


def _of_matrices(x: Any, order: Any, axes: tuple[int, int], keepdims: bool, *, xp: Any) -> Any:
    """Return the norm of the matrices in two axes."""
    if order not in ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        msg = "Invalid norm order for matrices."
        raise ValueError(msg)
    made = xp.linalg.matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=order)
    if not keepdims:
        return made
    return xp.reshape(made, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@named("linalg.vector_norm")
def vector_norm(
    x: Any,
    /,
    *,
    axis: Any = None,
    keepdims: bool = False,
    ord: Any = 2,
    xp: Any,
) -> Any:
    """Return the norm of the entries along one axis, several or all."""
    return _of_vectors(floating(x, xp=xp), ord, axis, keepdims, xp=xp)


@named("linalg.matrix_norm")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro", xp: Any) -> Any:
    """Return the norm of every matrix in the last two axes."""
    x = floating(x, xp=xp)
    return _of_matrices(x, "fro" if ord is None else ord, (x.ndim - 2, x.ndim - 1), keepdims, xp=xp)
