"""`checkpoint`: keep the inputs of a function only, and compute it again in the walk back."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from portable_losses._typing import of_function
from portable_losses.autograd.graph.node import NOTHING, Node, item_nodes
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.rules import JOINT, LIST, Operation
from portable_losses.autograd.tensors.tensor import Tensor, tensor_of
from portable_losses.autograd.tensors.unwrapping import is_tracked
from portable_losses.autograd.transforms.call import Call
from portable_losses.autograd.transforms.nested import flatten_nested

__all__ = ["checkpoint"]


@of_function
def checkpoint(f: Callable[..., Any], /) -> Callable[..., Any]:
    """Return `f` as one operation that keeps its inputs, and runs again in the backward walk.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, or nested lists, tuples and dicts of arrays; anything else goes
        through. It must do the same every time: no random numbers, no counters.

    Returns
    -------
    callable
        Same arguments, result and gradients as `f`, of every order.

    Raises
    ------
    RuntimeError
        In the backward walk, if `f` then uses other tracked Tensors than before.

    Notes
    -----
    What is saved are the inputs and the result: tracked Tensors among the arguments, and those
    that `f` finds elsewhere (the weights of a model). Memory for a chain of n equal pieces falls
    from n to about one piece plus n results, for one more run of `f`. Source: A. Griewank and A.
    Walther (2000), doi:10.1145/347837.347846.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import checkpoint, grad
    >>> f = checkpoint(lambda x: (x * x) ** 2)
    >>> float(grad(f)(np.asarray(2.0)))
    32.0
    """

    @wraps(f)
    def checkpointed(*args: Any, **options: Any) -> Any:
        leaves, rebuild = flatten_nested((list(args), options))
        places = [i for i, x in enumerate(leaves) if is_tracked(x)]
        record = recorder()
        if not record:
            return f(*args, **options)
        inputs = [leaves[i] for i in places]

        def run(*chosen: Any) -> Any:
            full = list(leaves)
            for i, x in zip(places, chosen, strict=True):
                full[i] = x
            given, named = rebuild(full)
            return f(*given, **named)

        # Recorded to see what `f` uses beside its arguments; the graph dies with this call.
        call = Call([tensor_of(x.array) for x in inputs], tuple(range(len(inputs))))
        results, shape = flatten_nested(call.run(run, {}))
        tracked = [i for i, x in enumerate(results) if is_tracked(x)]
        outside = _outside(call, [results[i] for i in tracked])
        if not tracked or not (inputs or outside):
            return shape(results)
        rule = _Recomputed(run, tracked, list(outside))
        outs = tuple(results[i].array for i in tracked)
        arrays = (*(x.array for x in inputs), *outside.values())
        node = record(
            Operation(getattr(f, "__name__", "checkpoint"), (rule,), form=JOINT),
            outs,
            arrays,
            NOTHING,
            (*(x._node for x in inputs), *outside),
        )
        for i, out, item in zip(tracked, outs, item_nodes(node, outs), strict=True):
            results[i] = tensor_of(out, item)
        return shape(results)

    return checkpointed


class _Recomputed:
    """The gradient of a checkpointed call: run it again, recorded, and walk back."""

    def __init__(
        self, run: Callable[..., Any], tracked: Sequence[int], outside: Sequence[Node]
    ) -> None:
        self.run = run
        self.tracked = tracked
        self.outside = outside

    def __call__(self, grad: Any, _: Any, *arrays: Any, **__: Any) -> tuple[Any, ...]:
        count = len(arrays) - len(self.outside)
        inputs = arrays[:count]
        call = Call(inputs, tuple(range(count)))
        results, _ = flatten_nested(call.run(self.run, {}))
        outs = [results[i] for i in self.tracked]
        if not set(_outside(call, outs)) <= set(self.outside):
            msg = "a checkpointed function must use the same Tensors every time it runs"
            raise RuntimeError(msg)
        # In a recorded walk the arguments are Tensors, and the gradients are recorded.
        record = isinstance(arrays[0], Tensor)
        return call.pull_back_through(outs, list(grad), self.outside, record=record)


def _outside(call: Call, outs: Sequence[Tensor]) -> dict[Node, Any]:
    """Return the tracked nodes, with their arrays, that a call used beside its arguments."""
    reached = call.reached(outs)
    found: dict[Node, Any] = {}
    for node in reached.order:
        if node not in call.nodes and node.operation is not None:
            arrays: Any = node.args[0] if node.operation.form is LIST else node.args
            pairs = zip(node.parents, arrays, strict=False)
            found.update((p, x) for p, x in pairs if p is not None and p in reached.outside)
    return found
