"""What a loss leaves out may hold anything: masked by `where`, or of weight 0.

One law for every loss and option: NaN, infinities and 1e38 in what is left out change no bit of
the value, of the gradient and of the second derivative.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import losses
from tests.libraries import EVERY_ROW, EVERYWHERE, SLOW, Library, named
from tests.rows import FEW, ONCE, SELECTED
from tests.samples import Key, Sample, weights_of

BAD = [np.nan, np.inf, -np.inf, 1e38]
LOSSES = [
    getattr(losses, name)
    for name in losses.__all__
    if "reduction" in inspect.signature(getattr(losses, name)).parameters
]
# Losses whose `where` masks rows that are compared with each other, and entries of the input.
OF_ROWS = {"info_nce_loss", "ntxent_loss", "circle_loss"}
OF_ELEMENTS = {"dice_loss", "jaccard_loss", "tversky_loss", "ranking_softmax_loss"}
OF_BATCHES = {*OF_ROWS, *OF_ELEMENTS}


def losses_of(rows: list[Sample]) -> list[Sample]:
    """The rows of losses, their masks and weights aside."""
    return [row for row in rows if row.function in LOSSES and "where" not in row.options]


def axes_of(row: Sample) -> tuple[int, ...]:
    """The axes of the first array that the unreduced loss lacks."""
    name, x = row.function.__name__, row.given[0]
    if name in OF_ELEMENTS:
        return ()
    if name in OF_ROWS:
        return (1,)
    if name == "ctc_loss":
        return (0, x.ndim - 1)
    if name == "linear_cross_entropy":
        return (x.ndim - 1,)
    parameters = inspect.signature(row.function).parameters
    if "axis" not in parameters:
        return ()
    axis = row.options.get("axis", parameters["axis"].default)
    if axis is None:
        return ()
    return tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def mask_of(row: Sample) -> Any:
    """A mask of the unreduced loss, False at every third entry."""
    axes, x = axes_of(row), row.given[0]
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return (np.arange(np.prod(shape, dtype=int)) % 3 != 1).reshape(shape)


def spoiled(row: Sample, mask: Any, value: float) -> dict[Key, Any]:
    """The arrays with `value` in all that belongs to what the mask leaves out."""
    axes, arrays = axes_of(row), {}
    name = row.function.__name__
    for key, a in row.given.items():
        arrays[key] = a
        if a.dtype.kind != "f" or not isinstance(key, int):
            continue
        if name == "linear_cross_entropy" and key == 1:  # the weights of the layer
            continue
        if name == "circle_loss" and key > 1:
            continue
        own = np.expand_dims(mask, axes) if a.ndim != mask.ndim else mask
        try:
            own = np.broadcast_to(own, a.shape)
        except ValueError:  # the keys that all queries share
            continue
        arrays[key] = np.where(own, a, value)
    return arrays


def derivatives(
    row: Sample, library: Library, arrays: dict[Key, Any], options: dict[str, Any]
) -> Iterator[Any]:
    """The value, the gradient and a second derivative of the loss in its first array."""
    given = {key: library.array(a, "float32") for key, a in arrays.items()}
    extra = {key: library.array(a, "float32") for key, a in options.items()}

    for reduction in ("mean",) if library.module in SLOW else ("mean", "none"):

        def f(x: Any, reduction: str = reduction) -> Any:
            positional = [given.get(i, a) for i, a in enumerate(row.arrays)]
            named = {k: given.get(k, v) for k, v in row.options.items()}
            out = row.function(x, *positional[1:], **{**named, **extra, "reduction": reduction})
            return out[0] if isinstance(out, tuple) else out

        def total(x: Any, f: Callable[..., Any] = f) -> Any:
            out = f(x)
            return array_namespace(out).sum(out)

        slope = library.gradient(total, (0,))

        def along(x: Any, slope: Callable[..., Any] = slope) -> Any:
            made = slope(x)[0]
            shares = weights_of(np.empty(tuple(made.shape)))
            return array_namespace(made).sum(made * library.array(shares, "float32"))

        yield library.numpy(f(given[0]))
        yield library.numpy(slope(given[0])[0])
        with np.errstate(all="ignore"):  # at p = 1 the slope of 1 / p**2 overflows by itself
            yield library.numpy(library.gradient(along, (0,))(given[0])[0])


def check_nothing_leaks(row: Sample, library: Library, kind: str) -> None:
    mask = mask_of(row)
    if kind == "where":
        options: dict[str, Any] = {"where": mask}
    else:
        options = {kind: np.where(mask, 0.5, 0.0)}
    # Dask computes later, when nothing holds NumPy's warnings back: inf - inf of weight 0 warns.
    lazy = np.errstate(all="ignore") if library.module == "dask.array" else nullcontext()
    with library.active(), lazy, pl.validation(kind == "where"):
        want = list(derivatives(row, library, spoiled(row, mask, 0.25), options))
        for value in BAD[: 2 if library.module in SLOW else None]:
            got = list(derivatives(row, library, spoiled(row, mask, value), options))
            for one, other in zip(got, want, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=f"{row} with {value}")


# A row takes JAX and Dask seconds: one of elements here, the few in `make test-all`.
SLOWLY = [row for row in FEW if EVERY_ROW or row.function is pl.huber_loss]
CASES = [
    (library, row)
    for name, rows in (
        ("numpy", SELECTED if EVERY_ROW else SELECTED[::2]),
        ("torch", ONCE if EVERY_ROW else [row for row in ONCE if row not in SELECTED[::2]]),
        ("array_api_strict", FEW),
        ("jax", SLOWLY),
        ("dask", SLOWLY),
    )
    for library in EVERYWHERE
    if library.name == name
    for row in losses_of(rows)
]


@pytest.mark.parametrize(("library", "row"), CASES, ids=str)
def test_what_a_mask_leaves_out_leaks_nowhere(library: Library, row: Sample) -> None:
    check_nothing_leaks(row, library, "where")


# Rows that are compared with each other are no entries of their own; regions have a test below.
SEPARATE = [case for case in CASES if case[1].function.__name__ not in OF_BATCHES]


@pytest.mark.parametrize(("library", "row"), SEPARATE, ids=str)
def test_what_has_weight_0_leaks_nowhere(library: Library, row: Sample) -> None:
    check_nothing_leaks(row, library, "sample_weight")


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("loss", [pl.dice_loss, pl.jaccard_loss, pl.tversky_loss])
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_axis": 1},
        {"class_axis": 1, "ignore_background": True},
        {"class_axis": 1, "class_weight": "generalized"},
    ],
    ids=str,
)
def test_a_region_of_weight_0_leaks_nowhere(
    name: str, loss: Any, value: float, options: dict[str, Any]
) -> None:
    library, dice = named(name), np.random.default_rng(0)
    p, t = dice.uniform(0.1, 0.9, (3, 4, 5)), dice.uniform(0.1, 0.9, (3, 4, 5))
    weight = np.asarray([0.5, 0.0, 2.0])
    if options.get("class_axis") and "class_weight" not in options:
        weight = weight[:, None]

    def results(held: float) -> list[Any]:
        spoiled = np.where(np.arange(3)[:, None, None] == 1, held, p)
        target, shares = library.array(t), library.array(weight)
        x = library.array(spoiled)

        def total(z: Any) -> Any:
            return loss(z, target, sample_weight=shares, **options)

        return [library.numpy(total(x)), library.numpy(library.gradient(total, (0,))(x)[0])]

    for one, other in zip(results(value), results(0.5), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("row", losses_of(SELECTED), ids=str)
def test_a_mask_is_a_weight_of_0_and_1(row: Sample) -> None:
    """Where the losses are finite, and no other weight has a denominator of its own."""
    if row.function.__name__ in OF_BATCHES or not np.all(np.isfinite(row.value[0])):
        return
    mask, library = mask_of(row), named("numpy")
    plain = {**row.options, "sample_weight": None}
    for reduction in ("mean", "sum", "none"):
        options = {**plain, "reduction": reduction}
        arrays = [row.given.get(i, a) for i, a in enumerate(row.arrays)]
        masked = row.function(*arrays, **{**options, "where": library.array(mask)})
        weighed = row.function(*arrays, **{**options, "sample_weight": mask * 1.0})
        got, want = (x[0] if isinstance(x, tuple) else x for x in (masked, weighed))
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-300)


def test_every_loss_has_a_mask_and_a_weight() -> None:
    lacking = [
        f.__name__
        for f in LOSSES
        if not {"where", "sample_weight"} <= set(inspect.signature(f).parameters)
    ]
    assert lacking == []


ROWS_OF_THEIR_OWN: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    # a loss of arrays of 4 rows, and those of the arrays whose rows enter no other row's loss
    "info_nce": (lambda q, k, n, w, y: pl.info_nce_loss(q, k, sample_weight=w), (0,)),
    "info_nce, negatives": (
        lambda q, k, n, w, y: pl.info_nce_loss(q, k, n[0, ...], sample_weight=w),
        (0, 1),
    ),
    "info_nce, negatives of each": (
        lambda q, k, n, w, y: pl.info_nce_loss(q, k, n, sample_weight=w),
        (0, 1, 2),
    ),
    "circle, references": (
        lambda q, k, n, w, y: pl.circle_loss(q, y, k, y, sample_weight=w),
        (0,),
    ),
}


@pytest.mark.parametrize("library", [one for one in EVERYWHERE if one.module not in SLOW], ids=str)
@pytest.mark.parametrize("name", ROWS_OF_THEIR_OWN)
@pytest.mark.parametrize("bad", BAD)
def test_a_row_of_weight_zero_that_no_other_row_is_compared_with_is_left_out(
    library: Library, name: str, bad: float
) -> None:
    loss, own = ROWS_OF_THEIR_OWN[name]
    random = np.random.default_rng(5)
    clean = [random.normal(size=s) for s in ((4, 3), (4, 3), (4, 2, 3))]
    spoiled = [a.copy() for a in clean]
    for i in own:
        spoiled[i][2] = bad
    held = library.array(np.asarray([1.0, 2.0, 0.0, 0.5])), library.array(np.asarray([0, 1, 1, 0]))
    gradient = library.gradient(lambda *x: loss(*x, *held), (0, 1))
    results = []
    for arrays in (clean, spoiled):
        made = [library.array(a) for a in arrays]
        results.append([loss(*made, *held), *gradient(*made)])
    for got, want in zip(results[1], results[0], strict=True):
        got, want = library.numpy(got), library.numpy(want)
        if bad != 1e38 or got.shape == ():
            np.testing.assert_array_equal(got, want)
        else:  # a finite row has its own cosines, and no gradient
            np.testing.assert_allclose(got, want, rtol=1e-12)
