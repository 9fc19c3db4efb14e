"""MLX: every row, its gradients by the tape and by MLX itself, in float32.

MLX computes exponentials of float64 with float32's digits. This is run by `make test-more`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from tests.libraries import EVERY_ROW
from tests.rows import ONCE, TABLE
from tests.samples import Key, Sample

ROWS = TABLE if EVERY_ROW else ONCE
Gradient = Callable[..., tuple[Any, ...]]


def as_mlx(x: Any) -> Any:
    return mx.array(x.astype(np.float32) if x.dtype.kind == "f" else x)


def results(row: Sample, arrays: Mapping[Key, Any], gradient: Any) -> list[Any]:
    """The values of a row, and the gradients of their sum."""
    keys = list(row.given)

    def number(*given: Any) -> Any:
        outs = row.call(dict(zip(keys, given, strict=True)))
        return sum((out.sum() for out in outs[1:]), outs[0].sum())

    outs = list(row.call(arrays))
    if row.variables:
        found = gradient(number, [keys.index(key) for key in row.variables])(*arrays.values())
        outs += found if isinstance(found, tuple | list) else (found,)
    return outs


def by_tape(f: Any, places: list[int]) -> Gradient:
    gradient: Gradient = autograd.grad(f, argnums=tuple(places))
    return gradient


def by_mlx(f: Any, places: list[int]) -> Gradient:
    gradient: Gradient = mx.grad(f, argnums=places)
    return gradient


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_gradients_are_those_of_numpy(row: Sample) -> None:
    arrays = {key: as_mlx(a) for key, a in row.given.items()}
    with np.errstate(all="ignore"):
        single = {
            key: a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a
            for key, a in row.given.items()
        }
        wanted = results(row, single, by_tape)
    for gradient in (by_tape, by_mlx):
        for got, want in zip(results(row, arrays, gradient), wanted, strict=True):
            np.testing.assert_allclose(np.asarray(got.tolist()), want, 1e-4, 5e-5)


def test_mlx_differentiates_twice_and_compiles() -> None:
    z, y = mx.array([[2.0, 0.0, -1.0], [20.0, 0.0, 0.0]]), mx.array([0, 1])

    def slope(z: Any) -> Any:
        return mx.grad(lambda z: pl.cross_entropy(z, y))(z)

    curvature = mx.grad(lambda z: (slope(z) ** 2).sum())(z)
    want = autograd.grad(
        lambda z: (autograd.grad(lambda z: pl.cross_entropy(z, np.asarray([0, 1])))(z) ** 2).sum()
    )(np.asarray(z.tolist()))
    np.testing.assert_allclose(np.asarray(curvature.tolist()), want, 1e-5, 1e-7)
    compiled = mx.compile(lambda z: pl.cross_entropy(z, y))
    np.testing.assert_allclose(compiled(z).item(), pl.cross_entropy(z, y).item(), 1e-6)


def test_no_value_is_looked_at_and_a_bad_class_is_nan() -> None:
    losses = pl.cross_entropy(mx.zeros((2, 3)), np.asarray([1, 3]), reduction="none")
    np.testing.assert_allclose(np.asarray(losses.tolist()), [np.log(3), np.nan], 1e-6)


def test_halves_stay() -> None:
    for dtype in (mx.float16, mx.bfloat16):
        assert pl.gelu(mx.array([1.0, -2.0], dtype=dtype)).dtype == dtype
