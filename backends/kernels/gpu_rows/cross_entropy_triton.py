"""Cross entropy of class indices in Triton, with every option: ``cross_entropy/sweep.py`` on a GPU.

Forward reads the logits once (twice where labels are smoothed, and the second time from the cache)
and keeps three numbers a row; backward reads them once more and writes the gradient.
"""

__library__ = "triton"

# Triton reads an annotation as a type of its own, and takes a constant for a tl.constexpr.
# mypy: disable-error-code=no-untyped-def
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportOperatorIssue=false

from typing import Any

import triton
import triton.language as tl

from portable_losses._typing import Array

from ..cross_entropy.sweep import RowArguments
from .arithmetic_triton import cap, cap_slope, exp_from, log1p
from .kernels import RowStatistics, parts_of_cap
from .softmax_triton import keep, launch, of_rows, piece, put, rows_of_tile, survey

__all__ = ["cross_entropy", "cross_entropy_slope"]


@triton.jit
def _of_classes(weight, places, classes, weighted: tl.constexpr):
    """Return the weights of classes, 0 beyond the last."""
    there = places < classes
    if weighted:
        result = tl.load(weight + places, mask=there, other=0.0).to(tl.float32)
    else:
        result = tl.where(there, 1.0, 0.0)
    return result


@triton.jit
def _cross_entropy(
    z, index, weight, counted, loss, lse, shift, place, others, count, classes, share, even, bound,
    low, weighted: tl.constexpr, masked: tl.constexpr, smooth: tl.constexpr, capped: tl.constexpr,
    with_lse: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Write the losses of a tile, their logsumexp if asked for, and the statistics of its rows."""
    rows = rows_of_tile(height)
    largest, top, at, rest, beyond = survey(
        z, rows, count, classes, bound, low, capped, height, width
    )
    keep(shift, place, others, rows, count, top, at, rest)
    log_sum = log1p(rest)
    y = of_rows(index, rows, count)
    aim = tl.load(z + rows * classes + y, mask=rows < count, other=0.0).to(tl.float32)
    gap = aim - top
    if capped:
        aim, lost = cap(aim, bound, low)
        gap = (aim - top) + (lost - beyond)
    value = log_sum - gap
    if weighted:
        w = tl.load(weight + y, mask=rows < count, other=0.0).to(tl.float32)
        value = tl.where(w == 0, 0.0, w * value)
    if smooth:
        spread = tl.zeros([height], tl.float32)
        for start in range(0, classes, width):
            places = start + tl.arange(0, width)
            x = piece(z, rows, places, count, classes, 0.0)
            apart = x - top[:, None]
            if capped:
                x, missing = cap(x, bound, low)
                apart = (x - top[:, None]) + (missing - beyond[:, None])
            part = even * _of_classes(weight, places, classes, weighted)[None, :]
            term = part * (log_sum[:, None] - apart)
            spread += tl.sum(tl.where(part == 0, 0.0, term), axis=1)
        value = spread + tl.where(share == 0, 0.0, share * value)
    total = tl.where(top == top, largest + (log_sum + beyond), largest)
    if masked:
        counts = of_rows(counted, rows, count) != 0
        value = tl.where(counts, value, 0.0)
        total = tl.where(counts, total, 0.0)
    tl.store(loss + rows, value.to(loss.dtype.element_ty), mask=rows < count)
    if with_lse:
        tl.store(lse + rows, total.to(lse.dtype.element_ty), mask=rows < count)


@triton.jit
def _cross_entropy_slope(
    g_loss, g_lse, z, index, weight, counted, shift, place, others, by_z, count, classes, share,
    even, bound, low, weighted: tl.constexpr, masked: tl.constexpr, smooth: tl.constexpr,
    capped: tl.constexpr, with_lse: tl.constexpr, height: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    """Write the gradient of `_cross_entropy` for a tile."""
    rows = rows_of_tile(height)
    top, at, rest = (
        of_rows(shift, rows, count),
        of_rows(place, rows, count),
        of_rows(others, rows, count),
    )
    y = of_rows(index, rows, count)
    g = of_rows(g_loss, rows, count).to(tl.float32)
    own = g * share  # the coefficient of the target, besides what smoothing gives to every class
    idle = rest != rest
    if weighted:
        of_target = tl.load(weight + y, mask=rows < count, other=0.0).to(tl.float32)
        own *= of_target
        idle &= of_target == 0  # 0 times NaN is 0
    hit = y == at
    of_place, of_others = tl.where(hit, own, 0.0), tl.where(hit, 0.0, own)
    if smooth:
        sum_ = tl.zeros([height], tl.float32)
        for start in range(0, classes, width):
            places = start + tl.arange(0, width)
            w = _of_classes(weight, places, classes, weighted)[None, :]
            sum_ += tl.sum(tl.where(places[None, :] == at[:, None], 0.0, w), axis=1)
        of_others += g * even * sum_
        of_place += g * even * _of_classes(weight, at, classes, weighted)
    if with_lse:
        of_lse = of_rows(g_lse, rows, count).to(tl.float32)
    else:
        of_lse = tl.zeros([height], tl.float32)
    at_place = tl.div_rn(of_others + of_lse - of_place * rest, 1.0 + rest)
    factor = tl.div_rn(of_place + of_others + of_lse, 1.0 + rest)
    beyond = tl.zeros([height], tl.float32)
    if capped:
        largest = tl.load(z + rows * classes + at, mask=rows < count, other=0.0).to(tl.float32)
        _, beyond = cap(largest, bound, low)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        raw = piece(z, rows, places, count, classes, 0.0)
        if capped:
            x, lost = cap(raw, bound, low)
            e = exp_from(x, top[:, None])
            e = tl.fma(e, lost - beyond[:, None], e)
        else:
            e = exp_from(raw, top[:, None])
        slope = e * factor[:, None]
        if smooth:
            w = even * _of_classes(weight, places, classes, weighted)
            slope -= g[:, None] * w[None, :]
        slope -= tl.where(places[None, :] == y[:, None], own[:, None], 0.0)
        slope = tl.where(places[None, :] == at[:, None], at_place[:, None], slope)
        if capped:
            slope *= cap_slope(raw, bound, low)
        if masked:
            counts = of_rows(counted, rows, count) != 0
            slope = tl.where(counts[:, None], slope, 0.0)
        if weighted and not (smooth or with_lse):
            slope = tl.where(idle[:, None], 0.0, slope)
        put(by_z, rows, places, count, classes, slope)


def _options(given: RowArguments) -> dict[str, Any]:
    """Return the numbers and flags of a launch."""
    bound, low = parts_of_cap(given)
    return {
        "share": 1.0 - given.smoothing,
        "even": given.smoothing / given.z.shape[1],
        "bound": bound,
        "low": low,
        "weighted": given.weight is not None,
        "masked": given.row is not None,
        "smooth": given.smoothing > 0,
        "capped": given.cap is not None,
        "with_lse": given.options["with_lse"],
    }


def cross_entropy(
    given: RowArguments, loss: Array, lse: Array | None, statistics: RowStatistics
) -> None:
    """Write the losses of rows, their logsumexp if asked for, and the statistics."""
    z = given.z
    arrays = z, given.index, given.weight, given.row, loss, lse, *statistics
    launch(_cross_entropy, z, *arrays, *z.shape, **_options(given))


def cross_entropy_slope(
    given: RowArguments, grad: Array, grad_lse: Array | None, statistics: RowStatistics, by_z: Array
) -> None:
    """Write the gradient of the losses, and of the logsumexp."""
    z = given.z
    arrays = grad, grad_lse, z, given.index, given.weight, given.row, *statistics, by_z
    launch(_cross_entropy_slope, z, *arrays, *z.shape, **_options(given))
