"""What NumPy says about arrays without computing: their common dtype, and what they share."""

from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray
from portable_losses.autograd.tensors.view_steps import forward

from .names import dtype_of, named
from .operands import floating

__all__ = ["result_type"]


def _dtype(x: Any, *, xp: Any) -> Any:
    """Return the dtype of a Tensor, or the library's own for another dtype or its name."""
    return getattr(x, "dtype", x) if isinstance(x, TapeArray) else dtype_of(x, xp=xp)


@named("result_type")
def result_type(*arrays_and_dtypes: Any, xp: Any) -> Any:
    """Return the dtype that all have together, as the library promotes."""
    given = [
        x if isinstance(x, bool | int | float | complex) else _dtype(x, xp=xp)
        for x in arrays_and_dtypes
    ]
    return xp.result_type(*given)


@named("common_type")
def common_type(*arrays: Any, xp: Any) -> Any:
    """Return the floating dtype that all arrays have together."""
    return xp.result_type(*[floating(x, xp=xp).dtype for x in arrays])


@named("can_cast")
def can_cast(from_: Any, to: Any, casting: str = "safe", *, xp: Any) -> bool:
    """Say whether a dtype, or that of an array, may be converted to another."""
    first, second = _dtype(from_, xp=xp), _dtype(to, xp=xp)
    if casting in ("no", "equiv") or first == second:
        return bool(first == second)
    if casting == "safe":
        return bool(xp.can_cast(first, second))
    return casting == "unsafe" or _rank(first, xp=xp) <= _rank(second, xp=xp)


def _rank(dtype: Any, *, xp: Any) -> int:
    """Return the place of a dtype in bool < integer < real < complex."""
    return next(i for i, kind in enumerate(_KINDS) if xp.isdtype(dtype, kind))


_KINDS = ("bool", "integral", "real floating", "complex floating")


@named("shares_memory", "may_share_memory")
def shares_memory(a: Any, b: Any, /, max_work: Any = None, *, xp: Any) -> bool:
    """Say whether an update in place of one Tensor is seen in the other: views of one root."""
    if not (isinstance(a, TapeArray) and isinstance(b, TapeArray)):
        return False
    roots = [getattr(x, "_root", x) for x in (a, b)]
    if roots[0] is not roots[1]:
        return False
    return not set(_numbers(a, roots[0], xp=xp)).isdisjoint(_numbers(b, roots[0], xp=xp))


def _numbers(x: Any, root: Any, *, xp: Any) -> list[int]:
    """Return which entries of its root a view shows, by their number."""
    home = device_of(root, xp=xp)
    shown = xp.reshape(xp.arange(root.size, dtype=xp.int64, device=home), root.shape)
    for step in getattr(x, "_steps", ()):
        shown = forward(step, shown)
    found: list[int] = xp.reshape(shown, (-1,)).tolist()
    return found
