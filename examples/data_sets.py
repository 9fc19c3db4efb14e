"""A data set of one's own in shuffled batches, and a stream that workers split among them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses import nn, optim
from portable_losses.data import Batches


class Line:
    """Points of ``y = 2 x - 1``: a data set has ``__getitem__`` and ``__len__``."""

    def __init__(self, n: int) -> None:
        self.x = np.linspace(0, 2, n)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Any, float]:
        """Return one point."""
        return self.x[i : i + 1], 2 * self.x[i] - 1


class Stream:
    """Numbers one after the other, each of them to one worker."""

    def __init__(self, stop: int, *, worker: int = 0, workers: int = 1) -> None:
        self.stop, self.worker, self.workers = stop, worker, workers

    def __iter__(self) -> Iterator[int]:
        """Yield what is this worker's."""
        return islice(range(self.stop), self.worker, None, self.workers)


def main() -> tuple[list[float], list[list[int]]]:
    """Return weight and bias of the line, and the batches of the first of two workers."""
    model, batches = nn.Linear(1, 1, rng=0), Batches(Line(60), batch_size=16, shuffle=True, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    for _ in range(60):
        for x, y in batches:
            optimizer.zero_grad()
            pl.mse_loss(model(x)[:, 0], y).backward()
            optimizer.step()
    line = [model.weight.item(), model.bias.item()]
    print("y = {:.4f} x {:+.4f}".format(*line))
    shares = [batch.tolist() for batch in Batches(Stream(10, workers=2), batch_size=3)]
    print(f"the first of two workers: {shares}")
    return line, shares


if __name__ == "__main__":
    main()
