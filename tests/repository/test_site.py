"""The tables behind the site are whole: each function has its formula, call and picture.

`make docs` runs the examples and draws the pictures; here is what it would leave out in silence.
"""

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from portable_losses import nn
from tests.libraries import PUBLIC
from tools.write_inventories import FOLDER, PLACES, inventory, names_of

DOCS = Path(__file__).parents[2] / "docs"
TABLE = tomllib.loads((DOCS / "functions.toml").read_text("utf-8"))
GROUPS: dict[str, Any] = TABLE.pop("groups")
OTHERS: dict[str, Any] = tomllib.loads((DOCS / "other_names.toml").read_text("utf-8"))
ENTRIES: dict[str, Any] = {
    name: GROUPS[group] | (own if isinstance(own, dict) else {"formula": own})
    for group, members in TABLE.items()
    for name, own in members.items()
}


def test_every_public_function_has_a_formula_an_example_and_a_picture() -> None:
    assert sorted(ENTRIES) == PUBLIC


@pytest.mark.parametrize("name", ENTRIES)
def test_braces_of_a_formula_are_closed_and_its_picture_is_of_the_function(name: str) -> None:
    formula, plot = ENTRIES[name]["formula"], ENTRIES[name]["plot"].format(name=name)
    bare = formula.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert formula.count(r"\left") == formula.count(r"\right") + formula.count(r"\leftarrow")
    assert f"pl.{name}(" in plot
    assert set(re.findall(r"\b[a-z_]\w*\b", ENTRIES[name]["call"])) & set(ENTRIES[name]["arrays"])


def test_every_other_name_has_a_formula_and_a_picture_or_a_reason() -> None:
    packages = ("autograd", "data", "nn", "nn.init", "objectives", "optim", "optim.lr_scheduler")
    modules = {p: importlib.import_module(f"portable_losses.{p}") for p in packages}
    names = {
        f"{package}.{name}"
        for package, module in modules.items()
        for name in module.__all__
        if not inspect.ismodule(getattr(module, name)) and not of_a_function(package, name)
    }
    drawn = {path for path in OTHERS if path != "without"}
    assert sorted([*drawn, *OTHERS["without"]]) == sorted(
        names | {"Derivatives", "derivatives", "validation"}
    )
    for entry in (OTHERS[path] for path in drawn):
        formula = re.sub(r"\\leftarrow", "", entry["formula"])
        assert formula.count(r"\left") == formula.count(r"\right")
        assert entry["picture"] in ("curve", "lines", "arrays", "path")


def of_a_function(package: str, name: str) -> bool:
    """Whether a name is a module that has the formula and the picture of its function."""
    with_parameters = ("PReLU", "LinearCrossEntropyLoss")
    return package == "nn" and (hasattr(getattr(nn, name), "function") or name in with_parameters)


def test_every_page_is_in_a_table_of_contents() -> None:
    pages = {p.relative_to(DOCS).with_suffix("") for p in DOCS.rglob("*.md")}
    pages = {p for p in pages if p.parts[0] not in ("reference", "_build", "index")}
    listed: set[Path] = set()
    for page in DOCS.rglob("*.md"):
        for tree in re.findall(r"```{toctree}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            names = [line for line in tree.split("\n") if line and line[0] != ":"]
            listed |= {(page.parent / name).resolve().relative_to(DOCS) for name in names}
    listed.add(Path("names"))  # the reference lists it
    assert pages - listed == set()
    assert {p for p in listed - pages if p.parts[0] != "reference"} == set()


def test_inventories_are_those_of_the_names() -> None:
    for library, (file, _, usual) in PLACES.items():
        wanted = inventory(library, names_of(library), usual)
        assert (FOLDER / f"{file}.inv").read_bytes() == wanted, "python -m tools.write_inventories"


def test_names_of_peers_are_read_with_their_homes() -> None:
    assert "torch.nn.functional.logsigmoid" in names_of("PyTorch")
    assert "scipy.special.log_expit" in names_of("SciPy")
    assert "optax.huber_loss" in names_of("optax")
    assert "sklearn.metrics.pairwise.cosine_distances" in names_of("scikit-learn")
