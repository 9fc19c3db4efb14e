"""What an elementwise formula computes, as a list of operations, none of them twice.

A formula of this library is a function of arrays and of the namespace ``xp``. Here it runs once on
symbols, with a namespace that writes down every operation instead of computing it. What two parts
of a formula share, and what a function shares with its gradient, is written down once::

    x -> exp(-abs(x)) -> ...      1 = abs(x)    3 = exp(2)      5 = divide(1.0, 4)
                                  2 = negative(1)    4 = add(1.0, 3)

A formula that asks for anything else than entrywise operations of one floating dtype (a shape, a
value, an integer) is `Untraceable`: then the formula itself is called.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._backend import Arrays, Autodiff, Backend, Speed
from portable_losses._typing import Options

__all__ = ["Formula", "Step", "Symbol", "Untraceable", "key_of", "slopes_of", "trace"]

BOOL = np.dtype(bool)
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
SELECT, CAST = "select", "cast"  # the operations that are no ufunc

Operand = Any  # the number of a step, as `Place`, or a NumPy scalar


class Untraceable(Exception):  # noqa: N818 - no error: the formula itself is called
    """A formula asked for something that is no entrywise operation."""


class Place(NamedTuple):
    """The place of an argument or step among the values of a formula; equal to no number."""

    number: int


class Step(NamedTuple):
    """One operation: a NumPy ufunc or the name of another one, and what it is applied to."""

    operation: Any
    operands: tuple[Operand, ...]
    dtype: Any


class Formula(NamedTuple):
    """The first `given` values are the arguments; every step makes one more.

    `dtypes` are those of the results, `dtype` is the floating one of all values. A function that
    returns a tuple is `several`: there, of every entry, whether it is an array (or None).
    """

    given: int
    steps: tuple[Step, ...]
    results: tuple[Operand, ...]
    dtypes: tuple[Any, ...]
    dtype: Any
    several: tuple[bool, ...] | None = None


class Recording:
    """The steps so far."""

    def __init__(self, dtypes: Sequence[Any]) -> None:
        self.dtypes = list(dtypes)  # of all values
        self.steps: list[Step] = []
        self.known: dict[Any, Symbol] = {}
        self.negated: dict[Any, Symbol] = {}  # what the negative of a value is
        self.count = len(self.dtypes)

    def apply(self, operation: Any, *operands: Any, dtype: Any = None) -> "Symbol":
        """Write down an operation on symbols and scalars, unless it stands there already."""
        floats = {x.dtype for x in operands if hasattr(x, "dtype") and x.dtype != BOOL}
        like = next(iter(floats), None)
        conditions = any(x.dtype == BOOL for x in operands if isinstance(x, Symbol))
        if len(floats) > 1 or (floats and conditions and operation != SELECT):
            raise Untraceable
        given = tuple(_operand(x, like) for x in operands)
        if operation is np.negative and given[0] in self.negated:
            return self.negated[given[0]]
        if operation in (np.multiply, np.divide) and _is_one(given[1]):
            return operands[0]
        if operation is np.multiply and _is_one(given[0]):
            return operands[1]
        key = (operation, *((type(x), x if x == x else None, str(x)) for x in given))  # -0.0 == 0.0
        found = self.known.get(key)
        if found is None:
            if dtype is None:
                dtype = self._dtype(operation, given)
            found = Symbol(self, Place(len(self.dtypes)), dtype)
            self.dtypes.append(dtype)
            self.steps.append(Step(operation, given, dtype))
            self.known[key] = found
            if operation is np.negative:
                self.negated[found.place] = operands[0]
        return found

    def _dtype(self, operation: Any, operands: Sequence[Operand]) -> Any:
        """Return the dtype of an operation's result, by running it on ones."""
        samples = [
            np.ones((), self.dtypes[x.number])[()] if isinstance(x, Place) else x for x in operands
        ]
        with np.errstate(all="ignore"):
            dtype = operation(*samples).dtype
        if dtype != BOOL and dtype not in FLOATS:
            raise Untraceable
        return dtype


def _operand(x: Any, like: Any) -> Operand:
    """Return what stands for `x` in a step: a scalar takes the dtype of the array beside it."""
    if isinstance(x, Symbol):
        return x.place
    if isinstance(x, bool):
        raise Untraceable
    if isinstance(x, np.generic) and x.dtype == like:
        return x
    if like is None or not isinstance(x, int | float) or isinstance(x, np.generic):
        raise Untraceable
    return like.type(x)


def _is_one(x: Operand) -> bool:
    return not isinstance(x, Place) and bool(x == 1)


def _operator(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator that records a ufunc, and its reflected form."""
    function = getattr(np, name)

    def forward(self: "Symbol", other: Any, /) -> "Symbol":
        return self.recording.apply(function, self, other)

    def reflected(self: "Symbol", other: Any, /) -> "Symbol":
        return self.recording.apply(function, other, self)

    return forward, reflected


_POWERS = {-1: np.reciprocal, 0.5: np.sqrt, 2: np.square}  # as NumPy computes them


class Symbol:
    """An array of which only the dtype is known."""

    __slots__ = ("dtype", "place", "recording")
    __array_ufunc__ = None  # a NumPy scalar at the left leaves the operation to this class
    __hash__ = object.__hash__

    def __init__(self, recording: Recording, place: Place, dtype: Any) -> None:
        self.recording = recording
        self.place = place
        self.dtype = dtype

    def __bool__(self) -> bool:
        raise Untraceable

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("subtract")
    __mul__, __rmul__ = _operator("multiply")
    __truediv__, __rtruediv__ = _operator("divide")
    __lt__, _ = _operator("less")
    __le__, _ = _operator("less_equal")
    __gt__, _ = _operator("greater")
    __ge__, _ = _operator("greater_equal")
    __eq__, _ = _operator("equal")
    __ne__, _ = _operator("not_equal")
    __and__, __rand__ = _operator("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor")
    del _

    def __neg__(self) -> "Symbol":
        return self.recording.apply(np.negative, self)

    def __abs__(self) -> "Symbol":
        return self.recording.apply(np.absolute, self)

    def __invert__(self) -> "Symbol":
        return self.recording.apply(np.invert, self)

    def __pow__(self, exponent: Any) -> Any:
        """Record a power by a number, with the ufunc that NumPy would use."""
        if not isinstance(exponent, int | float):
            raise Untraceable
        if exponent in {0, 1}:
            return self if exponent else self.dtype.type(1)
        if exponent in _POWERS:
            return self.recording.apply(_POWERS[exponent], self)
        return self.recording.apply(np.power, self, exponent)


class RecordingNamespace:
    """The namespace in which a formula is written down instead of computed."""

    __name__ = "portable_losses.formula"
    __array_api_version__ = "2025.12"

    def __init__(self, recording: Recording, native: Iterable[str] = ()) -> None:
        self._recording = recording
        special = {name: partial(self._native, name) for name in native}
        self.__portable_losses_backend__ = Backend(
            "formula",
            Autodiff(differentiates=False),
            Arrays(device=lambda x: "cpu", python_scalars=True),
            speed=Speed(special=special),
        )

    def __getattr__(self, name: str) -> Any:
        """Return a function that records a ufunc, or a constant; Untraceable for anything else."""
        found = _WRAPPED.get(name) or getattr(xp_numpy, name, None)
        if isinstance(found, np.ufunc) and found.nout == 1:
            return lambda *operands: self._recording.apply(found, *operands)
        if name in _CONSTANTS:
            return found
        raise Untraceable(name)

    def _native(self, name: str, x: Any, *others: Any) -> Any:
        return self._recording.apply(name, x, *others, dtype=x.dtype)

    def where(self, condition: Any, x1: Any, x2: Any, /) -> Any:
        """``xp.where``."""
        if not isinstance(condition, Symbol):
            raise Untraceable
        dtypes = {x.dtype for x in (x1, x2) if hasattr(x, "dtype")}
        if len(dtypes) != 1 or BOOL in dtypes:
            raise Untraceable
        (dtype,) = dtypes
        x1, x2 = (dtype.type(x) if isinstance(x, int | float) else x for x in (x1, x2))
        return self._recording.apply(SELECT, condition, x1, x2, dtype=dtype)

    def astype(self, x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
        """``xp.astype`` from bool, or to the same dtype."""
        if x.dtype == dtype:
            return x
        if x.dtype != BOOL or np.dtype(dtype) not in FLOATS:
            raise Untraceable
        return self._recording.apply(CAST, x, dtype=np.dtype(dtype))

    def full(self, shape: Any, value: Any, /, *, dtype: Any, device: Any = None) -> Any:
        """``xp.full`` of a 0-d array."""
        if shape != ():
            raise Untraceable
        return np.dtype(dtype).type(value)

    def zeros_like(self, x: Any, /) -> Any:
        """``xp.zeros_like``, as a number."""
        return x.dtype.type(0)

    def ones_like(self, x: Any, /) -> Any:
        """``xp.ones_like``, as a number."""
        return x.dtype.type(1)


# Functions of array_api_compat, which for real numbers are ufuncs.
_WRAPPED = {"ceil": np.ceil, "floor": np.floor, "sign": np.sign, "trunc": np.trunc}
_CONSTANTS = frozenset(  # what has no operand: dtypes, numbers, questions about a dtype
    ["bool", "e", "finfo", "float32", "float64", "inf", "isdtype", "nan", "newaxis", "pi"]
)


def key_of(options: Options) -> tuple[Any, ...]:
    """Return what tells different options apart; 1, 1.0 and True are equal, as are 0.0 and -0.0.

    The namespace is left out: a formula is traced alike from each of a library's namespaces.
    """
    if len(options) == 1 and "xp" in options:
        return ()
    return tuple(
        [
            (name, kind := type(x), str(x) if kind in _SIGNED and not x else x)
            for name, x in options.items()
            if name != "xp"
        ]
    )


_SIGNED = frozenset([float, np.float16, np.float32, np.float64])  # types with a zero of each sign


def trace(
    function: Callable[..., Any],
    dtypes: Sequence[Any],
    options: Options,
    *,
    native: Iterable[str] = (),
) -> Formula:
    """Return the formula of ``function(*arrays, **options)``; the dtype None: an absent array.

    The special functions named `native` become a step each instead of our own formula.
    """
    recording, given = _start(dtypes)
    made = function(*given, **{**options, "xp": RecordingNamespace(recording, native)})
    listed = made if isinstance(made, tuple) else (made,)
    formula = _needed(recording, [_result(x) for x in listed if x is not None])
    if not isinstance(made, tuple):
        return formula
    return formula._replace(several=tuple([x is not None for x in made]))


def slopes_of(
    forward: Callable[..., Any],
    rules: Sequence[Callable[..., Any]],
    dtypes: Sequence[Any],
    options: Options,
    *,
    native: Iterable[str] = (),
) -> Formula:
    """Return the formula of forward, and of what each rule multiplies the gradient with.

    Untraceable where a rule is anything but such a product.
    """
    recording, given = _start(dtypes)
    options = {**options, "xp": RecordingNamespace(recording, native)}
    out = forward(*given, **options)
    if not isinstance(out, Symbol):
        raise Untraceable
    grad = Symbol(recording, Place(len(recording.dtypes)), out.dtype)
    recording.dtypes.append(out.dtype)
    recording.steps.append(Step(CAST, (), out.dtype))  # its place; nothing asks for it in the end
    results: list[Operand] = [out.place]
    for rule in rules:
        found = rule(grad, out, *given, **options)
        found = found[0] if isinstance(found, tuple) else found
        place = _result(found)
        if not isinstance(place, Place):
            raise Untraceable
        step = recording.steps[place.number - recording.count]
        if step.operation is not np.multiply or grad.place not in step.operands:
            raise Untraceable
        first, second = step.operands
        results.append(second if first == grad.place else first)
    formula = _needed(recording, results)
    if any(step.operation == CAST and not step.operands for step in formula.steps):
        raise Untraceable  # a slope that depends on the gradient
    return formula


def _start(dtypes: Sequence[Any]) -> tuple[Recording, list[Symbol | None]]:
    """Return a new recording and its arguments; Untraceable unless one floating dtype is given."""
    kinds = {d for d in dtypes if d is not None and d != BOOL}
    if len(kinds) != 1 or not kinds.issubset(FLOATS):
        raise Untraceable
    present = [d for d in dtypes if d is not None]
    recording = Recording(present)
    symbols = iter([Symbol(recording, Place(i), d) for i, d in enumerate(present)])
    return recording, [None if d is None else next(symbols) for d in dtypes]


def _result(x: Any) -> Operand:
    """Return the place of a result, or the number that it is."""
    if isinstance(x, np.generic) and x.dtype in FLOATS:
        return x
    if not isinstance(x, Symbol):
        raise Untraceable
    return x.place


def _needed(recording: Recording, results: Sequence[Operand]) -> Formula:
    """Return the formula of these results."""
    dtypes = recording.dtypes
    return _pruned(
        Formula(
            recording.count,
            tuple(recording.steps),
            tuple(results),
            tuple(dtypes[x.number] if isinstance(x, Place) else x.dtype for x in results),
            next(dtype for dtype in dtypes if dtype != BOOL),
        )
    )


def _pruned(formula: Formula) -> Formula:
    """Return the formula without the steps that no result or guard depends on."""
    count, steps = formula.given, formula.steps
    wanted = {x.number for x in formula.results if isinstance(x, Place)}
    for index in range(len(steps) - 1, -1, -1):
        if count + index in wanted:
            operands = steps[index].operands
            wanted.update(x.number for x in operands if isinstance(x, Place))
    kept = sorted(x for x in wanted if x >= count)
    places = {old: Place(new) for new, old in enumerate([*range(count), *kept])}

    def moved(x: Operand) -> Operand:
        return places[x.number] if isinstance(x, Place) else x

    needed = [steps[x - count] for x in kept]
    return formula._replace(
        steps=tuple([step._replace(operands=tuple(map(moved, step.operands))) for step in needed]),
        results=tuple(map(moved, formula.results)),
    )
