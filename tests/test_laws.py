"""What holds for every function and every option, on every library: the laws over the table."""

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace, device

from portable_losses._typing import Array
from tests.libraries import EVERYWHERE, INSTALLED, LIBRARIES, ON_TAPE, Library
from tests.samples import Key, Sample
from tests.table import SELECTED, TABLE

SLOW = ("jax.numpy", "dask.array")  # seconds to compile, or to build a graph


def rows_for(library: Library) -> list[Sample]:
    return SELECTED if library.module in SLOW else TABLE


def over(*libraries: Library, rows: list[Sample] | None = None) -> Any:
    """Parametrise by library and row."""
    pairs = [(one, row) for one in libraries for row in rows or rows_for(one)]
    names = [f"{one}-{row}" for one, row in pairs]
    return pytest.mark.parametrize("library, sample", pairs, ids=names)



def assert_close(got: Any, want: Any, what: str, *, rtol: float = 1e-11) -> None:
    """Hold `got` to `want`, relative to each entry, and a hundredth of that to the largest one."""
    size = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want)))
    np.testing.assert_allclose(
        got, want, rtol=rtol, atol=rtol * max(size, 0.1) / 100, err_msg=what, strict=True
    )


def differentiate(
    sample: Sample, library: Library, arrays: dict[Key, Array], dtype: str = "float64"
) -> tuple[Array, ...]:
    f = sample.scalar(arrays, library, dtype)
    gradient = library.gradient(f, range(len(sample.variables)))
    compiled = gradient if library.tape else library.quickly(gradient)
    return compiled(*(arrays[key] for key in sample.variables))


@over(*LIBRARIES, rows=TABLE)
def test_the_value_is_that_of_the_definition(library: Library, sample: Sample) -> None:
    with library.active():
        outs = sample.call(sample.on(library))
        for out, want in zip(outs, sample.value, strict=True):
            assert_close(library.numpy(out).astype(np.float64), want, "value")


@over(*(one for one in EVERYWHERE if one not in LIBRARIES))
def test_the_value_is_that_of_the_definition_in_every_year_and_on_the_tape(
    library: Library, sample: Sample
) -> None:
    with library.active():
        arrays = sample.on(library)
        for out, want in zip(sample.call(arrays), sample.value, strict=True):
            assert_close(library.numpy(out).astype(np.float64), want, "value")


@over(*EVERYWHERE)
def test_the_gradient_is_the_slope_of_the_definition(library: Library, sample: Sample) -> None:
    if not sample.variables:
        return
    with library.active():
        grads = differentiate(sample, library, sample.on(library))
        for key, grad, want in zip(sample.variables, grads, sample.gradient, strict=True):
            assert_close(library.numpy(grad), want, f"gradient by {key}")
