"""What holds at the ends of the numbers: kinks, ties, infinities, NaN, huge and tiny inputs."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._typing import Array
from tests.curves import Curve
from tests.libraries import LIBRARIES, Library
from tests.rows import CURVES

INF, NAN = math.inf, math.nan

Function = Callable[[Array], Array]
UNARY: dict[str, Function] = {
    **{str(curve): curve for curve in CURVES if curve.low == -INF},
    "bce, target 1": lambda x: pl.binary_cross_entropy_with_logits(x, one(x), reduction="none"),
    "bce, target 0": lambda x: pl.binary_cross_entropy_with_logits(x, 0 * one(x), reduction="none"),
    "mse": lambda x: pl.mse_loss(x, 0 * one(x), reduction="none"),
    "l1": lambda x: pl.l1_loss(x, 0 * one(x), reduction="none"),
    "smooth l1": lambda x: pl.smooth_l1_loss(x, 0 * one(x), reduction="none"),
    "huber": lambda x: pl.huber_loss(x, 0 * one(x), reduction="none"),
    "softmax": lambda x: pl.softmax(pair(x))[:, 0],
    "log_softmax": lambda x: pl.log_softmax(pair(x))[:, 0],
    "logsumexp": lambda x: pl.logsumexp(pair(x), axis=-1),
    "cross_entropy": lambda x: pl.cross_entropy(pair(x), target(x), reduction="none"),
}


def one(x: Array) -> Array:
    """Ones, constant to every derivative, whatever `x` holds."""
    xp = array_namespace(x)
    return xp.astype(xp.ones_like(x), x.dtype)


def pair(x: Array) -> Array:
    """Rows of each entry of `x` and 0."""
    xp = array_namespace(x)
    return xp.stack([x, 0 * one(x)], axis=-1)


def target(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.zeros_like(x, dtype=xp.int64)


def slopes(library: Library, f: Function, values: list[float], *, order: int = 1) -> Any:
    """The derivative of `f` at each value; orders 1 and 2."""

    def first(x: Array) -> Array:
        out = f(x)
        return array_namespace(out).sum(out)

    derivative = library.gradient(first, (0,))
    if order == 2:

        def second(x: Array) -> Array:
            (grad,) = library.gradient(first, (0,))(x)
            return array_namespace(grad).sum(grad)

        derivative = library.gradient(second, (0,))
    return library.numpy(library.quickly(derivative)(library.array(values, "float64"))[0])


#: JAX compiles each call for a second: tests/interop/test_jax.py compiles all of them at once.
DIFFERENT = [one for one in LIBRARIES if one.name in ("numpy", "torch", "array_api_strict")]
everywhere = pytest.mark.parametrize("library", DIFFERENT, ids=str)

# ---- kinks and ties --------------------------------------------------------------------------


def at_zero(curve: Curve) -> tuple[float, float]:
    """The first and second derivative at exactly 0; at a kink the second is 0."""
    if 0.0 in curve.kinks:
        return float(curve.slope(mpmath.mpf(0))), 0.0
    with mpmath.workdps(60):
        bend = mpmath.diff(curve.slope, 0, h=mpmath.mpf(10) ** -20)
        return float(curve.slope(mpmath.mpf(0))), float(bend)


AT_ZERO: dict[str, tuple[float, float]] = {
    **{str(curve): at_zero(curve) for curve in CURVES if curve.low < 0 and not curve.unbounded},
    "bce, target 1": (-0.5, 0.25),
    "bce, target 0": (0.5, 0.25),
    "mse": (0, 2),
    "l1": (0, 0),
    "smooth l1": (0, 1),
    "huber": (0, 1),
    "softmax": (0.25, 0),
    "log_softmax": (0.5, -0.25),
    "logsumexp": (0.5, 0.25),
    "cross_entropy": (-0.5, 0.25),
}


@everywhere
@pytest.mark.parametrize("name", AT_ZERO)
def test_the_derivatives_at_exactly_zero_are_right(library: Library, name: str) -> None:
    first, second = AT_ZERO[name]
    zeros = [0.0, -0.0]
    with library.active():
        got = slopes(library, UNARY[name], zeros), slopes(library, UNARY[name], zeros, order=2)
    np.testing.assert_allclose(got[0], [first] * 2, atol=1e-15)
    np.testing.assert_allclose(got[1], [second] * 2, atol=1e-14)


# ---- infinities ------------------------------------------------------------------------------

# name -> (value, slope) at -inf and at inf
AT_INFINITY: dict[str, Any] = {
    **{str(curve): curve.ends for curve in CURVES if curve.low == -INF},
    "bce, target 1": ((INF, -1), (0, 0)),
    "bce, target 0": ((0, 0), (INF, 1)),
    "l1": ((INF, -1), (INF, 1)),
    "smooth l1": ((INF, -1), (INF, 1)),
    "huber": ((INF, -1), (INF, 1)),
}


@everywhere
@pytest.mark.parametrize("name", AT_INFINITY)
def test_a_function_and_its_slope_take_their_limits(library: Library, name: str) -> None:
    f = UNARY[name]
    with library.active():
        for end, (value, slope) in zip((-INF, INF), AT_INFINITY[name], strict=True):
            got = library.numpy(f(library.array([end], "float64")))
            np.testing.assert_array_equal(got, [float(value)])
            np.testing.assert_array_equal(slopes(library, f, [end]), [float(slope)])


def test_minus_infinity_is_a_class_of_probability_zero(library: Library) -> None:
    x = library.array([[-INF, 0.0, 0.0], [0.0, -INF, -INF]], "float64")
    p = library.numpy(pl.softmax(x))
    np.testing.assert_array_equal(p, [[0, 0.5, 0.5], [1, 0, 0]])
    np.testing.assert_array_equal(library.numpy(pl.log_softmax(x))[1], [0, -INF, -INF])
    np.testing.assert_array_equal(library.numpy(pl.softmin(-x)), p)


def test_a_sum_of_nothing_has_the_logarithm_minus_infinity_and_no_gradient(
    library: Library,
) -> None:
    f = lambda x: pl.logsumexp(x, axis=-1)  # noqa: E731
    assert library.numpy(f(library.array([-INF, -INF], "float64"))) == -INF
    np.testing.assert_array_equal(slopes(library, f, [-INF, -INF]), [0, 0])
    assert library.numpy(f(library.array([0.0, INF], "float64"))) == INF
    assert library.numpy(
        pl.logsumexp(library.array(np.zeros((2, 0)), "float64"), axis=1)
    ).tolist() == [-INF, -INF]


@pytest.mark.parametrize("row", [[-INF, -INF], [INF, 0.0], [NAN, 0.0]])
def test_a_row_without_a_softmax_is_nan_throughout(library: Library, row: list[float]) -> None:
    x = library.array([row, [0.0, 0.0]], "float64")
    for f in (pl.softmax, pl.log_softmax):
        np.testing.assert_array_equal(np.isnan(library.numpy(f(x))), [[True] * 2, [False] * 2])
    loss = library.numpy(pl.cross_entropy(x, library.array([1, 1]), reduction="none"))
    np.testing.assert_array_equal(np.isnan(loss), [True, False])
    grad = library.gradient(lambda x: pl.cross_entropy(x, library.array([1, 1])), (0,))
    np.testing.assert_array_equal(np.isnan(library.numpy(grad(x)[0])), [[True] * 2, [False] * 2])


def test_a_target_of_probability_zero_costs_infinity(library: Library) -> None:
    x = library.array([[-INF, 0.0, 1.0]], "float64")
    assert library.numpy(pl.cross_entropy(x, library.array([0]))) == INF
    smoothed = pl.cross_entropy(x, library.array([1]), label_smoothing=0.1)
    assert library.numpy(smoothed) == INF


def test_a_certain_row_of_no_entries_is_zero_where_a_mask_says_so(library: Library) -> None:
    x, nobody = library.array([[NAN, INF]], "float64"), library.array([[False, False]])
    np.testing.assert_array_equal(library.numpy(pl.softmax(x, where=nobody)), [[0, 0]])
    np.testing.assert_array_equal(library.numpy(pl.log_softmax(x, where=nobody)), [[-INF, -INF]])


def test_a_cap_keeps_a_mask_a_mask(library: Library) -> None:
    x = library.array([[-INF, 0.0, 1e4]], "float64")
    loss = pl.cross_entropy(x, library.array([2]), softcap=2.0)
    assert library.numpy(loss) == pytest.approx(math.log1p(math.exp(-2)), rel=1e-14)


# ---- NaN -------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("name", UNARY)
def test_nan_is_not_hidden(library: Library, name: str) -> None:
    with library.active():
        value = library.numpy(UNARY[name](library.array([NAN, 0.25], "float64")))
    np.testing.assert_array_equal(np.isnan(value), [True, False])


@everywhere
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_factor_shows_every_digit_of_the_logarithm_of_a_subnormal_sum(
    library: Library, dtype: str
) -> None:
    info = np.finfo(dtype)
    y = np.asarray([1, -3, 1001]) * float(info.smallest_subnormal)
    x = np.full(3, 0.5 * float(info.max))
    got = pl.xlog1py(library.array(x, dtype), library.array(y, dtype))
    np.testing.assert_allclose(library.numpy(got), x * y, rtol=4 * float(info.eps))


@pytest.mark.parametrize("function", [pl.xlogy, pl.xlog1py])
@pytest.mark.parametrize("x, y", [(NAN, 1.0), (0.0, NAN), (NAN, NAN), (NAN, 0.0)])
def test_nan_is_not_hidden_in_a_product(
    library: Library, function: Any, x: float, y: float
) -> None:
    assert np.isnan(
        library.numpy(function(library.array(x, "float64"), library.array(y, "float64")))
    )


# ---- huge and tiny ---------------------------------------------------------------------------

BOUNDED = [name for name, f in UNARY.items() if not getattr(f, "unbounded", False)]
HUGE = [1e4, -1e4, 1e30, -1e30, 3e38, -3e38, 1e-30, -1e-30, 88.8, -103.0]


@everywhere
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOUNDED)
def test_finite_in_is_finite_out(library: Library, name: str, dtype: str) -> None:
    f = UNARY[name]
    values = [x for x in HUGE if abs(x) < 1e15] if name == "mse" else HUGE
    with library.active():
        x = library.array(values, dtype)
        assert np.all(np.isfinite(library.numpy(f(x))))

        def total(x: Array) -> Array:
            out = f(x) * 1e-3  # the sum may not overflow either
            return array_namespace(out).sum(out)

        (grad,) = library.quickly(library.gradient(total, (0,)))(x)
        assert np.all(np.isfinite(library.numpy(grad)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_smoothing": 0.1},
        {"softcap": 30.0},
        {"label_smoothing": 0.1, "softcap": 30.0, "z_loss": 1e-4},
    ],
    ids=repr,
)
def test_cross_entropy_of_finite_logits_is_finite(
    library: Library, dtype: str, options: dict[str, Any]
) -> None:
    huge = 1e30 if "z_loss" not in options or "softcap" in options else 1e4
    x = library.array([[huge, -huge, 0.0], [1e4, 1e4, -1e4], [-huge, -huge, -huge]], dtype)
    y = library.array([1, 2, 0])
    loss = lambda x: pl.cross_entropy(x, y, **options)  # noqa: E731
    assert np.isfinite(library.numpy(library.quickly(loss)(x)))
    gradient = library.quickly(library.gradient(loss, (0,)))
    assert np.all(np.isfinite(library.numpy(gradient(x)[0])))


def test_a_confident_row_keeps_its_loss(library: Library) -> None:
    x, y = library.array([[20.0, 0.0]], "float32"), library.array([0])
    loss = lambda x: pl.cross_entropy(x, y)  # noqa: E731
    want = math.log1p(math.exp(-20))
    assert library.numpy(loss(x)) == pytest.approx(want, rel=1e-6)
    grad = library.numpy(library.gradient(loss, (0,))(x)[0])
    np.testing.assert_allclose(grad, [[math.expm1(-want), -math.expm1(-want)]], rtol=1e-6)
