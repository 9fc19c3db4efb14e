"""Run calls for a time or a number, and print what was found; or replay one call."""

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from fuzzing.calls import draw
from fuzzing.libraries import LIBRARIES
from fuzzing.report import Groups, Known
from fuzzing.running import quietly, run_range, shrink_all

CHUNK = 200  # calls that a process is given at a time


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--call", type=int, help="replay this call, and print it as Python")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first call")
    parser.add_argument("--calls", type=int, help="how many calls, each on every library")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, without --calls")
    parser.add_argument(
        "--libraries", default="numpy,tape,torch,strict", help=f"some of {','.join(LIBRARIES)}"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--expect", type=Path, help="groups that are known: lines of JSON")
    parser.add_argument("--json", type=Path, help="write the groups here, as lines of JSON")
    parser.add_argument("--no-shrink", action="store_true", help="leave the examples as drawn")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Return 1 if something was found that is not expected."""
    options = parsed(arguments)
    names = options.libraries.split(",")
    if options.call is not None:
        return replay(options.call, names)
    start = time.perf_counter()
    groups, counts, end = search(options, names)
    took, total = time.perf_counter() - start, sum(counts.values())
    known = Known(options.expect)
    new = {key for key in groups.smallest if not known.knows(key)}
    if not options.no_shrink:
        shrink_all(groups, names, new)
    if options.json:
        text = "".join(json.dumps(line) + "\n" for line in groups.lines())
        options.json.write_text(text, "utf-8")
    print_table(groups, new)
    print(", ".join(f"{name}: {counts[name]:,} calls" for name in names))
    print(f"{total:,} calls in {took:.1f} s, {total / took:,.0f}/s")
    print(f"the numbers {options.seed} to {end - 1}")
    print(f"{len(groups.smallest)} groups of findings, {len(new)} of them new")
    for pattern in known.unmet():
        print("expected, and not found:", json.dumps(pattern))
    return int(bool(new))


def search(options: argparse.Namespace, names: list[str]) -> tuple[Groups, Counter[str], int]:
    """Run calls until time or number is up; return what was found, the counts, and the end."""
    groups, counts, end = Groups(), Counter[str](), options.seed
    last = sys.maxsize if options.calls is None else options.seed + options.calls
    until = time.perf_counter() + (options.seconds if options.calls is None else math.inf)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=spawn) as pool:
        while end < last and time.perf_counter() < until:
            firsts = range(end, min(end + options.workers * CHUNK, last), CHUNK)
            lasts = [min(first + CHUNK, last) for first in firsts]
            for found, counted in pool.map(run_range, firsts, lasts, repeat(names)):
                groups.merge(found)
                counts += counted
            end = lasts[-1]
    return groups, counts, end


def print_table(groups: Groups, new: set[tuple[str, str, str]]) -> None:
    """Print the new groups, each with its smallest call."""
    for line in groups.lines():
        if (line["oracle"], line["function"], line["kind"]) in new:
            print(f"{line['oracle']} | {line['function']} | {line['kind']} | {line['count']} times")
            print(f"    call {line['call']}: {line['example'][:400]}")
            if line["detail"]:
                print("    " + line["detail"].replace("\n", " "))


def replay(number: int, names: list[str]) -> int:
    """Print one call as Python, and what does not hold of it."""
    call = draw(number)
    print("import numpy as np; import portable_losses as pl; from numpy import inf, nan")
    print(call)
    with quietly():
        found, _ = run_range(number, number + 1, names)
    if call.bad:
        print("wrong on purpose:", call.bad)
    for key, finding in found.smallest.items():
        print(" | ".join(key), "|", finding.detail)
    return int(bool(found.smallest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
