"""Modules: functions with parameters, in PyTorch's spelling, for every array library.

A thin layer, not a framework. `Linear` makes its parameters with the library that ``xp`` names;
everything else goes by the arrays it is given.
"""

from typing import Any

from portable_losses.nn import functions, init
from portable_losses.nn.containers import ModuleList, Sequential
from portable_losses.nn.functions import *  # noqa: F403
from portable_losses.nn.linear import Flatten, Identity, Linear
from portable_losses.nn.module import Module
from portable_losses.nn.parameter import Parameter
from portable_losses.nn.parametric import LinearCrossEntropyLoss, PReLU

__all__ = [
    "Flatten",
    "Identity",
    "Linear",
    "LinearCrossEntropyLoss",
    "Module",
    "ModuleList",
    "PReLU",
    "Parameter",
    "Sequential",
    "init",
]
__all__ += functions.__all__


def __getattr__(name: str) -> Any:
    """Find the classes that `functions` makes; type checkers cannot list them."""
    return getattr(functions, name)
