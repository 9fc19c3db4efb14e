"""What holds for the losses: targets, weights, masks and denominators, on every library."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, LIBRARIES, SLOW, Library

Z = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-50.0, 40.0, 3.0], [30.0, -10.0, 29.5]])
INDEX = np.asarray([0, 2, 1, 0])
ONE_HOT = np.eye(3)[INDEX]
OF_CLASS = np.asarray([1.0, 0.5, 2.0])
OF_ROW = np.asarray([1.0, 0.25, 2.0, 0.0])
X = np.asarray([0.5, 0.25, 0.875, 0.125])
Y = np.asarray([1.0, 0.0, 0.5, 1.0])

ROWWISE = (pl.cross_entropy, pl.nll_loss)
POINTWISE = (
    pl.binary_cross_entropy,
    pl.binary_cross_entropy_with_logits,
    pl.mse_loss,
    pl.l1_loss,
    pl.smooth_l1_loss,
    pl.huber_loss,
)


def over(*losses: Callable[..., Array]) -> Any:
    """Parametrise by library and loss."""
    calls = [(one, f) for one in LIBRARIES for f in losses if EVERY_ROW or one.module not in SLOW]
    names = [f"{one}-{f.__name__}" for one, f in calls]
    return pytest.mark.parametrize("library, loss", calls, ids=names, indirect=["library"])


def given(loss: Callable[..., Array]) -> tuple[Any, Any]:
    """Arguments of a loss."""
    return (Z, INDEX) if loss in ROWWISE else (X, Y)


class Call:
    """A loss of NumPy arrays, evaluated on a library: its value and its gradient."""

    def __init__(self, library: Library, loss: Callable[..., Array], **options: Any) -> None:
        self.library, self.loss = library, loss
        self.options = {
            k: library.array(v, "float64") if isinstance(v, np.ndarray) else v
            for k, v in options.items()
        }

    def value(self, x: Any, y: Any, **more: Any) -> Any:
        x, y = self.library.array(x, "float64"), self.library.array(y, "float64")
        call = self.library.quickly(lambda x: self.loss(x, y, **self.options, **more))
        return self.library.numpy(call(x))

    def gradient(self, x: Any, y: Any) -> Any:
        target = self.library.array(y, "float64")
        x = self.library.array(x, "float64")
        f = self.library.gradient(lambda x: self.loss(x, target, **self.options), (0,))
        return self.library.numpy(self.library.quickly(f)(x)[0])


def assert_same(got: Any, want: Any, *, rtol: float = 1e-14) -> None:
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-300)


# ---- targets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ROWWISE)
@pytest.mark.parametrize("target", [ONE_HOT, ONE_HOT.astype(np.int64), ONE_HOT == 1], ids=repr)
def test_an_index_is_a_one_hot_row(library: Library, loss: Any, target: Any) -> None:
    call = Call(library, loss, reduction="sum", weight=OF_CLASS)
    assert_same(call.value(Z, target), call.value(Z, INDEX))
    assert_same(call.gradient(Z, target), call.gradient(Z, INDEX))


def test_smoothing_the_labels_beforehand_is_label_smoothing(library: Library) -> None:
    target = library.numpy(pl.smooth_labels(library.array(ONE_HOT, "float64"), alpha=0.25))
    smoothed = Call(library, pl.cross_entropy, label_smoothing=0.25)
    assert_same(Call(library, pl.cross_entropy).value(Z, target), smoothed.value(Z, INDEX))


def test_cross_entropy_is_nll_of_log_softmax(library: Library) -> None:
    log_p = library.numpy(pl.log_softmax(library.array(Z, "float64")))
    both = (
        Call(library, pl.nll_loss, weight=OF_CLASS),
        Call(library, pl.cross_entropy, weight=OF_CLASS),
    )
    assert_same(both[0].value(log_p, INDEX), both[1].value(Z, INDEX))


# ---- weights and denominators ----------------------------------------------------------------


@over(*ROWWISE, *POINTWISE)
def test_sample_weights_multiply_and_the_mean_divides_by_their_sum(
    library: Library, loss: Any
) -> None:
    x, y = given(loss)
    plain = Call(library, loss, reduction="none").value(x, y)
    weighted = Call(library, loss, sample_weight=OF_ROW)
    assert_same(
        Call(library, loss, sample_weight=OF_ROW, reduction="none").value(x, y), OF_ROW * plain
    )
    assert_same(weighted.value(x, y), (OF_ROW * plain).sum() / OF_ROW.sum())


@over(*ROWWISE, *POINTWISE)
def test_the_mean_is_the_sum_over_the_number(library: Library, loss: Any) -> None:
    x, y = given(loss)
    none = Call(library, loss, reduction="none").value(x, y)
    total = Call(library, loss, reduction="sum").value(x, y)
    assert none.shape == (4,)
    assert_same(total, none.sum())
    assert_same(Call(library, loss).value(x, y), total / 4)


@pytest.mark.parametrize("loss", ROWWISE)
def test_class_weights_divide_by_their_sum_for_indices_and_by_rows_for_shares(
    library: Library, loss: Any
) -> None:
    plain = Call(library, loss, reduction="none").value(Z, INDEX)
    weighted = (OF_CLASS[INDEX] * plain).sum()
    call = Call(library, loss, weight=OF_CLASS)
    assert_same(call.value(Z, INDEX), weighted / OF_CLASS[INDEX].sum())
    assert_same(call.value(Z, ONE_HOT), weighted / 4)


@pytest.mark.parametrize("loss", POINTWISE[:2])
def test_element_weights_divide_by_the_number_of_elements(library: Library, loss: Any) -> None:
    plain = Call(library, loss, reduction="none").value(X, Y)
    assert_same(Call(library, loss, weight=OF_ROW).value(X, Y), (OF_ROW * plain).sum() / 4)


def test_rows_left_out_are_not_counted(library: Library) -> None:
    target, keep = np.asarray([0, -100, 1, 0]), np.asarray([True, False, True, True])
    few = Call(library, pl.cross_entropy, weight=OF_CLASS).value(Z[keep], INDEX[keep])
    assert_same(Call(library, pl.cross_entropy, weight=OF_CLASS).value(Z, target), few)
    assert_same(Call(library, pl.cross_entropy, weight=OF_CLASS, where=keep).value(Z, INDEX), few)


# ---- symmetries ------------------------------------------------------------------------------


@over(*ROWWISE, *POINTWISE)
def test_the_order_of_rows_does_not_matter(library: Library, loss: Any) -> None:
    x, y = given(loss)
    order = np.asarray([2, 0, 3, 1])
    call = Call(library, loss)
    assert_same(call.value(x[order], y[order]), call.value(x, y))
    assert_same(call.gradient(x[order], y[order]), call.gradient(x, y)[order], rtol=1e-13)


def test_the_order_of_classes_does_not_matter(library: Library) -> None:
    order = np.asarray([2, 0, 1])
    there = np.argsort(order)
    plain = Call(library, pl.cross_entropy, weight=OF_CLASS, z_loss=0.25)
    moved = Call(library, pl.cross_entropy, weight=OF_CLASS[order], z_loss=0.25)
    assert_same(moved.value(Z[:, order], there[INDEX]), plain.value(Z, INDEX))
    assert_same(
        moved.gradient(Z[:, order], there[INDEX]), plain.gradient(Z, INDEX)[:, order], rtol=1e-13
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_the_class_axis_may_be_anywhere(library: Library, axis: int) -> None:
    z = np.cos(np.arange(24.0)).reshape(4, 2, 3)
    target = np.asarray([[0, 2], [1, 1], [2, 0], [0, 0]])
    rows = Call(library, pl.cross_entropy, weight=OF_CLASS, reduction="none")
    there = Call(library, pl.cross_entropy, weight=OF_CLASS, reduction="none", axis=axis)
    assert_same(there.value(np.moveaxis(z, -1, axis), target), rows.value(z, target))


@pytest.mark.parametrize("shift", [1024.0, -4096.0])
def test_a_shift_of_all_logits_changes_nothing(library: Library, shift: float) -> None:
    z = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.25, -3.0], [1.0, 1.0, 1.0]])  # sums are exact
    x, shifted = library.array(z, "float64"), library.array(z + shift, "float64")
    for f in (pl.softmax, pl.log_softmax, pl.softmin):
        assert_same(library.numpy(f(shifted)), library.numpy(f(x)))
    lse = library.numpy(pl.logsumexp(x, axis=-1))
    assert_same(library.numpy(pl.logsumexp(shifted, axis=-1)), lse + shift)
    call = Call(library, pl.cross_entropy, weight=OF_CLASS)
    assert_same(call.value(z + shift, INDEX[:3]), call.value(z, INDEX[:3]))
    assert_same(call.gradient(z + shift, INDEX[:3]), call.gradient(z, INDEX[:3]))


# ---- nothing to average ----------------------------------------------------------------------

NOTHING: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "all ignored": (Z, np.full(4, -100), {}),
    "no rows": (np.zeros((0, 3)), np.zeros(0, dtype=np.int64), {}),
    "no rows, shares": (np.zeros((0, 3)), np.zeros((0, 3)), {}),
    "sample weights of 0": (Z, INDEX, {"sample_weight": np.zeros(4)}),
    "class weights of 0": (Z, INDEX, {"weight": np.zeros(3)}),
    "all rows masked": (Z, INDEX, {"where": np.zeros(4, bool)}),
    "all ignored, every option": (
        Z,
        np.full(4, -100),
        {"weight": OF_CLASS, "label_smoothing": 0.1, "z_loss": 0.5, "sample_weight": OF_ROW},
    ),
}


@pytest.mark.parametrize("case", NOTHING)
def test_the_mean_over_nothing_is_zero_with_zero_gradient(library: Library, case: str) -> None:
    z, target, options = NOTHING[case]
    call = Call(library, pl.cross_entropy, **options)
    assert call.value(z, target) == 0
    np.testing.assert_array_equal(call.gradient(z, target), np.zeros(z.shape))


@pytest.mark.parametrize("size", [0, 4])
@over(*POINTWISE)
def test_the_mean_of_no_elements_is_zero_with_zero_gradient(
    library: Library, loss: Any, size: int
) -> None:
    call = Call(library, loss, sample_weight=np.zeros(size))
    assert call.value(X[:size], Y[:size]) == 0
    np.testing.assert_array_equal(call.gradient(X[:size], Y[:size]), np.zeros(size))
    assert Call(library, loss, reduction="none").value(X[:0], Y[:0]).shape == (0,)


# ---- what is masked, ignored or weighted by 0 -------------------------------------------------

BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("how", ["ignore_index", "where"])
def test_a_row_left_out_adds_nothing_whatever_it_holds(
    library: Library, how: str, bad: float
) -> None:
    keep = np.asarray([True, False, True, True])
    spoiled = np.where(keep[:, None], Z, bad)
    options: dict[str, Any] = {"weight": OF_CLASS, "label_smoothing": 0.25, "z_loss": 0.5}
    target = INDEX if how == "where" else np.where(keep, INDEX, -100)
    call = Call(library, pl.cross_entropy, **options, **({"where": keep} if how == "where" else {}))
    few = Call(library, pl.cross_entropy, **options)
    assert_same(call.value(spoiled, target), few.value(Z[keep], INDEX[keep]))
    gradient = call.gradient(spoiled, target)
    np.testing.assert_array_equal(gradient[1], np.zeros(3))
    assert_same(gradient[keep], few.gradient(Z[keep], INDEX[keep]))


@pytest.mark.parametrize("bad", BAD)
def test_a_class_that_is_masked_adds_nothing_whatever_it_holds(
    library: Library, bad: float
) -> None:
    exists = np.asarray([True, False, True])
    spoiled, target = np.where(exists, Z, bad), np.asarray([0, 2, 2, 0])
    options: dict[str, Any] = {"label_smoothing": 0.25, "z_loss": 0.5, "softcap": 30.0}
    call = Call(library, pl.cross_entropy, where=exists[None, :], weight=OF_CLASS, **options)
    few = Call(library, pl.cross_entropy, weight=OF_CLASS[exists], **options)
    assert_same(call.value(spoiled, target), few.value(Z[:, exists], target // 2))
    gradient = call.gradient(spoiled, target)
    np.testing.assert_array_equal(gradient[:, 1], np.zeros(4))
    assert_same(gradient[:, exists], few.gradient(Z[:, exists], target // 2))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("f", [pl.softmax, pl.log_softmax, pl.logsumexp])
def test_an_entry_that_is_masked_adds_nothing_whatever_it_holds(
    library: Library, f: Any, bad: float
) -> None:
    exists = np.asarray([[True, False, True]] * 4)
    mask, few = library.array(exists), library.array(Z[:, [0, 2]], "float64")
    x = library.array(np.where(exists, Z, bad), "float64")
    got, want = library.numpy(f(x, axis=-1, where=mask)), library.numpy(f(few, axis=-1))
    assert_same(got if got.ndim == 1 else got[:, [0, 2]], want)

    def first_of_each(x: Array) -> Array:
        out = f(x, axis=-1, where=mask)
        return array_namespace(out).sum(out if out.ndim == 1 else out[:, 0])

    gradient = library.numpy(library.gradient(first_of_each, (0,))(x)[0])
    np.testing.assert_array_equal(gradient[:, 1], np.zeros(4))
    assert np.all(np.isfinite(gradient))


@over(*ROWWISE, *POINTWISE)
def test_an_infinite_loss_of_weight_zero_adds_nothing(library: Library, loss: Any) -> None:
    x, y = given(loss)
    spoiled = np.asarray(x, copy=True)
    spoiled[3] = [-np.inf, 0, 0] if loss in ROWWISE else 0.0 if loss is POINTWISE[0] else np.inf
    call = Call(library, loss, sample_weight=OF_ROW)
    assert_same(call.value(spoiled, y), call.value(x, y))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_times_infinity_is_zero(library: Library, zero: float) -> None:
    masked, shares = np.asarray([[-np.inf, 0.0, 1.0]]), np.asarray([[zero, 0.5, 0.5]])
    few = Call(library, pl.cross_entropy)
    for options in ({}, {"weight": OF_CLASS}):
        call = Call(library, pl.cross_entropy, **options)
        part = {"weight": OF_CLASS[1:]} if options else {}
        few = Call(library, pl.cross_entropy, **part)
        assert_same(call.value(masked, shares), few.value(masked[:, 1:], shares[:, 1:]))
        gradient = call.gradient(masked, shares)
        assert_same(gradient[:, 1:], few.gradient(masked[:, 1:], shares[:, 1:]))
        assert gradient[0, 0] == 0
    assert_same(
        Call(library, pl.nll_loss).value(np.asarray([[-np.inf, -1.0]]), np.asarray([[zero, 1.0]])),
        1,
    )
