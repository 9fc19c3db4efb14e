"""Losses for real-valued targets that large errors do not rule; for quantiles and expectiles."""

from typing import Any

import mpmath
import numpy as np
from mpmath import log, log1p, mpf, sinh, sqrt

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.curves import INPUT, OBSERVED, OF_ELEMENT, Pointwise
from tests.definitions import Exact, Number, elementwise, exp, reduce
from tests.samples import Sample


def pseudo_huber(delta: Number) -> tuple[Exact, Exact]:
    def root(d: Number) -> Number:
        return sqrt(1 + (d / delta) ** 2)

    return (
        lambda x, t: (x - t) ** 2 / (1 + root(x - t)),
        lambda x, t: (x - t) / root(x - t),
    )


def log_cosh(x: Number, t: Number) -> Number:
    d = abs(x - t)
    return log1p(2 * sinh(d / 2) ** 2) if d < 1 else d + log1p(exp(-2 * d)) - log(2)


def log_cosh_slope(x: Number, t: Number) -> Number:
    d = x - t
    return mpmath.tanh(d) if abs(d) < 1000 else mpmath.sign(d)


def pinball(u: Number, q: Number) -> Number:
    return max(q * u, (q - 1) * u)


def quantile(q: Number) -> tuple[Exact, Exact]:
    return (
        lambda x, t: pinball(t - x, q),
        lambda x, t: mpf(0) if x == t else -q if x < t else 1 - q,
    )


def quantiles(x: Array, t: Array, *, q: Array, **options: Any) -> Array:
    return reduce(elementwise(pinball)(t - x, np.broadcast_to(q, x.shape)), **options)


def squares(u: Number, tau: Number) -> Number:
    return (tau if u > 0 else 1 - tau) * u * u


def expectile(tau: Number) -> tuple[Exact, Exact]:
    return (
        lambda x, t: squares(t - x, tau),
        lambda x, t: 2 * (tau if x < t else 1 - tau) * (x - t),
    )


def expectiles(x: Array, t: Array, *, tau: Array, **options: Any) -> Array:
    return reduce(elementwise(squares)(t - x, np.broadcast_to(tau, x.shape)), **options)


def general_robust(alpha: Any, scale: Number) -> tuple[Exact, Exact]:
    """As in the paper: 0, 2 and -inf are limits."""

    def value(x: Number, t: Number) -> Number:
        u = ((x - t) / scale) ** 2
        if alpha in (0, 2, -np.inf):
            return {0: log1p(u / 2), 2: u / 2, -np.inf: -mpmath.expm1(-u / 2)}[alpha]
        b = 2 - alpha
        return b / alpha * mpmath.expm1(alpha / 2 * log1p(u / b))

    def slope(x: Number, t: Number) -> Number:
        s = (x - t) / scale
        if alpha in (2, -np.inf):
            return s / scale * (1 if alpha == 2 else exp(-s * s / 2))
        b = 2 - alpha
        return s / scale * exp(-b / 2 * log1p(s * s / b))

    return value, slope


def insensitive(epsilon: Number) -> tuple[Exact, Exact]:
    return (
        lambda x, t: max(mpf(0), abs(x - t) - epsilon),
        lambda x, t: mpmath.sign(x - t) if abs(x - t) > epsilon else mpf(0),
    )


def squared(epsilon: Number) -> tuple[Exact, Exact]:
    value, slope = insensitive(epsilon)
    return (
        lambda x, t: value(x, t) ** 2,
        lambda x, t: 2 * value(x, t) * slope(x, t),
    )


OF_COLUMN = np.asarray([0.25, 0.5, 0.875])

ROWS = [
    Sample(
        pl.quantile_loss,
        quantiles,
        (INPUT, OBSERVED),
        {"q": OF_COLUMN, "reduction": "mean", "sample_weight": OF_ELEMENT},
        "everything",
        smooth_at_zero=False,
        constants=("q",),
    ),
    Sample(
        pl.general_robust_loss,
        lambda x, t, **_: elementwise(general_robust(mpf(-50), mpf(1))[0])(x, t),
        (INPUT, OBSERVED),
        {"alpha": -50.0, "reduction": "none"},
        "alpha -50",
    ),
    Sample(
        pl.expectile_loss,
        expectiles,
        (INPUT, OBSERVED),
        {"tau": OF_COLUMN, "reduction": "mean", "sample_weight": OF_ELEMENT},
        "everything",
        smooth_at_zero=False,
        constants=("tau",),
    ),
]

POINTWISE = [
    Pointwise(pl.pseudo_huber_loss, *pseudo_huber(mpf(1))),
    Pointwise(pl.pseudo_huber_loss, *pseudo_huber(mpf(2.5)), {"delta": 2.5}, "delta 2.5"),
    Pointwise(pl.log_cosh_loss, log_cosh, log_cosh_slope),
    Pointwise(pl.quantile_loss, *quantile(mpf(0.5)), smooth_at_zero=False),
    Pointwise(pl.quantile_loss, *quantile(mpf(0.9)), {"q": 0.9}, "q 0.9", smooth_at_zero=False),
    Pointwise(pl.expectile_loss, *expectile(mpf(0.5))),
    Pointwise(
        pl.expectile_loss, *expectile(mpf(0.9)), {"tau": 0.9}, "tau 0.9", smooth_at_zero=False
    ),
    Pointwise(pl.general_robust_loss, *general_robust(mpf(1), mpf(1))),
    *(
        Pointwise(
            pl.general_robust_loss,
            *general_robust(alpha if abs(alpha) == np.inf else mpf(alpha), mpf(2)),
            {"alpha": alpha, "scale": 2.0},
            f"alpha {alpha}",
        )
        for alpha in (2.0, 1.5, 2 - 2**-50, 1e-9, 0.0, -2.0, -1e3, -1e10, -np.inf)
    ),
    Pointwise(pl.epsilon_insensitive_loss, *insensitive(mpf(0.1))),
    Pointwise(pl.squared_epsilon_insensitive_loss, *squared(mpf(0.1))),
    Pointwise(pl.squared_epsilon_insensitive_loss, *squared(mpf(0)), {"epsilon": 0.0}, "epsilon 0"),
]

X, T = np.asarray([0.5, 0.25]), np.asarray([1.0, 0.0])
ERRORS = [
    *(
        raises("pseudo_huber_loss", ValueError, f"`delta` must be greater than 0, got {d}", X, T,
               delta=d) for d in (0, -1.0)
    ),
    *(
        raises("quantile_loss", ValueError, rf"`q` must lie in \(0, 1\), got {q}", X, T, q=q)
        for q in (0, 1.0, -0.5)
    ),
    *(
        raises("general_robust_loss", ValueError, f"`alpha` must be at most 2, got {a}", X, T,
               alpha=a) for a in (2.5, float("inf"))
    ),
    raises("general_robust_loss", ValueError, "`scale` must be greater than 0, got 0", X, T,
           scale=0),
    raises("expectile_loss", ValueError, r"`tau` must lie in \(0, 1\), got 0", X, T, tau=0),
    raises("expectile_loss", ValueError, r"`tau` must broadcast to shape \(2,\), got", X, T,
           tau=OF_COLUMN),
    raises("expectile_loss", TypeError, "`tau` must have a real floating dtype", X, T,
           tau=np.asarray([1, 1])),
    raises("quantile_loss", ValueError, r"`q` must broadcast to shape \(2,\), got", X, T,
           q=OF_COLUMN),
    raises("quantile_loss", TypeError, "`q` must have a real floating dtype", X, T,
           q=np.asarray([1, 1])),
    *(
        raises(f, ValueError, "`epsilon` must be at least 0, got -1.0", X, T, epsilon=-1.0)
        for f in ("epsilon_insensitive_loss", "squared_epsilon_insensitive_loss")
    ),
]  # fmt: skip
VALUES = [
    raises("quantile_loss", ValueError, r"`q` must lie in \(0, 1\), got 1.0 at position \(1,\)", X,
           T, q=np.asarray([0.5, 1.0])),
    raises("expectile_loss", ValueError, r"`tau` must lie in \(0, 1\), got 0.0 at position", X, T,
           tau=np.asarray([0.5, 0.0])),
]  # fmt: skip
BADS = [
    Bad(
        pl.quantile_loss,
        np.asarray([0.5, 0.25, 0.75]),
        np.asarray([1.0, 0.0, 1.0]),
        {"q": np.asarray([0.5, 1.0, 0.5])},
    ),
    Bad(
        pl.expectile_loss,
        np.asarray([0.5, 0.25, 0.75]),
        np.asarray([1.0, 0.0, 1.0]),
        {"tau": np.asarray([0.5, 1.0, 0.5])},
    ),
]
BEYOND = [
    (
        "log_cosh at 1e-3",
        (
            lambda: pl.log_cosh_loss(np.asarray([1e-3]), np.zeros(1)),
            float(log_cosh(mpf(1e-3), mpf(0))),
            "keras 5.36e-7",
        ),
    ),
    (
        "log_cosh at 1e-4",
        (
            lambda: pl.log_cosh_loss(np.asarray([1e-4]), np.zeros(1)),
            float(log_cosh(mpf(1e-4), mpf(0))),
            "optax 0 in float32",
        ),
    ),
]
