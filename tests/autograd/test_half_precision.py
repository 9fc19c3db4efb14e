"""Rules that count or divide by a count are right in half precision, where counts do not fit."""

from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import grad
from tests.libraries import LIBRARIES, Library

MANY = 70_000  # float16 ends at 65,504, and counts to 2,048
HALVES = [
    (one, dtype)
    for one in LIBRARIES
    if one.module in ("numpy", "torch")
    for dtype in ("float16", "bfloat16")
    if hasattr(one.xp, dtype)
]
with_halves = pytest.mark.parametrize(("library", "dtype"), HALVES, ids=str)


def gradient_of(name: str, x: Any, library: Library, **options: Any) -> Any:
    def f(z: Any) -> Any:
        xp = z.__array_namespace__()
        return xp.sum(getattr(xp, name)(z, **options))

    return library.numpy(grad(f)(x)).astype(np.float64)


@with_halves
@pytest.mark.parametrize("axis", [None, 0])
def test_a_mean_shares_its_gradient_among_all_of_many(
    library: Library, dtype: str, axis: int | None
) -> None:
    got = gradient_of("mean", library.array(np.ones(MANY), dtype), library, axis=axis)
    np.testing.assert_allclose(got, 1 / MANY, rtol=2e-3)


@with_halves
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("ties", [2049, MANY])
def test_ties_share_a_gradient_evenly(library: Library, dtype: str, name: str, ties: int) -> None:
    sign = 1.0 if name == "max" else -1.0
    values = np.where(np.arange(MANY) < ties, sign, 0.0)
    got = gradient_of(name, library.array(values, dtype), library)
    np.testing.assert_allclose(got, np.where(values != 0, 1 / ties, 0.0), rtol=4e-3)


@with_halves
@pytest.mark.parametrize("name", ["var", "std"])
def test_a_variance_of_many_has_the_gradient_of_double_precision(
    library: Library, dtype: str, name: str
) -> None:
    values = np.where(np.arange(MANY) % 2, 0.0625, -0.0625)  # its sum of squares is small
    got = gradient_of(name, library.array(values, dtype), library)
    want = 2 * values / MANY if name == "var" else values / 0.0625 / MANY
    np.testing.assert_allclose(got, want, rtol=4e-3)
