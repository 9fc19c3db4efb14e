"""Time against size, both as logarithms, with the time that a copy of the array would take."""

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import cross_entropy
from benchmarks.timing import medians, seconds

SHOWN = {"ours": "ours, NumPy", "PyTorch": "PyTorch eager", "jax.jit, optax": "jax.jit, optax"}


def copy_bandwidth(x: Any, rounds: int = 5) -> float:
    """Bytes a second, read and written, of copying `x` into memory that is there."""
    target = np.empty_like(x)
    times = [seconds(lambda: np.copyto(target, x), 1) for _ in range(rounds + 1)][1:]
    return 2 * x.nbytes / statistics.median(times)


def curve(
    sizes: Iterable[int], *, rows: int = 0, classes: int = 0, rounds: int = 3
) -> dict[str, list[float]]:
    """Times of each program, at `sizes` of what is 0."""
    found: dict[str, list[float]] = {name: [] for name in SHOWN}
    for size in sizes:
        race = cross_entropy(rows or size, classes or size, compiled=False)[0]
        times = medians(race, rounds=rounds)
        for name, column in found.items():
            column.append(times[name])
    return found


def draw(folder: Path, bandwidth: float, *, rounds: int = 3) -> None:
    """Write the two pictures."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "portable_losses"
    from matplotlib import pyplot as plt

    plans = {
        "classes": ([2**k for k in range(1, 17)], {"rows": 1024}),
        "rows": ([2**k for k in range(15)], {"classes": 4096}),
    }
    for axis, (sizes, fixed) in plans.items():
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        for name, times in curve(sizes, **fixed, rounds=rounds).items():
            axes.loglog(sizes, times, marker=".", label=SHOWN[name])
        (other,) = fixed.values()
        limit = [2 * 4 * size * other / bandwidth for size in sizes]
        axes.loglog(sizes, limit, "k--", linewidth=1, label="copy of the logits")
        ((what, number),) = fixed.items()
        axes.set(xlabel=axis, ylabel="seconds", title=f"cross_entropy, {number} {what}, float32")
        axes.legend()
        figure.savefig(folder / f"benchmarks_{axis}.svg", metadata={"Date": None})
        plt.close(figure)
