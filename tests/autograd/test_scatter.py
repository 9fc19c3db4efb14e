"""Adding and assigning at positions, and gradients on lazy arrays."""

import random
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest

from portable_losses import _backend
from portable_losses._indexing import portable_scatter_add as scatter_add
from portable_losses._typing import Array
from portable_losses.autograd import grad, gradcheck, namespace, tensor, value_and_grad
from tests.autograd.cases import LIBRARIES, A

NP = namespace(np)
KEYS = [
    (0,),
    (-1, ...),
    (slice(None), 1),
    (slice(1, None), slice(None, None, 2)),
    (slice(None, None, -1), slice(2, 0, -1)),
    (slice(3, None), slice(0, 0)),
    (slice(0, 1), slice(None, None, 5)),
    (None, 1, None, slice(None, None, -2)),
    (..., None, 2),
    (),
    (np.asarray([0, 1, 1, 0, 1]), np.asarray([2, 0, 0, 2, 1])),
    (slice(None), np.asarray([2, 2, -1])),
    (np.asarray([[0, 0], [1, 0]]),),
    (np.asarray([[True, False, True], [False, True, True]]),),
    (np.asarray([], dtype=np.int64),),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_values_are_added_where_the_key_chooses(key: Any) -> None:
    values: Any = np.zeros((2, 3))[key]
    values = values + np.random.default_rng(3).normal(size=values.shape)
    expected = np.zeros((2, 3))
    np.add.at(expected, key, values)
    got = scatter_add((2, 3), key, values, xp=namespace(np).inner)
    np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_infinities_stay_where_they_are_added() -> None:
    key = np.asarray([0, 2, 2, 3])
    got = scatter_add((5,), key, np.asarray([np.inf, 1.0, np.nan, 2.0]), xp=namespace(np).inner)
    np.testing.assert_array_equal(got, [np.inf, 0.0, np.nan, 2.0, 0.0])


def test_long_runs_are_summed_in_pairs() -> None:
    values: Any = np.full(100_003, 0.1, dtype=np.float32)
    got = scatter_add((2,), np.zeros(values.size, dtype=np.int64), values, xp=namespace(np).inner)
    assert float(got[0]) == pytest.approx(values.astype(np.float64).sum(), rel=3e-7)


def test_positions_are_added_under_jit() -> None:
    jax = pytest.importorskip("jax")

    def add(key: Any, values: Any) -> Any:
        return scatter_add((4,), key, values, xp=jax.numpy)

    got = jax.jit(add)(jax.numpy.asarray([1, 1, 3]), jax.numpy.asarray([1.0, 2.0, 4.0]))
    assert got.tolist() == [0.0, 3.0, 0.0, 4.0]


def test_an_embedding_collects_every_use_of_a_row(array_library: Any) -> None:
    xp = namespace(array_library)
    table = array_library.asarray(A, dtype=array_library.float64)
    rows = array_library.asarray([0, 1, 1, 1])
    got = grad(lambda t: xp.sum(xp.take(t, rows, axis=0)))(table)
    assert np.asarray(got).tolist() == [[1.0] * 3, [3.0] * 3]


@pytest.mark.parametrize("key", [(), ..., True, False], ids=str)
@pytest.mark.parametrize("name", [name for name in LIBRARIES if name in ("numpy", "torch")])
def test_a_key_without_axes_has_a_gradient(key: Any, name: str) -> None:
    library = import_module(name)
    xp, x = namespace(library), library.asarray(A, dtype=library.float64)
    place = library.asarray(key) if isinstance(key, bool) else key
    got = grad(lambda x: xp.sum(x[place] ** 2))(x)
    expected = 2 * np.asarray(A) * (key is not False)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-15)
    number = library.asarray(3.0, dtype=library.float64)
    slope = grad(lambda x: xp.sum(x[place] * x))(number)
    assert float(slope) == 6.0 * (key is not False)


# ---- assignment at positions --------------------------------------------------------------------


class Assignment(NamedTuple):
    """``x[key] = value`` by shapes and by the key, whose lists become arrays of positions."""

    shape: tuple[int, ...]
    key: Any
    value: tuple[int, ...]
    not_on: tuple[str, ...] = ()


DASK_TAKES_ONE_AXIS = ("dask.array",)
ASSIGNMENTS = [
    Assignment((4,), [1, 1, 3], (3,)),
    Assignment((4,), [1, 1, 3], ()),
    Assignment((4,), [[1, 1], [3, 0]], (2, 2), DASK_TAKES_ONE_AXIS),
    Assignment((4, 3), [1, 1, -1, 3], (4, 3)),
    Assignment((4, 3), ([1, 1, 3], slice(None)), (3, 3)),
    Assignment((4, 3), ([1, 1, 3], [2, 2, 0]), (3,), DASK_TAKES_ONE_AXIS),
    Assignment((4, 3), (slice(1, None), [0, 0]), (1, 2)),
    Assignment((4, 3), (slice(1, None), [0, 0]), (1, 1, 3, 2)),
    Assignment((3, 4, 2), ([0, 0, 1], slice(None), [1, 1, 0]), (3, 4), DASK_TAKES_ONE_AXIS),
    Assignment((4,), [], (0,)),
]


def key_over(library: Any, key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(key_over(library, k) for k in key)
    return library.asarray(np.asarray(key, dtype=np.int64)) if isinstance(key, list) else key


def assign(xp: Any, key: Any, x: Any, value: Any) -> Any:
    y = x * 2
    y[key] = value * value
    return xp.sum(y**3)


@pytest.mark.parametrize(
    "case, name",
    [
        (case, name)
        for name in LIBRARIES
        if name != "array_api_strict"  # which assigns to no positions
        for case in ASSIGNMENTS
        if name not in case.not_on
    ],
    ids=str,
)
def test_what_is_assigned_at_positions_has_its_gradient(case: Assignment, name: str) -> None:
    library = import_module(name)
    xp, key = namespace(library), key_over(library, case.key)
    dice = np.random.default_rng(5)
    values = [dice.normal(size=shape) for shape in (case.shape, case.value)]
    x, value = (library.asarray(v) for v in values)
    expected = assign(np, key_over(np, case.key), *values)
    run = value_and_grad(lambda x, v: assign(xp, key, x, v), argnums=(0, 1))
    if name == "jax.numpy":
        run = import_module("jax").jit(run)  # one compilation, not one per operation
    got, slopes = run(x, value)
    assert float(got) == pytest.approx(expected, rel=1e-12)
    assert [tuple(g.shape) for g in slopes] == [case.shape, case.value]
    if name in ("numpy", "torch"):
        gradcheck(lambda x, v: assign(xp, key, x, v), (x, value), order=2)
        return
    over_numpy, there = namespace(np), key_over(np, case.key)
    wanted = grad(lambda x, v: assign(over_numpy, there, x, v), argnums=(0, 1))(*values)
    for slope, want in zip(slopes, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(slope), want, rtol=1e-12)


def test_positions_are_assigned_under_jit() -> None:
    jax = pytest.importorskip("jax")
    xp = namespace(jax.numpy)

    def slopes(key: Any, x: Any, value: Any) -> Any:
        return grad(lambda x, v: assign(xp, key, x, v), argnums=(0, 1))(x, value)

    given = [jax.numpy.asarray(v) for v in ([1, 1, 3], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0])]
    for got, expected in zip(jax.jit(slopes)(*given), slopes(*given), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_the_gradient_follows_the_value_that_the_library_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(4)

    def in_any_order(x: Array, key: Any, value: Any, *, xp: Any) -> Array:
        """Assign one after the other, in an order of its own every time, as a GPU may."""
        out = x.copy()
        for i in dice.sample(range(len(key)), len(key)):
            out[key[i]] = value if np.ndim(value) == 0 else value[i]
        return out

    numpy = _backend.load_backend("numpy")
    indexing = replace(numpy.indexing, assign=in_any_order)
    monkeypatch.setitem(_backend._LOADED, "numpy", replace(numpy, indexing=indexing))
    key, weights, value = np.asarray([1, 0, 1, 1]), np.asarray([2.0, 3.0]), np.arange(1.0, 5.0)

    def linear(v: Any) -> Any:
        y = NP.zeros(2)
        y[key] = v
        return NP.sum(y * weights)

    found = set()
    for _ in range(40):
        out, slope = value_and_grad(linear)(value)
        assert float(out) == slope @ value
        assert sorted(slope.tolist()) == [0.0, 0.0, 2.0, 3.0]
        found.add(float(out))
    assert len(found) == 3  # any of the three that meet


def test_where_nothing_can_be_assigned_the_error_names_the_assignment() -> None:
    strict = pytest.importorskip("array_api_strict")
    y = tensor(strict.ones(3)) * 2
    with pytest.raises(IndexError) as caught:
        y[strict.asarray([0, 0])] = y[:2]
    assert "in `setitem` of (3,)" in caught.value.__notes__[0]


# ---- every year, every device, and lazily -------------------------------------------------------


@pytest.mark.parametrize("year", ["2022.12", "2023.12", "2024.12", "2025.12"])
def test_gradients_stay_on_their_device_in_every_year_of_the_standard(year: str) -> None:
    strict = pytest.importorskip("array_api_strict")
    xp = namespace(strict)
    flags = {"api_version": year, "boolean_indexing": False, "data_dependent_shapes": False}
    with strict.ArrayAPIStrictFlags(**flags):
        device = strict.Device("device1")
        x = strict.asarray(A, dtype=strict.float64, device=device)

        def f(x: Any) -> Any:
            y = xp.tanh(x) * xp.max(x, axis=0) + xp.where(x > 0.5, x**2, abs(x)) + xp.log1p(x * x)
            y[y > 2.0] = 0.0
            rows = strict.asarray([1, 1], device=device)
            return xp.sum(y[:, ::2]) + xp.var(x) + xp.sum(xp.take(y, rows, axis=0) @ y.T)

        slope = grad(f)
        first, second = slope(x), grad(lambda x: xp.sum(slope(x) ** 2))(x)
        assert xp.__array_api_version__ == year
        assert (first.device, second.device) == (device, device)
        xp, there = namespace(np), np.asarray(first.to_device(strict.Device("CPU_DEVICE")))

    def on_numpy(x: Any) -> Any:
        y = xp.tanh(x) * xp.max(x, axis=0) + xp.where(x > 0.5, x**2, abs(x)) + xp.log1p(x * x)
        y[y > 2.0] = 0.0
        return xp.sum(y[:, ::2]) + xp.var(x) + xp.sum(xp.take(y, np.asarray([1, 1]), axis=0) @ y.T)

    np.testing.assert_allclose(there, grad(on_numpy)(np.asarray(A)), rtol=1e-12)


def test_nothing_is_computed_while_a_lazy_gradient_is_built() -> None:
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    xp = namespace(da)
    runs = 0

    def counting(graph: Any, keys: Any, **options: Any) -> Any:
        nonlocal runs
        runs += 1
        return dask.get(graph, keys, **options)

    def f(x: Any, w: Any) -> Any:
        y = xp.tanh(x @ w) * xp.max(x, axis=1, keepdims=True) + xp.mean(x, axis=0)[:2]
        picked = xp.take_along_axis(y, da.asarray([[1]] * 4), axis=1)
        return xp.sum(xp.logaddexp(y, y * 2)) + xp.sum(xp.concat([picked, y[:, ::2]], axis=1))

    values, weights = np.random.default_rng(0).normal(size=(4, 6)), np.ones((6, 2))
    x, w = da.from_array(values, chunks=(2, 3)), da.from_array(weights, chunks=(3, 1))
    with dask.config.set(scheduler=counting):
        slope = grad(f, argnums=(0, 1))
        gradients = (*slope(x, w), grad(lambda x: xp.sum(slope(x, w)[0] ** 2))(x))
        leaf = tensor(x)
        f(leaf, w).backward()
        assert runs == 0
        assert [g.chunks for g in gradients] == [x.chunks, w.chunks, x.chunks]
        assert leaf.grad is not None
        assert leaf.grad.array.chunks == x.chunks
        computed = [g.compute() for g in gradients]

    def g(x: Any, w: Any) -> Any:
        y = NP.tanh(x @ w) * NP.max(x, axis=1, keepdims=True) + NP.mean(x, axis=0)[:2]
        picked = NP.take_along_axis(y, np.asarray([[1]] * 4), axis=1)
        return NP.sum(NP.logaddexp(y, y * 2)) + NP.sum(NP.concat([picked, y[:, ::2]], axis=1))

    for got, expected in zip(computed, grad(g, argnums=(0, 1))(values, weights), strict=False):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_lazy_graph_grows_with_the_number_of_sums() -> None:
    da = pytest.importorskip("dask.array")
    xp = namespace(da)

    def tasks(length: int) -> int:
        def chain(x: Any) -> Any:
            for _ in range(length):
                x = xp.tanh(x[..., ::-1] + x[..., :1])
            return xp.sum(x)

        return len(grad(chain)(da.ones(4)).__dask_graph__())

    short, long = tasks(3), tasks(6)
    assert long < 3 * short  # twice as many, and not their square
