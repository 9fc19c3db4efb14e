"""NumPy's averages, correlations and counts in bins."""

from typing import Any

from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import device_of

from .elementwise import conjugate
from .names import dtype_of, named
from .operands import arrays, default_float, default_integer, exact, floating, is_complex, tensor
from .reductions import Axis, axes_of, mean
from .sorting import searchsorted

__all__ = ["weights_along"]


# ---- averages ---------------------------------------------------------------------------------


@named("average")
def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
    xp: Any,
) -> Any:
    """Return the weighted mean, and with `returned` the sum of the weights."""
    if weights is None:
        a = floating(a, xp=xp)
        made = mean(a, axis, keepdims=keepdims, xp=xp)
        return (made, xp.full_like(made, a.size / (made.size or 1))) if returned else made
    a, w = (floating(x, xp=xp) for x in arrays(a, weights, xp=xp))
    axis = axes_of(axis)
    w = weights_along(w, a, axis, xp=xp)
    total = xp.sum(w, axis=axis, keepdims=keepdims)
    made = xp.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (made, total) if returned else made


def weights_along(weights: Any, a: Any, axis: Axis, *, xp: Any) -> Any:
    """Return weights in the shape of `a`; they may have the axes `axis` of it only."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        msg = f"`weights` of shape {weights.shape} need an `axis` beside `a` of shape {a.shape}"
        raise TypeError(msg)
    axes = [i % a.ndim for i in ((axis,) if isinstance(axis, int) else axis)]
    if weights.shape != tuple(a.shape[i] for i in axes):
        msg = f"`weights` must have the sizes of `a` along `axis`, got {weights.shape}"
        raise ValueError(msg)
    weights = xp.permute_dims(weights, tuple(sorted(range(len(axes)), key=axes.__getitem__)))
    sizes = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
    return xp.broadcast_to(xp.reshape(weights, sizes), a.shape)


# ---- correlations -----------------------------------------------------------------------------


@named("cov")
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
    xp: Any,
) -> Any:
    """Return the covariances of the rows, or with ``rowvar=False`` of the columns."""
    parts = [_variables(x, rowvar, dtype, xp=xp) for x in (m, y) if x is not None]
    x = xp.concat(arrays(*parts, xp=xp)) if len(parts) > 1 else parts[0]
    free = ddof if ddof is not None else int(not bias)
    if fweights is None and aweights is None:
        total: Any = max(x.shape[1] - free, 0)
        x = x - xp.mean(x, axis=1, keepdims=True)
        weighted = x
    else:
        kind = xp.real(x).dtype if is_complex(x, xp=xp) else x.dtype
        given = [
            xp.astype(tensor(w, x, xp=xp), kind) for w in (fweights, aweights) if w is not None
        ]
        weight = given[0] if len(given) == 1 else given[0] * given[1]
        whole = xp.sum(weight)
        lost = free if aweights is None else xp.sum(weight * given[-1]) / whole * free
        total = whole - lost if free else whole
        x = x - (xp.sum(x * weight, axis=1) / whole)[:, None]
        weighted = x * weight
    return xp.squeeze(x @ conjugate(weighted.T, xp=xp) / total, axis=_ones(x.shape[0]))


def _ones(size: int) -> tuple[int, ...]:
    """Return the axes of size 1 of a square matrix."""
    return (0, 1) if size == 1 else ()


def _variables(x: Any, rowvar: bool, dtype: Any, *, xp: Any) -> Any:
    """Return a matrix with a variable in each row."""
    x = exact(x, xp=xp) if dtype is None else xp.astype(tensor(x, xp=xp), dtype_of(dtype, xp=xp))
    if x.ndim > 2:
        msg = f"the variables must be in 1 or 2 axes, got shape {x.shape}"
        raise ValueError(msg)
    if x.ndim < 2:
        return xp.reshape(x, (1, -1))
    return x if rowvar else x.T


@named("corrcoef")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None, xp: Any) -> Any:
    """Return the correlations of the rows, or with ``rowvar=False`` of the columns."""
    c = cov(x, y, rowvar, dtype=dtype, xp=xp)
    if not c.ndim:
        return c / c
    variances = xp.linalg.diagonal(c)
    size = xp.sqrt(xp.real(variances) if is_complex(c, xp=xp) else variances)
    c = c / size[:, None] / size[None, :]
    if is_complex(c, xp=xp):
        return xp.clip(xp.real(c), -1, 1) + xp.clip(xp.imag(c), -1, 1) * 1j
    return xp.clip(c, -1, 1)


# ---- counts -----------------------------------------------------------------------------------


@named("histogram")
def histogram(
    a: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
    *,
    xp: Any,
) -> tuple[Any, Any]:
    """Return the weights in each bin and the edges; steps in `a`, differentiable by the weights."""
    a = xp.reshape(tensor(a, (bins, weights), xp=xp), (-1,))
    edges = _edges(a, bins, range, xp=xp)
    count = edges.shape[0] - 1
    fixed, x = (stop_gradient(v, xp=xp) for v in arrays(edges, a, xp=xp))
    if weights is None:
        ordered = xp.sort(x)
        before = searchsorted(ordered, fixed[:-1], "left", xp=xp)
        within = searchsorted(ordered, fixed[-1:], "right", xp=xp)  # the last edge is in its bin
        made = xp.diff(xp.concat([before, within]))
    else:
        place = searchsorted(fixed, x, "right", xp=xp) - 1
        inside = (x >= fixed[0]) & (x <= fixed[-1])
        place = xp.where(inside, xp.where(place == count, count - 1, place), 0)
        w = xp.reshape(tensor(weights, a, xp=xp), (-1,))
        made = xp.scatter_add((count,), place, xp.where(inside, w, 0))
    if density:
        made = floating(made, xp=xp)
        made = made / xp.diff(edges) / xp.sum(made)
    return made, edges


def _edges(a: Any, bins: Any, limits: Any, *, xp: Any) -> Any:
    """Return the edges of bins, given as such or as a number of them."""
    if isinstance(bins, str):
        msg = f"`bins` must be a number or the edges, got {bins!r}"
        raise TypeError(msg)
    if not isinstance(bins, int):
        return tensor(bins, a, xp=xp)
    if limits is not None:
        low, high = (v for v, _ in (arrays(v, floating(a, xp=xp), xp=xp) for v in limits))
    elif a.shape[0]:
        low, high = (floating(v, xp=xp) for v in (xp.min(a), xp.max(a)))
    else:
        low, high = (xp.asarray(v, dtype=default_float(xp=xp)) for v in (0.0, 1.0))
    same = low == high
    low, high = xp.where(same, low - 0.5, low), xp.where(same, high + 0.5, high)
    steps = xp.arange(bins + 1, dtype=low.dtype, device=device_of(a, xp=xp))
    return xp.where(steps == bins, high, steps * ((high - low) / bins) + low)


@named("bincount")
def bincount(x: Any, weights: Any = None, minlength: int = 0, *, xp: Any) -> Any:
    """Return how often each integer occurs, or the sum of the weights that stand beside it."""
    x = tensor(x, weights, xp=xp)
    if not x.shape[0]:
        dtype = default_integer(xp=xp) if weights is None else default_float(xp=xp)
        return xp.zeros((minlength,), dtype=dtype)
    if not xp.isdtype(x.dtype, ("bool", "integral")):
        msg = f"`x` of `bincount` must be integers, got {x.dtype}"
        raise TypeError(msg)
    if bool(xp.any(x < 0)):
        msg = "`x` of `bincount` must not be negative"
        raise ValueError(msg)
    size = max(int(xp.max(x)) + 1, minlength)
    if weights is None:
        steps = xp.arange(size + 1, dtype=x.dtype, device=device_of(x, xp=xp))
        return xp.diff(xp.searchsorted(xp.sort(x), steps))
    w = floating(tensor(weights, x, xp=xp), xp=xp)
    return xp.scatter_add((size,), x, xp.astype(w, xp.result_type(w, default_float(xp=xp))))
