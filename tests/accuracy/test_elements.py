"""How far every function and gradient is from the truth, on NumPy, over the whole dtype.

The bars of compiled formulas: a mixed error of 3 ulp for functions of one element, 5 for losses,
and a strict one of 8 for functions, away from their roots; of the portable formulas a mixed error
of 4, and 8 for losses. Never a NaN, an infinity or a zero that the truth does not have. `ulp.py`
defines the measure, `rows/` the truth.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from itertools import product
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

from portable_losses._typing import Array
from portable_losses.autograd import vjp
from tests.accuracy.ulp import IS_COMPILED, Report, measure, mixed_error, pairs, samples, truth
from tests.curves import Curve, OfTwo, Pointwise
from tests.rows import CURVES, OF_TWO, POINTWISE
from tools.fit_error_function import TARGET, source
from tools.report_accuracy import document, halves_of, measured, pages

DTYPES = (np.float32, np.float64)
every_curve = pytest.mark.parametrize("curve", CURVES, ids=str)


def gradients(function: Callable[..., Array], *arrays: Array) -> tuple[Array, ...]:
    """The gradient of the sum of ``function(*arrays)`` by every array, on the tape."""
    out, pullback = vjp(function, *arrays)
    return tuple(pullback(np.ones_like(out)))


def expected_overflow(row: Curve) -> Any:
    """Silence NumPy about infinities that are right."""
    return np.errstate(over="ignore", divide="ignore") if row.unbounded else nullcontext()


class Bars(NamedTuple):
    """The largest errors that may be."""

    mixed: float
    strict: float = np.inf


COMPILED, PORTABLE = Bars(3, 8), Bars(4)
COMPILED_LOSS, PORTABLE_LOSS = Bars(5), Bars(8)
# Where the truth changes its sign, the rounding of the input alone makes any strict error.
ROOTS = {"entr", "rel_entr"}


def assert_accurate(report: Report, bars: Bars) -> None:
    assert not report.defects, str(report)
    assert report.mixed <= bars.mixed, str(report)
    assert report.strict <= bars.strict, str(report)
    assert report.subnormal <= 8, str(report)  # of the one ulp that all subnormal numbers share


def assert_both_accurate(
    row: Curve | OfTwo | Pointwise,
    compute: Callable[[], tuple[Array, ...]],
    arrays: tuple[Array, ...],
    exact: Sequence[Callable[..., Any]],
    portable: Callable[..., Any],
) -> None:
    """Hold what is computed to the truth, as compiled formulas and as portable ones."""
    known = [truth(one, arrays) for one in exact]
    is_loss = isinstance(row, Pointwise)
    compiled = COMPILED_LOSS if is_loss else COMPILED
    if str(row) in ROOTS:
        compiled = compiled._replace(strict=np.inf)
    ways = [(compute(), compiled)] if IS_COMPILED else []
    ways.append((portable(compute), PORTABLE_LOSS if is_loss else PORTABLE))
    for found, bars in ways:
        for got, one, there in zip(found, exact, known, strict=True):
            assert_accurate(measure(got, arrays, one, known=there), bars)


# ---- functions of one element ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@every_curve
def test_a_value_is_within_a_few_ulp_over_the_whole_dtype(
    curve: Curve, dtype: Any, portable: Callable[..., Any]
) -> None:
    x = samples(dtype, curve.low, curve.high)
    with expected_overflow(curve):
        assert_both_accurate(curve, lambda: (curve(x),), (x,), (curve.value,), portable)


@pytest.mark.parametrize("dtype", DTYPES)
@every_curve
def test_a_gradient_is_within_a_few_ulp_over_the_whole_dtype(
    curve: Curve, dtype: Any, portable: Callable[..., Any]
) -> None:
    x = samples(dtype, curve.low, curve.high)
    x = x[~np.isnan(x)] if curve.kinks else x
    with expected_overflow(curve):
        assert_both_accurate(curve, lambda: gradients(curve, x), (x,), (curve.slope,), portable)


SMOOTH = [curve for curve in CURVES if not curve.kinks and curve.low == -np.inf]


@pytest.mark.parametrize("curve", SMOOTH, ids=str)
def test_a_second_derivative_is_exact_in_the_middle_and_in_both_tails(curve: Curve) -> None:
    x = np.asarray([-20.0, -5.5, -1.3, -0.75, -1e-3, 0.0, 0.3, 0.5, 1.0, 2.7, 6.0, 9.0])
    (second,) = gradients(lambda z: vjp(curve, z)[1](z * 0 + 1)[0], x)
    with mpmath.workdps(60):
        want = [
            float(mpmath.diff(curve.slope, mpmath.mpf(float(v)), h=mpmath.mpf(10) ** -20))
            for v in x
        ]
    np.testing.assert_allclose(second, want, rtol=1e-11, atol=1e-300)


@every_curve
def test_half_precision_is_rounded_once(curve: Curve) -> None:
    x: Array = np.arange(2**16, dtype=np.uint16).view(np.float16)  # all there are
    x = np.append(x[(x >= curve.low) & (x <= curve.high)], np.float16(np.nan))  # a quiet NaN
    with expected_overflow(curve):
        got, exact = curve(x), np.asarray(curve(x.astype(np.float64)))
        want = exact.astype(np.float16)
    assert got.dtype == np.float16
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore", over="ignore"):  # the spacing of infinity
        distance = np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(want))
    assert np.all(same | (distance <= (0.501 if IS_COMPILED else 1))), x[~same][:5]


# ---- functions of two numbers ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", OF_TWO, ids=str)
def test_a_function_of_two_and_both_gradients_are_within_a_few_ulp(
    row: OfTwo, dtype: Any, portable: Callable[..., Any]
) -> None:
    x, y = row.columns(dtype)
    for finite in (True, False):
        part = (np.isfinite(x) & np.isfinite(y)) == finite
        given = x[part], y[part]

        def compute(given: Any = given) -> tuple[Array, ...]:
            return row.function(*given), *gradients(row.function, *given)

        # the truth may be infinite; at infinite arguments it may be NaN
        with np.errstate(over="ignore", divide="ignore", invalid="warn" if finite else "ignore"):
            assert_both_accurate(row, compute, given, row.truths, portable)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", POINTWISE, ids=str)
def test_a_loss_of_one_element_and_its_gradient_are_within_a_few_ulp(
    loss: Pointwise, dtype: Any, portable: Callable[..., Any]
) -> None:
    x, target = (a[::8] for a in pairs(dtype, loss.inputs, loss.targets))  # all: make accuracy

    def compute() -> tuple[Array, ...]:
        return loss(x, target), *gradients(lambda z: loss(z, target), x)

    with np.errstate(over="ignore"):  # where the truth is infinite
        assert_both_accurate(loss, compute, (x, target), loss.truths, portable)


ENDS = [v for end in (-1.0, 0.0, 1.0) for v in (np.nextafter(end, -9), end, np.nextafter(end, 9))]


@pytest.mark.parametrize("row", [*CURVES, *OF_TWO, *POINTWISE], ids=str)
def test_a_definition_is_real_or_nan_also_beside_the_ends_of_its_domain(
    row: Curve | OfTwo | Pointwise,
) -> None:
    """The mixed error asks for it at the neighbours of every number."""
    with mpmath.workdps(50):
        for point in product(ENDS, repeat=1 if isinstance(row, Curve) else 2):
            for exact in row.truths:
                found = exact(*map(mpmath.mpf, point))
                terms = found if isinstance(found, tuple) else (found,)
                assert not any(isinstance(term, mpmath.mpc) for term in terms), point


# ---- the report: two rows of it, so that it cannot rot ---------------------------------------


def test_the_report_shows_our_errors_beside_those_of_the_peers() -> None:
    relu = next(row for row in CURVES if str(row) == "relu")
    mse = next(row for row in POINTWISE if str(row) == "mse_loss")
    libraries = [name for name in ("torch", "scipy") if find_spec(name)]
    lines = [measured(row, np.float32, libraries) for row in (relu, mse)]
    halves = [halves_of(relu)] if "torch" in libraries else []
    text = document(lines, halves, libraries, ["## Rows"])
    assert "## Rows" in text
    assert "| relu | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 | 0.0 |" in text
    assert "0 (0)" in text or not halves
    split = {path.name: page for path, page in pages(text).items()}
    assert list(split) == ["accuracy.md", "float32.md", "float64.md", "rows.md", "halves.md"]
    assert "| `2 nf` | NaN or" in split["accuracy.md"]
    assert "| relu | 0.0 / 0.0" in split["float32.md"]


# ---- the coefficients, and the measure itself ------------------------------------------------


def test_the_committed_coefficients_are_what_the_script_computes() -> None:
    assert TARGET.read_text(encoding="utf-8") == source()


TANH_FORM = next(curve for curve in CURVES if curve.note == "tanh form")


def naive_gelu(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))) / 2


def test_the_measure_finds_lost_digits_lost_values_and_wrong_limits() -> None:
    x = samples(np.float32)
    report = measure(naive_gelu(x), (x,), TANH_FORM.value)
    assert report.mixed > 1e5
    assert set(report.defects) >= {"lost", "limit"}


def test_the_measure_counts_ulps_of_the_exact_value() -> None:
    x = np.asarray([0.3, 1.0, 5.0], dtype=np.float32)
    got = x + np.asarray([0, 3, 0]) * np.spacing(x)
    report = measure(got.astype(np.float32), (x,), lambda v: v)
    assert (report.strict, report.strict_at, report.mixed) == (3.0, (1.0,), 2.0)


def test_the_mixed_error_forgives_one_ulp_of_the_input_and_no_more() -> None:
    x = np.float64(20.0)
    above = np.nextafter(np.nextafter(x, 40), 40)

    def steep(v: Any) -> Any:
        return mpmath.exp(v * v)

    assert mixed_error(np.float64(steep(mpmath.mpf(20) + mpmath.mpf(2) ** -49)), [x], steep) < 1
    assert mixed_error(np.float64(steep(mpmath.mpf(float(above)))), [x], steep) > 500


def test_the_measure_tells_every_kind_of_defect() -> None:
    x = np.asarray([1.0, 0.0, np.inf, np.nan, 2.0, 1e-40], dtype=np.float32)
    got = np.asarray([0.0, 1.0, 3.0, 3.0, np.inf, 1e-40], dtype=np.float32)
    report: Report = measure(got, (x,), lambda v: v)
    assert set(report.defects) == {"lost", "nonzero", "limit", "nan", "nonfinite"}
