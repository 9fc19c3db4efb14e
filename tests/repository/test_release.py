"""What a release says of itself: version, dates, addresses, classifiers, workflows."""

import re
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import portable_losses

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Repository"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_changelog_is_dated_and_begins_with_this_version() -> None:
    headings = re.findall(r"^## (.*)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    form = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")
    released = [form.fullmatch(one) for one in headings[1:]]
    assert all(released)
    versions = [(found[1], date.fromisoformat(found[2])) for found in released if found]
    assert versions[0][0] == portable_losses.__version__
    assert versions == sorted(versions, key=lambda one: one[1], reverse=True)


def test_the_changelog_has_the_sections_of_its_form() -> None:
    sections = set(re.findall(r"^### (.*)$", text_of("CHANGELOG.md"), re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_is_of_the_newest_release() -> None:
    citation = dict(re.findall(r'^([a-z-]+): "?(.*?)"?$', text_of("CITATION.cff"), re.MULTILINE))
    assert citation["version"] == portable_losses.__version__
    assert f"## [{citation['version']}] - {citation['date-released']}\n" in text_of("CHANGELOG.md")
    assert citation["license"] == PROJECT["license"]


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff", "CHANGELOG.md", "pyproject.toml"])
def test_every_address_of_the_repository_is_the_one_of_the_project(name: str) -> None:
    home = re.escape(REPOSITORY.rpartition("/")[2])
    found = re.findall(rf"https://[\w.-]+/[\w.-]+/{home}(?![\w-])", text_of(name))
    assert found
    assert set(found) == {REPOSITORY}


def test_the_links_of_the_readme_are_absolute_and_lead_to_files() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", text_of("README.md"))
    assert [one for one in targets if not one.startswith(("https://", "#"))] == []
    files = [one.partition("/blob/main/")[2] for one in targets if one.startswith(REPOSITORY)]
    assert files
    assert [one for one in files if not (ROOT / one.partition("#")[0]).is_file()] == []


def test_the_classifiers_are_known_and_name_the_pythons_that_are_tested() -> None:
    known = pytest.importorskip("trove_classifiers").classifiers
    classifiers = PROJECT["classifiers"]
    assert set(classifiers) <= known
    minors = [one.rpartition(" ")[2] for one in classifiers if re.search(r":: 3\.\d+$", one)]
    assert f'requires-python = ">={minors[0]}"' in text_of("pyproject.toml")
    (matrix,) = re.findall(
        r"system: .*\n +python: \[(.*)\]", text_of(".github/workflows/tests.yml")
    )
    assert re.findall(r"[\d.]+", matrix) == minors
    assert sys.version_info >= tuple(int(part) for part in minors[0].split("."))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_and_groups_that_there_are(path: Path) -> None:
    text, makefile = path.read_text("utf-8"), text_of("Makefile")
    words = " ".join(re.findall(r"- run: make (.*)", text)).split()
    targets = {word for word in words if re.fullmatch(r"[a-z-]+", word)}
    assert {one for one in targets if f"\n{one}:" not in makefile} == set()
    groups = re.findall(r"--group (\w+)", text)
    written = tomllib.loads(text_of("pyproject.toml"))["dependency-groups"]
    assert set(groups) <= set(written)
    assert "\npermissions: {}\n" in text
