"""A pair of rows with everything looked up: what a plan runs.

The kinds, strides and sizes of arrays of known shapes without gaps are known; what is left of a
call is their addresses, and memory for the results.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from functools import cache, partial
from struct import pack, unpack
from typing import Any

import numpy as np

from portable_losses._backend import Pair
from portable_losses._reduction import itself
from portable_losses._typing import Array, Options

from ..formulas.machine_code import NATIVE, machine_code
from ..formulas.trace import trace

__all__ = ["FEWEST", "ready"]

FEWEST = 2**16  # entries from which on several threads pay
ADDED = ("float32", "float64")  # dtypes of what is added up


def ready(
    rows: Any, pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Callable[[tuple[Array, ...]], Any] | None:
    """Return the kernel's `run` for rows of these dtypes and shapes; None without code.

    Of a pair with a `summand` it is that of the sum of its first result over the `divisor`. With a
    gradient that is foreseen, divisor and weights of the rows may be given at each call.
    """
    library, first, each = rows.library, arrays[0], pair.summand or pair
    rest = dict(options)
    divisor, foreseen = rest.pop("divisor", None), rest.pop("foreseen", None)
    if divisor is not None and math.prod(first.shape) >= FEWEST:  # the library adds them up
        return None
    if not rows.fits(arrays) or wanted not in ((), (0,)):
        return None
    weighs = rest.pop("weights", None) is not None
    if "foreseen" in options:
        rest["foreseen"] = None
    given = [i for i, x in enumerate(arrays) if x is not None]
    present = [arrays[i] for i in given]
    factor: Any = None
    if wanted and foreseen is not None:
        factor = library.rows(foreseen[0], first)
        if weighs:
            factor = library.rows(
                library.empty(first.shape[:-1], first, library.name(first)), first
            )
        program = rows.swept(each, (factor, *arrays), rest, foreseen[1])
        present = [factor, *present]
    else:
        program = rows.forward(each, arrays, rest)
    if program is None or (divisor is not None and program.dtypes[0] not in ADDED):
        return None
    several, count = program.rows.formula.several is not None, len(given)
    held = factor is not None
    if held:
        several = "with_lse" in options
    compute, pull = _prepared(library, program, present, first), _puller(rows, each, wanted)
    added, usual, number = divisor is not None, divisor, library.number
    kind = "d" if library.name(first) == "float64" else "f"

    def weighted(arrays: tuple[Any, ...], divisor: float, weights: Any) -> Any:
        """Return the sum of the weighted results over a number, and the gradient."""
        if not (held or not wanted) or (weights is not None and library.place(weights) is None):
            return None
        laid = [arrays[i] for i in given]
        if weights is None:
            share = array(kind, (1.0 / divisor,))
            made = compute(laid, divisor, (share.buffer_info()[0],) if held else ())
        else:
            own = [library.rows(weights / divisor, arrays[0])] if held else []
            made = compute(own + laid)
        if made is None:
            return None
        out = number(made.pop()) if weights is None else library.sum(weights * made[0]) / divisor
        return out, made[-1] if held else None

    def run(arrays: tuple[Any, ...], divisor: Any = divisor, weights: Any = None) -> Any:
        if weights is not None or divisor is not usual:
            return weighted(arrays, divisor, weights)
        laid = arrays if len(arrays) == count else [arrays[i] for i in given]
        made = compute((factor, *laid) if held else laid, divisor)
        if made is None:
            return None
        total = number(made.pop()) if added else None
        slope = made.pop() if held else None
        results = tuple(made) if several else made[0]
        out = total if added else results
        if held or not wanted:
            return out, slope

        if added:
            return out, partial(spread_back, results, divisor)
        return out, backward

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        return pull(grad, out, arrays, {**rest, "xp": options["xp"]})

    def spread_back(
        terms: Any, divisor: float, grad: Any, out: Any, *arrays: Any, **options: Any
    ) -> Any:
        """Return the gradients of the sum of the terms over a number."""
        spread = library.spread(grad, divisor, terms[0] if several else terms)
        return backward((spread,) if several else spread, terms, *arrays, **options)

    return run


def _puller(rows: Any, pair: Pair, wanted: tuple[int, ...]) -> Callable[..., Any]:
    """Return what computes the gradients, prepared at its first call."""
    prepared: list[Any] = []

    def pull(grad: Any, out: Any, arrays: tuple[Any, ...], options: Options) -> Any:
        if not prepared:
            given, program = rows.pulled(pair, grad, out, arrays, options, wanted)
            prepared.append(program and _prepared(rows.library, program, given, arrays[0]))
            prepared.append(len(given) - sum(x is not None for x in arrays) > (_size(grad)))
        compute, with_out = prepared
        made = None
        if compute is not None:
            grads = grad if isinstance(grad, tuple) else (grad,)
            outs = (out if isinstance(out, tuple) else (out,)) if with_out else ()
            made = compute([*grads, *outs, *[x for x in arrays if x is not None]])
        if made is None:
            return rows.backward(pair, grad, out, arrays, options, wanted)
        return *made, *(None,) * (len(arrays) - 1)

    return pull


def _size(grad: Any) -> int:
    return len(grad) if isinstance(grad, tuple) else 1


def _prepared(
    library: Any, program: Any, given: Sequence[Array], like: Array
) -> Callable[..., list[Array] | None]:
    """Return a program as a function of arrays as these are, and of a divisor.

    Where one is given, the sum of the first result over it comes last. The addresses `before` are
    those of the first operands. None of arrays with gaps in memory, and where an index names no
    class.
    """
    formula, kinds = program.rows.formula, program.rows.kinds
    shape = tuple(like.shape)
    lead, classes = shape[:-1], shape[-1]
    shapes = {"entries": shape, "kept": (*lead, 1), "row": lead}
    wanted = [
        (shapes[kind], name)
        for kind, name in zip(kinds[formula.given :], program.dtypes, strict=True)
    ]
    count, few = math.prod(lead), math.prod(shape) < FEWEST
    sizes = [size if few else (0,) * len(size) for size, _ in wanted]  # none is kept here
    outs = [library.empty(size, like, name) for size, (_, name) in zip(sizes, wanted, strict=True)]
    strides = [
        0
        if kind == "weights" or not x.ndim
        else x.dtype.itemsize * (classes if kind == "entries" else 1)
        for x, kind in zip((*given, *outs), kinds, strict=True)
    ]
    place, small = library.place, library.small
    if few:
        run = program.code.run
        makers = [small(size, x) for size, x in zip(sizes, outs, strict=True)]
    else:
        run = partial(program.code.share, team=library.team)
        makers = [partial(library.empty, size, None, name) for size, name in wanted]
    name = program.dtypes[0]
    adder: Any = _adder(name) if name in ADDED else None
    total = small((), library.empty((), like, name))

    def compute(
        given: Sequence[Array], divisor: float | None = None, before: tuple[int, ...] = ()
    ) -> list[Array] | None:
        outs = [make() for make in makers]
        places = [*before, *[place(x) for x in given]]
        if None in places:
            return None
        places += [place(x) for x in outs]
        if divisor is None:
            there = run(places, strides, count, classes)
        else:
            outs.append(total())
            adding = (*adder, place(outs[-1]), *unpack("q", pack("d", divisor)))
            there = run(places, strides, count, classes, adding)
        return outs if there else None

    return compute


@cache
def _adder(name: str) -> tuple[int, int]:
    """Return the addresses of the code that adds up numbers, as the long way does (`itself`)."""
    dtype = np.dtype(name)
    found: Any = machine_code(
        lambda: trace(itself, (dtype,), {}, native=NATIVE), (itself, name), lambda _: [name, name]
    )
    return found[1].averaged, found[1].flat
