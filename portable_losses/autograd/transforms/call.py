"""One call of a differentiated function: its leaves, what it recorded, and the walk back."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from portable_losses._tape import raw_array
from portable_losses.autograd._libraries import check_differentiable, library_of
from portable_losses.autograd.graph.node import Node, Reached, new_node, reachable
from portable_losses.autograd.graph.recording import call_recorded, recorder
from portable_losses.autograd.graph.walk import walk
from portable_losses.autograd.rules.shape import ALIAS
from portable_losses.autograd.tensors.tensor import Tensor, lift, tensor_of
from portable_losses.autograd.tensors.unwrapping import is_tracked, unwrap
from portable_losses.autograd.transforms.nested import flatten_nested
from portable_losses.autograd.transforms.numbers import floating, is_number

__all__ = ["Call", "check_tensor", "positions"]


class Call:
    """One call of a differentiated function: its leaves, and the walk back to them."""

    def __init__(self, args: Sequence[Any], argnums: int | Sequence[int]) -> None:
        self.single = isinstance(argnums, int)
        self.outer_recorder = recorder()
        self.args = list(args)
        self.rebuilds: list[Callable[..., Any]] = []
        self.given: list[list[Any]] = []
        self.leaves: list[list[Tensor]] = []
        nodes: list[Any] = []
        for i in positions(argnums, len(args)):
            given, rebuild = flatten_nested(args[i])
            leaves = [_leaf(floating(x, args) if is_number(x) else x) for x in given]
            nodes += [leaf._node for leaf in leaves]
            self.args[i] = rebuild(leaves)
            self.rebuilds.append(rebuild)
            self.given.append(given)
            self.leaves.append(leaves)
        self.nodes: frozenset[Node] = frozenset(nodes)
        self.floor = nodes[0].number if nodes else new_node().number  # all others are younger

    def run(self, f: Callable[..., Any], options: dict[str, Any]) -> Any:
        """Record `f`, whatever is recorded outside."""
        return call_recorded(f, *self.args, **options)

    def reached(self, outs: Sequence[Tensor]) -> Reached:
        """Return what was recorded in this call and led to `outs`."""
        roots = [out._node for out in outs if out._node is not None]
        return reachable(roots, floor=self.floor)

    def is_enclosed(self, reached: Reached) -> bool:
        """Say whether what was recorded depends on more than the leaves of this call.

        An enclosing differentiation may record it then, and the gradients must be recorded too.
        """
        if not self.outer_recorder:
            return False
        # What is younger than the leaves was made in this call.
        return bool(reached.outside) or any(node.parents for node in self.nodes)

    def pull_back(
        self,
        outs: Sequence[Tensor],
        seeds: Sequence[Any],
        reached: Reached,
        *,
        record: bool,
        free: bool = True,
        allow_unused: bool = True,
    ) -> Any:
        """Return the gradients, nested as the arguments were."""
        first: dict[Node, Any] = {}
        for out, seed in zip(outs, seeds, strict=True):
            if out._node is not None:
                grad = out._first_gradient(seed, recorded=record)
                first[out._node] = first[out._node] + grad if out._node in first else grad
        needed = None
        if record or reached.outside or not self.nodes.issuperset(reached.leaves):
            needed = _leading_to(self.nodes, reached.order)  # some nodes do not lead to the leaves
        found = dict(
            call_recorded(
                walk,
                first,
                lift=lift if record else None,
                targets=self.nodes,
                needed=needed,
                free=free and not record,
            )
        )
        if not allow_unused and not self.nodes <= found.keys():
            msg = "the number does not depend on an argument that it is differentiated by"
            raise ValueError(msg)
        results = [
            rebuild([self._result(x, leaf, found) for x, leaf in zip(given, leaves, strict=True)])
            for rebuild, given, leaves in zip(self.rebuilds, self.given, self.leaves, strict=True)
        ]
        return results[0] if self.single else tuple(results)

    def pull_back_through(
        self, outs: Sequence[Tensor], seeds: Sequence[Any], others: Sequence[Node], *, record: bool
    ) -> tuple[Any, ...]:
        """Return the gradients of the leaves, and of `others`, None where there is none."""
        targets: list[Any] = [*(leaf._node for leaves in self.leaves for leaf in leaves), *others]
        roots = [out._node for out in outs if out._node is not None]
        order = reachable(roots, floor=self.floor, stops=set(others)).order
        needed = _leading_to(set(targets), order)
        first: dict[Any, Any] = {}
        for out, seed in zip(outs, seeds, strict=True):
            node = out._node
            if node is not None:
                first[node] = first[node] + seed if node in first else seed
        found = dict(
            walk(
                first,
                lift=lift if record else None,
                targets=frozenset(needed.intersection(targets)),
                needed=needed,
                free=not record,
            )
        )
        return tuple(found.get(node) for node in targets)

    def _result(self, given: Any, leaf: Tensor, found: dict[Node, Any]) -> Any:
        """Return the gradient of one argument as the caller gets it, zeros if there is none."""
        gradient = found.get(leaf._node) if leaf._node is not None else None
        if gradient is None:
            gradient = library_of(leaf.array).xp.zeros_like(leaf.array)
        if is_number(given):
            return gradient if is_tracked(gradient) else tensor_of(raw_array(gradient)).item()
        if isinstance(gradient, Tensor):
            return (
                gradient
                if gradient._node is not None or isinstance(given, Tensor)
                else gradient.array
            )
        return tensor_of(gradient) if isinstance(given, Tensor) else gradient

    def tree_for_caller(self, tree: Any) -> Any:
        """Return results for the caller: Tensors only if an enclosing differentiation records."""
        leaves, rebuild = flatten_nested(tree)

        def shown(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            return self.for_caller(x, self.is_enclosed(self.reached([x])))

        return rebuild(map(shown, leaves))

    def for_caller(self, x: Tensor, enclosed: bool) -> Any:
        """Return one result: a Tensor if the caller gave one, or if the call is `enclosed`."""
        if enclosed and x._node is not None:
            return x
        numbers = not x.array.shape
        for leaves in self.given:
            for v in leaves:
                if isinstance(v, Tensor):
                    return x.detach()
                numbers = numbers and is_number(v)
        return x.detach().item() if numbers else x.array


def positions(argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return the places that `argnums` names among `count` arguments."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in numbers:
        if not -count <= i < count:
            msg = f"`argnums` names argument {i} of {count}"
            raise ValueError(msg)
    return tuple([i % count for i in numbers])


def _leaf(x: Any) -> Tensor:
    """Return a new leaf; one that refers to the caller's Tensor where that is tracked."""
    array, node = unwrap(x)
    check_differentiable(array)
    if node is None or not recorder():
        return tensor_of(array)._collect_here()
    return tensor_of(array, new_node(ALIAS, array, (array,), parents=(node,)))


def _leading_to(targets: Collection[Node], order: Sequence[Node]) -> set[Node]:
    """Return the nodes of `order` that depend on a target, the targets among them."""
    needed = set(targets)
    for node in reversed(order):
        if node not in needed and not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def check_tensor(out: Any) -> None:
    """Raise ValueError if what a function returned has left the tape."""
    if not isinstance(out, Tensor):
        msg = (
            f"the function must return a Tensor, got {type(out).__name__}: "
            "its gradient would be lost; compute with the functions of `x.__array_namespace__()`"
        )
        raise ValueError(msg)  # noqa: TRY004 - what a function returns is a value
