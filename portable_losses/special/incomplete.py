"""Incomplete gamma and beta functions, differentiated by their argument and not by parameters.

They are the distribution functions of chi-squared, Student's t and F, which SciPy's tests of
hypotheses call. A series or a continued fraction runs for `STEPS` terms, or until nothing
changes where values can be read; what has not converged by then (parameters beyond some
thousands) is NaN, not a wrong number. The relative error in float64 stays below 1e-12 for
parameters up to a few hundred: the logarithms of gamma in the common factor cancel.

Sources: NIST Digital Library of Mathematical Functions, 8.7.1, 8.9.2, 8.17.22.
"""

from collections.abc import Callable

from portable_losses._gradient import with_gradient
from portable_losses._polyfill import minimum, readable, where
from portable_losses._stable import INF, NAN, log1p_inside
from portable_losses._typing import Array, Namespace
from portable_losses.special.gamma import _gammaln

STEPS = 300


# ---- gamma ------------------------------------------------------------------------------------


def _incomplete_gamma_grad(
    grad: Array, out: Array, a: Array, x: Array, *, xp: Namespace, upper: bool
) -> tuple[Array | None, Array]:
    """``x**(a - 1) * exp(-x) / gamma(a)`` in x, none in a."""
    inside = (x > 0) & (x < INF)
    density = xp.exp(_log_gamma_density(a, where(inside, x, 1.0, xp=xp), xp=xp))
    slope = where(inside, density, 0.0, xp=xp)
    return None, -grad * slope if upper else grad * slope


@with_gradient(_incomplete_gamma_grad)
def _incomplete_gamma(a: Array, x: Array, *, xp: Namespace, upper: bool) -> Array:
    """Upper or lower regularised incomplete gamma function, for a > 0 and x >= 0."""
    inside = (a > 0) & (x > 0) & (x < INF)
    p, z = where(inside, a, 1.0, xp=xp), where(inside, x, 1.0, xp=xp)
    low = z < p + 1
    scale = xp.exp(_log_gamma_density(p, z, xp=xp)) * z
    below = scale * _gamma_series(p, where(low, z, p, xp=xp), xp=xp)
    above = scale * _gamma_fraction(p, where(low, p + 1, z, xp=xp), xp=xp)
    if upper:
        value = where(low, 1.0 - below, above, xp=xp)
    else:
        value = where(low, below, 1.0 - above, xp=xp)
    ends = where(
        x == 0, float(upper), where(x == INF, 0.0 * p + float(not upper), NAN, xp=xp), xp=xp
    )
    return where(inside, value, where(a > 0, ends, NAN, xp=xp), xp=xp)


def _log_gamma_density(a: Array, x: Array, *, xp: Namespace) -> Array:
    """``log(x**(a - 1) * exp(-x) / gamma(a))``."""
    return (a - 1) * xp.log(x) - x - _gammaln(a, xp=xp)


def _gamma_series(a: Array, x: Array, *, xp: Namespace) -> Array:
    """``sum over n of x**n / (a * (a + 1) * ... * (a + n))``, for x < a + 1."""
    term = 1 / a
    total = term
    for n in range(1, STEPS):
        term = term * (x / (a + n))
        total = total + term
        if _converged(term <= 1e-17 * total, xp=xp):
            break
    return where(term <= 1e-12 * total, total, NAN, xp=xp)


def _gamma_fraction(a: Array, x: Array, *, xp: Namespace) -> Array:
    """``1 / (x + 1 - a - (1 - a) / (x + 3 - a - ...))``, for x >= a + 1."""
    return 1 / _fraction(
        x + 1 - a,
        lambda n: (-n * (n - a), x + (2 * n + 1) - a),
        xp=xp,
    )


# ---- beta -------------------------------------------------------------------------------------


def _incomplete_beta_grad(
    grad: Array, out: Array, a: Array, b: Array, x: Array, *, xp: Namespace, upper: bool
) -> tuple[Array | None, ...]:
    """``x**(a - 1) * (1 - x)**(b - 1) / beta(a, b)`` in x, none in a and b."""
    inside = (x > 0) & (x < 1)
    z = where(inside, x, 0.5, xp=xp)
    density = xp.exp((a - 1) * xp.log(z) + (b - 1) * log1p_inside(-z, xp=xp) - _betaln(a, b, xp=xp))
    slope = where(inside, density, 0.0, xp=xp)
    return None, None, -grad * slope if upper else grad * slope


@with_gradient(_incomplete_beta_grad)
def _incomplete_beta(a: Array, b: Array, x: Array, *, xp: Namespace, upper: bool) -> Array:
    """Upper or lower regularised incomplete beta function, for a, b > 0 and 0 <= x <= 1."""
    positive = (a > 0) & (b > 0)
    inside = positive & (x > 0) & (x < 1)
    p, q = where(inside, a, 1.0, xp=xp), where(inside, b, 1.0, xp=xp)
    z = where(inside, x, 0.5, xp=xp)
    value = _beta_part(q, p, 1 - z, z, xp=xp) if upper else _beta_part(p, q, z, 1 - z, xp=xp)
    ends = where(positive & ((x == 0) | (x == 1)), 1 - x if upper else x, NAN, xp=xp)
    return where(inside, value, ends, xp=xp)


def _beta_part(a: Array, b: Array, x: Array, y: Array, *, xp: Namespace) -> Array:
    """Lower incomplete beta function of x, given ``y = 1 - x`` too, so that neither is rounded."""
    mirrored = x * (a + b + 2) > a + 1
    p, q = where(mirrored, b, a, xp=xp), where(mirrored, a, b, xp=xp)
    near, far = where(mirrored, y, x, xp=xp), where(mirrored, x, y, xp=xp)
    scale = xp.exp(p * xp.log(near) + q * xp.log(far) - _betaln(a, b, xp=xp)) / p

    def step(n: int) -> tuple[Array, Array]:
        m = n // 2
        if n % 2:
            factor = -(p + m) * (p + q + m) / ((p + 2 * m) * (p + 2 * m + 1))
        else:
            factor = m * (q - m) / ((p + 2 * m - 1) * (p + 2 * m))
        return factor * near, one

    one = 0 * near + 1
    part = scale / _fraction(one, step, xp=xp)
    return where(mirrored, 1 - part, part, xp=xp)


def _betaln(a: Array, b: Array, *, xp: Namespace) -> Array:
    """``log(beta(a, b))``."""
    return _gammaln(a, xp=xp) + _gammaln(b, xp=xp) - _gammaln(a + b, xp=xp)


def _stdtr_grad(
    grad: Array, out: Array, df: Array, t: Array, *, xp: Namespace
) -> tuple[Array | None, Array]:
    """``(1 + t**2 / df)**(-(df + 1) / 2) / (beta(df / 2, 1/2) * sqrt(df))`` in t, none in df."""
    half = 0 * df + 0.5
    exponent = -(df + 1) / 2 * xp.log1p(t * t / df) - _betaln(df / 2, half, xp=xp)
    return None, grad * xp.exp(exponent) / xp.sqrt(df)


@with_gradient(_stdtr_grad)
def _stdtr(df: Array, t: Array, *, xp: Namespace) -> Array:
    """Student's t distribution function."""
    half = 0 * df + 0.5
    size = where(t >= 0, t, -t, xp=xp)
    square = where(size > 0, minimum(size, 1e18, xp=xp), 1.0, xp=xp) ** 2  # no overflow
    tail = 0.5 * _beta_part(df / 2, half, df / (square + df), square / (square + df), xp=xp)
    tail = where(size == 0, half, where(size == INF, 0 * half, tail, xp=xp), xp=xp)
    tail = where(t != t, t, tail, xp=xp)
    return where(t < 0, tail, 1 - tail, xp=xp)


# ---- both -------------------------------------------------------------------------------------


def _fraction(first: Array, step: Callable[[int], tuple[Array, Array]], *, xp: Namespace) -> Array:
    """Return ``first + a1 / (b1 + a2 / (b2 + ...))`` for ``(an, bn) = step(n)``, by Lentz."""
    small, precision = 1e-30, float(xp.finfo(first.dtype).eps)
    result = first
    c, d = first, 0 * first
    change = first
    for n in range(1, STEPS):
        factor, offset = step(n)
        d = offset + factor * d
        c = offset + factor / c
        d = where(xp.abs(d) < small, small, d, xp=xp)
        c = where(xp.abs(c) < small, small, c, xp=xp)
        d = 1 / d
        change = c * d
        result = result * change
        if _converged(xp.abs(change - 1) <= precision, xp=xp):
            break
    return where(xp.abs(change - 1) < 1e4 * precision, result, NAN, xp=xp)


def _converged(condition: Array, *, xp: Namespace) -> bool:
    """Return whether `condition` holds everywhere; False where it cannot be read."""
    return readable(condition, xp=xp) and bool(xp.all(condition))
