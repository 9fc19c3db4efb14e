"""No rows, no classes, no features: one rule for every function on every library."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, LIBRARIES, SLOW, Library, named
from tests.rows import BY_FILE, FEW, ONCE, TABLE
from tests.samples import Key, Sample

OF_CLASSES = {"weight", "class_weight", "bias", "pos_weight"}  # have no axis of rows


def without_rows(row: Sample) -> dict[Key, Any] | None:
    """The arrays of a loss, with no row in the batch; None where they have no axis of rows."""
    arrays: dict[Key, Any] = {}
    along = row.options.get("axis", -1)
    first = row.given[0]
    if "reduction" not in inspect.signature(row.function).parameters or first.ndim == 0:
        return None
    if row.function is pl.ctc_loss:
        return {key: a[:, :0] if key == 0 else a[:0] for key, a in row.given.items()}
    has_rows = first.ndim > 1 or "axis" not in inspect.signature(row.function).parameters
    if not has_rows or along == 0 or (first.ndim == 1 and row.function is pl.linear_cross_entropy):
        return None
    for key, a in row.given.items():
        fixed = (key in OF_CLASSES and a.ndim == 1) or a.ndim == 0
        fixed = fixed or (row.function is pl.linear_cross_entropy and key == 1)
        arrays[key] = a if fixed or a.shape[0] != first.shape[0] else a[:0]
    return arrays


def total(out: Array | tuple[Array, ...]) -> Array:
    """The sum of all results."""
    outs = out if isinstance(out, tuple) else (out,)
    xp = array_namespace(*outs)
    return sum((xp.sum(one) for one in outs[1:]), xp.sum(outs[0]))


#: Those in which Dask, which takes seconds, reduces something that other libraries do not.
ON_DASK = [
    row
    for row in ONCE
    if EVERY_ROW or row.function in (pl.circle_loss, pl.triplet_margin_loss, pl.sparsemax_loss)
]
ROWS = [
    (library, row)
    for library, rows in (
        (named("numpy"), TABLE if EVERY_ROW else ONCE),
        (named("array_api_strict"), TABLE if EVERY_ROW else BY_FILE),
        (named("torch"), TABLE if EVERY_ROW else BY_FILE),
        (named("torch").on_tape(), ONCE if EVERY_ROW else BY_FILE[::4]),
        (named("dask"), ON_DASK),
        (named("jax"), ONCE if EVERY_ROW else FEW[-1:]),
    )
    for row in rows
    if without_rows(row) is not None
]


@pytest.mark.parametrize("library, row", ROWS, ids="{}".format)
def test_the_loss_of_no_rows_is_zero_with_gradient_zero(library: Library, row: Sample) -> None:
    given = without_rows(row)
    assert given is not None
    arrays = {key: library.array(a, "float64") for key, a in given.items()}
    for out in map(library.numpy, row.call(arrays)):
        assert out.size == 0 or (out.shape == () and out == 0)
    if row.variables:
        f = lambda *xs: total(row.call({**arrays, **dict(zip(row.variables, xs, strict=True))}))  # noqa: E731
        gradient = library.gradient(f, range(len(row.variables)))
        grads = gradient(*(arrays[key] for key in row.variables))
        for key, grad in zip(row.variables, grads, strict=True):
            np.testing.assert_array_equal(library.numpy(grad), np.zeros(given[key].shape))


# ---- no classes --------------------------------------------------------------------------------

EAGER = [one for one in LIBRARIES if EVERY_ROW or one.module not in SLOW or one.name == "dask"]
OF_INDICES = ["multi_margin_loss", "multiclass_hinge_loss", "multiclass_perceptron_loss"]
OF_EITHER = [
    *("cross_entropy", "nll_loss", "generalized_cross_entropy", "poly_loss"),
    *("softmax_focal_loss", "sparsemax_loss"),
]
OF_ROWS = ["distillation_loss", "multilabel_soft_margin_loss", "ranking_softmax_loss"]


@pytest.mark.parametrize("library", EAGER, ids=str, indirect=False)
@pytest.mark.parametrize("rows", [0, 4])
def test_a_loss_without_classes_is_refused(library: Library, rows: int) -> None:
    with library.active():
        z, index = library.array(np.zeros((rows, 0))), library.array(np.zeros(rows, dtype=np.int64))
        no_class = r"must have at least one class, got shape \(., 0\)"
        calls = [(name, index) for name in (*OF_INDICES, *OF_EITHER)]
        calls += [(name, z) for name in (*OF_EITHER, *OF_ROWS)]
        for name, target in calls:
            with pytest.raises(ValueError, match=no_class):
                getattr(pl, name)(z, target)
        with pytest.raises(ValueError, match="`weight` must have at least one class"):
            pl.linear_cross_entropy(z, library.array(np.zeros((0, 0))), index)
        with pytest.raises(ValueError, match="`scores` must have at least one class"):
            pl.fenchel_young_loss(z, z, max_fun=lambda z: z)


# ---- nothing along an axis ---------------------------------------------------------------------

Along = Callable[[Array, Array, Array], Any]
NOTHING: dict[str, tuple[Along, Any]] = {
    "softmax": (lambda x, e, y: pl.softmax(x, axis=(0, 1)), np.zeros((4, 0))),
    "log_softmax": (lambda x, e, y: pl.log_softmax(x), np.zeros((4, 0))),
    "sparsemax": (lambda x, e, y: pl.sparsemax(x), np.zeros((4, 0))),
    "entmax15": (lambda x, e, y: pl.entmax15(x), np.zeros((4, 0))),
    "gumbel_softmax": (lambda x, e, y: pl.gumbel_softmax(x, x, hard=True), np.zeros((4, 0))),
    "cumulative_logsumexp": (lambda x, e, y: pl.cumulative_logsumexp(x), np.zeros((4, 0))),
    "normalize": (lambda x, e, y: pl.normalize(x, p=math.inf), np.zeros((4, 0))),
    "standardize": (lambda x, e, y: pl.standardize(x), np.zeros((4, 0))),
    "entropy": (lambda x, e, y: pl.entropy(x), np.zeros(4)),
    "logsumexp": (lambda x, e, y: pl.logsumexp(x, axis=-1), np.full(4, -math.inf)),
    "logsumexp of all": (lambda x, e, y: pl.logsumexp(x), np.asarray(-math.inf)),
    "logsumexp b": (lambda x, e, y: pl.logsumexp(x, b=x, axis=-1), np.full(4, -math.inf)),
    "sign": (lambda x, e, y: pl.logsumexp(x, b=x, axis=1, return_sign=True)[1], np.zeros(4)),
    "logmeanexp": (lambda x, e, y: pl.logmeanexp(x, axis=-1), np.full(4, math.nan)),
    "logmeanexp of all": (lambda x, e, y: pl.logmeanexp(x), np.asarray(math.nan)),
    "cosine_similarity": (lambda x, e, y: pl.cosine_similarity(x, x), np.zeros(4)),
    "cosine_distance": (lambda x, e, y: pl.cosine_distance(x, x), np.ones(4)),
    "pairwise_distance": (lambda x, e, y: pl.pairwise_distance(x, x), np.zeros(4)),
    "largest distance": (lambda x, e, y: pl.pairwise_distance(x, x, p=math.inf), np.zeros(4)),
    "triplet_margin_loss": (lambda x, e, y: pl.triplet_margin_loss(x, x, x), np.asarray(1.0)),
    "cosine_embedding_loss": (lambda x, e, y: pl.cosine_embedding_loss(x, x, y), np.asarray(1.0)),
    "dice_loss": (lambda x, e, y: pl.dice_loss(x, x), np.asarray(0.0)),
    "tversky_loss": (lambda x, e, y: pl.tversky_loss(x, x, reduction="none"), np.zeros(4)),
    "jaccard_loss": (lambda x, e, y: pl.jaccard_loss(x, x), np.asarray(0.0)),
    "kl_div": (lambda x, e, y: pl.kl_div(x, x, axis=-1, reduction="none"), np.zeros(4)),
    "no negatives": (lambda x, e, y: pl.info_nce_loss(e, e, e[:0, :]), np.asarray(0.0)),
    "no features": (lambda x, e, y: pl.info_nce_loss(x, x), np.asarray(math.log(4))),
}


@pytest.mark.parametrize("library", EAGER, ids=str, indirect=False)
def test_of_nothing_a_sum_is_zero_a_norm_is_zero_and_a_mean_is_nan(library: Library) -> None:
    with library.active():
        x = library.array(np.zeros((4, 0)))
        e, y = library.array(np.eye(4)[:, :2] + 1, "float64"), library.array(np.ones(4), "float64")
        for name, (function, want) in NOTHING.items():
            got = library.numpy(function(x, e, y))
            np.testing.assert_allclose(got, want, 1e-15, err_msg=name, strict=True)
            if name in ("sign", "no negatives"):  # constant in x
                continue
            f = lambda x, function=function: total(function(x, e, y))  # noqa: E731
            grad = library.numpy(library.gradient(f, (0,))(x)[0])
            assert grad.shape == (4, 0), name
