"""What a backend answers: may values be read, where constants are made, layouts and reductions."""

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np
import pytest
from portable_losses.backends.kernels.formulas.within_numpy import PATIENCE

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import load_backend
from portable_losses._polyfill import constant, readable, total
from portable_losses._typing import Array
from tests.libraries import Library

ROOT = Path(pl.__file__).parents[1]


# ---- readable --------------------------------------------------------------------------------


def test_arrays_in_host_memory_are_readable(library: Library) -> None:
    x = library.array(np.ones(2))
    assert readable(x, xp=library.xp) is library.readable
    taped = autograd.namespace(library.xp)
    assert readable(autograd.tensor(x), xp=taped) is library.readable


def test_a_tracer_of_jax_is_not_readable() -> None:
    jax = pytest.importorskip("jax")
    readable: Any = load_backend("jax").arrays.readable
    x = jax.numpy.ones((2, 2))
    seen: list[bool] = []

    def look(x: Any) -> Any:
        seen.append(readable(x))
        return x.sum()

    for transform in (jax.jit, jax.grad, jax.vmap, jax.make_jaxpr):
        transform(lambda x: look(x))(x)  # one function each: JAX remembers what it has traced
    assert seen == [False] * 4
    assert readable(x)


def test_torch_is_readable_outside_every_trace_and_transform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    readable: Any = load_backend("torch").arrays.readable
    x = torch.ones(2, 2)
    assert all(map(readable, (x, x[0], torch.ones(2, requires_grad=True), torch.nn.Parameter(x))))
    assert not readable(torch.ones(2, device="meta"))
    assert not readable(import_module("torch._subclasses").FakeTensorMode().from_tensor(x))
    seen: list[bool] = []

    def look(x: Any) -> Any:
        seen.append(readable(x))
        return x.sum()

    torch.func.vmap(look)(x)
    torch.func.grad(look)(x)
    torch.func.jvp(look, (x,), (x,))
    assert seen == [False] * 3
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not readable(x)


def test_a_constant_is_made_on_the_device_that_the_backend_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for: list[Array] = []

    def device(x: Array) -> str:
        asked_for.append(x)
        return "cpu"

    known = load_backend("numpy")
    arrays = replace(known.arrays, device=device)
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(known, arrays=arrays))
    x: Array = np.ones(2, dtype=np.float32)
    assert constant(0.5, x, xp=xp_numpy).dtype == np.float32
    assert asked_for[0] is x


# ---- layout ----------------------------------------------------------------------------------


def test_a_dask_gradient_gets_the_chunks_of_its_array() -> None:
    da = pytest.importorskip("dask.array")
    match = load_backend("dask").arrays.match_layout
    assert match is not None
    x, grad = da.ones((4, 6), chunks=(2, 3)), da.ones((4, 6), chunks=(4, 1))
    assert match(grad, x).chunks == x.chunks
    assert match(x, x) is x
    np.testing.assert_array_equal(match(grad * 2, x).compute(), np.full((4, 6), 2.0))
    spread = match(da.full((), 3.0, chunks=()), x)
    assert spread.chunks == x.chunks
    np.testing.assert_array_equal(spread.compute(), np.full((4, 6), 3.0))
    other = np.ones((4, 6))
    assert match(other, x) is other


def test_a_gradient_on_other_libraries_is_left_alone() -> None:
    for name in filter(find_spec, ("numpy", "torch", "jax", "cupy")):
        assert load_backend(name).arrays.match_layout is None


DTYPES = ["float32", "float64", "float16", "complex64", "int8", "uint8", "int64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (99,), (5, 7), (300, 70), (100_003,)], ids=str)
def test_quick_reductions_have_the_bits_of_the_library(dtype: str, shape: tuple[int, ...]) -> None:
    x = (3 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    x = x * x.dtype.type(1 + 2j) if dtype == "complex64" else x
    for one in (x, x.T, x[..., ::2] if x.ndim else x):
        for name, quick in load_backend("numpy").speed.reductions.items():
            names = ("min", "max") if name == "extremes" else (name,)
            found = quick(one) if name == "extremes" else (quick(one),)
            for got, want in zip(found, (getattr(np, name)(one) for name in names), strict=True):
                assert (got.dtype, got.tobytes()) == (want.dtype, want.tobytes()), name


@pytest.mark.parametrize("size", [1, 99, 70_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_test_of_an_interval_counts_what_lies_outside(dtype: str, size: int) -> None:
    x = np.random.default_rng(0).uniform(0, 1, size).astype(dtype)
    test = load_backend("numpy").speed.within
    assert test is not None
    within = test(x, 0, 1)
    assert within is not None
    for _ in range(PATIENCE + 1):  # by the extremes, and then by machine code
        assert within(x)
    assert within(np.repeat(x, 2)[::2])
    for value in (-1e-30, 1 + 1e-6, np.nan, np.inf, -np.inf):
        one = x.copy()
        one[-1] = value
        with np.errstate(invalid="ignore"):
            assert not within(one), value
            assert not within(np.repeat(one, 2)[::2]), value
    edges: Any = np.resize(np.asarray([0.0, -0.0, 1.0], dtype), size)
    assert within(edges)
    above = test(x, 0, float("inf"))
    assert above is not None
    for _ in range(PATIENCE + 1):
        assert above(np.full_like(x, np.inf))
    assert test(x.astype("float16"), 0, 1) is None


@pytest.mark.parametrize("dtype", DTYPES[:-1])
def test_a_total_keeps_the_dtype(dtype: str) -> None:
    x = np.asarray([1, 2, 3], dtype)
    made = total(x, xp=xp_numpy)
    assert (made.dtype, complex(made)) == (x.dtype, 6)


@pytest.mark.parametrize("shape", [(3,), (2, 0), (40, 50), (50, 50)], ids=str)
def test_one_number_is_spread_over_a_shape(shape: tuple[int, ...]) -> None:
    spread = load_backend("numpy").speed.spread
    assert spread is not None
    for x in (np.float32(2.5), np.asarray(2.5, np.float32)):
        made = spread(x, shape)
        assert (made.shape, made.dtype) == (shape, np.float32)
        assert (made == 2.5).all()
