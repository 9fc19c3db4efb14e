"""NumPy's reductions that leave NaN out: an entry that is left out has gradient 0."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._polyfill import readable

from .elementwise import truth
from .names import FUNCTIONS, named
from .operands import tensor
from .reductions import Axis, axes_of, max_, min_

__all__ = ["filled"]


def filled(a: Any, value: float, *, xp: Any) -> Any:
    """Return `a` with a number for NaN."""
    a = tensor(a, xp=xp)
    return a if xp.isdtype(a.dtype, ("integral", "bool")) else xp.where(a != a, value, a)


def _with_number(name: str, value: float) -> Callable[..., Any]:
    """Return a function of the table, of an array in which NaN is a number that changes nothing."""
    function = FUNCTIONS[name]

    def call(a: Any, *args: Any, xp: Any, **options: Any) -> Any:
        return function(filled(a, value, xp=xp), *args, xp=xp, **options)

    return call


def _where_numbers(name: str) -> Callable[..., Any]:
    """Return a function of the table, of the entries that are numbers."""
    function = FUNCTIONS[name]

    def call(a: Any, *args: Any, where: Any = True, xp: Any, **options: Any) -> Any:
        a = tensor(a, xp=xp)
        chosen = (a == a) if where is True else (a == a) & truth(where, a, xp=xp)
        return function(filled(a, 0.0, xp=xp), *args, where=chosen, xp=xp, **options)

    return call


for _name, _value in (("sum", 0.0), ("prod", 1.0), ("cumsum", 0.0), ("cumprod", 1.0)):
    named(f"nan{_name}")(_with_number(_name, _value))
for _name in ("mean", "var", "std"):
    named(f"nan{_name}")(_where_numbers(_name))


def _extreme(function: Callable[..., Any], last: float) -> Callable[..., Any]:
    """Return an extreme of numbers, where `last` is extreme in the other direction; NaN of none."""

    def call(
        a: Any,
        axis: Axis = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
        *,
        xp: Any,
    ) -> Any:
        a = tensor(a, xp=xp)
        made = function(filled(a, last, xp=xp), axis, None, keepdims, initial, where, xp=xp)
        if initial is not None or xp.isdtype(a.dtype, ("integral", "bool")):
            return made
        return xp.where(xp.all(a != a, axis=axes_of(axis), keepdims=keepdims), math.nan, made)

    return call


def _place(name: str, last: float) -> Callable[..., Any]:
    """Return where the first extreme number stands; ValueError where there is none."""
    function = FUNCTIONS[name]

    def call(a: Any, axis: int | None = None, *args: Any, xp: Any, **options: Any) -> Any:
        a = tensor(a, xp=xp)
        if readable(a, xp=xp) and bool(xp.any(xp.all(a != a, axis=axis))):
            msg = f"`nan{name}` found nothing but NaN"
            raise ValueError(msg)
        return function(filled(a, last, xp=xp), axis, *args, xp=xp, **options)

    return call


for _short, _function, _last in (("max", max_, -math.inf), ("min", min_, math.inf)):
    named(f"nan{_short}")(_extreme(_function, _last))
    named(f"nanarg{_short}")(_place(f"arg{_short}", _last))
