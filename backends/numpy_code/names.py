"""The table of NumPy's names, ``"sum"``, ``"linalg.norm"``, and what they stand for.

A function of the table has NumPy's signature, and `xp`, the namespace of the Tensors at hand, as a
keyword. Of `xp` it uses the standard's functions alone, so that it serves every library and is
differentiated as often as one likes.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar

from portable_losses._tape import TapeArray

__all__ = ["FUNCTIONS", "REFUSED", "check_out", "dtype_of", "named", "stored"]

Function = TypeVar("Function", bound=Callable[..., Any])
FUNCTIONS: dict[str, Callable[..., Any]] = {}
REFUSED: dict[str, str] = {}  # of names that are not there: what to write instead


def named(*names: str) -> Callable[[Function], Function]:
    """Register a function under names of NumPy's.

    An `out` in its signature is no concern of the function: what is registered stores the result.
    """

    def register(function: Function) -> Function:
        known = signature(function).parameters
        entry: Callable[..., Any] = function
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
    check_out(out)
    kept: Any = out
    kept[...] = made if made.dtype == kept.dtype else xp.astype(made, kept.dtype)
    return kept


def check_out(out: Any) -> None:
    """Raise TypeError where a result is to be stored in what is no Tensor."""
    if not isinstance(out, TapeArray):
        msg = (
            f"`out` must be a Tensor beside Tensors, got {type(out).__name__}: its gradient would "
            "be lost; leave `out` away and use the result"
        )
        raise TypeError(msg)


def dtype_of(dtype: Any, *, xp: Any) -> Any:
    """Return the library's own dtype for what NumPy code says: ``float``, "float32", a NumPy dtype.

    A dtype that the library has not counts as its default one of that kind (float64 on JAX).
    """
    if dtype is None:
        return None
    name = _PYTHON_TYPES.get(dtype) or getattr(dtype, "name", None)
    if not isinstance(name, str):
        name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None)
    name = _SHORT.get(name, name)
    info = xp.__array_namespace_info__()
    found = info.dtypes().get(name)
    if found is not None:
        return found
    kind = _DEFAULTS.get(name)
    return dtype if kind is None else info.default_dtypes()[kind]


_PYTHON_TYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
_SHORT: dict[Any, str] = {
    **{kind.__name__: name for kind, name in _PYTHON_TYPES.items()},
    "?": "bool",
    "i4": "int32",
    "i8": "int64",
    "f4": "float32",
    "f8": "float64",
    "f": "float32",
    "d": "float64",
    "c8": "complex64",
    "c16": "complex128",
}
_DEFAULTS: dict[Any, str] = {
    "float64": "real floating",
    "complex128": "complex floating",
    "int64": "integral",
}
