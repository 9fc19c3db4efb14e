"""NumPy's functions of diagonals and triangles."""

from typing import Any

from portable_losses._polyfill import device_of

from .axes import axes_of, positions
from .names import dtype_of, named
from .operands import default_float, tensor
from .shapes import moved, ravel

__all__ = ["diag", "diagonal", "trace", "triangle"]


@named("diagonal")
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, *, xp: Any) -> Any:
    """Return the diagonals of the planes of two axes, along a new last axis."""
    a = tensor(a, xp=xp)
    if a.ndim < 2:
        msg = "diag requires an array of at least two dimensions"
        raise ValueError(msg)
    first, second = axes_of((axis1, axis2), a.ndim)
    if (first, second) != (a.ndim - 2, a.ndim - 1):
        a = moved(a, (first, second), (-2, -1), xp=xp)
    return xp.linalg.diagonal(a, offset=offset)


@named("linalg.diagonal")
def matrix_diagonal(x: Any, /, *, offset: int = 0, xp: Any) -> Any:
    """Return the diagonal of every matrix in the last two axes."""
    return diagonal(x, offset, -2, -1, xp=xp)


@named("trace")
def trace(
    a: Any,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
    out: Any = None,
    *,
    xp: Any,
) -> Any:
    """Return the sum along the diagonals of the planes of two axes."""
    line = diagonal(a, offset, axis1, axis2, xp=xp)
    return xp.sum(line, axis=-1, dtype=dtype_of(dtype, xp=xp))


@named("linalg.trace")
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None, xp: Any) -> Any:
    """Return the sum along the diagonal of every matrix in the last two axes."""
    return trace(x, offset, -2, -1, dtype, xp=xp)


@named("diag")
def diag(v: Any, k: int = 0, *, xp: Any) -> Any:
    """Return the matrix with a vector on its diagonal, or the diagonal of a matrix."""
    v = tensor(v, xp=xp)
    if v.ndim == 2:
        return diagonal(v, k, xp=xp)
    if v.ndim != 1:
        msg = "Input must be 1- or 2-d."
        raise ValueError(msg)
    home, size = device_of(v, xp=xp), v.shape[0] + abs(k)
    if k:
        nothing = xp.zeros((abs(k),), dtype=v.dtype, device=home)
        v = xp.concat([nothing, v] if k > 0 else [v, nothing])
    place = xp.eye(size, size, k=k, dtype=xp.bool, device=home)
    return xp.where(place, v[None, :], xp.zeros((), dtype=v.dtype, device=home))


@named("diagflat")
def diagflat(v: Any, k: int = 0, *, xp: Any) -> Any:
    """Return the matrix with all entries on its diagonal."""
    return diag(ravel(v, xp=xp), k, xp=xp)


# ---- triangles ----------------------------------------------------------------------------------


def triangle(name: str) -> Any:
    """Return NumPy's `tril` or `triu`."""

    def part(m: Any, k: int = 0, *, xp: Any) -> Any:
        m = tensor(m, xp=xp)
        if m.ndim == 1:  # NumPy's mask of a vector is square
            m = xp.broadcast_to(m, (m.shape[0], m.shape[0]))
        return getattr(xp, name)(m, k=k)

    part.__doc__ = f"Return the {'lower' if name == 'tril' else 'upper'} triangle of every matrix."
    return part


tril = named("tril")(triangle("tril"))
triu = named("triu")(triangle("triu"))


@named("tri")
def tri(N: int, M: Any = None, k: int = 0, dtype: Any = float, *, xp: Any) -> Any:  # noqa: N803
    """Return ones at and below a diagonal, zeros above it."""
    shape = (N, N if M is None else M)
    kind = default_float(xp=xp) if dtype is float else dtype_of(dtype, xp=xp)
    return xp.astype(xp.tril(xp.ones(shape, dtype=xp.int64), k=k), kind)


def _indices_from(arr: Any, chosen: Any, *, xp: Any) -> tuple[Any, Any]:
    """Return the row and the column of each place of a matrix that is chosen."""
    a = tensor(arr, xp=xp)
    if a.ndim != 2:
        msg = "input array must be 2-d"
        raise ValueError(msg)
    rows, columns = a.shape
    places = [(i, j) for i in range(rows) for j in range(columns) if chosen(j - i)]
    row, column = ([place[n] for place in places] for n in (0, 1))
    return positions(row, a, xp=xp), positions(column, a, xp=xp)


@named("tril_indices_from")
def tril_indices_from(arr: Any, k: int = 0, *, xp: Any) -> tuple[Any, Any]:
    """Return the positions of the lower triangle of a matrix."""
    return _indices_from(arr, lambda above: above <= k, xp=xp)


@named("triu_indices_from")
def triu_indices_from(arr: Any, k: int = 0, *, xp: Any) -> tuple[Any, Any]:
    """Return the positions of the upper triangle of a matrix."""
    return _indices_from(arr, lambda above: above >= k, xp=xp)


@named("diag_indices_from")
def diag_indices_from(arr: Any, *, xp: Any) -> tuple[Any, ...]:
    """Return the positions of the diagonal of an array whose axes have one size."""
    a = tensor(arr, xp=xp)
    if a.ndim < 2 or len(set(a.shape)) != 1:
        msg = "input array must have two axes or more, all of one size"
        raise ValueError(msg)
    places = positions(range(a.shape[0]), a, xp=xp)
    return (places,) * a.ndim
