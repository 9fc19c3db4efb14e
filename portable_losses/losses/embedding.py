"""Similarities and distances of vectors, and losses of them."""

from collections.abc import Callable
from functools import partial

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import FINITE, NONNEGATIVE, NORM
from portable_losses._polyfill import (
    broadcast_to,
    clip,
    expand_dims,
    is_known,
    readable,
    total,
)
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, largest_along
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_floating,
    check_axis,
    check_broadcastable,
    check_real_floating,
    namespace_of,
    same_shape,
)
from portable_losses.activations.rectified import relu
from portable_losses.activations.scaled import _max_abs, _norm, _norm_grad, as_divisor, unit_vectors
from portable_losses.losses._left_out import leaves_out

__all__ = [
    "cosine_distance",
    "cosine_similarity",
    "pairwise_distance",
    "triplet_margin_loss",
]


@public(eps=NONNEGATIVE)
def cosine_similarity(x1: Array, x2: Array, /, *, axis: int = -1, eps: float = 0.0) -> Array:
    """Cosine of the angle between vectors: ``sum(x1 * x2) / (|x1| * |x2|)``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, of a shape that broadcasts with that of `x1`
        Vectors; converted to the dtype of `x1`.
    axis : int, default -1
        Of the shape to which both broadcast. All pairs: shapes (N, 1, D) and (1, M, D).
    eps : float, default 0.0
        Least norm to divide by, at least 0; ``eps=1e-8`` is PyTorch's.

    Returns
    -------
    array
        In [-1, 1]; shape of both without `axis`; dtype and device of `x1`. 0 for a vector of zeros.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not broadcast, or `eps` is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    Each vector is divided by its largest absolute value first, so no square overflows or
    underflows. With u and v the unit vectors, the gradient in `x1` is
    ``(v - u * sum(u * v)) / |x1|``; 0 at a vector of zeros.

    Source: torch.nn.functional.cosine_similarity, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[3e-200, 4e-200], [0.0, 0.0]])
    >>> pl.cosine_similarity(x, np.asarray([[3e200, 4e200], [1.0, 1.0]]))
    array([1., 0.])
    """
    xp = namespace_of(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)

    return narrow(_cosine(a, b, eps=eps, xp=xp), x1.dtype, xp=xp)


@public(eps=NONNEGATIVE)
def cosine_distance(x1: Array, x2: Array, /, *, axis: int = -1, eps: float = 0.0) -> Array:
    """One minus the cosine of the angle between vectors: ``1 - cosine_similarity(x1, x2)``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, of a shape that broadcasts with that of `x1`
        Vectors; converted to the dtype of `x1`.
    axis : int, default -1
        Of the shape to which both broadcast. All pairs: shapes (N, 1, D) and (1, M, D).
    eps : float, default 0.0
        Least norm to divide by, at least 0.

    Returns
    -------
    array
        In [0, 2]; shape of both without `axis`; dtype and device of `x1`. 1 for a vector of zeros.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not broadcast, or `eps` is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    Computed from the unit vectors as ``sum((u - v)**2) / 2``, which keeps its digits for vectors
    that are nearly parallel. The gradient is minus that of `cosine_similarity`.

    Source: scipy.spatial.distance.cosine, for the name.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.cosine_distance(np.asarray([[1.0, 0.0]]), np.asarray([[1.0, 1e-10]]))
    array([5.e-21])
    """
    xp = namespace_of(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)

    return narrow(_distance_of_directions(a, b, eps=eps, xp=xp), x1.dtype, xp=xp)


@public(p=NORM, eps=NONNEGATIVE)
def pairwise_distance(
    x1: Array,
    x2: Array,
    /,
    *,
    p: float = 2.0,
    eps: float = 0.0,
    axis: int = -1,
    keepdims: bool = False,
) -> Array:
    """Distance between vectors: ``sum(|x1 - x2 + eps|**p)**(1 / p)``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, of a shape that broadcasts with that of `x1`
        Vectors; converted to the dtype of `x1`.
    p : float, default 2.0
        Order of the norm, greater than 0; ``math.inf`` is the largest absolute difference.
    eps : float, default 0.0
        Added to every difference, at least 0; ``eps=1e-6`` is PyTorch's, which makes equal
        vectors ``1e-6 * sqrt(n)`` apart.
    axis : int, default -1
        Of the shape to which both broadcast. All pairs: shapes (N, 1, D) and (1, M, D).
    keepdims : bool, default False
        Keep `axis` with size 1.

    Returns
    -------
    array
        At least 0; shape of both without `axis`; dtype and device of `x1`.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not broadcast, `p` is not positive, or `eps` is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    The largest absolute difference is divided out first, so no power overflows or underflows. The
    gradient in `x1` is ``sign(d) * (|d| / distance)**(p - 1)`` with ``d = x1 - x2 + eps``, and 0 at
    equality.

    Source: torch.nn.functional.pairwise_distance, for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[3e200, 4e200], [1.0, 1.0]])
    >>> pl.pairwise_distance(x, np.asarray([[0.0, 0.0], [1.0, 1.0]]))
    array([5.e+200, 0.e+000])
    """
    xp = namespace_of(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)

    result = _distance(a, b, p=p, eps=eps, xp=xp)
    if keepdims:
        result = expand_dims(result, (check_axis(axis, max(x1.ndim, x2.ndim)),), xp=xp)
    return narrow(result, x1.dtype, xp=xp)


@public(margin=FINITE, p=NORM, eps=NONNEGATIVE)
@leaves_out(anchor=0.5, positive=0.5, negative=0.5)
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    /,
    *,
    margin: float | Array = 1.0,
    p: float = 2.0,
    eps: float = 0.0,
    swap: bool = False,
    distance: Callable[[Array, Array], Array] | None = None,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Ask that a vector be nearer to one than to another.

    ``max(0, D(anchor, positive) - D(anchor, negative) + margin)``.

    Parameters
    ----------
    anchor : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    positive, negative : arrays of a real floating dtype, shape of `anchor`
        What should be near, and what should be far.
    margin : float or 0-d array, default 1.0
        By how much.
    p, eps : float, default 2.0 and 0.0
        Of `pairwise_distance`, which is D; ``eps=1e-6`` is PyTorch's.
    swap : bool, default False
        Use ``D(positive, negative)`` for ``D(anchor, negative)`` where it is smaller.
    distance : callable, optional
        ``(x, y) -> distances`` in place of D; `p`, `eps` and `axis` are not used then.
    axis : int, default -1
    where : array of bool, broadcastable to the unreduced loss, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum"; after "none" that of `anchor` without `axis`. Dtype and
        device of `anchor`.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `p` is not positive, `eps` or a weight is negative, or `reduction` is
        unknown.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradient is 0 where the loss is, and a distance of 0 has the gradient 0.

    Source: F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: a unified embedding for face
    recognition and clustering" (2015), arXiv:1503.03832; swap: V. Balntas et al., "Learning local
    feature descriptors with triplets" (2016), doi:10.5244/C.30.119.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> a, p, n = np.asarray([[0.0, 0.0]]), np.asarray([[3.0, 4.0]]), np.asarray([[0.0, 2.0]])
    >>> print(pl.triplet_margin_loss(a, p, n))
    4.0
    """
    xp = namespace_of(
        anchor=anchor,
        positive=positive,
        negative=negative,
        optional={"sample_weight": sample_weight},
    )
    check_real_floating(xp, anchor=anchor, positive=positive, negative=negative)
    a, near, far = as_floating(xp, anchor=anchor, positive=positive, negative=negative)
    measure = distance or partial(pairwise_distance, p=p, eps=eps, axis=axis)

    to_near, to_far = measure(a, near), measure(a, far)
    if swap:
        other = measure(near, far)
        to_far = _where(other < to_far, other, to_far, xp=xp)
    beyond = (to_near == INF) & (to_far == INF)
    if distance is None and (not readable(beyond, xp=xp) or bool(xp.any(beyond))):
        origin, *ends = (stop_gradient(v, xp=xp) for v in (a, near, far))
        first, second = (_ranks(origin, end, p, eps, axis, xp=xp) for end in ends)
        to_near = _where(beyond & (first <= second), 0.0, to_near, xp=xp)
        to_far = _where(beyond & (first >= second), 0.0, to_far, xp=xp)
    loss = relu(margin - to_far + to_near)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=anchor.dtype,
        denominator=denominator,
        xp=xp,
    )


def _vectors(x1: Array, x2: Array, axis: int, *, xp: Namespace) -> tuple[Array, Array]:
    """Return both in the dtype to compute in, checked, with the vectors along the last axis.

    Their other axes broadcast.
    """
    check_real_floating(xp, x1=x1, x2=x2)
    a = widen(x1, xp=xp)
    b = narrow(x2, a.dtype, xp=xp)
    if not same_shape(a.shape, b.shape):
        check_broadcastable(x1=x1, x2=x2)
        a, b = (_with_axes(x, max(x1.ndim, x2.ndim), xp=xp) for x in (a, b))
    place = check_axis(axis, a.ndim)
    a, b = as_rows(a, (place,), xp=xp), as_rows(b, (place,), xp=xp)
    size = max(a.shape[-1], b.shape[-1]) if a.shape[-1] != b.shape[-1] else a.shape[-1]
    return _stretched(a, size, xp=xp), _stretched(b, size, xp=xp)


def _with_axes(x: Array, ndim: int, *, xp: Namespace) -> Array:
    """Return `x` with axes of size 1 in front, `ndim` in all."""
    return expand_dims(x, range(ndim - x.ndim), xp=xp)


def _stretched(x: Array, size: int, *, xp: Namespace) -> Array:
    """Return `x` with `size` entries along the last axis, where it has as many or one."""
    return x if x.shape[-1] == size else broadcast_to(x, (*x.shape[:-1], size), xp=xp)


@of_rows(wide=True)
def _distance(a: Array, b: Array, *, p: float, eps: float, xp: Namespace) -> Array:
    """Return the norm of ``a - b + eps`` along the last axis."""
    return _length(a - b + eps, p, xp=xp)


def _length(d: Array, p: float, *, xp: Namespace) -> Array:
    """Return the norm along the last axis; gradient 0 at 0."""
    top = _max_abs(d, (-1,), xp=xp)
    usual = (top > 0) & (top < INF)
    d, scale = _where(usual, d, 1.0, xp=xp), _where(usual, top, 1.0, xp=xp)
    if p < 1:
        norm = _norm_of_small_order(d, p=p, axes=(-1,), xp=xp)
    else:
        scale = as_divisor(scale, xp=xp)
        norm = scale * _norm(d / scale, p=p, axes=(-1,), xp=xp)
    return _where(usual, norm, top, xp=xp)[..., 0]


@with_gradient(_norm_grad)
def _norm_of_small_order(d: Array, *, p: float, axes: tuple[int, ...], xp: Namespace) -> Array:
    """``sum(|d|**p)**(1 / p)``, not 0, with the power taken in two halves: it may overflow."""
    size = xp.abs(d)
    top = largest_along(size, axes, xp=xp)
    half = total((size / top) ** p, axis=axes, keepdims=True, xp=xp) ** (0.5 / p)
    return top * half * half


def _ranks(a: Array, b: Array, p: float, eps: float, axis: int, *, xp: Namespace) -> Array:
    """Return distances over ``n**(1 / p)``, of a quarter of the vectors: these are all finite."""
    d = a / 4 - b / 4 + eps / 4
    size = xp.abs(d)
    top = largest_along(size, (axis,), xp=xp)
    if p != INF:
        share = size / _where(top == 0, 1.0, top, xp=xp)
        if is_known(d.shape[axis]):
            mean = total(share**p, axis=axis, keepdims=True, xp=xp) / max(d.shape[axis], 1)
        else:
            mean = xp.mean(share**p, axis=axis, keepdims=True)
        top = top * mean ** (1 / p)
    return xp.squeeze(top, axis=axis)


@of_rows(wide=True)
def _cosine(a: Array, b: Array, *, eps: float, xp: Namespace) -> Array:
    """Return the cosines of vectors along the last axis."""
    u, v = (unit_vectors(x, axes=(-1,), p=2.0, eps=eps, xp=xp) for x in (a, b))
    return _rounded_into(total(u * v, axis=-1, xp=xp), -1.0, 1.0, xp=xp)


def _rounded_into(x: Array, low: float, high: float, *, xp: Namespace) -> Array:
    """Return `x`, which only rounding puts outside the bounds, between them; the slope stays 1."""
    return x + stop_gradient(clip(x, low, high, xp=xp) - x, xp=xp)


@of_rows(wide=True)
def _distance_of_directions(a: Array, b: Array, *, eps: float, xp: Namespace) -> Array:
    """Return one minus the cosine: ``(|u - v|**2 + (1 - |u|**2) + (1 - |v|**2)) / 2``."""
    u, v = (unit_vectors(x, axes=(-1,), p=2.0, eps=eps, xp=xp) for x in (a, b))
    square = total((u - v) * (u - v), axis=-1, xp=xp)
    rest = _one_minus_square(a, u, eps, xp=xp) + _one_minus_square(b, v, eps, xp=xp)
    return _rounded_into((square + rest) / 2, 0.0, 2.0, xp=xp)


def _one_minus_square(x: Array, unit: Array, eps: float, *, xp: Namespace) -> Array:
    """Return ``1 - |unit|**2``: 0, unless `eps` divided x or x is 0."""
    length = _length(x, 2.0, xp=xp)
    short = (length < eps) | (length == 0)
    return _where(short, 1 - total(unit * unit, axis=-1, xp=xp), 0.0, xp=xp)
