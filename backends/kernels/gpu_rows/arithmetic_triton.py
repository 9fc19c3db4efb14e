"""Exponentials, logarithms and the hyperbolic tangent in Triton, right to about one unit.

Triton's own exp, log, division and tanh are the card's fast ones, whose error grows with the logit
(a logit 20 below the largest: ten units in the last place). A kernel of rows waits for memory, so
that the few multiplications more are free.
"""

__library__ = "triton"

# Triton reads an annotation as a type of its own, and takes a constant for a tl.constexpr.
# mypy: disable-error-code=no-untyped-def
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportOperatorIssue=false, reportGeneralTypeIssues=false

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
def _sum_of(a, b):
    """Return ``a + b`` and what that has lost (Knuth)."""
    value = a + b
    added = value - a
    return value, (a - (value - added)) + (b - added)


@triton.jit
def _over_bound(x, bound, low):
    """Return ``|x| / (bound + low)`` up to 64, and what that has lost; 64 of NaN."""
    bound += tl.zeros_like(x)
    y = tl.div_rn(tl.abs(x), bound)
    near = y < 64.0
    y = tl.where(near, y, 64.0)
    more = tl.div_rn(tl.fma(-y, bound, tl.abs(x)) - y * low, bound)
    return y, tl.where(near, more, 0.0)


@triton.jit
def cap(x, bound, low):
    """``b * tanh(x / b)``, b being ``bound + low``, and what that has lost; infinities stay.

    An exponential would turn that into as many units as the bound has. It is ``-e / (2 + e)`` with
    ``e = expm1(-2 * |x| / b)``, in two parts throughout: of an eighth of the exponent, squared.
    """
    y, more = _over_bound(x, bound, low)
    near = y < 22.0  # from there on it is 1
    u, rest = tl.where(near, -2.0 * y, -44.0), tl.where(near, -2.0 * more, 0.0)
    n = tl.floor(u * PER_LN2 + 0.5)
    whole = tl.fma(n, -LN2_HIGH, u)  # exact
    r = tl.fma(n, -LN2_LOW, whole)
    rest = (tl.fma(n, -LN2_LOW, whole - r) + rest) * 0.125
    r = r * 0.125
    square = r * r
    series = tl.fma(r, 1 / 720, 1 / 120)
    series = tl.fma(r, series, 1 / 24)
    series = tl.fma(r, series, 1 / 6)
    high, less = _sum_of(r, 0.5 * square)
    less += 0.5 * tl.fma(r, r, -square) + (tl.fma(rest, r, rest) + r * square * series)
    high, less = _sum_of(high, less)
    for _ in tl.static_range(3):  # (1 + e)**2 - 1
        square = high * high
        doubled, lost = _sum_of(2.0 * high, square)
        less = lost + (tl.fma(high, high, -square) + 2.0 * tl.fma(less, high, less))
        high = doubled
    power = _power_of_two(n.to(tl.int32))
    start, gone = _sum_of(power, -1.0)
    e, lost = _sum_of(power * high, start)
    less = lost + (gone + power * less)
    below, lost = _sum_of(2.0 + tl.zeros_like(e), e)
    ratio = tl.div_rn(-e, below)
    rest = tl.div_rn((tl.fma(-ratio, below, -e) - less) - ratio * (lost + less), below)
    size = bound * ratio
    rest = tl.fma(bound, ratio, -size) + (bound * rest + low * ratio)
    finite = tl.abs(x) < INF
    sign = tl.where(x < 0, -1.0, 1.0)
    return tl.where(finite, sign * size, x), tl.where(finite, sign * rest, 0.0)


@triton.jit
def cap_slope(x, bound, low):
    """The derivative of `cap`, 0 at infinities."""
    y, more = _over_bound(x, bound, low)
    e = exp(-2.0 * y)
    e = tl.where(x == x, tl.fma(e, -2.0 * more, e), x)
    return tl.div_rn(4.0 * e, 1.0 + e * (2.0 + e))
