"""Methods that NumPy's arrays have not: functions of one array, and PyTorch's names of methods."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import portable_losses
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.methods import NumpyTensor

__all__ = ["Size", "SpelledTensor"]


def _function(name: str) -> Callable[..., Any]:
    """Return a method: the function `name` of the namespace."""

    def call(self: Any) -> Any:
        return getattr(library_of(self.array).tape, name)(self)

    call.__name__ = name
    call.__doc__ = f"``xp.{name}`` of this Tensor."
    return call


def _activation(name: str) -> Callable[..., Any]:
    """Return a method: the function `name` of ``portable_losses``."""

    def call(self: Any, /, **options: Any) -> Any:
        return getattr(portable_losses, name)(self, **options)

    call.__name__ = name
    call.__doc__ = f"``portable_losses.{name}`` of this Tensor."
    return call


class Size(int):
    """The number of entries, as NumPy has it; called it returns sizes, as PyTorch does."""

    _shape: tuple[int, ...]

    def __new__(cls, entries: int, shape: tuple[int, ...]) -> "Size":
        """Return the number `entries`, which knows the shape."""
        made = super().__new__(cls, entries)
        made._shape = shape
        return made

    def __call__(self, dim: int | None = None) -> Any:
        """Return the shape, or its entry `dim`."""
        return self._shape if dim is None else self._shape[dim]

    def __reduce__(self) -> Any:
        return int, (int(self),)


class SpelledTensor(NumpyTensor):
    """Functions as methods, and the methods of PyTorch's tensors."""

    __slots__ = ()

    abs = _function("abs")
    ceil = _function("ceil")
    cos = _function("cos")
    exp = _function("exp")
    expm1 = _function("expm1")
    floor = _function("floor")
    log = _function("log")
    log1p = _function("log1p")
    log2 = _function("log2")
    log10 = _function("log10")
    sign = _function("sign")
    sin = _function("sin")
    sqrt = _function("sqrt")
    square = _function("square")
    tanh = _function("tanh")
    relu = _activation("relu")
    sigmoid = _activation("sigmoid")

    def softmax(self, axis: int = -1, **options: Any) -> Any:
        """``portable_losses.softmax`` of this Tensor."""
        return portable_losses.softmax(self, axis=axis, **options)

    def log_softmax(self, axis: int = -1, **options: Any) -> Any:
        """``portable_losses.log_softmax`` of this Tensor."""
        return portable_losses.log_softmax(self, axis=axis, **options)

    def clip(self, *ends: Any, **options: Any) -> Any:
        """Return the entries between two ends, each of which may be left out.

        They are given by position, or as `min` and `max` (PyTorch, the standard), `a_min` and
        `a_max` (NumPy), `x_min` and `x_max`. The gradient is that of ``xp.clip``: 1 at the ends
        and between them, 0 outside.
        """
        if "out" in options or len(ends) > 2:  # NumPy's further arguments
            return super().clip(*ends, **options)
        given = dict(zip(("min", "max"), ends, strict=False))
        for name, end in options.items():
            plain = name.removeprefix("a_").removeprefix("x_")
            if plain not in ("min", "max") or plain in given:
                msg = f"`clip` takes `min` and `max`, each once, got `{name}`"
                raise TypeError(msg)
            given[plain] = end
        return library_of(self.array).tape.clip(self, **given)

    clamp = clip

    def view(self, *shape: Any) -> Any:
        """Return a view of another shape, given as a tuple or as numbers: `reshape`."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        if not sizes or not all(isinstance(n, Integral) for n in sizes):
            msg = (
                f"`view` takes a shape, got {', '.join(map(str, shape)) or 'nothing'}; "
                "`astype` converts to another dtype"
            )
            raise TypeError(msg)
        return library_of(self.array).tape.reshape(self, tuple(sizes))

    def unsqueeze(self, dim: int) -> Any:
        """Return a view with a new axis of size 1 at `dim`."""
        return library_of(self.array).tape.expand_dims(self, axis=dim)

    def repeat(self, *repeats: Any, axis: int | None = None) -> Any:
        """Repeat entries along an axis, as NumPy does, or the whole Tensor, as PyTorch does.

        ``t.repeat(repeats, axis)`` and ``t.repeat(repeats)`` are NumPy's wherever that means
        something. ``t.repeat(1, 3, 1)`` and ``t.repeat([1, 3, 1])``, a number for each axis, are
        PyTorch's: ``xp.tile``.
        """
        tiles = repeats[0] if len(repeats) == 1 else repeats
        if axis is None and isinstance(tiles, tuple | list) and self._are_tiles(repeats, tiles):
            return library_of(self.array).tape.tile(self, tuple(tiles))
        return super().repeat(*repeats, **({} if axis is None else {"axis": axis}))

    def _are_tiles(self, repeats: Any, tiles: Any) -> bool:
        """Say whether the arguments of `repeat` mean nothing to NumPy."""
        shape = self.shape
        if not all(isinstance(n, Integral) for n in tiles) or len(tiles) < max(1, len(shape)):
            return False
        if len(repeats) == 1:  # a list: one number for all entries, or one for each
            entries = 1
            for n in shape:
                entries *= n
            return len(tiles) not in (1, entries)
        return len(repeats) > 2 or not -len(shape) <= repeats[1] < len(shape)
