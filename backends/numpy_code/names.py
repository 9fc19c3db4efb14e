"""The table of NumPy's names: ``"sum"``, ``"linalg.norm"``, ``"fft.fft2"``, and what they stand for.

A function of the table has NumPy's signature, and `xp`, the namespace of the Tensors at hand, as a keyword. Of `xp` it uses the
standard's functions alone, so that it serves every library and is differentiated as often as one likes.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar

from portable_losses._tape import TapeArray

__all__ = ["FUNCTIONS", "array", "named", "stored"]

Function = TypeVar("Function", bound=Callable[..., Any])
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def named(*names: str) -> Callable[[Function], Function]:
    """Register a function under names of NumPy's.

    An `out` that its signature has is no concern of the function: who calls by name gets what stores the result there.
    """

    def register(function: Function) -> Function:
        known = signature(function).parameters
        entry = function
        if "out" in known:
            by_position = known["out"].kind is not Parameter.KEYWORD_ONLY
            entry = _with_out(function, list(known).index("out") if by_position else None)
        for name in names:
            if name in FUNCTIONS:
                msg = f"`{name}` is named twice"
                raise ValueError(msg)
            FUNCTIONS[name] = entry
        return function

    return register


def _with_out(function: Callable[..., Any], place: int | None) -> Callable[..., Any]:
    """Return `function`, whose result is stored in `out` where that is given."""

    def call(*args: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if place is not None and len(args) > place:
            out = args[place]
            args = (*args[:place], None, *args[place + 1 :])
        made = function(*args, **options)
        return made if out is None else stored(out, made, xp=options["xp"])

    call.__doc__ = function.__doc__
    call.__name__ = function.__name__
    return call


def stored(out: Any, made: Any, *, xp: Any) -> Any:
    """Return the Tensor `out`, updated in place to what was made; TypeError for any other array."""
    if isinstance(out, tuple) and len(out) == 1:
        (out,) = out
    if not isinstance(out, TapeArray):
        msg = (
            f"`out` must be a Tensor where a Tensor is computed with, got {type(out).__name__}: the gradient would be lost; "
            "leave `out` away and use the result"
        )
        raise TypeError(msg)
    out[...] = made if made.dtype == out.dtype else xp.astype(made, out.dtype)
    return out


def array(x: Any, *, xp: Any) -> Any:
    """Return `x` as a Tensor: a Tensor as it is, an array, a number or nested lists made one."""
    return x if isinstance(x, TapeArray) else xp.asarray(x)
