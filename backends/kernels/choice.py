"""Which kernels there are: none where the environment has ``PORTABLE_LOSSES_KERNELS=off``.

Without them every library runs the portable formulas, which is slower and as right: the switch is
for finding out whether a kernel is at fault. It is read when a library's first array is met.
"""

import os
from collections.abc import Mapping
from typing import Any

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

__all__ = ["by_device", "switched_off", "unless_off"]

VARIABLE = "PORTABLE_LOSSES_KERNELS"


def switched_off() -> bool:
    """Say whether the environment wants no kernels."""
    value = os.environ.get(VARIABLE, "on")
    if value not in ("on", "off"):
        msg = f"`{VARIABLE}` must be on or off, got {value!r}"
        raise ValueError(msg)
    return value == "off"


def unless_off(kernels: Mapping[str, Kernel]) -> Mapping[str, Kernel]:
    """Return `kernels`, or none where they are switched off."""
    return {} if switched_off() else kernels


def by_device(kernels: Mapping[str, Kernel]) -> Kernel:
    """Return one kernel that hands each call to that of the first array's type of device."""

    def accepts(*arrays: Any, **options: Any) -> bool:
        found = kernels.get(arrays[0].device.type)
        return found is not None and found.accepts(*arrays, **options)

    def run(
        pair: Pair, arrays: tuple[Array, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        return kernels[arrays[0].device.type].run(pair, arrays, options, wanted)

    return Kernel(accepts, run, min(one.gradients for one in kernels.values()))
