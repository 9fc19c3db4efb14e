"""Smooth relatives of relu: softplus, and x gated by a probability (silu, gelu)."""

import math
from typing import Literal

from portable_losses._gradient import with_gradient
from portable_losses._portable import clip, constant, narrow, where, widen
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_choice,
    check_positive,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations.sigmoid import _softplus, negative_size
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

# ---- x * sigmoid(u), for silu (u = x) and gelu's tanh form (u a cubic in x) --------------------

# From here down exp(u) is left out of 1 + exp(u) and computed as exp(u + 50) * exp(-50), so that
# x * exp(u) keeps its digits where exp(u) alone is subnormal.
_FAR = -50.0


def _gate(x: Array, u: Array, *, xp: Namespace) -> Array:
    """Return ``x * sigmoid(u)``, x finite below and of the sign of u."""
    up, e, scaled, scale = _parts(u, xp=xp)
    return x * where(up, 1.0, scaled, xp=xp) / (1 + e) * scale


def _gate_slope(x: Array, u: Array, slope: Array, *, xp: Namespace) -> Array:
    """Return the derivative of ``x * sigmoid(u)``, given that of u."""
    up, e, scaled, scale = _parts(u, xp=xp)
    w = x * slope
    numerator = where(up, (1 + e) + w * e, scaled * ((1 + w) + e), xp=xp)
    return numerator / ((1 + e) * (1 + e)) * scale


def _parts(u: Array, *, xp: Namespace) -> tuple[Array, Array, Array, Array]:
    """Return ``u >= 0``; ``exp(-|u|)`` or 0 if that is far below 1; and the same as a product."""
    up, n = u >= 0, negative_size(u, xp=xp)
    far = n < _FAR
    scaled = xp.exp(where(far, n - _FAR, n, xp=xp))
    e = where(far, 0.0, scaled, xp=xp)
    one = constant(1.0, u, xp=xp)
    return up, e, scaled, where(far & ~up, math.exp(_FAR), one, xp=xp)


def _silu_backward(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array | None, ...]:
    del out
    z = clip(x, -1000.0, 1000.0, xp=xp)  # beyond, the slope is 0 or 1, and inf * 0 is not met
    return (grad * _gate_slope(z, z, 1.0, xp=xp),)


@with_gradient(_silu_backward)
def _silu(x: Array, *, xp: Namespace) -> Array:
    z = clip(x, -1000.0, None, xp=xp)
    return _gate(z, z, xp=xp)


_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = _LINEAR * 0.044715


def _gelu_tanh_backward(
    grad: Array, out: Array, x: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    del out
    z = clip(x, -100.0, 100.0, xp=xp)
    square = z * z
    u = z * (_LINEAR + _CUBIC * square)
    return (grad * _gate_slope(z, u, _LINEAR + 3 * _CUBIC * square, xp=xp),)


@with_gradient(_gelu_tanh_backward)
def _gelu_tanh(x: Array, *, xp: Namespace) -> Array:
    z = clip(x, -100.0, 100.0, xp=xp)
    u = z * (_LINEAR + _CUBIC * (z * z))
    return _gate(clip(x, -100.0, None, xp=xp), u, xp=xp)
