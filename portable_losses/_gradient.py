"""Joins a forward function and its hand-written gradient for every library."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from portable_losses._backend import Pair, backend_of
from portable_losses._typing import Array, Namespace

__all__ = ["stop_gradient", "with_gradient"]


def with_gradient(
    backward: Callable[..., tuple[Array | None, ...]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a forward function with its `backward`; see `portable_losses._backend.Pair`."""

    def decorate(forward: Callable[..., Any]) -> Callable[..., Any]:
        portable, name = Pair(forward, backward), forward.__name__

        @wraps(forward)
        def call(*arrays: Array, xp: Namespace, **options: Any) -> Any:
            backend, options = backend_of(xp), {"xp": xp, **options}
            fused = backend.kernels.get(name)
            pair = fused.pair if fused and fused.accepts(*arrays, **options) else portable
            return backend.attach_gradient(pair, arrays, options)

        return call

    return decorate


def stop_gradient(x: Array, *, xp: Namespace) -> Array:
    """Return `x` as a constant: no derivative of any order or direction passes through it."""
    return backend_of(xp).stop_gradient(x)
