"""Run every race, print a line for each peer, and write docs/benchmarks.md with its plots.

The figures of a version are kept in docs/benchmarks/<version>.json, from which ``--render`` writes
the page again.

The time that importing takes, and the largest memory of a program, are measured in processes of
their own; everything else in this one, the programs taking turns.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import memory, plots
from benchmarks.cases import full_size
from benchmarks.elementwise import means
from benchmarks.floors import MOVED
from benchmarks.timing import Race, medians, missed
from portable_losses import __version__

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
LIBRARIES = ("numpy", "torch", "jax", "optax", "autograd", "mygrad")
FIGURES = DOCUMENT.parent / "benchmarks" / f"{__version__}.json"
HEAD = ["what", "beside", "ours", "theirs", "ratio", "aim"]
IMPORT = "import time; s = time.perf_counter(); import {0}; print(time.perf_counter() - s)"


def shown(time: float) -> str:
    """A time with three digits and its unit."""
    unit, scale = next((u, s) for u, s in (("s", 1), ("ms", 1e3), ("us", 1e6)) if time * s >= 1)
    return f"{time * scale:.3g} {unit}"


def lines_of(race: Race, rounds: int) -> Iterator[list[str]]:
    """One line for each peer."""
    times = medians(race, rounds=rounds)
    for name, bar in race.bars.items():
        ratio = times["ours"] / times[name]
        yield [
            race.name,
            name,
            shown(times["ours"]),
            shown(times[name]),
            f"{ratio:.4g}",
            "-" if bar is None else f"{bar:g}",
        ]


def import_time(rounds: int) -> list[str]:
    """What importing the library costs beyond importing NumPy, both compiled as pip leaves them."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def once(modules: str) -> float:
            command = [sys.executable, "-c", IMPORT.format(modules)]
            done = subprocess.run(command, capture_output=True, check=True, env=environment)
            return float(done.stdout)

        once("numpy, portable_losses")
        pairs = [(once("numpy, portable_losses"), once("numpy")) for _ in range(rounds)]
    both, alone = (statistics.median(column) for column in zip(*pairs, strict=True))
    extra = f"{1e3 * (both - alone):.0f} ms"
    return ["import portable_losses", "import numpy", shown(both), shown(alone), extra, "60 ms"]


def memory_lines() -> Iterator[list[str]]:
    """Peak memory beyond the arguments, as a part of the logits."""
    size = f"{memory.ROWS} x {memory.CLASSES} float32"
    for name, (_, bar) in memory.PROGRAMS.items():
        aim = "-" if bar is None else f"{bar:.2f}"
        yield [
            f"peak memory, {name}, {size}",
            "the logits",
            "",
            "",
            f"{memory.measure(name):.4g}",
            aim,
        ]


def machine() -> str:
    """What it was measured on."""
    model = [line for line in _cpu_lines() if line.startswith("model name")]
    name = model[0].partition(":")[2].strip() if model else platform.machine()
    versions = ", ".join(f"{one} {version(one)}" for one in LIBRARIES)
    return (
        f"{datetime.date.today()}, {name}, {os.cpu_count()} cores, {torch.get_num_threads()} "
        f"PyTorch threads, Python {platform.python_version()}, {versions}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def record(lines: list[list[str]], bandwidth: float) -> dict[str, Any]:
    """The figures of a version, as they are kept."""
    rows = [dict(zip(HEAD, line, strict=True)) for line in lines]
    measured = {"version": __version__, "measured": machine(), "copied GB/s": bandwidth / 1e9}
    return {**measured, "rows": rows}


def row_of(figures: dict[str, str]) -> str:
    """A line of the page: a ratio that misses its aim stands in bold and is marked."""
    cells, ratio = dict(figures), figures["ratio"]
    if " " not in ratio:
        cells["ratio"] = f"{float(ratio):.2f}"
    if missed(ratio, figures["aim"]):
        cells["ratio"] = f"**{cells['ratio']}** ✗"
    return "| " + " | ".join(cells.values()) + " |"


def document(kept: dict[str, Any]) -> str:
    """The page of the figures of a version."""
    rows = [f"| {' | '.join(HEAD)} |", f"| {' | '.join(['---'] * len(HEAD))} |"]
    rows += map(row_of, kept["rows"])
    misses = sum(missed(one["ratio"], one["aim"]) for one in kept["rows"])
    aims = sum(one["aim"] != "-" for one in kept["rows"])
    return f"""\
# Benchmarks, measured

Written by `make bench` for version {kept["version"]}: {kept["measured"]}.

Value and gradient, medians of programs that take turns; a ratio below 1 is faster than the peer,
and the aim is the largest ratio that we want. {misses} of {aims} miss it:
they stand in bold, with a ✗. Copying a large array moves {kept["copied GB/s"]:.1f} GB/s here, read
and written bytes counted once each. Rows without an aim show what nobody can spare: moving the
bytes that value and gradient read and write ("{MOVED}"), and the products of
matrices within the loss of a linear layer. The figures of each version are kept as JSON in
`docs/benchmarks/`.

{chr(10).join(rows)}

![Time of cross_entropy against the number of classes](benchmarks_classes.svg)

![Time of cross_entropy against the number of rows](benchmarks_rows.svg)

The dashed line is one read of the logits and one write of the gradient at the speed of a copy.
"""


def render() -> None:
    """Write the page of the figures that are kept."""
    DOCUMENT.write_text(document(json.loads(FIGURES.read_text("utf-8"))), "utf-8")
    print(f"wrote {DOCUMENT}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=7,
        help="turns of each program (7), of short ones six times as many",
    )
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--render", action="store_true", help="the page, of the figures kept")
    arguments = parser.parse_args()
    if arguments.render:
        render()
        return

    print(machine())
    lines: list[list[str]] = []

    def tell(cells: list[str]) -> None:
        lines.append(cells)
        print(f"{cells[0]:66} {cells[1]:15} " + " ".join(f"{x:>8}" for x in cells[2:]), flush=True)

    tell(HEAD)
    lines.clear()
    for races in full_size():
        for race in races():
            if arguments.only in race.name:
                for cells in lines_of(race, arguments.rounds):
                    tell(cells)
    for cells in list(means(lines)):
        tell(cells)
    if arguments.only:
        return
    for cells in memory_lines():
        tell(cells)
    tell(import_time(arguments.rounds))
    bandwidth = plots.copy_bandwidth(np.empty(2**26, np.float32))
    plots.draw(DOCUMENT.parent, bandwidth, rounds=3)
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(record(lines, bandwidth), indent=1) + "\n", "utf-8")
    render()


if __name__ == "__main__":
    main()
