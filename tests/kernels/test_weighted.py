"""Weights and masks of a loss of one element: computed in its pass, with all derivatives."""

from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses.autograd import grad
from tests.curves import Pointwise
from tests.kernels.entries import targets
from tests.libraries import EVERY_ROW
from tests.rows import POINTWISE

pytest.importorskip("llvmlite")
left_out: Any = import_module("portable_losses.losses._left_out")
machine: Any = import_module("portable_losses.backends.kernels.formulas.machine_code")

SIZE = 3000
# The divergences are of rows, too.
LOSSES = [row for row in POINTWISE if "axis" not in signature(row.function).parameters]
SOME = (pl.mse_loss, pl.binary_cross_entropy)
OPTIONS: dict[str, dict[str, Any]] = {
    "weight": {"sample_weight": targets(SIZE)},  # zeros among them
    "mask": {"where": targets(SIZE) > 0.25},
    "both": {"sample_weight": targets(SIZE), "where": targets(SIZE) > 0.25},
    "one weight": {"sample_weight": np.asarray([0.5], np.float32)},
}
# All options of some losses, and of each function the one with most.
CASES = [
    pytest.param(row, given, id=f"{row}-{name}")
    for row in LOSSES
    for name, given in OPTIONS.items()
    if EVERY_ROW or (row.function in SOME if name != "both" else not row.note)
]
DRAWN = {
    "share": lambda rng: rng.uniform(0.01, 0.99, SIZE),
    "sign": lambda rng: rng.choice([-1.0, 1.0], SIZE),
    "bit": lambda rng: rng.choice([0.0, 1.0], SIZE),
    "count": lambda rng: rng.integers(0, 9, SIZE),
    "positive": lambda rng: rng.uniform(0.1, 3, SIZE),
    "nonnegative": lambda rng: rng.uniform(0.1, 3, SIZE),
}


def drawn(domain: str, seed: int) -> Any:
    """Entries of a domain."""
    rng = np.random.default_rng(seed)
    found: Any = DRAWN.get(domain, lambda rng: rng.standard_normal(SIZE))(rng)
    return found.astype(np.float32)


@pytest.fixture
def in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """What prepares the arrays in passes of its own refuses."""
    if machine.compiler() is None:
        pytest.skip("nothing is compiled here")

    def refuse(*_: Any, **__: Any) -> Any:
        msg = "a pass of its own"
        raise AssertionError(msg)

    monkeypatch.setattr(left_out, "_changed", refuse)


@pytest.mark.parametrize(("row", "given"), CASES)
@pytest.mark.usefixtures("in_one_pass")
def test_a_weighted_loss_is_the_sum_of_its_weighted_entries(
    row: Pointwise, given: dict[str, Any]
) -> None:
    x, y = drawn(row.inputs, 0), drawn(row.targets, 1)
    weight = np.broadcast_to(given.get("sample_weight", np.ones(1)), x.shape).astype(np.float64)
    weight = np.where(given.get("where", True), weight, 0.0)

    def loss(z: Any, **options: Any) -> Any:
        return row.function(z, y, **{**row.options, "reduction": "mean", **options})

    entries = np.asarray(loss(x, reduction="none"), np.float64)
    found = loss(x, **given)
    want = (weight * entries).sum() / weight.sum()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5 * np.abs(entries).mean())
    slopes = np.asarray(grad(lambda z: loss(z, reduction="sum"))(x), np.float64)
    slope = grad(lambda z: loss(z, **given))(x)
    want = weight * slopes / weight.sum()
    np.testing.assert_allclose(slope, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())


def test_what_weighs_nothing_may_hold_anything() -> None:
    x, y = drawn("real", 0), drawn("bit", 1)
    weight = np.where(np.arange(SIZE) % 3 == 0, 0.0, 1.0).astype(np.float32)
    want = grad(lambda z: pl.binary_cross_entropy_with_logits(z, y, sample_weight=weight))(x)
    for bad in (np.nan, np.inf, -np.inf):
        z, t = np.where(weight == 0, bad, x).astype(np.float32), np.where(weight == 0, bad, y)
        found = grad(
            lambda z, t=t: pl.binary_cross_entropy_with_logits(
                z, t.astype(np.float32), sample_weight=weight
            )
        )(z)
        np.testing.assert_array_equal(found, np.where(weight == 0, 0, want))


@pytest.mark.parametrize("name", ["sample_weight", "weight"])
def test_a_loss_has_its_slope_in_the_weight(name: str) -> None:
    x, y = drawn("real", 0)[:50], drawn("bit", 1)[:50]
    weight = np.abs(drawn("real", 2)[:50]).astype(np.float64)

    def loss(w: Any) -> Any:
        return pl.binary_cross_entropy_with_logits(x.astype(np.float64), y, **{name: w})

    entries = pl.binary_cross_entropy_with_logits(x.astype(np.float64), y, reduction="none")
    want = entries / entries.size
    if name == "sample_weight":
        want = (entries - loss(weight)) / weight.sum()
    np.testing.assert_allclose(grad(loss)(weight), want, rtol=1e-12, atol=1e-15)
