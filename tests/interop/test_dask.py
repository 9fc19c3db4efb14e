"""Dask: nothing is computed while value and gradient are built, and chunks are kept."""

from collections.abc import Iterator
from typing import Any, NoReturn

import dask.array as da
import numpy as np
import pytest
from dask import config

import portable_losses as pl
from portable_losses import autograd
from tests.libraries import EVERY_ROW, named
from tests.rows import FEW, ONCE
from tests.samples import Sample

DASK = named("dask")

# A graph takes a tenth of a second to build, and that of a gradient holds that of the value.
VALUES = [row for row in ONCE if EVERY_ROW or row in FEW or not row.variables]
GRADIENTS = [row for row in ONCE if row.variables]


def refuse(*_: Any, **__: Any) -> NoReturn:
    msg = "the graph was computed while it was built"
    raise AssertionError(msg)


@pytest.fixture
def lazy() -> Iterator[None]:
    """Every computation is an error."""
    with config.set(scheduler=refuse):
        yield


def test_the_law_of_laziness_can_fail(lazy: None) -> None:
    with pytest.raises(AssertionError, match="was computed"):
        float(da.ones(3).sum())


def assert_close(got: Any, want: Any) -> None:
    size = float(np.max(np.abs(want), initial=0.1, where=np.isfinite(want)))
    np.testing.assert_allclose(DASK.numpy(got), want, rtol=1e-11, atol=1e-13 * size)


@pytest.mark.parametrize("row", VALUES, ids=str)
def test_a_value_is_built_without_computing(row: Sample) -> None:
    with config.set(scheduler=refuse):
        outs = row.call(row.on(DASK))
    for out, value in zip(outs, row.value, strict=True):
        assert isinstance(out, da.Array)
        assert out.shape == value.shape  # no unknown chunks
        assert_close(out, value)


@pytest.mark.parametrize("row", GRADIENTS, ids=str)
def test_a_gradient_is_built_without_computing_and_has_the_chunks_of_its_array(
    row: Sample,
) -> None:
    arrays = row.on(DASK)
    xs = [arrays[key] for key in row.variables]
    with config.set(scheduler=refuse):
        f = row.scalar(arrays, DASK, "float64")
        grads = autograd.grad(f, argnums=tuple(range(len(xs))))(*xs)
    for x, grad, want in zip(xs, grads, row.gradient, strict=True):
        assert isinstance(grad, da.Array)
        assert grad.chunks == x.chunks
        assert_close(grad, want)


@pytest.mark.parametrize("row", FEW[::2], ids=str)
@pytest.mark.parametrize("chunks", [1, -1], ids="chunks of {}".format)
def test_chunks_change_no_value_and_no_gradient(row: Sample, chunks: int) -> None:
    arrays = {key: a.rechunk(chunks) for key, a in row.on(DASK).items()}
    for out, want in zip(row.call(arrays), row.value, strict=True):
        np.testing.assert_allclose(DASK.numpy(out), want, rtol=1e-11, atol=1e-13)
    first = row.variables[0]
    f = row.scalar(arrays, DASK, "float64")
    grad = autograd.grad(f)(*(arrays[key] for key in row.variables))
    np.testing.assert_allclose(DASK.numpy(grad), row.gradient[0], rtol=1e-10, atol=1e-12)
    assert grad.chunks == arrays[first].chunks


def test_rows_far_apart_stay_in_their_own_chunks(lazy: None) -> None:
    z = da.zeros((1000, 10), chunks=(100, 10))
    y = da.zeros(1000, chunks=100, dtype=np.int64)
    loss = pl.cross_entropy(z, y, reduction="none")
    assert loss.chunks == ((100,) * 10,)
    grad = autograd.grad(lambda z: pl.cross_entropy(z, y, reduction="sum"))(z)
    assert grad.chunks == z.chunks
