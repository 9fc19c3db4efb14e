"""What pyproject.toml asks for loosely, constraints.txt pins exactly."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
GROUPS: dict[str, list[Any]] = PROJECT["dependency-groups"]


def lines_of_constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def loose() -> list[str]:
    """Every requirement that somebody may install, less our own extras."""
    written = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for requirements in (*EXTRAS.values(), *GROUPS.values()):
        written += [need for need in requirements if isinstance(need, str)]
    return sorted({need for need in written if name_of(need) != "portable-losses"})


@pytest.mark.parametrize("line", lines_of_constraints())
def test_a_pin_is_one_exact_version(line: str) -> None:
    assert re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line)


def test_the_pins_are_in_order_and_name_a_package_once() -> None:
    names = [line.partition("==")[0] for line in lines_of_constraints()]
    assert names == sorted(set(names))


@pytest.mark.parametrize("requirement", loose())
def test_what_we_require_is_a_range_with_a_pin(requirement: str) -> None:
    assert ">=" in requirement
    assert "==" not in requirement.partition(";")[0]
    assert name_of(requirement) in {line.partition("==")[0] for line in lines_of_constraints()}


def test_all_has_every_other_extra() -> None:
    (everything,) = EXTRAS["all"]
    listed = re.search(r"\[(.*)\]", everything)
    assert listed
    assert set(listed[1].split(",")) == set(EXTRAS) - {"all"}
