"""Activations of one number."""

from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
from mpmath import expm1, inf, mpf, pi, sqrt

import portable_losses as pl
from tests.cases import Case, Peer, raises
from tests.curves import Curve
from tests.definitions import (
    Number,
    density,
    exp,
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


def falling(function: Any, scale: float = 1.0, alpha: float = 1.0, width: float = 1.0) -> Curve:
    """Return ``scale x`` above 0 and ``scale alpha (exp(x / width) - 1)`` elsewhere."""
    low = mpf(scale) * mpf(alpha)
    return Curve(
        function,
        lambda x: mpf(scale) * x if x > 0 else low * expm1(max(x / width, mpf(-100_000))),
        lambda x: mpf(scale) if x > 0 else low / width * exp(x / width),
        ((float(-low), 0), (inf, scale)),
        kinks=(0.0,),
        unbounded=scale > 1,
    )


def mish_tanh(x: Number) -> Number:
    """Return ``tanh(softplus(x))``."""
    e = exp(-abs(x))
    return (1 + 2 * e) / (1 + 2 * e + 2 * e * e) if x > 0 else e * (e + 2) / (e * (e + 2) + 2)


def mish_slope(x: Number) -> Number:
    t, e = mish_tanh(x), exp(-abs(x))
    rest = 2 * e * e / (1 + 2 * e + 2 * e * e) if x > 0 else 2 / (e * (e + 2) + 2)  # 1 - t
    return t + x * rest * (1 + t) * sigmoid(x)


def quick(x: Number) -> Number:
    return 1702 * x / 1000


def squareplus(b: float) -> Curve:
    def value(x: Number) -> Number:
        h = sqrt(x * x + b)
        return (x + h) / 2 if x > 0 else b / 2 / (h - x)

    return Curve(
        pl.squareplus,
        value,
        lambda x: value(x) / sqrt(x * x + b),
        TO_ZERO_AND_X,
        {} if b == 4 else {"b": b},
        "" if b == 4 else f"b {b}",
    )


def tanh(x: Number) -> Number:
    return mpmath.tanh(x) if abs(x) < 1000 else mpmath.sign(x)


def tanh_shrink(x: Number) -> Number:
    if abs(x) < 1e-10:
        return x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315
    return x - tanh(x)


CURVES = [
    Curve(pl.relu, lambda x: max(x, mpf(0)), lambda x: mpf(x > 0), TO_ZERO_AND_X, kinks=(0.0,)),
    leaky_relu(0.01),
    leaky_relu(2.0),
    Curve(pl.sigmoid, sigmoid, sigmoid_slope, ((0, 0), (1, 0))),
    Curve(pl.log_sigmoid, lambda x: -softplus(-x), lambda x: sigmoid(-x), ((-inf, 1), (0, 0))),
    Curve(
        pl.tanh,
        tanh,
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
    Curve(
        pl.quick_gelu,
        lambda x: x * sigmoid(quick(x)),
        lambda x: sigmoid(quick(x)) + quick(x) * sigmoid_slope(quick(x)),
        TO_ZERO_AND_X,
    ),
    Curve(pl.mish, lambda x: x * mish_tanh(x), mish_slope, TO_ZERO_AND_X),
    squareplus(4.0),
    squareplus(0.25),
    falling(pl.elu),
    replace(falling(pl.elu, alpha=2.5), options={"alpha": 2.5}, note="everything"),
    falling(pl.selu, scale=1.0507009873554805, alpha=1.6732632423543772),
    falling(pl.celu),
    replace(falling(pl.celu, alpha=2.5, width=2.5), options={"alpha": 2.5}, note="everything"),
    Curve(
        pl.softsign,
        lambda x: x / (1 + abs(x)),
        lambda x: 1 / (1 + abs(x)) ** 2,
        ((-1, 0), (1, 0)),
    ),
    Curve(pl.tanh_shrink, tanh_shrink, lambda x: tanh(x) ** 2, ((-inf, 1), (inf, 1))),
    Curve(
        pl.softcap,
        lambda x: 2.5 * tanh(x / 2.5),
        lambda x: tanh_slope(x / 2.5),
        ((-inf, 0), (inf, 0)),
        {"cap": 2.5},
    ),
]

P = np.full((4,), 0.5)
ERRORS: list[Case] = [
    *(raises("celu", ValueError, f"`alpha` must be greater than 0, got {bad}", P, alpha=bad)
      for bad in (0, -1.0)),
    raises("elu", ValueError, "`alpha` must be a finite number, got inf", P, alpha=float("inf")),
    raises("squareplus", ValueError, "`b` must be at least 0, got -1.0", P, b=-1.0),
    *(raises("softcap", ValueError, f"`cap` must be greater than 0, got {bad}", P, cap=bad)
      for bad in (0.0, -5)),
    raises("softcap", TypeError, "`cap` must be a Python number, got str", P, cap="a"),
]  # fmt: skip

X = np.asarray([[2.0, -1.0, 0.5], [-0.75, 30.0, -7.0]])
PEERS = [
    *(Peer(name, (X,)) for name in ("elu", "selu", "celu", "mish", "softsign")),
    Peer("elu", (X,), {"alpha": 0.3}),
    Peer("celu", (X,), {"alpha": 0.25}),
    Peer(("tanh_shrink", "tanhshrink"), (X,)),
]

A = np.asarray
BEYOND = [
    *(
        (f"{f.__name__}({x})", (lambda f=f, x=x: f(A([x], float))[0], limit, "torch, jax nan"))
        for f, x, limit in (
            (pl.mish, -np.inf, 0.0), (pl.quick_gelu, -np.inf, 0.0), (pl.squareplus, -np.inf, 0.0),
            (pl.mish, np.inf, np.inf), (pl.softsign, -np.inf, -1.0), (pl.softsign, np.inf, 1.0),
        )
    ),
    ("squareplus(-1e4)", (
        lambda: pl.squareplus(A([-1e4]))[0], 1e-4 - 1e-12 + 2e-20, "jax 2.7e7 eps off")),
    ("squareplus(1e20), float32", (
        lambda: pl.squareplus(A([1e20], np.float32))[0], float(np.float32(1e20)), "jax inf")),
    ("squareplus(-1e4), float32", (
        lambda: pl.squareplus(A([-1e4], np.float32))[0], 1e-4 - 1e-12, "jax 0")),
    ("squareplus, b 0", (lambda: pl.squareplus(A([-2.0]), b=0)[0], 0.0, None)),
    ("tanh_shrink(1e-5)", (
        lambda: pl.tanh_shrink(A([1e-5]))[0], 1e-15 / 3 * (1 - 4e-11), "torch 1e12 eps off")),
    ("mish(-89), float32", (
        lambda: pl.mish(A([-89.0], np.float32))[0], float(-89 * exp(mpf(-89))),
        "torch 136 ulp off, jax 0")),
    ("softcap(-inf)", (
        lambda: pl.softcap(A([-np.inf], float), cap=5.0)[0], -np.inf, "liger, CCE -5")),
    ("selu(-40)", (
        lambda: pl.selu(A([-40.0]))[0], -1.0507009873554805 * 1.6732632423543772,
        "keras 1.0507 * 1.67326")),
]  # fmt: skip
BEYOND_SLOPES = [
    ("elu at -20", (pl.elu, -20.0, float(exp(mpf(-20))), "jax 0 in float32, 1e-8 off in float64")),
    ("celu at -40", (pl.celu, -40.0, float(exp(mpf(-40))), "jax 0")),
    ("tanh_shrink at 1e-9", (pl.tanh_shrink, 1e-9, 1e-18, "torch 0")),
    ("celu at -0.75, alpha 0.3", (
        lambda x: pl.celu(x, alpha=0.3), -0.75, float(exp(mpf(-0.75) / mpf(0.3))),
        "torch 6e-8 off")),
    ("softsign at 1e10", (pl.softsign, 1e10, 1 / (1 + 1e10) ** 2, "torch, jax 0")),
    ("squareplus at 0", (pl.squareplus, 0.0, 0.5, None)),
    ("squareplus at -1e150", (pl.squareplus, -1e150, 1e-300, "jax inf")),
    ("mish at inf", (pl.mish, np.inf, 1.0, "torch, jax nan")),
    ("softcap at -inf", (lambda x: pl.softcap(x, cap=5.0), -np.inf, 0.0, None)),
]  # fmt: skip
