"""Vectors at the ends of the numbers: parallel ones, tiny ones, and norms of a small order."""

from typing import Any

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from tests.libraries import Library, named

TORCH_AND_STRICT = [named(name) for name in ("torch", "array_api_strict")]
LABELS = np.asarray([0, 0, 1])
OF_VECTORS: dict[str, Any] = {
    "normalize": lambda x, y, labels: pl.normalize(x),
    "normalize, eps 0": lambda x, y, labels: pl.normalize(x, eps=0.0),
    "normalize, eps 1, p 3": lambda x, y, labels: pl.normalize(x, eps=1.0, p=3.0),
    "standardize": lambda x, y, labels: pl.standardize(x, eps=0.0),
    "cosine_similarity": lambda x, y, labels: pl.cosine_similarity(x, y),
    "cosine_similarity, eps": lambda x, y, labels: pl.cosine_similarity(x, y, eps=1e-8),
    "cosine_distance": lambda x, y, labels: pl.cosine_distance(x, y),
    "pairwise_distance": lambda x, y, labels: pl.pairwise_distance(x, y),
    "triplet_margin_loss": lambda x, y, labels: pl.triplet_margin_loss(x, y, -y),
    "info_nce_loss": lambda x, y, labels: pl.info_nce_loss(x, y),
    "ntxent_loss": lambda x, y, labels: pl.ntxent_loss(x, labels),
    "circle_loss": lambda x, y, labels: pl.circle_loss(x, labels),
}


@pytest.mark.parametrize("library", TORCH_AND_STRICT, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OF_VECTORS)
def test_subnormal_vectors_have_the_same_result_everywhere(
    library: Library, dtype: str, name: str
) -> None:
    unit = float(np.finfo(dtype).smallest_subnormal)
    x = np.asarray([[3 * unit, 4 * unit], [unit, 0.0], [3e3 * unit, -4e3 * unit]], dtype)
    y = np.asarray([[1.0, 1.0], [2 * unit, unit], [-1.0, 0.5]], dtype)
    with np.errstate(all="ignore"):
        want = OF_VECTORS[name](x, y, LABELS)
        got = OF_VECTORS[name](*(library.array(a, dtype) for a in (x, y, LABELS)))
    assert np.all(np.isfinite(want))
    np.testing.assert_allclose(library.numpy(got), want, rtol=8 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_cosine_lies_in_its_interval_and_a_distance_in_its_own(dtype: str, size: int) -> None:
    x = np.random.default_rng(0).normal(size=(4000 // size, size)).astype(dtype)
    for other in (x, -x, (2 * x).astype(dtype)):
        cosine, distance = pl.cosine_similarity(x, other), pl.cosine_distance(x, other)
        assert np.all(np.abs(cosine) <= 1)
        assert np.all((distance >= 0) & (distance <= 2))
        target = np.ones(len(x))
        none = pl.cosine_embedding_loss(x, other, -target, margin=1.0, reduction="none")
        assert np.all(none == 0)
        assert np.all(pl.cosine_embedding_loss(x, other, target, reduction="none") >= 0)


@pytest.mark.parametrize("library", [named("numpy"), named("torch")], ids=str)
@pytest.mark.parametrize("function", [pl.cosine_similarity, pl.cosine_distance])
def test_the_slope_of_a_cosine_is_right_where_rounding_would_leave_its_interval(
    library: Library, function: Any
) -> None:
    """At equal vectors it is 0, and the next derivative is not that of a constant."""
    x = library.array(np.random.default_rng(1).normal(size=(50, 3)), "float64")
    slope = library.gradient(lambda a: total(function(a, x)), (0,))
    np.testing.assert_allclose(library.numpy(slope(x)[0]), 0, atol=1e-15)

    def along(a: Any) -> Any:
        made = slope(a)[0]
        return total(made * library.array(np.linspace(1, 2, 3), "float64"))

    bend = library.numpy(library.gradient(along, (0,))(x)[0])
    v, w = library.numpy(x), np.linspace(1, 2, 3)
    square = np.sum(v * v, -1, keepdims=True)
    exact = (np.sum(v * w, -1, keepdims=True) * v / square - w) / square
    sign = 1 if function is pl.cosine_similarity else -1
    np.testing.assert_allclose(bend, sign * exact, rtol=1e-9, atol=1e-9)


def total(x: Any) -> Any:
    return array_namespace(x).sum(x)


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 1.0, 2.0, np.inf])
def test_a_triplet_costs_what_it_is_defined_to_also_where_distances_overflow(
    name: str, dtype: Any, p: float
) -> None:
    library, dice, top = named(name), np.random.default_rng(0), float(np.finfo(dtype).max)
    for size in (1e-30, 1e-3, 1.0, 1e30, top):
        a, b, c = (dice.uniform(-size / 2, size / 2, (4, 5)).astype(dtype) * 2 for _ in range(3))
        c[0] = b[0]
        arrays = [library.array(x, str(np.dtype(dtype))) for x in (a, b, c)]
        with np.errstate(all="ignore"):
            loss = library.numpy(pl.triplet_margin_loss(*arrays, p=p, reduction="none"))
            slope = autograd.grad(pl.triplet_margin_loss)(a, b, c, p=p)
        assert not np.any(np.isnan(slope))
        for i, got in enumerate(loss):
            near, far = exact_distance(a[i], b[i], p), exact_distance(a[i], c[i], p)
            want = max(mpmath.mpf(0), near - far + 1)
            if np.isinf(got):
                assert max(near, far) > top
                assert want > 0
            else:
                assert abs(want - float(got)) <= 64 * np.finfo(dtype).eps * max(near, far, 1) / min(
                    p, 1
                )


def exact_distance(x: Any, y: Any, p: float) -> Any:
    sizes = [abs(mpmath.mpf(float(u)) - mpmath.mpf(float(v))) for u, v in zip(x, y, strict=True)]
    if np.isinf(p):
        return max(sizes)
    return mpmath.fsum(s**p for s in sizes) ** (1 / mpmath.mpf(p))
