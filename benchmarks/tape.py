"""The tape beside PyTorch eager, HIPS autograd and MyGrad, which record NumPy as well.

Two programs: sixty operations on three elements, forward and backward, which is what recording
costs and nothing else; and one step of gradient descent for logistic regression on all of 99 x 2
numbers, where the operations are as small as in a first lesson. All four libraries take turns.
"""

import statistics
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.timing import seconds
from portable_losses.autograd import no_grad, tensor

# By name: neither library says its types.
autograd: Any = import_module("autograd")
anp: Any = import_module("autograd.numpy")
mg: Any = import_module("mygrad")

Program = Callable[[], Any]

AIMS = {
    "60 operations": {"PyTorch": 1.0, "HIPS autograd": 0.5, "MyGrad": 0.5},
    "SGD step, 99 x 2": {"PyTorch": 0.5, "HIPS autograd": 0.25, "MyGrad": 0.5},
}


class Race(NamedTuple):
    """One program in four libraries; each returns the gradient that it computed."""

    name: str
    ours: Program
    others: dict[str, Program]


def sixty_operations(count: int = 60) -> Race:
    """``tanh(z * 1.1 + 0.1)``, again and again, and the sum."""
    x = np.asarray([0.1, 0.2, 0.3])

    def chain(z: Any, tanh: Callable[[Any], Any]) -> Any:
        for _ in range(count // 3):
            z = tanh(z * 1.1 + 0.1)
        return z

    def ours() -> Any:
        leaf = tensor(x)
        xp = leaf.__array_namespace__()
        xp.sum(chain(leaf, xp.tanh)).backward()
        return leaf.grad.array

    def eager() -> Any:
        leaf = torch.from_numpy(x).requires_grad_()
        chain(leaf, torch.tanh).sum().backward()
        return leaf.grad

    hips = autograd.grad(lambda z: anp.sum(chain(z, anp.tanh)))

    def mygrad() -> Any:
        leaf = mg.tensor(x)
        mg.sum(chain(leaf, mg.tanh)).backward()
        return leaf.grad

    others = {"PyTorch": eager, "HIPS autograd": lambda: hips(x), "MyGrad": mygrad}
    return Race("60 operations", ours, others)


def sgd_step(rows: int = 99, columns: int = 2) -> Race:
    """One step on the mean of ``log(1 + exp(-y * (x @ w + b)))``, always from the same weights."""
    rng = np.random.default_rng(0)
    x, minus_y = rng.standard_normal((rows, columns)), np.sign(rng.standard_normal(rows))
    data, labels = torch.from_numpy(x), torch.from_numpy(minus_y)
    weights, rate = np.linspace(0.1, 0.2, columns), 0.5

    def loss(xp: Any, x: Any, minus_y: Any, w: Any, b: Any) -> Any:
        return xp.mean(xp.log1p(xp.exp(minus_y * (x @ w + b))))

    def ours() -> Any:
        w, b = tensor(weights), tensor(np.zeros(()))
        loss(w.__array_namespace__(), x, minus_y, w, b).backward()
        with no_grad():
            w -= rate * w.grad
            b -= rate * b.grad
        return w.array

    def eager() -> Any:
        w: Any = torch.tensor(weights, requires_grad=True)
        b: Any = torch.zeros((), dtype=torch.float64, requires_grad=True)
        loss(torch, data, labels, w, b).backward()
        with torch.no_grad():
            w -= rate * w.grad
            b -= rate * b.grad
        return w.detach()

    slope = autograd.grad(lambda w, b: loss(anp, x, minus_y, w, b), (0, 1))

    def hips() -> Any:
        w, b = slope(weights, np.zeros(()))
        new = weights - rate * w, 0.0 - rate * b
        return new[0]

    def mygrad() -> Any:
        w, b = mg.tensor(weights), mg.tensor(0.0)
        loss(mg, x, minus_y, w, b).backward()
        new = weights - rate * w.grad, 0.0 - rate * b.grad
        return new[0]

    others = {"PyTorch": eager, "HIPS autograd": hips, "MyGrad": mygrad}
    return Race("SGD step, 99 x 2", ours, others)


def races() -> list[Race]:
    """Return both, at the size at which the ratios are published."""
    return [sixty_operations(), sgd_step()]


def medians(race: Race, *, rounds: int) -> dict[str, float]:
    """Let the libraries take turns; return the median time of each, "ours" first."""
    programs = {"ours": race.ours, **race.others}
    repeats = max(1, int(0.02 / max(min(seconds(p, 2) for p in programs.values()), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            times[name].append(seconds(program, repeats))
    return {name: statistics.median(column) for name, column in times.items()}


def report(*, rounds: int) -> None:
    """Print one line for each race and each other library."""
    print(f"\n{'the tape':40} {'ours':>10} {'theirs':>10} {'ratio':>6} {'aim':>5}")
    for race in races():
        times = medians(race, rounds=rounds)
        for name in race.others:
            spent = f"{1e6 * times['ours']:7.0f} us {1e6 * times[name]:7.0f} us"
            ratio, aim = times["ours"] / times[name], AIMS[race.name][name]
            print(f"{race.name + ', ' + name:40} {spent} {ratio:6.2f} {aim:5.2f}", flush=True)


if __name__ == "__main__":
    report(rounds=15)
