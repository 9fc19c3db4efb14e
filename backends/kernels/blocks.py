"""The documented name of `limit_workers`: how many threads kernels may use."""

from .machine.blocks import limit_workers

__all__ = ["limit_workers"]
