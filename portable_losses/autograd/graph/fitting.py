"""How a gradient is made to fit its array: in shape, dtype and layout, in memory of its own."""

from collections.abc import Callable
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._dtypes import narrow
from portable_losses._polyfill import total
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.rules.complex_numbers import is_complex

__all__ = ["copied", "fitted", "laid_out"]

# How a gradient gets the layout of its array, by the type of the array; written once each.
_MATCHES: dict[type, Callable[[Array, Array], Array]] = {}


def fitted(grad: Any, like: Array, *, name: str, xp: Namespace) -> Any:
    """Undo the broadcasting and the promotion of an argument: the only place that does."""
    if not like.ndim and grad.ndim:  # without an axis it takes half as long
        grad = total(grad, xp=xp)
    elif grad.shape != like.shape:
        lead = grad.ndim - like.ndim
        if lead < 0:
            msg = f"`{name}` got a gradient of shape {grad.shape} for one of {like.shape}"
            raise ValueError(msg)
        if lead:
            grad = total(grad, axis=tuple(range(lead)), xp=xp)
        if grad.shape != like.shape:
            sizes = zip(grad.shape, like.shape, strict=True)
            axes = tuple([i for i, (n, m) in enumerate(sizes) if m == 1 and n != 1])
            grad = total(grad, axis=axes, keepdims=True, xp=xp) if axes else grad
    if grad.dtype != like.dtype:
        if is_complex(grad, xp=xp) and not is_complex(like, xp=xp):
            grad = xp.real(grad)
        grad = narrow(grad, like.dtype, xp=xp)
    return grad


def laid_out(grad: Any, like: Array) -> Any:
    """Return `grad` distributed as `like` is: in the chunks of a Dask array."""
    match = _MATCHES.get(like.__class__)
    if match is None:
        match = backend_of(library_of(like).xp).arrays.match_layout or _unchanged
        _MATCHES[like.__class__] = match
    if match is _unchanged:
        return grad
    if isinstance(grad, TapeArray):
        tensor: Any = grad
        return tensor._tensor_of(match(tensor.array, like), tensor._node)
    return match(grad, like)


def _unchanged(grad: Array, like: Array) -> Array:
    return grad


def copied(grad: Any) -> Any:
    """Return `grad` in memory of its own; a Tensor as it is, since no Tensor is written to."""
    if isinstance(grad, TapeArray):
        return grad
    return library_of(grad).xp.astype(grad, grad.dtype, copy=True)
