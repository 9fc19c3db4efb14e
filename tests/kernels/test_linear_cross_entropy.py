"""The kernels of a linear layer's cross entropy against the portable pair."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.kernels.linear_layer import (
    BIAS,
    HIDDEN,
    IGNORED,
    INDEX,
    OF_ROW,
    OPTIONS,
    WEIGHT,
    arguments,
    assert_near,
    both,
    error_of_rows,
    gradients,
    scalar,
    value_and_grads,
)
from tests.libraries import EVERY_ROW, named

REDUCED = [("mean", False), ("mean", True), ("sum", False), ("none", True)]
CASES = [*product(OPTIONS, REDUCED, ["float32", "float64"])]


@both
@pytest.mark.parametrize(
    ("options", "reduced", "dtype"), CASES if EVERY_ROW else CASES[::5], ids=str
)
@pytest.mark.usefixtures("small")
def test_value_and_gradients_are_those_of_the_pair(
    name: str,
    options: str,
    reduced: tuple[str, bool],
    dtype: str,
    portable: Any,
    sweeps: list[Any],
) -> None:
    reduction, ignored = reduced
    library, given = named(name), {**OPTIONS[options], "reduction": reduction}
    target, arrays = IGNORED if ignored else INDEX, arguments(given)
    f = scalar(library, target, dtype, **given)
    got = value_and_grads(library, f, arrays, dtype)
    assert sweeps
    sharp = scalar(library, target, "float64", **given)
    exact = portable(value_and_grads, library, sharp, arrays, "float64")
    assert_near(got, exact, arrays, dtype)


# One row, one class, one of each; a row more and less than two blocks; one feature.
SHAPES = [(1, 3, 5), (5, 3, 1), (1, 1, 1), (3, 2, 4), (5, 1, 8), (4, 7, 3), (6, 5, 33)]


@both
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("small")
def test_any_shape_is_that_of_the_pair(name: str, shape: Any, portable: Any) -> None:
    rows, width, classes = shape
    library, rng = named(name), np.random.default_rng(sum(shape))
    arrays = [rng.normal(size=s) for s in ((rows, width), (classes, width), classes)]
    f = scalar(library, np.arange(rows) % classes, "float64")
    got = value_and_grads(library, f, arrays, "float64")
    want = portable(value_and_grads, library, f, arrays, "float64")
    assert_near(got, want, [HIDDEN, WEIGHT], "float64")


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [999, 1024])
def test_blocks_of_their_own_size_are_right_as_well(
    name: str, dtype: str, classes: int, portable: Any
) -> None:
    library, rng = named(name), np.random.default_rng(7)
    arrays = [rng.normal(size=(1301, 16)), rng.normal(size=(classes, 16)), rng.normal(size=classes)]
    target: Array = np.arange(1301) * 7 % classes
    got = value_and_grads(library, scalar(library, target, dtype), arrays, dtype)
    exact = portable(
        value_and_grads, library, scalar(library, target, "float64"), arrays, "float64"
    )
    hidden, weight, bias = arrays
    # what rounding does to p - y, and so to the sums of that times a weight or a hidden row
    off = error_of_rows(hidden, weight, bias, dtype)
    p = pl.softmax(hidden @ weight.T + bias)
    slope = np.abs(p - np.eye(classes)[target]) * off[:, None] / 1301
    bounds = (
        (off + off * exact[0]).mean(),
        slope @ np.abs(weight),
        slope.T @ np.abs(hidden),
        slope.sum(0),
    )
    for one, right, bound in zip(got, exact, bounds, strict=True):
        assert (one.shape, one.dtype) == (right.shape, dtype)
        assert np.all(np.abs(one - right) <= bound)


# ---- infinities and NaN --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("case", ["a class of probability 0", "such a target", "NaN", "inf"])
@pytest.mark.parametrize("options", ["plain", "z_loss", "softcap"])
@pytest.mark.usefixtures("small")
def test_infinities_and_nan_are_those_of_the_pair(
    name: str, case: str, options: str, portable: Any
) -> None:
    library, hidden, bias = named(name), HIDDEN.copy(), BIAS.copy()
    if case in ("NaN", "inf"):
        hidden[4, 1] = float(case)
    else:
        bias[INDEX[2] if case == "such a target" else 6] = -np.inf
    target = INDEX if case != "a class of probability 0" else np.where(INDEX == 6, 0, INDEX)
    f = scalar(library, target, "float64", **OPTIONS[options])
    with np.errstate(all="ignore"):
        got = value_and_grads(library, f, [hidden, WEIGHT, bias], "float64")
        want = portable(value_and_grads, library, f, [hidden, WEIGHT, bias], "float64")
    for one, right in zip(got, want, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-12, atol=1e-13)


# ---- layouts and dtypes --------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["F", "reversed", "every second", "read-only", "one row"])
@pytest.mark.usefixtures("small")
def test_the_layout_does_not_matter_and_nothing_is_written_to(order: str) -> None:
    ways: dict[str, Callable[[Array], Array]] = {
        "F": np.asfortranarray,
        "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
        "every second": lambda x: np.repeat(np.repeat(x, 2, 0), 2, 1)[::2, ::2],
        "read-only": lambda x: x.copy(),
        "one row": lambda x: np.broadcast_to(x[:1], x.shape),
    }
    laid = [ways[order](HIDDEN), ways[order](WEIGHT), BIAS.copy()]
    before = [x.copy() for x in laid]
    for x in laid:
        x.flags.writeable = False

    def f(hidden: Array, weight: Array, bias: Array) -> Array:
        return pl.linear_cross_entropy(hidden, weight, INDEX, bias=bias, sample_weight=OF_ROW)

    got = autograd.grad(f, argnums=(0, 1, 2))(*laid)
    want = autograd.grad(f, argnums=(0, 1, 2))(*(np.ascontiguousarray(x) for x in before))
    for one, right in zip(got, want, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-13, atol=1e-14)
    for x, was in zip(laid, before, strict=True):
        np.testing.assert_array_equal(x, was)


@both
@pytest.mark.parametrize("dtypes", [("float16", "float16"), ("float32", "float64")], ids=str)
def test_other_dtypes_are_those_of_the_pair(name: str, dtypes: Any, portable: Any) -> None:
    library, y = named(name), named(name).array(INDEX)
    of_hidden, of_weight = dtypes
    given = [library.array(HIDDEN, of_hidden), library.array(WEIGHT, of_weight)]

    def f(hidden: Array, weight: Array) -> Array:
        return pl.linear_cross_entropy(hidden, weight, y)

    run = lambda: (f(*given), *gradients(library, f, given, (0, 1)))  # noqa: E731
    for one, right in zip(run(), portable(run), strict=True):
        assert one.dtype == right.dtype
        rtol = 2e-3 if of_hidden == "float16" else 1e-5
        np.testing.assert_allclose(library.numpy(one), library.numpy(right), rtol, 1e-6)
