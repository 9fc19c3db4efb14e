"""The main job, ``make demo``: the same two trainings on every array library that is installed.

Prints two tables and draws the curves. Leaves with status 1 if the libraries disagree, or if
softmax regression is worse than scikit-learn's by more than a point.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from examples import logistic_regression, softmax_regression
from examples.libraries import Library, installed
from examples.softmax_regression import Run
from portable_losses import nn

OUTPUT = Path(__file__).parent / "output"
TOLERANCE = 1e-9  # of the weights, between libraries, after all steps in float64


def distance(run: Run, reference: Run) -> float:
    """Return the largest difference between the weights of two runs."""
    largest: list[Any] = [
        np.max(np.abs(run.weights[name] - w)) for name, w in reference.weights.items()
    ]
    return float(np.max(largest))  # NaN if there is one, unlike Python's max


def table(runs: Sequence[Run], *, accuracy: str) -> str:
    """Return one line per run, compared with the first."""
    titles = (
        ("library", "device", "train loss", "test loss", "test acc.", "max. diff.", "seconds")
        if accuracy == "test"
        else ("library", "device", "first loss", "last loss", "accuracy", "max. diff.", "seconds")
    )
    lines = ["{:<17} {:<8} {:>11} {:>11} {:>10} {:>11} {:>8}".format(*titles)]
    for run in runs:
        first = run.losses[-1] if accuracy == "test" else run.losses[0]
        lines.append(
            f"{run.library:<17} {run.device:<8} {first:11.6f} {run.test_loss:11.6f} "
            f"{run.accuracy:10.4f} {distance(run, runs[0]):11.1e} {run.seconds:8.2f}"
        )
    return "\n".join(lines)


def disagreements(runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each run whose weights are not those of the first run (NumPy's)."""
    return [
        f"{run.library} on {run.device} is {distance(run, runs[0]):.1e} away from {runs[0].library}"
        for run in runs
        if not distance(run, runs[0]) <= TOLERANCE  # NaN is a disagreement as well
    ]


def draw(path: Path, softmax: Sequence[Run], logistic: Sequence[Run], naive: Run) -> None:
    """Save the curves of all runs as a picture."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")  # Agg: no window, and none needed
    left, right = figure.subplots(1, 2)
    for axes, runs in ((left, softmax), (right, logistic)):
        # They lie on each other: each line is thinner than the one below it.
        for place, run in enumerate(runs):
            width = 1.5 + 1.5 * (len(runs) - place)
            axes.plot(run.losses, linewidth=width, label=f"{run.library}, {run.device}")
        axes.set_yscale("log")
        axes.set_ylabel("loss, nats")
    left.set(title="digits: softmax regression", xlabel="epoch")
    right.set(title="irises: logistic regression from far off", xlabel="step")
    finite = sum(np.isfinite(naive.losses))
    label = f"naive formula: NaN from step {finite} on"
    right.plot(naive.losses, "x", color="black", label=label)
    for axes in (left, right):
        axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def train_all(
    libraries: Sequence[Library], data: softmax_regression.Digits, *, epochs: int, steps: int
) -> tuple[list[Run], list[Run]]:
    """Train both models on every library, with a progress bar."""
    softmax: list[Run] = []
    logistic: list[Run] = []
    total = len(libraries) * (epochs * len(data.rows_of_batches()) + steps)
    with tqdm(total=total, unit="step", file=sys.stderr) as bar:
        for library in libraries:
            bar.set_description(f"{library.name}, {library.where()}")
            softmax.append(softmax_regression.train(library, data, epochs=epochs, tick=bar.update))
            logistic.append(
                logistic_regression.train(
                    library, nn.BCEWithLogitsLoss(), steps=steps, tick=bar.update
                )
            )
    return softmax, logistic


def options(arguments: Sequence[str] | None) -> Any:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m examples.demo")
    parser.add_argument("--quick", action="store_true", help="few steps; accuracy is not judged")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the picture")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print, draw; return the exit status."""
    given = options(arguments)
    epochs = 2 if given.quick else softmax_regression.EPOCHS
    steps = 5 if given.quick else logistic_regression.STEPS
    data = softmax_regression.digits()
    softmax, logistic = train_all(installed(), data, epochs=epochs, steps=steps)
    naive = logistic_regression.train_naively(steps=steps)

    print("\nSoftmax regression on the digits: float64, one seed, SGD with minibatches\n")
    print(table(softmax, accuracy="test"))
    bar = softmax_regression.accuracy_of_scikit_learn(data)
    print(f"scikit-learn's LogisticRegression: test accuracy {bar:.4f}")

    print("\nLogistic regression on two irises: full-batch SGD from weights that are far off\n")
    print(table(logistic, accuracy="train"))
    print(
        f"{'naive formula':<17} {naive.device:<8} {naive.losses[0]:11.6f} {naive.test_loss:11.6f} "
        f"{naive.accuracy:10.4f} {distance(naive, logistic[0]):11.1e} {naive.seconds:8.2f}"
    )

    picture = given.output / "demo.png"
    draw(picture, softmax, logistic, naive)
    print(f"\ncurves: {os.path.relpath(picture)}")

    complaints = disagreements(softmax) + disagreements(logistic)
    if not given.quick:
        complaints += [
            f"{run.library} has accuracy {run.accuracy:.4f}, a point below {bar:.4f} or worse"
            for run in softmax
            if run.accuracy < bar - 0.01
        ]
    for complaint in complaints:
        print(f"FAILED: {complaint}", file=sys.stderr)
    if not complaints:
        print(f"all libraries agree to {TOLERANCE:.0e}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
