"""The tape beside PyTorch eager, HIPS autograd and MyGrad, which record NumPy as well.

Sixty operations on three elements, forward and backward, which is what recording costs and nothing
else; and one step of gradient descent for logistic regression on all of 99 x 2 numbers, where the
operations are as small as in a first lesson: with the loss written out, and with the library's own
(ours looks at every label, as it does for a user). All four libraries take turns.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.timing import Race
from portable_losses import binary_cross_entropy_with_logits
from portable_losses.autograd import no_grad, tensor

# By name: neither library says its types.
autograd: Any = import_module("autograd")
anp: Any = import_module("autograd.numpy")
mg: Any = import_module("mygrad")

AIMS = {
    "60 operations": {"PyTorch": 1.0, "HIPS autograd": 0.5, "MyGrad": 0.5},
    "SGD step, written out": {"PyTorch": 0.5, "HIPS autograd": 0.25, "MyGrad": 0.5},
    "SGD step, loss called": {"PyTorch": 0.5, "HIPS autograd": 0.25, "MyGrad": 0.5},
}


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

    programs = {"ours": ours, "PyTorch": eager, "HIPS autograd": lambda: hips(x), "MyGrad": mygrad}
    return Race("60 operations", programs, AIMS["60 operations"])


def sgd_step(losses: "Losses", *, rows: int = 99, columns: int = 2) -> Race:
    """One step of gradient descent for logistic regression, always from the same weights."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, columns)), rng.choice(losses.labels, rows)
    data, labels = torch.from_numpy(x), torch.from_numpy(y)
    weights, rate = np.linspace(0.1, 0.2, columns), 0.5

    def ours() -> Any:
        w, b = tensor(weights), tensor(np.zeros(()))
        losses.ours(x, y, w, b).backward()
        with no_grad():
            w -= rate * w.grad
            b -= rate * b.grad
        return w.array

    def eager() -> Any:
        w: Any = torch.tensor(weights, requires_grad=True)
        b: Any = torch.zeros((), dtype=torch.float64, requires_grad=True)
        losses.eager(data, labels, w, b).backward()
        with torch.no_grad():
            w -= rate * w.grad
            b -= rate * b.grad
        return w.detach()

    slope = autograd.grad(lambda w, b: losses.hips(x, y, w, b), (0, 1))

    def hips() -> Any:
        w, b = slope(weights, np.zeros(()))
        new = weights - rate * w, 0.0 - rate * b
        return new[0]

    def mygrad() -> Any:
        w, b = mg.tensor(weights), mg.tensor(0.0)
        losses.mygrad(x, y, w, b).backward()
        new = weights - rate * w.grad, 0.0 - rate * b.grad
        return new[0]

    programs = {"ours": ours, "PyTorch": eager, "HIPS autograd": hips, "MyGrad": mygrad}
    name = f"SGD step, {losses.name}"
    return Race(name, programs, AIMS[name])


class Losses(NamedTuple):
    """The same loss of (x, y, w, b) in four libraries."""

    name: str
    labels: tuple[float, float]
    ours: Callable[..., Any]
    eager: Callable[..., Any]
    hips: Callable[..., Any]
    mygrad: Callable[..., Any]


def written_out() -> Losses:
    """``log(1 + exp(y * z))`` as in a first lesson, for labels of the other sign."""

    def loss(xp: Any, x: Any, y: Any, w: Any, b: Any) -> Any:
        return xp.mean(xp.log1p(xp.exp(y * (x @ w + b))))

    def ours(x: Any, y: Any, w: Any, b: Any) -> Any:
        return loss(w.__array_namespace__(), x, y, w, b)

    others = partial(loss, torch), partial(loss, anp), partial(loss, mg)
    return Losses("written out", (1.0, -1.0), ours, *others)


def called() -> Losses:
    """Every library's own stable loss, called as a user does; two have none but `logaddexp`."""

    def ours(x: Any, y: Any, w: Any, b: Any) -> Any:
        return binary_cross_entropy_with_logits(x @ w + b, y)

    def eager(x: Any, y: Any, w: Any, b: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)

    def loss(xp: Any, x: Any, y: Any, w: Any, b: Any) -> Any:
        z = x @ w + b
        return xp.mean(xp.logaddexp(0.0, z) - y * z)

    return Losses("loss called", (0.0, 1.0), ours, eager, partial(loss, anp), partial(loss, mg))
