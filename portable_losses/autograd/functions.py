"""The functions of ``namespace(xp)``, built from the wrapped library's and from the rules.

Every name of the library is one of these, looked for in this order:

- added: one of ours (`added.py`), as the library's own would not do;
- composed: a call with a tracked argument goes through functions that have rules;
- recorded: it has a rule, and a call with a tracked argument makes a node;
- without a gradient, on purpose (`NO_GRADIENT`): the result is constant;
- anything else: works on constants, and raises TypeError when it meets a tracked Tensor.

The library's function is looked up at every call: array-api-strict changes its own at run time.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from portable_losses._backend import backend_of
from portable_losses._dtypes import kind_of
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array
from portable_losses.autograd._libraries import Library, is_array
from portable_losses.autograd.context import explain
from portable_losses.autograd.operands import raw_operand_in
from portable_losses.autograd.rules import COMPOSED, LIST, OPERATIONS, Operation
from portable_losses.autograd.rules.constant import NO_GRADIENT
from portable_losses.autograd.standard import check_call, signature_of
from portable_losses.autograd.tape import NOTHING, Node, item_nodes, recording
from portable_losses.autograd.tensor import Tensor, tensor_of
from portable_losses.autograd.views import VIEWS, viewing

__all__ = [
    "ADDED",
    "add",
    "build",
    "is_floating",
    "is_tracked",
    "raw_tree",
    "record",
    "wrapped_tree",
]

Function = TypeVar("Function", bound=Callable[..., Any])

_MISSING = object()
ADDED: dict[str, Callable[..., Any]] = {}


def add(name: str) -> Callable[[Function], Function]:
    """Decorate ``f(space, *args, **options)``, which is ``namespace(xp).<name>``."""

    def decorate(function: Function) -> Function:
        ADDED[name] = function
        return function

    return decorate


def build(space: TapeNamespace, name: str) -> Any:
    """Return what ``namespace(xp).<name>`` is."""
    made: Any
    full = space.prefix + name
    target = getattr(space.inner, name, _MISSING)
    if full in ADDED:
        made = _added(space, ADDED[full])
    elif full in COMPOSED and not (space.prefix and target is _MISSING):
        made = _composed(space, name, COMPOSED[full], missing=target is _MISSING)
    elif target is _MISSING:
        msg = f"{space!r} has no `{name}`"
        raise AttributeError(msg)
    elif full in OPERATIONS:
        made = _recorded(space, name, OPERATIONS[full])
    elif full in NO_GRADIENT:
        made = _constant(space, name)
    elif callable(target) and not isinstance(target, type):  # not a dtype
        made = _only_constants(space, name)
    else:
        return target
    if full in VIEWS:
        made = viewing(full, made)
    made.__name__ = made.__qualname__ = name
    made.__module__ = space.__name__
    if target is not _MISSING:
        made.__doc__ = target.__doc__
    found = signature_of(full)
    if found is not None:
        made.__signature__ = found
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
            make = recording()
            if make:
                return tensor_of(out, make(operation, out, args, options, parents))
            break
    return tensor_of(out)


# ---- with a rule ------------------------------------------------------------------------------


def _recorded(space: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    if operation.results is not None:
        return _recorded_several(space, name, operation, operation.results)
    if operation.form is LIST:
        return _recorded_list(space, name, operation)
    makers = {1: _recorded_one, 2: _recorded_two}
    return makers.get(len(operation.rules), _recorded_many)(space, name, operation)


def _recorded_one(space: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner
    quick = None if space.prefix else backend_of(inner).speed.reductions.get(name)

    def function(x: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            a, node = x.array, x._node
        else:
            a, node = raw_operand_in(space.library, x, name), None
        if not args and not options:
            try:
                out = getattr(inner, name)(a) if quick is None else quick(a)
            except Exception as error:
                explain(error, operation.name, a)
                raise
            if node is None or not (make := recording()):
                return tensor_of(out)
            return tensor_of(out, make(operation, out, (a,), NOTHING, (node,)))
        options = _raw_options(space, name, options)
        try:
            out = getattr(inner, name)(a, *args, **options)
        except Exception as error:
            explain(error, operation.name, a, *args)
            raise
        if node is None or not (make := recording()):
            return tensor_of(out)
        check_call(operation.name, 1 + len(args), options)
        if options.get("dtype") is not None and not is_floating(out, space.library):
            return tensor_of(out)
        return tensor_of(out, make(operation, out, (a, *args), options, (node,)))

    return function


def _recorded_two(space: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner

    def function(x1: Any, x2: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x1, Tensor):
            a, left = x1.array, x1._node
        else:
            a, left = raw_operand_in(space.library, x1, name), None
        if isinstance(x2, Tensor):
            b, right = x2.array, x2._node
        else:
            b, right = raw_operand_in(space.library, x2, name), None
        if a.__class__ is not b.__class__:
            _check_libraries(space, name, a, b)
        try:
            out = getattr(inner, name)(a, b, *args, **options)
        except Exception as error:
            explain(error, operation.name, a, b, *args)
            raise
        if (left is None and right is None) or not (make := recording()):
            return tensor_of(out)
        if args or options:
            check_call(operation.name, 2 + len(args), options)
        return tensor_of(out, make(operation, out, (a, b, *args), options, (left, right)))

    return function


def _recorded_many(space: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    inner, count = space.inner, len(operation.rules)

    def function(*args: Any, **options: Any) -> Tensor:
        raws, parents = _split(space, name, args[:count])
        try:
            out = getattr(inner, name)(*raws, *args[count:], **options)
        except Exception as error:
            explain(error, operation.name, *raws, *args[count:])
            raise
        if any(parents):
            check_call(operation.name, len(args), options)
        return record(operation, out, (*raws, *args[count:]), options, parents)

    return function


def _recorded_list(space: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    inner = space.inner

    def function(arrays: Sequence[Any], /, **options: Any) -> Tensor:
        raws, parents = _split(space, name, arrays)
        try:
            out = getattr(inner, name)(raws, **options)
        except Exception as error:
            explain(error, operation.name, *raws)
            raise
        if any(parents):
            check_call(operation.name, 1, options)
        return record(operation, out, (raws,), options, parents)

    return function


def _recorded_several(
    space: TapeNamespace, name: str, operation: Operation, results: Callable[..., Any]
) -> Callable[..., Any]:
    inner = space.inner

    def function(x: Any, /, *args: Any, **options: Any) -> Any:
        (a,), (node,) = _split(space, name, [x])
        try:
            outs = tuple(getattr(inner, name)(a, *args, **options))
        except Exception as error:
            explain(error, operation.name, a, *args)
            raise
        if node is None or not (make := recording()):
            return results(*map(tensor_of, outs))
        check_call(operation.name, 1 + len(args), options)
        items = item_nodes(make(operation, outs, (a, *args), options, (node,)), outs)
        return results(*map(tensor_of, outs, items))

    return function


def _split(
    space: TapeNamespace, name: str, arrays: Sequence[Any]
) -> tuple[list[Any], tuple[Node | None, ...]]:
    raws = [raw_operand_in(space.library, x, name) for x in arrays]
    return raws, tuple([x._node if isinstance(x, Tensor) else None for x in arrays])


def _check_libraries(space: TapeNamespace, name: str, *raws: Any) -> None:
    for raw in raws:
        raw_operand_in(space.library, raw, name)


def _raw_options(space: TapeNamespace, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return `options` with raw arrays; only a tolerance, which has no slope, may be tracked."""
    for key, value in options.items():
        if isinstance(value, Tensor):
            if value._node is not None and key != "rtol":
                msg = f"`{name}` has no gradient by `{key}`; use `.detach()`"
                raise TypeError(msg)
            options = {**options, key: value.array}
    return options


def is_floating(out: Array, library: Library) -> bool:
    """Say whether `out` can have a gradient."""
    return kind_of(out, xp=library.xp) in ("real floating", "complex floating")


# ---- without a rule ---------------------------------------------------------------------------


def _added(space: TapeNamespace, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        return function(space, *args, **options)

    call.__doc__ = function.__doc__
    return call


def _composed(
    space: TapeNamespace, name: str, composition: Callable[..., Any], *, missing: bool
) -> Callable[..., Any]:
    plain = _constant(space, name)

    def function(*args: Any, **options: Any) -> Any:
        if missing or (recording() and is_tracked((args, options))):
            return composition(*args, xp=space.library.tape, **options)
        try:
            out = plain(*args, **options)
        except NotImplementedError:  # array_api_compat's way to say that a library has none
            return composition(*args, xp=space.library.tape, **options)
        return tuple(out) if isinstance(out, list) else out

    function.__doc__ = composition.__doc__
    return function


def _constant(space: TapeNamespace, name: str) -> Callable[..., Any]:
    inner = space.inner

    def function(*args: Any, **options: Any) -> Any:
        return wrapped_tree(
            getattr(inner, name)(
                *[raw_tree(x, space.library, name) for x in args],
                **{key: raw_tree(x, space.library, name) for key, x in options.items()},
            )
        )

    return function


def _only_constants(space: TapeNamespace, name: str) -> Callable[..., Any]:
    plain = _constant(space, name)

    def function(*args: Any, **options: Any) -> Any:
        if is_tracked((args, options)):
            _refuse(space, name)
        return plain(*args, **options)

    return function


def _refuse(space: TapeNamespace, name: str) -> NoReturn:
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


def raw_tree(x: Any, library: Library, name: str) -> Any:
    """Return nested arguments with raw arrays for Tensors."""
    if isinstance(x, Tensor):
        library.check(x.array, name)
        return x.array
    if isinstance(x, list):
        return [raw_tree(v, library, name) for v in x]
    if type(x) is tuple:
        return tuple(raw_tree(v, library, name) for v in x)
    return x


def wrapped_tree(x: Any) -> Any:
    """Return a result with constant Tensors for raw arrays."""
    if isinstance(x, tuple):
        items = [wrapped_tree(v) for v in x]
        make = getattr(type(x), "_make", tuple)
        return make(items)
    if isinstance(x, list):
        return [wrapped_tree(v) for v in x]
    return tensor_of(x) if is_array(x) else x
