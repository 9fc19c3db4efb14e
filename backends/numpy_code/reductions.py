"""NumPy's sums, products, extremes and spreads along axes, and those that run along one axis."""

import math
from collections.abc import Callable
from operator import index
from typing import Any

from portable_losses._dtypes import kind_of
from portable_losses._tape import TapeArray

from .elementwise import conjugate, truth
from .names import dtype_of, named
from .operands import arrays, default_integer, floating, is_complex, is_inexact, lenient, tensor

__all__ = ["axes_of", "max_", "mean", "min_", "prod", "root", "std", "sum_", "var"]

Axis = int | tuple[int, ...] | None


def axes_of(axis: Any) -> Axis:
    """Return `axis` in Python's integers."""
    if axis is None or axis.__class__ is int:
        return axis
    return tuple(map(index, axis)) if isinstance(axis, tuple) else index(axis)


def count(a: Any, axis: Any, keepdims: bool, where: Any, *, xp: Any) -> Any:
    """Return how many entries each result along `axis` is made of, or an array of them."""
    if where is True:
        axis = range(a.ndim) if axis is None else axis
        return math.prod(a.shape[i] for i in ((axis,) if isinstance(axis, int) else axis))
    chosen = xp.broadcast_to(truth(where, a, xp=xp), a.shape)
    return xp.sum(xp.astype(chosen, xp.int64), axis=axis, keepdims=keepdims)


def _chosen(a: Any, where: Any, otherwise: Any, *, xp: Any) -> Any:
    """Return `a` with what changes nothing where `where` does not hold."""
    return a if where is True else xp.where(truth(where, a, xp=xp), a, otherwise)


def number(a: Any, *, xp: Any) -> Any:
    """Return `a` as a Tensor of numbers, the integers 0 and 1 for truth values."""
    a = tensor(a, xp=xp)
    return xp.astype(a, default_integer(xp=xp)) if kind_of(a, xp=xp) == "bool" else a


def _reduced(function: Callable[..., Any], a: Any, *, xp: Any, **options: Any) -> Any:
    """Return a reduction, in the way that costs least."""
    try:
        return function(a, **options)
    except (TypeError, RuntimeError):  # a list, or truth values where the library refuses them
        return function(number(a, xp=xp), **options)


def first_of(initial: Any, like: Any, *, xp: Any) -> Any:
    """Return what a reduction begins with: as NumPy, a number in the dtype of the result."""
    if isinstance(initial, TapeArray) or is_inexact(like, xp=xp):
        return initial
    return xp.astype(tensor(initial, like, xp=xp), like.dtype)


# ---- sums and products ------------------------------------------------------------------------


@named("sum")
def sum_(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    xp: Any,
) -> Any:
    """Return the sum."""
    if axis is None and dtype is None and not keepdims and initial is None and where is True:
        return _reduced(xp.sum, a, xp=xp)
    a = a if where is True else _chosen(number(a, xp=xp), where, 0, xp=xp)
    options = {} if dtype is None else {"dtype": dtype_of(dtype, xp=xp)}
    made = _reduced(xp.sum, a, xp=xp, axis=axes_of(axis), keepdims=keepdims, **options)
    return made if initial is None else made + first_of(initial, made, xp=xp)


@named("prod")
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    xp: Any,
) -> Any:
    """Return the product."""
    if axis is None and dtype is None and not keepdims and initial is None and where is True:
        return xp.prod(number(a, xp=xp))
    a = _chosen(number(a, xp=xp), where, 1, xp=xp)
    options = {} if dtype is None else {"dtype": dtype_of(dtype, xp=xp)}
    made = xp.prod(a, axis=axes_of(axis), keepdims=keepdims, **options)
    return made if initial is None else made * first_of(initial, made, xp=xp)


@named("mean")
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    xp: Any,
) -> Any:
    """Return the mean."""
    if axis is None and dtype is None and not keepdims and where is True:
        return lenient(xp.mean, a, xp=xp, inexact=True)
    a = floating(a, xp=xp) if dtype is None else xp.astype(tensor(a, xp=xp), dtype_of(dtype, xp=xp))
    axis = axes_of(axis)
    if where is True:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    total = xp.sum(_chosen(a, where, 0, xp=xp), axis=axis, keepdims=keepdims)
    return _over(total, count(a, axis, keepdims, where, xp=xp), xp=xp)


def _over(total: Any, n: Any, *, xp: Any) -> Any:
    """Return ``total / n`` of an array of counts, NaN where there is nothing."""
    some = n > 0
    return xp.where(some, total, math.nan) / xp.astype(xp.where(some, n, 1), total.dtype)


# ---- spreads ----------------------------------------------------------------------------------


@named("var")
def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
    xp: Any,
) -> Any:
    """Return the mean square of the distances from the mean, over ``n - ddof``."""
    free = ddof if correction is None else correction
    a = floating(a, xp=xp) if dtype is None else xp.astype(tensor(a, xp=xp), dtype_of(dtype, xp=xp))
    axis = axes_of(axis)
    if where is True and mean is None and not is_complex(a, xp=xp):
        return xp.var(a, axis=axis, correction=free, keepdims=keepdims)
    return spread(a, axis, free, keepdims, where, mean, xp=xp)


@named("std")
def std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
    xp: Any,
) -> Any:
    """Return the root of the variance; its slope is 0 where all entries are equal."""
    free = ddof if correction is None else correction
    a = floating(a, xp=xp) if dtype is None else xp.astype(tensor(a, xp=xp), dtype_of(dtype, xp=xp))
    axis = axes_of(axis)
    if where is True and mean is None and not is_complex(a, xp=xp):
        return xp.std(a, axis=axis, correction=free, keepdims=keepdims)
    return root(spread(a, axis, free, keepdims, where, mean, xp=xp), xp=xp)


def spread(
    a: Any, axis: Axis, free: float, keepdims: bool, where: Any, centre: Any, *, xp: Any
) -> Any:
    """Return the variance of chosen entries, about a given centre, or of complex numbers."""
    n = count(a, axis, True, where, xp=xp)
    if centre is None:
        total = xp.sum(_chosen(a, where, 0, xp=xp), axis=axis, keepdims=True)
        centre = total / n if where is True else _over(total, n, xp=xp)
    distance = _chosen(a - centre, where, 0, xp=xp)
    square = distance * conjugate(distance, xp=xp)
    square = xp.real(square) if is_complex(square, xp=xp) else square
    total = xp.sum(square, axis=axis, keepdims=keepdims)
    if where is True:
        return total / (n - free) if n > free else total * math.nan
    n = xp.astype(count(a, axis, keepdims, where, xp=xp), total.dtype) - free
    return _over(total, n, xp=xp)


def root(x: Any, *, xp: Any) -> Any:
    """Return the square root, with slope 0 at 0."""
    flat = x == 0
    return xp.where(flat, 0.0, xp.sqrt(xp.where(flat, 1.0, x)))


# ---- extremes ---------------------------------------------------------------------------------


@named("max", "amax")
def max_(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    xp: Any,
) -> Any:
    """Return the largest entry; several that are largest share the gradient."""
    if axis is None and not keepdims and initial is None and where is True:
        return _reduced(xp.max, a, xp=xp)
    return _extreme(xp.max, xp.maximum, a, axis, keepdims, initial, where, xp=xp)


@named("min", "amin")
def min_(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
    *,
    xp: Any,
) -> Any:
    """Return the smallest entry; several that are smallest share the gradient."""
    if axis is None and not keepdims and initial is None and where is True:
        return _reduced(xp.min, a, xp=xp)
    return _extreme(xp.min, xp.minimum, a, axis, keepdims, initial, where, xp=xp)


def _extreme(
    function: Callable[..., Any],
    of_two: Callable[..., Any],
    a: Any,
    axis: Axis,
    keepdims: bool,
    initial: Any,
    where: Any,
    *,
    xp: Any,
) -> Any:
    """Return an extreme among chosen entries and `initial`."""
    a = tensor(a, xp=xp)
    if initial is None:
        if where is not True:
            msg = "an extreme of chosen entries needs `initial`, which is the result of none"
            raise ValueError(msg)
        return _reduced(function, a, xp=xp, axis=axes_of(axis), keepdims=keepdims)
    a, initial = arrays(a, first_of(initial, a, xp=xp), xp=xp)
    a = _chosen(a, where, initial, xp=xp)
    if a.size == 0:
        shape = xp.sum(a, axis=axis, keepdims=keepdims).shape
        return xp.broadcast_to(initial, shape)
    return of_two(function(a, axis=axes_of(axis), keepdims=keepdims), initial)


@named("ptp")
def ptp(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, *, xp: Any) -> Any:
    """Return the largest entry less the smallest."""
    return max_(a, axis, keepdims=keepdims, xp=xp) - min_(a, axis, keepdims=keepdims, xp=xp)


def _place_of_extreme(own: str) -> Callable[..., Any]:
    """Return where the first extreme entry stands, a constant."""

    def function(
        a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False, xp: Any
    ) -> Any:
        return getattr(xp, own)(number(a, xp=xp), axis=axis, keepdims=keepdims)

    return function


for _own in ("argmax", "argmin"):
    named(_own)(_place_of_extreme(_own))


# ---- truth ------------------------------------------------------------------------------------


@named("any")
def any_(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    xp: Any,
) -> Any:
    """Return whether any entry is not 0."""
    a = _chosen(truth(a, xp=xp), where, False, xp=xp)
    return xp.any(a, axis=axes_of(axis), keepdims=keepdims)


@named("all")
def all_(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
    xp: Any,
) -> Any:
    """Return whether no entry is 0."""
    a = _chosen(truth(a, xp=xp), where, True, xp=xp)
    return xp.all(a, axis=axes_of(axis), keepdims=keepdims)


@named("count_nonzero")
def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False, xp: Any) -> Any:
    """Return how many entries are not 0."""
    a = number(truth(a, xp=xp), xp=xp)
    return xp.sum(a, axis=axes_of(axis), keepdims=keepdims)


# ---- along one axis, step by step --------------------------------------------------------------


def _running(name: str, a: Any, axis: int | None, dtype: Any, initial: bool, *, xp: Any) -> Any:
    """Return running sums or products; without an axis, those of all entries in their order."""
    a = number(a, xp=xp)
    if axis is None or a.ndim == 0:
        a, axis = xp.reshape(a, (-1,)), 0
    options: dict[str, Any] = {} if dtype is None else {"dtype": dtype_of(dtype, xp=xp)}
    made = getattr(xp, name)(a, axis=axis, **options)
    if not initial:
        return made
    first = made[(*(slice(None),) * (axis % a.ndim), slice(None, 1), ...)]
    start = xp.zeros_like(first) if name == "cumulative_sum" else xp.ones_like(first)
    return xp.concat([start, made], axis=axis)


@named("cumsum")
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None, *, xp: Any) -> Any:
    """Return the running sums."""
    return _running("cumulative_sum", a, axis, dtype, False, xp=xp)


@named("cumprod")
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None, *, xp: Any) -> Any:
    """Return the running products."""
    return _running("cumulative_prod", a, axis, dtype, False, xp=xp)


def _of_the_standard(name: str) -> Callable[..., Any]:
    """Return a function under the standard's name, which needs an axis of several."""

    def function(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: Any = None,
        include_initial: bool = False,
        xp: Any,
    ) -> Any:
        x = tensor(x, xp=xp)
        if axis is None and x.ndim > 1:
            msg = f"`axis` is needed of an array of shape {x.shape}"
            raise ValueError(msg)
        return _running(name, x, axis, dtype, include_initial, xp=xp)

    return function


for _own in ("cumulative_sum", "cumulative_prod"):
    named(_own)(_of_the_standard(_own))
