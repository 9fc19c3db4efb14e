"""Sums of the terms of divergences along axes, of log q and of p or its logarithm, reduced."""

from collections.abc import Callable, Mapping
from typing import Any

from portable_losses._dtypes import narrow
from portable_losses._gradient import NO_OPTIONS, stop_gradient
from portable_losses._options import is_number
from portable_losses._polyfill import is_known, total, where
from portable_losses._reduction import reduce, reduced
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows
from portable_losses._stable import INF, NAN, sign
from portable_losses._typing import Array, BatchReduction, Namespace
from portable_losses._unread import weighs_unread
from portable_losses._validation import in_one_dtype
from portable_losses._values import mark_invalid
from portable_losses._weighted import NotInOnePass, in_one_pass
from portable_losses.losses._deviances import deviance
from portable_losses.losses._errors import of_error
from portable_losses.losses._foreseen import foreseen_mean
from portable_losses.losses._jensen_shannon import _js, generalized_js
from portable_losses.losses._kullback_leibler import _generalized_kl, _kl
from portable_losses.losses.regression import _absolute

__all__ = ["generalized_kl_sum", "js_sum", "kl_sum", "terms_of", "tvd_sum"]


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
