"""Which kernel takes which array, and the switch that leaves none."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _environment
from portable_losses._backend import Kernel, load_backend
from tests.kernels.gpu_cases import KERNELS, PAIRS, RELATIVES, agreement, gpu_rows

ROOT = Path(pl.__file__).parents[1]


def test_no_kernel_of_a_gpu_takes_a_tensor_of_the_cpu() -> None:
    torch: Any = pytest.importorskip("torch")
    found: Any = import_module(f"{KERNELS}.gpu_rows.rows_torch").CUDA
    z, index = torch.ones(2, 3), torch.zeros(2, 1, dtype=torch.int64)
    options = {"label_smoothing": 0.0, "softcap": None, "with_lse": False}
    for name in RELATIVES:
        assert not found[name].accepts(z)
    given = (z, None, index, None, None, None)
    assert not found["cross_entropy"].accepts(*given, **options)
    assert load_backend("torch").speed.kernels["cross_entropy"].accepts(*given, **options)


def test_no_kernel_of_cupy_takes_another_array() -> None:
    pytest.importorskip("cupy")
    found: Any = load_backend("cupy").speed.kernels
    assert set(found) == set(PAIRS)
    assert not found["softmax"].accepts(np.ones((2, 3), np.float32))


def taking(serves: Any) -> dict[str, Kernel]:
    language = gpu_rows.Language(dict, serves, np.empty, np.ascontiguousarray, None)
    found: dict[str, Kernel] = gpu_rows.kernels(language)
    return found


def test_a_kernel_takes_what_its_language_serves_and_no_more() -> None:
    z: Any = np.ones((2, 3), np.float32)
    index: Any = np.zeros((2, 1), np.int64)
    options = {"label_smoothing": 0.1, "softcap": 2.0, "with_lse": True}
    kernels = taking(lambda _: True)
    accepts = kernels["cross_entropy"].accepts
    assert accepts(z, None, index, None, None, None, **options)
    assert not accepts(z, z, None, None, None, None, **options)
    assert not accepts(z, None, index, None, None, z > 0, **options)
    assert kernels["softmax"].accepts(z)
    assert not kernels["softmax"].accepts(z[:0])
    assert not taking(lambda _: False)["softmax"].accepts(z)
    with agreement._portable_alone():  # the reference of a trial is made of no kernel
        assert not kernels["softmax"].accepts(z)


def test_the_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_LOSSES_KERNELS", "none")
    with pytest.raises(ValueError, match="PORTABLE_LOSSES_KERNELS` must be on or off, got 'none'"):
        _environment.kernels_are_off()
