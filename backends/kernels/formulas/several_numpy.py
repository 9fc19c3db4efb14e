"""Functions with several results on NumPy, which may be written to arrays of the caller's.

Nothing differentiates them: they are derivatives themselves.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portable_losses._typing import Options

from ..machine.memory_numpy import usable
from .code_numpy import FEWEST
from .elementwise_numpy import elementwise, program_of

__all__ = ["several"]


def several(
    function: Callable[..., Any], arrays: tuple[Any, ...], options: Options, out: Sequence[Any] = ()
) -> Any:
    """Return the results of a function, in the first array's order in memory; or in `out`."""
    first = arrays[0]
    if first.ndim > 1 and first.flags.f_contiguous and not first.flags.c_contiguous:
        turned = tuple([np.broadcast_to(x, first.shape).T for x in arrays])
        into = [None if x is None else x.T for x in out]
        there = {id(x): mine for x, mine in zip(into, out, strict=True) if x is not None}
        return tuple([there.get(id(x), x.T) for x in several(function, turned, options, into)])
    into = usable(out, arrays)
    if not any(x is not None for x in into):
        return elementwise(function, arrays, options)
    size = max([x.size for x in arrays])
    program = program_of(function, None, arrays, options, now=size >= FEWEST)
    if program is None:
        return elementwise(function, arrays, options)
    return program.arranged(program(arrays, size, into))
