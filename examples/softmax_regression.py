"""Softmax regression on scikit-learn's digits: one training loop for every array library.

The program of "Dive into Deep Learning", section 3.7: flatten, one linear layer with weights of
standard deviation 0.01, minibatches, SGD with a rate of 0.1, and losses averaged by hand.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from examples.libraries import Library, as_numpy, installed
from portable_losses import nn, optim
from portable_losses.autograd import no_grad

SEED, BATCH, EPOCHS, RATE = 0, 256, 15, 0.1


@dataclass(frozen=True)
class Digits:
    """Images of shape (n, 8, 8) and their digits, as NumPy arrays."""

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any

    def rows_of_batches(self) -> list[slice]:
        """Return the rows of each minibatch."""
        n = len(self.train_labels)
        return [slice(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


@dataclass(frozen=True)
class Run:
    """What training on one library gave."""

    library: str
    device: str
    losses: list[float]
    test_loss: float
    accuracy: float
    weights: dict[str, Any]
    seconds: float


def digits() -> Digits:
    """Return the split of the data, the same at every call."""
    data: Any = load_digits()
    split: Any = train_test_split(
        data.images, data.target, test_size=0.25, random_state=SEED, stratify=data.target
    )
    train_images, test_images, train_labels, test_labels = split
    # Grey levels from 0 to 16, centred, and not scaled to [0, 1]: there the same path would need
    # a rate 16**2 times as large, or that many more steps.
    mean = train_images.mean(axis=0)
    return Digits(train_images - mean, train_labels, test_images - mean, test_labels)


def initialize(module: nn.Module) -> None:
    """Draw the weights of a linear layer from a narrow normal distribution."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01, rng=SEED)
        nn.init.zeros_(module.bias)


def train(
    library: Library, data: Digits, *, epochs: int = EPOCHS, tick: Callable[[], Any] = bool
) -> Run:
    """Train on one library; `tick` is called after every step."""
    with library.session():
        started = time.perf_counter()
        xp = library.xp
        linear = nn.Linear(64, 10, xp=xp, dtype=xp.float64, device=library.device)
        net = nn.Sequential(nn.Flatten(), linear).apply(initialize)
        loss = nn.CrossEntropyLoss(reduction="none")
        optimizer = optim.SGD(net.parameters(), lr=RATE)
        images, labels = library.array(data.train_images), library.array(data.train_labels)
        batches = [(images[rows, ...], labels[rows]) for rows in data.rows_of_batches()]
        order = random.Random(SEED)

        history: list[float] = []
        for _ in range(epochs):
            order.shuffle(batches)
            for inputs, target in batches:
                optimizer.zero_grad()
                loss(net(inputs), target).mean().backward()
                optimizer.step()
                library.settle(net)
                tick()
            with no_grad():
                history.append(loss(net(images), labels).mean().item())
        with no_grad():
            inputs = library.array(data.test_images)
            target = library.array(data.test_labels)
            test_loss = loss(net(inputs), target).mean().item()
            hits = net(inputs).argmax(axis=1) == target
        weights = {name: as_numpy(p) for name, p in net.named_parameters()}
        return Run(
            library.name,
            library.where(),
            history,
            test_loss,
            float(np.mean(as_numpy(hits))),
            weights,
            time.perf_counter() - started,
        )


def accuracy_of_scikit_learn(data: Digits) -> float:
    """Return the test accuracy of LogisticRegression on the same arrays."""
    model = LogisticRegression(max_iter=10_000)
    model.fit(data.train_images.reshape(-1, 64), data.train_labels)
    return float(model.score(data.test_images.reshape(-1, 64), data.test_labels))


def main() -> Run:
    """Train on NumPy and print the result."""
    data = digits()
    run = train(installed()[0], data)
    print(f"train loss {run.losses[-1]:.4f}, test loss {run.test_loss:.4f}")
    print(f"test accuracy {run.accuracy:.4f}, scikit-learn {accuracy_of_scikit_learn(data):.4f}")
    return run


if __name__ == "__main__":
    main()
