"""How a backend is found: by the name of a namespace, in our files or an installed package."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import Arrays, Backend, Speed, backend_of, load_backend
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import device_of, readable
from portable_losses._typing import Namespace
from tests.libraries import LIBRARIES, Library

ROOT = Path(pl.__file__).parents[1]


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has met no library yet."""
    monkeypatch.setattr(_backend, "_LOADED", {})
    monkeypatch.setattr(_backend, "_NAMESPACES", {})


def in_fresh_process(program: str) -> str:
    words = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- which backend ---------------------------------------------------------------------------


def a_namespace(name: str) -> Namespace:
    return SimpleNamespace(__name__=name)


@pytest.mark.usefixtures("unloaded")
def test_a_library_that_nobody_knows_has_the_portable_defaults() -> None:
    assert backend_of(a_namespace("nobody.knows")) == Backend("nobody")
    plain, x = Backend("nobody"), np.ones(3)
    assert stop_gradient(x, xp=a_namespace("nobody")) is x
    assert readable(x, xp=a_namespace("nobody"))
    assert device_of(x, xp=a_namespace("nobody")) == "cpu"
    assert plain.speed == Speed()
    assert not any((plain.arrays.namespaces, plain.arrays.python_scalars))


def test_array_api_strict_has_a_file_for_its_warnings_and_operators_and_nothing_else() -> None:
    strict = pytest.importorskip("array_api_strict")
    quiet = backend_of(strict).arrays.quiet
    known = Arrays(quiet=quiet, gives_way=False)
    assert backend_of(strict) == Backend("array_api_strict", arrays=known)
    assert quiet is not None
    with quiet():
        assert np.isnan(np.asarray(np.inf) - np.inf)


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_a_namespace_and_the_library_itself_have_one_backend(library: Library) -> None:
    module = import_module(library.module)
    assert backend_of(library.xp) is backend_of(module)
    assert backend_of(library.xp) is load_backend(library.module.partition(".")[0])


@pytest.mark.parametrize("prefix", ["scipy._lib", "sklearn.externals", "some.others._vendored"])
@pytest.mark.parametrize("name", ["numpy", "torch", "dask.array", "cupy"])
def test_a_vendored_namespace_has_the_librarys_backend(prefix: str, name: str) -> None:
    pytest.importorskip(name)
    vendored = a_namespace(f"{prefix}.array_api_compat.{name}")
    assert backend_of(vendored) is load_backend(name.partition(".")[0])


@pytest.mark.parametrize("module", ["scipy._lib", "sklearn.externals"])
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_namespaces_that_scipy_and_sklearn_bring_are_the_librarys(
    module: str, name: str
) -> None:
    pytest.importorskip(module.partition(".")[0])
    pytest.importorskip(name)
    vendored = import_module(f"{module}.array_api_compat.{name}")
    assert vendored is not import_module(f"array_api_compat.{name}")
    assert backend_of(vendored) is load_backend(name)
    assert autograd.namespace(vendored) is autograd.namespace(import_module(name))


def test_the_tape_is_a_library_with_a_backend_of_its_own(library: Library) -> None:
    taped = backend_of(autograd.namespace(library.xp))
    assert taped.name == "tape"
    assert taped.arrays.python_scalars == backend_of(library.xp).arrays.python_scalars


# ---- loading ---------------------------------------------------------------------------------


def test_a_backend_is_imported_once_and_under_one_name() -> None:
    program = (
        "import sys, numpy as np, portable_losses as pl\n"
        "before = set(sys.modules)\n"
        "pl.relu(np.ones(2)), pl.softmax(np.ones(2)), pl.softplus(np.ones(2, dtype=np.float32))\n"
        "new = {n: n.split('.') for n in set(sys.modules) - before}\n"
        "new = [n for n, parts in new.items() if 'backends' in parts and 'kernels' not in parts]\n"
        "print(sorted(new), 'backends.numpy' in sys.modules)"
    )
    assert in_fresh_process(program).split("\n")[0] == (
        "['portable_losses.backends.numpy'] False"  # a checkout has the folder itself before
    )


@pytest.mark.usefixtures("unloaded")
def test_a_backend_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def importing(name: str) -> Any:
        names.append(name)
        return import_module(name)

    monkeypatch.setattr(_backend, "import_module", importing)
    first = load_backend("numpy")
    assert all(load_backend("numpy") is first for _ in range(3))
    assert load_backend("nobody") is load_backend("nobody")
    assert names == ["portable_losses.backends.numpy", "portable_losses.backends.nobody"]


FIRST_ARRAYS = {
    "numpy": "import numpy as xp; x = xp.asarray([0.0, 1.0])",
    "torch": "import torch as xp; x = xp.asarray([0.0, 1.0])",
    "jax": "import jax.numpy as xp; x = xp.asarray([0.0, 1.0])",
    "dask": "import dask.array as xp; x = xp.asarray([0.0, 1.0], chunks=1)",
    "array_api_strict": "import array_api_strict as xp; x = xp.asarray([0.0, 1.0])",
}


@pytest.mark.parametrize("name", FIRST_ARRAYS)
def test_the_first_array_of_a_process_works(name: str) -> None:
    pytest.importorskip(name)
    others = sorted(set(FIRST_ARRAYS) - {name, "numpy"})
    program = (
        f"import sys, portable_losses as pl; early = {name!r} in sys.modules\n"
        f"{FIRST_ARRAYS[name]}\n"
        "loss = pl.cross_entropy(x, xp.asarray(1)), pl.softplus(x)[0]\n"
        "print(*(round(float(v), 4) for v in loss), early)\n"
        f"loaded = [n for n in {others} if 'portable_losses.backends.' + n in sys.modules]\n"
        "print(loaded)"
    )
    assert in_fresh_process(program).splitlines() == ["0.3133 0.6931 False", "[]"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files count as backends."""
    backends = import_module("portable_losses.backends")
    before = set(sys.modules)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


BROKEN = {
    "import nothing_of_this_name": (ModuleNotFoundError, "nothing_of_this_name"),
    "import portable_losses.backends.neither": (ModuleNotFoundError, "neither"),
    "raise ImportError('too old a version')": (ImportError, "too old a version"),
    "raise RuntimeError('no driver')": (RuntimeError, "no driver"),
    "answer = 42": (AttributeError, "BACKEND"),
}


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("source", BROKEN)
def test_a_backend_that_fails_to_import_raises_its_own_error_every_time(
    folder: Path, source: str
) -> None:
    error, message = BROKEN[source]
    (folder / "broken.py").write_text(source)
    for _ in range(2):
        with pytest.raises(error, match=message):
            backend_of(a_namespace("broken.numpy"))


# ---- backends of others ----------------------------------------------------------------------

PLUGIN = Backend("plugged", arrays=Arrays(readable=lambda x: False, python_scalars=True))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, unloaded: None) -> list[dict[str, str]]:
    """Somebody has installed a backend for the library "plugged"; what we asked for."""
    del unloaded
    questions: list[dict[str, str]] = []
    ours = importlib.metadata.EntryPoint(
        "plugged", f"{__name__}:PLUGIN", "portable_losses.backends"
    )

    def entry_points(**question: Any) -> importlib.metadata.EntryPoints:
        questions.append(question)
        return importlib.metadata.EntryPoints([ours]).select(**question)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return questions


def test_an_installed_package_brings_a_backend_by_an_entry_point(
    asked: list[dict[str, str]],
) -> None:
    for name in ("plugged", "plugged.array", "vendor.array_api_compat.plugged"):
        assert backend_of(a_namespace(name)) is PLUGIN
    assert asked == [{"group": "portable_losses.backends", "name": "plugged"}]
    assert load_backend("unplugged") == Backend("unplugged")


def test_a_file_of_ours_comes_before_an_entry_point(asked: list[dict[str, str]]) -> None:
    assert load_backend("numpy").name == "numpy"
    assert asked == []
