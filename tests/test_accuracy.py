"""How far every function and gradient is from the truth, on NumPy, over the whole dtype.

The bars: a mixed error of 4 ulp for functions of one element, 8 for losses, for functions of a
row 8 plus the distance from the row's largest entry; never a NaN, an infinity or a zero that the
truth does not have. `ulp.py` defines the measure, `references.py` the truth.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from portable_losses.autograd import vjp
from tests import references
from tests.references import ELEMENTWISE
from tests.ulp import Report, grid, measure, mixed_error, samples, strict_error, truth
from tools.fit_error_function import TARGET, source

DTYPES = (np.float32, np.float64)

# name in references.ELEMENTWISE -> the function, and the interval that it is defined on
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], float, float]] = {
    "relu": (pl.relu, -np.inf, np.inf),
    "leaky_relu": (pl.leaky_relu, -np.inf, np.inf),
    "leaky_relu, slope 2": (partial(pl.leaky_relu, negative_slope=2.0), -np.inf, np.inf),
    "sigmoid": (pl.sigmoid, -np.inf, np.inf),
    "log_sigmoid": (pl.log_sigmoid, -np.inf, np.inf),
    "tanh": (pl.tanh, -np.inf, np.inf),
    "softplus": (pl.softplus, -np.inf, np.inf),
    "softplus, beta 2.5": (partial(pl.softplus, beta=2.5), -np.inf, np.inf),
    "silu": (pl.silu, -np.inf, np.inf),
    "gelu": (pl.gelu, -np.inf, np.inf),
    "gelu, tanh form": (partial(pl.gelu, approximate="tanh"), -np.inf, np.inf),
    "log1mexp": (pl.log1mexp, -np.inf, np.inf),
    "logit": (pl.logit, 0.0, 1.0),
    "erf": (pl.erf, -np.inf, np.inf),
    "erfc": (pl.erfc, -np.inf, np.inf),
}
# Their truth is infinite at finite inputs, and NumPy says so.
UNBOUNDED = {"leaky_relu, slope 2", "log1mexp", "logit"}
KINKED = {"relu", "leaky_relu", "leaky_relu, slope 2"}  # their slopes are steps

LOSSES: dict[str, Callable[..., Array]] = {
    "binary_cross_entropy_with_logits": pl.binary_cross_entropy_with_logits,
    "binary_cross_entropy": pl.binary_cross_entropy,
    "mse_loss": pl.mse_loss,
    "l1_loss": pl.l1_loss,
    "smooth_l1_loss": pl.smooth_l1_loss,
    "smooth_l1_loss, beta 0.3": partial(pl.smooth_l1_loss, beta=0.3),
    "huber_loss": pl.huber_loss,
    "huber_loss, delta 2.5": partial(pl.huber_loss, delta=2.5),
}


def gradients(function: Callable[..., Array], *arrays: Array) -> tuple[Array, ...]:
    """The gradient of the sum of ``function(*arrays)`` by every array, on the tape."""
    out, pullback = vjp(function, *arrays)
    return tuple(pullback(np.ones_like(out)))


def expected_overflow(name: str) -> Any:
    """Silence NumPy about infinities that are right."""
    return np.errstate(over="ignore", divide="ignore") if name in UNBOUNDED else nullcontext()


def assert_accurate(report: Report, bar: float) -> None:
    assert not report.defects, str(report)
    assert report.mixed <= bar, str(report)
    assert report.subnormal <= 8, str(report)  # of the one ulp that all subnormal numbers share


# ---- functions of one element ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_value_is_within_four_ulp_over_the_whole_dtype(name: str, dtype: Any) -> None:
    function, low, high = FUNCTIONS[name]
    x = samples(dtype, low, high)
    with expected_overflow(name):
        value = function(x)
    assert_accurate(measure(value, (x,), ELEMENTWISE[name].value), 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_gradient_is_within_four_ulp_over_the_whole_dtype(name: str, dtype: Any) -> None:
    function, low, high = FUNCTIONS[name]
    x = samples(dtype, low, high)
    x = x[~np.isnan(x)] if name in KINKED else x
    with expected_overflow(name):
        (grad,) = gradients(function, x)
    assert_accurate(measure(grad, (x,), ELEMENTWISE[name].slope), 4)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in KINKED | {"log1mexp", "logit"}])
def test_a_second_derivative_is_exact_in_the_middle_and_in_both_tails(name: str) -> None:
    function, _, _ = FUNCTIONS[name]
    x = np.asarray([-20.0, -5.5, -1.3, -0.75, -1e-3, 0.0, 0.3, 0.5, 1.0, 2.7, 6.0, 9.0])
    (second,) = gradients(lambda z: vjp(function, z)[1](z * 0 + 1)[0], x)
    with mpmath.workdps(60):
        slope = ELEMENTWISE[name].slope
        want = [float(mpmath.diff(slope, mpmath.mpf(float(v)), h=mpmath.mpf(10) ** -20)) for v in x]
    np.testing.assert_allclose(second, want, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_half_precision_is_within_one_ulp_of_the_correctly_rounded_value(name: str) -> None:
    function, low, high = FUNCTIONS[name]
    x: Array = np.arange(2**16, dtype=np.uint16).view(np.float16)  # all there are
    x = np.append(x[(x >= low) & (x <= high)], np.float16(np.nan))  # one NaN, and a quiet one
    with expected_overflow(name):
        got, want = function(x), function(x.astype(np.float64)).astype(np.float16)
    assert got.dtype == np.float16
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore", over="ignore"):  # the spacing of infinity
        distance = np.abs(got.astype(np.float64) - want) / np.spacing(np.abs(want))
    assert np.all(same | (distance <= 1)), x[~same][:5]


# ---- functions of two numbers ----------------------------------------------------------------


def products(name: str, dtype: Any, *, density: int = 1) -> tuple[Array, Array]:
    """Arguments of xlogy and xlog1py: over the whole dtype, and every pair of special numbers."""
    pole = dtype(0) if name == "xlogy" else dtype(-1)
    root = pole + dtype(1) + np.spacing(dtype(1)) * np.arange(-20, 20, dtype=dtype)
    y = np.concatenate([samples(dtype, float(pole)), root])
    return grid(samples(dtype), y, size=1200 * density)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", references.OF_TWO)
def test_a_product_with_a_logarithm_and_both_gradients_are_within_four_ulp(
    name: str, dtype: Any
) -> None:
    function, exact = getattr(pl, name), references.OF_TWO[name]
    x, y = products(name, dtype)
    for finite in (True, False):
        part = (np.isfinite(x) & np.isfinite(y)) == finite
        a, b = x[part], y[part]
        # the truth may be infinite; at infinite arguments it may be NaN
        with np.errstate(over="ignore", divide="ignore", invalid="warn" if finite else "ignore"):
            value, by_both = function(a, b), gradients(function, a, b)
        assert_accurate(measure(value, (a, b), exact.value), 4)
        for grad, derivative in zip(by_both, exact[1:], strict=True):
            assert_accurate(measure(grad, (a, b), derivative), 4)


def pairs(name: str, dtype: Any, *, density: int = 1) -> tuple[Array, Array]:
    """Inputs and targets over the whole dtype, finite."""
    rng = np.random.default_rng(7)
    if name.startswith("binary"):
        is_logit = name.endswith("logits")
        x = samples(dtype, density=density) if is_logit else samples(dtype, 0, 1, density=density)
        share = np.asarray([0, 1, 0.5, 0.25, 0.9, 1e-6, 1e-30, *rng.uniform(0, 1, 6)])
        x = x[np.isfinite(x)]
        return x, rng.choice(share.astype(dtype), x.size)
    x = samples(dtype, density=density)
    x = x[np.isfinite(x)]
    ratio = 1 + np.exp2(-rng.uniform(1, 60, x.size))
    with np.errstate(over="ignore"):
        close = (x * ratio).astype(dtype)
    near = rng.uniform(-4, 4, x.size).astype(dtype)
    target = np.where(rng.uniform(size=x.size) < 0.3, close, near)
    target = np.where(rng.uniform(size=x.size) < 0.2, rng.permutation(x), target)
    return x, np.where(np.isfinite(target), target, near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_one_element_and_its_gradient_are_within_eight_ulp(name: str, dtype: Any) -> None:
    x, target = pairs(name, dtype)
    loss, exact = partial(LOSSES[name], reduction="none"), references.LOSSES[name]
    with np.errstate(over="ignore"):  # where the truth is infinite
        value = loss(x, target)
        (grad,) = gradients(lambda z: loss(z, target), x)
    assert_accurate(measure(value, (x, target), exact.value), 8)
    assert_accurate(measure(grad, (x, target), exact.slope), 8)


# ---- functions of a row ----------------------------------------------------------------------

RANDOM = np.random.default_rng(11)
ROWS: dict[str, list[float]] = {
    "one entry": [3.0],
    "spread of 1e4": [1e4, 0.0, -1e4, 9999.0, 9990.5],
    "masked": [-np.inf, 2.0, 1.0, -np.inf, 0.5],
    "all but one masked": [-np.inf, -4.0, -np.inf],
    "all equal": [1.5] * 7,
    "all equal and huge": [1e30] * 1000,
    "near ties": [1.0, 1.0000001, 0.9999999, 1.0000002, -3.0],
    "confident": [20.0, 0.0],
    "very confident": [80.0, 0.0, -2.0],
    "wrong": [0.0, 20.0],
    "tails": [0.0, -5.3, -17.1, -40.7, -80.3, -86.9],
    "tiny": [1e-30, -1e-30, 3e-38, 0.0],
    "sum next to one": [-0.6931472, -0.6931471],
    "normal": [*RANDOM.normal(0, 3, 50)],
    "wide": [*RANDOM.normal(0, 30, 200)],
}


def assert_row_accurate(got: Array, exact: list[Any], allowance: Array) -> None:
    """Hold every entry to 8 ulp, and to its distance from the row's largest entry beyond."""
    got = np.atleast_1d(got)
    values = iter(exact)
    reference = truth(lambda _: next(values), (np.zeros_like(got),))
    errors = strict_error(got, reference)
    bad = np.flatnonzero((errors > 8 + allowance) & (got != reference.high))
    assert not bad.size, [(int(i), float(got[i]), float(errors[i])) for i in bad[:5]]


def row(name: str, dtype: Any) -> tuple[Array, list[Any], Array]:
    """A row, its entries as exact numbers, and their distances from the largest."""
    x = np.asarray(ROWS[name]).astype(dtype)
    distance = (x.max() - x).astype(np.float64)
    return x, [mpmath.mpf(float(v)) for v in x], np.where(np.isfinite(distance), distance, 0.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_softmax_and_its_relatives_hold_the_bar_of_rows(name: str, dtype: Any) -> None:
    x, exact, distance = row(name, dtype)
    with mpmath.workdps(60):
        assert_row_accurate(pl.softmax(x), references.softmax(exact), distance)
        assert_row_accurate(pl.log_softmax(x), references.log_softmax(exact), distance)
        assert_row_accurate(pl.logsumexp(x), [references.logsumexp_terms(exact)], np.zeros(1))
        assert_row_accurate(pl.softmin(-x), references.softmax(exact), distance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_the_gradients_of_softmax_and_its_relatives_hold_the_bar_of_rows(
    name: str, dtype: Any
) -> None:
    x, exact, distance = row(name, dtype)
    cotangent = np.cos(np.arange(x.size)).astype(dtype)
    weights = [mpmath.mpf(float(v)) for v in cotangent]
    with mpmath.workdps(60):
        for function, pullback in (
            (pl.softmax, references.softmax_pullback(exact, weights)),
            (pl.log_softmax, references.log_softmax_pullback(exact, weights)),
        ):
            (grad,) = vjp(function, x)[1](cotangent)
            assert_row_accurate(grad, pullback, distance)
        (grad,) = vjp(pl.softmin, -x)[1](cotangent)
        mirrored = references.softmin_pullback([-v for v in exact], weights)
        assert_row_accurate(grad, mirrored, distance)
        (grad,) = vjp(pl.logsumexp, x)[1](cotangent[:1].reshape(()))
        assert_row_accurate(grad, references.logsumexp_pullback(exact, weights[0]), distance)


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.1},
    "weighted": {"weight": True},
    "weighted and smoothed": {"weight": True, "label_smoothing": 0.1},
    "z-loss": {"z_loss": 0.01},
    "capped": {"softcap": 30.0},
    "everything": {"weight": True, "label_smoothing": 0.2, "z_loss": 0.001, "softcap": 50.0},
}


FEW = ("masked", "confident", "wrong", "tails", "sum next to one", "wide")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name, case", [*product(ROWS, ["plain"]), *product(FEW, [c for c in CASES if c != "plain"])]
)
@pytest.mark.parametrize("kind", ["index", "probability"])
def test_cross_entropy_and_its_gradient_hold_the_bar_of_rows(
    kind: str, name: str, case: str, dtype: Any
) -> None:
    x, exact, distance = row(name, dtype)
    options = dict(CASES[case])
    if np.any(np.isinf(x)) and "label_smoothing" in options:
        options.pop("label_smoothing")  # a share for an impossible class: infinite
    if "softcap" in options:
        x = np.where(np.isfinite(x) & (np.abs(x) > 1e3), dtype(70.0), x)
        exact = [mpmath.mpf(float(v)) for v in x]
    passed, known = dict(options), dict(options)
    if options.pop("weight", False):
        weight = (1.5 + np.sin(np.arange(x.size))).astype(dtype)
        passed["weight"], known["weight"] = weight, [mpmath.mpf(float(v)) for v in weight]
    target: Array = np.argmax(x)
    share: int | list[Any] = int(target)
    if kind == "probability":
        target = np.where(np.isinf(x), 0.0, 1.0 + np.cos(np.arange(x.size))).astype(dtype)
        target = target / target.sum()
        share = [mpmath.mpf(float(v)) for v in target]

    def loss(logits: Array) -> Array:
        return pl.cross_entropy(logits, target, reduction="none", **passed)

    (grad,) = gradients(loss, x)
    # the loss sums over the row, and a cap rounds the logits themselves
    slack = float(np.max(distance[distance < 1e3], initial=0.0)) if case != "plain" else 0.0
    slack += 4 * options.get("softcap", 0.0)
    with mpmath.workdps(60):
        value = references.cross_entropy(exact, share, **known)
        assert_row_accurate(loss(x), [value], np.asarray([slack]))
        gradient = references.cross_entropy_gradient(exact, share, **known)
        assert_row_accurate(grad, gradient, distance + slack)


def test_a_confident_row_keeps_its_loss_and_its_gradient() -> None:
    x = np.asarray([[20.0, 0.0]], dtype=np.float32)

    def loss(logits: Array) -> Array:
        return pl.cross_entropy(logits, np.asarray([0]))

    assert float(loss(x)) == pytest.approx(2.0611536e-09, rel=1e-6)
    (grad,) = gradients(loss, x)
    np.testing.assert_allclose(grad, [[-2.0611536e-09, 2.0611536e-09]], rtol=1e-6)


# ---- the coefficients, and the measure itself ------------------------------------------------


def test_the_committed_coefficients_are_what_the_script_computes() -> None:
    assert TARGET.read_text(encoding="utf-8") == source()


def naive_gelu(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))) / 2


def test_the_measure_finds_lost_digits_lost_values_and_wrong_limits() -> None:
    x = samples(np.float32)
    report = measure(naive_gelu(x), (x,), ELEMENTWISE["gelu, tanh form"].value)
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
