"""Class indices whose shape fits two axes: the caller says which one holds the classes."""

from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.libraries import EVERYWHERE, Library

LOSSES = [
    pl.cross_entropy,
    pl.generalized_cross_entropy,
    pl.multi_margin_loss,
    pl.multiclass_hinge_loss,
    pl.multiclass_perceptron_loss,
    pl.nll_loss,
    pl.poly_loss,
    pl.softmax_focal_loss,
    pl.sparsemax_loss,
]
AMBIGUOUS = [(2, 5, 5, 5), (2, 3, 3)]
CLEAR = [(2, 5, 5, 4), (2, 4, 5, 5), (2, 4, 3), (3, 3), (3,)]


def given(shape: tuple[int, ...]) -> tuple[Any, Any]:
    x = np.log(np.random.default_rng(3).uniform(0.1, 0.9, shape))
    return x, np.zeros(shape[:-1], np.int64)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", AMBIGUOUS, ids=str)
def test_an_axis_that_the_shapes_leave_open_has_to_be_given(loss: Any, shape: Any) -> None:
    x, y = given(shape)
    with pytest.raises(ValueError, match=r"`axis` must be given .* axis=-1, or axis=1 as in PyTo"):
        loss(x, y)
    moved = np.moveaxis(x, 1, -1)
    np.testing.assert_allclose(loss(x, y, axis=1), loss(moved, y, axis=-1), rtol=1e-13)
    assert loss(x, y, axis=-1) != loss(x, y, axis=1)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", CLEAR, ids=str)
def test_elsewhere_it_is_the_last(loss: Any, shape: Any) -> None:
    x, y = given(shape)
    assert loss(x, y) == loss(x, y, axis=-1)


@pytest.mark.parametrize("library", EVERYWHERE, ids=str)
def test_probabilities_say_nothing_about_the_axis(library: Library) -> None:
    x = given((2, 3, 3))[0]
    shares = np.full((2, 3, 3), 1 / 3)
    got = pl.cross_entropy(library.array(x), library.array(shares))
    want = pl.cross_entropy(x, shares, axis=-1)
    np.testing.assert_allclose(library.numpy(got), want, rtol=1e-13)
