"""Activations of one number."""

import mpmath
from mpmath import inf, mpf, pi, sqrt

import portable_losses as pl
from tests.curves import Curve
from tests.definitions import (
    Number,
    density,
    probability,
    sigmoid,
    sigmoid_slope,
    softplus,
    tanh_slope,
)

TO_ZERO_AND_X = ((0, 0), (inf, 1))  # value and slope at -inf and at inf


def tanh_argument(x: Number) -> Number:
    """Twice the argument of tanh in the tanh form of gelu."""
    return 2 * sqrt(2 / pi) * (x + 44715 * x**3 / 1_000_000)


def gelu_tanh(x: Number) -> Number:
    return x * sigmoid(tanh_argument(x))


def gelu_tanh_slope(x: Number) -> Number:
    inner = 2 * sqrt(2 / pi) * (1 + 3 * 44715 * x * x / 1_000_000)
    u = tanh_argument(x)
    return sigmoid(u) + x * sigmoid_slope(u) * inner


def leaky_relu(slope: float) -> Curve:
    return Curve(
        pl.leaky_relu,
        lambda x: x if x > 0 else mpf(slope) * x,
        lambda x: mpf(1) if x > 0 else mpf(slope),
        ((-inf, slope), (inf, 1)),
        {} if slope == 0.01 else {"negative_slope": slope},
        "" if slope == 0.01 else f"slope {slope}",
        kinks=(0.0,),
        unbounded=slope > 1,
    )


def softplus_of(beta: float) -> Curve:
    return Curve(
        pl.softplus,
        lambda x: softplus(beta * x) / beta,
        lambda x: sigmoid(beta * x),
        TO_ZERO_AND_X,
        {} if beta == 1 else {"beta": beta},
        "" if beta == 1 else f"beta {beta}",
    )


CURVES = [
    Curve(pl.relu, lambda x: max(x, mpf(0)), lambda x: mpf(x > 0), TO_ZERO_AND_X, kinks=(0.0,)),
    leaky_relu(0.01),
    leaky_relu(2.0),
    Curve(pl.sigmoid, sigmoid, sigmoid_slope, ((0, 0), (1, 0))),
    Curve(pl.log_sigmoid, lambda x: -softplus(-x), lambda x: sigmoid(-x), ((-inf, 1), (0, 0))),
    Curve(
        pl.tanh,
        lambda x: mpmath.tanh(x) if abs(x) < 1000 else mpmath.sign(x),
        tanh_slope,
        ((-1, 0), (1, 0)),
    ),
    softplus_of(1.0),
    softplus_of(2.5),
    Curve(
        pl.silu,
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) + x * sigmoid_slope(x),
        TO_ZERO_AND_X,
    ),
    Curve(
        pl.gelu,
        lambda x: x * probability(x),
        lambda x: probability(x) + x * density(x),
        TO_ZERO_AND_X,
    ),
    Curve(
        pl.gelu,
        gelu_tanh,
        gelu_tanh_slope,
        TO_ZERO_AND_X,
        {"approximate": "tanh"},
        "tanh form",
    ),
]
