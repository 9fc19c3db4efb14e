"""How each array library makes the arrays of a call, calls, and differentiates by its own means."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from fuzzing.arrays import Given, Text, laid_out, substitute
from fuzzing.calls import Call
from portable_losses import autograd

__all__ = ["LIBRARIES", "Library", "load"]

Made = dict[str, Any]


class Library:
    """NumPy, and what others do in their own way."""

    name = "numpy"
    lazy = False  # values cannot be read
    few = False  # compiles for every shape, so that it is given few of them
    forms = True  # takes part where something else stands for an array
    flushes = False  # takes subnormal numbers for 0
    narrow = False  # has bfloat16

    def skips(self, call: Call) -> bool:
        """Say whether this library cannot make the arrays of the call."""
        return False

    def make(self, x: Given) -> Any:
        """Make an array."""
        if x.form != "array":
            return substitute(x)
        return laid_out(x.values.copy(), x.layout)

    def made(self, call: Call) -> Made:
        """Make every array of the call."""
        return {name: self.make(x) for name, x in call.given.items()}

    def numpy(self, x: Any) -> Any:
        """Bring a result to NumPy."""
        return x

    def state(self, x: Any) -> Any:
        """Return what of an argument must not change."""
        return (x.tobytes(), x.strides, x.shape) if isinstance(x, np.ndarray) else None

    def call(self, call: Call, made: Made) -> tuple[Any, ...]:
        """Call the function; the results are a tuple in any case."""
        return invoke(call, made)

    def differentiate(
        self, call: Call, made: Made, names: list[str]
    ) -> tuple[tuple[Any, ...], list[Any]]:
        """Return the results, and the gradients of their weighed sum."""
        kept: list[Any] = []
        f = scalar(call, made, names, kept, self.weights)
        grads = autograd.grad(f, argnums=tuple(range(len(names))))(*(made[n] for n in names))
        outs = tuple(getattr(out, "array", out) for out in kept)
        return outs, list(grads)

    def second(self, call: Call, made: Made, names: list[str]) -> list[Any]:
        """Return the gradients of the weighed sum of the gradients."""
        places = tuple(range(len(names)))
        first = autograd.grad(scalar(call, made, names, [], self.weights), argnums=places)

        def slope(*tracked: Any) -> Any:
            return sum(g.__array_namespace__().sum(g * self.weights(g)) for g in first(*tracked))

        return list(autograd.grad(slope, argnums=places)(*(made[n] for n in names)))

    def weights(self, out: Any) -> Any:
        """Return the weight of each entry of a result in the number that is differentiated."""
        return _weights(tuple(out.shape)).astype(out.dtype)

    def own(self, out: Any) -> bool:
        """Say whether this is an array of the library."""
        return isinstance(out, np.ndarray | np.generic)


class Tape(Library):
    """The tape over NumPy."""

    name = "tape"

    def call(self, call: Call, made: Made) -> tuple[Any, ...]:
        tracked = {n: autograd.tensor(made[n]) if call.given[n].floating else made[n] for n in made}
        return tuple(getattr(out, "array", out) for out in invoke(call, tracked))


class Strict(Library):
    """array-api-strict; every other call on a device that is not its default."""

    name = "strict"
    forms = False

    def __init__(self) -> None:
        self.xp = import_module("array_api_strict")
        self.cpu = self.device = self.xp.Device("CPU_DEVICE")
        self.other = self.xp.Device("device1")

    def skips(self, call: Call) -> bool:
        return any(x.dtype in ("float16", "bfloat16") for x in call.given.values())

    def made(self, call: Call) -> Made:
        self.device = (self.cpu, self.other)[call.seed % 2]
        self.lazy = self.device != self.cpu
        return super().made(call)

    def make(self, x: Given) -> Any:
        if x.form != "array":
            return substitute(x)
        values = (
            x.values.copy() if x.layout == "big-endian" else laid_out(x.values.copy(), x.layout)
        )
        return self.xp.asarray(values, device=self.device)

    def numpy(self, x: Any) -> Any:
        return np.asarray(x.to_device(self.cpu))

    def weights(self, out: Any) -> Any:
        return self.xp.asarray(_weights(tuple(out.shape)), dtype=out.dtype, device=self.device)

    def own(self, out: Any) -> bool:
        return type(out).__name__ == "Array" and out.device == self.device


class Torch(Library):
    """PyTorch on the CPU, with its own gradients."""

    name = "torch"
    narrow = True
    forms = False

    def __init__(self) -> None:
        self.torch = import_module("torch")
        self.torch.set_num_threads(1)

    def make(self, x: Given) -> Any:
        if x.form != "array":
            return substitute(x)
        torch, values = self.torch, x.values
        if x.layout == "F":
            made = torch.from_numpy(np.array(values, order="F"))
        elif x.layout == "strided" and values.ndim:
            made = torch.from_numpy(np.repeat(values, 2, axis=-1))[..., ::2]
        elif x.layout == "broadcast" and values.ndim:
            made = torch.from_numpy(values[:1].copy()).expand(values.shape)
        else:
            made = torch.from_numpy(values.copy())
        return made.to(torch.bfloat16) if x.dtype == "bfloat16" else made

    def state(self, x: Any) -> Any:
        return getattr(x, "_version", None)  # counts what was written to it

    def numpy(self, x: Any) -> Any:
        x = x.detach()
        return (x.float() if x.dtype is self.torch.bfloat16 else x).resolve_neg().numpy()

    def differentiate(
        self, call: Call, made: Made, names: list[str]
    ) -> tuple[tuple[Any, ...], list[Any]]:
        outs, grads, _ = self._differentiate(call, made, names)
        return outs, grads

    def second(self, call: Call, made: Made, names: list[str]) -> list[Any]:
        _, grads, wanted = self._differentiate(call, made, names, again=True)
        if not all(x.numel() for x in wanted):
            return [self.torch.zeros_like(x) for x in wanted]
        total = sum((grad * self.weights(grad)).sum() for grad in grads)
        # raises where none of the gradients depends on anything, which torch's own do
        return list(self.torch.autograd.grad(total, wanted, materialize_grads=True))

    def _differentiate(
        self, call: Call, made: Made, names: list[str], *, again: bool = False
    ) -> tuple[tuple[Any, ...], list[Any], list[Any]]:
        """Return the results, their gradients, and what these are by."""
        leaves = dict(made)
        for name in names:
            leaves[name] = made[name].detach().requires_grad_()
        outs, wanted = invoke(call, leaves), [leaves[n] for n in names]
        return outs, self._gradients(outs, wanted, create_graph=again), wanted

    def _gradients(self, outs: Sequence[Any], wanted: list[Any], **options: Any) -> list[Any]:
        """Return the gradients of the weighed sum of `outs`; zeros where it is constant."""
        total: Any = 0
        for out in outs:
            total = total + (out * self.weights(out)).sum()
        if not total.requires_grad and options:
            return [self.torch.zeros_like(x) for x in wanted]
        return list(self.torch.autograd.grad(total, wanted, materialize_grads=True, **options))

    def weights(self, out: Any) -> Any:
        return self.torch.from_numpy(_weights(tuple(out.shape))).to(out.dtype)

    def own(self, out: Any) -> bool:
        return isinstance(out, self.torch.Tensor)


class Jax(Library):
    """JAX, eager, with its own gradients."""

    name = "jax"
    narrow = True
    few = True
    forms = False
    flushes = True

    def __init__(self) -> None:
        # Each operation compiles at its first use; without the long passes that takes half as long.
        quick = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        os.environ.setdefault("XLA_FLAGS", quick)
        self.jax = import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.jnp = import_module("jax.numpy")

    def make(self, x: Given) -> Any:
        if x.form != "array":
            return substitute(x)
        return self.jnp.asarray(x.values, dtype=x.dtype)

    def numpy(self, x: Any) -> Any:
        return np.asarray(x.astype("float32") if str(x.dtype) == "bfloat16" else x)

    def differentiate(
        self, call: Call, made: Made, names: list[str]
    ) -> tuple[tuple[Any, ...], list[Any]]:
        def f(*tracked: Any) -> Any:
            kept: list[Any] = []
            return scalar(call, made, names, kept, self.weights)(*tracked), tuple(kept)

        places = tuple(range(len(names)))
        grads, outs = self.jax.grad(f, argnums=places, has_aux=True)(*(made[n] for n in names))
        return outs, list(grads)

    def weights(self, out: Any) -> Any:
        return self.jnp.asarray(_weights(tuple(out.shape)), dtype=out.dtype)

    def own(self, out: Any) -> bool:
        return isinstance(out, self.jax.Array)


class Dask(Library):
    """Dask arrays in several chunks, computed by the synchronous scheduler; the tape over them."""

    name = "dask"
    lazy = True
    few = True
    forms = False

    def __init__(self) -> None:
        self.da = import_module("dask.array")

    def skips(self, call: Call) -> bool:
        return any(x.dtype == "bfloat16" for x in call.given.values())

    def make(self, x: Given) -> Any:
        if x.form != "array":
            return substitute(x)
        chunks = tuple(max(1, (n + 1) // 2) for n in x.values.shape)
        return self.da.from_array(x.values.copy(), chunks=chunks)

    def numpy(self, x: Any) -> Any:
        return np.asarray(x.compute(scheduler="synchronous"))

    def weights(self, out: Any) -> Any:
        x = _weights(tuple(out.shape)).astype(out.dtype)
        return self.da.from_array(x, chunks=getattr(out, "array", out).chunks)

    def own(self, out: Any) -> bool:
        return isinstance(out, self.da.Array)


def invoke(call: Call, made: Made) -> tuple[Any, ...]:
    """Call the function with these arrays; the results are a tuple in any case."""
    arguments: list[Any] = [made[n] for n in call.arrays]
    named: dict[str, Any] = {}
    for name, value in call.options.items():
        if isinstance(value, Given):
            value = made[name]
        elif isinstance(value, Text):
            value = value.value
        if name in ("num_classes", "lmbda"):
            arguments.append(value)
        else:
            named[name] = value
    out = call.entry.function(*arguments, **named)
    return out if isinstance(out, tuple) else (out,)


def scalar(
    call: Call, made: Made, names: list[str], kept: list[Any], weights: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Return the number that is differentiated, as a function of the arrays `names`."""

    def f(*tracked: Any) -> Any:
        outs = invoke(call, {**made, **dict(zip(names, tracked, strict=True))})
        kept[:] = outs
        total: Any = 0
        with np.errstate(all="ignore"):  # what a sum of ours does is no finding
            for out in outs:
                xp = out.__array_namespace__()
                total = xp.sum(out * weights(out)) + total
        return total

    return f


def _weights(shape: tuple[int, ...]) -> Any:
    """Return eighths, exact in every dtype; 1 for a number."""
    if not shape:
        return np.asarray(1.0)
    count = int(np.prod(shape))
    return ((np.arange(count) * 5 % 8 + 1) / 8).reshape(shape)


LIBRARIES: dict[str, Callable[[], Library]] = {
    "numpy": Library,
    "tape": Tape,
    "torch": Torch,
    "strict": Strict,
    "jax": Jax,
    "dask": Dask,
}
_LOADED: dict[str, Library] = {}


def load(name: str) -> Library:
    """Return the library of that name, imported at its first use."""
    if name not in _LOADED:
        _LOADED[name] = LIBRARIES[name]()
    return _LOADED[name]
