"""The fuzzer: it knows every function and option, its calls can be repeated, and it sees faults.

A short run of it is here; ``make fuzz`` has more time.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from fuzzing.calls import Call, draw
from fuzzing.libraries import Library
from fuzzing.oracles import check
from fuzzing.report import Known
from fuzzing.running import quietly, run_range
from fuzzing.table import TABLE
from portable_losses._typing import Array
from tests.libraries import INSTALLED, PUBLIC

KNOWN = Path(__file__).parents[2] / "fuzzing" / "known.jsonl"
QUICK = {"numpy": "numpy", "tape": "numpy", "torch": "torch", "strict": "array_api_strict"}
NAMES = [name for name, module in QUICK.items() if INSTALLED[module]]
OF_MSE = [n for n in range(8000) if draw(n).entry.name == "mse_loss"]


def test_every_public_function_has_a_line() -> None:
    assert set(TABLE) == set(PUBLIC)


@pytest.mark.parametrize("name", TABLE)
def test_every_option_can_be_drawn(name: str) -> None:
    entry = TABLE[name]
    assert [*entry.arrays, *entry.options] == list(entry.parameters)


def test_a_call_follows_from_its_number() -> None:
    assert [str(draw(n)) for n in range(200)] == [str(draw(n)) for n in range(200)]


@pytest.mark.parametrize("number", [n for n in range(1000, 1120) if not draw(n).bad])
def test_a_line_of_python_is_the_call(number: int) -> None:
    call, library = draw(number), Library()
    names = {"np": np, "pl": pl, "nan": np.nan, "inf": np.inf}
    got = outcome(lambda: eval(str(call), names))
    for one, other in zip(
        got, outcome(lambda: library.call(call, library.made(call))), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def outcome(f: Callable[[], Any]) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        try:
            result = f()
        except (TypeError, ValueError, IndexError) as e:
            return (str(e),)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("first", [0, 250])
def test_a_short_run_finds_nothing_new(first: int) -> None:
    groups, _ = run_range(first, first + 250, NAMES)
    known = Known(KNOWN)
    new = {key: str(f.call) for key, f in groups.smallest.items() if not known.knows(key)}
    assert new == {}


# ---- the oracles see faults ------------------------------------------------------------------
def crash(*arrays: Array, **options: Any) -> Array:
    raise KeyError


def refuse(*arrays: Array, **options: Any) -> Array:
    msg = "something is wrong"
    raise ValueError(msg)


def warn(*arrays: Array, **options: Any) -> Array:
    np.log(np.zeros(1))
    return pl.mse_loss(*arrays, **options)


def write(x: Array, y: Array, **options: Any) -> Array:
    out = pl.mse_loss(x, y, **options)
    if x.flags.writeable:
        x[...] = 1
    return out


def widen(*arrays: Array, **options: Any) -> Array:
    return np.asarray(pl.mse_loss(*arrays, **options), np.float64)


def keep(*arrays: Array, **options: Any) -> Array:
    return pl.mse_loss(*arrays, **{**options, "reduction": "none"})


def double(*arrays: Array, **options: Any) -> Array:
    twice = 2.0 if options.get("reduction") == "sum" else 1.0
    return twice * pl.mse_loss(*arrays, **options)


def first_counts_twice(x: Array, y: Array, **options: Any) -> Array:
    return pl.mse_loss(x, y, **options) + (x[:1].sum() if x.ndim else 0)


def spread(x: Array, y: Array, **options: Any) -> Array:
    return pl.mse_loss(x, y, **options) + 0 * np.sum(x)


@pytest.mark.parametrize(
    ("broken", "oracle"),
    [
        (crash, "raises"),
        (refuse, "nameless"),
        (refuse, "refuses"),
        (warn, "warns"),
        (write, "inputs"),
        (widen, "dtype"),
        (keep, "shape"),
        (double, "reduction"),
        (first_counts_twice, "order"),
        (spread, "leak"),
        (lambda *arrays, **options: 0.5, "library"),
        (lambda x, y, **options: np.mean(np.asarray(x, np.float64)), "accepts"),
    ],
)
def test_a_fault_is_found(
    broken: Callable[..., Any], oracle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(TABLE["mse_loss"]), "function", broken)
    found: set[str] = set()
    with quietly():
        for number in OF_MSE:
            found |= {f.oracle for f in check(draw(number), ["numpy"], Counter())}
    assert oracle in found


def test_a_library_that_disagrees_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(self: Library, call: Call, made: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(1.25 * x for x in pl_call(self, call, made))

    pl_call = Library.call
    monkeypatch.setattr(Library, "call", invoke)
    with quietly():
        oracles = {f.oracle for n in OF_MSE for f in check(draw(n), ["numpy", "tape"], Counter())}
    assert "value" in oracles
