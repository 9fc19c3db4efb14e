"""The walk from a result back to what it was computed from.

For every node there are three things to do: `walk` takes the newest from a queue, its rule is
called (`call_joint_rule`, or in `walk` for one argument), and what comes out is added to the
gradients of the parents.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any, TypeAlias

from portable_losses._typing import Array, Namespace
from portable_losses.autograd._error_notes import explain_gradient
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.graph.fitting import copied, fitted, laid_out
from portable_losses.autograd.graph.node import FREED, NOTHING, Node
from portable_losses.autograd.graph.recording import detector
from portable_losses.autograd.rules.table import EACH, ITEM, LIST, OWN

__all__ = ["walk"]

Lift: TypeAlias = Callable[[Node], tuple[Any, tuple[Any, ...], Namespace]]


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
    if not grads:
        return []
    library = library_of(next(iter(grads.values())))
    waits = library.waits and lift is None and detector() is None
    one_like = library.one_like if waits else None
    if library.quiet is None:
        return _walk(grads, lift, targets, needed, free, one_like)
    with library.quiet():  # a gradient may overflow or be NaN on the way, as any result
        return _walk(grads, lift, targets, needed, free, one_like)


def _walk(
    grads: dict[Node, Any],
    lift: Lift | None,
    targets: frozenset[Node] | None,
    needed: set[Node] | None,
    free: bool,
    one_like: Callable[[Array], Array] | None,
) -> list[tuple[Node, Any]]:
    """Return what `walk` does: the loop over the nodes.

    With `one_like`, gradients do not wait for a number that all of them are multiplied with, but
    are multiplied at the end: the count of a mean is known when the last chunk has been seen.
    """
    shared = set(grads)  # nodes whose gradient may be held by something else as well
    retained: list[tuple[Node, Any]] = []
    # With the array that a layout is taken from, None where the walk begins.
    ends: dict[Node, Array | None] = {}
    # A parent is older than its children: when it is the newest of all, its gradient is complete.
    queue: list[tuple[int, Node]] = []
    for node in grads:
        if node.operation is None if targets is None else node in targets:
            ends[node] = None
        elif needed is None or node in needed:
            queue.append((-node.number, node))
    heapify(queue)
    checker = detector()
    if checker is not None:
        checker.check_given(grads.values())
    kind: Any = None
    xp: Any = None
    later: Any = None  # what all gradients are still to be multiplied with
    next_in_chain: Node | None = None  # a lone parent: skips a heap push and pop
    while True:
        if next_in_chain is None:
            if not queue:
                break
            node = heappop(queue)[1]
        elif queue:
            node = heappushpop(queue, (-next_in_chain.number, next_in_chain))[1]
        else:
            node = next_in_chain
        next_in_chain = None
        grad = grads.pop(node)
        operation: Any = node.operation
        raw_args: Any = node.args
        if raw_args is None:
            raise RuntimeError(FREED)
        if one_like is not None:
            watched = node.hooks is not None or node.sink is not None
            if later is not None and (watched or _is_rounded(node, later)):
                grad = _multiplied(grad, later)
                grads.update({one: _multiplied(x, later) for one, x in grads.items()})
                later = None
            elif (
                not watched and not grads and _is_spread(node, grad) and grad is not one_like(grad)
            ):
                later, grad = grad if later is None else later * grad, one_like(grad)
        if node.hooks is not None or node.sink is not None:
            grad = _observed(node, grad, shared, retained)
        try:
            if lift is None:
                out, args = node.out, raw_args
                if out.__class__ is not kind:  # mostly it is that of the one before
                    kind = out.__class__
                    xp = library_of(out[0] if kind is tuple else out).xp
            else:
                out, args, xp = lift(node)
            parts: Any = None
            options = node.options
            count = 0 if options else len(args)
            if operation.form is not EACH:
                if operation is ITEM:
                    call = _deliver_to_call(node, grad, grads)
                    if call is not None:
                        heappush(queue, (-call.number, call))
                    continue
                parts = call_joint_rule(node, grad, out, args, xp)
                if operation.form is LIST:
                    raw_args = raw_args[0]
            i = -1
            for parent in node.parents:
                i += 1
                if parent is None or (needed is not None and parent not in needed):
                    continue
                # All is written out: with a star for its arguments a call of a rule takes twice as
                # long, and a function for what is done with a part 4 % of a step of descent.
                if parts is not None:
                    part = parts[i]
                    if part is None:
                        continue
                elif count == 2:
                    part = operation.rules[i](grad, out, args[0], args[1], xp=xp)
                elif count == 1:
                    part = operation.rules[0](grad, out, args[0], xp=xp)
                else:
                    part = operation.rules[i](grad, out, *args, xp=xp, **options)
                like = raw_args[i]
                dtype = part.dtype  # mostly the very object, which takes no comparison
                if part.shape != like.shape or (dtype is not like.dtype and dtype != like.dtype):
                    part = fitted(part, like, name=operation.name, xp=xp)
                if checker is not None:
                    checker.check_gradient(node, i, grad, part)
                if parent in grads:
                    grads[parent] = grads[parent] + part
                    shared.discard(parent)
                    if parent in ends:
                        ends[parent] = like  # unknown so far if the walk began there
                    continue
                grads[parent] = part
                if part is grad or operation.shares is not OWN:
                    if operation.overlaps or len(node.parents) > 1 or node in shared:
                        shared.add(parent)
                elif parts is not None and _is_among(part, args, parts[:i]):
                    shared.add(parent)
                if parent.operation is None if targets is None else parent in targets:
                    ends[parent] = like
                elif next_in_chain is None:
                    next_in_chain = parent
                else:
                    heappush(queue, (-parent.number, parent))
        except Exception as error:
            explain_gradient(error, node, grad)
            raise
        if free:
            node.args = node.out = None
            node.options, node.parents = NOTHING, ()
    for node, grad in retained:
        node.collect(grad)
    if later is not None:
        grads.update({node: grads[node] * later for node in ends})
    return [(node, _at_the_end(node, grads[node], like, shared)) for node, like in ends.items()]


def _is_spread(node: Node, grad: Any) -> bool:
    """Say whether a single number is spread over all that the node was computed from."""
    if grad.__class__ is dict or grad.shape or _is_rounded(node, grad):
        return False
    found = _tracked(node)
    return bool(found) and all(x.ndim for x in found)


def _is_rounded(node: Node, grad: Any) -> bool:
    """Say whether a gradient goes on in another dtype, of fewer digits or a smaller range."""
    return any(x.dtype != grad.dtype for x in _tracked(node))


def _tracked(node: Node) -> list[Any]:
    """Return the arrays by which a node is differentiated."""
    args: Any = node.args
    if node.operation is ITEM:
        return []
    if node.operation is not None and node.operation.form is LIST:
        args = args[0]
    return [x for x, parent in zip(args, node.parents, strict=False) if parent is not None]


def _multiplied(grad: Any, factor: Any) -> Any:
    """Return a gradient, or those of a call's results, times a number."""
    if grad.__class__ is dict:
        return {i: part * factor for i, part in grad.items()}
    return grad * factor


def _is_among(part: Any, args: tuple[Any, ...], before: Any) -> bool:
    """Say whether `part` is an argument itself, or the gradient of one before."""
    for x in args:  # no `in`, which compares arrays
        if x is part:
            return True
    return any(x is part for x in before) if before else False


def call_joint_rule(node: Node, grad: Any, out: Any, args: tuple[Any, ...], xp: Namespace) -> Any:
    """Return the gradients of all arguments, of a list or of a call with several results."""
    operation: Any = node.operation
    if operation.results is not None:
        grad = tuple(map(grad.get, range(len(out))))
    elif type(out) is tuple:
        grad = tuple(grad[i] if i in grad else xp.zeros_like(x) for i, x in enumerate(out))
    return operation.rules[0](grad, out, *args, xp=xp, **node.options)


def _observed(node: Node, grad: Any, shared: set[Node], retained: list[tuple[Node, Any]]) -> Any:
    """Return the gradient of `node` as its hooks leave it, and keep it if it is retained."""
    if node.hooks:
        grad = _through_hooks(node, grad)
        shared.add(node)
    if node.sink is not None:
        retained.append((node, copied(grad)))
        shared.add(node)
    return grad


def _deliver_to_call(node: Node, grad: Any, grads: dict[Node, Any]) -> Node | None:
    """Put the gradient of one result among those of its call; return a call that is new."""
    call: Any = node.parents[0]
    position = node.args[0]
    new = call not in grads
    parts = grads.setdefault(call, {})
    parts[position] = parts[position] + grad if position in parts else grad
    return call if new else None


def _at_the_end(node: Node, grad: Any, like: Array | None, shared: set[Node]) -> Any:
    """Return the gradient with which the walk ends at `node`, in memory of its own."""
    if node.hooks:
        grad = _through_hooks(node, grad)
        shared.add(node)
    if node in shared:
        grad = copied(grad)
    return grad if like is None else laid_out(grad, like)


def _through_hooks(node: Node, grad: Any) -> Any:
    """Return `grad` as the hooks of `node` leave it, one after the other."""
    for hook in list((node.hooks or {}).values()):
        grad = hook(grad)
    return grad
