"""What the environment switches."""

from os import environ

__all__ = ["kernels_are_off"]


def kernels_are_off() -> bool:
    """Say whether the environment switches the kernels off, and with them all of `Speed`."""
    value = environ.get(_SWITCH, "on")
    if value not in ("on", "off"):
        msg = f"`{_SWITCH}` must be on or off, got {value!r}"
        raise ValueError(msg)
    return value == "off"


_SWITCH = "PORTABLE_LOSSES_KERNELS"
