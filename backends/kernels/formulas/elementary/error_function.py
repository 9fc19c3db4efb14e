"""The error function and one minus it: float32 is computed in float64."""

from .coefficients import ERF, ERFC, MIDDLE, REACH
from .exponentials import clamped, exp_near_0, reduced, scaled
from .two_parts import (
    Arithmetic,
    Value,
    exact_product,
    exact_sum,
    exact_sum_of_any,
    polynomial,
    product,
    quotient,
    rounded,
)

__all__ = ["erf", "erfc"]


def erf(a: Arithmetic, x: Value) -> Value:
    """The error function; float32 is computed in float64, as for the next one."""
    return a.narrowed(_erf(a.wide, a.widened(x), _table(a)))


def erfc(a: Arithmetic, x: Value) -> Value:
    """One minus the error function."""
    return a.narrowed(_erfc(a.wide, a.widened(x), _table(a)))


def _table(a: Arithmetic) -> str:
    return "coarse" if a.name == "float32" else a.name


def _erf(a: Arithmetic, x: Value, table: str) -> Value:
    """Return the error function: up to 1 its own, from there on ``1 - erfc(|x|)`` with a sign."""
    size = a.absolute(x)
    far = a.copysign(a.subtract(1.0, _erfc_from_0(a, size, table)), x)
    return a.select(a.less(size, 1.0), _erf_near_0(a, x, table), far)


def _erfc(a: Arithmetic, x: Value, table: str) -> Value:
    """Return ``1 - erf(x)`` near 0, where it loses no digit, and ``2 - erfc(-x)`` below that."""
    size = a.absolute(x)
    far = _erfc_from_0(a, size, table)
    far = a.select(a.less(x, 0.0), a.subtract(2.0, far), far)
    near = a.subtract(1.0, _erf_near_0(a, x, table))
    return a.select(a.less(size, 0.4375), near, far)


def _erf_near_0(a: Arithmetic, x: Value, table: str) -> Value:
    """Return ``x + x q(x**2)``, for numbers up to 1."""
    found = a.fma(x, polynomial(a, a.multiply(x, x), ERF[table]), x)
    return a.select(a.equal(x, 0.0), x, found)


def _erfc_from_0(a: Arithmetic, x: Value, table: str) -> Value:
    """Return ``exp(-x**2) p(t) / (1 + 2 x)``, for numbers from 0 on."""
    x = clamped(a, x, 0.0, REACH[table])
    square = exact_product(a, x, x)
    n = reduced(a, a.negative(square.high), a.negative(square.low))
    t = a.divide(a.subtract(x, MIDDLE), a.add(x, MIDDLE))
    *highest, last = ERFC[table]
    p = exact_sum(a, last, a.multiply(t, polynomial(a, t, highest)))
    below = exact_sum_of_any(a, 1.0, a.multiply(x, 2.0))
    found = quotient(a, product(a, exp_near_0(a, n.rest, table), p), below)
    return scaled(a, rounded(a, found), n.biased)
