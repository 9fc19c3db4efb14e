"""Modules: functions with parameters, in PyTorch's spelling, for every array library.

A thin layer, not a framework. `Linear` makes its parameters with the library that ``xp`` names;
everything else goes by the arrays it is given.
"""

from typing import TYPE_CHECKING, Any

from portable_losses._names import meant
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


if not TYPE_CHECKING:  # a checker would take any name for one that there is

    def __getattr__(name: str) -> Any:
        """Refuse a name that there is not, with the one that is meant."""
        msg = f"module 'portable_losses.nn' has no attribute {name!r}"
        if not name.startswith("_"):
            msg += meant(name, __all__, {})
        raise AttributeError(msg)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*__all__, "__doc__", "__name__"])
