"""The elementary functions of compiled formulas: beside mpmath, at their ends, and bit by bit."""

import itertools
from argparse import Namespace
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

from portable_losses._typing import Array
from tools.fit_elementary import TARGET, source

loops: Any = pytest.importorskip("tests.kernels.compiled_loop")

DTYPES = (np.float32, np.float64)
INF, NAN = float("inf"), float("nan")


class Function(NamedTuple):
    """A function, its definition, where it is neither 0 nor infinite, and its bound in ulps."""

    name: str
    exact: Callable[..., Any]
    domain: tuple[float, float]
    ends: dict[float, float]
    bound: float = 1.0

    def __str__(self) -> str:
        return self.name

    def compiled(self, dtype: Any, **options: Any) -> Callable[..., Array]:
        """Return the compiled function."""
        return _compiled(self.name, np.dtype(dtype).name, tuple(options.items()))


@cache
def _compiled(name: str, dtype: str, options: tuple[Any, ...]) -> Callable[..., Array]:
    operands = 2 if name == "power" else 1
    function = getattr(loops.elementary, name)
    compiled: Callable[..., Array] = loops.compiled(function, dtype, operands, **dict(options))
    return compiled


def power_of_2(x: Any) -> Any:
    return mpmath.mpf(2) ** x


def binary_log(x: Any) -> Any:
    return mpmath.log(x, 2)


FUNCTIONS = [
    Function("exp", mpmath.exp, (-746, 710), {0.0: 1, -INF: 0, INF: INF, 711: INF, -747: 0}),
    Function("exp2", power_of_2, (-1075, 1024), {0.0: 1, -INF: 0, INF: INF, 3: 8}),
    Function("expm1", mpmath.expm1, (-60, 710), {0.0: 0, -INF: -1, INF: INF, 711: INF, -60: -1}),
    Function("log", mpmath.log, (0, INF), {0.0: -INF, 1: 0, INF: INF, -1: NAN, -INF: NAN}),
    Function("log2", binary_log, (0, INF), {0.0: -INF, 1: 0, 8: 3, INF: INF, -1: NAN}),
    Function("log1p", mpmath.log1p, (-1, INF), {0.0: 0, -1: -INF, INF: INF, -2: NAN, -INF: NAN}),
    Function("tanh", mpmath.tanh, (-INF, INF), {0.0: 0, -INF: -1, INF: 1, 30: 1, -30: -1}),
    Function("sinh", mpmath.sinh, (-711, 711), {0.0: 0, -INF: -INF, INF: INF, 712: INF}),
    Function("arctanh", mpmath.atanh, (-1, 1), {0.0: 0, -1: -INF, 1: INF, 1.5: NAN, -INF: NAN}),
    Function("erf", mpmath.erf, (-INF, INF), {0.0: 0, -INF: -1, INF: 1, 7: 1, -7: -1}),
    Function("erfc", mpmath.erfc, (-8, 28), {0.0: 1, -INF: 2, INF: 0, 29: 0, -7: 2}, 1.5),
]  # fmt: skip
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=str)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
POWER = Function("power", lambda x, y: mpmath.mpf(x) ** y, (0, INF), {}, 1.5)


def points(function: Function, dtype: Any, count: int = 300) -> Array:
    """Numbers of the domain of all sizes, subnormal ones among them, and some beside others."""
    random = np.random.default_rng(len(function.name))
    low, high = function.domain
    limits = np.finfo(dtype)
    powers = random.uniform(limits.minexp - limits.nmant, limits.maxexp, count)
    powers[::2] = random.uniform(-3, 10, powers[::2].size)
    sizes = np.ldexp(random.uniform(1, 2, count), np.floor(powers).astype(int) - 1)
    signs = random.choice([-1.0, 1.0], count)
    evenly = random.uniform(max(low, -100), min(high, 100), count // 3)
    near_1 = 1 + np.ldexp(signs, -random.integers(1, limits.nmant, count))[: count // 6]
    subnormal = [limits.smallest_subnormal, 5 * limits.smallest_subnormal, limits.tiny / 3]
    found: Array = np.concatenate([signs * sizes, evenly, near_1, subnormal]).astype(dtype)
    return found[(found > low) & (found < high) & np.isfinite(found)]


def errors(results: Array, exact: list[Any]) -> list[float]:
    """Return the distances in ulps; infinity for what should be finite, and the other way round."""
    limits = np.finfo(results.dtype)
    beyond = mpmath.mpf(2) ** limits.maxexp * (1 - mpmath.mpf(2) ** (-limits.nmant - 2))
    return [_error(float(x), y, limits, beyond) for x, y in zip(results, exact, strict=True)]


def _error(result: float, exact: Any, limits: Any, beyond: Any) -> float:
    if np.isinf(result):
        return 0.0 if exact * np.sign(result) >= beyond else INF
    exponent = max(mpmath.frexp(exact)[1] - 1, limits.minexp) if exact else limits.minexp
    return float(abs(result - exact) / mpmath.mpf(2) ** int(exponent - limits.nmant))


def same(first: Array, second: Array) -> bool:
    """Are all bits the same, NaN apart?"""
    return first.tobytes() == second.tobytes()


# ---- values -------------------------------------------------------------------------------------
@every_dtype
@every_function
def test_a_function_is_within_its_bound_of_mpmath(function: Function, dtype: Any) -> None:
    x = points(function, dtype)
    with mpmath.workdps(40):
        exact = [function.exact(mpmath.mpf(float(one))) for one in x]
        assert max(errors(function.compiled(dtype)(x), exact)) <= function.bound


@every_dtype
def test_powers_are_within_their_bound_of_mpmath(dtype: Any) -> None:
    random = np.random.default_rng(0)
    x = points(POWER, dtype, 600)
    x = x[x != 1]
    most = np.log(float(np.finfo(dtype).max)) * 1.05
    y = (random.uniform(-most, most, x.size) / np.log(x.astype(float))).astype(dtype)
    y[::3] = np.rint(y[::3])
    with mpmath.workdps(40):
        exact = [POWER.exact(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        assert max(errors(POWER.compiled(dtype)(x, y), exact)) <= POWER.bound


@every_dtype
def test_a_short_expm1_is_within_its_bound_of_mpmath(dtype: Any) -> None:
    x = points(FUNCTIONS[2], dtype, 900)
    x = np.concatenate([x[np.abs(x) <= 0.5], np.array([0.5, -0.5, 0.0, -0.0], dtype)])
    short: Any = loops.elementary.expm1_between
    found = loops.compiled(lambda a, one: short(a, one, -0.5, 0.5), dtype)(x)
    with mpmath.workdps(40):
        exact = [mpmath.expm1(mpmath.mpf(float(one))) for one in x]
        assert max(errors(found, exact)) <= 1
    assert same(np.signbit(found), np.signbit(x))


@every_dtype
def test_a_short_log1p_is_within_its_bound_of_mpmath(dtype: Any) -> None:
    random = np.random.default_rng(1)
    x = points(FUNCTIONS[5], dtype, 900)
    where_it_changes = (
        2**0.5 - 1 + np.concatenate([random.uniform(0, 0.1, 300), random.uniform(-1e-3, 1e-3, 100)])
    )
    x = np.concatenate([x[(x >= 0) & (x <= 1)], where_it_changes.astype(dtype), [0.0, 0.5, 1.0]])
    x = x.astype(dtype)
    short: Any = loops.elementary.log1p_between
    found = loops.compiled(lambda a, one: short(a, one, 0.0, 1.0), dtype)(x)
    with mpmath.workdps(40):
        exact = [mpmath.log1p(mpmath.mpf(float(one))) for one in x]
        assert max(errors(found, exact)) <= 0.75
    beyond = loops.compiled(lambda a, one: short(a, one, 0.0, 1.5), dtype)
    assert same(beyond(x), FUNCTIONS[5].compiled(dtype)(x))


# ---- the ends -----------------------------------------------------------------------------------
@every_dtype
@every_function
def test_ends_zeros_and_nan_are_exact(function: Function, dtype: Any) -> None:
    at_0 = function.ends[0.0]
    x = np.array([*function.ends, NAN, -0.0], dtype)
    expected = np.array([*function.ends.values(), NAN, at_0 or -0.0], dtype)
    found = function.compiled(dtype)(x)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


@every_dtype
def test_powers_at_ends_are_those_of_c(dtype: Any) -> None:
    limits = np.finfo(dtype)
    some = [0.0, -0.0, INF, -INF, NAN, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 2.0**limits.nmant + 1]
    pairs = list(itertools.product([*some, limits.max, limits.smallest_subnormal], some))
    x, y = (np.array(column, dtype) for column in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), y.astype(np.longdouble)).astype(dtype)
    found = POWER.compiled(dtype)(x, y)
    np.testing.assert_allclose(found, expected, rtol=2 * limits.eps)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


def test_a_number_in_two_parts_is_exponentiated_whole() -> None:
    x, low = np.array([50.0, -30.0]), np.array([3e-15, -1.5e-15])
    found = loops.compiled(loops.elementary.exp, "float64", 2)(x, low)
    with mpmath.workdps(40):
        exact = [mpmath.exp(mpmath.mpf(p) + mpmath.mpf(q)) for p, q in zip(x, low, strict=True)]
        assert max(errors(found, exact)) <= 1


# ---- the same everywhere ------------------------------------------------------------------------
@every_dtype
@pytest.mark.parametrize("function", [*FUNCTIONS, POWER], ids=str)
def test_the_bits_are_the_same_without_avx512_and_without_vectors(
    function: Function, dtype: Any
) -> None:
    x = points(function, dtype, 3000)
    arrays = [x, np.resize(points(FUNCTIONS[0], dtype), x.size)][: 2 if function is POWER else 1]
    expected = function.compiled(dtype)(*arrays)
    assert same(function.compiled(dtype, without="avx512")(*arrays), expected)
    assert same(function.compiled(dtype, vectorised=False)(*arrays), expected)


def test_the_committed_coefficients_are_what_the_script_computes() -> None:
    assert TARGET.read_text(encoding="utf-8") == source()


@pytest.mark.parametrize("function", [FUNCTIONS[0], POWER], ids=str)
def test_the_report_measures_every_function_in_four_ways(function: Function) -> None:
    report: Any = import_module("tools.report_elementary")
    options = Namespace(count=2**16, double=2**12, exact=500)
    with np.errstate(all="ignore"):
        cells = report.row(function, options).split(" | ")
        errors_in_it = [float(cell.split()[0]) for cell in cells[1:]]
    assert all(0.4 < one <= 1 for one in errors_in_it)
    assert report.document(["| a row |"], options).endswith("|---|---|---|---|---|\n| a row |\n")


# ---- the tests can fail -------------------------------------------------------------------------
def test_an_error_of_two_ulps_is_seen() -> None:
    x = np.array([1.0, 2.0, 1e-320])
    off = np.nextafter(np.nextafter(x, INF), INF)
    assert errors(off, [mpmath.mpf(float(one)) for one in x]) == [2.0, 2.0, 2.0]
    assert errors(np.array([INF]), [mpmath.mpf(1e300)]) == [INF]
