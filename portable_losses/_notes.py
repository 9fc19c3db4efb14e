"""Notes of what a call does, from which it is done again (`_plans.py`): a note for each call.

While a note is taken, each step that a later call of arrays of the same types, dtypes and shapes
would repeat writes itself down: a test of values that was passed, an array that was derived from
another one, the pair that a kernel served, what was done with its result.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from portable_losses._backend import traced_as_constant
from portable_losses._typing import Array

__all__ = ["NOTE", "Note", "Served", "noted"]


class Served(NamedTuple):
    """A pair that a kernel has served."""

    pair: Any
    arrays: tuple[Any, ...]
    options: dict[str, Any]
    out: Any


class Note:
    """What one call has done so far.

    Attributes
    ----------
    tests : list of (array, test)
        ``test(raw)`` was true of the array's values, and nothing else was asked of them.
    classes : list of (indices, (array, test))
        Such tests that these indices name classes: kernels of rows see that themselves.
    derived : list of (made, sources, function)
        ``made``, an array or a number, is ``function(*sources)``.
    served : list of Served
    added : (terms, made, divisor, weights) or None
        ``made`` is the sum of all of ``terms``, the result of a pair, times ``weights`` (None: 1)
        over ``divisor``.
    looked : bool
        Were values read in any other way? Then the call cannot be repeated without doing so.
    takes_over : callable or None
        ``takes_over(x, bad)`` says whether who takes the note looks at an array in a pass of its
        own, where ``bad(x, xp=xp)`` is the mask of bad entries, and returns the mask if that is to
        be marked instead.
    """

    __slots__ = ("added", "classes", "derived", "looked", "served", "takes_over", "tests")

    def __init__(self) -> None:
        self.tests: list[tuple[Array, Callable[[Array], bool]]] = []
        self.classes: list[tuple[Array, tuple[Array, Callable[[Array], bool]]]] = []
        self.derived: list[tuple[Any, tuple[Any, ...], Callable[..., Any]]] = []
        self.served: list[Served] = []
        self.added: tuple[Any, Any, Any, Array | None] | None = None
        self.looked = False
        self.takes_over: Callable[..., tuple[bool, Any]] | None = None


NOTE: ContextVar[Note | None] = ContextVar("portable_losses_note", default=None)


@traced_as_constant
def noted() -> Note | None:
    """Return the note that is being taken; None mostly."""
    return NOTE.get()
