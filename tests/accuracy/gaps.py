"""Rows with entries at every distance from the largest, and what stands on that distance.

A difference ``x - max(x)`` is rounded, and an exponential multiplies the error by the distance: up
to 370 units in the last place in float64. `CASES` has the functions, each with its exact values.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import exp, expm1, mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.accuracy import references
from tests.accuracy.references import CERTAIN, Row
from tests.accuracy.ulp import strict_error, truth
from tests.libraries import Library

__all__ = [
    "CASES",
    "Case",
    "Given",
    "One",
    "both",
    "distilled",
    "errors",
    "exact",
    "given",
    "inputs",
    "measured",
]

# Where an entry is next to 0, and the largest is not, their difference is rounded the most.
TOPS = (0.3, 0.0, 26.3, 61.9, 351.7, 699.1, 1000.1, -1000.1, -1e4)
EDGES = {
    np.dtype(np.float64): (0, 0.7, 3, 12, 40, 90, 200, 400, 700),
    np.dtype(np.float32): (0, 0.7, 3, 12, 40, 60, 85),
}


@cache
def inputs(dtype: Any) -> tuple[Array, Array]:
    """Return rows with an entry in each stratum of gaps, and one row for each gap alone."""
    rng, edges = np.random.default_rng(15), EDGES[np.dtype(dtype)]
    gaps = rng.uniform(edges[:-1], edges[1:], (len(TOPS), len(edges) - 1))
    gaps = np.concatenate([np.zeros((len(TOPS), 1)), gaps], axis=1)
    gaps[0, -1] = edges[-1]
    wide = (np.asarray(TOPS)[:, None] - gaps).astype(dtype)
    alone = np.stack(
        [np.repeat(wide[:, :1], wide.shape[1] - 1, axis=1).ravel(), wide[:, 1:].ravel()], axis=1
    )
    alone[-1] = 1000.1, 1000.1 - min(666.8, edges[-1])
    return rng.permuted(wide, axis=1), rng.permuted(alone, axis=1)


class Given(NamedTuple):
    """What the functions take beside a matrix of rows; NumPy's arrays, or a library's."""

    right: Any
    wrong: Any
    shares: Any
    weight: Any
    teacher: Any
    eye: Any
    cotangent: Any


def given(x: Array) -> Given:
    """Return targets, class weights and the rest for the rows of `x`."""
    count = x.shape[-1]
    shares = 1 + np.round(64 * np.cos(np.arange(count))) / 128
    return Given(
        np.argmax(x, axis=-1),
        np.argmin(x, axis=-1),
        np.broadcast_to((shares / 16).astype(x.dtype), x.shape),
        (1.5 + np.round(32 * np.sin(np.arange(count))) / 64).astype(x.dtype),
        np.roll(x, 1, axis=-1),
        np.eye(count, dtype=x.dtype),
        np.broadcast_to((0.25 + np.cos(np.arange(count))).astype(x.dtype), x.shape),
    )


class Case(NamedTuple):
    """A function of rows, and its exact values and gradients, of one row.

    Where the result has entries, the gradient is that for `Given.cotangent`.
    """

    call: Callable[[Any, Given], Array]
    exact: Callable[[Row, "One"], tuple[Sequence[Any], Sequence[Any]]]


class One(NamedTuple):
    """What is given for one row, as exact numbers."""

    right: int
    wrong: int
    shares: Row
    weight: Row
    teacher: Row
    cotangent: Row


def _of_entries(value: Callable[..., Any], pullback: Callable[..., Any]) -> Any:
    return lambda x, one: (value(x), pullback(x, one.cotangent))


def _sum(x: Row, _: One) -> Any:
    return [references.logsumexp_terms(x)], references.logsumexp_pullback(x, mpf(1))


def _mean(x: Row, _: One) -> Any:
    count = mpmath.log(len(x))
    return [(references.logsumexp(x), -count)], references.softmax(x)


def _weighted_sum(x: Row, one: One) -> Any:
    terms = [b * exp(v) for b, v in zip(one.weight, x, strict=True)]
    whole = mpmath.fsum(terms)
    return [(mpmath.log(whole),)], [t / whole for t in terms]


def _running(x: Row, one: One) -> Any:
    sums = [references.logsumexp(x[: i + 1]) for i in range(len(x))]
    slopes = [
        tuple(one.cotangent[j] * exp(x[i] - sums[j]) for j in range(i, len(x)))
        for i in range(len(x))
    ]
    return [references.logsumexp_terms(x[: i + 1]) for i in range(len(x))], slopes


def _gumbel(temperature: float) -> Any:
    def exact(x: Row, one: One) -> Any:
        scale = 1 / mpf(temperature)
        values, slopes = (f([scale * v for v in x]) for f in (references.softmax, _pulled(one)))
        return values, [tuple(scale * t for t in terms) for terms in slopes]

    return exact


def _pulled(one: One) -> Callable[[Row], Any]:
    return lambda x: references.softmax_pullback(x, one.cotangent)


def _entropy(aim: Callable[[One], Any], **options: Any) -> Any:
    def exact(x: Row, one: One) -> Any:
        known = dict(options)
        if known.pop("weight", False):
            known["weight"] = one.weight
        value = references.cross_entropy(x, aim(one), **known)
        return [value], references.cross_entropy_gradient(x, aim(one), **known)

    return exact


def _by_loss(aim: Callable[[One], int], f: Callable[..., Any]) -> Any:
    """Return the values of a function of ``l = -log(p)``, given as ``f(l, p, 1 - p)``."""

    def exact(x: Row, one: One) -> Any:
        with mpmath.workdps(CERTAIN):
            log_p = references.log_softmax(x)
            loss = -log_p[aim(one)]
            value, slope = f(loss, exp(-loss), -expm1(-loss))
            by_x = [exp(v) for v in log_p]
            by_x[aim(one)] = expm1(-loss)
            return [value], [slope * v for v in by_x]

    return exact


def distilled(divergence: str, temperature: float, beta: float) -> Any:
    """Return the values of a divergence, whose gradient is given by terms without common parts."""

    def exact(x: Row, one: One) -> Any:
        with mpmath.workdps(CERTAIN):
            t, b = mpf(temperature), mpf(beta)
            log_q, log_p = (references.log_softmax([v / t for v in z]) for z in (x, one.teacher))
            p, q = ([exp(v) for v in z] for z in (log_p, log_q))
            if divergence == "kl":
                value = mpmath.fsum(a * (v - w) for a, v, w in zip(p, log_p, log_q, strict=True))
                return [t * t * value], [(t * a, -t * c) for a, c in zip(q, p, strict=True)]
            if divergence == "js":
                mixed = [mpmath.log(b * v + (1 - b) * w) for v, w in zip(p, q, strict=True)]
            else:
                b, mixed = mpf(0), log_p
            ratios = [v - w for v, w in zip(log_q, mixed, strict=True)]
            value = (1 - b) * mpmath.fsum(v * w for v, w in zip(q, ratios, strict=True))
            value += b * mpmath.fsum(a * (v - m) for a, v, m in zip(p, log_p, mixed, strict=True))
            beside = [v - ratios[q.index(max(q))] for v in ratios]
            up, down = references.parts([v * w for v, w in zip(q, beside, strict=True)])
            slopes = [
                tuple(t * (1 - b) * v * term for term in (w, -up, -down))
                for v, w in zip(q, beside, strict=True)
            ]
            return [t * t * value], slopes

    return exact


def _distillation(divergence: Any, temperature: float, beta: float = 0.5) -> Case:
    options: Any = {"divergence": divergence, "temperature": temperature, "beta": beta}
    return Case(
        lambda x, g: pl.distillation_loss(x, g.teacher, reduction="none", **options),
        distilled(**options),
    )


def _right(one: One) -> int:
    return one.right


def _wrong(one: One) -> int:
    return one.wrong


def _shares(one: One) -> Row:
    return one.shares


def _cross(target: str, **options: Any) -> Callable[[Any, Given], Array]:
    def call(x: Any, g: Given) -> Array:
        passed = {**options, "weight": g.weight} if "weight" in options else options
        return pl.cross_entropy(x, getattr(g, target), reduction="none", **passed)

    return call


def _linear(x: Any, g: Given) -> Array:
    return pl.linear_cross_entropy(x, g.eye, g.wrong, reduction="none")


def _of_complex(x: Any, _: Given) -> Array:
    xp: Any = array_namespace(x)
    wide = xp.complex64 if x.dtype == xp.float32 else xp.complex128
    return xp.real(pl.logsumexp(xp.astype(x, wide), axis=-1))


def _listed(x: Any, g: Given) -> Array:
    return pl.ranking_softmax_loss(x, g.shares, reduction="none")


def _focal(loss: Any, p: Any, rest: Any) -> Any:
    return rest**2 * loss, rest**2 + 2 * rest * p * loss


SHARE = 0.125
CASES: dict[str, Case] = {
    "softmax": Case(
        lambda x, g: pl.softmax(x),
        _of_entries(references.softmax, references.softmax_pullback),
    ),
    "softmin": Case(
        lambda x, g: pl.softmin(-x),
        _of_entries(references.softmax, references.softmax_pullback),
    ),
    "log_softmax": Case(
        lambda x, g: pl.log_softmax(x),
        _of_entries(references.log_softmax, references.log_softmax_pullback),
    ),
    "gumbel_softmax": Case(lambda x, g: pl.gumbel_softmax(x, 0 * x, temperature=0.3), _gumbel(0.3)),
    "logsumexp": Case(lambda x, g: pl.logsumexp(x, axis=-1), _sum),
    "logsumexp complex": Case(_of_complex, _sum),
    "logsumexp b": Case(lambda x, g: pl.logsumexp(x, axis=-1, b=g.weight), _weighted_sum),
    "logmeanexp": Case(lambda x, g: pl.logmeanexp(x, axis=-1), _mean),
    "cumulative_logsumexp": Case(lambda x, g: pl.cumulative_logsumexp(x), _running),
    "cross_entropy right": Case(_cross("right"), _entropy(_right)),
    "cross_entropy wrong": Case(_cross("wrong"), _entropy(_wrong)),
    "cross_entropy probabilities": Case(_cross("shares"), _entropy(_shares)),
    "cross_entropy smoothed": Case(
        _cross("right", label_smoothing=SHARE), _entropy(_right, label_smoothing=SHARE)
    ),
    "cross_entropy weighted": Case(_cross("wrong", weight=True), _entropy(_wrong, weight=True)),
    "cross_entropy z_loss": Case(_cross("right", z_loss=SHARE), _entropy(_right, z_loss=SHARE)),
    "cross_entropy capped": Case(_cross("wrong", softcap=30.0), _entropy(_wrong, softcap=mpf(30))),
    "cross_entropy capped by 50.1": Case(
        _cross("wrong", softcap=50.1), _entropy(_wrong, softcap=mpf(50.1))
    ),
    "cross_entropy capped z_loss": Case(
        _cross("right", softcap=36.75, z_loss=SHARE),
        _entropy(_right, softcap=mpf(36.75), z_loss=SHARE),
    ),
    "linear_cross_entropy": Case(_linear, _entropy(_wrong)),
    "linear_cross_entropy capped": Case(
        lambda x, g: pl.linear_cross_entropy(x, g.eye, g.wrong, softcap=30.0, reduction="none"),
        _entropy(_wrong, softcap=mpf(30)),
    ),
    "ranking_softmax_loss": Case(_listed, _entropy(_shares)),
    "softmax_focal_loss": Case(
        lambda x, g: pl.softmax_focal_loss(x, g.right, reduction="none"), _by_loss(_right, _focal)
    ),
    "poly_loss": Case(
        lambda x, g: pl.poly_loss(x, g.right, reduction="none"),
        _by_loss(_right, lambda loss, p, rest: (loss + 2 * rest, 1 + 2 * p)),
    ),
    "generalized_cross_entropy": Case(
        lambda x, g: pl.generalized_cross_entropy(x, g.wrong, q=0.25, reduction="none"),
        _by_loss(_wrong, lambda loss, p, rest: (-expm1(-0.25 * loss) / 0.25, exp(-0.25 * loss))),
    ),
    "distillation_loss": _distillation("kl", 3.0),
    "distillation_loss reverse_kl": _distillation("reverse_kl", 3.0),
    "distillation_loss js": _distillation("js", 3.0, 0.25),
}


@cache
def exact(name: str, dtype: Any, place: int) -> tuple[Any, Any]:
    """Return the exact values and gradients of a case at one of `inputs`, in its order."""
    x = inputs(dtype)[place]
    g, found = given(x), []
    with mpmath.workdps(60):
        for i, row in enumerate(x):
            of_row = (g.shares[i], g.weight, g.teacher[i], g.cotangent[i])
            one = One(int(g.right[i]), int(g.wrong[i]), *map(_numbers, of_row))
            found.append(CASES[name].exact(_numbers(row), one))
        values, slopes = ([v for one in part for v in one] for part in zip(*found, strict=True))
        return _truth(values, dtype), _truth(slopes, dtype)


def _numbers(x: Array) -> list[Any]:
    return [mpf(float(v)) for v in x]


def _truth(values: list[Any], dtype: Any) -> Any:
    entries = iter(values)
    return truth(lambda _: next(entries), (np.zeros(len(values), dtype),))


# ---- the measure -------------------------------------------------------------------------------


def both(library: Library, name: str) -> Callable[..., tuple[Array, Array]]:
    """Return the function of a library's arrays that computes value and gradient of a case."""

    def of(x: Array, *rest: Array) -> tuple[Array, Array]:
        g = Given(*rest)
        value = CASES[name].call(x, g)
        weights = g.cotangent if value.ndim == x.ndim else g.cotangent[..., 0] * 0 + 1

        def summed(z: Array) -> Array:
            made = CASES[name].call(z, g)
            return array_namespace(made).sum(made * weights, dtype=made.dtype)

        return value, library.gradient(summed, [0])(x)[0]

    return of


def errors(got: Array, known: Any) -> Array:
    """Return the strict errors of results, 0 where the truth is no normal number."""
    normal = known.scale - 1 > np.finfo(got.dtype).minexp
    return np.where(normal, strict_error(np.ravel(got), known), 0.0)


def measured(
    library: Library, name: str, dtype: Any, run: Callable[..., Any]
) -> list[tuple[float, Any]]:
    """Return the largest strict errors of value and gradient, with the rows of each.

    Results that are no normal numbers are left out.
    """
    worst: list[tuple[float, Any]] = [(0.0, None), (0.0, None)]
    for place, x in enumerate(inputs(dtype)):
        arrays = [library.array(a, np.dtype(dtype).name) for a in (x, *given(x))]
        truths = exact(name, dtype, place)
        for i, (made, known) in enumerate(zip(run(*arrays), truths, strict=True)):
            got = library.numpy(made)
            assert got.dtype == dtype
            error = errors(got, known)
            at = int(np.argmax(error))
            worst[i] = max(worst[i], (float(error[at]), x[at * len(x) // got.size]), key=_size)
    return worst


def _size(found: tuple[float, Any]) -> float:
    return found[0]
