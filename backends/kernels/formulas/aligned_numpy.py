"""NumPy arrays of several shapes, as views that are cut along one axis."""

import math
from collections.abc import Sequence

import numpy as np

from portable_losses._typing import Array

__all__ = ["aligned", "is_one_number", "part"]


def aligned(
    given: Sequence[Array],
) -> tuple[tuple[int, ...], tuple[int, ...], list[Array]]:
    """Return the shape of the result, the one in which it is cut, and the arrays for that."""
    shape = np.broadcast_shapes(*[x.shape for x in given])
    flat = all(is_one_number(x) or (x.shape == shape and x.flags.c_contiguous) for x in given)
    axis = (math.prod(shape),) if flat or not shape else shape
    return shape, axis, [part(x, axis) for x in given]


def is_one_number(x: Array) -> bool:
    """Say whether all entries of `x` are one number in memory: the gradient of a mean is."""
    return x.size == 1 or (x.size > 1 and not any(x.strides))


def part(x: Array, axis: tuple[int, ...]) -> Array:
    """Return a view of `x` to be cut along the first axis of this shape, or a 0-d one."""
    if is_one_number(x):
        return x[(0,) * x.ndim + (...,)]
    return x.reshape(axis) if x.size == math.prod(axis) else np.broadcast_to(x, axis)
