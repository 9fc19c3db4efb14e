"""What Python's operators do on Tensors: closures, written out for every form of call.

They stand below `Tensor`, whose methods they return; `results_are` says what the results are. One
general function for all forms took 17 us a call, these take 3 to 8: a result is filled
here, where a call would take a twentieth of an operation.
"""

from collections.abc import Callable
from typing import Any

from portable_losses._tape import TapeArray
from portable_losses._typing import Array
from portable_losses.autograd._error_notes import explain
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.graph.node import NOTHING
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.rules import OPERATIONS
from portable_losses.autograd.tensors.unwrapping import raw_operand

__all__ = ["binary", "constant", "in_place", "results_are", "unary"]

_PYTHON_REAL = frozenset([float, int, bool])  # what every library takes beside an array


_blank: Callable[[], Any]  # makes a Tensor that has no array and no node yet


def results_are(blank: Callable[[], Any]) -> None:
    """Let the operators fill and return what `blank` makes."""
    global _blank
    _blank = blank


def _constant(array: Array) -> Any:
    made = _blank()
    made.array = array
    made._node = None
    return made


def binary(name: str, function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator and its reflection, recorded as ``xp.<name>``."""
    operation = OPERATIONS[name]

    def forward(self: Any, other: Any, /) -> Any:
        a = self.array
        left = self._node
        right = None
        if other.__class__ in _PYTHON_REAL:  # first, since `isinstance` takes long to say no
            b = other
        elif isinstance(other, TapeArray):
            b, right = other.array, other._node
            if b.__class__ is not a.__class__:
                library_of(a).check(b, "operand")
        else:
            b = other
            if b.__class__ is not a.__class__:
                b = raw_operand(other, a)
                if b is NotImplemented:
                    return b
        try:
            out = function(a, b)
        except Exception as error:
            explain(error, name, a, b)
            raise
        made = _blank()
        made.array = out
        if (left is None and right is None) or not (record := recorder()):
            made._node = None
        else:
            made._node = record(operation, out, (a, b), NOTHING, (left, right))
        return made

    def reflected(self: Any, other: Any, /) -> Any:
        a, node = self.array, self._node
        b = other
        if b.__class__ is not a.__class__ and b.__class__ not in _PYTHON_REAL:
            b = raw_operand(other, a)
            if b is NotImplemented:
                return b
        try:
            out = function(b, a)
        except Exception as error:
            explain(error, name, b, a)
            raise
        made = _blank()
        made.array = out
        if node is None or not (record := recorder()):
            made._node = None
        else:
            made._node = record(operation, out, (b, a), NOTHING, (None, node))
        return made

    forward.__qualname__ = f"Tensor.__{name}__"  # `pow` of three arguments names it
    return forward, reflected


def constant(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator without a gradient (a comparison, a bit operation), and its reflection."""

    def forward(self: Any, other: Any, /) -> Any:
        b = raw_operand(other.array if isinstance(other, TapeArray) else other, self.array)
        return b if b is NotImplemented else _constant(function(self.array, b))

    def reflected(self: Any, other: Any, /) -> Any:
        b = raw_operand(other, self.array)
        return b if b is NotImplemented else _constant(function(b, self.array))

    return forward, reflected


def unary(name: str, function: Callable[[Any], Any]) -> Any:
    """Return an operator of one operand, recorded as ``xp.<name>``."""
    operation = OPERATIONS[name]

    def forward(self: Any, /) -> Any:
        a, node = self.array, self._node
        out = function(a)
        made = _blank()
        made.array = out
        if node is None or not (record := recorder()):
            made._node = None
        else:
            made._node = record(operation, out, (a,), NOTHING, (node,))
        return made

    return forward


def in_place(forward: Callable[[Any, Any], Any]) -> Any:
    """Return ``x += y`` and the like: a new value and a new node under the same Tensor."""

    def update(self: Any, other: Any, /) -> Any:
        out = forward(self, other)
        return out if out is NotImplemented else self._become(out)

    return update
