"""Any elementwise function on NumPy, in blocks whose temporaries stay in cache.

A formula of thirty operations on a large array passes over memory thirty times, and the operating
system has to clear the pages of every temporary. The same formula, unchanged, on a block of entries
at a time writes only its result to memory; and as no block depends on another, several threads take
their turns (`blocks`).
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._typing import Array, Options

from .blocks import in_blocks

SIZE = 2**17  # bytes of one temporary: eight of them fit in a second-level cache
FEWEST = 2**16  # entries in all from which on blocks pay

_BITS: dict[Any, type[Any]] = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}

# The C library gives freed memory back to the system at once, unless it has seen a piece of this
# size come and go; then every block would wait for fresh pages, longer than for its formula.
np.empty(2**22, np.uint8)


def elementwise(function: Callable[..., Any], arrays: tuple[Any, ...], options: Options) -> Any:
    """Return ``function(*arrays, **options)``, in blocks where that pays."""
    given = [x for x in arrays if x is not None]
    if not _is_large(given) or any(isinstance(x, np.ndarray) for x in options.values()):
        return function(*arrays, **options)
    shape = np.broadcast_shapes(*[x.shape for x in given])
    flat = all(_is_one_number(x) or (x.shape == shape and x.flags.c_contiguous) for x in given)
    axis = (math.prod(shape),) if flat else shape
    parts = [None if x is None else _part(x, axis) for x in arrays]
    options = {**options, "xp": BLOCK_NAMESPACE}

    def compute(block: slice) -> Any:
        return function(*[x if x is None or not x.ndim else x[block] for x in parts], **options)

    none_yet = compute(slice(0))  # says how many results there are, and of what dtypes
    outs = [None if x is None else np.empty(shape, x.dtype) for x in _listed(none_yet)]
    targets = [None if x is None else x.reshape(axis) for x in outs]

    errors = np.geterr()  # before NumPy 2 they belong to a thread

    def work(block: slice) -> None:
        with np.errstate(**errors):
            results = _listed(compute(block))
        for target, result in zip(targets, results, strict=True):
            if target is not None:
                target[block] = result

    row = max(x.itemsize for x in given) * math.prod(axis[1:])
    in_blocks(work, axis[0], max(1, SIZE // max(1, row)))
    return tuple(outs) if isinstance(none_yet, tuple) else outs[0]


def _is_large(arrays: list[Array]) -> bool:
    return any(x.size >= FEWEST for x in arrays)


def _listed(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


def _is_one_number(x: Array) -> bool:
    """Say whether all entries of `x` are one number in memory: the gradient of a mean is."""
    return x.size == 1 or (x.size > 1 and not any(x.strides))


def _part(x: Array, axis: tuple[int, ...]) -> Array:
    """Return a view of `x` to be cut along the first axis of this shape, or a 0-d one."""
    if _is_one_number(x):
        return x[(0,) * x.ndim + (...,)]
    return x.reshape(axis) if x.size == math.prod(axis) else np.broadcast_to(x, axis)


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """``np.where``, or one of the two where it is chosen throughout, possibly as a single number.

    Numbers of one dtype are selected by their bits, in a fifth of the time of a branch per entry.
    """
    dtype = getattr(x1, "dtype", None) or getattr(x2, "dtype", None)
    bits = _BITS.get(dtype)
    if bits is None or getattr(x2, "dtype", dtype) != dtype:
        return np.where(condition, x1, x2)
    if not condition.any():
        return np.asarray(x2, dtype)
    if condition.all():
        return np.asarray(x1, dtype)
    first, second = np.asarray(x1, dtype).view(bits), np.asarray(x2, dtype).view(bits)
    chosen = (-condition.view(np.int8)).astype(bits)  # all bits, or none
    if _is_zero(second):
        chosen = chosen & first
    elif _is_zero(first):
        chosen = ~chosen & second
    else:
        chosen = chosen & (first ^ second)
        chosen ^= second
    return chosen.view(dtype)


def _is_zero(bits: Array) -> bool:
    return not bits.ndim and not bits


def maximum(x1: Array, x2: Any, /) -> Array:
    """``np.maximum``, or `x1` where a scalar does not reach it: with one it is slow."""
    return x1 if isinstance(x2, float) and (x1 > x2).all() else np.maximum(x1, x2)


def minimum(x1: Array, x2: Any, /) -> Array:
    """``np.minimum``, or `x1` where a scalar does not reach it: with one it is slow."""
    return x1 if isinstance(x2, float) and (x1 < x2).all() else np.minimum(x1, x2)


BLOCK_NAMESPACE: Any = ModuleType(xp_numpy.__name__, xp_numpy.__doc__)
BLOCK_NAMESPACE.__dict__.update(vars(xp_numpy), where=where, maximum=maximum, minimum=minimum)
