"""NumPy's `fft`: transforms along one axis, and along several as one after the other."""

from collections.abc import Callable
from typing import Any

from .axes import axes_of, axis_of
from .names import named
from .operands import floating, is_complex, tensor

__all__: list[str] = []

_REAL_INPUT = ("rfft", "ihfft")


def _one_axis(name: str) -> Callable[..., Any]:
    """Return NumPy's transform of that name along one axis."""

    def transform(
        a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None, *, xp: Any
    ) -> Any:
        return _transformed(name, a, n, axis, norm, xp=xp)

    transform.__doc__ = f"Return the transform `{name}` along one axis."
    return transform


def _transformed(name: str, a: Any, n: Any, axis: int, norm: Any, *, xp: Any) -> Any:
    """Return one transform along one axis, of real or complex numbers as it needs them."""
    a = floating(a, xp=xp)
    given = is_complex(a, xp=xp)
    if name in _REAL_INPUT:
        if given:
            msg = f"`{name}` takes real numbers, got {a.dtype}"
            raise TypeError(msg)
    elif not given:
        a = xp.astype(a, xp.complex64 if a.dtype == xp.float32 else xp.complex128)
    transform = getattr(xp.fft, name)
    return transform(a, n=n, axis=axis_of(axis, a.ndim), norm=norm or "backward")


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    named(f"fft.{_name}")(_one_axis(_name))


# ---- several axes -------------------------------------------------------------------------------


def _several_axes(name: str, axes: tuple[int, int] | None) -> Callable[..., Any]:
    """Return NumPy's transform along several axes, by default along `axes`."""
    one = name.rstrip("n2")

    def transform(
        a: Any, s: Any = None, axes: Any = axes, norm: Any = None, out: Any = None, *, xp: Any
    ) -> Any:
        a = floating(a, xp=xp)
        if axes is None:
            places = list(range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim))
        else:
            places = [axis_of(i, a.ndim) for i in axes]
        sizes = [None] * len(places) if s is None else list(s)
        if len(sizes) != len(places):
            msg = "Shape and axes have different lengths."
            raise ValueError(msg)
        # As in NumPy, -1 and None are the sizes that `a` has before any of the transforms.
        sizes = [a.shape[i] if n in (None, -1) else n for i, n in zip(places, sizes, strict=True)]
        if one == "irfft" and s is None:
            sizes[-1] = 2 * (a.shape[places[-1]] - 1)
        steps = list(zip(places, sizes, strict=True))
        # The last axis is the real one: first on the way there, last on the way back.
        for i, (axis, n) in enumerate(steps if one == "irfft" else reversed(steps)):
            last = i == (len(steps) - 1 if one == "irfft" else 0)
            step = one if last else {"irfft": "ifft", "rfft": "fft"}.get(one, one)
            a = _transformed(step, a, n, axis, norm, xp=xp)
        return a

    transform.__doc__ = f"Return the transform `{one}` along several axes."
    return transform


for _name in ("fft", "ifft", "rfft", "irfft"):
    named(f"fft.{_name}n")(_several_axes(f"{_name}n", None))
    named(f"fft.{_name}2")(_several_axes(f"{_name}2", (-2, -1)))


# ---- the order of frequencies -------------------------------------------------------------------


def _shift(name: str) -> Callable[..., Any]:
    """Return NumPy's `fftshift` or `ifftshift`, which rolls by half of an axis."""

    def shift(x: Any, axes: Any = None, *, xp: Any) -> Any:
        x = tensor(x, xp=xp)
        places = axes_of(axes, x.ndim)
        halves = [x.shape[i] // 2 if name == "fftshift" else -(x.shape[i] // 2) for i in places]
        return xp.roll(x, tuple(halves), axis=places)

    shift.__doc__ = f"Return the entries in the order of `{name}`."
    return shift


for _name in ("fftshift", "ifftshift"):
    named(f"fft.{_name}")(_shift(_name))
