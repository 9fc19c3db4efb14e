"""A loss and its mean in one compiled pass: the same bits everywhere, and no digit fewer."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from portable_losses.backends.kernels.formulas import machine_code
from portable_losses.backends.kernels.machine.blocks import limit_workers

import portable_losses as pl
from portable_losses.autograd import value_and_grad

torch = pytest.importorskip("torch")
LOSSES = [pl.mse_loss, pl.l1_loss, pl.huber_loss, pl.binary_cross_entropy_with_logits]
SIZES = [1, 255, 256, 257, 5000, 300_000]
RNG = np.random.default_rng(0)


def samples(size: int, dtype: str) -> tuple[Any, Any]:
    return (3 * RNG.standard_normal(size)).astype(dtype), RNG.random(size).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_mean_is_that_of_the_entries_but_for_its_last_digit(
    loss: Any, size: int, dtype: str
) -> None:
    x, y = samples(size, dtype)
    entries = loss(x, y, reduction="none").tolist()
    want = float(sum(map(Fraction, entries)) / size)
    assert abs(float(loss(x, y)) - want) <= math.ulp(want) * 2 ** (29 if dtype == "float32" else 2)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES)
def test_numpy_and_torch_have_the_same_bits(loss: Any, reduction: str) -> None:
    x, y = samples(300_001, "float32")
    value, slope = value_and_grad(lambda z: loss(z, y, reduction=reduction))(x)
    tensor = torch.from_numpy(x).requires_grad_()
    made = loss(tensor, torch.from_numpy(y), reduction=reduction)
    made.backward()
    if machine_code.compiler() is None:
        np.testing.assert_allclose(made.item(), value, rtol=1e-5)
        return
    assert made.item() == float(value)
    np.testing.assert_array_equal(tensor.grad.numpy(), slope)


def test_threads_do_not_change_a_sum() -> None:
    x, y = samples(1_000_000, "float32")
    with limit_workers(1):
        alone = pl.mse_loss(x, y)
    assert alone == pl.mse_loss(x, y)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_a_gradient_of_a_mean_is_scaled_by_what_follows(factor: float) -> None:
    x, y = samples(1000, "float64")
    slope = value_and_grad(lambda z: factor * pl.mse_loss(z, y))(x)[1]
    np.testing.assert_allclose(slope, factor * 2 * (x - y) / 1000, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES[:1] + LOSSES[2:])
def test_a_mean_differentiates_twice(loss: Any) -> None:
    x, y = (torch.from_numpy(v).requires_grad_() for v in samples(5, "float64"))
    assert torch.autograd.gradcheck(loss, (x, y))
    assert torch.autograd.gradgradcheck(loss, (x, y))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_mean_of_halves_is_rounded_once(loss: Any, dtype: str) -> None:
    kind = getattr(torch, dtype)
    x, y = (torch.from_numpy(v).to(kind) for v in samples(1000, "float32"))
    assert loss(x, y) == loss(x.float(), y.float()).to(kind)


def test_what_lies_in_strides_has_the_mean_of_its_copy() -> None:
    x, y = (v.reshape(40, 50) for v in samples(2000, "float64"))
    np.testing.assert_allclose(pl.mse_loss(x.T, y.T), pl.mse_loss(x, y), rtol=1e-14)
    found = pl.mse_loss(torch.from_numpy(x).T, torch.from_numpy(y).T.contiguous())
    np.testing.assert_allclose(found.item(), pl.mse_loss(x, y), rtol=1e-14)
