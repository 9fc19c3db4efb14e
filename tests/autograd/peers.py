"""Gradients of one function by the tape, by PyTorch and by JAX, in the same convention."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import array_api_compat
import numpy as np
import pytest

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import grad, namespace


class Sample(NamedTuple):
    """A function of the standard's functions, and the arrays to differentiate it by."""

    name: str
    function: Callable[..., Any]  # (xp, *arrays) -> array or tuple of arrays
    arrays: tuple[Any, ...]  # of NumPy
    peer: str = "torch"  # "jax.numpy", or "" for differences
    not_on: tuple[str, ...] = ()  # libraries that lack it, or have it otherwise

    def __str__(self) -> str:
        return self.name


def numbers(*shape: int, seed: int = 0, kind: str = "float64") -> Any:
    """Return numbers of both signs, from a seed."""
    dice = np.random.default_rng([seed, *shape])
    values = dice.normal(size=shape)
    return values + 1j * dice.normal(size=shape) if kind == "complex128" else values


def loss_of(outs: Any, xp: Namespace, make: Callable[[Any], Array]) -> Array:
    """Return a real number that depends on every part of every result."""
    total: Any = None
    for i, out in enumerate(outs if isinstance(outs, tuple) else (outs,)):
        if xp.isdtype(out.dtype, "complex floating"):
            weights = make(numbers(*out.shape, seed=40 + i, kind="complex128"))
            part = xp.sum(xp.real(out * weights))
        else:
            part = xp.sum(out * make(numbers(*out.shape, seed=40 + i)))
        total = part if total is None else total + part
    return total


def gradients_by_the_tape(sample: Sample, order: int, library: Any = np) -> list[Any]:
    xp = namespace(library)
    everyone = tuple(range(len(sample.arrays)))

    def loss(*xs: Any) -> Any:
        return loss_of(sample.function(xp, *xs), xp, library.asarray)

    slope = grad(loss, argnums=everyone)
    if order == 2:
        first = slope
        slope = grad(lambda *xs: loss_of(first(*xs), xp, library.asarray), argnums=everyone)
    if xp.library.name == "jax.numpy":
        slope = import_module("jax").jit(slope)  # one compilation, not one per operation
    return [np.asarray(g) for g in slope(*map(library.asarray, sample.arrays))]


def gradients_by_torch(sample: Sample, order: int) -> list[Any]:
    torch = pytest.importorskip("torch")
    xp = import_module("array_api_compat.torch")
    leaves = [torch.tensor(x, requires_grad=True) for x in sample.arrays]
    outs: Any = sample.function(xp, *leaves)
    for level in range(order):
        loss = loss_of(outs, xp, torch.asarray)
        if not loss.requires_grad:
            return [np.zeros_like(x) for x in sample.arrays]
        outs = torch.autograd.grad(
            loss, leaves, create_graph=level + 1 < order, allow_unused=True, materialize_grads=True
        )
    return [g.numpy(force=True) for g in outs]


def gradients_by_jax(sample: Sample, order: int) -> list[Any]:
    jax = pytest.importorskip("jax")
    xp = jax.numpy
    everyone = tuple(range(len(sample.arrays)))
    slope = jax.grad(
        lambda *xs: loss_of(sample.function(xp, *xs), xp, xp.asarray), argnums=everyone
    )
    if order == 2:
        first = slope
        slope = jax.grad(
            lambda *xs: loss_of(tuple(map(xp.conj, first(*xs))), xp, xp.asarray), argnums=everyone
        )
    found = jax.jit(slope)(*map(xp.asarray, sample.arrays))
    return [np.conj(np.asarray(g)) for g in found]  # JAX's convention is the conjugate one


def differences(sample: Sample, order: int) -> list[Any]:
    """Return central differences by every real and imaginary part, of the gradient for order 2."""
    xp = namespace(np)

    def loss(arrays: list[Any]) -> float:
        if order == 1:
            return float(loss_of(sample.function(xp, *arrays), xp, np.asarray))
        slopes = gradients_by_the_tape(sample._replace(arrays=tuple(arrays)), 1)
        return float(loss_of(tuple(slopes), array_api_compat.array_namespace(*slopes), np.asarray))

    found = []
    for k, x in enumerate(sample.arrays):
        slope = np.zeros_like(x)
        for place in np.ndindex(*x.shape):
            for unit in (1, 1j) if np.iscomplexobj(x) else (1,):
                ahead, behind = [[a.copy() for a in sample.arrays] for _ in range(2)]
                ahead[k][place] += unit * 1e-6
                behind[k][place] -= unit * 1e-6
                slope[place] += unit * (loss(ahead) - loss(behind)) / 2e-6
        found.append(slope)
    return found


PEERS = {"torch": gradients_by_torch, "jax.numpy": gradients_by_jax, "": differences}


def check_against_the_peer(sample: Sample, order: int) -> None:
    """Compare the tape's gradients over NumPy with the peer's."""
    ours = gradients_by_the_tape(sample, order)
    theirs = PEERS[sample.peer](sample, order)
    tolerance = 1e-10 if sample.peer else 1e-6
    for x, mine, other in zip(sample.arrays, ours, theirs, strict=True):
        assert (mine.shape, mine.dtype) == (x.shape, x.dtype)
        scale = max(1.0, float(np.max(np.abs(other), initial=0.0)))
        np.testing.assert_allclose(mine / scale, other / scale, rtol=0, atol=tolerance)


def check_over(name: str, sample: Sample, order: int = 2) -> None:
    """Compare the tape's gradients over a library with those over NumPy."""
    ours = gradients_by_the_tape(sample, order)
    theirs = gradients_by_the_tape(sample, order, import_module(name))
    for mine, other in zip(ours, theirs, strict=True):
        scale = max(1.0, float(np.max(np.abs(mine), initial=0.0)))
        np.testing.assert_allclose(other / scale, mine / scale, rtol=0, atol=1e-10)
