"""The array libraries that the examples train on, and how to get data in and out of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from portable_losses import nn


@dataclass(frozen=True)
class Library:
    """An array library on one device.

    Parameters
    ----------
    name : str
        What tables show.
    xp : namespace
        Its Array API namespace.
    device : optional
        Where arrays are made; by default the library's default.
    session : callable
        Returns the context that a run needs.
    computed : callable
        Computes lazy arrays, all at once, and returns them: a graph must not grow from one step
        of a training to the next.
    """

    name: str
    xp: Any
    device: Any = None
    session: Callable[[], AbstractContextManager[Any]] = nullcontext
    computed: Callable[..., Sequence[Any]] = lambda *arrays: arrays

    def array(self, values: Any) -> Any:
        """Make an array of NumPy's."""
        return self.xp.asarray(values, device=self.device)

    def where(self) -> str:
        """Name the device that arrays are on."""
        name = str(device(self.array(np.zeros(1)))).lower()
        return "cpu" if "cpu" in name else name.strip("<>")

    def settle(self, module: nn.Module) -> None:
        """Compute the parameters now, if the library has put it off."""
        parameters = list(module.parameters())
        arrays = self.computed(*(parameter.array for parameter in parameters))
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.array = array


def as_numpy(x: Any) -> Any:
    """Bring an array to NumPy, from a GPU as well, or out of a Tensor."""
    x = getattr(x, "array", x)
    if hasattr(x, "get"):  # CuPy
        return x.get()
    return np.asarray(x.cpu() if hasattr(x, "cpu") else x)


def installed() -> list[Library]:
    """Return every library that can be used here, NumPy first."""
    return list(_found([_numpy, _torch, _jax, _dask, _strict, _torch_cuda, _cupy]))


def _found(makers: Iterable[Callable[[], Library | None]]) -> Iterator[Library]:
    for make in makers:
        try:
            library = make()
        except ModuleNotFoundError:  # not installed: the others go on
            continue
        if library is not None:
            yield library


def _namespace(module: str) -> Any:
    return array_namespace(import_module(module).empty(0))


def _numpy() -> Library:
    return Library("numpy", _namespace("numpy"))


def _torch() -> Library:
    return Library("torch", _namespace("torch"), "cpu")


def _torch_cuda() -> Library | None:
    cards = import_module("torch").cuda.is_available()
    return Library("torch", _namespace("torch"), "cuda") if cards else None


def _jax() -> Library:
    import_module("jax").config.update("jax_enable_x64", True)  # it has no float64 otherwise
    return Library("jax", _namespace("jax.numpy"))


def _dask() -> Library:
    dask = import_module("dask")

    def one_thread() -> AbstractContextManager[Any]:
        # Threads gain nothing on small arrays.
        context: AbstractContextManager[Any] = dask.config.set(scheduler="synchronous")
        return context

    xp = _namespace("dask.array")
    return Library("dask", xp, session=one_thread, computed=dask.persist)


def _strict() -> Library:
    return Library("array_api_strict", _namespace("array_api_strict"))


def _cupy() -> Library | None:
    cupy = import_module("cupy")
    try:
        cards = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        return None
    return Library("cupy", _namespace("cupy")) if cards else None
