"""What the definitions of every family of functions are written with: numbers, then arrays.

A definition takes mpmath numbers, or NumPy arrays of them, with the names and arguments of the
library's function. It is the textbook's formula with every option; nothing in it is stable beyond
what 50 digits need (for functions of one number, over the whole range of float64) or 140.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import erfc, log1p, mpf, pi, sqrt

from portable_losses._typing import Array

Number = Any  # mpmath has no types
Exact = Callable[..., Number]

DIGITS = 140
ZERO = mpf(0)


# ---- numbers ---------------------------------------------------------------------------------


def exp(x: Number) -> Number:
    """Return e**x, and 0 where no product with a float64 could make it visible."""
    return mpmath.exp(x) if x > -100_000 else mpf(0)


def sigmoid(x: Number) -> Number:
    return 1 / (1 + exp(-x)) if x > -50 else exp(x) / (1 + exp(x))


def sigmoid_slope(x: Number) -> Number:
    return exp(-abs(x)) / (1 + exp(-abs(x))) ** 2


def softplus(x: Number) -> Number:
    return x + log1p(exp(-x)) if x > 0 else log1p(exp(x))


def tanh_slope(x: Number) -> Number:
    return 4 * sigmoid_slope(2 * x)


def density(x: Number) -> Number:
    return exp(-x * x / 2) / sqrt(2 * pi)


def probability(x: Number) -> Number:
    """Return Phi(x)."""
    if abs(x) > 1000:
        return mpf(x > 0)
    return erfc(-x / sqrt(2)) / 2


# ---- arrays ----------------------------------------------------------------------------------


def exact(values: Any) -> Array:
    """Return floating values as mpmath numbers; integers and bools stay what they are."""
    values = np.asarray(values)
    return np.vectorize(mpmath.mpf, otypes=[object])(values) if values.dtype.kind == "f" else values


def elementwise(function: Any) -> Any:
    """Let a function of numbers take arrays."""
    return np.vectorize(function, otypes=[object])


exps, logs = elementwise(mpmath.exp), elementwise(mpmath.log)


def product(coefficient: Array, term: Array) -> Array:
    """Zero times anything is zero."""
    return elementwise(lambda c, t: ZERO if c == 0 else c * t)(coefficient, term)


def whole(x: Array) -> Any:
    """All axes."""
    return tuple(range(x.ndim))


def reduce(
    loss: Array, reduction: str, sample_weight: Array | None = None, counts: Any = 1
) -> Array:
    loss = np.asarray(loss)
    weight = np.broadcast_to(1 if sample_weight is None else sample_weight, loss.shape)
    loss = np.asarray(product(weight, loss))
    if reduction == "none":
        return loss
    amount = np.sum(weight * counts) if reduction == "mean" else 1
    return np.asarray(loss.sum() / amount if amount else ZERO)


def rows_of(
    x: Array, target: Array, axis: int, ignore_index: int, where: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Return rows, target probabilities, rows that count and classes that exist."""
    x = np.moveaxis(x, axis, -1)
    classes, counts = np.ones(x.shape, bool), np.ones(x.shape[:-1], bool)
    if where is not None and where.ndim == x.ndim:
        classes = np.moveaxis(np.broadcast_to(where, np.moveaxis(x, -1, axis).shape), axis, -1)
    elif where is not None:
        counts = np.broadcast_to(where, counts.shape)
    if target.ndim == x.ndim:
        q = np.moveaxis(target, axis, -1) + ZERO
    else:
        counts = counts & (target != ignore_index)
        q = np.eye(x.shape[-1])[np.where(target == ignore_index, 0, target)] + ZERO
    return np.where(classes, x, -mpmath.inf), np.where(classes, q, ZERO), counts, classes
