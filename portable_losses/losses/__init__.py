"""Loss functions: numbers that say how far an output is from its target."""

from portable_losses.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from portable_losses.losses.cross_entropy import cross_entropy, nll_loss
from portable_losses.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]
