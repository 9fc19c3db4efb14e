"""`denominator=`: what "mean" divides by instead of a count, of every loss on every library."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import losses, nn
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, LIBRARIES, SLOW, Library, named
from tests.rows import ONCE
from tests.samples import Sample

LOSSES = [
    name
    for name in losses.__all__
    if "reduction" in inspect.signature(getattr(losses, name)).parameters
]
ROWS = [row for row in ONCE if row.function.__name__ in LOSSES]
QUICK = [one for one in LIBRARIES if one.module not in SLOW]
CASES = [
    (library, row)
    for place, row in enumerate(ROWS)
    for library in (LIBRARIES if EVERY_ROW else [QUICK[place % len(QUICK)]])
]
FEW = [
    (library, row)
    for library in LIBRARIES
    for row in ROWS
    if (row.function is pl.huber_loss and library in (*QUICK, named("dask")))
    or (row.function in (pl.cross_entropy, pl.kl_div) and library.name in ("numpy", "torch"))
]
KEYWORD = inspect.Parameter.KEYWORD_ONLY
D = 6.5  # no count that a row has

Z = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.5, 0.0], [-5.0, 4.0, 3.0], [3.0, -1.0, 2.5]])
LABELS = np.asarray([-100, -100, 1, 0])  # unevenly ignored


def names(case: Any) -> str:
    return str(case) if isinstance(case, Sample | Library | str) else ""


def call(row: Sample, library: Library, **options: Any) -> Callable[..., Array]:
    """Return the row's function of its first array, with these options."""
    arrays = {key: library.array(a) for key, a in row.moderate.items()}
    kept = {k: arrays.get(k, v) for k, v in row.options.items() if k != "return_lse"}
    others = [arrays.get(i, a) for i, a in enumerate(row.arrays)][1:]
    return lambda x: row.function(x, *others, **{**kept, **options})


def first(row: Sample, library: Library) -> Array:
    return library.array(row.moderate[0])


def value(library: Library, x: Array, *, rtol: float = 1e-13) -> Any:
    return pytest.approx(library.numpy(x), rel=rtol, abs=1e-15)


def test_every_loss_with_a_reduction_has_a_denominator() -> None:
    for name in LOSSES:
        for function in (getattr(losses, name), getattr(nn, nn.functions.class_name(name))):
            found = inspect.signature(function).parameters["denominator"]
            assert found.kind is KEYWORD
            assert found.default is None


@pytest.mark.parametrize("library, row", [*CASES, *FEW], ids=names)
def test_the_mean_over_a_denominator_is_the_sum_over_it(library: Library, row: Sample) -> None:
    if row.function is pl.ctc_loss:
        return  # whose mean divides each loss by a length first
    x, total = first(row, library), call(row, library, reduction="sum")
    want, slope = total(x), library.gradient(total, (0,))(x)[0]
    for d in (D, library.array(D)):
        mean = call(row, library, reduction="mean", denominator=d)
        assert library.numpy(mean(x)) == value(library, want / D)
        got = library.gradient(mean, (0,))(x)[0]
        np.testing.assert_allclose(
            library.numpy(got), library.numpy(slope) / D, rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_count_as_denominator_gives_the_mean(row: Sample) -> None:
    one = named("numpy")
    x = first(row, one)
    options: dict[str, Any] = {"where": None, "sample_weight": None, "weight": None}
    given = inspect.signature(row.function).parameters
    options |= {"class_weight": None, "ignore_index": -100, "class_mask": None}
    plain = {k: v for k, v in options.items() if k in given and given[k].kind is KEYWORD}
    if row.function in (pl.ranking_softmax_loss, pl.ordinal_cross_entropy, pl.ntxent_loss):
        return  # what they count is not the number of entries
    count = call(row, one, **plain, reduction="none")(x).size
    mean = call(row, one, **plain, reduction="mean")(x)
    got = call(row, one, **plain, reduction="mean", denominator=count)(x)
    assert got == pytest.approx(mean, rel=1e-14)


@pytest.mark.parametrize(
    "library, smoothing, z_loss",
    [
        *((one, 0.0, 0.0) for one in LIBRARIES if EVERY_ROW or one.module != "jax.numpy"),
        *((one, 0.125, 0.25) for one in (LIBRARIES if EVERY_ROW else QUICK)),
    ],
    ids=names,
)
def test_the_means_of_uneven_parts_add_up_to_the_mean_of_the_whole(
    library: Library, smoothing: float, z_loss: float
) -> None:
    options: dict[str, Any] = {"label_smoothing": smoothing, "z_loss": z_loss}
    z, labels = library.array(Z, "float64"), library.array(LABELS)
    xp = array_namespace(z)
    count = xp.sum(xp.astype(labels != -100, xp.int64))
    for half in (slice(0, 3), slice(0, 2)):  # of the second one no row counts
        rest = slice(half.stop, 4)
        parts = [
            pl.cross_entropy(z[part, :], labels[part], denominator=count, **options)
            for part in (half, rest)
        ]
        whole = pl.cross_entropy(z, labels, **options)
        assert library.numpy(parts[0] + parts[1]) == value(library, whole)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax", "dask"])
def test_a_half_is_divided_before_it_is_rounded(library: str) -> None:
    one = named(library)
    x = one.array(np.full(400, 200.0), "float16")  # whose sum does not fit
    made = pl.l1_loss(x, x - x, denominator=400)
    assert made.dtype == x.dtype
    assert one.numpy(made) == 200.0


@pytest.mark.parametrize("library", ["numpy", "torch", *(["jax"] if EVERY_ROW else [])])
def test_the_derivative_by_a_denominator_is_that_of_the_quotient(library: str) -> None:
    one = named(library)
    z, labels = one.array(Z, "float64"), one.array(LABELS)
    mean = lambda d: pl.cross_entropy(z, labels, denominator=d)  # noqa: E731
    (got,) = one.gradient(mean, (0,))(one.array(D))
    total = one.numpy(pl.cross_entropy(z, labels, reduction="sum"))
    assert one.numpy(got) == pytest.approx(-total / D**2)


def test_a_repeated_call_divides_by_what_it_is_given() -> None:
    """Plans (`_plans.py`): the number is another one at each call, or a bad one."""
    x = np.asarray([1.0, 2.0, 3.0])
    for function in (pl.mse_loss, pl.binary_sparsemax_loss):
        y = np.zeros(3)
        total = function(x, y, reduction="sum")
        for d in (3, 3, 4, 5.5, 6, 3):
            assert function(x, y, denominator=d) == pytest.approx(total / d)
        with pytest.raises(ValueError, match="`denominator` must be greater than 0, got 0"):
            function(x, y, denominator=0)
        with pytest.raises(ValueError, match="`denominator` must be a finite number"):
            function(x, y, denominator=float("inf"))


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_a_denominator_that_cannot_be_is_refused(library: Library) -> None:
    z, labels = library.array(Z, "float64"), library.array(LABELS)
    good = library.array(2.0)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"denominator": 0}, ValueError, "must be greater than 0, got 0"),
        ({"denominator": float("nan")}, ValueError, "must be greater than 0, got nan"),
        ({"denominator": "3"}, TypeError, "must be a Python number, got str"),
        ({"denominator": True}, TypeError, "must be a Python number, got bool"),
        ({"denominator": library.array([2.0])}, ValueError, r"an array of shape \(\)"),
        ({"denominator": good, "reduction": "sum"}, ValueError, "`reduction` must be 'mean' with"),
        ({"denominator": 2.0, "reduction": "none"}, ValueError, "`reduction` must be 'mean' with"),
    ]
    for options, error, message in cases:
        with pytest.raises(error, match=message):
            pl.cross_entropy(z, labels, **options)
    zero = library.array(0.0)
    if library.readable:
        with pytest.raises(ValueError, match="`denominator` must be greater than 0"):
            pl.cross_entropy(z, labels, denominator=zero)
    else:
        assert np.isnan(library.numpy(pl.cross_entropy(z, labels, denominator=zero)))


def test_an_array_of_another_library_is_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="all arrays must come from one library"):
        pl.cross_entropy(Z, LABELS, denominator=torch.tensor(2.0))


def test_derivatives_take_no_denominator() -> None:
    with pytest.raises(TypeError, match="takes no `denominator=`"):
        pl.derivatives(pl.mse_loss, Z, Z, denominator=3.0)
