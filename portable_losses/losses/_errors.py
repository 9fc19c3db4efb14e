"""Losses of the error ``d = input - target`` as pairs of the two arrays: one pass computes both."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from portable_losses._gradient import NO_OPTIONS, with_gradient
from portable_losses._typing import Array

__all__ = ["of_error"]


def of_error(
    rule: Callable[..., Array], *, by: Mapping[str, Callable[..., Array] | None] = NO_OPTIONS
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Decorate ``f(d, xp, **options)``: then it is a pair of `input` and `target`.

    ``rule(grad, out, d, xp, **options)`` is the gradient by d, each entry of which depends on those
    at its place alone, and `by` has the rules of options, as in `with_gradient`.
    """

    def by_target(grad: Array, out: Array, d: Array, **options: Any) -> Array:
        """Return the gradient by the target."""
        return -rule(grad, out, d, **options)

    def decorate(forward: Callable[..., Array]) -> Callable[..., Array]:
        rules = {name: None if own is None else _at_error(own) for name, own in by.items()}
        pair = with_gradient(_at_error(rule), _at_error(by_target), elementwise=True, by=rules)
        return pair(_at_error(forward))

    return decorate


def _at_error(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return a function that ends with d as one that ends with the input and the target."""

    @wraps(function)
    def call(*given: Array, **options: Any) -> Array:
        *others, input, target = given
        return function(*others, input - target, **options)

    return call
