"""Logistic regression by methods of Tensors: a stable loss by hand, and full-batch SGD.

``python -m examples.binary_cross_entropy_by_hand --steps 200000`` is the long run, with a progress
bar; without `--steps` it is a short one.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from portable_losses import Tensor, nn, optim


def cross_entropy_from_logits(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """Return ``max(z, 0) - z y + log(1 + exp(-|z|))``, whose exponent is never above 0."""
    losses = logits.clip(x_min=0) - logits * labels + (1 + (-abs(logits)).exp()).log()
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses


class CrossEntropyFromLogits:
    """The same as an object that keeps its reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def __call__(self, logits: Any, labels: Any) -> Any:
        """Return the loss of logits, a Tensor, and labels, an integer array."""
        return cross_entropy_from_logits(logits, labels, self.reduction)


class Model(nn.Module):
    """One logit for two features."""

    def __init__(self) -> None:
        self.linear = nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        """Return the logits, shape (n,)."""
        return self.linear(x)[:, 0]


def points(n: int = 99) -> tuple[Any, Any]:
    """Return `n` points around two centres, and the number of the centre."""
    rng = np.random.default_rng(0)
    labels: Any = np.arange(n) % 2
    return rng.normal(size=(n, 2)) + 3.0 * labels[:, None], labels


def main(arguments: Sequence[str] = ()) -> tuple[float, float]:
    """Return the last loss and the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    steps = parser.parse_args(arguments).steps

    extreme = Tensor([1.0, 2000.0, 0.0, -2000.0], requires_grad=True)
    losses = cross_entropy_from_logits(extreme, np.asarray([1, 1, 0, 0]), reduction="none")
    losses.sum().backward()
    print(f"{extreme} has the losses {losses.data} and the gradient {extreme.grad.data}")

    x, y = points()
    model, loss_of = Model(), CrossEntropyFromLogits()
    model.linear.weight.assign([[-0.3, 0.8]])
    model.linear.bias.assign([0.0])
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def accuracy() -> float:
        share: float = ((model(x).detach() > 0) == y).mean().item()
        return share

    loss = loss_of(model(x), y)
    for step in tqdm(range(1, steps + 1), file=sys.stderr, disable=None):
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % max(steps // 20, 1) == 0:
            print(f"{step}: {loss}, accuracy {accuracy():.3f}")
    return loss.item(), accuracy()


if __name__ == "__main__":
    main(sys.argv[1:])
