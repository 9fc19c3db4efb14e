"""Print one line for each case: our time, PyTorch's, and their ratio."""

import argparse
import datetime
import os
import platform

import numpy as np
import torch

from benchmarks import tape
from benchmarks.cases import full_size
from benchmarks.timing import compare


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each program (7)")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    arguments = parser.parse_args()

    today, threads = datetime.date.today(), torch.get_num_threads()
    print(f"{today}, {platform.machine()}, {os.cpu_count()} cores, {threads} PyTorch threads")
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__} eager; value and gradient\n")
    print(f"{'':68} {'ours':>10} {'PyTorch':>10} {'ratio':>6} {'aim':>5}")
    for make_cases in full_size():
        for case in make_cases():
            if arguments.only in case.name:
                times = compare(case.ours, case.torch, rounds=arguments.rounds)
                spent = f"{1e3 * times.ours:7.2f} ms {1e3 * times.theirs:7.2f} ms"
                print(f"{case.name:68} {spent} {times.ratio:6.2f} {case.bar:5.2f}", flush=True)
    if arguments.only in "the tape":
        tape.report(rounds=arguments.rounds)


if __name__ == "__main__":
    main()
