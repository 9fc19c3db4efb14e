"""Machine code that is kept on disk: the same function, and never that of something else."""

import ctypes
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")
KERNELS = "portable_losses.backends.kernels"
engines: Any = import_module(f"{KERNELS}.formulas.engines_llvm")
llvm: Any = import_module(f"{KERNELS}.formulas.program_llvm")
trace: Any = import_module(f"{KERNELS}.formulas.trace")


def formula(factor: float) -> Any:
    """exp(factor x)."""
    f8 = np.dtype("f8")
    steps = (
        trace.Step(np.multiply, (trace.Place(0), factor), f8),
        trace.Step(np.exp, (trace.Place(1),), f8),
    )
    return trace.Formula(1, steps, (trace.Place(2),), (f8,), f8)


def computed(factor: float, **options: Any) -> float:
    """Return what the compiled formula makes of 1."""
    x, out = np.ones(1), np.empty(1)
    code = llvm.compiled(formula(factor), ("float64", "float64"), **options)
    code.function()(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), 1)
    return float(out[0])


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for code, in which nothing is yet."""
    llvm.region()  # once in a process
    place = tmp_path / "of" / "code"
    monkeypatch.setenv(engines.DIRECTORY, str(place))
    monkeypatch.setattr(llvm, "_WAYS", {})
    return place


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The modules that are compiled, and not read, from now on."""
    modules: list[Any] = []
    optimised = engines._optimised

    def counted(module: Any, *rest: Any) -> Any:
        modules.append(module)
        return optimised(module, *rest)

    monkeypatch.setattr(engines, "_optimised", counted)
    return modules


def test_what_was_compiled_is_read_the_next_time(directory: Path, written: list[Any]) -> None:
    once = computed(1.5)
    llvm._WAYS.clear()
    before = len(written)
    assert before == 2  # the loop, and the ways to it
    assert computed(1.5) == once == pytest.approx(np.exp(1.5), rel=1e-15)
    assert len(written) == before
    assert len(list(directory.iterdir())) == before


def test_another_number_or_processor_is_another_file(directory: Path, written: list[Any]) -> None:
    assert computed(0.5) == pytest.approx(np.exp(0.5), rel=1e-15)
    assert computed(0.25) == pytest.approx(np.exp(0.25), rel=1e-15)
    assert computed(-0.0) == 1.0
    assert computed(0.0) == 1.0
    assert len(written) == 5
    assert computed(0.5, without="avx512") == computed(0.5)
    assert len(written) == 7
    assert len(list(directory.iterdir())) == 7


DAMAGES = {
    "empty": lambda code: b"",
    "cut": lambda code: code[:-1],
    "changed": lambda code: code[:-1] + bytes([code[-1] ^ 1]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_file_is_written_anew(
    damage: Callable[[bytes], bytes], directory: Path, written: list[Any]
) -> None:
    once = computed(2.5)
    whole = {place: place.read_bytes() for place in directory.iterdir()}
    for place, code in whole.items():
        place.write_bytes(damage(code))
    llvm._WAYS.clear()
    assert computed(2.5) == once
    assert len(written) == 4
    assert {place: place.read_bytes() for place in directory.iterdir()} == whole


def test_a_place_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("no directory")
    monkeypatch.setenv(engines.DIRECTORY, str(file))
    assert computed(3.5) == pytest.approx(np.exp(3.5), rel=1e-15)
    assert file.read_text() == "no directory"


def test_what_has_no_lasting_name_is_not_kept(directory: Path) -> None:
    assert engines._place(("flat", print)) is not None
    assert engines._place(("flat", lambda: None)) is None
