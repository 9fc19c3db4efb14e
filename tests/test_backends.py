"""What a library offers beyond the standard: how a backend is found, and what it answers."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import Arrays, Backend, Kernel, Pair, Speed, backend_of, load_backend
from portable_losses._gradient import stop_gradient
from portable_losses._indexing import scatter_add
from portable_losses._polyfill import constant, device_of, readable, total
from portable_losses._typing import Array, Namespace, Options
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


def test_array_api_strict_has_no_file_and_needs_none() -> None:
    strict = pytest.importorskip("array_api_strict")
    assert backend_of(strict) == Backend("array_api_strict")


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


# ---- kernels ---------------------------------------------------------------------------------


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """NumPy has a kernel of softplus for matrices of float64; which halves of it ran."""
    ran: list[str] = []

    def run(
        pair: Pair, arrays: tuple[Array, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        del pair
        (x,), xp, beta = arrays, options["xp"], options["beta"]
        ran.append("forward, for a gradient" if wanted else "forward")
        kept = xp.exp(beta * x)

        def backward(grad: Array, out: Array, x: Array, *, xp: Namespace, beta: float) -> Any:
            del out, x, xp, beta
            ran.append("backward")
            return (grad * kept / (1 + kept),)

        return xp.log1p(kept) / beta, backward

    def accepts(x: Array, *others: Array, xp: Namespace, **options: float) -> bool:
        is_softplus = not others and "beta" in options
        return is_softplus and x.ndim == 2 and x.dtype == xp.float64 and options["beta"] <= 4

    known = load_backend("numpy")
    speed = replace(known.speed, elementwise_kernel=Kernel(accepts, run))
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(known, speed=speed))
    return ran


X = np.asarray([[-2.0, 0.0, 0.5], [1.5, 3.0, -0.25]])


def test_a_kernel_serves_the_calls_that_it_accepts(fused: list[str]) -> None:
    got = pl.softplus(X, beta=2.0)
    assert fused == ["forward"]
    np.testing.assert_allclose(got, np.logaddexp(0, 2 * X) / 2, rtol=1e-15)


@pytest.mark.parametrize(
    "x, beta", [(X[0], 1.0), (X.astype(np.float32), 1.0), (X, 5.0)], ids=["ndim", "dtype", "option"]
)
def test_the_portable_pair_serves_the_others(fused: list[str], x: Any, beta: float) -> None:
    got = pl.softplus(x, beta=beta)
    assert fused == []
    np.testing.assert_allclose(got, np.logaddexp(0, beta * x) / beta, rtol=1e-6)
    assert got.dtype == x.dtype


def test_a_kernel_and_the_portable_pair_have_one_result(fused: list[str]) -> None:
    rows = np.stack([pl.softplus(row, beta=2.0) for row in X])
    assert fused == []
    np.testing.assert_allclose(pl.softplus(X, beta=2.0), rows, rtol=1e-15)


def test_a_kernel_keeps_what_its_backward_needs(fused: list[str]) -> None:
    y, pullback = autograd.vjp(lambda x: pl.softplus(x, beta=2.0), X)
    assert fused == ["forward, for a gradient"]
    (grad,) = pullback(np.ones_like(y))
    assert fused == ["forward, for a gradient", "backward"]
    np.testing.assert_allclose(grad, 1 / (1 + np.exp(-2 * X)), rtol=1e-15)


def test_the_portable_pair_is_differentiated_again(fused: list[str]) -> None:
    loss = lambda x: pl.mse_loss(pl.softplus(x), 0 * x, reduction="sum")  # noqa: E731
    (second,) = autograd.hvp(loss, [X], [X + 3])
    p, f = 1 / (1 + np.exp(-X)), np.logaddexp(0, X)
    np.testing.assert_allclose(second, 2 * (p**2 + f * p * (1 - p)) * (X + 3), rtol=1e-13)
    assert fused == ["forward, for a gradient", "backward"]  # of the outer derivative


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


# ---- scatter-add -----------------------------------------------------------------------------

FIRST, SECOND = np.asarray([0, 1, 1, 0, 1]), np.asarray([2, 0, 0, 2, 1])
ENTRIES: list[Any] = [0, (), ..., (-1, ...), (1, 2), (None, 1, None, slice(0, 2))]
SLICES: list[Any] = [np.s_[:, 1], np.s_[1:, ::2], np.s_[2:, 0:0], np.s_[..., None, 2]]
MASKS: list[Any] = [X > 0, X > 9, X < 9]
TOGETHER: list[Any] = [
    (FIRST, SECOND),
    (np.asarray([1, -1]), np.asarray([-3, 0])),
    (FIRST[:0], SECOND[:0]),
]
ONE: list[Any] = [FIRST, np.asarray([[0, 0], [1, 0]]), (slice(None), np.asarray([2, 2, -1]))]
ADDING = [
    (library, key)
    for library in LIBRARIES
    for key in (*ENTRIES, *SLICES, *MASKS, *TOGETHER, *ONE)
    # what a library does not index by, its gradient does not meet
    if library.module != "array_api_strict" or not any(key is one for one in ONE)
    if "restricted" not in library.name or not any(key is one for one in MASKS)
]


def in_library(library: Library, key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(in_library(library, k) for k in key)
    return library.array(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("library, key", ADDING, ids=lambda x: str(x).replace("\n", ""))
def test_values_are_added_where_a_key_chooses_as_numpy_adds_them(
    library: Library, key: Any
) -> None:
    values = (np.arange(6.0).reshape(2, 3) + 1)[key] * 0.5
    want = np.zeros((2, 3))
    np.add.at(want, key, values)
    add = scatter_add
    with library.active():
        there = in_library(library, key)
        given = library.array(values, "float32")
        if library.module == "dask.array" and any(key is mask for mask in MASKS):
            given = library.array(np.arange(6.0).reshape(2, 3) + 1, "float32")[there] * 0.5
        got = add((2, 3), there, given, xp=library.xp)
        assert got.dtype == library.xp.float32
        np.testing.assert_array_equal(library.numpy(got), want)


def test_a_mask_across_the_chunks_of_a_dask_array_chooses_in_numpys_order() -> None:
    da = pytest.importorskip("dask.array")
    entries = np.arange(6.0).reshape(2, 3)
    for chunks in ((2, 1), (1, 3), (2, (2, 1)), (1, (1, 2))):
        x = da.from_array(entries, chunks=chunks)
        grad = autograd.grad(lambda x: x.__array_namespace__().sum(x[x > 0.5] ** 3))(x)
        assert grad.chunks == x.chunks
        np.testing.assert_array_equal(grad.compute(scheduler="synchronous"), 3 * entries**2)


def test_a_mask_in_other_chunks_than_its_values_is_refused_not_misread() -> None:
    da = pytest.importorskip("dask.array")
    add: Any = load_backend("dask").indexing.scatter_add
    mask = np.asarray([True, True, True, True])
    there = da.from_array(mask, chunks=((3, 1),))
    values = da.from_array(np.arange(4.0), chunks=((1, 3),))
    message = "a mask must have the chunks of what it chooses from"
    for other in (values, values.rechunk(1)):  # seen when it is computed, and at once
        with pytest.raises(ValueError, match=message):
            add((4,), there, other, xp=da).compute(scheduler="synchronous")


KEYS: list[Any] = [
    (np.asarray([[1, 0], [0, -1]]), np.asarray([2, 1])),
    (slice(None), np.asarray([[0], [2]]), np.asarray([0, 3, 3])),
    (np.asarray([0, 1]), 1, np.asarray([2, 2])),
    (np.asarray([2, 0]),),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_dask_gathers_by_several_arrays_of_integers(key: tuple[Any, ...]) -> None:
    da = pytest.importorskip("dask.array")
    x = np.arange(36.0).reshape(3, 3, 4)
    there = [da.from_array(k, chunks=1) if isinstance(k, np.ndarray) else k for k in key]
    gather: Any = load_backend("dask").indexing.gather
    got = gather(da.from_array(x, chunks=2), tuple(there))
    assert (got.shape, got.dtype) == (x[key].shape, x.dtype)
    np.testing.assert_array_equal(got.compute(scheduler="synchronous"), x[key])


def test_several_entries_of_a_row_are_taken_and_differentiated_thrice_on_dask() -> None:
    da = pytest.importorskip("dask.array")
    x, index = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.asarray([[0, 2, 2], [1, 1, 0]])

    def loss(z: Any) -> Any:
        xp = z.__array_namespace__()
        return xp.sum(xp.take_along_axis(z, da.from_array(index, chunks=1), axis=1) ** 3)

    def slope(z: Any) -> Any:
        return z.__array_namespace__().sum(autograd.grad(loss)(z))

    second = autograd.grad(slope)(da.from_array(x, chunks=2)).compute(scheduler="synchronous")
    counts = np.asarray([[1, 0, 2], [1, 2, 0]])
    np.testing.assert_array_equal(second, 6 * x * counts)

    def bend(z: Any) -> Any:
        return z.__array_namespace__().sum(autograd.grad(slope)(z))

    third = autograd.grad(bend)(da.from_array(x, chunks=2)).compute(scheduler="synchronous")
    np.testing.assert_array_equal(third, 6 * counts)


def test_a_gradient_of_an_argument_that_is_a_result_too_has_its_chunks() -> None:
    da = pytest.importorskip("dask.array")
    x, ones = (da.from_array(np.ones(4), chunks=n) for n in (2, 1))
    _, pullback = autograd.vjp(lambda v: (v, v * 2), x)
    assert pullback((ones, ones))[0].chunks == x.chunks


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
    other: Array
    for other in (da.ones((), chunks=()), np.ones((4, 6))):
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
            got, want = quick(one), getattr(np, name)(one)
            assert (got.dtype, got.tobytes()) == (want.dtype, want.tobytes()), name


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
