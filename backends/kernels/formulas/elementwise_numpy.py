"""Any elementwise function on NumPy: as a program, and in blocks whose temporaries stay in cache.

A formula of thirty operations on a large array passes over memory thirty times, and the operating
system has to clear the pages of every temporary. The same operations on a block of entries at a
time write only the result to memory; and as no block depends on another, several threads share
them (`blocks`). The operations are those of the formula, each of them once, and a function whose
gradient is needed computes its slope in the same pass (`trace`, `program_numpy`). A function that
cannot be traced is called on a block at a time, unfused.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..machine.blocks import in_blocks
from ..machine.memory_numpy import empty
from .aligned_numpy import aligned, is_one_number, part
from .code_numpy import FEWEST, Machine, arranged, targets_of
from .gradients import by_pair, pulled, value_and_slope
from .machine_code import NATIVE, compiler, machine_code
from .program_numpy import Blockwise, simple
from .trace import Formula, Untraceable, key_of, slopes_of, trace

__all__ = [
    "ELEMENTWISE",
    "backward_of",
    "backward_of_slope",
    "elementwise",
    "program_of",
]

SIZE = 3 * 2**20  # bytes that a block and its buffers take; with less, threads wait for the lock
SMALL = 2**11  # entries up to which NumPy's own memory is as quick as buffers
FLOATS = "fd"  # the dtypes whose sum is computed with their entries: float32, float64
KEPT = 512  # programs: each is of a function, dtypes and options

Function = Callable[..., Any]

# The C library gives freed memory back to the system at once, unless it has seen a piece of this
# size come and go; then every block would wait for fresh pages, longer than for its formula.
np.empty(2**22, np.uint8)


def elementwise(function: Function, arrays: tuple[Any, ...], options: Options) -> Any:
    """Return ``function(*arrays, **options)``, as a program and in blocks where that pays."""
    given = [x for x in arrays if x is not None]
    size = max([x.size for x in given])
    program = program_of(function, None, arrays, options, now=size >= FEWEST)
    if program is not None:
        return program.arranged(program(given, size))
    if size < FEWEST or any(isinstance(x, np.ndarray) for x in options.values()):
        return function(*arrays, **options)
    return _run_unfused(function, arrays, given, options)


def _accepts(*arrays: Any, **_: Any) -> bool:
    return arrays[0].ndim > 0


def _takes(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether these are NumPy's arrays of one shape and dtype, in the machine's byte order."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if dtype.char not in FLOATS or not shape or not dtype.isnative:
        return False
    for x in arrays:
        if x is not None and not (
            x.__class__ is np.ndarray
            and x.shape == shape
            and (x.dtype is dtype or x.dtype == dtype)
        ):
            return False
    return True


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the result, and a backward by the arrays at the places `wanted`: a pass each.

    A NumPy program, which passes over buffers for every step, computes the slope with the value.
    """
    if pair.summand is not None:
        return _run_summed(pair, arrays, options, wanted)
    given = [x for x in arrays if x is not None]
    size = max([x.size for x in given])
    program = (
        program_of(pair.forward, None, arrays, options, now=size >= FEWEST) if wanted else None
    )
    if isinstance(program, Machine) and program.formula.several is None:
        return program(given, size)[0], backward_of(pair, program, wanted)
    program = None
    if wanted == (0,):
        rule = pair.rules[0] if pair.rules else pair.backward
        program = program_of(pair.forward, rule, arrays, options, now=size >= FEWEST)
    if program is None:
        return pair.forward(*arrays, **options), by_pair(pair, wanted)
    out, saved = program(given, size)
    return out, backward_of_slope(pair, saved)


def backward_of(pair: Pair, value: Machine, wanted: tuple[int, ...]) -> Any:
    """Return a backward in machine code, of a pair with that of its value."""

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        found = _gradients(pair, value, wanted, grad, arrays, options)
        return by_pair(pair, wanted)(grad, out, *arrays, **options) if found is None else found

    return backward


def _gradients(
    pair: Pair,
    value: Machine,
    wanted: tuple[int, ...],
    grad: Array,
    arrays: tuple[Any, ...],
    options: Options,
) -> tuple[Array | None, ...] | None:
    """Return the gradients by the arrays at these places; None without machine code for them."""
    key = pair.backward, wanted, grad.dtype
    if key not in value.gradients:
        made = program_of(pulled(pair, wanted), None, (grad, *arrays), options, now=False)
        value.gradients[key] = made if isinstance(made, Machine) else None
    program = value.gradients[key]
    if program is None:
        return None
    found = iter(program([grad, *(x for x in arrays if x is not None)], grad.size))
    return tuple([next(found) if i in wanted else None for i in range(len(arrays))])


def backward_of_slope(pair: Pair, saved: Array | None) -> Any:
    """Return a backward by the first array, whose slope is there already."""

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        """Return the gradient from the saved slope, the first time; later by the pair."""
        nonlocal saved
        slope, saved = saved, None  # the gradient takes its memory
        if slope is None:  # a second time through the same graph
            return pair.backward(grad, out, *arrays, **options)
        return _scaled(slope, grad), *(None for _ in arrays[1:])

    return backward


def _sums(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether these arrays lie without gaps, where there is machine code."""
    first = arrays[0]
    shape, dtype = first.shape, first.dtype
    if dtype.char not in FLOATS or not first.size or not dtype.isnative:
        return False
    masked = pair.masked
    for x in arrays:
        if x is not None and not (
            x.__class__ is np.ndarray
            and x.shape == shape
            and (x.dtype is dtype or x.dtype == dtype or (masked and x.dtype.char == "?"))
            and x.flags.c_contiguous
        ):
            return False
    return compiler() is not None


def _run_summed(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: Any) -> Any:
    """Return the sum of the summand over the divisor, and a backward by the first array."""
    each: Any = pair.summand
    rest = dict(options)
    divisor = rest.pop("divisor")
    if wanted == (0,):
        both = program_of(value_and_slope(each), None, arrays, rest, now=False)
        if isinstance(both, Machine):
            value, others = both.sum([x for x in arrays if x is not None], divisor)
            return value, backward_of_slope(pair, others[0])
    program = program_of(each.forward, None, arrays, rest, now=False)
    if not isinstance(program, Machine):
        return _run_unsummed(each, arrays, rest, wanted, divisor)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        """Return the gradients by those of the entries, each of which has the same."""
        spread = np.broadcast_to(np.asarray(grad / divisor, grad.dtype), arrays[0].shape)
        found = _gradients(each, program, wanted, spread, arrays, rest)
        return pair.backward(grad, out, *arrays, **options) if found is None else found

    return program.sum([x for x in arrays if x is not None], divisor)[0], backward


def _run_unsummed(
    each: Pair, arrays: tuple[Any, ...], rest: Options, wanted: Any, divisor: int
) -> Any:
    """Return the same of a pair that cannot be compiled."""
    entries, pull = _run(each, arrays, rest, wanted)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        """Return the gradients of the entries, each of which has that of the sum."""
        spread = np.full(entries.shape, grad / divisor, entries.dtype)
        return pull(spread, entries, *arrays, **rest)

    return np.add.reduce(entries, None) / divisor, backward


ELEMENTWISE = Kernel(_accepts, _run, gradients=16, takes=_takes, sums=_sums)


def _scaled(slope: Array, grad: Array) -> Array:
    """Multiply `slope` in place with `grad`."""
    if not grad.ndim and grad == 1:  # of a loss it mostly is
        return slope
    if slope.size < FEWEST:
        return np.multiply(grad, slope)
    flat = slope.reshape(-1)
    factor = part(grad, flat.shape) if is_one_number(grad) or grad.flags.c_contiguous else None
    if factor is None:
        return np.multiply(grad, slope, out=slope)
    if not factor.ndim and factor == 1:  # all of the entries in memory are one
        return slope

    def work(block: slice) -> None:
        own = flat[block]
        np.multiply(factor[block] if factor.ndim else factor, own, out=own)

    in_blocks(work, flat.size, SIZE // (2 * slope.itemsize))
    return slope


# ---- programs ----------------------------------------------------------------------------------


class Program:
    """A formula, as a program for small arrays and one for large ones, written when needed."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    @cached_property
    def simple(self) -> Function:
        """The program for small arrays."""
        return simple(self.formula)

    @cached_property
    def blockwise(self) -> Blockwise:
        """The program for blocks of large ones."""
        return Blockwise(self.formula)

    def __call__(
        self, given: Sequence[Array], size: int, into: Sequence[Any] = ()
    ) -> tuple[Any, ...]:
        """Return the results for the arrays `given`, the largest of which has this size.

        Those of large arrays are in `into`, where that has arrays.
        """
        if size <= SMALL:
            return self.simple(given)
        shape, axis, parts = aligned(given)
        outs = targets_of(self.formula, shape, into)
        self._fill([x.reshape(axis) for x in outs], parts)
        return outs

    def arranged(self, outs: tuple[Any, ...]) -> Any:
        """Return the results as the function returns them."""
        return arranged(self.formula, outs)

    def _fill(self, targets: list[Array], parts: list[Array]) -> None:
        """Write the results to `targets`, a block of entries at a time."""
        program, axis, unused = self.blockwise, targets[0].shape, list[Any]()
        entries = max(1, math.prod(axis[1:]))
        arrays = program.buffer_count + len(targets) + len(parts)
        rows = max(1, SIZE // (arrays * program.dtype.itemsize * entries))
        errors = np.geterr()  # before NumPy 2 they belong to a thread

        def work(block: slice) -> None:
            count = block.stop - block.start
            full = count == min(rows, axis[0])
            try:
                buffers = unused.pop() if full else program.buffers((count, *axis[1:]))
            except IndexError:
                buffers = program.buffers((count, *axis[1:]))
            with np.errstate(**errors):
                program.run(
                    [x[block] if x.ndim else x for x in parts], [x[block] for x in targets], buffers
                )
            if full:
                unused.append(buffers)

        if targets[0].size < FEWEST:
            for start in range(0, axis[0], rows):
                work(slice(start, min(start + rows, axis[0])))
        else:
            in_blocks(work, axis[0], rows)


_PROGRAMS: dict[Any, Machine | Program | None] = {}  # None: the function cannot be traced
_MET: set[Any] = set()  # the keys of what was called once, on a small array


def program_of(
    function: Function,
    rule: Function | None,
    arrays: tuple[Any, ...],
    options: Options,
    *,
    now: bool,
) -> Machine | Program | None:
    """Return the program of a function, with a `rule` also of its slope; None where there is none.

    A program costs as much as some ten small calls: unless it is needed `now`, the first call for
    one only leaves its key.
    """
    dtypes = tuple([None if x is None else x.dtype for x in arrays])
    key = function, rule, dtypes, *key_of(options)
    try:
        return _PROGRAMS[key]
    except KeyError:
        pass
    except TypeError:  # an array among the options
        return None
    if len(_MET) + len(_PROGRAMS) > KEPT:
        _MET.clear()
        _PROGRAMS.clear()
    made: Machine | Program | None
    if key not in _MET:
        made = _compiled(function, rule, dtypes, options)
        if made is not None or now:
            _PROGRAMS[key] = made = made or _written(function, rule, dtypes, options)
            return made
        _MET.add(key)
        return None
    _PROGRAMS[key] = made = _written(function, rule, dtypes, options)
    return made


def _formula(
    function: Function,
    rule: Function | None,
    dtypes: tuple[Any, ...],
    options: Options,
    native: Sequence[str] = (),
) -> Formula:
    """Return the formula of a function, with a `rule` also of its slope."""
    if rule is None:
        return trace(function, dtypes, options, native=native)
    return slopes_of(function, [rule], dtypes, options, native=native)


def _compiled(
    function: Function, rule: Function | None, dtypes: tuple[Any, ...], options: Options
) -> Machine | None:
    """Return machine code; None where there is none."""
    given = [d for d in dtypes if d is not None]
    found = machine_code(
        lambda: _formula(function, rule, dtypes, options, NATIVE),
        (function, rule, dtypes),
        lambda formula: [*given, *formula.dtypes],
    )
    if found is None:
        return None
    formula, code = found
    return Machine(formula, code, function.__name__, [*given, *formula.dtypes])


def _written(
    function: Function, rule: Function | None, dtypes: tuple[Any, ...], options: Options
) -> Program | None:
    """Return a new program; None where the function or its rule cannot be traced."""
    try:
        return Program(_formula(function, rule, dtypes, options))
    except (Untraceable, AttributeError):
        return None


# ---- blocks ------------------------------------------------------------------------------------


def _run_unfused(
    function: Function, arrays: tuple[Any, ...], given: list[Array], options: Options
) -> Any:
    """Return ``function(*arrays, **options)``, called on a block at a time."""
    shape, axis, cut = aligned(given)
    present = iter(cut)
    parts = [None if x is None else next(present) for x in arrays]

    def compute(block: slice) -> Any:
        return function(*[x if x is None or not x.ndim else x[block] for x in parts], **options)

    sample = compute(slice(0))  # says how many results there are, and of what dtypes
    outs = [None if x is None else empty(shape, x.dtype) for x in _listed(sample)]
    targets = [None if x is None else x.reshape(axis) for x in outs]

    errors = np.geterr()  # before NumPy 2 they belong to a thread

    def work(block: slice) -> None:
        with np.errstate(**errors):
            results = _listed(compute(block))
        for target, result in zip(targets, results, strict=True):
            if target is not None:
                target[block] = result

    row = max(x.itemsize for x in given) * math.prod(axis[1:])
    in_blocks(work, axis[0], max(1, SIZE // max(1, 8 * row)))
    return tuple(outs) if isinstance(sample, tuple) else outs[0]


def _listed(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)
