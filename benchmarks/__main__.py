"""Run every race, print a line for each peer, and write docs/benchmarks.md with its plots.

The time that importing takes, and the largest memory of a program, are measured in processes of
their own; everything else in this one, the programs taking turns.
"""

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from benchmarks import memory, plots
from benchmarks.cases import full_size
from benchmarks.elementwise import means
from benchmarks.timing import Race, marked, medians

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
LIBRARIES = ("numpy", "torch", "jax", "optax", "autograd", "mygrad")
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
            marked(ratio, bar),
            f"{bar:g}",
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
            f"{memory.measure(name):.2f}",
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


def document(lines: list[list[str]], bandwidth: float) -> str:
    """The page."""
    rows = ["| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *lines)]
    return f"""\
# Benchmarks, measured

Written by `make bench`: {machine()}.

Value and gradient, medians of programs that take turns; a ratio below 1 is faster than the peer,
and the aim is the largest ratio that we want: what misses it stands in bold. Copying a large array
moves {bandwidth / 1e9:.1f} GB/s here, read and written bytes counted once each.

{chr(10).join(rows)}

![Time of cross_entropy against the number of classes](benchmarks_classes.svg)

![Time of cross_entropy against the number of rows](benchmarks_rows.svg)

The dashed line is one read of the logits and one write of the gradient at the speed of a copy.
"""


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
    arguments = parser.parse_args()

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
    DOCUMENT.write_text(document(lines, bandwidth), "utf-8")
    print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
