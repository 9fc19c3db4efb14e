"""Rectified linear units: zero, or a smaller slope, on the negative half line."""

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import differentiable_again, elementwise_call, with_gradient
from portable_losses._options import FINITE, check_order
from portable_losses._polyfill import where
from portable_losses._public import public
from portable_losses._reduction import weigh
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    as_floating,
    check_axis,
    check_broadcasts_to,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import mark_invalid

__all__ = ["leaky_relu", "prelu", "relu", "relu6", "relu_squared", "rrelu", "threshold"]


@public
def relu(x: Array, /) -> Array:
    """Rectified linear unit: ``max(x, 0)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; +inf stays +inf, -inf gives 0.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is 1 above 0 and 0 elsewhere, 0 at the kink included.

    Source: V. Nair, G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.relu(np.asarray([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return elementwise_call(_clip, x, widened=False, low=0.0, high=None)


@public
def relu6(x: Array, /) -> Array:
    """Rectified linear unit that is capped at 6: ``min(max(x, 0), 6)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [0, 6]; shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is 1 between 0 and 6 and 0 elsewhere, 0 at both kinks included.

    Source: A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10" (2010).

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.relu6(np.asarray([-2.0, 3.0, 7.0]))
    array([0., 3., 6.])
    """
    return elementwise_call(_clip, x, widened=False, low=0.0, high=6.0)


@public
def relu_squared(x: Array, /) -> Array:
    """Square of the rectified linear unit: ``max(x, 0)**2``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; +inf stays +inf, -inf gives 0.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is ``2 * max(x, 0)``, without a jump; the second derivative is 0 at 0.

    Source: D. R. So et al., "Primer: searching for efficient transformers for language modeling"
    (2021), arXiv:2109.08668.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.relu_squared(np.asarray([-2.0, 0.0, 3.0]))
    array([0., 0., 9.])
    """
    return elementwise_call(_relu_squared, x)


@public(negative_slope=FINITE)
def leaky_relu(x: Array, /, *, negative_slope: float | Array = 0.01) -> Array:
    """Rectified linear unit that leaks: ``x`` where ``x > 0``, else ``negative_slope * x``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    negative_slope : float or 0-d array, default 0.01
        Slope below 0; any finite number, also above 1 or below 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `negative_slope` is not finite.

    Notes
    -----
    The gradient is 1 above 0 and `negative_slope` elsewhere, 0 included.

    Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network
    acoustic models", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.leaky_relu(np.asarray([-2.0, 0.0, 3.0]), negative_slope=0.1)
    array([-0.2,  0. ,  3. ])
    """
    return elementwise_call(_leaky_relu, x, slope=negative_slope)


@public
def prelu(x: Array, weight: Array, /, *, axis: int = -1) -> Array:
    """Rectified linear unit with a learned slope: ``x`` where ``x > 0``, else ``weight * x``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (..., C, ...)
    weight : array of a real floating dtype, shape (C,), (1,) or ()
        Slopes below 0, one for each of the C channels or one for all; converted to the dtype of
        `x`.
    axis : int, default -1
        The axis of the channels. PyTorch's (N, C, ...) layout is ``axis=1``.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; a weight of 0 makes 0 of -inf.

    Raises
    ------
    TypeError
        `x` or `weight` is not a real floating array, or they come from two libraries.
    ValueError
        `weight` has neither one element nor one for each channel.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradient in x is 1 above 0 and `weight` elsewhere, 0 included; the gradient in `weight` is
    the sum of ``min(x, 0)``.

    Source: K. He et al., "Delving deep into rectifiers" (2015), arXiv:1502.01852.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.prelu(np.asarray([[-2.0, -2.0], [3.0, 3.0]]), np.asarray([0.5, 0.1]))
    array([[-1. , -0.2],
           [ 3. ,  3. ]])
    """
    xp = namespace_of(x=x, weight=weight)
    check_real_floating(xp, x=x, weight=weight)
    shape = tuple(x.shape) or (1,)  # a number is one channel
    place = check_axis(axis, len(shape))
    check_broadcasts_to((shape[place],), weight=weight)

    z = widen(x, xp=xp)
    slope = narrow(weight, z.dtype, xp=xp)
    if weight.ndim == 1 and x.ndim:
        slope = xp.reshape(slope, (-1, *(1,) * (x.ndim - 1 - place)))
    elif weight.ndim == 1:
        slope = slope[0]
    return narrow(_leaky_relu_of_slopes(z, slope, xp=xp), x.dtype, xp=xp)


@public(lower=FINITE, upper=FINITE)
def rrelu(
    x: Array,
    slope: Array | None = None,
    /,
    *,
    lower: float | Array = 0.125,
    upper: float | Array = 1 / 3,
) -> Array:
    """Rectified linear unit with a random slope: ``x`` where ``x > 0``, else ``slope * x``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    slope : array of a real floating dtype, shape (...), optional
        Slopes below 0, drawn by the caller from the uniform distribution between `lower` and
        `upper`; converted to the dtype of `x`. None, as when a network is used and not trained:
        the middle of the two.
    lower, upper : float or 0-d array, default 1/8 and 1/3

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; a slope of 0 makes 0 of -inf.

    Raises
    ------
    TypeError
        `x` or `slope` is not a real floating array, or they come from two libraries.
    ValueError
        The shapes differ, `lower` is above `upper`, or one of them is not finite.

    Notes
    -----
    Nothing is drawn here: the standard has no random numbers, and a caller's can be repeated. The
    gradient in x is 1 above 0 and `slope` elsewhere, 0 included; in `slope` it is ``min(x, 0)``.

    Source: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network"
    (2015), arXiv:1505.00853.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([-2.0, 3.0])
    >>> pl.rrelu(x, np.random.default_rng(0).uniform(0.125, 1 / 3, x.shape)).round(4)
    array([-0.5154,  3.    ])
    >>> pl.rrelu(x, lower=0.25, upper=0.75)
    array([-1.,  3.])
    """
    invalid = check_order(lower=lower, upper=upper)
    xp = namespace_of(x=x, optional={"slope": slope})
    if slope is None:
        result = leaky_relu(x, negative_slope=(lower + upper) / 2)
    else:
        check_real_floating(xp, x=x, slope=slope)
        z, s = as_floating(xp, x=x, slope=slope)
        result = narrow(_leaky_relu_of_slopes(z, s, xp=xp), x.dtype, xp=xp)
    return mark_invalid(result, invalid, xp=xp)


@public(threshold=FINITE, value=FINITE)
def threshold(x: Array, /, *, threshold: float | Array, value: float | Array) -> Array:
    """Replace what is not above a threshold: ``x`` where ``x > threshold``, else ``value``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    threshold, value : float or 0-d array

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `threshold` or `value` is not finite.

    Notes
    -----
    The gradient is 1 above the threshold and 0 elsewhere, 0 at the threshold itself.

    Source: torch.nn.functional.threshold.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.threshold(np.asarray([-2.0, 1.0, 3.0]), threshold=1.0, value=20.0)
    array([20., 20.,  3.])
    """
    return elementwise_call(_replace_below, x, level=threshold, value=value)


def _relu_squared(x: Array, *, xp: Namespace) -> Array:
    """``max(x, 0)**2``."""
    z = _clip(x, low=0.0, high=None, xp=xp)
    return z * z


def _replace_below_grad(
    grad: Array, out: Array, x: Array, *, level: float, value: float, xp: Namespace
) -> tuple[Array]:
    """1 where x > level, else 0."""
    return (where(x <= level, 0.0, grad, xp=xp),)


def _replace_below_by_level(
    grad: Array, out: Array, x: Array, *, level: float, value: float, xp: Namespace
) -> Array:
    """0: the jump has no derivative."""
    return 0.0 * grad


def _replace_below_by_value(
    grad: Array, out: Array, x: Array, *, level: float, value: float, xp: Namespace
) -> Array:
    """0 where x > level, else 1."""
    return where(x <= level, grad, 0.0, xp=xp)


@with_gradient(
    _replace_below_grad,
    elementwise=True,
    by={"level": _replace_below_by_level, "value": _replace_below_by_value},
)
def _replace_below(x: Array, *, level: float, value: float, xp: Namespace) -> Array:
    """``x`` where x > level, else `value`."""
    return where(x <= level, value, differentiable_again(x, xp=xp), xp=xp)


def _clip_grad(
    grad: Array, out: Array, x: Array, *, low: float, high: float | None, xp: Namespace
) -> tuple[Array]:
    """1 strictly between the bounds, 0 at both."""
    flat = x <= low if high is None else (x <= low) | (x >= high)
    return (where(flat, 0.0, grad, xp=xp),)


def _clip_by_low(
    grad: Array, out: Array, x: Array, *, low: float, high: float | None, xp: Namespace
) -> Array:
    """1 where x is at most `low`, else 0."""
    return where(x <= low, grad, 0.0, xp=xp)


def _clip_by_high(
    grad: Array, out: Array, x: Array, *, low: float, high: float | None, xp: Namespace
) -> Array:
    """1 where x is at least `high`, else 0."""
    return where((x >= high) & (x > low), grad, 0.0, xp=xp)


@with_gradient(_clip_grad, elementwise=True, by={"low": _clip_by_low, "high": _clip_by_high})
def _clip(x: Array, *, low: float, high: float | None, xp: Namespace) -> Array:
    """``clip(x, low, high)``; gradient 1 strictly between the bounds, 0 at both."""
    below = x if high is None else where(x >= high, high, x, xp=xp)
    return where(x <= low, low, below, xp=xp)


def _leaky_relu_grad(
    grad: Array, out: Array, x: Array, *, slope: float, xp: Namespace
) -> tuple[Array]:
    """1 where x > 0, else `slope`."""
    return (where(x > 0, grad, slope * grad, xp=xp),)


def _leaky_relu_by_slope(
    grad: Array, out: Array, x: Array, *, slope: float, xp: Namespace
) -> Array:
    """0 where x > 0, else x."""
    return grad * where(x > 0, 0.0, x, xp=xp)


@with_gradient(_leaky_relu_grad, elementwise=True, by={"slope": _leaky_relu_by_slope})
def _leaky_relu(x: Array, *, slope: float, xp: Namespace) -> Array:
    """``x`` where x > 0, else ``slope * x``."""
    below = where(x > 0, 0.0, x, xp=xp)  # the slope never meets +inf: 0 * inf would be NaN
    return where(x > 0, x, slope * below, xp=xp)


def _leaky_relu_of_slopes(x: Array, slope: Array, *, xp: Namespace) -> Array:
    """``x`` where x > 0, else ``slope * x``, of an array of slopes."""
    below = where(x > 0, 0.0, x, xp=xp)
    return where(x > 0, x, weigh(slope, below, xp=xp), xp=xp)
