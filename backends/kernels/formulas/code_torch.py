"""Machine code of a formula, called on PyTorch tensors."""

__library__ = "torch"

from collections.abc import Sequence
from typing import Any

import torch

from portable_losses._typing import Array

from ..machine.memory_torch import laid_like
from ..machine.team_torch import team
from .machine_code import LARGE
from .sums import total
from .trace import Formula

__all__ = ["DTYPES", "FEWEST", "NAMES", "Code", "is_dense"]

FEWEST = 2**16  # entries from which on several threads pay
SPAN = 2**17  # entries that machine code takes at once
NAMES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.bool: "bool",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


class Code:
    """Machine code of one formula, called on tensors."""

    def __init__(self, formula: Formula, code: Any, dtypes: tuple[str, ...]) -> None:
        self._code = code  # lives as long as this
        self._run = code.function()
        self._sizes = [DTYPES[name].itemsize for name in dtypes]
        self._results = [DTYPES[name] for name in dtypes[formula.given :]]
        self._averaged: Any = code.averaging() if code.averaged else None

    def __call__(self, given: list[Array], like: Array, *beside: int) -> list[Array]:
        """Return the results, in the layout of `like`; operands in another one are copied.

        Addresses of results that all entries share stand `beside`.
        """
        count = like.numel()
        if count < FEWEST and like.is_contiguous():
            given = [x.contiguous() for x in given]
            outs = [torch.empty_like(like, dtype=dtype) for dtype in self._results]
            self._run(*[x.data_ptr() for x in given + outs], *beside, count)
            return outs
        if not like.is_contiguous() and not is_dense(like):
            like = like.contiguous()
        strides = like.stride()
        outs = [laid_like(like, dtype) for dtype in self._results]
        arrays = [*(x if x.stride() == strides else _laid_out(x, like) for x in given), *outs]
        places = [x.data_ptr() for x in arrays]
        repeated = any(_is_one_number(x) for x in arrays)
        if count < FEWEST and not repeated:
            self._run(*places, *beside, count)
            return outs
        code, pairs = self._code, zip(arrays, self._sizes, strict=True)
        steps = [0 if repeated and _is_one_number(x) else size for x, size in pairs]
        way = code.streamed if count * sum(self._sizes) >= LARGE else code.strided
        places, steps = [*places, *beside], [*steps, *(0 for _ in beside)]
        code.share(way, code.flat, places, steps, count, span=SPAN, team=team)
        return outs

    def few(self, like: Array, *, added: bool) -> Any:
        """Return this as a function of operands like `like`, without gaps and of few entries.

        And of a divisor: where they are `added`, the first result is the sum over that.
        """
        count, number = like.numel(), like.new_empty((), dtype=self._results[0])
        same = [dtype is like.dtype for dtype in self._results]
        run, averaged = self._run, self._averaged
        wanted = list(zip(self._results, same, strict=True))[added:]
        empty_like, place = torch.empty_like, torch.Tensor.data_ptr  # there is no large one

        def one(given: Sequence[Array], divisor: None) -> list[Array]:
            out = empty_like(given[0])
            run(*map(place, given), out.data_ptr(), count)
            return [out]

        def entries(like: Array) -> list[Array]:
            return [empty_like(like) if own else empty_like(like, dtype=d) for d, own in wanted]

        def each(given: Sequence[Array], divisor: None) -> list[Array]:
            outs = entries(given[0])
            run(*map(place, given), *map(place, outs), count)
            return outs

        def sums(given: Sequence[Array], divisor: float) -> list[Array]:
            result, others = empty_like(number), entries(given[0])
            averaged(*map(place, given), *map(place, others), result.data_ptr(), divisor, count)
            return [result, *others]

        return sums if added else one if same == [True] else each

    def sum(self, given: list[Array], divisor: int) -> tuple[Array, list[Array]]:
        """Return the sum of the first result over `divisor`, and the others; operands lie alike."""
        like = given[0]
        count, (dtype, *rest) = like.numel(), self._results
        others = [laid_like(like, one) for one in rest]
        places = [x.data_ptr() for x in given + others]
        if count < FEWEST:
            number = like.new_empty((), dtype=dtype)
            self._averaged(*places, number.data_ptr(), divisor, count)
            return number, others
        sizes = self._sizes[: len(given)] + self._sizes[len(given) + 1 :]
        added = total(self._code, places, sizes, count, 1 / divisor, team)
        return torch.tensor(added / divisor, dtype=dtype, device=like.device), others


def _is_one_number(x: Array) -> bool:
    """Say whether all entries of `x` are one number in memory: the gradient of a sum is."""
    strides = x.stride()
    return bool(strides) and not any(strides) and x.numel() > 1


def is_dense(x: Array) -> bool:
    """Say whether `x` has neither gaps nor entries that are one, in any order of its axes."""
    return bool(torch.ops.aten.is_non_overlapping_and_dense(x))


def _laid_out(x: Array, like: Array) -> Array:
    """Return `x` in the layout of `like`, or as it is where all of its entries are one number."""
    if _is_one_number(x):
        return x
    return torch.empty_like(like, dtype=x.dtype).copy_(x)
