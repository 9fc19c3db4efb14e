"""Draws what docs/functions.toml and docs/other_names.toml say of a name: a picture of its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import portable_losses as pl
from portable_losses import autograd, nn, optim
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


# ---- names that are no function of arrays --------------------------------------------------------
def made_by(entry: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Run a program of docs/other_names.toml; return the names that it leaves."""
    space = {"pl": pl, "np": np, "nn": nn, "optim": optim, "autograd": autograd, **given}
    space |= {"schedules": optim.lr_scheduler}
    space |= {"rates": rates, "counted": counted, "clipped": clipped}
    exec(compile(entry["plot"], "docs/other_names.toml", "exec"), space)
    return space


def rates(make: Callable[[Any], Any], t: Any) -> dict[str, Any]:
    """The learning rate at each step, which begins at 1."""
    optimizer = optim.SGD([nn.Parameter(np.asarray(0.0))], lr=1.0)
    schedule, found = make(optimizer), list[float]()
    for _ in range(int(t[-1]) + 1):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return {"learning rate": np.asarray(found)[t.astype(int)]}


def counted(fill: Callable[[Any], Any], t: Any) -> dict[str, Any]:
    """How many entries of a filled weight of 400 x 250 lie in the bins of t."""
    bins = np.linspace(t[0], t[-1], 61)
    weight = fill(nn.Parameter(np.zeros((400, 250)))).array
    found = np.histogram(weight, bins)[0]
    return {"how many": found[np.clip(np.searchsorted(bins, t, "right") - 1, 0, 59)]}


def clipped(clip: Callable[[Any], Any], t: Any) -> dict[str, Any]:
    """A gradient of one entry before and after."""
    found: list[float] = []
    for slope in t.tolist():
        weight = nn.Parameter(np.asarray([0.0]))
        (weight * slope).sum().backward()
        clip(weight)
        found.append(weight.grad.array[0])
    return {"before": t, "after": found}


def draw_lines(entry: dict[str, Any]) -> Figure:
    """What the program calls lines, in one frame."""
    t = np.linspace(*entry["range"], POINTS)
    figure = Figure(figsize=(5.6, 3.2))
    axes = figure.add_axes((0.1, 0.16, 0.88, 0.8))
    for (label, line), colour, style in zip(
        made_by(entry, t=t)["lines"].items(),
        (*COLOURS, "#777777"),
        ("-", "--", ":", "-."),
        strict=False,
    ):
        axes.plot(t, np.asarray(line), style, color=colour, label=label, linewidth=1.8)
    axes.set_xlabel(entry["label"], fontsize=8)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_arrays(entry: dict[str, Any]) -> Figure:
    """What the program calls arrays, as squares with their numbers."""
    arrays = made_by(entry)["arrays"]
    shapes = {name: x[:, None] if x.ndim == 1 else x for name, x in arrays.items()}
    widths = [max(x.shape[1], 1.5) for x in shapes.values()]
    figure = Figure(figsize=(5.6, 2.4))
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.04, top=0.88)
    columns = figure.subplots(1, len(shapes), gridspec_kw={"width_ratios": widths})
    for axes, (name, x) in zip(columns, shapes.items(), strict=True):
        most = max(float(np.abs(x).max()), 1e-9)
        axes.imshow(x, cmap="PuOr", vmin=-1.6 * most, vmax=1.6 * most)
        for (row, column), number in np.ndenumerate(x):
            text = f"{round(float(number), 2) + 0.0:g}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8)
        axes.set_title(name, fontsize=8)
        axes.set_axis_off()
    return figure


def draw_path(entry: dict[str, Any]) -> Figure:
    """The way of an optimiser down a narrow valley, 60 steps, over the valley's contours."""

    def height(x: Any, y: Any) -> Any:
        return 0.5 * x**2 + 6 * y**2

    w = nn.Parameter(np.asarray([-4.0, 1.2]))
    optimizer = eval(entry["plot"], {"optim": optim, "w": w})
    way = [w.array.copy()]
    for _ in range(60):
        optimizer.zero_grad()
        height(w[0], w[1]).backward()
        optimizer.step()
        way.append(np.array(w.array))
    x, y = np.meshgrid(np.linspace(-4.5, 1.5, 121), np.linspace(-1.5, 1.5, 61))
    figure = Figure(figsize=(5.6, 3.0))
    axes = figure.add_axes((0.09, 0.16, 0.89, 0.8))
    axes.contour(
        x, y, height(x, y), levels=np.geomspace(0.05, 16, 10), colors="#bbbbbb", linewidths=0.8
    )
    axes.plot(*np.stack(way).T, "o-", color=COLOURS[0], markersize=2.5, linewidth=1)
    axes.plot(0, 0, "+", color=COLOURS[1], markersize=10)
    axes.set_xlabel(f"60 steps of {entry['plot']} to the lowest point", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


KINDS = {
    "curve": (draw_curve, "value and derivatives"),
    "row": (draw_row, "what it makes of a row"),
    "lines": (draw_lines, "what it gives, drawn as lines"),
    "arrays": (draw_arrays, "what it makes of small arrays"),
    "path": (draw_path, "its way down a valley"),
}


def draw(name: str, entry: dict[str, Any], path: Path) -> None:
    """Write the picture of `name` as SVG."""
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and found by a search
    mpl.rcParams["svg.hashsalt"] = name
    figure = KINDS[entry["picture"]][0](entry)
    figure.savefig(path, metadata={"Date": None})
