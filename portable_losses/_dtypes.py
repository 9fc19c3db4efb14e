"""What a dtype is, and how a computation gets from the caller's dtype to its own and back."""

from typing import Any, NamedTuple

from portable_losses._backend import traced_as_constant
from portable_losses._typing import Array, Namespace

__all__ = ["astype_like", "is_half", "kind_of", "largest", "narrow", "tiny", "widen"]


class DtypeInfo(NamedTuple):
    """What a dtype is, and the limits of a real floating one."""

    kind: str
    half: bool = False
    largest: float = 0.0
    tiny: float = 0.0


_KINDS = ("real floating", "complex floating", "integral", "bool")
_INFO: dict[tuple[type, Any], DtypeInfo] = {}


@traced_as_constant
def _info(dtype: Any, xp: Namespace) -> DtypeInfo:
    """Return what the library says of `dtype`, asked once: that costs more than an operation."""
    # The class stands first: a dtype of array-api-strict has the hash of NumPy's, and must not be
    # compared with it.
    key = (dtype.__class__, dtype)
    found = _INFO.get(key)
    if found is None:
        found = DtypeInfo(next((k for k in _KINDS if xp.isdtype(dtype, k)), "other"))
        if found.kind == "real floating":
            limits = xp.finfo(dtype)
            largest, tiny = float(limits.max), float(limits.smallest_normal)
            found = DtypeInfo(found.kind, limits.bits < 32, largest, tiny)
        _INFO[key] = found
    return found


def kind_of(x: Array, *, xp: Namespace) -> str:
    """Return the kind of `x`'s dtype, as ``xp.isdtype`` names it; integers are "integral"."""
    return _info(x.dtype, xp).kind


def is_half(x: Array, *, xp: Namespace) -> bool:
    """Return whether `x` is float16 or bfloat16, which are computed in float32."""
    return _info(x.dtype, xp).half


def widen(x: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype to compute in: float32 for float16 and bfloat16, else its own."""
    return xp.astype(x, xp.float32) if _info(x.dtype, xp).half else x


def narrow(result: Array, dtype: Any, *, xp: Namespace) -> Array:
    """Return `result` rounded once to `dtype`."""
    return result if result.dtype == dtype else xp.astype(result, dtype)


def astype_like(x: Array, like: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype of `like`."""
    return narrow(x, like.dtype, xp=xp)


def largest(x: Array, *, xp: Namespace) -> float:
    """Return the largest finite number of `x`'s dtype."""
    return _info(x.dtype, xp).largest


def tiny(x: Array, *, xp: Namespace) -> float:
    """Return the smallest normal number of `x`'s dtype."""
    return _info(x.dtype, xp).tiny
