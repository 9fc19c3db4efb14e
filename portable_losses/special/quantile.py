"""Inverses of the normal distribution function and of the error function.

Newton's method on the logarithm of the distribution function: it is concave, so that the steps
approach from the left without ever passing the solution, and it keeps its digits in the tail.
The slope at the solution comes from the hazard, whose own slope is small, and not from an
exponential of the solution's square, which would multiply its rounding.
"""

import math

from portable_losses._gradient import with_gradient
from portable_losses._polyfill import constant, minimum, where
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace
from portable_losses.special.error_function import _erf
from portable_losses.special.normal import _gaussian, _hazard, _log_ndtr

STEPS = 8  # the slowest start, in float64, needs 7


def _ndtri_grad(grad: Array, out: Array, p: Array, *, xp: Namespace) -> tuple[Array]:
    """``1 / phi(out)``, as ``1 / (q * hazard)`` with q the smaller tail; +inf at 0 and 1."""
    q = minimum(p, 1.0 - p, xp=xp)
    inside = q > 0
    slope = 1.0 / (where(inside, q, 0.5, xp=xp) * _hazard(_minus_abs(out, inside, xp=xp), xp=xp))
    return (grad * where(inside, slope, _or_nan((p == 0) | (p == 1), INF, p, xp=xp), xp=xp),)


@with_gradient(_ndtri_grad)
def _ndtri(p: Array, *, xp: Namespace) -> Array:
    """Return x with ``Phi(x) = p``: -inf at 0, +inf at 1, NaN outside."""
    q = minimum(p, 1.0 - p, xp=xp)
    inside = q > 0
    middle = q > 0.25  # where 2 p - 1 is exact, and small at the root
    left = _solution(where(inside & ~middle, q, 0.25, xp=xp), xp=xp)
    value = where(p <= 0.5, left, -left, xp=xp)
    near = _center(where(middle, 2.0 * p - 1.0, 0.0, xp=xp), xp=xp)
    value = where(middle, math.sqrt(2) * near, value, xp=xp)
    ends = where(p == 1, constant(INF, p, xp=xp), _or_nan(p == 0, -INF, p, xp=xp), xp=xp)
    return where(inside, value, ends, xp=xp)


def _solution(q: Array, *, xp: Namespace) -> Array:
    """Return x with ``Phi(x) = q``, for 0 < q <= 1/4."""
    wanted = xp.log(q)
    x = -xp.sqrt(-2 * wanted)
    for _ in range(STEPS):
        x = x - (_log_ndtr(x, xp=xp) - wanted) / _hazard(x, xp=xp)
    return x


def _center(y: Array, *, xp: Namespace) -> Array:
    """Return x with ``erf(x) = y``, for ``|y| <= 1/2``."""
    x = y * (math.sqrt(math.pi) / 2)
    for _ in range(STEPS):
        density = _gaussian(x, xp=xp, scale=1.0) * (2 / math.sqrt(math.pi))
        x = x - (_erf(x, xp=xp) - y) / density
    return x


def _minus_abs(x: Array, inside: Array, *, xp: Namespace) -> Array:
    """``-|x|`` where `inside`, else 0."""
    x = where(inside, x, 0.0, xp=xp)
    return where(x <= 0, x, -x, xp=xp)


def _or_nan(condition: Array, value: float, x: Array, *, xp: Namespace) -> Array:
    """Return `value` where `condition`, else NaN, in the dtype of `x`."""
    return where(condition, constant(value, x, xp=xp), NAN, xp=xp)


def _erfinv_grad(grad: Array, out: Array, y: Array, *, xp: Namespace) -> tuple[Array]:
    """``sqrt(pi) / 2 * exp(out**2)``, for ``|y| >= 1/2`` by the hazard; +inf at -1 and 1."""
    size = where(y >= 0, y, -y, xp=xp)
    inside, middle = size < 1, size < 0.5
    hazard = _hazard(math.sqrt(2) * _minus_abs(out, inside, xp=xp), xp=xp)
    slope = 1.0 / (where(inside, 1.0 - size, 1.0, xp=xp) * hazard) / math.sqrt(2)
    near = (math.sqrt(math.pi) / 2) / _gaussian(where(middle, out, 0.0, xp=xp), xp=xp, scale=1.0)
    slope = where(middle, near, slope, xp=xp)
    return (grad * where(inside, slope, _or_nan(size == 1, INF, y, xp=xp), xp=xp),)


@with_gradient(_erfinv_grad)
def _erfinv(y: Array, *, xp: Namespace) -> Array:
    """Return x with ``erf(x) = y``: infinite at -1 and 1, NaN outside."""
    size = where(y >= 0, y, -y, xp=xp)
    x = _center(where(size < 0.5, size, 0.0, xp=xp), xp=xp)
    q = where((size >= 0.5) & (size < 1), 0.5 * (1.0 - size), 0.25, xp=xp)
    far = -_solution(q, xp=xp) / math.sqrt(2)
    value = where(size < 0.5, x, far, xp=xp)
    value = where(size < 1, value, _or_nan(size == 1, INF, y, xp=xp), xp=xp)
    return where(y >= 0, value, -value, xp=xp)
