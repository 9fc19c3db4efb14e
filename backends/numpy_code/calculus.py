"""NumPy's differences, gradients and integrals of sampled functions."""

from typing import Any

from .axes import axes_of, axis_of, key
from .names import named
from .operands import arrays, floating, tensor
from .shapes import ravel

__all__ = ["diff"]


@named("diff")
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None, *, xp: Any
) -> Any:
    """Return every entry less the one before it, `n` times over."""
    if n < 0:
        msg = f"order must be non-negative but got {n}"
        raise ValueError(msg)
    around = [x for x in (prepend, a, append) if x is not None]
    parts = arrays(*around, xp=xp)
    x = parts[0 if prepend is None else 1]
    axis = axis_of(axis, x.ndim)
    if n == 0:
        return tensor(a, xp=xp)
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    parts = [xp.broadcast_to(part, shape) if part.ndim == 0 else part for part in parts]
    x = xp.concat(parts, axis=axis) if len(parts) > 1 else x
    for _ in range(min(n, x.shape[axis])):
        after, before = x[key(axis, slice(1, None))], x[key(axis, slice(None, -1))]
        x = after != before if xp.isdtype(x.dtype, "bool") else after - before
    return x


@named("ediff1d")
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None, *, xp: Any) -> Any:
    """Return the differences of all entries in their order, between two sets of numbers."""
    x = diff(ravel(tensor(ary, xp=xp), xp=xp), xp=xp)
    ends = [None if e is None else _like(x, e, xp=xp) for e in (to_begin, to_end)]
    parts = [part for part in (ends[0], x, ends[1]) if part is not None]
    return xp.concat(parts) if len(parts) > 1 else x


def _like(x: Any, values: Any, *, xp: Any) -> Any:
    """Return a vector of values in the dtype of `x`."""
    return xp.astype(ravel(arrays(x, values, xp=xp)[1], xp=xp), x.dtype)


@named("trapezoid")
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, *, xp: Any) -> Any:
    """Return the integral along an axis by the mean of neighbours times their distance."""
    if x is None:
        y, step = arrays(y, dx, xp=xp)
    else:
        y, x = arrays(y, x, xp=xp)
        step = diff(x, axis=0 if x.ndim == 1 else axis, xp=xp)
    y = floating(y, xp=xp)
    axis = axis_of(axis, y.ndim)
    if x is not None and step.ndim == 1:
        step = xp.reshape(step, (-1,) + (1,) * (y.ndim - 1 - axis))
    both = y[key(axis, slice(1, None))] + y[key(axis, slice(None, -1))]
    return xp.sum(both * xp.astype(step, y.dtype) / 2.0, axis=axis)


# ---- gradients ----------------------------------------------------------------------------------


@named("gradient")
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1, xp: Any) -> Any:
    """Return slopes along axes: central differences inside, one-sided ones at both ends."""
    f = floating(f, xp=xp)
    axes = axes_of(axis, f.ndim)
    spacings = list(varargs) * (len(axes) if len(varargs) == 1 else 1) or [1.0] * len(axes)
    if len(spacings) != len(axes):
        msg = "invalid number of arguments"
        raise TypeError(msg)
    if edge_order not in (1, 2):
        msg = "'edge_order' greater than 2 not supported"
        raise ValueError(msg)
    made = []
    for place, spacing in zip(axes, spacings, strict=True):
        if f.shape[place] < edge_order + 1:
            msg = (
                "Shape of array too small to calculate a numerical gradient, "
                "at least (edge_order + 1) elements are required."
            )
            raise ValueError(msg)
        made.append(_slope(f, arrays(f, spacing, xp=xp)[1], place, edge_order, xp=xp))
    return made[0] if len(axes) == 1 else tuple(made)


def _slope(f: Any, spacing: Any, axis: int, edge_order: int, *, xp: Any) -> Any:
    """Return the slope along one axis, for one distance or for the coordinates of all places."""
    n = f.shape[axis]
    if spacing.ndim > 1 or (spacing.ndim == 1 and spacing.shape[0] != n):
        msg = "when 1d, distances must match the length of the corresponding dimension"
        raise ValueError(msg)
    h = spacing[1:] - spacing[:-1] if spacing.ndim else xp.broadcast_to(spacing, (n - 1,))
    h = xp.reshape(h, (-1,) + (1,) * (f.ndim - 1 - axis))

    def at(first: int, last: int) -> Any:
        return f[key(axis, slice(first, last))]

    def step(place: int) -> Any:
        place %= n - 1
        return h[place : place + 1, ...]

    before, after = h[:-1, ...], h[1:, ...]
    # The parabola through three neighbours, where the distances are `before` and `after`.
    inside = (
        -after / (before * (before + after)) * at(0, n - 2)
        + (after - before) / (before * after) * at(1, n - 1)
        + before / (after * (before + after)) * at(2, n)
    )
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / step(0)
        last = (at(n - 1, n) - at(n - 2, n - 1)) / step(-1)
    else:
        first = _end((at(0, 1), at(1, 2), at(2, 3)), step(0), step(1))
        last = -_end((at(n - 1, n), at(n - 2, n - 1), at(n - 3, n - 2)), step(-1), step(-2))
    return xp.concat([first, inside, last] if n > 2 else [first, last], axis=axis)


def _end(values: tuple[Any, Any, Any], near: Any, far: Any) -> Any:
    """Return the slope, inwards, of the parabola through three values at the first of them."""
    first, second, third = values
    return (
        -(2.0 * near + far) / (near * (near + far)) * first
        + (near + far) / (near * far) * second
        - near / (far * (near + far)) * third
    )
