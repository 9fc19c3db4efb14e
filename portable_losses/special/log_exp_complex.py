"""The logarithm of a sum of exponentials of complex numbers."""

from typing import Any

from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._rows import as_rows, entry, largest_along, place_of_largest
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace

__all__ = ["logsumexp_of_complex"]


def logsumexp_of_complex(
    x: Array,
    b: Array | None,
    where: Array | None,
    axes: tuple[int, ...],
    keepdims: bool,
    return_sign: bool,
    *,
    xp: Namespace,
) -> Any:
    """Return `logsumexp` of complex numbers: the sum over the exponential of its largest term."""
    factor = xp.ones_like(x) if b is None else xp.astype(b, x.dtype)
    there = factor != 0
    if where is not None:
        there = xp.logical_and(there, where)
    size = stop_gradient(_where(there, xp.real(x), -INF, xp=xp), xp=xp)
    top = largest_along(size, axes, xp=xp)
    top = xp.floor(_where(xp.abs(top) < INF, top, 0.0, xp=xp))
    d = _where(there, x - xp.astype(top, x.dtype), 0.0, xp=xp)
    excess = (xp.real(stop_gradient(d, xp=xp)) + top) - size  # see `_rows.exponentials`
    excess = _where(xp.abs(excess) < 1, excess, 0.0, xp=xp)
    terms = factor * xp.exp(d) * xp.astype(1 - excess, x.dtype)
    terms = _where(there, terms, 0.0, xp=xp)
    amount = total(terms, axis=axes, keepdims=keepdims, xp=xp)
    if not keepdims:
        top = xp.reshape(top, tuple(amount.shape))
    length = xp.abs(amount)
    logarithm = xp.log(length) + top if return_sign else xp.log(amount) + xp.astype(top, x.dtype)
    if b is None and 0 not in tuple(x.shape):
        near = _near_one(as_rows(terms, axes, xp=xp), as_rows(size, axes, xp=xp), xp=xp)
        known = stop_gradient(logarithm if return_sign else xp.real(logarithm), xp=xp)
        near = xp.reshape(near, tuple(amount.shape))
        held = (xp.abs(near) < INF) & (xp.abs(known) < INF)
        lost = _where(held, near, 0.0, xp=xp) - _where(held, known, 0.0, xp=xp)
        logarithm = logarithm + (lost if return_sign else xp.astype(lost, x.dtype))
    if not return_sign:
        return logarithm
    phase = amount / xp.astype(_where(length == 0, 1.0, length, xp=xp), x.dtype)
    return logarithm, stop_gradient(phase, xp=xp)


def _near_one(terms: Array, size: Array, *, xp: Namespace) -> Array:
    """Return the logarithm of the size of a sum that is near its largest term, else NaN.

    With that term's own logarithm apart: beside 1, a small sum of the others would be lost.
    """
    terms = stop_gradient(terms, xp=xp)
    k, largest = place_of_largest(size, xp=xp)
    first, others = entry(terms, k, xp=xp), _where(largest, 0.0, terms, xp=xp)
    first = _where(xp.abs(first) > 0, first, 1.0, xp=xp)
    share = total(others, axis=-1, keepdims=True, xp=xp) / first
    real, imaginary = xp.real(share), xp.imag(share)
    change = real * (2 + real) + imaginary * imaginary
    close = xp.abs(change) < 0.5
    made = entry(size, k, xp=xp) + xp.log1p(_where(close, change, 0.0, xp=xp)) / 2
    return _where(close, made, NAN, xp=xp)
