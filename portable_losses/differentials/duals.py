"""Numbers with a derivative: ``Dual(value, tangent)``, over the arrays of any library.

An elementwise formula that runs on them computes its derivative beside its value, by the rules of
the tape and of the pairs, and nothing is recorded: of one entry, the rule that pulls a gradient
back is the one that pushes a tangent forward. Values may be symbols of a compiled formula, arrays,
traced ones too, or duals again, of which the second derivative comes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from portable_losses._backend import Arrays, Autodiff, Backend, Pair, backend_of
from portable_losses._gradient import attach_gradient
from portable_losses._polyfill import device_of, where
from portable_losses._typing import Array, Namespace, Options
from portable_losses.autograd.rules import EACH, OPERATIONS

__all__ = ["OPERATORS", "QUESTIONS", "Dual", "DualNamespace", "Inseparable", "Operators"]


class Inseparable(Exception):  # noqa: N818 - no error: another way is taken
    """A function asked for something that is not done entry by entry."""


OPERATORS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "add": lambda a, b: a + b,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_invert": lambda a: ~a,
    "bitwise_or": lambda a, b: a | b,
    "divide": lambda a, b: a / b,
    "equal": lambda a, b: a == b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "multiply": lambda a, b: a * b,
    "negative": lambda a: -a,
    "not_equal": lambda a, b: a != b,
    "pow": lambda a, b: a**b,
    "subtract": lambda a, b: a - b,
}
_COMPARISONS = frozenset(["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"])
_LOGIC = frozenset(
    ["bitwise_and", "bitwise_invert", "bitwise_or", "logical_and", "logical_not", "logical_or"]
)
QUESTIONS = frozenset(["isfinite", "isinf", "isnan", "signbit"]) | _COMPARISONS | _LOGIC
_NO_ARRAYS = frozenset(  # dtypes, numbers, questions about a dtype
    ["bool", "e", "finfo", "float32", "float64", "inf", "isdtype", "nan", "newaxis", "pi"]
)


def operator(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator of a class with a namespace `xp`, and its reflected form."""

    def forward(self: Any, other: Any, /) -> Any:
        if isinstance(other, Dual) and other.xp.depth > self.xp.depth:
            return NotImplemented
        return self.xp.apply(name, self, other)

    def reflected(self: Any, other: Any, /) -> Any:
        return self.xp.apply(name, other, self)

    return forward, reflected


class Operators:
    """The operators of an array, each a call of ``xp.apply(name, ...)``."""

    __slots__ = ()
    __array_ufunc__ = None  # a NumPy array at the left leaves the operation to this class
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise Inseparable

    __add__, __radd__ = operator("add")
    __sub__, __rsub__ = operator("subtract")
    __mul__, __rmul__ = operator("multiply")
    __truediv__, __rtruediv__ = operator("divide")
    __lt__, _ = operator("less")
    __le__, _ = operator("less_equal")
    __gt__, _ = operator("greater")
    __ge__, _ = operator("greater_equal")
    __eq__, _ = operator("equal")
    __ne__, _ = operator("not_equal")
    __pow__, _ = operator("pow")
    __and__, __rand__ = operator("bitwise_and")
    __or__, __ror__ = operator("bitwise_or")
    del _

    def __neg__(self: Any) -> Any:
        return self.xp.apply("negative", self)

    def __abs__(self: Any) -> Any:
        return self.xp.apply("abs", self)

    def __invert__(self: Any) -> Any:
        return self.xp.apply("bitwise_invert", self)


class Dual(Operators):
    """A value and how it changes: None where it is constant."""

    __slots__ = ("tangent", "value", "xp")

    def __init__(self, value: Array, tangent: Array | None, xp: "DualNamespace") -> None:
        self.value = value
        self.tangent = tangent
        self.xp = xp

    def __array_namespace__(self, *, api_version: str | None = None) -> "DualNamespace":
        return self.xp

    @property
    def dtype(self) -> Any:
        """The dtype of the value."""
        return self.value.dtype

    @property
    def shape(self) -> Any:
        """The shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        ndim: int = self.value.ndim
        return ndim


def _attach(pair: Pair, arrays: tuple[Any, ...], options: Options) -> Any:
    """Return the result of an elementwise pair, its derivative by the pair's own rules."""
    if not pair.elementwise:
        raise Inseparable(pair.forward.__name__)
    duals = options["xp"]
    inner = {**options, "xp": duals.inner}
    values = tuple([_value(x) for x in arrays])
    out = attach_gradient(pair, values, inner)
    moving = _moving(arrays)
    if not moving:
        return duals.constant(out)
    pushed = []
    for i in moving:
        tangent = arrays[i].tangent
        if pair.rules:
            pushed.append(pair.rules[i](tangent, out, *values, **inner))
        else:
            pushed.append(pair.backward(tangent, out, *values, **inner)[i])
    return Dual(out, _added(pushed), duals)


def _stop(x: Dual) -> Dual:
    """Return `x` as a constant, to what is underneath as well."""
    stop = backend_of(x.xp.inner).autodiff.stop_gradient
    return x.xp.constant(x.value if stop is None else stop(x.value))


_BACKEND = Backend(
    "duals",
    Autodiff(attach_gradient=_attach, stop_gradient=_stop),
    Arrays(device=lambda x: device_of(x.value, xp=x.xp.inner), python_scalars=True),
)


class DualNamespace:
    """The functions of a library on its arrays with a derivative."""

    __portable_losses_backend__ = _BACKEND

    def __init__(self, inner: Namespace) -> None:
        self.inner = inner
        self.depth: int = inner.depth + 1 if isinstance(inner, DualNamespace) else 1
        self.__name__ = f"portable_losses.duals.{inner.__name__}"
        self.__array_api_version__ = getattr(inner, "__array_api_version__", "2022.12")

    def __getattr__(self, name: str) -> Any:
        """Return a function of arrays with a derivative; Inseparable where it has none."""
        if name in OPERATIONS or name in QUESTIONS:
            return partial(self.apply, name)
        if name in _NO_ARRAYS:
            return getattr(self.inner, name)
        raise Inseparable(name)

    def constant(self, x: Array) -> Dual:
        """Return an array that does not change."""
        return Dual(x, None, self)

    def apply(self, name: str, *operands: Any) -> Any:
        """Return ``xp.<name>(*operands)`` with its derivative."""
        values = [_value(x) for x in operands]
        function = OPERATORS.get(name) or getattr(self.inner, name)
        out = function(*values)
        if name in QUESTIONS:
            return out
        moving = _moving(operands)
        if not moving:
            return self.constant(out)
        operation = OPERATIONS[name]
        if operation.form is not EACH:
            raise Inseparable(name)
        pushed = [
            operation.rules[i](operands[i].tangent, out, *values, xp=self.inner) for i in moving
        ]
        return Dual(out, _added(pushed), self)

    def where(self, condition: Any, x1: Any, x2: Any, /) -> Any:
        """``xp.where``."""
        condition = _value(condition)
        out = where(condition, _value(x1), _value(x2), xp=self.inner)
        moving = _moving((x1, x2))
        if not moving:
            return self.constant(out)
        tangents = [x.tangent if i in moving else 0.0 for i, x in enumerate((x1, x2))]
        return Dual(out, where(condition, *tangents, xp=self.inner), self)

    def astype(self, x: Any, dtype: Any, /, **_: Any) -> Any:
        """``xp.astype`` from bool, or to the same dtype."""
        if isinstance(x, Dual):
            if x.dtype == dtype:
                return x
            raise Inseparable
        return self.constant(self.inner.astype(x, dtype))

    def full(self, shape: Any, value: Any, /, **options: Any) -> Any:
        """``xp.full``."""
        return self.constant(self.inner.full(shape, value, **options))

    def zeros_like(self, x: Any, /, **options: Any) -> Any:
        """``xp.zeros_like``."""
        return self.constant(self.inner.zeros_like(_value(x), **options))

    def ones_like(self, x: Any, /, **options: Any) -> Any:
        """``xp.ones_like``."""
        return self.constant(self.inner.ones_like(_value(x), **options))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def _moving(operands: Sequence[Any]) -> list[int]:
    """Return the places of the operands that change."""
    return [i for i, x in enumerate(operands) if isinstance(x, Dual) and x.tangent is not None]


def _added(parts: list[Any]) -> Any:
    """Return the sum of the parts of a derivative."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
