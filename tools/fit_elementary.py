"""Compute the numbers behind exp, log, tanh and their like of the compiled kernels.

Run ``python -m tools.fit_elementary`` after a change here: it rewrites
``backends/kernels/formulas/elementary/coefficients.py`` and prints how far each polynomial is
from its function. It needs mpmath and nothing else, and yields the same file on every machine:
all arithmetic has 50 digits and every coefficient is rounded once, at the end.

The polynomials are interpolated at Chebyshev points, which is within a factor of two of the best
of their degree. ``coarse`` stands for what float32 computes in float64 steps.

- ``EXP``: q(r) with ``exp(r) = 1 + r + r**2 q(r)`` for ``|r| <= log(2) / 2``.
- ``EXPM1``: the same for ``|r| <= HALF``.
- ``TANH``: q(z) with ``tanh(x) = x + x z q(z)``, ``z = x**2``, for ``|x| <= NEAR``.
- ``LOG``: q(f) with ``log(1 + f) = f - f**2 / 2 + f**3 q(f)`` for numbers ``1 + f`` between the
  square roots of 1/2 and 2.
- ``ATANH``: q(z) with ``log((1 + s) / (1 - s)) = 2 s + s**3 (2/3 + z q(z))``, ``z = s**2``, for the
  same numbers ``(1 + s) / (1 - s)``.
- ``ERF``: q(s) with ``erf(x) = x + x q(x**2)`` for ``|x| <= 1``.
- ``ERFC``: p(t) with ``erfc(x) exp(x**2) = p(t) / (1 + 2 x)``,
  ``t = (x - MIDDLE) / (x + MIDDLE)``, for ``0 <= x <= REACH``, from where
  on erfc is 0. The quotient is nearly constant.
- ``LN2``, ``LOG2E``, ``TWO_THIRDS``: a number in two parts. The first part of log(2) has so few
  digits that its product with any exponent is exact.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath

from tools.fit_error_function import interpolate

Real = Any  # mpmath has no types
FORMULAS = Path(__file__).parents[1] / "backends" / "kernels" / "formulas"
TARGET = FORMULAS / "elementary" / "coefficients.py"
DIGITS = {"float32": 24, "float64": 53, "coarse": 53}
DEGREES = {
    "EXP": {"float32": 5, "float64": 10, "coarse": 6},
    "EXPM1": {"float32": 6, "float64": 12},
    "TANH": {"float32": 7},
    "LOG": {"float32": 9, "float64": 21, "coarse": 12},
    "ATANH": {"float64": 8},
    "ERF": {"float64": 13, "coarse": 8},
    "ERFC": {"float64": 25, "coarse": 12},
}
HALF = 0.5
MIDDLE = 2.5
NEAR = 1.046875
REACH = {"float64": 28.0, "coarse": 11.0}
EXPONENT_DIGITS = {"float32": 9, "float64": 12}


def exp_quotient(r: Real) -> Real:
    """Return ``(exp(r) - 1 - r) / r**2``."""
    return mpmath.hyp1f1(1, 3, r) / 2


def tanh_quotient(z: Real) -> Real:
    """Return ``(tanh(x) / x - 1) / z`` for ``x = sqrt(z)``."""
    if abs(z) < mpmath.mpf("1e-16"):
        return mpmath.mpf(-1) / 3 + 2 * z / 15
    with mpmath.workdps(90):
        x = mpmath.sqrt(z)
        return (mpmath.tanh(x) / x - 1) / z


def log_quotient(f: Real) -> Real:
    """Return ``(log(1 + f) - f + f**2 / 2) / f**3``."""
    if abs(f) < mpmath.mpf("1e-8"):  # the series: the numerator cancels
        return mpmath.mpf(1) / 3 - f / 4 + f * f / 5 - f**3 / 6
    with mpmath.workdps(90):
        return (mpmath.log1p(f) - f + f * f / 2) / f**3


def atanh_quotient(z: Real) -> Real:
    """Return ``((2 artanh(s) - 2 s) / s**3 - 2 / 3) / z`` for ``s = sqrt(z)``."""
    if abs(z) < mpmath.mpf("1e-16"):
        return mpmath.mpf(2) / 5 + 2 * z / 7
    with mpmath.workdps(90):
        s = mpmath.sqrt(z)
        return ((2 * mpmath.atanh(s) - 2 * s) / s**3 - mpmath.mpf(2) / 3) / z


def erf_quotient(s: Real) -> Real:
    """Return ``erf(x) / x - 1`` for ``s = x**2``."""
    return 2 / mpmath.sqrt(mpmath.pi) * mpmath.hyp1f1(0.5, 1.5, -s) - 1


def position(x: float) -> Real:
    """Return the t that stands for `x`."""
    return (mpmath.mpf(x) - MIDDLE) / (x + MIDDLE)


def erfc_quotient(t: Real) -> Real:
    """Return ``erfc(x) exp(x**2) (1 + 2 x)``."""
    x = MIDDLE * (1 + t) / (1 - t)
    return mpmath.erfc(x) * mpmath.exp(x * x) * (1 + 2 * x)


def intervals(kind: str) -> dict[str, tuple[Callable[[Real], Real], Real, Real]]:
    """Return the function behind each table, and where it is needed, a little widened."""
    half, root = mpmath.log(2) / 2, mpmath.sqrt(2)
    slack = mpmath.mpf("1.0001")
    s = (root - 1) / (root + 1)
    return {
        "EXP": (exp_quotient, -half * slack, half * slack),
        "EXPM1": (exp_quotient, -mpmath.mpf(HALF), mpmath.mpf(HALF)),
        "TANH": (tanh_quotient, mpmath.mpf(0), mpmath.mpf(NEAR) ** 2),
        "LOG": (log_quotient, (1 / root - 1) * slack, (root - 1) * slack),
        "ATANH": (atanh_quotient, mpmath.mpf(0), s * s * slack),
        "ERF": (erf_quotient, mpmath.mpf(0), mpmath.mpf(1)),
        "ERFC": (erfc_quotient, mpmath.mpf(-1), position(REACH.get(kind, 1.0))),
    }


def rounded(exact: Real, digits: int) -> Real:
    """Return `exact`, rounded to so many binary digits."""
    with mpmath.workprec(digits):
        return +exact


def in_two(exact: Real, kind: str, spared: int = 0) -> tuple[float, float]:
    """Return a number in two parts of the dtype; the first has `spared` digits less."""
    digits = DIGITS[kind]
    first = rounded(exact, digits - spared)
    return float(first), float(rounded(exact - first, digits))


def polynomial(name: str, kind: str) -> list[float]:
    """Return the coefficients of one table, the highest first."""
    function, low, high = intervals(kind)[name]
    if name == "TANH":
        return rounded_in_turn(function, high, DEGREES[name][kind], DIGITS[kind])
    found = interpolate(function, low, high, DEGREES[name][kind])
    return [float(rounded(c, DIGITS[kind])) for c in reversed(found)]


def rounded_in_turn(
    function: Callable[[Real], Real], high: Real, degree: int, digits: int
) -> list[float]:
    """Return coefficients for z in ``[0, high]``, where an error weighs as ``z**1.5``.

    Each is rounded before the others are fitted to what remains: so its error is made up for.
    """
    count = 6 * (degree + 1)
    places = [high * (1 - mpmath.cospi((i + mpmath.mpf(0.5)) / count)) / 2 for i in range(count)]
    weights = [z**1.5 for z in places]
    exact = [function(z) for z in places]
    found: list[Real] = []
    for k in range(degree + 1):
        powers = range(k, degree + 1)
        rows = [[w * z**p for p in powers] for z, w in zip(places, weights, strict=True)]
        rest = [
            w * (f - mpmath.polyval(found[::-1], z))
            for z, w, f in zip(places, weights, exact, strict=True)
        ]
        fitted = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(rest))
        found.append(rounded(fitted[0], digits))
    return [float(c) for c in reversed(found)]


def error(name: str, kind: str) -> float:
    """Return how far the rounded polynomial is from its function, at most."""
    function, low, high = intervals(kind)[name]
    numbers = polynomial(name, kind)
    points = [low + (high - low) * i / 400 for i in range(401)]
    return float(max(abs(mpmath.polyval(numbers, x) - function(x)) for x in points))


def tables() -> dict[str, dict[str, list[float] | tuple[float, ...]]]:
    """Return all tables: by name, then by dtype."""
    with mpmath.workdps(50):
        ln2 = mpmath.log(2)
        kinds = list(EXPONENT_DIGITS)
        found: dict[str, dict[str, list[float] | tuple[float, ...]]] = {
            "LN2": {kind: in_two(ln2, kind, spared) for kind, spared in EXPONENT_DIGITS.items()},
            "LOG2E": {kind: in_two(1 / ln2, kind) for kind in kinds},
            "TWO_THIRDS": {"float64": in_two(mpmath.mpf(2) / 3, "float64")},
        }
        for name, degrees in DEGREES.items():
            found[name] = {kind: polynomial(name, kind) for kind in degrees}
        return found


def source() -> str:
    """Return the text of the module with all coefficients."""
    lines = [
        '"""Polynomials from the top down, and numbers in two parts, for the elementary functions.',
        "",
        "Written by tools/fit_elementary.py, which says what they are: do not edit.",
        '"""',
        "",
        f"HALF = {HALF!r}",
        f"MIDDLE = {MIDDLE!r}",
        f"NEAR = {NEAR!r}",
        "REACH = {" + ", ".join(f'"{kind}": {x!r}' for kind, x in REACH.items()) + "}",
    ]
    for name, by_kind in tables().items():
        lines += ["", f"{name} = {{"]
        for kind, numbers in by_kind.items():
            items = [f"        {c!r}," for c in numbers]
            lines += [f'    "{kind}": (', *items, "    ),"]
        lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
    for name, degrees in DEGREES.items():
        for kind in degrees:
            with mpmath.workdps(50):
                print(f"{name:6} {kind:8} degree {degrees[kind]:2}: {error(name, kind):.1e}")
