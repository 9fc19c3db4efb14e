"""Smooth relatives of relu: softplus, and x gated by a probability (silu, gelu)."""

from typing import Literal

from portable_losses._portable import narrow, widen
from portable_losses._typing import Array
from portable_losses._validation import (
    check_choice,
    check_positive,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations.sigmoid import _softplus
from portable_losses.special.logistic import _gelu_tanh, _silu
from portable_losses.special.normal import _gelu

__all__ = ["gelu", "silu", "softplus", "swish"]


def softplus(x: Array, /, *, beta: float = 1.0) -> Array:
    """Smooth maximum of 0 and x: ``log(1 + exp(beta * x)) / beta``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    beta : float, default 1.0
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
    >>> softplus(np.asarray([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    check_positive(beta=beta)

    return narrow(_softplus(widen(x, xp=xp), beta=beta, xp=xp), x.dtype, xp=xp)


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
    >>> silu(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.7311])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)

    return narrow(_silu(widen(x, xp=xp), xp=xp), x.dtype, xp=xp)


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
    >>> gelu(np.asarray([-np.inf, 0.0, 1.0])).round(4)
    array([-0.    ,  0.    ,  0.8413])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    check_choice(("none", "tanh"), approximate=approximate)

    z = widen(x, xp=xp)
    result = _gelu(z, xp=xp) if approximate == "none" else _gelu_tanh(z, xp=xp)
    return narrow(result, x.dtype, xp=xp)


swish = silu
