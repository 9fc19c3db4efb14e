"""Every benchmark runs, and its two programs compute the same thing. No time is tested."""

import numpy as np
import pytest

from benchmarks.cases import Case, tiny
from benchmarks.tape import Race, called, medians, sgd_step, sixty_operations, written_out
from benchmarks.timing import Times, compare


@pytest.mark.parametrize("case", tiny(), ids=lambda case: case.name)
def test_both_programs_compute_the_same_value_and_gradient(case: Case) -> None:
    ours, theirs = case.ours(), case.torch()
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(reference), rtol=2e-6)


RACES = [sixty_operations(6)] + [
    sgd_step(losses, rows=7, columns=3) for losses in (written_out(), called())
]


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_four_libraries_compute_the_same_gradient(race: Race) -> None:
    expected = race.ours()
    for other in race.others.values():
        np.testing.assert_allclose(np.asarray(other()), np.asarray(expected), rtol=1e-12)
    assert list(medians(race, rounds=1)) == ["ours", "PyTorch", "HIPS autograd", "MyGrad"]


def test_the_programs_take_turns() -> None:
    log: list[str] = []
    times = compare(lambda: log.append("ours"), lambda: log.append("theirs"), rounds=3)
    assert log[:2] == ["ours", "theirs"]  # one turn each to warm up
    assert log.count("ours") == log.count("theirs")
    assert times.ours > 0


def test_a_ratio_below_one_is_faster() -> None:
    assert Times(ours=1.0, theirs=4.0).ratio == 0.25
