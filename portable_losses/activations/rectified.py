"""Rectified linear units: zero, or a smaller slope, on the negative half line."""

from portable_losses._portable import narrow, where, widen
from portable_losses._typing import Array
from portable_losses._validation import check_number, check_real_floating, namespace_of

__all__ = ["leaky_relu", "relu"]


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
    >>> relu(np.asarray([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)

    return where(x <= 0, 0.0, x, xp=xp)


def leaky_relu(x: Array, /, *, negative_slope: float = 0.01) -> Array:
    """Rectified linear unit that leaks: ``x`` where ``x > 0``, else ``negative_slope * x``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    negative_slope : float, default 0.01
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
    >>> leaky_relu(np.asarray([-2.0, 0.0, 3.0]), negative_slope=0.1)
    array([-0.2,  0. ,  3. ])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    check_number(negative_slope=negative_slope)

    z = widen(x, xp=xp)
    below = where(z > 0, 0.0, z, xp=xp)  # the slope never meets +inf: 0 * inf would be NaN
    return narrow(where(z > 0, z, negative_slope * below, xp=xp), x.dtype, xp=xp)
