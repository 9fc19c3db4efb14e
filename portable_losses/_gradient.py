"""Joins a forward function and its hand-written gradient for every library."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from portable_losses._backend import Pair, backend_of, kernel_for
from portable_losses._typing import Array, Namespace

__all__ = ["entrywise", "stop_gradient", "with_gradient"]


def with_gradient(
    backward: Callable[..., Any], *rest: Callable[..., Array], elementwise: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a forward function with its gradient; see `portable_losses._backend.Pair`.

    Either one `backward` for all arrays, or one rule per array, which returns the gradient of
    that array alone: then a library computes only what somebody asks for. Where all of them are
    `elementwise`, a library may run each as it runs an `entrywise` function.
    """

    def decorate(forward: Callable[..., Any]) -> Callable[..., Any]:
        halves = forward, backward, *rest
        run, *rules = map(entrywise, halves) if elementwise else halves
        portable = Pair(run, _together(rules), tuple(rules)) if rest else Pair(run, rules[0])
        portable = portable._replace(elementwise=elementwise)

        @wraps(forward)
        def call(*arrays: Array, xp: Namespace, **options: Any) -> Any:
            backend, options = backend_of(xp), {"xp": xp, **options}
            kernel = kernel_for(portable, backend, arrays, options)
            pair = portable if kernel is None else portable._replace(kernel=kernel)
            return backend.attach_gradient(pair, arrays, options)

        return call

    return decorate


def _together(rules: list[Callable[..., Array]]) -> Callable[..., tuple[Array | None, ...]]:
    def backward(grad: Array, out: Array, *arrays: Array, **options: Any) -> tuple[Any, ...]:
        given = zip(rules, arrays, strict=True)
        return tuple(
            None if x is None else rule(grad, out, *arrays, **options) for rule, x in given
        )

    return backward


def entrywise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate ``f(*arrays, xp, **options)``, each entry of which depends on those at its place.

    All results have the shape to which the arrays broadcast, and all options are Python values:
    then a library may compute them part by part.
    """

    @wraps(function)
    def call(*arrays: Array, xp: Namespace, **options: Any) -> Any:
        run = backend_of(xp).elementwise
        if run is None:
            return function(*arrays, xp=xp, **options)
        return run(function, arrays, {"xp": xp, **options})

    return call


def stop_gradient(x: Array, *, xp: Namespace) -> Array:
    """Return `x` as a constant: no derivative of any order or direction passes through it."""
    return backend_of(xp).stop_gradient(x)
