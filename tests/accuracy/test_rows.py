"""How far functions of a row are from the truth: softmax, its relatives, and cross entropy.

The bar: 8 ulp.
"""

from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from portable_losses.autograd import vjp
from tests.accuracy import references
from tests.accuracy.test_elements import DTYPES, gradients
from tests.accuracy.ulp import strict_error, truth
from tests.libraries import EVERY_ROW

RANDOM = np.random.default_rng(11)
ROWS: dict[str, list[float]] = {
    "one entry": [3.0],
    "spread of 1e4": [1e4, 0.0, -1e4, 9999.0, 9990.5],
    "masked": [-np.inf, 2.0, 1.0, -np.inf, 0.5],
    "all but one masked": [-np.inf, -4.0, -np.inf],
    "all equal": [1.5] * 7,
    "all equal and huge": [1e30] * 1000,
    "near ties": [1.0, 1.0000001, 0.9999999, 1.0000002, -3.0],
    "confident": [20.0, 0.0],
    "very confident": [80.0, 0.0, -2.0],
    "wrong": [0.0, 20.0],
    "tails": [0.0, -5.3, -17.1, -40.7, -80.3, -86.9],
    "tiny": [1e-30, -1e-30, 3e-38, 0.0],
    "sum next to one": [-0.6931472, -0.6931471],
    "normal": [*RANDOM.normal(0, 3, 50)],
    "wide": [*RANDOM.normal(0, 30, 200)],
}


def assert_row_accurate(got: Array, exact: list[Any]) -> None:
    """Hold every entry to 8 ulp."""
    got = np.atleast_1d(got)
    values = iter(exact)
    reference = truth(lambda _: next(values), (np.zeros_like(got),))
    errors = strict_error(got, reference)
    bad = np.flatnonzero((errors > 8) & (got != reference.high))
    assert not bad.size, [(int(i), float(got[i]), float(errors[i])) for i in bad[:5]]


def row(name: str, dtype: Any) -> tuple[Array, list[Any]]:
    """A row, and its entries as exact numbers."""
    x = np.asarray(ROWS[name]).astype(dtype)
    return x, [mpmath.mpf(float(v)) for v in x]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_softmax_and_its_relatives_hold_the_bar_of_rows(name: str, dtype: Any) -> None:
    x, exact = row(name, dtype)
    with mpmath.workdps(60):
        assert_row_accurate(pl.softmax(x), references.softmax(exact))
        assert_row_accurate(pl.log_softmax(x), references.log_softmax(exact))
        assert_row_accurate(pl.logsumexp(x), [references.logsumexp_terms(exact)])
        assert_row_accurate(pl.softmin(-x), references.softmax(exact))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_the_gradients_of_softmax_and_its_relatives_hold_the_bar_of_rows(
    name: str, dtype: Any
) -> None:
    x, exact = row(name, dtype)
    cotangent = np.cos(np.arange(x.size)).astype(dtype)
    weights = [mpmath.mpf(float(v)) for v in cotangent]
    with mpmath.workdps(60):
        for function, pullback in (
            (pl.softmax, references.softmax_pullback(exact, weights)),
            (pl.log_softmax, references.log_softmax_pullback(exact, weights)),
        ):
            (grad,) = vjp(function, x)[1](cotangent)
            assert_row_accurate(grad, pullback)
        (grad,) = vjp(pl.softmin, -x)[1](cotangent)
        mirrored = references.softmin_pullback([-v for v in exact], weights)
        assert_row_accurate(grad, mirrored)
        (grad,) = vjp(pl.logsumexp, x)[1](cotangent[:1].reshape(()))
        assert_row_accurate(grad, references.logsumexp_pullback(exact, weights[0]))


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.1},
    "weighted": {"weight": True},
    "weighted and smoothed": {"weight": True, "label_smoothing": 0.1},
    "z-loss": {"z_loss": 0.01},
    "capped": {"softcap": 30.0},
    "everything": {"weight": True, "label_smoothing": 0.2, "z_loss": 0.001, "softcap": 50.0},
}


FEW = ("masked", "confident", "wrong", "tails", "sum next to one", "wide")


EACH = [
    (kind, *case, dtype)
    for case in [*product(ROWS, ["plain"]), *product(FEW, [c for c in CASES if c != "plain"])]
    for kind in ("index", "probability")
    for dtype in DTYPES
]
# by default each row with one kind of target in float32, with the other in float64
HELD = [one for i, one in enumerate(EACH) if EVERY_ROW or (i + i // 2 + i // 4) % 2]


@pytest.mark.parametrize(("kind", "name", "case", "dtype"), HELD)
def test_cross_entropy_and_its_gradient_hold_the_bar_of_rows(
    kind: str, name: str, case: str, dtype: Any
) -> None:
    x, exact = row(name, dtype)
    options = dict(CASES[case])
    if np.any(np.isinf(x)) and "label_smoothing" in options:
        options.pop("label_smoothing")  # a share for an impossible class: infinite
    if "softcap" in options:
        x = np.where(np.isfinite(x) & (np.abs(x) > 1e3), dtype(70.0), x)
        exact = [mpmath.mpf(float(v)) for v in x]
    passed, known = dict(options), dict(options)
    if options.pop("weight", False):
        weight = (1.5 + np.sin(np.arange(x.size))).astype(dtype)
        passed["weight"], known["weight"] = weight, [mpmath.mpf(float(v)) for v in weight]
    target: Array = np.argmax(x)
    share: int | list[Any] = int(target)
    if kind == "probability":
        target = np.where(np.isinf(x), 0.0, 1.0 + np.cos(np.arange(x.size))).astype(dtype)
        target = target / target.sum()
        share = [mpmath.mpf(float(v)) for v in target]

    def loss(logits: Array) -> Array:
        return pl.cross_entropy(logits, target, reduction="none", **passed)

    (grad,) = gradients(loss, x)
    with mpmath.workdps(60):
        value = references.cross_entropy(exact, share, **known)
        assert_row_accurate(loss(x), [value])
        gradient = references.cross_entropy_gradient(exact, share, **known)
        assert_row_accurate(grad, gradient)


def test_a_confident_row_keeps_its_loss_and_its_gradient() -> None:
    x = np.asarray([[20.0, 0.0]], dtype=np.float32)

    def loss(logits: Array) -> Array:
        return pl.cross_entropy(logits, np.asarray([0]))

    assert float(loss(x)) == pytest.approx(2.0611536e-09, rel=1e-6)
    (grad,) = gradients(loss, x)
    np.testing.assert_allclose(grad, [[-2.0611536e-09, 2.0611536e-09]], rtol=1e-6)


# ---- as many classes as a vocabulary has --------------------------------------------------------

CLASSES = 50_000


def long_rows() -> dict[str, Array]:
    rng = np.random.default_rng(12)
    x = rng.normal(0, 3, CLASSES)
    return {
        "normal": x,
        "spread of 1e4": rng.uniform(-5e3, 5e3, CLASSES),
        "masked": np.where(rng.random(CLASSES) < 0.5, -np.inf, x),
        "all equal": np.full(CLASSES, 2.0),
        "near ties": 1 + 1e-7 * rng.integers(0, 3, CLASSES),
        "confident": np.where(np.arange(CLASSES) == 77, 30.0, x),
    }


def assert_near(got: Array, want: Any, dtype: Any) -> None:
    """Hold `got` to extended precision: 8 ulp."""
    finite = np.where(np.isfinite(want), want, 1.0)
    unit = np.spacing(np.maximum(np.abs(finite), np.finfo(dtype).tiny).astype(dtype))
    near = np.abs(np.where(np.isfinite(want), got, 1.0) - finite) <= 8 * unit
    assert np.all(np.where(np.isfinite(want), near, got == want))
    assert np.all((got == 0) <= (np.abs(want) < np.finfo(dtype).tiny))


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no extended precision")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 8])  # of rows: the formula, and kernels in blocks
@pytest.mark.parametrize("name", long_rows())
def test_rows_of_fifty_thousand_classes_hold_the_bar(name: str, count: int, dtype: Any) -> None:
    x = np.tile(long_rows()[name].astype(dtype), (count, 1))
    exact = x[0].astype(np.longdouble)
    top = int(np.argmax(exact))
    shifted = exact - exact[top]
    e = np.exp(shifted)
    others: Any = np.sum(np.delete(e, top))
    p = e / (1 + others)
    for y in (top, int(np.argmin(np.where(np.isfinite(exact), exact, np.inf)))):

        def loss(logits: Array, y: int = y) -> Array:
            return pl.cross_entropy(logits, np.full(count, y), reduction="none")

        gradient = p.copy()
        gradient[y] = -(others if y == top else 1 + others - e[y]) / (1 + others)
        (grad,) = gradients(loss, x)
        assert_near(loss(x), np.log1p(others) - shifted[y], dtype)
        assert_near(grad, np.tile(gradient, (count, 1)), dtype)
    assert_near(pl.softmax(x), np.tile(p, (count, 1)), dtype)
    assert_near(pl.log_softmax(x), np.tile(shifted - np.log1p(others), (count, 1)), dtype)
    assert_near(pl.logsumexp(x, axis=-1), np.full(count, exact[top] + np.log1p(others)), dtype)
