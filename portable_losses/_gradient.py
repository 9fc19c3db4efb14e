"""Joins a forward function and its hand-written gradient for every library."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import MappingProxyType
from typing import Any

from portable_losses._backend import (
    Backend,
    Kernel,
    Pair,
    backend_of,
    backend_of_array,
    kernel_for,
    namespace_of_type,
)
from portable_losses._dtypes import computable, narrow, widen
from portable_losses._notes import Served, noted
from portable_losses._polyfill import broadcast_arrays, total
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace, Options
from portable_losses._validation import (
    check_broadcastable,
    check_real_floating,
    namespace_of,
    namespace_of_floating,
)

__all__ = [
    "NAMED_PAIRS",
    "are_numbers",
    "attach_gradient",
    "attach_pair",
    "backend_reads_late",
    "by_kernel",
    "constant_number",
    "differentiable_again",
    "elementwise_call",
    "entrywise",
    "made_by",
    "maker_of",
    "pair_of",
    "register",
    "stop_gradient",
    "with_gradient",
]

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
_PAIRS: dict[Callable[..., Any], Pair] = {}  # of what `with_gradient` made
NAMED_PAIRS: dict[str, Pair] = {}  # those for which a backend may have a kernel


def with_gradient(
    backward: Callable[..., Any],
    *rest: Callable[..., Array],
    elementwise: bool = False,
    rows: bool = False,
    kernel: str = "",
    by: Mapping[str, Callable[..., Array] | None] = NO_OPTIONS,
    again: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a forward function with its gradient; see `portable_losses._backend.Pair`.

    Either one `backward` for all arrays, or one rule per array, which returns the gradient of
    that array alone: then a library computes only the gradients that are needed. Where all of them
    are `elementwise`, a library may run each as it runs an `entrywise` function; of `rows`, each
    row of a result depends on the rows at its place alone (see `of_rows`). `kernel` is the
    name under which backends have kernels for this pair. `by` has the options that may be 0-d
    arrays, each with ``rule(grad, out, *arrays, xp, **options)``, whose sum is the gradient by it;
    None lets the library differentiate the function itself. `again` is `Pair.again`.
    """

    def decorate(forward: Callable[..., Any]) -> Callable[..., Any]:
        """Return `forward` as a function that every library differentiates by this pair."""
        halves = forward, backward, *rest
        run, *rules = map(entrywise, halves) if elementwise else halves
        portable = Pair(run, _together(rules), tuple(rules)) if rest else Pair(run, rules[0])
        portable = portable._replace(elementwise=elementwise, rows=rows, name=kernel, again=again)
        if kernel:
            _register(portable)

        @wraps(forward)
        def call(*arrays: Array, xp: Namespace, **options: Any) -> Any:
            options = {"xp": xp, **options}
            for name in by:
                if not isinstance(options[name], _NUMBERS):
                    rules, backend = (backward, *rest), backend_of(xp)
                    if elementwise and backend_reads_late(_raw_backend(arrays[0]), options[name]):
                        options[name] = constant_number(options[name])
                        continue
                    return _by_options(forward, rules, by, arrays, options, backend)
            return attach_pair(portable, arrays, options)

        _PAIRS[call] = portable
        return call

    return decorate


def constant_number(x: Any) -> Any:
    """Return an array without axes that nothing differentiates by without its Tensor."""
    constant = isinstance(x, TapeArray) and not getattr(x, "requires_grad", False)
    return x.array if constant and not x.array.ndim else x


def _raw_backend(x: Array) -> Backend | None:
    return backend_of_array(x.array if isinstance(x, TapeArray) else x)


def backend_reads_late(backend: Backend | None, x: Any) -> bool:
    """Say whether a kernel takes this array for a number, which it reads when it computes."""
    kernel = None if backend is None else backend.speed.elementwise_kernel
    unread, x = kernel is not None and kernel.counts_unread is not None, constant_number(x)
    return unread and not isinstance(x, TapeArray) and getattr(x, "ndim", 1) == 0


def are_numbers(options: Sequence[Any], beside: Array) -> bool:
    """Say whether options are numbers to the pairs of an array: Python's, None, or read late."""
    return all(
        isinstance(x, _NUMBERS) or backend_reads_late(_raw_backend(beside), x) for x in options
    )


_NUMBERS = (float, int, type(None))


def _by_options(
    forward: Callable[..., Any],
    rules: tuple[Callable[..., Any], ...],
    by: Mapping[str, Callable[..., Array] | None],
    arrays: tuple[Array, ...],
    options: Options,
    backend: Backend,
) -> Any:
    """Run a pair some of whose options are arrays: they join its arrays, each with its rule."""
    names = [name for name in by if not isinstance(options[name], _NUMBERS)]
    found = [by[name] for name in names]
    own_rules = [rule for rule in found if rule is not None]
    if len(own_rules) < len(names):
        return forward(*arrays, **options)
    first, *others = rules
    backward = _together(list(rules)) if others else first
    count = len(arrays)

    def joined(*given: Array, **rest: Any) -> Any:
        """Run forward; the last arrays are options."""
        return forward(*given[:count], **rest, **dict(zip(names, given[count:], strict=True)))

    def pulled(grad: Any, out: Any, *given: Array, **rest: Any) -> tuple[Array | None, ...]:
        """Return the gradients by the arrays, and by the options."""
        rest.update(zip(names, given[count:], strict=True))
        own = backward(grad, out, *given[:count], **rest)
        sizes = (rule(grad, out, *given[:count], **rest) for rule in own_rules)
        return (*own, *(total(one, xp=rest["xp"]) for one in sizes))

    held = {name: value for name, value in options.items() if name not in names}
    given = (*arrays, *(options[name] for name in names))
    return attach_gradient(Pair(joined, pulled), given, held, backend)


def _register(pair: Pair) -> None:
    """Keep a pair by its name; ValueError where another function's has it."""
    known = NAMED_PAIRS.get(pair.name, pair).forward
    own = pair.forward
    if (known.__module__, known.__qualname__) != (own.__module__, own.__qualname__):
        msg = f"the pairs of {known.__qualname__} and {own.__qualname__} are both {pair.name!r}"
        raise ValueError(msg)
    NAMED_PAIRS[pair.name] = pair


def _together(rules: list[Callable[..., Array]]) -> Callable[..., tuple[Array | None, ...]]:
    """Return one backward that calls the rule of each array that is given."""

    def backward(grad: Array, out: Array, *arrays: Array, **options: Any) -> tuple[Any, ...]:
        given = zip(rules, arrays, strict=True)
        return tuple(
            None if x is None else rule(grad, out, *arrays, **options) for rule, x in given
        )

    return backward


def entrywise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate ``f(*arrays, xp, **options)``, each entry of which depends on those at its place.

    All results have the shape to which the arrays broadcast, and all options are Python values:
    then a library may compute them part by part.
    """

    @wraps(function)
    def call(*arrays: Array, xp: Namespace, **options: Any) -> Any:
        run = backend_of(xp).speed.elementwise
        if run is None:
            return function(*arrays, xp=xp, **options)
        return run(function, arrays, {"xp": xp, **options})

    return call


def elementwise_call(
    function: Callable[..., Array],
    x: Array,
    *others: Array,
    names: tuple[str, ...] = ("x", "y"),
    widened: bool = True,
    **options: Any,
) -> Array:
    """Return ``function(x, *others, xp=xp, **options)`` of real floating arrays, called `names`.

    Several are broadcast and promoted to one dtype. Half dtypes are computed in float32, and the
    result is rounded once; not so where `widened` is False, for results that need no rounding.
    What a kernel takes needs no check.
    """
    made = None
    if not others or all(y is not None for y in others):
        made = by_kernel(function, (x, *others), options)
    if made is not None:
        return made
    if others:
        return _broadcast_call(function, (x, *others), names, options)
    xp = namespace_of_floating(x, names[0])
    if not widened:
        return function(computable(x, xp=xp), xp=xp, **options)
    return narrow(function(widen(x, xp=xp), xp=xp, **options), x.dtype, xp=xp)


def by_kernel(
    function: Callable[..., Any], arrays: tuple[Array, ...], options: Options, *, wide: bool = False
) -> Any:
    """Return a pair of arrays that a kernel takes as they are, unchecked; else None.

    The result has their dtype; of half dtypes float32 if it is to be `wide`.
    """
    pair = _PAIRS.get(function)
    if pair is None:
        return None
    found = _kernel_of(pair, arrays, options)
    if found is None:
        return None
    backend, kernel, raws = found
    if kernel.counts_unread is not None:
        options = {name: constant_number(x) for name, x in options.items()}
    if kernel.takes is None or not kernel.takes(pair, raws, options):
        return None
    return _attach_kernel(_served(pair, kernel, wide=wide), arrays, raws, options, backend)


def _kernel_of(pair: Pair, arrays: tuple[Any, ...], options: Options) -> Any:
    """Return backend and kernel of the first array's library, and the arrays without Tensors.

    None where there is none, or an option may be an array.
    """
    if not (pair.elementwise or pair.rows or pair.name):
        return None
    late = [
        x for x in options.values() if not (x is None or isinstance(x, float | int | str | tuple))
    ]
    raws = tuple([x.array if isinstance(x, TapeArray) else x for x in arrays])
    backend = backend_of_array(raws[0])
    if backend is None or not all(backend_reads_late(backend, x) for x in late):
        return None
    speed = backend.speed
    own = speed.elementwise_kernel if pair.elementwise else speed.row_kernel if pair.rows else None
    kernel = backend.speed.kernels.get(pair.name, own)
    return None if kernel is None else (backend, kernel, raws)


def _attach_kernel(
    pair: Pair, arrays: tuple[Any, ...], raws: tuple[Any, ...], options: Options, backend: Backend
) -> Any:
    """Run the kernel of a pair on the arrays, which are `raws` and Tensors of such."""
    for x, raw in zip(arrays, raws, strict=True):
        if x is not raw:
            own = {"xp": namespace_of_type(x), **options}
            return attach_gradient(pair, arrays, own)
    return attach_gradient(pair, arrays, {"xp": namespace_of_type(raws[0]), **options}, backend)


def _served(pair: Pair, kernel: Kernel, *, wide: bool = False) -> Pair:
    """Return the pair with the kernel that serves it: one for all calls."""
    key = pair.forward, kernel.run, wide
    found = _SERVED.get(key)
    if found is None:
        found = _SERVED[key] = pair._replace(kernel=kernel, wide=wide)
    return found


_SERVED: dict[Any, Pair] = {}


def _broadcast_call(
    function: Callable[..., Array],
    arrays: tuple[Array, ...],
    names: tuple[str, ...],
    options: Options,
) -> Array:
    """`elementwise_call` of several arrays."""
    named = dict(zip(names, arrays, strict=True))
    xp = namespace_of(**named)
    check_real_floating(xp, **named)
    check_broadcastable(**named)
    dtype = xp.result_type(*arrays)
    first, *others = broadcast_arrays(*arrays, xp=xp)
    first = widen(narrow(first, dtype, xp=xp), xp=xp)
    others = [narrow(x, first.dtype, xp=xp) for x in others]
    return narrow(function(first, *others, xp=xp, **options), dtype, xp=xp)


def attach_pair(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Run a pair the library's way, by a kernel where there is one."""
    backend = backend_of(options["xp"])
    found = kernel_for(pair, backend, arrays, options)
    chosen = pair if found is None else _served(pair, found)
    return attach_gradient(chosen, arrays, options, backend)


def register(function: Callable[..., Any], pair: Pair) -> None:
    """Let a function be served by the kernels of a pair."""
    _PAIRS[function] = pair


def made_by(function: Callable[..., Any], maker: Callable[..., Any], *args: Any) -> None:
    """Let other processes make a function as here: it is of what ``maker(*args)`` returns."""
    for one in (function, getattr(function, "__wrapped__", None)):
        if one is not None:
            setattr(one, "_made_by", (maker, *args))  # noqa: B010 - functions have no such name


def maker_of(function: Callable[..., Any]) -> tuple[Any, ...] | None:
    """Return what `made_by` said of a function."""
    found: tuple[Any, ...] | None = getattr(function, "_made_by", None)
    return found


def pair_of(function: Callable[..., Any]) -> Pair | None:
    """Return the pair that `with_gradient` made a function of."""
    return _PAIRS.get(function)


def attach_gradient(
    pair: Pair, arrays: tuple[Array, ...], options: Options, backend: Backend | None = None
) -> Any:
    """Run a pair the library's way; forward alone where the library does not differentiate."""
    own = (backend or backend_of(options["xp"])).autodiff.attach_gradient
    if own is not None:
        out = own(pair, arrays, options)
    elif pair.kernel is not None:
        out = pair.kernel.run(pair, arrays, options, ())[0]
    else:
        return pair.forward(*arrays, **options)
    if pair.kernel is not None and (note := noted()) is not None:
        note.served.append(Served(pair, arrays, options, out))
    return out


def differentiable_again(x: Array, *, xp: Namespace) -> Array:
    """Return `x`, by which a gradient of it can be differentiated even where that is constant.

    For formulas that are linear in pieces and no pairs, whose gradients have that by themselves.
    """
    own = backend_of(xp).autodiff.differentiable_again
    return x if own is None else own(x)


def stop_gradient(x: Array, *, xp: Namespace) -> Array:
    """Return `x` as a constant: no derivative of any order or direction passes through it."""
    own = backend_of(xp).autodiff.stop_gradient
    return x if own is None else own(x)
