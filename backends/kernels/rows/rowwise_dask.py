"""Pairs of rows on Dask arrays: one task a chunk, in which the chunk's own library runs it.

The rows lie in one chunk, or are brought into one. Nothing is computed while a graph is built but
the function on one row of two entries, which says what its results are.
"""

__library__ = "dask"

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import dask.array as da
import dask.config
import numpy as np
from dask.array.utils import meta_from_array
from dask.base import tokenize
from dask.utils import parse_bytes

from portable_losses._backend import Kernel, Pair, backend_of, kernel_for, namespace_of_type
from portable_losses._gradient import made_by
from portable_losses._polyfill import knows_shape, total
from portable_losses._typing import Array, Options

from ..formulas.elementwise_dask import one_like
from ..formulas.sent_dask import Sent
from ..formulas.tasks_dask import array_of, in_task, operands_of, sum_of_chunks

__all__ = ["rowwise"]

ENTRY, KEPT_AXIS = -1, -2  # names of axes: of the entries of a row, of its number
MOST = 512  # functions that are kept, each of which is compiled once
GRADIENTS = 16
FLOAT = 4  # bytes of float32: half dtypes are widened first


def rowwise(*weights: int) -> Kernel:
    """Return the kernel; the arrays at the places `weights` have the same entries in every row."""

    def accepts(*arrays: Any, **options: Any) -> bool:
        return _axes(arrays, weights) is not None and not _has_arrays(options)

    def takes(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
        return accepts(*arrays, **options)

    def run(
        pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
    ) -> tuple[Any, Callable[..., Any]]:
        """Return the value, a task for each chunk, and a backward, one more for the gradients."""
        if pair.summand is not None:
            return _run_summed(pair, arrays, weights, options, wanted)
        out = _by_chunk(pair.forward, arrays, weights, options)

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
            grads = grad if isinstance(grad, tuple) else (grad,)
            behind = (None,) * (1 + max(weights, default=0) - len(arrays))
            given = (*arrays, *behind, *grads)  # of which none is at the place of weights
            of_rows = [i for i in wanted if i not in weights]
            if of_rows != list(wanted) or _axes(given, weights) is None:
                return pair.backward(grad, out, *arrays, **options)
            count = len(grads) if isinstance(grad, tuple) else None
            function = _gradient(pair, wanted, len(arrays), count)
            found = iter(_by_chunk(function, given, weights, options))
            return tuple([next(found) if i in wanted else None for i in range(len(arrays))])

        return out, backward

    return Kernel(accepts, run, gradients=GRADIENTS, takes=takes, sums=takes)


def _has_arrays(options: Options) -> bool:
    return any(isinstance(x, da.Array) for x in options.values())


def _axes(arrays: tuple[Any, ...], weights: tuple[int, ...]) -> list[tuple[Any, ...]] | None:
    """Return the names of the axes of those that are present; None where one has another shape."""
    first = arrays[0]
    if not (isinstance(first, da.Array) and first.ndim and knows_shape(first)):
        return None
    if 0 in first.shape or first.dtype.itemsize < FLOAT or not _fits(first):
        return None
    lead = tuple(range(first.ndim - 1))
    rows, classes = first.shape[:-1], first.shape[-1]
    named: dict[Any, tuple[Any, ...]] = {
        (*rows, 1): (*lead, KEPT_AXIS),
        rows: lead,
        (): (),
        first.shape: (*lead, ENTRY),
    }
    found = []
    for i, x in enumerate(arrays):
        if x is None:
            continue
        if not isinstance(x, da.Array) or not knows_shape(x):
            return None
        own = (ENTRY,) if i in weights and x.shape == (classes,) else named.get(x.shape)
        if own is None:
            return None
        found.append(own)
    return found


def _fits(x: Any) -> bool:
    """Say whether whole rows fit into chunks: Dask's own limit, where the classes are chunked."""
    if x.numblocks[-1] == 1:
        return True
    largest = math.prod([max(sizes) for sizes in x.chunks[:-1]]) * x.shape[-1]
    limit: int = parse_bytes(dask.config.get("array.chunk-size"))
    return largest * x.dtype.itemsize <= limit


def _by_chunk(
    function: Callable[..., Any],
    arrays: tuple[Any, ...],
    weights: tuple[int, ...],
    options: Options,
) -> Any:
    """Return the Dask arrays of the function of each chunk."""
    axes, first = _axes(arrays, weights) or [], arrays[0]
    lead = tuple(range(first.ndim - 1))
    present = tuple([x is not None for x in arrays])
    plain = {name: x for name, x in options.items() if name != "xp"}
    given = [
        x.rechunk({-1: -1}) if a[-1:] == (ENTRY,) else x
        for x, a in zip([x for x in arrays if x is not None], axes, strict=True)
    ]
    own: Any = {"function": Sent(function), "present": present, "options": plain}
    sizes = {ENTRY: 2}
    samples = [
        np.ones_like(x._meta, shape=tuple([sizes.get(name, 1) for name in a]))
        for x, a in zip(given, axes, strict=True)
    ]
    like = _run_chunk(*samples, chunks_in_all=1, **own)
    token = tokenize(id(function), [x.name for x in given], present, plain)
    pairs = [part for x, a in zip(given, axes, strict=True) for part in (x, a)]
    together = da.blockwise(  # its chunks are what the function returns, perhaps tuples
        _run_chunk,
        lead,
        *pairs,
        name=f"{function.__name__.strip('_<>')}-{token}",
        dtype=first.dtype,
        meta=first._meta,
        chunks_in_all=first.npartitions,
        **own,
    )
    results = [
        None if x is None else _taken(together, lead, None if x is like else i, x, first, token)
        for i, x in enumerate(like if isinstance(like, tuple) else (like,))
    ]
    return tuple(results) if isinstance(like, tuple) else results[0]


def _taken(
    together: Array, lead: tuple[int, ...], i: int | None, like: Any, first: Array, token: str
) -> Array:
    """Return the array of one result, of which `like` is that of one row of two entries."""
    last: tuple[Any, ...] = ()
    if like.ndim > len(lead):
        last = (KEPT_AXIS,) if like.shape[-1] == 1 else (ENTRY,)
    sizes = {KEPT_AXIS: 1, ENTRY: first.shape[-1]}
    made = da.blockwise(
        _item,
        (*lead, *last),
        together,
        lead,
        i,
        None,
        name=f"result-{i}-{token}",
        new_axes={name: sizes[name] for name in last},
        dtype=like.dtype,
        meta=np.empty_like(like, shape=(0,) * (len(lead) + len(last))),
    )
    return made.rechunk({-1: first.chunks[-1]}) if last == (ENTRY,) else made


# ---- sums -------------------------------------------------------------------------------------


def _run_summed(
    pair: Pair,
    arrays: tuple[Any, ...],
    places: tuple[int, ...],
    options: Options,
    wanted: tuple[int, ...],
) -> Any:
    """Return the sum of the losses of rows, and a backward: each a task a chunk of rows.

    The gradient by the first array is computed with the sum, whose slope is 1 as a rule.
    """
    if wanted not in ((), (0,)):
        return pair.forward(*arrays, **options), pair.backward
    each: Any = pair.summand
    first, sloped = arrays[0], bool(wanted)
    plain = {x: y for x, y in options.items() if x not in ("xp", "divisor", "weights", "foreseen")}
    inner = options.get("weights")
    kept = [x for x in (inner, options["divisor"]) if isinstance(x, da.Array)]
    axes = [*(_axes(arrays, places) or []), *[tuple(range(x.ndim)) for x in kept]]
    others = [x for x in arrays[1:] if x is not None] + kept
    others = [_cut(x, a, first) for x, a in zip(others, axes[1:], strict=True)]
    rows = list(product(*map(range, first.numblocks[:-1])))
    divisor = None if isinstance(options["divisor"], da.Array) else options["divisor"]
    own: Any = {
        "present": tuple([x is not None for x in arrays]),
        "options": plain,
        "weighted": inner is not None,
        "divisor": divisor,
        "sloped": sloped,
        "chunks_in_all": len(rows),
    }
    names = [x.name for x in (first, *others)]
    name = f"rows-{tokenize(id(each.forward), list(own.values()), names)}"
    operands = [
        operands_of(
            x, [tuple([row[i] if i >= 0 else 0 for i in a]) for row in rows], inner=x is inner
        )
        for x, a in zip(others, axes[1:], strict=True)
    ]
    run = partial(_sum_rows, pair=Sent(each), **own)
    parts = [operands_of(first, [(*r, i) for r in rows]) for i in range(first.numblocks[-1])]
    graph: dict[Any, Any] = {}
    for row, part, *given in zip(rows, zip(*parts, strict=True), *operands, strict=True):
        graph[name, *row] = (run, list(part), *given)
    together = array_of(name, graph, [first, *others], first.chunks[:-1], first._meta, inner=inner)
    value = sum_of_chunks(f"sum-{name}", together, meta_from_array(first._meta, ndim=0))

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Array | None, ...]:
        if not sloped or not isinstance(grad, da.Array):
            found: tuple[Array | None, ...] = pair.backward(grad, out, *arrays, **options)
            return found
        return _slopes(together, grad, first), *(None for _ in arrays[1:])

    return value, backward


def _slopes(together: Any, grad: Any, first: Any) -> Any:
    """Return the slopes, which are with the sums, in the chunks of the first array."""
    scaled = grad is not one_like(grad)
    name = f"slope-{tokenize(together.name, grad.name)}"
    factor = operands_of(grad, [()])[0] if scaled else 1
    graph: dict[Any, Any] = {}
    for row in product(*map(range, together.numblocks)):
        end = 0
        for i, size in enumerate(first.chunks[-1]):
            run = partial(_slope_of, first=end, last=(end := end + size))
            graph[name, *row, i] = (run, (together.name, *row), factor)
    used = [together, grad] if scaled else [together]
    return array_of(name, graph, used, first.chunks, first._meta)


def _slope_of(together: Any, grad: Any, *, first: int, last: int) -> Any:
    """Return the slope of these classes times the gradient of the sum, which mostly is 1."""
    slope = together[1][..., first:last]
    return slope if float(grad) == 1 else slope * grad


def _cut(x: Any, axes: tuple[Any, ...], first: Any) -> Any:
    """Return `x` in the chunks of the first array, its entries in one."""
    sizes = tuple([first.chunks[i] if i >= 0 else (n,) for i, n in zip(axes, x.shape, strict=True)])
    return x if x.chunks == sizes else x.rechunk(sizes)


def _sum_rows(
    *chunks: Any,
    pair: Sent,
    present: tuple[bool, ...],
    options: Options,
    weighted: bool,
    divisor: float | None,
    sloped: bool,
    chunks_in_all: int,
) -> Any:
    """Return the sum of the losses of the rows of a chunk over a number, perhaps with its slope.

    The first array comes in parts, cut along the classes. The weights of the rows and the divisor,
    unless that is known, are the last chunks.
    """
    found = iter(chunks)
    parts: Any
    parts, *others = [next(found) if there else None for there in present]
    weights = next(found) if weighted else None
    divisor = float(next(found)) if divisor is None else divisor
    xp = namespace_of_type(parts[0])
    arrays = (parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1), *others)
    with in_task(xp, chunks_in_all):
        factor: Any = 1 / divisor if weights is None else weights / divisor
        own = {"xp": xp, **options, "foreseen": (factor, 0.0)}
        kernel = kernel_for(pair.it, backend_of(xp), arrays, own)
        if kernel is None:
            out, pull = pair.it.forward(*arrays, **own), pair.it.backward
        else:
            out, pull = kernel.run(pair.it, arrays, own, (0,) if sloped else ())
        losses = out[0] if isinstance(out, tuple) else out
        value = total(losses if weights is None else weights * losses, xp=xp) / divisor
        if not sloped:
            return value
        grad = xp.full_like(losses, factor) if weights is None else xp.astype(factor, losses.dtype)
        return value, pull((grad,) if isinstance(out, tuple) else grad, out, *arrays, **own)[0]


def _item(x: Any, i: int | None) -> Any:
    return x if i is None else x[i]


def _run_chunk(
    *chunks: Any,
    function: Sent,
    present: tuple[bool, ...],
    options: Options,
    chunks_in_all: int,
) -> Any:
    """Return the function of the chunks at one place, None for the arrays that are absent."""
    found = iter([_only(x) for x in chunks])
    arrays = tuple([next(found) if there else None for there in present])
    xp = namespace_of_type(arrays[0])
    several = backend_of(xp).speed.several_of_rows
    with in_task(xp, chunks_in_all):
        if several is None:
            return function.it(*arrays, xp=xp, **options)
        return several(function.it, arrays, {"xp": xp, **options})


def _only(x: Any) -> Any:
    """Return a chunk, which Dask puts into a list where its axis is not one of the result."""
    while isinstance(x, list):
        (x,) = x
    return x


def _gradient(
    pair: Pair, wanted: tuple[int, ...], count: int, several: int | None
) -> Callable[..., Any]:
    """Return the gradients by these of `count` arrays, as one function of them and the results'.

    Those are `several`, of a result that is a tuple; None: one.
    """
    key = pair.forward, pair.backward, wanted, count, several
    found = _GRADIENTS.get(key)
    if found is not None:
        return found

    def gradient(*given: Any, **options: Any) -> Any:
        arrays, grads = given[:count], given[-(several or 1) :]
        out = pair.forward(*arrays, **options)
        pulled = pair.backward(grads if several else grads[0], out, *arrays, **options)
        return tuple([pulled[i] for i in wanted])

    gradient.__name__ = f"{pair.forward.__name__}_gradient"
    made_by(gradient, _gradient, pair, wanted, count, several)
    if len(_GRADIENTS) > MOST:
        _GRADIENTS.clear()
    _GRADIENTS[key] = gradient
    return gradient


_GRADIENTS: dict[Any, Callable[..., Any]] = {}
