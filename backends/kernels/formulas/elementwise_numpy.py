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
from .machine_code import NATIVE, machine_code
from .program_numpy import Blockwise, simple
from .sums import total
from .trace import Formula, Untraceable, key_of, slopes_of, trace
from .ufunc_numpy import as_ufunc

__all__ = ["VALUE_AND_SLOPE", "elementwise"]

SIZE = 3 * 2**20  # bytes that a block and its buffers take; with less, threads wait for the lock
FEWEST = 2**16  # entries in all from which on blocks pay
SMALL = 2**11  # entries up to which NumPy's own memory is as quick as buffers
SPAN = 2**17  # entries that machine code takes at once
KEPT = 512  # programs: each is of a function, dtypes and options

Function = Callable[..., Any]

# The C library gives freed memory back to the system at once, unless it has seen a piece of this
# size come and go; then every block would wait for fresh pages, longer than for its formula.
np.empty(2**22, np.uint8)


def elementwise(function: Function, arrays: tuple[Any, ...], options: Options) -> Any:
    """Return ``function(*arrays, **options)``, as a program and in blocks where that pays."""
    given = [x for x in arrays if x is not None]
    size = max([x.size for x in given])
    program = _program(function, None, arrays, options, now=size >= FEWEST)
    if program is not None:
        return program.arranged(program(given, size))
    if size < FEWEST or any(isinstance(x, np.ndarray) for x in options.values()):
        return function(*arrays, **options)
    return _run_unfused(function, arrays, given, options)


def _accepts(*arrays: Any, **_: Any) -> bool:
    return arrays[0].ndim > 0


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the result and a backward by the first array, from one pass over the arrays."""
    if pair.summand is not None:
        return _run_summed(pair, arrays, options, wanted)
    given = [x for x in arrays if x is not None]
    size = max([x.size for x in given])
    program = None
    if wanted:
        rule = pair.rules[0] if pair.rules else pair.backward
        program = _program(pair.forward, rule, arrays, options, now=size >= FEWEST)
    if program is None:
        return pair.forward(*arrays, **options), pair.backward
    out, saved = program(given, size)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        """Return the gradient from the saved slope, the first time; later by the pair."""
        nonlocal saved
        slope, saved = saved, None  # the gradient takes its memory
        if slope is None:  # a second time through the same graph
            return pair.backward(grad, out, *arrays, **options)
        return _scaled(slope, grad), *(None for _ in arrays[1:])

    return out, backward


def _sums(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether these arrays lie without gaps, and there is machine code for their sum."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    for x in arrays:
        if x is not None and not (
            isinstance(x, np.ndarray)
            and x.shape == shape
            and x.dtype in (dtype, np.bool_)
            and x.flags.c_contiguous
            and x.size
        ):
            return False
    return isinstance(_program(pair.forward, None, arrays, options, now=False), Machine)


def _run_summed(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: Any) -> Any:
    """Return the sum of the summand over the divisor, and a backward by the first array."""
    each: Any = pair.summand
    rest = {name: x for name, x in options.items() if name != "divisor"}
    given = [x for x in arrays if x is not None]
    divisor, dtype = options["divisor"], arrays[0].dtype
    program: Any = None
    if wanted:
        rule = each.rules[0] if each.rules else each.backward
        program = _program(each.forward, rule, arrays, rest, now=False)
    slopes = isinstance(program, Machine)
    if not slopes:
        program = _program(each.forward, None, arrays, rest, now=False)
    added, others = program.sum(given, 1 / divisor)
    saved = others[0] if slopes else None

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        """Return the gradient from the saved slope, the first time; later by the pair."""
        nonlocal saved
        slope, saved = saved, None  # the gradient takes its memory
        if slope is None:
            return pair.backward(grad, out, *arrays, **options)
        return _scaled(slope, grad), *(None for _ in arrays[1:])

    return dtype.type(added / divisor), backward


VALUE_AND_SLOPE = Kernel(_accepts, _run, sums=_sums)


def _scaled(slope: Array, grad: Array) -> Array:
    """Multiply `slope` in place with `grad`."""
    if slope.size < FEWEST:
        return np.multiply(grad, slope)
    flat = slope.reshape(-1)
    factor = _part(grad, flat.shape) if _is_one_number(grad) or grad.flags.c_contiguous else None
    if factor is None:
        return np.multiply(grad, slope, out=slope)
    if not factor.ndim and factor == 1:
        return slope

    def work(block: slice) -> None:
        part = flat[block]
        np.multiply(factor[block] if factor.ndim else factor, part, out=part)

    in_blocks(work, flat.size, SIZE // (2 * slope.itemsize))
    return slope


# ---- programs ----------------------------------------------------------------------------------


class Machine:
    """A formula as machine code: a ufunc, called on blocks of large arrays."""

    def __init__(self, formula: Formula, code: Any, name: str, dtypes: Sequence[Any]) -> None:
        self.formula = formula
        self._code = code  # lives as long as the ufunc
        self._ufunc = as_ufunc(code.strided, name, dtypes, formula.given, code.flat)
        self._sum: Any = code.summing() if code.summed else None
        self._sizes = [np.dtype(d).itemsize for d in dtypes]

    def __call__(self, given: Sequence[Array], size: int) -> tuple[Any, ...]:
        """Return the results for the arrays `given`, the largest of which has this size."""
        if size < FEWEST:
            found = self._ufunc(*given)
            return found if isinstance(found, tuple) else (found,)
        shape, axis, parts = _aligned(given)
        outs = tuple([empty(shape, dtype) for dtype in self.formula.dtypes])
        targets = [x.reshape(axis) for x in outs]

        def work(block: slice) -> None:
            self._ufunc(
                *[x[block] if x.ndim else x for x in parts], out=tuple([x[block] for x in targets])
            )

        in_blocks(work, axis[0], max(1, SPAN // max(1, math.prod(axis[1:]))))
        return outs

    def sum(self, given: Sequence[Array], scale: float) -> tuple[float, list[Array]]:
        """Return the sum of the first result, and the others times `scale`; operands lie alike."""
        first = given[0]
        others = [empty(first.shape, dtype) for dtype in self.formula.dtypes[1:]]
        places = [x.ctypes.data for x in (*given, *others)]
        skipped = self.formula.given  # the size of the first result
        sizes = [*self._sizes[:skipped], *self._sizes[skipped + 1 :]]
        return total(self._code, self._sum, places, sizes, first.size, scale), others

    def arranged(self, outs: tuple[Any, ...]) -> Any:
        """Return the results as the function returns them."""
        return _arranged(self.formula, outs)


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

    def __call__(self, given: Sequence[Array], size: int) -> tuple[Any, ...]:
        """Return the results for the arrays `given`, the largest of which has this size."""
        if size <= SMALL:
            return self.simple(given)
        shape, axis, parts = _aligned(given)
        outs = tuple([empty(shape, dtype) for dtype in self.formula.dtypes])
        self._fill([x.reshape(axis) for x in outs], parts)
        return outs

    def arranged(self, outs: tuple[Any, ...]) -> Any:
        """Return the results as the function returns them."""
        return _arranged(self.formula, outs)

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


def _arranged(formula: Formula, outs: tuple[Any, ...]) -> Any:
    """Return results as the function returns them."""
    if formula.several is None:
        return outs[0]
    found = iter(outs)
    return tuple([next(found) if there else None for there in formula.several])


_PROGRAMS: dict[Any, Machine | Program | None] = {}  # None: the function cannot be traced
_MET: set[Any] = set()  # the keys of what was called once, on a small array


def _program(
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
    shape, axis, cut = _aligned(given)
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


def _aligned(
    given: Sequence[Array],
) -> tuple[tuple[int, ...], tuple[int, ...], list[Array]]:
    """Return the shape of the result, the one in which it is cut, and the arrays for that."""
    shape = np.broadcast_shapes(*[x.shape for x in given])
    flat = all(_is_one_number(x) or (x.shape == shape and x.flags.c_contiguous) for x in given)
    axis = (math.prod(shape),) if flat or not shape else shape
    return shape, axis, [_part(x, axis) for x in given]


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
