"""One kernel out of several, by the type of the device that the arrays lie on."""

from typing import Any

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

__all__ = ["by_device"]


def by_device(**kernels: Kernel) -> Kernel:
    """Return one kernel that hands each call to that of the first array's type of device."""

    def accepts(*arrays: Any, **options: Any) -> bool:
        found = kernels.get(arrays[0].device.type)
        return found is not None and found.accepts(*arrays, **options)

    def run(
        pair: Pair, arrays: tuple[Array, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        return kernels[arrays[0].device.type].run(pair, arrays, options, wanted)

    def takes(pair: Pair, arrays: tuple[Array, ...], options: Options) -> bool:
        found = kernels.get(arrays[0].device.type)
        return bool(found and found.takes and found.takes(pair, arrays, options))

    def ready(
        pair: Pair, arrays: tuple[Array, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        found = kernels.get(arrays[0].device.type)
        return found and found.ready and found.ready(pair, arrays, options, wanted)

    gradients = min(one.gradients for one in kernels.values())
    return Kernel(accepts, run, gradients, takes, ready=ready)
