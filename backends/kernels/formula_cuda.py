"""A portable elementwise formula, written out as the body of one CUDA kernel.

The formula is run once, unchanged, on symbols in place of arrays: each operation adds a line of
CUDA C++ and returns the symbol of its result. What has no line here, or looks at a value, raises,
and the caller runs the formula as it stands.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from portable_losses._backend import Backend
from portable_losses._typing import Options

__all__ = ["Formula", "Symbol", "trace"]

TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double", np.dtype(bool): "bool"}
BOOL = np.dtype(bool)
INFINITIES = {
    "float": "__int_as_float(0x7f800000)",
    "double": "__longlong_as_double(0x7ff0000000000000LL)",
}
NANS = {
    "float": "__int_as_float(0x7fc00000)",
    "double": "__longlong_as_double(0x7ff8000000000000LL)",
}


class Formula(NamedTuple):
    """The lines of a body; the variables and types of what it takes and returns."""

    lines: tuple[str, ...]
    taken: tuple[tuple[str, str], ...]  # (type, name)
    returned: tuple[tuple[str, str] | None, ...]
    several: bool  # whether the function returns a tuple


class Symbol:
    """The value of an entry: a variable of a body."""

    __array_priority__ = 1000  # NumPy's numbers leave operators to us
    shape: tuple[int, ...] = ()
    ndim = 0

    def __init__(self, body: "Body", name: str, dtype: Any) -> None:
        self.body = body
        self.name = name
        self.dtype = dtype

    def __bool__(self) -> bool:
        msg = "a formula that looks at a value cannot be written out"
        raise TypeError(msg)

    def __add__(self, other: Any) -> "Symbol":
        return self.body.infix("+", self, other)

    def __radd__(self, other: Any) -> "Symbol":
        return self.body.infix("+", other, self)

    def __sub__(self, other: Any) -> "Symbol":
        return self.body.infix("-", self, other)

    def __rsub__(self, other: Any) -> "Symbol":
        return self.body.infix("-", other, self)

    def __mul__(self, other: Any) -> "Symbol":
        return self.body.infix("*", self, other)

    def __rmul__(self, other: Any) -> "Symbol":
        return self.body.infix("*", other, self)

    def __truediv__(self, other: Any) -> "Symbol":
        return self.body.infix("/", self, other)

    def __rtruediv__(self, other: Any) -> "Symbol":
        return self.body.infix("/", other, self)

    def __pow__(self, power: Any) -> "Symbol":
        if type(power) is int and power == 2:
            return self * self
        return NotImplemented

    def __neg__(self) -> "Symbol":
        return self.body.line(f"-{self.name}", self.dtype, self)

    def __abs__(self) -> "Symbol":
        return self.body.call("fabs", self)

    def __lt__(self, other: Any) -> "Symbol":
        return self.body.infix("<", self, other, BOOL)

    def __le__(self, other: Any) -> "Symbol":
        return self.body.infix("<=", self, other, BOOL)

    def __gt__(self, other: Any) -> "Symbol":
        return self.body.infix(">", self, other, BOOL)

    def __ge__(self, other: Any) -> "Symbol":
        return self.body.infix(">=", self, other, BOOL)

    def __eq__(self, other: Any) -> "Symbol":  # type: ignore[override]
        return self.body.infix("==", self, other, BOOL)

    def __ne__(self, other: Any) -> "Symbol":  # type: ignore[override]
        return self.body.infix("!=", self, other, BOOL)

    def __and__(self, other: Any) -> "Symbol":
        return self.body.logical("&&", self, other)

    def __or__(self, other: Any) -> "Symbol":
        return self.body.logical("||", self, other)

    def __invert__(self) -> "Symbol":
        return self.body.logical("!=", self, self.body.line("true", BOOL))

    __hash__ = None  # type: ignore[assignment]  # as arrays have none


class Body:
    """Lines of CUDA C++, each of which defines a variable; none stands there twice."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[tuple[str, Any], Symbol] = {}

    def line(self, expression: str, dtype: Any, *_: Symbol) -> Symbol:
        """Return the variable that holds `expression`."""
        key = (expression, dtype)
        if key not in self.known:
            name = f"v{len(self.lines)}"
            self.lines.append(f"const {TYPES[dtype]} {name} = {expression};")
            self.known[key] = Symbol(self, name, dtype)
        return self.known[key]

    def number(self, x: Any, dtype: Any) -> Symbol:
        """Return `x`, a Python number as one of `dtype`."""
        if isinstance(x, Symbol):
            if x.dtype != dtype:
                msg = f"{x.dtype} and {dtype} cannot be mixed"
                raise TypeError(msg)
            return x
        if not isinstance(x, bool | int | float) or isinstance(x, np.generic):
            msg = f"{type(x).__name__} is no number"
            raise TypeError(msg)
        return self.line(literal(float(x), dtype), dtype)

    def both(self, x1: Any, x2: Any) -> tuple[Symbol, Symbol]:
        """Return two symbols of one dtype."""
        dtype = x1.dtype if isinstance(x1, Symbol) else x2.dtype
        return self.number(x1, dtype), self.number(x2, dtype)

    def infix(self, sign: str, x1: Any, x2: Any, dtype: Any = None) -> Symbol:
        """Return ``x1 sign x2``."""
        a, b = self.both(x1, x2)
        if a.dtype == BOOL and dtype is None:
            msg = "bool does not count as a number"
            raise TypeError(msg)
        return self.line(f"{a.name} {sign} {b.name}", dtype or a.dtype)

    def logical(self, sign: str, x1: Any, x2: Any) -> Symbol:
        """Return ``x1 sign x2`` of two conditions."""
        a, b = self.number(x1, BOOL), self.number(x2, BOOL)
        return self.line(f"{a.name} {sign} {b.name}", BOOL)

    def call(self, function: str, x: Any) -> Symbol:
        """Return ``function(x)``, in the precision of x."""
        if x.dtype == BOOL:
            msg = "a condition is no argument of a function"
            raise TypeError(msg)
        suffix = "f" if TYPES[x.dtype] == "float" else ""
        return self.line(f"{function}{suffix}({x.name})", x.dtype)

    def where(self, condition: Any, x1: Any, x2: Any, /) -> Symbol:
        """Return x1 or x2."""
        a, b = self.both(x1, x2)
        chosen = self.number(condition, BOOL)
        return self.line(f"{chosen.name} ? {a.name} : {b.name}", a.dtype)

    def maximum(self, x1: Any, x2: Any, /) -> Symbol:
        """Return the larger, NaN where either is."""
        return self._extreme(">", x1, x2)

    def minimum(self, x1: Any, x2: Any, /) -> Symbol:
        """Return the smaller, NaN where either is."""
        return self._extreme("<", x1, x2)

    def _extreme(self, sign: str, x1: Any, x2: Any) -> Symbol:
        a, b = self.both(x1, x2)
        wins = f"{a.name} {sign} {b.name} || {a.name} != {a.name}"
        return self.line(f"({wins}) ? {a.name} : {b.name}", a.dtype)

    def astype(self, x: Symbol, dtype: Any, /, **_: Any) -> Symbol:
        """Return `x` as a number of `dtype`."""
        dtype = np.dtype(dtype)
        if dtype == x.dtype:
            return x
        if dtype == BOOL:
            msg = "a number does not count as a condition"
            raise TypeError(msg)
        return self.line(f"({TYPES[dtype]}){x.name}", dtype)

    def full(self, shape: Any, value: Any, *, dtype: Any, **_: Any) -> Symbol:
        """Return a constant."""
        if shape != ():
            msg = "only a number can be written out"
            raise TypeError(msg)
        return self.number(value, np.dtype(dtype))

    def full_like(self, x: Symbol, value: Any, /, **_: Any) -> Symbol:
        """Return a constant of the dtype of `x`."""
        return self.number(value, x.dtype)


def literal(value: float, dtype: Any) -> str:
    """Return `value`, rounded to `dtype`, in CUDA C++."""
    kind = TYPES[dtype]
    if kind == "bool":
        return "true" if value else "false"
    with np.errstate(over="ignore"):
        rounded = float(dtype.type(value))
    if math.isinf(rounded):
        return ("-" if rounded < 0 else "") + INFINITIES[kind]
    if math.isnan(rounded):
        return NANS[kind]
    return f"{rounded:.9e}f" if kind == "float" else f"{rounded:.17e}"


CALLS = {
    "abs": "fabs",
    **{
        name: name
        for name in (
            "exp", "expm1", "log", "log1p", "log2", "sqrt", "tanh", "sinh", "cosh", "sin", "cos",
            "tan", "floor", "ceil", "trunc", "atan", "asinh", "atanh",
        )
    },
}  # fmt: skip


def namespace(body: Body) -> Any:
    """Return the part of the Array API standard that can be written out, on symbols."""
    calls: dict[str, Callable[..., Symbol]] = {
        name: (lambda x, /, function=function: body.call(function, x))
        for name, function in CALLS.items()
    }
    own = {
        name: getattr(body, name)
        for name in ("where", "maximum", "minimum", "astype", "full", "full_like")
    }
    special = {name: (lambda x, n=name: body.call(n, x)) for name in ("erf", "erfc")}
    return SimpleNamespace(
        __name__="formula",
        __array_api_version__="2024.12",
        __portable_losses_backend__=Backend(
            "formula",
            readable=lambda x: False,
            device=lambda x: None,
            differentiates=False,
            python_scalars=True,
            special=special,
        ),
        float32=np.dtype(np.float32),
        float64=np.dtype(np.float64),
        bool=BOOL,
        isdtype=np.isdtype,
        finfo=np.finfo,
        zeros_like=lambda x, /, **_: body.number(0.0, x.dtype),
        ones_like=lambda x, /, **_: body.number(1.0, x.dtype),
        isnan=lambda x, /: x != x,
        isinf=lambda x, /: abs(x) == math.inf,
        isfinite=lambda x, /: abs(x) < math.inf,
        logical_and=lambda x1, x2, /: x1 & x2,
        logical_or=lambda x1, x2, /: x1 | x2,
        logical_not=lambda x, /: ~x,
        square=lambda x, /: x * x,
        add=lambda x1, x2, /: x1 + x2,
        subtract=lambda x1, x2, /: x1 - x2,
        multiply=lambda x1, x2, /: x1 * x2,
        divide=lambda x1, x2, /: x1 / x2,
        negative=lambda x, /: -x,
        sign=lambda x, /: body.where(
            x > 0, 1.0, body.where(x < 0, body.number(-1.0, x.dtype), body.where(x == x, 0.0, x))
        ),
        **calls,
        **own,
    )


def trace(function: Callable[..., Any], dtypes: tuple[Any, ...], options: Options) -> Formula:
    """Return ``function(*arrays, **options)`` for arrays of these dtypes; None is an absent one."""
    body = Body()
    taken = [
        None if d is None else Symbol(body, f"x{i}", np.dtype(d)) for i, d in enumerate(dtypes)
    ]
    if any(x is not None and x.dtype not in TYPES for x in taken):
        msg = f"no formula is written out for {dtypes}"
        raise TypeError(msg)
    found = function(*taken, **{**options, "xp": namespace(body)})
    results = found if isinstance(found, tuple) else (found,)
    return Formula(
        tuple(body.lines),
        tuple((TYPES[x.dtype], x.name) for x in taken if x is not None),
        tuple(None if x is None else (TYPES[x.dtype], x.name) for x in results),
        isinstance(found, tuple),
    )
