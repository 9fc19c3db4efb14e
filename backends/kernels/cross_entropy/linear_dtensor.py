"""Cross entropy of a linear layer on DTensors, whose weight lies in parts of the classes.

The logits of a block are those of each process's classes; they go through cross entropy's rounds
and are computed again for the gradient, which needs no further round but the sum in `hidden`.
"""

__library__ = "torch"

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.distributed.tensor import DTensor

from portable_losses._backend import Kernel, Pair
from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import NAMED_PAIRS
from portable_losses._typing import Array, Options
from portable_losses.losses._targets import Target, idle_rows

from ..rows.parts_dtensor import are_in_parts
from ..rows.rowwise_dtensor import rowwise
from .linear import ARRAYS, BLOCK_BYTES
from .sweep import WEIGHT

__all__ = ["LINEAR_CROSS_ENTROPY"]

ROWS = rowwise(WEIGHT)
OPTIONS = "label_smoothing", "softcap", "with_lse", "xp"


class Block(NamedTuple):
    """Some rows, their logits, and their target."""

    rows: slice
    x: Array
    z: Array
    target: Target


def _accepts(*arrays: Any, **options: Any) -> bool:
    """Say whether each process has whole rows of `hidden`, and of the layer's weight."""
    hidden, weight, *_ = arrays
    if not are_in_parts((hidden, *arrays[1:])) or any(
        x is not None and x.requires_grad for x in arrays[ARRAYS:]
    ):
        return False
    return not any(p.is_shard() and p.dim == 1 for x in (hidden, weight) for p in x.placements)


def _blocks(arrays: tuple[Any, ...], options: Options) -> Iterator[Block]:
    """Yield the logits of some rows after the other; all at once of rows that lie in parts."""
    hidden, weight, bias, labels, class_weight = arrays
    xp, like = options["xp"], hidden[..., :0]
    dtype = widen(like, xp=xp).dtype
    weight, count = narrow(weight, dtype, xp=xp), hidden.shape[0]
    row_bytes = max(len(weight.to_local()), 1) * dtype.itemsize
    size = options["chunk_size"] or max(BLOCK_BYTES // row_bytes, 1)
    if any(p.is_shard() for p in hidden.placements):
        size = count
    for start in range(0, count, size):
        rows = slice(start, min(start + size, count))
        whole = rows == slice(0, count)
        x, y = (hidden, labels) if whole else (hidden[rows], labels[rows])
        x = widen(x, xp=xp)
        target = _target(y, class_weight, dtype, masked=options["masked"], xp=xp)
        x = _settled(x, target, weight, options)
        z = x @ weight.T
        yield Block(rows, x, z if bias is None else z + narrow(bias, dtype, xp=xp), target)


def _target(y: Array, weight: Array | None, dtype: Any, *, masked: bool, xp: Any) -> Target:
    """Return the target of a block: with `masked`, -1 leaves a row out."""
    if y.ndim == 2:
        return Target(q=narrow(y, dtype, xp=xp), weight=weight)
    return Target(None, torch.clamp(y, min=0), weight, y >= 0 if masked else None)


def _settled(x: Array, target: Target, weight: Array, options: Options) -> Array:
    """Return the rows, 0 for those that are not finite and whose coefficients are all 0."""
    if options["with_lse"] or (target.weight is None and target.q is None):
        return x
    xp, like = options["xp"], weight.T
    q = target.smoothed(like, label_smoothing=options["label_smoothing"], xp=xp)
    coefficient = q if target.weight is None else q * target.weight
    finite = torch.isfinite(x).all(-1, keepdim=True)
    return torch.where(idle_rows(coefficient, finite, xp=xp), 0.0, x)


def _run(
    pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> tuple[Any, Callable[..., Any]]:
    """Return the losses of all rows, and a backward to the layer."""
    rows_of = NAMED_PAIRS["cross_entropy"]
    inner = {name: options[name] for name in OPTIONS}
    found, pulls = [], []
    for block in _blocks(arrays, options):
        given = block.z, *block.target
        out, pull = ROWS.run(rows_of, given, inner, (0,) if wanted else ())
        found.append(out)
        pulls.append(pull)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        weight, bias = arrays[1:ARRAYS]
        in_hidden: list[Array] = []
        in_weight: Any = 0
        in_bias: Any = 0
        for block, pull in zip(_blocks(arrays, options), pulls, strict=True):
            grads, outs = (tuple([_of(block.rows, x) for x in several]) for several in (grad, out))
            in_z = pull(grads, outs, block.z, *block.target, **inner)[0]
            in_hidden.append(in_z @ narrow(weight, in_z.dtype, xp=inner["xp"]))
            in_weight = in_z.T @ block.x + in_weight
            in_bias = in_z.sum(0) + in_bias if bias is not None else None
        made = _together(in_hidden), in_weight, in_bias
        own = [
            None if x is None else x.to(like.dtype)
            for x, like in zip(made, arrays[:ARRAYS], strict=True)
        ]
        return *own, *(None for _ in arrays[ARRAYS:])

    return tuple([_together(list(one)) for one in zip(*found, strict=True)]), backward


def _of(rows: slice, x: Array) -> Array:
    return x if rows == slice(0, len(x)) else x[rows]


def _together(blocks: list[Array]) -> Array:
    """Return the rows of blocks that lie alike, as one; partial sums stay what they are."""
    if len(blocks) == 1:
        return blocks[0]
    first: Any = blocks[0]
    whole = torch.cat([x.to_local() for x in blocks])
    return DTensor.from_local(whole, first.device_mesh, first.placements, run_check=False)


LINEAR_CROSS_ENTROPY = Kernel(_accepts, _run, gradients=ARRAYS)
