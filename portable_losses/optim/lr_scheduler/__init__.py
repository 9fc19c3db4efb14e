"""Learning-rate schedules in PyTorch's spelling: functions of the step and of the first rate."""

from portable_losses.optim.lr_scheduler.cycles import CosineAnnealingLR, OneCycleLR
from portable_losses.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from portable_losses.optim.lr_scheduler.scheduler import LRScheduler, SequentialLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "SequentialLR",
    "StepLR",
]
