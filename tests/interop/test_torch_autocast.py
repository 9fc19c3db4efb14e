"""PyTorch's autocast: what it computes in float32, and a step of training with scaled losses."""

import pytest
import torch

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE, TABLE
from tests.samples import Sample

TORCH = named("torch")
ROWS = TABLE if EVERY_ROW else ONCE
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}

#: The families of activations that are a function of several entries.
OF_SEVERAL = ("gumbel", "scaled", "softmaxes", "sparse")


def is_kept_in_float32(sample: Sample) -> bool:
    """Every loss and special function, softplus, and the activations of several entries."""
    folder, family = sample.function.__module__.split(".")[1:]
    of_one = folder == "activations" and family not in OF_SEVERAL
    return not of_one or sample.function.__name__ == "softplus"


def in_float32(x: Array) -> Array:
    return x.float() if x.is_floating_point() else x


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_a_function_has_the_dtype_of_the_policy(sample: Sample, dtype: str) -> None:
    halves = sample.on(TORCH, dtype)
    without = sample.call(halves)
    with torch.autocast("cpu", dtype=HALVES[dtype]):
        found = sample.call(halves)
    if is_kept_in_float32(sample):
        wanted = sample.call({key: in_float32(x) for key, x in halves.items()})
    else:
        wanted = without
    for got, want, plain in zip(found, wanted, without, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=0, equal_nan=True)
        assert not plain.is_floating_point() or plain.dtype in (HALVES[dtype], torch.float32)


def test_products_within_a_loss_are_not_rounded() -> None:
    x, w = torch.linspace(-1, 1, 12).reshape(4, 3), torch.linspace(0.1, 2, 15).reshape(5, 3)
    target = torch.asarray([0, 1, 2, 4])
    want = pl.linear_cross_entropy(x, w, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert pl.linear_cross_entropy(x, w, target) == want
        assert pl.info_nce_loss(x, x + 1).dtype == torch.float32


@pytest.mark.parametrize("dtype", HALVES)
def test_a_step_with_scaled_losses_has_the_gradient_of_float32(dtype: str) -> None:
    torch.manual_seed(0)
    net, x, target = torch.nn.Linear(3, 3), torch.randn(8, 3), torch.arange(8) % 3
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    with torch.autocast("cpu", dtype=HALVES[dtype]):
        loss = pl.cross_entropy(net(x), target)
    assert loss.dtype == torch.float32
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    (want,) = torch.autograd.grad(pl.cross_entropy(net(x), target), [net.weight])
    torch.testing.assert_close(net.weight.grad, want, rtol=0.02, atol=0.002)
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**16  # no step was skipped


def test_a_compiled_loss_follows_autocast_too() -> None:
    torch.compiler.reset()
    compiled = torch.compile(lambda x: (pl.softmax(x), pl.relu(x)), fullgraph=True, backend="eager")
    x = torch.asarray([[1.0, 2.0]], dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = compiled(x)
    assert [y.dtype for y in inside] == [torch.float32, torch.bfloat16]
    assert [y.dtype for y in compiled(x)] == [torch.bfloat16, torch.bfloat16]
