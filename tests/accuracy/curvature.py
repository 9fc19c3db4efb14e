"""Second derivatives beside the truth: of functions of one number, of two, and of losses."""

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace

from portable_losses._typing import Array
from tests.accuracy.ulp import (
    DIGITS,
    PRECISION,
    Exact,
    Report,
    Truth,
    measure,
    mixed_error,
    pairs,
    samples,
    truth,
)
from tests.curves import Curve, OfTwo, Pointwise

__all__ = ["Row", "bends", "bends_of", "gross", "inputs_of", "reports", "slopes_of"]

Row = Curve | OfTwo | Pointwise
Number = Any  # mpmath has no types


def slopes_of(row: Row) -> tuple[tuple[Exact, int], ...]:
    """Return the exact derivatives of a row, each with the place of its argument."""
    if isinstance(row, OfTwo):
        return (row.by_first, 0), (row.by_second, 1)
    return ((row.slope, 0),)


def inputs_of(row: Row, dtype: Any, *, every: int = 1) -> tuple[Array, ...]:
    """Return finite arguments over the whole dtype, off the kinks; one of `every` many."""
    if isinstance(row, Curve):
        x = samples(dtype, row.low, row.high)
        columns: tuple[Array, ...] = (x[np.isfinite(x) & ~np.isin(x, row.kinks)],)
    elif isinstance(row, Pointwise):
        columns = pairs(dtype, row.inputs, row.targets)
    else:
        columns = row.columns(dtype)
    kept = np.all(np.isfinite(np.stack(columns)), axis=0)
    order = np.random.default_rng(1).permutation(np.flatnonzero(kept))[::every]
    return tuple(x[np.sort(order)] for x in columns)


def total(value: Any) -> Number:
    return mpmath.fsum(value) if isinstance(value, tuple) else value


def exact_bend(slope: Exact, place: int, dtype: Any) -> Exact:
    """Return the second derivative as a function, by differences of slopes.

    It is NaN at a kink, and where the slope is beyond the largest number.
    """
    digits = 150 if dtype == np.float32 else 700

    def bend(*point: Number) -> Number:
        with mpmath.workdps(digits):
            step = mpmath.ldexp(min(abs(point[place]), 1) or mpmath.mpf(1), -100)
            found = []
            for size in (step, step / 2):
                right, left = ([*point], [*point])
                right[place] += size
                left[place] -= size
                found.append((total(slope(*right)) - total(slope(*left))) / (2 * size))
            if not abs(total(slope(*point))) <= float(np.finfo(dtype).max):
                return mpmath.nan
            whole, half = found
            if not abs(whole - half) <= abs(half) * mpmath.mpf("1e-12"):
                return mpmath.nan  # a jump of the slope is twice as steep in half the step
            return half

    return bend


def bends_of(row: Row, dtype: Any) -> list[Exact]:
    """Return the exact second derivatives of a row, by each argument."""
    return [exact_bend(slope, place, dtype) for slope, place in slopes_of(row)]


def bends(row: Row, library: Any, columns: Sequence[Array]) -> list[Array]:
    """Return what a library has for them, as NumPy's arrays."""
    dtype = str(columns[0].dtype)
    arrays = [library.array(x, dtype) for x in columns]
    call: Callable[..., Any] = row.function if isinstance(row, OfTwo) else row
    found = []
    for _, place in slopes_of(row):

        def of(x: Any, place: int = place) -> Any:
            made = list(arrays)
            made[place] = x
            return summed(call(*made))

        slope = library.gradient(of, (0,))
        bend = library.gradient(lambda x, slope=slope: summed(slope(x)[0]), (0,))
        found.append(library.numpy(library.quickly(bend)(arrays[place])[0]))
    return found


def summed(x: Any) -> Any:
    """The sum of all entries."""
    return array_namespace(x).sum(x)


def reports(row: Row, library: Any, dtype: Any, *, every: int) -> list[Report]:
    """Measure the second derivatives of a row where there is one and the slope is a number."""
    columns, made = inputs_of(row, dtype, every=every), list[Report]()
    with np.errstate(all="ignore"):
        found = bends(row, library, columns)
    for got, exact in zip(found, bends_of(row, dtype), strict=True):
        known = truth(exact, columns)
        kept = ~np.isnan(known.high)
        known = Truth(*(part[kept] for part in (known.high, known.low, known.power, known.scale)))
        made.append(measure(got[kept], [x[kept] for x in columns], exact, known=known))
    return made


def gross(
    got: Array, columns: Sequence[Array], exact: Exact, *, share: float = 0.01
) -> dict[str, list[Any]]:
    """Return the inputs at which a result is wrong by more than a `share`, with both numbers.

    ``nonfinite``: NaN or infinity where the truth is a number of the dtype. Where that is a normal
    number, ``lost``: 0, and ``wrong``: off by more than that, at all inputs within one ulp.
    """
    info, found = np.finfo(got.dtype), dict[str, list[Any]]()
    for result, point in zip(got, zip(*columns, strict=True), strict=True):
        with mpmath.workdps(DIGITS):
            want = exact(*(mpmath.mpf(float(x)) for x in point))
            size = abs(want)
            if not size <= float(info.max):  # NaN neither
                continue
            finite = bool(np.isfinite(result))
            if finite and abs(mpmath.mpf(float(result)) - want) <= max(
                size * share, float(info.tiny)
            ):
                continue
        if mixed_error(result, point, exact) > share * 2.0 ** PRECISION[got.dtype]:
            kind = "nonfinite" if not finite else "wrong" if result else "lost"
            found.setdefault(kind, []).append((*map(float, point), float(result), float(want)))
    return found
