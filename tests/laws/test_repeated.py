"""A call that is repeated has the same bits every time, however it is repeated."""

import numpy as np
import pytest

from tests.libraries import EVERY_ROW, INSTALLED, named
from tests.rows import TABLE
from tests.samples import Sample

CASES = [
    (name, dtype, row)
    for number, row in enumerate(TABLE)
    for turn, (name, dtype) in enumerate(
        [("numpy", "float32"), ("torch", "float64"), ("numpy", "float64"), ("torch", "float32")]
    )
    if INSTALLED[name] and (EVERY_ROW or number % 8 == 2 * turn)
]


@pytest.mark.parametrize(("name", "dtype", "row"), CASES, ids=str)
def test_the_first_call_and_the_later_ones_have_the_same_bits(
    name: str, dtype: str, row: Sample
) -> None:
    library = named(name)
    arrays = row.on(library, dtype)
    first, *later = ([library.numpy(out) for out in row.call(arrays)] for _ in range(3))
    for made in later:
        for got, want in zip(made, first, strict=True):
            np.testing.assert_array_equal(got, want, strict=True)
