"""Activations along an axis: softmax, its logarithm, and softmin."""

from portable_losses._backend import backend_of
from portable_losses._dtypes import computable
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._polyfill import total, where
from portable_losses._public import public
from portable_losses._row_functions import of_rows, row_call
from portable_losses._rows import (
    as_rows,
    entry,
    exponentials,
    finite_or_nan,
    from_rows,
    place_of_largest,
    sum_of_others,
)
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axes,
    check_bool,
    check_broadcasts_to,
    check_real_floating,
    namespace_of,
)

__all__ = ["log_softmax", "softmax", "softmin"]


@public
def softmax(x: Array, /, *, axis: int | tuple[int, ...] = -1, where: Array | None = None) -> Array:
    """Probabilities from logits: ``exp(x) / sum(exp(x))`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Logits. -inf is a class of probability 0.
    axis : int or tuple of int, default -1
        The axes of the classes.
    where : array of bool, broadcastable to the shape of `x`, optional
        Entries that take part; the others get probability 0, whatever they hold.

    Returns
    -------
    array
        Shape, dtype and device of `x`, at least 0, summing to 1. A row without an entry that
        takes part is 0; a row of -inf alone, or with +inf or NaN, is NaN. An empty axis gives an
        array of the same empty shape.

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
    The largest logit, rounded down, is subtracted first, so nothing overflows, and what rounding
    the difference has lost is made good: probabilities of 1e-300 have all digits, too. The
    gradient of a certain row is exact as well: ``p_k * (1 - p_k)`` is computed from the other
    classes' probabilities.

    Source: J. S. Bridle, "Probabilistic interpretation of feedforward classification network
    outputs" (1990), doi:10.1007/978-3-642-76153-9_28.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.softmax(np.asarray([1000.0, 0.0, 1000.0]))
    array([0.5, 0. , 0.5])
    """
    xp = namespace_of(x=x, optional={"where": where})
    check_real_floating(xp, x=x)
    check_bool(xp, where=where)
    check_broadcasts_to(tuple(x.shape), where=where)
    axes = check_axes(axis, x.ndim)

    if 0 in tuple(x.shape):
        return x
    rows = as_rows(_masked(computable(x, xp=xp), where, -INF, xp=xp), axes, xp=xp)
    result = from_rows(row_call(_softmax, rows, xp=xp), axes, tuple(x.shape), xp=xp)
    return _masked(result, where, 0.0, xp=xp)


@public
def log_softmax(
    x: Array, /, *, axis: int | tuple[int, ...] = -1, where: Array | None = None
) -> Array:
    """Logarithm of the softmax: ``x - log(sum(exp(x)))`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Logits. -inf is a class of probability 0.
    axis : int or tuple of int, default -1
        The axes of the classes.
    where : array of bool, broadcastable to the shape of `x`, optional
        Entries that take part; the others get -inf, whatever they hold.

    Returns
    -------
    array
        Log-probabilities, at most 0; shape, dtype and device of `x`. A row of -inf alone, or with
        +inf or NaN, is NaN, unless `where` takes all of it out.

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
    With k the largest entry, ``log p_j = (x_j - x_k) - log1p(sum over i != k of
    exp(x_i - x_k))``: the largest entry's own exponential, which is 1, is never added and taken
    away again, so ``log p_k`` keeps its digits for a certain row (2.06e-9 at [20, 0], not 0). The
    gradient uses ``expm1(log p)`` for ``p - 1`` for the same reason.

    Source: P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
    softmax functions" (2021), doi:10.1093/imanum/draa038.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.log_softmax(np.asarray([20.0, 0.0])).round(11)
    array([-2.06e-09, -2.00e+01])
    """
    xp = namespace_of(x=x, optional={"where": where})
    check_real_floating(xp, x=x)
    check_bool(xp, where=where)
    check_broadcasts_to(tuple(x.shape), where=where)
    axes = check_axes(axis, x.ndim)

    if 0 in tuple(x.shape):
        return x
    rows = as_rows(_masked(computable(x, xp=xp), where, -INF, xp=xp), axes, xp=xp)
    result = from_rows(row_call(_log_softmax, rows, xp=xp), axes, tuple(x.shape), xp=xp)
    return _masked(result, where, -INF, xp=xp)


@public
def softmin(x: Array, /, *, axis: int | tuple[int, ...] = -1) -> Array:
    """Probabilities from costs: ``exp(-x) / sum(exp(-x))`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Costs. +inf is a class of probability 0.
    axis : int or tuple of int, default -1
        The axes of the classes.

    Returns
    -------
    array
        Shape, dtype and device of `x`, at least 0, summing to 1.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    ValueError
        `axis` names an axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    Equal to ``softmax(-x)``, which has the formula, the limits and the source.

    Source: torch.nn.functional.softmin, for the name.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.softmin(np.asarray([1000.0, 0.0, 1000.0]))
    array([0., 1., 0.])
    """
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    axes = check_axes(axis, x.ndim)
    if 0 in tuple(x.shape):
        return x
    rows = as_rows(computable(x, xp=xp), axes, xp=xp)

    return from_rows(_softmin(rows, xp=xp), axes, tuple(x.shape), xp=xp)


_where = where  # the public functions have an argument of that name


def _masked(x: Array, mask: Array | None, value: float, *, xp: Namespace) -> Array:
    """``x`` where `mask` is True or absent, else `value`."""
    return x if mask is None else _where(mask, x, value, xp=xp)


# ---- the pairs: along the last axis -----------------------------------------------------------


def _softmax_grad(
    grad: Array, out: Array, x: Array, *rest: Array, xp: Namespace
) -> tuple[Array | None, ...]:
    """``p * (h - sum(h * p))`` with ``h = grad - grad_k``, k the largest entry.

    The shift changes nothing in exact arithmetic, and takes p_k, the one probability that may be
    nearly 1, out of the sum.
    """
    k, _ = place_of_largest(out, xp=xp)
    h = grad - entry(grad, k, xp=xp)
    return out * (h - total(h * out, axis=-1, keepdims=True, xp=xp)), *(None for _ in rest)


def _softmax_grad_again(grad: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """Return the same of x, with one division fewer: ``e * (h - sum(h * e) / s) / s``."""
    k, e, s = _exponentials_and_sum(x, None, xp=xp)
    h = grad - entry(grad, k, xp=xp)
    return (e / s * (h - total(h * e, axis=-1, keepdims=True, xp=xp) / s),)


@with_gradient(_softmax_grad, rows=True, kernel="softmax", again=_softmax_grad_again)
def _softmax(x: Array, *, xp: Namespace) -> Array:
    """``exp(x - n) / sum(exp(x - n))``, n the largest entry rounded down."""
    return _shares(x, None, xp=xp)


@with_gradient(_softmax_grad, rows=True)
def _softmax_of_parts(x: Array, rest: Array, *, xp: Namespace) -> Array:
    """Return the softmax of ``x + rest``; the rest is constant (see `exponentials`)."""
    return _shares(x, rest, xp=xp)


def _shares(x: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """``exp(x - n) / sum(exp(x - n))``, of x and what was lost of it."""
    _, e, s = _exponentials_and_sum(x, rest, xp=xp)
    return e / s


def _exponentials_and_sum(
    x: Array, rest: Array | None, *, xp: Namespace
) -> tuple[Array, Array, Array]:
    """Return the place of the largest entry, ``exp(x - n)``, and the sum of these."""
    k, largest = place_of_largest(x, xp=xp)
    e = exponentials(x, finite_or_nan(entry(x, k, xp=xp), xp=xp), rest, xp=xp)
    # Apart from the largest, beside which many small ones are all rounded the same way.
    others = total(where(largest, 0.0, e, xp=xp), axis=-1, keepdims=True, xp=xp)
    return k, e, entry(e, k, xp=xp) + others


def softmax_in_parts(x: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """Return the softmax of rows, which may have more digits than their dtype."""
    return _softmax(x, xp=xp) if rest is None else _softmax_of_parts(x, rest, xp=xp)


def log_softmax_in_parts(x: Array, rest: Array | None, *, xp: Namespace) -> Array:
    """Return its logarithm."""
    return _log_softmax(x, xp=xp) if rest is None else _log_softmax_of_parts(x, rest, xp=xp)


@of_rows()
def _softmin(x: Array, *, xp: Namespace) -> Array:
    """``softmax(-x)``."""
    return _softmax(-x, xp=xp)


def probabilities(
    x: Array, out: Array, rest: Array | None = None, *, xp: Namespace
) -> tuple[Array, Array]:
    """Return the softmax p of x, whose logarithm is `out`, and ``p - 1``, with all digits of both.

    Only the largest entry's p may be nearly 1.
    """
    _, largest, p, p_k, less = _apart(x, out, rest, xp=xp)
    p = where(largest, p_k, p, xp=xp)
    return p, where(largest, less, p - 1, xp=xp)  # the others' p are at most 1/2


def _apart(
    x: Array, out: Array, rest: Array | None, *, xp: Namespace
) -> tuple[Array, Array, Array, Array, Array]:
    """Return where the largest entry k is, the others' p, and of k its p and ``p - 1``."""
    k, largest = place_of_largest(x, xp=xp)
    # Not exp(out): out is rounded twice, and exp multiplies a relative error by |out|. The largest
    # entry is not divided by itself, where its two slopes would cancel what is left of the row.
    e = exponentials(x, finite_or_nan(entry(x, k, xp=xp), xp=xp), rest, xp=xp)
    p_k = xp.exp(entry(out, k, xp=xp))
    less = xp.expm1(stop_gradient(entry(out, k, xp=xp), xp=xp))
    if backend_of(xp).autodiff.differentiates:  # by p: libraries take expm1(out) + 1 for its slope
        less = less + (p_k - stop_gradient(p_k, xp=xp))
    return k, largest, e * (p_k / entry(e, k, xp=xp)), p_k, less


def _log_softmax_grad(
    grad: Array, out: Array, x: Array, *rest: Array, xp: Namespace
) -> tuple[Array | None, ...]:
    """``grad_j - p_j * sum(grad)``, and at the largest entry k the same of the others' sum.

    Only p_k may be nearly 1: there it is ``grad_k * (1 - p_k) - p_k * (sum of grad over the
    others)``, both formed without it, so a one-hot `grad` loses no digit.
    """
    own = backend_of(xp).speed.special.get("log_softmax_grad")
    if own is not None and not rest:
        found: tuple[Array | None, ...] = own(grad, out, x, xp=xp)
        return found
    k, largest, p, p_k, less = _apart(x, out, *(rest or (None,)), xp=xp)
    others = total(where(largest, 0.0, grad, xp=xp), axis=-1, keepdims=True, xp=xp)
    g_k = entry(grad, k, xp=xp)
    in_x = where(largest, -g_k * less - p_k * others, grad - p * (others + g_k), xp=xp)
    return in_x, *(None for _ in rest)


@with_gradient(_log_softmax_grad, rows=True, kernel="log_softmax")
def _log_softmax(x: Array, *, xp: Namespace) -> Array:
    """``x - x_k - log1p(sum over i != k of exp(x_i - x_k))``, k the largest entry."""
    k, largest = place_of_largest(x, xp=xp)
    top = finite_or_nan(entry(x, k, xp=xp), xp=xp)
    others = sum_of_others(exponentials(x, top, xp=xp), k, largest, xp=xp)
    return x - top - xp.log1p(others)


@with_gradient(_log_softmax_grad, rows=True)
def _log_softmax_of_parts(x: Array, rest: Array, *, xp: Namespace) -> Array:
    """Return the same of ``x + rest``; the rest is constant."""
    k, largest = place_of_largest(x, xp=xp)
    top = finite_or_nan(entry(x, k, xp=xp), xp=xp)
    others = sum_of_others(exponentials(x, top, rest, xp=xp), k, largest, xp=xp)
    return (x - top) + ((rest - entry(rest, k, xp=xp)) - xp.log1p(others))
