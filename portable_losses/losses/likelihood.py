"""Negative log-likelihoods of counts and of numbers."""

import math

from portable_losses._dtypes import largest
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import (
    FINITE,
    NONNEGATIVE,
    POSITIVE,
)
from portable_losses._polyfill import broadcast_to, minimum
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import contribution, reduced
from portable_losses._stable import INF, log
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_broadcasts_to,
    check_floating,
    check_real,
    namespace_of,
)
from portable_losses._values import check_all_in
from portable_losses.losses._left_out import Entries, leaves_out
from portable_losses.special.entropies import _quotient, _xlogy
from portable_losses.special.gamma import _gammaln, _polygamma

__all__ = ["gaussian_nll_loss", "poisson_nll_loss"]


@public(eps=NONNEGATIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def poisson_nll_loss(
    input: Array,
    target: Array,
    /,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Negative log-likelihood of a Poisson distribution.

    ::

        loss = exp(input) - target * input           where log_input
               input - target * log(input + eps)     elsewhere

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Logarithm of the expected count; or the expected count itself, at least 0.
    target : array of any real dtype, shape of `input`
        Observed counts, at least 0; converted to the dtype of `input`.
    log_input : bool, default True
        Is `input` a logarithm?
    full : bool, default False
        Add ``log(target!)``, which the parameters do not change.
    eps : float, default 1e-8
        Added to `input` in the logarithm, at least 0.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target is negative, so is an expected count, `eps` or a weight, or
        `reduction` is unknown.

    Notes
    -----
    ``log(target!)`` is exact, not Stirling's approximation as in PyTorch. A count of 0 makes its
    term 0, also where the logarithm is infinite. The gradient is ``exp(input) - target``, or
    ``1 - target / (input + eps)``.

    Source: torch.nn.functional.poisson_nll_loss, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, counts = np.asarray([0.0, -np.inf]), np.asarray([2, 0])
    >>> pl.poisson_nll_loss(x, counts, full=True, reduction="none").round(4)
    array([1.6931, 0.    ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, input=input, target=target)
    bad_target = check_all_in(0, INF, xp=xp, target=target)
    bad_input = None if log_input else check_all_in(0, INF, xp=xp, input=input)

    return reduced(
        _poisson_of_log if log_input else _poisson,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(bad_target, bad_input),
        denominator=denominator,
        xp=xp,
        full=full,
        **({} if log_input else {"eps": eps}),
    )


@public(var=FINITE._replace(broadcasts=True, fills=True), eps=POSITIVE)
@leaves_out(input=0.5, target=1, var=Entries(1, broadcasts=True), elementwise=True)
def gaussian_nll_loss(
    input: Array,
    target: Array,
    var: float | Array,
    /,
    *,
    log_var: bool = False,
    full: bool = False,
    eps: float = 1e-6,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Negative log-likelihood of a Gaussian distribution.

    ``(log(v) + (input - target)**2 / v) / 2`` with ``v = max(var, eps)``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Expected value, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    var : float, or array of any real dtype, broadcastable to `input`
        Variance, in u squared, at least 0; or its logarithm.
    log_var : bool, default False
        Is `var` the logarithm of the variance? It has no floor then.
    full : bool, default False
        Add ``log(2 * pi) / 2``.
    eps : float, default 1e-6
        Smallest variance, greater than 0.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not fit, a variance or a weight is negative, `eps` is not positive, or
        `reduction` is unknown.

    Notes
    -----
    The gradient in `input` is ``d / v`` with ``d = input - target``; that in `var` is
    ``(1 - d**2 / v) / (2 * v)``, as if the floor were not there, so that a variance below it can
    grow again.

    Source: D. A. Nix, A. S. Weigend, "Estimating the mean and variance of the target probability
    distribution" (1994), doi:10.1109/ICNN.1994.374138; torch.nn.functional.gaussian_nll_loss, for
    the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, y, var = np.asarray([0.5, 1.0]), np.asarray([0.0, 1.0]), np.asarray([0.25, 1.0])
    >>> pl.gaussian_nll_loss(x, y, var, reduction="none").round(4)
    array([-0.1931,  0.    ])
    """
    xp = namespace_of(
        input=input, target=target, var=var, optional={"sample_weight": sample_weight}
    )
    check_floating(xp, input=input, target=target)
    check_real(xp, var=var)
    check_broadcasts_to(tuple(input.shape), var=var)
    invalid = None if log_var else check_all_in(0, INF, xp=xp, var=var)
    spread = broadcast_to(var, input.shape, like=input, xp=xp)

    return reduced(
        _gaussian_of_log if log_var else _gaussian,
        {"input": input, "target": target, "var": spread},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(invalid,),
        denominator=denominator,
        xp=xp,
        full=full,
        **({} if log_var else {"eps": eps}),
    )


def _poisson_of_log_by_input(
    grad: Array, out: Array, x: Array, t: Array, *, full: bool, xp: Namespace
) -> Array:
    """``exp(x) - t``."""
    return grad * (xp.exp(x) - _where(x > _FAR, 0.0, t, xp=xp))


def _poisson_of_log_by_target(
    grad: Array, out: Array, x: Array, t: Array, *, full: bool, xp: Namespace
) -> Array:
    """``-x``, and ``digamma(t + 1)`` more if `full`."""
    slope = -contribution(t, minimum(x, _FAR, xp=xp), xp=xp)
    return grad * (slope + _polygamma(t + 1, order=0, xp=xp) if full else slope)


@with_gradient(_poisson_of_log_by_input, _poisson_of_log_by_target, elementwise=True)
def _poisson_of_log(x: Array, t: Array, *, full: bool, xp: Namespace) -> Array:
    """``exp(x) - t * x``, and ``log(t!)`` more if `full`."""
    loss = xp.exp(x) - t * contribution(t, minimum(x, _FAR, xp=xp), xp=xp)
    return loss + _gammaln(t + 1, xp=xp) if full else loss


def _rate(x: Array, eps: float, *, xp: Namespace) -> Array:
    """``x + eps``, at most the largest number."""
    return minimum(x + eps, largest(x, xp=xp), xp=xp)


def _poisson_by_input(
    grad: Array, out: Array, x: Array, t: Array, *, full: bool, eps: float, xp: Namespace
) -> Array:
    """``1 - t / (x + eps)``."""
    most = largest(x, xp=xp)
    share = _where(x + eps > most, 0.0, _quotient(t, _rate(x, eps, xp=xp), xp=xp), xp=xp)
    return grad * (1 - share)


def _poisson_by_target(
    grad: Array, out: Array, x: Array, t: Array, *, full: bool, eps: float, xp: Namespace
) -> Array:
    """``-log(x + eps)``, and ``digamma(t + 1)`` more if `full`."""
    rate = _rate(x, eps, xp=xp)
    slope = -contribution(t, log(rate, xp=xp), xp=xp)
    return grad * (slope + _polygamma(t + 1, order=0, xp=xp) if full else slope)


@with_gradient(_poisson_by_input, _poisson_by_target, elementwise=True)
def _poisson(x: Array, t: Array, *, full: bool, eps: float, xp: Namespace) -> Array:
    """``x - t * log(x + eps)``, and ``log(t!)`` more if `full`."""
    loss = x - _xlogy(t, _rate(x, eps, xp=xp), xp=xp)
    return loss + _gammaln(t + 1, xp=xp) if full else loss


_FAR = 1000.0  # from there on exp(x) is infinite
_CONSTANT = math.log(2 * math.pi) / 2  # of a normal density


def _gaussian_of_log_by_input(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, xp: Namespace
) -> Array:
    """``(x - t) * exp(-v)``."""
    e = xp.exp(-v / 2)
    z = (x - t) * contribution(x - t, e, xp=xp)
    return grad * (z * contribution(x - t, e, xp=xp))


def _gaussian_of_log_by_target(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, xp: Namespace
) -> Array:
    """Minus that by the input."""
    return -_gaussian_of_log_by_input(grad, out, x, t, v, full=full, xp=xp)


def _gaussian_of_log_by_var(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, xp: Namespace
) -> Array:
    """``(1 - (x - t)**2 * exp(-v)) / 2``."""
    z = (x - t) * contribution(x - t, xp.exp(-v / 2), xp=xp)
    return grad * ((1 - z * z) / 2)


@with_gradient(
    _gaussian_of_log_by_input,
    _gaussian_of_log_by_target,
    _gaussian_of_log_by_var,
    elementwise=True,
)
def _gaussian_of_log(x: Array, t: Array, v: Array, *, full: bool, xp: Namespace) -> Array:
    """``v / 2 + (x - t)**2 * exp(-v) / 2``, and ``log(2 * pi) / 2`` more if `full`."""
    z = (x - t) * contribution(x - t, xp.exp(-v / 2), xp=xp)
    loss = v / 2 + z * z / 2
    return loss + _CONSTANT if full else loss


def _floored(v: Array, eps: float, *, xp: Namespace) -> Array:
    """``max(v, eps)``, with the derivatives of v."""
    return _where(v < eps, eps + (v - stop_gradient(v, xp=xp)), v, xp=xp)


def _gaussian_by_input(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, eps: float, xp: Namespace
) -> Array:
    """``(x - t) / v``."""
    return grad * ((x - t) / _floored(v, eps, xp=xp))


def _gaussian_by_target(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, eps: float, xp: Namespace
) -> Array:
    """``(t - x) / v``."""
    return grad * ((t - x) / _floored(v, eps, xp=xp))


def _gaussian_by_var(
    grad: Array, out: Array, x: Array, t: Array, v: Array, *, full: bool, eps: float, xp: Namespace
) -> Array:
    """``(1 - (x - t)**2 / v) / (2 * v)``."""
    d, v = x - t, _floored(v, eps, xp=xp)
    return grad * ((1 - d * (d / v)) / v / 2)


@with_gradient(_gaussian_by_input, _gaussian_by_target, _gaussian_by_var, elementwise=True)
def _gaussian(x: Array, t: Array, v: Array, *, full: bool, eps: float, xp: Namespace) -> Array:
    """``(log(v) + (x - t)**2 / v) / 2``, and ``log(2 * pi) / 2`` more if `full`."""
    d, v = x - t, _floored(v, eps, xp=xp)
    loss = xp.log(v) / 2 + d * (d / v) / 2
    return loss + _CONSTANT if full else loss
