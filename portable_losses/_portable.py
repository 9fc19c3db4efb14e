"""The standard as its newest year has it, on libraries that follow an older one.

Before 2024.12 no function takes a Python scalar for an array; 2022.12 has no `maximum`,
`minimum`, `clip`; `take_along_axis` came with 2024.12, and Dask has none. Where a library has the
real thing, each of these is one comparison away from it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from portable_losses._backend import backend_of, traced_as_constant
from portable_losses._typing import Array, Namespace

__all__ = [
    "as_index",
    "astype_like",
    "broadcast_to",
    "clip",
    "concat",
    "constant",
    "device_of",
    "kind_of",
    "largest",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "narrow",
    "sign",
    "take_along_axis",
    "tiny",
    "total",
    "where",
    "widen",
]


class Facts(NamedTuple):
    """What a dtype is, and the limits of a real floating one."""

    kind: str
    half: bool = False
    largest: float = 0.0
    tiny: float = 0.0


_KINDS = ("real floating", "complex floating", "integral", "bool")
_FACTS: dict[tuple[type, Any], Facts] = {}


@traced_as_constant
def _facts(dtype: Any, xp: Namespace) -> Facts:
    """Return what the library says of `dtype`, asked once: that costs more than an operation."""
    # The class stands first: a dtype of array-api-strict has the hash of NumPy's, and must not be
    # compared with it.
    key = (dtype.__class__, dtype)
    found = _FACTS.get(key)
    if found is None:
        found = Facts(next((k for k in _KINDS if xp.isdtype(dtype, k)), "other"))
        if found.kind == "real floating":
            limits = xp.finfo(dtype)
            largest, tiny = float(limits.max), float(limits.smallest_normal)
            found = Facts(found.kind, limits.bits < 32, largest, tiny)
        _FACTS[key] = found
    return found


def kind_of(x: Array, *, xp: Namespace) -> str:
    """Return the kind of `x`'s dtype, as ``xp.isdtype`` names it; integers are "integral"."""
    return _facts(x.dtype, xp).kind


def _takes_scalars(xp: Namespace) -> bool:
    return str(getattr(xp, "__array_api_version__", "2022.12")) >= "2024.12"


def device_of(x: Array, *, xp: Namespace) -> Any:
    """Return the device of `x`, in the form that the library's creation functions take."""
    return backend_of(xp).device(x)


def constant(value: float, like: Array, *, xp: Namespace) -> Array:
    """Return `value` as a 0-d array of the dtype and on the device of `like`."""
    return xp.full((), value, dtype=like.dtype, device=device_of(like, xp=xp))


def where(condition: Array, x1: Array | float, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.where``; at least one of `x1` and `x2` is an array, whose dtype a scalar takes."""
    if _takes_scalars(xp):
        return xp.where(condition, x1, x2)
    if isinstance(x1, int | float):
        x1 = constant(x1, x2, xp=xp)
    if isinstance(x2, int | float):
        x2 = constant(x2, x1, xp=xp)
    return xp.where(condition, x1, x2)


def maximum(x1: Array, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.maximum``: NaN where either is NaN."""
    if _has_extrema(x2, xp=xp):
        return xp.maximum(x1, x2)
    return where((x1 < x2) | _isnan(x2), x2, x1, xp=xp)


def minimum(x1: Array, x2: Array | float, *, xp: Namespace) -> Array:
    """``xp.minimum``: NaN where either is NaN."""
    if _has_extrema(x2, xp=xp):
        return xp.minimum(x1, x2)
    return where((x1 > x2) | _isnan(x2), x2, x1, xp=xp)


def _has_extrema(x2: Array | float, *, xp: Namespace) -> bool:
    if isinstance(x2, int | float):
        return backend_of(xp).python_scalars
    return str(getattr(xp, "__array_api_version__", "2022.12")) >= "2023.12"


def _isnan(x: Array | float) -> Any:
    return x != x


def clip(x: Array, low: float | None, high: float | None, *, xp: Namespace) -> Array:
    """``xp.clip`` between two Python scalars, NaN kept."""
    # Two comparisons instead of xp.clip: array_api_compat's costs eight microseconds a call.
    if low is not None:
        x = maximum(x, low, xp=xp)
    return x if high is None else minimum(x, high, xp=xp)


def broadcast_to(x: Array, shape: tuple[int, ...], *, xp: Namespace) -> Array:
    """``xp.broadcast_to``, of one number in the library's quickest way."""
    if not x.ndim and (spread := backend_of(xp).spread) is not None:
        return spread(x, shape)
    return xp.broadcast_to(x, shape)


def concat(arrays: Sequence[Array], *, axis: int = 0, xp: Namespace) -> Array:
    """``xp.concat``, also inside a gradient that the library batches."""
    return (backend_of(xp).concat or xp.concat)(arrays, axis=axis)


def take_along_axis(x: Array, indices: Array, *, axis: int, xp: Namespace) -> Array:
    """``xp.take_along_axis``, by comparison with all positions where a library has none.

    The comparison reads every entry of `x` once per index and keeps a lazy array's chunks.
    """
    if hasattr(xp, "take_along_axis") and _takes_scalars(xp):
        return xp.take_along_axis(x, indices, axis=axis)
    axis %= x.ndim
    last = (*(i for i in range(x.ndim) if i != axis), axis)
    back = tuple(sorted(range(x.ndim), key=last.__getitem__))
    entries, wanted = xp.permute_dims(x, last), xp.permute_dims(indices, last)
    size = x.shape[axis]
    positions = xp.arange(size, dtype=indices.dtype, device=device_of(x, xp=xp))
    wanted = where(wanted < 0, wanted + size, wanted, xp=xp)
    hit = wanted[..., None] == positions
    picked = total(where(hit, entries[..., None, :], 0, xp=xp), axis=-1, xp=xp)
    return xp.permute_dims(picked, back)


def total(
    x: Array, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, xp: Namespace
) -> Array:
    """``xp.sum`` in `x`'s own dtype (2022.12 sums float32 in float64)."""
    if axis is None and not keepdims:  # on small arrays, options cost as much as the sum
        quick = backend_of(xp).reductions.get("sum")
        if quick is None:
            return xp.sum(x, dtype=x.dtype)
        made = quick(x)
        return made if made.dtype == x.dtype else xp.astype(made, x.dtype)
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def widen(x: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype to compute in: float32 for float16 and bfloat16, else its own."""
    return xp.astype(x, xp.float32) if _facts(x.dtype, xp).half else x


def narrow(result: Array, dtype: Any, *, xp: Namespace) -> Array:
    """Return `result` rounded once to `dtype`."""
    return result if result.dtype == dtype else xp.astype(result, dtype)


def log(x: Array, *, xp: Namespace) -> Array:
    """``xp.log`` without a warning at its pole: -inf at 0, NaN below."""
    inside = where(x > 0, x, 1.0, xp=xp)
    return where(x > 0, xp.log(inside), _pole(x == 0, x, xp=xp), xp=xp)


def log1p(x: Array, *, xp: Namespace) -> Array:
    """``xp.log1p`` without a warning at its pole: -inf at -1, NaN below."""
    inside = where(x > -1, x, 0.0, xp=xp)
    return where(x > -1, xp.log1p(inside), _pole(x == -1, x, xp=xp), xp=xp)


def _pole(at: Array, like: Array, *, xp: Namespace) -> Array:
    """Return -inf where `at`, else NaN: constants, as a product with NaN has a slope of NaN."""
    return where(at, constant(-INF, like, xp=xp), NAN, xp=xp)


def sign(x: Array, *, xp: Namespace) -> Array:
    """``xp.sign``, NaN kept; array_api_compat's for PyTorch writes where torch.vmap cannot."""
    if not backend_of(xp).differentiates:
        return xp.sign(x)
    # On a million entries half the time of two selections by sign.
    signs = xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)
    return where(x == x, signs, NAN, xp=xp)


def astype_like(x: Array, like: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype of `like`."""
    return narrow(x, like.dtype, xp=xp)


def as_index(x: Array, *, xp: Namespace) -> Array:
    """Return integers in the dtype that the library gathers by, which holds any class."""
    return narrow(x, xp.arange(1, device=device_of(x, xp=xp)).dtype, xp=xp)


def largest(x: Array, *, xp: Namespace) -> float:
    """Return the largest finite number of `x`'s dtype."""
    return _facts(x.dtype, xp).largest


def tiny(x: Array, *, xp: Namespace) -> float:
    """Return the smallest normal number of `x`'s dtype."""
    return _facts(x.dtype, xp).tiny


INF, NAN = math.inf, math.nan
