"""Logistic regression from weights that are far off, where the naive loss is NaN.

Two species of iris, 100 flowers with 2 features, full-batch SGD. The first weights give logits
above 37, whose sigmoid is 1 in float64, so that the textbook's formula multiplies 0 by the
logarithm of 0. Its loss is NaN, its gradient is NaN, and after one step so are the weights.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_iris

from examples.libraries import Library, as_numpy, installed
from examples.softmax_regression import Run
from portable_losses import nn, optim
from portable_losses.autograd import no_grad

FIRST_WEIGHTS, STEPS, RATE = (30.0, 30.0), 100, 1.0


def irises() -> tuple[Any, Any]:
    """Return the petals of Iris setosa and versicolor, shape (100, 2), and 0 or 1 for each."""
    data: Any = load_iris()
    chosen = data.target < 2
    return data.data[chosen][:, 2:], data.target[chosen].astype(np.float64)


def naive_loss(logits: Any, target: Any) -> Any:
    """Return the textbook's binary cross entropy, which is right for small logits alone."""
    xp = logits.__array_namespace__()
    p = 1 / (1 + xp.exp(-logits))
    return -xp.mean(target * xp.log(p) + (1 - target) * xp.log(1 - p))


def train(
    library: Library,
    loss: Callable[..., Any],
    *,
    steps: int = STEPS,
    tick: Callable[[], Any] = bool,
) -> Run:
    """Train on one library; `tick` is called after every step."""
    with library.session():
        started = time.perf_counter()
        features, classes = irises()
        inputs, target = library.array(features), library.array(classes)
        model = nn.Linear(2, 1, xp=library.xp, dtype=library.xp.float64, device=library.device)
        model.weight = library.array(np.asarray([FIRST_WEIGHTS]))
        nn.init.zeros_(model.bias)
        optimizer = optim.SGD(model.parameters(), lr=RATE)

        history: list[Any] = []
        for _ in range(steps):
            value = loss(model(inputs)[:, 0], target)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            library.settle(model)
            history.append(value.array)
            tick()
        losses = [float(value) for value in library.computed(*history)]
        with no_grad():
            logits = model(inputs)[:, 0]
            last, chosen = float(loss(logits, target)), as_numpy(logits) > 0
        weights = {name: as_numpy(p) for name, p in model.named_parameters()}
        return Run(
            library.name,
            library.where(),
            losses,
            last,
            float(np.mean(chosen == (classes > 0))),
            weights,
            time.perf_counter() - started,
        )


def train_naively(*, steps: int = STEPS) -> Run:
    """Train by the naive formula, on NumPy; the same arrays, the same tape, the same optimiser."""
    with np.errstate(all="ignore"):  # it divides by 0 and takes the logarithm of 0 all the time
        return train(installed()[0], naive_loss, steps=steps)


def main() -> tuple[Run, Run]:
    """Train both ways on NumPy and print the losses."""
    stable, naive = train(installed()[0], nn.BCEWithLogitsLoss()), train_naively()
    print("step   BCEWithLogitsLoss   naive formula")
    for step in (0, 1, 10, 50, STEPS - 1):
        print(f"{step:4}   {stable.losses[step]:17.6f}   {naive.losses[step]:13.6f}")
    print(f"accuracy {stable.accuracy:.2f}, naive {naive.accuracy:.2f}")
    return stable, naive


if __name__ == "__main__":
    main()
