"""What the kernels of rows share on every GPU: which calls they take, and what surrounds a launch.

A launch writes its result and three statistics of each row, which the backward of the same call
reads. Forward and backward together read the logits twice and write a gradient once: the least
possible for two calls.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options
from portable_losses.losses._targets import Target

from ..cross_entropy.sweep import RowArguments
from ..trial.agreement import Case, Trials, checked, comparing
from ..trial.hard_rows import case_of_cross_entropy, case_of_rows

__all__ = ["Language", "RowStatistics", "kernels", "parts_of_cap", "tile"]

MOST_CLASSES = 2**31 - 2**13  # positions within a row are 32 bits

# Rows and classes of a tile, and the warps that work on it, for rows of up to so many classes. The
# last serves all longer rows, a piece after the other. Sixteen entries a thread, at most.
TILES = {32: (64, 32, 4), 128: (16, 128, 4), 512: (4, 512, 4), 2048: (1, 2048, 4)}
LAST_TILE = (1, 4096, 8)


class RowStatistics(NamedTuple):
    """What a forward found in every row; all three are float32 and int32, of shape (rows,)."""

    shift: Array  # the largest logit, NaN where that is not finite
    place: Array
    others: Array  # sum of the exponentials without the largest, NaN as above


class Language(NamedTuple):
    """How a library makes arrays, and where its kernels are.

    ``launches()`` returns them by name, and is first called when one is needed; ``serves(arrays)``
    says whether these arrays are of a kind that they take.
    """

    launches: Callable[[], dict[str, Callable[..., None]]]
    serves: Callable[[tuple[Array | None, ...]], bool]
    empty: Callable[[Array, tuple[int, ...], str | None], Array]
    contiguous: Callable[[Array], Array]
    trials: Trials


def tile(classes: int) -> tuple[int, int, int]:
    """Return rows and classes of a tile, and its warps."""
    return next((TILES[most] for most in TILES if classes <= most), LAST_TILE)


def widths(classes: int) -> tuple[int, ...]:
    """Return the lengths of rows at which to try the tile of `classes`: both ends, and odd ones."""
    before = 0
    for most in TILES:
        if classes <= most:
            return (1, 2, 5, most) if before == 0 else (before + 5, most)
        before = most
    return before + 5, 2 * LAST_TILE[1] + 16


def kernels(language: Language) -> dict[str, Kernel]:
    """Return the kernels of all functions of rows, by the names of the pairs."""
    made = {
        name: _kernel(language, name, keeps_axis=name != "logsumexp")
        for name in ("softmax", "log_softmax", "logsumexp")
    }
    return {"cross_entropy": _cross_entropy(language), **made}


# ---- softmax and its relatives ----------------------------------------------------------------


def _kernel(language: Language, name: str, *, keeps_axis: bool) -> Kernel:
    """Return the kernel of a function of one array of rows."""

    def accepts(x: Array, **_: Any) -> bool:
        return _serves(language, (x,))

    def run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
        (x,) = arrays
        z = _as_rows(language, x)
        out = language.empty(z, z.shape if keeps_axis else (z.shape[0], 1), None)
        statistics = _statistics(language, z)
        language.launches()[name](z, out, statistics)

        def backward(grad: Array, out: Array, x: Array, **_: Any) -> tuple[Array, ...]:
            z = _as_rows(language, x)
            by_z = language.empty(z, z.shape, None)
            given = _as_rows(language, grad), _as_rows(language, out), z
            language.launches()[f"{name}_slope"](*given, statistics, by_z)
            return (by_z.reshape(x.shape),)

        return out.reshape(x.shape if keeps_axis else (*x.shape[:-1], 1)), backward

    def kind(arrays: tuple[Any, ...], options: Options) -> tuple[Any, ...]:
        return (name, *widths(arrays[0].shape[-1]))

    def cases(arrays: tuple[Any, ...], options: Options) -> Iterator[Case]:
        for classes in widths(arrays[0].shape[-1]):
            yield case_of_rows(name, classes, options)

    return Kernel(accepts, checked(run, language.trials, kind, cases))


def _serves(language: Language, arrays: tuple[Any, ...]) -> bool:
    """Say whether a kernel takes these arrays, here and now."""
    shape = arrays[0].shape
    # the library first: under a trace it says no, and what follows cannot be traced
    return (
        language.serves(arrays) and 0 not in shape and shape[-1] <= MOST_CLASSES and not comparing()
    )


def _as_rows(language: Language, x: Array) -> Array:
    return language.contiguous(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]))


def _statistics(language: Language, z: Array) -> RowStatistics:
    """Return memory for the statistics of the rows of `z`."""
    rows = (z.shape[0],)
    shift, others = (language.empty(z, rows, "float32") for _ in range(2))
    return RowStatistics(shift, language.empty(z, rows, "int32"), others)


# ---- cross entropy ----------------------------------------------------------------------------


def _cross_entropy(language: Language) -> Kernel:
    """Return the kernel of cross entropy of class indices."""

    def accepts(z: Array, *arrays: Any, **_: Any) -> bool:
        target = Target(*arrays)
        simple = target.indices is not None and target.class_mask is None
        return simple and _serves(language, (z, target.indices, target.weight, target.row_mask))

    def run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
        given = _in_rows(language, arrays, options)
        lead, statistics = arrays[0].shape[:-1], _statistics(language, given.z)
        count = 1 + options["with_lse"]
        outs = [language.empty(given.z, given.z.shape[:1], None) for _ in range(count)]
        language.launches()["cross_entropy"](given, *_two(outs), statistics)

        def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
            given = _in_rows(language, arrays, options)
            by_z = language.empty(given.z, given.z.shape, None)
            grads = [language.contiguous(g.reshape(-1)) for g in grad]
            language.launches()["cross_entropy_slope"](given, *_two(grads), statistics, by_z)
            return by_z.reshape(arrays[0].shape), *(None for _ in arrays[1:])

        return tuple(out.reshape(lead) for out in outs), backward

    def kind(arrays: tuple[Any, ...], options: Options) -> tuple[Any, ...]:
        target = Target(*arrays[1:])
        smoothed, capped = options["label_smoothing"] > 0, options["softcap"] is not None
        given = target.weight is not None, target.row_mask is not None
        used = smoothed, capped, options["with_lse"]
        return ("cross_entropy", *given, *used, *widths(arrays[0].shape[-1]))

    def cases(arrays: tuple[Any, ...], options: Options) -> Iterator[Case]:
        target = Target(*arrays[1:])
        weighted, masked = target.weight is not None, target.row_mask is not None
        for classes in widths(arrays[0].shape[-1]):
            yield case_of_cross_entropy(classes, options, weighted=weighted, masked=masked)

    return Kernel(accepts, checked(run, language.trials, kind, cases))


def _in_rows(language: Language, arrays: tuple[Any, ...], options: Options) -> RowArguments:
    """Return the pair's arguments with one axis of rows, contiguous."""
    target = Target(*arrays[1:])
    given = target.indices, target.weight, target.row_mask
    index, weight, row = (_flat(language, x) for x in given)
    smoothing, cap = options["label_smoothing"], options["softcap"]
    z = _as_rows(language, arrays[0])
    return RowArguments(z, index, weight, row, smoothing, cap, options)


def parts_of_cap(given: RowArguments) -> tuple[float, float]:
    """Return the cap as a number of float32, and what that lacks; 0 where there is none."""
    cap = given.cap or 0.0
    bound = float(np.float32(cap))
    return bound, cap - bound


def _flat(language: Language, x: Any) -> Any:
    return None if x is None else language.contiguous(x.reshape(-1))


def _two(arrays: list[Array]) -> tuple[Array, Array | None]:
    return arrays[0], arrays[1] if len(arrays) > 1 else None
