"""`derivatives` looks at values in its own pass, and says what is wrong as the loss does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import portable_losses as pl
from portable_losses._typing import Array

LIBRARIES: dict[str, Callable[[Array], Any]] = {"numpy": lambda x: x, "torch": torch.from_numpy}
CASES: list[tuple[Any, list[float], float, str]] = [  # and a target that is refused
    (pl.poisson_nll_loss, [0.0, 1.0, 3.0], -1.0, "must be at least 0"),
    (pl.gamma_deviance_loss, [0.5, 1.0, 3.0], 0.0, "must be greater than 0"),
    (pl.hinge_loss, [-1.0, 1.0, 1.0], 0.0, "must be -1 or 1"),
]


@pytest.fixture(params=["numpy", "torch"], name="made")
def made_(request: pytest.FixtureRequest) -> Callable[[Array], Any]:
    """Make arrays of a library."""
    return LIBRARIES[request.param]


def _samples(values: list[float], count: int, dtype: str) -> tuple[Array, Array]:
    x = np.linspace(-2.0, 2.0, count).astype(dtype)
    return x, np.resize(np.asarray(values, dtype), count)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 18, 70_001])
@pytest.mark.parametrize(("loss", "values", "bad", "what"), CASES)
def test_the_place_of_a_bad_target_is_named(
    loss: Any,
    values: list[float],
    bad: float,
    what: str,
    count: int,
    dtype: str,
    made: Callable[[Array], Any],
) -> None:
    x, y = _samples(values, count, dtype)
    good = pl.derivatives(loss, made(x), made(y), order=2)
    y[-1] = bad
    for _ in range(2):  # the second call finds what the first one has noted
        with pytest.raises(ValueError, match=rf"`target` {what}.*, got {bad} .*\({count - 1},\)"):
            pl.derivatives(loss, made(x), made(y), order=2)
    weight: Array = np.ones(count, dtype)
    weight[-1] = 0.0
    for options in ({"sample_weight": made(weight)}, {"where": made(weight != 0)}):
        left: Any = pl.derivatives(loss, made(x), made(y), order=2, **options)
        assert all(float(one[-1]) == 0 for one in left)
    with pl.validation(False):
        marked = pl.derivatives(loss, made(x), made(y), order=2)
    for found, one, want in zip(marked, left, good, strict=True):
        assert np.isnan(float(found[-1]))
        assert np.array_equal(np.asarray(found)[:-1], np.asarray(want)[:-1])
        assert np.array_equal(np.asarray(one)[:-1], np.asarray(want)[:-1])


@pytest.mark.parametrize(
    "laid",
    [
        lambda x: np.asfortranarray(x.reshape(20, 50)),
        lambda x: np.repeat(x, 2)[::2].reshape(20, 50),
        lambda x: np.stack([x, x])[1].reshape(20, 50)[:, ::-1].copy()[:, ::-1],
    ],
    ids=["columns", "gaps", "backwards"],
)
def test_any_order_in_memory_is_looked_at(
    laid: Callable[[Array], Array], made: Callable[[Array], Any]
) -> None:
    if made is LIBRARIES["torch"] and laid(np.arange(1000.0)).strides[1] < 0:
        laid = np.ascontiguousarray  # PyTorch has none of these
    x, y = _samples([0.0, 1.0, 3.0], 1000, "float64")
    want = pl.derivatives(pl.poisson_nll_loss, x, y)
    found = pl.derivatives(pl.poisson_nll_loss, made(laid(x)), made(laid(y)))
    for one, other in zip(found, want, strict=True):
        assert np.array_equal(np.asarray(one).reshape(-1), other)
    y[-1] = -1.0
    with pytest.raises(ValueError, match=r"got -1.0 at position"):
        pl.derivatives(pl.poisson_nll_loss, made(laid(x)), made(laid(y)))
    with pytest.raises(ValueError, match=r"got -1.0 at position"):  # one prediction for all
        pl.derivatives(pl.poisson_nll_loss, made(x[:1]), made(y))


def test_nan_is_let_through_and_out_is_not_written_to(made: Callable[[Array], Any]) -> None:
    x, y = _samples([0.0, 1.0, np.nan], 70_001, "float64")
    value, gradient = pl.derivatives(pl.poisson_nll_loss, made(x), made(y))
    assert np.array_equal(np.isnan(np.asarray(value)), np.isnan(y))
    assert np.array_equal(np.isnan(np.asarray(gradient)), np.isnan(y))
    if made is LIBRARIES["numpy"]:
        y[-1] = -1.0
        into = [np.zeros_like(x), np.zeros_like(x)]
        with pytest.raises(ValueError, match="must be at least 0"):
            pl.derivatives(pl.poisson_nll_loss, x, y, out=into)
        assert not np.any(into)


def test_a_bad_input_is_named_too(made: Callable[[Array], Any]) -> None:
    p, y = np.full(33, 0.5), np.ones(33)
    p[7] = 1.5
    for _ in range(2):
        with pytest.raises(ValueError, match=r"`probs` must lie in \[0, 1\].*got 1.5 .*\(7,\)"):
            pl.derivatives(pl.binary_cross_entropy, made(p), made(y))
    with pytest.raises(ValueError, match=r"`target` must lie in \[0, 1\].*got 3.0 .*\(7,\)"):
        pl.derivatives(pl.binary_cross_entropy, made(np.full(33, 0.5)), made(y + 2 * (p > 1)))


def test_weights_of_0_beside_soft_labels_leave_out(made: Callable[[Array], Any]) -> None:
    z, y, w = np.asarray([0.5, np.inf, -3.0]), np.asarray([0.25, 0.0, 1.0]), np.asarray([2.0, 0, 1])
    loss, options = pl.binary_cross_entropy_with_logits, {"label_smoothing": 0.1}
    want: Any = pl.derivatives(loss, z[::2], y[::2], order=2, sample_weight=w[::2], **options)
    mask = np.asarray([True, False, True])
    for more in ({}, {"where": made(mask)}, {"pos_weight": made(np.ones(3))}):
        found: Any = pl.derivatives(
            loss, made(z), made(y), order=2, weight=made(w), **options, **more
        )
        for one, other in zip(found, want, strict=True):
            np.testing.assert_allclose(np.asarray(one), [other[0], 0.0, other[1]], rtol=1e-14)


def test_a_number_may_come_as_an_array(made: Callable[[Array], Any]) -> None:
    x, y = _samples([0.0, 1.0, 3.0], 18, "float64")
    alpha = made(np.asarray(0.5))
    found = pl.derivatives(pl.general_robust_loss, made(x), made(y), alpha=alpha, order=2)
    want = pl.derivatives(pl.general_robust_loss, x, y, alpha=0.5, order=2)
    for one, other in zip(found, want, strict=True):
        assert np.array_equal(np.asarray(one), other)
