"""The functions of ``namespace(xp)``, built from the wrapped library's and from the rules.

There is one kind of them for each place where a name can stand (`namespace.py` looks for it): ours
(`own.py`), composed of functions with rules, recorded by a rule, without a gradient on purpose, and
everything else, which works on constants and raises TypeError when it meets a tracked Tensor.

The library's function is looked up at every call: array-api-strict changes its own at run time.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from portable_losses._backend import backend_of
from portable_losses._dtypes import kind_of
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array
from portable_losses.autograd._error_notes import explain
from portable_losses.autograd._libraries import Library, is_array
from portable_losses.autograd.graph.node import NOTHING, Node, item_nodes
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.namespaces.signatures import check_call
from portable_losses.autograd.rules import LIST, Operation
from portable_losses.autograd.tensors.methods import numpy_function
from portable_losses.autograd.tensors.tensor import Tensor, blank, tensor_of
from portable_losses.autograd.tensors.unwrapping import is_tracked, raw_argument, raw_tree

__all__ = [
    "composed_function",
    "constant_function",
    "constants_only_function",
    "is_floating",
    "own_function",
    "recorded",
    "recorded_function",
]


def recorded(
    operation: Operation,
    out: Array,
    args: tuple[Any, ...],
    options: dict[str, Any],
    parents: tuple[Node | None, ...],
) -> Tensor:
    """Return `out` as a Tensor, with a node if any parent is tracked."""
    for parent in parents:
        if parent is not None:
            record = recorder()
            if record:
                return tensor_of(out, record(operation, out, args, options, parents))
            break
    return tensor_of(out)


# ---- with a rule ------------------------------------------------------------------------------


def recorded_function(tape: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    """Return ``xp.<name>``, which makes a node wherever an argument is tracked."""
    if operation.results is not None:
        return _recorded_several(tape, name, operation, operation.results)
    if operation.form is LIST:
        return _recorded_list(tape, name, operation)
    makers = {1: _recorded_one, 2: _recorded_two}
    return makers.get(len(operation.rules), _recorded_many)(tape, name, operation)


def _recorded_one(tape: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    """Return ``xp.<name>`` of one array; the short form of a call comes first."""
    inner, library = tape.inner, tape.library
    quick = None if tape.prefix else backend_of(inner).speed.reductions.get(name)

    def function(x: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x, Tensor):
            a, node = x.array, x._node
        else:
            a, node = raw_argument(library, x, name), None
        if not args and not options:
            try:
                out = getattr(inner, name)(a) if quick is None else quick(a)
            except Exception as error:
                explain(error, operation.name, a)
                raise
            made = blank()  # not by `tensor_of`: the call would take a thirtieth of all this
            made.array = out
            if node is None or not (record := recorder()):
                made._node = None
            else:
                made._node = record(operation, out, (a,), NOTHING, (node,))
            return made
        options = _raw_options(tape, name, options)
        try:
            out = getattr(inner, name)(a, *args, **options)
        except Exception as error:
            explain(error, operation.name, a, *args)
            raise
        if node is None or not (record := recorder()):
            return tensor_of(out)
        check_call(operation.name, 1 + len(args), options)
        if options.get("dtype") is not None and not is_floating(out, library):
            return tensor_of(out)
        return tensor_of(out, record(operation, out, (a, *args), options, (node,)))

    return function


def _recorded_two(tape: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    """Return ``xp.<name>`` of two arrays."""
    inner, library = tape.inner, tape.library

    def function(x1: Any, x2: Any, /, *args: Any, **options: Any) -> Tensor:
        if isinstance(x1, Tensor):
            a, left = x1.array, x1._node
        else:
            a, left = raw_argument(library, x1, name), None
        if isinstance(x2, Tensor):
            b, right = x2.array, x2._node
        else:
            b, right = raw_argument(library, x2, name), None
        if a.__class__ is not b.__class__:
            _check_libraries(tape, name, a, b)
        try:
            out = getattr(inner, name)(a, b, *args, **options)
        except Exception as error:
            explain(error, operation.name, a, b, *args)
            raise
        if (left is None and right is None) or not (record := recorder()):
            return tensor_of(out)
        if args or options:
            check_call(operation.name, 2 + len(args), options)
        return tensor_of(out, record(operation, out, (a, b, *args), options, (left, right)))

    return function


def _recorded_many(tape: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    """Return ``xp.<name>`` of three arrays or more."""
    inner, count = tape.inner, len(operation.rules)

    def function(*args: Any, **options: Any) -> Tensor:
        raws, parents = _split(tape, name, args[:count])
        try:
            out = getattr(inner, name)(*raws, *args[count:], **options)
        except Exception as error:
            explain(error, operation.name, *raws, *args[count:])
            raise
        if any(parents):
            check_call(operation.name, len(args), options)
        return recorded(operation, out, (*raws, *args[count:]), options, parents)

    return function


def _recorded_list(tape: TapeNamespace, name: str, operation: Operation) -> Callable[..., Any]:
    """Return ``xp.<name>`` of a list of arrays."""
    inner = tape.inner

    def function(arrays: Sequence[Any], /, **options: Any) -> Tensor:
        raws, parents = _split(tape, name, arrays)
        try:
            out = getattr(inner, name)(raws, **options)
        except Exception as error:
            explain(error, operation.name, *raws)
            raise
        if any(parents):
            check_call(operation.name, 1, options)
        return recorded(operation, out, (raws,), options, parents)

    return function


def _recorded_several(
    tape: TapeNamespace, name: str, operation: Operation, results: Callable[..., Any]
) -> Callable[..., Any]:
    """Return ``xp.<name>`` of one array with several results, named by `results`."""
    inner = tape.inner

    def function(x: Any, /, *args: Any, **options: Any) -> Any:
        (a,), (node,) = _split(tape, name, [x])
        try:
            outs = tuple(getattr(inner, name)(a, *args, **options))
        except Exception as error:
            explain(error, operation.name, a, *args)
            raise
        if node is None or not (record := recorder()):
            return results(*map(tensor_of, outs))
        check_call(operation.name, 1 + len(args), options)
        items = item_nodes(record(operation, outs, (a, *args), options, (node,)), outs)
        return results(*map(tensor_of, outs, items))

    return function


def _split(
    tape: TapeNamespace, name: str, arrays: Sequence[Any]
) -> tuple[list[Any], tuple[Node | None, ...]]:
    """Return raw arrays, and the node of each, None for a constant."""
    raws = [raw_argument(tape.library, x, name) for x in arrays]
    return raws, tuple([x._node if isinstance(x, Tensor) else None for x in arrays])


def _check_libraries(tape: TapeNamespace, name: str, *raws: Any) -> None:
    """Raise TypeError unless all arrays belong to the library of the namespace."""
    for raw in raws:
        raw_argument(tape.library, raw, name)


def _raw_options(tape: TapeNamespace, name: str, options: dict[str, Any]) -> dict[str, Any]:
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


def own_function(tape: TapeNamespace, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return one of our functions, whose first argument is the namespace, for this namespace."""

    def call(*args: Any, **options: Any) -> Any:
        return function(tape, *args, **options)

    call.__doc__ = function.__doc__
    return call


def composed_function(
    tape: TapeNamespace, name: str, composition: Callable[..., Any], *, missing: bool
) -> Callable[..., Any]:
    """Return ``xp.<name>``, composed of functions with rules where an argument is tracked."""
    plain = constant_function(tape, name)

    def function(*args: Any, **options: Any) -> Any:
        if missing or (recorder() and is_tracked((args, options))):
            return composition(*args, xp=tape.library.tape, **options)
        try:
            out = plain(*args, **options)
        except NotImplementedError:  # array_api_compat's way to say that a library has none
            return composition(*args, xp=tape.library.tape, **options)
        return tuple(out) if isinstance(out, list) else out

    function.__doc__ = composition.__doc__
    return function


def constant_function(tape: TapeNamespace, name: str) -> Callable[..., Any]:
    """Return ``xp.<name>``, whose results are constants."""
    inner, library = tape.inner, tape.library

    def function(*args: Any, **options: Any) -> Any:
        return _wrapped_tree(
            getattr(inner, name)(
                *[raw_tree(x, library, name) for x in args],
                **{key: raw_tree(x, library, name) for key, x in options.items()},
            )
        )

    return function


def constants_only_function(tape: TapeNamespace, name: str) -> Callable[..., Any]:
    """Return ``xp.<name>``, which has no rule: of a tracked Tensor NumPy's, else refused."""
    plain = constant_function(tape, name)

    def function(*args: Any, **options: Any) -> Any:
        if not is_tracked((args, options)):
            return plain(*args, **options)
        composed = numpy_function(tape.prefix + name)
        if composed is None:
            _refuse(tape, name)
        return composed(*args, xp=tape.library.tape, **options)

    return function


def _refuse(tape: TapeNamespace, name: str) -> NoReturn:
    """Raise TypeError: a function without a rule met a tracked Tensor."""
    msg = (
        f"`{tape.prefix}{name}` has no gradient rule and met a tracked Tensor; use `.detach()` "
        "(or `stop_gradient`) if its result is to be a constant"
    )
    raise TypeError(msg)


def _wrapped_tree(x: Any) -> Any:
    """Return a result with constant Tensors for raw arrays."""
    if isinstance(x, tuple):
        items = [_wrapped_tree(v) for v in x]
        make = getattr(type(x), "_make", tuple)
        return make(items)
    if isinstance(x, list):
        return [_wrapped_tree(v) for v in x]
    return tensor_of(x) if is_array(x) else x
