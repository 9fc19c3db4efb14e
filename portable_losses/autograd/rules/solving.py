"""Rules of what solves linear equations: solve, inv, pinv, det, slogdet, matrix_power."""

from typing import Any, NamedTuple

from portable_losses._gradient import with_gradient
from portable_losses._polyfill import where
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.complex_numbers import adjoint, conj, imag, is_complex
from portable_losses.autograd.rules.decompositions import identity
from portable_losses.autograd.rules.table import compose, register


class SlogdetResult(NamedTuple):
    """Of `slogdet`."""

    sign: Array
    logabsdet: Array


# ---- equations --------------------------------------------------------------------------------


def _columns(x: Array, right: Array) -> Array:
    """Return `x` as matrices: the standard takes a right-hand side of one axis for a vector."""
    return x[..., None] if right.ndim == 1 else x


def _solve_right(grad: Array, out: Array, x1: Array, x2: Array, *, xp: Namespace) -> Array:
    """``x1^-H grad``."""
    solved = xp.linalg.solve(adjoint(x1, xp=xp), _columns(grad, x2))
    return solved[..., 0] if x2.ndim == 1 else solved


def _solve_left(grad: Array, out: Array, x1: Array, x2: Array, *, xp: Namespace) -> Array:
    """``-(x1^-H grad) out^H``."""
    solved = xp.linalg.solve(adjoint(x1, xp=xp), _columns(grad, x2))
    return -xp.matmul(solved, adjoint(_columns(out, x2), xp=xp))


def _inv(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    back = adjoint(out, xp=xp)
    return -xp.matmul(xp.matmul(back, grad), back)


def _pinv(grad: Array, out: Array, x: Array, *, rtol: Any = None, xp: Namespace) -> Array:
    """At constant rank (Golub and Pereyra 1973); it jumps where the rank changes."""
    back, turned = adjoint(out, xp=xp), adjoint(grad, xp=xp)
    first = xp.matmul(turned, xp.matmul(out, back))
    second = xp.matmul(xp.matmul(back, out), turned)
    return (
        first
        - xp.matmul(x, xp.matmul(out, first))
        + second
        - xp.matmul(xp.matmul(second, out), x)
        - xp.matmul(xp.matmul(back, grad), back)
    )


register("linalg.solve", _solve_left, _solve_right)
register("linalg.inv", _inv)
register("linalg.pinv", _pinv)


@compose("linalg.matrix_power")
def matrix_power(x: Array, n: int, /, *, xp: Namespace) -> Array:
    """Multiply squares of squares, of the inverse for a negative power."""
    if n == 0:
        return xp.linalg.matrix_power(x.detach(), 0)
    if n < 0:
        x, n = xp.linalg.inv(x), -n
    power = None
    while True:
        if n % 2:
            power = x if power is None else xp.matmul(power, x)
        n //= 2
        if not n:
            return power
        x = xp.matmul(x, x)


# ---- determinants -----------------------------------------------------------------------------


def _products(s: Array, hidden: Array, *, xp: Namespace) -> Array:
    """Return the products of `s` without the entries that are hidden along the last axis."""
    s = s[(..., *(None,) * (hidden.ndim - 1), slice(None))]
    return xp.prod(where(hidden, 1, s, xp=xp), axis=-1)


def _svd_and_phase(x: Array, *, xp: Namespace) -> tuple[Array, Array, Array, Array]:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    phase = xp.linalg.det(u) * xp.linalg.det(vh)
    return u, s, vh, phase[..., None, None]


def _cofactors_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """What is left of the determinant without two rows and two columns, from products again.

    Recorded itself (for the third derivative), it needs a matrix with an inverse.
    """
    if isinstance(xp, TapeNamespace):
        turned = adjoint(grad, xp=xp)
        trace = xp.sum(conj(grad, xp=xp) * out, axis=(-2, -1), keepdims=True)
        twice = trace * out - xp.matmul(xp.matmul(out, turned), out)
        return (twice / conj(xp.linalg.det(x), xp=xp)[..., None, None],)
    u, s, vh, phase = _svd_and_phase(x, xp=xp)
    one = identity(x, xp=xp)
    pairs = _products(s, one[:, None, :] | one[None, :, :], xp=xp)
    w = xp.matmul(xp.matmul(adjoint(u, xp=xp), grad), adjoint(vh, xp=xp))
    others = where(one, 0, pairs * xp.sum(where(one, w, 0, xp=xp), axis=-2, keepdims=True), xp=xp)
    diagonal = xp.sum(others, axis=-1, keepdims=True)
    inner = where(one, diagonal, -pairs * xp.matrix_transpose(w), xp=xp)
    return (xp.matmul(xp.matmul(u, conj(phase * inner, xp=xp)), vh),)


@with_gradient(_cofactors_backward)
def _cofactors(x: Array, *, xp: Namespace) -> Array:
    """Return the conjugate cofactors, ``conj(det) x^-H`` of a matrix with an inverse.

    The singular values but one, multiplied: a singular matrix has them too.
    """
    u, s, vh, phase = _svd_and_phase(x, xp=xp)
    others = _products(s, identity(x, xp=xp), xp=xp)
    return xp.matmul(u * others[..., None, :], vh) * conj(phase, xp=xp)


def _det(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    return grad[..., None, None] * _cofactors(x, xp=xp)


def _slogdet(
    grads: tuple[Any, ...], out: tuple[Array, Array], x: Array, *, xp: Namespace
) -> tuple[Array]:
    """``grad x^-H``; the sign of a complex determinant turns with the imaginary part."""
    grad_sign, grad = grads
    if is_complex(x, xp=xp):
        grad = xp.zeros_like(out[1]) if grad is None else grad
        grad = xp.astype(grad, x.dtype)
        if grad_sign is not None:
            turn = imag(conj(grad_sign, xp=xp) * out[0], xp=xp)
            grad = grad - xp.astype(turn, x.dtype) * 1j
    elif grad is None:
        return (xp.zeros_like(x),)
    return (grad[..., None, None] * adjoint(xp.linalg.inv(x), xp=xp),)


register("linalg.det", _det)
register("linalg.slogdet", _slogdet, results=SlogdetResult)
