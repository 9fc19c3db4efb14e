"""Measures of vectors and `logsumexp` with coefficients broadcast; losses do not."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from tests.libraries import EVERY_ROW, EVERYWHERE, SLOW, Library

MEASURES: dict[str, Callable[..., Any]] = {
    "cosine_similarity": pl.cosine_similarity,
    "cosine_distance": pl.cosine_distance,
    "pairwise_distance": pl.pairwise_distance,
    "pairwise_distance p 3": lambda a, b, **o: pl.pairwise_distance(a, b, p=3.0, eps=0.25, **o),
}
RANDOM = np.random.default_rng(26)
SHAPES = [
    ((3, 1, 4), (1, 5, 4), -1),  # all pairs
    ((3, 4), (4,), -1),
    ((4,), (3, 4), 1),
    ((3, 1, 4), (5, 4), 2),
    ((3, 1), (3, 4), 1),  # vectors of equal entries
    ((2, 3, 4), (1, 3, 1), 0),
    ((4,), (3, 1), 0),
]


def over(shapes: list[Any]) -> Any:
    """Parametrise by library and shapes; slow libraries take the first."""
    some = [one for one in EVERYWHERE if EVERY_ROW or one.name in ("numpy", "torch", "jax", "dask")]
    pairs = [(one, s) for one in some for s in shapes[: 1 if one.module in SLOW else None]]
    return pytest.mark.parametrize("library, shapes", pairs, ids=str)


@over(SHAPES)
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_of_arrays_that_broadcast_is_that_of_the_broadcast_arrays(
    library: Library, name: str, shapes: Any
) -> None:
    first, second, axis = shapes
    measure = MEASURES[name]
    x, y = RANDOM.uniform(-1, 1, first), RANDOM.uniform(-1, 1, second)
    got = measure(library.array(x), library.array(y), axis=axis)
    want = measure(*(np.ascontiguousarray(a) for a in np.broadcast_arrays(x, y)), axis=axis)
    np.testing.assert_allclose(library.numpy(got), want, rtol=1e-12, atol=1e-15, strict=True)


@pytest.mark.parametrize("name", MEASURES)
def test_its_gradient_is_the_sum_over_what_was_repeated(name: str) -> None:
    measure = MEASURES[name]
    x, y = RANDOM.uniform(-1, 1, (3, 1, 4)), RANDOM.uniform(-1, 1, (1, 5, 4))

    def total(a: Any, b: Any) -> Any:
        out = measure(a, b)
        return out.__array_namespace__().sum(out)

    got = pl.autograd.grad(total, argnums=(0, 1))(x, y)
    wide = pl.autograd.grad(total, argnums=(0, 1))(
        *(np.ascontiguousarray(a) for a in np.broadcast_arrays(x, y))
    )
    for one, all_of_it, axis in zip(got, wide, (1, 0), strict=True):  # whose terms may cancel
        want = all_of_it.sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(one, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "loss", [pl.cosine_embedding_loss, pl.triplet_margin_loss], ids=lambda f: f.__name__
)
def test_a_loss_of_vectors_does_not_broadcast(loss: Any) -> None:
    x, y = np.ones((3, 4)), np.ones((1, 4))
    last = np.ones(3, np.int64) if loss is pl.cosine_embedding_loss else x
    with pytest.raises(ValueError, match="shapes must be equal"):
        loss(x, y, last)


@over([((3, 1), (1, 5)), ((4,), (3, 4)), ((3, 4), (4,)), ((), (3,)), ((3, 1), (3, 4))])
def test_coefficients_of_a_sum_broadcast_both_ways(library: Library, shapes: Any) -> None:
    x, b = (RANDOM.uniform(0.1, 1, shape) for shape in shapes)
    for axis in (None, -1):
        got = pl.logsumexp(library.array(x), b=library.array(b), axis=axis)
        want = np.log(np.sum(b * np.exp(x), axis=axis))
        np.testing.assert_allclose(library.numpy(got), want, rtol=1e-13)


COMPLEX = RANDOM.uniform(-1, 1, (3, 4)) * 900 + 1j * RANDOM.uniform(-3, 3, (3, 4))
FACTORS = RANDOM.uniform(-1, 1, (3, 4))


def exact_sum(x: Any, b: Any) -> Any:
    with mpmath.workdps(60):
        terms = [mpmath.mpc(f) * mpmath.exp(mpmath.mpc(v)) for v, f in zip(x, b, strict=True)]
        return mpmath.fsum(terms)


@pytest.mark.parametrize("library", EVERYWHERE, ids=str)
def test_the_logarithm_of_a_sum_of_complex_exponentials(library: Library) -> None:
    got = library.numpy(pl.logsumexp(library.array(COMPLEX), b=library.array(FACTORS), axis=1))
    length, phase = pl.logsumexp(
        library.array(COMPLEX), b=library.array(FACTORS), axis=1, return_sign=True
    )
    for i, row in enumerate(COMPLEX):
        total = exact_sum(row, FACTORS[i])
        want = complex(mpmath.log(total))
        assert abs(got[i] - want) <= 1e-13 * abs(want)
        assert abs(library.numpy(length)[i] - want.real) <= 1e-13 * abs(want.real)
        assert abs(library.numpy(phase)[i] - complex(total / abs(total))) <= 1e-13


def test_masks_and_empty_sums_of_complex_numbers() -> None:
    x = np.asarray([np.nan + 1j, 2 + 1j, np.inf])
    assert pl.logsumexp(x, where=np.asarray([False, True, False])) == 2 + 1j
    assert pl.logsumexp(x, b=np.asarray([0.0, 1.0, 0.0])) == 2 + 1j
    assert pl.logsumexp(x[:0]) == -np.inf
    assert pl.logsumexp(np.asarray([-np.inf + 0j, -np.inf])) == -np.inf


@pytest.mark.parametrize("library", [one for one in EVERYWHERE if one.name != "dask"], ids=str)
def test_the_slope_of_a_complex_sum_is_its_shares(library: Library) -> None:
    def real_part(x: Any) -> Any:
        out = pl.logsumexp(x)
        return array_namespace(out).real(out)

    x = COMPLEX[0] / 900
    (got,) = library.gradient(real_part, (0,))(library.array(x))
    shares = np.exp(x) / np.exp(x).sum()
    want = shares if library.module == "jax.numpy" and not library.tape else shares.conj()
    np.testing.assert_allclose(library.numpy(got), want, rtol=1e-12)
