"""Every ``python`` block of README.md runs; those of docs/ run when `make docs` builds the site.

The blocks share a namespace, in order. A block below the comment
``<!-- needs: cupy -->`` runs where that library can make arrays. Elsewhere it is compiled, its
imports are run, and every name it uses, also ``cp.asarray`` and the like, must exist. One whose
library is not installed is compiled.
"""

import ast
import builtins
import importlib
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md"]
BLOCK = re.compile(
    r"^(?:<!-- *needs: *(?P<needs>[\w ]+?) *-->\n+)?```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A piece of code, the line it starts at, and the library it needs, if not every one has it."""

    code: str
    line: int
    needs: str


def blocks_of(text: str) -> list[Block]:
    return [
        Block(found["code"], text.count("\n", 0, found.start("code")), found["needs"] or "")
        for found in BLOCK.finditer(text)
    ]


def makes_arrays(library: str) -> bool:
    """Say whether `library` can be used here: for CuPy, whether there is a card."""
    if library != "cupy":
        return True
    cupy = importlib.import_module("cupy")
    try:
        return bool(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def check_names(tree: ast.Module, namespace: dict[str, Any]) -> None:
    """Run the imports of `tree`; then look up every name and every attribute of a module."""
    nodes = list(ast.walk(tree))
    imports: list[ast.stmt] = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "<imports>", "exec"), namespace)
    bound = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    bound |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    known = bound | set(namespace) | set(vars(builtins))
    unknown = {n.id for n in nodes if isinstance(n, ast.Name) and n.id not in known}
    if unknown:
        msg = f"name {min(unknown)!r} is not defined"
        raise NameError(msg)
    for attribute in (n for n in nodes if isinstance(n, ast.Attribute)):
        path = ast.unparse(attribute).split(".")
        if path[0] not in bound and isinstance(namespace.get(path[0]), ModuleType):
            value = namespace[path[0]]
            for name in path[1:]:
                value = getattr(value, name)


def run(block: Block, namespace: dict[str, Any], filename: str) -> None:
    # the blank lines make a traceback point into the document
    tree = ast.parse("\n" * block.line + block.code, filename)
    if block.needs and not find_spec(block.needs):
        return
    if makes_arrays(block.needs):
        exec(compile(tree, filename, "exec"), namespace)
    else:
        check_names(tree, namespace)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_the_code_of_a_document_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what a block writes stays out of the repository
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(path.read_text("utf-8")):
        run(block, namespace, str(path))


def test_a_document_can_hold_code_of_every_kind() -> None:
    text = "a\n```python\nx = 1\n```\n<!-- needs: cupy -->\n```python\ny\n```\n```bash\nz\n```\n"
    assert blocks_of(text) == [Block("x = 1\n", 2, ""), Block("y\n", 6, "cupy")]


def test_a_block_that_fails_says_where() -> None:
    with pytest.raises(ZeroDivisionError) as info:
        run(Block("a = 1\na / 0\n", 10, ""), {}, "README.md")
    assert info.traceback[-1].lineno == 11  # counted from 0: the second line of the block


@pytest.mark.parametrize(
    "code", ["import math\nmath.no_such_name(1)", "import math\nmath.pi + no_such_name"]
)
def test_a_name_that_does_not_exist_is_found_without_running(code: str) -> None:
    with pytest.raises((AttributeError, NameError), match="no_such_name"):
        check_names(ast.parse(code), {})


def test_names_that_exist_are_found_without_running() -> None:
    code = "import math\ndef f(x):\n    y = math.sqrt(x)\n    return y\nprint(f(given))"
    check_names(ast.parse(code), {"given": 1})
