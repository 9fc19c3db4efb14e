"""Nested arguments and results: lists, tuples, named tuples and dicts of arrays."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["flatten_nested"]


def flatten_nested(tree: Any) -> tuple[list[Any], Callable[[Iterable[Any]], Any]]:
    """Return the leaves of a nested structure, and a function that puts others in their place.

    Examples
    --------
    >>> leaves, rebuild = flatten_nested({"a": 1, "b": (2, [3])})
    >>> leaves, rebuild([10, 20, 30])
    ([1, 2, 3], {'a': 10, 'b': (20, [30])})
    """
    if tree is not None and not isinstance(tree, dict | list | tuple):
        return [tree], _only
    leaves: list[Any] = []
    _collect_leaves(tree, leaves)

    def rebuild(values: Iterable[Any]) -> Any:
        return _filled(tree, iter(values))

    return leaves, rebuild


def _only(values: Iterable[Any]) -> Any:
    (value,) = values
    return value


def _collect_leaves(tree: Any, leaves: list[Any]) -> None:
    """Add the leaves of `tree` to `leaves`, in order."""
    if isinstance(tree, dict):
        for value in tree.values():
            _collect_leaves(value, leaves)
    elif isinstance(tree, list | tuple):
        for value in tree:
            _collect_leaves(value, leaves)
    elif tree is not None:
        leaves.append(tree)


def _filled(tree: Any, values: Iterator[Any]) -> Any:
    """Return `tree` with `values` for its leaves."""
    if isinstance(tree, dict):
        return type(tree)((key, _filled(value, values)) for key, value in tree.items())
    if isinstance(tree, list | tuple):
        items = [_filled(value, values) for value in tree]
        make = getattr(type(tree), "_make", type(tree))
        return make(items)
    return None if tree is None else next(values)
