"""Special functions of one and of two numbers."""

from functools import partial
from typing import Any

import mpmath
import numpy as np
from mpmath import erfc, expm1, inf, log, log1p, mpf, nan, pi, sqrt

import portable_losses as pl
from portable_losses._typing import Array
from tests.accuracy.ulp import grid, samples
from tests.cases import Case, Peer, raises
from tests.curves import Curve, OfTwo
from tests.definitions import Exact, Number, density, elementwise, exp, probability
from tests.samples import Sample


def log1mexp(x: Number) -> Number:
    a = abs(x)
    if a == 0:
        return -inf
    return log1p(-exp(-a)) if a > 1 else log(-expm1(-a))


def log1mexp_slope(x: Number) -> Number:
    if x == 0:
        return inf  # from the right
    a = abs(x)
    return mpmath.sign(x) * (exp(-a) if a > 1000 else 1 / expm1(a))


def logit(p: Number) -> Number:
    if not 0 <= p <= 1:
        return nan
    if p in (0, 1):
        return inf if p == 1 else -inf
    return log(p) - log1p(-p)


def logit_slope(p: Number) -> Number:
    if not 0 <= p <= 1:
        return nan
    return inf if p in (0, 1) else 1 / (p * (1 - p))


def erf_slope(x: Number) -> Number:
    return 2 / sqrt(pi) * exp(-x * x)


def erfcx(x: Number) -> Number:
    if x < 10_000:
        return mpmath.exp(x * x) * erfc(x) if x > -10_000 else inf
    series, term = mpf(1), mpf(1)
    for k in range(1, 20):
        term *= -(2 * k - 1) / (2 * x * x)
        series += term
    return series / (x * sqrt(pi))


def erfcx_slope(x: Number) -> Number:
    if x < -10_000:
        return -inf
    with mpmath.workdps(mpmath.mp.dps + 20):
        if x < 10_000:
            return 2 * x * erfcx(x) - 2 / sqrt(pi)
        series, term = mpf(0), mpf(1)
        for k in range(1, 20):
            term *= -(2 * k - 1) / (2 * x * x)
            series += term
        return 2 * series / sqrt(pi)


def log_ndtr(x: Number) -> Number:
    if x > 5:
        return log1p(-probability(-x))
    return log(erfcx(-x / sqrt(2)) / 2) - x * x / 2


def hazard(x: Number) -> Number:
    return density(x) / probability(x) if x > 5 else sqrt(2 / pi) / erfcx(-x / sqrt(2))


def gammaln(x: Number) -> Number:
    return mpmath.loggamma(x) if x else inf


def digamma(x: Number) -> Number:
    return mpmath.digamma(x) if x else -inf


def boxcox(power: float) -> Curve:
    p = mpf(power)

    def value(x: Number) -> Number:
        if not x:
            return -1 / p if power > 0 else -inf
        return expm1(p * log(x)) / p if power else log(x)

    def slope(x: Number) -> Number:
        return x ** (p - 1) if x else inf if power < 1 else mpf(power == 1)

    end = (-1 / p if power < 0 else inf, 0 if power < 1 else inf)
    return Curve(
        pl.boxcox,
        value,
        slope,
        ((nan, nan), end),
        {"lmbda": power},
        f"power {power}",
        low=0.0,
        unbounded=True,
        at=POSITIVE,
        inside=(0.2, 2.5),
    )


POSITIVE = ((1e-9, 0.125, 0.25, 0.875), (1.0625, 2.5, 13.5, 1e4))


CURVES = [
    Curve(
        pl.log1mexp,
        log1mexp,
        log1mexp_slope,
        ((0, 0), (0, 0)),
        kinks=(0.0,),
        unbounded=True,
    ),
    Curve(
        pl.logit,
        logit,
        logit_slope,
        low=0.0,
        high=1.0,
        unbounded=True,
        at=((1e-30, 0.125, 0.25, 0.4375), (0.5, 0.625, 0.75, 0.9375)),
        inside=(0.2, 0.8),
    ),
    Curve(pl.erf, mpmath.erf, erf_slope, ((-1, 0), (1, 0))),
    Curve(
        pl.erfc,
        lambda x: erfc(x) if abs(x) < 1000 else mpf(2 * (x < 0)),
        lambda x: -erf_slope(x),
        ((2, 0), (0, 0)),
    ),
    Curve(
        pl.erfcx,
        erfcx,
        erfcx_slope,
        ((inf, -inf), (0, 0)),
        unbounded=True,
        at=((-5.5, -2.25, -0.75, -0.0625), (0.0, 1e-3, 3.0, 40.0)),
    ),
    Curve(pl.ndtr, probability, density, ((0, 0), (1, 0))),
    Curve(pl.log_ndtr, log_ndtr, hazard, ((-inf, inf), (0, 0)), unbounded=True),
    Curve(
        pl.entr,
        lambda x: -x * log(x) if x else mpf(0),
        lambda x: -1 - log(x) if x else inf,
        ((nan, nan), (-inf, -inf)),
        low=0.0,
        unbounded=True,
        at=POSITIVE,
        inside=(0.2, 2.5),
    ),
    Curve(
        pl.gammaln,
        gammaln,
        digamma,
        ((nan, nan), (inf, inf)),
        low=0.0,
        unbounded=True,
        at=POSITIVE,
        inside=(0.2, 2.5),
    ),
    Curve(
        pl.digamma,
        digamma,
        lambda x: mpmath.polygamma(1, x) if x else inf,
        ((nan, nan), (inf, 0)),
        low=0.0,
        unbounded=True,
        at=POSITIVE,
        inside=(0.2, 2.5),
    ),
    *map(boxcox, (0.5, 0.0, -1.5, 2.0)),
]


# ---- of two numbers --------------------------------------------------------------------------


def log_from(start: int) -> Exact:
    """Return ``log(y - start)`` with its limits, NaN to the left of `start`."""

    def call(y: Number) -> Number:
        if mpmath.isnan(y) or y < start:
            return nan
        if y in (start, inf):
            return inf if y == inf else -inf
        return log(y) if start == 0 else log1p(y)

    return call


def product_with_log(function: Any, start: int, at: Any) -> OfTwo:
    """Return ``x log(y - start)`` and its derivatives; x = 0 makes the product 0."""
    logarithm = log_from(start)

    def value(x: Number, y: Number) -> Number:
        if x == 0 and not mpmath.isnan(y):
            return mpf(0)
        return x * logarithm(y)

    def by_x(x: Number, y: Number) -> Number:
        return mpf(0) if x == 0 and y <= start else logarithm(y)

    def by_y(x: Number, y: Number) -> Number:
        if x == 0 and not mpmath.isnan(y):
            return mpf(0)
        if mpmath.isnan(x) or mpmath.isnan(y) or y < start:
            return nan
        if y == inf:
            return nan if mpmath.isinf(x) else mpf(0)
        return x / (y - start) if y > start else mpmath.sign(x) * inf

    return OfTwo(function, value, by_x, by_y, partial(products, start), at)


def products(start: int, dtype: Any) -> tuple[Array, Array]:
    """Arguments over the whole dtype, and every pair of special numbers."""
    root = dtype(start) + dtype(1) + np.spacing(dtype(1)) * np.arange(-20, 20, dtype=dtype)
    y = np.concatenate([samples(dtype, float(start)), root])
    return grid(samples(dtype), y, size=1200)


def rel_entr(x: Number, y: Number) -> Number:
    if mpmath.isnan(x) or mpmath.isnan(y) or x == y == inf:
        return nan
    if x == 0 and y >= 0:
        return mpf(0)
    if not (x > 0 and y > 0) or x == inf:
        return inf
    return -inf if y == inf else x * log(x / y)


def rel_entr_by_x(x: Number, y: Number) -> Number:
    if mpmath.isnan(x) or mpmath.isnan(y) or x == y == inf or x < 0 or y < 0:
        return nan
    if x == y == 0:
        return mpf(0)
    if x == 0 or y == inf:
        return -inf
    return inf if x == inf or y == 0 else 1 + log(x / y)


def rel_entr_by_y(x: Number, y: Number) -> Number:
    if mpmath.isnan(x) or mpmath.isnan(y) or x == y == inf or x < 0 or y < 0:
        return nan
    if x == 0 or y == inf:
        return mpf(0)
    return -inf if x == inf or y == 0 else -x / y


def shares(dtype: Any) -> tuple[Array, Array]:
    """Arguments over the whole dtype, half of them close to each other, and special numbers."""
    x, y = grid(samples(dtype, 0.0), samples(dtype, 0.0), size=1200)
    random = np.random.default_rng(5)
    ratio = 1 + np.exp2(-random.uniform(1, 30, x.size))
    with np.errstate(over="ignore"):
        near = (x * ratio).astype(dtype)
    return x, np.where((random.uniform(size=x.size) < 0.5) & np.isfinite(near), near, y)


def logsubexp(a: Number, b: Number) -> Number:
    if mpmath.isnan(a) or mpmath.isnan(b) or a == b == inf or a < b:
        return nan
    if a == b or b == -inf:
        return a if b == -inf else -inf
    return a if a == inf else a + log1mexp(a - b)


def logsubexp_by_a(a: Number, b: Number) -> Number:
    if a == b == -inf:
        return mpf(0)
    return nan if mpmath.isnan(logsubexp(a, b)) else 1 - logsubexp_by_b(a, b)


def logsubexp_by_b(a: Number, b: Number) -> Number:
    if mpmath.isnan(logsubexp(a, b)):
        return nan
    if a == b:
        return mpf(0) if a == -inf else -inf
    return mpf(0) if mpmath.isinf(a - b) else -log1mexp_slope(a - b)


def logarithms(dtype: Any) -> tuple[Array, Array]:
    """Logarithms a up to 0, where nothing cancels, and b at most a."""
    a, gap = grid(samples(dtype, high=0.0), samples(dtype, 0.0), size=1200)
    a, gap = a[np.isfinite(gap)], gap[np.isfinite(gap)]
    with np.errstate(over="ignore"):
        return a, (a - gap).astype(dtype)


OF_TWO = [
    OfTwo(
        pl.rel_entr,
        rel_entr,
        rel_entr_by_x,
        rel_entr_by_y,
        shares,
        ([[0.125], [0.25], [1.5]], [0.5, 1.0, 1e-3, 1e4]),
        inside={0: (0.2, 1.75)},
    ),
    OfTwo(
        pl.logsubexp,
        logsubexp,
        logsubexp_by_a,
        logsubexp_by_b,
        logarithms,
        ([[50.0], [2.5], [3.0]], [-0.5, 2.25, -1e4, 1.5]),
        inside={0: (1.0, 1.75), 1: (0.2, 0.8)},
    ),
    product_with_log(pl.xlogy, 0, ([[0.0], [-2.0], [1.5]], [0.5, 1.0, 1e-3, 1e4])),
    product_with_log(pl.xlog1py, -1, ([[0.0], [-2.0], [1.5]], [-0.5, 0.0, 1e-3, 1e4])),
]


# ---- rows of their own -----------------------------------------------------------------------


def clamped(p: Array, *, eps: float) -> Any:
    low = mpf(eps)
    return elementwise(lambda v: logit(min(max(v, low), 1 - low)))(p)


ROWS = [
    Sample(
        pl.logit,
        clamped,
        ([[1e-30, 0.125, 0.4375, 0.9375]],),
        {"eps": 0.1},
        "eps",
        inside={0: (0.2, 0.8)},
        smooth_at_zero=False,
    ),
]

P = np.full((4,), 0.5)
ERRORS: list[Case] = [
    raises("boxcox", ValueError, "`lmbda` must be a finite number, got inf", P,
           float("inf")),
    raises("boxcox", ValueError, r"`lmbda` must be a Python number or an array of shape \(\)", P,
           lmbda=P),
    raises("rel_entr", TypeError, "`y` must have a real floating dtype, got .*int64", P[:2],
           np.asarray([0, 1])),
]  # fmt: skip
VALUES: list[Case] = [
    *(raises(f, ValueError, r"`x` must be at least 0, got -0.5 at position \(0,\)", -P)
      for f in ("gammaln", "digamma")),
    raises("boxcox", ValueError, r"`x` must be at least 0, got -0.5 at position \(0,\)", -P, 1),
    raises("logsubexp", ValueError, r"`b` must be at most `a`, got 0.75 at position \(0, 1\)",
           P[:2], np.asarray([[0.5, 0.75]])),
]  # fmt: skip

X = np.asarray([[2.0, -1.0, 0.5], [-0.75, 3.5, -7.0]])
Y = np.asarray([[0.25, 1.0, 0.5], [2.75, 13.5, 100.0]])
PEERS = [
    Peer("erfcx", (X,)),
    Peer("ndtr", (X,)),
    Peer("log_ndtr", (X,)),
    Peer("entr", (Y,)),
    Peer("gammaln", (Y,)),
]
SCIPY: list[Any] = [
    *((name, ((X,), {})) for name in ("erfcx", "ndtr", "log_ndtr")),
    *((name, ((Y,), {})) for name in ("entr", "gammaln", "digamma")),
    ("rel_entr", ((np.asarray([0.0, 0.0, 1.0, 2.5]), np.asarray([0.0, 1.0, 0.0, 0.125])), {})),
    *((f"boxcox, {power}", ((Y, power), {})) for power in (-1.5, 0.0, 1e-9, 2.0)),
]

A = np.asarray
BEYOND = [
    ("log_ndtr(8)", (
        lambda: pl.log_ndtr(A([8.0]))[0], -6.220960574271786e-16, "jax 7 % off")),
    ("log_ndtr(-1e4)", (
        lambda: pl.log_ndtr(A([-1e4]))[0], -50000010.129278915, None)),
    ("ndtr(-37)", (lambda: pl.ndtr(A([-37.0]))[0], 5.725571222524576e-300, None)),
    ("erfc(26)", (lambda: pl.erfc(A([26.0]))[0], 5.663192408856143e-296, "jax, scipy 460 ulp off")),
    ("rel_entr, nearly equal", (
        lambda: pl.rel_entr(A([3 + 2.0**-50]), A([3.0]))[0], 2.0**-50, "jax 2**-51")),
    ("rel_entr, huge", (
        lambda: pl.rel_entr(A([1e200]), A([1e-200]))[0], 9.2103403719761825e202, None)),
    ("log 1.5!", (
        lambda: pl.gammaln(A([2.5]))[0], 0.28468287047291916, "torch, in a loss: 0.2299")),
    ("logsubexp, both -inf", (
        lambda: pl.logsubexp(A([-np.inf]), A([-np.inf]))[0], -np.inf, None)),
    ("logsubexp, next to each other", (
        lambda: pl.logsubexp(A([700.0]), A([700.0 - 2.0**-43]))[0], 670.19467123592229, None)),
]  # fmt: skip
BEYOND_SLOPES = [
    ("log_ndtr at -1e8", (pl.log_ndtr, -1e8, 1e8, "jax 6.6e7, torch 1.9e8")),
    ("log_ndtr at -40", (pl.log_ndtr, -40.0, 40.024968847207263, None)),
    ("erf at 26", (pl.erf, 26.0, 2.9470349932662695e-294, "torch, jax 500 ulp off")),
    ("erfcx at 1e10", (pl.erfcx, 1e10, -1e-20 / float(sqrt(pi)), "2 x erfcx - 2 / sqrt(pi): 0")),
    ("digamma at 1", (pl.digamma, 1.0, float(pi**2 / 6), "torch 5e-10 off")),
    ("entr at 0", (lambda x: pl.entr(x) * 2, 0.0, np.inf, None)),
    ("rel_entr at 0, 0", (lambda x: pl.rel_entr(x, 0 * x), 0.0, 0.0, "torch nan")),
]  # fmt: skip
