"""What a function may ask of an array library beyond the standard, and who answers.

::

    array -> namespace -> "torch" -> backends/torch.py: BACKEND -> attach_gradient, kernels, ...

A backend is a value: an instance of `Backend`. Every field has a portable default, so a
library nobody has written a file for works as well, only without its own fast paths.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from os import path  # pathlib takes 10 ms to import
from typing import Any, NamedTuple, TypeVar

from array_api_compat import array_namespace, device, is_lazy_array

import portable_losses
from portable_losses._typing import Array, Namespace, Options

__all__ = ["Backend", "Kernel", "Pair", "backend_of", "load_backend", "namespace_of_type"]

Function = TypeVar("Function", bound=Callable[..., Any])

_ROOT = path.dirname(path.dirname(path.realpath(__file__)))
if path.isfile(path.join(_ROOT, "pyproject.toml")):  # a checkout: backends/ lies beside this folder
    portable_losses.__path__.append(_ROOT)


class Pair(NamedTuple):
    """A function and its hand-written gradient, in the form of a rule of the tape.

    ``forward(*arrays, xp, **options)`` returns an array, or a tuple of arrays.
    ``backward(grad, out, *arrays, xp, **options)`` returns one gradient, or None, per array.
    ``rules``, where they are given, are its parts: each returns the gradient of one array.

    Inputs and outputs are all that a library keeps between the two, so a backward that is
    written on `xp` differentiates again wherever the library differentiates.

    ``kernel`` serves the call at hand: its result is that of forward, its gradient that of
    backward, which is still the one to differentiate again.

    ``elementwise``: each entry of a result depends on the entries at its place alone.
    """

    forward: Callable[..., Any]
    backward: Callable[..., tuple[Array | None, ...]]
    rules: tuple[Callable[..., Array], ...] = ()
    kernel: "Kernel | None" = None
    elementwise: bool = False


class Kernel(NamedTuple):
    """A faster way through a `Pair`, for raw arrays of one library.

    ``accepts(*arrays, xp, **options) -> bool`` is asked at every call.
    ``run(pair, arrays, options, wanted) -> (out, backward)`` gets the portable pair. `wanted` has
    the places of the arrays whose gradients somebody will ask for. If there are any, `backward`
    has the signature of the pair's, returns at least those, and may keep what the forward computed.
    ``gradients``: of how many arrays, from the first, `backward` returns the gradient.
    """

    accepts: Callable[..., bool]
    run: Callable[
        [Pair, tuple[Array, ...], Options, tuple[int, ...]], tuple[Any, Callable[..., Any]]
    ]
    gradients: int = 1


def kernel_for(
    pair: Pair, backend: "Backend", arrays: tuple[Array, ...], options: Options
) -> Kernel | None:
    """Return the kernel that `backend` has for this call, if any."""
    found = backend.kernels.get(pair.forward.__name__)
    if found is None and pair.elementwise:
        found = backend.elementwise_kernel
    if found is None or not found.accepts(*arrays, **options):
        return None
    return found


def traced_as_constant(function: Function) -> Function:
    """Let torch.compile run `function` while it traces, instead of tracing it."""
    setattr(function, "_dynamo_marked_constant", True)  # noqa: B010 - functions have no such name
    return function


def forward_only(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Run the forward half: right for a library that does not differentiate."""
    if pair.kernel is not None:
        return pair.kernel.run(pair, arrays, options, ())[0]
    return pair.forward(*arrays, **options)


def keep(x: Array, *_: Array) -> Array:
    """Return `x`."""
    return x


def in_host_memory(x: Array) -> bool:
    """Say whether looking at the values of `x` is free: an eager array on a CPU."""
    # The device first: is_lazy_array asks an array of an unknown library for a value.
    return "cpu" in str(device(x)).lower() and not is_lazy_array(x)


def portable_scatter_add(
    shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace
) -> Array:
    """Zeros of `shape` with `values` added at `key`; what meets in one place is summed."""
    from portable_losses.autograd.scatter import scatter_add

    return scatter_add(shape, key, values, xp=xp)


def portable_assign(x: Array, key: Any, value: Any, *, xp: Namespace) -> Array:
    """Return `x` with `value` at `key`, in new memory."""
    copied = xp.astype(x, x.dtype, copy=True)
    copied[key] = value
    return copied


def portable_scan(
    step: Callable[..., Array], start: Array, arrays: tuple[Array, ...], *, xp: Namespace
) -> Array:
    """`start`, and the state after each of the steps, one for every entry of `arrays`."""
    states = [start]
    for i in range(arrays[0].shape[0]):
        states.append(step(states[-1], *(a[i, ...] for a in arrays)))
    return xp.stack(states)


@dataclass(frozen=True)
class Backend:
    """What one array library offers beyond the standard.

    Parameters
    ----------
    name : str
        First part of the name of the library's namespace.
    attach_gradient : callable, (pair, arrays, options) -> result
        Run ``pair.forward`` so that the library differentiates it by ``pair.backward``.
    stop_gradient : callable, (x) -> x
        The same values, constant to every derivative.
    readable : callable, (x) -> bool
        May the values of `x` be looked at for free, here and now?
    device : callable, (x) -> device
        Where `x` lies.
    scatter_add : callable, (shape, key, values, *, xp) -> array
        Zeros of `shape` with `values` added at `key`, duplicates accumulated.
    assign : callable, (x, key, value, *, xp) -> array
        `x` with `value` at `key`, in new memory; of duplicates any one counts.
    gather : callable, (x, key) -> x[key], or None
        Indexing by several arrays of integers, where the library's own takes one.
    scan : callable, (step, start, arrays, *, xp) -> array
        `start`, and each ``step(state before, *entries of the arrays' first axis)``, stacked.
    concat : callable, (arrays, *, axis) -> array, or None
        ``xp.concat`` where the library's own fails under one of its transforms.
    reductions : mapping of str to callable, (x) -> 0-d array
        ``xp.sum`` and the like over all entries, where a quicker call has the same bits.
    spread : callable, (x, shape) -> array, or None
        ``xp.broadcast_to`` of a 0-d array, where the library's own takes longer than an operation.
    is_view : callable, (made, x) -> bool, or None
        Does `made`, a reshaped `x`, share its memory? None where nobody can say.
    match_layout : callable, (grad, x) -> array
        `grad` distributed as `x` is (chunks of a Dask array).
    elementwise : callable, (function, arrays, options) -> result, or None
        Run an `entrywise` function in parts. None: as it stands.
    elementwise_kernel : Kernel, or None
        Runs both halves of an elementwise pair in one pass.
    differentiates : bool
        Does the library take derivatives of its own functions? Where it does not, a formula need
        not mind the slope of ``abs`` at 0.
    rarely : callable, (condition) -> condition
        The same, told that it hardly ever holds: a kernel may look for entries where it does.
    python_scalars : bool
        Do `maximum` and `minimum` take a Python scalar, cheaply and under every trace?
    namespaces : mapping of type to namespace
        The library's array types, so that the namespace of an array is one look-up.
    special : mapping of str to callable
        The library's own special functions, where they are at least as accurate as ours.
    kernels : mapping of str to Kernel
        Faster ways through a pair, by the name of its private function.
    """

    name: str
    attach_gradient: Callable[[Pair, tuple[Array, ...], Options], Any] = forward_only
    stop_gradient: Callable[[Array], Array] = keep
    readable: Callable[[Array], bool] = in_host_memory
    device: Callable[[Array], Any] = device
    scatter_add: Callable[..., Array] = portable_scatter_add
    assign: Callable[..., Array] = portable_assign
    gather: Callable[[Array, Any], Array] | None = None
    scan: Callable[..., Array] = portable_scan
    concat: Callable[..., Array] | None = None
    reductions: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict[str, Any])
    spread: Callable[[Array, tuple[int, ...]], Array] | None = None
    is_view: Callable[[Array, Array], bool] | None = None
    match_layout: Callable[[Array, Array], Array] = keep
    elementwise: Callable[[Callable[..., Any], tuple[Any, ...], Options], Any] | None = None
    elementwise_kernel: Kernel | None = None
    rarely: Callable[[Array], Array] = keep
    differentiates: bool = True
    python_scalars: bool = False
    namespaces: Mapping[type, Namespace] = field(default_factory=dict[type, Any])
    special: Mapping[str, Callable[..., Array]] = field(default_factory=dict[str, Any])
    kernels: Mapping[str, Kernel] = field(default_factory=dict[str, Kernel])


def backend_of(xp: Namespace) -> Backend:
    """Return the backend of the library that `xp` belongs to."""
    found = _LOADED.get(_LIBRARIES.get(xp.__name__, ""))
    if found is not None:
        return found
    carried: Backend | None = getattr(xp, "__portable_losses_backend__", None)
    return load_backend(_library_of(xp)) if carried is None else carried


@traced_as_constant
def _library_of(xp: Namespace) -> str:
    """Return the name of the library of `xp`, whose backend is loaded then."""
    full: str = xp.__name__  # "numpy", "array_api_compat.torch", "jax.numpy", ...
    name = full.rpartition("array_api_compat.")[2].partition(".")[0]
    ensure_loaded(name)
    _LIBRARIES[full] = name
    return name


def namespace_of_type(x: Array) -> Namespace:
    """Return the Array API namespace of `x`; TypeError where `x` is no array."""
    kind = type(x)
    if _is_known(kind):
        return _NAMESPACES[kind]
    if kind in _ANSWERING:
        return x.__array_namespace__()
    found = array_namespace(x)
    if getattr(x, "__array_namespace__", None) and x.__array_namespace__() is found:
        _ANSWERING.add(kind)
    return found


@traced_as_constant
def _is_known(kind: type) -> bool:
    if kind not in _NAMESPACES:
        ensure_loaded(kind.__module__.partition(".")[0])
    return kind in _NAMESPACES


# Plain dicts: torch.compile warns about functools.cache.
_LIBRARIES: dict[str, str] = {}  # of namespaces: asking one for what it has not takes 2 us
_LOADED: dict[str, Backend] = {}
_NAMESPACES: dict[type, Namespace] = {}
_ANSWERING: set[type] = set()  # other types, whose arrays are quicker to ask than array_api_compat


def load_backend(name: str) -> Backend:
    """Return ``backends/<name>.py``'s ``BACKEND``, an entry point's, or the portable default."""
    if name not in _LOADED:
        ensure_loaded(name)
    return _LOADED[name]


@traced_as_constant  # imports cannot be traced, and a program's first call may be compiled
def ensure_loaded(name: str) -> bool:
    """Load the backend `name` unless that is done, and return True."""
    if name not in _LOADED:
        found = _find_backend(name)
        _NAMESPACES.update(found.namespaces)
        _LOADED[name] = found
    return True


def _find_backend(name: str) -> Backend:
    module = f"portable_losses.backends.{name}"
    try:
        found: Backend = import_module(module).BACKEND
    except ModuleNotFoundError as error:
        if error.name != module:  # the file exists, what it imports does not
            raise
        from importlib.metadata import entry_points  # 20 ms, which most programs never need

        plugins = entry_points(group="portable_losses.backends", name=name)
        found = next(iter(plugins)).load() if plugins else Backend(name)
    return found
