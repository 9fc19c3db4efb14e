"""Draws what docs/functions.toml says of a function: a curve with its derivatives, or a row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import portable_losses as pl
from portable_losses.autograd import elementwise_grad

COLOURS = ("#1f5fa8", "#c8511b", "#3c8d40")
NAMES = ("value", "first derivative", "second derivative")
POINTS = 241


def sums(f: Callable[[Any], Any], t: Any) -> Any:
    """`f` of each entry of `t`, for functions of a whole batch."""
    return np.stack([f(t[i]) for i in range(t.shape[0])])


def curves(expression: str, low: float, high: float) -> tuple[Any, list[Any]]:
    """An expression of t over a range: its value, first and second derivative."""
    code = compile(expression, "docs/functions.toml", "eval")

    def value(t: Any) -> Any:
        return eval(code, {"pl": pl, "np": np, "sums": sums, "t": t})

    points = 25 if "sums(" in expression else POINTS
    t = np.linspace(low, high, points) + 1e-9  # beside a kink at a round number, not on it
    first = elementwise_grad(value)
    with np.errstate(all="ignore"):
        return t, [np.asarray(f(t)) for f in (value, first, elementwise_grad(first))]


def draw_curve(entry: dict[str, Any]) -> Figure:
    """Value, first and second derivative in one frame."""
    t, lines = curves(entry["plot"], *entry["range"])
    figure = Figure(figsize=(5.6, 3.2))
    axes = figure.add_axes((0.08, 0.16, 0.9, 0.8))
    axes.axhline(0, color="#999999", linewidth=0.6)
    for line, colour, name, style in zip(lines, COLOURS, NAMES, ("-", "--", ":"), strict=True):
        axes.plot(t, line, style, color=colour, label=name, linewidth=1.8)
    shown = np.concatenate([line[np.isfinite(line)] for line in lines])
    most = 1.15 * max(1.0, float(np.abs(lines[0][np.isfinite(lines[0])]).max()))
    axes.set_ylim(max(-most, shown.min() - 0.1), min(most, shown.max() + 0.1))
    axes.set_xlabel(entry["label"])
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_row(entry: dict[str, Any]) -> Figure:
    """A row and what becomes of it, as bars."""
    x = np.asarray(entry["row"])
    result = np.asarray(eval(entry["plot"], {"pl": pl, "np": np, "x": x}))
    figure = Figure(figsize=(5.6, 2.6))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.2, top=0.88, wspace=0.18)
    for axes, heights, name, colour in zip(
        figure.subplots(1, 2), (x, result), ("a row", "the result"), COLOURS, strict=False
    ):
        axes.bar(np.arange(heights.size), heights, color=colour)
        axes.axhline(0, color="#999999", linewidth=0.6)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel(entry["label"])
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw(name: str, entry: dict[str, Any], path: Path) -> None:
    """Write the picture of the function `name` as SVG."""
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and found by a search
    mpl.rcParams["svg.hashsalt"] = name
    figure = draw_row(entry) if entry["picture"] == "row" else draw_curve(entry)
    figure.savefig(path, metadata={"Date": None})
