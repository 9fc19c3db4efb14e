"""`Tensor`: an Array API array that remembers how it was computed; `View`: one that shows another.

Slicing a Tensor makes a View, and a View is a Tensor: so both are here.
"""

import operator
from functools import partial
from typing import Any

from array_api_compat import device, size, to_device

from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace
from portable_losses.autograd._error_notes import explain
from portable_losses.autograd._libraries import (
    array_of,
    is_array,
    library_of,
)
from portable_losses.autograd.graph.node import NOTHING, Node, item_nodes
from portable_losses.autograd.graph.recording import recorder, recorder_if_enabled, use_recorder
from portable_losses.autograd.rules import LIST, OPERATIONS
from portable_losses.autograd.tensors.base import BaseTensor
from portable_losses.autograd.tensors.creation import CreatedTensor
from portable_losses.autograd.tensors.operators import (
    binary,
    constant,
    in_place,
    results_are,
    unary,
)
from portable_losses.autograd.tensors.spelling import Size
from portable_losses.autograd.tensors.unwrapping import raw_key
from portable_losses.autograd.tensors.view_steps import (
    UNKNOWN,
    Step,
    backward,
    forward,
    is_basic,
    is_view_key,
    parts_of,
    refuse,
)

__all__ = ["Tensor", "View", "blank", "lift", "tensor", "tensor_of"]

_GETITEM = OPERATIONS["getitem"]
_array: Any = TapeArray.__dict__["array"]
_node: Any = TapeArray.__dict__["_node"]
_NUMBERED = frozenset([slice, int])  # the keys that are as the library takes them
_DEEPEST = 32  # steps that one view remembers


def tensor_of(array: Array, node: Node | None = None) -> "Tensor":
    """Return a raw array, and the node that it came from, as a Tensor.

    A function, which asks nothing: `Tensor` itself would take as long as an operation.
    """
    made = blank()
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


class Tensor(CreatedTensor):
    """An array that remembers how it was computed.

    It follows the Array API standard; what it is computed with is the library of its `array`.

    Parameters
    ----------
    data : array, number, or nested lists
        An array of any Array API library, of any shape and on any device; numbers and nested lists
        of them become a NumPy array. Of a Tensor the values, without their history. An array is
        shared, not copied: do not write to it while a graph refers to it.
    requires_grad : bool, default False
        Whether this is a leaf that collects a gradient. Integers and bools then become the
        library's default floating dtype.
    dtype : optional
        As the library of `data` has it; by default that of `data`.

    Attributes
    ----------
    array, data : array
        The wrapped library's own array.
    grad : Tensor or None
        What ``backward()`` has collected.

    Raises
    ------
    TypeError
        `data` is no array, number or list of numbers; or `requires_grad` with a `dtype` that is not
        floating, real or complex.
    ValueError
        The lists in `data` have different lengths.

    Notes
    -----
    Updates in place (``x += y``, ``x[key] = y``) put a new array and a new node under the same
    Tensor: an earlier result never changes. What slices, `reshape` and the like return are views
    as in NumPy, on every library: an update of one is seen in the other.

    Examples
    --------
    >>> from portable_losses import Tensor
    >>> x = Tensor([1, 2], requires_grad=True)
    >>> y = x @ x
    >>> y.backward()
    >>> x.grad.data
    array([2., 4.])
    >>> Tensor.zeros(2, 3).shape
    (2, 3)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        self.array = array_of(data, dtype, differentiable=requires_grad)
        self._node = None
        if requires_grad:
            self._collect_here()

    __array_priority__ = 1000.0

    # ---- what the standard asks of an array ---------------------------------------------------

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        return library_of(self.array).tape.checked(api_version)

    @property
    def device(self) -> Any:
        """The wrapped library's own device."""
        return device(self.array)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.array.shape)

    @property
    def size(self) -> Any:
        """The number of entries, None where the library does not know it.

        Called it is PyTorch's method: ``x.size()`` is the shape, ``x.size(0)`` the first size.
        """
        entries: int | None = size(self.array)
        return None if entries is None else Size(entries, self.shape)

    @property
    def T(self) -> "Tensor":  # noqa: N802 - the standard's name
        """The axes in reverse order: the transpose of a matrix."""
        if self.ndim == 2:
            return self.mT
        reverse = tuple(range(self.ndim))[::-1]
        turned: Tensor = self.__array_namespace__().permute_dims(self, reverse)
        return turned

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
        if node is None or not (record := recorder()):
            return tensor_of(out)
        return tensor_of(out, record(OPERATIONS["to_device"], out, (a,), NOTHING, (node,)))

    __add__, __radd__ = binary("add", operator.add)
    __sub__, __rsub__ = binary("subtract", operator.sub)
    __mul__, __rmul__ = binary("multiply", operator.mul)
    __truediv__, __rtruediv__ = binary("divide", operator.truediv)
    __floordiv__, __rfloordiv__ = binary("floor_divide", operator.floordiv)
    __mod__, __rmod__ = binary("remainder", operator.mod)
    __pow__, __rpow__ = binary("pow", operator.pow)
    __matmul__, __rmatmul__ = binary("matmul", operator.matmul)
    __and__, __rand__ = constant(operator.and_)
    __or__, __ror__ = constant(operator.or_)
    __xor__, __rxor__ = constant(operator.xor)
    __lshift__, __rlshift__ = constant(operator.lshift)
    __rshift__, __rrshift__ = constant(operator.rshift)
    __lt__, _ = constant(operator.lt)
    __le__, _ = constant(operator.le)
    __gt__, _ = constant(operator.gt)
    __ge__, _ = constant(operator.ge)
    __eq__, _ = constant(operator.eq)
    __ne__, _ = constant(operator.ne)
    del _
    __hash__ = object.__hash__  # by identity, as a key for an optimiser's state

    __iadd__ = in_place(__add__)
    __isub__ = in_place(__sub__)
    __imul__ = in_place(__mul__)
    __itruediv__ = in_place(__truediv__)
    __ifloordiv__ = in_place(__floordiv__)
    __imod__ = in_place(__mod__)
    __ipow__ = in_place(__pow__)
    __imatmul__ = in_place(__matmul__)
    __iand__ = in_place(__and__)
    __ior__ = in_place(__or__)
    __ixor__ = in_place(__xor__)
    __ilshift__ = in_place(__lshift__)
    __irshift__ = in_place(__rshift__)

    __neg__ = unary("negative", operator.neg)
    __pos__ = unary("positive", operator.pos)
    __abs__ = unary("abs", operator.abs)

    def __invert__(self) -> "Tensor":
        return tensor_of(~self.array)

    def __getitem__(self, key: Any, /) -> "Tensor":
        a, node = self.array, self._node
        if key.__class__ not in _NUMBERED:
            key = raw_key(key, a)
        try:
            out = a[key]
        except Exception as error:
            explain(error, "getitem", a, key)
            raise
        if node is not None:
            record = recorder()
            node = record and record(_GETITEM, out, (a, key), NOTHING, (node,))
        if is_view_key(key, out):
            return View(out, node, self, ("getitem", (key,), NOTHING))
        return tensor_of(out, node)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if value.__class__ is View and value.shows(self, key):
            return  # `x[key] += y` has written through the view already
        self._become(library_of(self.array).tape.setitem(self, key, value))

    _tensor_of = staticmethod(tensor_of)
    _lift = staticmethod(lift)

    def __reduce__(self) -> Any:
        """Keep the values and `requires_grad`; the history stays behind."""
        return _unpickled, (self.array, self.requires_grad)

    def __repr__(self) -> str:
        tracked = ", tracked" if self._node is not None else ""
        library = library_of(self.array).name
        values = repr(self.array)
        return f"Tensor({values}, {library} {self.dtype} on {self.device}{tracked})"


blank = partial(object.__new__, Tensor)  # without a question to `__init__`
results_are(blank)


class View(Tensor):
    """A Tensor that shows part of another one, its root, or all of it in another shape.

    ::

        root ---- x[1:] ----> y ---- reshape ----> z      z refers to the root and to the two steps

    Nothing is shared underneath. Updating a view computes a new root, step by step backwards, and
    puts it under the root's Tensor; a view notices that the root holds another array and repeats
    its steps, when it is next read. All of that is recorded like any other operation, so the
    gradients are right, and no array that a rule has saved ever changes. Taking a view changes
    nothing but the view, so that threads may share a root, and no root refers to its views.
    """

    __slots__ = ("_records", "_root", "_seen", "_steps")

    _root: Tensor
    _seen: Array  # what the root held when this was last computed
    _steps: tuple[Step, ...]
    _records: bool  # False for a view taken under `no_grad`, a constant for ever

    def __init__(self, array: Array, node: Node | None, parent: Tensor, step: Step) -> None:
        _array.__set__(self, array)
        _node.__set__(self, node)
        if isinstance(parent, View):
            self._root, self._steps = parent._root, (*parent._steps, step)
            self._seen = parent._seen
        else:
            self._root, self._steps = parent, (step,)
            self._seen = parent.array
        self._records = node is not None or parent._node is None

    @property
    def array(self) -> Any:
        """The wrapped library's own array."""
        root = self._root
        if root.array is not self._seen:
            self._look_again(root)
        return _array.__get__(self)

    @array.setter
    def array(self, value: Array) -> None:
        _array.__set__(self, value)

    @property
    def _node(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        root = self._root
        if root.array is not self._seen:
            self._look_again(root)
        return _node.__get__(self)

    @_node.setter
    def _node(self, value: Node | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value is not None and value.operation is None:
            msg = "a view cannot become a leaf; make one of its values with `tensor(x.array)`"
            raise RuntimeError(msg)
        _node.__set__(self, value)

    def shows(self, root: Tensor, key: Any) -> bool:
        """Say whether this is ``root[key]``."""
        if self._root is not root or len(self._steps) != 1 or self._steps[0][0] != "getitem":
            return False
        parts, mine = parts_of(key), parts_of(self._steps[0][1][0])
        return all(map(is_basic, parts)) and parts == mine

    def _look_again(self, root: Tensor) -> None:
        """Repeat the steps on what the root holds now."""
        self._check_followed()
        shown = root
        with use_recorder(recorder_if_enabled() if self._records else None):
            for step in self._steps:
                shown = forward(step, shown)
        _array.__set__(self, _array.__get__(shown))
        _node.__set__(self, _node.__get__(shown))
        self._seen = root.array

    def _become(self, new: BaseTensor) -> Any:
        """Put `new` under the root, where this view shows it."""
        self._check_like(new)
        self._check_followed()
        root = self._root
        before = [root]
        for step in self._steps[:-1]:
            before.append(forward(step, before[-1]))
        for step, x in zip(reversed(self._steps), reversed(before), strict=True):
            new = backward(step, x, new)
        root._become(new)
        return self

    def _check_followed(self) -> None:
        """Raise RuntimeError where it is not known what the steps of this view show."""
        if len(self._steps) > _DEEPEST:
            msg = f"a view through {len(self._steps)} steps is not followed; copy it in between"
            raise RuntimeError(msg)
        if any(step is UNKNOWN for step in self._steps):
            refuse("`reshape` of a view: whether it is one, too, depends on the library")


def tensor(x: Any, /, *, requires_grad: bool = True, dtype: Any = None) -> Tensor:
    """Return `x` as a Tensor, by default as a leaf that collects a gradient.

    Parameters
    ----------
    x : array, number, or nested lists
        As `Tensor` takes it.
    requires_grad : bool, optional
        False for a constant.
    dtype : optional
        As the library of `x` has it; by default that of `x`.

    Returns
    -------
    Tensor
        Shape, dtype and device of `x`; with `requires_grad`, integers become floating.

    Raises
    ------
    TypeError
        As `Tensor` raises it.

    Notes
    -----
    ``Tensor(x, requires_grad=True)``.

    Examples
    --------
    >>> from portable_losses.autograd import tensor
    >>> x = tensor(3.0)
    >>> (x * x).backward()
    >>> float(x.grad)
    6.0
    """
    made = blank()
    made.array = array_of(x, dtype, differentiable=requires_grad)
    made._node = None
    return made._collect_here() if requires_grad else made


def _unpickled(array: Array, requires_grad: bool) -> Tensor:
    return Tensor(array, requires_grad)
