"""What a hand-written pair of function and gradient, and a backend, are on the tape."""

from collections.abc import Callable
from typing import Any

from portable_losses._backend import (
    Arrays,
    Autodiff,
    Backend,
    Indexing,
    Pair,
    backend_of,
    kernel_for,
)
from portable_losses._gradient import attach_gradient as attach_to
from portable_losses._gradient import stop_gradient as stop_gradient_of
from portable_losses._indexing import gather as gather_by
from portable_losses._polyfill import readable as readable_by
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array, Options
from portable_losses.autograd.context import explain
from portable_losses.autograd.functions import raw_tree, record
from portable_losses.autograd.operands import raw_operand_in
from portable_losses.autograd.rules import JOINT, OPERATIONS, VIEW, Operation
from portable_losses.autograd.tape import NOTHING, item_nodes, recording
from portable_losses.autograd.tensor import Tensor, tensor_of

__all__ = ["tape_backend"]


def tape_backend(space: TapeNamespace) -> Backend:
    """Return the backend of the tape over one library: what it answers, or asks the library."""
    inner = backend_of(space.inner)

    def attach_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
        return attach(space, pair, arrays, options)

    def stop_gradient(x: Any) -> Tensor:
        return tensor_of(
            stop_gradient_of(raw_tree(x, space.library, "stop_gradient"), xp=space.inner)
        )

    def readable(x: Any) -> bool:
        return readable_by(x.array if isinstance(x, Tensor) else x, xp=space.inner)

    def scatter_add(shape: tuple[int, ...], key: Any, values: Any, *, xp: Any) -> Any:
        return space.scatter_add(shape, key, values)

    def gather(x: Tensor, key: Any) -> Tensor:
        out = gather_by(x.array, key, xp=space.inner)
        return record(OPERATIONS["getitem"], out, (x.array, key), NOTHING, (x._node,))

    return Backend(
        "tape",
        Autodiff(attach_gradient=attach_gradient, stop_gradient=stop_gradient),
        Arrays(readable=readable, python_scalars=inner.arrays.python_scalars),
        Indexing(scatter_add=scatter_add, gather=gather),
    )


def attach(space: TapeNamespace, pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Run a pair as one node.

    The forward half runs on raw arrays, with the pair attached the wrapped library's own way as
    well: the library may be recording (or tracing) underneath the tape.
    """
    inner, library = space.inner, space.library
    raws = tuple([None if x is None else raw_operand_in(library, x, "an argument") for x in arrays])
    parents = tuple([x._node if isinstance(x, Tensor) else None for x in arrays])
    given = {key: raw_tree(x, library, key) for key, x in options.items() if key != "xp"}
    make = recording() if parents.count(None) < len(parents) else None
    rules = None
    try:
        backend, own = backend_of(inner), {"xp": inner, **given}
        kernel = kernel_for(pair, backend, raws, own)
        if kernel is None:
            out = attach_to(pair, raws, own)
        elif make and not backend.autodiff.differentiates and not any(parents[kernel.gradients :]):
            wanted = tuple([i for i, parent in enumerate(parents) if parent is not None])
            out, backward = kernel.run(pair, raws, own, wanted)
            rules = (_once_or_twice(backward, pair),)
        else:  # a library that differentiates may be recording underneath
            out = attach_to(pair._replace(kernel=kernel), raws, own)
    except Exception as error:
        explain(error, _name(pair), *raws)
        raise
    if not make:
        return tuple(map(tensor_of, out)) if isinstance(out, tuple) else tensor_of(out)
    operation = _operation(pair) if rules is None else Operation(_name(pair), rules, form=JOINT)
    if not isinstance(out, tuple):
        return tensor_of(out, make(operation, out, raws, given, parents))
    items = item_nodes(make(operation, out, raws, given, parents), out)
    return tuple(tensor_of(x, item) for x, item in zip(out, items, strict=True))


def _once_or_twice(backward: Callable[..., Any], pair: Pair) -> Callable[..., Any]:
    """Return the `backward` of a kernel, which the pair's replaces to be itself recorded."""

    def either(grad: Any, out: Any, *arrays: Any, xp: Any, **options: Any) -> Any:
        recorded = hasattr(xp, "__portable_losses_wraps__")
        return (pair.backward if recorded else backward)(grad, out, *arrays, xp=xp, **options)

    return either


def _operation(pair: Pair) -> Operation:
    if pair.rules:
        return Operation(_name(pair), pair.rules, shares=VIEW)  # who knows what they return
    return Operation(_name(pair), (pair.backward,), form=JOINT)


def _name(pair: Pair) -> str:
    name: str = getattr(pair.forward, "__name__", "pair")
    return name.lstrip("_")
