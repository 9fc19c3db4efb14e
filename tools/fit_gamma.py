"""Compute the numbers behind the logarithm of gamma and its derivatives, and write them down.

Run ``python -m tools.fit_gamma`` after a change here: it rewrites
``portable_losses/special/_gamma_coefficients.py``. It needs mpmath and nothing else, and yields
the same file on every machine: all arithmetic has 50 digits and every coefficient is rounded
once, at the end.

Both functions have roots, at which every sum of large terms loses its digits. So the roots are
divided out, and what is left is interpolated at Chebyshev points for ``LOW <= x <= HIGH``:

- ``GAMMALN``: p(t) with ``log(gamma(x)) = (x - 1) (x - 2) p(t)``.
- ``DIGAMMA``: p(t) with ``x digamma(x) = (x - r) p(t)``, and ``ROOT`` holds r in two parts.

``t = (x - middle) / (x + middle)`` sends the singularities at 0 and at infinity to -1 and 1; the
middle of each, the second number, keeps the interval away from both.
From ``HIGH`` on there is Stirling's series: ``STIRLING`` and ``BERNOULLI`` hold its coefficients
for the logarithm (in 1/x) and ``B_2k`` for the derivatives.
"""

from pathlib import Path
from typing import Any

import mpmath

from tools.fit_error_function import in_two, interpolate

Real = Any  # mpmath has no types
TARGET = Path(__file__).parents[1] / "portable_losses" / "special" / "_gamma_coefficients.py"
LOW, HIGH = 0.5, 12.0
MIDDLE, DIGAMMA_MIDDLE = 2.5, 4.0
TERMS = 8
DEGREES = {"float32": (17, 13), "float64": (37, 28)}  # of gammaln, digamma


def position(t: Real, middle: float) -> Real:
    """Return the x that t stands for."""
    return middle * (1 + t) / (1 - t)


def gammaln_quotient(t: Real) -> Real:
    """Return ``log(gamma(x))`` without its roots."""
    x = position(t, MIDDLE)
    return mpmath.loggamma(x) / ((x - 1) * (x - 2))


def interval(middle: float) -> tuple[Real, Real]:
    """Return where t begins and ends."""
    low, high = (mpmath.mpf(x) for x in (LOW, HIGH))
    return (low - middle) / (low + middle), (high - middle) / (high + middle)


def tables(dtype: str) -> dict[str, tuple[float, ...]]:
    """Return the root in two parts, and the polynomials from the top."""
    with mpmath.workdps(50):
        root = mpmath.findroot(mpmath.digamma, 1.46)

        def digamma_quotient(t: Real) -> Real:
            x = position(t, DIGAMMA_MIDDLE)
            return x * mpmath.digamma(x) / (x - root)

        degrees = DEGREES[dtype]
        polynomials = {
            "GAMMALN": interpolate(gammaln_quotient, *interval(MIDDLE), degrees[0]),
            "DIGAMMA": interpolate(digamma_quotient, *interval(DIGAMMA_MIDDLE), degrees[1]),
        }
        highest_first = {name: tuple(map(float, reversed(p))) for name, p in polynomials.items()}
        return {"ROOT": in_two(root, dtype), **highest_first}


def source() -> str:
    """Return the text of the module with all coefficients."""
    lines = [
        '"""A root in two parts, polynomials from the top down, the numbers of Stirling\'s series.',
        "",
        "Written by tools/fit_gamma.py, which says what they are: do not edit.",
        '"""',
        "",
        f"LOW, HIGH = {LOW!r}, {HIGH!r}",
        f"MIDDLE, DIGAMMA_MIDDLE = {MIDDLE!r}, {DIGAMMA_MIDDLE!r}",
    ]
    by_dtype = {dtype: tables(dtype) for dtype in DEGREES}
    for name in by_dtype["float32"]:
        lines += ["", f"{name} = {{"]
        for dtype, numbers in by_dtype.items():
            items = [f"        {c!r}," for c in numbers[name]]
            lines += [f'    "{dtype}": (', *items, "    ),"]
        lines.append("}")
    with mpmath.workdps(50):
        bernoulli = [mpmath.bernoulli(2 * k) for k in range(1, TERMS + 1)]
        stirling = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(bernoulli, 1)]
    for name, values in (("STIRLING", stirling), ("BERNOULLI", bernoulli)):
        lines += ["", f"{name} = (", *(f"    {float(v)!r}," for v in values), ")"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
