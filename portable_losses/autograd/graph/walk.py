"""The walk from a result back to what it was computed from, and what it hands to every parent."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._polyfill import total
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace
from portable_losses.autograd._error_notes import explain_gradient
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.graph.node import FREED, NOTHING, Node
from portable_losses.autograd.graph.recording import detector
from portable_losses.autograd.rules import EACH, ITEM, LIST, OWN
from portable_losses.autograd.rules.complex_numbers import is_complex

__all__ = ["fitted", "walk"]

# How a gradient gets the layout of its array, by the type of the array; written once each.
_MATCHES: dict[type, Callable[[Array, Array], Array]] = {}

Lift = Callable[[Node], tuple[Any, tuple[Any, ...], Namespace]]


def walk(
    grads: dict[Node, Any],
    *,
    lift: Lift | None = None,
    targets: frozenset[Node] | None = None,
    needed: set[Node] | None = None,
    free: bool = False,
) -> list[tuple[Node, Any]]:
    """Carry `grads` back, from the newest node that has one to the oldest.

    Parameters
    ----------
    grads : dict
        The gradients to begin with; used up.
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

    Raises
    ------
    RuntimeError
        If an earlier walk has freed a node.
    """
    shared = set(grads)  # nodes whose gradient somebody else may hold
    ends: dict[Node, Array | None] = {}  # the array of each end, which a layout is taken from
    # A parent is older than its children: when it is the newest of all, what it gets is complete.
    queue: list[tuple[int, Node]] = []
    for node in grads:
        if node.operation is None if targets is None else node in targets:
            ends[node] = None
        elif needed is None or node in needed:
            queue.append((-node.number, node))
    heapify(queue)
    retained: list[tuple[Node, Any]] = []
    kind: Any = None
    xp: Any = None
    watch = detector()
    if watch is not None:
        watch.check_given(grads.values())
    following: Node | None = None  # what would be pushed and popped at once: the next of a chain
    while following is not None or queue:
        if following is None:
            node = heappop(queue)[1]
        elif queue:
            node = heappushpop(queue, (-following.number, following))[1]
        else:
            node = following
        following = None
        grad = grads.pop(node)
        raw_args = node.args
        if raw_args is None:
            raise RuntimeError(FREED)
        if node.hooks:
            grad = _through_hooks(node, grad)
            shared.add(node)
        if node.sink is not None:
            retained.append((node, _copy(grad)))
            shared.add(node)
        operation: Any = node.operation
        try:
            args: Any
            if lift is None:
                out, args = node.out, raw_args
                if out.__class__ is not kind:  # mostly it is that of the one before
                    several = type(out) is tuple
                    kind = None if several else out.__class__
                    xp = library_of(out[0] if several else out).xp
            else:
                out, args, xp = lift(node)
            options, parents, rules = node.options, node.parents, operation.rules
            gradients: Any = None
            form = operation.form
            if form is not EACH:
                if form is ITEM.form:
                    _collect(node, grad, grads, queue)
                    continue
                if operation.results is not None:
                    grad = tuple(map(grad.get, range(len(out))))
                elif type(out) is tuple:
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
                    if options or len(args) > 2:
                        part = rules[i](grad, out, *args, xp=xp, **options)
                    elif len(args) == 2:  # written out: a star costs more than the rest of a call
                        part = rules[i](grad, out, args[0], args[1], xp=xp)
                    else:
                        part = rules[i](grad, out, args[0], xp=xp)
                else:
                    part = gradients[i]
                    if part is None:
                        continue
                like = raw_args[i]
                if part.shape != like.shape or part.dtype != like.dtype:
                    part = fitted(part, like, name=operation.name, xp=xp)
                if watch is not None:
                    watch.check_gradient(node, i, grad, part)
                before = grads.get(parent)
                if before is not None:
                    grads[parent] = before + part
                    shared.discard(parent)
                    if parent in ends:
                        ends[parent] = like  # unknown so far if the walk began there
                    continue
                grads[parent] = part
                if parent.operation is None if targets is None else parent in targets:
                    ends[parent] = like
                elif following is None:
                    following = parent
                else:
                    heappush(queue, (-parent.number, parent))
                if part is grad or operation.shares is not OWN:
                    if operation.overlaps or len(parents) > 1 or node in shared:
                        shared.add(parent)
                elif gradients is not None and id(part) in map(id, (*args, *gradients[:i])):
                    shared.add(parent)
        except Exception as error:
            explain_gradient(error, node, grad)
            raise
        if free:
            node.args = node.out = None
            node.options, node.parents = NOTHING, ()
    for node, grad in retained:
        node.collect(grad)
    found: list[tuple[Node, Any]] = []
    for node, like in ends.items():
        grad = grads[node]
        if node.hooks:
            grad = _through_hooks(node, grad)
            shared.add(node)
        if node in shared:
            grad = _copy(grad)
        found.append((node, grad if like is None else _laid_out(grad, like)))
    return found


def _collect(node: Node, grad: Any, grads: dict[Node, Any], queue: list[tuple[int, Node]]) -> None:
    """Put the gradient of one result among those of the others of its call."""
    parent: Any = node.parents[0]
    position = node.args[0]
    if parent not in grads:
        grads[parent] = {}
        heappush(queue, (-parent.number, parent))
    parts = grads[parent]
    parts[position] = parts[position] + grad if position in parts else grad


def _without_gaps(grad: dict[int, Any], out: tuple[Any, ...], xp: Namespace) -> tuple[Any, ...]:
    return tuple(grad[i] if i in grad else xp.zeros_like(x) for i, x in enumerate(out))


def fitted(grad: Any, like: Array, *, name: str, xp: Namespace) -> Any:
    """Undo the broadcasting and the promotion of an argument: the only place that does."""
    if not like.ndim and grad.ndim:  # without an axis it takes half as long
        grad = total(grad, xp=xp)
    elif grad.shape != like.shape:
        lead = grad.ndim - like.ndim
        if lead < 0:
            msg = f"`{name}` got a gradient of shape {grad.shape} for one of {like.shape}"
            raise ValueError(msg)
        if lead:
            grad = xp.sum(grad, axis=tuple(range(lead)))
        if grad.shape != like.shape:
            sizes = zip(grad.shape, like.shape, strict=True)
            axes = tuple([i for i, (n, m) in enumerate(sizes) if m == 1 and n != 1])
            grad = xp.sum(grad, axis=axes, keepdims=True) if axes else grad
    if grad.dtype != like.dtype:
        if is_complex(grad, xp=xp) and not is_complex(like, xp=xp):
            grad = xp.real(grad)
        if grad.dtype != like.dtype:
            grad = xp.astype(grad, like.dtype)
    return grad


def _as_it_is(grad: Array, like: Array) -> Array:
    return grad


def _laid_out(grad: Any, like: Array) -> Any:
    match = _MATCHES.get(like.__class__)
    if match is None:
        match = backend_of(library_of(like).xp).arrays.match_layout or _as_it_is
        _MATCHES[like.__class__] = match
    if match is _as_it_is:
        return grad
    if isinstance(grad, TapeArray):
        tensor: Any = grad
        return tensor._tensor_of(match(tensor.array, like), tensor._node)
    return match(grad, like)


def _copy(grad: Any) -> Any:
    if isinstance(grad, TapeArray):  # a Tensor: never written to in place
        return grad
    return library_of(grad).xp.astype(grad, grad.dtype, copy=True)


def _through_hooks(node: Node, grad: Any) -> Any:
    """Return `grad` as the hooks of `node` leave it, one after the other."""
    for hook in list((node.hooks or {}).values()):
        grad = hook(grad)
    return grad
