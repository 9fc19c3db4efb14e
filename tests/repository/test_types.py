"""The stubs are those of the functions, and a strict type checker refuses what they refuse."""

import ast
import re
from os import devnull
from pathlib import Path

import pytest

from tests.repository.test_documents import ROOT, blocks_of
from tools.write_stubs import stubs

STUBS = stubs()
TYPES = ROOT / "tests" / "typed_programs"
OTHERS = ("cupy", "torch", "jax", "dask", "array_api_compat", "scipy", "array_api_strict")


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
    files = [TYPES / "refused.py", TYPES / "accepted.py"]
    for i, block in enumerate(blocks_of((ROOT / "README.md").read_text("utf-8"))):
        files.append(tmp_path / f"readme_{i}.py")
        files[-1].write_text(block.code, "utf-8")
    # other libraries are Any, so that it takes seconds
    skipped = (
        f"[mypy-{n}.*]\nfollow_imports = skip\nignore_missing_imports = True" for n in OTHERS
    )
    config = tmp_path / "mypy.ini"
    lines = ("[mypy]", "strict = True", "explicit_package_bases = True", f"mypy_path = {ROOT}")
    config.write_text("\n".join([*lines, *skipped]), "utf-8")
    said, errors, status = api.run(
        ["--config-file", str(config), "--cache-dir", devnull, *map(str, files)]
    )
    assert status == 0, said + errors


def test_a_file_of_programs_is_about_something() -> None:
    refused = (TYPES / "refused.py").read_text("utf-8").splitlines()
    assert sum("# type: ignore[" in line for line in refused) > 10


def test_no_module_has_the_name_of_a_function_beside_it() -> None:
    # a checker takes one for the other, and so does `import portable_losses.losses.cross_entropy`
    for path in STUBS:
        tree = ast.parse(path.read_text("utf-8"))
        named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert named & {beside.stem for beside in path.parent.glob("*.py")} == set()
