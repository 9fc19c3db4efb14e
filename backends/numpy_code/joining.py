"""NumPy's functions that put arrays together and take them apart."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from portable_losses._tape import TapeArray

from .axes import axis_of, integers, key
from .names import dtype_of, named
from .operands import arrays, tensor
from .shapes import atleast_1d, atleast_2d, atleast_3d, ravel, transpose

__all__ = ["concatenate", "split", "stack"]


def _several(sequence: Any, *, dtype: Any = None, xp: Any) -> list[Any]:
    """Return the arrays of a sequence, or the rows of one array, as Tensors of one dtype."""
    if isinstance(sequence, TapeArray):
        found = list(xp.unstack(sequence))
    else:
        found = arrays(*sequence, xp=xp)
    wanted = dtype_of(dtype, xp=xp)
    return found if wanted is None else [xp.astype(x, wanted) for x in found]


@named("concatenate")
def concatenate(
    arrays: Any,
    /,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
    xp: Any,
) -> Any:
    """Return the arrays one after the other along an axis they have; None: all entries."""
    found = _several(arrays, dtype=dtype, xp=xp)
    if axis is None:
        return xp.concat([ravel(x, xp=xp) for x in found])
    return xp.concat(found, axis=axis_of(axis, found[0].ndim))


@named("stack")
def stack(
    arrays: Any,
    axis: int = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
    xp: Any,
) -> Any:
    """Return the arrays along a new axis."""
    found = _several(arrays, dtype=dtype, xp=xp)
    return xp.stack(found, axis=axis_of(axis, found[0].ndim + 1))


@named("vstack")
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind", xp: Any) -> Any:
    """Return the arrays one below the other."""
    rows = [atleast_2d(x, xp=xp) for x in _several(tup, dtype=dtype, xp=xp)]
    return xp.concat(rows, axis=0)


@named("hstack")
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind", xp: Any) -> Any:
    """Return the arrays side by side."""
    found = [atleast_1d(x, xp=xp) for x in _several(tup, dtype=dtype, xp=xp)]
    return xp.concat(found, axis=0 if found[0].ndim == 1 else 1)


@named("dstack")
def dstack(tup: Any, *, xp: Any) -> Any:
    """Return the arrays one behind the other."""
    return xp.concat([atleast_3d(x, xp=xp) for x in _several(tup, xp=xp)], axis=2)


@named("column_stack")
def column_stack(tup: Any, *, xp: Any) -> Any:
    """Return vectors as the columns of a matrix, matrices side by side."""
    found = _several(tup, xp=xp)
    columns = [x if x.ndim > 1 else transpose(atleast_2d(x, xp=xp), xp=xp) for x in found]
    return xp.concat(columns, axis=1)


@named("block")
def block(arrays: Any, *, xp: Any) -> Any:
    """Return an array of blocks, nested lists of them: the innermost along the last axis."""
    leaves: list[Any] = []
    depth = _depth(arrays, leaves)
    found = iter(_several(leaves, xp=xp))
    blocks = _filled(arrays, found)
    ndim = max([depth, *(x.ndim for x in _leaves(blocks))])

    def joined(nested: Any, axis: int) -> Any:
        if isinstance(nested, list):
            return xp.concat([joined(x, axis + 1) for x in nested], axis=axis)
        return xp.reshape(nested, (*(1,) * (ndim - nested.ndim), *nested.shape))

    return joined(blocks, ndim - depth)


def _depth(nested: Any, leaves: list[Any]) -> int:
    """Return how deep lists are nested, all to the same depth, and collect what is in them."""
    if not isinstance(nested, list):
        leaves.append(nested)
        return 0
    depths = {_depth(x, leaves) for x in nested}
    if len(depths) != 1:
        msg = f"List depths are mismatched: {sorted(depths)}"
        raise ValueError(msg)
    return 1 + depths.pop()


def _filled(nested: Any, found: Any) -> Any:
    """Return nested lists with what is `found` in the place of their leaves."""
    return [_filled(x, found) for x in nested] if isinstance(nested, list) else next(found)


def _leaves(nested: Any) -> list[Any]:
    """Return what is in nested lists."""
    return [y for x in nested for y in _leaves(x)] if isinstance(nested, list) else [nested]


# ---- apart --------------------------------------------------------------------------------------


def _cut(x: Any, sections: Any, axis: int) -> list[Any]:
    """Return the parts of `x` along `axis`, of nearly one size each or cut at indices: views."""
    size = x.shape[axis]
    sections = integers(sections)
    if isinstance(sections, list):
        edges = [slice(a, b) for a, b in zip([0, *sections], [*sections, size], strict=True)]
        ranges = [edge.indices(size)[:2] for edge in edges]
    elif sections <= 0:
        msg = "number sections must be larger than 0."
        raise ValueError(msg)
    else:
        small, more = divmod(size, sections)
        starts = [i * small + min(i, more) for i in range(sections + 1)]
        ranges = list(pairwise(starts))
    return [x[key(axis, slice(start, max(start, stop)))] for start, stop in ranges]


@named("array_split")
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0, *, xp: Any) -> list[Any]:
    """Return the parts along an axis, of nearly one size or cut at the indices."""
    x = tensor(ary, xp=xp)
    return _cut(x, indices_or_sections, axis_of(axis, x.ndim))


@named("split")
def split(ary: Any, indices_or_sections: Any, axis: int = 0, *, xp: Any) -> list[Any]:
    """Return the parts along an axis, of one size or cut at the indices."""
    x = tensor(ary, xp=xp)
    axis = axis_of(axis, x.ndim)
    sections = integers(indices_or_sections)
    if isinstance(sections, int) and x.shape[axis] % sections:
        msg = "array split does not result in an equal division"
        raise ValueError(msg)
    return _cut(x, sections, axis)


@named("vsplit")
def vsplit(ary: Any, indices_or_sections: Any, *, xp: Any) -> list[Any]:
    """Return the parts along the first axis of a matrix."""
    return split(_of_axes(ary, 2, "vsplit", xp=xp), indices_or_sections, 0, xp=xp)


@named("hsplit")
def hsplit(ary: Any, indices_or_sections: Any, *, xp: Any) -> list[Any]:
    """Return the parts along the second axis, of a vector along the first."""
    x = _of_axes(ary, 1, "hsplit", xp=xp)
    return split(x, indices_or_sections, min(x.ndim - 1, 1), xp=xp)


@named("dsplit")
def dsplit(ary: Any, indices_or_sections: Any, *, xp: Any) -> list[Any]:
    """Return the parts along the third axis."""
    return split(_of_axes(ary, 3, "dsplit", xp=xp), indices_or_sections, 2, xp=xp)


def _of_axes(x: Any, least: int, name: str, *, xp: Any) -> Any:
    """Return `x` as a Tensor; ValueError where it has fewer axes than `least`."""
    x = tensor(x, xp=xp)
    if x.ndim < least:
        msg = f"{name} only works on arrays of {least} or more dimensions"
        raise ValueError(msg)
    return x


@named("unstack")
def unstack(x: Any, /, *, axis: int = 0, xp: Any) -> tuple[Any, ...]:
    """Return one array per place along an axis."""
    x = tensor(x, xp=xp)
    parts: Sequence[Any] = xp.unstack(x, axis=axis_of(axis, x.ndim))
    return tuple(parts)


@named("meshgrid")
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy", xp: Any
) -> tuple[Any, ...]:
    """Return every vector spread along an axis of its own, and along those of the others."""
    if indexing not in ("xy", "ij"):
        msg = f"`indexing` must be 'xy' or 'ij', got {indexing!r}"
        raise ValueError(msg)
    vectors = [ravel(tensor(x, xi, xp=xp), xp=xp) for x in xi]
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = [1, 0]
    spread = [
        xp.reshape(x, tuple(x.shape[0] if i == place else 1 for i in range(len(vectors))))
        for x, place in zip(vectors, places, strict=True)
    ]
    if sparse or not spread:
        return tuple(xp.asarray(x, copy=True) if copy else x for x in spread)
    wide = xp.broadcast_arrays(*spread)
    return tuple(xp.asarray(x, copy=True) if copy else x for x in wide)
