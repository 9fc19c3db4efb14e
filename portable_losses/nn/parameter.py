"""`Parameter`: a leaf of the tape that a module owns and an optimiser changes."""

from typing import Any

from portable_losses._plain import is_plain
from portable_losses._typing import Array
from portable_losses._validation import check_real_floating
from portable_losses.autograd import Tensor
from portable_losses.autograd._libraries import array_of, copy_like, library_of

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that a module finds when it is assigned to an attribute.

    Parameters
    ----------
    data : array, Tensor, number, or nested lists
        The values, as `Tensor` takes them; integers become floating. An array is shared, not
        copied, and never written to: an optimiser puts a new array in its place.
    requires_grad : bool, default True
        Whether to collect a gradient. A parameter without one is saved and moved with its module,
        and left alone by optimisers.

    Raises
    ------
    TypeError
        `data` is no array, number or list of numbers, or complex.
    ValueError
        `data` is the result of recorded operations, whose history would be lost.

    Examples
    --------
    >>> from portable_losses import nn
    >>> p = nn.Parameter([1.0, 2.0])
    >>> (p @ p).backward()
    >>> p.grad.array
    array([2., 4.])
    """

    __slots__ = ()

    def __init__(self, data: Array, /, *, requires_grad: bool = True) -> None:
        if isinstance(data, Tensor):
            if not data.is_leaf:
                msg = "a parameter starts a graph, got a recorded result; use `.detach()` first"
                raise ValueError(msg)
            data = data.array
        array = array_of(data, differentiable=True)
        check_real_floating(library_of(array).xp, data=array)
        self.array, self._node = array, None
        if requires_grad:
            self._collect_here()

    def replace(self, data: Array, /) -> "Parameter":
        """Put other values, of any shape and library, under this parameter; return it.

        The collected gradient, which belonged to the old values, is forgotten. What was computed
        from the old values is unchanged. Numbers and lists become an array of the library, the
        dtype and the device that the parameter has.
        """
        if is_plain(data):
            data = copy_like(self.array, data)
        fresh = Parameter(data, requires_grad=self.requires_grad)
        self.array, self._node = fresh.array, fresh._node
        self.zero_grad()
        if fresh._node is not None:
            self._collected = fresh._collected
        return self

    def __copy__(self) -> "Parameter":
        twin = Parameter(self.array, requires_grad=False)
        if self._node is not None:
            twin._node, twin._collected = self._node, self._collected
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parameter":
        copied = library_of(self.array).xp.asarray(self.array, copy=True)
        twin = memo[id(self)] = Parameter(copied, requires_grad=self.requires_grad)
        return twin

    def __reduce__(self) -> Any:
        return _rebuild, (self.array, self.requires_grad)


def _rebuild(data: Array, requires_grad: bool) -> Parameter:
    return Parameter(data, requires_grad=requires_grad)
