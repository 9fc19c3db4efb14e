"""The gradients of an elementwise pair, as functions that are traced, or called as they stand."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from portable_losses._backend import Pair
from portable_losses._typing import Array

__all__ = ["by_pair", "pulled", "value_and_slope"]


@lru_cache(maxsize=512)
def pulled(pair: Pair, wanted: tuple[int, ...]) -> Callable[..., tuple[Any, ...]]:
    """Return the gradients of a pair by these of its arrays, as a function of the others.

    They are ``(grad, *arrays)``: what backward needs of the result is computed again.
    """

    def gradients(grad: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        out = pair.forward(*arrays, **options)
        if pair.rules:
            return tuple([pair.rules[i](grad, out, *arrays, **options) for i in wanted])
        found = pair.backward(grad, out, *arrays, **options)
        return tuple([found[i] for i in wanted])

    gradients.__name__ = f"{pair.forward.__name__}_grad"
    return gradients


@lru_cache(maxsize=512)
def value_and_slope(pair: Pair) -> Callable[..., tuple[Any, Any]]:
    """Return the value of a pair, and its gradient by the first array for one of 1."""

    def both(*arrays: Any, **options: Any) -> tuple[Any, Any]:
        out = pair.forward(*arrays, **options)
        one = out.dtype.type(1)
        rule = pair.rules[0] if pair.rules else pair.backward
        found = rule(one, out, *arrays, **options)
        return out, found[0] if isinstance(found, tuple) else found

    both.__name__ = f"{pair.forward.__name__}_slope"
    return both


def by_pair(pair: Pair, wanted: tuple[int, ...]) -> Callable[..., Any]:
    """Return the backward of a pair: of its rules those that are `wanted`."""
    if not pair.rules:
        return pair.backward

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Array | None, ...]:
        made: list[Array | None] = [None] * len(arrays)
        for i in wanted:
            found = pair.rules[i](grad, out, *arrays, **options)
            made[i] = grad.copy() if found is grad else found  # which the tape may add to
        return tuple(made)

    return backward
