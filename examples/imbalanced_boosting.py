"""Boosting with focal loss where one label in fifty is 1, beside the built-in logistic objective.

Both are scikit-learn's histogram boosting with the same settings. By logistic loss few of the rare
cases get a probability above a half, so that few are found; focal loss weighs them and turns away
from what is certain, and finds several times as many, at a price in precision that the picture
shows. Ranking is no better: a lower threshold would find them by logistic loss, too.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score, precision_recall_curve, precision_score, recall_score
from sklearn.model_selection import train_test_split

import portable_losses as pl
from portable_losses import objectives

OUTPUT = Path(__file__).parent / "output"
SETTINGS: dict[str, Any] = {
    "max_leaf_nodes": 15,
    "learning_rate": 0.1,
    "random_state": 0,
    "early_stopping": False,
}
ROUNDS = 60


class Outcome(NamedTuple):
    """What a booster reached: scores of the test set, and from round to round what it found."""

    name: str
    scores: Any
    recall: list[float]
    precision: float
    f1: float


def rare_cases(count: int = 12_000) -> tuple[Any, Any]:
    """Return six features and labels: 1 on half of a thin shell."""
    random: Any = np.random.default_rng(0)
    features: Any = random.normal(size=(count, 6))
    radius: Any = np.sqrt(np.sum(features[:, :3] ** 2, axis=1))
    rare = (radius > 2.7) & (radius < 3.0) & (features[:, 3] > 0)
    return features, rare.astype(np.float64)


def boost(name: str, loss: Any, data: Any) -> Outcome:
    """Train on the first part of the data and score the second after every round."""
    train_x, test_x, train_y, test_y = data
    kind: Any = HistGradientBoostingClassifier
    model = kind(loss=loss, max_iter=ROUNDS, **SETTINGS).fit(train_x, train_y)
    staged = [scores.ravel() for scores in model.staged_decision_function(test_x)]
    found = staged[-1] > 0
    return Outcome(
        name,
        staged[-1],
        [float(recall_score(test_y, scores > 0)) for scores in staged],
        float(precision_score(test_y, found)),
        float(f1_score(test_y, found)),
    )


def draw(path: Path, labels: Any, outcomes: list[Outcome]) -> None:
    """Save how precision goes with recall, with the usual threshold, and what was found."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for one in outcomes:
        precision, recall, _ = precision_recall_curve(labels, one.scores)
        (line,) = left.plot(recall, precision, label=one.name)
        left.plot(one.recall[-1], one.precision, "o", markersize=10, color=line.get_color())
        right.plot(range(1, ROUNDS + 1), one.recall, label=one.name)
    left.set(title="dots: scores above 0", xlabel="recall", ylabel="precision")
    right.set(title="share of the rare cases that is found", xlabel="round", ylabel="recall")
    for axes in (left, right):
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(output: Path = OUTPUT) -> list[Outcome]:
    """Train with both losses, print what each found and draw the curves."""
    features, labels = rare_cases()
    data = train_test_split(features, labels, random_state=0, stratify=labels)
    focal = objectives.sklearn(pl.sigmoid_focal_loss, gamma=3.0, alpha=0.9)
    outcomes = [
        boost("logistic loss, built in", "log_loss", data),
        boost("focal loss", focal, data),
    ]
    print(f"{np.mean(labels):.1%} of {len(labels)} labels are 1")
    for one in outcomes:
        print(
            f"{one.name:24} finds {one.recall[-1]:.0%} of them, "
            f"precision {one.precision:.0%}, F1 {one.f1:.2f}"
        )
    picture = output / "imbalanced_boosting.png"
    draw(picture, data[3], outcomes)
    print(f"curves: {os.path.relpath(picture)}")
    return outcomes


if __name__ == "__main__":
    main()
