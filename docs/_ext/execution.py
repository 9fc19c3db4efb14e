"""Runs every ``python`` block and every doctest of a page, and shows what it printed and drew.

The blocks of a page share a namespace, in order; each tab begins with a copy of it. Blocks of CuPy
(a tab of that name, or below ``<!-- needs: cupy -->``) run on tests/double.py, whose arrays
refuse to be looked at, and say so. What a page gave is kept in docs/_build/executed until its
code, or any of the library, changes. Kernels are off: compiling a formula that runs once on three
numbers takes longer than all the rest.
"""

import ast
import builtins
import contextlib
import doctest
import hashlib
import io
import logging as standard_logging
import os
import pickle
import tempfile
import time
import traceback
import types
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "_build" / "executed"
LIBRARIES = ("numpy", "torch", "jax", "dask", "scipy", "scikit-learn", "matplotlib")
OF_THE_DOUBLE = (
    "Run on the test double of CuPy (there was no card): NumPy arrays that refuse to be read."
)
logger = logging.getLogger(__name__)


class Result(NamedTuple):
    """What a block printed, the pictures it drew, and what went wrong."""

    text: str = ""
    pictures: tuple[str, ...] = ()
    error: str = ""


# ---- the code of a page ------------------------------------------------------------------------
def tab_of(node: nodes.Node) -> str:
    """The label of the tab that `node` stands in, or nothing."""
    parent = node.parent
    while parent is not None:
        if isinstance(parent, nodes.Element) and "sd-tab-item" in parent.get("classes", []):
            return str(parent.children[0].astext())
        parent = parent.parent
    return ""


def needs_of(node: nodes.Element) -> str:
    """The library of a comment ``needs: cupy`` before the block."""
    index = node.parent.index(node)
    before = node.parent[index - 1] if index else None
    text = before.astext() if isinstance(before, nodes.comment | nodes.raw) else ""
    return text.partition("needs:")[2].replace("-->", "").strip()


def is_run(node: nodes.Node) -> bool:
    """Whether the block is a program."""
    if isinstance(node, nodes.doctest_block):
        return True
    return isinstance(node, nodes.literal_block) and node.get("language") == "python"


@cache
def fingerprint() -> str:
    """A hash of everything that may change what a program prints."""
    found = hashlib.sha256(Path(__file__).read_bytes())
    for folder in ("portable_losses", "backends", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    for name in LIBRARIES:
        found.update(version(name).encode())
    return found.hexdigest()


# ---- running it --------------------------------------------------------------------------------
def double() -> types.ModuleType:
    """What ``import cupy`` gives here: the test double, with what only CuPy has."""
    source = import_module("tests.double")
    module = types.ModuleType("cupy", "CuPy's test double")

    def revealed(array: Any) -> Any:
        return array.revealed if hasattr(array, "revealed") else array

    def asarray(x: Any, dtype: Any = None, **options: Any) -> Any:
        return source.asarray(x, dtype=dtype, **options)

    source.Array.__repr__ = lambda self: repr(self.revealed)
    source.Array.__str__ = lambda self: str(self.revealed)
    source.Array.get = lambda self: self.revealed
    functions = {"asarray": asarray, "array": asarray, "asnumpy": revealed}
    vars(module).update(functions, __getattr__=lambda name: getattr(source, name))
    return module


def with_the_double() -> dict[str, Any]:
    """Builtins whose ``import cupy`` finds the test double."""
    original = builtins.__import__

    def find(name: str, *rest: Any) -> Any:
        return double() if name == "cupy" else original(name, *rest)

    return {**vars(builtins), "__import__": find}


def drawn(images: Path, key: str) -> tuple[str, ...]:
    """Write matplotlib's open figures as SVG, close them, and return their names."""
    import matplotlib.pyplot as plt

    names: list[str] = []
    for number in plt.get_fignums():
        names.append(f"{key}-{number}.svg")
        plt.figure(number).savefig(images / names[-1], bbox_inches="tight", metadata={"Date": None})
    plt.close("all")
    return tuple(names)


def run_program(code: str, namespace: dict[str, Any], images: Path, key: str) -> Result:
    """Run `code`; the value of an expression at its end is shown, as in a notebook."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            last = tree.body[-1] if tree.body else None
            if isinstance(last, ast.Expr):
                tree.body.pop()
            exec(compile(tree, "<page>", "exec"), namespace)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "<page>", "eval"), namespace)
                if value is not None:
                    print(repr(value))
            pictures = drawn(images, key)
    except BaseException:  # the double's refusal is no Exception
        return Result(printed.getvalue(), error=traceback.format_exc())
    return Result(printed.getvalue(), pictures)


def run_doctest(text: str, namespace: dict[str, Any]) -> Result:
    """Run a doctest; its output stands in the page already."""
    said: list[str] = []
    example = doctest.DocTestParser().get_doctest(text + "\n", namespace, "example", None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(
            example, out=said.append, clear_globs=False
        )
    return Result(error="".join(said))


def run_page(blocks: list[nodes.Element], images: Path, name: str) -> list[Result]:
    """Run the blocks of a page in order."""
    common: dict[str, Any] = {"__name__": "__main__"}
    tabs: dict[str, dict[str, Any]] = {}
    found: list[Result] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, block in enumerate(blocks):
            if not is_installed(needs_of(block)):
                found.append(Result(f"(not run here: it needs {needs_of(block)})"))
                continue
            tab = tab_of(block)
            space = tabs.setdefault(tab, dict(common)) if tab else common
            space.pop("__builtins__", None)
            if on_the_double(block):
                space["__builtins__"] = with_the_double()
            if isinstance(block, nodes.doctest_block):
                found.append(run_doctest(block.astext(), {"__name__": "__main__"}))
            else:
                found.append(run_program(block.astext(), space, images, f"{name}-{number}"))
    logger.info("%s: its programs took %.1f s", name, time.perf_counter() - started)
    return found


def is_installed(library: str) -> bool:
    """Whether the library that a block needs is there; CuPy has its double."""
    return library in ("", "cupy") or find_spec(library) is not None  # there is none of "a card"


def on_the_double(block: nodes.Element) -> bool:
    """Whether the block is one of CuPy."""
    return "cupy" in (tab_of(block).lower(), needs_of(block))


def results_of(blocks: list[nodes.Element], docname: str) -> list[Result]:
    """What the blocks gave, from the last build if nothing has changed since."""
    code = "\0".join(f"{tab_of(b)}\0{needs_of(b)}\0{b.astext()}" for b in blocks)
    key = hashlib.sha256(f"{fingerprint()}\0{docname}\0{code}".encode()).hexdigest()[:32]
    folder = KEPT / key
    kept = folder / "results.pickle"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        found = run_page(blocks, folder, docname.replace("/", "-"))
        if any(result.error for result in found):
            return found
        kept.write_bytes(pickle.dumps(found))
    results: list[Result] = pickle.loads(kept.read_bytes())
    return [
        r._replace(pictures=tuple(os.path.relpath(folder / p, ROOT / "docs") for p in r.pictures))
        for r in results
    ]


# ---- showing it --------------------------------------------------------------------------------
def shown(block: nodes.Element, result: Result) -> list[nodes.Node]:
    """The nodes that follow a block."""
    found: list[nodes.Node] = []
    if result.text.strip():
        output = nodes.literal_block(result.text.rstrip(), result.text.rstrip(), language="none")
        output["classes"].append("output")
        found.append(output)
    for picture in result.pictures:
        image = nodes.image(uri=f"/{picture}", alt="what the program above draws")
        image["classes"].append("drawn")
        found.append(image)
    if on_the_double(block):
        found.append(nodes.paragraph("", "", nodes.emphasis(OF_THE_DOUBLE, OF_THE_DOUBLE)))
    return found


def execute(app: Sphinx, doctree: nodes.document) -> None:
    """Run the blocks of a page that has been read, and put their output below them."""
    docname = app.env.docname
    blocks = [node for node in doctree.findall(nodes.Element) if is_run(node)]
    if not blocks:
        return
    for block, result in zip(blocks, results_of(blocks, docname), strict=True):
        if result.error:
            logger.warning(
                "this program failed:\n%s\n%s", block.astext(), result.error, location=block
            )
        below = shown(block, result)
        index = block.parent.index(block)
        block.parent[index + 1 : index + 1] = below
        for node in below:
            node.parent = block.parent


def setup(app: Sphinx) -> ExtensionMetadata:
    """Run the programs before Sphinx collects the pictures of a page."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("MPLBACKEND", "agg")
    os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when SciPy is imported
    os.environ.setdefault("PORTABLE_LOSSES_KERNELS", "off")
    quick = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    os.environ.setdefault("XLA_FLAGS", quick)
    # it warns of everything else that is not installed
    standard_logging.getLogger("torch.onnx").setLevel("ERROR")
    assert find_spec("tests.double"), "the documentation is built in a checkout"
    app.connect("doctree-read", execute, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
