"""Fixtures: a test that names `library` runs once per array library, see tests/libraries.py."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers share the cores
os.environ.setdefault("JAX_ENABLE_X64", "1")  # read when jax is imported
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when scipy is imported

# What is compiled is kept for the other workers and the next run; `make clean` removes it.
os.environ.setdefault("PORTABLE_LOSSES_CODE_DIR", os.path.abspath(".pytest_cache/code"))
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.abspath(".pytest_cache/inductor"))
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else a process for each is started
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".pytest_cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from portable_losses import _backend
from portable_losses._backend import Speed, load_backend
from portable_losses._typing import Namespace
from tests import selection
from tests.libraries import EVERY_ROW, EVERYWHERE, INSTALLED, LIBRARIES, SLOW, Library

# What is about one library is collected where that library is.
collect_ignore_glob = [
    f"interop/test_{module.partition('.')[0]}*.py"
    for module, is_there in INSTALLED.items()
    if not is_there
]
collect_ignore = ["typed_programs"]  # for type checkers: what they refuse raises


# What libraries warn of in their own code, and nobody outside can change.
FOREIGN_WARNINGS = (
    "ignore:`torch.jit.script(_method)?` is deprecated:DeprecationWarning",  # forward mode, compile
    "ignore:Failed to import numba for optimizing custom metrics:UserWarning",  # CatBoost
    "ignore:<class 'torch.autograd.function.Function'> should not be inst:DeprecationWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    for line in FOREIGN_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


def pytest_addoption(parser: pytest.Parser) -> None:
    selection.add_options(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.deselect(config, items)


def pytest_collection_finish() -> None:
    """Leave what is there for good, thousands of tests, out of the search for garbage."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    return "array libraries: " + ", ".join(map(str, LIBRARIES))


#: JAX and Dask take seconds where others take milliseconds: they run the laws over the table, and
#: have files of their own.
QUICK = [one for one in LIBRARIES if EVERY_ROW or one.module not in SLOW]


@pytest.fixture(params=QUICK, ids=str)
def library(request: pytest.FixtureRequest) -> Iterator[Library]:
    """One array library that is installed, under one set of conditions."""
    with request.param.active():
        yield request.param


@pytest.fixture(params=EVERYWHERE, ids=str)
def every_library(request: pytest.FixtureRequest) -> Iterator[Library]:
    """The same, the years of the standard, and libraries with autodiff under our tape."""
    with request.param.active():
        yield request.param


@pytest.fixture
def portable(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Call a function without kernels."""

    def call(function: Callable[..., Any], *arrays: Any) -> Any:
        with monkeypatch.context() as patch:
            for name in ("numpy", "torch"):  # the libraries that have any here
                patch.setitem(_backend._LOADED, name, replace(load_backend(name), speed=Speed()))
            return function(*arrays)

    return call


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formulas as where llvmlite is missing: as programs of NumPy's own functions."""
    kernels = "portable_losses.backends.kernels"
    formulas = f"{kernels}.formulas"
    none = {f"{kernels}.{room}": None for room in ("formulas", "rows")}
    monkeypatch.setattr(import_module(f"{formulas}.machine_code"), "_COMPILERS", none)
    monkeypatch.setattr(import_module(f"{kernels}.rows.rowwise"), "_PROGRAMS", {})
    for name in ("numpy", "torch"):  # the libraries whose formulas are compiled
        if INSTALLED[name]:  # a backend of its own: calls have other plans
            monkeypatch.setitem(_backend._LOADED, name, replace(load_backend(name)))
            monkeypatch.setattr(import_module(f"{formulas}.elementwise_{name}"), "_PROGRAMS", {})
    if INSTALLED["numpy"]:  # what is met here is not compiled, and would not be later either
        monkeypatch.setattr(import_module(f"{formulas}.elementwise_numpy"), "_MET", set())


@pytest.fixture
def xp(library: Library) -> Namespace:
    """The namespace of `library`."""
    return library.xp
