"""Stable losses, activations and gradients for every Array API library."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from portable_losses import activations, losses, special
from portable_losses._values import validation
from portable_losses.activations import *  # noqa: F403
from portable_losses.losses import *  # noqa: F403
from portable_losses.special import *  # noqa: F403

__version__ = "0.1.0"
# Imported on first use, as is
_WITH_THE_TAPE = ("autograd", "data", "differentials", "nn", "objectives", "optim")
_FAMILIES = ("activations", "losses", "special")
_OF_THE_TAPE = ("Tensor", "no_grad", "tensor")
_OF_DIFFERENTIALS = ("Derivatives", "derivatives")
__all__ = ["validation"]
__all__.extend(_OF_THE_TAPE)  # pyright: ignore[reportUnsupportedDunderAll]  # `__getattr__` has them
__all__.extend(_OF_DIFFERENTIALS)  # pyright: ignore[reportUnsupportedDunderAll]
__all__ += activations.__all__
__all__ += losses.__all__
__all__ += special.__all__


if TYPE_CHECKING:  # a checker would take any name for one that there is
    from portable_losses import autograd as autograd
    from portable_losses import data as data
    from portable_losses import differentials as differentials
    from portable_losses import nn as nn
    from portable_losses import objectives as objectives
    from portable_losses import optim as optim
    from portable_losses.autograd import Tensor as Tensor
    from portable_losses.autograd import no_grad as no_grad
    from portable_losses.autograd import tensor as tensor
    from portable_losses.differentials import Derivatives as Derivatives
    from portable_losses.differentials import derivatives as derivatives
else:

    def __getattr__(name: str) -> Any:
        """Import the packages of the tape, and what comes from there, on first use."""
        if name in _WITH_THE_TAPE:
            return import_module(f"portable_losses.{name}")
        if name in _OF_THE_TAPE:
            return getattr(import_module("portable_losses.autograd"), name)
        if name in _OF_DIFFERENTIALS:
            return getattr(import_module("portable_losses.differentials"), name)
        msg = f"module 'portable_losses' has no attribute {name!r}"
        if not name.startswith("_"):  # a person wrote it
            msg += _meant(name)
        raise AttributeError(msg)


def _meant(name: str) -> str:
    """Return "; did you mean ...?", with the names of other libraries and of modules."""
    names, nn = import_module("portable_losses._names"), import_module("portable_losses.nn")
    modules = {one: f"nn.{one}" for one in nn.__all__}
    meant: str = names.meant(name, [*__all__, *_WITH_THE_TAPE], modules)
    return meant


def __dir__() -> list[str]:
    """Return the public names, with those that are imported on first use."""
    return sorted({*__all__, *_FAMILIES, *_WITH_THE_TAPE, "__version__", "__doc__", "__name__"})
