"""Pairs of rows on PyTorch's DTensors, whose classes lie in parts: a few sums a row are exchanged.

The formula runs on what each process has; the sums of a round are one all-reduce. With the value
come the sums that its gradient needs, unless they depend on the gradient that arrives.
"""

__library__ = "torch"

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..formulas.trace import CAST, SELECT, Place, Untraceable, key_of
from .axes import CLASSES, SHARE
from .derivatives import DerivedNamespace
from .parts_dtensor import Parts, are_in_parts
from .rewritten import EACH, FIRST, TOP
from .rounds import Phase, Rounds, rounds
from .trace import POSITION, SUM, RowFormula, RowRecording, trace

__all__ = ["rowwise"]

KEPT = 512  # programs: each is of a pair, dtypes and options
GRADIENTS = 16  # as many as a pair has arrays, and more
NATIVE = ("erf", "erfc")
NUMPYS = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
    torch.float16: np.dtype(np.float32),
    torch.bfloat16: np.dtype(np.float32),
    torch.bool: np.dtype(bool),
    torch.int64: np.dtype(np.int64),
}
TORCHS = {np.dtype(name): getattr(torch, name) for name in ("float32", "float64", "bool", "int64")}
NAMES = {  # PyTorch's of ufuncs that have another
    np.absolute: torch.abs,
    np.power: torch.pow,
    np.rint: torch.round,
    np.equal: torch.eq,
    np.not_equal: torch.ne,
    np.arctan: torch.atan,
    np.invert: torch.logical_not,
    SELECT: torch.where,
    "erf": torch.special.erf,
    "erfc": torch.special.erfc,
}


# ---- a formula on the parts ----------------------------------------------------------------------


class Program(NamedTuple):
    """A pair with its gradients by the arrays that need one."""

    rounds: Rounds
    kinds: tuple[str, ...]  # of the gradients, the arrays, the values and the gradients by arrays
    late: int  # how many gradients come
    several: bool
    values: int

    def run(
        self, phase: Phase, parts: Parts, given: Sequence[Any], known: dict[int, Array]
    ) -> list[Array]:
        """Return the results of a phase; `known`, sums of earlier ones, gets those of this."""
        found: dict[int, Any] = {i: x for i, x in enumerate(given) if x is not None}
        found.update(known)
        like = next(x for x in found.values() if x.is_floating_point())
        left = self._uses(phase)
        steps = self.rounds.steps

        def operand(x: Any) -> Any:
            if not isinstance(x, Place):
                return torch.as_tensor(x, device=like.device)
            value = found[x.number]
            left[x.number] -= 1
            if not left[x.number]:  # its memory is free for the next
                del found[x.number]
            return value

        for order, exchanged in phase.rounds:
            for number in order:
                step = steps[number]
                xs = [operand(x) for x in step.operands]
                found[number] = _computed(step, xs, parts, like)
            if exchanged:
                own = [_own_part(steps[i], operand(steps[i].operands[0]), parts) for i in exchanged]
                lead = torch.broadcast_shapes(*[x.shape[1:] for x in own])
                own = [x.expand(len(x), *lead) for x in own]
                sums = parts.summed(torch.cat(own))
                sums = sums.split([len(x) for x in own])
                for i, x in zip(exchanged, sums, strict=True):
                    found[i] = known[i] = x if steps[i].operation == EACH else x[0]
        return [operand(x) for x in phase.results]

    def _uses(self, phase: Phase) -> dict[int, int]:
        """Return how often each value is used in a phase."""
        left: dict[int, int] = {}
        numbers = [i for own in phase.rounds for part in own for i in part]
        operands = [x for i in numbers for x in self.rounds.steps[i].operands]
        for x in (*operands, *phase.results):
            if isinstance(x, Place):
                left[x.number] = left.get(x.number, 0) + 1
        return left


def _own_part(step: Any, x: Array, parts: Parts) -> Array:
    """Return what this process gives to a sum: numbers of its rows, along the first axis."""
    if step.operation == SUM:
        return x.sum(-1, keepdim=True)[None]
    least = x.new_full((*x.shape[:-1], 1), -math.inf)
    own = torch.amax(x, -1, keepdim=True) if parts.size else least
    every = own.new_zeros((parts.processes, *own.shape))
    every[parts.rank] = own
    return every


def _computed(step: Any, xs: list[Any], parts: Parts, like: Array) -> Array:
    """Return what a step makes of what this process has."""
    operation, dtype = step.operation, TORCHS[step.dtype]
    if operation == CAST:
        return xs[0].to(dtype)
    if operation == POSITION:
        return torch.arange(parts.start, parts.start + parts.size, device=like.device)
    if operation in (CLASSES, SHARE):
        share = 1.0 if operation == SHARE else float(parts.shape[-1])
        return (
            torch.as_tensor(share, dtype=dtype, device=like.device)
            if operation == CLASSES
            else (xs[0].double() / parts.shape[-1]).to(dtype)
        )
    if operation == TOP:
        return torch.amax(xs[0], 0)
    if operation == FIRST:
        x, every = xs
        if not parts.size:
            return torch.zeros_like(x, dtype=torch.bool)
        here = torch.argmax(every, 0) == parts.rank
        place = torch.argmax(x, -1, keepdim=True)
        return (torch.arange(parts.size, device=x.device) == place) & here
    function = NAMES.get(operation) or getattr(torch, operation.__name__)
    return function(*xs)


_PROGRAMS: dict[Any, Program | None] = {}  # None: the pair has none


def _program(
    pair: Pair,
    parts: Parts,
    arrays: tuple[Any, ...],
    options: Options,
    wanted: tuple[int, ...],
    weights: tuple[int, ...],
) -> Program | None:
    """Return the program of a pair for arrays of these kinds; None where there is none."""
    kinds = _kinds(arrays, parts.shape, weights)
    dtypes = tuple([None if x is None else NUMPYS.get(x.dtype) for x in arrays])
    if kinds is None or any(
        x is not None and d is None for x, d in zip(arrays, dtypes, strict=True)
    ):
        return None
    plain = {name: x for name, x in options.items() if name not in ("xp", "foreseen")}
    if "foreseen" in options:
        plain["foreseen"] = None
    key = pair.forward, pair.backward, dtypes, kinds, wanted, *key_of(plain)
    try:
        return _PROGRAMS[key]
    except KeyError:
        pass
    except TypeError:  # an option that is no plain value
        return None
    if len(_PROGRAMS) > KEPT:
        _PROGRAMS.clear()
    try:
        rows, values, several = _traced(pair, dtypes, kinds, plain, wanted)
    except (Untraceable, AttributeError):
        made = None
    else:
        late = values if wanted else 0
        made = Program(rounds(rows, late, values), rows.kinds, late, several, values)
    _PROGRAMS[key] = made
    return made


def _kinds(
    arrays: tuple[Any, ...], shape: tuple[int, ...], weights: tuple[int, ...]
) -> tuple[str, ...] | None:
    """Return the kinds of the arrays that are present, None where one has another shape."""
    lead = shape[:-1]
    named = {(): "row", shape: "entries", (*lead, 1): "kept", lead: "row"}
    found = [
        "weights" if i in weights and x.shape == shape[-1:] else named.get(tuple(x.shape), "")
        for i, x in enumerate(arrays)
        if x is not None
    ]
    return tuple(found) if all(found) else None


class _Namespace(DerivedNamespace):
    """A namespace of rows whose largest entry is known where it is picked."""

    def __init__(self, recording: RowRecording, native: Sequence[str] = ()) -> None:
        super().__init__(recording, native)
        recording.picks_largest = True


def _traced(
    pair: Pair,
    dtypes: tuple[Any, ...],
    kinds: tuple[str, ...],
    options: Options,
    wanted: tuple[int, ...],
) -> tuple[RowFormula, int, bool]:
    """Return the formula of values and gradients, how many values, and whether in a tuple."""
    first = trace(pair.forward, dtypes, kinds, options, native=NATIVE, namespace=_Namespace)
    outs = first.kinds[first.formula.given :]
    several = first.formula.several is not None
    if several and not all(first.formula.several or ()):
        raise Untraceable
    late = len(outs) if wanted else 0

    def both(*given: Any, **options: Any) -> tuple[Any, ...]:
        grads, arrays = given[:late], given[late:]
        out = pair.forward(*arrays, **options)
        values = out if several else (out,)
        if not wanted:
            return tuple(values)
        grad = grads if several else grads[0]
        pulled: Any
        if pair.again is not None:
            pulled = pair.again(grad, *arrays, **options)
        elif pair.rules:
            rules = [pair.rules[i] if i in wanted else None for i in range(len(arrays))]
            pulled = [rule and rule(grad, out, *arrays, **options) for rule in rules]
        else:
            pulled = pair.backward(grad, out, *arrays, **options)
        return *values, *[pulled[i] for i in wanted]

    floats = [dtypes[0]] * late
    rows = trace(
        both,
        (*floats, *dtypes),
        (*outs[:late], *kinds),
        options,
        native=NATIVE,
        namespace=_Namespace,
    )
    if not all(rows.formula.several or ()):
        raise Untraceable  # a gradient that is None
    return rows, len(outs), several


# ---- the kernel ----------------------------------------------------------------------------------


class Rowwise:
    """The kernel of pairs of rows; arrays at the places `weights` are the same for every row."""

    def __init__(self, *weights: int) -> None:
        self.weights = weights

    def kernel(self) -> Kernel:
        """Return this as a `Kernel`."""
        return Kernel(self._accepts, self.run, gradients=GRADIENTS, takes=self._takes)

    def _accepts(self, *arrays: Any, **options: Any) -> bool:
        return are_in_parts(arrays)

    def _takes(self, pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
        """Say whether the value has a program."""
        if not are_in_parts(arrays):
            return False
        return _program(pair, Parts.of(arrays[0]), arrays, options, (), self.weights) is not None

    def run(
        self, pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        """Return the value, and a backward by the arrays that need a gradient."""
        parts = Parts.of(arrays[0])
        program = _program(pair, parts, arrays, options, wanted, self.weights)
        by_program = program is not None
        if program is None:
            program = _program(pair, parts, arrays, options, (), self.weights)
        if program is None:
            return pair.forward(*arrays, **options), pair.backward
        known: dict[int, Array] = {}
        dtype = arrays[0].dtype
        given = self._given(program, parts, arrays)
        found = program.run(program.rounds.value, parts, [*[None] * program.late, *given], known)
        kinds = program.kinds[program.rounds.given :]
        outs = tuple(
            [
                parts.whole(x if pair.wide else x.to(dtype), kind)
                for x, kind in zip(found, kinds, strict=False)
            ]
        )

        if not by_program:
            return outs if program.several else outs[0], pair.backward

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
            grads = grad if program.several else (grad,)
            own = [
                _widened(parts.own(g, kind), given[0].dtype)
                for g, kind in zip(grads, program.kinds, strict=False)
            ]
            arrays_ = self._given(program, parts, arrays)
            pulled = program.run(program.rounds.gradients, parts, [*own, *arrays_], dict(known))
            made = iter(zip(pulled, kinds[program.values :], strict=True))
            found: list[Any] = [None] * len(arrays)
            for i, (x, kind) in zip(wanted, made, strict=True):
                found[i] = parts.whole(x.to(arrays[i].dtype), kind)
            return tuple(found)

        return outs if program.several else outs[0], backward

    def _given(self, program: Program, parts: Parts, arrays: tuple[Any, ...]) -> list[Array]:
        """Return what this process has of the arrays."""
        there = [x for x in arrays if x is not None]
        kinds = program.kinds[program.late : program.rounds.given]
        own = [parts.own(x, kind) for x, kind in zip(there, kinds, strict=True)]
        return [_widened(x) for x in own]


def _widened(x: Array, dtype: Any = torch.float32) -> Array:
    return x.to(dtype) if x.dtype in (torch.float16, torch.bfloat16) else x


def rowwise(*weights: int) -> Kernel:
    """Return the kernel of a pair of rows; see `Rowwise`."""
    return Rowwise(*weights).kernel()
