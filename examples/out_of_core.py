"""Softmax regression on more data than the workers may hold: `nn` and `optim` on a Dask cluster.

A step is one graph: value and gradients chunk by chunk, their sums, and the new parameters, which
come back as numbers. What a worker holds at a time are the chunks that it works on.
"""

from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.distributed import Client, LocalCluster
from tqdm import tqdm

from portable_losses import nn, optim

ROWS, FEATURES, CLASSES, CHUNK, STEPS = 1_500_000, 100, 10, 10_000, 8
LIMIT = "500MiB"  # of each of the two workers, Python included; the data have 1.2 GB


def data(rows: int) -> tuple[Any, Any]:
    """Return inputs and classes, made chunk by chunk whenever they are read."""
    truth = np.random.default_rng(1).normal(size=(FEATURES, CLASSES))
    inputs = da.random.default_rng(0).normal(
        size=(rows, FEATURES),
        chunks=(CHUNK, FEATURES),  # pyright: ignore[reportArgumentType]
    )
    target = (inputs @ da.from_array(truth)).argmax(axis=1)
    return inputs, target


def train(rows: int, steps: int) -> list[float]:
    """Return the losses of the steps."""
    inputs, target = data(rows)
    net = nn.Linear(FEATURES, CLASSES, xp=da, dtype=np.float64)
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=1.0)
    losses: list[float] = []
    for _ in tqdm(range(steps)):
        optimizer.zero_grad()
        loss = loss_of(net(inputs), target, denominator=rows)
        loss.backward()
        optimizer.step()
        value, *computed = compute(loss.array, *[p.array for p in net.parameters()])
        for parameter, array in zip(net.parameters(), computed, strict=True):
            parameter.array = da.from_array(array)
        losses.append(float(value))
    return losses


def main(rows: int = ROWS, steps: int = STEPS) -> list[float]:
    """Train on a cluster of two workers, and print the losses."""
    workers = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT)
    with workers as cluster, Client(cluster):
        losses = train(rows, steps)
    print(f"{rows} rows, loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    return losses


if __name__ == "__main__":
    main()
