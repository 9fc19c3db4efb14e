"""``backends/README.md`` is the contract of a backend: its tables have the fields of the code."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, _gradient
from portable_losses._backend import (
    Arrays,
    Autodiff,
    Backend,
    Indexing,
    Kernel,
    Speed,
    load_backend,
)
from portable_losses._gradient import NAMED_PAIRS, with_gradient
from tests.libraries import INSTALLED

PACKAGE = Path(pl.__file__).parent
ROOT = PACKAGE.parent
CONTRACT = (ROOT / "backends" / "README.md").read_text("utf-8")
GROUPS: dict[str, Any] = {
    "autodiff": Autodiff,
    "arrays": Arrays,
    "indexing": Indexing,
    "speed": Speed,
}


def table_of(group: str, text: str = CONTRACT) -> dict[str, str]:
    """The fields in the table of a group, and what is said of leaving each out."""
    flags = re.MULTILINE | re.DOTALL | re.IGNORECASE
    section = re.search(rf"^## {group}\n(.*?)(?=^## |\Z)", text, flags)
    assert section, f"there is no section on {group}"
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", section[1], re.MULTILINE)
    return dict(rows)


def asks(place: str, field: str) -> bool:
    """Does ``_file.function`` or ``folder`` exist, and does it ask for ``group.field``?"""
    if (PACKAGE / place).is_dir():
        return any(field in p.read_text("utf-8") for p in (PACKAGE / place).rglob("*.py"))
    file, _, name = place.partition(".")
    if not (PACKAGE / f"{file}.py").is_file():
        return False
    module = import_module(f"portable_losses.{file}")
    return name in vars(module) and field in inspect.getsource(getattr(module, name))


def place_of(said: str) -> str:
    """Where the portable way is written: the first name in code after the semicolon."""
    found = re.search(r"; `([\w.]+)`", said)
    assert found, f"no place is named in {said!r}"
    return found[1]


@pytest.mark.parametrize("group", GROUPS)
def test_the_table_of_a_group_has_the_fields_of_its_dataclass(group: str) -> None:
    assert list(table_of(group)) == [f.name for f in fields(GROUPS[group])]


def test_a_backend_has_a_name_and_these_groups() -> None:
    assert [f.name for f in fields(Backend)] == ["name", *GROUPS]


@pytest.mark.parametrize(
    "group, field", [(group, f.name) for group, kind in GROUPS.items() for f in fields(kind)]
)
def test_what_a_field_left_out_means_is_written_where_the_table_says(
    group: str, field: str
) -> None:
    place = place_of(table_of(group)[field])
    if field == "namespaces":  # it is in a table by type then
        assert asks(place, "_is_known")
        assert "found.arrays.namespaces" in inspect.getsource(_backend.ensure_loaded)
    else:
        assert asks(place, f"{group}.{field}")


@pytest.mark.parametrize(
    "group, field", [(group, f.name) for group, kind in GROUPS.items() for f in fields(kind)]
)
def test_a_field_is_left_out_unless_it_is_given(group: str, field: str) -> None:
    default = getattr(GROUPS[group](), field)
    assert default is None or default in (True, False, {})


def test_the_check_of_the_tables_can_fail() -> None:
    text = CONTRACT.replace("| `gather` |", "| `gathers` |")
    assert list(table_of("indexing", text)) != [f.name for f in fields(Indexing)]
    assert not asks("_indexing.no_such_function", "indexing.gather")
    assert not asks("_no_such_file.gather", "indexing.gather")
    assert not asks("_indexing.gather", "indexing.scan")
    assert not asks("optim", "arrays.is_view")


# ---- the names of kernels ----------------------------------------------------------------------


def backends() -> Iterator[Backend]:
    """The backends of all libraries that are installed."""
    for module, is_there in INSTALLED.items():
        if is_there:
            yield load_backend(module.partition(".")[0])
    if find_spec("cupy"):
        yield load_backend("cupy")


def unknown_kernels(backend: Backend) -> set[str]:
    """The names under which a backend has kernels and no pair would ever ask."""
    return set(backend.speed.kernels) - set(NAMED_PAIRS)


def test_every_kernel_has_its_pair() -> None:
    assert [(backend.name, unknown_kernels(backend)) for backend in backends()] == [
        (backend.name, set()) for backend in backends()
    ]


def test_every_named_pair_has_a_kernel() -> None:
    served = {name for backend in backends() for name in backend.speed.kernels}
    assert {
        n for n, p in NAMED_PAIRS.items() if "portable_losses" in p.forward.__module__
    } == served


def test_a_kernel_without_a_pair_is_seen() -> None:
    kernel = Kernel(lambda *_, **__: True, lambda pair, *_: (None, pair.backward))
    made_up = Backend("made up", speed=Speed(kernels={"softmax": kernel, "softmaxx": kernel}))
    assert unknown_kernels(made_up) == {"softmaxx"}


def test_two_pairs_do_not_share_a_name() -> None:
    def _double(x: Any, *, xp: Any) -> Any:
        return 2 * x

    with pytest.raises(ValueError, match="_double are both 'softmax'"):
        with_gradient(lambda *_, **__: None, kernel="softmax")(_double)
    assert NAMED_PAIRS["softmax"].forward.__name__ == "_softmax"


def test_a_pair_is_found_by_its_name_whatever_its_function_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_gradient, "NAMED_PAIRS", {})

    @with_gradient(lambda grad, out, x, *, xp: (grad,), kernel="a kernel of the test")
    def _renamed(x: Any, *, xp: Any) -> Any:
        return x

    known = load_backend("numpy")
    kernel = Kernel(lambda x, *, xp: True, lambda pair, arrays, *_: (arrays[0] + 7, pair.backward))
    speed = replace(known.speed, kernels={"a kernel of the test": kernel})
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(known, speed=speed))
    assert _renamed(np.ones(2), xp=np).tolist() == [8, 8]


# ---- where backends lie ------------------------------------------------------------------------


def in_fresh_process(program: str, root: Path = ROOT) -> str:
    words = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_checkout_lends_the_package_its_backends_and_nothing_else() -> None:
    program = (
        "import portable_losses\n"
        "from importlib.util import find_spec\n"
        "assert len(portable_losses.__path__) == 1, portable_losses.__path__\n"
        "names = 'tests', 'benchmarks', 'tools', 'docs', 'portable_losses', 'backends'\n"
        "print([n for n in names if find_spec('portable_losses.' + n)])"
    )
    assert in_fresh_process(program) == "['backends']\n"


def test_kernels_can_be_imported_before_any_array_was_met() -> None:
    program = (
        "import portable_losses.backends.kernels.blocks as blocks\n"
        "from portable_losses.backends.kernels.machine.blocks import limit_workers\n"
        "print(blocks.limit_workers is limit_workers)"
    )
    assert in_fresh_process(program) == "True\n"


def test_a_checkout_without_backends_is_an_error_not_a_slow_library(tmp_path: Path) -> None:
    program = (
        "import pathlib, shutil, sys\n"
        f"shutil.copytree({str(PACKAGE)!r}, 'copy/portable_losses')\n"
        "pathlib.Path('copy/pyproject.toml').touch()\n"
        "sys.path.insert(0, 'copy')\n"
        "try:\n"
        "    import portable_losses\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)"
    )
    assert in_fresh_process(program, tmp_path) == "No module named 'portable_losses.backends'\n"
