"""Vectors brought to a norm of 1, or to a mean of 0 and a variance of 1."""

import math

from portable_losses._dtypes import largest, narrow, tiny, widen
from portable_losses._gradient import differentiable_again, stop_gradient, with_gradient
from portable_losses._options import NONNEGATIVE, NORM
from portable_losses._polyfill import broadcast_to, maximum, minimum, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._row_functions import along_axes, of_rows
from portable_losses._rows import finite_or_nan, largest_along
from portable_losses._stable import INF, sign
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axes,
    check_bool,
    check_broadcasts_to,
    check_real,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import as_weight

__all__ = ["normalize", "standardize"]

Axes = tuple[int, ...]


@public(p=NORM, eps=NONNEGATIVE)
def normalize(
    x: Array, /, *, p: float = 2.0, axis: int | tuple[int, ...] = -1, eps: float = 1e-12
) -> Array:
    """Divide vectors by their norm: ``x / max(norm(x), eps)`` along `axis`.

    The norm is ``sum(|x|**p)**(1 / p)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    p : float, default 2.0
        Order of the norm, greater than 0; ``math.inf`` is the largest absolute value.
    axis : int or tuple of int, default -1
        The axes of a vector.
    eps : float, default 1e-12
        Least divisor, at least 0.

    Returns
    -------
    array
        Shape, dtype and device of `x`; vectors of norm 1, or less where `eps` is greater than the
        norm. A vector of zeros stays 0; one with an infinity or NaN is NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `p` is not positive, `eps` is negative, or `axis` names an axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    The largest absolute value is divided out first, so no power of the entries overflows or
    underflows. With y the result, the gradient is ``(grad - s * sum(grad * y)) / norm(x)`` with
    ``s = sign(y) * |y|**(p - 1)``, and ``grad / eps`` where `eps` divides; 0 for a vector of zeros.

    Source: torch.nn.functional.normalize, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.normalize(np.asarray([[3e200, -4e200], [0.0, 0.0]]))
    array([[ 0.6, -0.8],
           [ 0. ,  0. ]])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    axes = check_axes(axis, x.ndim)

    if 0 in tuple(x.shape):
        return x
    return along_axes(unit_vectors, x, axes, keeps=True, p=p, eps=eps, xp=xp)


@of_rows()
def unit_vectors(z: Array, *, axes: Axes, p: float, eps: float, xp: Namespace) -> Array:
    """``z / max(norm(z), eps)``."""
    top = _max_abs(z, axes, xp=xp)  # a constant: the quotient does not depend on it
    scale = _where(top == 0, 1.0, as_divisor(finite_or_nan(top, xp=xp), xp=xp), xp=xp)
    safe = _where(top == 0, 1.0, z, xp=xp)
    unit = safe / scale
    norm = _norm(unit, p=p, axes=axes, xp=xp)
    y = _direction(unit, norm, axes=axes, xp=xp) if p == 2 else unit / norm
    if eps:  # not eps / scale, which may overflow, and is NaN on PyTorch for a subnormal scale
        short = (scale < eps) & (norm * minimum(scale, eps, xp=xp) < eps)
        y = _where(short, safe / eps, y, xp=xp)
    return _where(top == 0, 0.0, y, xp=xp)


@public(eps=NONNEGATIVE)
def standardize(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] = -1,
    mean: Array | None = None,
    variance: Array | None = None,
    eps: float = 1e-5,
    where: Array | None = None,
) -> Array:
    """Bring entries to mean 0 and variance 1: ``(x - mean) / sqrt(variance + eps)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    axis : int or tuple of int, default -1
        The axes over which the mean and the variance are taken.
    mean : array, broadcastable to the shape of `x`, optional
        By default the mean of `x` along `axis`.
    variance : array, broadcastable to the shape of `x`, optional
        At least 0; by default the mean of ``(x - mean)**2`` along `axis`.
    eps : float, default 1e-5
        At least 0.
    where : array of bool, broadcastable to the shape of `x`, optional
        Entries that take part; the others get 0, whatever they hold.

    Returns
    -------
    array
        Shape, dtype and device of `x`. Where the divisor is 0, it is taken to be 1. A row with an
        infinity or NaN that takes part is NaN.

    Raises
    ------
    TypeError
        `x` is not a real floating array, `mean` or `variance` is complex, `where` is not boolean,
        or the arrays come from two libraries.
    ValueError
        `eps` or a variance is negative, an array does not broadcast to `x`, or `axis` names an
        axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    The variance is that of the differences from the mean, in a second pass, with the largest
    difference divided out: no square overflows or underflows.

    Source: jax.nn.standardize, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.standardize(np.asarray([1e200, 3e200]))
    array([-1.,  1.])
    """
    xp = namespace_of(x=x, optional={"mean": mean, "variance": variance, "where": where})
    check_real_floating(xp, x=x)
    check_real(xp, mean=mean)
    check_bool(xp, where=where)
    shape = tuple(x.shape)
    check_broadcasts_to(shape, mean=mean, where=where)
    axes = check_axes(axis, x.ndim)
    z = widen(x, xp=xp) if mean is not None or variance is not None else x
    variance = as_weight(variance, shape, name="variance", like=z, xp=xp)

    if 0 in shape:
        return x
    if mean is None and variance is None:
        mask = None if where is None else broadcast_to(where, shape, like=x, xp=xp)
        return along_axes(_standard, x, axes, mask, keeps=True, eps=eps, xp=xp)
    made = _standardized(z, mean, variance, where, axes=axes, eps=eps, xp=xp)
    return narrow(made, x.dtype, xp=xp)


@of_rows()
def _standard(z: Array, mask: Array | None, *, axes: Axes, eps: float, xp: Namespace) -> Array:
    """Bring entries to mean 0 and variance 1."""
    return _standardized(z, None, None, mask, axes=axes, eps=eps, xp=xp)


def _standardized(
    z: Array,
    mean: Array | None,
    variance: Array | None,
    where: Array | None,
    *,
    axes: Axes,
    eps: float,
    xp: Namespace,
) -> Array:
    """Bring entries to mean 0 and variance 1 by what is given, or their own."""
    own = mean is None
    if mean is None:
        mean = finite_or_nan(_mean(z, where, axes, xp=xp), xp=xp)
    d = xp.subtract(z, narrow(mean, z.dtype, xp=xp))
    if where is not None:
        d = _where(where, d, 0.0, xp=xp)
    if own:  # what rounding the mean has lost, beside which entries may be close together
        d = d - stop_gradient(_mean(d, where, axes, xp=xp), xp=xp)
        if where is not None:
            d = _where(where, d, 0.0, xp=xp)
    if variance is None:
        root = math.sqrt(eps)
        scale = maximum(_max_abs(d, axes, xp=xp), root, xp=xp)
        scale = _where(scale < INF, as_divisor(scale, xp=xp), scale, xp=xp)
        scale = _where(scale == 0, 1.0, scale, xp=xp)
        d = d / scale
        square, lack = _mean(d * d, where, axes, xp=xp), None
        if root:  # PyTorch's 0 / scale is NaN for a subnormal scale
            least = root / scale
            square = square + least * least
            lack = least * least / square
        divisor = xp.sqrt(_where(square == 0, 1.0, square, xp=xp))
        return _deviations(d, divisor, lack, where, axes=axes, xp=xp)
    d, square = differentiable_again(d, xp=xp), variance + eps
    return xp.divide(d, xp.sqrt(_where(square == 0, 1.0, square, xp=xp)))


def _deviations_grad(
    grad: Array,
    out: Array,
    d: Array,
    divisor: Array,
    lack: Array | None,
    mask: Array | None,
    *,
    axes: Axes,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``(grad - y * mean(grad * y)) / divisor``, of which what rounding has left of y is taken out.

    That has a share of y itself where the mean square of y lacks as much to 1.
    """
    share = _mean(grad * out, mask, axes, xp=xp)
    grad = grad - out * share
    left = _mean(grad * out, mask, axes, xp=xp)
    if lack is not None:
        left = left - share * lack
    return (grad - out * left) / divisor, None, None, None


@with_gradient(_deviations_grad)
def _deviations(
    d: Array,
    divisor: Array,
    lack: Array | None,
    mask: Array | None,
    *,
    axes: Axes,
    xp: Namespace,
) -> Array:
    """``d / divisor``, the divisor being the root of the mean square of d, or more by `lack`."""
    return d / divisor


def _max_abs(x: Array, axes: Axes, *, xp: Namespace) -> Array:
    """``max(|x|)`` along `axes`, which are kept; a constant to every derivative."""
    return largest_along(xp.abs(stop_gradient(x, xp=xp)), axes, xp=xp)


def as_divisor(size: Array, *, xp: Namespace) -> Array:
    """Return the size to divide by, at most 1 / the smallest normal number.

    XLA multiplies by the reciprocal, and takes one that is subnormal for 0.
    """
    return minimum(size, 1 / tiny(size, xp=xp), xp=xp)


def _mean(x: Array, mask: Array | None, axes: Axes, *, xp: Namespace) -> Array:
    """Return the mean of the entries in `mask` along `axes`, which are kept; of none 0."""
    if mask is None:
        sizes = [x.shape[i] for i in axes]
        count = sizes[0] if len(sizes) == 1 else math.prod(sizes)
        return total(x, axis=axes, keepdims=True, xp=xp) / max(count, 1)
    mask = broadcast_to(mask, x.shape, like=x, xp=xp)
    count = total(narrow(mask, x.dtype, xp=xp), axis=axes, keepdims=True, xp=xp)
    kept = _where(mask, x, 0.0, xp=xp)
    return total(kept, axis=axes, keepdims=True, xp=xp) / maximum(count, 1.0, xp=xp)


def _direction_grad(
    grad: Array, out: Array, x: Array, norm: Array, *, axes: Axes, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(grad - y * sum(grad * y)) / norm``, of which what rounding has left of y is taken out."""
    for _ in range(2):
        grad = grad - out * total(grad * out, axis=axes, keepdims=True, xp=xp)
    return grad / norm, None


@with_gradient(_direction_grad)
def _direction(x: Array, norm: Array, *, axes: Axes, xp: Namespace) -> Array:
    """``x / norm``, the norm being that of x, by which alone it is differentiated."""
    return x / norm


def _norm_grad(
    grad: Array, out: Array, x: Array, *, p: float, axes: Axes, xp: Namespace
) -> tuple[Array | None, ...]:
    """``sign(x) * (|x| / norm)**(p - 1)``."""
    y = x / out
    if p == 2:
        return (grad * y,)
    size = xp.abs(y)
    if p == INF:  # entries that tie for the largest share evenly
        share = narrow(size == 1, x.dtype, xp=xp)
        share = share / total(share, axis=axes, keepdims=True, xp=xp)
    else:
        share = _where(size == 0, 1.0, size, xp=xp) ** (p - 1)
        if p < 1:  # infinite, where what it meets may be 0
            share = minimum(share, largest(x, xp=xp), xp=xp)
    return (grad * (sign(y, xp=xp) * share),)


@with_gradient(_norm_grad)
def _norm(x: Array, *, p: float, axes: Axes, xp: Namespace) -> Array:
    """``sum(|x|**p)**(1 / p)``, not 0, along `axes`, which are kept."""
    size = xp.abs(x)
    if p == INF:
        return largest_along(size, axes, xp=xp)
    if p == 2:
        return xp.sqrt(total(x * x, axis=axes, keepdims=True, xp=xp))
    return total(size**p, axis=axes, keepdims=True, xp=xp) ** (1 / p)
