"""Losses for real-valued targets that do not mind an error below a bound."""

from portable_losses._options import NONNEGATIVE, is_number
from portable_losses._polyfill import clip
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import namespace_of
from portable_losses.losses._errors import of_error
from portable_losses.losses._left_out import leaves_out

__all__ = ["epsilon_insensitive_loss", "squared_epsilon_insensitive_loss"]


@public(epsilon=NONNEGATIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def epsilon_insensitive_loss(
    input: Array,
    target: Array,
    /,
    *,
    epsilon: float | Array = 0.1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Absolute error beyond a margin: ``max(0, |input - target| - epsilon)``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    epsilon : float or 0-d array, default 0.1
        Size of the error, in u, up to which it costs nothing. At least 0.
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
        The shapes differ, `epsilon` or a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``sign(d)`` where ``|d| > epsilon`` and 0 elsewhere, the kinks included.

    Source: V. N. Vapnik, "The Nature of Statistical Learning Theory" (1995),
    doi:10.1007/978-1-4757-3264-1.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> d = np.asarray([0.25, -3.0])
    >>> pl.epsilon_insensitive_loss(d, 0 * d, epsilon=0.5, reduction="none")
    array([0. , 2.5])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})

    return reduced(
        _insensitive,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        epsilon=epsilon,
    )


@public(epsilon=NONNEGATIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def squared_epsilon_insensitive_loss(
    input: Array,
    target: Array,
    /,
    *,
    epsilon: float | Array = 0.1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Squared error beyond a margin: ``max(0, |input - target| - epsilon)**2``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    epsilon : float or 0-d array, default 0.1
        Size of the error, in u, up to which it costs nothing. At least 0.
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
        The shapes differ, `epsilon` or a weight is negative, or `reduction` is unknown.

    Notes
    -----
    The gradient is ``2 * (d - clip(d, -epsilon, epsilon))``.

    Source: sklearn.svm.LinearSVR, for the name.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> d = np.asarray([0.25, -3.0])
    >>> pl.squared_epsilon_insensitive_loss(d, 0 * d, epsilon=0.5, reduction="none")
    array([0.  , 6.25])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})

    return reduced(
        _squared_insensitive,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        epsilon=epsilon,
    )


def _beyond(d: Array, epsilon: float, *, xp: Namespace) -> Array:
    """``d - clip(d, -epsilon, epsilon)``."""
    return d if is_number(epsilon) and not epsilon else d - clip(d, -epsilon, epsilon, xp=xp)


def _insensitive_grad(grad: Array, out: Array, d: Array, *, epsilon: float, xp: Namespace) -> Array:
    """``sign(d)`` where ``|d| > epsilon``, else 0."""
    return grad * sign(_beyond(d, epsilon, xp=xp), xp=xp)


def _insensitive_by_epsilon(
    grad: Array, out: Array, d: Array, *, epsilon: float, xp: Namespace
) -> Array:
    """-1 where ``|d| > epsilon``, else 0."""
    side = sign(_beyond(d, epsilon, xp=xp), xp=xp)
    return -grad * (side * side)


@of_error(_insensitive_grad, by={"epsilon": _insensitive_by_epsilon})
def _insensitive(d: Array, *, epsilon: float, xp: Namespace) -> Array:
    """``max(0, |d| - epsilon)``."""
    return xp.abs(_beyond(d, epsilon, xp=xp))


def _squared_insensitive_grad(
    grad: Array, out: Array, d: Array, *, epsilon: float, xp: Namespace
) -> Array:
    """``2 * (d - clip(d, -epsilon, epsilon))``."""
    return grad * (2 * _beyond(d, epsilon, xp=xp))


def _squared_insensitive_by_epsilon(
    grad: Array, out: Array, d: Array, *, epsilon: float, xp: Namespace
) -> Array:
    """``-2 * max(0, |d| - epsilon)``."""
    excess = _beyond(d, epsilon, xp=xp)
    return -2 * grad * (excess * sign(excess, xp=xp))


@of_error(_squared_insensitive_grad, by={"epsilon": _squared_insensitive_by_epsilon})
def _squared_insensitive(d: Array, *, epsilon: float, xp: Namespace) -> Array:
    """``max(0, |d| - epsilon)**2``."""
    excess = _beyond(d, epsilon, xp=xp)
    return excess * excess
