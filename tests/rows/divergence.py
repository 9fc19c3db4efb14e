"""Divergences between distributions, elementwise and along axes."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import inf, log, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Peer, raises
from tests.curves import Pointwise
from tests.definitions import ZERO, Number, elementwise, exps, reduce
from tests.rows.along_an_axis import softmax
from tests.rows.deviance import deviance, with_digits
from tests.samples import Sample


def kl(p: Number, q: Number) -> Number:
    return ZERO if p == 0 else inf if q == 0 else p * (log(p) - log(q))


def generalized(p: Number, q: Number) -> Number:
    return kl(p, q) - p + q


def mixed(p: Number, q: Number, beta: float = 0.5) -> Number:
    b = mpf(beta)
    if b in (0, 1):
        return kl(p, q) if b == 0 else kl(q, p)
    m = b * p + (1 - b) * q
    return b * kl(p, m) + (1 - b) * kl(q, m)


def tvd(p: Number, q: Number) -> Number:
    return abs(p - q) / 2


def over(f: Callable[..., Number]) -> Callable[..., Array]:
    """Let a function of two probabilities take what the library's functions take."""

    def definition(
        x: Array,
        target: Array,
        *,
        log_target: bool = False,
        axis: Any = None,
        sample_weight: Array | None = None,
        reduction: str = "mean",
        **options: Any,
    ) -> Array:
        q = x if f is tvd else exps(x)
        p = exps(target) if log_target else target + ZERO
        terms = elementwise(lambda p, q: f(p, q, **options))(p, q)
        loss = terms if axis is None else np.asarray(terms.sum(axis=axis))
        if reduction == "batchmean":
            return reduce(loss, "sum", sample_weight) / x.shape[0]
        return reduce(loss, reduction, sample_weight)

    return definition


def distillation(
    student: Array,
    teacher: Array,
    *,
    temperature: float = 1.0,
    divergence: str = "kl",
    beta: float = 0.5,
    axis: int = -1,
    **options: Any,
) -> Array:
    # the teacher is a constant: rounding takes the steps of the differences away
    teacher = elementwise(lambda v: mpf(float(v)))(teacher)
    q, p = (softmax(z / mpf(temperature), axis=axis) for z in (student, teacher))
    if divergence == "reverse_kl":
        p, q = q, p
    f = (lambda p, q: mixed(p, q, beta)) if divergence == "js" else kl
    loss = mpf(temperature) ** 2 * elementwise(f)(p, q).sum(axis=axis)
    return reduce(loss, **{"reduction": "mean", **options})


LOGS = [[-0.5, -2.0, -40.0], [0.5, -1.25, -0.25], [0.0, -3.0, -0.75]]
SHARES = [[0.5, 0.25, 0.25], [0.75, 0.125, 1.5], [1.0, 0.0625, 0.5]]
ZEROS = [[0.5, 0.0, 0.25], [0.75, 0.0, 1.5], [1.0, 0.0, 0.0]]
OF_ROW = np.asarray([1.0, 0.0, 2.0])
DEEP = np.linspace(-3, 2, 12).reshape(2, 3, 2) * np.cos(np.arange(12)).reshape(2, 3, 2)


def of(function: Any, f: Any, x: Any, t: Any, note: str, **options: Any) -> Sample:
    logs = options.get("log_target", False)
    return Sample(
        function,
        over(f),
        (x, t),
        options,
        note,
        constants=(1,) if t is ZEROS else (),
        inside={1: (-0.8, -0.2) if logs else (0.2, 0.8)},
        smooth_at_zero=f is not tvd,
    )


def family(function: Any, f: Any, **more: Any) -> list[Sample]:
    """Probabilities with zeros, logarithms, axes, and every way to reduce."""
    return [
        of(function, f, LOGS, SHARES, "mean", **more),
        of(function, f, LOGS, ZEROS, "zeros", axis=-1, reduction="none", **more),
        of(
            function,
            f,
            LOGS,
            SHARES,
            "everything",
            axis=-1,
            sample_weight=OF_ROW,
            reduction="batchmean",
            **more,
        ),
        of(function, f, DEEP, DEEP[::-1], "logarithms, axis 1", axis=1, log_target=True, **more),
    ]


def distilled(note: str, **options: Any) -> Sample:
    return Sample(
        pl.distillation_loss,
        distillation,
        (LOGS, SHARES),
        options,
        note,
        constants=(1,),
        zeros=(0,),
    )


ROWS = [
    *family(pl.kl_div, kl),
    *family(pl.generalized_kl_div, generalized),
    *family(pl.js_div, mixed),
    of(pl.js_div, mixed, LOGS, SHARES, "beta 0.25", beta=0.25, reduction="sum"),
    of(pl.js_div, mixed, LOGS, SHARES, "beta 0", beta=0.0, reduction="none"),
    of(pl.js_div, mixed, LOGS, SHARES, "beta 1", beta=1.0, reduction="batchmean"),
    of(pl.js_div, mixed, DEEP, DEEP[::-1], "logarithms, beta 1", beta=1, log_target=True),
    of(pl.tvd_loss, tvd, ZEROS, SHARES[::-1], "batchmean", axis=(0, 1), reduction="none"),
    of(
        pl.tvd_loss,
        tvd,
        SHARES,
        SHARES[::-1],
        "everything",
        axis=-1,
        sample_weight=OF_ROW + 1,
        reduction="batchmean",
    ),
    distilled("kl"),
    distilled("kl, everything", temperature=2.5, axis=0, sample_weight=OF_ROW),
    distilled("reverse_kl, none", divergence="reverse_kl", temperature=0.5, reduction="none"),
    distilled("js", divergence="js", temperature=2.0, reduction="sum"),
    distilled("js, beta 0.25", divergence="js", beta=0.25),
]

# ---- one element -----------------------------------------------------------------------------


def kl_terms(x: Number, t: Number) -> tuple[Number, ...]:
    return (t * log(t), -t * x) if t > 0 else (ZERO, ZERO)


def halved(f: Any) -> Any:
    """Half of a sum between its largest terms."""
    return lambda x, t: tuple(part / 2 for part in f(x, t))


def js_parts(q: Number, t: Number) -> tuple[Number, Number]:
    """Return p log(p / m) / 2 and q log(q / m) / 2, which cancel where p and q are close."""
    if t < 0:
        return mpmath.nan, mpmath.nan
    m = (t + q) / 2
    return kl(t, m) / 2, kl(q, m) / 2


def js_slopes(q: Number, t: Number) -> tuple[Number, Number]:
    """Return the derivative by log q as a difference of logarithms."""
    if t < 0:
        return mpmath.nan, mpmath.nan
    m = (t + q) / 2
    if abs(log(q)) > 1000:
        return -q * log(m / q) / 2, ZERO
    return q * log(q) / 2, -q * log(m) / 2


HALF: tuple[Any, Any] = (halved(deviance(1.0)[0]), halved(deviance(1.0)[1]))
POINTWISE = [
    Pointwise(
        pl.kl_div, kl_terms, lambda x, t: -t, targets="nonnegative", x=LOGS[:2], y=SHARES[:2]
    ),
    Pointwise(
        pl.generalized_kl_div,
        *HALF,
        targets="nonnegative",
        x=LOGS[:2],
        y=SHARES[:2],
    ),
    Pointwise(
        pl.js_div,
        with_digits(js_parts, log_input=True),
        with_digits(js_slopes, log_input=True),
        targets="share",
        x=LOGS[:2],
        y=SHARES[:2],
    ),
    Pointwise(
        pl.tvd_loss,
        tvd,
        lambda x, t: mpmath.sign(x - t) / 2,
        inputs="share",
        targets="share",
        x=SHARES[:2],
        y=SHARES[1:],
        smooth_at_zero=False,
    ),
]

A = np.asarray
P, T = A([-0.5, -0.25, -0.75]), A([1.0, 0.5, 1.0])
RANDOM = np.random.default_rng(3).uniform(0.1, 0.9, (3, 4))
PEERS: list[Peer] = [
    Peer("kl_div", (np.log(RANDOM), target), {"reduction": r, "log_target": logs})
    for r in ("sum", "none", "batchmean")  # of "mean" torch warns that it will change
    for target, logs in ((RANDOM[::-1].copy(), False), (np.log(RANDOM[::-1]), True))
]
NAMES = ("kl_div", "generalized_kl_div", "js_div")
ERRORS = [
    *(
        raises(f, ValueError, r"`reduction` must be one of \('mean', 'sum', 'none', 'batchmean'\)",
               P, T, reduction="batch") for f in (*NAMES, "tvd_loss")
    ),
    raises("mse_loss", ValueError, "`reduction` must be one of", P, T, reduction="batchmean"),
    *(
        raises("js_div", ValueError, rf"`beta` must lie in \[0, 1\], got {beta}", P, T, beta=beta)
        for beta in (-0.5, 1.5)
    ),
    *(
        raises("distillation_loss", ValueError, f"`temperature` must be greater than 0, got {t}",
               P, T, temperature=t) for t in (0, -1.0)
    ),
    raises("distillation_loss", ValueError, "`divergence` must be one of", P, T, divergence="l2"),
    raises("distillation_loss", ValueError, r"shapes must be equal, got student_logits: \(3,\)", P,
           T[:2]),
]  # fmt: skip
VALUES = [
    raises(f, ValueError, r"`target` must be at least 0, got -1.0 at position \(1,\)", P,
           A([1.0, -1.0, 0.0])) for f in NAMES
]  # fmt: skip
BADS = [Bad(getattr(pl, f), P, A([1.0, -1.0, 0.5])) for f in NAMES]
NONE = A([-np.inf, 0.0])
BEYOND = [
    ("kl, 0 and -inf", (lambda: pl.kl_div(NONE, A([0.0, 1.0])), 0.0, "torch, optax nan")),
    ("kl, two -inf", (lambda: pl.kl_div(NONE, NONE, log_target=True), 0.0, "torch nan")),
    ("js, two -inf", (lambda: pl.js_div(NONE, NONE, log_target=True), 0.0, "liger nan")),
    ("js, 0 and -inf", (lambda: pl.js_div(NONE, A([0.0, 1.0])), 0.0, "liger nan")),
    (
        "js, disjoint",
        (lambda: pl.js_div(NONE, A([1.0, 0.0]), axis=0), float(log(2)), "liger nan"),
    ),
    (
        "kl of 1e-20",
        (
            lambda: pl.kl_div(np.log(A([1e-20, 1.0])), A([1.0, 0.0]), reduction="sum"),
            -float(log(mpf(1e-20))),
            "keras 16.118",
        ),
    ),
]


def of_target(f: Any) -> Any:
    return lambda t: f(-1 + 0 * t, t)


BEYOND_SLOPES = [
    ("kl by a target of 0", (of_target(pl.kl_div), 0.0, 0.0, "optax nan")),
    ("js by a target of 0", (of_target(pl.js_div), 0.0, 0.0, None)),
]
BEYOND_ERRORS = [
    ("kl, (3,) and (3, 1)", (lambda: pl.kl_div(P, T[:, None]), ValueError, "torch, optax (3, 3)")),
]
