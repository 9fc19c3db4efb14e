"""What torch.compile and torch.export make of sizes and options that change: symbols."""

import shutil
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.export import Dim, export

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE
from tests.samples import Key, Sample

TORCH = named("torch")
#: A function takes a second to trace: these pick entries, check numbers and broadcast a weight.
QUICK = ("softmax", "celu", "quantile_loss everything")
ROWS = [row for row in ONCE if EVERY_ROW or str(row) in QUICK]
COPIES = (4, 3, 5)

#: Vectors that have an entry for each class, or channel.
OF_CLASS = ("weight", "pos_weight", "mean", "variance", "alpha")


def batch_axis(sample: Sample, key: Key) -> int | None:
    """The axis of one argument that the examples lie along."""
    name, first, x = sample.function.__name__, sample.given[0], sample.given[key]
    if name == "ctc_loss":  # its frames come first, and are unrolled
        return int(key == 0)
    if name == "linear_cross_entropy" and key in (1, "bias", "class_weight"):
        return None
    if not (first.ndim and x.ndim) or x.shape[0] != first.shape[0]:
        return None
    return None if key in OF_CLASS and x.ndim == 1 < first.ndim else 0


def repeated(sample: Sample, copies: int) -> dict[Key, Array]:
    """The arrays of a row, with several times as many examples."""
    arrays = sample.on(TORCH)
    for key, x in arrays.items():
        axis = batch_axis(sample, key)
        if axis is not None:
            arrays[key] = torch.cat([x] * copies, dim=axis)
    return arrays


def numbers_of(sample: Sample, copies: int) -> dict[str, float]:
    """The options that are floats, a little moved for each size, within their domains."""
    given = {name: x for name, x in sample.options.items() if isinstance(x, float)}
    return {n: x * (1 - copies / 128) if 0.9 < x < 1.5 else x for n, x in given.items()}


def with_gradients(f: Any, sample: Sample, arrays: dict[Key, Array], numbers: Any) -> list[Array]:
    leaves = {key: arrays[key].detach().requires_grad_() for key in sample.variables}
    outs = f({**arrays, **leaves}, numbers)
    if not leaves:
        return list(outs)
    total: Any = sum(torch.where(torch.isfinite(out), out, 0.0).sum() for out in outs)
    options: dict[str, Any] = {"materialize_grads": True}
    return [*outs, *torch.autograd.grad(total, list(leaves.values()), **options)]


def graphs_of(sample: Sample, *, dynamic: bool | None) -> int:
    """Compile a row, compare it at every size with its eager call, and count the graphs."""

    def call(arrays: dict[Key, Array], numbers: dict[str, float]) -> tuple[Array, ...]:
        given = [arrays.get(i, x) for i, x in enumerate(sample.arrays)]
        options = {n: arrays.get(n, x) for n, x in sample.options.items()}
        found = sample.function(*given, **{**options, **numbers})
        return found if isinstance(found, tuple) else (found,)

    torch.compiler.reset()
    counter = CompileCounter()
    compiled = torch.compile(call, fullgraph=True, backend=counter, dynamic=dynamic)
    for copies in COPIES if dynamic is None else COPIES[:2]:
        arrays, numbers = repeated(sample, copies), numbers_of(sample, copies)
        found = with_gradients(compiled, sample, arrays, numbers)
        for got, want in zip(found, with_gradients(call, sample, arrays, numbers), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12, equal_nan=True)
    return counter.frame_count


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_other_sizes_and_numbers_take_one_graph_more(sample: Sample) -> None:
    assert graphs_of(sample, dynamic=None) <= 2


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_symbols_from_the_start_take_one_graph(sample: Sample) -> None:
    assert graphs_of(sample, dynamic=True) == 1


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_an_exported_function_takes_another_size(sample: Sample) -> None:
    small, large = repeated(sample, 2), repeated(sample, 3)
    keys = list(small)

    class Call(torch.nn.Module):
        def forward(self, *given: Array) -> tuple[Array, ...]:
            return sample.call(dict(zip(keys, given, strict=True)))

    axes = [batch_axis(sample, key) for key in keys]
    sizes = tuple(None if axis is None else {axis: Dim.DYNAMIC} for axis in axes)
    program = export(Call(), tuple(small.values()), dynamic_shapes=(sizes,))
    found = program.module()(*large.values())
    for got, want in zip(found, sample.call(large), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12, equal_nan=True)


GENERATED = {
    "huber_loss": lambda x, y, number: pl.huber_loss(x, y, delta=number),
    "cross_entropy": lambda x, y, number: pl.cross_entropy(x, y, label_smoothing=number),
    "softmax": lambda x, y, number: pl.softmax(x * number)[:, 0] * pl.celu(y[:, 0], alpha=number),
}


if EVERY_ROW and shutil.which("c++"):  # a minute of generated C++

    @pytest.mark.parametrize("name", GENERATED)
    def test_generated_code_takes_other_sizes_and_numbers(name: str) -> None:
        function = GENERATED[name]
        torch.compiler.reset()
        compiled = torch.compile(function, fullgraph=True)
        for size, number in zip((8, 5, 7), (0.5, 0.25, 0.75), strict=True):
            x = torch.linspace(-2, 2, size * 3).reshape(size, 3).requires_grad_()
            y = torch.softmax(torch.cos(x.detach()), -1)
            want = function(x, y, number).sum()
            (slope,) = torch.autograd.grad(want, x)
            got = compiled(x, y, number).sum()
            torch.testing.assert_close(got, want)
            torch.testing.assert_close(torch.autograd.grad(got, x)[0], slope)
