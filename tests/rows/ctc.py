"""Connectionist temporal classification, defined by all the alignments there are."""

from itertools import groupby, product
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace, device
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.definitions import exps, reduce
from tests.samples import Sample


def collapsed(alignment: tuple[int, ...], blank: int) -> list[int]:
    """What an alignment spells: repeats merged, then blanks dropped."""
    return [label for label, _ in groupby(alignment) if label != blank]


def likelihood(probs: Array, labels: list[int], blank: int) -> Any:
    """The sum over all alignments of `probs`, of shape (frames, classes), that spell `labels`."""
    frames, classes = probs.shape
    whole = mpf(0)
    for alignment in product(range(classes), repeat=frames):
        if collapsed(alignment, blank) == labels:
            whole += mpmath.fprod(probs[t, c] for t, c in enumerate(alignment))
    return whole


def ctc_loss(
    log_probs: Array,
    target: Array,
    input_lengths: Array,
    target_lengths: Array,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    if log_probs.ndim == 2:
        log_probs, target = log_probs[:, None, :], target[None, :]
    frames_of: Array = np.reshape(input_lengths, -1)
    labels_of: Array = np.reshape(target_lengths, -1)
    ends, probs = np.cumsum(labels_of), exps(log_probs)
    losses = []
    for n, (frames, count) in enumerate(zip(frames_of, labels_of, strict=True)):
        labels = target[n, :count] if target.ndim > 1 else target[ends[n] - count : ends[n]]
        p = likelihood(probs[:frames, n], labels.tolist(), blank)
        loss = -mpmath.log(p) if p else mpf(0) if zero_infinity else mpmath.inf
        losses.append(loss / max(int(count), 1) if reduction == "mean" else loss)
    loss = np.asarray(losses, dtype=object)
    return reduce(loss if np.ndim(input_lengths) else loss[0], reduction, sample_weight)


X = np.round(np.cos(np.arange(36.0)).reshape(4, 3, 3) * 3 - 2, 3)
TARGET = [[1, 2], [2, 2], [1, 0]]
FLAT = [1, 2, 2, 2, 1]
FRAMES, LABELS = [4, 3, 2], [2, 2, 1]
OF_ROW = np.asarray([1.0, 0.25, 2.0])


def row(note: str, *arrays: Any, **options: Any) -> Sample:
    return Sample(pl.ctc_loss, ctc_loss, arrays, options, note)


ROWS = [
    row("mean", X, TARGET, FRAMES, LABELS),
    row("none, blank 2", X, [[1, 0], [0, 9], [-7, 3]], [4, 4, 0], [2, 1, 0], blank=2,
        reduction="none"),
    row("flat, everything", X, FLAT, FRAMES, LABELS, sample_weight=OF_ROW),
    row("no alignment, sum, zero", X, TARGET, [2, 2, 0], LABELS, zero_infinity=True,
        reduction="sum"),
    row("no alignment, none", X, TARGET, [3, 2, 0], [1, 2, 1], reduction="none"),
    row("alone", X[:, 0], TARGET[0], np.asarray(4), np.asarray(2)),
]  # fmt: skip


# ---- errors ----------------------------------------------------------------------------------

Z, Y = np.zeros((4, 2, 3)), np.asarray([[1, 2], [2, 1]])
TS, US = np.asarray([4, 3]), np.asarray([2, 1])
NAME = "ctc_loss"
ERRORS = [
    raises(NAME, ValueError, r"`log_probs` must have shape \(T, N, C\) or \(T, C\), got \(3,\)",
           Z[0, 0], Y, TS, US),
    raises(NAME, ValueError, r"`target` must have shape \(2, S\) or \(sum of `target_lengths`,\) "
           r"for `log_probs` of shape \(4, 2, 3\), got shape \(1, 2\)", Z, Y[:1], TS, US),
    raises(NAME, ValueError, r"`target` must have shape \(S,\) .* got shape \(2, 2\)", Z[:, 0], Y,
           TS[:1], US[:1]),
    raises(NAME, ValueError, r"`input_lengths` must have shape \(2,\), got \(1,\)", Z, Y, TS[:1],
           US),
    raises(NAME, ValueError, r"`target_lengths` must have shape \(2,\), got \(2, 1\)", Z, Y, TS,
           US[:, None]),
    raises(NAME, TypeError, "`target` must hold class indices of an integer dtype, got .*float64",
           Z, Y.astype(np.float64), TS, US),
    raises(NAME, TypeError, "`input_lengths` must have an integer dtype, got .*float64", Z, Y,
           TS.astype(np.float64), US),
    raises(NAME, TypeError, "`target_lengths` must have an integer dtype, got .*bool", Z, Y, TS,
           US == 1),
    *(raises(NAME, ValueError, rf"`blank` must be a class, in \[0, 3\), got {b}", Z, Y, TS, US,
             blank=b) for b in (-1, 3)),
    raises(NAME, TypeError, "`blank` must be an int, got 0.0", Z, Y, TS, US, blank=0.0),
    raises(NAME, ValueError, r"`blank` must be a class, in \[0, 0\)", Z[..., :0], Y, TS, US),
]  # fmt: skip

VALUES = [
    *(raises(NAME, IndexError, rf"`target` must hold class indices in \[0, 3\), got {bad} at "
             r"position \(0, 1\)", Z, np.asarray([[1, bad], [2, 5]]), TS, US)
      for bad in (3, -1, 10**9)),
    raises(NAME, ValueError, r"`target` must not hold the blank, 2, as a label, got 2 at position "
           r"\(0, 1\)", Z, Y, TS, US, blank=2),
    *(raises(NAME, ValueError, rf"`input_lengths` must lie in \[0, 4\], got {bad} at position "
             r"\(1,\)", Z, Y, np.asarray([4, bad]), US) for bad in (5, -1)),
    *(raises(NAME, ValueError, rf"`target_lengths` must lie in \[0, 2\], got {bad} at position "
             r"\(1,\)", Z, Y, TS, np.asarray([2, bad])) for bad in (3, -1)),
    *(raises(NAME, ValueError, rf"`target_lengths` must sum to {size}, the size of a flat "
             r"`target`, got 3", Z, np.ones(size, np.int64), TS, US) for size in (2, 4)),
]  # fmt: skip


def of_labels(x: Array, y: Array, **options: Any) -> Array:
    """The loss of sequences that are the first axis of `x`, two labels each, or of one alone."""
    return of_frames(x, full(y, y.shape[:-1], 3), y=y, **options)


def of_frames(x: Array, lengths: Array, y: Array | None = None, **options: Any) -> Array:
    """The same with the frames that count, and 1, 2 for labels."""
    xp = array_namespace(x)
    labels = full(lengths, (*lengths.shape, 2), 1) if y is None else y
    x = x if x.ndim == 2 else xp.permute_dims(x, (1, 0, 2))
    return pl.ctc_loss(x, labels, lengths, full(lengths, lengths.shape, 2), **options)


def full(like: Array, shape: tuple[int, ...], value: int) -> Array:
    xp = array_namespace(like)
    return xp.full(shape, value, dtype=like.dtype, device=device(like))


THREE = np.moveaxis(X[:3], 0, 1)
BADS = [
    *(Bad(of_labels, THREE, np.asarray([[1, 2], [1, i], [2, 1]]), {}, IndexError) for i in (-1, 3)),
    Bad(of_labels, THREE, np.asarray([[1, 2], [0, 1], [2, 1]])),
    *(Bad(of_frames, THREE, np.asarray([3, i, 3])) for i in (-1, 4)),
    Bad(of_labels, THREE, Y[[0, 1, 0]], {"sample_weight": np.asarray([1.0, -1, 1])}),
]


# ---- where a peer is wrong -------------------------------------------------------------------

ONE, TWO = np.asarray([1]), np.asarray([2])
FEW = np.log(np.full((1, 1, 3), 1 / 3))
BEYOND = [
    ("ctc, no alignment", (lambda: pl.ctc_loss(FEW, Y[:1], ONE, TWO), np.inf, "optax 99999.6")),
    (
        "ctc, no alignment, zero",
        (lambda: pl.ctc_loss(FEW, Y[:1], ONE, TWO, zero_infinity=True), 0.0, None),
    ),
]


def without_alignment(x: Array) -> Array:
    """The loss of a target longer than its one frame."""
    xp = array_namespace(x)
    x = xp.reshape(xp.concat([x, x - 1]), (1, 1, 2))
    kept = {"dtype": xp.int64, "device": device(x)}
    labels, one, two = (xp.full(s, n, **kept) for s, n in (((1, 2), 1), ((1,), 1), ((1,), 2)))
    return pl.ctc_loss(x, labels, one, two)


BEYOND_SLOPES = [("ctc, no alignment", (without_alignment, -1.0, 0.0, "torch nan, optax finite"))]
BEYOND_ERRORS = [
    (
        f"ctc, label {label}",
        (
            lambda label=label: pl.ctc_loss(FEW, np.asarray([[label]]), ONE, ONE),
            error,
            peer,
        ),
    )
    for label, error, peer in (
        (7, IndexError, "torch 0.5493, optax 1.0986"),
        (10**6, IndexError, "torch -0.4476"),
        (10**9, IndexError, "torch dies"),
        (0, ValueError, "torch, optax 1.0986"),
    )
]
