"""Compute the numbers behind erf, erfc, gelu, silu and mish, and write them into the package.

Run ``python tools/fit_error_function.py`` after a change here: it rewrites
``portable_losses/special/_coefficients.py``. It needs mpmath and nothing else, takes about a
second and yields the same file on every machine: all arithmetic has 50 digits and every
coefficient is rounded once, at the end.

Four functions are fitted, each once for float32 and once for float64, by interpolation at
Chebyshev points, which is within a factor of two of the best polynomial of its degree:

- ``ERF``: q(s) with ``erf(x) = x + x q(x**2)`` for ``|x| <= 1``. Only q is rounded in
  full, so the sum is right to a little more than half an ulp.
- ``TAIL``: p(t) with ``Phi(-z) exp(z**2 / 2) = p(t) / (z + 2)`` for ``z >= 0``. The left side
  falls from 1/2 like 1/z; dividing by ``z + 2`` leaves a nearly constant p.
- ``SLOPE``: p(t) with ``g(z) = g(r) + (z - r) p(t)`` for ``z >= 0``, where
  ``g(z) = Phi(-z) exp(z**2 / 2) - z / sqrt(2 pi)`` is the derivative of gelu at -z without its
  exponential and r the number of the dtype nearest to its root. Around the root ``z - r`` is
  exact and g(r) as small as can be, so that no digit is lost there.
- ``FALL``: p(t) with ``phi(0) - z Phi(-z) exp(z**2 / 2) = p(t) / (z + 2)**2`` for ``z >= 0``: minus
  the derivative of what `TAIL` is for, whose two terms cancel. Up to `FALL_REACH` only.
- ``TURN``: p(t) with ``Phi(-z) exp(z**2 / 2) - z f(z) = p(t) / (z + 2)**3``, f what `FALL` is for:
  the second derivative of the same. Up to `FALL_REACH`, too.

``GELU_ROOT`` holds r and g(r). Silu and the tanh form of gelu are ``x * sigmoid(u(x))``; the root
of their slope is that of ``h(x) = 1 + x u'(x) + exp(u(x))``, and ``SILU_ROOT`` and
``GELU_TANH_ROOT`` hold the number next to it with h there; ``MISH_ROOT`` is the same for mish.
``LINEAR`` and ``CUBIC`` are the coefficients of the tanh form's u, ``QUICK`` that of quick_gelu's,
each with what the dtype lacks of it.

``t = (z - 4) / (z + 4)`` maps the half line to [-1, 1). Past `REACH` the exponential is 0 in
the dtype, and the polynomials only have to stay finite.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath

Real = Any  # mpmath has no types
TARGET = Path(__file__).parents[1] / "portable_losses" / "special" / "_coefficients.py"
MIDDLE = 4  # the z that t = 0 stands for
PRECISION = {"float32": 24, "float64": 53}
REACH = {"float32": 14.5, "float64": 38.75}  # exp(-z**2 / 2) is 0 from here on
FALL_REACH = 14.5  # beyond, a short continued fraction does as well
DEGREES = {  # of q, tail, slope, fall, turn: the first whose error is below a tenth of an ulp
    "float32": (6, 10, 9, 11, 12),
    "float64": (13, 23, 21, 23, 24),
}


def scaled_tail(z: Real) -> Real:
    """Return ``Phi(-z) exp(z**2 / 2)``."""
    return mpmath.erfc(z / mpmath.sqrt(2)) / 2 * mpmath.exp(z * z / 2)


def slope_of_scaled_tail(z: Real) -> Real:
    """Return the derivative of `scaled_tail`."""
    return z * scaled_tail(z) - 1 / mpmath.sqrt(2 * mpmath.pi)


def scaled_slope(z: Real) -> Real:
    """Return the derivative of gelu at -z, divided by ``exp(-z**2 / 2)``."""
    return scaled_tail(z) - z / mpmath.sqrt(2 * mpmath.pi)


def linear() -> Real:
    """Return the first coefficient of twice the argument of gelu's tanh."""
    return 2 * mpmath.sqrt(2 / mpmath.pi)


def cubic() -> Real:
    """Return the third coefficient of twice the argument of gelu's tanh."""
    return linear() * 44715 / 1_000_000


def silu_factor(x: Real) -> Real:
    """Return the factor of the derivative of silu that changes sign."""
    return 1 + x + mpmath.exp(x)


def gelu_tanh_factor(x: Real) -> Real:
    """Return the factor of the derivative of gelu's tanh form that changes sign."""
    first, third = linear() * x, cubic() * x**3
    return 1 + first + 3 * third + mpmath.exp(first + third)


def mish_factor(x: Real) -> Real:
    """Return the factor of the derivative of mish that changes sign."""
    e = mpmath.exp(x)
    return 4 * (x + 1) + e * (4 * x + 6 + e * (4 + e))


def nearest_root(function: Callable[[Real], Real], near: float, dtype: str) -> Real:
    """Return the number of the dtype that is nearest to the root."""
    return rounded(mpmath.findroot(function, near), dtype)


def rounded(exact: Real, dtype: str) -> Real:
    """Return the number of the dtype that is nearest to `exact`."""
    with mpmath.workprec(PRECISION[dtype]):
        return +exact


def in_two(exact: Real, dtype: str) -> tuple[float, float]:
    """Return `exact` rounded to the dtype, and the remainder."""
    value = rounded(exact, dtype)
    return float(value), float(exact - value)


def erf_quotient(s: Real) -> Real:
    """Return ``erf(x) / x - 1`` for ``s = x**2``."""
    x = mpmath.sqrt(s)
    return mpmath.erf(x) / x - 1


def half_line(t: Real) -> Real:
    """Return the z that t stands for."""
    return MIDDLE * (1 + t) / (1 - t)


def interpolate(function: Callable[[Real], Real], low: Real, high: Real, degree: int) -> list[Real]:
    """Return the coefficients, lowest first, of the interpolant at Chebyshev points."""
    count = degree + 1
    angles = [mpmath.pi * (2 * i + 1) / (2 * count) for i in range(count)]
    middle, radius = (low + high) / 2, (high - low) / 2
    values = [function(middle + radius * mpmath.cos(angle)) for angle in angles]
    series = [
        mpmath.fsum(v * mpmath.cos(k * a) for v, a in zip(values, angles, strict=True)) * 2 / count
        for k in range(count)
    ]
    series[0] /= 2

    # Clenshaw's recurrence, on polynomials in t instead of numbers
    slope, offset = 1 / radius, -middle / radius  # u = offset + slope * t is in [-1, 1]
    ahead, after = [mpmath.mpf(0)] * (count + 1), [mpmath.mpf(0)] * (count + 1)
    for k in range(degree, -1, -1):
        factor = 2 if k else 1
        now = [factor * offset * c - a for c, a in zip(ahead, after, strict=True)]
        for i in range(count):
            now[i + 1] += factor * slope * ahead[i]
        now[0] += series[k]
        ahead, after = now, ahead
    return ahead[:count]


def tables(dtype: str) -> dict[str, tuple[float, ...]]:
    """Return roots with the value there, constants in two parts, polynomials from the top."""
    with mpmath.workdps(50):
        low, reach = mpmath.mpf(-1), mpmath.mpf(REACH[dtype])
        high = (reach - MIDDLE) / (reach + MIDDLE)
        end = (mpmath.mpf(FALL_REACH) - MIDDLE) / (FALL_REACH + MIDDLE)
        root = nearest_root(scaled_slope, 0.75, dtype)
        slope = scaled_slope(root)
        silu = nearest_root(silu_factor, -1.28, dtype)
        gelu_tanh = nearest_root(gelu_tanh_factor, -0.75, dtype)
        mish = nearest_root(mish_factor, -1.19, dtype)

        def tail(t: Real) -> Real:
            return scaled_tail(half_line(t)) * (half_line(t) + 2)

        def difference(t: Real) -> Real:
            return (scaled_slope(half_line(t)) - slope) / (half_line(t) - root)

        def fall(t: Real) -> Real:
            return -slope_of_scaled_tail(half_line(t)) * (half_line(t) + 2) ** 2

        def turn(t: Real) -> Real:
            z = half_line(t)
            return (scaled_tail(z) + z * slope_of_scaled_tail(z)) * (z + 2) ** 3

        erf_degree, tail_degree, slope_degree, fall_degree, turn_degree = DEGREES[dtype]
        polynomials = {
            "ERF": interpolate(erf_quotient, mpmath.mpf(0), mpmath.mpf(1), erf_degree),
            "TAIL": interpolate(tail, low, high, tail_degree),
            "SLOPE": interpolate(difference, low, high, slope_degree),
            "FALL": interpolate(fall, low, end, fall_degree),
            "TURN": interpolate(turn, low, end, turn_degree),
        }
        highest_first = {name: tuple(map(float, reversed(p))) for name, p in polynomials.items()}
        return {
            "GELU_ROOT": (float(root), float(slope)),
            "SILU_ROOT": (float(silu), float(silu_factor(silu))),
            "GELU_TANH_ROOT": (float(gelu_tanh), float(gelu_tanh_factor(gelu_tanh))),
            "MISH_ROOT": (float(mish), float(mish_factor(mish))),
            "LINEAR": in_two(linear(), dtype),
            "CUBIC": in_two(cubic(), dtype),
            "QUICK": in_two(mpmath.mpf(1702) / 1000, dtype),
            **highest_first,
        }


def source() -> str:
    """Return the text of the module with all coefficients."""
    lines = [
        '"""Roots with the value there, constants in two parts, polynomials from the top down.',
        "",
        "Written by tools/fit_error_function.py, which says what they are: do not edit.",
        '"""',
        "",
        f"MIDDLE = {float(MIDDLE)!r}",
    ]
    by_dtype = {dtype: tables(dtype) for dtype in DEGREES}
    for name in by_dtype["float32"]:
        lines += ["", f"{name} = {{"]
        for dtype, numbers in by_dtype.items():
            items = [f"        {c!r}," for c in numbers[name]]
            lines += [f'    "{dtype}": (', *items, "    ),"]
        lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
