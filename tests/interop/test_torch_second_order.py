"""What PyTorch's ``autograd.grad`` does with a gradient of ours: it differentiates each.

PyTorch raises where a number does not depend on a tensor. The slopes of its own relu are constant,
and can be differentiated all the same: the result is 0.
"""

from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE, TABLE
from tests.samples import Sample

TORCH = named("torch")

ROWS = [row for row in TABLE if EVERY_ROW or row in ONCE or row.options.get("reduction") == "none"]


def leaf_of(x: Array) -> Array:
    return x.detach().requires_grad_()


def total(outs: Any) -> Any:
    """The weighted sum of all entries of results, or of gradients."""
    return sum((array_namespace(out).sum(out * weights_of(out)) for out in outs), 0.0)


def weights_of(x: Array) -> Any:
    weights = (np.arange(np.prod(x.shape, dtype=int)) * 5 % 8 + 1).reshape(x.shape) / 8
    return torch.asarray(weights) if isinstance(x, torch.Tensor) else weights


def by_torch(sample: Sample) -> list[Any]:
    """The gradient of the weighted sum of the gradients, and of each gradient by its own array."""
    arrays = {key: TORCH.array(a) for key, a in sample.moderate.items()}
    leaves = [leaf_of(arrays[key]) for key in sample.variables]
    outs = sample.call({**arrays, **dict(zip(sample.variables, leaves, strict=True))})
    slopes = torch.autograd.grad(total(outs), leaves, create_graph=True)
    for slope, leaf in zip(slopes, leaves, strict=True):
        torch.autograd.grad(slope.sum(), leaf, create_graph=True)
    return list(torch.autograd.grad(total(slopes), leaves, create_graph=True))


def by_the_tape(sample: Sample) -> list[Any]:
    arrays, places = sample.moderate, tuple(range(len(sample.variables)))

    def f(*variables: Array) -> Array:
        return total(sample.call({**arrays, **dict(zip(sample.variables, variables, strict=True))}))

    first = autograd.grad(f, argnums=places)
    given = [arrays[key] for key in sample.variables]
    return list(autograd.grad(lambda *given: total(first(*given)), argnums=places)(*given))


@pytest.mark.parametrize("sample", [row for row in ROWS if row.variables], ids=str)
def test_every_gradient_can_be_differentiated(sample: Sample) -> None:
    for bend, want in zip(by_torch(sample), by_the_tape(sample), strict=True):
        bound = 1e-9 * max(1.0, float(np.max(np.abs(want), initial=0.0)))
        np.testing.assert_allclose(bend.detach().numpy(), want, rtol=1e-9, atol=bound)


PIECEWISE = [pl.relu, pl.relu6, pl.leaky_relu, pl.hard_tanh, pl.hard_shrink, pl.soft_shrink]


@pytest.mark.parametrize("function", PIECEWISE, ids=lambda f: f.__name__)
def test_what_is_linear_in_pieces_has_zeros_of_every_order(function: Any) -> None:
    x = leaf_of(torch.asarray([-2.0, 0.0, 0.5, torch.inf]))
    out = function(x)
    for _ in range(4):
        (out,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    assert out.tolist() == [0, 0, 0, 0]


def test_a_batch_of_gradients_can_be_differentiated() -> None:
    x = leaf_of(torch.asarray([-2.0, 0.5]))
    (slope,) = torch.autograd.grad(pl.relu(x), x, torch.ones(2), create_graph=True)
    (bends,) = torch.autograd.grad(slope, x, torch.eye(2), is_grads_batched=True)
    assert bends.tolist() == [[0, 0], [0, 0]]
    assert torch.func.hessian(lambda x: pl.relu(x).sum())(x.detach()).tolist() == [[0, 0], [0, 0]]


def test_a_penalty_on_gradients_trains_a_network_of_relus() -> None:
    x, w = torch.asarray([[1.0, -2.0]]), leaf_of(torch.asarray([[0.5], [-1.0]]))
    given = leaf_of(x)
    (slope,) = torch.autograd.grad(pl.relu(given @ w).sum(), given, create_graph=True)
    (slope**2).sum().backward()
    assert w.grad.tolist() == [[1.0], [-2.0]]
    assert given.grad.tolist() == [[0.0, 0.0]]


def test_gradients_of_a_mean_can_be_batched_and_come_twice() -> None:
    x, y = torch.tensor([[0.5, -3.0], [2.0, 0.0]], requires_grad=True), torch.zeros(2, 2)
    scales = torch.tensor([1.0, 2.0, -1.0])
    loss = pl.huber_loss(x, y)
    (once,) = torch.autograd.grad(loss, x, retain_graph=True)
    once = once.mul_(4).tolist()  # whoever has it may write in it
    (batched,) = torch.autograd.grad(loss, x, scales, retain_graph=True, is_grads_batched=True)
    (again,) = torch.autograd.grad(loss, x, torch.tensor(4.0))
    assert once == again.tolist() == [[0.5, -1.0], [1.0, 0.0]]
    assert (4 * batched).tolist() == (again * scales[:, None, None]).tolist()
