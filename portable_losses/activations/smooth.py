"""Smooth relatives of relu: softplus and squareplus, and x gated by a probability."""

import math
from typing import Literal

from portable_losses._dtypes import largest
from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._options import NONNEGATIVE, POSITIVE, is_number
from portable_losses._polyfill import clip, maximum, minimum, where
from portable_losses._public import public
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace
from portable_losses.activations.logistic import _softplus
from portable_losses.activations.rectified import relu
from portable_losses.special.logistic import _gelu_tanh, _mish, _quick_gelu, _silu
from portable_losses.special.normal import _gelu

__all__ = ["gelu", "mish", "quick_gelu", "silu", "softplus", "squareplus", "swish"]


@public(beta=POSITIVE)
def softplus(x: Array, /, *, beta: float | Array = 1.0) -> Array:
    """Smooth maximum of 0 and x: ``log(1 + exp(beta * x)) / beta``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    beta : float or 0-d array, default 1.0
        Sharpness, in units of ``1 / x``. Greater than 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`, never below 0. 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `beta` is not positive.

    Notes
    -----
    Computed as ``max(x, 0) + log1p(exp(-beta * |x|)) / beta``, without a threshold beyond which x
    itself is returned. The gradient is ``sigmoid(beta * x)``, 1/2 at 0.

    Source: C. Dugas et al., "Incorporating second-order functional knowledge for better option
    pricing", NIPS 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.softplus(np.asarray([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return elementwise_call(_softplus, x, beta=beta)


@public
def silu(x: Array, /) -> Array:
    """Sigmoid linear unit: ``x * sigmoid(x)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. The limits are taken: 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is 0 at -inf and 1 at +inf. `swish` is another name of this function.

    Source: S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units for neural network
    function approximation in reinforcement learning" (2018), doi:10.1016/j.neunet.2017.12.012.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.silu(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.7311])
    """
    return elementwise_call(_silu, x)


@public
def gelu(x: Array, /, *, approximate: Literal["none", "tanh"] = "none") -> Array:
    """Gaussian error linear unit: ``x * Phi(x)``, Phi the normal distribution function.

    With ``approximate="tanh"``::

        x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    approximate : {"none", "tanh"}

    Returns
    -------
    array
        Shape, dtype and device of `x`. The limits are taken: 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `approximate` is neither of the two.

    Notes
    -----
    For negative x the value is ``x`` times the tail of the distribution, computed as such: it
    keeps its digits where ``1 + erf(x / sqrt(2))`` is a difference of two nearly equal numbers.
    The tanh form is ``x * sigmoid(2 * u)``, u the argument of the tanh. The gradient is 0 at -inf
    and 1 at +inf in both forms.

    Source: D. Hendrycks, K. Gimpel, "Gaussian error linear units" (2016), arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.gelu(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.8413])
    """
    return elementwise_call(_gelu if approximate == "none" else _gelu_tanh, x)


@public
def quick_gelu(x: Array, /) -> Array:
    """Gaussian error linear unit, quick approximation: ``x * sigmoid(1.702 * x)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. The limits are taken: 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The rounding of ``1.702 * x`` is carried along, so that the exponential does not multiply it.
    The gradient is 0 at -inf and 1 at +inf.

    Source: D. Hendrycks, K. Gimpel, "Gaussian error linear units" (2016), arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.quick_gelu(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.8458])
    """
    return elementwise_call(_quick_gelu, x)


@public
def mish(x: Array, /) -> Array:
    """Self-regularized gate: ``x * tanh(softplus(x))``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. The limits are taken: 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    With ``e = exp(-|x|)`` the tanh is ``(1 + 2 e) / (1 + 2 e + 2 e**2)`` above 0 and
    ``e (e + 2) / (e (e + 2) + 2)`` below. The gradient keeps its digits next to its root at -1.19;
    it is 0 at -inf and 1 at +inf.

    Source: D. Misra, "Mish: a self regularized non-monotonic activation function" (2019),
    arXiv:1908.08681.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.mish(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.8651])
    """
    return elementwise_call(_mish, x)


@public(b=NONNEGATIVE._replace(of_arrays=POSITIVE))
def squareplus(x: Array, /, *, b: float | Array = 4.0) -> Array:
    """Algebraic smooth maximum of 0 and x: ``(x + sqrt(x**2 + b)) / 2``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    b : float or 0-d array, default 4.0
        Size of the smooth part, in units of ``x**2``. At least 0 (an array: above 0); relu at 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`, never below 0. 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `b` is negative.

    Notes
    -----
    With ``h = sqrt(x**2 + b)``, which does not overflow, the value is ``(b / 2) / (h + |x|)`` below
    0, where the sum of the formula cancels. The gradient is the value divided by h, 1/2 at 0.

    Source: J. T. Barron, "Squareplus: a softplus-like algebraic rectifier" (2021),
    arXiv:2112.11687.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.squareplus(np.asarray([-1e6, 0.0, 1.5]))
    array([1.e-06, 1.e+00, 2.e+00])
    """
    if is_number(b) and b == 0:
        return relu(x)

    return elementwise_call(_squareplus, x, b=b)


swish = silu


# ---- squareplus -------------------------------------------------------------------------------


def _hypotenuse(x: Array, b: float, *, xp: Namespace) -> Array:
    """``sqrt(x**2 + b)``, whose square does not overflow."""
    root = math.sqrt(b) if is_number(b) else xp.sqrt(b)
    bound = 2**30 * root  # beyond, b is below half an ulp of x**2
    near = clip(x, -bound, bound, xp=xp)
    size = x * sign(x, xp=xp)
    return where(size < bound, xp.sqrt(near * near + b), size, xp=xp)


def _squareplus_left(x: Array, h: Array, b: float, *, xp: Namespace) -> Array:
    """``squareplus(-|x|) = b / (2 * h + 2 * |x|)``, given ``h = sqrt(x**2 + b)``."""
    return (b / 4) / (0.5 * h + 0.5 * x * sign(x, xp=xp))


def _squareplus_slope_grad(
    grad: Array, out: Array, x: Array, *, b: float, xp: Namespace
) -> tuple[Array]:
    """``b / 2 / h**3`` with ``h = sqrt(x**2 + b)``."""
    h = _hypotenuse(x, b, xp=xp)
    return (grad * ((b / 2) / h / h / h),)


def _squareplus_slope_by_b(grad: Array, out: Array, x: Array, *, b: float, xp: Namespace) -> Array:
    """``-x / 4 / h**3`` with ``h = sqrt(x**2 + b)``."""
    h = _hypotenuse(x, b, xp=xp)
    near = clip(x, -largest(x, xp=xp), largest(x, xp=xp), xp=xp)
    return grad * (-(near / h) / h / h / 4)


@with_gradient(_squareplus_slope_grad, elementwise=True, by={"b": _squareplus_slope_by_b})
def _squareplus_slope(x: Array, *, b: float, xp: Namespace) -> Array:
    """``(1 + x / h) / 2`` with ``h = sqrt(x**2 + b)``, without cancellation where x < 0."""
    root = math.sqrt(b) if is_number(b) else xp.sqrt(b)
    bound = 2**30 * root  # beyond, b is below half an ulp of x**2
    size = x * sign(x, xp=xp)
    near, far = minimum(size, bound, xp=xp), maximum(size, bound, xp=xp)
    total = near * near + b  # not h * h, for the rounding of the root
    left = (b / 2) / (total + near * xp.sqrt(total))
    left = where(size < bound, left, (b / 4) / far / far, xp=xp)
    return where(x >= 0, 1 - left, left, xp=xp)


def _squareplus_grad(grad: Array, out: Array, x: Array, *, b: float, xp: Namespace) -> tuple[Array]:
    """``(1 + x / h) / 2`` with ``h = sqrt(x**2 + b)``."""
    return (grad * _squareplus_slope(x, b=b, xp=xp),)


def _squareplus_by_b(grad: Array, out: Array, x: Array, *, b: float, xp: Namespace) -> Array:
    """``1 / 4 / h`` with ``h = sqrt(x**2 + b)``."""
    return grad * (0.25 / _hypotenuse(x, b, xp=xp))


@with_gradient(_squareplus_grad, elementwise=True, by={"b": _squareplus_by_b})
def _squareplus(x: Array, *, b: float, xp: Namespace) -> Array:
    """``(x + sqrt(x**2 + b)) / 2``, without cancellation where x < 0."""
    h = _hypotenuse(x, b, xp=xp)
    right = 0.5 * where(x >= 0, x, 0.0, xp=xp) + 0.5 * h
    return where(x >= 0, right, _squareplus_left(x, h, b, xp=xp), xp=xp)
