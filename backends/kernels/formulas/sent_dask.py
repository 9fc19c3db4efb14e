"""Functions and pairs on their way to other processes, which find them again by their names.

Dask sends what has no name of its own as code, with each task; then every chunk has functions that
are new, and traces and compiles them once more.
"""

__library__ = "dask"

import sys
from collections.abc import Callable, Iterator
from typing import Any

from portable_losses._backend import Pair
from portable_losses._gradient import maker_of, pair_of

__all__ = ["Sent"]


class Sent:
    """A function or a pair: `it`, the same object for all tasks of a process."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it

    def __reduce__(self) -> Any:
        """Return how it is made or found; the thing itself where that is not known."""
        it = self.it
        function = it.forward if isinstance(it, Pair) else it
        named = getattr(sys.modules.get(function.__module__), function.__qualname__, None)
        maker, *args = maker_of(function) or ((None,) if named is None else (_named, named))
        found = None if maker is None else maker(*args)
        for way, one in enumerate(_parts(found)):
            if one is it or (isinstance(it, Pair) and one == it):
                return _again, (way, maker, *[Sent(x) if isinstance(x, Pair) else x for x in args])
        return Sent, (it,)


def _again(way: int, maker: Callable[..., Any], *args: Any) -> Sent:
    """Return what was sent, made or found here."""
    found = maker(*[x.it if isinstance(x, Sent) else x for x in args])
    return Sent(list(_parts(found))[way])


def _named(call: Callable[..., Any]) -> Any:
    """Return the pair of a function that has a name, or the function."""
    return pair_of(call) or call


def _parts(found: Any) -> Iterator[Any]:
    """Return a pair or a function, its forward, and what they have wrapped."""
    while found is not None:
        yield found
        found = found.forward if isinstance(found, Pair) else getattr(found, "__wrapped__", None)
