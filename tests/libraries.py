"""The array libraries that the tests run over, and how a test talks to each of them.

A `Library` makes arrays from NumPy's, gives them back, and differentiates a function of them: by
its own means where it has any, by the tape otherwise (and always by the tape for ``on_tape()``).
"""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import array_api_compat
import numpy as np

from portable_losses import activations, autograd, losses, special
from portable_losses._typing import Array, Namespace

__all__ = [
    "EVERYWHERE",
    "EVERY_ROW",
    "GPU",
    "INSTALLED",
    "LIBRARIES",
    "ON_TAPE",
    "PUBLIC",
    "SLOW",
    "VERSIONS",
    "Library",
    "named",
]

Gradient = Callable[..., tuple[Array, ...]]

PUBLIC = sorted([*activations.__all__, *losses.__all__, *special.__all__])  # the functions
SLOW = ("jax.numpy", "dask.array")  # seconds to compile, or to build a graph
GPU = os.environ.get("PORTABLE_LOSSES_GPU") == "1"
EVERY_ROW = os.environ.get("PORTABLE_LOSSES_ROWS") == "all"  # make test-all


def _torch_gradient(f: Callable[..., Array], argnums: Sequence[int]) -> Gradient:
    """``jax.grad`` for torch's own backward; it nests."""
    import torch

    def gradient(*arrays: Array) -> tuple[Array, ...]:
        leaves = list(arrays)
        for i in argnums:
            if not leaves[i].requires_grad:
                leaves[i] = leaves[i].detach().requires_grad_()
        out, wanted = f(*leaves), [leaves[i] for i in argnums]
        if not out.requires_grad:  # a derivative that is constant, differentiated again
            return tuple(map(torch.zeros_like, wanted))
        grads: tuple[Array, ...] = torch.autograd.grad(
            out, wanted, create_graph=True, materialize_grads=True
        )
        return grads

    return gradient


def _jax_gradient(f: Callable[..., Array], argnums: Sequence[int]) -> Gradient:
    import jax

    gradient: Gradient = jax.grad(f, argnums=tuple(argnums))
    return gradient


def _quickly(f: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `f` with JAX, without the passes that take long (eager, each operation compiles)."""
    import jax

    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    compiled: Callable[..., Any] = jax.jit(f, compiler_options=quick)
    return compiled


def _tape_gradient(f: Callable[..., Array], argnums: Sequence[int]) -> Gradient:
    return autograd.grad(f, argnums=tuple(argnums))


_OWN_GRADIENTS = {"torch": _torch_gradient, "jax.numpy": _jax_gradient}


@dataclass(frozen=True)
class Library:
    """One array library, on one device, under one set of conditions.

    Parameters
    ----------
    name : str
        What pytest shows.
    module : str
        What is imported.
    device : str, optional
        Where arrays are made; by default the library's default.
    read_only : bool
        NumPy only: writing to an array raises.
    flags : mapping
        array-api-strict only.
    tape : bool
        Differentiate by our tape, not by the library's own means.
    """

    name: str
    module: str
    device: str | None = None
    read_only: bool = False
    flags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tape: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def package(self) -> str:
        """What is installed."""
        return self.module.rpartition("tests.")[2].partition(".")[0]

    @cached_property
    def xp(self) -> Namespace:
        """The namespace of the library's arrays, as array_api_compat sees it."""
        return array_api_compat.array_namespace(import_module(self.module).empty(0))

    @property
    def readable(self) -> bool:
        """May values be looked at for free?"""
        return self.device is None and self.module not in ("dask.array", "tests.double", "cupy")

    @contextmanager
    def active(self) -> Generator[None, None, None]:
        """Set what `flags` says for the time of a test."""
        if not self.flags:
            yield
            return
        with import_module(self.module).ArrayAPIStrictFlags(**self.flags):
            yield

    def on_tape(self) -> "Library":
        """The same library, differentiated by our tape."""
        return replace(self, name=f"tape over {self.name}", tape=True)

    def array(self, values: Any, dtype: str | None = None) -> Array:
        """Make an array; `dtype` is that of floating values, others keep theirs."""
        values = np.asarray(values)
        kind = str(values.dtype)
        if values.dtype.kind == "f" and dtype is not None:
            kind = dtype
        if self.module == "dask.array":  # in parts along the last axis, the classes'
            chunks = (*values.shape[:-1], 2)[: values.ndim]
            return import_module(self.module).from_array(values.astype(kind), chunks=chunks)
        xp = self.xp
        x = xp.asarray(values.ravel().tolist(), dtype=getattr(xp, kind), device=self._device())
        x = xp.reshape(x, values.shape)
        if self.read_only:
            x.flags.writeable = False
        return x

    def _device(self) -> Any:
        if self.module == "array_api_strict" and self.device is not None:
            return import_module(self.module).Device(self.device)
        return self.device

    def numpy(self, x: Array) -> Any:
        """Bring a result to NumPy; float16 and bfloat16 become float32."""
        if isinstance(x, autograd.Tensor):
            x = x.array
        if self.module == "torch":
            x = x.detach().cpu().resolve_conj()
            return (x.float() if x.dtype.itemsize < 4 and x.is_floating_point() else x).numpy()
        if self.module == "array_api_strict":
            x = array_api_compat.to_device(x, import_module(self.module).Device("CPU_DEVICE"))
        if self.module == "tests.double":
            return x.revealed
        if self.module == "cupy":
            return x.get()
        if self.module == "dask.array":
            return np.asarray(x.compute(scheduler="synchronous"))
        if self.module == "jax.numpy" and str(x.dtype) in ("float16", "bfloat16"):
            x = x.astype("float32")
        return np.asarray(x)

    def gradient(self, f: Callable[..., Array], argnums: Sequence[int]) -> Gradient:
        """Return the function that computes the gradients of the scalar `f`."""
        own = None if self.tape else _OWN_GRADIENTS.get(self.module)
        return (own or _tape_gradient)(f, argnums)

    def quickly(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `f`, compiled where that is quicker than one call."""
        return _quickly(f) if self.module == "jax.numpy" else f


def named(name: str) -> Library:
    """Return one of the libraries."""
    return next(one for one in EVERYWHERE if one.name == name)


_KNOWN = [
    Library("numpy", "numpy"),
    Library("numpy, read-only", "numpy", read_only=True),
    Library("array_api_strict", "array_api_strict"),
    Library(
        "array_api_strict, restricted",
        "array_api_strict",
        flags={"boolean_indexing": False, "data_dependent_shapes": False},
    ),
    Library("array_api_strict, device1", "array_api_strict", device="device1"),
    Library("torch", "torch"),
    Library("jax", "jax.numpy"),
    Library("dask", "dask.array"),
    Library("double", "tests.double"),
]
INSTALLED = {one.module: find_spec(one.module.partition(".")[0]) is not None for one in _KNOWN}

#: every library that is installed, as it is used
LIBRARIES = [one for one in _KNOWN if INSTALLED[one.module]]
if GPU:  # asked for: without a card these fail
    LIBRARIES.extend([Library("cupy", "cupy"), Library("torch, cuda", "torch", device="cuda")])

#: the years of the standard
VERSIONS = [
    Library(f"array_api_strict, {year}", "array_api_strict", flags={"api_version": year})
    for year in ("2022.12", "2023.12", "2024.12", "2025.12")
    if INSTALLED["array_api_strict"]
]
#: the libraries that differentiate by themselves, under our tape
ON_TAPE = [one.on_tape() for one in LIBRARIES if one.module in _OWN_GRADIENTS]
EVERYWHERE = [*LIBRARIES, *VERSIONS, *ON_TAPE]
