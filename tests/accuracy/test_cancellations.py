"""What cancels in a row is off by no more than the rounding of its inputs makes.

A loss of a student next to its teacher, the slope of a cosine of near vectors: an input changed by
one ulp changes all their digits but a few. The bar is 8 ulp of the result, and what one ulp of each
input makes of it: its derivatives, taken from the definition at 80 digits.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace
from mpmath import exp, fsum, log, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.accuracy import references
from tests.accuracy.test_elements import DTYPES
from tests.libraries import EVERY_ROW, LIBRARIES, Library

BAR = 8
STEP = mpf(10) ** -25
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "torch")]
Row = Sequence[Any]


class Case(NamedTuple):
    """A function of rows, its definition, and the rows; the gradient is by so many arrays."""

    call: Callable[..., Array]
    exact: Callable[..., list[Any]]
    rows: Callable[[], list[tuple[Array, ...]]]
    by: int = 1


def _pairs() -> list[tuple[Array, ...]]:
    """Return rows next to others, at two distances, and one far from another."""
    rng = np.random.default_rng(15)
    rows = [3 * rng.standard_normal(3) for _ in range(3)]
    apart = (2.0**-6, 2.0**-14, 4.0)
    return [(x + s * rng.standard_normal(3), x) for x, s in zip(rows, apart, strict=True)]


def _alone() -> list[tuple[Array, ...]]:
    (x, _), (y, _), _ = _pairs()
    return [(x,), (y + 100,), (40 * y,)]


def _logs() -> list[tuple[Array, ...]]:
    return [tuple(x - np.log(np.sum(np.exp(x))) for x in pair) for pair in _pairs()]


def _shares() -> list[tuple[Array, ...]]:
    return [(x, np.exp(y)) for x, y in _logs()]


def _divergence(log_q: Row, log_p: Row, beta: float) -> Any:
    """Return ``beta * KL(p | m) + (1 - beta) * KL(q | m)``; its limits, where beta is 0 or 1."""
    if beta in (0, 1):
        first, second = (log_p, log_q) if beta == 0 else (log_q, log_p)
        return fsum(exp(a) * (a - b) for a, b in zip(first, second, strict=True))
    total, share = mpf(0), mpf(beta)
    for q, p in zip(map(exp, log_q), map(exp, log_p), strict=True):
        m = share * p + (1 - share) * q
        total += share * p * log(p / m) + (1 - share) * q * log(q / m)
    return total


def _distilled(divergence: Any, beta: float, temperature: float) -> Case:
    limits = {"kl": 0.0, "reverse_kl": 1.0, "js": beta}

    def exact(x: Row, y: Row) -> list[Any]:
        t = mpf(temperature)
        rows = (references.log_softmax([v / t for v in z]) for z in (x, y))
        return [t * t * _divergence(*rows, limits[divergence])]

    options: Any = {"divergence": divergence, "temperature": temperature, "beta": beta}
    return Case(lambda x, y: pl.distillation_loss(x, y, reduction="none", **options), exact, _pairs)


def _divided(function: Any, log_target: bool, exact: Any, **options: Any) -> Case:
    given: Any = {"axis": -1, "reduction": "none", "log_target": log_target, **options}
    return Case(
        lambda x, y: function(x, y, **given),
        lambda x, y: [exact(x, y if log_target else list(map(log, y)))],
        _logs if log_target else _shares,
        2,
    )


def _excess(log_q: Row, log_p: Row) -> Any:
    pairs = zip(log_q, log_p, strict=True)
    return fsum(exp(p) * (p - q) - exp(p) + exp(q) for q, p in pairs)


def _dot(x: Row, y: Row) -> Any:
    return fsum(a * b for a, b in zip(x, y, strict=True))


def _cosine(x: Row, y: Row) -> Any:
    return _dot(x, y) / mpmath.sqrt(_dot(x, x) * _dot(y, y))


def _standard(x: Row) -> list[Any]:
    d = [v - fsum(x) / len(x) for v in x]
    return [v / mpmath.sqrt(_dot(d, d) / len(x)) for v in d]


def _focal(x: Row) -> list[Any]:
    share = mpf(0.125)
    terms = [-v * (1 - exp(v)) ** 2 for v in references.log_softmax(x)]
    return [(1 - share) * terms[1] + share * fsum(terms) / len(x)]


OPTIONS: Any = {"label_smoothing": 0.125, "z_loss": 0.0625, "softcap": 30.0}
CASES: dict[str, Case] = {
    "distillation kl": _distilled("kl", 0.5, 3.0),
    "distillation reverse_kl": _distilled("reverse_kl", 0.5, 3.0),
    "distillation js": _distilled("js", 0.5, 1.0),
    "distillation js beta": _distilled("js", 0.9375, 0.7),
    "kl_div": _divided(pl.kl_div, False, lambda x, y: _divergence(x, y, 0)),
    "generalized_kl_div": _divided(pl.generalized_kl_div, True, _excess),
    "js_div": _divided(pl.js_div, True, lambda x, y: _divergence(x, y, 0.5)),
    "js_div beta": _divided(pl.js_div, False, lambda x, y: _divergence(x, y, 0.125), beta=0.125),
    "normalize": Case(pl.normalize, lambda x: [v / mpmath.sqrt(_dot(x, x)) for v in x], _alone),
    "standardize": Case(lambda x: pl.standardize(x, eps=0.0), _standard, _alone),
    "cosine_similarity": Case(pl.cosine_similarity, lambda x, y: [_cosine(x, y)], _pairs, 2),
    "cosine_distance": Case(pl.cosine_distance, lambda x, y: [1 - _cosine(x, y)], _pairs, 2),
    "cross_entropy": Case(
        lambda x: pl.cross_entropy(x, _first(x), reduction="none", **OPTIONS),
        lambda x: [references.cross_entropy(x, 1, **{**OPTIONS, "softcap": mpf(30)})],
        _alone,
    ),
    "softmax_focal_loss": Case(
        lambda x: pl.softmax_focal_loss(x, _first(x), label_smoothing=0.125, reduction="none"),
        _focal,
        _alone,
    ),
}


def _first(x: Array) -> Array:
    return array_namespace(x).asarray(1)


def _unit(x: Any, dtype: Any) -> Any:
    return mpf(float(np.spacing(max(abs(dtype(float(x))), np.finfo(dtype).tiny))))


@cache
def truths(name: str, dtype: Any, number: int) -> tuple[Any, ...]:
    """Return arrays, cotangent, and ``(exact, allowed)`` of each value and of each slope."""
    case = CASES[name]
    given = [x.astype(dtype) for x in case.rows()[number]]
    rows = [[mpf(float(v)) for v in x] for x in given]
    places = [(i, j) for i, x in enumerate(rows) for j in range(len(x))]
    units = {(i, j): _unit(rows[i][j], dtype) for i, j in places}

    def at(*moves: Any) -> list[Any]:
        moved = [list(x) for x in rows]
        for (i, j), step in moves:
            moved[i][j] += step
        return case.exact(*moved)

    here = at()
    cotangent = np.cos(1.3 * np.arange(len(here)) + 0.2).astype(dtype)
    weights = [mpf(float(v)) for v in cotangent]
    up, down = ({x: at((x, step)) for x in places} for step in (STEP, -STEP))
    slopes = {
        x: [(a - b) / (2 * STEP) for a, b in zip(up[x], down[x], strict=True)] for x in places
    }
    values = [
        (v, BAR * _unit(v, dtype) + fsum(abs(slopes[x][k]) * units[x] for x in places))
        for k, v in enumerate(here)
    ]
    pulled, bends = [], dict[Any, Any]()
    for x in [x for x in places if x[0] < case.by]:
        slope = _dot(weights, slopes[x])
        allowed = BAR * _unit(slope, dtype)
        allowed += fsum(abs(v) * _unit(w, dtype) for v, w in zip(slopes[x], weights, strict=True))
        for y in places:
            if (y, x) in bends:
                allowed += bends[y, x] * units[y]
                continue
            ends = fsum(_dot(weights, at((x, h), (y, h))) for h in (STEP, -STEP))
            sides = fsum(_dot(weights, z[w]) for z in (up, down) for w in (x, y))
            middle = 2 * _dot(weights, here)
            bend = fsum((sides / 2, -middle)) if x == y else (ends - sides + middle) / 2
            bends[x, y] = abs(bend / STEP**2)
            allowed += bends[x, y] * units[y]
        pulled.append((slope, allowed))
    return given, cotangent, values, pulled


def assert_held(library: Library, name: str, dtype: Any, run: Any) -> None:
    """Hold value and gradient of a case to the bar."""
    case, kind = CASES[name], np.dtype(dtype).name
    for number in range(len(case.rows())):
        with mpmath.workdps(80):
            given, cotangent, *known = truths(name, dtype, number)
            arrays, weights = (
                [library.array(x, kind) for x in given],
                library.array(cotangent, kind),
            )

            def summed(*z: Array, weights: Array = weights) -> Array:
                made = case.call(*z)
                xp = array_namespace(made)
                return xp.sum(xp.reshape(made, (-1,)) * weights)

            slopes = library.gradient(summed, list(range(case.by)))
            value, found = run(lambda *z: (case.call(*z), slopes(*z)), *arrays)  # noqa: B023
            got = [np.ravel(library.numpy(value))]
            got.append(np.concatenate([np.ravel(library.numpy(x)) for x in found]))
            for what, made, truth in zip(("value", "gradient"), got, known, strict=True):
                for i, (x, (exact, allowed)) in enumerate(zip(made, truth, strict=True)):
                    off = abs(mpf(float(x)) - exact) / allowed
                    assert off <= 1, (what, number, i, float(x), float(exact), float(off))


EACH = [(name, dtype) for name in CASES for dtype in DTYPES]
HELD = [one for i, one in enumerate(EACH) if EVERY_ROW or (i + i // 2) % 2]


@pytest.mark.parametrize(("name", "dtype"), HELD)
@pytest.mark.parametrize("library", EAGER, ids=str)
def test_a_row_that_cancels_is_off_by_what_the_rounding_of_its_inputs_makes(
    library: Library, name: str, dtype: Any
) -> None:
    assert_held(library, name, dtype, lambda f, *arrays: f(*arrays))


@pytest.mark.parametrize(("name", "dtype"), HELD)
@pytest.mark.parametrize("library", EAGER[:1], ids=str)
def test_so_it_is_off_without_kernels(
    library: Library, name: str, dtype: Any, portable: Callable[..., Any]
) -> None:
    assert_held(library, name, dtype, portable)
