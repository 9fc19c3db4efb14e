"""NumPy's questions, whose answers are truth values, and its choices by truth values."""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import readable

from .elementwise import truth
from .mathematics import imag
from .names import named
from .operands import arrays, floating, is_complex, promoted, tensor

__all__ = ["choose", "isclose", "piecewise", "select", "where"]


# ---- comparisons ------------------------------------------------------------------------------


@named("isclose")
def isclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False, *, xp: Any
) -> Any:
    """Return where ``|a - b| <= atol + rtol * |b|``, equal infinities among them."""
    a, b = (stop_gradient(floating(x, xp=xp), xp=xp) for x in arrays(a, b, xp=xp))
    both = xp.isfinite(a) & xp.isfinite(b)
    near, size = (xp.where(both, x, 0.0) for x in (a, b))
    close = (a == b) | (both & (xp.abs(near - size) <= xp.abs(size) * rtol + atol))
    return close | ((a != a) & (b != b)) if equal_nan else close


@named("allclose")
def allclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False, *, xp: Any
) -> Any:
    """Return whether all entries are close."""
    return _answer(xp.all(isclose(a, b, rtol, atol, equal_nan, xp=xp)), xp=xp)


def _answer(x: Any, *, xp: Any) -> Any:
    """Return a truth value as Python's, where looking at it is free."""
    return bool(x) if readable(x, xp=xp) else x


@named("array_equal")
def array_equal(a1: Any, a2: Any, equal_nan: bool = False, *, xp: Any) -> Any:
    """Return whether two arrays have one shape and equal entries."""
    a1, a2 = arrays(a1, a2, xp=xp)
    if a1.shape != a2.shape:
        return False
    same = a1 == a2
    return _answer(xp.all(same | ((a1 != a1) & (a2 != a2)) if equal_nan else same), xp=xp)


@named("array_equiv")
def array_equiv(a1: Any, a2: Any, *, xp: Any) -> Any:
    """Return whether two arrays have equal entries once they are broadcast."""
    a1, a2 = arrays(a1, a2, xp=xp)
    sizes = zip(reversed(a1.shape), reversed(a2.shape), strict=False)
    fit = all(n == m or 1 in (n, m) for n, m in sizes)
    return fit and _answer(xp.all(a1 == a2), xp=xp)


# ---- kinds of numbers -------------------------------------------------------------------------


named("isreal")(lambda x, *, xp: imag(x, xp=xp) == 0)
named("iscomplex")(lambda x, *, xp: imag(x, xp=xp) != 0)
named("isrealobj")(lambda x, *, xp: not is_complex(tensor(x, xp=xp), xp=xp))
named("iscomplexobj")(lambda x, *, xp: is_complex(tensor(x, xp=xp), xp=xp))
named("isposinf")(lambda x, out=None, *, xp: tensor(x, xp=xp) == math.inf)
named("isneginf")(lambda x, out=None, *, xp: tensor(x, xp=xp) == -math.inf)


# ---- choices ----------------------------------------------------------------------------------


@named("where")
def where(condition: Any, x: Any = None, y: Any = None, /, *, xp: Any) -> Any:
    """Return `x` where a condition holds and `y` elsewhere; of a condition alone, where it does."""
    if x is not None and y is not None:
        try:
            return xp.where(condition, x, y)
        except (TypeError, RuntimeError):
            condition = truth(condition, (x, y), xp=xp)
            return xp.where(condition, *promoted(x, y, xp=xp))
    condition = tensor(condition, xp=xp)
    if x is None and y is None:
        return xp.nonzero(condition if condition.ndim else xp.reshape(condition, (1,)))
    msg = "`where` takes both `x` and `y`, or neither"
    raise ValueError(msg)


@named("select")
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0, *, xp: Any) -> Any:
    """Return the first choice whose condition holds, `default` where none does."""
    if len(condlist) != len(choicelist):
        msg = f"`condlist` and `choicelist` differ in length: {len(condlist)}, {len(choicelist)}"
        raise ValueError(msg)
    *choices, made = arrays(*choicelist, default, xp=xp)
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        made = xp.where(tensor(condition, made, xp=xp), choice, made)
    return made


@named("choose")
def choose(a: Any, choices: Sequence[Any], out: Any = None, mode: str = "raise", *, xp: Any) -> Any:
    """Return from each entry of `a` on the entry of the choice that it numbers."""
    made = arrays(*choices, xp=xp)
    a = tensor(a, made, xp=xp)
    count = len(made)
    if mode == "wrap":
        a = xp.remainder(a, count)
    elif mode == "clip":
        a = xp.clip(a, 0, count - 1)
    elif readable(a, xp=xp) and bool(xp.any((a < 0) | (a >= count))):
        msg = f"`a` must be in 0 ... {count - 1} to choose from {count} arrays"
        raise ValueError(msg)
    return reduce(lambda rest, i: xp.where(a == i, made[i], rest), range(count), made[0])


@named("piecewise")
def piecewise(
    x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, xp: Any, **kw: Any
) -> Any:
    """Return the functions' values where their conditions hold; a function sees those entries only.

    Of two conditions that hold the later one counts, and what comes after the last is for the rest.
    """
    x = tensor(x, xp=xp)
    alone = not isinstance(condlist, list | tuple) and getattr(condlist, "ndim", 0) < 2
    nested = isinstance(condlist, list | tuple) and isinstance(condlist[0], bool) and x.ndim
    conditions = [truth(c, x, xp=xp) for c in ([condlist] if alone or nested else condlist)]
    conditions = [xp.broadcast_to(c, x.shape) for c in conditions]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~reduce(lambda a, b: a | b, conditions))
    elif len(funclist) != len(conditions):
        msg = f"`funclist` must have {len(conditions)} functions or one more, got {len(funclist)}"
        raise ValueError(msg)
    made = xp.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        made = _placed(function, condition, x, made, args, kw, xp=xp)
    return made


def _placed(
    function: Callable[..., Any] | Any,
    condition: Any,
    x: Any,
    made: Any,
    args: tuple[Any, ...],
    options: dict[str, Any],
    *,
    xp: Any,
) -> Any:
    """Return `made` with the function's values, or the number `function`, under a condition."""
    if not callable(function):
        value = function if isinstance(function, int | float) else tensor(function, x, xp=xp)
        return xp.where(condition, value, made)
    entries = x[condition]
    if not entries.shape[0]:
        return made
    values = xp.astype(tensor(function(entries, *args, **options), x, xp=xp), made.dtype)
    values = xp.broadcast_to(values, entries.shape)
    return xp.where(condition, xp.scatter_add(x.shape, condition, values), made)
