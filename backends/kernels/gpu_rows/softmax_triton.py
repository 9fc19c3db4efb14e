"""Functions of rows in Triton: softmax, log_softmax and logsumexp.

A program has a tile of `height` rows and reads them in pieces of `width` classes. The survey keeps,
for each row, its largest class k and the sum S of the exponentials of all others; pieces are joined
as they come, so that a row of any length is read once. The formulas are those of
``rows/softmax_numpy.py``: k's own exponential, which is 1, is never added and taken away again.

Places in memory are counted in 64 bits, those within a row in 32.
"""

__library__ = "triton"

# Triton reads an annotation as a type of its own, and takes a constant for a tl.constexpr.
# mypy: disable-error-code=no-untyped-def
# pyright: reportMissingParameterType=false, reportArgumentType=false, reportOperatorIssue=false

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl

from portable_losses._typing import Array

from .arithmetic_triton import INF, NAN, cap, exp_from, log1p
from .kernels import RowStatistics, tile

__all__ = [
    "log_softmax",
    "log_softmax_slope",
    "logsumexp",
    "logsumexp_slope",
    "softmax",
    "softmax_slope",
]


# ---- rows -------------------------------------------------------------------------------------


@triton.jit
def rows_of_tile(height: tl.constexpr):
    return tl.program_id(0).to(tl.int64) * height + tl.arange(0, height)


@triton.jit
def piece(x, rows, places, count, classes, other):
    """Load a piece of a tile, in float32."""
    there = (rows < count)[:, None] & (places < classes)[None, :]
    at = rows[:, None] * classes + places[None, :]
    return tl.load(x + at, mask=there, other=other).to(tl.float32)


@triton.jit
def put(out, rows, places, count, classes, values):
    there = (rows < count)[:, None] & (places < classes)[None, :]
    at = rows[:, None] * classes + places[None, :]
    tl.store(out + at, values.to(out.dtype.element_ty), mask=there)


@triton.jit
def of_rows(x, rows, count):
    return tl.load(x + rows, mask=rows < count, other=0)


@triton.jit
def survey(
    z, rows, count, classes, bound, low, capped: tl.constexpr, height: tl.constexpr,
    width: tl.constexpr,
):  # fmt: skip
    """Return the largest logit of each row, what to subtract, its place, and the others' sum.

    What to subtract and the sum are NaN for a row whose largest logit is not finite, or that
    holds NaN. Last comes what rounding the largest logit has lost, where a cap has computed it.
    """
    top = tl.full([height], -INF, tl.float32)
    place = tl.zeros([height], tl.int32)
    others = tl.zeros([height], tl.float32)
    beyond = tl.zeros([height], tl.float32)
    for start in range(0, classes, width):
        lanes = tl.arange(0, width)
        x = piece(z, rows, start + lanes, count, classes, -INF)
        lost = tl.zeros_like(x)
        if capped:
            x, lost = cap(x, bound, low)
        real = x == x
        here, at = tl.max(tl.where(real, x, -INF), axis=1, return_indices=True)
        at = at.to(tl.int32)
        pivot = tl.where(tl.abs(here) < INF, here, 0.0)
        e = exp_from(x, pivot[:, None])
        left_out = (lanes[None, :] == at[:, None]) & real  # NaN is left out nowhere
        more = tl.zeros([height], tl.float32)
        if capped:
            e = tl.fma(e, lost, e)
            more = tl.sum(tl.where(left_out, lost, 0.0), axis=1)
        rest = tl.sum(tl.where(left_out, 0.0, e), axis=1)
        joined = tl.maximum(here, top)
        fall = exp_from(tl.minimum(here, top), tl.where(tl.abs(joined) < INF, joined, 0.0))
        higher = here > top
        before, now = others + beyond, rest + more
        others = tl.where(higher, rest + (1.0 + before) * fall, others + (1.0 + now) * fall)
        beyond = tl.where(higher, more, beyond)
        place = tl.where(higher, start + at, place)
        top = joined
    others = tl.where(beyond == 0, others, others - others * beyond)
    finite = (tl.abs(top) < INF) & (others == others)
    largest = tl.where(others == others, top, NAN)
    return largest, tl.where(finite, top, NAN), place, tl.where(finite, others, NAN), beyond


@triton.jit
def keep(shift, place, others, rows, count, shift_of, place_of, others_of):
    tl.store(shift + rows, shift_of, mask=rows < count)
    tl.store(place + rows, place_of, mask=rows < count)
    tl.store(others + rows, others_of, mask=rows < count)


# ---- softmax and its relatives ----------------------------------------------------------------


@triton.jit
def _softmax(
    z, out, shift, place, others, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the softmax of a tile, and the statistics of its rows."""
    rows = rows_of_tile(height)
    _, top, at, rest, _ = survey(z, rows, count, classes, 1.0, 0.0, False, height, width)
    keep(shift, place, others, rows, count, top, at, rest)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        e = exp_from(piece(z, rows, places, count, classes, 0.0), top[:, None])
        p = tl.div_rn(e, tl.zeros_like(e) + (1.0 + rest)[:, None])
        put(out, rows, places, count, classes, p)


@triton.jit
def _softmax_slope(
    grad, out, place, by_z, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the gradient of `_softmax` for a tile."""
    rows = rows_of_tile(height)
    at = rows * classes + of_rows(place, rows, count)
    own = tl.load(grad + at, mask=rows < count, other=0.0).to(tl.float32)
    mean = tl.zeros([height], tl.float32)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        h = piece(grad, rows, places, count, classes, 0.0) - own[:, None]
        p = piece(out, rows, places, count, classes, 0.0)
        there = (places < classes)[None, :]
        mean += tl.sum(tl.where(there, h * p, 0.0), axis=1)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        h = piece(grad, rows, places, count, classes, 0.0) - own[:, None]
        p = piece(out, rows, places, count, classes, 0.0)
        put(by_z, rows, places, count, classes, p * (h - mean[:, None]))


@triton.jit
def _log_softmax(
    z, out, shift, place, others, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the logarithm of the softmax of a tile, and the statistics of its rows."""
    rows = rows_of_tile(height)
    _, top, at, rest, _ = survey(z, rows, count, classes, 1.0, 0.0, False, height, width)
    keep(shift, place, others, rows, count, top, at, rest)
    log_sum = log1p(rest)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        d = piece(z, rows, places, count, classes, 0.0) - top[:, None]
        put(out, rows, places, count, classes, d - log_sum[:, None])


@triton.jit
def _log_softmax_slope(
    grad, z, shift, place, others, by_z, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the gradient of `_log_softmax` for a tile."""
    rows = rows_of_tile(height)
    at, rest = of_rows(place, rows, count), of_rows(others, rows, count)
    top = of_rows(shift, rows, count)
    own = tl.load(grad + rows * classes + at, mask=rows < count, other=0.0).to(tl.float32)
    sum_ = tl.zeros([height], tl.float32)  # of the gradients of all classes but the largest
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        g = piece(grad, rows, places, count, classes, 0.0)
        sum_ += tl.sum(tl.where(places[None, :] == at[:, None], 0.0, g), axis=1)
    at_place = tl.div_rn(own * rest - sum_, 1.0 + rest)
    factor = tl.div_rn(own + sum_, 1.0 + rest)
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        g = piece(grad, rows, places, count, classes, 0.0)
        e = exp_from(piece(z, rows, places, count, classes, 0.0), top[:, None])
        slope = g - e * factor[:, None]
        slope = tl.where(places[None, :] == at[:, None], at_place[:, None], slope)
        put(by_z, rows, places, count, classes, slope)


@triton.jit
def _logsumexp(
    z, out, shift, place, others, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the logarithm of the sum of exponentials of a tile, and the statistics of its rows."""
    rows = rows_of_tile(height)
    largest, top, at, rest, _ = survey(z, rows, count, classes, 1.0, 0.0, False, height, width)
    keep(shift, place, others, rows, count, top, at, rest)
    lse = tl.where(top == top, largest + log1p(rest), largest)
    tl.store(out + rows, lse.to(out.dtype.element_ty), mask=rows < count)


@triton.jit
def _logsumexp_slope(
    grad, out, z, shift, others, by_z, count, classes, height: tl.constexpr, width: tl.constexpr
):
    """Write the gradient of `_logsumexp` for a tile."""
    rows = rows_of_tile(height)
    top, rest = of_rows(shift, rows, count), of_rows(others, rows, count)
    g = of_rows(grad, rows, count).to(tl.float32)
    empty = of_rows(out, rows, count).to(tl.float32) == -INF
    for start in range(0, classes, width):
        places = start + tl.arange(0, width)
        e = exp_from(piece(z, rows, places, count, classes, 0.0), top[:, None])
        p = tl.div_rn(e, tl.zeros_like(e) + (1.0 + rest)[:, None])
        slope = tl.where(empty[:, None], 0.0, p) * g[:, None]
        put(by_z, rows, places, count, classes, slope)


# ---- launches ---------------------------------------------------------------------------------


def launch(kernel: Any, z: Array, *arguments: Any, **options: Any) -> None:
    """Start `kernel` on all rows of `z`."""
    count, classes = z.shape
    height, width, warps = tile(classes)
    here: AbstractContextManager[Any] = torch.cuda.device(z.device) if z.is_cuda else nullcontext()
    with here:
        kernel[(triton.cdiv(count, height),)](
            *arguments,
            **options,
            height=height,
            width=width,
            num_warps=warps,
            enable_fp_fusion=False,  # what may be fused is written so
        )


def softmax(z: Array, out: Array, statistics: RowStatistics) -> None:
    """Write the softmax of rows, and the statistics."""
    launch(_softmax, z, z, out, *statistics, *z.shape)


def softmax_slope(
    grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
) -> None:
    """Write the gradient of `softmax`."""
    launch(_softmax_slope, z, grad, out, statistics.place, by_z, *z.shape)


def log_softmax(z: Array, out: Array, statistics: RowStatistics) -> None:
    """Write the logarithm of the softmax, and the statistics."""
    launch(_log_softmax, z, z, out, *statistics, *z.shape)


def log_softmax_slope(
    grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
) -> None:
    """Write the gradient of `log_softmax`."""
    launch(_log_softmax_slope, z, grad, z, *statistics, by_z, *z.shape)


def logsumexp(z: Array, out: Array, statistics: RowStatistics) -> None:
    """Write the logarithm of the sum of exponentials, and the statistics."""
    launch(_logsumexp, z, z, out, *statistics, *z.shape)


def logsumexp_slope(
    grad: Array, out: Array, z: Array, statistics: RowStatistics, by_z: Array
) -> None:
    """Write the gradient of `logsumexp`."""
    launch(_logsumexp_slope, z, grad, out, z, statistics.shift, statistics.others, by_z, *z.shape)
