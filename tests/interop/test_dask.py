"""Dask: nothing is computed while value and gradient are built, and chunks are kept."""

import math
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, NoReturn

import dask.array as da
import numpy as np
import pytest
from array_api_compat import array_namespace
from dask import config
from dask._task_spec import Alias, DataNode
from dask.base import optimize

import portable_losses as pl
from portable_losses import autograd
from tests.curves import Curve, Pointwise
from tests.libraries import EVERY_ROW, named
from tests.rows import CURVES, FEW, ONCE, POINTWISE
from tests.samples import Key, Sample

DASK = named("dask")

# A graph takes a tenth of a second to build, and that of a gradient holds that of the value.
VALUES = [row for row in ONCE if EVERY_ROW or row in FEW or not row.variables]
GRADIENTS = [row for row in ONCE if row.variables]


def refuse(*_: Any, **__: Any) -> NoReturn:
    msg = "the graph was computed while it was built"
    raise AssertionError(msg)


@pytest.fixture
def lazy() -> Iterator[None]:
    """Every computation is an error."""
    with config.set(scheduler=refuse):
        yield


def test_the_law_of_laziness_can_fail(lazy: None) -> None:
    with pytest.raises(AssertionError, match="was computed"):
        float(da.ones(3).sum())


def assert_close(got: Any, want: Any) -> None:
    size = float(np.max(np.abs(want), initial=0.1, where=np.isfinite(want)))
    np.testing.assert_allclose(DASK.numpy(got), want, rtol=1e-11, atol=1e-13 * size)


@pytest.mark.parametrize("row", VALUES, ids=str)
def test_a_value_is_built_without_computing(row: Sample) -> None:
    with config.set(scheduler=refuse):
        outs = row.call(row.on(DASK))
    for out, value in zip(outs, row.value, strict=True):
        assert isinstance(out, da.Array)
        assert out.shape == value.shape  # no unknown chunks
        assert_close(out, value)


@pytest.mark.parametrize("row", GRADIENTS, ids=str)
def test_a_gradient_is_built_without_computing_and_has_the_chunks_of_its_array(
    row: Sample,
) -> None:
    arrays = row.on(DASK)
    xs = [arrays[key] for key in row.variables]
    with config.set(scheduler=refuse):
        f = row.scalar(arrays, DASK, "float64")
        grads = autograd.grad(f, argnums=tuple(range(len(xs))))(*xs)
    for x, grad, want in zip(xs, grads, row.gradient, strict=True):
        assert isinstance(grad, da.Array)
        assert grad.chunks == x.chunks
        assert_close(grad, want)


@pytest.mark.parametrize("row", FEW[::2], ids=str)
@pytest.mark.parametrize("chunks", [1, -1], ids="chunks of {}".format)
def test_chunks_change_no_value_and_no_gradient(row: Sample, chunks: int) -> None:
    arrays = {key: a.rechunk(chunks) for key, a in row.on(DASK).items()}
    for out, want in zip(row.call(arrays), row.value, strict=True):
        np.testing.assert_allclose(DASK.numpy(out), want, rtol=1e-11, atol=1e-13)
    first = row.variables[0]
    f = row.scalar(arrays, DASK, "float64")
    grad = autograd.grad(f)(*(arrays[key] for key in row.variables))
    np.testing.assert_allclose(DASK.numpy(grad), row.gradient[0], rtol=1e-10, atol=1e-12)
    assert grad.chunks == arrays[first].chunks


def test_rows_far_apart_stay_in_their_own_chunks(lazy: None) -> None:
    z = da.zeros((1000, 10), chunks=(100, 10))
    y = da.zeros(1000, chunks=100, dtype=np.int64)
    loss = pl.cross_entropy(z, y, reduction="none")
    assert loss.chunks == ((100,) * 10,)
    grad = autograd.grad(lambda z: pl.cross_entropy(z, y, reduction="sum"))(z)
    assert grad.chunks == z.chunks


# ---- arrays that do not know their length -------------------------------------------------------

OF_CLASSES = {"weight", "class_weight", "bias", "pos_weight"}  # have no axis of rows
NEEDS_SIZES = (pl.info_nce_loss, pl.ntxent_loss, pl.circle_loss, pl.ctc_loss)
SEVERAL = ["glu", "sparsemax", "xlogy", "cumulative_logsumexp", "standardize"]


def cut(row: Sample) -> dict[Key, Any] | None:
    """The arrays of a row as the rows that one mask chose of more; None where there are no rows."""
    first = row.given[0]
    if first.ndim == 0 or any(row.function is f for f in (*NEEDS_SIZES, pl.logmeanexp)):
        return None
    count, arrays = first.shape[0], dict[Key, Any]()
    mask = np.ones(count + 4, dtype=bool)
    mask[[1, count + 1, count + 2, count + 3]] = False
    for key, a in row.given.items():
        whole = (key in OF_CLASSES and a.ndim == 1) or a.ndim == 0 or a.shape[0] != count
        if whole or (row.function is pl.linear_cross_entropy and key == 1):
            arrays[key] = da.from_array(a)
        else:  # one block stays empty
            more = np.insert(a, [1, count, count, count], a[:1], axis=0)
            more = da.from_array(more).rechunk((2, *a.shape[1:]))
            arrays[key] = more[da.from_array(mask).rechunk(2)]
            assert math.isnan(arrays[key].shape[0])
    return arrays


CUT = [
    row
    for row in ONCE
    if (EVERY_ROW or row in FEW[-3:] or row.function.__name__ in SEVERAL) and cut(row) is not None
]


@pytest.mark.parametrize("row", CUT, ids=str)
def test_arrays_cut_by_one_mask_have_the_values_and_gradients_of_their_rows(row: Sample) -> None:
    arrays = cut(row)
    assert arrays is not None
    with config.set(scheduler=refuse):
        outs = row.call(arrays)
    for out, value in zip(outs, row.value, strict=True):
        assert_close(out, value)

    def squares(given: dict[Key, Any]) -> tuple[Any, ...]:
        """The gradients of a sum that needs no length."""

        def f(*xs: Any) -> Any:
            out = row.call({**given, **dict(zip(row.variables, xs, strict=True))})[0]
            return array_namespace(out).sum(out * out)

        places = tuple(range(len(row.variables)))
        return autograd.grad(f, argnums=places)(*(given[key] for key in row.variables))

    for grad, want in zip(squares(arrays), squares(row.given), strict=True):
        assert_close(grad, want)


def of_unknown_length(values: Any, mask: Any) -> Any:
    whole, chosen = (da.from_array(np.asarray(x)).rechunk(2) for x in (values, mask))
    return whole[chosen]


@pytest.mark.parametrize("name", ["mean", "var", "std", "sum"])
def test_the_slope_of_a_statistic_counts_the_entries_that_there_are(name: str) -> None:
    values, mask = np.asarray([1.0, 5.0, -2.0, 0.5, 7.0]), np.asarray([1, 0, 1, 1, 0]) == 1

    def f(x: Any) -> Any:
        return getattr(array_namespace(x), name)(x)

    grad = autograd.grad(f)(of_unknown_length(values, mask))
    assert_close(grad, autograd.grad(f)(values[mask]))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_loss_of_what_a_mask_leaves_nothing_of_is_zero(reduction: Any) -> None:
    x = of_unknown_length([1.0, 2.0, 3.0], [False] * 3)
    value = DASK.numpy(pl.mse_loss(x, x * 2, reduction=reduction))
    assert value.shape == (() if reduction != "none" else (0,))
    assert not np.any(value)
    if reduction != "none":
        grad = autograd.grad(lambda x: pl.mse_loss(x, x * 2, reduction=reduction))(x)
        assert DASK.numpy(grad).shape == (0,)


def test_where_a_size_is_needed_the_argument_and_the_remedy_are_named() -> None:
    x = of_unknown_length(np.ones((4, 2)), [True, False, True, True])
    labels = of_unknown_length(np.asarray([0, 1, 0, 1]), [True, False, True, True])
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("query", lambda: pl.info_nce_loss(x, x)),
        ("embeddings", lambda: pl.ntxent_loss(x, labels)),
        ("embeddings", lambda: pl.circle_loss(x, labels)),
        ("axis", lambda: pl.logsumexp(x)),
        ("axis", lambda: pl.softmax(x, axis=0)),
        ("axis", lambda: autograd.grad(lambda x: array_namespace(x).prod(x))(x)),
    ]
    for name, call in calls:
        with pytest.raises(ValueError, match=rf"`{name}` needs sizes .* x.compute_chunk_sizes\(\)"):
            call()
    x.compute_chunk_sizes()
    labels.compute_chunk_sizes()
    assert_close(pl.ntxent_loss(x, labels), pl.ntxent_loss(np.ones((3, 2)), np.asarray([0, 0, 1])))


def test_a_known_and_an_unknown_length_do_not_count_as_equal() -> None:
    x = of_unknown_length([1.0, 2.0, 3.0], [True, False, True])
    with pytest.raises(ValueError, match=r"shapes must be equal, .*\(nan,\).*compute_chunk_sizes"):
        pl.mse_loss(x, da.ones(2))


# ---- tasks --------------------------------------------------------------------------------------

CHUNKS = 16
ELEMENTS = [*CURVES, *POINTWISE][:: 1 if EVERY_ROW else 6]


def tasks_of(*arrays: Any) -> float:
    """How many tasks a chunk there are in the graph of both, but for the chunks given."""
    graph: dict[Any, Any] = {}
    for one in optimize(*arrays):
        graph.update(dict(one.__dask_graph__()))
    return sum(not isinstance(task, Alias | DataNode) for task in graph.values()) / CHUNKS


def given(values: Any) -> Any:
    """An array in memory, in chunks."""
    sizes: Any = 4
    whole: Any = np.resize(np.asarray(values, np.float64), 4 * CHUNKS)
    return da.from_array(whole, chunks=sizes).persist()


@pytest.mark.parametrize("row", ELEMENTS, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_chunk_takes_eight_tasks_at_most_for_value_and_gradient(row: Any, reduction: Any) -> None:
    x = autograd.tensor(given(row.x if isinstance(row, Pointwise) else row.row.given[0]))
    if isinstance(row, Curve):
        value: Any = row.function(x, **row.options)
    else:
        value = row.function(x, given(row.y), reduction=reduction, **row.options)
    value.backward(da.ones_like(x.array) if value.ndim else None)
    assert tasks_of(value.array, x.grad.array) <= 8


MASK = [True, False, True, True, True]
WEIGHTS = {
    "where": ["where"],
    "sample_weight": ["sample_weight"],
    "both": ["where", "sample_weight"],
    "all": ["where", "sample_weight", "weight", "pos_weight"],
}
LEFT_OUT: list[Any] = [
    pytest.param(row, reduction, names, id=f"{row}-{reduction}-{names}")
    for row in POINTWISE
    for reduction in ("mean", "sum", "none")
    for names in WEIGHTS
    if EVERY_ROW
    or (row in ELEMENTS and (reduction, names) == ("mean", "all"))
    or (row.function is pl.mse_loss and (reduction, names) == ("none", "both"))
]


def options_of(row: Pointwise, names: str) -> dict[str, Any]:
    """Arrays for those of the named options that a loss has and the row leaves."""
    free = [n for n in WEIGHTS[names] if n in signature(row.function).parameters]
    weights = {n: given([1.0, 0.0, 0.5, 2.0, 3.0]) for n in free if n not in row.options}
    return {n: (given(MASK) != 0).persist() if n == "where" else w for n, w in weights.items()}


@pytest.mark.parametrize(("row", "reduction", "names"), LEFT_OUT)
def test_a_chunk_takes_eight_tasks_at_most_with_weights_and_masks(
    row: Pointwise, reduction: Any, names: str
) -> None:
    x, y, own = given(row.x), given(row.y), options_of(row, names)

    def loss(x: Any, y: Any, own: Any) -> Any:
        return row.function(x, y, reduction=reduction, **{**row.options, **own})

    variable = autograd.tensor(x)
    value = loss(variable, y, own)
    value.backward(da.ones_like(x) if value.ndim else None)
    assert tasks_of(value.array, variable.grad.array) <= 8
    eager = autograd.tensor(np.asarray(x))
    want = loss(eager, np.asarray(y), {name: np.asarray(a) for name, a in own.items()})
    want.backward(np.ones(want.shape) if want.ndim else None)
    assert_close(value.array, want.array)
    assert_close(variable.grad.array, eager.grad.array)


SHARES: list[tuple[Any, tuple[str, ...]]] = [
    (pl.binary_cross_entropy_with_logits, ("label_smoothing",)),
    (pl.sigmoid_focal_loss, ("alpha",)),
    (pl.sigmoid_focal_loss, ("alpha", "gamma", "label_smoothing")),
    (pl.js_div, ("beta",)),
    (pl.quantile_loss, ("q",)),
    (pl.expectile_loss, ("tau",)),
    (pl.huber_loss, ("delta",)),
]


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(("loss", "names"), SHARES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_a_chunk_takes_eight_tasks_at_most_with_options_that_are_computed(
    loss: Any, names: tuple[str, ...], reduction: Any
) -> None:
    x, y = given([0.1, 0.25, 0.9, 0.5]), given([0.3, 0.25, 0.0, 1.0])
    option: Any = (da.ones(3, chunks=1) / 10).sum()
    variable, eager = autograd.tensor(x), autograd.tensor(np.asarray(x))
    value = loss(variable, y, reduction=reduction, **dict.fromkeys(names, option))
    want = loss(eager, np.asarray(y), reduction=reduction, **dict.fromkeys(names, 0.3))
    for one in (value, want):
        one.backward(0 * one.array + 1 if one.ndim else None)
    assert tasks_of(value.array, variable.grad.array) <= 8
    assert_close(value.array, want.array)
    assert_close(variable.grad.array, eager.grad.array)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_bad_is_nan_where_it_counts_and_nothing_where_it_is_left_out(
    reduction: Any,
) -> None:
    probs = np.asarray([0.5, 7.0, 7.0, 0.25, 0.75, np.nan, 0.5, 0.5])  # masked, of weight 0
    mask = np.asarray([1, 0, 1, 1, 1, 0, 1, 1]) == 1
    weight = np.asarray([1.0, -1.0, 0.0, 2.0, 1.0, 1.0, 0.0, 1.0])

    def both(of: Callable[[Any], Any], p: Any, w: Any) -> tuple[Any, Any]:
        def f(p: Any) -> Any:
            options = {"sample_weight": of(w), "where": of(mask), "reduction": reduction}
            return pl.binary_cross_entropy(p, of(np.ones(8)), **options)

        x = autograd.tensor(of(p))
        value = f(x)
        value.backward(of(np.ones(8)) if value.ndim else None)
        return np.asarray(value.array), np.asarray(x.grad.array)

    def in_chunks(x: Any) -> Any:
        return da.from_array(x).rechunk(2)

    for got, want in zip(
        both(in_chunks, probs, weight),
        both(np.asarray, np.where(mask & (weight > 0), probs, 0.5), np.abs(weight)),
        strict=True,
    ):
        np.testing.assert_allclose(np.where(weight != 0, got, 0), np.where(weight != 0, want, 0))
    for p, w in (np.where(mask, probs, 0.5), np.abs(weight)), (np.full(8, 0.5), -weight):
        bad = p.copy()
        bad[3] = 9.0 if np.all(w >= 0) else 0.5
        value, grad = both(in_chunks, bad, w)
        assert np.isnan(value[3] if value.ndim else value)
        assert np.isnan(grad[3])
        assert not np.any(grad[~mask]) or reduction == "mean"
