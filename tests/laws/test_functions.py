"""What holds for every function and every option, on every library: the laws over the table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace, device

from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, LIBRARIES, ON_TAPE, SLOW, VERSIONS, Library
from tests.rows import FEW, ONCE, SELECTED, TABLE
from tests.samples import Key, Sample

# Dask takes seconds for the graph of a second derivative.
QUICK = [one for one in LIBRARIES if EVERY_ROW or one.module != "dask.array"]
WHOLE = ("numpy", "cupy", "torch, cuda")
WITH_GRADIENT = [row for row in TABLE if row.variables]
ONCE_WITH_GRADIENT = [row for row in ONCE if row.variables]

# Value and both derivatives hold array-api-strict to its other device and to nothing that depends
# on values; the laws that follow from them run there with every row alone.
ALIKE = ("array_api_strict, device1", "array_api_strict, restricted")
DISTINCT = [one for one in LIBRARIES if EVERY_ROW or one.name not in ALIKE]


def over(
    libraries: Sequence[Library],
    rows: Sequence[Sample] = TABLE,
    slow: Sequence[Sample] = FEW,
    share: int = 1,
) -> Any:
    """Parametrise by library and row.

    NumPy takes all rows, slow libraries those in `slow` (and the others in files of their own),
    PyTorch the selected ones, and any other library each function once. Of these, one in `share`:
    each library another.
    """

    def taken_by(library: Library) -> Sequence[Sample]:
        if library.module in SLOW:
            return slow
        if library.name in WHOLE or EVERY_ROW:
            return rows
        return SELECTED if library.name == "torch" else ONCE

    pairs = [
        (one, row)
        for turn, one in enumerate(libraries)
        for row in rows
        if row in taken_by(one) and (EVERY_ROW or (rows.index(row) + turn) % share == 0)
    ]
    names = [f"{one}-{row}" for one, row in pairs]
    return pytest.mark.parametrize("library, sample", pairs, ids=names)


def assert_close(got: Any, want: Any, what: str = "", *, rtol: float = 1e-11) -> None:
    """Hold `got` to `want`, relative to each entry, and a hundredth of that to the largest one."""
    size = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want)))
    np.testing.assert_allclose(
        got, want, rtol=rtol, atol=rtol * max(size, 0.1) / 100, err_msg=what, strict=True
    )


def variables(sample: Sample, arrays: dict[Key, Array]) -> list[Array]:
    return [arrays[key] for key in sample.variables]


def gradient_of(sample: Sample, library: Library, arrays: dict[Key, Array], dtype: str) -> Any:
    """The function that computes the gradients of the row's scalar."""
    f = sample.scalar(arrays, library, dtype)
    return library.gradient(f, range(len(sample.variables)))


def curvature(sample: Sample, library: Library, arrays: dict[Key, Array]) -> tuple[float, float]:
    """The second derivative along the row's directions, and the sum of its terms' sizes."""
    gradient = gradient_of(sample, library, arrays, "float64")
    steps = [library.array(sample.direction(key, 5)) for key in sample.variables]

    def slope(*xs: Array) -> Array:
        total: Array = 0
        for grad, step in zip(gradient(*xs), steps, strict=True):
            total = array_namespace(grad).sum(grad * step) + total
        return total

    second = library.quickly(library.gradient(slope, range(len(steps))))
    terms = [
        library.numpy(grad) * sample.direction(key, 3)
        for key, grad in zip(sample.variables, second(*variables(sample, arrays)), strict=True)
    ]
    return sum(map(np.sum, terms)), sum(np.sum(np.abs(term)) for term in terms)


# ---- value and derivatives -------------------------------------------------------------------


@over([*LIBRARIES, *VERSIONS])
def test_the_value_is_that_of_the_definition(library: Library, sample: Sample) -> None:
    with library.active():
        arrays = sample.on(library)
        call = library.quickly(lambda *xs: sample.call(dict(zip(arrays, xs, strict=True))))
        for out, want in zip(call(*arrays.values()), sample.value, strict=True):
            assert_close(library.numpy(out).astype(np.float64), want)


@over(DISTINCT, ONCE_WITH_GRADIENT)
def test_the_value_is_the_same_on_the_tape(library: Library, sample: Sample) -> None:
    with library.active():
        arrays = sample.on(library)
        leaves = {key: autograd.tensor(arrays[key]) for key in sample.variables}
        for out, want in zip(sample.call(arrays | leaves), sample.value, strict=True):
            assert isinstance(out, autograd.Tensor)
            assert_close(library.numpy(out), want)


@over([*LIBRARIES, *VERSIONS, *ON_TAPE], WITH_GRADIENT)
def test_the_gradient_is_the_slope_of_the_definition(library: Library, sample: Sample) -> None:
    with library.active():
        arrays = sample.on(library)
        gradient = library.quickly(gradient_of(sample, library, arrays, "float64"))
        grads = gradient(*variables(sample, arrays))
        for key, grad, want in zip(sample.variables, grads, sample.gradient, strict=True):
            assert_close(library.numpy(grad), want, f"gradient by {key}")


@over([*QUICK, *ON_TAPE], WITH_GRADIENT, share=2)
def test_the_second_derivative_is_the_definitions(library: Library, sample: Sample) -> None:
    with library.active():
        got, size = curvature(sample, library, sample.on(library))
    assert got == pytest.approx(sample.curvature, rel=1e-9, abs=1e-11 * max(size, 0.1))


# ---- dtype, device, library ------------------------------------------------------------------


@over([one for one in DISTINCT if EVERY_ROW or one.module not in SLOW], ONCE)
def test_float32_stays_float32_on_its_device_and_in_its_library(
    library: Library, sample: Sample
) -> None:
    with library.active():
        arrays = sample.on(library, "float32")
        first = arrays[0]
        for out, want in zip(sample.call(arrays), sample.value, strict=True):
            assert array_namespace(out) is array_namespace(first)
            assert device(out) == device(first)
            if sample.variables:
                assert out.dtype == library.xp.float32
                assert_close(library.numpy(out), want.astype(np.float32), rtol=1e-4)


@over([*DISTINCT, *ON_TAPE], ONCE_WITH_GRADIENT, share=2)
def test_a_gradient_has_the_dtype_device_and_library_of_its_array(
    library: Library, sample: Sample
) -> None:
    with library.active():
        arrays = sample.on(library, "float32")
        gradient = library.quickly(gradient_of(sample, library, arrays, "float32"))
        for key, grad in zip(sample.variables, gradient(*variables(sample, arrays)), strict=True):
            x = arrays[key]
            assert array_namespace(grad) is array_namespace(x)
            assert (grad.dtype, grad.shape, device(grad)) == (x.dtype, x.shape, device(x))


HALVES = [one for one in LIBRARIES if one.module in ("torch", "jax.numpy")]
ROUNDED = [one for one in HALVES if one.module == "torch"]  # JAX: tests/interop/test_jax.py


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@over(ROUNDED, ONCE_WITH_GRADIENT, share=2)
def test_half_precision_is_computed_in_float32_and_rounded_once(
    library: Library, sample: Sample, dtype: str
) -> None:
    xp = library.xp
    half = sample.on(library, dtype)
    single = {
        key: xp.astype(a, xp.float32) if key in sample.variables else a for key, a in half.items()
    }
    for out, exact in zip(sample.call(half), sample.call(single), strict=True):
        assert str(out.dtype).endswith(dtype)
        rounded = xp.astype(exact, out.dtype)
        np.testing.assert_array_equal(library.numpy(out), library.numpy(rounded))
    of_half = library.quickly(gradient_of(sample, library, half, dtype))
    of_single = library.quickly(gradient_of(sample, library, single, "float32"))
    by_half, by_single = of_half(*variables(sample, half)), of_single(*variables(sample, single))
    for grad, exact in zip(by_half, by_single, strict=True):
        assert str(grad.dtype).endswith(dtype)
        rounded = xp.astype(exact, grad.dtype)
        assert_close(library.numpy(grad), library.numpy(rounded), rtol=0.02)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("library", HALVES, ids=str)
def test_the_mean_of_many_rows_is_right_in_half_precision(library: Library, dtype: str) -> None:
    from portable_losses import cross_entropy

    xp = library.xp
    logits = xp.zeros((70_000, 10), dtype=getattr(xp, dtype))
    out = cross_entropy(logits, xp.zeros(70_000, dtype=xp.int64))
    expected = library.array(np.log(10.0), dtype)
    assert library.numpy(out) == library.numpy(expected)


# ---- what a call leaves alone ----------------------------------------------------------------

WRITABLE = [one for one in DISTINCT if one.module not in SLOW and not one.read_only]


@over(WRITABLE, ONCE_WITH_GRADIENT)
def test_the_arguments_are_not_written_to(library: Library, sample: Sample) -> None:
    with library.active():
        arrays = sample.on(library)
        before = {key: library.numpy(a).tobytes() for key, a in arrays.items()}
        sample.call(arrays)
        gradient_of(sample, library, arrays, "float64")(*variables(sample, arrays))
        assert {key: library.numpy(a).tobytes() for key, a in arrays.items()} == before
