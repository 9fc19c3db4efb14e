"""Elementwise formulas as machine code: near to the portable ones, and the same bits everywhere."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from itertools import product
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from portable_losses.autograd import vjp
from tests.kernels.entries import BLOCK, LAYOUTS, bits, numbers, targets
from tests.kernels.every_formula import dtypes_of, every_formula
from tests.libraries import EVERY_ROW

pytest.importorskip("llvmlite")
blocks: Any = import_module("portable_losses.backends.kernels.machine.blocks")
codes: Any = import_module("portable_losses.backends.kernels.formulas.code_numpy")
engines: Any = import_module("portable_losses.backends.kernels.formulas.engines_llvm")
elements: Any = import_module("portable_losses.backends.kernels.formulas.elementwise_numpy")
llvm: Any = import_module("portable_losses.backends.kernels.formulas.program_llvm")
loops: Any = import_module("tests.kernels.compiled_loop")
machine: Any = import_module("portable_losses.backends.kernels.formulas.machine_code")
odd: Any = import_module("portable_losses.backends.kernels.trial.odd_entries")
traces: Any = import_module("portable_losses.backends.kernels.formulas.trace")

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
ULPS = 8  # from what the portable formula has within a few ulp of the operands
STEPS = 4  # these few: the roundings before a difference
# Functions with a root at which terms of this size cancel: operands move by ulps of it.
TERMS = {"_sigmoid_focal_grad": 1.0}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The formulas that are compiled from now on; nothing is kept from before."""
    seen: list[Any] = []
    compile_ = llvm.compiled

    def counted(formula: Any, *rest: Any, **options: Any) -> Any:
        seen.append(formula)
        return compile_(formula, *rest, **options)

    monkeypatch.setattr(llvm, "compiled", counted)
    monkeypatch.setattr(machine, "_COMPILERS", {})
    monkeypatch.setattr(machine, "_CODES", {})
    monkeypatch.setattr(machine, "_COUNT", machine.Counter())
    monkeypatch.setattr(elements, "_PROGRAMS", {})
    monkeypatch.setattr(elements, "_MET", set())
    return seen


# ---- the portable formula ----------------------------------------------------------------------


def listed(results: Any) -> list[Any]:
    return [x for x in (results if isinstance(results, tuple) else (results,)) if x is not None]


def is_near(got: Array, low: Array, high: Array) -> Array:
    """Where `got` is at most a few ulp outside of an interval, or what its ends are."""
    with np.errstate(all="ignore"):
        below, above = (ULPS * np.spacing(np.abs(x)) for x in (low, high))
        inside = (got >= low - np.nan_to_num(below)) & (got <= high + np.nan_to_num(above))
    return inside | (np.isnan(got) & np.isnan(low)) | (got == low) | (got == high)


def shifted(x: Array, direction: float, least: float) -> Array:
    """`x`, moved by a few of its ulps, or of those of `least`."""
    if x.dtype == bool or not direction:
        return x
    with np.errstate(all="ignore"):
        step = STEPS * np.maximum(np.spacing(np.abs(x)), np.spacing(x.dtype.type(least)))
        return np.where(np.isfinite(x), x + np.copysign(step, direction), x).astype(x.dtype)


def differing(
    function: Callable[..., Any], got: Any, arrays: list[Any], least: float = 0.0
) -> list[str]:
    """What a function has that is not near to anything within a few ulp of the operands."""
    found: list[str] = []
    with np.errstate(all="ignore"):
        wants = listed(function(*arrays))
    for which, (one, want) in enumerate(zip(listed(got), wants, strict=True)):
        if one.dtype != want.dtype:
            found.append(f"{one.dtype}, not {want.dtype}")
        elif one.dtype == bool:
            found += [] if np.array_equal(one, want) else ["other conditions"]
        else:
            wanted = np.broadcast_to(want, one.shape)
            left = np.flatnonzero(~is_near(one, wanted, wanted))
            few = [None if x is None else x[left] for x in arrays]
            low = high = wanted[left]
            for way in product((0.0, -np.inf, np.inf), repeat=len(few)) if left.size else ():
                moved = [
                    None if x is None else shifted(x, d, least)
                    for x, d in zip(few, way, strict=True)
                ]
                with np.errstate(all="ignore"):
                    near = np.broadcast_to(listed(function(*moved))[which], left.shape)
                low, high = np.fmin(low, near), np.fmax(high, near)
            for place in left[~is_near(one[left], low, high)][:2]:
                at = [x[place] for x in arrays if x is not None]
                found.append(f"{one[place]} for {wanted[place]} at {at}")
    return found


# Where the labels are, and the smallest: of others the terms of a loss cancel.
SHARES = [(0, 1), (0, 1), (-1e-8, 1e-8), (-1e-8, 1e-8)]  # of the classes, and what they lack
LABELS: dict[str, tuple[int, list[tuple[float, float]]]] = {  # from which array on: their ends
    "_sigmoid_focal": (1, [(0, 1)]),
    "_sigmoid_focal_grad": (3, [(0, 1)]),
    "_binary_focal": (1, SHARES),
    "_binary_focal_grad": (3, SHARES),
    "_binary_focal_slope": (1, SHARES),
    "_binary_focal_slope_grad": (3, SHARES),
    "_exponential_slope": (1, [(-1, 1)]),
    "exponential": (1, [(-1, 1)]),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_formula_is_compiled_and_agrees_with_the_portable_one(
    dtype: Any, portable: Callable[..., Any]
) -> None:
    calls, wrong = list(every_formula()), list[str]()
    assert len(calls) > 80
    for function, present, given in calls[:: 1 if EVERY_ROW else 8]:
        arrays = odd.grid(dtypes_of(present, dtype))
        first, ends = LABELS.get(function.__name__, (0, []))
        for place, (least, most) in enumerate(ends, first):
            if arrays[place] is not None:
                arrays[place] = np.clip(arrays[place], least, most)
        code = elements._compiled(function, None, dtypes_of(present, dtype), dict(given))
        if code is None:
            wrong.append(f"{function.__name__} {given}: not compiled")
            continue
        used = [x for x in arrays if x is not None]
        with np.errstate(all="ignore"):
            got = code.arranged(code(used, used[0].size))

        def formula(*arrays: Any, f: Any = function, given: Any = given) -> Any:
            return f(*arrays, xp=xp, **dict(given))

        least = TERMS.get(function.__name__, 0.0)
        compare = partial(differing, formula, got, least=least)
        off = portable(lambda *arrays, compare=compare: compare([*arrays]), *arrays)
        wrong += [f"{function.__name__} {given}: {one}" for one in off]
    assert wrong == []


def test_the_comparison_sees_what_differs() -> None:
    x = np.asarray([1.0, np.nan, np.inf, 0.0], np.float32)
    assert differing(np.positive, x, [x]) == []
    for bad in (x * np.float32(1 + 1e-5), np.nan_to_num(x), x.astype(np.float64), x > 0, -x):
        assert differing(np.positive, bad, [x]) != []


# ---- the same bits -----------------------------------------------------------------------------


def bce(x: Array, y: Array) -> Any:
    return pl.binary_cross_entropy_with_logits(x, y, reduction="none")


def value_and_slopes(z: Array, y: Array) -> tuple[Array, ...]:
    """Two functions, and their gradients by all operands."""
    first, pull = vjp(pl.gelu, z)
    second, pull_both = vjp(bce, z, y)
    return first, *pull(np.ones_like(first)), second, *pull_both(np.ones_like(second))


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(
    ("fewest", "large"),
    [(1, 2**30), (1, 0), (2**30, 0)],
    ids=["blocks", "blocks past the caches", "at once"],
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts_blocks_and_threads_change_no_bit(
    dtype: Any, fewest: int, large: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = numbers(8 * BLOCK, dtype), targets(8 * BLOCK, dtype)
    flat = value_and_slopes(x, y)
    monkeypatch.setenv(blocks.VARIABLE, threads)
    monkeypatch.setattr(codes, "FEWEST", fewest)
    monkeypatch.setattr(codes, "LARGE", large)
    monkeypatch.setattr(codes, "SPAN", 700)  # the last of each is a shorter one
    for layout in LAYOUTS.values():
        z, t = layout(x), layout(y)
        assert bits(value_and_slopes(z, t)) == bits(tuple(map(layout, flat)))
        assert bits(bce(z, np.broadcast_to(np.zeros((), dtype), z.shape))) == bits(
            bce(z, np.zeros_like(z))
        )
    some = [x[20:21], x[20:21].reshape(1, 1, 1), x[20]]
    for one in some:
        found = pl.gelu(np.asarray(one))
        assert bits(np.reshape(found, ())) == bits(np.asarray(flat[0][20]))


def some_formulas(dtype: Any) -> Iterator[tuple[Any, list[Array]]]:
    """Some formulas, and operands for them."""
    every = [key for key in every_formula() if EVERY_ROW or key[0].__name__ in SOME]
    for function, present, given in every:
        kinds = dtypes_of(present, dtype)
        formula = traces.trace(function, kinds, dict(given), native=machine.NATIVE)
        yield formula, [x for x in odd.grid(kinds) if x is not None]


SOME = {"_silu_grad", "_erfcx", "_logistic_loss_grad_z", "_tweedie_unit", "_boxcox"}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_bits_are_those_without_avx512_and_of_one_entry_at_a_time(dtype: Any) -> None:
    checked = 0
    for formula, arrays in some_formulas(dtype):
        kinds = [*[x.dtype for x in arrays], *formula.dtypes]
        codes = [llvm.compiled(formula, kinds, without=features) for features in ("", "avx512")]
        size = arrays[0].size
        with np.errstate(all="ignore"):
            first, second = (
                elements.Machine(formula, code, "f", kinds)(arrays, size) for code in codes
            )
        assert bits(first) == bits(second)
        if "bool" not in map(str, kinds):
            scalar = loops.compiled(
                lambda a, *x, formula=formula: llvm._computed(a, formula, [*x])[0],
                dtype,
                len(arrays),
                vectorised=False,
            )
            assert bits(scalar(*arrays)) == bits(first[0])
            checked += 1
    assert checked > 2


# ---- what a function may be --------------------------------------------------------------------


def test_conditions_absent_arrays_and_options_are_compiled(compiled: list[Any]) -> None:
    def chosen(x: Any, mask: Any, absent: Any, *, shift: float, xp: Any) -> Any:
        assert absent is None
        return xp.where(mask, x + shift, xp.exp(x)), None, ~mask & (x > 0)

    x, mask = numbers(500), targets(500) > 0.5
    for shift in (1.0, -0.0, 0.0):
        with np.errstate(all="ignore"):
            got = elements.elementwise(chosen, (x, mask, None), {"shift": shift, "xp": xp})
        assert [one is None for one in got] == [False, True, False]
        want = np.where(mask, x + np.float32(shift), pl_exp(x))
        assert bits(got[0][mask]) == bits(want[mask])
        np.testing.assert_allclose(got[0], want, rtol=3e-7)
        assert bits(got[2]) == bits(~mask & (x > 0))
    assert len(compiled) == 3


def pl_exp(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.exp(x)


def arc(x: Any, *, xp: Any) -> Any:
    return xp.acosh(x)


def test_a_step_without_machine_code_leaves_the_formula_to_numpy(compiled: list[Any]) -> None:
    x = np.linspace(1.0, 2.0, 100)
    got = elements.elementwise(arc, (x,), {"xp": xp})
    assert bits(got) == bits(np.arccosh(x))
    assert elements._compiled(arc, None, (x.dtype,), {}) is None
    assert elements._PROGRAMS == {}


def silu_is_right() -> None:
    x = np.linspace(-3.0, 3.0, 100)
    np.testing.assert_allclose(pl.silu(x), x / (1 + np.exp(-x)), rtol=1e-15)


def test_without_llvmlite_numpy_serves(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        msg = f"No module named {name!r}"
        raise ModuleNotFoundError(msg, name=monkeyed)

    monkeypatch.setattr(machine, "import_module", missing)
    monkeyed = "llvmlite"
    silu_is_right()
    assert machine.compiler() is None
    machine._COMPILERS.clear()
    monkeyed = "another"
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        machine.compiler()
    assert compiled == []


def test_a_processor_without_fma_is_left_to_numpy(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.binding, "get_process_triple", lambda: "x86_64-unknown-linux-gnu")
    monkeypatch.setattr(engines.binding, "get_host_cpu_features", dict)
    silu_is_right()
    assert machine.compiler() is None
    assert compiled == []


def test_many_options_are_compiled_for_the_first_calls_only(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MOST", 3)
    x = np.linspace(-9.0, 9.0, 100)
    for beta in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 1.0, 3.5):
        np.testing.assert_allclose(
            pl.softplus(x, beta=beta), np.log1p(np.exp(beta * x)) / beta, rtol=1e-13
        )
    assert len(compiled) == 3


# ---- once --------------------------------------------------------------------------------------


def test_a_formula_is_compiled_once(compiled: list[Any]) -> None:
    for size in (3, 100_000, 7):
        x = numbers(size)
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _, x=x: bits(pl.silu(x)), range(12)))
        assert all(one == found[0] for one in found)
    assert len(compiled) == 1
    vjp(pl.silu, numbers(3))[1](np.ones(3, np.float32))
    vjp(pl.silu, numbers(9))[1](np.ones(9, np.float32))
    assert len(compiled) == 2  # value and slope in one
    pl.silu(numbers(3, np.float64))
    assert len(compiled) == 3


FORKED = """
import os
import numpy as np
import portable_losses as pl

x = np.linspace(-3.0, 3.0, 200_000)
want = pl.silu(x)
child = os.fork()
if not child:
    os._exit(0 if (pl.silu(x) == want).all() and np.isfinite(pl.mish(x)).all() else 1)
assert os.waitpid(child, 0)[1] == 0
assert np.isfinite(pl.mish(x)).all()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_runs_what_was_compiled_and_compiles() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120)
