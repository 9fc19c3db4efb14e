"""Writes docs/inventories: where other libraries' documentation has the names of docs/names.md.

``python -m tools.write_inventories`` after a change of docs/names.md. Sphinx reads these files
in place of each library's own inventory, so that `make docs` needs no network.
"""

import re
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "inventories"
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from peer_names import peers  # noqa: E402

# The file of a library, where its documentation is, and the path of a name there.
PLACES = {
    "PyTorch": ("torch", "https://docs.pytorch.org/docs/stable/", "generated/{name}.html"),
    "JAX": ("jax", "https://docs.jax.dev/en/latest/", "_autosummary/{name}.html"),
    "optax": ("optax", "https://optax.readthedocs.io/en/latest/", "api/losses.html"),
    "Keras": ("keras", "https://keras.io/api/", "losses/"),
    "SciPy": ("scipy", "https://docs.scipy.org/doc/scipy/", "reference/generated/{name}.html"),
    "scikit-learn": (
        "sklearn",
        "https://scikit-learn.org/stable/",
        "modules/generated/{name}.html",
    ),
}
# Names whose page is another one.
ELSEWHERE = {
    r"torch\.special\.": "special.html#{name}",
    r"keras\.activations\.": "layers/activations/",
}


def page_of(name: str, usual: str) -> str:
    """Return the path of a name."""
    paths = [path for pattern, path in ELSEWHERE.items() if re.match(pattern, name)]
    return (paths[0] if paths else usual).format(name=name)


def names_of(library: str) -> list[str]:
    """Return the names of a library in docs/names.md."""
    found = (peer for of_one in peers().values() for peer in of_one)
    return sorted({peer.name for peer in found if peer.library == library and peer.name})


def inventory(library: str, names: list[str], usual: str) -> bytes:
    """Return a Sphinx inventory, version 2, of these names."""
    head = "# Sphinx inventory version 2\n"
    head += f"# Project: {library}\n# Version: \n# The rest is compressed using zlib.\n"
    lines = [f"{name} py:function 1 {page_of(name, usual)} -\n" for name in names]
    return head.encode() + zlib.compress("".join(lines).encode(), 9)


def main() -> None:
    """Write a file for each library."""
    FOLDER.mkdir(exist_ok=True)
    for library, (file, url, usual) in PLACES.items():
        (FOLDER / f"{file}.inv").write_bytes(inventory(library, names_of(library), usual))
        (FOLDER / f"{file}.url").write_text(f"{url}\n", "utf-8")


if __name__ == "__main__":
    main()
