"""Activations of straight and parabolic pieces: hard forms of smooth ones, and shrinkage."""

from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._options import FINITE, NONNEGATIVE, check_order
from portable_losses._polyfill import where
from portable_losses._public import public
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of
from portable_losses._values import mark_invalid
from portable_losses.activations.rectified import _clip

__all__ = [
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
]


@public
def hard_sigmoid(x: Array, /) -> Array:
    """Sigmoid of three straight pieces: ``min(max(x + 3, 0), 6) / 6``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [0, 1]; shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is 1/6 between -3 and 3 and 0 elsewhere, 0 at both kinks included.

    Source: torch.nn.functional.hardsigmoid; M. Courbariaux, Y. Bengio, J.-P. David,
    "BinaryConnect" (2015), arXiv:1511.00363, has one with other slopes.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.hard_sigmoid(np.asarray([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return elementwise_call(_ramp, x, edge=3)


@public
def hard_silu(x: Array, /) -> Array:
    """Silu with a hard sigmoid: ``x * min(max(x + 3, 0), 6) / 6``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN; 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is ``(2 * x + 3) / 6`` between -3 and 3, 0 below and 1 above; at both kinks it is
    that of the straight piece. `hard_swish` is another name of this function.

    Source: A. Howard et al., "Searching for MobileNetV3" (2019), arXiv:1905.02244.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.hard_silu(np.asarray([-np.inf, 1.5, 4.0]))
    array([0.   , 1.125, 4.   ])
    """
    return elementwise_call(_hard_silu, x)


@public(min_val=FINITE, max_val=FINITE)
def hard_tanh(x: Array, /, *, min_val: float | Array = -1.0, max_val: float | Array = 1.0) -> Array:
    """Hyperbolic tangent of three straight pieces: ``min(max(x, min_val), max_val)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    min_val, max_val : float or 0-d array, default -1.0 and 1.0

    Returns
    -------
    array
        In [min_val, max_val]; shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `min_val` is above `max_val`, or one of them is not finite.

    Notes
    -----
    The gradient is 1 between the two and 0 elsewhere, 0 at both kinks included.

    Source: R. Collobert, "Large scale machine learning" (2004).

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.hard_tanh(np.asarray([-4.0, 0.5, 1.5]), max_val=2.0)
    array([-1. ,  0.5,  1.5])
    """
    invalid = check_order(min_val=min_val, max_val=max_val)

    result = elementwise_call(_clip, x, low=min_val, high=max_val)
    return result if invalid is None else mark_invalid(result, invalid, xp=namespace_of(x=x))


@public(lambd=NONNEGATIVE)
def hard_shrink(x: Array, /, *, lambd: float | Array = 0.5) -> Array:
    """Hard thresholding: ``x`` where ``|x| > lambd``, else 0.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    lambd : float or 0-d array, default 0.5
        Threshold, at least 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `lambd` is negative.

    Notes
    -----
    The gradient is 1 where ``|x| > lambd`` and 0 elsewhere, 0 at both jumps included.

    Source: D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage" (1994),
    doi:10.1093/biomet/81.3.425.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.hard_shrink(np.asarray([-2.0, 0.25, 0.75]))
    array([-2.  ,  0.  ,  0.75])
    """
    return elementwise_call(_hard_shrink, x, lambd=lambd)


@public(lambd=NONNEGATIVE)
def soft_shrink(x: Array, /, *, lambd: float | Array = 0.5) -> Array:
    """Soft thresholding: ``sign(x) * max(|x| - lambd, 0)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    lambd : float or 0-d array, default 0.5
        Threshold, at least 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`. NaN and infinities stay.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `lambd` is negative.

    Notes
    -----
    The gradient is 1 where ``|x| > lambd`` and 0 elsewhere, 0 at both kinks included.

    Source: D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage" (1994),
    doi:10.1093/biomet/81.3.425.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.soft_shrink(np.asarray([-2.0, 0.25, 0.75]))
    array([-1.5 ,  0.  ,  0.25])
    """
    return elementwise_call(_soft_shrink, x, lambd=lambd)


@public
def sparse_plus(x: Array, /) -> Array:
    """Softplus of sparsemax: 0 up to -1, ``(x + 1)**2 / 4`` up to 1, then ``x``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        Shape, dtype and device of `x`, never below 0. NaN stays NaN; 0 at -inf, +inf at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is `sparse_sigmoid`, without a jump.

    Source: A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax" (2016),
    arXiv:1602.02068; jax.nn.sparse_plus.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.sparse_plus(np.asarray([-2.0, 0.0, 3.0]))
    array([0.  , 0.25, 3.  ])
    """
    return elementwise_call(_sparse_plus, x)


@public
def sparse_sigmoid(x: Array, /) -> Array:
    """Sigmoid of sparsemax: ``min(max((x + 1) / 2, 0), 1)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)

    Returns
    -------
    array
        In [0, 1]; shape, dtype and device of `x`. NaN stays NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    Sparsemax of the two logits x and 0, and the derivative of `sparse_plus`. The gradient is 1/2
    between -1 and 1 and 0 elsewhere, 0 at both kinks included.

    Source: A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax" (2016),
    arXiv:1602.02068; jax.nn.sparse_sigmoid.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.sparse_sigmoid(np.asarray([-2.0, 0.0, 0.5]))
    array([0.  , 0.5 , 0.75])
    """
    return elementwise_call(_ramp, x, edge=1)


hard_swish = hard_silu


def _sparse_plus(x: Array, *, xp: Namespace) -> Array:
    """0 up to -1, ``(x + 1)**2 / 4`` up to 1, then x."""
    half = (_zero_beyond(x, edge=1, xp=xp) + 1) / 2
    return _pieces(x, 0.0, half * half, x, edge=1, xp=xp)


def _pieces(
    x: Array, left: float, middle: Array, right: Array | float, *, edge: float, xp: Namespace
) -> Array:
    """`left` where x <= -edge, `right` where x >= edge, else `middle`."""
    return where(x <= -edge, left, where(x >= edge, right, middle, xp=xp), xp=xp)


def _zero_beyond(x: Array, *, edge: float, xp: Namespace) -> Array:
    """``x`` where ``|x| < edge``, else 0: there its square, which is not selected, may overflow."""
    return where((x <= -edge) | (x >= edge), 0.0, x, xp=xp)


def _ramp_grad(grad: Array, out: Array, x: Array, *, edge: float, xp: Namespace) -> tuple[Array]:
    """``1 / (2 * edge)`` where ``|x| < edge``, else 0."""
    return (_pieces(x, 0.0, grad / (2 * edge), 0.0, edge=edge, xp=xp),)


@with_gradient(_ramp_grad, elementwise=True)
def _ramp(x: Array, *, edge: float, xp: Namespace) -> Array:
    """``clip((x + edge) / (2 * edge), 0, 1)``."""
    return _pieces(x, 0.0, (x + edge) / (2 * edge), 1.0, edge=edge, xp=xp)


def _shrink_grad(grad: Array, out: Array, x: Array, *, lambd: float, xp: Namespace) -> tuple[Array]:
    """1 where ``|x| > lambd``, else 0."""
    return (where(xp.abs(x) <= lambd, 0.0, grad, xp=xp),)


def _hard_shrink_by_lambd(
    grad: Array, out: Array, x: Array, *, lambd: float, xp: Namespace
) -> Array:
    """0: the jump has no derivative."""
    return 0.0 * grad


@with_gradient(_shrink_grad, elementwise=True, by={"lambd": _hard_shrink_by_lambd})
def _hard_shrink(x: Array, *, lambd: float, xp: Namespace) -> Array:
    """``x`` where ``|x| > lambd``, else 0."""
    return where(xp.abs(x) <= lambd, 0.0, x, xp=xp)


def _soft_shrink_by_lambd(
    grad: Array, out: Array, x: Array, *, lambd: float, xp: Namespace
) -> Array:
    """``-sign(x)`` where ``|x| > lambd``, else 0."""
    return -grad * where(xp.abs(x) <= lambd, 0.0, sign(x, xp=xp), xp=xp)


@with_gradient(_shrink_grad, elementwise=True, by={"lambd": _soft_shrink_by_lambd})
def _soft_shrink(x: Array, *, lambd: float, xp: Namespace) -> Array:
    """``sign(x) * max(|x| - lambd, 0)``."""
    shrunk = where(x > 0, x - lambd, x + lambd, xp=xp)
    return where(xp.abs(x) <= lambd, 0.0, shrunk, xp=xp)


def _hard_silu_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """0 up to -3, ``(2 * x + 3) / 6`` up to 3, then 1."""
    middle = (2 * _zero_beyond(x, edge=3, xp=xp) + 3) / 6  # one sum: it is 0 at -1.5
    return (grad * _pieces(x, 0.0, middle, 1.0, edge=3, xp=xp),)


@with_gradient(_hard_silu_grad, elementwise=True)
def _hard_silu(x: Array, *, xp: Namespace) -> Array:
    """``x * clip(x + 3, 0, 6) / 6``."""
    near = _zero_beyond(x, edge=3, xp=xp)
    return _pieces(x, 0.0, near * (near + 3) / 6, x, edge=3, xp=xp)
