"""Calls that a family of functions has rows of, beside `tests.samples.Sample`.

`raises` is a call with bad input, `Bad` a loss with one bad entry that may not be readable, `Peer`
a call that our function and PyTorch's take alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import Library

__all__ = ["Bad", "Case", "Make", "Peer", "each_reduction", "raises"]

Make = Callable[..., Array]
Case = tuple[Callable[[Make], Any], type[Exception], str]


def raises(
    function: str, error: type[Exception], message: str, *arrays: Any, **options: Any
) -> Case:
    """A call with NumPy arrays, which the library's own take the place of."""

    def call(make: Make) -> Any:
        named = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        positional = [make(a) if isinstance(a, np.ndarray) else a for a in arrays]
        return getattr(pl, function)(*positional, **named)

    return call, error, message


@dataclass(frozen=True, eq=False)
class Bad:
    """A loss of three entries, or rows, whose second one has something wrong with it."""

    loss: Callable[..., Array]
    x: Any
    target: Any
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    error: type[Exception] = ValueError

    def __str__(self) -> str:
        return f"{self.loss.__name__}-{' '.join(self.options) or self.target[1]}"

    def __call__(self, library: Library) -> tuple[Callable[[Array], Array], Array]:
        """The loss as a function of x alone, and x."""
        y = library.array(self.target, "float64")
        options = {
            k: library.array(v, "float64") if isinstance(v, np.ndarray) else v
            for k, v in self.options.items()
        }
        loss = lambda x: self.loss(x, y, reduction="none", **options)  # noqa: E731
        return loss, library.array(self.x, "float64")


@dataclass(frozen=True, eq=False)
class Peer:
    """A call that our function and torch's take alike.

    `name` is the function's in both libraries, or ours and torch's; `options` are for both, `ours`
    and `torchs` for one of them.
    """

    name: str | tuple[str, str]
    arrays: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    ours: dict[str, Any] = field(default_factory=dict[str, Any])
    torchs: dict[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        shown = {
            k: v if isinstance(v, int | float | str) else "..."
            for k, v in {**self.options, **self.ours}.items()
        }
        name = self.name if isinstance(self.name, str) else self.name[0]
        return f"{name} {np.shape(self.arrays[-1])} {shown}"


def each_reduction(name: str | tuple[str, str], *arrays: Any, **options: Any) -> list[Peer]:
    """Three rows, one for each way to reduce."""
    ours, torchs = options.pop("ours", {}), options.pop("torchs", {})
    return [
        Peer(name, arrays, {"reduction": r, **options}, ours, torchs)
        for r in ("mean", "sum", "none")
    ]
