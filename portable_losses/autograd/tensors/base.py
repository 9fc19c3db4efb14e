"""The base of Tensor: an array and its node, and what has to do with gradients."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace
from portable_losses.autograd._libraries import check_differentiable, library_of
from portable_losses.autograd.graph.node import Node, new_node
from portable_losses.autograd.graph.recording import RECORDER, recorder, recorder_if_enabled
from portable_losses.autograd.graph.walk import walk
from portable_losses.autograd.rules.complex_numbers import is_complex
from portable_losses.autograd.tensors.unwrapping import unwrap

__all__ = ["BaseTensor", "Hook"]


class Collected:
    """The gradient that `backward` adds up for one Tensor, which holds it."""

    grad: Any = None  # a raw array; a Tensor where it was itself recorded

    def add(self, grad: Any, /) -> None:
        """Add `grad`, a raw array or a Tensor."""
        before = self.grad
        if before is None:
            self.grad = grad
            return
        # The Tensor stands first: array-api-strict's arrays refuse any other array beside them.
        turned = isinstance(grad, TapeArray) and not isinstance(before, TapeArray)
        terms: tuple[Any, Any] = (grad, before) if turned else (before, grad)
        self.grad = terms[0] + terms[1]


class Hook:
    """A function that was registered to see gradients, until it is removed."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks: dict[int, Callable[[Any], Any]], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Remove the function from the Tensor's hooks; a second time does nothing."""
        self._hooks.pop(self._key, None)


class BaseTensor(TapeArray):
    """A raw array and the node that it came from."""

    # `_collected` is set on leaves and where a gradient is retained, and nowhere else.
    __slots__ = ("__weakref__", "_collected")

    _node: Node | None
    _collected: Collected

    if TYPE_CHECKING:  # `Tensor` defines it, which is made of this class

        @staticmethod
        def _tensor_of(array: Array, node: Node | None = None) -> Any:
            """Return a Tensor, of no subclass."""

        @staticmethod
        def _lift(node: Node) -> tuple[Any, tuple[Any, ...], Namespace]:
            """Return result, arguments and namespace of a node as Tensors."""
            ...

    def _collect_here(self, node: Node | None = None) -> Self:
        """Collect gradients here, as a new leaf or for `node`."""
        self._node = node = new_node() if node is None else node
        self._collected = Collected()
        node.sink = ref(self._collected)
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The wrapped library's own dtype."""
        return self.array.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether this is a leaf that collects a gradient, or computed from one."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value == self.requires_grad:
            return
        if not self.is_leaf:
            msg = "only a leaf can stop requiring a gradient; use `.detach()` on a result"
            raise RuntimeError(msg)
        if value:
            check_differentiable(self.array)
            self._collect_here()
        else:
            self._node = None

    def requires_grad_(self, requires_grad: bool = True, /) -> Self:
        """Set `requires_grad` and return this Tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this, and not an operation on tracked Tensors."""
        return self._node is None or self._node.operation is None

    @property
    def grad(self) -> Any:
        """The gradient that `backward` has collected here."""
        try:
            collected = self._collected
        except AttributeError:
            return None
        grad = collected.grad
        if isinstance(grad, TapeArray):
            return self._tensor_of(grad.array, grad._node)
        return None if grad is None else self._tensor_of(grad)

    @grad.setter
    def grad(self, value: Any) -> None:
        if self._node is None:
            msg = "a Tensor that is not tracked has no gradient; make it with `tensor(x)`"
            raise RuntimeError(msg)
        array, recorded = (None, None) if value is None else unwrap(value)
        if array is not None and tuple(array.shape) != self.shape:
            msg = f"`grad` must have shape {self.shape}, got {tuple(array.shape)}"
            raise ValueError(msg)
        self.retain_grad()
        self._collected.grad = array if recorded is None else self._tensor_of(array, recorded)

    def zero_grad(self) -> None:
        """Forget the collected gradient, and the graph that it holds if it was recorded."""
        collected = getattr(self, "_collected", None)
        if collected is not None:
            collected.grad = None

    def retain_grad(self) -> None:
        """Collect a gradient here although this is no leaf."""
        node = self._tracked_node("retain_grad")
        sink = None if node.sink is None else node.sink()
        if sink is None:
            self._collect_here(node)
        else:
            self._collected = sink

    def register_hook(self, hook: Callable[[Any], Any], /) -> Hook:
        """Call `hook` with the gradient of this Tensor; what it returns, if anything, replaces it.

        Parameters
        ----------
        hook : callable
            Takes a Tensor and returns None, or a gradient of the same shape and dtype.

        Returns
        -------
        Hook
            Its ``remove()`` unregisters the hook.
        """
        node = self._tracked_node("register_hook")
        hooks = node.hooks = {} if node.hooks is None else node.hooks
        key = max(hooks, default=-1) + 1
        hooks[key] = _on_gradients(hook, self._tensor_of)
        return Hook(hooks, key)

    def _tracked_node(self, name: str) -> Node:
        if self._node is None:
            msg = f"`{name}` needs a tracked Tensor; make the input with `tensor(x)`"
            raise RuntimeError(msg)
        return self._node

    def detach(self) -> Any:
        """Return the same values as a constant; later updates of one do not reach the other."""
        return self._tensor_of(self.array)

    def backward(
        self, gradient: Any = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add the gradient of this Tensor to `grad` of every leaf it was computed from.

        Parameters
        ----------
        gradient : array, optional
            What to multiply from the left; only a single number can do without.
        retain_graph : bool, optional
            Keep what the gradient needs, for a second walk.
        create_graph : bool, optional
            Record the gradients themselves, so that they can be differentiated. The collected
            gradients then hold the graph alive until `zero_grad`, or as long as the leaves live.

        Raises
        ------
        ValueError
            Without `gradient` if there is more than one entry, and for a wrong shape of it.
        RuntimeError
            If nothing here is tracked, or the graph was freed by an earlier walk.
        """
        node = self._tracked_node("backward")
        # Without `with`, which takes half a microsecond more.
        before = RECORDER.set(recorder_if_enabled() if create_graph else None)
        try:
            found = walk(
                {node: self._first_gradient(gradient, recorded=create_graph)},
                lift=self._lift if create_graph else None,
                free=not (retain_graph or create_graph),
            )
            for leaf, grad in found:
                leaf.collect(grad)
        finally:
            RECORDER.reset(before)

    def _first_gradient(self, gradient: Any, *, recorded: bool) -> Any:
        """Return the gradient that a walk begins with: 1 of a single number, else the given one."""
        array = self.array
        if gradient is None:
            if array.shape and any(n != 1 for n in array.shape):
                msg = f"backward of shape {self.shape} needs a `gradient` of that shape"
                raise ValueError(msg)
            library = library_of(array)
            if is_complex(array, xp=library.xp):
                msg = "backward of a complex number needs a `gradient`; only a real one is a loss"
                raise ValueError(msg)
            one = _one_like(array) if library.one_like is None else library.one_like(array)
            return self._tensor_of(one) if recorded else one
        array, node = unwrap(gradient)
        library_of(self.array).check(array, "gradient")
        if tuple(array.shape) != self.shape or array.dtype != self.dtype:
            msg = (
                f"`gradient` must have shape {self.shape} and dtype {self.dtype}, "
                f"got {tuple(array.shape)} {array.dtype}"
            )
            raise ValueError(msg)
        return self._tensor_of(array, node) if recorded else array

    def _become(self, new: "BaseTensor") -> Any:
        """Take over the value and the history of `new`: an update in place, from the outside."""
        old, node, array, before = self._node, new._node, new.array, self.array
        if old is not None and old.operation is None:
            if recorder():
                msg = (
                    "a leaf that requires a gradient cannot be updated in place; "
                    "do it inside `no_grad()`, or on a result computed from it"
                )
                raise RuntimeError(msg)
            node = old  # a leaf stays a leaf, with the gradient it has
        self._check_like(new)
        if array.ndim > 1 and getattr(array, "strides", 0) != getattr(before, "strides", 0):
            # In place the layout stays, and with it what `reshape` makes a view of.
            array = library_of(before).tape.setitem(self.detach(), ..., new.detach()).array
        if old is not None and old is not node and old.sink is not None and node:
            old.sink, node.sink = None, old.sink  # what retains its gradient goes on to
        self.array, self._node = array, node
        return self

    def _check_like(self, new: "BaseTensor") -> None:
        """Raise TypeError unless `new` has the shape and dtype of this Tensor."""
        old, made = self.array, new.array
        if made.shape != old.shape or made.dtype != old.dtype:
            msg = (
                f"an update in place keeps shape and dtype: {self.shape} {self.dtype} "
                f"would become {new.shape} {new.dtype}"
            )
            raise TypeError(msg)


def _one_like(number: Array) -> Array:
    """Return 1 in the dtype, of the kind and on the device of a single number.

    ``xp.ones_like`` takes 6 us of NumPy's scalars, which sums return, and gives an array without
    axes, whose arithmetic is slower; this takes 0.1 us. NaN and infinities give 1 as well.
    """
    return number**0


def _on_gradients(
    hook: Callable[[Any], Any], tensor_of: Callable[[Array, Node | None], Any]
) -> Callable[[Any], Any]:
    """Return the user's `hook`, which sees Tensors, for the gradients of a walk.

    A walk that is itself recorded has Tensors, any other one raw arrays. No reference to the Tensor
    is kept: its node, which has the hook, would belong to a cycle.
    """

    def on_gradient(grad: Any) -> Any:
        recorded = isinstance(grad, TapeArray)
        seen: Any = grad if recorded else tensor_of(grad, None)
        changed = hook(seen)
        if changed is None:
            return grad
        array, node = unwrap(changed)
        if tuple(array.shape) != seen.shape or array.dtype != seen.dtype:
            msg = (
                f"a hook must return a gradient of shape {seen.shape} and dtype {seen.dtype}, "
                f"got {tuple(array.shape)} {array.dtype}"
            )
            raise ValueError(msg)
        return tensor_of(array, node) if recorded else array

    return on_gradient
