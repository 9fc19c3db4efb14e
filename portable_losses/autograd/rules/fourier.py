"""Rules of the Fourier transforms: each is linear, so its rule is its conjugate transpose.

The transpose of a transform is the one back, scaled the other way: the norms "backward" and
"forward" change places. Entries that were cut off get 0, padding is cut off again. Where only
half of a spectrum is stored, the other half mirrors it, and what is stored counts twice.
"""

from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._polyfill import device_of, where
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.complex_numbers import real
from portable_losses.autograd.rules.table import register

_SCALED_BACK = {"backward": "forward", "forward": "backward", "ortho": "ortho", None: "forward"}


def _resized(grad: Array, x: Array, *, xp: Namespace) -> Array:
    """Undo the cutting and padding of `x` along every axis."""
    for axis, size in enumerate(x.shape):
        missing = size - grad.shape[axis]
        if missing < 0:
            grad = grad[(*(slice(None),) * axis, slice(0, size), ...)]
        elif missing > 0:
            shape = (*grad.shape[:axis], missing, *grad.shape[axis + 1 :])
            home = device_of(x, xp=xp)
            rest = xp.zeros(shape, dtype=grad.dtype, device=home)
            grad = xp.concat([grad, rest], axis=axis)
    return grad


def _mirrored(grad: Array, axis: int, size: int, *, xp: Namespace) -> Array:
    """Double what a real signal of `size` entries has twice in its spectrum."""
    home = device_of(grad, xp=xp)
    places = xp.arange(grad.shape[axis], dtype=xp.int64, device=home)
    once = (places == 0) | (places * 2 == size)
    once = xp.reshape(once, (-1,) + (1,) * (grad.ndim - 1 - axis % grad.ndim))
    return where(once, grad, grad * 2, xp=xp)


def _one_axis(back: str, *, to_real: bool = False, from_real: bool = False) -> Callable[..., Any]:
    """Return the rule of a transform along one axis whose way back is `back`."""

    def rule(
        grad: Array,
        out: Array,
        x: Array,
        *,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = "backward",
        xp: Namespace,
    ) -> Array:
        transform, scaled = getattr(xp.fft, back), _SCALED_BACK[norm]
        if to_real:
            grad = _mirrored(transform(grad, axis=axis, norm=scaled), axis, out.shape[axis], xp=xp)
        else:
            size = (x.shape[axis] if n is None else n) if from_real else None
            grad = transform(grad, n=size, axis=axis, norm=scaled)
        return _resized(real(grad, xp=xp) if from_real else grad, x, xp=xp)

    return rule


def _axes(x: Array, s: Sequence[int] | None, axes: Sequence[int] | None) -> list[int]:
    if axes is not None:
        return list(axes)
    return list(range(x.ndim) if s is None else range(-len(s), 0))


def _many_axes(back: str, *, to_real: bool = False, from_real: bool = False) -> Callable[..., Any]:
    """Return the rule of a transform along several axes whose way back is `back`."""

    def rule(
        grad: Array,
        out: Array,
        x: Array,
        *,
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
        norm: str | None = "backward",
        xp: Namespace,
    ) -> Array:
        transform, scaled = getattr(xp.fft, back), _SCALED_BACK[norm]
        places = _axes(x, s, axes)
        sizes = [out.shape[i] for i in places]
        if from_real:  # the last axis holds half of the spectrum
            sizes[-1] = x.shape[places[-1]] if s is None else s[-1]
        grad = transform(grad, s=sizes, axes=places, norm=scaled)
        if to_real:
            grad = _mirrored(grad, places[-1], sizes[-1], xp=xp)
        return _resized(real(grad, xp=xp) if from_real else grad, x, xp=xp)

    return rule


register("fft.fft", _one_axis("ifft"))
register("fft.ifft", _one_axis("fft"))
register("fft.rfft", _one_axis("ifft", from_real=True))
register("fft.irfft", _one_axis("rfft", to_real=True))
register("fft.hfft", _one_axis("ihfft", to_real=True))
register("fft.ihfft", _one_axis("fft", from_real=True))
register("fft.fftn", _many_axes("ifftn"))
register("fft.ifftn", _many_axes("fftn"))
register("fft.rfftn", _many_axes("ifftn", from_real=True))
register("fft.irfftn", _many_axes("rfftn", to_real=True))
register("fft.fftshift", lambda grad, out, x, *, axes=None, xp: xp.fft.ifftshift(grad, axes=axes))
register("fft.ifftshift", lambda grad, out, x, *, axes=None, xp: xp.fft.fftshift(grad, axes=axes))
