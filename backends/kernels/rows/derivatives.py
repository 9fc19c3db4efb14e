"""The gradient of a function of rows, as operations on symbols: what a tape does with arrays.

The function is written down once more, with marks: `STOP`, behind which everything is constant, and
`OUT`, a result of a pair, whose gradient is the pair's own. Then the list is walked back, and what
it has made is written into the formula that asks, without marks. The rules of single operations are
the tape's.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from portable_losses._backend import Arrays, Autodiff, Backend, Pair
from portable_losses._typing import Options

from ..formulas.trace import BOOL, CAST, FLOATS, SELECT, Place, Step, Untraceable, key_of
from .axes import C, N
from .trace import (
    LARGEST,
    LOST,
    PICK,
    SMALLEST,
    STRUCTURAL,
    SUM,
    RowNamespace,
    RowRecording,
    RowSymbol,
)

__all__ = ["DerivedNamespace"]

STOP, OUT = "stop", "out"
CONSTANT = (STRUCTURAL | {CAST}) - {SUM, LARGEST, SMALLEST}
NAMES = {np.absolute: "abs", np.power: "pow"}  # the standard's of ufuncs that have another
FLAT = (np.floor, np.ceil, np.trunc, np.rint, np.sign)


class DerivedNamespace(RowNamespace):
    """A namespace of rows in which a function has a gradient without one written by hand."""

    def __init__(self, recording: RowRecording, native: Sequence[str] = ()) -> None:
        super().__init__(recording, native)
        self._native_names = native
        own = self.__portable_losses_backend__

        def pull_back(
            function: Callable[..., Any], grad: Any, arrays: tuple[Any, ...], options: Options
        ) -> tuple[Any, ...]:
            return _pulled(self._recording, native, function, grad, arrays, options)

        self.__portable_losses_backend__ = Backend(
            own.name,
            Autodiff(pull_back=pull_back, differentiates=False),
            own.arrays,
            speed=own.speed,
        )


class _Marked(RowRecording):
    """A recording that marks what has a gradient of its own."""

    def __init__(self, outer: RowRecording, arrays: Sequence[Any]) -> None:
        super().__init__([x.dtype for x in arrays], [], outer.dtype)
        self.per_entry = [outer.per_entry[x.place.number] for x in arrays]
        self.outer, self.picks_largest = outer, outer.picks_largest
        self.arrays = arrays
        self.pairs: list[tuple[Pair, tuple[Any, ...], Options, Any, Any]] = []
        self.run_before: dict[Any, Any] = {}
        self.attach: Any = None  # of the namespace that marks

    def _picked_now(self, x: Place, at: Place) -> Any:
        """Return an entry: of an elementwise pair the pair of the entries, of another a step."""
        step = self.steps[x.number - self.count] if x.number >= self.count else None
        if step is None or not isinstance(step.operation, tuple):
            return super()._picked_now(x, at)
        if step.operation[0] == OUT and not self.pairs[step.operation[1]][0].elementwise:
            return self.made(PICK, (x, at), self.dtypes[x.number], (N, 1), per_entry=False).place
        if step.operation[0] == STOP:
            inside = self.picked(step.operands[0], at)
            return self.marked(self.symbol(inside.number), STOP).place
        pair, arrays, options, _, _ = self.pairs[step.operation[1]]
        given = [
            self.symbol(self.picked(y.place, at).number) if isinstance(y, RowSymbol) else y
            for y in arrays
        ]
        made = self.attach(pair, tuple(given), options)
        several = isinstance(made, tuple)
        return (made[step.operation[2]] if several else made).place

    def symbol(self, number: int, axes: tuple[Any, ...] | None = None) -> RowSymbol:
        """Return a value as a symbol."""
        if axes is None:
            axes = (N, C) if self.per_entry[number] else (N, 1)
        return RowSymbol(self, Place(number), self.dtypes[number], axes)

    def marked(self, x: Any, *mark: Any) -> Any:
        """Return the same value under a mark."""
        per_entry = self.per_entry[x.place.number]
        return self.made(mark, (x.place,), x.dtype, x.axes, per_entry=per_entry)


class _MarkingNamespace(RowNamespace):
    """The namespace in which a function is written down with marks."""

    _recording: Any

    def __init__(self, recording: _Marked, native: Sequence[str]) -> None:
        super().__init__(recording, native)
        self._plain = DerivedNamespace(recording, native)
        recording.attach = self._attach
        self.__portable_losses_backend__ = Backend(
            "formula",
            Autodiff(attach_gradient=self._attach, stop_gradient=self._stop),
            Arrays(device=lambda x: "cpu", python_scalars=True),
            speed=self.__portable_losses_backend__.speed,
        )

    def _stop(self, x: Any) -> Any:
        return self._recording.marked(x, STOP) if isinstance(x, RowSymbol) else x

    def _attach(self, pair: Pair, arrays: tuple[Any, ...], options: Options) -> Any:
        """Run a pair, and mark its results."""
        own = self._recording
        options = {**options, "xp": self._plain}
        places = tuple([(x.place, x.axes) if isinstance(x, RowSymbol) else x for x in arrays])
        key = pair.forward, places, key_of(options)
        if key not in own.run_before:
            made = pair.forward(*arrays, **options)
            listed = made if isinstance(made, tuple) else (made,)
            number = len(own.pairs)
            outs = tuple([own.marked(x, OUT, number, i) for i, x in enumerate(listed)])
            own.pairs.append((pair, arrays, options, outs, isinstance(made, tuple)))
            own.run_before[key] = outs if isinstance(made, tuple) else outs[0]
        return own.run_before[key]


def _pulled(
    outer: RowRecording,
    native: Sequence[str],
    function: Callable[..., Any],
    grad: Any,
    arrays: tuple[Any, ...],
    options: Options,
) -> tuple[Any, ...]:
    """Return the gradients of a function by its arrays, as symbols of `outer`; None: constant."""
    grads = grad if isinstance(grad, tuple) else (grad,)
    present = [x for x in arrays if x is not None]
    own = _Marked(outer, [*present, *grads])
    given = iter([own.symbol(i, x.axes) for i, x in enumerate(present)])
    inside = [None if x is None else next(given) for x in arrays]
    made = function(*inside, **{**options, "xp": _MarkingNamespace(own, native)})
    outs = made if isinstance(made, tuple) else (made,)
    seeds = [own.symbol(len(present) + i, x.axes) for i, x in enumerate(grads)]
    found = _walk(own, DerivedNamespace(own, native), outs, seeds)
    moved = _Moved(own)
    return tuple(
        [None if x is None or x.place not in found else moved(found[x.place], x) for x in inside]
    )


def _walk(
    own: _Marked, xp: DerivedNamespace, outs: Sequence[Any], seeds: Sequence[Any]
) -> dict[Place, Any]:
    """Return the gradients of all values that have one."""
    rules = import_module("portable_losses.autograd.rules").OPERATIONS
    found: dict[Place, Any] = {}
    last = len(own.dtypes)

    def add(place: Any, g: Any, *, per_entry: bool) -> None:
        """Add to the gradient of a value what a result, one per entry or per row, gives it."""
        if g is None or not isinstance(place, Place) or own.dtypes[place.number] not in FLOATS:
            return
        if per_entry and not own.per_entry[place.number]:
            if not isinstance(g, RowSymbol):
                raise Untraceable
            g = own.symbol(g.place.number)
            g = xp.sum(_as(g, (N, C)), axis=-1, keepdims=True)
        if isinstance(g, RowSymbol):
            g = own.symbol(g.place.number)
        found[place] = found[place] + g if place in found else g

    for out, seed in zip(outs, seeds, strict=True):
        add(out.place, seed, per_entry=own.per_entry[out.place.number])
    for number in range(last - 1, own.count - 1, -1):
        step = own.steps[number - own.count]
        operation = step.operation
        if isinstance(operation, tuple) and operation[0] == OUT:
            if operation[2] == 0:
                _through(own, own.pairs[operation[1]], found, add)
            continue
        g = found.get(Place(number))
        if g is None or operation in FLAT or own.dtypes[number] not in FLOATS:
            continue
        if isinstance(operation, tuple) or (isinstance(operation, str) and operation in CONSTANT):
            continue
        wide = own.per_entry[number]
        for place, part in zip(step.operands, _parts(own, xp, rules, number, step, g), strict=True):
            add(place, part, per_entry=wide or (operation in _SPREAD))
    return found


_SPREAD = (SUM, LARGEST, SMALLEST, PICK)  # what gives a row's gradient to entries


def _parts(
    own: _Marked, xp: DerivedNamespace, rules: Any, number: int, step: Step, g: Any
) -> Sequence[Any]:
    """Return what a step gives to its operands of the gradient of its result."""
    operation, operands = step.operation, step.operands
    if operation == SUM:
        return [g]
    if operation == PICK:
        there = xp.arange(own.sizes[C], dtype=np.dtype(np.int64)) == own.symbol(operands[1].number)
        return [xp.where(there, g, 0.0), None]
    given = [own.symbol(x.number) if isinstance(x, Place) else x for x in operands]
    out = own.symbol(number)
    if operation in (LARGEST, SMALLEST):
        ties = xp.astype(~(given[0] < out if operation == LARGEST else given[0] > out), out.dtype)
        return [g / xp.sum(ties, axis=-1, keepdims=True) * ties]
    if operation == SELECT:
        return [None, xp.where(given[0], g, 0.0), xp.where(given[0], 0.0, g)]
    name = NAMES.get(operation) or getattr(operation, "__name__", "")
    if name not in rules:
        raise Untraceable
    given = [float(x) if isinstance(x, np.floating) else x for x in given]
    made = []
    for x, rule in zip(operands, rules[name].rules, strict=True):
        moves = isinstance(x, Place) and own.dtypes[x.number] != BOOL
        made.append(rule(g, out, *given, xp=xp) if moves else None)
    return made


def _through(own: _Marked, called: Any, found: dict[Place, Any], add: Callable[..., None]) -> None:
    """Add the gradients of a pair's arrays."""
    pair, arrays, options, outs, several = called
    if not any(x.place in found for x in outs):
        return
    grads = [found[x.place] for x in outs if isinstance(found.get(x.place), RowSymbol)]
    if len(grads) < len(outs):
        raise Untraceable
    given = tuple([_as(g, x.axes) for g, x in zip(grads, outs, strict=True)])
    pulled = given if several else given[0]
    made: Sequence[Any]
    of = outs if several else outs[0]
    if pair.again is not None and own.picks_largest:
        made = pair.again(pulled, *arrays, **options)
    elif pair.rules:
        made = [
            None if x is None else rule(pulled, of, *arrays, **options)
            for rule, x in zip(pair.rules, arrays, strict=True)
        ]
    else:
        made = pair.backward(pulled, of, *arrays, **options)
    for x, g in zip(arrays, made, strict=True):
        if isinstance(x, RowSymbol) and isinstance(g, RowSymbol):
            add(x.place, g, per_entry=own.per_entry[g.place.number])
        elif g is not None and x is not None and not isinstance(g, RowSymbol):
            raise Untraceable


def _as(x: RowSymbol, axes: tuple[Any, ...]) -> RowSymbol:
    """Return the same value under other axes."""
    return RowSymbol(x.recording, x.place, x.dtype, axes)


class _Moved:
    """Writes values of a marked recording into the one that asked for them, without the marks."""

    def __init__(self, own: _Marked) -> None:
        self.own = own
        self.made: dict[Place, Any] = {
            Place(i): x.place if isinstance(x, RowSymbol) else x for i, x in enumerate(own.arrays)
        }

    def __call__(self, x: Any, like: RowSymbol) -> Any:
        """Return a value as a symbol with the axes of `like`, whose gradient it is."""
        outer = self.own.outer
        if not isinstance(x, RowSymbol):
            raise Untraceable
        place = LOST if like.axes == (C,) else self._moved(x.place)  # of weights, a sum over rows
        return RowSymbol(outer, place, x.dtype, like.axes)

    def _moved(self, place: Any) -> Any:
        """Return what a value is in the other recording."""
        if not isinstance(place, Place):
            return place
        if place in self.made:
            return self.made[place]
        todo, own = [place], self.own
        while todo:
            x = todo[-1]
            if x in self.made:
                todo.pop()
                continue
            step = own.steps[x.number - own.count]
            missing = [y for y in step.operands if isinstance(y, Place) and y not in self.made]
            if missing:
                todo += missing
                continue
            self.made[x] = self._step(x, step)
            todo.pop()
        return self.made[place]

    def _step(self, place: Place, step: Step) -> Any:
        """Write down one step."""
        own, outer = self.own, self.own.outer
        given = [self.made[x] if isinstance(x, Place) else x for x in step.operands]
        if isinstance(step.operation, tuple):
            return given[0]
        per_entry = own.per_entry[place.number]
        axes = (N, C) if per_entry else (N, 1)
        if step.operation == PICK:
            return outer.picked(*given)
        if isinstance(step.operation, str) and step.operation in STRUCTURAL:
            made = outer.made(step.operation, tuple(given), step.dtype, axes, per_entry=per_entry)
            return made.place
        symbols = [
            RowSymbol(outer, x, outer.dtypes[x.number], (N, C)) if isinstance(x, Place) else x
            for x in given
        ]
        found = outer.apply(step.operation, *symbols, dtype=step.dtype)
        return found.place if isinstance(found, RowSymbol) else found
