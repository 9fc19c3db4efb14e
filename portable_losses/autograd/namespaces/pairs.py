"""What a hand-written pair of function and gradient, and a backend, are on the tape."""

from collections.abc import Callable
from typing import Any

from portable_losses._backend import (
    Arrays,
    Autodiff,
    Backend,
    Indexing,
    Kernel,
    Pair,
    backend_of,
    kernel_for,
)
from portable_losses._dtypes import is_half, narrow, widen
from portable_losses._gradient import attach_gradient as attach_to
from portable_losses._gradient import stop_gradient as stop_gradient_of
from portable_losses._indexing import gather as gather_by
from portable_losses._notes import Served, noted
from portable_losses._polyfill import device_of, is_eager
from portable_losses._tape import TapeNamespace, raw_array
from portable_losses._typing import Array, Options
from portable_losses.autograd._error_notes import explain
from portable_losses.autograd.graph.node import NOTHING, Node, item_nodes
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.namespaces.functions import recorded
from portable_losses.autograd.rules import JOINT, OPERATIONS, VIEW, Operation
from portable_losses.autograd.tensors.tensor import Tensor, tensor_of
from portable_losses.autograd.tensors.unwrapping import raw_argument, raw_tree

__all__ = ["tape_backend"]


def tape_backend(tape: TapeNamespace) -> Backend:
    """Return the backend of the tape over one library: what it answers, or asks the library."""
    inner = backend_of(tape.inner)

    def attach_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
        return attach(tape, pair, arrays, options)

    def repeat_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
        return None if inner.autodiff.differentiates else attach_again(pair, arrays, options)

    def stop_gradient(x: Any) -> Tensor:
        return tensor_of(
            stop_gradient_of(raw_tree(x, tape.library, "stop_gradient"), xp=tape.inner)
        )

    def readable(x: Any) -> bool:
        return is_eager(x.array if isinstance(x, Tensor) else x, xp=tape.inner)

    def device(x: Any) -> Any:
        return device_of(raw_array(x), xp=tape.inner)

    def scatter_add(shape: tuple[int, ...], key: Any, values: Any, *, xp: Any) -> Any:
        return tape.scatter_add(shape, key, values)

    def gather(x: Tensor, key: Any) -> Tensor:
        out = gather_by(x.array, key, xp=tape.inner)
        return recorded(OPERATIONS["getitem"], out, (x.array, key), NOTHING, (x._node,))

    return Backend(
        "tape",
        Autodiff(
            attach_gradient=attach_gradient,
            stop_gradient=stop_gradient,
            repeat_gradient=repeat_gradient,
        ),
        Arrays(
            readable=readable,
            device=device,
            quiet=inner.arrays.quiet,
            call=inner.arrays.call,
            python_scalars=inner.arrays.python_scalars,
        ),
        Indexing(scatter_add=scatter_add, gather=gather),
    )


def attach(tape: TapeNamespace, pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Run a pair as one node.

    The forward half runs on raw arrays, with the pair attached the wrapped library's own way as
    well: the library may be recording (or tracing) underneath the tape.
    """
    inner, library = tape.inner, tape.library
    kernel = pair.kernel
    if kernel is None:
        raws = tuple([x if x is None else raw_argument(library, x, "an argument") for x in arrays])
        given = {key: raw_tree(x, library, key) for key, x in options.items() if key != "xp"}
    else:  # which has taken these arrays, and has no others among the options
        raws = tuple([x.array if isinstance(x, Tensor) else x for x in arrays])
        given = dict(options)
        del given["xp"]
    parents = tuple([x._node if isinstance(x, Tensor) else None for x in arrays])
    record = recorder() if any(parents) else None
    backward = None
    try:
        backend, own = backend_of(inner), {"xp": inner, **given}
        if kernel is None:
            kernel = kernel_for(pair, backend, raws, own)
        if kernel is None:
            out = attach_to(pair, raws, own)
        elif record and not backend.autodiff.differentiates and _gives_all(kernel, parents):
            wanted = tuple([i for i, parent in enumerate(parents) if parent is not None])
            out, backward = kernel.run(pair, raws, own, wanted)
        else:  # a library that differentiates may be recording underneath
            served = pair if pair.kernel is kernel else pair._replace(kernel=kernel)
            out = attach_to(served, raws, own)
    except Exception as error:
        explain(error, _name(pair), *raws)
        raise
    made = _recorded(pair, out, raws, given, parents, record, backward)
    if pair.kernel is None and kernel is not None and (note := noted()) is not None:
        note.served.append(Served(pair._replace(kernel=kernel), arrays, options, made))
    return made


def _recorded(
    pair: Pair,
    out: Any,
    raws: tuple[Any, ...],
    given: Options,
    parents: tuple[Node | None, ...],
    record: Any,
    backward: Any,
) -> Any:
    """Return the result of a pair as Tensors, with a node where there is something to record."""
    if not record:
        return tuple(map(tensor_of, out)) if isinstance(out, tuple) else tensor_of(out)
    if backward is None:
        operation = _operation(pair)
    else:
        operation = Operation(_name(pair), (_differentiable(backward, pair),), form=JOINT)
    if not isinstance(out, tuple):
        return tensor_of(out, record(operation, out, raws, given, parents))
    items = item_nodes(record(operation, out, raws, given, parents), out)
    return tuple(tensor_of(x, item) for x, item in zip(out, items, strict=True))


def attach_again(pair: Pair, like: tuple[Array, ...], options: Options) -> Callable[..., Any]:
    """Return what `attach` does with a pair and its kernel, for arrays of the kinds of `like`.

    It takes options that have changed, and returns None for arrays that the kernel does not take.
    """
    kernel: Any = pair.kernel
    runs: dict[tuple[int, ...], Any] = {}  # by the arrays that need a gradient
    own = {name: x for name, x in options.items() if name != "xp"}
    tensors = [i for i, x in enumerate(like) if isinstance(x, Tensor)]
    constants = [None] * len(like)

    def gradient(grad: Any, out: Any, *arrays: Any, xp: Any, backward: Any, **changed: Any) -> Any:
        chosen = pair.backward if isinstance(xp, TapeNamespace) else backward
        return chosen(grad, out, *arrays, xp=xp, **{**own, **changed})

    def by_slope(grad: Any, out: Any, *arrays: Any, xp: Any, backward: Any, **changed: Any) -> Any:
        if isinstance(xp, TapeNamespace):
            return gradient(grad, out, *arrays, xp=xp, backward=backward, **changed)[0]
        return grad * backward

    operation = Operation(_name(pair), (gradient,), form=JOINT)
    product = Operation(_name(pair), (by_slope,))

    def again(*arrays: Any, **changed: Any) -> Any:
        raws, parents = list(arrays), constants.copy()
        wanted: tuple[int, ...] = ()
        for i in tensors:
            x = arrays[i]
            raws[i] = x.array
            if (node := x._node) is not None:
                parents[i] = node
                wanted += (i,)
        record = recorder() if wanted else None
        given = tuple(raws)
        if record is None:
            wanted = ()
        if wanted not in runs:
            runs[wanted] = kernel.ready(pair, given, options, wanted)
        run = runs[wanted]
        made = None if run is None else run(given, **changed)
        if made is None:
            return None
        out, backward = made
        node = None
        if record is not None:
            chosen = operation if callable(backward) else product
            held = {"backward": backward, **changed}
            node = record(chosen, out, given, held, tuple(parents))
        if out.__class__ is not tuple:
            return tensor_of(out, node)
        if node is None:
            return tuple(map(tensor_of, out))
        return tuple(map(tensor_of, out, item_nodes(node, out)))

    return again


def _gives_all(kernel: Kernel, parents: tuple[Node | None, ...]) -> bool:
    """Say whether the kernel's backward returns every gradient that may be asked for."""
    return not any(parents[kernel.gradients :])


def _differentiable(backward: Callable[..., Any], pair: Pair) -> Callable[..., Any]:
    """Return the `backward` of a kernel; where that is recorded itself, the pair's."""

    def gradient(grad: Any, out: Any, *arrays: Any, xp: Any, **options: Any) -> Any:
        if not isinstance(xp, TapeNamespace):
            return backward(grad, out, *arrays, xp=xp, **options)
        if not is_half(arrays[0], xp=xp):
            return pair.backward(grad, out, *arrays, xp=xp, **options)
        held = {"xp": xp, **options}
        wide = tuple([x if x is None else widen(x, xp=xp) for x in arrays])
        out = attach_to(pair._replace(kernel=None), wide, held)
        several = isinstance(grad, tuple)
        grads = tuple([widen(g, xp=xp) for g in (grad if several else (grad,))])
        found = pair.backward(grads if several else grads[0], out, *wide, **held)
        return tuple(
            [
                None if g is None else narrow(g, x.dtype, xp=xp)
                for g, x in zip(found, arrays, strict=True)
            ]
        )

    return gradient


def _operation(pair: Pair) -> Operation:
    """Return the operation of a pair: a rule for each array where it has them, or one for all."""
    if pair.rules:
        return Operation(_name(pair), pair.rules, shares=VIEW)  # they may return `grad` itself
    return Operation(_name(pair), (pair.backward,), form=JOINT)


def _name(pair: Pair) -> str:
    name: str = getattr(pair.forward, "__name__", "pair")
    return name.lstrip("_")
