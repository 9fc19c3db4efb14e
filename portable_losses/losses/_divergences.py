"""The pairs of the divergences: functions of log q, and of p or its logarithm.

``log_target`` says which of the two t is. A probability of 0 has the logarithm -inf, and its share
of a gradient in p, which would be infinite, is 0.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from portable_losses._dtypes import narrow
from portable_losses._gradient import NO_OPTIONS, stop_gradient, with_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import clip, constant, is_known, minimum, total, where
from portable_losses._reduction import reduce, reduced
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows
from portable_losses._stable import INF, NAN, log, log1p, sign
from portable_losses._typing import Array, BatchReduction, Namespace
from portable_losses._unread import weighs_unread
from portable_losses._validation import in_one_dtype
from portable_losses._values import mark_invalid
from portable_losses._weighted import NotInOnePass, in_one_pass
from portable_losses.activations.logistic import _sigmoid
from portable_losses.losses._deviances import (
    _bound,
    _curve,
    _log_ratio_of,
    _times_power,
    deviance,
)
from portable_losses.losses._errors import of_error
from portable_losses.losses._foreseen import foreseen_mean
from portable_losses.losses.regression import _absolute

__all__ = ["generalized_kl_sum", "js_sum", "kl_sum", "terms_of", "tvd_sum"]


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
    *,
    nearest: float,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``q - p`` in log q, ``p * log(p / q)`` in log p."""
    u = _difference_of_logs(lq, lp, xp=xp)
    known = (ratio == ratio) & (xp.abs(u) < INF)
    u = u + stop_gradient(where(known, ratio - u, 0.0, xp=xp), xp=xp)  # whose slopes are those of u
    in_q = _difference_of_exponentials(lq, lp, q, p, ratio, nearest=nearest, xp=xp)
    return grad * in_q, grad * (p * where(p == 0, 0.0, -u, xp=xp)), None, None, None


@with_gradient(_generalized_kl_grad)
def _generalized_kl(
    lq: Array, lp: Array, q: Array, p: Array, ratio: Array, *, nearest: float, xp: Namespace
) -> Array:
    """``p * log(p / q) - p + q`` of two logarithms, by which alone it is differentiated.

    Beside them are their exponentials: of logarithms that have been rounded they have more digits
    below `nearest`; and ``log(q / p)`` where it is known with more digits than their difference
    has, elsewhere NaN.
    """
    u = where(ratio == ratio, ratio, _difference_of_logs(lq, lp, xp=xp), xp=xp)
    return _kl_excess(p, q, u, xp=xp)


def generalized_js(lp: Array, t: Array, beta: float, *, log_target: bool, xp: Namespace) -> Array:
    """Return the terms of `js_div`: Kullback-Leibler divergences where `beta` is 0 or 1."""
    if is_number(beta) and beta == 0:
        return _kl(lp, t, log_target=log_target, xp=xp)
    if is_number(beta) and beta == 1:
        return _kl(t if log_target else log(t, xp=xp), lp, log_target=True, xp=xp)
    return _js(lp, t, beta=beta, log_target=log_target, xp=xp)


def _parts(
    lp: Array, t: Array, *, beta: float, log_target: bool, xp: Namespace
) -> tuple[Array, Array, Array]:
    """Return p, ``log(m / p)`` and ``log(m / q)`` for ``m = beta * p + (1 - beta) * q``."""
    if log_target:
        p, u = xp.exp(t), _difference_of_logs(lp, t, xp=xp)
    else:
        p, r = t, _log_ratio_of(lp, t, log_input=True, xp=xp)[1]
        u = where(t > 0, -r, where(t == 0, constant(INF, t, xp=xp), NAN, xp=xp), xp=xp)
    of_p, of_q = _log_mixture(u, 1 - beta, xp=xp), _log_mixture(-u, beta, xp=xp)
    return p, of_p, of_q


def _log_mixture(u: Array, share: float, *, xp: Namespace) -> Array:
    """``log(1 - share + share * exp(u))``."""
    near = log1p(share * xp.expm1(minimum(u, 80.0, xp=xp)), xp=xp)
    log_share = _log_of(share, xp=xp)
    far = minimum(u, 1e4, xp=xp) + log_share  # from 1e4 on one probability is 0
    return where(u > 80, far, near, xp=xp)


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
    *,
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
    return grad * in_lp, grad * (xp.exp(t) * in_t if log_target else in_t), None


def _js_slope_by_beta(
    grad: Array,
    out: Array,
    lp: Array,
    t: Array,
    of_q: Array,
    *,
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
    lp: Array, t: Array, of_q: Array, *, beta: float, log_target: bool, xp: Namespace
) -> Array:
    """``-(1 - beta) * q * of_q``; `of_q`, ``log(m / q)``, comes along as a constant."""
    return (beta - 1) * _times_power(of_q, lp, 1.0, log_input=True, xp=xp)


def _js_grad(
    grad: Array,
    out: Array,
    lp: Array,
    t: Array,
    *,
    beta: float,
    log_target: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``-(1 - beta) * q * log(m / q)`` in log q, ``-beta * log(m / p)`` in p."""
    p, of_p, of_q = _parts(lp, t, beta=beta, log_target=log_target, xp=xp)
    in_lp = _js_slope(lp, t, stop_gradient(of_q, xp=xp), beta=beta, log_target=log_target, xp=xp)
    in_t = -beta * where(p == 0, 0.0, of_p, xp=xp)
    return grad * in_lp, grad * (p * in_t if log_target else in_t)


def _js_by_beta(
    grad: Array, out: Array, lp: Array, t: Array, *, beta: float, log_target: bool, xp: Namespace
) -> Array:
    """``p * log(p / m) - p - (q * log(q / m) - q)``: the derivatives by m cancel."""
    to_p, to_q, above = _js_terms(lp, t, beta=beta, log_target=log_target, xp=xp)
    return grad * ((to_p - to_q) * xp.exp(above))


@with_gradient(_js_grad, elementwise=True, by={"beta": _js_by_beta})
def _js(lp: Array, t: Array, *, beta: float, log_target: bool, xp: Namespace) -> Array:
    """``beta * p * log(p / m) + (1 - beta) * q * log(q / m)``, m the mixture of the two."""
    to_p, to_q, above = _js_terms(lp, t, beta=beta, log_target=log_target, xp=xp)
    loss = beta * to_p + (1 - beta) * to_q
    return loss * xp.exp(above)


def _js_terms(
    lp: Array, t: Array, *, beta: float, log_target: bool, xp: Namespace
) -> tuple[Array, Array, Array]:
    """Return ``m - p - p * log(m / p)``, the same of q, and the logarithm of a common factor."""
    p, of_p, of_q = _parts(lp, t, beta=beta, log_target=log_target, xp=xp)
    bound = _bound(lp, xp=xp)
    # Where exp(lp) may overflow, the part of lp beyond the bound is factored out of all terms.
    above = clip(lp - bound, 0.0, bound, xp=xp)
    p, q = p * xp.exp(-above), xp.exp(lp - above)
    m = beta * p + (1 - beta) * q
    return _kl_excess(p, m, of_p, xp=xp), _kl_excess(q, m, of_q, xp=xp), above


def _half_absolute_grad(grad: Array, out: Array, d: Array, *, xp: Namespace) -> Array:
    """``sign(d) / 2``, 0 at 0."""
    return grad * (sign(d, xp=xp) / 2)


@of_error(_half_absolute_grad)
def _half_absolute(d: Array, *, xp: Namespace) -> Array:
    """``|d| / 2``."""
    return xp.abs(d) / 2


# ---- sums along axes, of none the terms --------------------------------------------------------


def _summed(terms: Array, axes: tuple[int, ...], *, xp: Namespace) -> Array:
    return total(terms, axis=axes, xp=xp) if axes else terms


@of_rows(wide=True)
def kl_sum(lp: Array, t: Array, *, axes: tuple[int, ...], log_target: bool, xp: Namespace) -> Array:
    """``sum(p * log(p / q))``."""
    return _summed(_kl(lp, t, log_target=log_target, xp=xp), axes, xp=xp)


@of_rows(wide=True)
def generalized_kl_sum(
    lp: Array, t: Array, *, axes: tuple[int, ...], log_target: bool, xp: Namespace
) -> Array:
    """``sum(p * log(p / q) - p + q)``."""
    if log_target:
        q, p = xp.exp(lp), xp.exp(t)
        ratio = where(lp < INF, lp - t, NAN, xp=xp)
        terms = _generalized_kl(lp, t, q, p, stop_gradient(ratio, xp=xp), nearest=-INF, xp=xp)
    else:
        terms = deviance(lp, t, power=1.0, log_input=True, factor=1.0, xp=xp)
    return _summed(terms, axes, xp=xp)


@of_rows(wide=True)
def js_sum(
    lp: Array,
    t: Array,
    *,
    axes: tuple[int, ...],
    beta: float | Array,
    log_target: bool,
    xp: Namespace,
) -> Array:
    """The sum of the terms of `js_div`."""
    return _summed(generalized_js(lp, t, beta, log_target=log_target, xp=xp), axes, xp=xp)


@of_rows(wide=True)
def tvd_sum(p: Array, t: Array, *, axes: tuple[int, ...], xp: Namespace) -> Array:
    """``sum(|p - t|) / 2``."""
    return _summed(_absolute(p, t, xp=xp) / 2, axes, xp=xp)


def terms_of(
    sums: Callable[..., Array], *, beta: float | Array | None = None, **options: Any
) -> tuple[Callable[..., Array], dict[str, Any]] | None:
    """Return the pair of one element that a sum adds up, and its options; None without one."""
    if sums is tvd_sum:
        return _half_absolute, {}
    if sums is kl_sum or (is_number(beta) and beta == 0):
        return _kl, options
    if sums is js_sum:
        return (_js, {"beta": beta, **options}) if is_number(beta) and beta != 1 else None
    if options["log_target"]:
        return None
    return deviance, {"power": 1.0, "log_input": True, "factor": 1.0}


# ---- after the sums ---------------------------------------------------------------------------


def sum_and_reduce(
    sums: Any,
    arrays: tuple[Array, Array],
    axes: tuple[int, ...],
    reduction: BatchReduction,
    *,
    where: Array | None,
    sample_weight: Array | None,
    denominator: float | Array | None,
    dtype: Any,
    xp: Namespace,
    invalid: Array | None = None,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Array:
    """Return the reduction of the sums over `axes`; NaN for entries that are `invalid`."""
    first = arrays[0]
    weighs = in_one_pass() is not None
    each = None
    unread = weighs_unread(first)
    if weighs or (not axes and (unread or first.dtype == arrays[1].dtype)):
        each = None if axes else terms_of(sums, **options)
        if reduction == "batchmean" and unread and first.ndim and is_known(first.shape[0]):
            reduction, denominator = "mean", max(first.shape[0], 1)
        elif reduction == "batchmean":
            each = None
        if each is None and weighs:
            raise NotInOnePass
    if each is not None:
        named = {"probs" if sums is tvd_sum else "log_probs": arrays[0], "target": arrays[1]}
        given: Any = {**each[1], "where": where, "sample_weight": sample_weight}
        given["denominator"] = denominator
        narrowed: Any = reduction
        made = reduced(each[0], named, narrowed, invalid=(invalid,), xp=xp, **given)
        return narrow(made, dtype, xp=xp)
    if len(axes) == 1 and invalid is None and is_known(first.shape[axes[0]]):
        rows = [as_rows(x, axes, xp=xp) for x in arrays]
        masks = where, sample_weight
        shape = tuple(rows[0].shape[:-1])
        seen = foreseen_mean(reduction, first, shape, *masks, denominator=denominator, xp=xp)
        loss = sums(*rows, axes=(-1,), foreseen=seen, xp=xp, **options)
    else:
        both = in_one_dtype(xp, *arrays)
        terms = mark_invalid(sums.__wrapped__(*both, axes=(), xp=xp, **options), invalid, xp=xp)
        loss = total(terms, axis=axes, xp=xp) if axes else terms
    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=dtype,
        batch=first,
        denominator=denominator,
        xp=xp,
    )
