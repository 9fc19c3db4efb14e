"""``namespace(xp).special``: SciPy's special functions, on the tape and exact.

The bar is that of every function of the library: a mixed error of 4 ulp in value and gradient
over the whole dtype. Expected numbers come from mpmath.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import mpmath
import numpy as np
import pytest

from portable_losses._typing import Array
from portable_losses.autograd import grad, gradcheck, namespace, tensor, vjp
from portable_losses.autograd.namespaces.special import ELEMENTWISE, OTHERS, PARAMETERS
from tests.accuracy.ulp import Exact, grid, measure, samples
from tests.autograd.cases import LIBRARIES
from tools.fit_gamma import TARGET, source

INF, NAN = mpmath.inf, mpmath.nan
DTYPES = (np.float32, np.float64)
SPECIAL = namespace(np).special


def gradients(name: str, *arrays: Array) -> tuple[Array, tuple[Array, ...]]:
    """Value and gradient of ``special.<name>``; what overflows, overflows in truth."""
    with np.errstate(over="ignore"):
        value, pullback = vjp(getattr(SPECIAL, name), *arrays)
        return value, pullback(np.ones_like(value))


def assert_accurate(got: Array, inputs: tuple[Array, ...], exact: Exact) -> None:
    report = measure(got, inputs, lambda *x: NAN if any(map(mpmath.isnan, x)) else exact(*x))
    assert not report.defects, str(report)
    assert report.mixed <= 4, str(report)


# ---- the truth --------------------------------------------------------------------------------


def ends(at_minus: Any, at_plus: Any, inside: Exact) -> Exact:
    """A function with its limits at both infinities."""
    limits = {-INF: mpmath.mpf(at_minus), INF: mpmath.mpf(at_plus)}
    return lambda x: limits[x] if mpmath.isinf(x) else inside(x)


def positive(at_zero: Any, at_infinity: Any, inside: Exact, below: Any = NAN) -> Exact:
    """A function of x > 0 with its values at both ends and `below`."""

    def function(x: Any) -> Any:
        if x <= 0 or x == INF:
            return below if x < 0 else mpmath.mpf(at_zero if x == 0 else at_infinity)
        return inside(x)

    return function


def ndtr(x: Any) -> Any:
    if abs(x) > 1e6:
        return mpmath.mpf(x > 0)
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def log_ndtr(x: Any) -> Any:
    if x > 0:
        return mpmath.log1p(-ndtr(-x))
    if x > -1e6:
        return mpmath.log(ndtr(x))
    return -x * x / 2 - mpmath.log(-x * mpmath.sqrt(2 * mpmath.pi)) - 1 / x**2


def hazard(x: Any) -> Any:
    if abs(x) > 1e6:
        return max(-x - 1 / x, mpmath.mpf(0))
    return mpmath.npdf(x) / ndtr(x)


ANYWHERE: dict[str, tuple[Exact, Exact]] = {
    "ndtr": (ends(0, 1, ndtr), ends(0, 0, mpmath.npdf)),
    "log_ndtr": (ends(-INF, 0, log_ndtr), ends(INF, 0, hazard)),
    "entr": (
        positive(0, -INF, lambda x: -x * mpmath.log(x), below=-INF),
        positive(INF, -INF, lambda x: -1 - mpmath.log(x)),
    ),
    "gammaln": (positive(INF, INF, mpmath.loggamma), positive(-INF, INF, mpmath.digamma)),
    "psi": (
        positive(-INF, INF, mpmath.digamma),
        positive(INF, 0, lambda x: mpmath.polygamma(1, x)),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ANYWHERE)
def test_value_and_gradient_are_within_four_ulp_over_the_whole_dtype(name: str, dtype: Any) -> None:
    x = samples(dtype)
    value, (slope,) = gradients(name, x)
    assert value.dtype == slope.dtype == dtype
    exact, exact_slope = ANYWHERE[name]
    assert_accurate(value, (x,), exact)
    assert_accurate(slope, (x,), exact_slope)


OF_TWO: dict[str, tuple[Exact, Exact, Exact]] = {
    "rel_entr": (
        lambda x, y: x * mpmath.log(x / y),
        lambda x, y: 1 + mpmath.log(x / y),
        lambda x, y: -x / y,
    ),
    "kl_div": (
        lambda x, y: x * mpmath.log(x / y) - x + y,
        lambda x, y: mpmath.log(x / y),
        lambda x, y: 1 - x / y,
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OF_TWO)
def test_an_entropy_is_within_four_ulp_also_where_its_arguments_are_close(
    name: str, dtype: Any
) -> None:
    rng = np.random.default_rng(5)
    ordinary = samples(dtype, 0.0)
    ordinary = ordinary[(ordinary > 2 * np.finfo(dtype).tiny) & (ordinary < np.inf)]
    x, y = grid(ordinary, ordinary[::-1].copy(), size=500)
    factor = 1 + rng.uniform(-0.7, 1.5, 300) * 10.0 ** -rng.integers(0, 7, 300)
    x = np.concatenate([x, ordinary[:300]])
    y = np.concatenate([y, (ordinary[:300] * factor).astype(dtype)])
    value, (in_x, in_y) = gradients(name, x, y)
    for got, exact in zip((value, in_x, in_y), OF_TWO[name], strict=True):
        assert_accurate(got, (x, y), exact)


@pytest.mark.parametrize("name", OF_TWO)
def test_an_entropy_at_the_edge_of_its_domain_has_the_values_of_scipy(name: str) -> None:
    special = pytest.importorskip("scipy.special")
    points = [0.0, 1.5, np.inf, -1.0, np.nan]
    mesh: list[Array] = list(np.meshgrid(points, points))
    x, y = mesh[0].ravel(), mesh[1].ravel()
    finite = ~(np.isinf(x) | np.isinf(y))
    plain: list[Array] = [x[finite], y[finite]]
    value, (in_x, in_y) = gradients(name, *plain)
    np.testing.assert_array_equal(value, getattr(special, name)(*plain))
    zero = (plain[0] == 0) & (plain[1] > 0)
    np.testing.assert_array_equal(in_x[zero], -np.inf)
    np.testing.assert_array_equal(in_y[zero], 1.0 if name == "kl_div" else 0.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["ndtri", "erfinv"])
def test_an_inverse_returns_to_where_it_came_from_within_four_ulp(name: str, dtype: Any) -> None:
    # The truth of an inverse is the neighbourhood of the inputs whose image is the argument: an
    # mpmath root per point and neighbour would take minutes.
    share = samples(dtype, 0.0, 1.0)
    share = share[(share > np.finfo(dtype).tiny) & (share < 1)][::5]
    value, (slope,) = gradients(name, share)
    unit = np.spacing(np.abs(value)).astype(np.float64)
    with mpmath.workdps(40):
        for p, x, u, s in zip(share, value, unit, slope, strict=True):
            q, at = mpmath.mpf(float(p)), mpmath.mpf(float(x))
            if name == "ndtri":
                miss = (mpmath.ncdf(at) - q) / mpmath.npdf(at)
                exact = 1 / mpmath.npdf(at - miss)
            else:
                density = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-at * at)
                miss = (mpmath.erf(at) - q) / density
                exact = mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp((at - miss) ** 2)
            assert abs(miss) <= 4 * u, (p, x)
            assert abs(s - exact) <= 6 * float(np.spacing(dtype(s))), (p, s)


def test_the_ends_of_an_inverse_are_infinite() -> None:
    p = np.asarray([0.0, 1.0, -0.5, 1.5, np.nan])
    value, (slope,) = gradients("ndtri", p)
    np.testing.assert_array_equal(value, [-np.inf, np.inf, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(slope, [np.inf, np.inf, np.nan, np.nan, np.nan])
    value, (slope,) = gradients("erfinv", 2 * p - 1)
    np.testing.assert_array_equal(value, [-np.inf, np.inf, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(slope, [np.inf, np.inf, np.nan, np.nan, np.nan])


# ---- distribution functions of chi-squared, t and F --------------------------------------------


def gamma_density(a: Any, x: Any) -> Any:
    return x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    return x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b)


def t_density(df: Any, t: Any) -> Any:
    return (1 + t * t / df) ** (-(df + 1) / 2) / mpmath.beta(df / 2, 0.5) / mpmath.sqrt(df)


def f_density(m: Any, n: Any, x: Any) -> Any:
    whole = n + m * x
    return beta_density(m / 2, n / 2, m * x / whole) * m * n / whole**2


def lower_gamma(a: Any, x: Any) -> Any:
    return mpmath.gammainc(a, 0, x, regularized=True)


def lower_beta(a: Any, b: Any, x: Any) -> Any:
    return mpmath.betainc(a, b, 0, x, regularized=True)


# value, size of the slope
DISTRIBUTIONS: dict[str, tuple[Exact, Exact]] = {
    "gammainc": (lower_gamma, gamma_density),
    "gammaincc": (lambda a, x: mpmath.gammainc(a, x, regularized=True), gamma_density),
    "betainc": (lower_beta, beta_density),
    "betaincc": (lambda a, b, x: lower_beta(b, a, 1 - x), beta_density),
    "stdtr": (lambda df, t: lower_beta(df / 2, 0.5, df / (df + t * t)) / 2, t_density),
    "fdtr": (lambda m, n, x: lower_beta(m / 2, n / 2, m * x / (n + m * x)), f_density),
    "fdtrc": (lambda m, n, x: lower_beta(n / 2, m / 2, n / (n + m * x)), f_density),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_function_and_its_density_have_twelve_digits(name: str) -> None:
    rng = np.random.default_rng(7)
    count = PARAMETERS[name]
    parameters = [10.0 ** rng.uniform(-1, 2, 60) for _ in range(count)]
    last = rng.uniform(0, 1, 60)
    if name == "stdtr":
        last = -10 * last
    elif name.startswith(("gamma", "f")):
        last = 2 * last * (parameters[0] if count == 1 else 1.0)
    value, pullback = vjp(lambda x: getattr(SPECIAL, name)(*parameters, x), last)
    (slope,) = pullback(np.ones(60))
    exact, density = DISTRIBUTIONS[name]
    with mpmath.workdps(40):
        for *point, got, steep in zip(*parameters, last, value, slope, strict=True):
            *fixed, x = map(mpmath.mpf, point)
            want = exact(*fixed, x)
            assert abs(got - want) <= 1e-12 * want + 1e-280, point
            size = density(*fixed, x)
            assert abs(abs(steep) - size) <= 1e-12 * size + 1e-280, point
            assert (steep < 0) == name.endswith("cc") or name == "fdtrc", point


def test_distribution_functions_have_their_ends() -> None:
    x = np.asarray([0.0, np.inf, -1.0, np.nan])
    np.testing.assert_array_equal(SPECIAL.gammainc(2.0, x).array, [0, 1, np.nan, np.nan])
    np.testing.assert_array_equal(SPECIAL.gammaincc(2.0, x).array, [1, 0, np.nan, np.nan])
    t = np.asarray([0.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(SPECIAL.stdtr(3.0, t).array, [0.5, 1, 0, np.nan])
    p = np.asarray([0.0, 1.0, -1.0, np.nan])
    np.testing.assert_array_equal(SPECIAL.betainc(2.0, 3.0, p).array, [0, 1, np.nan, np.nan])
    np.testing.assert_array_equal(SPECIAL.betaincc(2.0, 3.0, p).array, [1, 0, np.nan, np.nan])


def test_a_series_that_does_not_converge_is_nan() -> None:
    x = np.asarray([1e7])
    assert np.isnan(SPECIAL.gammainc(1e7, x).array).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_tracked_parameter_is_refused(name: str) -> None:
    x = tensor(np.asarray([0.4]))
    numbers = [0.5] * (PARAMETERS[name] - 1)
    with pytest.raises(TypeError, match=f"special.{name}.*no gradient by its parameters"):
        getattr(SPECIAL, name)(x, *numbers, 0.5)


# ---- on every library -------------------------------------------------------------------------

X, Y = [0.15, 0.4, 0.85], [0.3, 0.7, 0.2]
#: a call of every function
CALLS: dict[str, Callable[..., Array]] = {
    **{name: lambda s, x, y, n=name: getattr(s, n)(x) for name in ELEMENTWISE},
    **{
        name: lambda s, x, y, n=name: getattr(s, n)(x, y)
        for name in ("betaln", "kl_div", "rel_entr", "xlog1py", "xlogy")
    },
    **{
        name: lambda s, x, y, n=name, k=count: getattr(s, n)(*[2.5, 1.5][:k], x)
        for name, count in PARAMETERS.items()
    },
    "boxcox": lambda s, x, y: s.boxcox(x, 0.7),
    "polygamma": lambda s, x, y: s.polygamma(2, x),
    "multigammaln": lambda s, x, y: s.multigammaln(x + 2.0, 3),
    "logsumexp": lambda s, x, y: s.logsumexp(x, axis=0, b=y, keepdims=True),
    "softmax": lambda s, x, y: s.softmax(x),
    "log_softmax": lambda s, x, y: s.log_softmax(x, axis=0),
}


def test_there_is_a_call_of_every_function() -> None:
    assert set(CALLS) == set(dir(SPECIAL)) == {*ELEMENTWISE, *OTHERS}


def summed(name: str) -> Callable[..., Array]:
    def function(x: Array, y: Array) -> Array:
        xp = x.__array_namespace__()
        return xp.sum(CALLS[name](xp.special, x, y) * (x + y * y))

    return function


# JAX compiles each operation and Dask plans each of them, so they take a few functions.
SLOW, SELECTED = {"jax.numpy", "dask.array"}, {"entr", "gammaln", "kl_div", "log_ndtr", "softmax"}


@pytest.mark.parametrize(
    "name, library",
    [
        (name, library)
        for name in CALLS
        for library in LIBRARIES
        if library != "numpy" and (library not in SLOW or name in SELECTED)
    ],
)
def test_every_library_has_the_gradient_of_numpy(name: str, library: str) -> None:
    xp = import_module(library)
    both = grad(summed(name), argnums=(0, 1))
    want = both(np.asarray(X), np.asarray(Y))
    got = both(*(xp.asarray(v, dtype=xp.float64) for v in (X, Y)))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CALLS)
def test_two_orders_of_derivatives_agree_with_differences(name: str) -> None:
    gradcheck(summed(name), (np.asarray(X), np.asarray(Y)))


@pytest.mark.parametrize("name", CALLS)
def test_half_precision_is_computed_in_single_and_rounded_once(name: str) -> None:
    x, y = np.asarray(X, dtype=np.float16), np.asarray(Y, dtype=np.float16)
    half = CALLS[name](SPECIAL, tensor(x), tensor(y)).array
    single = CALLS[name](SPECIAL, tensor(x.astype(np.float32)), tensor(y.astype(np.float32))).array
    assert half.dtype == np.float16
    if name not in ("betaln", "multigammaln", "fdtr", "fdtrc"):  # sums of such
        np.testing.assert_array_equal(half, single.astype(np.float16))


# ---- arguments --------------------------------------------------------------------------------


def test_numbers_and_integers_stand_for_arrays_of_the_dtype_beside_them() -> None:
    x = tensor(np.asarray([0.5, 2.0], dtype=np.float32))
    for other in (2, 2.0, np.float64(2.0), np.asarray([2, 2]), tensor(np.float32(2))):
        value = SPECIAL.xlogy(other, x)
        assert value.dtype == np.float32
        assert value.requires_grad
        np.testing.assert_allclose(value.array, 2 * np.log(x.array), rtol=1e-6)


def test_integers_alone_take_the_default_dtype() -> None:
    value = SPECIAL.gammaln(tensor(np.asarray([1, 3]), requires_grad=False))
    assert value.dtype == np.float64
    np.testing.assert_allclose(value.array, [0, np.log(2)])


def test_arrays_broadcast_and_so_do_their_gradients() -> None:
    x, y = tensor(np.asarray([[0.5], [2.0]])), tensor(np.asarray([1.0, 3.0, 4.0]))
    value = SPECIAL.rel_entr(x, y)
    value.backward(np.ones((2, 3)))
    assert value.shape == (2, 3)
    assert x.grad.shape == (2, 1)
    np.testing.assert_allclose(y.grad.array, -(0.5 + 2.0) / y.array)


def test_no_number_is_an_array() -> None:
    with pytest.raises(TypeError, match="needs an array"):
        SPECIAL.erf(0.5)


def test_a_complex_array_is_refused() -> None:
    with pytest.raises(TypeError, match="`x` must have a real floating dtype, got complex128"):
        SPECIAL.entr(np.asarray([1j]))


def test_the_order_of_a_derivative_is_an_int() -> None:
    x = tensor(np.asarray([0.5]))
    with pytest.raises(TypeError, match="`n` must be an int of at least 0, got -1"):
        SPECIAL.polygamma(-1, x)
    np.testing.assert_array_equal(SPECIAL.polygamma(0, x).array, SPECIAL.psi(x).array)


def test_a_name_that_is_missing_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match="no `ellipk`; it has betainc, "):
        _ = SPECIAL.ellipk
    assert not hasattr(SPECIAL, "_private")


def test_the_names_are_those_that_scipy_asks_for() -> None:
    table = pytest.importorskip("scipy.special._support_alternative_backends")
    asked = {info.name for info in table._special_funcs}
    ours = {"digamma", "fdtr", "log1mexp", "log_expit", "log_softmax", "logsumexp", "softmax"}
    assert set(dir(SPECIAL)) - ours <= asked


def test_rows_are_those_of_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    x, b = np.asarray([[0.1, 2.0], [1.0, -3.0]]), np.asarray([[1.0, -2.0], [0.5, 1.0]])
    for axis in (None, 0, (0, 1)):
        np.testing.assert_allclose(SPECIAL.softmax(x, axis).array, special.softmax(x, axis))
        np.testing.assert_allclose(SPECIAL.log_softmax(x, axis).array, special.log_softmax(x, axis))
        for got, want in zip(
            SPECIAL.logsumexp(x, axis, b, keepdims=True, return_sign=True),
            special.logsumexp(x, axis, b, keepdims=True, return_sign=True),
            strict=True,
        ):
            np.testing.assert_allclose(got.array, want)


def test_the_coefficients_are_those_of_the_script() -> None:
    assert TARGET.read_text("utf-8") == source()
