"""Functions of arrays for the tape's tests, each over what one file of rules covers.

Every case is smooth at its arguments, so that differences are derivatives, and uses only what
array-api-strict allows, so that it runs on every library.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from portable_losses._typing import Array, Namespace

LIBRARIES = [
    name
    for name in ("numpy", "array_api_strict", "torch", "jax.numpy", "dask.array")
    if find_spec(name.partition(".")[0])
]

A = [[0.3, 0.9, 1.7], [0.65, 0.2, -0.8]]
B = [[-0.4], [1.3]]
POSITIVE = [[0.4, 1.2, 2.5], [0.7, 3.1, 0.15]]
WITH_ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]]
BATCH = [[[0.1, -0.2], [0.5, 1.1]], [[1.4, 0.3], [-0.6, 0.8]], [[0.9, 0.2], [0.7, -1.3]]]
V = [1.5, -0.7]
NUMBER = 0.6


class Case(NamedTuple):
    name: str
    function: Callable[..., Any]  # (xp, *arrays)
    arrays: tuple[Any, ...]
    not_on: tuple[str, ...] = ()  # libraries whose own function is missing or different

    def __str__(self) -> str:
        return self.name


def assignment(xp: Namespace, x: Array, y: Array) -> Array:
    z = x * 2
    z[0, 1:] = x[1, 1:] ** 2
    z[1, 0] = y[0, 0]
    z[:, 2:] = y
    z[z > 100.0] = 1.0
    z += x
    return z * z


def positions(xp: Namespace, x: Array, values: Any) -> Array:
    return xp.asarray(values, device=x.device)


CASES = [
    # ---- elementwise ----
    Case("add and subtract, broadcast", lambda xp, x, y: (x + y) * (y - x) + 1.0 - x, (A, B)),
    Case("multiply and divide, broadcast", lambda xp, x, y: x * y / (x + 3.0) + 2.0 / y, (A, B)),
    Case("a number beside an array", lambda xp, x, y: x * y + x / y, (A, NUMBER)),
    Case("powers", lambda xp, x, y: x**y + x**3 + 2.0**y + x**0.5 + xp.pow(x, y), (POSITIVE, A)),
    Case("square and reciprocal", lambda xp, x: xp.square(x) + xp.sqrt(x) - 1 / x, (POSITIVE,)),
    Case("remainder", lambda xp, x, y: xp.remainder(x, y) * x + x % y, (A, POSITIVE)),
    Case("exponentials", lambda xp, x: xp.exp(x) * x + xp.expm1(-x) * x, (A,)),
    Case(
        "logarithms",
        lambda xp, x: xp.log(x) * xp.log1p(x) + xp.log2(x) + xp.log10(x) * x,
        (POSITIVE,),
    ),
    Case("logaddexp", lambda xp, x, y: xp.logaddexp(x, y) * x, (A, B)),
    Case("circles", lambda xp, x: xp.sin(x) * xp.cos(x) + xp.tan(x) * x, (A,)),
    Case(
        "inverse circles",
        lambda xp, x: xp.asin(x / 3) * x + xp.acos(x / 3) * x + xp.atan(x) * x,
        (A,),
    ),
    Case("hyperbolas", lambda xp, x: xp.sinh(x) * xp.cosh(x) + xp.tanh(x) * x, (A,)),
    Case(
        "inverse hyperbolas",
        lambda xp, x: xp.asinh(x) * x + xp.acosh(x + 2.5) * x + xp.atanh(x / 3) * x,
        (A,),
    ),
    Case("atan2", lambda xp, x, y: xp.atan2(x, y) * x + xp.atan2(y, x) * y, (A, B)),
    Case("hypot", lambda xp, x, y: xp.hypot(x, y) * x, (A, B)),
    Case("copysign", lambda xp, x, y: xp.copysign(x, y) * x, (A, B)),
    Case("abs and sign", lambda xp, x: xp.abs(x) * x + xp.sign(x) * x + abs(x) - (+x), (A,)),
    Case("steps", lambda xp, x: xp.floor(x) * x + xp.round(x) * xp.ceil(x) * xp.trunc(x), (A,)),
    Case("maximum and minimum", lambda xp, x, y: xp.maximum(x, y) * x - xp.minimum(x, y), (A, B)),
    Case("where", lambda xp, x, y: xp.where(x > y, x * y, y * y), (A, B)),
    Case("clip", lambda xp, x: xp.clip(x, 0.25, 0.8) * x + xp.clip(x, max=0.5), (A,)),
    Case(
        "clip between arrays",
        lambda xp, x, y: xp.clip(x, y, y + 1.0) * x,
        (A, B),
        ("array_api_strict",),
    ),
    # ---- reductions ----
    Case("sum and mean", lambda xp, x: xp.sum(x * x, axis=0) * xp.mean(x**2, axis=(0, 1)), (A,)),
    Case("max and min", lambda xp, x: xp.max(x, axis=-1) * xp.min(x) + xp.max(x), (A,)),
    Case("var", lambda xp, x: xp.var(x, axis=1, keepdims=True) * xp.var(x, correction=1.0), (A,)),
    Case("std", lambda xp, x: xp.std(x, axis=0, keepdims=True) * x * xp.std(x), (A,)),
    Case("prod", lambda xp, x: xp.prod(x) + xp.prod(x, axis=1, keepdims=True) * x, (A,)),
    Case("prod of zeros", lambda xp, x: xp.prod(x) + xp.prod(x, axis=1), (WITH_ZEROS,)),
    Case("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=1) ** 2, (A,)),
    Case(
        "cumulative_sum from 0",
        lambda xp, x: xp.cumulative_sum(x, axis=0, include_initial=True) ** 2,
        (A,),
        ("dask.array",),
    ),
    # ---- shapes ----
    Case(
        "reshape, transpose",
        lambda xp, x: (
            xp.reshape(x, (3, 2)) * xp.permute_dims(x, (1, 0)) * x.T * xp.matrix_transpose(x) * x.mT
        ),
        (A,),
    ),
    Case(
        "squeeze, expand_dims, moveaxis",
        lambda xp, x: xp.squeeze(xp.moveaxis(xp.expand_dims(x**2, axis=0), 0, 2), axis=2) * x,
        (A,),
    ),
    Case("flip and roll", lambda xp, x: xp.flip(x) * xp.roll(x, 1, axis=1) * xp.roll(x, -2), (A,)),
    Case("tile", lambda xp, x: xp.tile(x, (2, 1, 2)) ** 2, (A,)),
    Case("repeat", lambda xp, x: xp.repeat(x, 2, axis=1) ** 2, (A,)),
    Case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (4, 2, 3)) ** 2, (A,)),
    Case("broadcast_arrays", lambda xp, x, y: _product(xp.broadcast_arrays(x, y)), (A, B)),
    Case("meshgrid", lambda xp, x: _product(xp.meshgrid(x, x * x, x + 1.0)), (V,)),
    Case("concat and stack", lambda xp, x, y: _joined(xp, x, y), (A, B)),
    Case("unstack", lambda xp, x: _product(xp.unstack(x, axis=1)), (A,)),
    Case("triangles", lambda xp, x: xp.tril(x, k=-1) * x + xp.triu(x) ** 2, (A,)),
    Case("diff", lambda xp, x: xp.diff(x, axis=1) ** 2 + xp.diff(x, n=2) ** 2, (A,)),
    Case("astype and back", lambda xp, x: xp.astype(x, xp.float64, copy=True) * x, (A,)),
    Case("asarray of a Tensor", lambda xp, x: xp.asarray(x, copy=True) * x, (A,)),
    Case("full of a Tensor", lambda xp, x: xp.full((2, 3), x) * x**2, (NUMBER,)),
    # ---- indexing ----
    Case("slices", lambda xp, x: x[1:, ::2] ** 2 * x[0, -1] + x[..., 1] * x[None, 0, 2], (A,)),
    Case("slices backwards", lambda xp, x: x[::-1, -1:0:-2] ** 2 * x[1, 1], (A,), ("torch",)),
    Case("integer arrays", lambda xp, x: x[_two(xp, x)] ** 2, (A,), ("dask.array",)),
    Case("a mask", lambda xp, x: x[x > 0.5] ** 3, (A,), ("dask.array",)),
    Case("take", lambda xp, x: xp.take(x, positions(xp, x, [0, 2, 2]), axis=1) ** 2, (A,)),
    Case("take_along_axis, one", lambda xp, x: _along(xp, x, [[0], [2]]) ** 2, (A,)),
    Case(
        "take_along_axis, more",
        lambda xp, x: _along(xp, x, [[0, 0], [2, 1]]) ** 2,
        (A,),
        ("dask.array",),
    ),
    Case("sort", lambda xp, x: xp.sort(x, axis=0) ** 2 * 0.5, (A,), ("dask.array",)),
    Case("assignment", assignment, (A, B)),
    # ---- products ----
    Case("matmul", lambda xp, x, y: (x @ y) * xp.matmul(x, y), (A, [[0.2], [1.1], [-0.6]])),
    Case("matmul of a batch", lambda xp, x, y: x @ y + x @ x, (BATCH, BATCH[0])),
    Case("matmul, batch on the right", lambda xp, x, y: y @ x, (BATCH, BATCH[0])),
    Case("matmul of vectors", lambda xp, x, v: (v @ x) * (x @ v) * (v @ v), (BATCH, V)),
    Case("vector and matrix", lambda xp, x, v: (v @ x) * xp.sum(x.T @ v), (A, V)),
    Case(
        "tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=((2, 1), (0, 1))), (BATCH, BATCH[1])
    ),
    Case("tensordot, outer", lambda xp, x, v: xp.tensordot(x, v, axes=0) ** 2, (A, V)),
    Case("tensordot, one axis", lambda xp, x, v: xp.tensordot(v, x, axes=1) ** 2, (A, V)),
    Case("vecdot", lambda xp, x: xp.vecdot(x, x) * xp.vecdot(x, x * x), (A,)),
    Case("vecdot along another axis", lambda xp, x: xp.vecdot(x, x**2, axis=-2), (A,)),
    Case("linalg", lambda xp, v: xp.linalg.outer(v, v) @ v * xp.linalg.matmul(v, v), (V,)),
]


def _product(arrays: Any) -> Array:
    first, *rest = arrays
    for x in rest:
        first = first * x
    return first


def _joined(xp: Namespace, x: Array, y: Array) -> Array:
    wide = xp.concat([x, y, x * y], axis=1)
    high = xp.stack([x, x**2], axis=-1)
    flat = xp.concat([x, y * y], axis=None)
    return xp.sum(wide**2) * xp.sum(high**2) + flat**2


def _two(xp: Namespace, x: Array) -> tuple[Array, Array]:
    return positions(xp, x, [0, 1, 1]), positions(xp, x, [2, 0, 0])


def _along(xp: Namespace, x: Array, values: Any) -> Array:
    return xp.take_along_axis(x, positions(xp, x, values), axis=1)
