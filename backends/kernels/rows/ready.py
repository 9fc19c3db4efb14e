"""A pair of rows of small arrays with everything looked up: what a plan runs.

The kinds, strides and sizes of arrays of known shapes without gaps are known; what is left of a
call is their addresses, and memory for the results.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._backend import Pair
from portable_losses._typing import Array, Options

__all__ = ["FEWEST", "ready"]

FEWEST = 2**16  # entries from which on several threads pay


def ready(
    rows: Any, pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Callable[[tuple[Array, ...]], Any] | None:
    """Return the kernel's `run` for few rows of these dtypes and shapes; None without code.

    Of a pair with a `summand` it is that of the sum of its first result over the `divisor`. With a
    gradient that is foreseen, divisor and weights of the rows may be given at each call.
    """
    library, first, each = rows.library, arrays[0], pair.summand or pair
    if math.prod(first.shape) >= FEWEST or not rows.fits(arrays) or wanted not in ((), (0,)):
        return None
    rest = dict(options)
    divisor, foreseen = rest.pop("divisor", None), rest.pop("foreseen", None)
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
    if program is None:
        return None
    several, count = program.rows.formula.several is not None, len(given)
    if factor is not None:
        several = "with_lse" in options
    compute = _prepared(library, program, present, first)
    held = () if factor is None else (factor,)
    added = None if divisor is None else library.adding(divisor)
    pull = _puller(rows, each, wanted)

    usual = divisor

    def weighted(arrays: tuple[Any, ...], divisor: float, weights: Any) -> Any:
        """Return the sum of the weighted results over a number, and the gradient."""
        made = None
        if weights is None or library.place(weights) is not None:
            share = (1.0 if weights is None else weights) / divisor
            own = (library.rows(share, arrays[0]),) if held else ()
            made = compute((*own, *[arrays[i] for i in given]))
        if made is None or not (held or not wanted):
            return None
        slope = made.pop() if held else None
        terms = made[0] if weights is None else weights * made[0]
        return library.adding(1)(terms) / divisor, slope

    def run(arrays: tuple[Any, ...], divisor: Any = divisor, weights: Any = None) -> Any:
        if weights is not None or divisor is not usual:
            return weighted(arrays, divisor, weights)
        laid = arrays if len(arrays) == count else [arrays[i] for i in given]
        made = compute((*held, *laid))
        if made is None:
            return None
        slope = made.pop() if held else None
        out = added(made[0]) if added else tuple(made) if several else made[0]
        if slope is not None or not wanted:
            return out, slope
        results = tuple(made) if several else made[0]

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
            if added:
                spread = library.spread(grad, divisor, made[0])
                grad = (spread,) if several else spread
            return pull(grad, results, arrays, {**rest, "xp": options["xp"]})

        return out, backward

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
) -> Callable[[Sequence[Array]], list[Array] | None]:
    """Return a program as a function of arrays as these are, None of such with gaps in memory."""
    formula, kinds = program.rows.formula, program.rows.kinds
    shape = tuple(like.shape)
    lead, classes = shape[:-1], shape[-1]
    shapes = {"entries": shape, "kept": (*lead, 1), "row": lead}
    wanted = [
        (shapes[kind], name)
        for kind, name in zip(kinds[formula.given :], program.dtypes, strict=True)
    ]
    outs = [library.empty(size, like, name) for size, name in wanted]
    strides = [
        0
        if kind == "weights" or not x.ndim
        else x.dtype.itemsize * (classes if kind == "entries" else 1)
        for x, kind in zip((*given, *outs), kinds, strict=True)
    ]
    count, place, run, small = math.prod(lead), library.place, program.code.run, library.small
    makers = [small(size, x) for (size, _), x in zip(wanted, outs, strict=True)]

    def compute(given: Sequence[Array]) -> list[Array] | None:
        outs = [make() for make in makers]
        places = [place(x) for x in given]
        if None in places:
            return None
        places += [place(x) for x in outs]
        run(places, strides, count, classes)
        return outs

    return compute
