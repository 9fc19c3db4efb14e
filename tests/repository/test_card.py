"""The report of a card runs on the processor, too: so it works before there is a card."""

from itertools import islice
from typing import Any

import pytest

pytest.importorskip("torch")
report: Any = pytest.importorskip("tools.report_card")


@pytest.mark.filterwarnings("ignore")  # of rows that raise or warn by nature
@pytest.mark.parametrize("part", ["matrix", "kernels", "speed"])
def test_every_part_of_the_report_runs(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SELECTED", report.SELECTED[:4])
    monkeypatch.setattr(report, "ROUNDS", 1)
    lines = list(islice(getattr(report, part)(report.Place(card=False)), 5))
    assert lines
    for line in lines:
        assert line.startswith("| ")
        assert "Error" not in line
        assert "differs" not in line


def test_a_wrong_result_is_told() -> None:
    want = report.np.asarray([1.0, 2.0])
    assert report.is_close(want, want)
    assert not report.is_close(want * (1 + 1e-9), want)
    assert report.distance(want + 2.0**-22, want, rows=False) == 2


def test_a_part_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(report.SECONDS, "speed", -1.0)
    assert len(report.in_time("speed", iter("abc"))) == 2
