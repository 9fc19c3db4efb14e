"""Logarithms of sums, differences and ratios of exponentials."""

import math
from typing import Any

from portable_losses._dtypes import kind_of, narrow, widen
from portable_losses._gradient import elementwise_call, stop_gradient, with_gradient
from portable_losses._options import Domain
from portable_losses._polyfill import (
    broadcast_arrays,
    broadcast_to,
    clip,
    constant,
    expand_dims,
    total,
    where,
)
from portable_losses._public import public
from portable_losses._rows import (
    as_rows,
    entry,
    exponentials,
    finite_or_nan,
    place_of_largest,
)
from portable_losses._stable import INF, NAN, log, log1p, log1p_inside, sign
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axes,
    check_bool,
    check_broadcastable,
    check_broadcasts_to,
    check_real,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations.softmaxes import softmax_in_parts
from portable_losses.special.log_exp_complex import logsumexp_of_complex

__all__ = ["log1mexp", "logit", "logsumexp"]

_where, _sign = where, sign  # logsumexp has arguments of these names


@public
def logsumexp(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    b: Array | None = None,
    return_sign: bool = False,
    where: Array | None = None,
) -> Array:
    """Logarithm of a sum of exponentials: ``log(sum(b * exp(x)))`` along `axis`.

    Parameters
    ----------
    x : array of a real or complex floating dtype, shape (...)
    axis : int, tuple of int or None, default None
        The axes to sum over, of the shape to which `x` and `b` broadcast; None: all.
    keepdims : bool, default False
        Keep the summed axes with size 1.
    b : array, of a shape that broadcasts with that of `x`, optional
        Coefficients, of either sign; converted to the dtype of `x`. An entry with coefficient 0
        adds nothing, whatever `x` holds there.
    return_sign : bool, default False
        Return the logarithm of the absolute value of the sum, and the sum's sign (of a complex sum
        its phase, of absolute value 1).
    where : array of bool, broadcastable to that shape, optional
        Entries that take part; the others add nothing, whatever they hold.

    Returns
    -------
    array, or tuple of two arrays
        The shape of both without `axis`; dtype and device of `x`. -inf for a sum of nothing or of
        -inf alone (gradient 0), +inf where +inf takes part. A negative sum gives NaN, unless
        `return_sign`: then (log of its size, -1.0). The logarithm of a complex sum has an imaginary
        part in (-pi, pi]; with `return_sign` it is real.

    Raises
    ------
    TypeError
        `x` is not a floating array, `b` is complex and `x` is not, or `where` is not boolean.
    ValueError
        The shapes do not broadcast, or `axis` names an axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    With k the largest term: ``x_k + log1p(sum over i != k of exp(x_i - x_k))``, exact also when
    one term dominates. The gradient is ``softmax(x)``, not ``exp(x - result)``, which would
    exponentiate the rounding of the result. Of complex numbers the largest real part is subtracted.

    Source: P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
    softmax functions" (2021), doi:10.1093/imanum/draa038.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> print(pl.logsumexp(np.asarray([1000.0, 1000.0])).round(4))
    1000.6931
    """
    xp = namespace_of(x=x, optional={"b": b, "where": where})
    is_complex = kind_of(x, xp=xp) == "complex floating"
    if not is_complex:
        check_real_floating(xp, x=x)
        check_real(xp, b=b)
    check_bool(xp, where=where)
    if b is not None and b.shape != x.shape:
        check_broadcastable(x=x, b=b)
        x, b = broadcast_arrays(x, b, xp=xp)
    shape = tuple(x.shape)
    check_broadcasts_to(shape, where=where)
    axes = check_axes(axis, x.ndim)
    if is_complex:
        return logsumexp_of_complex(x, b, where, axes, keepdims, return_sign, xp=xp)

    z = widen(x, xp=xp)
    if where is not None:
        z = _where(where, z, -INF, xp=xp)
    if x.ndim == 0:
        z, axes = z[None], (0,)
    sign: Any = None
    if 0 in z.shape:
        entries = z if b is None else z * narrow(b, z.dtype, xp=xp)  # none, and a path to `b`
        result = total(entries, axis=axes, xp=xp) - INF
    elif b is None:
        result = _logsumexp(as_rows(z, axes, xp=xp), xp=xp)[..., 0]
    else:
        rows = as_rows(z, axes, xp=xp)
        factor = broadcast_to(narrow(b, z.dtype, xp=xp), z.shape, like=z, xp=xp)
        if where is not None:
            factor = _where(where, factor, 0.0, xp=xp)
        factors = as_rows(factor, axes, xp=xp)
        rows = _where(factors == 0, -INF, rows, xp=xp)
        result = _log_size_of_sum(rows, factors, xp=xp)[..., 0]
        sign = _sign_of_sum(rows, factors, xp=xp)[..., 0]
        if not return_sign:
            result = _where(sign < 0, NAN, result, xp=xp)
    if keepdims:
        result = expand_dims(result, axes, xp=xp)
        sign = None if sign is None else expand_dims(sign, axes, xp=xp)
    result = narrow(result, x.dtype, xp=xp)
    if not return_sign:
        return result
    if sign is None:
        sign = _where(result == -INF, 0.0, constant(1.0, result, xp=xp), xp=xp)
        sign = _where(result == result, sign, result, xp=xp)
    return result, stop_gradient(narrow(sign, x.dtype, xp=xp), xp=xp)


@public
def log1mexp(x: Array, /) -> Array:
    """Logarithm of one minus an exponential: ``log(1 - exp(-|x|))``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Minus the logarithm of a probability (or that logarithm: the sign is dropped).

    Returns
    -------
    array
        At most 0; shape, dtype and device of `x`. -inf at 0, 0 at both infinities.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    With ``a = |x|``: ``log(-expm1(-a))`` below log 2 and ``log1p(-exp(-a))`` above. The gradient is
    ``sign(x) / expm1(a)``, +inf at 0.

    Source: M. Mächler, "Accurately computing ``log(1 - exp(-|a|))``" (2012), vignette of the R
    package Rmpfr.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.log1mexp(np.asarray([0.0, 1e-20, 1.0])).round(4)
    array([    -inf, -46.0517,  -0.4587])
    """
    return elementwise_call(_log1mexp, x)


@public(eps=Domain("lie in [0, 0.5]", lambda v: 0 <= v <= 0.5))
def logit(p: Array, /, *, eps: float | None = None) -> Array:
    """Log-odds of a probability, the inverse of the sigmoid: ``log(p / (1 - p))``.

    Parameters
    ----------
    p : array of a real floating dtype, shape (...)
        Probabilities, in [0, 1].
    eps : float in [0, 1/2], optional
        Clamp `p` to ``[eps, 1 - eps]`` first.

    Returns
    -------
    array
        Shape, dtype and device of `p`. -inf at 0, +inf at 1, NaN outside [0, 1].

    Raises
    ------
    TypeError
        `p` is not a real floating array.
    ValueError
        `eps` lies outside [0, 1/2].

    Notes
    -----
    For p in [1/4, 3/4], where ``2 * p - 1`` is exact, ``log1p((2 * p - 1) / (1 - p))`` or minus
    that of ``1 - p``, else ``log(p) - log1p(-p)``. The gradient is ``1 / (p * (1 - p))``: +inf at 0
    and 1; it is 0 where `eps` clamps.

    Source: J. Berkson, "Application of the logistic function to bio-assay" (1944); torch.special
    for `eps`.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.logit(np.asarray([0.0, 0.25, 0.5, 1.0])).round(4)
    array([   -inf, -1.0986,  0.    ,     inf])
    """
    return elementwise_call(_clipped_logit, p, names=("p",), eps=eps)


def _clipped_logit(p: Array, *, eps: float | None, xp: Namespace) -> Array:
    """``logit(clip(p, eps, 1 - eps))``, or ``logit(p)`` without eps."""
    return _logit(p if eps is None else clip(p, eps, 1 - eps, xp=xp), xp=xp)


# ---- the pairs --------------------------------------------------------------------------------


def _logsumexp_grad(
    grad: Array, out: Array, x: Array, *rest: Array, xp: Namespace
) -> tuple[Array | None, ...]:
    """``softmax(x)``, 0 for a row of -inf."""
    empty = out == -INF
    x = _where(empty, 0.0, x, xp=xp)  # the softmax of such a row is NaN, and so is its derivative
    share = softmax_in_parts(x, *(rest or (None,)), xp=xp)
    return grad * _where(empty, 0.0, share, xp=xp), *(None for _ in rest)


@with_gradient(_logsumexp_grad, rows=True, kernel="logsumexp")
def _logsumexp(x: Array, *, xp: Namespace) -> Array:
    """``x_k + log1p(sum over i != k of exp(x_i - x_k))`` along the last axis, which is kept."""
    return _log_of_sum(x, None, xp=xp)


@with_gradient(_logsumexp_grad, rows=True)
def _logsumexp_of_parts(x: Array, rest: Array, *, xp: Namespace) -> Array:
    return _log_of_sum(x, rest, xp=xp)


def logsumexp_in_parts(x: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """Return `_logsumexp` of rows, which may have more digits than their dtype."""
    return _logsumexp(x, xp=xp) if rest is None else _logsumexp_of_parts(x, rest, xp=xp)


def _log_of_sum(x: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """Return `_logsumexp` of ``x + rest``."""
    k, largest = place_of_largest(x, xp=xp)
    top = entry(x, k, xp=xp)
    finite = xp.abs(top) < INF
    near = _where(top == -INF, 0.0, finite_or_nan(top, xp=xp), xp=xp)
    e = exponentials(x, near, rest, xp=xp)
    others = total(_where(largest, 0.0, e, xp=xp), axis=-1, keepdims=True, xp=xp)
    beyond = xp.log1p(others / _where(finite, entry(e, k, xp=xp), 1.0, xp=xp))
    if rest is not None:
        beyond = beyond + entry(rest, k, xp=xp)
    sum_ = _where(finite, top + beyond, top, xp=xp)
    # The selection is for JAX, which differentiates this formula in a scan: slope 0 at -inf.
    return _where(top == -INF, -INF, sum_, xp=xp)


def _terms(x: Array, b: Array, *, xp: Namespace) -> tuple[Array, Array, Array, Array, Array]:
    """Return the mask of each row's largest ``|b * exp(x)|``, its x and b, and what is over it.

    That are ``exp(x)``, divided by that entry's, and ``b * exp(x)``.
    """
    k, largest = place_of_largest(x + log(xp.abs(b), xp=xp), xp=xp)
    top, unit = entry(x, k, xp=xp), entry(b, k, xp=xp)
    unit = _where(unit == 0, 1.0, unit, xp=xp)
    e = exponentials(x, finite_or_nan(top, xp=xp), xp=xp)
    e = e / entry(e, k, xp=xp)
    return largest, top, unit, e, (b / unit) * e


def _log_size_of_sum_grad(
    grad: Array, out: Array, x: Array, b: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``b * exp(x) / sum`` in x, ``exp(x) / sum`` in b; 0 where the sum has no terms."""
    _, _, unit, e, terms = _terms(x, b, xp=xp)
    empty = out == -INF
    whole = _where(empty, 1.0, total(terms, axis=-1, keepdims=True, xp=xp), xp=xp)
    share = grad / whole
    in_b = share * (e / unit)
    return _where(empty, 0.0, share * terms, xp=xp), _where(empty, 0.0, in_b, xp=xp)


@with_gradient(_log_size_of_sum_grad, rows=True)
def _log_size_of_sum(x: Array, b: Array, *, xp: Namespace) -> Array:
    """``log|sum(b * exp(x))|`` along the last axis, which is kept; x is -inf where b is 0."""
    largest, top, unit, _, terms = _terms(x, b, xp=xp)
    others = total(_where(largest, 0.0, terms, xp=xp), axis=-1, keepdims=True, xp=xp)
    rest = _where(others < -1, -2 - others, others, xp=xp)  # |1 + others| = 1 + rest
    sum_ = top + xp.log(xp.abs(unit)) + log1p(rest, xp=xp)
    return _where(xp.abs(top) < INF, sum_, top, xp=xp)


def _sign_of_sum(x: Array, b: Array, *, xp: Namespace) -> Array:
    """``sign(sum(b * exp(x)))`` along the last axis, which is kept; a constant."""
    x, b = stop_gradient(x, xp=xp), stop_gradient(b, xp=xp)
    largest, top, unit, _, terms = _terms(x, b, xp=xp)
    others = total(_where(largest, 0.0, terms, xp=xp), axis=-1, keepdims=True, xp=xp)
    others = _where(top == INF, 0.0, others, xp=xp)
    return _where(top == -INF, 0.0, _sign(1 + others, xp=xp) * _sign(unit, xp=xp), xp=xp)


def _log1mexp_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array | None, ...]:
    """``sign(x) / expm1(|x|)``."""
    a = _where(x >= 0, x, -x, xp=xp)
    near = xp.expm1(clip(a, None, 40.0, xp=xp))
    inside = 1 / _where(near == 0, 1.0, near, xp=xp)
    # beyond 40, expm1 and exp are equal in every dtype, and expm1 would overflow
    slope = _where(a < 40, _where(near == 0, INF, inside, xp=xp), xp.exp(-a), xp=xp)
    return (grad * _where(x >= 0, slope, -slope, xp=xp),)


@with_gradient(_log1mexp_grad, elementwise=True)
def _log1mexp(x: Array, *, xp: Namespace) -> Array:
    """``log(-expm1(-|x|))`` for ``|x| < log(2)``, else ``log1p(-exp(-|x|))``."""
    a = _where(x >= 0, x, -x, xp=xp)
    near = log(-xp.expm1(-clip(a, None, 1.0, xp=xp)), xp=xp)
    far = log1p_inside(-xp.exp(-clip(a, 0.5, None, xp=xp)), xp=xp)
    return _where(a < math.log(2), near, far, xp=xp)


def _logit_slope_grad(grad: Array, out: Array, p: Array, *, xp: Namespace) -> tuple[Array]:
    """``(2 * p - 1) * out**2``, 0 where p is not inside (0, 1)."""
    inside = (p > 0) & (p < 1)
    slope = _where(inside, out, 0.0, xp=xp)
    return (grad * ((2 * _where(inside, p, 0.5, xp=xp) - 1) * slope * slope),)


@with_gradient(_logit_slope_grad, elementwise=True)
def _logit_slope(p: Array, *, xp: Namespace) -> Array:
    """``1 / (p * (1 - p))``: +inf at 0 and 1, NaN outside."""
    inside = (p > 0) & (p < 1)
    q = _where(inside, p, 0.5, xp=xp)
    pole = _where((p == 0) | (p == 1), constant(INF, p, xp=xp), NAN, xp=xp)
    return _where(inside, 1 / (q * (1 - q)), pole, xp=xp)


def _logit_grad(grad: Array, out: Array, p: Array, *, xp: Namespace) -> tuple[Array | None, ...]:
    return (grad * _logit_slope(p, xp=xp),)


@with_gradient(_logit_grad, elementwise=True)
def _logit(p: Array, *, xp: Namespace) -> Array:
    """``log1p((2 * p - 1) / (1 - p))`` for p in [1/2, 3/4], else ``log(p) - log1p(-p)``.

    Minus that of ``1 - p`` for p in [1/4, 1/2].
    """
    middle, right = (p >= 0.25) & (p <= 0.75), p >= 0.5
    inside = _where(middle, p, 0.5, xp=xp)
    less = _where(right, 1 - inside, inside, xp=xp)
    size = log1p((1 - 2 * less) / less, xp=xp)
    near = _where(right, size, -size, xp=xp)
    return _where(middle, near, log(p, xp=xp) - log1p(-p, xp=xp), xp=xp)
