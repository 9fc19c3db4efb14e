"""Modules made of modules."""

from collections.abc import Iterable, Iterator
from typing import Any

from portable_losses.nn.module import Module

__all__ = ["ModuleList", "Sequential"]


class _Numbered(Module):
    """Modules under the names "0", "1", ..."""

    def _append(self, module: Module) -> None:
        if not isinstance(module, Module):
            msg = f"`modules` must be Modules, got {type(module).__name__}"
            raise TypeError(msg)
        setattr(self, str(len(self)), module)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self))})"


class Sequential(_Numbered):
    """Modules one after the other.

    Parameters
    ----------
    *modules : Module
        Each is called with the result of the one before it. They are the attributes "0", "1" ...,
        and ``net[0]``.

    Raises
    ------
    TypeError
        One of `modules` is no Module.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> net(np.ones((5, 4))).shape
    (5, 1)
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Module) -> None:
        for module in modules:
            self._append(module)

    def append(self, module: Module) -> "Sequential":
        """Add a module at the end; return this one."""
        self._append(module)
        return self

    def forward(self, x: Any, /) -> Any:
        """Return what the last module makes of it."""
        for module in self:
            x = module(x)
        return x


class ModuleList(_Numbered):
    """A list of modules that the module it belongs to finds.

    Parameters
    ----------
    modules : iterable of Module, optional

    Raises
    ------
    TypeError
        One of `modules` is no Module.

    Examples
    --------
    >>> from portable_losses import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    >>> len(layers), len(list(layers.parameters()))
    (2, 4)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self._append(module)

    def append(self, module: Module) -> "ModuleList":
        """Add a module at the end; return this one."""
        self._append(module)
        return self
