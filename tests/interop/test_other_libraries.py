"""Libraries without a file of ours: masked arrays, sparse arrays, and arrays in bounded memory.

This is run by `make test-more`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.numpy as xp_numpy
import cubed
import marray
import numpy as np
import pytest
import sparse

import portable_losses as pl
from portable_losses.autograd import grad
from portable_losses.autograd._libraries import library_of
from tests.rows import ONCE
from tests.samples import Key, Sample

MASKED = marray.masked_namespace(xp_numpy)
# What another library cannot do: marray writes to indices that are broadcast; sparse joins no
# arrays that are mostly of different numbers, and has no places along an axis that it adds.
MISSING = {
    "marray": {"ctc_loss"},
    "sparse": {"ctc_loss", "ordinal_cross_entropy", "logmeanexp"},
}
LAZY = ["gelu", "softmax", "logsumexp", "xlogy"]  # cubed takes seconds for each


def in_chunks(x: Any) -> Any:
    return cubed.from_array(x, chunks=tuple(-(-n // 2) for n in x.shape) if x.ndim else ())


LIBRARIES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "marray": (MASKED.asarray, lambda x: x.data),
    "sparse": (sparse.COO.from_numpy, lambda x: x.todense() if hasattr(x, "todense") else x),
    "cubed": (in_chunks, lambda x: x.compute()),
}


def values(row: Sample, arrays: Mapping[Key, Any]) -> list[Any]:
    with np.errstate(all="ignore"):
        return list(row.call(dict(arrays)))


CASES = [
    (name, row)
    for name in LIBRARIES
    for row in {row.function.__name__: row for row in reversed(ONCE)}.values()
    if row.function.__name__ not in MISSING.get(name, ())
    and (name != "cubed" or row.function.__name__ in LAZY)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "row"), CASES, ids=lambda x: str(x))
def test_values_are_those_of_numpy(name: str, row: Sample) -> None:
    there, back = LIBRARIES[name]
    arrays = {key: there(x) if isinstance(x, np.ndarray) else x for key, x in row.given.items()}
    for got, want in zip(values(row, arrays), values(row, row.given), strict=True):
        np.testing.assert_allclose(np.asarray(back(got)), want, rtol=1e-9, atol=1e-9)


def test_a_mask_stays_where_it_was() -> None:
    x = MASKED.asarray(np.asarray([1.0, 2.0, 3.0]), mask=np.asarray([False, True, False]))
    assert pl.gelu(x).mask.tolist() == [False, True, False]
    assert library_of(x).name == "marray.array_api_compat.numpy"
    loss = pl.mse_loss(x, MASKED.asarray(np.zeros(3)))
    assert float(loss.data) == 5.0


def test_masked_arrays_have_gradients_by_the_tape() -> None:
    x = MASKED.asarray(np.asarray([1.0, 2.0]), mask=np.asarray([False, True]))
    slope = grad(lambda z: pl.softplus(z).sum())(x)
    np.testing.assert_allclose(slope.data[0], pl.sigmoid(np.asarray(1.0)))
    assert slope.mask.tolist() == [False, True]


LOGITS = np.random.default_rng(0).standard_normal((4, 4))
LOSSES: list[tuple[Callable[..., Any], Any]] = [
    (pl.cross_entropy, np.asarray([3, 1, 0, 2])),
    (pl.kl_div, np.abs(LOGITS)),
    (pl.huber_loss, LOGITS**2),
    (pl.binary_cross_entropy_with_logits, (LOGITS > 0) * 1.0),
]


@pytest.mark.parametrize(("loss", "target"), LOSSES, ids=lambda x: getattr(x, "__name__", ""))
def test_losses_of_chunks_on_disk_are_those_of_numpy(
    loss: Callable[..., Any], target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, targets = in_chunks(LOGITS), in_chunks(target)
    kind = type(logits)

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("computed, to look at a value")

    with monkeypatch.context() as patch:
        patch.setattr(kind, "compute", refuse)
        value: Any = loss(logits, targets)
    np.testing.assert_allclose(float(value.compute()), loss(LOGITS, target), rtol=1e-12)
