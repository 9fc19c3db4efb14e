"""Losses of the error in proportion to the target."""

from typing import Any

import mpmath
import numpy as np
from mpmath import log1p, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.curves import OF_ELEMENT, Pointwise
from tests.definitions import Exact, Number, reduce
from tests.samples import Sample

X = ((0.5, 3.0, 1e4), (2.0, 0.125, 1.5))
Y = ((0.25, 1.0, 0.0625), (1.75, 0.75, 1.0))


def relative(eps: Number) -> tuple[Exact, Exact]:
    return (
        lambda x, t: abs(x - t) / max(abs(t), eps),
        lambda x, t: mpmath.sign(x - t) / max(abs(t), eps),
    )


def gap(x: Number, t: Number) -> Number:
    with mpmath.workdps(400):
        return log1p(x) - log1p(t)


def mape(x: Array, t: Array, **options: Any) -> Array:
    return reduce(abs(x - t) / abs(t), **options)


ROWS = [
    Sample(
        pl.mape_loss,
        mape,
        (X, Y),
        {"reduction": "mean", "sample_weight": OF_ELEMENT},
        "everything",
        smooth_at_zero=False,
    ),
]

POINTWISE = [
    Pointwise(
        pl.mape_loss,
        *relative(mpf(2) ** -20),
        {"eps": 2.0**-20},
        x=X,
        y=Y,
        smooth_at_zero=False,
    ),
    Pointwise(
        pl.msle_loss,
        lambda x, t: gap(x, t) ** 2,
        lambda x, t: 2 * gap(x, t) / (1 + x),
        inputs="nonnegative",
        targets="nonnegative",
        x=X,
        y=Y,
        inside={0: (0.2, 0.8)},
    ),
]

A = np.asarray
P, T = A([0.5, 0.25, 0.75]), A([1.0, 0.5, 1.0])
ERRORS = [
    raises("mape_loss", ValueError, "`eps` must be at least 0, got -1.0", P, T, eps=-1.0),
]
VALUES = [
    raises("mape_loss", ValueError, r"`target` must not be 0 where `eps` is 0, got 0.0 at position "
           r"\(1,\)", P, A([1.0, 0.0, 1.0]), eps=0.0),
    raises("msle_loss", ValueError, r"`input` must be greater than -1, got -5.0 at position \(1,\)",
           A([0.5, -5.0, 0.0]), T),
    raises("msle_loss", ValueError, r"`target` must be greater than -1, got -1.0 at "
           r"position \(0,\)", P, A([-1.0, 0.5, 0.0])),
]  # fmt: skip
BADS = [
    Bad(pl.mape_loss, P, A([1.0, 0.0, 1.0]), {"eps": 0.0}),
    Bad(pl.msle_loss, A([0.5, -1.0, 0.0]), T),
    Bad(pl.msle_loss, P, A([0.5, -2.0, 0.0])),
]
BEYOND = [
    ("msle of 1e-9", (lambda: pl.msle_loss(A([1e-9]), A([0.0])), 1e-18 - 1e-27, "keras 0")),
]
BEYOND_ERRORS = [
    ("msle of -5", (lambda: pl.msle_loss(A([-5.0]), A([0.0])), ValueError, "keras 0")),
    ("mape of 0", (lambda: pl.mape_loss(A([1.0]), A([0.0]), eps=0.0), ValueError, "keras 1e9")),
]
