"""One array of a call is a Tensor of the tape, and the others are the library's own."""

import numpy as np
import pytest

from portable_losses import autograd
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import ONCE, TABLE
from tests.samples import Sample

ROWS = [row for row in (TABLE if EVERY_ROW else ONCE) if len(row.variables) > 1 or EVERY_ROW]
CALLS = [(named(one), row) for one in ("numpy", "array_api_strict", "torch") for row in ROWS]


@pytest.mark.parametrize("library, row", CALLS, ids="{}".format, indirect=["library"])
def test_any_one_array_may_be_a_tensor(library: Library, row: Sample) -> None:
    arrays = row.on(library)
    wanted = [library.numpy(out) for out in row.call(arrays)]
    arrays_alone = [key for key in (*row.variables, *row.constants) if key in arrays and key != "q"]
    for key in arrays_alone:  # `q` is an option that may be a number, too
        tracked = autograd.tensor(arrays[key], requires_grad=key in row.variables)
        for got, want in zip(row.call({**arrays, key: tracked}), wanted, strict=True):
            np.testing.assert_allclose(library.numpy(got), want, 1e-12, 1e-14)
