"""A formula as a NumPy program: one call of a ufunc for each of its steps.

It serves where there is no machine code (`machine_code.py`). Written out as Python source, because
a loop over the steps costs as much as a step on a small array. There are two forms. `simple` leaves
the memory of every result to NumPy. `Blockwise` writes into buffers that are given to it, each of
them used again as soon as what it holds has been read for the last time.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from portable_losses._typing import Array

from .trace import BOOL, CAST, SELECT, Formula, Place

__all__ = ["Blockwise", "simple"]

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

    ``run(arguments, outs, buffers)`` writes the results to the arrays `outs`. The `buffers` of a
    shape serve any number of blocks of that shape, one after the other.
    """

    def __init__(self, formula: Formula) -> None:
        self.dtype = formula.dtype
        self._names = _Names(copyto=np.copyto, where=np.where)
        self._count = {"f": 0, "b": 0}
        self._numbers: dict[str, Any] = {}  # what some buffers hold throughout
        self.run = self._written(formula)
        self.buffer_count = self._count["f"] + len(self._numbers)

    def buffers(self, shape: tuple[int, ...]) -> list[Array]:
        """Return the buffers for blocks of this shape."""
        floats = np.empty((self._count["f"], *shape), self.dtype)
        bools: Array = np.empty((self._count["b"], *shape), bool)
        numbers = [np.full(shape, x) for x in self._numbers.values()]
        return [*floats, *bools, *numbers]

    def _written(self, formula: Formula) -> Callable[..., None]:
        """Return the program: a buffer is used again once its value was read the last time."""
        last = {
            x: i
            for i, step in enumerate(formula.steps, formula.given)
            for x in step.operands
            if isinstance(x, Place)
        }
        last.update({x: -1 for x in formula.results if isinstance(x, Place)})  # never free
        held: dict[Any, str] = {Place(i): f"a{i}" for i in range(formula.given)}
        targets = {x: f"o{i}" for i, x in enumerate(formula.results) if isinstance(x, Place)}
        free: dict[str, list[str]] = {"f": [], "b": []}
        lines: list[str] = []

        def text(x: Any, step: Any) -> str:
            """Return the name of an operand: of a register, or a number."""
            if isinstance(x, Place):
                return held[x]
            name = self._names.of(x)
            if step.operation in SLOW_WITH_SCALARS:
                self._numbers[f"n{name}"] = x
                return f"n{name}"
            return name

        for i, step in enumerate(formula.steps, formula.given):
            reads = [text(x, step) for x in step.operands]
            for x in {x for x in step.operands if isinstance(x, Place) and last[x] == i}:
                if held[x][0] in free:  # before the result is placed: it may take its place
                    free[held[x][0]].append(held[x])
            kind = "b" if step.dtype == BOOL else "f"
            out = targets.get(Place(i))
            if out is None:
                out = free[kind].pop() if free[kind] else self._buffer(kind)
            held[Place(i)] = out
            if step.operation == SELECT:
                lines.append(f"copyto({out}, where({', '.join(reads)}))")
            elif step.operation == CAST:
                lines.append(f"copyto({out}, {reads[0]})")
            else:
                named = f"out={out}" if step.operation in TAKING_OUT_BY_NAME else out
                lines.append(f"{self._names.of(step.operation)}({', '.join([*reads, named])})")
        for i, x in enumerate(formula.results):
            source = held[x] if isinstance(x, Place) else self._names.of(x)
            if source != f"o{i}":
                lines.append(f"copyto(o{i}, {source})")
        names = [f"{k}{i}, " for k in "fb" for i in range(self._count[k])]
        head = [
            _unpack("a", range(formula.given), "arguments"),
            _unpack("o", range(len(formula.results)), "outs"),
            f"[{''.join(names)}{', '.join(self._numbers)}] = buffers",
        ]
        return self._names.function("arguments, outs, buffers", [*head, *lines])

    def _buffer(self, kind: str) -> str:
        self._count[kind] += 1
        return f"{kind}{self._count[kind] - 1}"


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
