"""How it is measured: the programs take turns, and medians are compared."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Program = Callable[[], Any]


class Race(NamedTuple):
    """Programs that compute the same thing, "ours" first, and the ratios that we aim at.

    ``bars[name]`` is the largest ratio of our time to that of the program `name`; None: no aim.
    """

    name: str
    programs: Mapping[str, Program]
    bars: Mapping[str, float | None]


def missed(ratio: str, aim: str) -> bool:
    """Say whether a ratio is larger than its aim."""
    return aim != "-" and float(ratio.partition(" ")[0]) > float(aim.partition(" ")[0])


def seconds(program: Program, repeats: int) -> float:
    """Time of one run, as the mean of `repeats` runs without a pause."""
    start = time.perf_counter()
    for _ in range(repeats):
        program()
    return (time.perf_counter() - start) / repeats


def medians(race: Race, *, rounds: int) -> dict[str, float]:
    """Let the programs take turns `rounds` times, after one turn each to warm up.

    In turns, because a machine's clock and its neighbours change within seconds; a turn lasts
    about 20 ms or one run, because a clock is read in a fraction of a microsecond. Programs that
    are quicker than that take six times as many turns: else all of them are over within half a
    second, which is how long a machine may run at another speed.
    """
    for program in race.programs.values():
        program()
    quickest = min(seconds(program, 1) for program in race.programs.values())
    repeats = max(1, int(0.02 / max(quickest, 1e-6)))
    rounds *= 6 if repeats > 1 else 1
    times: dict[str, list[float]] = {name: [] for name in race.programs}
    for _ in range(rounds):
        for name, program in race.programs.items():
            times[name].append(seconds(program, repeats))
    return {name: statistics.median(column) for name, column in times.items()}
