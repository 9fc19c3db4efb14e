"""What a dtype is, and how a computation gets from the caller's dtype to its own and back."""

from typing import Any, NamedTuple

from portable_losses._backend import backend_of, traced_as_constant
from portable_losses._tape import TapeNamespace, inner_of
from portable_losses._typing import Array, Namespace

__all__ = [
    "astype_like",
    "computable",
    "is_half",
    "kind_of",
    "largest",
    "narrow",
    "tiny",
    "widen",
]


class DtypeInfo(NamedTuple):
    """What a dtype is, and the limits of a real floating one."""

    kind: str
    half: bool = False
    swapped: bool = False  # NumPy's, in the byte order of another machine
    other: Any = None  # the dtype that takes its place, where the library does not compute in it
    plain: bool = True  # none of the three, and the library's operators give way to a Tensor
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
        kind = next((k for k in _KINDS if xp.isdtype(dtype, k)), "other")
        swapped = not getattr(dtype, "isnative", True)
        arrays = backend_of(inner_of(xp)).arrays
        other, gives_way = arrays.computed_in.get(dtype), arrays.gives_way
        found = DtypeInfo(kind, False, swapped, other, gives_way and not (swapped or other))
        if kind == "real floating":
            limits = xp.finfo(dtype)
            half, largest, tiny = limits.bits < 32, limits.max, limits.smallest_normal
            plain = gives_way and not (half or swapped)
            found = DtypeInfo(kind, half, swapped, None, plain, float(largest), float(tiny))
        _INFO[key] = found
    return found


def kind_of(x: Array, *, xp: Namespace) -> str:
    """Return the kind of `x`'s dtype, as ``xp.isdtype`` names it; integers are "integral"."""
    return _info(x.dtype, xp).kind


def is_half(x: Array, *, xp: Namespace) -> bool:
    """Return whether `x` is float16 or bfloat16, which are computed in float32."""
    return _info(x.dtype, xp).half


def widen(x: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype to compute in: float32 for float16 and bfloat16, else its own.

    An array beside Tensors becomes one where its own operators do not give way to theirs.
    """
    info = _info(x.dtype, xp)
    if info.plain:
        return x
    if info.half:
        return xp.astype(x, xp.float32)
    if isinstance(xp, TapeNamespace):
        x = xp.astype(x, x.dtype, copy=False)
    return computable(x, xp=xp)


def narrow(result: Array, dtype: Any, *, xp: Namespace) -> Array:
    """Return `result` rounded once to `dtype`, in the machine's byte order."""
    if result.dtype == dtype:
        return result
    own = _own_order(dtype, xp)
    return result if result.dtype == own else xp.astype(result, own)


def computable(x: Array, *, xp: Namespace) -> Array:
    """Return the values of `x` in a dtype that the library computes with: mostly its own.

    NumPy stumbles over the byte order of another machine, PyTorch compares no uint16.
    """
    info = _info(x.dtype, xp)
    if info.plain:
        return x
    return narrow(x, info.other or _own_order(x.dtype, xp), xp=xp)


def _own_order(dtype: Any, xp: Namespace) -> Any:
    return dtype.newbyteorder("=") if _info(dtype, xp).swapped else dtype


def astype_like(x: Array, like: Array, *, xp: Namespace) -> Array:
    """Return `x` in the dtype of `like`."""
    return narrow(x, like.dtype, xp=xp)


def largest(x: Array, *, xp: Namespace) -> float:
    """Return the largest finite number of `x`'s dtype."""
    return _info(x.dtype, xp).largest


def tiny(x: Array, *, xp: Namespace) -> float:
    """Return the smallest normal number of `x`'s dtype."""
    return _info(x.dtype, xp).tiny
