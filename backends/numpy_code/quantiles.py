"""NumPy's medians, quantiles and percentiles, with and without NaN, by every method of NumPy's."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import device_of, readable

from .axes import axes_of as places_of
from .names import named
from .operands import default_float, floating, tensor
from .reductions import Axis, axes_of
from .sorting import sort
from .statistics import weights_along

__all__ = ["median", "quantile"]

#: Where the quantile `q` of `n` entries stands, counted from 0; between two places it is between
#: two entries. Nine of them are Hyndman and Fan's.
PLACES: dict[str, Callable[..., Any]] = {
    "linear": lambda n, q, xp: (n - 1) * q,
    "lower": lambda n, q, xp: xp.floor((n - 1) * q),
    "higher": lambda n, q, xp: xp.ceil((n - 1) * q),
    "nearest": lambda n, q, xp: xp.round((n - 1) * q),
    "midpoint": lambda n, q, xp: (xp.floor((n - 1) * q) + xp.ceil((n - 1) * q)) / 2,
    "inverted_cdf": lambda n, q, xp: xp.ceil(n * q - 1),
    "averaged_inverted_cdf": lambda n, q, xp: _averaged(n * q - 1, xp=xp),
    "closest_observation": lambda n, q, xp: _closest(n * q - 1.5, xp=xp),
    "interpolated_inverted_cdf": lambda n, q, xp: n * q - 1,
    "hazen": lambda n, q, xp: n * q + 0.5 - 1,
    "weibull": lambda n, q, xp: n * q + q - 1,
    "median_unbiased": lambda n, q, xp: n * q + (q / 3 + 1 / 3) - 1,
    "normal_unbiased": lambda n, q, xp: n * q + (q / 4 + 3 / 8) - 1,
}


def _averaged(place: Any, *, xp: Any) -> Any:
    """Return the next place, half of the way to it from a place itself."""
    return xp.where(place == xp.floor(place), place + 0.5, xp.ceil(place))


def _closest(place: Any, *, xp: Any) -> Any:
    """Return the place nearest to ``place + 0.5``, of two the odd one."""
    before = xp.floor(place)
    return xp.where((place == before) & (xp.remainder(before, 2) == 1), before, before + 1)


# ---- rows -------------------------------------------------------------------------------------


def _rows(a: Any, axis: Axis, *, xp: Any) -> tuple[Any, tuple[int, ...]]:
    """Return the entries along `axis` in the last axis, and the shape of a result that keeps it."""
    axes = places_of(axis, a.ndim)
    rest = tuple(i for i in range(a.ndim) if i not in axes)
    size = math.prod(a.shape[i] for i in axes)
    rows = xp.reshape(xp.permute_dims(a, (*rest, *axes)), (*(a.shape[i] for i in rest), size))
    return rows, tuple(1 if i in axes else n for i, n in enumerate(a.shape))


def _entries(rows: Any, places: Any, *, xp: Any) -> Any:
    """Return the entries of sorted rows at places, the same in each row or of each row its own."""
    places = xp.astype(stop_gradient(places, xp=xp), xp.int64)
    if places.ndim == 1:
        return xp.take(rows, places, axis=-1)
    return xp.take_along_axis(rows, places, axis=-1)


def _between(rows: Any, n: Any, place: Any, *, xp: Any) -> Any:
    """Return what stands at a place of sorted rows, of whose entries the first `n` count."""
    place = xp.where(place > n - 1, xp.zeros_like(place) + (n - 1), place)
    place = xp.where(place < 0, 0.0, place)
    before = stop_gradient(xp.floor(place), xp=xp)
    after = xp.where(before + 1 > n - 1, before, before + 1)
    low, high = _entries(rows, before, xp=xp), _entries(rows, after, xp=xp)
    part, step = place - before, high - low
    part = part if place.dtype == rows.dtype else xp.astype(part, xp.result_type(part, rows))
    return xp.where(part < 0.5, low + step * part, high - step * (1 - part))


def _counted(rows: Any, *, xp: Any) -> Any:
    """Return how many entries of each row are numbers."""
    counted = xp.astype(rows == rows, default_float(xp=xp))
    return xp.sum(counted, axis=-1, keepdims=True)


def _nan_of(rows: Any, made: Any, *, xp: Any) -> Any:
    """Return results, NaN where a sorted row ends with NaN."""
    last = rows[..., -1:]
    return xp.where(last == last, made, math.nan)


# ---- quantiles --------------------------------------------------------------------------------


def _quantile(
    a: Any,
    q: Any,
    axis: Axis,
    method: str,
    keepdims: bool,
    weights: Any,
    scale: int,
    ignores_nan: bool,
    *,
    xp: Any,
) -> Any:
    """Return the quantiles ``q / scale``, with an axis of `q` in front; `q` may be tracked."""
    if method not in PLACES:
        msg = f"`method` must be one of {', '.join(PLACES)}, got {method!r}"
        raise ValueError(msg)
    given = tensor(a, xp=xp)
    a = floating(given, xp=xp)
    rows, kept = _rows(a, axis, xp=xp)
    wide = xp.result_type(a, default_float(xp=xp))
    if isinstance(q, int | float | list | tuple):
        parts = xp.asarray(q, dtype=wide, device=device_of(a, xp=xp))
    else:
        parts = floating(q, xp=xp)
    exact = a.dtype if type(q) in (int, float) else xp.result_type(a, parts)
    parts = xp.astype(parts, wide) / scale
    if readable(parts, xp=xp) and not bool(xp.all((parts >= 0) & (parts <= 1))):
        msg = f"`q` must be in [0, {scale}]"
        raise ValueError(msg)
    flat = xp.reshape(parts, (-1,))
    if weights is not None:
        made = _weighted(rows, flat, a, weights, axis, method, ignores_nan, xp=xp)
    else:
        rows = xp.sort(rows, axis=-1)
        n = xp.astype(_counted(rows, xp=xp), wide) if ignores_nan else rows.shape[-1]
        made = _between(rows, n, PLACES[method](n, flat, xp), xp=xp)
        made = made if ignores_nan else _nan_of(rows, made, xp=xp)
        discrete = method in ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")
        made = xp.astype(made, given.dtype if discrete else exact)
    made = xp.moveaxis(made, -1, 0)
    return xp.reshape(made, (*parts.shape, *(kept if keepdims else made.shape[1:])))


def _weighted(
    rows: Any,
    q: Any,
    a: Any,
    weights: Any,
    axis: Axis,
    method: str,
    ignores_nan: bool,
    *,
    xp: Any,
) -> Any:
    """Return the first entries up to which there are ``q`` of all weights."""
    if method != "inverted_cdf":
        msg = f"`weights` need the method 'inverted_cdf', got {method!r}"
        raise ValueError(msg)
    w = stop_gradient(weights_along(tensor(weights, a, xp=xp), a, axes_of(axis), xp=xp), xp=xp)
    w, _ = _rows(xp.astype(w, q.dtype), axis, xp=xp)
    w = xp.where(rows == rows, w, 0.0) if ignores_nan else w
    order = xp.argsort(stop_gradient(rows, xp=xp), axis=-1)
    rows, w = (xp.take_along_axis(x, order, axis=-1) for x in (rows, w))
    share = xp.cumulative_sum(w, axis=-1)
    share = share / share[..., -1:]
    share = xp.where(share == 0, -1.0, share)
    place = xp.sum(xp.astype(share[..., None] < q, xp.int64), axis=-2)
    made = _entries(rows, xp.where(place > rows.shape[-1] - 1, rows.shape[-1] - 1, place), xp=xp)
    return made if ignores_nan else _nan_of(rows, made, xp=xp)


def _named_quantile(name: str, scale: int, *, ignores_nan: bool) -> Callable[..., Any]:
    """Register and return one of NumPy's four functions."""

    def function(
        a: Any,
        q: Any,
        axis: Axis = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        *,
        weights: Any = None,
        xp: Any,
    ) -> Any:
        return _quantile(a, q, axis, method, keepdims, weights, scale, ignores_nan, xp=xp)

    return named(name)(function)


quantile = _named_quantile("quantile", 1, ignores_nan=False)
_named_quantile("percentile", 100, ignores_nan=False)
_named_quantile("nanquantile", 1, ignores_nan=True)
_named_quantile("nanpercentile", 100, ignores_nan=True)


# ---- medians ----------------------------------------------------------------------------------


def _named_median(name: str, *, ignores_nan: bool) -> Callable[..., Any]:
    """Register and return the mean of the two entries in the middle, which may be one."""

    def function(
        a: Any,
        axis: Axis = None,
        out: Any = None,
        overwrite_input: bool = False,
        keepdims: bool = False,
        *,
        xp: Any,
    ) -> Any:
        a = floating(a, xp=xp)
        rows, kept = _rows(a, axis, xp=xp)
        if not rows.shape[-1]:  # NaN of nothing
            rows = xp.full(
                (*rows.shape[:-1], 1), math.nan, dtype=a.dtype, device=device_of(a, xp=xp)
            )
        rows = sort(rows, xp=xp)
        n = _counted(rows if ignores_nan else xp.zeros_like(rows), xp=xp)
        middle = (n - 1) / 2
        middle = xp.where(middle < 0, 0.0, middle)
        low, high = (_entries(rows, f(middle), xp=xp) for f in (xp.floor, xp.ceil))
        made = (low + high) / 2
        made = (made if ignores_nan else _nan_of(rows, made, xp=xp))[..., 0]
        return xp.reshape(made, kept) if keepdims else made

    return named(name)(function)


median = _named_median("median", ignores_nan=False)
_named_median("nanmedian", ignores_nan=True)
