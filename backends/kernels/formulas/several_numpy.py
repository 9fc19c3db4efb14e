"""Functions with several results on NumPy, which may be written to arrays of the caller's.

Nothing differentiates them: they are derivatives themselves.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portable_losses._typing import Array, Options

from ..machine.memory_numpy import empty, usable
from ..machine.team_numpy import team
from .aligned_numpy import is_one_number
from .code_numpy import FEWEST, SPAN
from .elementwise_numpy import KEPT, elementwise, program_of
from .machine_code import ANYWHERE, LARGE, NATIVE, machine_code
from .trace import key_of, trace

__all__ = ["several"]


def several(
    function: Callable[..., Any],
    arrays: tuple[Any, ...],
    options: Options,
    out: Sequence[Any] = (),
    *,
    checked: bool = False,
) -> Any:
    """Return the results of a function, in the first array's order in memory; or in `out`.

    Of a `checked` one the last result is a mask, in whose place is whether it is true anywhere.
    """
    first = arrays[0]
    if first.ndim > 1 and first.flags.f_contiguous and not first.flags.c_contiguous:
        turned = tuple([np.broadcast_to(x, first.shape).T for x in arrays])
        into = [None if x is None else x.T for x in out]
        there = {id(x): mine for x, mine in zip(into, out, strict=True) if x is not None}
        made = several(function, turned, options, into, checked=checked)
        return tuple([x if x is made[-1] and checked else there.get(id(x), x.T) for x in made])
    if checked:
        found = _checked(function, arrays, options)
        if found is not None:
            return found
        *results, bad = several(function, arrays, options)
        return (*results, bool(bad.any()))
    into = usable(out, arrays)
    if not any(x is not None for x in into):
        return elementwise(function, arrays, options)
    size = max([x.size for x in arrays])
    program = program_of(function, None, arrays, options, now=size >= FEWEST)
    if program is None:
        return elementwise(function, arrays, options)
    return program.arranged(program(arrays, size, into))


def _checked(
    function: Callable[..., Any], arrays: tuple[Array, ...], options: Options
) -> tuple[Any, ...] | None:
    """Return the results of a checked function in one pass; None where there is none for it."""
    first = arrays[0]
    shape, count = first.shape, first.size
    repeated = [is_one_number(x) and count > 1 for x in arrays]
    for x, once in zip(arrays, repeated, strict=True):
        if x.shape != shape or not x.dtype.isnative or not (once or x.flags.c_contiguous):
            return None
    dtypes = tuple([x.dtype for x in arrays])
    key = function, dtypes, *key_of(options)
    if key not in _CHECKED:
        if len(_CHECKED) > KEPT:
            _CHECKED.clear()
        _CHECKED[key] = machine_code(
            lambda: trace(function, dtypes, options, native=NATIVE),
            (function, dtypes, ANYWHERE),
            lambda formula: [*dtypes, *formula.dtypes[:-1], ANYWHERE],
        )
    if (found := _CHECKED[key]) is None:
        return None
    formula, code = found
    results = [empty(shape, dtype) for dtype in formula.dtypes[:-1]]
    anywhere = array("b", [0])
    places = [x.__array_interface__["data"][0] for x in (*arrays, *results)]
    places.append(anywhere.buffer_info()[0])
    if count < FEWEST and not any(repeated):
        code.function()(*places, count)
    else:
        sizes = [x.itemsize for x in (*arrays, *results)]
        way = code.streamed if count * sum(sizes) >= LARGE else code.strided
        once = [*repeated, *(False for _ in results), True]
        steps = [0 if one else size for one, size in zip(once, [*sizes, 0], strict=True)]
        code.share(way, code.flat, places, steps, count, span=SPAN, team=team)
    return (*results, bool(anywhere[0]))


_CHECKED: dict[Any, Any] = {}  # formulas and their code; None: the function cannot be compiled
