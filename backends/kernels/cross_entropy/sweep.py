"""Cross entropy of class indices in one sweep: NumPy, and PyTorch on the CPU.

The logits are read in blocks of rows that stay in cache. The forward leaves ``exp(z - n)``, n the
largest rounded down, where the gradient will be, and the backward finishes it there with one
multiplication: the exponential, which is most of the time, is taken once, and the gradient is all
the memory that is needed. A second backward through the same graph sweeps again.

With k the largest class, y the target, S the sum of the exponentials without k's, u the share that
smoothing gives to each of the C classes, and s what the target has besides::

    loss        = s * (log1p(S) + z_k - z_y) + u * sum over j of (log1p(S) + z_k - z_j)
    d loss/dz_j = (s + u * C) * exp(z_j - z_k) / (1 + S) - u - (s if j = y else 0)
    d loss/dz_k = (shares of all others - share of k * S) / (1 + S)

so that neither the loss of a confident row nor its slope is a difference of large numbers.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from portable_losses._backend import Pair
from portable_losses._typing import Array, Options
from portable_losses.losses._targets import Target

from ..rows.exponentiate import exponentiate

__all__ = [
    "WEIGHT",
    "Library",
    "RowArguments",
    "SweptRows",
    "finish",
    "fits",
    "losses",
    "run",
    "sweep",
]

NAN = float("nan")
# The place of the class weights among the pair's arrays: every row needs them whole.
WEIGHT = 1 + Target._fields.index("weight")


class Library(NamedTuple):
    """What NumPy and PyTorch name differently.

    ``module`` has their common functions; ``in_blocks(work, count, rows)`` calls `work` on blocks
    of rows; ``size`` is the number of entries in a block; ``largest(z)`` is the place of the
    largest entry in each row, that of a NaN if there is one; ``empty(shape, dtype)`` is memory for
    a large result; ``quiet()`` keeps infinities from warning; ``at`` tells creation functions
    where, which NumPy before 2 cannot be told.
    """

    module: Any
    in_blocks: Callable[[Callable[[slice], None], int, int], None]
    size: int
    largest: Callable[[Array], Array]
    empty: Callable[[tuple[int, ...], Any], Array]
    quiet: Callable[[], AbstractContextManager[Any]] = nullcontext
    at: Mapping[str, str] = {}


class RowArguments(NamedTuple):
    """The arguments of the pair, their rows counted along one axis."""

    z: Array
    index: Array
    weight: Array | None
    row: Array | None
    smoothing: float
    cap: float | None  # of GPUs alone
    options: Options

    @property
    def uniform(self) -> float:
        """The share that smoothing gives to each class."""
        return self.smoothing / self.z.shape[1]


class SweptRows(NamedTuple):
    """What the sweep found in every row, and where it left the exponentials."""

    place: Array  # of the largest logit
    largest: Array
    unit: Array  # its exponential
    gap: Array  # from the largest logit to the target's
    others: Array  # sum of the exponentials without the largest, over that
    gaps: Array | None  # sum of all gaps, where smoothing asks
    exponentials: Array


def fits(
    z: Array,
    *arrays: Array | None,
    label_smoothing: float,
    softcap: float | None,
    **_: Any,
) -> bool:
    """Say whether the sweep has all of these options at once, and there are rows."""
    target = Target(*arrays)
    simple = target.indices is not None and target.class_mask is None and softcap is None
    return simple and not (label_smoothing and target.weight is not None) and 0 not in z.shape


def run(
    library: Library,
    pair: Pair,
    arrays: tuple[Any, ...],
    options: Options,
    wanted: tuple[int, ...],
) -> tuple[Any, Callable[..., Any]]:
    """Return the pair's result, and a backward that uses what the sweep left behind."""
    given = _in_rows(arrays, options)
    with library.quiet():
        swept = sweep(library, given, _room(library, given) if wanted else None)
        out = losses(library.module, given, swept)
    lead = arrays[0].shape[:-1]
    out = tuple(x.reshape(lead) for x in out)
    if not wanted:
        return out, pair.backward
    saved: SweptRows | None = swept

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        nonlocal saved
        given = _in_rows(arrays, options)
        swept, saved = saved, None  # the gradient takes the memory of its exponentials
        with library.quiet():
            if swept is None:  # a second time through the same graph
                swept = sweep(library, given, _room(library, given))
            by_z = finish(library, given, swept, grad)
        return by_z.reshape(arrays[0].shape), *(None for _ in arrays[1:])

    return out, backward


def _in_rows(arrays: tuple[Any, ...], options: Options) -> RowArguments:
    """Return the pair's arguments with one axis of rows."""
    z, target = arrays[0], Target(*arrays[1:])
    indices: Array = target.indices
    z, index = z.reshape(-1, z.shape[-1]), indices.reshape(-1)
    row = None if target.row_mask is None else target.row_mask.reshape(-1)
    return RowArguments(z, index, target.weight, row, options["label_smoothing"], None, options)


def _room(library: Library, given: RowArguments) -> Array:
    return library.empty(tuple(given.z.shape), given.z.dtype)


def sweep(library: Library, given: RowArguments, exponentials: Array | None) -> SweptRows:
    """Read the logits once; leave the exponentials in `exponentials`.

    That may be the logits' own memory. None: no gradient is needed.
    """
    m, (count, classes), dtype = library.module, given.z.shape, given.z.dtype
    parts: dict[int, tuple[Array | None, ...]] = {}

    def work(block: slice) -> None:
        rows, index = m.arange(block.stop - block.start, **library.at), given.index[block]
        z = given.z[block]
        e = (
            m.empty(z.shape, dtype=dtype, **library.at)
            if exponentials is None
            else exponentials[block]
        )
        place = library.largest(z)
        largest = z[rows, place]
        top = m.where(m.isfinite(largest), largest, NAN)
        n = m.floor(top)[:, None]
        gap, d = z[rows, index] - top, z - n
        gaps = d.sum(-1) - classes * (top - n[:, 0]) if given.smoothing else None
        exponentiate(m, z, n, d, e)
        unit = e[rows, place]
        e[rows, place] = 0
        others = e.sum(-1) / unit
        if given.row is not None:
            e[~given.row[block]] = 0
        parts[block.start] = (place, largest, unit, gap, others, gaps)

    library.in_blocks(work, count, max(1, library.size // classes))
    columns = zip(*(parts[start] for start in sorted(parts)), strict=True)
    found = (None if c[0] is None else m.concatenate(c) for c in columns)
    return SweptRows._make((*found, exponentials))


def losses(m: Any, given: RowArguments, swept: SweptRows) -> tuple[Array, ...]:
    """Return the loss of each row, and its logsumexp where that is asked for."""
    log_sum = m.log1p(swept.others)
    loss = log_sum - swept.gap
    if given.smoothing:
        spread = given.uniform * (given.z.shape[1] * log_sum - swept.gaps)
        loss = (1 - given.smoothing) * loss + spread if given.smoothing < 1 else spread
    if given.weight is not None:
        weight = given.weight[given.index]
        loss = m.where(weight == 0, 0.0, weight * loss)
    found = [loss]
    if given.options["with_lse"]:
        finite = m.isfinite(swept.largest)
        found.append(m.where(finite, swept.largest + log_sum, swept.largest))
    return tuple(_counted(m, given, x) for x in found)


def finish(
    library: Library, given: RowArguments, swept: SweptRows, grad: tuple[Array, ...]
) -> Array:
    """Make the gradient of the exponentials, in their place."""
    m, classes = library.module, given.z.shape[1]
    g, *rest = (_counted(m, given, one.reshape(-1)) for one in grad)
    g_lse = rest[0] if rest else 0.0
    even = g * given.uniform
    share = g * (1 - given.smoothing)
    if given.weight is not None:
        share = share * given.weight[given.index]
    sum_ = 1 + swept.others
    hit = swept.place == given.index
    factor = _counted(m, given, (share + even * classes + g_lse) / sum_ / swept.unit)
    of_place, of_others = even + m.where(hit, share, 0.0), m.where(hit, 0.0, share)
    of_others = of_others + even * (classes - 1)
    at_place = _counted(m, given, (of_others + g_lse - of_place * swept.others) / sum_)
    idle = None
    if given.weight is not None and not given.options["with_lse"]:
        idle = m.isnan(sum_) & (given.weight[given.index] == 0)  # 0 times NaN is 0
        factor, at_place, share = (m.where(idle, 0.0, x) for x in (factor, at_place, share))

    def work(block: slice) -> None:
        e, rows = swept.exponentials[block], m.arange(block.stop - block.start, **library.at)
        if idle is not None:
            e[idle[block]] = 0
        m.multiply(e, factor[block, None], out=e)
        if given.smoothing:
            m.subtract(e, even[block, None], out=e)
        e[rows, given.index[block]] -= share[block]
        e[rows, swept.place[block]] = at_place[block]

    library.in_blocks(work, len(given.index), max(1, library.size // classes))
    return swept.exponentials


def _counted(m: Any, given: RowArguments, x: Array) -> Array:
    """Return `x`, and 0 for a row that does not count."""
    return x if given.row is None else m.where(given.row, x, 0.0)
