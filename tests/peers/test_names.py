"""docs/names.md: every public function is in it, and every name in it exists where it says."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import portable_losses as pl
from tests.libraries import PUBLIC

DOCUMENT = Path(pl.__file__).parents[1] / "docs" / "names.md"
# Where the names of a column live; optax and Keras are no dependency of the tests.
HOMES = {
    "torch.nn.functional": ("torch.nn.functional", "torch"),
    "torch.special": ("torch.special", "torch", "torch.nn.functional"),
    "jax.nn": ("jax.nn",),
    "jax": ("jax",),
    "scipy.special": ("scipy.special",),
    "scikit-learn": ("sklearn.metrics", "sklearn.metrics.pairwise"),
}


class Entry(NamedTuple):
    """A line of a table: our names, and a peer's by column."""

    ours: list[str]
    theirs: dict[str, list[str]]


def entries() -> Iterator[Entry]:
    heads: list[str] = []
    for line in DOCUMENT.read_text("utf-8").splitlines():
        if not line.startswith("| "):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "here":
            heads = cells
            continue
        ours = re.findall(r"`(\w+)`", cells[0])
        bare = [re.sub(r"\([^)]*\)", "", cell) for cell in cells]
        names = [[n.strip() for n in cell.split(",") if n.strip()] for cell in bare]
        yield Entry(ours, dict(zip(heads[1:], names[1:], strict=True)))


def test_every_public_function_has_a_line() -> None:
    named = [name for entry in entries() for name in entry.ours]
    assert sorted(named) == PUBLIC


@pytest.mark.parametrize("column", HOMES)
def test_every_name_exists(column: str) -> None:
    modules = [import_module(home) for home in HOMES[column]]
    checked = 0
    for entry in entries():
        for name in entry.theirs.get(column, []):
            if "." in name:
                home, _, last = name.rpartition(".")
                assert hasattr(import_module(home), last), name
            else:
                assert any(hasattr(module, name) for module in modules), name
            checked += 1
    assert checked > 10
