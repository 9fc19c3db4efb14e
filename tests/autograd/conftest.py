"""The `array_library` fixture: the array libraries that the tape is tried over."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")  # read when jax is imported

from importlib import import_module
from typing import Any

import pytest

from tests.autograd.cases import LIBRARIES


@pytest.fixture(params=LIBRARIES)
def array_library(request: pytest.FixtureRequest) -> Any:
    return import_module(request.param)
