"""A coefficient that is exactly 0 wins over NaN and infinity: class weights, targets, `pos_weight`.

In the value, the gradient and the second derivative; tests/laws/test_left_out.py has the weights
of the entries of a loss, tests/laws/test_masked_rows.py those of cross entropies.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from tests.libraries import EVERY_ROW, EVERYWHERE, Library

LOGITS = np.asarray([[0.5, -1.0, 2.0], [0.25, 1.5, -0.75]])
PROBABILITIES = np.abs(LOGITS) / 3
INDEX, ONE_HOT = np.asarray([0, 1]), np.asarray([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
SHARES = np.asarray([[0.5, 0.0, 0.5], [0.0, 0.25, 0.75]])
LOG_SHARES = np.where(SHARES > 0, np.log(np.where(SHARES > 0, SHARES, 1.0)), -np.inf)
FIRST_ROW = SHARES * np.asarray([[1.0], [0.0]])
WEIGHT = np.asarray([1.0, 0.0, 2.0])
ROW, COLUMN, ENTRIES = (1, slice(None)), (slice(None), 1), ([0, 1], [1, 0])

Function = Callable[..., Any]
# Of the variable and the two constants; the constants, the variable, and where it may hold anything
CASES: dict[str, tuple[Function, tuple[Any, ...], Any, Any]] = {
    "cross_entropy, weight": (
        lambda x, y, w: pl.cross_entropy(x, y, weight=w, softcap=2.0),
        (INDEX, WEIGHT),
        LOGITS,
        ROW,
    ),
    "nll_loss, weight": (
        lambda x, y, w: pl.nll_loss(x, y, weight=w),
        (INDEX, WEIGHT),
        LOGITS,
        ROW,
    ),
    "nll_loss, shares": (pl.nll_loss, (SHARES,), LOGITS, ENTRIES),
    "poly_loss, weight": (
        lambda x, y, w: pl.poly_loss(x, y, weight=w),
        (INDEX, WEIGHT),
        LOGITS,
        ROW,
    ),
    "poly_loss, shares": (pl.poly_loss, (FIRST_ROW,), LOGITS, ROW),
    "softmax_focal_loss, alpha": (
        lambda x, y, w: pl.softmax_focal_loss(x, y, alpha=w),
        (INDEX, WEIGHT),
        LOGITS,
        ROW,
    ),
    "generalized_cross_entropy, shares": (
        pl.generalized_cross_entropy,
        (FIRST_ROW,),
        LOGITS,
        ROW,
    ),
    "ranking_softmax_loss, labels": (pl.ranking_softmax_loss, (FIRST_ROW,), LOGITS, ROW),
    "multi_margin_loss, weight": (
        lambda x, y, w: pl.multi_margin_loss(x, y, weight=w),
        (INDEX, WEIGHT),
        LOGITS,
        ROW,
    ),
    "multilabel_soft_margin_loss, weight": (
        lambda x, y, w: pl.multilabel_soft_margin_loss(x, y, weight=w),
        (ONE_HOT, WEIGHT),
        LOGITS,
        COLUMN,
    ),
    "binary_cross_entropy_with_logits, weight": (
        lambda x, y, w: pl.binary_cross_entropy_with_logits(x, y, weight=w),
        (SHARES, WEIGHT),
        LOGITS,
        COLUMN,
    ),
    "binary_cross_entropy_with_logits, pos_weight": (
        lambda x, y, w: pl.binary_cross_entropy_with_logits(x, y, pos_weight=w),
        (np.ones((2, 3)), WEIGHT),
        LOGITS,
        COLUMN,
    ),
    "binary_cross_entropy, weight": (
        lambda x, y, w: pl.binary_cross_entropy(x, y, weight=w),
        (SHARES, WEIGHT),
        PROBABILITIES,
        COLUMN,
    ),
    "kl_div, target": (pl.kl_div, (SHARES,), LOGITS, ENTRIES),
    "kl_div, axis": (lambda x, y: pl.kl_div(x, y, axis=-1), (SHARES,), LOGITS, ENTRIES),
    "kl_div, log_target": (
        lambda x, y: pl.kl_div(x, y, log_target=True),
        (LOG_SHARES,),
        LOGITS,
        ENTRIES,
    ),
    "logsumexp, b": (lambda x, b: pl.logsumexp(x, b=b, axis=-1), (SHARES,), LOGITS, ENTRIES),
    **{
        f"{loss.__name__}, class_weight": (
            lambda x, y, w, loss=loss: loss(x, y, class_axis=1, axis=0, class_weight=w),
            (ONE_HOT, WEIGHT),
            PROBABILITIES,
            COLUMN,
        )
        for loss in (pl.dice_loss, pl.jaccard_loss, pl.tversky_loss)
    },
}
BAD = [np.nan, np.inf, -np.inf, 1e38]
SLOWLY = ["binary_cross_entropy_with_logits, pos_weight", *(CASES if EVERY_ROW else [])]


def derivatives(library: Library, name: str, value: float) -> list[Any]:
    """The value, the gradient and a second derivative where `value` meets coefficients of 0."""
    function, constants, variable, where = CASES[name]
    held = [library.array(c, "float32") for c in constants]
    given = np.array(variable)
    given[where] = value
    x = library.array(given, "float32")

    def total(x: Any) -> Any:
        out = function(x, *held)
        return array_namespace(out).sum(out)

    slope = library.gradient(total, (0,))

    def along(x: Any) -> Any:
        made = slope(x)[0]
        shares = library.array(np.arange(1.0, 7.0).reshape(2, 3), "float32")
        return array_namespace(made).sum(made * shares)

    by = library.quickly(slope), library.quickly(library.gradient(along, (0,)))
    return [library.numpy(total(x)), *(library.numpy(f(x)[0]) for f in by)]


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (library, name)
        for library in EVERYWHERE
        if library.name in ("numpy", "torch", "jax", "dask")
        for name in (CASES if library.name in ("numpy", "torch") else dict.fromkeys(SLOWLY))
    ],
    ids=str,
)
def test_a_coefficient_of_0_wins_over_anything(library: Library, name: str) -> None:
    with np.errstate(all="ignore"), pl.validation(False):
        want = derivatives(library, name, 0.25)
        for value in BAD if library.readable and library.name != "jax" else BAD[:2]:
            got = derivatives(library, name, value)
            for one, other in zip(got, want, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=str(value))
