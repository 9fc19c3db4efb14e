"""Measure the elementary functions of compiled formulas; write docs/elementary.md.

Run ``python -m tools.report_elementary``: some minutes a function, on one core. ``--count 1e7``
measures that many float32 numbers instead of all (and pairs, of a power). Float32 is measured
beside the float64 function; float64 beside NumPy's ``longdouble``, where that has 64 digits and
the function; and both beside mpmath, at fewer points. ``--part exp tanh`` measures some and prints.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from typing import Any, NamedTuple

import mpmath
import numpy as np
from llvmlite import binding

from portable_losses._typing import Array
from tests.kernels.compiled_loop import compiled, elementary
from tests.kernels.test_elementary import FUNCTIONS, POWER, Function, errors, points

TARGET = Path(__file__).parents[1] / "docs" / "elementary.md"
ALL = 2**32
PAIRS = 10**8
CHUNK = 2**20
LONG = np.longdouble
REFERENCES: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        "exp", "exp2", "expm1", "log", "log1p", "log2", "tanh", "sinh", "arctanh", "power",
    )
}  # fmt: skip


class Worst(NamedTuple):
    """The largest error seen, in ulps, and where."""

    ulps: float = -1.0
    where: tuple[float, ...] = ()

    def __str__(self) -> str:
        place = ", ".join(f"{x:.9g}" for x in self.where)
        return f"{self.ulps:.3f} at {place}" if self.where else "-"


# ---- float32 beside float64 ----------------------------------------------------------------------


def distance(name: str) -> Callable[..., Any]:
    """Return how far the float32 function is from the float64 one, in ulps, as a compiled body."""
    function = getattr(elementary, name)

    def body(a: Any, *values: Any) -> Any:
        wide = a.wide
        found = wide.widened(a.widened(function(a, *values)))
        exact = function(wide, *[a.widened(x) for x in values])
        power = wide.from_bits(wide.and_bits(wide.bits(exact), 0x7FF << 52))
        ulp = wide.multiply(wide.select(wide.less(power, 2.0**-126), 2.0**-126, power), 2.0**-23)
        off = wide.divide(wide.absolute(wide.subtract(found, exact)), ulp)
        beyond = wide.greater_equal(wide.absolute(exact), 2.0**128 * (1 - 2.0**-25))
        infinite = wide.equal(found, wide.copysign(float("inf"), exact))
        right = wide.either(wide.equal(found, exact), wide.both(beyond, infinite))
        neither = wide.both(wide.not_equal(found, found), wide.not_equal(exact, exact))
        off = wide.select(wide.either(right, neither), 0.0, off)
        return a.narrowed(wide.select(wide.equal(off, off), off, float("inf")))

    return body


def sweep(function: Function, count: int) -> Worst:
    """Return the largest error of the float32 function over all numbers, or over `count` drawn."""
    off = compiled(distance(function.name), np.float32)
    worst = Worst()
    for x in numbers(count):
        worst = larger(worst, off(x), x)
    return worst


def sweep_of_powers(count: int) -> Worst:
    """Return the largest error of the float32 power over `count` pairs."""
    off = compiled(distance("power"), np.float32, 2)
    worst = Worst()
    for x, y in pairs(np.float32, count):
        worst = larger(worst, off(x, y), x, y)
    return worst


def numbers(count: int) -> Iterator[Array]:
    """Return all float32 numbers, or about `count`, evenly among their bits, in chunks."""
    step = ALL // count | 1  # odd: numbers with any last digit
    for start in range(0, ALL, CHUNK * step):
        stop = min(ALL, start + CHUNK * step)
        yield np.arange(start, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32)


def pairs(dtype: Any, count: int) -> Iterator[tuple[Array, Array]]:
    """Return bases of all sizes and exponents with which the power is a number, in chunks."""
    random = np.random.default_rng(0)
    limits = np.finfo(dtype)
    lowest, highest = limits.minexp - limits.nmant - 1, limits.maxexp
    chunk = min(count, CHUNK)
    for _ in range(-(-count // chunk)):
        x = np.exp2(random.uniform(lowest + 1, highest, chunk))
        x[::3] = 1 + np.ldexp(
            random.uniform(-1, 1, x[::3].size), -random.integers(0, limits.nmant, x[::3].size)
        )
        x = np.abs(x).astype(dtype)
        x[x == 1] = 2
        y = (random.uniform(lowest, highest, chunk) / np.log2(x.astype(LONG))).astype(dtype)
        y[::5] = np.rint(y[::5])
        yield x, y


def larger(worst: Worst, off: Array, *arrays: Array) -> Worst:
    """Return the largest error so far."""
    i = int(off.argmax())
    return max(worst, Worst(float(off[i]), tuple(float(x[i]) for x in arrays)))


# ---- float64 beside longdouble, and both beside mpmath -------------------------------------------


def beside_longdouble(function: Function, count: int) -> Worst:
    """Return the largest error of the float64 function at `count` points."""
    reference = REFERENCES.get(function.name)
    if reference is None or np.finfo(LONG).nmant < 63:
        return Worst()
    run = function.compiled(np.float64)
    worst = Worst()
    for arrays in pairs(np.float64, count) if function is POWER else stratified(function, count):
        exact = reference(*[x.astype(LONG) for x in arrays])
        worst = larger(worst, in_ulps(run(*arrays), exact), *arrays)
    return worst


def stratified(function: Function, count: int) -> Iterator[tuple[Array]]:
    """Return float64 numbers of the domain: of all exponents, evenly, and close to 1, in chunks."""
    random = np.random.default_rng(1)
    low, high = (min(max(end, -800.0), 800.0) for end in function.domain)
    quarter = min(count, CHUNK) // 4
    for _ in range(-(-count // (4 * quarter))):
        sign = random.choice([-1.0, 1.0], quarter)
        off = sign * random.uniform(0, 1, quarter)
        sizes = sign * np.exp2(random.uniform(-1074, 1024, quarter))
        moderate = sign * np.exp2(random.uniform(-30, 10, quarter))
        near_1 = 1 + np.ldexp(off, -random.integers(1, 53, quarter))
        evenly = random.uniform(low, high, quarter)
        x = np.concatenate([sizes, moderate, near_1, evenly])
        yield (x[(x > function.domain[0]) & (x < function.domain[1])],)


def in_ulps(found: Array, exact: Array) -> Array:
    """Return the distances of float64 numbers from those of longdouble."""
    exponent = np.maximum(np.frexp(exact)[1] - 1, -1022)
    off = np.abs(found.astype(LONG) - exact) / np.ldexp(LONG(1), exponent - 52)
    beyond = np.abs(exact) >= LONG(2) ** 1024 - LONG(2) ** 970
    right = (found == exact) | (beyond & np.isinf(found) & (np.sign(found) == np.sign(exact)))
    off = np.where(right, 0, off).astype(np.float64)
    return np.where(np.isnan(off), np.inf, off)


def beside_mpmath(function: Function, dtype: Any, count: int) -> Worst:
    """Return the largest error at `count` points of the domain."""
    if function is POWER:
        arrays = tuple(x[:count] for x in next(pairs(dtype, count)))
    else:
        arrays = (points(function, dtype, count),)
    with mpmath.workdps(40):
        numbers = ([mpmath.mpf(float(one)) for one in x] for x in arrays)
        exact = list(map(function.exact, *numbers))
        off = np.array(errors(function.compiled(dtype)(*arrays), exact))
    return larger(Worst(), off, *arrays)


# ---- the document --------------------------------------------------------------------------------


def row(function: Function, options: Any) -> str:
    """Return one row of the table."""
    count = int(options.count)
    single = sweep_of_powers(min(count, PAIRS)) if function is POWER else sweep(function, count)
    cells = [
        single,
        beside_mpmath(function, np.float32, int(options.exact) // 10),
        beside_longdouble(function, int(options.double)),
        beside_mpmath(function, np.float64, int(options.exact)),
    ]
    return f"| {function.name} | {' | '.join(map(str, cells))} |"


def document(rows: list[str], options: Any) -> str:
    """Return the text of docs/elementary.md."""
    count, few = int(options.count), int(options.exact)
    return DOCUMENT.format(
        date=date.today(),
        machine=f"{machine()}, {binding.get_host_cpu_name()}",
        python=python_version(),
        libraries=", ".join(f"{name} {version(name)}" for name in ("numpy", "llvmlite", "mpmath")),
        single="all 2^32 numbers" if count >= ALL else f"one in {ALL // count} of the 2^32 numbers",
        pairs=f"{min(count, PAIRS):.0e}",
        double=f"{int(options.double):.0e}",
        few=f"{few // 10:.0e}",
        more=f"{few:.0e}",
        rows="\n".join(rows),
    )


DOCUMENT = """\
# Elementary functions of compiled formulas, measured

Written by `python -m tools.report_elementary` on {date} ({machine}, Python {python}, {libraries}).

Where a formula becomes machine code, exponentials, logarithms and powers are our own: the same bits
on every processor. Cells: the largest distance from the exact value, in ulps of that value, and
where it is; subnormal numbers and results are among them. The bar is 1, for powers and float64's
erfc 1.5.

- float32, sweep: {single}, beside the float64 function; {pairs} pairs of a power.
- float64, sweep: {double} numbers, beside NumPy's `longdouble` of 64 digits, where there is one;
  the error functions have none.
- mpmath: {few} numbers in float32, {more} in float64.

| function | float32, sweep | float32, mpmath | float64, sweep | float64, mpmath |
|---|---|---|---|---|
{rows}
"""


def main(arguments: list[str]) -> None:
    """Measure, and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=float, default=ALL, help="float32 numbers of a function")
    parser.add_argument("--double", type=float, default=1e7, help="float64 numbers of a function")
    parser.add_argument("--exact", type=float, default=1e5, help="numbers beside mpmath")
    parser.add_argument("--part", nargs="+", help="functions; the document is not written then")
    options = parser.parse_args(arguments)
    rows: list[str] = []
    with np.errstate(all="ignore"):
        for function in [*FUNCTIONS, POWER]:
            if not options.part or function.name in options.part:
                rows.append(row(function, options))
                print(rows[-1], flush=True)
    if not options.part:
        TARGET.write_text(document(rows, options), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
