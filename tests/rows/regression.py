"""Losses for real-valued targets."""

from typing import Any

import mpmath
from mpmath import mpf

import portable_losses as pl
from tests.curves import Pointwise
from tests.definitions import Exact, Number


def smooth_l1(edge: Number) -> tuple[Exact, Exact]:
    def value(x: Number, t: Number) -> Number:
        d = abs(x - t)
        return d * d / (2 * edge) if d < edge else d - edge / 2

    def slope(x: Number, t: Number) -> Number:
        d = x - t
        return d / edge if abs(d) < edge else mpmath.sign(d)

    return value, slope


def huber(edge: Number) -> tuple[Exact, Exact]:
    def value(x: Number, t: Number) -> Number:
        d = abs(x - t)
        return d * d / 2 if d <= edge else edge * (d - edge / 2)

    def slope(x: Number, t: Number) -> Number:
        d = x - t
        return d if abs(d) <= edge else edge * mpmath.sign(d)

    return value, slope


L1: tuple[Any, Any] = (lambda x, t: abs(x - t), lambda x, t: mpmath.sign(x - t))

POINTWISE = [
    Pointwise(pl.mse_loss, lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t)),
    Pointwise(pl.l1_loss, *L1, smooth_at_zero=False),
    Pointwise(pl.smooth_l1_loss, *smooth_l1(mpf(1))),
    Pointwise(pl.smooth_l1_loss, *smooth_l1(mpf(0.3)), {"beta": 0.3}, "beta 0.3"),
    Pointwise(pl.smooth_l1_loss, *L1, {"beta": 0}, "beta 0", smooth_at_zero=False),
    Pointwise(pl.huber_loss, *huber(mpf(1))),
    Pointwise(pl.huber_loss, *huber(mpf(2.5)), {"delta": 2.5}, "delta 2.5"),
]
