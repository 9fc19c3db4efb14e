"""Small arrays in memory stand in those tasks of a Dask graph that read them.

As a task of its own such an array, a parameter mostly, comes to lie on every worker of a cluster.
Then Dask's scheduler takes any worker for a task that reads it and a large chunk, and sends the
chunk. Nor does Dask join that task with the next one of its chunk.
"""

__library__ = "dask"

from copy import copy
from typing import Any

import numpy as np
from dask.blockwise import Blockwise
from dask.highlevelgraph import MaterializedLayer
from dask.utils import funcname

__all__ = ["put_constants_in_tasks"]

LARGEST = 2**20  # bytes of an array
IN_ALL = 2**26  # of all its copies in tasks, as many as the partial sums of its gradient have


def put_constants_in_tasks(layers: dict[str, Any], above: dict[str, set[str]]) -> bool:
    """Write small arrays into the layers of a graph that read them; say whether there was one.

    `above` has the names of the layers that each of them reads. Arrays that none reads any more,
    and that are not the graph's own result, are left out.
    """
    constants = _constants(layers, above)
    changed = False
    for name, needed in above.items() if constants else ():
        layer = layers[name]
        found = needed & constants.keys()
        if found and isinstance(layer, Blockwise):
            found = {x for x in found if _may_stand_in(layer, x, constants[x].nbytes)}
            layers[name] = _with_arrays({x: constants[x] for x in found}, layer)
            above[name] = needed - found
            changed = changed or bool(found)
    for name in reversed(constants) if changed else ():  # views before what they are of
        if not any(name in needed for needed in above.values()):
            del layers[name], above[name]
    return changed


def _constants(layers: dict[str, Any], above: dict[str, set[str]]) -> dict[str, Any]:
    """Return the arrays of the layers that are one small array in memory, or a view of one."""
    found: dict[str, Any] = {}
    views: dict[str, Any] = {}
    for name, layer in layers.items():
        if type(layer) is not MaterializedLayer or len(layer) != 1:
            continue
        (task,) = layer.values()
        array = getattr(task, "value", task)
        if type(array) is np.ndarray and array.nbytes <= LARGEST and not array.dtype.hasobject:
            found[name] = array
        elif funcname(getattr(task, "func", None)) in _VIEWS:
            views[name] = task
    while known := [x for x in views if above[x] <= found.keys()] if found else ():
        for name in known:
            (one,) = above[name]
            found[name] = views.pop(name)({(one, *(0,) * found[one].ndim): found[one]})
    return found


_VIEWS = {"getitem", "reshape"}  # which take no time: nothing is computed while a graph is built


def _may_stand_in(layer: Any, name: str, size: int) -> bool:
    """Say whether an array may stand in the tasks of a layer, each of which reads it as it is."""
    return size * len(layer) <= IN_ALL and all(
        x != name or (axes is not None and set(axes) <= set(layer.output_indices))
        for x, axes in layer.indices
        if isinstance(x, str)
    )


def _with_arrays(arrays: dict[str, Any], layer: Any) -> Any:
    """Return a layer with arrays where their names are."""
    made = copy(layer)
    for cached in ("_cached_dict", "_dims"):
        made.__dict__.pop(cached, None)
    made.indices = tuple(
        [
            (arrays[x], None) if isinstance(x, str) and x in arrays else (x, axes)
            for x, axes in layer.indices
        ]
    )
    made.numblocks = {x: n for x, n in layer.numblocks.items() if x not in arrays}
    named = {axis for _, axes in made.indices for axis in axes or ()}
    ones = {axis: 1 for axis in layer.output_indices if axis not in named}
    made.new_axes = {**ones, **layer.new_axes}
    return made
