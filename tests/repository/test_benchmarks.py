"""Every benchmark runs, and its programs compute the same thing. No time is tested."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, bfloat16

from benchmarks import memory, plots
from benchmarks.__main__ import DOCUMENT, FIGURES, document, lines_of, record, shown
from benchmarks.cases import tiny
from benchmarks.floors import floors
from benchmarks.timing import Race, medians


def leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [leaf for one in x for leaf in leaves(one)]
    return [np.asarray(x.half() if x.__class__ is Tensor and x.dtype == bfloat16 else x)]


@pytest.mark.parametrize("race", tiny(), ids=lambda race: race.name)
def test_all_programs_compute_the_same(race: Race) -> None:
    expected = leaves(race.programs["ours"]())
    for name, program in race.programs.items():
        got = leaves(program())
        for x, y in zip(got, expected, strict=True):
            rtol = {"float16": 1e-2, "float32": 1e-5}.get(x.dtype.name, 1e-12)
            np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-7 * (rtol > 1e-6), err_msg=name)
    assert set(race.bars) == set(race.programs) - {"ours"}


def test_the_floors_run() -> None:
    for race in floors(12, 3, (4, 3, 5)):
        assert medians(race, rounds=1).keys() == {"ours", *race.bars}


def test_the_programs_take_turns() -> None:
    log: list[str] = []
    programs = {name: lambda name=name: log.append(name) for name in ("ours", "theirs")}
    times = medians(Race("a race", programs, {}), rounds=3)
    assert log[:4] == ["ours", "theirs"] * 2  # to warm up, and to find out how often
    assert log.count("ours") == log.count("theirs")
    assert list(times) == ["ours", "theirs"]


def test_a_line_says_the_ratio_and_the_aim(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"ours": 0.25, "A": 0.5, "B": 1e-4, "C": 0.25}
    monkeypatch.setattr("benchmarks.__main__.medians", lambda race, rounds: times)
    race = Race("a race", {}, {"A": 0.75, "B": 1.0, "C": None})
    lines = [
        ["a race", "A", "250 ms", "500 ms", "0.5", "0.75"],
        ["a race", "B", "250 ms", "100 us", "2500", "1"],
        ["a race", "C", "250 ms", "250 ms", "1", "-"],
    ]
    assert list(lines_of(race, 3)) == lines
    page = document(record(lines, 2e10))
    assert "| a race | A | 250 ms | 500 ms | 0.50 | 0.75 |\n" in page
    assert "| a race | B | 250 ms | 100 us | **2500.00** ✗ | 1 |\n" in page
    assert "1 of 2 miss it" in page
    assert shown(1.5) == "1.5 s"


def test_the_page_is_of_the_figures_of_this_version() -> None:
    kept = json.loads(FIGURES.read_text("utf-8"))
    assert DOCUMENT.read_text("utf-8") == document(kept), "python -m benchmarks --render"


@pytest.mark.parametrize("name", memory.PROGRAMS)
def test_memory_is_measured(name: str) -> None:
    if sys.platform == "linux":
        assert memory.peak_extra(name, 64, 4096) >= 0
    make, _ = memory.PROGRAMS[name]
    assert len(make(3, 4)()) == 2


def test_times_are_drawn_against_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(sizes: list[int], **_: Any) -> dict[str, list[float]]:
        return {name: [1e-3 * size for size in sizes] for name in plots.SHOWN}

    assert plots.curve([2, 3], rows=3, rounds=1).keys() == plots.SHOWN.keys()
    monkeypatch.setattr(plots, "curve", few)
    plots.draw(tmp_path, plots.copy_bandwidth(np.ones(1000, np.float32)))
    for axis in ("classes", "rows"):
        assert (tmp_path / f"benchmarks_{axis}.svg").read_text().count("<path") > 5
