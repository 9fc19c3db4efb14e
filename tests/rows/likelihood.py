"""Negative log-likelihoods of counts and of numbers."""

from typing import Any

import mpmath
import numpy as np
from mpmath import log, loggamma, mpf, pi

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Peer, each_reduction, raises
from tests.curves import Pointwise
from tests.definitions import ZERO, Exact, Number, exps, logs, reduce
from tests.samples import Sample

LOGS = ((0.5, -3.0, 3.0), (2.0, 0.125, -1.5))
MEANS = ((0.5, 3.0, 1e4), (2.0, 0.125, 1.5))
COUNTS = ((0.0, 1.0, 15.0), (7.0, 1.0, 0.0))
SIGNED = ((-0.25, 1.0, -40.0), (7.5, -0.0625, 1.75))


def of_log(*, full: bool = False) -> tuple[Exact, Exact]:
    def value(x: Number, t: Number) -> tuple[Number, ...]:
        return mpmath.exp(x), -t * x, loggamma(t + 1) if full else ZERO

    return value, lambda x, t: (mpmath.exp(x), -t)


def of_mean(eps: Number) -> tuple[Exact, Exact]:
    def value(x: Number, t: Number) -> tuple[Number, ...]:
        return x, -t * log(x + eps) if t else ZERO

    return value, lambda x, t: (mpf(1), -t / (x + eps) if t else ZERO)


def gaussian(
    x: Array,
    t: Array,
    var: Array,
    *,
    log_var: bool = False,
    full: bool = False,
    eps: float = 0.0,
    **options: Any,
) -> Array:
    assert log_var or np.all(var > eps)  # the slope below is another
    v = exps(var) if log_var else var
    loss = (logs(v) + (x - t) ** 2 / v + (log(2 * pi) if full else 0)) / 2
    return reduce(loss, **{"reduction": "mean", **options})


def normal(var: Any, note: str, **options: Any) -> Sample:
    return Sample(
        pl.gaussian_nll_loss,
        gaussian,
        (LOGS, SIGNED, var),
        options,
        note,
        inside={1: (0.2, 0.8), 2: (0.2, 0.8)},
    )


VARIANCES = ((0.5, 1e-4, 100.0), (2.0, 0.125, 1.5))
ROWS = [
    normal(VARIANCES, "mean"),
    normal(VARIANCES[0], "none, broadcast", reduction="none"),
    normal(LOGS, "log_var", log_var=True, reduction="sum"),
    normal(
        SIGNED[0],
        "log_var, everything",
        log_var=True,
        full=True,
        sample_weight=np.asarray([1.0, 0.0, 2.0]),
    ),
    normal(VARIANCES, "full", full=True, eps=1e-5),
]

POINTWISE = [
    Pointwise(pl.poisson_nll_loss, *of_log(), targets="count", x=LOGS, y=COUNTS),
    Pointwise(
        pl.poisson_nll_loss,
        *of_log(full=True),
        {"full": True},
        "full",
        targets="count",
        x=LOGS,
        y=COUNTS,
    ),
    Pointwise(
        pl.poisson_nll_loss,
        *of_mean(mpf(1e-8)),
        {"log_input": False},
        "mean",
        inputs="nonnegative",
        targets="count",
        x=MEANS,
        y=COUNTS,
        inside={0: (0.2, 0.8)},
        smooth_at_zero=False,
    ),
    Pointwise(
        pl.poisson_nll_loss,
        *of_mean(mpf(0)),
        {"log_input": False, "eps": 0.0},
        "eps 0",
        inputs="positive",
        targets="count",
        x=MEANS,
        y=COUNTS,
        inside={0: (0.2, 0.8)},
        smooth_at_zero=False,
    ),
]

A = np.asarray
P, T = A([0.5, 0.25, 0.75]), A([1.0, 0.5, 1.0])
SMALL = A([0.5, 1e-9, 2.0])
PEERS: list[Peer] = [
    *each_reduction("poisson_nll_loss", P, T),
    *each_reduction("poisson_nll_loss", P, T, log_input=False),
    *each_reduction("gaussian_nll_loss", P, T, SMALL),
    *each_reduction("gaussian_nll_loss", P, T, SMALL, full=True, eps=0.01),
]
ERRORS = [
    raises("poisson_nll_loss", ValueError, "`eps` must be at least 0, got -1.0", P, T, eps=-1.0),
    *(
        raises("gaussian_nll_loss", ValueError, f"`eps` must be greater than 0, got {eps}", P, T,
               SMALL, eps=eps) for eps in (0, -1.0)
    ),
    raises("gaussian_nll_loss", ValueError, r"`var` must broadcast to shape \(3,\), got", P, T,
           A([[0.5], [1.0]])),
]  # fmt: skip
VALUES = [
    raises("poisson_nll_loss", ValueError, r"`target` must be at least 0, got -1.0 at "
           r"position \(1,\)", P, A([1.0, -1.0, 0.0])),
    raises("poisson_nll_loss", ValueError, r"`input` must be at least 0, got -1.0 at "
           r"position \(1,\)", A([1.0, -1.0, 0.0]), T, log_input=False),
    raises("gaussian_nll_loss", ValueError, r"`var` must be at least 0, got -1.0 at "
           r"position \(1,\)", P, T, A([1.0, -1.0, 0.0])),
]  # fmt: skip


def with_variance(x: Array, t: Array, *, var: Array, reduction: Any) -> Array:
    return pl.gaussian_nll_loss(x, t, var, reduction=reduction)


BADS = [
    Bad(pl.poisson_nll_loss, P, A([1.0, -1.0, 0.0])),
    Bad(pl.poisson_nll_loss, A([1.0, -1.0, 0.0]), T, {"log_input": False}),
    Bad(with_variance, P, T, {"var": A([1.0, -1.0, 0.5])}),
]


def poisson(x: float, t: float, **options: Any) -> Any:
    return lambda: pl.poisson_nll_loss(A([x]), A([t]), **options)


BEYOND = [
    ("poisson, log 2!", (poisson(0.0, 2.0, full=True), 1 + float(log(2)), "torch 1.6518")),
    (
        "poisson, log 1.5!",
        (poisson(0.0, 1.5, full=True), 1 + float(loggamma(mpf(2.5))), "torch 1.2299"),
    ),
    ("poisson, nothing", (poisson(-np.inf, 0.0), 0.0, "torch nan")),
    ("poisson, inf", (poisson(np.inf, 1.0), np.inf, "torch nan")),
]
BEYOND_ERRORS = [
    ("rate -1", (poisson(-1.0, 1.0, log_input=False), ValueError, "torch nan")),
]
