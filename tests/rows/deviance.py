"""Deviances of exponential families."""

from typing import Any

import mpmath
import numpy as np
from mpmath import log, mpf, nan

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.curves import Pointwise
from tests.definitions import Exact, Number, elementwise, reduce
from tests.samples import Sample


def gap(t: Number, m: Number, c: Number) -> Number:
    """Return the integral of ``s**(c - 1)`` from m to t."""
    return log(t) - log(m) if c == 0 else (t**c - m**c) / c


def terms(power: float, t: Number, m: Number) -> tuple[Number, Number]:
    """Return the two parts of the unit deviance, which cancel where t and m are close."""
    if m <= 0:
        return nan, nan
    a, b = 1 - mpf(power), 2 - mpf(power)
    if t > 0:
        return 2 * t * gap(t, m, a), -2 * gap(t, m, b)
    if t < 0 and power >= 1:
        return nan, nan
    return 2 * m**b / b, mpf(0) if t == 0 else -2 * t * m**a / a


def with_digits(formula: Any, *, log_input: bool) -> Exact:
    """Add up what cancels with all digits, and return the sum between its largest terms."""

    def call(x: Number, t: Number) -> Any:
        if x == t and not log_input:
            return mpf(0)
        apart = x - (log(t) if log_input else t) if t > 0 else x
        power = int(mpmath.log10(abs(apart))) if apart else 0
        digits = max(mpmath.mp.dps, 60 + max(power, -3 * power))
        with mpmath.workdps(digits):
            parts = formula(mpmath.exp(x) if log_input else x, t)
            total = mpmath.fsum(parts)
        return (total, parts[0], -parts[0]) if log_input else total

    return call


def deviance(power: float, *, log_input: bool = True) -> tuple[Exact, Exact]:
    """The value, and the slope by the expected value or its logarithm."""
    b = 2 - mpf(power) - (not log_input)

    def slopes(m: Number, t: Number) -> tuple[Number, Number]:
        return 2 * m**b, mpf(0) if t == 0 else -2 * t * m ** (b - 1)

    value = with_digits(lambda m, t: terms(power, t, m), log_input=log_input)
    return value, with_digits(slopes, log_input=log_input)


def tweedie(
    x: Array, t: Array, *, power: float = 1.5, log_input: bool = True, **options: Any
) -> Array:
    def one(x: Number, t: Number) -> Number:
        m = mpmath.exp(x) if log_input else x
        return (t - m) ** 2 if power == 0 else mpmath.fsum(terms(power, t, m))

    return reduce(elementwise(one)(x, t), **{"reduction": "mean", **options})


LOGS = ((0.5, -3.0, 8.0), (2.0, 0.125, -1.5))
MEANS = ((0.5, 3.0, 1e4), (2.0, 0.125, 1.5))
COUNTS = ((0.0, 1.0, 2900.0), (7.0, 1.0, 0.0))
POSITIVE = ((0.25, 1.0, 1e4), (7.5, 0.0625, 1.75))
SIGNED = ((-0.25, 1.0, -40.0), (7.5, -0.0625, 1.75))
INSIDE = {0: (0.2, 0.8)}


def both(function: Any, power: float, targets: str, y: Any, note: str = "") -> list[Pointwise]:
    """The loss of logarithms and the loss of expected values."""
    options = {"power": power} if note else {}
    return [
        Pointwise(function, *deviance(power), options, note, targets=targets, x=LOGS, y=y),
        Pointwise(
            function,
            *deviance(power, log_input=False),
            {**options, "log_input": False},
            f"{note} mean".strip(),
            inputs="positive",
            targets=targets,
            x=MEANS,
            y=y,
            smooth_at_zero=False,
            inside=INSIDE,
        ),
    ]


def of_power(power: float, x: Any, y: Any, note: str = "", **options: Any) -> Sample:
    return Sample(
        pl.tweedie_deviance_loss,
        tweedie,
        (x, y),
        {"power": power, **options},
        f"{note} power {power}".strip(),
        inside={0: (0.2, 0.8), 1: (1.2, 1.8)},
        smooth_at_zero=options.get("log_input", True),
        constants=(1,) if y is COUNTS else (),
    )


ROWS = [
    of_power(1.5, LOGS, COUNTS, "counts,"),
    of_power(1, MEANS, COUNTS, "counts,", log_input=False),
    of_power(3.0, LOGS, POSITIVE, reduction="none"),
    of_power(-1.5, MEANS, SIGNED, log_input=False),
    of_power(-1.5, LOGS, SIGNED, "logarithm,"),
    of_power(0, SIGNED, MEANS, log_input=False),
    of_power(0, LOGS, SIGNED, "logarithm,"),
    of_power(1 + 1e-9, LOGS, POSITIVE, "everything,", sample_weight=np.asarray([1.0, 0.0, 2.0])),
]


def of_mean(power: float, *, log_input: bool) -> Pointwise:
    """The loss without the terms in the target alone."""
    a, b = 1 - mpf(power), 2 - mpf(power)

    def integral(x: Number, c: Number) -> Number:
        if c == 0:
            return x if log_input else log(x)
        return (mpmath.exp(c * x) if log_input else x**c) / c

    def value(x: Number, t: Number) -> tuple[Number, Number]:
        return 2 * integral(x, b), mpf(0) if t == 0 else -2 * t * integral(x, a)

    return Pointwise(
        pl.tweedie_deviance_loss,
        value,
        deviance(power, log_input=log_input)[1],
        {"power": power, "log_input": log_input, "full": False},
        f"not full, power {power}{'' if log_input else ' mean'}",
        inputs="real" if log_input else "positive",
        targets="positive" if power >= 2 else "nonnegative" if power >= 1 else "real",
        x=LOGS if log_input else MEANS,
        y=POSITIVE,
        smooth_at_zero=log_input,
        inside={} if log_input else INSIDE,
    )


POINTWISE = [
    *(of_mean(power, log_input=True) for power in (0, 1, 1.5, 2, 3)),
    *(of_mean(power, log_input=False) for power in (0, 1, 1.5, 2)),
    *both(pl.poisson_deviance_loss, 1.0, "nonnegative", POSITIVE),
    *both(pl.gamma_deviance_loss, 2.0, "positive", POSITIVE),
    *both(pl.tweedie_deviance_loss, 1.5, "nonnegative", POSITIVE),
    *both(pl.tweedie_deviance_loss, 1.75, "nonnegative", POSITIVE, "power 1.75"),
]

A = np.asarray
P, T = A([0.5, 0.25, 0.75]), A([1.0, 0.5, 1.0])
NAMES = ("poisson_deviance_loss", "gamma_deviance_loss", "tweedie_deviance_loss")
ERRORS = [
    raises(NAMES[2], ValueError, rf"`power` must not lie in \(0, 1\), got {power}", P, T,
           power=power) for power in (0.5, 1e-9)
] + [
    raises("tweedie_deviance_loss", ValueError, "`power` must be a finite number", P, T,
           power=float("nan")),
]  # fmt: skip
VALUES = [
    *(
        raises(f, ValueError, r"`target` must be at least 0, got -1.0 at position \(1,\)", P,
               A([1.0, -1.0, 0.0])) for f in (NAMES[0], NAMES[2])
    ),
    raises(NAMES[1], ValueError, r"`target` must be greater than 0, got 0.0 at position \(1,\)", P,
           A([1.0, 0.0, 1.0])),
    *(
        raises(f, ValueError, r"`input` must be greater than 0; for logarithms pass "
               r"log_input=True, got -1.0 at position \(1,\)", A([1.0, -1.0, 1.0]), T,
               log_input=False) for f in NAMES
    ),
]  # fmt: skip
BADS = [
    Bad(pl.poisson_deviance_loss, P, A([1.0, -1.0, 0.0])),
    Bad(pl.gamma_deviance_loss, P, A([1.0, 0.0, 1.0])),
    Bad(pl.tweedie_deviance_loss, P, A([1.0, -1.0, 0.0])),
    *(
        Bad(getattr(pl, f), A([1.0, bad, 1.0]), T, {"log_input": False})
        for f in NAMES
        for bad in (0.0, -1.0)
    ),
]


def near_poisson() -> Any:
    return pl.tweedie_deviance_loss(A([0.0]), A([2.0]), power=1 + 1e-9)


BEYOND = [
    (
        "tweedie near poisson",
        (
            near_poisson,
            float(mpmath.fsum(deviance(1 + 1e-9)[0](mpf(0), mpf(2)))),
            "the usual formula 1e-6 off",
        ),
    ),
]
