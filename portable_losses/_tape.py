"""How the package tells the tape of `portable_losses.autograd` from an array library.

There is one way: an array of the tape is a `TapeArray` and a namespace of it a `TapeNamespace`, the
bases of what stands in `autograd/`. Importing this file imports nothing of the tape.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from portable_losses._typing import Array, Namespace

__all__ = ["TapeArray", "TapeNamespace", "inner_of", "raw_array"]


class TapeArray:
    """Base of `autograd.Tensor`."""

    __slots__ = ("_node", "array")

    recorded: ClassVar[bool] = True  # by what runs on the array; else by what it is itself
    array: Array  # the wrapped library's own
    _node: Any  # the node of the graph that the array came from, None for a constant


class TapeNamespace:
    """Base of the namespaces whose arrays are Tensors over the arrays of one library."""

    inner: Namespace  # the wrapped library's own

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a function of the standard, recorded."""


def raw_array(x: Any) -> Any:
    """Return the array that a Tensor wraps; anything else as it is."""
    return x.array if isinstance(x, TapeArray) else x


def inner_of(xp: Namespace) -> Namespace:
    """Return the namespace that one of the tape wraps; any other one as it is."""
    return xp.inner if isinstance(xp, TapeNamespace) else xp
