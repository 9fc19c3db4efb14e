"""The stubs are those of the functions, and a strict type checker refuses what they refuse."""

import ast
import re
from os import devnull
from pathlib import Path

import pytest

from tests.repository.test_documents import ROOT, blocks_of
from tools.write_stubs import stubs

STUBS = stubs()
WRONG = """\
import portable_losses as pl
from portable_losses import nn

nn.CrossEntrpyLoss()
nn.CrossEntropyLoss(dim=1)
pl.cross_entropy([1.0], "abc")
pl.cross_entropy([[1.0]], [0], reduction="meen")
nn.CrossEntropyLoss(reduction="meen")
pl.sigmoid("abc")
pl.softmax([1.0], dim=0)
pl.relu(None)
pl.no_such_function([1.0])
"""
RIGHT = """\
import numpy as np
import portable_losses as pl
from portable_losses import nn

x = np.asarray([[0.5, 1.0]], dtype=np.float32)
a: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = pl.sigmoid(x)
t: pl.Tensor = pl.softmax(pl.tensor(x), axis=-1)
loss, lse = pl.cross_entropy(pl.tensor(x), [0], return_lse=True)
loss.backward()
s: pl.Tensor = pl.huber_loss(t, 0.5, delta=2, where=[[True, False]])
number: float = float(pl.mse_loss([1.0, 2.0], [0.0, 1.0], reduction="sum"))
m: pl.Tensor = nn.CrossEntropyLoss(label_smoothing=0.1)(pl.tensor(x), [0])
"""


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.parent.name)
def test_a_stub_is_what_the_tool_writes(path: Path) -> None:
    written, read = ast.parse(STUBS[path]), ast.parse(path.read_text("utf-8"))
    assert parts_of(written) == parts_of(read), "python -m tools.write_stubs"


def parts_of(tree: ast.Module) -> list[str]:
    """Statements without the layout; ruff sorts the names of imports and of ``__all__``."""
    return sorted(
        str(sorted(re.findall(r"\w+", ast.unparse(node))))
        if isinstance(node, ast.ImportFrom | ast.Assign)
        else ast.unparse(node)
        for node in tree.body
    )


def test_mypy_refuses_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    wrong, right, readme = (tmp_path / f"{name}.py" for name in ("wrong", "right", "readme"))
    wrong.write_text(WRONG, "utf-8")
    right.write_text(RIGHT, "utf-8")
    blocks = blocks_of((ROOT / "README.md").read_text("utf-8"))
    readme.write_text("\n".join(block.code for block in blocks), "utf-8")
    # other libraries are Any, so that it takes seconds
    follow = "\n".join(
        f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = True"
        for name in (
            "cupy",
            "torch",
            "jax",
            "dask",
            "array_api_compat",
            "scipy",
            "array_api_strict",
        )
    )
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = True\nmypy_path = {ROOT}\n{follow}\n", "utf-8")
    files = map(str, (wrong, right, readme))
    said, errors, _ = api.run(["--config-file", str(config), "--cache-dir", devnull, *files])
    found = re.findall(r"^(?:.*[/\\])?(\w+)\.pyi?:(\d+): error: .*$", said, re.MULTILINE)
    expected = {("wrong", str(n)) for n in range(4, len(WRONG.splitlines()) + 1)}
    assert set(found) == expected, said + errors
