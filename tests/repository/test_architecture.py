"""Who may import whom and how the files are laid out, read from the source and nothing else."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "backends" / "kernels"
LONGEST_FILE = 420
STANDARD_LIBRARY = set(sys.stdlib_module_names)
ARRAY_LIBRARIES = {"array_api_strict", "cupy", "dask", "jax", "ndonnx", "numpy", "sparse", "torch"}
# A library's own modules that do not share its name.
OWN_MODULES = {
    "cupy": {"cupy", "cupyx"},
    "jax": {"jax", "jaxlib"},
    "torch_dtensor": {"torch"},
    "triton": {"torch", "triton"},
}
CREATION = {"arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"}
PUBLIC_MODULES = [
    "portable_losses",
    "portable_losses.autograd",
    "portable_losses.nn",
    "portable_losses.optim",
]
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}


def files_under(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: object) -> str:
    return path.relative_to(ROOT).as_posix() if isinstance(path, Path) else str(path)


def tree_of(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def imported(nodes: list[ast.AST]) -> Iterator[str]:
    """Every absolute module name that an import statement names, wherever it stands."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            # `from package import module` may name a module as well
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def climbs(nodes: list[ast.AST], allowed: int = 1) -> list[int]:
    """Lines with a relative import of more than the `allowed` number of dots."""
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return [node.lineno for node in imports if node.level > allowed]


def foreign_to_the_core(source: str) -> set[str]:
    """What a file of the core imports and may not."""
    names = set(imported(tree_of(source)))
    allowed = STANDARD_LIBRARY | {"array_api_compat", "portable_losses"}
    strange = {name for name in names if name.partition(".")[0] not in allowed}
    return strange | {name for name in names if name.startswith("portable_losses.backends")}


def foreign_to_a_backend(source: str, library: str) -> set[str]:
    """What a file of `library` under ``backends/`` may not import."""
    own = OWN_MODULES.get(library, {library})
    allowed = own | STANDARD_LIBRARY | {"array_api_compat", "numpy", "portable_losses"}
    names = set(imported(tree_of(source)))
    strange = {name for name in names if name.partition(".")[0] not in allowed}
    return strange | {name for name in names if name.startswith("portable_losses.backends")}


def library_of(path: Path) -> str:
    """The library that a file of ``backends/`` needs: a kernel says so itself, or by its name."""
    if path.stem.endswith("_llvm"):
        return "llvmlite"
    return declared(path.read_text("utf-8")) if KERNELS in path.parents else path.stem


def declared(source: str) -> str:
    """The value of ``__library__`` in a file of kernels; NumPy where there is none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__library__":
            return str(ast.literal_eval(node.value))
    return "numpy"


def rooms_entered(source: str) -> set[str]:
    """The neighbouring folders that a file of a folder of kernels imports."""
    nodes = [n for n in tree_of(source) if isinstance(n, ast.ImportFrom) and n.level == 2]
    return {(n.module or n.names[0].name).partition(".")[0] for n in nodes}


def creations_without_a_device(source: str) -> list[str]:
    """Calls such as ``xp.zeros(3)``; ``xp.asarray(x, copy=True)`` keeps the device of `x`."""
    found: list[str] = []
    for node in tree_of(source):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        namespace = ast.unparse(node.func.value).rpartition(".")[2].lstrip("_")
        keywords = {keyword.arg for keyword in node.keywords}
        if namespace.endswith("xp") and node.func.attr in CREATION:
            copies = node.func.attr == "asarray" and "copy" in keywords
            if not copies and "device" not in keywords:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("path", files_under("portable_losses"), ids=name_of)
def test_the_core_imports_the_standard_library_array_api_compat_and_itself(path: Path) -> None:
    assert foreign_to_the_core(path.read_text("utf-8")) == set()


@pytest.mark.parametrize("path", files_under("backends"), ids=name_of)
def test_a_backend_imports_the_core_its_own_library_and_numpy(path: Path) -> None:
    assert foreign_to_a_backend(path.read_text("utf-8"), library_of(path)) == set()


@pytest.mark.parametrize("path", files_under("portable_losses", "backends"), ids=name_of)
def test_nothing_imports_relatively_from_a_parent(path: Path) -> None:
    allowed = 2 if KERNELS in path.parents[1:] else 1  # from a folder of kernels, its neighbours
    assert climbs(tree_of(path.read_text("utf-8")), allowed) == []


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*/*.py")), ids=name_of)
def test_a_folder_of_kernels_imports_those_listed_before_it(path: Path) -> None:
    order = re.findall(r"^    (\w+)  ", (KERNELS / "__init__.py").read_text("utf-8"), re.MULTILINE)
    assert sorted(order) == sorted(
        p.name for p in KERNELS.iterdir() if (p / "__init__.py").exists()
    )
    before = set(order[: order.index(path.parent.name)])
    assert rooms_entered(path.read_text("utf-8")) <= before


@pytest.mark.parametrize("path", files_under("portable_losses"), ids=name_of)
def test_every_new_array_names_its_device(path: Path) -> None:
    assert creations_without_a_device(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "path", files_under("portable_losses", "backends", "tests", "tools"), ids=name_of
)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < LONGEST_FILE


def test_the_document_says_how_long_the_tape_is() -> None:
    """Each file is in one row of its table, by itself or by its folder; the numbers are right."""
    tape = ROOT / "portable_losses" / "autograd"
    paths = sorted(tape.rglob("*.py"))
    lengths = {
        p.relative_to(tape).as_posix(): len(p.read_text("utf-8").splitlines()) for p in paths
    }
    document = (ROOT / "docs" / "autograd.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`) \| ([0-9,]+) \|", document, re.MULTILINE)
    named = [re.findall("`(.*?)`", files) for files, _ in rows]
    alone = {name for name in chain(*named) if name.endswith(".py")}
    covered = [
        [f for f in lengths if f in names or (f"{Path(f).parent}/" in names and f not in alone)]
        for names in named
    ]
    assert sorted(chain(*covered)) == sorted(lengths)
    for files, (_, said) in zip(covered, rows, strict=True):
        assert sum(lengths[f] for f in files) == pytest.approx(int(said.replace(",", "")), rel=0.1)
    whole = re.search(r"^About ([0-9,]+) lines", document, re.MULTILINE)
    assert whole is not None
    assert sum(lengths.values()) == pytest.approx(int(whole[1].replace(",", "")), rel=0.03)


def bare_functions(source: str) -> list[str]:
    """Private functions of more than five lines without a docstring."""
    return [
        node.name
        for node in tree_of(source)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("_")
        and not node.name.startswith("__")
        and (node.end_lineno or 0) - node.lineno >= 5
        and not ast.get_docstring(node)
    ]


@pytest.mark.parametrize("path", files_under("portable_losses", "backends"), ids=name_of)
def test_a_private_function_of_more_than_five_lines_says_what_it_returns(path: Path) -> None:
    assert bare_functions(path.read_text("utf-8")) == []


def test_the_law_of_docstrings_sees_a_bare_function() -> None:
    long = "    a = 1\n    b = 2\n    c = 3\n    d = 4\n    return a + b + c + d\n"
    assert bare_functions(f"def _f():\n{long}") == ["_f"]
    assert bare_functions(f'def _f():\n    """Ten."""\n{long}def g():\n{long}') == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    files = files_under("portable_losses", "backends", "tests", "benchmarks", "examples")
    parts = {part for path in files for part in path.relative_to(ROOT).parts}
    words = {word for part in parts for word in Path(part).stem.split("_")}
    assert words & VAGUE_NAMES == set()


def test_importing_us_imports_no_array_library() -> None:
    code = (
        "import sys, portable_losses, portable_losses.autograd, portable_losses.nn\n"
        "import portable_losses.optim\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(run.stdout.split()) & ARRAY_LIBRARIES == set()


# ---- the public names --------------------------------------------------------------------------
def public_objects() -> list[Any]:
    """Every function and class that a public module exports, once even if it has two names."""
    found: dict[int, Any] = {}
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                found.setdefault(
                    id(value), pytest.param(value, id=f"{module_name.partition('.')[2]}.{name}")
                )
    return list(found.values())


def headings(documented: object) -> set[str]:
    pairs = pairwise((inspect.getdoc(documented) or "").splitlines())
    return {above for above, below in pairs if above and set(below) == {"-"}}


def missing_headings(documented: Callable[..., Any]) -> set[str]:
    """Which headings a docstring lacks.

    A function of arrays needs them all, a class its parameters and an example, and a context
    manager such as `no_grad`, which takes and returns nothing, the example.
    """
    present = headings(documented)
    if not inspect.signature(documented).parameters:
        return {"Examples"} - present
    if inspect.isclass(documented):
        return {"Parameters", "Examples"} - present
    lacks = {"Parameters", "Returns", "Raises", "Examples"} - present
    return lacks if present & {"Notes", "Source"} else lacks | {"Notes or Source"}


@pytest.mark.parametrize("module_name", PUBLIC_MODULES)
def test_a_public_module_lists_each_of_its_names_once(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("documented", public_objects())
def test_a_public_name_is_documented_under_every_heading(documented: Callable[..., Any]) -> None:
    assert missing_headings(documented) == set()


@pytest.mark.parametrize("folder", ["autograd", "nn", "optim"])
def test_no_file_has_the_name_of_a_public_function(folder: str) -> None:
    package = importlib.import_module(f"portable_losses.{folder}")
    inside = {path.stem for path in (ROOT / "portable_losses" / folder).iterdir()}
    modules = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
    assert inside & set(package.__all__) == modules & inside


# ---- each law can fail -------------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        "import numpy",
        "import scipy.special",
        "from torch import nn",
        "if x:\n    import jax",
        "from portable_losses.backends import torch",
        "from portable_losses.backends.torch import x",
    ],
)
def test_the_law_of_the_core_sees_a_foreign_import(source: str) -> None:
    assert foreign_to_the_core(source)


@pytest.mark.parametrize(
    ("source", "library"),
    [
        ("import torch", "jax"),
        ("import dask.array", "numpy"),
        ("from portable_losses.backends import numpy", "torch"),
        ("import scipy", "numpy"),
    ],
)
def test_the_law_of_the_backends_sees_a_foreign_import(source: str, library: str) -> None:
    assert foreign_to_a_backend(source, library)


def test_the_law_of_the_backends_allows_a_library_of_its_own() -> None:
    source = "import torch\nimport numpy\nfrom torch.autograd import Function\n"
    assert foreign_to_a_backend(source, "torch") == set()


def test_a_kernel_names_its_library_and_is_of_numpy_if_it_does_not() -> None:
    assert declared('"""A kernel."""\n\n__library__ = "torch"\n\nimport torch\n') == "torch"
    assert declared("import numpy as np\n") == "numpy"


def test_the_law_of_the_folders_sees_every_neighbour() -> None:
    source = "from ..rows import softmax\nfrom ..machine.blocks import x\nfrom .near import y\n"
    assert rooms_entered(source) == {"rows", "machine"}


@pytest.mark.parametrize(
    "source", ["xp.zeros(3)", "self._xp.ones((2,), dtype=d)", "f(xp.asarray(0.5, dtype=d))"]
)
def test_the_law_of_devices_sees_a_call_without_one(source: str) -> None:
    assert creations_without_a_device(source)


@pytest.mark.parametrize(
    "source",
    ["xp.zeros(3, device=d)", "xp.asarray(x, copy=True)", "xp.zeros_like(x)", "np.zeros(3)"],
)
def test_the_law_of_devices_leaves_other_calls_alone(source: str) -> None:
    assert creations_without_a_device(source) == []


def test_the_law_of_relative_imports_sees_a_parent() -> None:
    nodes = tree_of(
        "from .. import x\nfrom ..losses import y\nfrom .z import w\nfrom ...a import b"
    )
    assert climbs(nodes) == [1, 2, 4]
    assert climbs(nodes, 2) == [4]


def test_the_law_of_headings_sees_a_missing_one() -> None:
    def half(x: int) -> int:
        """Say something.

        Parameters
        ----------
        x : int
        """
        return x

    assert missing_headings(half) == {"Returns", "Raises", "Examples", "Notes or Source"}
