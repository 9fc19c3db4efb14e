"""What a function may ask of an array library beyond the standard, and who answers.

::

    array -> namespace -> "torch" -> backends/torch.py: BACKEND -> attach_gradient, kernels, ...

A backend is a value: an instance of `Backend`. Every field has a portable default, so a
library nobody has written a file for works as well, only without its own fast paths.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from array_api_compat import array_namespace, device, is_lazy_array

import portable_losses
from portable_losses._typing import Array, Namespace, Options

__all__ = ["Backend", "Kernel", "Pair", "backend_of", "load_backend", "namespace_of_type"]

_ROOT = Path(__file__).resolve().parents[1]
if (_ROOT / "pyproject.toml").is_file():  # a checkout: backends/ lies beside this folder
    portable_losses.__path__.append(str(_ROOT))


class Pair(NamedTuple):
    """A function and its hand-written gradient, in the form of a rule of the tape.

    ``forward(*arrays, xp, **options)`` returns an array, or a tuple of arrays.
    ``backward(grad, out, *arrays, xp, **options)`` returns one gradient, or None, per array.

    Inputs and outputs are all that a library keeps between the two, so a backward that is
    written on `xp` differentiates again wherever the library differentiates.
    """

    forward: Callable[..., Any]
    backward: Callable[..., tuple[Array | None, ...]]


class Kernel(NamedTuple):
    """A fused `Pair` and the calls it may serve: ``accepts(*arrays, **options) -> bool``."""

    pair: Pair
    accepts: Callable[..., bool]


def forward_only(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Run the forward half: right for a library that does not differentiate."""
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
    match_layout : callable, (grad, x) -> array
        `grad` distributed as `x` is (chunks of a Dask array).
    python_scalars : bool
        Do `maximum` and `minimum` take a Python scalar, cheaply and under every trace?
    namespaces : mapping of type to namespace
        The library's array types, so that the namespace of an array is one look-up.
    special : mapping of str to callable
        The library's own special functions, where they are at least as accurate as ours.
    kernels : mapping of str to Kernel
        Fused pairs by the name of the private function that they replace.
    """

    name: str
    attach_gradient: Callable[[Pair, tuple[Array, ...], Options], Any] = forward_only
    stop_gradient: Callable[[Array], Array] = keep
    readable: Callable[[Array], bool] = in_host_memory
    device: Callable[[Array], Any] = device
    scatter_add: Callable[..., Array] = portable_scatter_add
    match_layout: Callable[[Array, Array], Array] = keep
    python_scalars: bool = False
    namespaces: Mapping[type, Namespace] = field(default_factory=dict[type, Any])
    special: Mapping[str, Callable[..., Array]] = field(default_factory=dict[str, Any])
    kernels: Mapping[str, Kernel] = field(default_factory=dict[str, Kernel])


def backend_of(xp: Namespace) -> Backend:
    """Return the backend of the library that `xp` belongs to."""
    own: Backend | None = getattr(xp, "__portable_losses_backend__", None)
    if own is not None:  # the tape
        return own
    name: str = xp.__name__  # "numpy", "array_api_compat.torch", "jax.numpy", ...
    return load_backend(name.rpartition("array_api_compat.")[2].partition(".")[0])


def namespace_of_type(x: Array) -> Namespace:
    """Return the Array API namespace of `x`; TypeError where `x` is no array."""
    return _NAMESPACES[type(x)] if _is_known(type(x)) else array_namespace(x)


def _is_known(kind: type) -> bool:
    if kind not in _NAMESPACES:
        ensure_loaded(kind.__module__.partition(".")[0])
    return kind in _NAMESPACES


# Plain dicts, filled by `ensure_loaded`: torch.compile warns about functools.cache.
_LOADED: dict[str, Backend] = {}
_NAMESPACES: dict[type, Namespace] = {}


def load_backend(name: str) -> Backend:
    """Return ``backends/<name>.py``'s ``BACKEND``, an entry point's, or the portable default."""
    if name not in _LOADED:
        ensure_loaded(name)
    return _LOADED[name]


def ensure_loaded(name: str) -> bool:
    """Load the backend `name` unless that is done, and return True."""
    if name not in _LOADED:
        found = _find_backend(name)
        _NAMESPACES.update(found.namespaces)
        _LOADED[name] = found
    return True


# torch.compile runs a function with this mark while it traces, instead of tracing it: imports
# cannot be traced, and the first call of a program may be a compiled one.
for _once in (ensure_loaded, _is_known):
    setattr(_once, "_dynamo_marked_constant", True)  # noqa: B010 - functions have no such name


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
