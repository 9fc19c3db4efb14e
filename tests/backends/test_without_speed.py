"""`Backend.speed` changes results by rounding at most; ``PORTABLE_LOSSES_KERNELS=off`` drops it.

Values may differ by 4 units in the last place, and gradients by 4 of the largest entry's, as many
of them are differences of terms that large. (Most have the same bits where nothing is compiled; the
largest difference is 1.6 units of the largest entry, in a gradient of `linear_cross_entropy`.)

Compiled formulas have last digits of their own. An exponential of a similarity, of up to 16, makes
16 units of one in its operand: so much may the gradients differ.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Kernel, Speed, load_backend
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, INSTALLED, Library, named
from tests.rows import ONCE, SELECTED, TABLE
from tests.samples import Sample, weights_of

ROOT = Path(pl.__file__).parents[1]
ULPS = 4  # of values, and of gradients where nothing is compiled
COMPILED = 16  # of gradients of compiled formulas
CENTRED = ("standardize",)  # whose values are differences from a mean, which rounds in float32

CASES = [
    (name, way, dtype, row)
    for name, way, dtype, rows in (
        ("numpy", "small", "float32", TABLE),
        ("numpy", "large", "float64", TABLE if EVERY_ROW else SELECTED),
        ("numpy", "compiled", "float32", SELECTED if EVERY_ROW else ONCE),
        ("torch", "compiled", "float64", SELECTED if EVERY_ROW else ONCE),
    )
    if INSTALLED[name]
    for row in rows
]


def results(sample: Sample, library: Library, dtype: str) -> Iterator[tuple[str, Any]]:
    """The values of a row, and the gradients of a weighted sum of its finite ones, as NumPy's."""
    arrays = sample.on(library, dtype)

    def scalar(*variables: Array) -> Array:
        outs = sample.call({**arrays, **dict(zip(sample.variables, variables, strict=True))})
        xp = array_namespace(*outs)
        total: Array = 0
        for out in outs:
            weights = library.array(weights_of(np.empty(out.shape)), dtype)
            terms = xp.where(xp.isfinite(out), out * weights, xp.zeros_like(out))
            total = xp.sum(terms, dtype=out.dtype) + total
        return total

    for out in sample.call(arrays):
        yield "value", library.numpy(out)
    if sample.variables:
        gradient = library.gradient(scalar, range(len(sample.variables)))
        for grad in gradient(*(arrays[key] for key in sample.variables)):
            yield "gradient", library.numpy(grad)


def assert_alike(what: str, got: Any, want: Any, ulps: int = ULPS) -> None:
    """Hold `got` to `want` by the bounds at the top of this file; gradients by this many units."""
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    bound = (ulps if what == "gradient" else ULPS) * float(np.finfo(want.dtype).eps)
    top = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want)))
    absolute = bound * top if what == "gradient" else float(np.finfo(want.dtype).smallest_normal)
    relative = 0.0 if what == "gradient" else bound
    np.testing.assert_allclose(got, want, rtol=relative, atol=absolute, err_msg=what)


def begin_with_programs(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    """Let every formula be a program at its first call: a small one, a large one, or compiled."""
    elements = import_module("portable_losses.backends.kernels.formulas.elementwise_numpy")
    rows = import_module("portable_losses.backends.kernels.rows.blockwise_numpy")
    monkeypatch.setattr(elements, "FEWEST", 1)
    monkeypatch.setattr(rows, "FEWEST", 1)
    if size == "large":
        monkeypatch.setattr(elements, "SMALL", 0)


def drop_speed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Take the group `speed` out of a backend, as the switch does."""
    monkeypatch.setitem(_backend._LOADED, name, replace(load_backend(name), speed=Speed()))


@pytest.mark.parametrize("name, way, dtype, row", CASES, ids=str)
def test_a_row_has_the_same_results_without_speed(
    name: str, way: str, dtype: str, row: Sample, request: pytest.FixtureRequest
) -> None:
    monkeypatch = request.getfixturevalue("monkeypatch")
    begin_with_programs(monkeypatch, way)
    if way != "compiled":
        request.getfixturevalue("uncompiled")
    library = named(name)
    fast = list(results(row, library, dtype))
    drop_speed(monkeypatch, name)
    centred = row.function.__name__ in CENTRED
    for (what, got), (_, want) in zip(fast, results(row, library, dtype), strict=True):
        ulps = COMPILED if way == "compiled" else ULPS
        assert_alike("gradient" if centred else what, got, want, ulps)


def test_a_kernel_that_is_a_little_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in TABLE if str(row) == "softmax")
    (_, right), *_ = results(row, named("numpy"), "float64")

    def wrong(pair: Any, arrays: Any, options: Any, wanted: Any) -> Any:
        return pair.forward(*arrays, **options) * (1 + 8 * np.finfo(float).eps), pair.backward

    known = load_backend("numpy")
    speed = replace(known.speed, kernels={"softmax": Kernel(lambda *_, **__: True, wrong)})
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(known, speed=speed))
    (_, got), *_ = results(row, named("numpy"), "float64")
    with pytest.raises(AssertionError, match="value"):
        assert_alike("value", got, right)
    assert_alike("gradient", right, right)
    with pytest.raises(AssertionError, match="gradient"):
        assert_alike("gradient", right + 8 * np.finfo(float).eps * right.max(), right)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("name", sorted(load_backend("numpy").speed.reductions))
def test_a_quick_reduction_has_the_bits_of_the_librarys(name: str, dtype: str) -> None:
    """The tape keeps them once it has recorded with them, so they are compared here."""
    xp = named("numpy").xp
    x = xp.asarray(np.random.default_rng(3).standard_normal((7, 33)) * 9).astype(dtype)
    got = load_backend("numpy").speed.reductions[name](x)
    want = (xp.min(x), xp.max(x)) if name == "extremes" else getattr(xp, name)(x)
    assert np.asarray(got).tobytes() == np.asarray(want).tobytes()


# ---- the switch --------------------------------------------------------------------------------

LOADED = """
import sys
from dataclasses import replace
from importlib import import_module
from portable_losses._backend import Speed, load_backend

for name in sys.argv[1:]:
    found = import_module(f"portable_losses.backends.{name}").BACKEND
    loaded = load_backend(name)
    print(loaded == found, loaded == replace(found, speed=Speed()))
"""


@pytest.mark.parametrize("switch", ["on", "off"])
def test_the_switch_drops_speed_and_nothing_else(switch: str) -> None:
    names = [name for name in ("numpy", "torch", "cupy", "jax", "dask") if find_spec(name)]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *names],
        cwd=ROOT,
        env={**environ, "PORTABLE_LOSSES_KERNELS": switch},
        capture_output=True,
        text=True,
        check=True,
    )
    whole, without = switch == "on", switch == "off"
    assert done.stdout.splitlines() == [f"{whole} {without}"] * len(names)
