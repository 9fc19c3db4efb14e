"""Bad values that cannot be read: NaN in value and gradient, for the affected entry only."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Arrays, Backend
from portable_losses._typing import Array
from tests.cases import Bad
from tests.libraries import EVERY_ROW, LIBRARIES, ON_TAPE, SLOW, Library
from tests.rows import rows_of

Z = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [3.0, 1.0, 2.0]])
P, T = np.asarray([0.5, 0.25, 0.75]), np.asarray([1.0, 0.0, 1.0])


def second(bad: float, others: float = 1.0) -> Any:
    return np.asarray([others, bad, others])


CLASSES = np.asarray([[True] * 3, [True, False, True], [True] * 3])
SHARES = np.asarray([[1.0, 0.0, 0.0], [1.0, -0.5, 0.5], [0.0, 0.0, 1.0]])
ROWWISE, BINARY = (
    (pl.cross_entropy, pl.nll_loss),
    (pl.binary_cross_entropy, pl.binary_cross_entropy_with_logits),
)
POINTWISE = (*BINARY, pl.mse_loss, pl.l1_loss, pl.smooth_l1_loss, pl.huber_loss)
BADS = [
    *(
        Bad(loss, Z, np.asarray([0, index, 2]), {}, IndexError)
        for loss in ROWWISE
        for index in (-1, 3, 10**9)
    ),
    *(Bad(loss, Z, SHARES, {}) for loss in ROWWISE),
    *(Bad(loss, Z, np.asarray([0, 1, 2]), {"sample_weight": second(-1.0)}) for loss in ROWWISE),
    *(Bad(loss, Z, np.asarray([0, 1, 2]), {"weight": second(-1.0)}) for loss in ROWWISE),
    Bad(pl.cross_entropy, Z, np.asarray([0, 1, 2]), {"where": CLASSES}),
    Bad(pl.cross_entropy, Z, np.asarray([0, 7, 2]), {"label_smoothing": 0.5, "z_loss": 1.0}, IndexError),
    *(Bad(loss, P, second(1.5, 0.5), {}) for loss in BINARY),
    *(Bad(loss, P, np.asarray([0, 2, 1]), {}) for loss in BINARY),
    Bad(pl.binary_cross_entropy, second(-0.25, 0.5), T, {}),
    Bad(pl.binary_cross_entropy, second(1.25, 0.5), T, {}),
    *(Bad(loss, P, T, {"weight": second(-2.0)}) for loss in BINARY),
    Bad(pl.binary_cross_entropy_with_logits, P, np.ones(3), {"pos_weight": second(-1.0)}),
    *(Bad(loss, P, T, {"sample_weight": second(-2.0)}) for loss in POINTWISE),
    *rows_of("BADS"),
]  # fmt: skip
every_bad = pytest.mark.parametrize("bad", BADS, ids=str)
#: One of each loss, where that takes a second: how a check becomes NaN does not depend on it.
ONCE = [bad for i, bad in enumerate(BADS) if bad.loss not in [one.loss for one in BADS[:i]]]
once = pytest.mark.parametrize("bad", ONCE if EVERY_ROW else ONCE[::6], ids=str)


def on(name: str) -> Any:
    """Parametrise by one library, if it is installed."""
    return pytest.mark.parametrize("library", [x for x in LIBRARIES if x.name == name], ids=str)


def assert_only_the_second_is_nan(library: Library, value: Array, gradient: Array) -> None:
    value, gradient = library.numpy(value), library.numpy(gradient)
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])
    by_row = np.isnan(gradient.reshape(3, -1))
    np.testing.assert_array_equal(by_row.any(axis=1), [False, True, False])


def total(loss: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def summed(x: Array) -> Array:
        out = loss(x)
        return array_namespace(out).sum(out)

    return summed


BLIND = [one for one in LIBRARIES if not one.readable]


@pytest.mark.parametrize(
    "library, bad",
    [(one, bad) for one in BLIND for bad in (ONCE[::3] if one.module in SLOW else BADS)],
    ids=str,
)
def test_where_nothing_can_be_read_the_bad_entry_is_nan(library: Library, bad: Bad) -> None:
    loss, x = bad(library)
    with library.active():
        assert_only_the_second_is_nan(library, loss(x), library.gradient(total(loss), (0,))(x)[0])


SEEING = [one for one in [*LIBRARIES, *ON_TAPE] if one.readable and one.module != "jax.numpy"]


@pytest.mark.parametrize("library", SEEING, ids=str)
@every_bad
def test_where_nothing_is_checked_the_bad_entry_is_nan(library: Library, bad: Bad) -> None:
    loss, x = bad(library)
    with library.active(), pl.validation(False):
        assert_only_the_second_is_nan(library, loss(x), library.gradient(total(loss), (0,))(x)[0])


@on("jax")
@once
def test_under_jit_the_bad_entry_is_nan(library: Library, bad: Bad) -> None:
    import jax

    loss, x = bad(library)
    with pytest.raises(bad.error):
        loss(x)
    options = {
        k: library.array(v) if isinstance(v, np.ndarray) else v for k, v in bad.options.items()
    }

    def traced(x: Array, y: Array) -> Array:
        return bad.loss(x, y, reduction="none", **options)

    def values_and_gradients(x: Array, y: Array) -> Any:
        known = loss(x), jax.grad(lambda x: loss(x).sum())(x)
        return known, (traced(x, y), jax.grad(lambda x: traced(x, y).sum())(x))

    for both in library.quickly(values_and_gradients)(x, library.array(bad.target)):
        assert_only_the_second_is_nan(library, *both)


# vmap maps over rows: masks and weights of classes stay outside, where they can be read
MAPPED = [
    one for one in BADS if one.x.ndim == 1 or not {"alpha", "where", "weight"} & set(one.options)
]


@on("torch")
@pytest.mark.parametrize("bad", MAPPED, ids=str)
def test_under_vmap_the_bad_entry_is_nan(library: Library, bad: Bad) -> None:
    import torch

    arrays = {k: library.array(v) for k, v in bad.options.items() if isinstance(v, np.ndarray)}
    fixed = {k: v for k, v in bad.options.items() if k not in arrays}
    loss = torch.func.vmap(lambda x, y, arrays: bad.loss(x, y, reduction="none", **fixed, **arrays))
    value = library.numpy(loss(library.array(bad.x), library.array(bad.target), arrays))
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])


def test_one_hot_of_an_unreadable_bad_index_is_nan(library: Library) -> None:
    xp = library.xp
    with pl.validation(False):
        hot = pl.one_hot(library.array([0, 5, 1]), 3, dtype=xp.float32)
        exact = pl.one_hot(library.array([0, 5, 1]), 3, dtype=xp.int32)
    np.testing.assert_array_equal(library.numpy(hot), [[1, 0, 0], [np.nan] * 3, [0, 1, 0]])
    np.testing.assert_array_equal(library.numpy(exact), [[1, 0, 0], [0, 0, 0], [0, 1, 0]])


def test_a_backend_that_cannot_be_read_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = Backend("numpy", arrays=Arrays(readable=lambda x: False))
    monkeypatch.setitem(_backend._LOADED, "numpy", blind)
    loss = pl.cross_entropy(Z, np.asarray([0, 9, 1]), reduction="none")
    np.testing.assert_array_equal(np.isnan(loss), [False, True, False])


# ---- the switch ------------------------------------------------------------------------------

BAD_LABEL = (np.asarray([0.5]), np.asarray([1.5]))


def test_validation_is_a_context_manager_and_comes_back() -> None:
    with pl.validation(False):
        assert np.isnan(pl.binary_cross_entropy(*BAD_LABEL))
        with pl.validation(True), pytest.raises(ValueError, match="`target`"):
            pl.binary_cross_entropy(*BAD_LABEL)
        assert np.isnan(pl.binary_cross_entropy(*BAD_LABEL))
    with pytest.raises(ValueError, match="`target`"):
        pl.binary_cross_entropy(*BAD_LABEL)


def test_validation_is_a_function() -> None:
    pl.validation(False)
    try:
        assert np.isnan(pl.binary_cross_entropy(*BAD_LABEL))
    finally:
        pl.validation(True)
    with pytest.raises(ValueError, match="`target`"):
        pl.binary_cross_entropy(*BAD_LABEL)


def test_validation_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), pl.validation(False):
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="`target`"):
        pl.binary_cross_entropy(*BAD_LABEL)


def test_shapes_and_dtypes_are_checked_in_any_case() -> None:
    with pl.validation(False), pytest.raises(ValueError, match="shapes must be equal"):
        pl.mse_loss(np.zeros(3), np.zeros((3, 1)))
    with pl.validation(False), pytest.raises(TypeError, match="`x` must have a real floating"):
        pl.relu(np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize("enabled", [1, None, "yes"])
def test_the_switch_takes_a_bool(enabled: Any) -> None:
    with pytest.raises(TypeError, match="`enabled` must be True or False, got"):
        pl.validation(enabled)
