"""The functions of ``namespace(xp)`` that are not the library's alone.

They have a choice to make (`asarray` of a Tensor), a form of their own (`setitem`), or are
missing somewhere (`take_along_axis`). The first argument is the namespace.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from array_api_compat import device as own_device

from portable_losses import _indexing, _polyfill
from portable_losses._tape import TapeNamespace
from portable_losses.autograd._error_notes import explain
from portable_losses.autograd._libraries import is_array
from portable_losses.autograd.graph.node import NOTHING
from portable_losses.autograd.namespaces.functions import (
    is_floating,
    recorded,
)
from portable_losses.autograd.rules import OPERATIONS
from portable_losses.autograd.rules.indexing import assigned, may_repeat, settled
from portable_losses.autograd.rules.shape import broadcast_shape, filled
from portable_losses.autograd.tensors.tensor import Tensor, tensor_of
from portable_losses.autograd.tensors.unwrapping import is_tracked, raw_argument, raw_key, raw_tree

__all__ = ["OWN_FUNCTIONS"]

Function = TypeVar("Function", bound=Callable[..., Any])
OWN_FUNCTIONS: dict[str, Callable[..., Any]] = {}


def own(name: str) -> Callable[[Function], Function]:
    """Decorate ``f(tape, *args, **options)``, which is ``namespace(xp).<name>``."""

    def decorate(function: Function) -> Function:
        OWN_FUNCTIONS[name] = function
        return function

    return decorate


# ---- creation ---------------------------------------------------------------------------------


@own("asarray")
def asarray(
    tape: TapeNamespace, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None
) -> Tensor:
    """Return `obj` as a Tensor; a Tensor as it is, unless something about it is to change."""
    inner = tape.inner
    if not isinstance(obj, Tensor):
        if is_tracked(obj):
            return _stacked(tape, obj, dtype=dtype, device=device)
        raw = obj if is_array(obj) else raw_tree(obj, tape.library, "asarray")
        return tensor_of(inner.asarray(raw, dtype=dtype, device=device, copy=copy))
    raw = obj.array
    tape.library.check(raw, "asarray")
    same_dtype = dtype is None or dtype == raw.dtype  # NumPy has float64 equal to None
    same = same_dtype and (device is None or device == own_device(raw))
    if same and not copy:
        return obj
    out = inner.asarray(raw, dtype=dtype, device=device, copy=copy)
    if obj._node is None or not is_floating(out, tape.library):
        return tensor_of(out)
    return recorded(OPERATIONS["astype"], out, (raw, out.dtype), {"device": device}, (obj._node,))


def _stacked(tape: TapeNamespace, nested: Any, *, dtype: Any, device: Any) -> Tensor:
    """Return nested lists of numbers and Tensors, some of them tracked, as one array."""
    found = list(_tensors(nested))
    kind = tape.result_type(*found) if dtype is None else dtype
    home = found[0].device if device is None else device

    def made(x: Any) -> Any:
        if isinstance(x, list | tuple):
            return tape.stack([made(v) for v in x])
        return asarray(tape, x, dtype=kind, device=home)

    stacked: Tensor = made(nested)
    return stacked


def _tensors(nested: Any) -> Iterator[Tensor]:
    """Yield the Tensors in nested lists and tuples."""
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, list | tuple):
        for x in nested:
            yield from _tensors(x)


@own("from_dlpack")
def from_dlpack(
    tape: TapeNamespace, x: Any, /, *, device: Any = None, copy: bool | None = None
) -> Tensor:
    """Return the array of another library as a Tensor; one of this library stays tracked."""
    if isinstance(x, Tensor) and tape.library.owns(x.array):
        return asarray(tape, x, device=device, copy=copy)
    given = {"device": device, "copy": copy}
    options = {key: value for key, value in given.items() if value is not None}
    return tensor_of(tape.inner.from_dlpack(x, **options))


@own("full")
def full(
    tape: TapeNamespace, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Fill an array with a number, or with a Tensor that has no axes."""
    if isinstance(fill_value, Tensor):
        made: Tensor = filled(shape, fill_value, dtype=dtype, device=device, xp=tape)
        return made
    value = raw_argument(tape.library, fill_value, "fill_value")
    return tensor_of(tape.inner.full(shape, value, dtype=dtype, device=device))


@own("full_like")
def full_like(
    tape: TapeNamespace,
    x: Any,
    /,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """`full` with the shape, dtype and device of `x`."""
    like = raw_argument(tape.library, x, "full_like")
    if isinstance(fill_value, Tensor):
        home = _polyfill.device_of(like, xp=tape.inner) if device is None else device
        kind = like.dtype if dtype is None else dtype
        return full(tape, tuple(like.shape), fill_value, dtype=kind, device=home)
    value = raw_argument(tape.library, fill_value, "fill_value")
    return tensor_of(tape.inner.full_like(like, value, dtype=dtype, device=device))


# ---- dtypes and shapes ------------------------------------------------------------------------


@own("astype")
def astype(
    tape: TapeNamespace, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None
) -> Tensor:
    """Return `x` in another dtype; a constant, if that is of integers or truth values."""
    options = {} if device is None else {"device": device}
    a = raw_argument(tape.library, x, "astype")
    out = tape.inner.astype(a, dtype, copy=copy, **options)
    if not isinstance(x, Tensor) or x._node is None or not is_floating(out, tape.library):
        return tensor_of(out)
    if out is a:
        return x
    return recorded(OPERATIONS["astype"], out, (a, dtype), options, (x._node,))


@own("broadcast_shapes")
def broadcast_shapes(tape: TapeNamespace, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of `shapes` broadcast to."""
    if hasattr(tape.inner, "broadcast_shapes"):
        return tuple(tape.inner.broadcast_shapes(*shapes))
    found = broadcast_shape(*shapes)
    if any(n not in (1, m) for shape in shapes for n, m in zip(shape[::-1], found[::-1])):  # noqa: B905
        msg = f"shapes {', '.join(map(str, shapes))} cannot be broadcast together"
        raise ValueError(msg)
    return found


@own("can_cast")
def can_cast(tape: TapeNamespace, from_: Any, to: Any, /) -> bool:
    """Say whether a dtype, or that of an array, is converted without loss of its kind."""
    return bool(tape.inner.can_cast(from_.dtype if isinstance(from_, Tensor) else from_, to))


@own("clip")
def clip(tape: TapeNamespace, x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """Bound `x` from below, from above, or both; `max` wins."""
    bounds = (x, min, max)
    raws = [None if v is None else raw_argument(tape.library, v, "clip") for v in bounds]
    parents = tuple(v._node if isinstance(v, Tensor) else None for v in bounds)
    out = tape.inner.clip(*raws)
    return recorded(OPERATIONS["clip"], out, tuple(raws), NOTHING, parents)


# ---- positions --------------------------------------------------------------------------------


@own("take_along_axis")
def take_along_axis(tape: TapeNamespace, x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Take an entry at each position that `indices` names along `axis`."""
    raw, places = (raw_argument(tape.library, v, "take_along_axis") for v in (x, indices))
    out = _polyfill.take_along_axis(raw, places, axis=axis, xp=tape.inner)
    node = x._node if isinstance(x, Tensor) else None
    return recorded(OPERATIONS["take_along_axis"], out, (raw, places), {"axis": axis}, (node, None))


@own("setitem")
def setitem(tape: TapeNamespace, x: Tensor, key: Any, value: Any, /) -> Tensor:
    """Return `x` with `value` at `key`."""
    raw, raw_value = x.array, raw_argument(tape.library, value, "value")
    node, value_node = x._node, value._node if isinstance(value, Tensor) else None
    key, options, new = raw_key(key, raw), NOTHING, raw_value
    try:
        if value_node is not None and may_repeat(key, xp=tape.inner):
            new, counts = settled(raw, raw_value, key, xp=tape.inner)
            options = {"counts": counts}
        out = assigned(raw, new, key, xp=tape.inner)
    except Exception as error:
        explain(error, "setitem", raw, key)
        raise
    return recorded(OPERATIONS["setitem"], out, (raw, raw_value, key), options, (node, value_node))


@own("scatter_add")
def scatter_add(tape: TapeNamespace, shape: tuple[int, ...], key: Any, values: Any, /) -> Tensor:
    """Return zeros of `shape` with `values` added at `key`; what meets at one place adds up."""
    raw = raw_argument(tape.library, values, "values")
    key = raw_key(key, raw)
    out = _indexing.scatter_add(shape, key, raw, xp=tape.inner)
    node = values._node if isinstance(values, Tensor) else None
    return recorded(OPERATIONS["scatter_add"], out, (raw, key), NOTHING, (node,))
