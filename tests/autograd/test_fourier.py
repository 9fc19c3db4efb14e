"""The Fourier extension: every rule against PyTorch or JAX, and on every library."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portable_losses._typing import Array, Namespace
from portable_losses.autograd import grad, namespace, tensor, vjp
from tests.autograd.cases import LIBRARIES
from tests.autograd.peers import Sample, check_against_the_peer, check_over, numbers

NP = namespace(np)
COMPLEX = ("fft", "ifft", "fftn", "ifftn", "irfft", "irfftn", "hfft", "fftshift", "ifftshift")
REAL = ("rfft", "rfftn", "ihfft")


def of(name: str, **options: Any) -> Callable[..., Any]:
    """Return ``(xp, x) -> xp.fft.<name>(x)``, curved so that it has a second derivative."""

    def transform(xp: Namespace, x: Array) -> Array:
        return getattr(xp.fft, name)(x * x, **options)

    return transform


def samples_of(name: str) -> list[Sample]:
    kind = "float64" if name in REAL else "complex128"

    def a(*shape: int) -> Any:
        return numbers(*shape, kind=kind)

    if name.endswith("shift"):
        rows: list[tuple[dict[str, Any], Any]] = [
            ({}, a(3, 4)),
            ({"axes": 1}, a(2, 5)),
            ({"axes": (0, -1)}, a(3, 2, 5)),
        ]
    elif name.endswith("n"):
        rows = [
            ({}, a(3, 4)),
            ({}, a(2, 5)),
            ({"axes": (1,), "norm": "ortho"}, a(2, 4, 2)),
            ({"axes": (-1, 0), "norm": "forward"}, a(3, 2, 4)),
            ({"s": (2, 5), "axes": (0, 1)}, a(3, 4)),
            ({"s": (4, 4), "axes": (0, -1), "norm": "ortho"}, a(3, 2, 6)),
        ]
    else:
        rows = [
            ({}, a(5)),
            ({}, a(2, 4)),
            ({"norm": "ortho"}, a(6)),
            ({"norm": "forward", "axis": 0}, a(5, 2)),
            ({"n": 3}, a(5)),
            ({"n": 4, "axis": -2}, a(6, 2)),
            ({"n": 9, "norm": "ortho"}, a(2, 4)),
            ({"n": 8, "axis": 0}, a(3, 2)),
        ]
    chunked = ("dask.array",)  # wants the axis in one chunk
    return [
        Sample(f"{name} {options} of {x.shape}", of(name, **options), (x,), not_on=chunked)
        for options, x in rows
    ]


SAMPLES = [sample for name in (*COMPLEX, *REAL) for sample in samples_of(name)]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_gradient_is_that_of_torch(sample: Sample, order: int) -> None:
    check_against_the_peer(sample, order)


@pytest.mark.parametrize("sample", SAMPLES[::5], ids=str)
def test_the_gradient_is_that_of_jax(sample: Sample) -> None:
    check_against_the_peer(sample._replace(peer="jax.numpy"), 1)


EVERYWHERE = [
    (sample, name)
    for sample in SAMPLES[::2]
    for name in LIBRARIES[1:]
    if name not in sample.not_on and name != "jax.numpy"
]


@pytest.mark.parametrize("sample, name", EVERYWHERE, ids=str)
def test_every_library_gives_the_gradients_of_numpy(sample: Sample, name: str) -> None:
    check_over(name, sample)


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "ifftn"])
def test_a_real_signal_has_a_real_gradient(name: str) -> None:
    check_against_the_peer(Sample(name, of(name), (numbers(2, 5),)), 2)


def test_half_a_spectrum_has_no_gradient_in_what_the_inverse_does_not_read() -> None:
    spectrum = numbers(3, kind="complex128")
    got = grad(lambda x: NP.sum(NP.fft.irfft(x) ** 2))(spectrum)
    assert got[0].imag == got[2].imag == 0.0
    assert abs(got[1].imag) > 0.0


def test_single_precision_stays_single() -> None:
    x: Any = np.asarray([1.0, 2.0, -1.0], dtype=np.float32)
    assert grad(lambda x: NP.sum(abs(NP.fft.rfft(x)) ** 2))(x).dtype == np.float32


def test_a_sequence_without_entries_in_another_axis_has_a_gradient_without_entries() -> None:
    for name in ("fft", "rfft"):
        x = numbers(0, 4, kind="float64" if name == "rfft" else "complex128")
        out, pullback = vjp(getattr(NP.fft, name), x)
        (got,) = pullback(out)
        assert (got.shape, got.dtype) == (x.shape, x.dtype)


def test_frequencies_are_constants() -> None:
    assert not NP.fft.fftfreq(4).requires_grad
    assert NP.fft.rfftfreq(4, d=0.5).tolist() == [0.0, 0.5, 1.0]


def test_a_filter_is_differentiated_over_every_library(array_library: Any) -> None:
    xp = namespace(array_library)
    x = tensor(array_library.asarray([1.0, -2.0, 0.5, 3.0], dtype=array_library.float64))
    low = xp.fft.irfft(xp.fft.rfft(x) * array_library.asarray([1.0, 0.5, 0.0]), n=4)
    xp.sum(low * low).backward()
    response = np.fft.irfft(np.fft.rfft(np.asarray([1.0, -2.0, 0.5, 3.0])) * [1.0, 0.25, 0.0], n=4)
    np.testing.assert_allclose(np.asarray(x.grad.array), 2 * response, atol=1e-14)
