"""The measure of accuracy: how many units in the last place lie between a result and the truth.

*Strict* error: the distance of a result from the exact value at the given input, in ulps of the
exact value. *Mixed* error: the distance from the nearest exact value at any input within one ulp
of the given one. The mixed error forgives what the rounding of the input alone would do (next to
a root, far out in a tail) and nothing else.

Exact values are mpmath numbers. Each is kept as ``(high + low) * 2**power``, so that all that
comes after them is vectorised and loses nothing, in either dtype. A reference may return a tuple
of terms instead of their sum: an ulp is then one of the largest term, for results that cancel by
nature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import product
from typing import Any

import mpmath
import numpy as np

from portable_losses._environment import kernels_are_off
from portable_losses._typing import Array

Number = Any  # mpmath has no types
Exact = Callable[..., Number]
Point = tuple[float, ...]

DIGITS = 50
PRECISION = {np.dtype(np.float16): 11, np.dtype(np.float32): 24, np.dtype(np.float64): 53}

# Roots, kinks, changes of branch, overflow and underflow of the functions of the library.
LANDMARKS = (
    *(0.25, 0.35, 0.4769, 0.5, 0.6931471805599453, 0.75, 0.7517915246935645, 0.7524614, 1.0, 1.19),
    *(1.2784645427610738, 1.41421356, 2.0, 3.0, 5.5, 6.96, 8.3, 9.01, 10.0, 10.05, 11.3, 13.2),
    *(16.6, 17.0, 20.0, 26.5, 26.6, 27.2, 36.7, 37.0, 37.5, 38.5, 40.0, 64.0, 87.3, 88.0, 88.7),
    *(92.0, 100.0, 103.9, 104.0, 128.0, 708.4, 709.7, 710.0, 745.1),
)
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan)

machine: Any = import_module("portable_losses.backends.kernels.formulas.machine_code")
#: Are formulas of one element machine code here? Else NumPy's programs serve: the portable bits.
IS_COMPILED = not kernels_are_off() and machine.compiler() is not None


# ---- inputs ----------------------------------------------------------------------------------


def samples(dtype: Any, low: float = -np.inf, high: float = np.inf, *, density: int = 1) -> Array:
    """Return inputs over the whole range of `dtype` from `low` to `high`, in a fixed order.

    Every exponent with both signs, more where functions bend, landmarks and their surroundings
    down to single ulps, subnormal numbers, the largest number, zeros, infinities, NaN.
    """
    dtype = np.dtype(dtype)
    info, rng = np.finfo(dtype), np.random.default_rng(20240229)
    step = max(1, (info.maxexp - info.minexp) // (256 * density))
    powers = np.arange(info.minexp, info.maxexp, step)
    size = [
        np.ldexp(rng.uniform(1, 2, powers.size), powers),
        rng.uniform(0, 1, 100 * density),
        rng.uniform(0, 12, 200 * density),
        rng.uniform(0, 120, 60 * density),
        np.exp(rng.uniform(np.log(1e-9), np.log(1e3), 120 * density)),
        [float(info.max), float(info.tiny), float(info.smallest_subnormal), float(info.tiny) / 3],
    ]
    marks = np.asarray(LANDMARKS).astype(dtype).astype(np.float64)
    offsets = np.exp2(-rng.uniform(1, PRECISION[dtype], (density, marks.size)))
    size += [(marks * (1 + offsets)).ravel(), (marks * (1 - offsets)).ravel()]
    if high <= 1:  # probabilities crowd at both ends and around the middle
        size += [1 - offsets.ravel(), 0.5 + offsets.ravel(), 0.5 - offsets.ravel()]
    close = [marks.astype(dtype)]
    for direction in (np.inf, 0.0):
        near = close[0]
        for _ in range(1 + density):
            near = np.nextafter(near, dtype.type(direction))
            close.append(near)
    positive = np.concatenate([np.concatenate(size).astype(dtype), *close])
    everything = np.concatenate([positive, -positive, np.asarray(SPECIAL, dtype=dtype)])
    inside = (everything >= low) & (everything <= high) | np.isnan(everything)
    return everything[inside]


def grid(*columns: Array, size: int) -> tuple[Array, ...]:
    """Return `size` combinations of the columns, then all combinations of special numbers."""
    rng = np.random.default_rng(20240301)
    corners = [
        np.unique(np.concatenate([c[~np.isfinite(c)], c[c == 0][:1], c[c == 1][:1], c[:1]]))
        for c in columns
    ]
    special = np.asarray(list(product(*corners)), dtype=columns[0].dtype)
    return tuple(
        np.concatenate([rng.permutation(np.resize(c, size)), special[:, i]])
        for i, c in enumerate(columns)
    )


def pairs(dtype: Any, inputs: str, targets: str) -> tuple[Array, Array]:
    """Return finite inputs over the whole dtype and targets, each of its kind.

    A kind is "real", "share" (in [0, 1]), "positive", "nonnegative", "sign" (-1 or 1), "bit" (0 or
    1) or "count".
    """
    rng = np.random.default_rng(7)
    ends = {"share": (0.0, 1.0), "positive": (0.0, np.inf), "nonnegative": (0.0, np.inf)}
    x = samples(dtype, *ends.get(inputs, (-np.inf, np.inf)))
    x = x[np.isfinite(x) & ((x > 0) | (inputs != "positive"))]
    if targets == "share":
        share = np.asarray([0, 1, 0.5, 0.25, 0.9, 1e-6, 1e-30, *rng.uniform(0, 1, 6)])
        return x, rng.choice(share.astype(dtype), x.size)
    if targets in ("sign", "bit"):
        return x, rng.choice(np.asarray([-1 if targets == "sign" else 0, 1], dtype=dtype), x.size)
    if targets == "count":
        return x, rng.choice(np.asarray([0, 0, 1, 1, 2, 3, 10, 170, 1000], dtype=dtype), x.size)
    ratio = 1 + np.exp2(-rng.uniform(1, 60, x.size))
    with np.errstate(over="ignore"):
        close = (x * ratio).astype(dtype)
    near = rng.uniform(-4, 4, x.size).astype(dtype)
    target = np.where(rng.uniform(size=x.size) < 0.3, close, near)
    target = np.where(rng.uniform(size=x.size) < 0.2, rng.permutation(x), target)
    target = np.where(np.isfinite(target), target, near)
    if targets == "real":
        return x, target
    target = np.abs(target)
    return x, np.where((target > 0) | (targets == "nonnegative"), target, dtype(1))


# ---- exact numbers ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Exact values as ``(high + low) * 2**power``, and the power of two of each one's ulp scale."""

    high: Array
    low: Array
    power: Array
    scale: Array  # the largest term lies in [2**(scale - 1), 2**scale)


def _parts(value: Number) -> tuple[float, float, int]:
    if not mpmath.isfinite(value):
        return float(value), 0.0, 0
    if value == 0:
        return 0.0, 0.0, 0
    mantissa, power = mpmath.frexp(value)
    high = float(mantissa)
    return high, float(mantissa - high), power


def _total(value: Number) -> tuple[Number, Number]:
    """Return an exact value and its largest term, or its size where the terms add up."""
    if isinstance(value, tuple):
        total = mpmath.fsum(value)
        return total, max(abs(total), *map(abs, value))
    return value, abs(value)


def _numbers(values: Sequence[Any]) -> list[Number]:
    return [mpmath.mpf(float(v)) for v in values]


def truth(exact: Exact, inputs: Sequence[Array]) -> Truth:
    """Evaluate a reference at every input."""
    rows = []
    with mpmath.workdps(DIGITS):
        for point in zip(*inputs, strict=True):
            value, largest = _total(exact(*_numbers(point)))
            rows.append((*_parts(value), _parts(largest)[2]))
    high, low, power, scale = zip(*rows, strict=True)
    clipped = np.clip(np.asarray(power, dtype=object), -9999, 9999).astype(np.int64)
    scales = np.clip(np.asarray(scale, dtype=object), -9999, 9999).astype(np.int64)
    return Truth(np.asarray(high), np.asarray(low), clipped, scales)


def ulp_power(scale: Any, dtype: Any) -> Any:
    """Return the power of two of an ulp in [2**(scale - 1), 2**scale); subnormals share one."""
    dtype = np.dtype(dtype)
    return np.maximum(scale - 1, np.finfo(dtype).minexp) - PRECISION[dtype] + 1


def strict_error(got: Array, exact: Truth) -> Array:
    """Return the distance of each result from the exact value, in ulps of the result's dtype."""
    unit = ulp_power(exact.scale, got.dtype)
    with np.errstate(all="ignore"):
        scaled = np.ldexp(got.astype(np.float64), -exact.power)
        return np.ldexp(np.abs((scaled - exact.high) - exact.low), exact.power - unit)


def mixed_error(got: Any, point: Sequence[Any], exact: Exact) -> float:
    """Return the distance of one result from the exact values within one ulp of its input."""
    around = [{float(x), *(float(n) for n in _neighbours(x) if np.isfinite(n))} for x in point]
    with mpmath.workdps(DIGITS):
        near = [_total(exact(*_numbers(p))) for p in product(*around)]
        near = [pair for pair in near if not mpmath.isnan(pair[0])]
        values = [value for value, _ in near]
        if not np.isfinite(got):
            bound = mpmath.mpf(float(np.finfo(got.dtype).max))
            beyond = values and max(v * np.sign(float(got)) for v in values) > bound
            return 0.0 if beyond else float("inf")
        result = mpmath.mpf(float(got))
        gap = max(min(values) - result, result - max(values), mpmath.mpf(0))
        size = max((v for _, v in near if not mpmath.isinf(v)), default=mpmath.mpf(0))
        unit = ulp_power(_parts(size)[2], got.dtype)
        return float(mpmath.ldexp(gap, -int(unit)))


def _neighbours(x: Any) -> tuple[Any, Any]:
    kind = type(x)
    with np.errstate(over="ignore"):  # beyond the largest number
        return np.nextafter(x, kind(-np.inf)), np.nextafter(x, kind(np.inf))


# ---- the report ------------------------------------------------------------------------------


@dataclass
class Report:
    """What was found: the largest errors with their inputs, and every kind of defect.

    The errors are those of normal inputs and normal results; `subnormal` is the largest mixed
    error of the others. The defects: `nonfinite` (NaN or infinity where the truth is finite),
    `lost` (0 where the truth is a normal number within one ulp of the input), `nonzero` (not 0
    where the truth is 0), `limit` (wrong at an infinite input), `nan` (NaN in, a number out, or a
    wrong NaN, infinity or pole).
    """

    strict: float = 0.0
    strict_at: Point = ()
    mixed: float = 0.0
    mixed_at: Point = ()
    subnormal: float = 0.0
    subnormal_at: Point = ()
    points: int = 0
    defects: dict[str, list[Point]] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        text = f"strict {self.strict:.3g} at {self.strict_at}, mixed {self.mixed:.3g}"
        text += f" at {self.mixed_at}, subnormal {self.subnormal:.3g} at {self.subnormal_at}"
        for kind, places in self.defects.items():
            text += f"; {kind}: {len(places)} of {self.points}, first at {places[:3]}"
        return text


def measure(
    got: Array,
    inputs: Sequence[Array],
    exact: Exact,
    *,
    known: Truth | None = None,
    forgiving: bool = True,
) -> Report:
    """Compare results of one dtype with a reference at the same inputs.

    `known` is ``truth(exact, inputs)`` where that was computed before. Not `forgiving`: only the
    strict error is measured, and a defect counts although the input's rounding may excuse it.
    """
    dtype = got.dtype
    report = Report(points=got.size)
    reference = truth(exact, inputs) if known is None else known
    errors = strict_error(got, reference)
    points = list(zip(*inputs, strict=True))

    def found(kind: str, where: Array) -> None:
        if np.any(where):
            report.defects[kind] = [tuple(map(float, points[i])) for i in np.flatnonzero(where)]

    info, columns = np.finfo(dtype), np.abs(np.stack(inputs))
    has_nan, has_inf = np.isnan(columns).any(axis=0), np.isinf(columns).any(axis=0)
    plain = np.isfinite(reference.high) & ~has_nan & ~has_inf
    zero = reference.high == 0
    normal = plain & ~zero & (reference.power > info.minexp)
    ratio = np.ldexp(np.abs(reference.high), np.minimum(reference.power - info.maxexp, 1))
    overflows = plain & (ratio > 1 - 2.0 ** -PRECISION[dtype])  # beyond the largest number

    same = (got == reference.high) | (np.isnan(got) & np.isnan(reference.high)) | (errors <= 4)
    found("limit", has_inf & ~has_nan & ~same)
    found("nan", (has_nan | ~(plain | has_inf)) & ~same)
    found("nonzero", plain & zero & (got != 0))
    lost = normal & (got == 0)
    for i in np.flatnonzero(lost & forgiving):  # next to a root the sign may change in the ulp
        lost[i] = mixed_error(got[i], points[i], exact) > 0
    found("lost", lost)
    infinite = np.isinf(got) & (np.sign(got) == np.sign(reference.high))
    suspects = plain & np.where(overflows, ~infinite & ~(errors <= 4), ~np.isfinite(got))
    for i in np.flatnonzero(suspects & ~overflows & forgiving):  # the neighbour's may be infinite
        suspects[i] = mixed_error(got[i], points[i], exact) > 0
    found("nonfinite", suspects)

    def largest(where: Array) -> tuple[float, Point, float, Point]:
        """Return the strict and the mixed error with their inputs; what rounds right counts 0."""
        order = np.flatnonzero(where)[np.argsort(-errors[where], kind="stable")]
        mixed, place = 0.0, Point()
        for i in order:
            if errors[i] <= max(mixed, 0.5) or not forgiving:
                break
            found_here = mixed_error(got[i], points[i], exact)
            if found_here > mixed:
                mixed, place = found_here, tuple(map(float, points[i]))
        if order.size == 0:
            return 0.0, (), 0.0, ()
        return float(errors[order[0]]), tuple(map(float, points[order[0]])), mixed, place

    usual = plain & ~overflows & np.isfinite(got)
    apart = usual & (~normal | ((columns < info.tiny) & (columns > 0)).any(axis=0))
    report.strict, report.strict_at, report.mixed, report.mixed_at = largest(usual & ~apart)
    _, _, report.subnormal, report.subnormal_at = largest(apart)
    return report
