"""Losses of the error in proportion to the target."""

from portable_losses._gradient import with_gradient
from portable_losses._options import NONNEGATIVE
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_floating, namespace_of
from portable_losses._values import check_all_above, check_values
from portable_losses.losses._left_out import leaves_out

__all__ = ["mape_loss", "msle_loss"]


@public(eps=NONNEGATIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def mape_loss(
    input: Array,
    target: Array,
    /,
    *,
    eps: float | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Absolute error as a fraction of the target.

    ``|input - target| / max(|target|, eps)``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    eps : float, optional
        Smallest denominator, at least 0; None: the spacing of `input`'s dtype at 1.
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
        A fraction, not a percentage. Shape () after "mean" and "sum", (...) after "none". Dtype
        and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `eps` or a weight is negative, a target is 0 and so is `eps`, or
        `reduction` is unknown.

    Notes
    -----
    The gradient in `input` is ``sign(input - target) / max(|target|, eps)``, 0 at the kink.

    Source: R. J. Hyndman, A. B. Koehler, "Another look at measures of forecast accuracy" (2006),
    doi:10.1016/j.ijforecast.2006.03.001.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.mape_loss(np.asarray([0.5, 3.0]), np.asarray([1.0, -2.0]), reduction="none")
    array([0.5, 2.5])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, input=input, target=target)
    if eps is None:
        eps = float(xp.finfo(input.dtype).eps)
    invalid = None
    if eps == 0:
        what = "not be 0 where `eps` is 0"
        invalid = check_values(target, target == 0, what, name="target", xp=xp)

    return reduced(
        _relative,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(invalid,),
        denominator=denominator,
        xp=xp,
        eps=eps,
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def msle_loss(
    input: Array,
    target: Array,
    /,
    *,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Squared error of logarithms: ``(log(1 + input) - log(1 + target))**2``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, greater than -1.
    target : array of any real dtype, shape of `input`
        Observation, greater than -1; converted to the dtype of `input`.
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
        The shapes differ, an entry of `input` or `target` is at most -1, a weight is negative, or
        `reduction` is unknown.

    Notes
    -----
    Computed as ``log1p(|x - t| / (1 + min(x, t)))**2``: no two logarithms are subtracted.
    The gradient is ``2 * (log(1 + input) - log(1 + target)) / (1 + input)``.

    Source: sklearn.metrics.mean_squared_log_error, for the domain.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.msle_loss(np.asarray([1e-9, 3.0]), np.asarray([0.0, 0.0]), reduction="none").round(20)
    array([1.00000000e-18, 1.92181206e+00])
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, input=input, target=target)
    bad_input = check_all_above(-1, xp=xp, input=input)
    bad_target = check_all_above(-1, xp=xp, target=target)

    return reduced(
        _squared_log_ratio,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(bad_input, bad_target),
        denominator=denominator,
        xp=xp,
    )


def _floor(y: Array, *, eps: float, xp: Namespace) -> Array:
    """``max(|y|, eps)``, 1 where both are 0."""
    size = xp.abs(y)
    return _where(size > eps, size, eps or 1.0, xp=xp)


def _relative_by_input(
    grad: Array, out: Array, x: Array, y: Array, *, eps: float, xp: Namespace
) -> Array:
    """``sign(x - y) / max(|y|, eps)``."""
    return grad * (sign(x - y, xp=xp) / _floor(y, eps=eps, xp=xp))


def _relative_by_target(
    grad: Array, out: Array, x: Array, y: Array, *, eps: float, xp: Namespace
) -> Array:
    """``-sign(x - y) / max(|y|, eps)``, and where ``|y| > eps`` less ``out * sign(y)`` over it."""
    side = _where(xp.abs(y) > eps, sign(y, xp=xp), 0.0, xp=xp)
    return -grad * ((sign(x - y, xp=xp) + out * side) / _floor(y, eps=eps, xp=xp))


@with_gradient(_relative_by_input, _relative_by_target, elementwise=True)
def _relative(x: Array, y: Array, *, eps: float, xp: Namespace) -> Array:
    """``|x - y| / max(|y|, eps)``."""
    return xp.abs(x - y) / _floor(y, eps=eps, xp=xp)


def _log1p_ratio_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``1 / (1 + x)`` in x, ``-1 / (1 + y)`` in y."""
    return grad / _one_plus(x, xp=xp), -grad / _one_plus(y, xp=xp)


def _one_plus(x: Array, *, xp: Namespace) -> Array:
    """``1 + x``, and 1 where x <= -1."""
    return 1 + _where(x > -1, x, 0.0, xp=xp)


@with_gradient(_log1p_ratio_grad, elementwise=True)
def _log1p_ratio(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``log((1 + x) / (1 + y))``, with all digits where the two are close."""
    rises = x >= y
    gap = _where(rises, x - y, y - x, xp=xp)
    base = _one_plus(_where(rises, y, x, xp=xp), xp=xp)
    far = gap * 1e-17 > base  # there 1 + gap / base is rounded to gap / base, which may overflow
    near = xp.log1p(_where(far, 0.0, gap, xp=xp) / base)
    apart = xp.log(_where(far, gap, 1.0, xp=xp)) - xp.log(base)
    size = _where(far, apart, near, xp=xp)
    return _where(rises, size, -size, xp=xp)


def _log1p_share_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(1 - log((1 + x) / (1 + y))) / (1 + x)**2`` in x, which has a root."""
    one = _one_plus(x, xp=xp)
    in_x = (1 - _log1p_ratio(x, y, xp=xp)) / one / one
    return grad * in_x, -grad / one / _one_plus(y, xp=xp)


@with_gradient(_log1p_share_grad, elementwise=True)
def _log1p_share(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``log((1 + x) / (1 + y)) / (1 + x)``."""
    return _log1p_ratio(x, y, xp=xp) / _one_plus(x, xp=xp)


def _squared_log_ratio_by_input(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> Array:
    """``2 * log((1 + x) / (1 + y)) / (1 + x)``."""
    return grad * (2 * _log1p_share(x, y, xp=xp))


def _squared_log_ratio_by_target(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> Array:
    """``-2 * log((1 + x) / (1 + y)) / (1 + y)``."""
    return grad * (2 * _log1p_share(y, x, xp=xp))


@with_gradient(_squared_log_ratio_by_input, _squared_log_ratio_by_target, elementwise=True)
def _squared_log_ratio(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``log((1 + x) / (1 + y))**2``."""
    root = _log1p_ratio(x, y, xp=xp)
    return root * root
