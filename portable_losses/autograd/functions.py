"""The functions of ``namespace(xp)``, built from the wrapped library's and from the rules.

Every name of the library is one of these, looked for in this order:

- recorded: it has a rule, and a call with a tracked argument makes a node;
- composed: a call with a tracked argument goes through functions that have rules;
- without a gradient, on purpose (`NO_GRADIENT`): the result is constant;
- anything else: works on constants, and raises TypeError when it meets a tracked Tensor.

The library's function is looked up at every call: array-api-strict changes its own at run time.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

from portable_losses import _portable
from portable_losses._backend import backend_of
from portable_losses._typing import Array
from portable_losses.autograd.operands import raw_key, raw_operand_in
from portable_losses.autograd.rules import COMPOSED, LIST, OPERATIONS, Operation
from portable_losses.autograd.rules.constant import NO_GRADIENT
from portable_losses.autograd.rules.indexing import assigned, check_assignable
from portable_losses.autograd.tape import NOTHING, Node, recording
from portable_losses.autograd.tensor import Tensor

if TYPE_CHECKING:
    from portable_losses.autograd.namespaces import TapeNamespace

__all__ = ["build", "is_tracked", "raw_tree", "record", "wrapped_tree"]


_MISSING = object()


def build(space: "TapeNamespace", name: str) -> Any:
    """Return what ``namespace(xp).<name>`` is."""
    from portable_losses.autograd.namespaces import TapeNamespace, is_module

    full = space.prefix + name
    if full in ADDED:
        return ADDED[full](space)
    target = getattr(space.inner, name, _MISSING)
    if target is _MISSING:
        msg = f"{space!r} has no `{name}`"
        raise AttributeError(msg)
    if is_module(target):
        inside = name in ("linalg", "fft")
        return TapeNamespace(space.library, target, f"{name}.") if inside else target
    if full in OPERATIONS:
        made = _recorded(space, name, OPERATIONS[full])
    elif full in COMPOSED:
        made = _composed(space, name, COMPOSED[full])
    elif full in NO_GRADIENT:
        made = _constant(space, name)
    elif callable(target) and not isinstance(target, type):  # not a dtype
        made = _only_constants(space, name)
    else:
        return target
    made.__name__ = made.__qualname__ = name
    made.__doc__ = target.__doc__
    return made


def record(
    operation: Operation,
    out: Array,
    args: tuple[Any, ...],
    options: dict[str, Any],
    parents: tuple[Node | None, ...],
) -> Tensor:
    """Return `out` as a Tensor, with a node if any parent is tracked."""
    for parent in parents:
        if parent is not None:
            if recording():
                return Tensor(out, Node(operation, out, args, options, parents))
            break
    return Tensor(out)


# ---- with a rule ------------------------------------------------------------------------------


def _recorded(space: "TapeNamespace", name: str, operation: Operation) -> Callable[..., Any]:
    if operation.form is LIST:
        return _recorded_list(space, name, operation)
    makers = {1: _recorded_one, 2: _recorded_two}
    return makers.get(len(operation.rules), _recorded_many)(space, name, operation)


def _recorded_one(space: "TapeNamespace", name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner

    def function(x: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            a, node = x.array, x._node
        else:
            a, node = raw_operand_in(space, x, name), None
        out = getattr(inner, name)(a, *args, **options)
        if node is None or not recording():
            return Tensor(out)
        if options and options.get("dtype") is not None and not _is_real(space, out):
            return Tensor(out)
        return Tensor(out, Node(operation, out, (a, *args), options, (node,)))

    return function


def _recorded_two(space: "TapeNamespace", name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner

    def function(x1: Any, x2: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x1, Tensor):
            a, left = x1.array, x1._node
        else:
            a, left = raw_operand_in(space, x1, name), None
        if isinstance(x2, Tensor):
            b, right = x2.array, x2._node
        else:
            b, right = raw_operand_in(space, x2, name), None
        if a.__class__ is not b.__class__:
            _check_libraries(space, name, a, b)
        out = getattr(inner, name)(a, b, *args, **options)
        if (left is None and right is None) or not recording():
            return Tensor(out)
        return Tensor(out, Node(operation, out, (a, b, *args), options, (left, right)))

    return function


def _recorded_many(space: "TapeNamespace", name: str, operation: Operation) -> Callable[..., Any]:
    inner, count = space.inner, len(operation.rules)

    def function(*args: Any, **options: Any) -> Tensor:
        raws, parents = _split(space, name, args[:count])
        out = getattr(inner, name)(*raws, *args[count:], **options)
        return record(operation, out, (*raws, *args[count:]), options, parents)

    return function


def _recorded_list(space: "TapeNamespace", name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner

    def function(arrays: Sequence[Any], /, **options: Any) -> Tensor:
        raws, parents = _split(space, name, arrays)
        out = getattr(inner, name)(raws, **options)
        return record(operation, out, (raws,), options, parents)

    return function


def _split(
    space: "TapeNamespace", name: str, arrays: Sequence[Any]
) -> tuple[list[Any], tuple[Node | None, ...]]:
    raws = [raw_operand_in(space, x, name) for x in arrays]
    return raws, tuple([x._node if isinstance(x, Tensor) else None for x in arrays])


def _check_libraries(space: "TapeNamespace", name: str, *raws: Any) -> None:
    for raw in raws:
        raw_operand_in(space, raw, name)


def _is_real(space: "TapeNamespace", out: Array) -> bool:
    return bool(space.inner.isdtype(out.dtype, ("real floating", "complex floating")))


# ---- without a rule ---------------------------------------------------------------------------


def _composed(
    space: "TapeNamespace", name: str, composition: Callable[..., Any]
) -> Callable[..., Any]:
    plain = _constant(space, name)

    def function(*args: Any, **options: Any) -> Any:
        if recording() and is_tracked((args, options)):
            return composition(*args, xp=space, **options)
        return plain(*args, **options)

    return function


def _constant(space: "TapeNamespace", name: str) -> Callable[..., Any]:
    inner = space.inner

    def function(*args: Any, **options: Any) -> Any:
        return wrapped_tree(
            getattr(inner, name)(
                *[raw_tree(x, space, name) for x in args],
                **{key: raw_tree(x, space, name) for key, x in options.items()},
            )
        )

    return function


def _only_constants(space: "TapeNamespace", name: str) -> Callable[..., Any]:
    plain = _constant(space, name)

    def function(*args: Any, **options: Any) -> Any:
        if is_tracked((args, options)):
            _refuse(space, name)
        return plain(*args, **options)

    return function


def _refuse(space: "TapeNamespace", name: str) -> NoReturn:
    msg = (
        f"`{space.prefix}{name}` has no gradient rule and met a tracked Tensor; use `.detach()` "
        "(or `stop_gradient`) if its result is to be a constant"
    )
    raise TypeError(msg)


def is_tracked(x: Any) -> bool:
    """Say whether a tracked Tensor is anywhere in nested arguments."""
    if isinstance(x, Tensor):
        return x._node is not None
    if isinstance(x, dict):
        return any(is_tracked(v) for v in x.values())
    return isinstance(x, list | tuple) and any(is_tracked(v) for v in x)


def raw_tree(x: Any, space: "TapeNamespace", name: str) -> Any:
    """Return nested arguments with raw arrays for Tensors."""
    if isinstance(x, Tensor):
        space.check_library(x.array, name)
        return x.array
    if isinstance(x, list):
        return [raw_tree(v, space, name) for v in x]
    if type(x) is tuple:
        return tuple(raw_tree(v, space, name) for v in x)
    return x


def wrapped_tree(x: Any) -> Any:
    """Return a result with constant Tensors for raw arrays."""
    from portable_losses.autograd.namespaces import is_array

    if isinstance(x, tuple):
        items = [wrapped_tree(v) for v in x]
        make = getattr(type(x), "_make", tuple)
        return make(items)
    if isinstance(x, list):
        return [wrapped_tree(v) for v in x]
    return Tensor(x) if is_array(x) else x


# ---- functions that are not the library's alone -----------------------------------------------

ADDED: dict[str, Callable[["TapeNamespace"], Callable[..., Any]]] = {}


def _added(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate ``f(space, *args, **options)``, which is ``namespace(xp).<name>``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def make(space: "TapeNamespace") -> Callable[..., Any]:
            @wraps(function)
            def call(*args: Any, **options: Any) -> Any:
                return function(space, *args, **options)

            call.__name__ = call.__qualname__ = name
            return call

        ADDED[name] = make
        return function

    return decorate


@_added("astype")
def _astype(
    space: "TapeNamespace", x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None
) -> Tensor:
    options = {} if device is None else {"device": device}
    a = raw_operand_in(space, x, "astype")
    out = space.inner.astype(a, dtype, copy=copy, **options)
    if not isinstance(x, Tensor) or x._node is None or not _is_real(space, out):
        return Tensor(out)
    if out is a:
        return x
    return record(OPERATIONS["astype"], out, (a, dtype), options, (x._node,))


@_added("clip")
def _clip(space: "TapeNamespace", x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    bounds = (x, min, max)
    raws = [None if v is None else raw_operand_in(space, v, "clip") for v in bounds]
    parents = tuple(v._node if isinstance(v, Tensor) else None for v in bounds)
    out = space.inner.clip(*raws)
    return record(OPERATIONS["clip"], out, tuple(raws), NOTHING, parents)


@_added("asarray")
def _asarray(
    space: "TapeNamespace", x: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None
) -> Tensor:
    if not isinstance(x, Tensor):
        if is_tracked(x):
            msg = "`asarray` of a list with a tracked Tensor loses its gradient; use `xp.stack`"
            raise TypeError(msg)
        made = space.inner.asarray(
            raw_tree(x, space, "asarray"), dtype=dtype, device=device, copy=copy
        )
        return Tensor(made)
    space.check_library(x.array, "asarray")
    out = space.inner.asarray(x.array, dtype=dtype, device=device, copy=copy)
    if out is x.array:
        return x
    if x._node is None or not _is_real(space, out):
        return Tensor(out)
    return record(OPERATIONS["astype"], out, (x.array, out.dtype), {"device": device}, (x._node,))


@_added("take_along_axis")
def _take_along_axis(space: "TapeNamespace", x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    raw, places = (raw_operand_in(space, v, "take_along_axis") for v in (x, indices))
    out = _portable.take_along_axis(raw, places, axis=axis, xp=space.inner)
    node = x._node if isinstance(x, Tensor) else None
    return record(OPERATIONS["take_along_axis"], out, (raw, places), {"axis": axis}, (node, None))


@_added("setitem")
def _setitem(space: "TapeNamespace", x: Tensor, key: Any, value: Any, /) -> Tensor:
    raw, raw_value = x.array, raw_operand_in(space, value, "value")
    node, value_node = x._node, value._node if isinstance(value, Tensor) else None
    key = raw_key(key)
    if node is not None or value_node is not None:
        check_assignable(key, raw, xp=space.inner)
    out = assigned(raw, raw_value, key, xp=space.inner)
    return record(OPERATIONS["setitem"], out, (raw, raw_value, key), NOTHING, (node, value_node))


@_added("scatter_add")
def _scatter_add(
    space: "TapeNamespace", shape: tuple[int, ...], key: Any, values: Any, /
) -> Tensor:
    key, raw = raw_key(key), raw_operand_in(space, values, "values")
    out = backend_of(space.inner).scatter_add(shape, key, raw, xp=space.inner)
    node = values._node if isinstance(values, Tensor) else None
    return record(OPERATIONS["scatter_add"], out, (raw, key), NOTHING, (node,))
