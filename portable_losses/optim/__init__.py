"""Optimisers in PyTorch's spelling, with PyTorch's numbers, for every array library."""

from portable_losses.optim import lr_scheduler
from portable_losses.optim.adam import Adam, AdamW
from portable_losses.optim.clipping import clip_grad_norm_, clip_grad_value_
from portable_losses.optim.optimizer import Optimizer
from portable_losses.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]
