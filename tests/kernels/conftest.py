"""Fixtures of the kernels of a linear layer's cross entropy."""

from dataclasses import replace
from typing import Any

import pytest

from portable_losses import _backend
from portable_losses._backend import load_backend
from tests.kernels.linear_layer import KERNELS, kernel

NAME = "linear_cross_entropy"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two rows, and of sixteen entries within, so that small arrays have many."""
    monkeypatch.setattr(kernel, "FEWEST_ROWS", 2)
    monkeypatch.setattr(kernel, "BLOCK_BYTES", 1)
    monkeypatch.setattr(kernel, "PARTS", 1)
    monkeypatch.setattr(kernel, "EVEN", 1)
    monkeypatch.setattr(kernel, "PART_BYTES", 64)
    for name in KERNELS:
        found: Any = load_backend(name).speed.kernels[NAME]
        products = found.run.args[0]
        products = products._replace(library=products.library._replace(size=16))
        replace_kernel(monkeypatch, name, found._replace(run=found.run.func.__get__(products)))


def replace_kernel(monkeypatch: pytest.MonkeyPatch, name: str, new: Any) -> None:
    backend = load_backend(name)
    speed = replace(backend.speed, kernels={**backend.speed.kernels, NAME: new})
    changed = replace(backend, speed=speed)
    monkeypatch.setitem(_backend._LOADED, name, changed)


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The gradients that each sweep from now on was asked for, and made."""
    seen: list[tuple[int, ...]] = []
    sweep = kernel._sweep

    def counted(products: Any, work: Any, wanted: tuple[int, ...], grad: Any) -> Any:
        seen.append(wanted)
        out, made = sweep(products, work, wanted, grad)
        assert tuple(i for i, x in enumerate(made.grads) if x is not None) == wanted
        return out, made

    monkeypatch.setattr(kernel, "_sweep", counted)
    return seen
