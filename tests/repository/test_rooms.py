"""The picture of the rooms in docs/design.md is true, and the documents name what exists."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = "portable_losses"
GUIDES = [
    ROOT / name
    for name in (
        *("README.md", "CONTRIBUTING.md", "backends/README.md"),
        *("docs/design.md", "docs/autograd.md", "docs/index.md"),
    )
]
# `_backend.py` imports the package that it lies in, which is loaded by then, for its `__path__`.
OF_ITSELF = ("_backend", CORE)

Arrow = tuple[str, str]


# ---- the picture -------------------------------------------------------------------------------
def drawn(text: str) -> tuple[set[str], set[Arrow], set[Arrow]]:
    """The rooms of the picture, its arrows, and those that go both ways."""
    block = re.search(r"^## The rooms$.*?^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block, "there is no picture"
    lines: list[tuple[str, str, str, str]] = []
    folder = ""
    for line in block[1].splitlines():
        if heading := re.match(r"\S+/(?=  |$)", line):
            folder = heading[0].removeprefix(f"{CORE}/")
        elif found := re.match(r" +(\w+) +(<?)->(.*)", line):
            lines.append((folder, found[1], found[2], found[3]))
    rooms = {module_of(folder + name) for folder, name, *_ in lines}
    arrows: set[Arrow] = set()
    mutual: set[Arrow] = set()
    for folder, name, both, targets in lines:
        room = module_of(folder + name)
        for target in re.findall(r"[\w/]+", targets):
            end = folder + target if folder + target in rooms else target
            arrows.add((room, end))
            if both:
                mutual |= {(room, end), (end, room)}
    return rooms | {room for room, _ in mutual}, arrows | mutual, mutual


def room_of(module: str, rooms: set[str]) -> str:
    """The smallest room that a module lies in."""
    around = [room for room in rooms if f"{module}/".startswith(f"{room}/")]
    assert around, f"{module} is in no room of the picture"
    return max(around, key=len)


# ---- the imports -------------------------------------------------------------------------------
def module_of(path: str) -> str:
    """The name of a module by its path in the package: a package has that of its folder."""
    return path.removesuffix("__init__").rstrip("/") or CORE


def modules() -> dict[str, Path]:
    """Every module of the package by its path there, without ``.py``."""
    found: dict[str, Path] = {}
    for path in (p for top in (CORE, "backends") for p in (ROOT / top).rglob("*.py")):
        inside = path.relative_to(ROOT).with_suffix("").as_posix()
        found[module_of(inside.removeprefix(f"{CORE}/"))] = path
    return found


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree, without what only a type checker reads."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from nodes_that_run(other)
        else:
            yield from nodes_that_run(node)


def imports(source: str, folder: str, known: Iterable[str]) -> Iterator[str]:
    """The modules among `known` that a file in `folder` imports, wherever the import stands."""
    for node in nodes_that_run(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = [CORE, *folder.split("/")]
            start = above[: len(above) + 1 - node.level] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]  # a module or a name in one
        for top, *rest in (name.split(".") for name in names):
            if top == CORE:
                paths = ["/".join(rest[:end]) for end in range(len(rest), 0, -1)]
                yield next((path for path in paths if path in known), CORE)


@cache
def between_files() -> set[Arrow]:
    """Which module imports which."""
    known = modules()
    return {
        (module, target)
        for module, path in known.items()
        for target in imports(
            path.read_text("utf-8"),
            path.parent.relative_to(ROOT).as_posix().removeprefix(CORE).lstrip("/"),
            known,
        )
    } - {OF_ITSELF}


def arrows_of(rooms: set[str]) -> set[Arrow]:
    """The arrows that a true picture of these rooms has."""
    arrows = {(room_of(start, rooms), room_of(end, rooms)) for start, end in between_files()}
    return {arrow for arrow in arrows if is_drawn(*arrow)}


def is_drawn(start: str, end: str) -> bool:
    """Not within a room, nor from a room to the ground floor of a folder that it lies in."""
    folder, _, name = end.rpartition("/")
    beside, _, own = start.rpartition("/")
    if start == end or end == "_typing":
        return False
    lies_in = not folder or f"{start}/".startswith(f"{folder}/")
    return not (name.startswith("_") and lies_in) or (beside == folder and own.startswith("_"))


def circles(arrows: set[Arrow]) -> set[Arrow]:
    """The arrows whose end leads back to their start."""
    ends: dict[str, set[str]] = {}
    for start, end in arrows:
        ends.setdefault(start, set()).add(end)

    def reached(start: str) -> set[str]:
        found, waiting = set[str](), [start]
        while waiting:
            new = ends.get(waiting.pop(), set[str]()) - found
            found |= new
            waiting.extend(new)
        return found

    leads = {start: reached(start) for start in ends}
    return {(start, end) for start, end in arrows if start in leads.get(end, ())}


def in_functions(source: str) -> list[str]:
    """The import statements of ours within functions."""
    found: list[str] = []
    for function in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)):
        for node in ast.walk(function):
            text = ast.unparse(node)
            if isinstance(node, ast.Import | ast.ImportFrom) and re.search(OURS, text):
                found.append(text)
    return found


OURS = rf"^(from|import) (\.|{CORE}\b)"


def faults(text: str, real: set[Arrow] | None = None) -> list[str]:
    """What the picture has wrong about the `real` arrows, by default those of the package."""
    rooms, arrows, mutual = drawn(text)
    real = arrows_of(rooms) if real is None else real
    return [
        *(f"missing: {start} -> {end}" for start, end in sorted(real - arrows)),
        *(f"superfluous: {start} -> {end}" for start, end in sorted(arrows - real)),
        *(f"in a circle: {start} -> {end}" for start, end in sorted(circles(real) - mutual)),
    ]


def test_the_picture_of_the_rooms_has_the_imports_of_the_source() -> None:
    assert faults((ROOT / "docs" / "design.md").read_text("utf-8")) == []


def test_no_file_is_in_a_circle_of_imports() -> None:
    assert circles(between_files()) == set()


def test_no_import_of_ours_hides_in_a_function() -> None:
    hidden = {name: in_functions(path.read_text("utf-8")) for name, path in modules().items()}
    assert {name for name, found in hidden.items() if found} == LATE


LATE = {"backends/kernels/gpu_rows/rows_torch"}  # which imports Triton, and that is not everywhere


# ---- what the documents name -------------------------------------------------------------------
PATH = re.compile(r"(?:[\w<>.-]+/)*(?:[\w<>-]+\.(?:cu|md|py|svg|toml|txt)|[\w<>-]+/)")
WORD = re.compile(r"\b_*[a-z]+[a-z0-9]*(?:_[a-z0-9]+)+_*\b")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def spans(text: str) -> list[str]:
    """The `code spans` of a document, without its blocks of code."""
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def paths_in(text: str) -> set[str]:
    """What is a path of a file, or of a folder, with a slash at its end."""
    pictures = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    tokens = [token.rstrip(",;:") for block in pictures for token in block.split()]
    return {path for path in (*spans(text), *tokens) if PATH.fullmatch(path)}


def words_in(text: str) -> set[str]:
    """The names with an underscore in what is code: ``a_b`` of ``f(a_b, kernel="c_d")``."""
    code = (span for span in spans(text) if not PATH.fullmatch(span) and "<" not in span)
    return {word for span in code for word in WORD.findall(span)}


def exists(path: str) -> bool:
    """Is it in the repository, from the root or from a folder further in? ``<name>`` is any."""
    pattern = re.sub("<.*?>", "*", path.rstrip("/"))
    found = (p for folder in FOLDERS for p in (ROOT / folder).glob(f"**/{pattern}"))
    return any(found) or any(ROOT.glob(pattern))


FOLDERS = ["backends", "benchmarks", "docs", "examples", CORE, "tests", "tools"]


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_path_in_a_document_exists(document: Path) -> None:
    assert {path for path in paths_in(document.read_text("utf-8")) if not exists(path)} == set()


@cache
def words_of_the_source() -> set[str]:
    """Every word of the Python files, and the files' names."""
    files = (p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py") if p != Path(__file__))
    return {word for p in files for word in re.findall(r"\w+", f"{p.stem} {p.read_text('utf-8')}")}


@pytest.mark.parametrize("document", GUIDES, ids=name_of)
def test_every_name_in_a_document_is_in_the_source(document: Path) -> None:
    assert words_in(document.read_text("utf-8")) - words_of_the_source() == set()


# ---- each check can fail -----------------------------------------------------------------------
PICTURE = """
## The rooms

```text
portable_losses/              made up
    __init__   -> nn, losses
    nn         -> losses, tape/walk
    losses     <-> special

    _ground    -> _lower
    _lower     ->

portable_losses/tape/
    __init__   -> walk
    walk       -> special
```
"""
REAL = {
    ("portable_losses", "nn"),
    ("portable_losses", "losses"),
    ("nn", "losses"),
    ("nn", "tape/walk"),
    ("losses", "special"),
    ("special", "losses"),
    ("_ground", "_lower"),
    ("tape", "tape/walk"),
    ("tape/walk", "special"),
}


def test_a_made_up_picture_is_read() -> None:
    rooms, arrows, mutual = drawn(PICTURE)
    assert rooms == {room for arrow in REAL for room in arrow}
    assert arrows == REAL
    assert mutual == {("losses", "special"), ("special", "losses")}
    assert faults(PICTURE, REAL) == []


def test_a_superfluous_arrow_is_seen() -> None:
    for start, end in REAL:
        assert f"superfluous: {start} -> {end}" in faults(PICTURE, REAL - {(start, end)})


def test_a_missing_arrow_is_seen() -> None:
    assert faults(PICTURE, REAL | {("nn", "special")}) == ["missing: nn -> special"]
    picture = PICTURE.replace("losses, tape/walk", "losses")
    assert faults(picture, REAL) == ["missing: nn -> tape/walk"]


def test_a_circle_that_is_not_drawn_as_one_is_seen() -> None:
    picture = PICTURE.replace("<-> special", "-> special\n    special    -> losses")
    assert drawn(picture)[1] == REAL
    assert faults(picture, REAL) == [
        "in a circle: losses -> special",
        "in a circle: special -> losses",
    ]


def test_every_way_to_write_an_import_is_seen() -> None:
    known = {"_a", "b", "b/c", "b/d"}
    source = (
        "import numpy\nimport portable_losses.b.c\nfrom portable_losses import b, name\n"
        "from portable_losses._a import name\nfrom .d import name\n"
        "def f():\n    from .. import _a\n    import portable_losses as pl\n"
    )
    source += "if TYPE_CHECKING:\n    from portable_losses import b\nelse:\n    from . import c\n"
    found = ["b/c", "b", CORE, "_a", "b/d", "_a", CORE, "b/c"]
    assert list(imports(source, "b", known)) == found


@pytest.mark.parametrize(
    "start, end, expected",
    [
        ("nn", "_stable", False),
        ("nn", "nn", False),
        ("tape/walk", "_stable", False),
        ("tape/walk", "tape/_notes", False),
        ("tape", "tape/_notes", False),
        ("nn", "tape/_notes", True),
        ("_values", "_stable", True),
        ("tape/_notes", "_stable", False),
        ("_stable", "tape/walk", True),
        ("nn", "_typing", False),
    ],
)
def test_the_ground_floor_is_drawn_from_elsewhere_alone(
    start: str, end: str, expected: bool
) -> None:
    assert is_drawn(start, end) is expected


def test_a_file_outside_every_room_is_seen() -> None:
    assert room_of("tape/walk/queue", {"tape", "tape/walk", "tapes"}) == "tape/walk"
    with pytest.raises(AssertionError, match="misc is in no room"):
        room_of("misc", {"tape"})


def test_paths_and_names_are_told_from_other_code() -> None:
    text = "In `a/b.py`, `a/<name>.py`, `a/`, `f(a_b, c)`, `x / y`, `np.where`, `d_e` and `1/2`."
    text += "\n```python\n`not/this.py`\n```\n\n```text\n-> drawn/here.py, x\n```\n"
    assert paths_in(text) == {"a/b.py", "a/<name>.py", "a/", "drawn/here.py"}
    assert words_in(text) == {"a_b", "d_e"}


@pytest.mark.parametrize(
    "path, expected",
    [
        ("tests/repository/test_rooms.py", True),
        ("repository/test_rooms.py", True),
        ("tests/repository/", True),
        ("backends/<library>.py", True),
        ("tests/test_rooms.py", False),
        ("tests/repositories/", False),
        ("backends/<library>.cu", False),
    ],
)
def test_a_path_that_does_not_exist_is_seen(path: str, expected: bool) -> None:
    assert exists(path) is expected


def test_a_circle_of_files_is_seen() -> None:
    around = {("a", "b"), ("b", "c"), ("c", "a")}
    assert circles(around | {("c", "d"), ("e", "a")}) == around


def test_an_import_within_a_function_is_seen() -> None:
    source = (
        "from portable_losses import a\ndef f():\n    import numpy, os\n    from .b import c\n"
        "class D:\n    def g(self):\n        if self:\n            import portable_losses.d\n"
    )
    assert in_functions(source) == ["from .b import c", "import portable_losses.d"]
