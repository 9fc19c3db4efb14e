"""What PyTorch's default device, and tensors of two devices, mean to our functions."""

from typing import Any

import pytest
import torch

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE, TABLE
from tests.samples import Arrays, Key, Sample

TORCH = named("torch")
ROWS = TABLE if EVERY_ROW else ONCE


def with_gradients(sample: Sample, arrays: Arrays) -> list[Array]:
    """The results, and the gradients of the sum of what is finite of them."""
    leaves = {key: arrays[key].detach().requires_grad_() for key in sample.variables}
    outs = sample.call({**arrays, **leaves})
    if not leaves:
        return list(outs)
    total = sum(torch.where(torch.isfinite(out), out, 0.0).sum() for out in outs)
    options: dict[str, Any] = {"materialize_grads": True}
    return [*outs, *torch.autograd.grad(total, list(leaves.values()), **options)]


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_tensors_of_the_processor_stay_there_whatever_the_default(sample: Sample) -> None:
    arrays = sample.on(TORCH)
    wanted = with_gradients(sample, arrays)
    with torch.device("meta"):
        found = with_gradients(sample, arrays)
    for got, want in zip(found, wanted, strict=True):
        assert got.device.type == "cpu"
        torch.testing.assert_close(got, want, equal_nan=True, rtol=1e-12, atol=1e-12)


def test_a_large_cross_entropy_finds_its_own_device() -> None:
    logits = torch.linspace(-3, 3, 8 * 600).reshape(8, 600).requires_grad_()
    target, kept = torch.arange(8), logits.detach()
    torch.set_default_device("meta")
    try:
        pl.cross_entropy(logits, target).backward()
    finally:
        torch.set_default_device(None)
    want = torch.softmax(kept, -1) - torch.nn.functional.one_hot(target, 600)
    torch.testing.assert_close(logits.grad, want / 8)


APART = [
    (row, key)
    for row in ROWS
    for key, x in row.given.items()
    if len(row.given) > 1 and x.ndim and row.given[0].ndim
]


@pytest.mark.parametrize("sample, key", APART, ids=str)
def test_arrays_of_two_devices_are_refused_by_name(sample: Sample, key: Key) -> None:
    arrays = sample.on(TORCH)
    arrays[key] = arrays[key].to("meta")
    with pytest.raises(ValueError, match=r"^all arrays must be on one device, got `.*: meta"):
        sample.call(arrays)


def test_the_message_names_each_argument_and_its_device() -> None:
    logits, target = torch.zeros(2, 3, device="meta"), torch.asarray([0, 1])
    told = "got `logits`: meta, `target`: cpu, `sample_weight`: cpu$"
    with pytest.raises(ValueError, match=told):
        pl.cross_entropy(logits, target, sample_weight=torch.ones(2))
