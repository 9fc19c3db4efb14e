"""Laws of DTensors whose classes lie in parts: how often processes wait for each other's sums."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import loss_parallel

import portable_losses as pl
from portable_losses._backend import namespace_of_type
from tests.interop.placed import LABELS, LAWS, OF_CLASS, RNG, compare, law, line, put, same

__all__ = ["LAWS"]


@law
def a_head_in_parts_of_the_classes_keeps_them(world: int) -> None:
    mesh, rng = line(world), np.random.default_rng(1)
    hidden, weight = (
        torch.as_tensor(rng.normal(size=(6, 4))),
        torch.as_tensor(rng.normal(size=(10, 4))),
    )
    every: Any = (
        {},
        {"bias": OF_CLASS},
        {"z_loss": 0.1, "label_smoothing": 0.1},
        {"class_weight": OF_CLASS, "chunk_size": 2},
    )
    for options in every:
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        want = pl.linear_cross_entropy(h, w, LABELS, **options)
        want.backward()
        hs: Any = distribute_tensor(hidden, mesh, [Replicate()]).requires_grad_()
        ws: Any = distribute_tensor(weight, mesh, [Shard(0)]).requires_grad_()
        given: Any = {n: put(mesh, x, [Shard(1)]) for n, x in options.items()}
        labels = put(mesh, LABELS, [Replicate()])
        with CommDebugMode() as seen:
            got = pl.linear_cross_entropy(hs, ws, labels, **given)
            got.backward()
        same(got, want, "linear_cross_entropy")
        same(hs.grad, h.grad, "by hidden")
        same(ws.grad, w.grad, "by weight")
        assert ws.grad.placements == (Shard(0),)
        assert hs.grad.placements == (Replicate(),)
        assert all("all_reduce" in str(k) for k in seen.get_comm_counts())
        assert "class_weight" in options or seen.get_total_counts() == 3  # one for `hidden`


# How many all-reduces value and gradient take: two rounds, one for a sum of the incoming gradient
# or the weights of the target's classes, and another where shares are looked at.
ROUNDS: dict[str, tuple[int, Callable[..., Any]]] = {
    "cross_entropy": (2, lambda z, y, q, w: pl.cross_entropy(z, y)),
    "smoothed": (2, lambda z, y, q, w: pl.cross_entropy(z, y, label_smoothing=0.1)),
    "z_loss": (2, lambda z, y, q, w: pl.cross_entropy(z, y, z_loss=0.1)),
    "softcap": (2, lambda z, y, q, w: pl.cross_entropy(z, y, softcap=5.0)),
    "weight": (3, lambda z, y, q, w: pl.cross_entropy(z, y, weight=w)),
    "shares": (4, lambda z, y, q, w: pl.cross_entropy(z, q)),
    "focal": (2, lambda z, y, q, w: pl.softmax_focal_loss(z, y)),
    "poly": (2, lambda z, y, q, w: pl.poly_loss(z, y)),
    "logsumexp": (2, lambda z, y, q, w: pl.logsumexp(z, axis=-1).sum()),
    "softmax": (3, lambda z, y, q, w: (pl.softmax(z) ** 2).sum()),
    "log_softmax": (3, lambda z, y, q, w: (pl.log_softmax(z) ** 2).sum()),
}


@law
def no_more_than_a_few_numbers_of_a_row_are_sent(world: int) -> None:
    mesh, rows, classes = line(world), 8, 64 * world
    z, y = torch.randn(rows, classes), torch.arange(rows)
    parts = distribute_tensor(z, mesh, [Shard(1)]).requires_grad_()
    labels = distribute_tensor(y, mesh, [Replicate()])
    shares = distribute_tensor(torch.softmax(z, 1), mesh, [Shard(1)])
    weight = distribute_tensor(torch.rand(classes), mesh, [Shard(0)])
    with loss_parallel(), CommDebugMode() as torchs:
        torch.nn.functional.cross_entropy(parts, labels).backward()
    assert torchs.get_total_counts() == 3
    for name, (most, loss) in ROUNDS.items():
        with CommDebugMode() as ours:
            loss(parts, labels, shares, weight).backward()
        assert ours.get_total_counts() <= most, f"{name}: {ours.get_comm_counts()}"


@law
def parts_may_differ_in_size_and_be_empty(world: int) -> None:
    mesh = line(world)
    for classes in (world + 1, 1):
        z = torch.as_tensor(RNG.integers(0, 2, (6, classes))).double()  # many ties
        given = {"y": torch.as_tensor([0, 0, -100, 0, 0, 0])}
        for name, call in SOME_OF_ROWS.items():
            compare(call, z, given, mesh, [Shard(1)], f"{name} of {classes}")
        z[0] = -torch.inf
        for name in ("max", "min"):
            for x in (z, torch.where(z > 0, 3, -3)):
                own = namespace_of_type(put(mesh, x, [Shard(1)]))
                found = getattr(own, name)(put(mesh, x, [Shard(1)]), axis=1, keepdims=True)
                same(found, getattr(torch, f"a{name}")(x, 1, keepdim=True), f"{name} of {classes}")


SOME_OF_ROWS: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda z, o: pl.softmax(z),
    "logsumexp": lambda z, o: pl.logsumexp(z, axis=-1),
    "cross_entropy": lambda z, o: pl.cross_entropy(z, o["y"], reduction="none"),
}
