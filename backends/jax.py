"""JAX: gradients through ``jax.custom_jvp``, so that both modes and their mixtures work."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.dtypes import float0

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Pair, Speed
from portable_losses._typing import Array, Namespace, Options


def attach_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Make `pair` one differentiable operation of every order and both modes.

    JAX asks for the forward rule and transposes it for reverse mode; we have the backward rule,
    which is linear in its gradient, so its transpose is the forward rule. A ``custom_vjp`` would
    be shorter and would refuse `jax.jvp`.
    """

    @jax.custom_jvp  # type: ignore[untyped-decorator, unused-ignore]
    def attached(*xs: Array) -> Any:
        return pair.forward(*xs, **options)

    @attached.defjvp
    def push(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the result and its tangent: the transposed backward applied to the tangents."""
        out = attached(*primals)
        # A tangent that was given as a Python number is one here.
        tangents = tuple(jnp.asarray(t) if isinstance(t, float) else t for t in tangents)
        moving = [i for i, t in enumerate(tangents) if t is not None and t.dtype != float0]

        def back(grad: Any) -> tuple[Array, ...]:
            pulled = pair.backward(grad, out, *primals, **options)
            return tuple(
                jnp.zeros_like(primals[i]) if pulled[i] is None else pulled[i] for i in moving
            )

        transposed = jax.linear_transpose(back, out)
        (tangent,) = transposed(tuple(tangents[i] for i in moving))
        return out, tangent

    return attached(*arrays)


def readable(x: Array) -> bool:
    """Say whether `x` is a concrete array in host memory (a tracer has no values)."""
    if isinstance(x, Tracer):
        return False
    return all(d.platform == "cpu" for d in x.devices())


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function with NumPy arrays beside JAX's own made arrays of JAX."""
    return function(*map(_adopted, args), **{name: _adopted(x) for name, x in options.items()})


def _adopted(x: Any) -> Any:
    """Return a NumPy array as one of JAX's, anything else as it is."""
    return jnp.asarray(x) if type(x) is np.ndarray else x


def device(x: Array) -> None:
    """Return no device: JAX lays what is made without one beside the array that it meets.

    The array's own is its sharding, which fits its shape alone, and to name one device commits what
    is made, and results with it, to that device.
    """


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    return jnp.zeros(shape, dtype=values.dtype).at[key].add(values)


def assign(x: Array, key: Any, value: Any, *, xp: Namespace) -> Array:
    """`x` with `value` at `key`."""
    return x.at[key].set(jnp.asarray(value, dtype=x.dtype))


def scan(
    step: Callable[..., Array], start: Array, arrays: tuple[Array, ...], *, xp: Namespace
) -> Array:
    """`start`, and the state after each of the steps: one step is compiled, not all."""

    def once(state: Array, entries: tuple[Array, ...]) -> tuple[Array, Array]:
        state = step(state, *entries)
        return state, state

    states = jax.lax.scan(once, start, arrays)[1]
    return jnp.concatenate([start[None], states])


@jax.jit
def argmax(x: Array) -> Array:
    """Return the place of the first largest entry of each row, by two reductions.

    The pairs that ``jnp.argmax`` reduces are gathered from all devices where classes are sharded,
    and are reduced without vectors on a CPU.
    """
    x = jax.lax.stop_gradient(x)
    largest = jnp.max(x, axis=-1, keepdims=True)  # NaN, if there is one
    places = jnp.arange(x.shape[-1])
    found = jnp.where((x == largest) | (x != x), places, x.shape[-1])
    return jnp.min(found, axis=-1, keepdims=True)


@jax.custom_jvp
def negative_size(x: Array) -> Array:
    """``-|x|``, whose slope at 0 is that of the selection ``x >= 0``.

    As a selection, LLVM makes branches of it and of all later ones, in five times silu's time.
    """
    return -jnp.abs(x)


@negative_size.defjvp
def _push_size(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """Return the result, and the tangent with the sign of its side."""
    (x,), (tangent,) = primals, tangents
    return negative_size(x), jnp.where(x >= 0, -tangent, tangent)


def log1p_inside(x: Array) -> Array:
    """``log1p(x)`` above -1: XLA's of float64 is off by up to 120 ulp around -0.4."""
    if x.dtype != jnp.float64:
        return jnp.log1p(x)
    return jnp.where(x < -0.25, jnp.log(1 + x), jnp.log1p(x))


def expm1(x: Array) -> Array:
    """``expm1(x)`` within 2 ulp: XLA's is off by 4, of which a power makes twice as many."""
    near = jnp.clip(x, -0.5, 0.5)
    series = jnp.zeros_like(x)
    for n in range(15 if x.dtype == jnp.float64 else 9, 1, -1):
        series = series * near + 1 / math.factorial(n)
    return jnp.where(jnp.abs(x) <= 0.5, near + near * near * series, jnp.exp(x) - 1)


BACKEND = Backend(
    "jax",
    Autodiff(attach_gradient=attach_gradient, stop_gradient=jax.lax.stop_gradient),
    Arrays(readable=readable, device=device, call=call, python_scalars=True),
    Indexing(scatter_add=scatter_add, assign=assign, scan=scan, argmax=argmax),
    Speed(special={"expm1": expm1, "log1p_inside": log1p_inside, "negative_size": negative_size}),
)
