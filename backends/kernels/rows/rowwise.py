"""Pairs of rows as machine code: the value, and the gradients that are wanted, each in one sweep.

A row is read once, its loops run while it is in cache, and the results are written once. This is
what NumPy and PyTorch share; where a pair has no code, the kernel of the same pair that is written
by hand serves, or the pair.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..formulas.machine_code import NATIVE, machine_code
from ..formulas.trace import key_of
from ..machine.teams import Team
from .derivatives import DerivedNamespace
from .foreseen import foreseen_gradients, has_several, ratio_of
from .ready import FEWEST, ready
from .trace import RowFormula, trace

__all__ = ["Library", "Program", "Rowwise"]

ROOM = __name__.rpartition(".")[0]  # whose compiler is asked
KEPT = 512  # programs: each is of a pair, dtypes and options
GRADIENTS = 16  # as many as a pair has arrays, and more
MOST = 2**31  # classes are counted in so many
WIDE = {"float16": "float32", "bfloat16": "float32"}


class Library(NamedTuple):
    """What NumPy and PyTorch do differently.

    ``plain(arrays)`` says whether these may be looked into, and nobody else does; ``name(x)`` is
    the name of an array's dtype; ``empty(shape, like, name)`` is memory for a result;
    ``rows(factor, like)`` is a number of each row of `like`, or of all;
    ``laid(x, classes)`` is `x` as rows of so many entries without gaps (None: of one), its address,
    and the bytes from row to row; ``team`` has the threads;
    ``backward_of(pair, arrays)`` is the portable backward, which computes halves in float32.

    For few rows: ``place(x)`` is the address of an array, None of one with gaps; ``small(shape,
    like)`` makes memory for a result; ``sum(x)`` is that of an array, ``number(x)`` one of no axes
    as the library returns it; ``spread(grad, divisor, like)`` is the gradient of each of the added.
    """

    plain: Callable[[tuple[Any, ...]], bool]
    name: Callable[[Array], str]
    empty: Callable[[Sequence[int], Array, str], Array]
    rows: Callable[[Array | float, Array], Array]
    laid: Callable[[Array, int | None], tuple[Any, int, int]]
    team: Team
    backward_of: Callable[[Pair, tuple[Any, ...]], Callable[..., Any]]
    place: Callable[[Array], int | None]
    small: Callable[[tuple[int, ...], Array], Callable[[], Array]]
    sum: Callable[[Array], Any]
    number: Callable[[Array], Any]
    spread: Callable[[Any, float, Array], Array]


class Program(NamedTuple):
    """Machine code of a function of rows."""

    rows: RowFormula
    dtypes: tuple[str, ...]  # of the results
    code: Any

    def __call__(
        self, library: Library, given: Sequence[Array], like: Array, out: Sequence[Any] = ()
    ) -> Any:
        """Return the results, in `out` where that has arrays; `like` has the shape of the rows.

        The one that has entries may be in an array that is given.
        """
        formula, kinds = self.rows.formula, self.rows.kinds
        shape = tuple(like.shape)
        lead, classes = shape[:-1], shape[-1]
        shapes = {"entries": shape, "kept": (*lead, 1), "row": lead}
        own = out or (None,) * len(self.dtypes)
        outs = [
            library.empty(shapes[kind], like, name) if mine is None else mine
            for kind, name, mine in zip(kinds[formula.given :], self.dtypes, own, strict=True)
        ]
        laid = [
            library.laid(x, classes if kind in WHOLE else None)
            for x, kind in zip((*given, *outs), kinds, strict=True)
        ]
        places = [place for _, place, _ in laid]
        strides = [
            0 if kind == "weights" else stride
            for (_, _, stride), kind in zip(laid, kinds, strict=True)
        ]
        count = math.prod(lead)
        if count * classes < FEWEST:
            self.code.run(places, strides, count, classes)
        else:
            self.code.share(places, strides, count, classes, library.team)
        if formula.several is None:
            return outs[0]
        found = iter(outs)
        return tuple([next(found) if there else None for there in formula.several])


_PROGRAMS: dict[Any, Program | None] = {}  # None: the pair cannot be compiled

WHOLE = ("entries", "weights")  # the kinds of arrays that have an entry for each class


class Rowwise:
    """The kernel of pairs of rows.

    The arrays at the places `weights` have the same entries for every row. `by_hand` serves where
    there is no code.
    """

    def __init__(
        self, library: Library, by_hand: Kernel | None = None, weights: tuple[int, ...] = ()
    ) -> None:
        self.library = library
        self._by_hand = by_hand
        self._weights = weights

    def kernel(self) -> Kernel:
        """Return this as a `Kernel`."""
        prepared = partial(ready, self)
        return Kernel(
            self._accepts, self._run, gradients=GRADIENTS, takes=self._takes, ready=prepared
        )

    def several(self, function: Any, arrays: Any, options: Options, out: Sequence[Any] = ()) -> Any:
        """Return the results of a function of rows, which nothing differentiates, in one sweep."""
        if self.fits(arrays):
            first = arrays[0]
            names = [self.library.name(first)]
            program = self.program(function, function, arrays, options, 0, names, first)
            if program is not None:
                return program(self.library, [x for x in arrays if x is not None], first, out)
        return function(*arrays, **options)

    def _accepts(self, *arrays: Any, **options: Any) -> bool:
        by_hand = self._by_hand
        return self.fits(arrays) or (by_hand is not None and by_hand.accepts(*arrays, **options))

    def _takes(self, pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
        """Say whether these are arrays for which there is code, also of a half dtype."""
        options = {**options, "foreseen": None} if "foreseen" in options else options
        return self.fits(arrays) and self.forward(pair, arrays, options) is not None

    def fits(self, arrays: tuple[Any, ...]) -> bool:
        """Say whether there are rows of more than one class."""
        if not self.library.plain(arrays):  # first: a trace would keep what is asked of a shape
            return False
        shape = arrays[0].shape
        return bool(shape) and 1 < shape[-1] < MOST and 0 not in shape

    def _run(
        self, pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        """Return the value, and a backward by the arrays that need a gradient."""
        if "foreseen" in options:
            made = self._foreseen(pair, arrays, options, wanted) if wanted == (0,) else None
            if made is not None:
                return made
            options = {**options, "foreseen": None}
        program = self.forward(pair, arrays, options) if self.fits(arrays) else None
        if program is None:
            by_hand = self._by_hand
            all_there = by_hand is not None and all(i < by_hand.gradients for i in wanted)
            if by_hand is not None and all_there and by_hand.accepts(*arrays, **options):
                return by_hand.run(pair, arrays, options, wanted)
            return pair.forward(*arrays, **options), pair.backward

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
            return self.backward(pair, grad, out, arrays, options, wanted)

        return program(self.library, [x for x in arrays if x is not None], arrays[0]), backward

    def _foreseen(
        self, pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        """Return the value and a backward, with the gradient from the same sweep.

        It is that for the gradients of the results that are foreseen, and multiplied by a number
        if they come with one. None where there is nothing foreseen, or no code.
        """
        if options["foreseen"] is None or not self.fits(arrays):
            return None
        factor, penalty = options["foreseen"]
        first = arrays[0]
        factor = self.library.rows(factor, first)
        program = self.swept(pair, (factor, *arrays), options, penalty)
        if program is None:
            return None
        *outs, slope = program(self.library, [x for x in (factor, *arrays) if x is not None], first)
        saved, several = slope, has_several(options)

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
            nonlocal saved
            slope, saved = saved, None  # the gradient takes its memory
            if slope is not None:
                had = foreseen_gradients(factor, out if several else (out,), penalty)
                ratio = ratio_of(had, grad if several else (grad,), options["xp"])
                if ratio == 1 or (ratio is not None and self.library.name(slope) not in WIDE):
                    if ratio != 1:
                        slope *= ratio
                    return slope, *(None for _ in arrays[1:])
            return self.backward(pair, grad, out, arrays, options, wanted)

        return tuple(outs) if several else outs[0], backward

    def swept(
        self, pair: Pair, given: tuple[Any, ...], options: Options, penalty: float
    ) -> Program | None:
        """Return the program of the value, and of the gradient for the first of `given`."""

        def both(factor: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
            out = pair.forward(*arrays, **options)
            outs = out if several else (out,)
            grads = foreseen_gradients(factor, outs, penalty)
            grad = grads if several else grads[0]
            return *outs, pair.backward(grad, out, *arrays, **options)[0]

        family = pair.forward, pair.backward, "foreseen", penalty
        first = given[1]
        own = self.library.name(first)
        of_forward = WIDE.get(own, own) if pair.wide else own
        several = has_several(options)
        results = [of_forward] * (1 + options.get("with_lse", False)) + [own]
        options = {**options, "foreseen": None}
        return self.program(both, family, given, options, 1, results, first)

    def backward(
        self,
        pair: Pair,
        grad: Any,
        out: Any,
        arrays: tuple[Any, ...],
        options: Options,
        wanted: tuple[int, ...],
    ) -> Any:
        """Return the gradients, by the pair where there is no code for them."""
        if "foreseen" in options:
            options = {**options, "foreseen": None}
        found = self._gradients(pair, grad, out, arrays, options, wanted)
        if found is None:
            found = self.library.backward_of(pair, arrays)(grad, out, *arrays, **options)
        return found

    def forward(self, pair: Pair, arrays: tuple[Any, ...], options: Options) -> Program | None:
        """Return the program of the value."""
        own = self.library.name(arrays[0])
        result = WIDE.get(own, own) if pair.wide else own
        family = pair.forward, pair.backward, None
        return self.program(pair.forward, family, arrays, options, 0, [result], arrays[0])

    def _gradients(
        self,
        pair: Pair,
        grad: Any,
        out: Any,
        arrays: tuple[Any, ...],
        options: Options,
        wanted: tuple[int, ...],
    ) -> tuple[Array | None, ...] | None:
        """Return the gradients at the places `wanted`; None where there is no program for it."""
        given, program = self.pulled(pair, grad, out, arrays, options, wanted)
        if program is None:
            return None
        found = iter(program(self.library, given, arrays[0]))
        return tuple([next(found) if i in wanted else None for i in range(len(arrays))])

    def pulled(
        self,
        pair: Pair,
        grad: Any,
        out: Any,
        arrays: tuple[Any, ...],
        options: Options,
        wanted: tuple[int, ...],
    ) -> tuple[list[Array], Program | None]:
        """Return the operands of the program of the gradients, and that, if there is one."""
        several = isinstance(grad, tuple)
        grads, outs = (grad, out) if several else ((grad,), (out,))
        count, name = len(grads), self.library.name
        rounded = name(arrays[0]) in WIDE  # to halves
        if pair.derived or rounded:
            outs = ()
        first = count + len(outs)

        def pulled(*given: Any, **options: Any) -> tuple[Any, ...]:
            grad, out, rest = given[:count], given[count:first], given[first:]
            if rounded and pair.again is not None:
                found = pair.again(*grad, *rest, **options)
                return tuple([found[i] for i in wanted])
            if not out:
                made = pair.forward(*rest, **options)
                out = made if several else (made,)
            own = (grad, out) if several else (grad[0], out[0])
            if pair.rules:
                return tuple([pair.rules[i](*own, *rest, **options) for i in wanted])
            found = pair.backward(*own, *rest, **options)
            return tuple([found[i] for i in wanted])

        given = (*grads, *outs, *arrays)
        family = pair.forward, pair.backward, wanted
        results = [name(arrays[i]) for i in wanted]
        program = self.program(pulled, family, given, options, first, results, arrays[0])
        return [x for x in given if x is not None], program

    def program(
        self,
        function: Callable[..., Any],
        family: Any,
        arrays: tuple[Any, ...],
        options: Options,
        first: int,
        results: list[str],
        like: Any,
    ) -> Program | None:
        """Return the program of a function of these arrays; None where there is none.

        The pair's own are those from the `first` one on; `results` are the dtypes of the results,
        the only one that of all.
        """
        name = self.library.name
        names = tuple([None if x is None else name(x) for x in arrays])
        weights = [place + first for place in self._weights]
        kinds = _kinds(arrays, tuple(like.shape), weights)
        if kinds is None:
            return None
        key = self, family, names, kinds, *results, *key_of(options)
        try:
            return _PROGRAMS[key]
        except KeyError:
            pass
        except TypeError:  # an option that is no plain value
            return None
        if len(_PROGRAMS) > KEPT:
            _PROGRAMS.clear()
        _PROGRAMS[key] = made = _compiled(function, family, names, kinds, options, results)
        return made


def _kinds(
    arrays: tuple[Any, ...], shape: tuple[int, ...], weights: Sequence[int]
) -> tuple[str, ...] | None:
    """Return the kinds of the arrays that are present, None where one has another shape."""
    lead = shape[:-1]
    named = {shape: "entries", (*lead, 1): "kept", lead: "row"}
    found = []
    for i, x in enumerate(arrays):
        if x is not None:
            own = tuple(x.shape)
            if not own:  # a number, the same for all rows
                found.append("row")
                continue
            found.append("weights" if i in weights and own == shape[-1:] else named.get(own, ""))
    return tuple(found) if all(found) else None


def _compiled(
    function: Callable[..., Any],
    family: Any,
    names: tuple[str | None, ...],
    kinds: tuple[str, ...],
    options: Options,
    results: list[str],
) -> Program | None:
    """Return machine code; None where there is none."""
    dtypes = [None if x is None else np.dtype(WIDE.get(x, x)) for x in names]
    given = [x for x in names if x is not None]
    plain = {name: x for name, x in options.items() if name != "xp"}

    def all_of(rows: RowFormula) -> list[str]:
        if len(results) == 1:
            return [*given, *results * len(rows.formula.results)]
        there = zip(results, rows.formula.several or results, strict=True)
        return [*given, *(x for x, is_there in there if is_there)]

    found = machine_code(
        lambda: trace(function, dtypes, kinds, plain, native=NATIVE, namespace=DerivedNamespace),
        (family, names, kinds, *results),
        all_of,
        ROOM,
    )
    return found and Program(found[0], tuple(all_of(found[0])[len(given) :]), found[1])
