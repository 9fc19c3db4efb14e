"""Rules of the factorisations: cholesky, qr, eigh, eig, svd, and what they are made of.

Every gradient is that of the function on the matrices it is meant for: on Hermitian ones for
`cholesky`, `eigh` and `eigvalsh`, whose gradients are Hermitian as well. Eigenvectors and singular
vectors are unique up to their phase only, and a loss that depends on the phase has no gradient.

Gradients through eigenvalues and singular values alone are finite at any matrix. Those through
the vectors, and second derivatives of both, divide by differences of the values and are infinite
or NaN where two are equal, as in PyTorch and JAX.
"""

from typing import Any, Literal, NamedTuple

from portable_losses._polyfill import device_of, where
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.complex_numbers import adjoint, conj, imag, is_complex, real
from portable_losses.autograd.rules.table import compose, register


class EighResult(NamedTuple):
    """Of `eigh`."""

    eigenvalues: Array
    eigenvectors: Array


class EigResult(NamedTuple):
    """Of `eig`."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """Of `qr`."""

    Q: Array
    R: Array


class SVDResult(NamedTuple):
    """Of `svd`."""

    U: Array
    S: Array
    Vh: Array


def identity(x: Array, *, xp: Namespace) -> Array:
    """Return where the diagonal of the square matrices `x` is, as a mask."""
    home = device_of(x, xp=xp)
    return xp.eye(x.shape[-1], dtype=xp.bool, device=home)


def _diagonal_times(x: Array, factor: float, *, xp: Namespace) -> Array:
    return where(identity(x, xp=xp), x * factor, x, xp=xp)


def _hermitian_from_lower(x: Array, *, xp: Namespace) -> Array:
    """Return the Hermitian matrix with the lower triangle of `x`, its diagonal made real."""
    lower = xp.tril(x)
    return _diagonal_times(lower + adjoint(lower, xp=xp), 0.5, xp=xp)


# ---- triangular factors -----------------------------------------------------------------------


def _cholesky(grad: Array, out: Array, x: Array, *, upper: bool = False, xp: Namespace) -> Array:
    """``L^-H H L^-1 / 2`` with H from the lower triangle of ``L^H grad`` (Murray 2016)."""
    if upper:
        grad, out = adjoint(grad, xp=xp), adjoint(out, xp=xp)
    up = adjoint(out, xp=xp)
    middle = _hermitian_from_lower(xp.matmul(up, grad), xp=xp)
    half = xp.linalg.solve(up, middle)
    return adjoint(xp.linalg.solve(up, adjoint(half, xp=xp)), xp=xp) / 2


def _qr(
    grads: tuple[Any, ...],
    out: tuple[Array, Array],
    x: Array,
    *,
    mode: Literal["reduced", "complete"] = "reduced",
    xp: Namespace,
) -> tuple[Array]:
    """Square or tall matrices of full rank; a wide one goes on to its right part ``Q^H Y``."""
    (grad_q, grad_r), (q, r) = grads, out
    rows, columns = x.shape[-2:]
    if mode == "complete" and rows > columns:
        if grad_q is not None:
            msg = (
                "`qr` of a tall matrix has no gradient through a complete `Q`: its last columns "
                "are not unique; use mode 'reduced'"
            )
            raise ValueError(msg)
        q, r = q[..., :columns], r[..., :columns, :]
        grad_r = None if grad_r is None else grad_r[..., :columns, :]
    if columns <= rows:
        return (_qr_square_or_tall(grad_q, grad_r, q, r, xp=xp),)
    right = x[..., rows:]
    rest = xp.zeros_like(right)
    if grad_r is not None:
        beyond = grad_r[..., rows:]
        rest = xp.matmul(q, beyond)
        more = xp.matmul(right, adjoint(beyond, xp=xp))
        grad_q = more if grad_q is None else grad_q + more
        grad_r = grad_r[..., :rows]
    grad = _qr_square_or_tall(grad_q, grad_r, q, r[..., :rows], xp=xp)
    return (xp.concat([grad, rest], axis=-1),)


def _qr_square_or_tall(
    grad_q: Array | None, grad_r: Array | None, q: Array, r: Array, *, xp: Namespace
) -> Array:
    """``(grad_q + Q H) R^-H`` with H from a triangle of ``R grad_r^H - grad_q^H Q``."""
    parts = []
    if grad_r is not None:
        parts.append(xp.matmul(r, adjoint(grad_r, xp=xp)))
    if grad_q is not None:
        parts.append(-xp.matmul(adjoint(grad_q, xp=xp), q))
    inner = xp.matmul(q, _hermitian_from_lower(sum(parts[1:], parts[0]), xp=xp))
    whole = inner if grad_q is None else grad_q + inner
    return adjoint(xp.linalg.solve(r, adjoint(whole, xp=xp)), xp=xp)


register("linalg.cholesky", _cholesky)
register("linalg.qr", _qr, results=QRResult)

# ---- eigenvalues ------------------------------------------------------------------------------


def _gaps(values: Array, x: Array, *, xp: Namespace) -> Array:
    """Return ``values[j] - values[i]``, 1 on the diagonal."""
    gaps = values[..., None, :] - values[..., :, None]
    return where(identity(x, xp=xp), 1, gaps, xp=xp)


def _skew(x: Array, *, xp: Namespace) -> Array:
    return x - adjoint(x, xp=xp)


def _eigh(
    grads: tuple[Any, ...], out: tuple[Array, Array], x: Array, *, xp: Namespace
) -> tuple[Array]:
    """``V (diag(grad_values) + skew(V^H grad_vectors) / 2 / gaps) V^H``."""
    (grad_values, grad_vectors), (values, vectors) = grads, out
    back = adjoint(vectors, xp=xp)
    if grad_vectors is None:
        return (xp.matmul(vectors * grad_values[..., None, :], back),)
    turn = _skew(xp.matmul(back, grad_vectors), xp=xp) / 2
    inner = where(identity(x, xp=xp), 0, turn, xp=xp) / _gaps(values, x, xp=xp)
    if grad_values is not None:
        inner = where(identity(x, xp=xp), grad_values[..., None, :], inner, xp=xp)
    return (xp.matmul(xp.matmul(vectors, inner), back),)


@compose("linalg.eigvalsh")
def eigvalsh(x: Array, /, *, xp: Namespace) -> Array:
    """Return the eigenvalues alone; their gradient needs the vectors as well."""
    return xp.linalg.eigh(x).eigenvalues


def _eig(
    grads: tuple[Any, ...], out: tuple[Array, Array], x: Array, *, xp: Namespace
) -> tuple[Array]:
    """For eigenvectors of length 1, as LAPACK makes them."""
    (grad_values, grad_vectors), (values, vectors) = grads, out
    back = adjoint(vectors, xp=xp)
    if grad_vectors is None:
        return (xp.linalg.solve(back, grad_values[..., :, None] * back),)
    turn = xp.matmul(back, grad_vectors)
    stretch = real(xp.sum(where(identity(x, xp=xp), turn, 0, xp=xp), axis=-2, keepdims=True), xp=xp)
    turn = turn - xp.matmul(back, vectors) * stretch
    inner = where(identity(x, xp=xp), 0, turn, xp=xp) / conj(_gaps(values, x, xp=xp), xp=xp)
    if grad_values is not None:
        inner = where(identity(x, xp=xp), grad_values[..., None, :], inner, xp=xp)
    return (xp.linalg.solve(back, xp.matmul(inner, back)),)


@compose("linalg.eigvals")
def eigvals(x: Array, /, *, xp: Namespace) -> Array:
    """Return the eigenvalues alone; their gradient needs the vectors as well."""
    return xp.linalg.eig(x).eigenvalues


register("linalg.eigh", _eigh, results=EighResult)
register("linalg.eig", _eig, results=EigResult)

# ---- singular values --------------------------------------------------------------------------


def _svd(
    grads: tuple[Any, ...],
    out: tuple[Array, Array, Array],
    x: Array,
    *,
    full_matrices: bool = True,
    xp: Namespace,
) -> tuple[Array]:
    """The sum of what arrives through S, through U and through V."""
    (grad_u, grad_s, grad_vh), (u, s, vh) = grads, out
    rows, columns = x.shape[-2:]
    if full_matrices and rows != columns:
        loose, grad_loose = ("U", grad_u) if rows > columns else ("Vh", grad_vh)
        if grad_loose is not None:
            msg = (
                f"`svd` with `full_matrices=True` has no gradient through `{loose}` of a matrix "
                f"of shape {(rows, columns)}: its last vectors are not unique; "
                "use `full_matrices=False`"
            )
            raise ValueError(msg)
        u, vh = u[..., : s.shape[-1]], vh[..., : s.shape[-1], :]
        if isinstance(
            xp, TapeNamespace
        ):  # to be differentiated, they must not be those beside loose ones
            u, s, vh = xp.linalg.svd(x, full_matrices=False)
    if grad_u is None and grad_vh is None:
        return (xp.matmul(u * grad_s[..., None, :], vh),)
    v, across, along = adjoint(vh, xp=xp), s[..., None, :], s[..., :, None]
    grad_v = None if grad_vh is None else adjoint(grad_vh, xp=xp)
    turn_u = None if grad_u is None else xp.matmul(adjoint(u, xp=xp), grad_u)
    turn_v = None if grad_v is None else xp.matmul(vh, grad_v)
    inner = _svd_inner(turn_u, turn_v, s, xp=xp)
    if grad_s is not None:
        inner = inner + where(identity(inner, xp=xp), grad_s[..., None, :], 0, xp=xp)
    grad = xp.matmul(xp.matmul(u, inner), vh)
    if turn_u is not None and rows > s.shape[-1]:
        grad = grad + xp.matmul((grad_u - xp.matmul(u, turn_u)) / across, vh)
    if turn_v is not None and columns > s.shape[-1]:
        rest = adjoint(grad_v - xp.matmul(v, turn_v), xp=xp)
        grad = grad + xp.matmul(u, rest / along)
    return (grad,)


def _svd_inner(turn_u: Array | None, turn_v: Array | None, s: Array, *, xp: Namespace) -> Array:
    """What turns both sets of vectors among themselves, in their own coordinates."""
    across, along = s[..., None, :], s[..., :, None]
    gaps = _gaps(s * s, turn_u if turn_u is not None else turn_v, xp=xp)
    inner: Any = 0
    if turn_u is not None:
        inner = _skew(turn_u, xp=xp) / gaps * across
    if turn_v is not None:
        inner = inner + along * (_skew(turn_v, xp=xp) / gaps)
    inner = where(identity(inner, xp=xp), 0, inner, xp=xp)
    if not is_complex(inner, xp=xp):
        return inner
    # Only the difference of the two phases of a pair changes with the matrix.
    phase: Any = 0
    if turn_u is not None:
        phase = imag(turn_u, xp=xp)
    if turn_v is not None:
        phase = phase - imag(turn_v, xp=xp)
    phase = xp.astype(phase / across / 2, inner.dtype) * 1j
    return inner + where(identity(inner, xp=xp), phase, 0, xp=xp)


@compose("linalg.svdvals")
def svdvals(x: Array, /, *, xp: Namespace) -> Array:
    """Return the singular values alone; their gradient needs the vectors as well."""
    return xp.linalg.svd(x, full_matrices=False).S


register("linalg.svd", _svd, results=SVDResult)
