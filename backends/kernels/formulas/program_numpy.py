"""A formula as a NumPy program: one call of a ufunc for each of its steps.

Written out as Python source, because a loop over the steps costs as much as a step on a small
array. There are two forms. `simple` leaves the memory of every result to NumPy. `Blockwise`
writes into buffers that are given to it, each of them used again as soon as what it holds has been
read for the last time, and selects by bits: ``np.where`` branches for every entry, which takes the
time of five exponentials::

    mask     = -(condition as integers), all bits or none
    selected = ((x ^ y) & mask) ^ y
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from portable_losses._typing import Array

from .trace import BOOL, CAST, SELECT, Formula, Place

__all__ = ["Blockwise", "Branching", "simple"]

GUARD = "guard"  # of an instruction: go on only if its operand holds nowhere

# With a scalar these leave NumPy's vectorised loops, with an array that holds it they do not.
SLOW_WITH_SCALARS = frozenset([np.maximum, np.minimum])
TAKING_OUT_BY_NAME = SLOW_WITH_SCALARS  # all others take it by position as well, which is quicker


def simple(formula: Formula) -> Callable[[Sequence[Array]], tuple[Array, ...]]:
    """Return the formula as a function of a list of arrays; it returns a tuple of arrays."""
    names = _Names(where=np.where)
    lines = [_unpack("v", range(formula.given), "arguments")]

    def text(x: Any) -> str:
        if isinstance(x, Place):
            return f"v{x.number}"
        return names.of(x, as_array=True)  # half as long on the way into a ufunc as a scalar

    for place, step in enumerate(formula.steps, formula.given):
        operands = ", ".join(map(text, step.operands))
        if step.operation == CAST:
            lines.append(f"v{place} = {operands}.astype({names.of(step.dtype)})")
        elif step.operation == SELECT:
            lines.append(f"v{place} = where({operands})")
        else:
            lines.append(f"v{place} = {names.of(step.operation)}({operands})")
    lines.append(f"return {''.join(text(x) + ', ' for x in formula.results)}")
    return names.function("arguments", lines)


class Blockwise:
    """A formula as a program on buffers, for arrays of one floating dtype.

    ``run(arguments, outs, buffers)`` writes the results to the arrays `outs`, or returns False when
    it meets an entry at which a guard holds. The `buffers` of a shape serve any number of blocks of
    that shape, one after the other.
    """

    def __init__(self, formula: Formula) -> None:
        self.dtype = formula.dtype
        self._names = _Names(copyto=np.copyto)
        self._count = {"f": 0, "b": 0}
        self._numbers: dict[str, Any] = {}  # what some buffers hold throughout
        self.run = self._written(formula)
        self.buffer_count = self._count["f"] + len(self._numbers)

    def buffers(self, shape: tuple[int, ...]) -> list[Array]:
        """Return the buffers for blocks of this shape, each with a view of its bits."""
        floats = np.empty((self._count["f"], *shape), self.dtype)
        bools: Array = np.empty((self._count["b"], *shape), bool)
        masks: Array = floats.view(self._names.integers(self.dtype))
        flags: Array = bools.view(np.int8)
        pairs = [*zip(floats, masks, strict=True), *zip(bools, flags, strict=True)]
        numbers = [np.full(shape, x) for x in self._numbers.values()]
        return [*(x for pair in pairs for x in pair), *numbers]

    def _written(self, formula: Formula) -> Callable[..., bool]:
        """Return the program: a buffer is used again once its value was read the last time."""
        instructions = list(_lowered(formula, self._names.integers(self.dtype)))
        last = {x: i for i, one in enumerate(instructions) for x in one.operands}
        held: dict[Any, str] = {Place(i): f"a{i}" for i in range(formula.given)}
        targets = {("result", i): f"o{i}" for i in range(len(formula.results))}
        free: dict[str, list[str]] = {"f": [], "b": []}
        integers = {"f": self._names.integers(self.dtype), "b": np.int8}
        views: dict[str, str] = {}
        lines: list[str] = []

        def text(x: Any, one: Instruction) -> str:
            """Return the name of an operand or result: of a register, its bits, or a number."""
            if x not in held:
                name = self._names.of(x)
                if one.function not in SLOW_WITH_SCALARS:
                    return name
                self._numbers[f"n{name}"] = x
                return f"n{name}"
            register = held[x]
            if not one.bits:
                return register
            if register[0] in "ao":
                views[f"v{register}"] = f"{register}.view({self._names.of(integers[one.kind])})"
            return f"v{register}"

        for i, one in enumerate(instructions):
            reads = [text(x, one) for x in one.operands]
            for x in {x for x in one.operands if x in held and last[x] == i}:
                if held[x][0] in free:  # before the result is placed: it may take its place
                    free[held[x][0]].append(held[x])
            if one.function == GUARD:
                lines.append(f"if {reads[0]}.any(): return False")
                continue
            register = targets.get(one.result)
            if register is None:
                register = free[one.kind].pop() if free[one.kind] else self._buffer(one.kind)
            held[one.result] = register
            out = text(one.result, one)
            named = f"out={out}" if one.function in TAKING_OUT_BY_NAME else out
            order = [out, *reads] if one.function is np.copyto else [*reads, named]
            lines.append(f"{self._names.of(one.function)}({', '.join(order)})")
        names = [f"{k}{i}, v{k}{i}, " for k in "fb" for i in range(self._count[k])]
        head = [
            _unpack("a", range(formula.given), "arguments"),
            _unpack("o", range(len(formula.results)), "outs"),
            f"[{''.join(names)}{', '.join(self._numbers)}] = buffers",
        ]
        head += [f"{name} = {view}" for name, view in views.items()]
        return self._names.function("arguments, outs, buffers", [*head, *lines, "return True"])

    def _buffer(self, kind: str) -> str:
        self._count[kind] += 1
        return f"{kind}{self._count[kind] - 1}"


class Branching:
    """A formula with rare conditions, as a program on buffers that leaves them out where it can.

    A block in which one of them holds somewhere is begun again, with all of the formula.
    """

    def __init__(self, formula: Formula) -> None:
        self._usual = Blockwise(formula.usual)
        self._whole = Blockwise(formula)
        self.dtype = formula.dtype
        self.buffer_count = self._usual.buffer_count

    def buffers(self, shape: tuple[int, ...]) -> list[Array]:
        """Return the buffers for usual blocks of this shape."""
        return self._usual.buffers(shape)

    def run(self, arguments: list[Array], outs: list[Array], buffers: list[Array]) -> None:
        """Write the results to the arrays `outs`."""
        if not self._usual.run(arguments, outs, buffers):
            self._whole.run(arguments, outs, self._whole.buffers(outs[0].shape))


class Instruction(NamedTuple):
    """A call of a function that writes: what it makes, of which kind, and from what.

    The kind is that of a buffer, "f" (numbers, and masks of their size) or "b" (bool). With
    ``bits``, operands and result are seen as integers.
    """

    result: Any
    function: Any
    operands: tuple[Any, ...]
    kind: str = "f"
    bits: bool = False


def _lowered(formula: Formula, integers: Any) -> Iterator[Instruction]:
    """Write the steps with what NumPy has, every selection by bits."""
    renamed: dict[Any, Any] = {}  # a result is written where it belongs
    for i, x in enumerate(formula.results):
        if isinstance(x, Place) and x.number >= formula.given and x not in renamed:
            renamed[x] = ("result", i)
    masks: set[Any] = set()
    sizes = _only_negated(formula)
    for i, step in enumerate(formula.steps, formula.given):
        place = renamed.get(Place(i), Place(i))
        operands = tuple(renamed.get(x, x) if isinstance(x, Place) else x for x in step.operands)
        if Place(i) in sizes:
            continue
        if step.operation is np.negative and step.operands[0] in sizes:  # -|x|: the sign bit
            of = sizes[step.operands[0]]
            sign = integers(np.iinfo(integers).min)
            yield Instruction(place, np.bitwise_or, (renamed.get(of, of), sign), bits=True)
            continue
        if step.operation != SELECT:
            function = np.copyto if step.operation == CAST else step.operation
            yield Instruction(place, function, operands, "b" if step.dtype == BOOL else "f")
            if Place(i) in formula.guards:
                yield Instruction(None, GUARD, (place,))
            continue
        condition, *chosen = operands
        mask = ("mask", condition)
        if mask not in masks:
            masks.add(mask)
            yield Instruction(("minus", condition), np.negative, (condition,), "b", True)
            yield Instruction(mask, np.copyto, (("minus", condition),), bits=True)
        yield from _selection(place, mask, *(_bits(x, integers) for x in chosen))
    for i, x in enumerate(formula.results):
        if renamed.get(x) != ("result", i):
            yield Instruction(("result", i), np.copyto, (renamed.get(x, x),))


def _only_negated(formula: Formula) -> dict[Place, Place]:
    """Return the sizes of which only the negative is asked for, and what they are sizes of."""
    steps = formula.steps
    sizes = {
        Place(i): step.operands[0]
        for i, step in enumerate(steps, formula.given)
        if step.operation is np.absolute
    }
    used = [x for step in steps if step.operation is not np.negative for x in step.operands]
    for x in (*used, *formula.results):
        if isinstance(x, Place):
            sizes.pop(x, None)
    return sizes


def _selection(place: Any, mask: Any, first: Any, second: Any) -> Iterator[Instruction]:
    """Select by bits between `first` and `second`, each an operand or an integer that is known."""
    known = [isinstance(x, np.integer) for x in (first, second)]
    if known[1] and second == 0:
        yield Instruction(place, np.bitwise_and, (first, mask), bits=True)
        return
    differing = first ^ second if all(known) else ("differing", place)
    if known[0] and first == 0:
        differing = second
    elif not all(known):
        yield Instruction(differing, np.bitwise_xor, (first, second), bits=True)
    yield Instruction(("masked", place), np.bitwise_and, (differing, mask), bits=True)
    yield Instruction(place, np.bitwise_xor, (("masked", place), second), bits=True)


def _bits(x: Any, integers: Any) -> Any:
    return x.view(integers) if isinstance(x, np.generic) else x


class _Names:
    """The names that a program knows, and what they stand for."""

    def __init__(self, **known: Any) -> None:
        self.known = dict(known)
        self.places: dict[Any, str] = {}

    def of(self, x: Any, *, as_array: bool = False) -> str:
        """Return the name of a function, dtype or number."""
        key = (type(x), x if callable(x) else repr(x))
        if key not in self.places:
            name = x.__name__ if isinstance(x, np.ufunc) else f"c{len(self.places)}"
            self.places[key] = name
            self.known[name] = np.asarray(x) if as_array else x
        return self.places[key]

    @staticmethod
    def integers(dtype: Any) -> Any:
        """Return the integers of the size of `dtype`."""
        return {4: np.int32, 8: np.int64}[dtype.itemsize]

    def function(self, parameters: str, lines: Iterable[str]) -> Callable[..., Any]:
        """Return a function of this source."""
        source = f"def run({parameters}):\n    " + "\n    ".join(lines)
        scope = dict(self.known)
        exec(source, scope)  # every name in it is ours, and every number has one
        run: Callable[..., Any] = scope["run"]
        run.__doc__ = source
        return run


def _unpack(letter: str, places: Iterable[int], name: str) -> str:
    return f"[{', '.join(f'{letter}{i}' for i in places)}] = {name}"
