"""Special functions of one and of two numbers."""

from functools import partial
from typing import Any

import mpmath
import numpy as np
from mpmath import erfc, expm1, inf, log, log1p, mpf, nan, pi, sqrt

import portable_losses as pl
from portable_losses._typing import Array
from tests.curves import Curve, OfTwo
from tests.definitions import Exact, Number, elementwise, exp
from tests.samples import Sample
from tests.ulp import grid, samples


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


OF_TWO = [
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
