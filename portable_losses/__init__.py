"""Stable losses, activations and gradients for every Array API library."""

from importlib import import_module
from typing import Any

from portable_losses import activations, losses, special
from portable_losses._values import validation
from portable_losses.activations import *  # noqa: F403
from portable_losses.losses import *  # noqa: F403
from portable_losses.special import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["validation"]
__all__ += activations.__all__
__all__ += losses.__all__
__all__ += special.__all__


def __getattr__(name: str) -> Any:
    """Import ``portable_losses.autograd``, ``.nn`` and ``.optim`` when they are first used."""
    if name in ("autograd", "nn", "optim"):
        return import_module(f"portable_losses.{name}")
    msg = f"module 'portable_losses' has no attribute {name!r}"
    raise AttributeError(msg)
