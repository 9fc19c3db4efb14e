"""Samples from a softmax that can be differentiated."""

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import stop_gradient
from portable_losses._options import POSITIVE
from portable_losses._polyfill import where
from portable_losses._public import public
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, from_rows, place_of_largest
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axis,
    check_real_floating,
    check_same_shape,
    namespace_of,
)
from portable_losses.activations.softmaxes import softmax_in_parts
from portable_losses.special.two_floats import quotient_in_parts, sum_of

__all__ = ["gumbel_softmax"]


@public(temperature=POSITIVE)
def gumbel_softmax(
    x: Array,
    noise: Array,
    /,
    *,
    temperature: float | Array = 1.0,
    hard: bool = False,
    axis: int = -1,
) -> Array:
    """Sample from a softmax, relaxed: ``softmax((x + noise) / temperature)`` along `axis`.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Logits. -inf is a class that is never drawn.
    noise : array of a real floating dtype, shape of `x`
        Standard Gumbel noise, ``-log(-log(u))`` with u uniform in (0, 1): the caller draws it.
    temperature : float or 0-d array, default 1.0
        Greater than 0; the smaller, the nearer to a class.
    hard : bool, default False
        Return the class of the largest entry as a row of zeros and a one; the gradient is that of
        the relaxed sample.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    array
        Shape, dtype and device of `x`; rows that sum to 1. A row of -inf alone, or with +inf or
        NaN, is NaN. An empty axis gives an array of the same empty shape.

    Raises
    ------
    TypeError
        An array is not real floating, or the two come from two libraries.
    ValueError
        The shapes differ, or `temperature` is not positive.
    IndexError
        There is no such axis.

    Notes
    -----
    The largest of ``x + noise`` is distributed as the softmax of x says, at any temperature. Of
    equal largest entries the first is drawn.

    Source: E. Jang, S. Gu, B. Poole, "Categorical reparameterization with Gumbel-softmax" (2016),
    arXiv:1611.01144.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x, u = np.log(np.asarray([0.7, 0.2, 0.1])), np.asarray([0.5, 0.25, 0.125])
    >>> pl.gumbel_softmax(x, -np.log(-np.log(u)), hard=True)
    array([1., 0., 0.])
    """
    xp = namespace_of(x=x, noise=noise)
    check_real_floating(xp, x=x, noise=noise)
    check_same_shape(x=x, noise=noise)
    axes = (check_axis(axis, x.ndim),)

    if 0 in tuple(x.shape):
        return x
    given = [as_rows(widen(y, xp=xp), axes, xp=xp) for y in (x, noise)]
    rows = _relaxed(*given, temperature=temperature, xp=xp)
    if hard:
        _, drawn = place_of_largest(rows, xp=xp)
        # the difference is exactly 0, with the gradient of the relaxed sample
        rows = narrow(drawn, rows.dtype, xp=xp) + (rows - stop_gradient(rows, xp=xp))
    return narrow(from_rows(rows, axes, tuple(x.shape), xp=xp), x.dtype, xp=xp)


@of_rows()
def _relaxed(x: Array, noise: Array, *, temperature: float | Array, xp: Namespace) -> Array:
    """Return the softmax of ``(x + noise) / temperature`` of each row."""
    z = xp.add(x, noise)
    lost = sum_of(*(stop_gradient(y, xp=xp) for y in (x, noise)))[1] / temperature
    value, rest = quotient_in_parts(z, temperature, xp=xp)
    rest = lost if rest is None else rest + lost
    return softmax_in_parts(value, where(xp.abs(rest) < INF, rest, 0.0, xp=xp), xp=xp)
