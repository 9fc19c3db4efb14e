"""Reads docs/names.md: what other libraries call each function."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NAMES = Path(__file__).parents[1] / "names.md"
# A column, the library it is of, and what stands before its names.
COLUMNS = {
    "torch.nn.functional": ("PyTorch", "torch.nn.functional."),
    "torch.special": ("PyTorch", "torch.special."),
    "jax.nn": ("JAX", "jax.nn."),
    "jax": ("JAX", ""),
    "optax": ("optax", "optax."),
    "keras.activations": ("Keras", "keras.activations."),
    "keras.losses": ("Keras", "keras.losses."),
    "scipy.special": ("SciPy", "scipy.special."),
    "scikit-learn": ("scikit-learn", "sklearn.metrics."),
}
IN_PAIRWISE = ("cosine_distances",)  # of sklearn.metrics.pairwise


class Peer(NamedTuple):
    """A name of another library: ``PyTorch``, ``torch.nn.functional.relu``, and a remark."""

    library: str
    name: str
    remark: str


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def peers_of(column: str, cell: str) -> Iterator[Peer]:
    """The names in a cell; what stands in parentheses is the remark on the name before it."""
    library, home = COLUMNS[column]
    for part in re.split(r",\s*(?![^(]*\))", cell):
        found = re.match(r"([\w.]*)\s*(.*)", part)
        name, remark = (found[1], found[2]) if found else ("", part)
        if name in IN_PAIRWISE:
            name = f"pairwise.{name}"
        if name or remark:
            yield Peer(
                library, name if "." in name and name[0] != "p" else name and home + name, remark
            )


def peers() -> dict[str, list[Peer]]:
    """Of every public function the names elsewhere."""
    found: dict[str, list[Peer]] = {}
    heads: list[str] = []
    for line in NAMES.read_text("utf-8").splitlines():
        if not line.startswith("| "):
            continue
        row = cells(line)
        if row[0] == "here":
            heads = row
            continue
        theirs = [
            p for head, cell in zip(heads[1:], row[1:], strict=True) for p in peers_of(head, cell)
        ]
        for name in re.findall(r"`(\w+)`", row[0]):
            found[name] = theirs
    return found


def aliases() -> dict[str, str]:
    """Second names of functions, such as `swish`, and the first: those of one line."""
    found: dict[str, str] = {}
    for line in NAMES.read_text("utf-8").splitlines():
        first, *others = re.findall(r"`(\w+)`", cells(line)[0]) or [""]
        found |= dict.fromkeys(others, first)
    return found
