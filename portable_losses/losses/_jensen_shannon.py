"""Terms of Jensen-Shannon divergences, as pairs, with the arguments of `_kullback_leibler`.

m is the mixture of the two, ``beta * p + (1 - beta) * q``.
"""

import math
from typing import Any

from portable_losses._dtypes import largest
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import clip, constant, minimum, where
from portable_losses._stable import INF, NAN, log, log1p
from portable_losses._typing import Array, Namespace
from portable_losses.activations.logistic import _sigmoid
from portable_losses.losses._deviances import _bound, _log_ratio_of, _times_power
from portable_losses.losses._kullback_leibler import (
    _difference_of_logs,
    _kl,
    _kl_excess,
    _log_ratio,
)

__all__ = ["generalized_js"]


def generalized_js(lp: Array, t: Array, beta: float, *, log_target: bool, xp: Namespace) -> Array:
    """Return the terms of `js_div`: Kullback-Leibler divergences where `beta` is 0 or 1."""
    if is_number(beta) and beta == 0:
        return _kl(lp, t, log_target=log_target, xp=xp)
    if is_number(beta) and beta == 1:
        return _kl(t if log_target else log(t, xp=xp), lp, log_target=True, xp=xp)
    return _js(lp, t, beta=beta, log_target=log_target, xp=xp)


def _parts(
    lp: Array, t: Array, *known: Array, beta: float, log_target: bool, xp: Namespace
) -> tuple[Array, Array, Array]:
    """Return p, ``log(m / p)`` and ``log(m / q)`` for ``m = beta * p + (1 - beta) * q``."""
    if known:
        p, u = known[1], -_log_ratio(t, lp, known[2], xp=xp)
    elif log_target:
        p, u = xp.exp(t), _difference_of_logs(lp, t, xp=xp)
    else:
        p, r = t, _log_ratio_of(lp, t, log_input=True, xp=xp)[1]
        u = where(t > 0, -r, where(t == 0, constant(INF, t, xp=xp), NAN, xp=xp), xp=xp)
    of_p, of_q = _log_mixture(u, 1 - beta, beta, xp=xp), _log_mixture(-u, beta, 1 - beta, xp=xp)
    return p, of_p, of_q


def _log_mixture(u: Array, share: float, rest: float, *, xp: Namespace) -> Array:
    """``log(rest + share * exp(u))``, `rest` and `share` of 1."""
    near = minimum(u, 80.0, xp=xp)
    change = share * xp.expm1(near)
    if is_number(share) and share <= 0.5:
        near = log1p(change, xp=xp)
    else:
        near = _log1p_or_log(change, rest + share * xp.exp(near), xp=xp)
    far = minimum(u, 1e4, xp=xp) + _log_of(share, xp=xp)  # from 1e4 on one probability is 0
    return where(u > 80, far, near, xp=xp)


def _log1p_or_log(change: Array, whole: Array, *, xp: Namespace) -> Array:
    """``log1p(change)``, ``log(whole)`` below -1/2: the same, where the sum has lost digits."""
    low = change < -0.5
    y = where(low, whole, 1 + change, xp=xp)
    return log(y, xp=xp) + where(low, 0.0, change - (y - 1), xp=xp) / y


def _log_mixture_beside_top(
    q: Array, p: Array, gap: Array, p_top: Array, q_top: Array, beta: float, *, xp: Namespace
) -> Array:
    """Return ``log(m / q)`` less that at the largest q, ``log(1 - s + s * exp(gap))``.

    The gap is ``log(p / q)`` less that at the largest q; p_top and q_top are p and q there, and s
    is the share of p in their mixture. Far away an exponential of the gap would have its rounding.
    """
    m = beta * p_top + (1 - beta) * q_top
    share, rest = beta * p_top / m, (1 - beta) * q_top / m
    odds = beta * q_top / m * (p / where(q == 0, 1.0, q, xp=xp))  # ``s * exp(gap)``
    odds = minimum(odds, largest(odds, xp=xp), xp=xp)
    close = xp.abs(gap) < 1
    change = where(close, share * xp.expm1(where(close, gap, 0.0, xp=xp)), odds - share, xp=xp)
    return _log1p_or_log(change, rest + odds, xp=xp)


def _log_of(share: Any, *, xp: Namespace) -> Any:
    """``log(share)``, -inf of 0."""
    if not is_number(share):
        return xp.log(share)
    return math.log(share) if share > 0 else -INF


def _log_of_rest(share: Any, *, xp: Namespace) -> Any:
    """``log(1 - share)``, -inf of 1."""
    if not is_number(share):
        return xp.log1p(-share)
    return math.log1p(-share) if share < 1 else -INF


def _js_slope_grad(
    grad: Array,
    out: Array,
    lp: Array,
    t: Array,
    of_q: Array,
    *known: Array,
    beta: float,
    log_target: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """By log q ``(beta - 1) * q * (log(m / q) - s)``, by p ``-beta * (1 - s)``.

    s is the share of p in the mixture m, ``beta * p / m``.
    """
    share, rest = _shares(lp, t, beta, log_target=log_target, xp=xp)
    in_lp = (beta - 1) * _times_power(of_q - share, lp, 1.0, log_input=True, xp=xp)
    in_t = -beta * rest
    in_t = xp.exp(t) * in_t if log_target else in_t
    return grad * in_lp, grad * in_t, None, *(None for _ in known)


def _js_slope_by_beta(
    grad: Array,
    out: Array,
    lp: Array,
    t: Array,
    of_q: Array,
    *known: Array,
    beta: Array,
    log_target: bool,
    xp: Namespace,
) -> Array:
    """``q * (log(m / q) - (1 - beta) * (p - q) / m)``."""
    share, rest = _shares(lp, t, beta, log_target=log_target, xp=xp)
    change = of_q + rest - (1 - beta) / beta * share
    return grad * _times_power(change, lp, 1.0, log_input=True, xp=xp)


def _shares(
    lp: Array, t: Array, beta: float | Array, *, log_target: bool, xp: Namespace
) -> tuple[Array, Array]:
    """Return the shares of p and q in the mixture: ``beta * p / m``, ``(1 - beta) * q / m``."""
    bias = _log_of(beta, xp=xp) - _log_of_rest(beta, xp=xp)
    u = _difference_of_logs(lp, t if log_target else log(t, xp=xp), xp=xp) - bias
    return _sigmoid(-u, xp=xp), _sigmoid(u, xp=xp)


@with_gradient(_js_slope_grad, elementwise=True, by={"beta": _js_slope_by_beta})
def _js_slope(
    lp: Array, t: Array, of_q: Array, *known: Array, beta: float, log_target: bool, xp: Namespace
) -> Array:
    """``-(1 - beta) * q * of_q``; `of_q`, ``log(m / q)``, comes along as a constant."""
    if known:
        return (beta - 1) * known[0] * of_q
    return (beta - 1) * _times_power(of_q, lp, 1.0, log_input=True, xp=xp)


def _js_grad(
    grad: Array,
    out: Array,
    lp: Array,
    t: Array,
    *known: Array,
    beta: float,
    log_target: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``-(1 - beta) * q * log(m / q)`` in log q, ``-beta * log(m / p)`` in p."""
    options: Any = {"beta": beta, "log_target": log_target, "xp": xp}
    p, of_p, of_q = _parts(lp, t, *known, **options)
    if known:
        q, p, _, *beside = known
        of_q = _log_mixture_beside_top(q, p, *beside, beta, xp=xp)
    in_lp = _js_slope(lp, t, stop_gradient(of_q, xp=xp), *known, **options)
    in_t = -beta * where(p == 0, 0.0, of_p, xp=xp)
    return grad * in_lp, grad * (p * in_t if log_target else in_t), *(None for _ in known)


def _js_by_beta(
    grad: Array, out: Array, *arrays: Array, beta: float, log_target: bool, xp: Namespace
) -> Array:
    """``p * log(p / m) - p - (q * log(q / m) - q)``: the derivatives by m cancel."""
    to_p, to_q, scale = _js_terms(*arrays, beta=beta, log_target=log_target, xp=xp)
    return grad * ((to_p - to_q) * scale)


@with_gradient(_js_grad, elementwise=True, by={"beta": _js_by_beta})
def _js(lp: Array, t: Array, *known: Array, beta: float, log_target: bool, xp: Namespace) -> Array:
    """``beta * p * log(p / m) + (1 - beta) * q * log(q / m)``, m the mixture of the two.

    Beside two logarithms may be what `_generalized_kl` has of them, of p and q; and p and
    q at the largest q.
    """
    to_p, to_q, scale = _js_terms(lp, t, *known, beta=beta, log_target=log_target, xp=xp)
    return (beta * to_p + (1 - beta) * to_q) * scale


def _js_terms(
    lp: Array, t: Array, *known: Array, beta: float, log_target: bool, xp: Namespace
) -> tuple[Array, Array, Array | float]:
    """Return ``m - p - p * log(m / p)``, the same of q, and a common factor."""
    p, of_p, of_q = _parts(lp, t, *known, beta=beta, log_target=log_target, xp=xp)
    scale: Array | float = 1.0
    if known:
        q = known[0]
    else:
        bound = _bound(lp, xp=xp)
        # Where exp(lp) may overflow, the part of lp beyond the bound is factored out of all terms.
        above = clip(lp - bound, 0.0, bound, xp=xp)
        p, q, scale = p * xp.exp(-above), xp.exp(lp - above), xp.exp(above)
    m = beta * p + (1 - beta) * q
    return _kl_excess(p, m, of_p, xp=xp), _kl_excess(q, m, of_q, xp=xp), scale
