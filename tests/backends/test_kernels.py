"""Kernels: which calls they serve, and who differentiates what they return."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import Kernel, Pair, load_backend
from portable_losses._typing import Array, Namespace, Options

ROOT = Path(pl.__file__).parents[1]


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """NumPy has a kernel of softplus for matrices of float64; which halves of it ran."""
    ran: list[str] = []

    def run(
        pair: Pair, arrays: tuple[Array, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        del pair
        (x,), xp, beta = arrays, options["xp"], options["beta"]
        ran.append("forward, for a gradient" if wanted else "forward")
        kept = xp.exp(beta * x)

        def backward(grad: Array, out: Array, x: Array, *, xp: Namespace, beta: float) -> Any:
            del out, x, xp, beta
            ran.append("backward")
            return (grad * kept / (1 + kept),)

        return xp.log1p(kept) / beta, backward

    def accepts(x: Array, *others: Array, xp: Namespace, **options: float) -> bool:
        is_softplus = not others and "beta" in options
        return is_softplus and x.ndim == 2 and x.dtype == xp.float64 and options["beta"] <= 4

    known = load_backend("numpy")
    speed = replace(known.speed, elementwise_kernel=Kernel(accepts, run))
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(known, speed=speed))
    return ran


X = np.asarray([[-2.0, 0.0, 0.5], [1.5, 3.0, -0.25]])


def test_a_kernel_serves_the_calls_that_it_accepts(fused: list[str]) -> None:
    got = pl.softplus(X, beta=2.0)
    assert fused == ["forward"]
    np.testing.assert_allclose(got, np.logaddexp(0, 2 * X) / 2, rtol=1e-15)


@pytest.mark.parametrize(
    "x, beta", [(X[0], 1.0), (X.astype(np.float32), 1.0), (X, 5.0)], ids=["ndim", "dtype", "option"]
)
def test_the_portable_pair_serves_the_others(fused: list[str], x: Any, beta: float) -> None:
    got = pl.softplus(x, beta=beta)
    assert fused == []
    np.testing.assert_allclose(got, np.logaddexp(0, beta * x) / beta, rtol=1e-6)
    assert got.dtype == x.dtype


def test_a_kernel_and_the_portable_pair_have_one_result(fused: list[str]) -> None:
    rows = np.stack([pl.softplus(row, beta=2.0) for row in X])
    assert fused == []
    np.testing.assert_allclose(pl.softplus(X, beta=2.0), rows, rtol=1e-15)


def test_a_kernel_keeps_what_its_backward_needs(fused: list[str]) -> None:
    y, pullback = autograd.vjp(lambda x: pl.softplus(x, beta=2.0), X)
    assert fused == ["forward, for a gradient"]
    (grad,) = pullback(np.ones_like(y))
    assert fused == ["forward, for a gradient", "backward"]
    np.testing.assert_allclose(grad, 1 / (1 + np.exp(-2 * X)), rtol=1e-15)


def test_the_portable_pair_is_differentiated_again(fused: list[str]) -> None:
    loss = lambda x: pl.mse_loss(pl.softplus(x), 0 * x, reduction="sum")  # noqa: E731
    (second,) = autograd.hvp(loss, [X], [X + 3])
    p, f = 1 / (1 + np.exp(-X)), np.logaddexp(0, X)
    np.testing.assert_allclose(second, 2 * (p**2 + f * p * (1 - p)) * (X + 3), rtol=1e-13)
    assert fused == ["forward, for a gradient", "backward"]  # of the outer derivative
