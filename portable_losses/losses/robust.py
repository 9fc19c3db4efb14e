"""Losses for real-valued targets that large errors do not rule."""

import math
from typing import Any

from portable_losses._dtypes import largest
from portable_losses._gradient import with_gradient
from portable_losses._options import POSITIVE
from portable_losses._polyfill import clip
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import namespace_of
from portable_losses.activations.logistic import _tanh
from portable_losses.losses._errors import of_error
from portable_losses.losses._left_out import leaves_out
from portable_losses.special.logistic import negative_size

__all__ = [
    "log_cosh_loss",
    "pseudo_huber_loss",
]

# In all of them d = input - target, in the unit of the two.


@public(delta=POSITIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def pseudo_huber_loss(
    input: Array,
    target: Array,
    /,
    *,
    delta: float | Array = 1.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Quadratic for small errors, linear for large ones, smooth in between.

    ``delta**2 * (sqrt(1 + (d / delta)**2) - 1)`` with ``d = input - target``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    delta : float or 0-d array, default 1.0
        Size of the error, in u, around which the loss turns linear. Greater than 0.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in u squared
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `delta` is not positive, a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    Computed as ``delta * d * d / (delta + hypot(delta, d))``, in an order that neither cancels nor
    overflows before the loss does. The gradient is ``delta * d / hypot(delta, d)``.

    Source: P. Charbonnier, L. Blanc-Féraud, G. Aubert, M. Barlaud, "Deterministic edge-preserving
    regularization in computed imaging" (1997), doi:10.1109/83.551699.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> d = np.asarray([0.0, 0.75, 1e200])
    >>> pl.pseudo_huber_loss(d, 0 * d, reduction="none")
    array([0.0e+000, 2.5e-001, 1.0e+200])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})

    return reduced(
        _pseudo_huber,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        delta=delta,
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def log_cosh_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Logarithm of the hyperbolic cosine of the error: ``log(cosh(input - target))``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction.
    target : array of any real dtype, shape of `input`
        Observation; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    Below 1 computed as ``log1p(e**2 / (2 + 2 * e))`` with ``e = expm1(|d|)``, which keeps the
    digits of a small loss, above as ``|d| + log1p(exp(-2 * |d|)) - log(2)``. The gradient is
    ``tanh(d)``.

    Source: keras.losses.LogCosh, for the name.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.log_cosh_loss(np.asarray([1e-4, 800.0]), np.asarray([0.0, 0.0]), reduction="none")
    array([4.99999999e-09, 7.99306853e+02])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    arrays = {"input": input, "target": target}

    return reduced(
        _log_cosh,
        arrays,
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
    )


def _hypotenuse(d: Array, delta: float, *, xp: Namespace) -> Array:
    """``sqrt(d**2 + delta**2)`` of finite d; no square overflows, and none underflows to 0."""
    size = -negative_size(d, xp=xp)
    small = size <= delta
    low = _where(small, size, 0.0, xp=xp) / delta
    high = delta / _where(small, delta, size, xp=xp)
    return _where(small, delta * xp.sqrt(1 + low * low), size * xp.sqrt(1 + high * high), xp=xp)


def _pseudo_huber_slope_grad(
    grad: Array, out: Array, d: Array, *, delta: float, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(delta / sqrt(d**2 + delta**2))**3``."""
    near = clip(d, -largest(d, xp=xp) / 4, largest(d, xp=xp) / 4, xp=xp)
    share = delta / _hypotenuse(near, delta, xp=xp)
    return (grad * (share * share * share),)


@with_gradient(_pseudo_huber_slope_grad, elementwise=True, by={"delta": None})
def _pseudo_huber_slope(d: Array, *, delta: float, xp: Namespace) -> Array:
    """``delta * d / sqrt(d**2 + delta**2)``."""
    near = clip(d, -largest(d, xp=xp) / 4, largest(d, xp=xp) / 4, xp=xp)
    return delta * (near / _hypotenuse(near, delta, xp=xp))


def _pseudo_huber_by_delta(
    grad: Array, out: Array, d: Array, *, delta: float, xp: Namespace
) -> Array:
    """``e**2 / h`` with ``h = sqrt(d**2 + delta**2)``, ``e = d**2 / (h + delta) = h - delta``."""
    near = clip(d, -largest(d, xp=xp) / 4, largest(d, xp=xp) / 4, xp=xp)
    h = _hypotenuse(near, delta, xp=xp)
    ratio = near / (delta + h)
    return grad * (ratio * (ratio * (near / h)) * d)


def _pseudo_huber_grad(grad: Array, out: Array, d: Array, **options: Any) -> Array:
    """``delta * d / sqrt(d**2 + delta**2)``."""
    return grad * _pseudo_huber_slope(d, **options)


@of_error(_pseudo_huber_grad, by={"delta": _pseudo_huber_by_delta})
def _pseudo_huber(d: Array, *, delta: float, xp: Namespace) -> Array:
    """``delta * d**2 / (delta + sqrt(d**2 + delta**2))``."""
    near = clip(d, -largest(d, xp=xp) / 4, largest(d, xp=xp) / 4, xp=xp)  # avoids inf / inf
    return delta * (near / (delta + _hypotenuse(near, delta, xp=xp))) * d


def _log_cosh_grad(grad: Array, out: Array, d: Array, *, xp: Namespace) -> Array:
    """``tanh(d)``."""
    return grad * _tanh(d, xp=xp)


@of_error(_log_cosh_grad)
def _log_cosh(d: Array, *, xp: Namespace) -> Array:
    """``log1p(cosh(d) - 1)``; from ``|d| = 1`` ``|d| + log1p(exp(-2 * |d|)) - log(2)``."""
    size = -negative_size(d, xp=xp)
    small = size < 1
    e = xp.expm1(_where(small, size, 0.0, xp=xp))  # cosh(d) - 1 = e**2 / (2 * (1 + e))
    far = _where(small, 1.0, size, xp=xp)
    beyond = far + (xp.log1p(xp.exp(-2 * far)) - math.log(2))
    return _where(small, xp.log1p(e * (e / (2 + 2 * e))), beyond, xp=xp)
