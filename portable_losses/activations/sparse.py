"""Probabilities of which many are exactly 0: sparsemax and 1.5-entmax.

Both subtract a threshold from the scores of a row and cut below it. The threshold is found from
the sorted scores, then computed once more from the scores above it alone, which is more accurate.
"""

from collections.abc import Callable

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._polyfill import arange, check_known, concat, maximum, total, where
from portable_losses._public import public
from portable_losses._rows import as_rows, entry, finite_or_nan, from_rows, place_of_largest
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_axis, check_real_floating, namespace_of

__all__ = ["entmax15", "sparsemax"]


@public
def sparsemax(x: Array, /, *, axis: int = -1) -> Array:
    """Project scores onto the probabilities: ``max(x - tau, 0)`` along `axis`.

    tau is the one number that makes the result sum to 1.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Scores. -inf is a class of probability 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    array
        Probabilities, the nearest to `x` in Euclidean distance: shape, dtype and device of `x`. A
        class more than 1 below the largest has probability exactly 0. A row of -inf alone, or with
        +inf or NaN, is NaN. An empty axis gives an array of the same empty shape.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    IndexError
        There is no such axis.

    Notes
    -----
    The largest score is subtracted first. With the scores sorted, ``tau = max over k of
    (x_1 + ... + x_k - 1) / k``. The gradient is ``grad - mean(grad)``, both over the classes of
    positive probability, and 0 elsewhere.

    Source: A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax" (2016),
    arXiv:1602.02068.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.sparsemax(np.asarray([1.0, 0.5, -1.0]))
    array([0.75, 0.25, 0.  ])
    """
    return _along(_sparsemax, x, axis)


@public
def entmax15(x: Array, /, *, axis: int = -1) -> Array:
    """Probabilities between softmax and sparsemax: ``max(x / 2 - tau, 0)**2`` along `axis`.

    tau is the one number that makes the result sum to 1.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Scores. -inf is a class of probability 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    array
        Probabilities: shape, dtype and device of `x`. A class more than 2 below the largest has
        probability exactly 0. A row of -inf alone, or with +inf or NaN, is NaN. An empty axis
        gives an array of the same empty shape.

    Raises
    ------
    TypeError
        `x` is not a real floating array.
    IndexError
        There is no such axis.

    Notes
    -----
    For the k largest of the halved scores, with mean m and sum of squares q about it, the sum is
    1 at ``m - sqrt((1 - q) / k)``; tau is the largest of these that is not above its k-th score.
    With ``s = sqrt(p)`` the gradient is ``s * grad - s * sum(s * grad) / sum(s)``.

    Source: B. Peters, V. Niculae, A. F. T. Martins, "Sparse sequence-to-sequence models" (2019),
    arXiv:1905.05702.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.entmax15(np.asarray([1.0, 1.0, -1.0]))
    array([0.5, 0.5, 0. ])
    """
    return _along(_entmax15, x, axis)


def _along(function: Callable[..., Array], x: Array, axis: int) -> Array:
    """Apply `function`, which works along the last axis, along `axis`."""
    xp = namespace_of(x=x)
    check_real_floating(xp, x=x)
    axes = (check_axis(axis, x.ndim),)
    if 0 in tuple(x.shape):
        return x
    rows = function(as_rows(widen(x, xp=xp), axes, xp=xp), xp=xp)
    return narrow(from_rows(rows, axes, tuple(x.shape), xp=xp), x.dtype, xp=xp)


# ---- the threshold, along the last axis --------------------------------------------------------

Threshold = Callable[..., Array]


def _cut(x: Array, threshold: Threshold, refined: Threshold, *, xp: Namespace) -> Array:
    """``max(z - tau, 0)`` with ``z = x - max(x)``.

    `threshold` estimates tau from a sorted row; `refined` computes it from the entries above that
    estimate.
    """
    if 0 in x.shape:
        return x + 0.0  # PyTorch takes no argument for the result of a pair
    check_known(x, (-1,))
    k, _ = place_of_largest(x, xp=xp)
    z = x - finite_or_nan(entry(x, k, xp=xp), xp=xp)
    z = maximum(z, -2.0, xp=xp)  # tau is at least -1: what lies below adds nothing to any sum
    ranks = 1 + arange(x.shape[-1], x, dtype=x.dtype, xp=xp)
    ordered = xp.sort(stop_gradient(z, xp=xp), axis=-1, descending=True)
    taus = threshold(ordered, ranks, xp=xp)
    tau = entry(taus, place_of_largest(taus, xp=xp)[0], xp=xp)
    for _ in range(2):  # a score next to tau may have been on the wrong side of it
        inside = ~(z <= tau)  # True where z is NaN
        count = total(narrow(inside, z.dtype, xp=xp), axis=-1, keepdims=True, xp=xp)
        tau = refined(z, inside, count, xp=xp)
    return where(z <= tau, 0.0, z - tau, xp=xp)


def _support(out: Array, *, xp: Namespace) -> Array:
    """1 where `out` is positive, 0 where it is 0, NaN where it is NaN; a constant."""
    return where(out > 0, 1.0, stop_gradient(out, xp=xp), xp=xp)


def _running_sum(x: Array, size: int, *, xp: Namespace) -> Array:
    """Return the sum of each entry and those before it, in rows of some `size`.

    By doubling the step, which rounds less than one entry after the other. Not by
    ``xp.cumulative_sum``, which came with 2023.12 and which torch.compile cannot trace.
    """
    step = 1
    while step < size:
        x = x + concat([xp.zeros_like(x[..., :step]), x[..., :-step]], axis=-1, xp=xp)
        step *= 2
    return x


def _rows_sum(x: Array, *, xp: Namespace) -> Array:
    """Return the sum along the last axis, which is kept."""
    return total(x, axis=-1, keepdims=True, xp=xp)


# ---- sparsemax: the sum is 1 -------------------------------------------------------------------


def _sparsemax_threshold(ordered: Array, ranks: Array, *, xp: Namespace) -> Array:
    """``(x_1 + ... + x_k - 1) / k`` for every rank k of a sorted row."""
    return (_running_sum(ordered, ranks.shape[0], xp=xp) - 1) / ranks


def _sparsemax_refined(z: Array, inside: Array, count: Array, *, xp: Namespace) -> Array:
    """``(sum of z inside - 1) / count``: the tau at which the probabilities sum to 1."""
    return (_rows_sum(where(inside, z, 0.0, xp=xp), xp=xp) - 1) / count


def _sparsemax_grad(
    grad: Array, out: Array, x: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``grad - mean(grad)``, both over the classes of positive probability, else 0."""
    inside = _support(out, xp=xp)
    mean = _rows_sum(inside * grad, xp=xp) / _rows_sum(inside, xp=xp)
    return (inside * (grad - mean),)


@with_gradient(_sparsemax_grad)
def _sparsemax(x: Array, *, xp: Namespace) -> Array:
    """``max(x - tau, 0)`` with sum 1."""
    return _cut(x, _sparsemax_threshold, _sparsemax_refined, xp=xp)


# ---- 1.5-entmax: the sum of squares is 1 -------------------------------------------------------


def _entmax15_threshold(ordered: Array, ranks: Array, *, xp: Namespace) -> Array:
    """``m - sqrt((1 - q) / k)`` for every rank k, m the mean and q the sum of squares about it.

    -2, which is below every tau, where that is above the k-th entry.
    """
    mean = _running_sum(ordered, ranks.shape[0], xp=xp) / ranks
    spread = _running_sum(ordered * ordered, ranks.shape[0], xp=xp) / ranks - mean * mean
    tau = mean - xp.sqrt(maximum(1 / ranks - spread, 0.0, xp=xp))
    return where(tau > ordered, -2.0, tau, xp=xp)


def _entmax15_refined(z: Array, inside: Array, count: Array, *, xp: Namespace) -> Array:
    """``m - sqrt((1 - q) / count)`` of the entries inside: their ``(z - tau)**2`` sum to 1."""
    mean = _rows_sum(where(inside, z, 0.0, xp=xp), xp=xp) / count
    d = where(inside, z - mean, 0.0, xp=xp)
    return mean - xp.sqrt(maximum(1 - _rows_sum(d * d, xp=xp), 0.0, xp=xp) / count)


def _entmax15_root_grad(
    grad: Array, out: Array, x: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(grad - out * sum(grad over the support) / sum(out)) / 2`` on the support, else 0."""
    inside = _support(out, xp=xp)
    share = _rows_sum(inside * grad, xp=xp) / _rows_sum(out, xp=xp)
    return (0.5 * inside * (grad - share * out),)


@with_gradient(_entmax15_root_grad)
def _entmax15_root(x: Array, *, xp: Namespace) -> Array:
    """``max(x / 2 - tau, 0)``: the square roots of the probabilities."""
    return _cut(0.5 * x, _entmax15_threshold, _entmax15_refined, xp=xp)


def _entmax15(x: Array, *, xp: Namespace) -> Array:
    """Return the probabilities along the last axis."""
    root = _entmax15_root(x, xp=xp)
    return root * root
