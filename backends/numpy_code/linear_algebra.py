"""NumPy's `linalg`: factorisations, equations, and what is computed from them."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from portable_losses._polyfill import device_of, readable
from portable_losses._tape import raw_array

from .axes import axis_of, integers
from .names import named
from .norms import norm
from .operands import arrays, floating, is_complex

__all__ = ["eigvals", "inv", "lstsq", "pinv", "solve"]


class SVDResult(NamedTuple):
    """Of `svd`."""

    U: Any
    S: Any
    Vh: Any


class EighResult(NamedTuple):
    """Of `eig` and `eigh`."""

    eigenvalues: Any
    eigenvectors: Any


def _adjoint(x: Any, *, xp: Any) -> Any:
    """Return the conjugate transpose of every matrix."""
    turned = xp.matrix_transpose(x)
    return xp.conj(turned) if is_complex(x, xp=xp) else turned


def _hermitian(a: Any, uplo: str, *, xp: Any) -> Any:
    """Return Hermitian matrices from one triangle, the only one that NumPy reads."""
    a = _square(a, xp=xp)
    side = uplo.upper()
    if side not in ("L", "U"):
        msg = f"UPLO argument must be 'L' or 'U', got {uplo!r}"
        raise ValueError(msg)
    if side == "L":
        return xp.tril(a) + _adjoint(xp.tril(a, k=-1), xp=xp)
    return xp.triu(a) + _adjoint(xp.triu(a, k=1), xp=xp)


def _square(a: Any, *, xp: Any) -> Any:
    """Return `a` as floating square matrices."""
    a = floating(a, xp=xp)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        msg = f"Last 2 dimensions of the array must be square, got shape {a.shape}"
        raise ValueError(msg)
    return a


# ---- factorisations -----------------------------------------------------------------------------


@named("linalg.cholesky")
def cholesky(a: Any, /, *, upper: bool = False, xp: Any) -> Any:
    """Return the triangle whose product with its adjoint is `a`, of which one triangle is read."""
    low = xp.linalg.cholesky(_hermitian(a, "U" if upper else "L", xp=xp))
    return _adjoint(low, xp=xp) if upper else low


@named("linalg.qr")
def qr(a: Any, mode: str = "reduced", *, xp: Any) -> Any:
    """Return orthonormal columns and a triangle; mode 'r': the triangle alone."""
    if mode not in ("reduced", "complete", "r"):
        msg = f"`mode` of `qr` on a Tensor must be 'reduced', 'complete' or 'r', got {mode!r}"
        raise ValueError(msg)
    a = floating(a, xp=xp)
    return xp.linalg.qr(a).R if mode == "r" else xp.linalg.qr(a, mode=mode)


@named("linalg.svd")
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    *,
    xp: Any,
) -> Any:
    """Return left vectors, singular values and right vectors, or the values alone."""
    if hermitian:
        return _svd_of_hermitian(_hermitian(a, "L", xp=xp), compute_uv, xp=xp)
    a = floating(a, xp=xp)
    if not compute_uv:
        return xp.linalg.svdvals(a)
    return xp.linalg.svd(a, full_matrices=bool(full_matrices) and a.shape[-1] != a.shape[-2])


def _svd_of_hermitian(a: Any, compute_uv: bool, *, xp: Any) -> Any:
    """Return the singular values of Hermitian matrices, the sizes of the eigenvalues."""
    if not compute_uv:
        return xp.sort(xp.abs(xp.linalg.eigvalsh(a)), axis=-1, descending=True)
    values, vectors = xp.linalg.eigh(a)
    order = xp.argsort(xp.abs(values), axis=-1, descending=True)
    values = xp.take_along_axis(values, order, axis=-1)
    wide = xp.broadcast_to(order[..., None, :], vectors.shape)
    vectors = xp.take_along_axis(vectors, wide, axis=-1)
    signs = xp.astype(xp.sign(values), vectors.dtype)
    right = _adjoint(vectors * signs[..., None, :], xp=xp)
    return SVDResult(vectors, xp.abs(values), right)


@named("linalg.svdvals")
def svdvals(x: Any, /, *, xp: Any) -> Any:
    """Return the singular values."""
    return xp.linalg.svdvals(floating(x, xp=xp))


@named("linalg.eigh")
def eigh(a: Any, UPLO: str = "L", *, xp: Any) -> Any:  # noqa: N803 - NumPy's name
    """Return eigenvalues and eigenvectors of Hermitian matrices, of which one triangle is read."""
    return xp.linalg.eigh(_hermitian(a, UPLO, xp=xp))


@named("linalg.eigvalsh")
def eigvalsh(a: Any, UPLO: str = "L", *, xp: Any) -> Any:  # noqa: N803
    """Return the eigenvalues of Hermitian matrices, of which one triangle is read."""
    return xp.linalg.eigvalsh(_hermitian(a, UPLO, xp=xp))


@named("linalg.eig")
def eig(a: Any, *, xp: Any) -> Any:
    """Return eigenvalues and eigenvectors; real ones where all are seen to be real."""
    a = _square(a, xp=xp)
    values, vectors = xp.linalg.eig(a)
    if _are_real(a, values, xp=xp):
        values, vectors = xp.real(values), xp.real(vectors)
    return EighResult(values, vectors)


@named("linalg.eigvals")
def eigvals(a: Any, *, xp: Any) -> Any:
    """Return the eigenvalues; real ones where all are seen to be real."""
    a = _square(a, xp=xp)
    values = xp.linalg.eigvals(a)
    return xp.real(values) if _are_real(a, values, xp=xp) else values


def _are_real(a: Any, values: Any, *, xp: Any) -> bool:
    """Say whether complex eigenvalues of real matrices are known to be real."""
    complex_values = is_complex(values, xp=xp)
    if not complex_values or is_complex(a, xp=xp):
        return False
    found = values.detach()
    return readable(raw_array(found), xp=xp.inner) and bool(xp.all(xp.imag(found) == 0))


# ---- numbers of a matrix ------------------------------------------------------------------------


@named("linalg.det")
def det(a: Any, *, xp: Any) -> Any:
    """Return the determinant."""
    return xp.linalg.det(_square(a, xp=xp))


@named("linalg.slogdet")
def slogdet(a: Any, *, xp: Any) -> Any:
    """Return the sign of the determinant and the logarithm of its size."""
    return xp.linalg.slogdet(_square(a, xp=xp))


@named("linalg.matrix_rank")
def matrix_rank(
    A: Any,  # noqa: N803
    tol: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = None,
    xp: Any,
) -> Any:
    """Return how many singular values are greater than a tolerance."""
    if tol is not None and rtol is not None:
        msg = "`tol` and `rtol` can't be both set."
        raise ValueError(msg)
    a = floating(A, xp=xp)
    if a.ndim < 2:
        return xp.astype(xp.any(a != 0), xp.int64)
    values = svd(a, compute_uv=False, hermitian=hermitian, xp=xp).detach()
    if tol is None:
        factor = max(a.shape[-2:]) * xp.finfo(values.dtype).eps if rtol is None else rtol
        tol = xp.max(values, axis=-1, keepdims=True) * _of_each_matrix(factor, values, xp=xp)
    else:
        tol = _of_each_matrix(tol, values, xp=xp)
    return xp.sum(xp.astype(values > tol, xp.int64), axis=-1)


def _of_each_matrix(tolerance: Any, values: Any, *, xp: Any) -> Any:
    """Return a tolerance, one or one for every matrix, beside their singular values."""
    made = xp.astype(arrays(values, tolerance, xp=xp)[1].detach(), values.dtype)
    return made[..., None] if made.ndim else made


@named("linalg.cond")
def cond(x: Any, p: Any = None, *, xp: Any) -> Any:
    """Return the norm of a matrix times that of its inverse, by default in the largest stretch."""
    x = floating(x, xp=xp)
    if p is None or p in (2, -2):
        values = xp.linalg.svdvals(x)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    return norm(x, p, (-2, -1), xp=xp) * norm(inv(x, xp=xp), p, (-2, -1), xp=xp)


# ---- inverses and equations ---------------------------------------------------------------------


@named("linalg.inv")
def inv(a: Any, *, xp: Any) -> Any:
    """Return the inverse."""
    return xp.linalg.inv(_square(a, xp=xp))


@named("linalg.pinv")
def pinv(
    a: Any,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = ...,
    xp: Any,
) -> Any:
    """Return the pseudo-inverse; singular values below `rcond` of the largest count as 0."""
    a = _hermitian(a, "L", xp=xp) if hermitian else floating(a, xp=xp)
    given = rtol is not ...
    if rcond is not None and given:
        msg = "`rtol` and `rcond` can't be both set."
        raise ValueError(msg)
    cut = rtol if given else 1e-15 if rcond is None else rcond
    if cut is None:
        cut = max(a.shape[-2:]) * float(xp.finfo(a.dtype).eps)
    if hasattr(cut, "shape") or isinstance(cut, list):
        cut = arrays(a, cut, xp=xp)[1].detach()
        cut = xp.real(cut) if is_complex(cut, xp=xp) else cut
    return _pseudo_inverse(a, cut, xp=xp)


def _pseudo_inverse(a: Any, cut: Any, *, xp: Any) -> Any:
    """Return the pseudo-inverse without the singular values below `cut` of the largest.

    The library's own is differentiated as if these were 0. Where they are seen to be more than
    that, the vectors of what is left turn with them, and the factors are differentiated.
    """
    if not _cuts_more_than_zeros(a, cut, xp=xp):
        return xp.linalg.pinv(a, rtol=cut)
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    kept = s > _of_each_matrix(cut, s, xp=xp) * s[..., :1]
    inverse = xp.where(kept, 1 / xp.where(kept, s, 1.0), 0.0)
    return xp.matmul(_adjoint(vh, xp=xp) * inverse[..., None, :], _adjoint(u, xp=xp))


def _cuts_more_than_zeros(a: Any, cut: Any, *, xp: Any) -> bool:
    """Say whether singular values that are not 0, but for rounding, are known to be left out."""
    rounding = max(a.shape[-2:]) * float(xp.finfo(a.dtype).eps)
    small = isinstance(cut, float | int) and cut <= rounding
    if small or not a.requires_grad or not a.size or not readable(raw_array(a), xp=xp.inner):
        return False
    s = xp.linalg.svdvals(a.detach())
    largest = s[..., :1]
    return bool(xp.any((s <= _of_each_matrix(cut, s, xp=xp) * largest) & (s > rounding * largest)))


@named("linalg.solve")
def solve(a: Any, b: Any, *, xp: Any) -> Any:
    """Return what times `a` is `b`: a vector where `b` has one axis, otherwise matrices."""
    a, b = (floating(x, xp=xp) for x in arrays(a, b, xp=xp))
    return xp.linalg.solve(_square(a, xp=xp), b)


@named("linalg.lstsq")
def lstsq(a: Any, b: Any, rcond: Any = None, *, xp: Any) -> tuple[Any, Any, Any, Any]:
    """Return the best solution, its squared errors, the rank of `a` and its singular values."""
    a, b = (floating(x, xp=xp) for x in arrays(a, b, xp=xp))
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        msg = f"`a` and `b` must be a matrix and vectors of its length, got {a.shape} and {b.shape}"
        raise ValueError(msg)
    rows, columns = a.shape
    eps = float(xp.finfo(a.dtype).eps)
    cut = max(rows, columns) * eps if rcond is None else eps if rcond < 0 else rcond
    found = xp.matmul(_pseudo_inverse(a, cut, xp=xp), b)
    values = xp.linalg.svdvals(a)
    known = values.detach()
    rank = xp.sum(xp.astype(known > cut * known[..., :1], xp.int64))
    errors = xp.abs(b - xp.matmul(a, found))
    residuals = xp.sum(errors * errors, axis=0, keepdims=b.ndim == 1)
    if rows <= columns or (readable(raw_array(rank), xp=xp.inner) and int(rank) < columns):
        residuals = residuals[:0]
    return found, residuals, rank, values


@named("linalg.matrix_power")
def matrix_power(a: Any, n: int, *, xp: Any) -> Any:
    """Return the matrix times itself; for negative `n` its inverse."""
    (x,) = arrays(a, xp=xp)
    if not isinstance(n, int):
        n = integers(n)
    if n < 0:
        return matrix_power(inv(x, xp=xp), -n, xp=xp)
    if n == 0:
        one = xp.eye(x.shape[-1], dtype=x.dtype, device=device_of(x, xp=xp))
        return xp.broadcast_to(one, x.shape)
    made: Any = None
    while n:
        if n % 2:
            made = x if made is None else xp.matmul(made, x)
        n //= 2
        x = xp.matmul(x, x) if n else x
    return made


@named("linalg.tensorinv")
def tensorinv(a: Any, ind: int = 2, *, xp: Any) -> Any:
    """Return the inverse of what `tensordot` does along the first `ind` axes."""
    a = floating(a, xp=xp)
    if ind <= 0:
        msg = "Invalid ind argument."
        raise ValueError(msg)
    back = (*a.shape[ind:], *a.shape[:ind])
    return xp.reshape(inv(xp.reshape(a, (prod(a.shape[ind:]), -1)), xp=xp), back)


@named("linalg.tensorsolve")
def tensorsolve(a: Any, b: Any, axes: Any = None, *, xp: Any) -> Any:
    """Return what `tensordot` with `a` along its last axes makes `b` of."""
    a, b = arrays(a, b, xp=xp)
    if axes is not None:
        order = [i for i in range(a.ndim) if i not in [axis_of(k, a.ndim) for k in axes]]
        order += [axis_of(k, a.ndim) for k in axes]
        a = xp.permute_dims(a, tuple(order))
    shape = a.shape[b.ndim :]
    size = prod(shape)
    if size != prod(a.shape[: b.ndim]):
        msg = f"`a` and `b` must be of as many equations as unknowns, got {a.shape} and {b.shape}"
        raise ValueError(msg)
    return xp.reshape(solve(xp.reshape(a, (-1, size)), xp.reshape(b, (-1,)), xp=xp), shape)


@named("linalg.multi_dot")
def multi_dot(arrays_: Sequence[Any], *, out: Any = None, xp: Any) -> Any:
    """Return the product of a chain of matrices, in the order that takes fewest products."""
    found = arrays(*arrays_, xp=xp)
    if len(found) < 2:
        msg = "Expecting at least two arrays."
        raise ValueError(msg)
    shapes = [x.shape for x in found]
    if len(shapes[0]) == 1:
        found[0] = found[0][None, :]
    if len(shapes[-1]) == 1:
        found[-1] = found[-1][:, None]
    sizes = [found[0].shape[0], *(x.shape[1] for x in found)]
    cuts = _cheapest_cuts(sizes)

    def product(first: int, last: int) -> Any:
        if first == last:
            return found[first]
        cut = cuts[first, last]
        return xp.matmul(product(first, cut), product(cut + 1, last))

    made = product(0, len(found) - 1)
    ends = [made.shape[i] for i, shape in ((0, shapes[0]), (1, shapes[-1])) if len(shape) > 1]
    return xp.reshape(made, tuple(ends))


def _cheapest_cuts(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return where to cut each part of a chain of matrices of ``sizes[i] x sizes[i + 1]``."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    cuts: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            tried = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], cuts[i, j] = min(tried)
    return cuts
