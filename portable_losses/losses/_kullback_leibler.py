"""Terms of Kullback-Leibler divergences, as pairs: of log q, and of p or its logarithm.

``log_target`` says which of the two t is. A probability of 0 has the logarithm -inf, and its share
of a gradient in p, which would be infinite, is 0.
"""

from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._polyfill import where
from portable_losses._stable import INF, log
from portable_losses._typing import Array, Namespace
from portable_losses.losses._deviances import _curve

__all__: list[str] = []


def _kl_grad(
    grad: Array, out: Array, lp: Array, t: Array, *, log_target: bool, xp: Namespace
) -> tuple[Array | None, ...]:
    """``-p`` in log q, and ``1 + log(p / q)`` in p, 0 where p is 0."""
    if log_target:
        p = xp.exp(t)
        return -grad * p, grad * (out + p)
    in_t = where(t == 0, 0.0, 1 + _difference_of_logs(log(t, xp=xp), lp, xp=xp), xp=xp)
    return -grad * t, grad * in_t


@with_gradient(_kl_grad, elementwise=True)
def _kl(lp: Array, t: Array, *, log_target: bool, xp: Namespace) -> Array:
    """``p * log(p / q)``."""
    p, logarithm = (xp.exp(t), t) if log_target else (t, log(t, xp=xp))
    return p * where(p == 0, 0.0, _difference_of_logs(logarithm, lp, xp=xp), xp=xp)


def _difference_of_logs(first: Array, second: Array, *, xp: Namespace) -> Array:
    """``first - second``, 0 where both are -inf."""
    none = (first == -INF) & (second == -INF)
    return where(none, 0.0, first, xp=xp) - where(none, 0.0, second, xp=xp)


def _log_ratio(lq: Array, lp: Array, ratio: Array, *, xp: Namespace) -> Array:
    """``lq - lp``, whose slopes it has, with the digits of `ratio` where that is no NaN."""
    u = _difference_of_logs(lq, lp, xp=xp)
    known = (ratio == ratio) & (xp.abs(u) < INF)
    return u + stop_gradient(where(known, ratio - u, 0.0, xp=xp), xp=xp)


def _kl_excess(p: Array, m: Array, w: Array, *, xp: Namespace) -> Array:
    """``m - p - p * w`` for ``w = log(m / p)``, by a series where ``|w| < 1``: at least 0."""
    near = xp.abs(w) < 1
    series = p * _curve(where(near, w, 0.0, xp=xp), 0.0, xp=xp)
    m, p = (where(near, 0.0, x, xp=xp) for x in (m, p))
    far = (m - p) - p * where(p == 0, 0.0, w, xp=xp)
    return where(near, series, far, xp=xp)


def _difference_of_exponentials_grad(
    grad: Array,
    out: Array,
    lq: Array,
    lp: Array,
    q: Array,
    p: Array,
    ratio: Array,
    *,
    nearest: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``q`` and ``-p``."""
    return grad * q, -grad * p, None, None, None


@with_gradient(_difference_of_exponentials_grad)
def _difference_of_exponentials(
    lq: Array, lp: Array, q: Array, p: Array, ratio: Array, *, nearest: float, xp: Namespace
) -> Array:
    """``q - p``; by their logarithms where those are near each other, and above `nearest`."""
    known = ratio == ratio
    u = where(known, ratio, _difference_of_logs(lq, lp, xp=xp), xp=xp)
    near = (xp.abs(u) < 1) & (known | (lp > nearest))
    return where(near, p * xp.expm1(where(near, u, 0.0, xp=xp)), q - p, xp=xp)


def _generalized_kl_grad(
    grad: Array,
    out: Array,
    lq: Array,
    lp: Array,
    q: Array,
    p: Array,
    ratio: Array,
    *gaps: Array,
    nearest: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``q - p`` in log q, ``p * log(p / q)`` in log p, or p times the gaps."""
    u = _log_ratio(lq, lp, ratio, xp=xp)
    in_q = _difference_of_exponentials(lq, lp, q, p, ratio, nearest=nearest, xp=xp)
    slope = -u
    if gaps:  # whose slopes are those of u
        apart = where(xp.abs(u) < INF, stop_gradient(u, xp=xp) - u, 0.0, xp=xp)
        slope = apart - gaps[0]
    in_p = p * where(p == 0, 0.0, slope, xp=xp)
    return grad * in_q, grad * in_p, None, None, None, *(None for _ in gaps)


@with_gradient(_generalized_kl_grad)
def _generalized_kl(
    lq: Array,
    lp: Array,
    q: Array,
    p: Array,
    ratio: Array,
    *gaps: Array,
    nearest: float,
    xp: Namespace,
) -> Array:
    """``p * log(p / q) - p + q`` of two logarithms, by which alone it is differentiated.

    Beside them are their exponentials: of logarithms that have been rounded they have more digits
    below `nearest`; and ``log(q / p)`` where it is known with more digits than their difference
    has, elsewhere NaN. Where p is a softmax, a multiple of p in the gradient by log p cancels: the
    `gaps`, ``log(q / p)`` less that at the largest p, leave it out.
    """
    u = where(ratio == ratio, ratio, _difference_of_logs(lq, lp, xp=xp), xp=xp)
    return _kl_excess(p, q, u, xp=xp)
