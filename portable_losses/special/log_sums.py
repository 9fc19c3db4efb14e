"""Logarithms of means, running sums and differences of exponentials."""

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._polyfill import (
    arange,
    broadcast_arrays,
    broadcast_to,
    check_known,
    concat,
    constant,
    device_of,
    expand_dims,
    knows_shape,
    total,
    where,
)
from portable_losses._public import public
from portable_losses._rows import (
    as_rows,
    entry,
    exponentials,
    finite_or_nan,
    from_rows,
    place_of_largest,
    sum_of_others,
)
from portable_losses._stable import INF, NAN, log1p_inside
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axes,
    check_axis,
    check_bool,
    check_broadcastable,
    check_broadcasts_to,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import check_values, mark_invalid
from portable_losses.activations.softmaxes import _softmax
from portable_losses.special.log_exp import _log1mexp, _log1mexp_grad
from portable_losses.special.two_floats import sum_of

__all__ = ["cumulative_logsumexp", "logmeanexp", "logsubexp"]

_where = where  # logmeanexp has an argument of that name


@public
def logmeanexp(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    where: Array | None = None,
) -> Array:
    """Logarithm of a mean of exponentials: ``log(mean(exp(x)))`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    axis : int, tuple of int or None, default None
        The axes to average over; None: all.
    keepdims : bool, default False
        Keep the averaged axes with size 1.
    where : array of bool, broadcastable to the shape of `x`, optional
        Entries that take part; the others count as not there, whatever they hold.

    Returns
    -------
    array
        Shape of `x` without `axis`; dtype and device of `x`. -inf for -inf alone (gradient 0), +inf
        where +inf takes part, NaN for a mean of nothing.

    Raises
    ------
    TypeError
        `x` is not a real floating array, or `where` is not boolean.
    ValueError
        `where` does not broadcast to `x`, or `axis` names an axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    With k the largest of n entries: ``x_k + log1p(mean(expm1(x - x_k)))`` where the mean of the
    exponentials is nearly 1, so that equal entries give that entry, and ``x_k + log(sum / n)``
    elsewhere. The gradient is ``softmax(x)``.

    Source: P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
    softmax functions" (2021), doi:10.1093/imanum/draa038.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> print(pl.logmeanexp(np.asarray([1000.0, 1000.0])))
    1000.0
    """
    xp = namespace_of(x=x, optional={"where": where})
    check_real_floating(xp, x=x)
    check_bool(xp, where=where)
    shape = tuple(x.shape)
    check_broadcasts_to(shape, where=where)
    axes = check_axes(axis, x.ndim)

    z = widen(x, xp=xp)
    if x.ndim == 0:
        z, axes = z[None], (0,)
    if 0 in z.shape:
        result = total(z, axis=axes, xp=xp) + NAN
    elif where is None:
        rows = as_rows(z, axes, xp=xp)
        size = rows.shape[-1]
        if isinstance(size, int):
            shape = (*rows.shape[:-1], 1)
            count = broadcast_to(constant(size, rows, xp=xp), shape, like=rows[..., :1], xp=xp)
        else:  # a symbol of jax.export, or known when a graph runs
            ones = xp.ones_like(rows, device=device_of(rows, xp=xp))
            count = total(ones, axis=-1, keepdims=True, xp=xp)
        result = _logmeanexp(rows, count, xp=xp)[..., 0]
    else:
        rows = as_rows(z, axes, xp=xp)
        valid = as_rows(broadcast_to(where, z.shape, like=z, xp=xp), axes, xp=xp)
        count = total(narrow(valid, rows.dtype, xp=xp), axis=-1, keepdims=True, xp=xp)
        result = _logmeanexp(_where(valid, rows, -INF, xp=xp), count, xp=xp)[..., 0]
    if keepdims:
        result = expand_dims(result, axes, xp=xp)
    return narrow(result, x.dtype, xp=xp)


@public
def cumulative_logsumexp(x: Array, /, *, axis: int = -1) -> Array:
    """Running logarithm of a sum of exponentials: ``log(cumsum(exp(x)))`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
    axis : int, default -1

    Returns
    -------
    array
        Shape, dtype and device of `x`. -inf up to the first entry above -inf (gradient 0), +inf
        from +inf on, NaN from NaN on.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    IndexError
        There is no such axis.

    Notes
    -----
    Each entry keeps its own largest term m apart, ``m + log1p(sum of the others over it)``: entries
    far below the largest of the whole axis are right, where a cumulative sum of ``exp(x - max)`` is
    0. The sums are made in log2(n) steps, each over the whole array, and so is the gradient, which
    is ``sum over j >= i of grad_j * exp(x_i - result_j)``.

    Source: W. D. Hillis, G. L. Steele, "Data parallel algorithms" (1986), doi:10.1145/7902.7903,
    for the steps; torch.logcumsumexp.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.cumulative_logsumexp(np.asarray([-1000.0, -1000.0, 0.0])).round(4)
    array([-1000.    ,  -999.3069,     0.    ])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    axes = (check_axis(axis, x.ndim),)
    if 0 in tuple(x.shape):
        return x

    check_known(x, axes)
    rows = as_rows(widen(x, xp=xp), axes, xp=xp)
    result = from_rows(_cumulative_logsumexp(rows, xp=xp), axes, tuple(x.shape), xp=xp)
    return narrow(result, x.dtype, xp=xp)


@public
def logsubexp(a: Array, b: Array, /) -> Array:
    """Logarithm of a difference of exponentials: ``log(exp(a) - exp(b))``.

    Parameters
    ----------
    a, b : arrays of a real floating dtype, shapes that broadcast together
        Logarithms; `b` at most `a`.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. -inf where both are equal, -inf included; NaN where both
        are +inf. Where the values cannot be read (on a GPU, under ``jax.jit``, on Dask), b above a
        gives NaN.

    Raises
    ------
    TypeError
        `a` or `b` is not a real floating array, or they come from two libraries.
    ValueError
        An entry of `b` is above that of `a`.

    Notes
    -----
    Computed as ``a + log1mexp(a - b)``. The gradient is ``1 / (1 - exp(b - a))`` in a and
    ``-1 / expm1(a - b)`` in b: infinite where both are equal, and 0 where both are -inf.

    Source: tfp.math.log_sub_exp; the stable form is that of `log1mexp`.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.logsubexp(np.asarray([1000.0, 1.0]), np.asarray([999.0, 1.0])).round(4)
    array([999.5413,     -inf])
    """
    xp = namespace_of(a=a, b=b)
    check_real_floating(xp, a=a, b=b)
    check_broadcastable(a=a, b=b)

    dtype = xp.result_type(a, b)
    a, b = (widen(narrow(z, dtype, xp=xp), xp=xp) for z in broadcast_arrays(a, b, xp=xp))
    invalid = check_values(b, b > a, "be at most `a`", name="b", xp=xp)
    result = mark_invalid(_logsubexp(a, b, xp=xp), invalid, xp=xp)
    return narrow(result, dtype, xp=xp)


# ---- differences ------------------------------------------------------------------------------


def _gap(a: Array, b: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """Return where both are one infinity, and ``a - b`` as a sum: an exponential takes its rest."""
    endless = (a == b) & (xp.abs(a) == INF)
    gap, rest = sum_of(_where(endless, 1.0, a, xp=xp), -_where(endless, 0.0, b, xp=xp))
    return endless, gap, _where((gap > 1) & (gap < INF), rest, 0.0, xp=xp)


def _share(a: Array, b: Array, *, xp: Namespace) -> Array:
    """``1 / (exp(a - b) - 1)``, and 0 where both are one infinity."""
    endless, gap, rest = _gap(a, b, xp=xp)
    (share,) = _log1mexp_grad(constant(1.0, a, xp=xp), gap, gap, xp=xp)
    return _where(endless, 0.0, share * (1 - rest), xp=xp)


def _logsubexp_by_a(grad: Array, out: Array, a: Array, b: Array, *, xp: Namespace) -> Array:
    """``1 / (1 - exp(b - a))``, and 0 where both are one infinity."""
    endless = _gap(a, b, xp=xp)[0]
    return grad * _where(endless, 0.0, 1 + _share(a, b, xp=xp), xp=xp)


def _logsubexp_by_b(grad: Array, out: Array, a: Array, b: Array, *, xp: Namespace) -> Array:
    """``-1 / (exp(a - b) - 1)``."""
    return grad * -_share(a, b, xp=xp)


@with_gradient(_logsubexp_by_a, _logsubexp_by_b, elementwise=True)
def _logsubexp(a: Array, b: Array, *, xp: Namespace) -> Array:
    """``log(exp(a) - exp(b))``, and the limit where both are one infinity."""
    endless, gap, _ = _gap(a, b, xp=xp)
    limit = _where(a < 0, constant(-INF, a, xp=xp), NAN, xp=xp)
    return _where(endless, limit, a + _log1mexp(gap, xp=xp), xp=xp)


# ---- means ------------------------------------------------------------------------------------


def _logmeanexp_grad(
    grad: Array, out: Array, x: Array, count: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``softmax(x)``, 0 for a row of -inf; none in `count`."""
    return grad * _where(out == -INF, 0.0, _softmax(x, xp=xp), xp=xp), None


@with_gradient(_logmeanexp_grad, rows=True)
def _logmeanexp(x: Array, count: Array, *, xp: Namespace) -> Array:
    """``log(sum(exp(x)) / count)`` along the last axis, which is kept.

    Masked entries are -inf and not among the `count`.
    """
    k, largest = place_of_largest(x, xp=xp)
    top = entry(x, k, xp=xp)
    d = x - finite_or_nan(top, xp=xp)
    there = x > -INF
    gone = count - total(narrow(there, x.dtype, xp=xp), axis=-1, keepdims=True, xp=xp)
    excess = total(_where(there, xp.expm1(d), 0.0, xp=xp), axis=-1, keepdims=True, xp=xp) - gone
    others = sum_of_others(exponentials(x, finite_or_nan(top, xp=xp), xp=xp), k, largest, xp=xp)
    count = _where(count == 0, NAN, count, xp=xp)
    near = excess / count
    close = near > -0.5
    mean = _where(close, 1.0, (1 + others) / count, xp=xp)
    log_mean = _where(
        close, log1p_inside(_where(close, near, 0.0, xp=xp), xp=xp), xp.log(mean), xp=xp
    )
    return _where((xp.abs(top) < INF) | (count != count), top + log_mean, top, xp=xp)


# ---- running sums -----------------------------------------------------------------------------


def _cumulative_logsumexp_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``exp(x_i - out_i) * s_i`` with ``s_i = sum over j >= i of grad_j * exp(out_i - out_j)``.

    ``s_i = grad_i + exp(out_i - out_{i + 1}) * s_{i + 1}``, whose factor is at most 1. It is the
    quotient of two running sums, not the exponential of `out`, which would multiply its rounding.
    """
    empty = out == -INF
    top, others = _running_sums(x, xp=xp)
    top, whole = _where(empty, 0.0, finite_or_nan(top, xp=xp), xp=xp), 1 + others
    # What is the largest so far has no part in a difference from itself, nor from the same largest
    # one place on: the two slopes would cancel what is left.
    mine = (_places(x, xp=xp) == 0) | (x > _rolled(top, 1, xp=xp))
    alone = empty | mine & (top == top)
    own = _where(empty, 0.0, _quotient(x, top, alone, xp=xp) / whole, xp=xp)
    # an empty sum is no part of the next one, and nothing follows the last
    apart = empty | (_places(x, xp=xp) == x.shape[-1] - 1)
    after = _rolled(top, -1, xp=xp)
    fall = _quotient(top, after, apart | (top == after), xp=xp)
    factor = _where(apart, 0.0, whole / _rolled(whole, -1, xp=xp) * fall, xp=xp)
    step, result = 1, _where(empty, 0.0, grad, xp=xp)
    while step < x.shape[-1]:
        result = result + factor * _rolled(result, -step, xp=xp)
        factor = factor * _rolled(factor, -step, xp=xp)
        step *= 2
    return (own * result,)


@with_gradient(_cumulative_logsumexp_grad)
def _cumulative_logsumexp(x: Array, *, xp: Namespace) -> Array:
    """``log(cumsum(exp(x)))`` along the last axis."""
    top, others = _running_sums(x, xp=xp)
    return _where(xp.abs(top) < INF, top + xp.log1p(others), top, xp=xp)


def _rolled(x: Array, step: int, *, xp: Namespace) -> Array:
    """``xp.roll`` along the last axis, which Dask lacks beside an unknown size."""
    if knows_shape(x):
        return xp.roll(x, step, axis=-1)
    return concat([x[..., -step:], x[..., :-step]], axis=-1, xp=xp)


def _running_sums(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return the running maximum m, and ``sum of exp(x_j - m)`` over the entries other than m.

    By doubling: after each step an entry has the sum of twice as many entries up to its own. By
    `roll`, not by slices, so that each step has one shape; what rolls in at the front is masked.
    """
    top, others, places = x, xp.zeros_like(x, device=device_of(x, xp=xp)), _places(x, xp=xp)
    step = 1
    while step < x.shape[-1]:
        low, low_others = _rolled(top, step, xp=xp), _rolled(others, step, xp=xp)
        first = (low >= top) | (low != low)
        even = (low == top) & (xp.abs(low) == INF)
        larger = _where(first, low, top, xp=xp)
        e = _quotient(_where(first, top, low, xp=xp), larger, even, xp=xp)
        kept = _where(first, low_others, others, xp=xp)
        joined = kept + (1 + _where(first, others, low_others, xp=xp)) * e
        reached = places >= step
        others = _where(reached, joined, others, xp=xp)
        top = _where(reached, larger, top, xp=xp)
        step *= 2
    return top, others


def _quotient(a: Array, b: Array, even: Array, *, xp: Namespace) -> Array:
    """``exp(a - b)`` with all digits, and the constant 1 where `even`."""
    gap, rest = sum_of(_where(even, 0.0, a, xp=xp), -_where(even, 0.0, b, xp=xp))
    rest = _where(xp.abs(gap) < INF, stop_gradient(rest, xp=xp), 0.0, xp=xp)
    return xp.exp(gap) * (1 + rest)  # where the first is tiny, their product may be flushed to 0


def _places(x: Array, *, xp: Namespace) -> Array:
    """Return 0, 1, ... along the last axis."""
    return arange(x.shape[-1], x, xp=xp)
