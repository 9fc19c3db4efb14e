"""Activations of straight and parabolic pieces."""

from typing import Any

import mpmath
import numpy as np
from mpmath import inf, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Case, Peer, raises
from tests.curves import Curve
from tests.definitions import Number, elementwise
from tests.samples import Sample


def cut(low: Any, high: Any) -> Any:
    return lambda x: min(max(x, mpf(low)), mpf(high))


def between(low: Any, high: Any, slope: Any) -> Any:
    """Return `slope`, a number or function, inside and 0 outside, the ends included."""
    inside = slope if callable(slope) else lambda _: mpf(slope)
    return lambda x: inside(x) if low < x < high else mpf(0)


def hard_silu(x: Number) -> Number:
    return x * cut(0, 6)(x + 3) / 6


def hard_silu_slope(x: Number) -> Number:
    return (2 * x + 3) / 6 if -3 < x < 3 else mpf(x > 0)


def sparse_plus(x: Number) -> Number:
    return x if x > 1 else cut(0, 2)(x + 1) ** 2 / 4


def shrinks(lambd: float) -> list[Curve]:
    note, options = ("", {}) if lambd == 0.5 else (f"lambd {lambd}", {"lambd": lambd})
    slope = lambda x: mpf(abs(x) > lambd)  # noqa: E731
    ends, kinks = ((-inf, 1), (inf, 1)), (-lambd, lambd)
    soft = lambda x: mpmath.sign(x) * max(abs(x) - lambd, 0)  # noqa: E731
    return [
        Curve(pl.hard_shrink, lambda x: x * slope(x), slope, ends, options, note, kinks=kinks),
        Curve(pl.soft_shrink, soft, slope, ends, options, note, kinks=kinks),
    ]


CURVES = [
    Curve(pl.relu6, cut(0, 6), between(0, 6, 1), ((0, 0), (6, 0)), kinks=(0.0, 6.0)),
    Curve(
        pl.relu_squared,
        lambda x: max(x, mpf(0)) ** 2,
        lambda x: 2 * max(x, mpf(0)),
        ((0, 0), (inf, inf)),
        kinks=(0.0,),
        unbounded=True,
    ),
    Curve(
        pl.hard_sigmoid,
        lambda x: cut(0, 6)(x + 3) / 6,
        between(-3, 3, mpf(1) / 6),
        ((0, 0), (1, 0)),
        kinks=(-3.0, 3.0),
    ),
    Curve(pl.hard_silu, hard_silu, hard_silu_slope, ((0, 0), (inf, 1)), kinks=(-3.0, 3.0)),
    Curve(pl.hard_tanh, cut(-1, 1), between(-1, 1, 1), ((-1, 0), (1, 0)), kinks=(-1.0, 1.0)),
    Curve(
        pl.hard_tanh,
        cut(-0.5, 2),
        between(-0.5, 2, 1),
        ((-0.5, 0), (2, 0)),
        {"min_val": -0.5, "max_val": 2.0},
        "everything",
        kinks=(-0.5, 2.0),
    ),
    *shrinks(0.5),
    *shrinks(2.0),
    Curve(
        pl.threshold,
        lambda x: x if x > 0.25 else mpf(7),
        lambda x: mpf(x > 0.25),
        ((7, 0), (inf, 1)),
        {"threshold": 0.25, "value": 7.0},
        kinks=(0.25,),
    ),
    Curve(
        pl.sparse_plus,
        sparse_plus,
        lambda x: cut(0, 1)((x + 1) / 2),
        ((0, 0), (inf, 1)),
        kinks=(-1.0, 1.0),
    ),
    Curve(
        pl.sparse_sigmoid,
        lambda x: cut(0, 1)((x + 1) / 2),
        between(-1, 1, 0.5),
        ((0, 0), (1, 0)),
        kinks=(-1.0, 1.0),
    ),
]


# ---- slopes of the caller ----------------------------------------------------------------------


def leaking(x: Array, slope: Array) -> Array:
    return np.asarray(elementwise(lambda x, slope: x if x > 0 else slope * x)(x, slope))


def prelu(x: Array, weight: Array, *, axis: int = -1) -> Array:
    x, weight = np.asarray(x), np.asarray(weight)
    if not x.ndim:
        return leaking(x, weight)
    return np.moveaxis(leaking(np.moveaxis(x, axis, -1), weight), -1, axis)


def rrelu(
    x: Array, slope: Array | None = None, *, lower: float = 0.125, upper: float = 1 / 3
) -> Array:
    middle = mpf((lower + upper) / 2)
    return leaking(x, np.full(x.shape, middle) if slope is None else slope)


X = np.asarray([[2.0, -1.0, 0.5], [-0.75, 30.0, -1e4]])
DEEP = np.asarray([[[1.5, -2.0], [-0.25, 3.0], [-1.0, -7.0]]])
SLOPES = np.asarray([0.25, -0.5, 2.0])
DRAWN = np.asarray([[0.125, 0.25, 0.3], [0.2, 0.15, 0.75]])

ROWS = [
    Sample(pl.prelu, prelu, (X, SLOPES), smooth_at_zero=False),
    Sample(pl.prelu, prelu, (DEEP, SLOPES), {"axis": 1}, "axis 1", smooth_at_zero=False),
    Sample(pl.prelu, prelu, (X, [0.25]), note="one weight", smooth_at_zero=False),
    Sample(pl.prelu, prelu, (-2.0, 0.25), note="numbers", smooth_at_zero=False),
    Sample(pl.rrelu, rrelu, (X, DRAWN), smooth_at_zero=False),
    Sample(pl.rrelu, rrelu, (X,), {"lower": 0.25, "upper": 0.75}, "middle", smooth_at_zero=False),
]

P, NAN = np.full((4,), 0.5), float("nan")
ERRORS: list[Case] = [
    raises("prelu", ValueError, r"`weight` must broadcast to shape \(3,\), got shape \(2,\)", X,
           SLOPES[:2]),
    raises("prelu", ValueError, r"`weight` must broadcast to shape \(3,\), got shape \(2, 3\)", X,
           X),
    raises("prelu", TypeError, "`weight` must have a real floating dtype, got .*int64", X,
           np.asarray([1])),
    raises("rrelu", ValueError, r"shapes must be equal, got x: \(2, 3\), slope: \(3,\)", X, SLOPES),
    raises("rrelu", TypeError, "`slope` must have a real floating dtype", P, P > 0),
    raises("rrelu", ValueError, "`lower` must be at most `upper` = 0.25, got 0.5", P, lower=0.5,
           upper=0.25),
    raises("hard_tanh", ValueError, "`min_val` must be at most `max_val` = 1.0, got 2.0", P,
           min_val=2.0),
    raises("hard_tanh", ValueError, "`max_val` must be a finite number, got nan", P, max_val=NAN),
    raises("threshold", ValueError, "`value` must be a finite number, got inf", P, threshold=0,
           value=float("inf")),
    raises("threshold", TypeError, "`threshold` must be a Python number, got str", P, threshold="a",
           value=0),
    *(raises(f, ValueError, f"`lambd` must be at least 0, got {bad}", P, lambd=bad)
      for f in ("hard_shrink", "soft_shrink") for bad in (-0.5, NAN)),
]  # fmt: skip

PEERS = [
    Peer("relu6", (3 * X,)),
    Peer("prelu", (DEEP, SLOPES), ours={"axis": 1}),
    Peer("prelu", (X, SLOPES)),
    Peer("rrelu", (X,)),
    Peer(("hard_silu", "hardswish"), (X,)),
    Peer(("hard_tanh", "hardtanh"), (X,), {"min_val": -0.875, "max_val": 1.75}),
    Peer(("hard_shrink", "hardshrink"), (X,), {"lambd": 0.625}),
    Peer(("soft_shrink", "softshrink"), (X,), {"lambd": 0.625}),
    Peer("threshold", (X,), {"threshold": 0.75, "value": -2.0}),
]

A = np.asarray
BEYOND = [
    ("hard_silu(-inf)", (
        lambda: pl.hard_silu(A([-np.inf], float))[0], 0.0, "torch, jax, keras nan")),
    ("hard_silu, huge", (
        lambda: pl.hard_silu(A([3e38], np.float32))[0], float(np.float32(3e38)), "torch inf")),
    ("prelu, weight 0 at -inf", (
        lambda: pl.prelu(A([-np.inf], float), A([0.0]))[0], 0.0, "torch nan")),
    ("hard_shrink(nan)", (lambda: pl.hard_shrink(A([NAN]))[0], NAN, None)),
]  # fmt: skip
BEYOND_SLOPES = [
    ("hard_sigmoid at 1", (pl.hard_sigmoid, 1.0, 1 / 6, "torch 0.1666666716")),
    ("hard_silu, next to the root", (
        pl.hard_silu, -1.5 + 2.0**-50, 2.0**-49 / 6, "torch 3e15 ulp off")),
    ("sparse_sigmoid below 1", (pl.sparse_sigmoid, 1 - 2.0**-53, 0.5, "jax 0.25")),
    ("hard_silu at -inf", (pl.hard_silu, -np.inf, 0.0, "torch, jax nan")),
    ("hard_silu at inf", (pl.hard_silu, np.inf, 1.0, None)),
]  # fmt: skip
BEYOND_ERRORS = [
    ("hard_tanh, crossed", (lambda: pl.hard_tanh(P, min_val=1.0, max_val=0.0), ValueError, None)),
]
