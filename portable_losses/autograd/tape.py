"""The tape: numbered nodes, and the walk from a result back to what it was computed from.

::

    x ----> [exp] ----> [multiply] ----> [sum] ----> loss        a node holds the raw arrays of its
    y --------------------/                                      call and refers to its parents only

There is no list of nodes: a result holds its node, a node holds its parents, and a graph dies
with its last reference. No node refers to a Tensor, so nothing refers back.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules import EACH, ITEM, LIST, OWN, Operation

__all__ = [
    "Node",
    "enable_grad",
    "item_nodes",
    "no_grad",
    "reachable",
    "recording",
    "walk",
]

NOTHING: dict[str, Any] = {}  # the options of a call without any
_next_number = count().__next__
_by_number = attrgetter("number")

# Per thread and per task, as every state of this package.
_RECORDING: ContextVar[bool] = ContextVar("portable_losses.autograd.recording", default=True)
recording = _RECORDING.get


@contextmanager
def _recording_set_to(value: bool) -> Generator[None, None, None]:
    token = _RECORDING.set(value)
    try:
        yield
    finally:
        _RECORDING.reset(token)


def no_grad() -> Any:
    """Record nothing, as a context manager (``with no_grad():``) or a decorator.

    The state belongs to the thread and the task that enters it.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import no_grad, tensor
    >>> x = tensor(np.asarray([1.0, 2.0]))
    >>> with no_grad():
    ...     x -= 0.5
    >>> x.tolist(), x.requires_grad
    ([0.5, 1.5], True)
    """
    return _recording_set_to(False)


def enable_grad() -> Any:
    """Record again inside a `no_grad`, as a context manager or a decorator.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import enable_grad, no_grad, tensor
    >>> x = tensor(np.asarray([1.0, 2.0]))
    >>> with no_grad(), enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """
    return _recording_set_to(True)


class Node:
    """One recorded call, or a leaf (then `operation` is None).

    `args` and `options` are the call's own, with raw arrays; `parents` has one entry per array
    argument (per entry of the list, for concat and stack), None where it is a constant. `grad` is
    the accumulated gradient of a leaf and `grad_node` the node of it where it was itself recorded.
    """

    __slots__ = (
        "args",
        "grad",
        "grad_node",
        "hooks",
        "number",
        "operation",
        "options",
        "out",
        "parents",
        "retains_grad",
    )

    args: Any
    out: Any
    parents: "tuple[Node | None, ...]"

    def __init__(
        self,
        operation: Operation | None = None,
        out: Any = None,
        args: tuple[Any, ...] | None = (),
        options: dict[str, Any] = NOTHING,
        parents: "tuple[Node | None, ...]" = (),
    ) -> None:
        self.number = _next_number()
        self.operation = operation
        self.out = out
        self.args = args
        self.options = options
        self.parents = parents
        self.grad: Array | None = None
        self.grad_node: Node | None = None
        self.hooks: dict[int, Callable[[Any], Any]] | None = None
        self.retains_grad = False

    def __repr__(self) -> str:
        return f"<node {self.number}: {self.operation.name if self.operation else 'leaf'}>"

    def free(self) -> None:
        """Let go of what the gradient needed; `args` None says so."""
        self.args = self.out = None
        self.options, self.parents = NOTHING, ()

    def accumulate(self, grad: Any) -> None:
        """Add `grad` (a raw array, or a Tensor) to the gradient of this node."""
        if self.grad_node is not None or hasattr(grad, "_node"):
            self._accumulate_recorded(grad)
        else:
            self.grad = grad if self.grad is None else self.grad + grad

    def _accumulate_recorded(self, grad: Any) -> None:
        from portable_losses.autograd.tensor import Tensor

        if self.grad is not None:
            grad = Tensor(self.grad, self.grad_node) + grad
        self.grad, self.grad_node = (
            (grad.array, grad._node) if isinstance(grad, Tensor) else (grad, None)
        )


def item_nodes(node: Node, outs: Sequence[Array]) -> list[Node]:
    """Return one node per result of a call that has several."""
    return [Node(ITEM, out, (i,), NOTHING, (node,)) for i, out in enumerate(outs)]


def reachable(roots: Iterable[Node], *, floor: int = -1) -> list[Node]:
    """Return the nodes that `roots` were computed from, newest first.

    What is older than `floor` is left out: it cannot depend on a leaf of that number.
    """
    found = set(roots)
    stack = list(found)
    while stack:
        node = stack.pop()
        if node.args is None:
            msg = (
                "the graph was freed by an earlier backward; "
                "pass `retain_graph=True` to the first one to walk it twice"
            )
            raise RuntimeError(msg)
        for parent in node.parents:
            if parent is not None and parent not in found and parent.number >= floor:
                found.add(parent)
                stack.append(parent)
    return sorted(found, key=_by_number, reverse=True)


Lift = Callable[[Node], tuple[Any, tuple[Any, ...], Namespace]]


def walk(
    order: Sequence[Node],
    grads: dict[Node, Any],
    *,
    library_of: Callable[[Array], Namespace],
    lift: Lift | None = None,
    targets: frozenset[Node] | None = None,
    needed: set[Node] | None = None,
    free: bool = False,
) -> list[tuple[Node, Any]]:
    """Carry `grads` from the newest node of `order` to the oldest.

    Parameters
    ----------
    order : sequence of Node
        From `reachable`.
    grads : dict
        The gradients to begin with; used up.
    library_of : callable, (raw array) -> namespace
        The namespace in which a rule runs on raw arrays.
    lift : callable, (node) -> (out, args, namespace), optional
        Makes Tensors of what a node holds, so that the gradients are recorded themselves.
    targets : frozenset of Node, optional
        Where to stop; by default at the leaves.
    needed : set of Node, optional
        The only nodes that lead to a target.
    free : bool, optional
        Let each node go of its arrays once it is done.

    Returns
    -------
    list of (Node, gradient)
        One entry per leaf (or target) that was reached. No gradient shares its memory with
        another one, or with an array of the caller.
    """
    found: list[tuple[Node, Any]] = []
    shared = set(grads)  # nodes whose gradient somebody else may hold
    arrays: dict[Node, Array] = {}  # the array of each leaf
    for node in order:
        grad = grads.pop(node, None)
        if grad is None:
            continue
        operation = node.operation
        if node.hooks:
            grad = _through_hooks(node, grad)
            shared.add(node)
        if operation is None if targets is None else node in targets:
            if node in shared:
                grad = _copy(grad, library_of)
            if node in arrays:
                grad = _laid_out(grad, arrays[node], library_of)
            found.append((node, grad))
            continue
        if operation is None:
            continue
        if node.retains_grad:
            node.accumulate(_copy(grad, library_of))
            shared.add(node)
        form, rules = operation.form, operation.rules
        raw_args = node.args
        if form is ITEM.form:
            _collect(node, grad, grads)
            continue
        args: Any
        if lift is None:
            out, args = node.out, raw_args
            xp = library_of(out[0] if type(out) is tuple else out)
        else:
            out, args, xp = lift(node)
        options, parents = node.options, node.parents
        gradients: Any = None
        if form is not EACH:
            if type(out) is tuple:
                grad = _without_gaps(grad, out, xp)
            gradients = rules[0](grad, out, *args, xp=xp, **options)
            if form is LIST:
                raw_args = raw_args[0]
        i = -1
        for parent in parents:
            i += 1
            if parent is None or (needed is not None and parent not in needed):
                continue
            if gradients is None:
                part = rules[i](grad, out, *args, xp=xp, **options)
            else:
                part = gradients[i]
                if part is None:
                    continue
            like = raw_args[i]
            if part.shape != like.shape or part.dtype != like.dtype:
                part = fitted(part, like, name=operation.name, xp=xp)
            if parent.operation is None:
                arrays[parent] = like
            before = grads.get(parent)
            if before is not None:
                grads[parent] = before + part
                shared.discard(parent)
                continue
            grads[parent] = part
            if part is grad or operation.shares is not OWN:
                if operation.overlaps or len(parents) > 1 or node in shared:
                    shared.add(parent)
            elif gradients is not None and any(part is x for x in (*args, *gradients[:i])):
                shared.add(parent)
        if free:
            node.free()
    return found


def _collect(node: Node, grad: Any, grads: dict[Node, Any]) -> None:
    """Put the gradient of one result among those of the others of its call."""
    parent: Any = node.parents[0]
    position = node.args[0]
    parts = grads.setdefault(parent, {})
    parts[position] = parts[position] + grad if position in parts else grad


def _without_gaps(grad: dict[int, Any], out: tuple[Any, ...], xp: Namespace) -> tuple[Any, ...]:
    return tuple(grad[i] if i in grad else xp.zeros_like(x) for i, x in enumerate(out))


def fitted(grad: Any, like: Array, *, name: str, xp: Namespace) -> Any:
    """Undo the broadcasting and the promotion of an argument: the only place that does."""
    if grad.shape != like.shape:
        lead = grad.ndim - like.ndim
        if lead < 0:
            msg = f"`{name}` got a gradient of shape {grad.shape} for one of {like.shape}"
            raise ValueError(msg)
        axes = tuple(
            i
            for i, n in enumerate(grad.shape)
            if i < lead or (like.shape[i - lead] == 1 and n != 1)
        )
        if axes:
            grad = xp.sum(grad, axis=axes, keepdims=True)
        if lead:
            grad = xp.reshape(grad, like.shape)
    if grad.dtype != like.dtype:
        if xp.isdtype(grad.dtype, "complex floating"):
            msg = f"`{name}` of complex numbers has no gradient here yet; split real and imaginary"
            raise TypeError(msg)
        grad = xp.astype(grad, like.dtype)
    return grad


def _laid_out(grad: Any, like: Array, library_of: Callable[[Array], Namespace]) -> Any:
    match = backend_of(library_of(like)).match_layout
    if hasattr(grad, "_node"):
        return type(grad)(match(grad.array, like), grad._node)
    return match(grad, like)


def _copy(grad: Any, library_of: Callable[[Array], Namespace]) -> Any:
    if hasattr(grad, "_node"):  # a Tensor: never written to in place
        return grad
    return library_of(grad).astype(grad, grad.dtype, copy=True)


def _through_hooks(node: Node, grad: Any) -> Any:
    from portable_losses.autograd.tensor import Tensor

    recorded = isinstance(grad, Tensor)
    for hook in list((node.hooks or {}).values()):
        seen = grad if isinstance(grad, Tensor) else Tensor(grad)
        changed = hook(seen)
        if changed is not None:
            grad = changed if recorded else getattr(changed, "array", changed)
    return grad
