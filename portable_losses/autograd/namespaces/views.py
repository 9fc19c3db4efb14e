"""The functions that return views: what they return remembers the step that led to it."""

from collections.abc import Callable
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._typing import Array
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.tensor import Tensor, View
from portable_losses.autograd.tensors.view_steps import UNKNOWN, VIEWS, Step

__all__ = ["RETURN_VIEWS", "viewing"]


def viewing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``xp.<name>``, whose result is a view of its first argument."""
    if name in _SEVERAL:
        return lambda *args, **options: _SEVERAL[name](function, *args, **options)

    def call(x: Any, /, *args: Any, **options: Any) -> Any:
        out = function(x, *args, **options)
        if out is x or not isinstance(x, Tensor) or (options and options.get("copy")):
            return out
        step: Step = (name, args, options)
        if name == "flip":
            if not x.shape:  # NumPy returns a number
                return out
        elif name == "reshape":
            shares = _same_memory(x, out.array)
            if shares is None:
                step = UNKNOWN
            elif not shares:
                return out
        return View(out.array, out._node, x, step)

    return call


def _same_memory(x: Tensor, made: Array) -> bool | None:
    """Say whether `reshape` of `x` made a view of it, None where that is not known."""
    raw = x.array
    shares = backend_of(library_of(raw).xp).arrays.is_view
    if shares is not None:
        return shares(made, raw)
    return None if x.__class__ is View else True  # what is no view counts as contiguous


# ---- several views at once ----------------------------------------------------------------------


def _unstack(function: Callable[..., Any], x: Any, /, *, axis: int = 0) -> Any:
    """Return the parts of `x` along `axis`, each a view of it."""
    parts = function(x, axis=axis)
    if not isinstance(x, Tensor):
        return parts
    before = (slice(None),) * (axis % x.ndim)
    steps: list[Step] = [("getitem", ((*before, i, ...),), {}) for i in range(len(parts))]
    return tuple(View(p.array, p._node, x, step) for p, step in zip(parts, steps, strict=True))


def _broadcast_arrays(function: Callable[..., Any], *xs: Any) -> Any:
    """Return all of `xs` in one shape, each a view of its own."""
    return tuple(
        View(made.array, made._node, x, ("broadcast_to", (made.shape,), {}))
        if isinstance(x, Tensor)
        else made
        for x, made in zip(xs, function(*xs), strict=True)
    )


_SEVERAL: dict[str, Callable[..., Any]] = {
    "unstack": _unstack,
    "broadcast_arrays": _broadcast_arrays,
}

RETURN_VIEWS = frozenset({*VIEWS, *_SEVERAL}) - {"getitem"}
