"""`derivatives` writes to the arrays of its caller: in its pass, where those have no part in it."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from tests.accuracy.ulp import IS_COMPILED

X = np.asarray([[0.5, -3.0, 2.0], [-0.25, 1.5, 0.75]])
COUNTS = np.asarray([[1.0, 2.5, 3.0], [0.5, 1.0, 4.0]])
RNG = np.random.default_rng(3)
LONG, BITS = RNG.normal(size=70_000), (RNG.random(70_000) < 0.5).astype(float)
ROWS, CLASSES = RNG.normal(size=(300, 7)), RNG.integers(0, 7, 300)


def test_results_are_written_to_given_arrays() -> None:
    into = (None, np.empty_like(X), np.empty_like(X))
    found = pl.derivatives(pl.mse_loss, X, COUNTS, order=2, out=into)
    assert found.gradient is into[1]
    assert np.array_equal(into[1], 2 * (X - COUNTS))
    fixed = np.empty_like(X)
    fixed.flags.writeable = False
    bads: list[tuple[Any, str]] = [
        (into, "of 2 entries, an array or None each, got 3"),
        (7, "of 2 entries, an array or None each, got 7"),
        ((np.zeros_like(X), fixed), "that can be written to"),
        ((np.zeros_like(X), X[0]), "must have shape"),
        ((np.zeros_like(X), X.astype("f4")), "and dtype float64, got"),
    ]
    for bad, what in bads:
        with pytest.raises(ValueError, match=what):
            pl.derivatives(pl.mse_loss, X, COUNTS, out=bad)
        assert bad is into or bad == 7 or not np.any(bad[0])  # nothing is half done
    with pytest.raises(TypeError, match="of the input's library"):
        pl.derivatives(pl.mse_loss, X, COUNTS, out=(1.0, None))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("loss", "x", "y"),
    [
        (pl.binary_cross_entropy_with_logits, LONG, BITS),
        (pl.mse_loss, X, COUNTS),
        (pl.mse_loss, np.asfortranarray(X), COUNTS),
        (pl.cross_entropy, ROWS, CLASSES),
        (pl.poly_loss, ROWS, CLASSES),
    ],
    ids=["long", "short", "columns", "rows", "weighed rows"],
)
def test_nothing_is_copied(
    loss: Any, x: Array, y: Array, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = x.astype(dtype)
    y = y.astype(dtype) if y.dtype == "float64" else y
    want = pl.derivatives(loss, x, y, order=2)
    into = tuple([np.empty_like(one) for one in want])
    for name in ("formulas.code_numpy", "rows.rowwise_numpy") if IS_COMPILED else ():
        module = import_module(f"portable_losses.backends.kernels.{name}")
        monkeypatch.setattr(module, "empty", None)  # nothing asks for memory
    found = pl.derivatives(loss, x, y, order=2, out=into)
    for got, one, place in zip(found, want, into, strict=True):
        assert got is place
        assert np.array_equal(got, one)


@pytest.mark.parametrize(
    ("loss", "x", "y"),
    [(pl.binary_cross_entropy_with_logits, LONG, BITS), (pl.cross_entropy, ROWS, CLASSES)],
    ids=["entries", "rows"],
)
def test_arrays_that_are_read_may_be_written_to(loss: Any, x: Array, y: Array) -> None:
    want = pl.derivatives(loss, x, y, order=2)
    own = x.copy()
    found = pl.derivatives(loss, own, y, order=2, out=(None, own, None))
    assert found.gradient is own
    room = np.empty((x.shape[0] + 1, *x.shape[1:]))
    shifted = pl.derivatives(loss, x, y, order=2, out=(None, room[:-1], room[1:]))
    assert np.array_equal(shifted[2], want[2])  # the last one written
    gaps = np.empty((*x.shape, 2))[..., 0]
    assert pl.derivatives(loss, x, y, order=2, out=(None, gaps, None))[1] is gaps
    for got, one in zip((found[0], own, found[2], gaps), (*want, want[1]), strict=True):
        assert np.array_equal(got, one)
