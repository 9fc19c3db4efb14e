"""What of a Tensor has to do with gradients; the arithmetic is in `tensor.py`."""

from collections.abc import Callable
from typing import Any, Self

from portable_losses._typing import Array
from portable_losses.autograd import namespaces as spaces
from portable_losses.autograd.tape import Node, reachable, walk

__all__ = ["Tracked", "unwrap"]


class Tracked:
    """A raw array and the node that it came from."""

    __slots__ = ("__weakref__", "_node", "array")

    array: Array
    _node: Node | None

    def __init__(self, array: Array, node: Node | None = None) -> None:
        self.array = array
        self._node = node

    def _made(self, array: Array, node: Node | None = None) -> Any:
        """Return a Tensor, of no subclass."""
        raise NotImplementedError

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

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this, and not an operation on tracked Tensors."""
        return self._node is None or self._node.operation is None

    @property
    def grad(self) -> Any:
        """The gradient that `backward` has collected here."""
        node = self._node
        return None if node is None or node.grad is None else self._made(node.grad, node.grad_node)

    @grad.setter
    def grad(self, value: Any) -> None:
        node = self._node
        if node is None:
            msg = "a Tensor that is not tracked has no gradient; make it with `tensor(x)`"
            raise RuntimeError(msg)
        array, recorded = (None, None) if value is None else unwrap(value)
        if array is not None and tuple(array.shape) != self.shape:
            msg = f"`grad` must have shape {self.shape}, got {tuple(array.shape)}"
            raise ValueError(msg)
        node.grad, node.grad_node = array, recorded

    def zero_grad(self) -> None:
        """Forget the collected gradient."""
        if self._node is not None:
            self._node.grad = self._node.grad_node = None

    def retain_grad(self) -> None:
        """Collect a gradient here although this is no leaf."""
        self._tracked_node("retain_grad").retains_grad = True

    def register_hook(self, hook: Callable[[Any], Any], /) -> Callable[[], None]:
        """Call `hook` with the gradient of this Tensor; what it returns, if anything, replaces it.

        Returns
        -------
        callable
            Removes the hook again.
        """
        node = self._tracked_node("register_hook")
        hooks = node.hooks = {} if node.hooks is None else node.hooks
        key = max(hooks, default=-1) + 1
        hooks[key] = hook
        return lambda: hooks.pop(key, None) and None

    def _tracked_node(self, name: str) -> Node:
        if self._node is None:
            msg = f"`{name}` needs a tracked Tensor; make the input with `tensor(x)`"
            raise RuntimeError(msg)
        return self._node

    def detach(self) -> Any:
        """Return the same values as a constant."""
        return self._made(self.array)

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
            gradients then hold the graph alive until `zero_grad`.

        Raises
        ------
        ValueError
            Without `gradient` if there is more than one entry, and for a wrong shape of it.
        RuntimeError
            If nothing here is tracked, or the graph was freed by an earlier walk.
        """
        node = self._tracked_node("backward")
        order = reachable([node])
        found = walk(
            order,
            {node: self._first_gradient(gradient, recorded=create_graph)},
            library_of=spaces.library_of,
            lift=spaces.lift if create_graph else None,
            free=not (retain_graph or create_graph),
        )
        for leaf, grad in found:
            leaf.accumulate(grad)

    def _first_gradient(self, gradient: Any, *, recorded: bool) -> Any:
        if gradient is None:
            if any(n != 1 for n in self.shape):
                msg = f"backward of shape {self.shape} needs a `gradient` of that shape"
                raise ValueError(msg)
            ones = spaces.library_of(self.array).ones_like(self.array)
            return self._made(ones) if recorded else ones
        array, node = unwrap(gradient)
        spaces.space_of(self.array).check_library(array, "gradient")
        if tuple(array.shape) != self.shape or array.dtype != self.dtype:
            msg = (
                f"`gradient` must have shape {self.shape} and dtype {self.dtype}, "
                f"got {tuple(array.shape)} {array.dtype}"
            )
            raise ValueError(msg)
        return self._made(array, node) if recorded else array

    def _refuse_to_leave(self, error: type[Exception]) -> None:
        if self._node is not None:
            msg = (
                "a tracked Tensor is not converted silently, its gradient would be lost; "
                "use `.detach()` (or `.array`) to take the values"
            )
            raise error(msg)

    def __copy__(self) -> Self:
        return type(self)(self.array, self._node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        xp = spaces.library_of(self.array)
        copied = type(self)(xp.asarray(self.array, copy=True), self._node and self._new_leaf())
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        leaf = self._node is not None and self._new_leaf() is not None
        return _rebuild, (type(self), self.array, leaf)

    def _new_leaf(self) -> Node:
        if not self.is_leaf:
            msg = "only leaves are copied deeply or pickled; use `.detach()` on a result first"
            raise RuntimeError(msg)
        return Node()


def _rebuild(kind: type[Tracked], array: Array, leaf: bool) -> Tracked:
    return kind(array, Node() if leaf else None)


def unwrap(x: Any) -> tuple[Any, Node | None]:
    """Return the raw array (or `x` itself where it is no Tensor) and the node, if any."""
    return (x.array, x._node) if isinstance(x, Tracked) else (x, None)
