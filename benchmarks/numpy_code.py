"""Plain NumPy code on the tape, beside HIPS autograd and MyGrad.

One body of each program: ours and MyGrad's run it with NumPy itself, which asks their Tensors; HIPS
autograd's with its own module of NumPy's names. Value and gradient, all taking turns.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.timing import Program, Race
from portable_losses.autograd import value_and_grad

# By name: neither library says its types.
autograd: Any = import_module("autograd")
anp: Any = import_module("autograd.numpy")
mg: Any = import_module("mygrad")

AIMS = {"HIPS autograd": 1.0, "MyGrad": 1.0}


def numpy_code(*, rows: int, entries: int, steps: int) -> list[Race]:
    """Return the races, for this many rows of data, entries of an array, and steps of a loop."""
    dice = np.random.default_rng(0)
    x, y = dice.normal(size=(rows, 8)), dice.choice([0.0, 1.0], rows)
    points, heights = dice.uniform(-2, 2, size=(min(rows, 60), 2)), dice.normal(size=min(rows, 60))
    layers = [dice.normal(size=size) * 0.3 for size in ((8, 16), (16,), (16, 1), (1,))]

    return [
        _race("MLP by hand", lambda np, *w: perceptron(np, x, y, *w), layers),
        _race("logistic regression", lambda np, w: logistic(np, x, y, w), [np.full(8, 0.1)]),
        _race(
            "Gaussian process",
            lambda np, theta: gaussian_process(np, points, heights, theta),
            [np.array([0.0, 0.0, -2.0])],
            aims={"HIPS autograd": 1.0},  # MyGrad has no Cholesky
        ),
        _race(f"chain on {entries:,}", chain, [dice.normal(size=entries)]),
        _race("numbers", numbers, [np.asarray(0.7), np.asarray(1.3)]),
        _race(f"loop of {steps:,}", lambda np, w: loop(np, w, steps // 4), [np.array([0.3, 0.5])]),
    ]


def perceptron(np: Any, x: Any, y: Any, w: Any, b: Any, v: Any, c: Any) -> Any:
    """Two layers and a logistic loss."""
    z = np.reshape(np.matmul(np.tanh(np.matmul(x, w) + b), v) + c, -1)
    return np.mean(np.logaddexp(0.0, z) - y * z)


def logistic(np: Any, x: Any, y: Any, w: Any) -> Any:
    """Logistic regression with a penalty."""
    z = np.matmul(x, w)
    return np.mean(np.logaddexp(0.0, z) - y * z) + 0.01 * np.sum(w**2)


def gaussian_process(np: Any, points: Any, heights: Any, theta: Any) -> Any:
    """The marginal likelihood, by Cholesky."""
    length, scale, noise = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2])
    gaps = (points[:, None, :] - points[None, :, :]) / length
    kernel = scale * np.exp(-0.5 * np.sum(gaps**2, axis=-1)) + noise * np.eye(len(heights))
    root = np.linalg.cholesky(kernel)
    alpha = np.linalg.solve(np.transpose(root), np.linalg.solve(root, heights))
    return 0.5 * np.dot(heights, alpha) + np.sum(np.log(np.diag(root)))


def chain(np: Any, x: Any) -> Any:
    """Elementwise functions, one upon another."""
    return np.sum(np.sqrt(np.exp(-(x**2)) + np.sin(x) ** 2) * np.tanh(x))


def numbers(np: Any, a: Any, b: Any) -> Any:
    """A formula of two numbers."""
    c = np.sqrt(a * a + b * b)
    return np.sin(c) * np.exp(-a / b) + np.log(c) / (1.0 + c)


def loop(np: Any, w: Any, steps: int) -> Any:
    """Four operations a step."""
    z = w
    for _ in range(steps):
        z = z + 0.1 * np.sin(z * 1.1)
    return np.sum(z)


def _race(
    name: str, f: Callable[..., Any], arrays: list[Any], aims: dict[str, float] | None = None
) -> Race:
    """Return a race for value and gradient of ``f(np, *arrays)`` by every array."""
    bars, argnums = AIMS if aims is None else aims, tuple(range(len(arrays)))
    ours = value_and_grad(lambda *xs: f(np, *xs), argnums=argnums)
    hips = autograd.value_and_grad(lambda *xs: f(anp, *xs), argnums)

    def mygrad() -> Any:
        leaves = [mg.tensor(x) for x in arrays]
        value = f(np, *leaves)
        value.backward()
        return value.data, tuple(leaf.grad for leaf in leaves)

    programs: dict[str, Program] = {"ours": lambda: ours(*arrays)}
    programs["HIPS autograd"] = lambda: hips(*arrays)
    if "MyGrad" in bars:
        programs["MyGrad"] = mygrad
    return Race(f"NumPy code: {name}", programs, bars)
