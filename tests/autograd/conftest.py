"""The `library` fixture: the array libraries that the tape is tried over."""

from importlib import import_module
from typing import Any

import pytest

LIBRARIES = ["numpy", "array_api_strict", "torch", "jax.numpy", "dask.array"]


def load(name: str) -> Any:
    module = pytest.importorskip(name)
    if name == "jax.numpy":
        import_module("jax").config.update("jax_enable_x64", True)
    return module


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    return load(request.param)
