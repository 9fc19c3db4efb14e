"""An elementwise pair of NumPy arrays with everything looked up: what a plan runs."""

from typing import Any

from portable_losses._backend import Pair
from portable_losses._typing import Options

from .code_numpy import FEWEST, Machine
from .elementwise_numpy import backward_of, backward_of_slope, program_of
from .gradients import value_and_slope

__all__ = ["ready"]


def ready(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return `_run` for arrays of these dtypes and shapes; None without machine code.

    None, too, for many entries that are not added up: their calls take as long as they do.
    """
    given = [i for i, x in enumerate(arrays) if x is not None]
    if pair.summand is not None:
        return _ready_sum(pair, arrays, options, wanted)
    if arrays[0].size >= FEWEST:
        return None
    program = program_of(pair.forward, None, arrays, options, now=False)
    if not isinstance(program, Machine) or program.formula.several is not None:
        return None
    value, whole = program.ufunc, len(given) == len(arrays)
    backward = backward_of(pair, program, wanted)

    def run(arrays: tuple[Any, ...]) -> Any:
        return value(*(arrays if whole else [arrays[i] for i in given])), backward

    return run


def _ready_sum(
    pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Any:
    """Return the same of a sum or a mean."""
    each: Any = pair.summand
    rest = dict(options)
    divisor = rest.pop("divisor")
    if wanted not in ((), (0,)):
        return None
    function = value_and_slope(each) if wanted else each.forward
    program = program_of(function, None, arrays, rest, now=False)
    if not isinstance(program, Machine):
        return None
    size, usual = arrays[0].size, divisor
    added, large = program.adding(divisor, size), size >= FEWEST
    given, flat = [i for i, x in enumerate(arrays) if x is not None], arrays[0].ndim == 1
    shape = arrays[0].shape

    def run(arrays: tuple[Any, ...], divisor: float = divisor) -> Any:
        laid = []
        for i in given:
            x = arrays[i]
            if not x.flags.c_contiguous:
                return None
            laid.append(x if flat or large else x.reshape(-1))
        if large:
            out, others = program.sum(laid, divisor)
            return out, backward_of_slope(each, others[0]) if others else None
        if added is None or divisor is not usual:
            out, others = program.averaged(laid, divisor)
        elif wanted:
            out, *others = added(*laid)
        else:
            out, others = added(*laid), ()
        if not others:
            return out, None
        return out, others[0] if flat else others[0].reshape(shape)

    return run
