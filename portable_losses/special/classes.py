"""Class indices as rows of zeros and ones, and their smoothing."""

from typing import Any

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import differentiable_again
from portable_losses._indexing import as_index
from portable_losses._options import FRACTION, check_count
from portable_losses._polyfill import arange, broadcast_to, device_of, expand_dims, where
from portable_losses._public import public
from portable_losses._typing import Array
from portable_losses._validation import (
    check_axis,
    check_bool,
    check_broadcasts_to,
    check_integer,
    check_real_floating,
    namespace_of,
)
from portable_losses._values import check_indices, mark_invalid

__all__ = ["one_hot", "smooth_labels"]

_where = where  # smooth_labels has an argument of that name


@public
def one_hot(x: Array, num_classes: int, /, *, axis: int = -1, dtype: Any = None) -> Array:
    """Class indices as rows that are 1 at the index and 0 elsewhere.

    Parameters
    ----------
    x : array of an integer dtype, shape (...)
        Class indices, in [0, `num_classes`).
    num_classes : int
        Size of the new axis, at least 1.
    axis : int, default -1
        Where the new axis stands in the result.
    dtype : dtype, optional
        Of the result; by default the library's default floating dtype.

    Returns
    -------
    array
        Shape of `x` with `num_classes` inserted at `axis`; device of `x`. Where the indices
        cannot be read (on a GPU, under ``jax.jit``, on Dask), one out of range gives a row of NaN
        in a floating dtype and of zeros in any other.

    Raises
    ------
    TypeError
        `x` is not an integer array.
    ValueError
        `num_classes` is less than 1.
    IndexError
        An index is out of range, or there is no such axis.

    Notes
    -----
    Never a row of zeros for an index that does not exist, where that can be seen.

    Source: torch.nn.functional.one_hot and jax.nn.one_hot, which differ from each other and from
    this on an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.one_hot(np.asarray([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    xp = namespace_of(x=x)
    check_integer(xp, x=x)
    x = as_index(x, xp=xp)
    num_classes = check_count(num_classes=num_classes)["num_classes"]
    place = check_axis(axis, x.ndim + 1)
    zero = xp.zeros((), dtype=dtype, device=device_of(x, xp=xp))
    invalid = check_indices(x, num_classes, name="x", xp=xp)

    classes = arange(num_classes, x, dtype=x.dtype, xp=xp)
    shape = tuple(num_classes if i == place else 1 for i in range(x.ndim + 1))
    hot = expand_dims(x, (place,), xp=xp) == xp.reshape(classes, shape)
    result = narrow(hot, zero.dtype, xp=xp)
    if invalid is None or not xp.isdtype(zero.dtype, "real floating"):  # others have no NaN
        return result
    return mark_invalid(result, expand_dims(invalid, (place,), xp=xp), xp=xp)


@public(alpha=FRACTION)
def smooth_labels(
    target: Array, /, *, alpha: float | Array, axis: int = -1, where: Array | None = None
) -> Array:
    """Mix class probabilities with the uniform distribution: ``(1 - alpha) * target + alpha / C``.

    Parameters
    ----------
    target : array of a real floating dtype, shape (...)
        Class probabilities along `axis`.
    alpha : float or 0-d array in [0, 1]
        Share of the uniform distribution.
    axis : int, default -1
        The axis of the classes.
    where : array of bool, broadcastable to the shape of `target`, optional
        Classes that exist. C counts them row by row; the others get 0, whatever they hold.

    Returns
    -------
    array
        Shape, dtype and device of `target`.

    Raises
    ------
    TypeError
        `target` is not a real floating array, or `where` is not boolean.
    ValueError
        `alpha` lies outside [0, 1], or `where` does not broadcast to `target`.
    IndexError
        There is no such axis.

    Notes
    -----
    Linear in `target`, with gradient ``1 - alpha``.

    Source: C. Szegedy et al., "Rethinking the Inception architecture for computer vision"
    (2015), arXiv:1512.00567.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.smooth_labels(np.asarray([1.0, 0.0]), alpha=0.1)
    array([0.95, 0.05])
    """
    xp = namespace_of(target=target, optional={"where": where})
    check_real_floating(xp, target=target)
    check_bool(xp, where=where)
    check_broadcasts_to(tuple(target.shape), where=where)
    place = check_axis(axis, target.ndim)

    t = differentiable_again(widen(target, xp=xp), xp=xp)
    if where is None:
        result = (1 - alpha) * t + alpha / max(t.shape[place], 1)
    else:
        valid = broadcast_to(where, t.shape, like=t, xp=xp)
        count = xp.sum(xp.astype(valid, t.dtype), axis=place, keepdims=True, dtype=t.dtype)
        share = alpha / _where(count == 0, 1.0, count, xp=xp)
        mixed = (1 - alpha) * _where(valid, t, 0.0, xp=xp) + share
        result = _where(valid, mixed, 0.0, xp=xp)
    return narrow(result, target.dtype, xp=xp)
