"""`Tensor`: an Array API array that remembers how it was computed."""

import operator
from collections.abc import Callable
from typing import Any

from array_api_compat import device, size, to_device

from portable_losses._typing import Array, Namespace
from portable_losses.autograd._libraries import (
    check_differentiable,
    is_array,
    library_of,
    library_of_argument,
)
from portable_losses.autograd.context import explain
from portable_losses.autograd.conversions import Converted
from portable_losses.autograd.operands import raw_key, raw_operand
from portable_losses.autograd.rules import LIST, OPERATIONS
from portable_losses.autograd.tape import NOTHING, Node, item_nodes, recording

__all__ = ["Tensor", "lift", "tensor", "tensor_of"]

_MATCHED = frozenset([float, int, bool])
_GETITEM = OPERATIONS["getitem"]


def _binary(name: str, function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator and its reflection, recorded as ``xp.<name>``."""
    operation = OPERATIONS[name]

    def forward(self: "Tensor", other: Any, /) -> Any:
        a = self.array
        left = self._node
        if isinstance(other, Tensor):
            b, right = other.array, other._node
            if b.__class__ is not a.__class__:
                library_of(a).check(b, "operand")
        else:
            b, right = other, None
            if b.__class__ is not a.__class__ and b.__class__ not in _MATCHED:
                b = raw_operand(other, a)
                if b is NotImplemented:
                    return b
        try:
            out = function(a, b)
        except Exception as error:
            explain(error, name, a, b)
            raise
        if (left is None and right is None) or not (record := recording()):
            return tensor_of(out)
        return tensor_of(out, record(operation, out, (a, b), NOTHING, (left, right)))

    def reflected(self: "Tensor", other: Any, /) -> Any:
        a, node = self.array, self._node
        b = other
        if b.__class__ is not a.__class__ and b.__class__ not in _MATCHED:
            b = raw_operand(other, a)
            if b is NotImplemented:
                return b
        try:
            out = function(b, a)
        except Exception as error:
            explain(error, name, b, a)
            raise
        if node is None or not (record := recording()):
            return tensor_of(out)
        return tensor_of(out, record(operation, out, (b, a), NOTHING, (None, node)))

    return forward, reflected


def _constant(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator without a gradient (a comparison, a bit operation), and its reflection."""

    def forward(self: "Tensor", other: Any, /) -> Any:
        b = raw_operand(other.array if isinstance(other, Tensor) else other, self.array)
        return b if b is NotImplemented else tensor_of(function(self.array, b))

    def reflected(self: "Tensor", other: Any, /) -> Any:
        b = raw_operand(other, self.array)
        return b if b is NotImplemented else tensor_of(function(b, self.array))

    return forward, reflected


def _unary(name: str, function: Callable[[Any], Any]) -> Any:
    operation = OPERATIONS[name]

    def forward(self: "Tensor", /) -> "Tensor":
        a, node = self.array, self._node
        out = function(a)
        if node is None or not (record := recording()):
            return tensor_of(out)
        return tensor_of(out, record(operation, out, (a,), NOTHING, (node,)))

    return forward


def _in_place(forward: Callable[[Any, Any], Any]) -> Any:
    """Return ``x += y`` and the like: a new value and a new node under the same name."""

    def update(self: "Tensor", other: Any, /) -> Any:
        out = forward(self, other)
        return out if out is NotImplemented else self._become(out)

    return update


def tensor_of(array: Array, node: Node | None = None) -> "Tensor":
    """Return a raw array, and the node that it came from, as a Tensor.

    A function, since an `__init__` would take half as long again, twice in every operation.
    """
    made = Tensor()
    made.array = array
    made._node = node
    return made


def lift(node: Node) -> tuple[Any, tuple[Any, ...], Namespace]:
    """Return result, arguments and namespace of a node as Tensors, so that a rule is recorded."""

    def lifted(raw: Any, parent: Node | None) -> Any:
        return tensor_of(raw, parent) if parent is not None or is_array(raw) else raw

    out, parents = node.out, node.parents
    args: Any = node.args
    if node.operation is not None and node.operation.form is LIST:
        arrays = [lifted(a, p) for a, p in zip(args[0], parents, strict=True)]
        args = (arrays, *args[1:])
    else:
        arrays = [lifted(a, p) for a, p in zip(args, parents, strict=False)]
        args = (*arrays, *args[len(parents) :])
    if type(out) is tuple:
        items = item_nodes(node, out)
        results: Any = tuple(tensor_of(x, item) for x, item in zip(out, items, strict=True))
        return results, args, library_of(out[0]).tape
    return tensor_of(out, node), args, library_of(out).tape


class Tensor(Converted):
    """An array that remembers how it was computed.

    Made by `tensor` or by a function of ``namespace(xp)``, not by calling the class. It follows
    the Array API standard; what it is computed with is the library of its `array`.

    Attributes
    ----------
    array : array
        The wrapped library's own array.

    Notes
    -----
    Updates in place (``x += y``, ``x[key] = y``) put a new array and a new node under the same
    Tensor: an earlier result never changes. What slices, `reshape` and the like return are views
    as in NumPy, on every library: an update of one is seen in the other.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import tensor
    >>> x = tensor(np.asarray([1.0, 2.0]))
    >>> y = x @ x
    >>> y.backward()
    >>> x.grad.tolist()
    [2.0, 4.0]
    """

    __slots__ = ()

    __array_ufunc__ = None  # a NumPy array beside an operator lets the Tensor answer
    __array_priority__ = 1000.0

    # ---- what the standard asks of an array ---------------------------------------------------

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        return library_of(self.array).tape.checked(api_version)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The wrapped library's own dtype."""
        return self.array.dtype

    @property
    def device(self) -> Any:
        """The wrapped library's own device."""
        return device(self.array)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.array.shape)

    @property
    def size(self) -> int | None:
        """The number of entries, None where the library does not know it."""
        entries: int | None = size(self.array)
        return entries

    @property
    def T(self) -> "Tensor":  # noqa: N802 - the standard's name
        """The transpose of a matrix."""
        if self.ndim != 2:
            msg = f"`T` needs 2 axes, got shape {self.shape}; use `mT` or `xp.permute_dims`"
            raise ValueError(msg)
        return self.mT

    @property
    def mT(self) -> "Tensor":  # noqa: N802 - the standard's name
        """The transpose of each matrix in the last two axes."""
        transposed: Tensor = self.__array_namespace__().matrix_transpose(self)
        return transposed

    def to_device(self, device: Any, /, *, stream: Any = None) -> "Tensor":
        """Return the same values on another device, tracked as before."""
        a, node = self.array, self._node
        out = to_device(a, device, stream=stream)
        if out is a:
            return self
        if node is None or not (record := recording()):
            return tensor_of(out)
        return tensor_of(out, record(OPERATIONS["to_device"], out, (a,), NOTHING, (node,)))

    __add__, __radd__ = _binary("add", operator.add)
    __sub__, __rsub__ = _binary("subtract", operator.sub)
    __mul__, __rmul__ = _binary("multiply", operator.mul)
    __truediv__, __rtruediv__ = _binary("divide", operator.truediv)
    __floordiv__, __rfloordiv__ = _binary("floor_divide", operator.floordiv)
    __mod__, __rmod__ = _binary("remainder", operator.mod)
    __pow__, __rpow__ = _binary("pow", operator.pow)
    __matmul__, __rmatmul__ = _binary("matmul", operator.matmul)
    __and__, __rand__ = _constant(operator.and_)
    __or__, __ror__ = _constant(operator.or_)
    __xor__, __rxor__ = _constant(operator.xor)
    __lshift__, __rlshift__ = _constant(operator.lshift)
    __rshift__, __rrshift__ = _constant(operator.rshift)
    __lt__, _ = _constant(operator.lt)
    __le__, _ = _constant(operator.le)
    __gt__, _ = _constant(operator.gt)
    __ge__, _ = _constant(operator.ge)
    __eq__, _ = _constant(operator.eq)
    __ne__, _ = _constant(operator.ne)
    del _
    __hash__ = object.__hash__  # by identity, as a key for an optimiser's state

    __iadd__ = _in_place(__add__)
    __isub__ = _in_place(__sub__)
    __imul__ = _in_place(__mul__)
    __itruediv__ = _in_place(__truediv__)
    __ifloordiv__ = _in_place(__floordiv__)
    __imod__ = _in_place(__mod__)
    __ipow__ = _in_place(__pow__)
    __imatmul__ = _in_place(__matmul__)
    __iand__ = _in_place(__and__)
    __ior__ = _in_place(__or__)
    __ixor__ = _in_place(__xor__)
    __ilshift__ = _in_place(__lshift__)
    __irshift__ = _in_place(__rshift__)

    __neg__ = _unary("negative", operator.neg)
    __pos__ = _unary("positive", operator.pos)
    __abs__ = _unary("abs", operator.abs)

    def __invert__(self) -> "Tensor":
        return tensor_of(~self.array)

    def __getitem__(self, key: Any, /) -> "Tensor":
        key, a, node = raw_key(key), self.array, self._node
        try:
            out = a[key]
        except Exception as error:
            explain(error, "getitem", a, key)
            raise
        if node is not None:
            record = recording()
            node = record and record(_GETITEM, out, (a, key), NOTHING, (node,))
        if is_view_key(key, out):
            return View(out, node, self, ("getitem", (key,), NOTHING))
        return tensor_of(out, node)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if value.__class__ is View and value.shows(self, key):
            return  # `x[key] += y` has written through the view already
        self._become(library_of(self.array).tape.setitem(self, key, value))

    _made = staticmethod(tensor_of)
    _lift = staticmethod(lift)

    def __repr__(self) -> str:
        tracked = ", tracked" if self._node is not None else ""
        library = library_of(self.array).name
        values = repr(self.array)
        return f"Tensor({values}, {library} {self.dtype} on {self.device}{tracked})"


def tensor(x: Any, /, *, requires_grad: bool = True) -> Tensor:
    """Return `x` as a Tensor, by default as a leaf that collects a gradient.

    Parameters
    ----------
    x : array
        An array of any Array API library, of any shape and on any device, or a Tensor (whose
        history is left behind).
    requires_grad : bool, optional
        False for a constant.

    Returns
    -------
    Tensor
        Shape, dtype and device of `x`.

    Raises
    ------
    TypeError
        For what is no array, and with `requires_grad` for a dtype that is not floating, real
        or complex.

    Notes
    -----
    The memory of `x` is shared, not copied: do not write to it while a graph refers to it.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import tensor
    >>> x = tensor(np.asarray(3.0))
    >>> (x * x).backward()
    >>> float(x.grad)
    6.0
    """
    if isinstance(x, Tensor):
        x = x.array
    if not requires_grad:
        library_of_argument(x)
        return tensor_of(x)
    check_differentiable(x)
    return tensor_of(x)._start()


from portable_losses.autograd.views import View, is_view_key  # noqa: E402 - a View is a Tensor
