"""Stable losses, activations and gradients for every Array API library."""

from portable_losses import activations, losses, special
from portable_losses._validation import validation
from portable_losses.activations import *  # noqa: F403
from portable_losses.losses import *  # noqa: F403
from portable_losses.special import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["validation"]
__all__ += activations.__all__
__all__ += losses.__all__
__all__ += special.__all__
