"""Similarities and distances of vectors, and losses of them."""

from collections.abc import Callable
from functools import partial

from portable_losses._dtypes import narrow
from portable_losses._options import FINITE, NONNEGATIVE, NORM, options
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._reduction import reduce
from portable_losses._rows import as_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_floating,
    check_axis,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations.rectified import relu
from portable_losses.activations.scaled import _max_abs, _norm, normalize
from portable_losses.losses._left_out import leaves_out

__all__ = [
    "cosine_distance",
    "cosine_similarity",
    "pairwise_distance",
    "triplet_margin_loss",
]


@options(eps=NONNEGATIVE)
def cosine_similarity(x1: Array, x2: Array, /, *, axis: int = -1, eps: float = 0.0) -> Array:
    """Cosine of the angle between vectors: ``sum(x1 * x2) / (|x1| * |x2|)``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, shape of `x1`
        Vectors; converted to the dtype of `x1`.
    axis : int, default -1
    eps : float, default 0.0
        Least norm to divide by, at least 0; ``eps=1e-8`` is PyTorch's.

    Returns
    -------
    array
        In [-1, 1]; shape of `x1` without `axis`, its dtype and device. 0 for a vector of zeros.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, or `eps` is negative.
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
    >>> x = np.asarray([[3e-200, 4e-200], [0.0, 0.0]])
    >>> cosine_similarity(x, np.asarray([[3e200, 4e200], [1.0, 1.0]]))
    array([1., 0.])
    """
    xp = namespace_of(x1=x1, x2=x2)
    u, v = (normalize(x, eps=eps) for x in _vectors(x1, x2, axis, xp=xp))

    return narrow(total(u * v, axis=-1, xp=xp), x1.dtype, xp=xp)


@options(eps=NONNEGATIVE)
def cosine_distance(x1: Array, x2: Array, /, *, axis: int = -1, eps: float = 0.0) -> Array:
    """One minus the cosine of the angle between vectors: ``1 - cosine_similarity(x1, x2)``.

    Parameters
    ----------
    x1 : array of a real floating dtype, shape (...)
        Vectors along `axis`.
    x2 : array of a real floating dtype, shape of `x1`
        Vectors; converted to the dtype of `x1`.
    axis : int, default -1
    eps : float, default 0.0
        Least norm to divide by, at least 0.

    Returns
    -------
    array
        In [0, 2]; shape of `x1` without `axis`, its dtype and device. 1 for a vector of zeros.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, or `eps` is negative.
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
    >>> cosine_distance(np.asarray([[1.0, 0.0]]), np.asarray([[1.0, 1e-10]]))
    array([5.e-21])
    """
    xp = namespace_of(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)

    return narrow(_distance_of_directions(a, b, eps, xp=xp), x1.dtype, xp=xp)


@options(p=NORM, eps=NONNEGATIVE)
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
    x2 : array of a real floating dtype, shape of `x1`
        Vectors; converted to the dtype of `x1`.
    p : float, default 2.0
        Order of the norm, greater than 0; ``math.inf`` is the largest absolute difference.
    eps : float, default 0.0
        Added to every difference, at least 0; ``eps=1e-6`` is PyTorch's, which makes equal
        vectors ``1e-6 * sqrt(n)`` apart.
    axis : int, default -1
    keepdims : bool, default False
        Keep `axis` with size 1.

    Returns
    -------
    array
        At least 0; shape of `x1` without `axis`, its dtype and device.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, `p` is not positive, or `eps` is negative.
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
    >>> x = np.asarray([[3e200, 4e200], [1.0, 1.0]])
    >>> pairwise_distance(x, np.asarray([[0.0, 0.0], [1.0, 1.0]]))
    array([5.e+200, 0.e+000])
    """
    xp = namespace_of(x1=x1, x2=x2)
    a, b = _vectors(x1, x2, axis, xp=xp)

    result = _length(a - b + eps, p, xp=xp)
    if keepdims:
        result = xp.expand_dims(result, axis=check_axis(axis, x1.ndim))
    return narrow(result, x1.dtype, xp=xp)


@options(margin=FINITE, p=NORM, eps=NONNEGATIVE)
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
    >>> a, p, n = np.asarray([[0.0, 0.0]]), np.asarray([[3.0, 4.0]]), np.asarray([[0.0, 2.0]])
    >>> print(triplet_margin_loss(a, p, n))
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
    if distance is None:
        distance = partial(pairwise_distance, p=p, eps=eps, axis=axis)

    to_far = distance(a, far)
    if swap:
        other = distance(near, far)
        to_far = _where(other < to_far, other, to_far, xp=xp)
    loss = relu(margin - to_far + distance(a, near))

    return reduce(
        loss, reduction, where=where, sample_weight=sample_weight, dtype=anchor.dtype, xp=xp
    )


def _vectors(x1: Array, x2: Array, axis: int, *, xp: Namespace) -> tuple[Array, Array]:
    """Return both in the dtype to compute in, checked, with the vectors along the last axis."""
    check_real_floating(xp, x1=x1, x2=x2)
    a, b = as_floating(xp, x1=x1, x2=x2)
    place = check_axis(axis, x1.ndim)
    return as_rows(a, (place,), xp=xp), as_rows(b, (place,), xp=xp)


def _length(d: Array, p: float, *, xp: Namespace) -> Array:
    """Return the norm along the last axis; gradient 0 at 0."""
    top = _max_abs(d, (-1,), xp=xp)
    usual = (top > 0) & (top < INF)
    scale = _where(usual, top, 1.0, xp=xp)
    norm = scale * _norm(_where(usual, d, 1.0, xp=xp) / scale, p=p, axes=(-1,), xp=xp)
    return _where(usual, norm, top, xp=xp)[..., 0]


def _distance_of_directions(a: Array, b: Array, eps: float, *, xp: Namespace) -> Array:
    """Return one minus the cosine: ``(|u - v|**2 + (1 - |u|**2) + (1 - |v|**2)) / 2``."""
    u, v = normalize(a, eps=eps), normalize(b, eps=eps)
    square = total((u - v) * (u - v), axis=-1, xp=xp)
    return (square + _one_minus_square(a, u, eps, xp=xp) + _one_minus_square(b, v, eps, xp=xp)) / 2


def _one_minus_square(x: Array, unit: Array, eps: float, *, xp: Namespace) -> Array:
    """Return ``1 - |unit|**2``: 0, unless `eps` divided x or x is 0."""
    length = _length(x, 2.0, xp=xp)
    short = (length < eps) | (length == 0)
    return _where(short, 1 - total(unit * unit, axis=-1, xp=xp), 0.0, xp=xp)
