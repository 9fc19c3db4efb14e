"""A Poisson regression of scikit-learn's that is fitted on PyTorch tensors, by our deviance.

Bicycles counted by the hour: the logarithm of the mean is a line in a day's waves. The model is
scikit-learn's own; only its loss is ours, which computes where the tensors are. The same is fitted
on NumPy arrays with scikit-learn's own loss: the coefficients agree.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn import config_context
from sklearn.linear_model import PoissonRegressor

import portable_losses as pl
from portable_losses import objectives

OUTPUT = Path(__file__).parent / "output"
SETTINGS: dict[str, Any] = {"alpha": 1e-4, "tol": 1e-9, "max_iter": 1000}


class Regression(PoissonRegressor):
    """`PoissonRegressor` with our loss, for the arrays of any library."""

    def _get_loss(self, xp: Any = None, device: Any = None) -> Any:
        """Return what scikit-learn asks a model for."""
        return objectives.sklearn(pl.poisson_deviance_loss, xp=xp, device=device)


def bicycles(count: int = 2000) -> tuple[Any, Any, Any]:
    """Return hours of the day, the waves of a day as features, and counts."""
    random: Any = np.random.default_rng(0)
    hours: Any = random.uniform(0, 24, size=count)
    angles = 2 * np.pi * hours[:, None] / 24 * np.arange(1, 5)
    features = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    peaks = np.exp(-(((hours - 8) / 1.8) ** 2)) + 1.2 * np.exp(-(((hours - 17.5) / 2.5) ** 2))
    return hours, features, random.poisson(2 + 40 * peaks).astype(np.float64)


def draw(path: Path, hours: Any, counts: Any, means: Any) -> None:
    """Save the counts and the mean that was fitted."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(hours)
    axes.plot(hours, counts, ".", alpha=0.25, label="counted")
    axes.plot(hours[order], means[order], linewidth=2.5, label="mean, fitted on tensors")
    axes.set(xlabel="hour", ylabel="bicycles")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(output: Path = OUTPUT) -> tuple[Any, Any]:
    """Fit on tensors and on NumPy arrays; print and return both coefficients."""
    hours, features, counts = bicycles()
    tensors = torch.asarray(features)
    with config_context(array_api_dispatch=True):
        model: Any = Regression(**SETTINGS).fit(tensors, torch.asarray(counts))
        means = model.predict(tensors)
    own: Any = PoissonRegressor(**SETTINGS).fit(features, counts)
    print(f"coefficients: {type(model.coef_).__name__} {model.coef_.numpy().round(3)}")
    print(f"of scikit-learn's own loss: {own.coef_.round(3)}")
    picture = output / "glm_on_tensors.png"
    draw(picture, hours, counts, means.numpy())
    print(f"picture: {os.path.relpath(picture)}")
    return model.coef_.numpy(), own.coef_


if __name__ == "__main__":
    main()
