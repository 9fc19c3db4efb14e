"""Exponentials, logarithms and the hyperbolic tangent in Triton, right to about one unit.

Triton's own exp, log, division and tanh are the card's fast ones, whose error grows with the logit
(a logit 20 below the largest: ten units in the last place). A kernel of rows waits for memory, so
that the few multiplications more are free.
"""

__library__ = "triton"

# Triton reads an annotation as a type of its own, and takes a constant for a tl.constexpr.
# mypy: disable-error-code=no-untyped-def
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportOperatorIssue=false

import triton
import triton.language as tl

__all__ = ["INF", "NAN", "cap", "cap_slope", "exp_from", "log1p"]

INF = tl.constexpr(float("inf"))
NAN = tl.constexpr(float("nan"))
PER_LN2 = tl.constexpr(1.4426950408889634)
LN2_HIGH = tl.constexpr(0.693359375)  # nine bits: its product with an exponent is exact
LN2_LOW = tl.constexpr(-2.1219444005469057e-4)
SQRT_HALF = tl.constexpr(0x3F3504F3)  # the bits of it


@triton.jit
def _parts_of_exp(x):
    """Return ``exp(r) - 1`` and n with ``x = r + n * log(2)``, ``|r| <= log(2) / 2``."""
    n = tl.floor(tl.where(x == x, x, 0.0) * PER_LN2 + 0.5)
    r = tl.fma(n, -LN2_LOW, tl.fma(n, -LN2_HIGH, x))
    series = tl.fma(r, 1 / 5040, 1 / 720)
    series = tl.fma(r, series, 1 / 120)
    series = tl.fma(r, series, 1 / 24)
    series = tl.fma(r, series, 1 / 6)
    series = tl.fma(r, series, 0.5)
    return tl.fma(r * r, series, r), n.to(tl.int32)


@triton.jit
def _power_of_two(n):
    return ((n + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def exp(x):
    """``exp(x)`` for x up to 80, and that of 80 above; NaN is kept, small results are, too."""
    inside = tl.where(x < -104.0, -104.0, tl.where(x > 80.0, 80.0, x))
    less_one, n = _parts_of_exp(inside)
    half = n >> 1
    e = (1.0 + less_one) * _power_of_two(half) * _power_of_two(n - half)
    return tl.where(x < -104.0, 0.0, e)


@triton.jit
def exp_from(x, top):
    """``exp(x - top)`` of a finite top, x at most 80 above, with what the difference has lost."""
    inside = tl.where(tl.abs(x) < INF, x, 0.0)
    d = inside - top
    taken = d - inside
    rest = (inside - (d - taken)) - (top + taken)  # Knuth
    e = exp(x - top)
    return tl.fma(e, rest, e)


@triton.jit
def _expm1(x):
    """``exp(x) - 1`` for x up to 0."""
    less_one, n = _parts_of_exp(tl.where(x < -80.0, -80.0, x))
    power = _power_of_two(n)
    return tl.fma(power, less_one, power - 1.0)


@triton.jit
def log1p(x):
    """``log(1 + x)`` for x of at least 0, with what ``1 + x`` has lost."""
    u = 1.0 + x
    bits = u.to(tl.int32, bitcast=True)
    n = (bits - SQRT_HALF) >> 23
    f = (bits - (n << 23)).to(tl.float32, bitcast=True) - 1.0
    s = tl.div_rn(f, 2.0 + f)
    square = s * s
    series = tl.fma(square, 2 / 11, 2 / 9)
    series = tl.fma(square, series, 2 / 7)
    series = tl.fma(square, series, 2 / 5)
    series = tl.fma(square, series, 2 / 3)
    n = n.to(tl.float32)
    lost = tl.fma(n, LN2_LOW, tl.div_rn(x - (u - 1.0), u))
    result = tl.fma(n, LN2_HIGH, f - (s * (f - square * series) - lost))
    return tl.where(x == x, result, x)


@triton.jit
def cap(x, bound):
    """``bound * tanh(x / bound)``; infinities stay."""
    y = tl.div_rn(x, tl.zeros_like(x) + bound)
    e = _expm1(-2.0 * tl.abs(y))
    size = bound * tl.div_rn(-e, 2.0 + e)
    return tl.where(tl.abs(x) < INF, tl.where(y < 0, -size, size), x)


@triton.jit
def cap_slope(x, bound):
    """The derivative of `cap`."""
    e = exp(-2.0 * tl.abs(tl.div_rn(x, tl.zeros_like(x) + bound)))
    return tl.div_rn(4.0 * e, 1.0 + e * (2.0 + e))
