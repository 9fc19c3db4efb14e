"""Nodes: numbered, and what of them a result was computed from.

::

    x ----> [exp] ----> [multiply] ----> [sum] ----> loss        a node holds the raw arrays of its
    y --------------------/                                      call and refers to its parents only

There is no list of nodes: a result holds its node, a node holds its parents, and a graph dies
with its last reference. No node refers to a Tensor (to its collected gradient only weakly), so
nothing refers back, with ``create_graph`` neither.

Nothing here is shared between threads but the counter: a node is never changed by reading it, and
a graph belongs to the thread that walks it.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count
from operator import attrgetter
from threading import Lock
from typing import Any, NamedTuple
from weakref import ref

from portable_losses._typing import Array
from portable_losses.autograd.rules.table import ITEM, Operation

__all__ = ["FREED", "NOTHING", "Node", "Reached", "item_nodes", "new_node", "reachable"]

FREED = (
    "the graph was freed by an earlier backward; "
    "pass `retain_graph=True` to the first one to walk it twice"
)
NOTHING: dict[str, Any] = {}  # the options of a call without any
_by_number = attrgetter("number")


def _counter() -> Callable[[], int]:
    """Return a function that gives 0, 1, 2 ..., no number twice, in any thread.

    `itertools.count` is one step of the interpreter. Without a GIL that holds from Python 3.14
    on (CPython issue 123471); before, a parent could get a larger number than its child.
    """
    number = count()
    if getattr(sys, "_is_gil_enabled", lambda: True)() or sys.version_info >= (3, 14):
        return number.__next__
    lock = Lock()

    def locked() -> int:
        with lock:
            return next(number)

    return locked


_next_number = _counter()


class Node:
    """One recorded call, or a leaf (then `operation` is None).

    `args` and `options` are the call's own, with raw arrays; `parents` has one entry per array
    argument (per entry of the list, for concat and stack), None where it is a constant. `sink`
    refers weakly to where a leaf, or a result that retains it, collects its gradient. `line` is
    where the user made the call, set by `detect_anomaly` alone. Made by `new_node`.
    """

    __slots__ = (
        "args",
        "hooks",
        "line",
        "number",
        "operation",
        "options",
        "out",
        "parents",
        "sink",
    )

    number: int
    operation: Operation | None
    out: Any
    args: Any  # None: freed
    options: dict[str, Any]
    parents: "tuple[Node | None, ...]"
    hooks: dict[int, Callable[[Any], Any]] | None
    sink: "ref[Any] | None"  # to a `Collected`
    line: str

    def __repr__(self) -> str:
        return f"<node {self.number}: {self.operation.name if self.operation else 'leaf'}>"

    def collect(self, grad: Any) -> None:
        """Add `grad` to what the Tensor of this node has collected, if it still lives."""
        sink = None if self.sink is None else self.sink()
        if sink is not None:
            sink.add(grad)


def new_node(
    operation: Operation | None = None,
    out: Any = None,
    args: tuple[Any, ...] | None = (),
    options: dict[str, Any] = NOTHING,
    parents: tuple[Node | None, ...] = (),
) -> Node:
    """Return the node of a call or, of nothing, of a leaf.

    A function, since an `__init__` would take half as long again, in every operation.
    """
    node = Node()
    node.number = _next_number()
    node.operation = operation
    node.out = out
    node.args = args
    node.options = options
    node.parents = parents
    node.hooks = node.sink = None
    return node


def item_nodes(node: Node, outs: Sequence[Array]) -> list[Node]:
    """Return one node per result of a call that has several."""
    return [new_node(ITEM, out, (i,), NOTHING, (node,)) for i, out in enumerate(outs)]


class Reached(NamedTuple):
    """The nodes that a result was computed from."""

    nodes: set[Node]
    leaves: list[Node]  # those of them without parents
    outside: dict[Node, None]  # parents that were left out, a set in the order they were met

    @property
    def order(self) -> list[Node]:
        """All of them, newest first."""
        return sorted(self.nodes, key=_by_number, reverse=True)


def reachable(roots: Iterable[Node], *, floor: int = -1, stops: Collection[Node] = ()) -> Reached:
    """Return the nodes that `roots` were computed from.

    What is older than `floor` is left out: it cannot depend on a leaf of that number. What `roots`
    need of the `stops` is in, but not what those were computed from.
    """
    found = set(roots)
    stack = list(found)
    leaves: list[Node] = []
    outside: dict[Node, None] = {}
    while stack:
        node = stack.pop()
        if node.args is None:
            raise RuntimeError(FREED)
        parents = node.parents
        if not parents:
            leaves.append(node)
        elif node in stops:
            continue
        for parent in parents:
            if parent is not None and parent not in found:
                if parent.number >= floor or parent in stops:
                    found.add(parent)
                    stack.append(parent)
                else:
                    outside[parent] = None
    return Reached(found, leaves, outside)
