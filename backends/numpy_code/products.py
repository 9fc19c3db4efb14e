"""NumPy's products of vectors, matrices and tensors, and convolutions."""

from collections.abc import Sequence
from typing import Any

from portable_losses._polyfill import device_of

from .axes import axes_of, axis_of, inserted_axes
from .names import named
from .operands import arrays, is_complex
from .padding import windows
from .shapes import ravel

__all__ = ["convolve", "dot", "matmul", "outer", "tensordot"]


def _conj(x: Any, *, xp: Any) -> Any:
    """Return the complex conjugate; a real array as it is."""
    return xp.conj(x) if is_complex(x, xp=xp) else x


@named("dot")
def dot(a: Any, b: Any, out: Any = None, *, xp: Any) -> Any:
    """Return sums of products along the last axis of `a` and the last but one of `b`."""
    a, b = arrays(a, b, xp=xp)
    if not a.ndim or not b.ndim:
        return a * b
    return _contracted(a, b, max(b.ndim - 2, 0), xp=xp)


@named("inner")
def inner(a: Any, b: Any, /, *, xp: Any) -> Any:
    """Return sums of products along the last axes."""
    a, b = arrays(a, b, xp=xp)
    if not a.ndim or not b.ndim:
        return a * b
    return _contracted(a, b, b.ndim - 1, xp=xp)


def _contracted(a: Any, b: Any, axis: int, *, xp: Any) -> Any:
    """Return sums of products along the last axis of `a` and `axis` of `b`."""
    if a.shape[-1] != b.shape[axis]:
        msg = f"shapes {a.shape} and {b.shape} not aligned: {a.shape[-1]} != {b.shape[axis]}"
        raise ValueError(msg)
    if a.ndim < 3 and b.ndim < 3:
        return xp.matmul(a, b if axis == max(b.ndim - 2, 0) else xp.matrix_transpose(b))
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (axis,)))


@named("vdot")
def vdot(a: Any, b: Any, /, *, xp: Any) -> Any:
    """Return the sum of all products, those of `a` conjugated."""
    a, b = arrays(a, b, xp=xp)
    return xp.matmul(ravel(_conj(a, xp=xp), xp=xp), ravel(b, xp=xp))


@named("vecdot", "linalg.vecdot")
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, xp: Any) -> Any:
    """Return sums of products along one axis, those of `x1` conjugated; the others broadcast."""
    a, b = arrays(x1, x2, xp=xp)
    a, b = (xp.moveaxis(x, axis_of(axis, x.ndim), -1) for x in (a, b))
    return xp.vecdot(a, b)


@named("matmul", "linalg.matmul")
def matmul(x1: Any, x2: Any, /, out: Any = None, *, xp: Any) -> Any:
    """Return the matrix product."""
    return xp.matmul(*arrays(x1, x2, xp=xp))


@named("matvec")
def matvec(x1: Any, x2: Any, /, out: Any = None, *, xp: Any) -> Any:
    """Return matrices times vectors."""
    a, b = arrays(x1, x2, xp=xp)
    return xp.matmul(a, b[..., None])[..., 0]


@named("vecmat")
def vecmat(x1: Any, x2: Any, /, out: Any = None, *, xp: Any) -> Any:
    """Return vectors, conjugated, times matrices."""
    a, b = arrays(x1, x2, xp=xp)
    return xp.matmul(_conj(a, xp=xp)[..., None, :], b)[..., 0, :]


@named("outer")
def outer(a: Any, b: Any, out: Any = None, *, xp: Any) -> Any:
    """Return the product of each entry of `a` and each of `b`."""
    a, b = arrays(a, b, xp=xp)
    return ravel(a, xp=xp)[:, None] * ravel(b, xp=xp)[None, :]


@named("linalg.outer")
def outer_of_vectors(x1: Any, x2: Any, /, *, xp: Any) -> Any:
    """Return the product of each entry of one vector and each of another."""
    a, b = arrays(x1, x2, xp=xp)
    if a.ndim != 1 or b.ndim != 1:
        msg = f"`x1` and `x2` must have one axis, got shapes {a.shape} and {b.shape}"
        raise ValueError(msg)
    return a[:, None] * b[None, :]


@named("kron")
def kron(a: Any, b: Any, *, xp: Any) -> Any:
    """Return the blocks that each entry of `a` makes of `b`."""
    a, b = arrays(a, b, xp=xp)
    ndim = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (a, b))
    left = xp.reshape(a, tuple(n for size in rows for n in (size, 1)))
    right = xp.reshape(b, tuple(n for size in columns for n in (1, size)))
    return xp.reshape(left * right, tuple(m * n for m, n in zip(rows, columns, strict=True)))


@named("tensordot")
def tensordot(a: Any, b: Any, axes: Any = 2, *, xp: Any) -> Any:
    """Return sums of products along several axes of each."""
    a, b = arrays(a, b, xp=xp)
    if isinstance(axes, Sequence) or hasattr(axes, "__iter__"):
        left, right = (
            axes_of(tuple(side) if hasattr(side, "__iter__") else side, x.ndim)
            for side, x in zip(axes, (a, b), strict=True)
        )
    else:
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        msg = f"shape-mismatch for sum: {a.shape} and {b.shape} along {left} and {right}"
        raise ValueError(msg)
    return xp.tensordot(a, b, axes=(left, right))


@named("linalg.tensordot")
def tensordot_of_arrays(x1: Any, x2: Any, /, *, axes: Any = 2, xp: Any) -> Any:
    """Return sums of products along several axes of each."""
    return tensordot(x1, x2, axes, xp=xp)


# ---- cross products -----------------------------------------------------------------------------


@named("cross")
def cross(
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: Any = None,
    *,
    xp: Any,
) -> Any:
    """Return the vectors at right angles to both; of two vectors in the plane, the third entry."""
    a, b = arrays(a, b, xp=xp)
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a = xp.moveaxis(a, axis_of(axisa, a.ndim), -1)
    b = xp.moveaxis(b, axis_of(axisb, b.ndim), -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        msg = f"incompatible dimensions for cross product: {a.shape[-1]} and {b.shape[-1]}"
        raise ValueError(msg)
    x, y = ([v[..., i] for i in range(v.shape[-1])] for v in (a, b))
    last = x[0] * y[1] - x[1] * y[0]
    if len(x) == len(y) == 2:
        return last
    nothing = last * 0
    x, y = (v if len(v) == 3 else [*v, nothing] for v in (x, y))
    made = xp.stack([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], last], axis=-1)
    (place,) = inserted_axes(axisc, made.ndim - 1)
    return xp.moveaxis(made, -1, place)


@named("linalg.cross")
def cross_of_vectors(x1: Any, x2: Any, /, *, axis: int = -1, xp: Any) -> Any:
    """Return the vectors of three entries at right angles to both."""
    a, b = arrays(x1, x2, xp=xp)
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        msg = f"`x1` and `x2` must be vectors of 3 entries, got shapes {a.shape} and {b.shape}"
        raise ValueError(msg)
    return cross(a, b, axis=axis, xp=xp)


# ---- convolutions -------------------------------------------------------------------------------


def _convolved(a: Any, v: Any, *, xp: Any) -> Any:
    """Return every sum of products of two vectors that overlap, the shorter one turned round."""
    margin = xp.zeros((v.shape[0] - 1,), dtype=a.dtype, device=device_of(a, xp=xp))
    wide = xp.concat([margin, a, margin]) if v.shape[0] > 1 else a
    return xp.matmul(windows(wide, v.shape[0], 0, xp=xp), xp.flip(v))


def _cut(full: Any, long: int, short: int, mode: Any, first: int) -> Any:
    """Return what `mode` keeps of a convolution; `first`: where "same" starts."""
    found = {0: "valid", 1: "same", 2: "full"}.get(mode, mode)
    if found == "full":
        return full
    if found == "same":
        return full[first : first + long]
    if found == "valid":
        return full[short - 1 : long]
    msg = f"`mode` must be one of 'full', 'same', 'valid', got {mode!r}"
    raise ValueError(msg)


def _two_vectors(a: Any, v: Any, *, xp: Any) -> tuple[Any, Any, bool]:
    """Return both vectors, the longer one first, and whether they changed places."""
    a, v = (ravel(x, xp=xp) if x.ndim == 0 else x for x in arrays(a, v, xp=xp))
    if a.ndim != 1 or v.ndim != 1:
        msg = "object too deep for desired array"
        raise ValueError(msg)
    if not a.size or not v.size:
        msg = "a and v cannot be empty"
        raise ValueError(msg)
    return (v, a, True) if v.shape[0] > a.shape[0] else (a, v, False)


@named("convolve")
def convolve(a: Any, v: Any, mode: Any = "full", *, xp: Any) -> Any:
    """Return the coefficients of the product of two polynomials, or the middle of them."""
    a, v, _ = _two_vectors(a, v, xp=xp)
    short = v.shape[0]
    return _cut(_convolved(a, v, xp=xp), a.shape[0], short, mode, (short - 1) // 2)


@named("correlate")
def correlate(a: Any, v: Any, mode: Any = "valid", *, xp: Any) -> Any:
    """Return sums of products of two vectors that are moved against each other, `v` conjugated."""
    a, v, swapped = _two_vectors(a, v, xp=xp)
    long, short = a.shape[0], v.shape[0]
    if not swapped:
        full = _convolved(a, xp.flip(_conj(v, xp=xp)), xp=xp)
        return _cut(full, long, short, mode, (short - 1) // 2)
    full = xp.flip(_convolved(_conj(a, xp=xp), xp.flip(v), xp=xp))
    return _cut(full, long, short, mode, short // 2)
