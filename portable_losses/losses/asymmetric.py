"""Losses that weigh errors above and below a target differently: quantiles and expectiles."""

from portable_losses._gradient import with_gradient
from portable_losses._options import UNIT, is_number
from portable_losses._polyfill import broadcast_to, constant
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_broadcasts_to,
    check_floating,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import check_values
from portable_losses.losses._left_out import leaves_out

__all__ = ["expectile_loss", "quantile_loss"]

# In both of them u = target - input, in the unit of the two.


@public(q=UNIT._replace(broadcasts=True))
@leaves_out(input=0.5, target=1, elementwise=True)
def quantile_loss(
    input: Array,
    target: Array,
    /,
    *,
    q: float | Array = 0.5,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Pinball loss, least for the quantiles of the target.

    ``max(q * u, (q - 1) * u)`` with ``u = target - input``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    q : float or array of a real floating dtype, broadcastable to `input`, default 0.5
        The quantile, in (0, 1): a number, or one number for each entry of the last axis.
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
        The shapes differ, `q` lies outside (0, 1), a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    The gradient in `input` is ``-q`` below the target, ``1 - q`` above it, and 0 at it.

    Source: R. Koenker, G. Bassett, "Regression quantiles" (1978), doi:10.2307/1913643.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, y = np.asarray([1.0, 1.0]), np.asarray([0.0, 3.0])
    >>> pl.quantile_loss(x, y, q=0.75, reduction="none")
    array([0.25, 1.5 ])
    """
    own = {"q": None if is_number(q) else q, "sample_weight": sample_weight}
    xp = namespace_of(input=input, target=target, optional=own)
    check_floating(xp, input=input, target=target)
    level, quantiles, invalid = _level("q", q, input, xp=xp)

    return reduced(
        _quantile_loss,
        {"input": input, "target": target, "q": quantiles},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(invalid,),
        denominator=denominator,
        xp=xp,
        level=level,
    )


@public(tau=UNIT._replace(broadcasts=True))
@leaves_out(input=0.5, target=1, elementwise=True)
def expectile_loss(
    input: Array,
    target: Array,
    /,
    *,
    tau: float | Array = 0.5,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Asymmetric squared error, least for the expectiles of the target.

    ``tau * u**2`` for ``u = target - input`` above 0, ``(1 - tau) * u**2`` below.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    tau : float or array of a real floating dtype, broadcastable to `input`, default 0.5
        The expectile, in (0, 1): a number, or one number for each entry of the last axis. That of
        0.5 is the mean.
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
        The shapes differ, `tau` lies outside (0, 1), a weight is negative, or `reduction` is
        unknown.

    Notes
    -----
    The second derivative is ``2 * tau`` below the target, ``2 * (1 - tau)`` above it, and 1 at it.

    Source: W. K. Newey, J. L. Powell, "Asymmetric least squares estimation and testing" (1987),
    doi:10.2307/1911031.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, y = np.asarray([1.0, 1.0]), np.asarray([0.0, 3.0])
    >>> pl.expectile_loss(x, y, tau=0.75, reduction="none")
    array([0.25, 3.  ])
    """
    own = {"tau": None if is_number(tau) else tau, "sample_weight": sample_weight}
    xp = namespace_of(input=input, target=target, optional=own)
    check_floating(xp, input=input, target=target)
    level, levels, invalid = _level("tau", tau, input, xp=xp)

    return reduced(
        _expectile_loss,
        {"input": input, "target": target, "tau": levels},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(invalid,),
        denominator=denominator,
        xp=xp,
        level=level,
    )


def _level(
    name: str, given: float | Array, like: Array, *, xp: Namespace
) -> tuple[float, Array | None, Array | None]:
    """Return a number, or 0 and an array of the shape of `like` and its mask of bad entries."""
    if isinstance(given, int | float):
        return float(given), None, None
    check_real_floating(namespace_of(input=like, **{name: given}), **{name: given})
    check_broadcasts_to(tuple(like.shape), **{name: given})
    bad = ~((given > 0) & (given < 1))
    invalid = check_values(given, bad, "lie in (0, 1)", name=name, xp=xp)
    return 0.0, broadcast_to(given, like.shape, like=like, xp=xp), invalid


def _quantile_slope(x: Array, y: Array, q: Array | None, *, level: float, xp: Namespace) -> Array:
    """``-q`` where x < y, ``1 - q`` where x > y, else 0: q is an array, or `level`."""
    above, below = (level, 1 - level) if q is None else (q, 1 - q)
    zero = constant(0.0, x, xp=xp)
    return _where(x < y, -above, _where(x > y, below, zero, xp=xp), xp=xp)


def _quantile_by_input(
    grad: Array, out: Array, x: Array, y: Array, q: Array | None, *, level: float, xp: Namespace
) -> Array:
    """The slope."""
    return grad * _quantile_slope(x, y, q, level=level, xp=xp)


def _quantile_by_target(
    grad: Array, out: Array, x: Array, y: Array, q: Array | None, *, level: float, xp: Namespace
) -> Array:
    """Minus the slope."""
    return -grad * _quantile_slope(x, y, q, level=level, xp=xp)


def _quantile_by_q(
    grad: Array, out: Array, x: Array, y: Array, q: Array, *, level: float, xp: Namespace
) -> Array:
    """``y - x``."""
    return grad * (y - x)


@with_gradient(_quantile_by_input, _quantile_by_target, _quantile_by_q, elementwise=True)
def _quantile_loss(x: Array, y: Array, q: Array | None, *, level: float, xp: Namespace) -> Array:
    """``q * (y - x)`` where x < y, ``(1 - q) * (x - y)`` elsewhere."""
    return _quantile_slope(x, y, q, level=level, xp=xp) * (x - y)


def _share(x: Array, y: Array, tau: Array | None, *, level: float, xp: Namespace) -> Array:
    """``tau`` where x < y, ``1 - tau`` where x > y, else 1/2: tau is an array, or `level`."""
    above, below = (level, 1 - level) if tau is None else (tau, 1 - tau)
    half = constant(0.5, x, xp=xp)
    return _where(x < y, above, _where(x > y, below, half, xp=xp), xp=xp)


def _expectile_by_input(
    grad: Array, out: Array, x: Array, y: Array, tau: Array | None, *, level: float, xp: Namespace
) -> Array:
    """``2 * share * (x - y)``."""
    return grad * (2 * _share(x, y, tau, level=level, xp=xp) * (x - y))


def _expectile_by_target(
    grad: Array, out: Array, x: Array, y: Array, tau: Array | None, *, level: float, xp: Namespace
) -> Array:
    """Minus the slope."""
    return -grad * (2 * _share(x, y, tau, level=level, xp=xp) * (x - y))


def _expectile_by_tau(
    grad: Array, out: Array, x: Array, y: Array, tau: Array, *, level: float, xp: Namespace
) -> Array:
    """``(x - y)**2`` where x < y, less that where x > y."""
    d = x - y
    return grad * -(_where(d < 0, -d, d, xp=xp) * d)


@with_gradient(_expectile_by_input, _expectile_by_target, _expectile_by_tau, elementwise=True)
def _expectile_loss(x: Array, y: Array, tau: Array | None, *, level: float, xp: Namespace) -> Array:
    """``share * (x - y)**2``."""
    d = x - y
    return _share(x, y, tau, level=level, xp=xp) * d * d
