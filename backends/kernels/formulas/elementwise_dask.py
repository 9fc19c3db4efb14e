"""Elementwise functions on Dask arrays: one task a chunk, in which the chunk's own library runs it.

A formula of thirty operations would be thirty tasks for every chunk, each of which passes over its
memory. In one task NumPy's machine code runs, the gradient as well. Nothing is computed while a
graph is built but the function on arrays without entries, which says how many results there are.
"""

__library__ = "dask"

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dask.array as da
from dask.array.utils import meta_from_array
from dask.base import tokenize

from portable_losses._backend import Kernel, Pair, namespace_of_type
from portable_losses._gradient import entrywise, made_by
from portable_losses._polyfill import knows_shape, total
from portable_losses._sums import summed_again, summed_pair, summed_with_gradient
from portable_losses._typing import Array, Namespace, Options

from .sent_dask import Sent
from .tasks_dask import (
    PROCESSORS,
    array_of,
    in_task,
    layer_of,
    part,
    run_chunk,
    sum_of_chunks,
    with_late,
)
from .trace import key_of

__all__ = ["ELEMENTWISE", "elementwise", "one_like", "several"]


def elementwise(function: Callable[..., Any], arrays: tuple[Any, ...], options: Options) -> Any:
    """Return ``function(*arrays, **options)``, one task a chunk where it has one result."""
    if not _fits(arrays, options):
        return function(*arrays, **options)
    found = _by_chunk(function, arrays, options)
    return function(*arrays, **options) if found is None else found


def _by_chunk(
    function: Callable[..., Any], arrays: tuple[Any, ...], options: Options
) -> Array | None:
    """Return the Dask array of the function of each chunk; None where it has several results."""
    own, late = _own(function, arrays, options)
    given = [*_aligned(arrays), *late]
    like = run_chunk(*_samples(given, late), chunks_in_all=1, **own)
    if isinstance(like, tuple):
        return None
    run = partial(run_chunk, chunks_in_all=given[0].npartitions, **own)
    return layer_of(_name(function, given, own), run, given, like)


def several(
    function: Callable[..., Any],
    arrays: tuple[Any, ...],
    options: Options,
    out: Sequence[Any] = (),
) -> Any:
    """Return the results of an elementwise function: a task a chunk, and one to take each."""
    first = arrays[0]
    shaped = [
        x if x.shape == first.shape or not knows_shape(first) else da.broadcast_to(x, first.shape)
        for x in arrays
    ]
    if not _fits(tuple(shaped), options):
        return function(*arrays, **options)
    own, late = _own(function, arrays, options)
    given = [x if x.chunks == first.chunks else x.rechunk(first.chunks) for x in shaped] + late
    like = run_chunk(*_samples(given, late), chunks_in_all=1, **own)
    name = f"several-{_name(function, given, own)}"
    run = partial(run_chunk, chunks_in_all=first.npartitions, **own)
    together = layer_of(name, run, given, first._meta)
    return tuple([part(together, i, x) for i, x in enumerate(like)])


def _own(
    function: Callable[..., Any], arrays: tuple[Any, ...], options: Options
) -> tuple[Options, list[Any]]:
    """Return what `run_chunk` is given beside chunks, and the options that are arrays."""
    plain, names, late = _apart(options)
    present = tuple([x is not None for x in arrays])
    own = {"function": Sent(function), "present": present, "options": plain, "late": names}
    return own, late


def _apart(options: Options) -> tuple[Options, tuple[str, ...], list[Any]]:
    """Return the options that are known, and the names and arrays of those that tasks read."""
    late = {name: x for name, x in options.items() if isinstance(x, da.Array)}
    plain = {name: x for name, x in options.items() if name != "xp" and name not in late}
    return plain, tuple(late), list(late.values())


def _samples(given: list[Any], late: list[Any]) -> list[Any]:
    """Return arrays without entries as the chunks are, and .5 for what tasks read (a share)."""
    return [x._meta for x in given[: len(given) - len(late)]] + [0.5] * len(late)


def _name(function: Callable[..., Any], given: list[Any], own: Options, *more: Any) -> str:
    """Return the name of what is made of a function and these arrays: the same for the same."""
    # Functions and pairs by identity: to look into one takes a millisecond.
    said = [id(x.it) if isinstance(x, Sent) else x for x in own.values()]
    token = tokenize(id(function), [x.name for x in given], said, *more)
    return f"{function.__name__.strip('_<>')}-{token}"


def _aligned(arrays: tuple[Any, ...]) -> list[Any]:
    """Return the arrays that are present, in the chunks of the one that has most."""
    given = [x for x in arrays if x is not None]
    chunks = max(given, key=lambda x: x.npartitions).chunks
    return [x if x.chunks == chunks or not x.ndim else x.rechunk(chunks) for x in given]


def _gradient(pair: Pair, place: int) -> Callable[..., Any]:
    """Return the gradient by the array at `place`, as one function of ``(grad, *arrays)``."""
    key = pair.forward, pair.backward, place
    found = _GRADIENTS.get(key)
    if found is not None:
        return found

    def gradient(grad: Any, *arrays: Any, **options: Any) -> Any:
        out = pair.forward(*arrays, **options)
        if pair.rules:
            return pair.rules[place](grad, out, *arrays, **options)
        return pair.backward(grad, out, *arrays, **options)[place]

    gradient.__name__ = f"{pair.forward.__name__}_gradient"
    made_by(gradient, _gradient, pair, place)
    if len(_GRADIENTS) > KEPT:
        _GRADIENTS.clear()
    _GRADIENTS[key] = gradient
    return gradient


_GRADIENTS: dict[Any, Callable[..., Any]] = {}  # one function each, so that it is compiled once
KEPT = 512


def _accepts(*arrays: Any, **options: Any) -> bool:
    return _fits(arrays, options)


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the value and a backward: a task for each chunk, in backward one for each gradient."""
    if pair.summand is not None:
        return _run_summed(pair, arrays, options, wanted)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Array | None, ...]:
        if not isinstance(grad, da.Array) or not _fits(arrays, options):
            found: tuple[Array | None, ...] = pair.backward(grad, out, *arrays, **options)
            return found
        return _gradients(pair, grad, arrays, options, wanted)

    return pair.forward(*arrays, **options), backward


def _gradients(
    pair: Pair, grad: Array, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> tuple[Array | None, ...]:
    """Return the gradients by the arrays at the places `wanted`."""
    given = grad, *arrays
    return tuple(
        [
            _by_chunk(_gradient(pair, i), given, options) if i in wanted else None
            for i in range(len(arrays))
        ]
    )


def _sums(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether the sum of these arrays has a task a chunk."""
    first = arrays[0]
    own = first.ndim and first.dtype.itemsize >= _FLOAT
    return bool(own) and _fits(arrays, options)


_FLOAT = 4  # bytes of float32: half dtypes are computed in another


def _run_summed(
    pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Any:
    """Return the sum of the summand over the divisor, and a backward: each a task a chunk.

    A sum whose gradient by the first array is asked for is computed with its slope, in one task.
    """
    each: Any = pair.summand
    divisor = options["divisor"]
    plain, names, late = _apart({name: x for name, x in options.items() if name != "divisor"})
    given, present = [*_aligned(arrays), *late], tuple([x is not None for x in arrays])
    first, sloped = given[0], wanted == (0,)
    number = divisor
    if isinstance(divisor, da.Array):
        given, number = [*given, divisor], None
    run = chunk_sum(Sent(each), present, plain, number, sloped, first.npartitions, names)
    name = f"{each.forward.__name__.strip('_')}-{tokenize(id(run), [x.name for x in given])}"
    together = layer_of(f"sums-{name}", run, given, first._meta)
    value = sum_of_chunks(f"sum-{name}", together, meta_from_array(first._meta, ndim=0))

    def backward(
        grad: Any, out: Any, *arrays: Any, divisor: Any, **options: Any
    ) -> tuple[Array | None, ...]:
        if not isinstance(grad, da.Array):
            found: tuple[Array | None, ...] = pair.backward(
                grad, out, *arrays, divisor=divisor, **options
            )
            return found
        if not sloped:
            return _gradients(each, grad / divisor, arrays, options, wanted)
        if grad is one_like(grad):  # so no slope waits for the sum
            slope = part(together, 1, first._meta)
        else:
            name = f"slope-{tokenize(together.name, grad.name)}"
            slope = layer_of(name, _slope_chunk, [together, grad], first._meta)
        return slope, *(None for _ in arrays[1:])

    return value, backward


def one_like(number: Any) -> Any:
    """Return ``number**0`` of a Dask array; of one without axes, what does not wait for that."""
    if number.ndim:
        return number**0
    like = number._meta
    key = type(like), number.dtype
    if key not in _ONES:
        name = f"one-{tokenize(type(like), number.dtype)}"
        one = namespace_of_type(like).ones((), dtype=number.dtype)
        _ONES[key] = array_of(name, {(name,): one}, [], (), one)
    return _ONES[key]


_ONES: dict[Any, Any] = {}


class ChunkSum:
    """A task: the sum of a pair's entries of the chunks at one place, over a number.

    With its slope in the first of them, if it is `sloped`. No `divisor`: it is the last chunk.
    """

    def __init__(
        self,
        pair: Sent,
        present: tuple[bool, ...],
        options: Options,
        divisor: float | None,
        sloped: bool,
        chunks_in_all: int,
        late: tuple[str, ...],
    ) -> None:
        self._args = pair, present, options, divisor, sloped, chunks_in_all, late
        self._late = late
        self._pair, self._present, self._options = pair.it, present, options
        self._divisor, self._sloped, self._chunks = divisor, sloped, chunks_in_all
        self._ready: dict[Any, Any] = {}  # what chunks of a kind run

    def __reduce__(self) -> Any:
        return chunk_sum, self._args

    def __call__(self, *chunks: Any) -> Any:
        """Return the sum, or the sum and the slope."""
        divisor = self._divisor
        if divisor is None:
            divisor, chunks = float(chunks[-1]), chunks[:-1]
        chunks, options = with_late(chunks, self._options, self._late)
        kinds = tuple([(x.__class__, x.dtype, x.shape) for x in chunks])
        if self._late:
            kinds = (*kinds, *[options[name] for name in self._late])
        arrays = self._arrays(chunks)
        if kinds not in self._ready:
            if len(self._ready) > KEPT:
                self._ready.clear()
            given = self._pair, arrays, options
            self._ready[kinds] = summed_again(*given, divisor=divisor, sloped=self._sloped)
        again, both, xp = self._ready[kinds], None, namespace_of_type(arrays[0])
        with in_task(xp, self._chunks):
            if again is not None:
                both = again(arrays, divisor)
            if both is None:
                both = _summed(self._pair, arrays, options, divisor, sloped=self._sloped, xp=xp)
        return both if self._sloped else both[0]

    def _arrays(self, chunks: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the chunks, and None for the arrays that are absent."""
        if len(chunks) == len(self._present):
            return chunks
        found = iter(chunks)
        return tuple([next(found) if there else None for there in self._present])


def chunk_sum(pair: Sent, present: tuple[bool, ...], options: Options, *rest: Any) -> ChunkSum:
    """Return the task: one of a kind in each process, which looks up once what its chunks run."""
    key = pair.it.forward, present, key_of(options), rest
    if key not in _CHUNK_SUMS:
        if len(_CHUNK_SUMS) > KEPT:
            _CHUNK_SUMS.clear()
        _CHUNK_SUMS[key] = ChunkSum(pair, present, options, *rest)
    return _CHUNK_SUMS[key]


_CHUNK_SUMS: dict[Any, ChunkSum] = {}


def _summed(
    pair: Pair,
    arrays: tuple[Any, ...],
    options: Options,
    divisor: float,
    *,
    sloped: bool,
    xp: Namespace,
) -> tuple[Any, Any]:
    """Return the sum of a pair's entries over the divisor and, if it is `sloped`, the slope."""
    both = summed_with_gradient(pair, arrays, options, divisor=divisor) if sloped else None
    if both is not None:
        return both
    slope, first = None, arrays[0]
    added = summed_pair(pair, arrays, options, divisor=divisor)
    if sloped:
        grad = xp.full(first.shape, 1 / divisor, dtype=first.dtype)
        slope = entrywise(_gradient(pair, 0))(grad, *arrays, xp=xp, **options)
    if added is None:
        added = total(entrywise(pair.forward)(*arrays, xp=xp, **options), xp=xp) / divisor
    return added, slope


def _slope_chunk(together: Any, grad: Any) -> Any:
    """Return the slope of a chunk times the gradient of the sum, which mostly is 1."""
    slope = together[1]
    return slope if float(grad) == 1 else slope * grad


def _count(pair: Pair | None, x: Any, weight: Any, mask: Any) -> Any:
    """Return what a mean of `x` divides by: by 1 where nothing counts.

    That is the sum of the entries that `pair` makes of weight and mask; without weights the number
    of entries, or of those in the mask. A task a chunk, which does not wait for `x`.
    """
    given = [one for one in (weight, mask) if one is not None] or [x]
    run = partial(
        _count_chunk, pair=None if weight is None else Sent(pair), masked=mask is not None
    )
    like = meta_from_array(x._meta, ndim=0)
    names = [one.name for one in given]
    name = f"count-{tokenize(names, weight is None, mask is None, type(like), like.dtype)}"
    counts = layer_of(name, run, given, x._meta)
    return sum_of_chunks(f"divisor-{name}", counts, like, or_one=True)


def _count_chunk(*chunks: Any, pair: Sent | None, masked: bool) -> Any:
    """Return what counts of a chunk: of weights and a mask, of a mask, or of all entries."""
    xp = namespace_of_type(chunks[0])
    if pair is None:
        return int(xp.count_nonzero(chunks[0])) if masked else chunks[0].size
    arrays = chunks if masked else (*chunks, None)
    with in_task(xp, PROCESSORS):
        return float(_summed(pair.it, arrays, {}, 1, sloped=False, xp=xp)[0])


ELEMENTWISE = Kernel(_accepts, _run, gradients=16, sums=_sums, counts_unread=_count)


def _fits(arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether all arrays are Dask's, of one shape (chunks, where that is unknown)."""
    given = [x for x in arrays if x is not None]
    first = given[0]
    for x in given:
        if not isinstance(x, da.Array):
            return False
        if x.chunks != first.chunks and (x.shape != first.shape or not knows_shape(x)):
            return False
    return not any(isinstance(x, da.Array) and x.ndim for x in options.values())
