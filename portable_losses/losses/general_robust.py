"""Barron's loss, a family from the squared error to losses that outliers do not move.

Within, ``s = d / scale``, ``b = 2 - alpha`` and ``w = s**2 / b``; r is the root of w.
"""

import math
from typing import Any

from portable_losses._gradient import with_gradient
from portable_losses._options import POSITIVE, Domain
from portable_losses._polyfill import clip, constant, minimum
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._stable import INF, NAN, sign
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import namespace_of
from portable_losses.losses._errors import of_error
from portable_losses.losses._left_out import leaves_out
from portable_losses.special.normal import FAR as BELL_ENDS
from portable_losses.special.normal import times_bell
from portable_losses.special.two_floats import quotient_in_parts, square, sum_of

__all__ = ["general_robust_loss"]

SHAPE = Domain("be at most 2", lambda v: v <= 2, infinite=True)
NEGLIGIBLE = 1e-18  # beside 1
FAR = 1e9  # r from which on 1 is negligible beside w
NOTHING = 1e15  # a size of s that is far, or whose power is 0 for so large a b
LARGE = 1e8  # b from which on log(1 + w) is a few terms wherever the power is not 0,
ZERO = 200.0  # which it is from this size of s on


@public(alpha=SHAPE, scale=POSITIVE)
@leaves_out(input=0.5, target=1, elementwise=True)
def general_robust_loss(
    input: Array,
    target: Array,
    /,
    *,
    alpha: float = 1.0,
    scale: float | Array = 1.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Barron's loss: one family from the squared error to those that outliers do not move.

    With ``s = (input - target) / scale`` and ``b = 2 - alpha``::

        b / alpha * ((s**2 / b + 1)**(alpha / 2) - 1)

    and its limits: ``s**2 / 2`` for alpha = 2, ``log(s**2 / 2 + 1)`` (Cauchy) for 0,
    ``1 - exp(-s**2 / 2)`` (Welsch) for -inf. 1 is pseudo-Huber's, -2 Geman and McClure's.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Prediction, in some unit u.
    target : array of any real dtype, shape of `input`
        Observation, in u; converted to the dtype of `input`.
    alpha : float, default 1.0
        Shape, at most 2, may be -inf: the smaller, the less outliers count.
    scale : float or 0-d array, default 1.0
        Size of the error, in u, from which on it may be one. Greater than 0.
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
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`. At most
        ``b / -alpha`` for an alpha below 0.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `alpha` is above 2, `scale` is not positive, a weight is negative, or
        `reduction` is unknown.

    Notes
    -----
    Near 0 it is ``s**2 / 2`` whatever alpha is, and has all digits next to alpha = 0 and 2, too.
    The gradient is ``s / scale * (s**2 / b + 1)**(-b / 2)``.

    Source: J. T. Barron, "A general and adaptive robust loss function" (2019), arXiv:1701.03077.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> d = np.asarray([1e-8, 1.0, 1e200])
    >>> print(pl.general_robust_loss(d, 0 * d, alpha=0.0, reduction="none"))
    [5.00000000e-17 4.05465108e-01 9.20340890e+02]
    >>> print(pl.general_robust_loss(d, 0 * d, alpha=-2.0, reduction="none"))
    [5.e-17 4.e-01 2.e+00]
    """
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    shape = 0.0 if abs(alpha) < 1e-20 else -INF if alpha < -1e25 else float(alpha)

    return reduced(
        _general_robust,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        xp=xp,
        alpha=shape,
        scale=scale,
    )


def _w(s: Array, b: float, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """Return w, where it is so large that 1 is negligible beside it, and there ``|s| / unit``."""
    far = xp.abs(s) > math.sqrt(b) * FAR
    near = _where(far, 0.0, s, xp=xp)
    unit = _unit(b)
    return near * (near / b), far, _where(far, xp.abs(s), unit, xp=xp) / unit


def _unit(b: float) -> float:
    """Return the root of b, or 1: a quotient by less would overflow where the loss does not."""
    return math.sqrt(b) if b > 1 else 1.0


def _logarithm(s: Array, b: float, *, xp: Namespace) -> Array:
    """``b * log(1 + w)``, s**2 where w is negligible."""
    w, far, r = _w(s, b, xp=xp)
    small = w < NEGLIGIBLE
    square = s * _where(small, _where(far, 0.0, s, xp=xp), 0.0, xp=xp)
    near = _where(small, square, b * xp.log1p(w), xp=xp)
    return _where(far, 2 * b * (xp.log(r) - math.log(math.sqrt(b) / _unit(b))), near, xp=xp)


def _root(s: Array, alpha: float, *, xp: Namespace) -> tuple[Array, Array, Array, float]:
    """Return a root of ``(1 + w)**(alpha / 2)``, w, where that is large, and a factor there.

    The square of the root may overflow where its product with another number does not. A large
    power multiplies what ``1 + w`` has lost in rounding, so that is kept.
    """
    b = 2 - alpha
    w, far, r = _w(s, b, xp=xp)
    if b > 4:
        root = _power_of_sum(_where(far, 0.0, s, xp=xp), b, alpha / 4, xp=xp)
    else:
        root = (1 + w) ** (alpha / 4)
    factor = 1.0 if b > 1 else b ** (-alpha / 2)
    return _where(far, r ** (alpha / 2), root, xp=xp), w, far, factor


def _power_of_sum(s: Array, b: float, power: float, *, xp: Namespace) -> Array:
    """``(1 + s**2 / b)**power`` for a power below -0.5, (2 - b) / 4, the sum in two parts."""
    if b > LARGE:  # the power would multiply a rounding by more than all digits
        squared, rest = square(clip(s, -ZERO, ZERO, xp=xp), xp=xp)
        w = squared / b
        short = w * (w * (1 / 3 - w / 4) - 0.5)  # log(1 + w) = w * (1 + short)
        left = w / 2 * (1 + short) - squared / 4 * short - rest / 4
        return xp.exp(-squared / 4) * xp.exp(left)
    squared, rest = square(clip(s, -NOTHING, NOTHING, xp=xp), xp=xp)
    w, lost = quotient_in_parts(squared, b, xp=xp)
    rest = rest / b if lost is None else rest / b + lost
    base, lost = sum_of(w, 1.0)
    return base**power * xp.exp(power * ((lost + rest) / base))


def _bend(d: Array, *, alpha: float, scale: float, xp: Namespace) -> Array:
    """``(1 + w)**(-b / 2) * (1 + (alpha - 1) * w) / (1 + w) / scale**2``."""
    s = d / scale
    if alpha == 2:
        bend = _where(s == s, constant(1.0, s, xp=xp), NAN, xp=xp)
    elif alpha == -INF:
        n = clip(s, -BELL_ENDS, BELL_ENDS, xp=xp)
        bend = times_bell((1 - n) * (1 + n), xp.abs(n), xp=xp)
    else:
        root, w, far, factor = _root(s, alpha, xp=xp)
        share, b = 1 / (1 + w), 2 - alpha
        near = root * root * share * (share + (alpha - 1) * (w * share))
        size = _where(far, xp.abs(s), 1.0, xp=xp)
        part = root / size
        beyond = part * (part * (b * factor * (b / size / size + (alpha - 1))))
        bend = _where(far, beyond, near, xp=xp)
    return bend / scale / scale


def _slope_grad(
    grad: Array, out: Array, d: Array, *, alpha: float, scale: float, xp: Namespace
) -> tuple[Array | None, ...]:
    """The second derivative."""
    return (grad * _bend(d, alpha=alpha, scale=scale, xp=xp),)


@with_gradient(_slope_grad, elementwise=True, by={"scale": None})
def _slope(d: Array, *, alpha: float, scale: float, xp: Namespace) -> Array:
    """``s / scale * (1 + w)**(-b / 2)``."""
    s = d / scale
    if alpha == 2:
        return s / scale
    if alpha == -INF:
        n = clip(s, -BELL_ENDS, BELL_ENDS, xp=xp)
        return times_bell(n, xp.abs(n), xp=xp) / scale
    infinite = xp.abs(s) == INF
    finite = _where(infinite, 1.0, s, xp=xp)
    root, w, far, factor = _root(finite, alpha, xp=xp)
    beyond = root / _where(far, finite, 1.0, xp=xp) * ((2 - alpha) * factor * root)
    slope = _where(far, beyond, finite / (1 + w) * root * root, xp=xp)
    end = INF if alpha > 1 else 1.0 if alpha == 1 else 0.0
    return _where(infinite, end * sign(s, xp=xp), slope, xp=xp) / scale


def _by_scale(
    grad: Array, out: Array, d: Array, *, alpha: float, scale: float, xp: Namespace
) -> Array:
    """``-s * slope``."""
    return grad * -(d / scale * _slope(d, alpha=alpha, scale=scale, xp=xp))


def _general_robust_grad(grad: Array, out: Array, d: Array, **options: Any) -> Array:
    """The slope."""
    return grad * _slope(d, **options)


@of_error(_general_robust_grad, by={"scale": _by_scale})
def _general_robust(d: Array, *, alpha: float, scale: float, xp: Namespace) -> Array:
    """``b / alpha * ((1 + w)**(alpha / 2) - 1)``, and its limits."""
    s = d / scale
    if alpha == 2:
        return s * (s / 2)
    if alpha == -INF:
        n = minimum(xp.abs(s), BELL_ENDS, xp=xp)
        return -xp.expm1(-(n * (n / 2)))
    b = 2 - alpha
    logarithm = _logarithm(s, b, xp=xp)
    if alpha == 0:
        return logarithm / 2
    t = alpha / (2 * b) * logarithm
    ahead = t > 1
    near = b / alpha * xp.expm1(_where(ahead, 0.0, t, xp=xp))
    near = _where(xp.abs(t) < NEGLIGIBLE, logarithm / 2, near, xp=xp)
    if alpha < 0:
        return near
    root, _, far, factor = _root(s, alpha, xp=xp)
    whole = b / alpha * _where(far, constant(factor, s, xp=xp), 1.0, xp=xp)
    return _where(ahead, (whole * root) * root - b / alpha, near, xp=xp)
