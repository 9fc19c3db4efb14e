"""What a function may ask of an array library beyond the standard, and who answers.

::

    array -> namespace -> "torch" -> backends/torch.py: BACKEND -> attach_gradient, kernels, ...

A backend is a value: an instance of `Backend`, whose fields come in four groups. A field that is
None has a portable way, written where the field is asked for: `_gradient.py` for `Autodiff`,
`_polyfill.py` for `Arrays`, `_indexing.py` for `Indexing`; what `Speed` lacks is computed by the
portable formula. So a library without a file works as well. ``backends/README.md`` is the contract.

This file is data and look-up; it imports nothing of the package but names for annotations.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import import_module
from os import path  # pathlib takes 10 ms to import
from typing import Any, NamedTuple, TypeVar

from array_api_compat import array_namespace

import portable_losses
from portable_losses._environment import kernels_are_off
from portable_losses._typing import Array, Namespace, Options

__all__ = [
    "Arrays",
    "Autodiff",
    "Backend",
    "Indexing",
    "Kernel",
    "Pair",
    "Speed",
    "backend_of",
    "backend_of_array",
    "listed_backend",
    "load_backend",
    "namespace_of_type",
    "refusal_of",
]

Function = TypeVar("Function", bound=Callable[..., Any])

_ROOT = path.dirname(path.dirname(path.realpath(__file__)))
if path.isfile(path.join(_ROOT, "pyproject.toml")):  # a checkout: backends/ lies beside this folder
    portable_losses.__path__.append(_ROOT)
    import_module("portable_losses.backends")  # its docstring; an error if it is missing
    portable_losses.__path__.remove(_ROOT)  # nothing else of the root becomes ours


class Pair(NamedTuple):
    """A function and its hand-written gradient, in the form of a rule of the tape.

    ``forward(*arrays, xp, **options)`` returns an array, or a tuple of arrays.
    ``backward(grad, out, *arrays, xp, **options)`` returns one gradient, or None, per array.
    ``rules``, where they are given, are its parts: each returns the gradient of one array.
    Inputs and outputs are all that a library keeps between the two, so a backward that is
    written on `xp` differentiates again wherever the library differentiates.
    ``kernel`` serves the call at hand: its result is that of forward, its gradient that of
    backward, which is still the one to differentiate again.
    ``elementwise``: each entry of a result depends on the entries at its place alone. ``name`` is
    the one under which `Speed.kernels` may have a kernel; "" has none. ``wide``: a kernel that is
    given half dtypes returns float32. ``summand``: the elementwise pair whose result this one adds
    up, and divides by its option `divisor`. ``masked``: its last arrays may be masks of bool.
    ``rows``: each row of a result (its entries along the last axis, or a number) depends on the
    rows at its place alone. ``derived``: backward is derived from forward (`_gradient.of_rows`).
    ``again(grad, *arrays, xp, **options)``: backward, for kernels where halves have been rounded.
    """

    forward: Callable[..., Any]
    backward: Callable[..., tuple[Array | None, ...]]
    rules: tuple[Callable[..., Array], ...] = ()
    kernel: "Kernel | None" = None
    elementwise: bool = False
    name: str = ""
    wide: bool = False
    summand: "Pair | None" = None
    masked: bool = False
    rows: bool = False
    derived: bool = False
    again: Callable[..., tuple[Array | None, ...]] | None = None


class Kernel(NamedTuple):
    """A faster way through a `Pair`, for raw arrays of one library.

    ``accepts(*arrays, xp, **options) -> bool`` is asked at every call without a plan.
    ``run(pair, arrays, options, wanted) -> (out, backward)`` gets the portable pair. `wanted` has
    the places of the arrays that need a gradient: at least those are what `backward` returns, which
    has the pair's signature and may keep what forward computed. Others: ``backends/README.md``.
    """

    accepts: Callable[..., bool]
    run: Callable[..., tuple[Any, Callable[..., Any]]]
    gradients: int = 1
    takes: Callable[..., bool] | None = None
    sums: Callable[..., bool] | None = None
    ready: Callable[..., Callable[[tuple[Array, ...]], Any] | None] | None = None
    counts_unread: Callable[..., Any] | None = None


def traced_as_constant(function: Function) -> Function:
    """Let torch.compile run `function` while it traces, instead of tracing it."""
    setattr(function, "_dynamo_marked_constant", True)  # noqa: B010 - functions have no such name
    return function


@dataclass(frozen=True)
class Autodiff:
    """How the library differentiates.

    Parameters
    ----------
    attach_gradient : callable, (pair, arrays, options) -> result, or None
        Run ``pair.forward`` so that the library differentiates it by ``pair.backward``. None: run
        it, which is right for a library that does not differentiate.
    stop_gradient : callable, (x) -> x, or None
        The same values, constant to every derivative. None: `x`.
    differentiable_again : callable, (x) -> x, or None
        The same values, whose gradient can be differentiated even where it is constant. None: `x`.
    pull_back : callable, (function, grad, arrays, options) -> gradients, or None
        The gradients of a function of rows that has none of its own. None: the tape's.
    repeat_gradient : callable, (pair, arrays, options) -> (arrays) -> result, or None
        What `attach_gradient` does with a pair and its kernel, for arrays of these kinds alone.
    differentiates : bool
        Does the library take derivatives of its own functions? Where it does not, a formula need
        not mind the slope of ``abs`` at 0.
    """

    attach_gradient: Callable[[Pair, tuple[Array, ...], Options], Any] | None = None
    stop_gradient: Callable[[Array], Array] | None = None
    differentiable_again: Callable[[Array], Array] | None = None
    pull_back: Callable[..., tuple[Any, ...]] | None = None
    repeat_gradient: Callable[[Pair, tuple[Array, ...], Options], Any] | None = None
    differentiates: bool = True


@dataclass(frozen=True)
class Arrays:
    """What the library's arrays are, where the standard cannot say it.

    Parameters
    ----------
    readable : callable, (x) -> bool, or None
        May the values of `x` be looked at for free, here and now? None: on a CPU, if it is eager.
    device : callable, (x) -> device, or None
        Where `x` lies. None: ``array_api_compat.device``.
    call : callable, (function, args, options, *, full_precision) -> result, or None
        Call a public function as the library calls its own: on arrays of one device, in mixed or
        `full_precision`, with NumPy arrays beside its own where it takes them. None: call it.
    concat : callable, (arrays, *, axis) -> array, or None
        ``xp.concat`` where the library's own fails under one of its transforms.
    one_like : callable, (x) -> array, or None
        1 in the dtype, of the kind and on the device of a single number. None: ``x**0``.
    is_view : callable, (made, x) -> bool, or None
        Does `made`, a reshaped `x`, share its memory? None: this cannot be told.
    match_layout : callable, (grad, x) -> array, or None
        `grad` distributed as `x` is (chunks of a Dask array). None: `grad`.
    quiet : callable, () -> context manager, or None
        Within it overflow and invalid operations neither warn nor raise. None: they never do.
    python_scalars : bool
        Do `maximum` and `minimum` take a Python scalar, cheaply and under every trace?
    gives_way : bool
        Does an operator of an array leave it to a Tensor of the tape on its right to answer?
    computed_in : mapping of dtype to dtype
        Integers that the library stores and does not compute with, and what takes their place.
    namespaces : mapping of type to namespace
        The library's array types, so that the namespace of an array is one look-up.
    refused : mapping of str to str
        By "package.class", subclasses whose meaning differs: why, and what to pass instead.
    elsewhere : mapping of str to str
        By "package.class", types of arrays that another backend serves: its name.
    """

    readable: Callable[[Array], bool] | None = None
    device: Callable[[Array], Any] | None = None
    call: Callable[..., Any] | None = None
    concat: Callable[..., Array] | None = None
    one_like: Callable[[Array], Array] | None = None
    is_view: Callable[[Array, Array], bool] | None = None
    match_layout: Callable[[Array, Array], Array] | None = None
    quiet: Callable[[], AbstractContextManager[Any]] | None = None
    python_scalars: bool = False
    gives_way: bool = True
    computed_in: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    namespaces: Mapping[type, Namespace] = field(default_factory=dict[type, Any])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Indexing:
    """Positions: what the standard has no function for, or the library no good one.

    Parameters
    ----------
    scatter_add : callable, (shape, key, values, *, xp) -> array, or None
        Zeros of `shape` with `values` added at `key`, duplicates accumulated.
    assign : callable, (x, key, value, *, xp) -> array, or None
        `x` with `value` at `key`, in new memory; of duplicates any one counts.
    gather : callable, (x, key) -> x[key], or None
        Indexing by several arrays of integers, where the library's own takes one.
    take_along_axis : callable, (x, indices, *, axis) -> array, or None
        ``xp.take_along_axis`` for indices in range, of shape `x` but for `axis`.
    argmax : callable, (x) -> array, or None
        ``xp.argmax`` along the last axis, which is kept.
    scan : callable, (step, start, arrays, *, xp) -> array, or None
        `start`, and each ``step(state before, *entries of the arrays' first axis)``, stacked.
    """

    scatter_add: Callable[..., Array] | None = None
    assign: Callable[..., Array] | None = None
    gather: Callable[[Array, Any], Array] | None = None
    take_along_axis: Callable[..., Array] | None = None
    argmax: Callable[[Array], Array] | None = None
    scan: Callable[..., Array] | None = None


@dataclass(frozen=True)
class Speed:
    """Quicker ways to the same numbers: without any of them, results differ by rounding at most.

    Parameters
    ----------
    reductions : mapping of str to callable, (x) -> 0-d array
        ``xp.sum`` and the like over all entries, where a quicker call has the same bits; by
        "extremes", the smallest and the largest entry from one pass.
    within : callable, (x, low, high) -> callable, (y) -> bool, or None
        A test of arrays like `x`: do all entries lie in [low, high]? NaN does not.
    sum_along : callable, (x, axis, keepdims) -> array, or None
        ``xp.sum`` over some axes, in a way that suits the library better than its own.
    spread : callable, (x, shape) -> array, or None
        ``xp.broadcast_to``, where the library's own takes longer than an operation.
    special : mapping of str to callable
        The library's own special functions, where they are at least as accurate as ours.
    elementwise : callable, (function, arrays, options) -> result, or None
        Run an `entrywise` function in parts.
    several : callable, (function, arrays, options, out, *, checked) -> results, or None
        Run an elementwise function with several results in one pass; into `out` where that can be.
        Of a `checked` one the last is a mask, in whose place is whether it is true anywhere.
    several_of_rows : callable, (function, arrays, options, out) -> results, or None
        The same of a function of rows: of logits and the arrays of a `Target`, then of others.
    elementwise_kernel : Kernel, or None
        Runs both halves of an elementwise pair in one pass.
    row_kernel : Kernel, or None
        The same of a pair of rows.
    kernels : mapping of str to Kernel
        Faster ways through a pair, by the name that `with_gradient` gave the pair.
    repeats : callable, () -> bool, or None
        May a call be repeated by a plan (`_plans.py`)? None: never.
    """

    reductions: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict[str, Any])
    within: Callable[[Array, float, float], Callable[[Array], bool] | None] | None = None
    sum_along: Callable[[Array, Any, bool], Array] | None = None
    spread: Callable[[Array, tuple[int, ...]], Array] | None = None
    special: Mapping[str, Callable[..., Array]] = field(default_factory=dict[str, Any])
    elementwise: Callable[[Callable[..., Any], tuple[Any, ...], Options], Any] | None = None
    several: Callable[..., Any] | None = None
    several_of_rows: Callable[..., Any] | None = None
    elementwise_kernel: Kernel | None = None
    row_kernel: Kernel | None = None
    kernels: Mapping[str, Kernel] = field(default_factory=dict[str, Kernel])
    repeats: Callable[[], bool] | None = None


@dataclass(frozen=True)
class Backend:
    """What one array library offers beyond the standard.

    Parameters
    ----------
    name : str
        First part of the name of the library's namespace.
    autodiff, arrays, indexing, speed
        What it answers; ``PORTABLE_LOSSES_KERNELS=off`` drops `speed`, and nothing else.
    """

    name: str
    autodiff: Autodiff = Autodiff()
    arrays: Arrays = Arrays()
    indexing: Indexing = Indexing()
    speed: Speed = Speed()


def kernel_for(
    pair: Pair, backend: "Backend", arrays: tuple[Array, ...], options: Options
) -> Kernel | None:
    """Return the kernel that `backend` has for this call, if any; one that is chosen stays."""
    if pair.kernel is not None:
        return pair.kernel
    speed = backend.speed
    own = speed.elementwise_kernel if pair.elementwise else speed.row_kernel if pair.rows else None
    found = speed.kernels.get(pair.name, own)
    return found if found is not None and found.accepts(*arrays, **options) else None


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
    outer, _, name = full.rpartition("array_api_compat.")
    made = outer and getattr(xp, "__spec__", xp) is None  # not imported: around another's arrays
    name = (outer if made else name).partition(".")[0]
    ensure_loaded(name)
    _LIBRARIES[full] = name
    return name


def namespace_of_type(x: Array) -> Namespace:
    """Return the Array API namespace of `x`; TypeError where `x` is no array."""
    kind = type(x)
    if _is_known(kind):
        return _NAMESPACES[kind]
    if kind in _HAS_NAMESPACE_METHOD:
        return x.__array_namespace__()
    found = array_namespace(x)
    why = refusal_of(kind)
    if why:
        raise TypeError(f"{kind.__name__} is refused: {why}")  # noqa: EM102
    if getattr(x, "__array_namespace__", None) and x.__array_namespace__() is found:
        _HAS_NAMESPACE_METHOD.add(kind)
    return found


def listed_backend(kind: type) -> Backend | None:
    """Return the backend that lists this type of array, None where there is none."""
    return _LOADED[_NAMES[kind]] if _is_known(kind) else None


def backend_of_array(x: Any) -> Backend | None:
    """Return the backend of the library of `x`; None where `x` is no array."""
    if (listed := listed_backend(type(x))) is not None:
        return listed
    try:
        return backend_of(namespace_of_type(x))
    except TypeError:
        return None


@traced_as_constant
def _is_known(kind: type) -> bool:
    """Say whether a backend lists this type of array; the type's library is loaded then."""
    if kind in _NAMESPACES:
        return True
    if kind in _HAS_NAMESPACE_METHOD:  # met before, and listed by no backend
        return False
    ensure_loaded(kind.__module__.partition(".")[0])
    if (other := _among(_ELSEWHERE, kind)) is not None:
        ensure_loaded(other)
    return kind in _NAMESPACES


def refusal_of(kind: type) -> str:
    """Return why arrays of this type are refused, and what to pass instead; "" if they are not."""
    return _among(_REFUSED, kind) or ""


def _among(found: Mapping[str, str], kind: type) -> str | None:
    """Return what is found by "package.class" of a type, or of one that it derives from."""
    names = [f"{k.__module__.partition('.')[0]}.{k.__name__}" for k in kind.__mro__]
    return next((found[name] for name in names if name in found), None)


# Plain dicts: torch.compile warns about functools.cache.
_LIBRARIES: dict[str, str] = {}  # of namespaces: asking one for what it has not takes 2 us
_LOADED: dict[str, Backend] = {}
_NAMESPACES: dict[type, Namespace] = {}
_NAMES: dict[type, str] = {}  # of the backends of the types in _NAMESPACES
_REFUSED: dict[str, str] = {}
_ELSEWHERE: dict[str, str] = {}
_HAS_NAMESPACE_METHOD: set[type] = set()  # other types: the method is quicker than array_namespace


def load_backend(name: str) -> Backend:
    """Return ``backends/<name>.py``'s ``BACKEND``, an entry point's, or the portable default."""
    ensure_loaded(name)
    return _LOADED[name]


@traced_as_constant  # imports cannot be traced, and a program's first call may be compiled
def ensure_loaded(name: str) -> bool:
    """Load the backend `name` unless that is done, and return True."""
    if name not in _LOADED:
        found = _find_backend(name)
        if kernels_are_off():
            found = replace(found, speed=Speed())
        _NAMESPACES.update(found.arrays.namespaces)
        _NAMES.update(dict.fromkeys(found.arrays.namespaces, name))
        _REFUSED.update(found.arrays.refused)
        _ELSEWHERE.update(found.arrays.elsewhere)
        _LOADED[name] = found
    return True


def _find_backend(name: str) -> Backend:
    """Return the backend of our own file, that of an entry point, or the portable default."""
    module = f"portable_losses.backends.{name}"
    try:
        return import_module(module).BACKEND  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if error.name != module:  # the file exists, what it imports does not
            raise
        from importlib.metadata import entry_points  # 20 ms, which most programs never need

        plugins = entry_points(group="portable_losses.backends", name=name)
        return next(iter(plugins)).load() if plugins else Backend(name)
