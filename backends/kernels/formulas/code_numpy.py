"""Machine code of a formula, called on NumPy arrays."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from portable_losses._typing import Array

from ..machine.blocks import in_blocks
from ..machine.memory_numpy import empty
from ..machine.team_numpy import team
from .aligned_numpy import aligned
from .machine_code import LARGE, PARTS
from .sums import total
from .trace import Formula
from .ufunc_numpy import as_sum, as_ufunc

__all__ = ["FEWEST", "Machine", "arranged", "targets_of"]

FEWEST = 2**16  # entries in all from which on blocks pay
SPAN = 2**17  # entries that machine code takes at once


class Machine:
    """A formula as machine code: a ufunc, called on blocks of large arrays."""

    def __init__(self, formula: Formula, code: Any, name: str, dtypes: Sequence[Any]) -> None:
        self.formula = formula
        self._code = code  # lives as long as the ufunc
        self.ufunc = as_ufunc(code.strided, name, dtypes, formula.given, code.flat)
        self._streaming = as_ufunc(code.streamed, name, dtypes, formula.given, code.flat)
        self._sizes = [np.dtype(d).itemsize for d in dtypes]
        if code.core:
            self._sums, self._means = (
                as_sum(code.core, name, dtypes, formula.given, (code.flat, mean)) for mean in (0, 1)
            )
        self._average: Any = None  # made when it is first asked for
        self.gradients: dict[Any, Machine | None] = {}  # of a pair with this value

    def __call__(
        self, given: Sequence[Array], size: int, into: Sequence[Any] = ()
    ) -> tuple[Any, ...]:
        """Return the results for the arrays `given`, the largest of which has this size.

        They are in `into`, where that has arrays.
        """
        if size < FEWEST:
            found = self.ufunc(*given, out=tuple(into)) if into else self.ufunc(*given)
            return found if isinstance(found, tuple) else (found,)
        shape, axis, parts = aligned(given)
        outs = targets_of(self.formula, shape, into)
        targets = [x.reshape(axis) for x in outs]
        large = size * sum(self._sizes) * PARTS.get() >= LARGE
        if len(axis) == 1 and all(x.flags.aligned and x.dtype.isnative for x in parts):
            arrays = [*parts, *targets]
            places = [x.__array_interface__["data"][0] for x in arrays]
            steps = [x.strides[0] if x.ndim else 0 for x in arrays]
            way, code = self._code.streamed if large else self._code.strided, self._code
            code.share(way, code.flat, places, steps, size, span=SPAN, team=team)
            return outs
        run = self._streaming if large else self.ufunc

        def work(block: slice) -> None:
            run(*[x[block] if x.ndim else x for x in parts], out=tuple([x[block] for x in targets]))

        in_blocks(work, axis[0], max(1, SPAN // max(1, math.prod(axis[1:]))))
        return outs

    def sum(self, given: Sequence[Array], divisor: float) -> tuple[Any, Sequence[Array]]:
        """Return the sum of the first result over a number, and the others over it.

        Operands have one shape and no gaps.
        """
        first = given[0]
        size, shape = first.size, first.shape
        run = self.adding(divisor, size) if size < FEWEST else None
        if run is None and size < FEWEST:
            out, others = self.averaged([x.reshape(-1) for x in given], divisor)
            return out, [x.reshape(shape) for x in others]
        if run is not None:
            if len(shape) == 1:
                found = run(*given)
                return (found[0], found[1:]) if found.__class__ is tuple else (found, ())
            found = run(*[x.reshape(-1) for x in given])
            if found.__class__ is not tuple:
                return found, ()
            return found[0], [x.reshape(shape) for x in found[1:]]
        others = [empty(shape, dtype) for dtype in self.formula.dtypes[1:]]
        places = [x.__array_interface__["data"][0] for x in (*given, *others)]
        skipped = self.formula.given  # the size of the first result
        sizes = [*self._sizes[:skipped], *self._sizes[skipped + 1 :]]
        added = total(self._code, places, sizes, size, 1 / divisor)
        return first.dtype.type(added / divisor), others

    def averaged(self, given: Sequence[Array], divisor: float) -> tuple[Any, Sequence[Array]]:
        """Return `sum` of few entries of one axis, over any number."""
        if self._average is None:
            self._average = self._code.averaging()
        first = given[0]
        others = [np.empty(first.shape, dtype) for dtype in self.formula.dtypes[1:]]
        number = np.empty((), self.formula.dtypes[0])
        places = [x.__array_interface__["data"][0] for x in (*given, *others, number)]
        self._average(*places, divisor, first.size)
        return number[()], others

    def adding(self, divisor: float, size: int) -> Any:
        """Return the ufunc of the sum of so many entries over a number; None if there is none."""
        if divisor not in (1, size) or not self._code.core:
            return None
        return self._sums if divisor == 1 else self._means

    def arranged(self, outs: tuple[Any, ...]) -> Any:
        """Return the results as the function returns them."""
        return arranged(self.formula, outs)


def arranged(formula: Formula, outs: tuple[Any, ...]) -> Any:
    """Return results as the function returns them."""
    if formula.several is None:
        return outs[0]
    found = iter(outs)
    return tuple([next(found) if there else None for there in formula.several])


def targets_of(
    formula: Formula, shape: tuple[int, ...], into: Sequence[Any] = ()
) -> tuple[Array, ...]:
    """Return arrays for the results, new ones where `into` has none."""
    given = into or (None,) * len(formula.dtypes)
    return tuple(
        [
            empty(shape, dtype) if x is None else x
            for dtype, x in zip(formula.dtypes, given, strict=True)
        ]
    )
