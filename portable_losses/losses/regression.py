"""Losses for real-valued targets."""

from typing import Any

from portable_losses._options import NONNEGATIVE, POSITIVE, is_number
from portable_losses._polyfill import clip, minimum
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import namespace_of
from portable_losses.losses._errors import of_error
from portable_losses.losses._left_out import leaves_out

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]

# In all of them d = input - target, in the unit of the two.


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def mse_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Squared error: ``d**2`` with ``d = input - target``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
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
        The shapes differ, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``2 * d``.

    Source: A.-M. Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes"
    (1805).

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.mse_loss(np.asarray([0.5, 3.0]), np.asarray([0.0, 0.0]), reduction="none")
    array([0.25, 9.  ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    arrays = {"input": input, "target": target}

    return reduced(
        _squared,
        arrays,
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def l1_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Absolute error: ``|d|`` with ``d = input - target``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in u
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``sign(d)``, 0 at the kink.

    Source: P.-S. Laplace, "Mémoire sur la probabilité des causes par les évènements" (1774).

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.l1_loss(np.asarray([0.5, -3.0]), np.asarray([0.0, 0.0]), reduction="none")
    array([0.5, 3. ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    arrays = {"input": input, "target": target}

    return reduced(
        _absolute,
        arrays,
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
    )


@public(beta=NONNEGATIVE._replace(of_arrays=POSITIVE))
@leaves_out(input=0.5, target=1, elementwise=True)
def smooth_l1_loss(
    input: Array,
    target: Array,
    /,
    *,
    beta: float | Array = 1.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Absolute error, smoothed near 0.

    With ``d = input - target``::

        loss = d**2 / (2 * beta)    where |d| < beta
               |d| - beta / 2       elsewhere

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    beta : float or 0-d array, default 1.0
        Size of the error, in u, at which the loss turns linear. At least 0; 0 is `l1_loss`.
        An array is above 0.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in u
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `beta` or a weight is negative, or `reduction` is unknown.

    Notes
    -----
    Equal to ``huber_loss(delta=beta) / beta``. The gradient is ``clip(d, -beta, beta) / beta``.

    Source: R. Girshick, "Fast R-CNN" (2015), arXiv:1504.08083.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.smooth_l1_loss(np.asarray([0.5, 3.0]), np.asarray([0.0, 0.0]), reduction="none")
    array([0.125, 2.5  ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    flat = is_number(beta) and beta == 0
    options: dict[str, Any] = {} if flat else {"delta": beta, "scaled": True}

    return reduced(
        _absolute if flat else _huber,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        **options,
    )


@public(delta=POSITIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def huber_loss(
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
    """Quadratic for small errors, linear for large ones.

    With ``d = input - target``::

        loss = d**2 / 2                     where |d| <= delta
               delta * (|d| - delta / 2)    elsewhere

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    delta : float or 0-d array, default 1.0
        Size of the error, in u, at which the loss turns linear. Greater than 0.
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
    Both branches are one product, ``near * (|d| - near / 2)`` with ``near = min(|d|, delta)``: no
    branch is computed and thrown away, and nothing overflows before the loss does. The gradient
    is ``clip(d, -delta, delta)``.

    Source: P. J. Huber, "Robust estimation of a location parameter" (1964),
    doi:10.1214/aoms/1177703732.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.huber_loss(np.asarray([0.5, 3.0]), np.asarray([0.0, 0.0]), reduction="none")
    array([0.125, 2.5  ])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})

    return reduced(
        _huber,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        delta=delta,
        scaled=False,
    )


def _squared_grad(grad: Array, out: Array, d: Array, *, xp: Namespace) -> Array:
    """``2 * d``."""
    return grad * (2 * d)


@of_error(_squared_grad)
def _squared(d: Array, *, xp: Namespace) -> Array:
    """``d**2``."""
    return d * d


def _absolute_grad(grad: Array, out: Array, d: Array, *, xp: Namespace) -> Array:
    """``sign(d)``, 0 at 0."""
    return grad * sign(d, xp=xp)


@of_error(_absolute_grad)
def _absolute(d: Array, *, xp: Namespace) -> Array:
    """``|d|``."""
    return xp.abs(d)


def _huber_grad(
    grad: Array, out: Array, d: Array, *, delta: float, scaled: bool, xp: Namespace
) -> Array:
    """``clip(d, -delta, delta)``, over `delta` if `scaled`."""
    slope = clip(d, -delta, delta, xp=xp)
    return grad * (slope / delta if scaled else slope)


def _huber_by_delta(
    grad: Array, out: Array, d: Array, *, delta: float, scaled: bool, xp: Namespace
) -> Array:
    """``|d| - n`` with ``n = min(|d|, delta)``; ``-(n / delta)**2 / 2`` if `scaled`."""
    size = d * sign(d, xp=xp)
    near = minimum(size, delta, xp=xp)
    if not scaled:
        return grad * _where(size <= delta, 0.0, size - delta, xp=xp)
    return grad * (-0.5 * (near / delta) * (near / delta))


@of_error(_huber_grad, by={"delta": _huber_by_delta})
def _huber(d: Array, *, delta: float, scaled: bool, xp: Namespace) -> Array:
    """``n * (|d| - n / 2)`` with ``n = min(|d|, delta)``, over `delta` if `scaled`.

    The division comes before the multiplication, so that only a loss overflows that is too large.
    """
    size = xp.abs(d)
    near = minimum(size, delta, xp=xp)
    return (near / delta if scaled else near) * (size - near / 2)
