"""Elementwise formulas written out in CUDA C++, run here by the processor."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest

from tests.kernels.every_formula import Seen, dtypes_of, every_formula

pytest.importorskip("cupy")  # there is no wheel of it for macOS
formulas: Any = import_module("portable_losses.backends.kernels.formulas.program_cuda")
of_cupy: Any = import_module("portable_losses.backends.kernels.formulas.elementwise_cupy")
odd: Any = import_module("portable_losses.backends.kernels.trial.odd_entries")
of_torch: Any = import_module("portable_losses.backends.kernels.formulas.code_cuda_torch")

SHIM = """
#include <bit>
#include <cmath>
#include <cstdint>
using std::abs;
static float __int_as_float(int x) { return std::bit_cast<float>(x); }
static double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
"""


@pytest.fixture(scope="module")
def calls() -> Seen:
    return every_formula()


def written(calls: Seen, dtype: Any) -> tuple[dict[tuple[Any, ...], Any], set[str]]:
    """The formulas that can be written out, and the names of the others."""
    found: dict[tuple[Any, ...], Any] = {}
    refused: set[str] = set()
    for function, present, given in calls:
        try:
            formula = formulas.written(function, dtypes_of(present, dtype), dict(given))
        except formulas.Untraceable:
            refused.add(function.__name__)
        else:
            found[function, present, given] = formula
    return found, refused


def test_every_formula_is_written_out(calls: Seen) -> None:
    found, refused = written(calls, np.float32)
    assert len(found) > 80
    assert refused == set()


def test_cupy_takes_every_formula(calls: Seen) -> None:
    """It reads names and types when a kernel is made, and compiles at the first call."""
    for dtype in (np.float32, np.float64):
        for (function, *_), formula in written(calls, dtype)[0].items():
            assert callable(of_cupy.as_kernel(function.__name__, formula))


def program(found: dict[tuple[Any, ...], Any]) -> str:
    """One function for each formula: ``f<i>(count, inputs..., outputs...)``."""
    parts = [SHIM]
    for i, formula in enumerate(found.values()):
        outs = [(f"y{n}", *one) for n, one in enumerate(formula.returned) if one is not None]
        given = [f"const {kind}* a_{x}" for kind, x in formula.taken]
        made = [f"{kind}* {y}" for y, kind, _ in outs]
        loads = [f"const {kind} {x} = a_{x}[i];" for kind, x in formula.taken]
        stores = [f"{y}[i] = {variable};" for y, _, variable in outs]
        body = "\n".join((*loads, *formula.lines, *stores))
        parts.append(
            f'extern "C" void f{i}({", ".join(("int count", *given, *made))}) '
            f"{{ for (int i = 0; i < count; ++i) {{ {body} }} }}"
        )
    return "\n".join(parts)


# The processor's own exponential differs from NumPy's by units in the last place, and a formula may
# take the difference of two.
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_what_is_written_out_computes_what_the_formula_does(
    dtype: Any, calls: Seen, tmp_path: Path
) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++, which comes with the system and not from pip")
    found, _ = written(calls, dtype)
    (tmp_path / "formulas.cpp").write_text(program(found))
    words = [compiler, "-std=c++20", "-O0", "-ffp-contract=off", "-shared", "-fPIC", "-w"]
    words += ["-o", str(tmp_path / "formulas.so"), str(tmp_path / "formulas.cpp")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(tmp_path / "formulas.so"))
    wrong: list[str] = []
    for i, ((function, present, given), formula) in enumerate(found.items()):
        arrays = odd.grid(dtypes_of(present, dtype))
        with np.errstate(all="ignore"):
            want = function(*arrays, xp=xp, **dict(given))
        listed = want if isinstance(want, tuple) else (want,)
        assert isinstance(want, tuple) == formula.several
        kinds = {"float": np.float32, "double": np.float64, "bool": np.bool_}
        used = [x for x in arrays if x is not None]
        size = len(used[0])
        outs: list[Any] = [
            None if one is None else np.empty(size, kinds[one[0]]) for one in formula.returned
        ]
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*used, *outs) if x is not None]
        getattr(loaded, f"f{i}")(ctypes.c_int(size), *pointers)
        for got, one in zip(outs, listed, strict=True):
            if got is not None:
                wanted = np.broadcast_to(one, (size,))
                wrong += [
                    f"{function.__name__} {given}: {x}" for x in differing(got, wanted, arrays)
                ]
    assert wrong == []


def differing(got: Any, want: Any, arrays: Any) -> list[str]:
    if got.dtype != want.dtype:
        return [f"{got.dtype}, not {want.dtype}"]
    if want.dtype == bool:
        return [] if (got == want).all() else ["other conditions"]
    unit = np.finfo(want.dtype).eps
    with np.errstate(all="ignore"):
        size = np.abs(want)
        of_exponent = np.maximum(1, np.abs(np.log(size)))  # whose rounding a power multiplies
        near = (
            np.abs(got - want) <= 64 * unit * (size * of_exponent + 1) + np.finfo(want.dtype).tiny
        )
    near |= (got == want) | ((got != got) & (want != want))
    places = np.flatnonzero(~near)[:2]
    return [f"{got[p]} for {want[p]} at {[x[p] for x in arrays if x is not None]}" for p in places]


# ---- what is refused -----------------------------------------------------------------------------

REFUSED: dict[str, Callable[..., Any]] = {
    "a look at a value": lambda x, *, xp: x if x > 0 else -x,
    "a sum": lambda x, *, xp: x - xp.sum(x),
    "a power of an array": lambda x, *, xp: x**x,
    "an array": lambda x, *, xp: x + np.ones(3),
    "a condition as a number": lambda x, *, xp: (x > 0) * x,
    "an unknown function": lambda x, *, xp: xp.bessel(x),
    "a function without a line": lambda x, *, xp: xp.acosh(x),
    "no symbol": lambda x, *, xp: 1.0,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_written_out_is_refused(what: str) -> None:
    with pytest.raises(formulas.Untraceable):
        formulas.written(REFUSED[what], (np.dtype(np.float32),), {})


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex64])
def test_dtypes_that_are_not_computed_in_are_refused(dtype: Any) -> None:
    with pytest.raises(formulas.Untraceable):
        formulas.written(lambda x, *, xp: x + 1.0, (np.dtype(dtype),), {})


def test_a_number_keeps_its_precision() -> None:
    for dtype in map(np.dtype, (np.float32, np.float64)):
        for value in (0.1, 1 / 3, -2.5e-30, 1e300, np.nextafter(1, 2)):
            text = formulas.literal(value, dtype).strip("()").removesuffix("f")
            with np.errstate(over="ignore"):
                want = dtype.type(value)
            assert "__int_as_float" in text or dtype.type(float(text)) == want


def test_an_operation_that_stands_there_twice_is_computed_once() -> None:
    formula = formulas.written(lambda x, *, xp: xp.exp(x) + xp.exp(x), (np.dtype(np.float32),), {})
    assert formula.lines == ("const float v0 = expf(x0);", "const float v1 = v0 + v0;")


def test_the_check_sees_what_differs() -> None:
    x: Any = np.asarray([1.0, np.nan, np.inf], np.float32)
    assert odd.difference((x, None), (x, None), np.asarray) is None
    for bad in (x * np.float32(1 + 1e-6), np.nan_to_num(x), x.astype(np.float64), x[:2], None):
        assert odd.difference((bad,), (x,), np.asarray) is not None


# ---- PyTorch's tensors ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_the_template_of_every_formula_compiles(dtype: Any, calls: Seen) -> None:
    nvrtc: Any = pytest.importorskip("cupy").cuda.nvrtc
    found, _ = written(calls, dtype)
    kind = "float" if dtype is np.float32 else "double"
    parts = []
    for i, ((function, *_), formula) in enumerate(found.items()):
        text = of_torch.source_of(f"f{i}_{function.__name__.strip('_<>')}", formula)
        parsed = of_torch.jiterator._CodeParser(text)
        count = len(formula.taken) + len([x for x in formula.returned if x is not None])
        words = ", ".join([kind] * len(formula.taken) + [f"{kind}&"] * (count - len(formula.taken)))
        parts += [text, f"template void {parsed.function_name}<{kind}>({words});"]
    program = nvrtc.createProgram("\n".join(parts), "formulas.cu", (), ())
    nvrtc.compileProgram(
        program, ("--std=c++17", "--gpu-architecture=compute_80", "-default-device", "-w")
    )


def test_half_types_are_computed_in_float32_within_a_template() -> None:
    formula = formulas.written(
        lambda x, m, *, xp: xp.where(m, xp.exp(x), x), (np.dtype(np.float32), np.dtype(bool)), {}
    )
    text = of_torch.source_of("chosen", formula)
    assert text.startswith("template <typename T> void chosen(T x0_, T x1_, T& y0) {")
    assert "const float x0 = x0_;" in text
    assert "const bool x1 = x1_ != T(0);" in text
