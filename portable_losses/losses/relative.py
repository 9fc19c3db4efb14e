"""Losses of the error in proportion to the target."""

from portable_losses._gradient import with_gradient
from portable_losses._options import check_nonnegative
from portable_losses._polyfill import where
from portable_losses._reduction import reduce
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import check_values, join, namespace_of, spoil
from portable_losses.losses.regression import _both, _size

__all__ = ["mape_loss", "msle_loss"]


def mape_loss(
    input: Array,
    target: Array,
    /,
    *,
    eps: float | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
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
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

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
    >>> mape_loss(np.asarray([0.5, 3.0]), np.asarray([1.0, -2.0]), reduction="none")
    array([0.5, 2.5])
    """
    xp = namespace_of(input=input, target=target, sample_weight=sample_weight)
    x, y = _both(input, target, xp=xp)
    if eps is None:
        eps = float(xp.finfo(input.dtype).eps)
    check_nonnegative(eps=eps)
    factor = None
    if eps == 0:
        what = "not be 0 where `eps` is 0"
        factor = check_values(target, target != 0, what, name="target", like=x, xp=xp)

    size = _size(y, xp=xp)
    floor = eps or 1.0  # a target of 0 may stand here where it cannot be read
    loss = _size(x - y, xp=xp) / where(size > eps, size, floor, xp=xp)
    loss = spoil(loss, factor)

    return reduce(loss, reduction, sample_weight=sample_weight, dtype=input.dtype, xp=xp)


def msle_loss(
    input: Array,
    target: Array,
    /,
    *,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Squared error of logarithms: ``(log(1 + input) - log(1 + target))**2``.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, greater than -1.
    target : array of any real dtype, shape of `input`
        Observation, greater than -1; converted to the dtype of `input`.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

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
    >>> msle_loss(np.asarray([1e-9, 3.0]), np.asarray([0.0, 0.0]), reduction="none").round(20)
    array([1.00000000e-18, 1.92181206e+00])
    """
    xp = namespace_of(input=input, target=target, sample_weight=sample_weight)
    x, y = _both(input, target, xp=xp)
    what, factor = "be greater than -1", None
    for name, z in (("input", x), ("target", y)):
        factor = join(factor, check_values(z, ~(z <= -1), what, name=name, like=x, xp=xp))

    root = _log_of_ratio(x, y, xp=xp)
    loss = spoil(root * root, factor)

    return reduce(loss, reduction, sample_weight=sample_weight, dtype=input.dtype, xp=xp)


def _log_of_ratio_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    return grad / _one_more(x, xp=xp), -grad / _one_more(y, xp=xp)


def _one_more(x: Array, *, xp: Namespace) -> Array:
    """Return ``1 + x``, and 1 where x is off the domain."""
    return 1 + where(x > -1, x, 0.0, xp=xp)


@with_gradient(_log_of_ratio_grad)
def _log_of_ratio(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``log((1 + x) / (1 + y))``, with all digits where the two are close."""
    rises = x >= y
    gap = where(rises, x - y, y - x, xp=xp)
    base = _one_more(where(rises, y, x, xp=xp), xp=xp)
    far = gap * 1e-17 > base  # where 1 + ratio is the ratio, which might overflow
    near = xp.log1p(where(far, 0.0, gap, xp=xp) / base)
    apart = xp.log(where(far, gap, 1.0, xp=xp)) - xp.log(base)
    size = where(far, apart, near, xp=xp)
    return where(rises, size, -size, xp=xp)
