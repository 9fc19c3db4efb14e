"""What a loss does with its input, written down as it runs: an expression of operations and pairs.

The public function runs once on an `Expression`, which has the shape and dtype of its input. Its
checks read the arrays themselves; what it computes of the input, entry by entry, is kept as a list.
`Elementwise` is that list as a function of arrays, of which the derivative is computed in one pass.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from portable_losses._backend import Arrays, Autodiff, Backend, Pair, backend_of, namespace_of_type
from portable_losses._dtypes import narrow
from portable_losses._gradient import attach_gradient, stop_gradient
from portable_losses._notes import NOTE, Note
from portable_losses._plans import are_apart, key_of_call, may_repeat
from portable_losses._polyfill import device_of, readable, where
from portable_losses._tape import TapeArray, TapeNamespace, raw_array
from portable_losses._typing import Array, Namespace, Options
from portable_losses._values import validating
from portable_losses.autograd.rules import OPERATIONS
from portable_losses.differentials.duals import OPERATORS, QUESTIONS, Inseparable, Operators

__all__ = ["Elementwise", "expression_of"]

PAIR, FULL, STOP = "pair", "full", "stop"
SEED = 0  # the place of the input among the values
KEPT = 512  # losses, of arrays of some shapes, of which is known what they compute


class Operand(NamedTuple):
    """What an operation is applied to: an earlier value, an array given, or a number."""

    kind: str
    number: Any


class Operation(NamedTuple):
    """One operation: its name, or a pair, its operands and options."""

    name: str
    pair: Pair | None
    operands: tuple[Operand | None, ...]
    options: tuple[tuple[str, Any], ...]


class Expression(Operators, TapeArray):
    """An array of which is known how it comes from the input."""

    __slots__ = ("dtype", "place", "xp")
    recorded = False  # no plan of a Tensor's call may take it for one

    def __init__(self, place: int, dtype: Any, xp: "Recorder") -> None:
        self.place = place
        self.dtype = dtype
        self.xp = xp

    def __array_namespace__(self, *, api_version: str | None = None) -> "Recorder":
        return self.xp

    @property
    def array(self) -> Array:
        """The array itself, if this is the input; anything else has none."""
        return self.xp.seed if self.place == SEED else self

    @property
    def shape(self) -> Any:
        """The shape of the input."""
        return self.xp.seed.shape

    @property
    def ndim(self) -> int:
        """The number of axes of the input."""
        ndim: int = self.xp.seed.ndim
        return ndim

    @property
    def device(self) -> Any:
        """Where the input lies."""
        return _device(self.xp.seed)


class Read(Expression):
    """The input or an array given, of which the pass itself finds whether it is bad."""

    __slots__ = ("operand",)

    def __init__(self, operand: Operand, dtype: Any, xp: "Recorder") -> None:
        super().__init__(-1, dtype, xp)
        self.operand = operand


def _attach(pair: Pair, arrays: tuple[Any, ...], options: Options) -> Any:
    """Write down an elementwise pair; one that meets no expression is run."""
    recorder = options["xp"]
    if not any(isinstance(x, Expression) for x in arrays):
        return attach_gradient(pair, arrays, {**options, "xp": recorder.inner})
    if not pair.elementwise:
        raise Inseparable(pair.forward.__name__)
    plain = tuple([(name, x) for name, x in options.items() if name != "xp"])
    pair = pair._replace(kernel=None)
    return recorder.write(PAIR, arrays, recorder.seed.dtype, pair=pair, options=plain)


def _stop(x: Any) -> Any:
    """Return `x` as a constant."""
    if isinstance(x, Expression):
        return x.xp.write(STOP, (x,), x.dtype)
    return stop_gradient(x, xp=namespace_of_type(x))


def _readable(x: Any) -> bool:
    return not isinstance(x, Expression) and readable(x, xp=namespace_of_type(x))


def _device(x: Any) -> Any:
    x = x.xp.seed if isinstance(x, Expression) else x
    return device_of(x, xp=namespace_of_type(x))


_BACKEND = Backend(
    "expressions",
    Autodiff(attach_gradient=_attach, stop_gradient=_stop),
    Arrays(readable=_readable, device=_device, python_scalars=True),
)


class Recorder(TapeNamespace):
    """A namespace whose functions are written down where they meet an `Expression`."""

    __portable_losses_backend__ = _BACKEND

    def __init__(self, x: Array, inner: Namespace, read: Sequence[Array] = ()) -> None:
        self.inner = inner
        self.seed = x
        self.operations: list[Operation] = []
        self.given: list[Array] = []
        self.bad: Expression | None = None  # the mask of entries that are to raise
        self._read = read  # arrays that may be looked at in the pass
        self.__name__ = f"portable_losses.expressions.{inner.__name__}"
        self.__array_api_version__ = "2025.12"

    def __getattr__(self, name: str) -> Any:
        """Return a function of the library; one that meets an expression is written down."""
        found = getattr(self.inner, name)
        return partial(self.apply, name) if callable(found) and name != "isdtype" else found

    def apply(self, name: str, *operands: Any, **options: Any) -> Any:
        """Return ``xp.<name>(*operands)``."""
        met = [x for x in operands if isinstance(x, Expression)]
        if not met or (name in QUESTIONS and all(x.place == SEED for x in met)):
            values = [x.array if isinstance(x, Expression) else x for x in operands]
            return (OPERATORS.get(name) or getattr(self.inner, name))(*values, **options)
        if options or not (name in OPERATIONS or name in QUESTIONS):
            raise Inseparable(name)
        dtype = self.inner.bool if name in QUESTIONS else met[0].dtype
        return self.write(name, operands, dtype)

    def where(self, condition: Any, x1: Any, x2: Any, /) -> Any:
        """``xp.where``."""
        if not any(isinstance(x, Expression) for x in (condition, x1, x2)):
            return where(condition, x1, x2, xp=self.inner)
        return self.write("where", (condition, x1, x2), self.seed.dtype)

    def astype(self, x: Any, dtype: Any, /, **options: Any) -> Any:
        """``xp.astype``, of expressions from bool or to the same dtype."""
        if not isinstance(x, Expression):
            return self.inner.astype(x, dtype, **options)
        if x.dtype == dtype:
            return x
        if x.dtype != self.inner.bool or dtype != self.seed.dtype:
            raise Inseparable
        return self.write("astype", (x,), dtype)

    def full(self, shape: Any, value: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
        """``xp.full`` of a 0-d array, which has no value until it meets others."""
        if shape != () or dtype != self.seed.dtype or not isinstance(value, int | float):
            return self.inner.full(shape, value, dtype=dtype, device=device)
        return self.write(FULL, (value,), dtype)

    def broadcast_arrays(self, *arrays: Any) -> Any:
        """``xp.broadcast_arrays``: an operation broadcasts by itself."""
        return list(arrays)

    def takes_over(self, x: Array, bad: Callable[..., Any]) -> tuple[bool, Expression | None]:
        """Write down the mask of bad entries of `x`, which are to raise or to be marked."""
        if x.dtype != self.seed.dtype or not any(x is one for one in self._read):
            return False, None
        mask = bad(Read(self._operand(x), x.dtype, self), xp=self)
        if not validating():
            return True, mask
        self.bad = mask if self.bad is None else self.bad | mask
        return True, None

    def write(
        self,
        name: str,
        operands: tuple[Any, ...],
        dtype: Any,
        *,
        pair: Pair | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> Expression:
        """Write down an operation, and return what it makes."""
        written = tuple([None if x is None else self._operand(x) for x in operands])
        self.operations.append(Operation(name, pair, written, options))
        return Expression(len(self.operations), dtype, self)

    def _operand(self, x: Any) -> Operand:
        """Return what stands for `x` in an operation."""
        if isinstance(x, Read):
            return x.operand
        if isinstance(x, Expression) or x is self.seed:
            return Operand("value", SEED if x is self.seed else x.place)
        if isinstance(x, int | float):
            return Operand("number", x)
        if x.dtype not in (self.seed.dtype, self.inner.bool):
            raise Inseparable
        for i, given in enumerate(self.given):
            if given is x:
                return Operand("given", i)
        self.given.append(x)
        return Operand("given", len(self.given) - 1)


class Elementwise(NamedTuple):
    """A function of an input and other arrays, each entry of which depends on those beside it."""

    operations: tuple[Operation, ...]
    result: int
    bad: int | None  # where the mask of what raises is made; None: nothing is looked at
    text: str  # the same in words, which tells 0.0 from -0.0

    def __call__(
        self, x: Array, given: tuple[Array, ...], *, xp: Namespace
    ) -> tuple[Array, Array | None]:
        """Return the function of an array, symbol or dual, and the mask of bad entries."""
        values = [x]

        def operand(one: Operand | None) -> Any:
            if one is None:
                return None
            kind, number = one
            held: Any = {"value": values, "given": given}.get(kind)
            return number if held is None else held[number]

        for name, pair, operands, options in self.operations:
            found = [operand(one) for one in operands]
            if pair is not None:
                made = attach_gradient(pair, tuple(found), {"xp": xp, **dict(options)})
            elif name == FULL:
                made = xp.full((), found[0], dtype=x.dtype, device=device_of(x, xp=xp))
            elif name == STOP:
                stop = backend_of(xp).autodiff.stop_gradient
                made = found[0] if stop is None else stop(found[0])
            elif name == "astype":
                made = xp.astype(found[0], x.dtype)
            elif name == "where":
                made = where(*found, xp=xp)
            else:
                made = (OPERATORS.get(name) or getattr(xp, name))(*found)
            values.append(made)
        return values[self.result], None if self.bad is None else values[self.bad]


def expression_of(
    loss: Callable[..., Any],
    x: Array,
    others: tuple[Array, ...],
    options: Options,
    *,
    looks: bool,
    xp: Namespace,
) -> tuple[Elementwise, tuple[Array, ...]]:
    """Return what a loss computes of its input, and the arrays that meet it there.

    Where it `looks`, it may itself say which entries are bad, instead of an error. Inseparable
    where the loss does not compute entry by entry.
    """
    if not readable(x, xp=xp):  # no value is checked: arrays in one dtype from the start
        others = tuple([narrow(y, x.dtype, xp=xp) for y in others])
    arrays = (x, *others)
    repeats = may_repeat(x) is not None
    key = (key_of_call(arrays, options) or ()) if repeats else ()
    known = _KNOWN.get((loss, looks, *key)) if key else None
    if known is not None and all(test(arrays[i]) for i, test in known.tests):
        return known.formula, tuple([arrays[i] for i in known.given])
    looks = looks and options.get("where") is None
    recorder = Recorder(x, xp, arrays if looks else ())
    seed, note = Expression(SEED, x.dtype, recorder), Note()

    def run() -> Any:
        return loss(seed, *others, reduction="none", **options)

    made = _noted(run, note, recorder) if repeats else run()
    if not isinstance(made, Expression) or made.dtype != x.dtype:
        raise Inseparable
    bad = None if recorder.bad is None else recorder.bad.place
    what = (tuple(recorder.operations), made.place, bad)
    formula = Elementwise(*what, repr(what))
    if key and not note.looked and are_apart(arrays, {}):
        given = _places(recorder.given, arrays)
        tested = _places([raw_array(one) for one, _ in note.tests], arrays)
        if given is not None and tested is not None:
            if len(_KNOWN) >= KEPT:
                _KNOWN.clear()
            tests = tuple([(i, test) for i, (_, test) in zip(tested, note.tests, strict=True)])
            _KNOWN[loss, looks, *key] = Known(formula, given, tests)
    return formula, tuple(recorder.given)


def _noted(run: Callable[[], Any], note: Note, recorder: Recorder) -> Any:
    """Return what is run, with notes of what was looked at, and of what the recorder will."""
    note.takes_over = recorder.takes_over
    before = NOTE.set(note)
    try:
        return run()
    finally:
        NOTE.reset(before)


class Known(NamedTuple):
    """What a loss computes, and how that is found again: the places of arrays, tests of them."""

    formula: Elementwise
    given: tuple[int, ...]
    tests: tuple[tuple[int, Callable[[Array], bool]], ...]


_KNOWN: dict[Any, Known] = {}


def _places(found: Sequence[Array], arrays: Sequence[Array]) -> tuple[int, ...] | None:
    """Return where each of the arrays found is among these; None where one is not."""
    known = {id(x): i for i, x in enumerate(arrays)}
    places = [known.get(id(x)) for x in found]
    return None if None in places else tuple([i for i in places if i is not None])
