"""Functions along an axis are compiled: which, which are not, and that each says its reason."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Speed, load_backend
from portable_losses._gradient import stop_gradient
from portable_losses._row_functions import of_rows
from portable_losses.autograd import grad
from portable_losses.special.log_exp import _logsumexp
from tests.libraries import EVERY_ROW

pytest.importorskip("llvmlite")
rowwise: Any = pytest.importorskip("portable_losses.backends.kernels.rows.rowwise")
machine: Any = import_module("portable_losses.backends.kernels.formulas.machine_code")
if machine.compiler() is None:
    pytest.skip("formulas are not compiled on this processor", allow_module_level=True)

RNG = np.random.default_rng(5)
N, C = 6, 21
Z, OTHER = RNG.standard_normal((2, N, C))
P = np.exp(OTHER) / np.exp(OTHER).sum(-1, keepdims=True)
Q = 0.1 + 0.8 * RNG.random((N, C))
LOG_P = np.log(P)
INDEX = RNG.integers(0, C, N)
WEIGHT, SIGN, MASK = 0.5 + RNG.random(C), np.sign(RNG.standard_normal(N)), OTHER < 1
LABELS = np.asarray([0, 0, 1, 1, 2, 2])

# Of `x`, an array (N, C), by which it is differentiated; the others are arrays of its library.
COMPILED: dict[str, list[tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "softmax": [(lambda x: pl.softmax(x), ())],
    "log_softmax": [(lambda x: pl.log_softmax(x), ())],
    "softmin": [(lambda x: pl.softmin(x), ()), (lambda x: pl.softmin(x, axis=0), ())],
    "logsumexp": [
        (lambda x: pl.logsumexp(x, axis=-1), ()),
        (lambda x, b: pl.logsumexp(x, axis=-1, b=b), (OTHER,)),
    ],
    "logmeanexp": [(lambda x: pl.logmeanexp(x, axis=-1), ())],
    "normalize": [
        (lambda x: pl.normalize(x), ()),
        (lambda x: pl.normalize(x, p=1.0), ()),
        (lambda x: pl.normalize(x, p=float("inf")), ()),
    ],
    "standardize": [
        (lambda x: pl.standardize(x), ()),
        (lambda x, m: pl.standardize(x, where=m), (MASK,)),
    ],
    "entropy": [
        (lambda x: pl.entropy(x * x + 0.5), ()),
        (lambda x: pl.entropy(x, log_input=True), ()),
    ],
    "cross_entropy": [(lambda x, t: pl.cross_entropy(x, t), (INDEX,))],
    "nll_loss": [
        (lambda x, t, w: pl.nll_loss(x, t, weight=w), (INDEX, WEIGHT)),
        (lambda x, p: pl.nll_loss(x, p), (P,)),
    ],
    "softmax_focal_loss": [
        (
            lambda x, t, w: pl.softmax_focal_loss(x, t, alpha=w, label_smoothing=0.1),
            (INDEX, WEIGHT),
        )
    ],
    "poly_loss": [(lambda x, t: pl.poly_loss(x, t), (INDEX,))],
    "generalized_cross_entropy": [
        (lambda x, t: pl.generalized_cross_entropy(x, t), (INDEX,)),
    ],
    "ranking_softmax_loss": [
        (lambda x, p, m: pl.ranking_softmax_loss(x, p, where=m), (P, MASK)),
    ],
    "distillation_loss": [
        (lambda x, z: pl.distillation_loss(x, z, temperature=3.0), (OTHER,)),
        (lambda x, z: pl.distillation_loss(x, z, divergence="js"), (OTHER,)),
    ],
    "kl_div": [
        (lambda x, p: pl.kl_div(x, p, axis=-1), (P,)),
        (lambda x, p: pl.kl_div(x, p, axis=-1, log_target=True), (LOG_P,)),
    ],
    "generalized_kl_div": [(lambda x, p: pl.generalized_kl_div(x, p, axis=-1), (P,))],
    "js_div": [(lambda x, p: pl.js_div(x, p, axis=-1, beta=0.3), (P,))],
    "tvd_loss": [(lambda x, p: pl.tvd_loss(x, p, axis=-1), (P,))],
    "multi_margin_loss": [(lambda x, t: pl.multi_margin_loss(x, t, p=2), (INDEX,))],
    "multiclass_hinge_loss": [(lambda x, t: pl.multiclass_hinge_loss(x, t), (INDEX,))],
    "multiclass_perceptron_loss": [
        (lambda x, t: pl.multiclass_perceptron_loss(x, t), (INDEX,)),
    ],
    "multilabel_soft_margin_loss": [
        (lambda x, p, w: pl.multilabel_soft_margin_loss(x, p, weight=w), (P, WEIGHT)),
    ],
    "cosine_similarity": [(lambda x, y: pl.cosine_similarity(x, y), (OTHER,))],
    "cosine_distance": [(lambda x, y: pl.cosine_distance(x, y), (OTHER,))],
    "cosine_embedding_loss": [
        (lambda x, y, s: pl.cosine_embedding_loss(x, y, s), (OTHER, SIGN)),
    ],
    "pairwise_distance": [(lambda x, y: pl.pairwise_distance(x, y, p=3.0), (OTHER,))],
    "triplet_margin_loss": [(lambda x, y, z: pl.triplet_margin_loss(x, y, z), (OTHER, P))],
    "info_nce_loss": [(lambda x, y: pl.info_nce_loss(x, y), (OTHER,))],
    "ntxent_loss": [(lambda x, t: pl.ntxent_loss(x, t), (LABELS,))],
    "circle_loss": [(lambda x, t: pl.circle_loss(x, t, gamma=2.0), (LABELS,))],
    "dice_loss": [(lambda x, p: pl.dice_loss(pl.sigmoid(x), p, axis=-1), (Q,))],
    "jaccard_loss": [(lambda x, p: pl.jaccard_loss(pl.sigmoid(x), p, axis=-1), (Q,))],
    "tversky_loss": [
        (lambda x, p: pl.tversky_loss(pl.sigmoid(x), p, axis=-1, alpha=0.3), (Q,)),
    ],
}
NOT_COMPILED = {
    "cumulative_logsumexp": "running sums: an entry depends on those before it, not on a number",
    "entmax15": "sorts",
    "sparsemax": "sorts",
    "sparsemax_loss": "sorts",
    "fenchel_young_loss": "of a regularizer that the caller chooses",
    "ctc_loss": "a recursion over time",
    "multilabel_margin_loss": "compares all pairs of classes",
    "linear_cross_entropy": "matrix products, with the rows' code between them (`cross_entropy/`)",
    "gumbel_softmax": "draws numbers; then it is softmax",
    "one_hot": "integers",
    "smooth_labels": "of entries: elementwise",
    "glu": "of entries of two halves: elementwise",
    "geglu": "of entries of two halves: elementwise",
    "reglu": "of entries of two halves: elementwise",
    "swiglu": "of entries of two halves: elementwise",
    "prelu": "of entries: elementwise",
}
CASES = [
    pytest.param(call, others, id=f"{name} {i}")
    for name, listed in COMPILED.items()
    for i, (call, others) in enumerate(listed if EVERY_ROW else listed[:1])
]


def test_every_function_along_an_axis_is_in_one_of_the_tables() -> None:
    along = {
        name
        for name in pl.__all__
        if {"axis", "labels"} & set(_parameters(getattr(pl, name))) or name == "info_nce_loss"
    }
    assert not along - COMPILED.keys() - NOT_COMPILED.keys()
    assert not COMPILED.keys() & NOT_COMPILED.keys()


def _parameters(x: Any) -> Any:
    return inspect.signature(x).parameters if inspect.isfunction(x) else ()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is made of each function of rows: code, or None."""
    found: list[Any] = []
    made = rowwise.Rowwise.program

    def program(self: Any, function: Any, *given: Any) -> Any:
        found.append((function.__name__, made(self, function, *given)))
        return found[-1][1]

    monkeypatch.setattr(rowwise.Rowwise, "program", program)
    return found


@pytest.mark.parametrize("call, others", CASES)
def test_value_and_gradient_are_compiled(
    call: Callable[..., Any],
    others: tuple[Any, ...],
    programs: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loss(x: Any) -> Any:
        out = call(x, *others)
        return out.__array_namespace__().sum(out * out)

    got = grad(loss)(Z)
    assert len(programs) >= 2 or any(name == "both" for name, _ in programs)
    assert [name for name, code in programs if code is None] == []
    plain = replace(load_backend("numpy"), speed=Speed())
    monkeypatch.setitem(_backend._LOADED, "numpy", plain)
    want = grad(loss)(Z)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13)


def test_a_derived_gradient_is_that_of_the_tape() -> None:
    """Of the largest, which ties share, of what is constant, and of pairs within."""

    @of_rows()
    def function(x: Any, y: Any, *, xp: Any) -> Any:
        size = xp.max(xp.abs(y), axis=-1)
        return xp.sum(stop_gradient(x, xp=xp) * xp.exp(x), axis=-1) / size + _own(y, xp=xp)

    def _own(y: Any, *, xp: Any) -> Any:
        return _logsumexp(y, xp=xp)[..., 0]

    y = np.round(OTHER)  # with ties
    for by in (0, 1):

        def loss(x: Any, y: Any, run: Any = function, by: int = by) -> Any:
            out = run(x, y, xp=(y if by else x).__array_namespace__())
            return out.__array_namespace__().sum(out * out)

        got = grad(loss, argnums=by)(Z, y)
        want = grad(lambda x, y: loss(x, y, inspect.unwrap(function)), argnums=by)(Z, y)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_numbers_are_the_gradients_of_one_row() -> None:
    """NumPy's numbers have no address of their own."""
    found = grad(lambda p: pl.tversky_loss(p, Q[0], alpha=0.3, axis=0))(Q[1])
    rows = grad(lambda p: pl.tversky_loss(p, Q[:1], alpha=0.3, axis=-1))(Q[1:2])
    np.testing.assert_allclose(found, rows[0], rtol=1e-13)
