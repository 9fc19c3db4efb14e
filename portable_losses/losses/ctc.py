"""Connectionist temporal classification: the likelihood of a label sequence over its alignments."""

from functools import partial
from typing import NamedTuple

from portable_losses._dtypes import kind_of, narrow, widen
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._indexing import as_index, scan
from portable_losses._polyfill import (
    arange,
    broadcast_to,
    check_known,
    concat,
    constant,
    device_of,
    places_along,
    readable,
    reshape,
    take_along_axis,
    total,
)
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_integer,
    check_real_floating,
    namespace_of,
    same_shape,
)
from portable_losses._values import check_values, join_masks, mark_invalid
from portable_losses.activations.softmaxes import _softmax
from portable_losses.losses._left_out import Entries, leaves_out
from portable_losses.special.log_exp import _logsumexp

__all__ = ["ctc_loss"]


@public
@leaves_out(log_probs=Entries(0.5, axes=(0, -1)))
def ctc_loss(
    log_probs: Array,
    target: Array,
    input_lengths: Array,
    target_lengths: Array,
    /,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Connectionist temporal classification: ``-log p(target)``, summed over all alignments.

    An alignment names a class for every frame; repeats are merged, then blanks dropped, and what
    is left must be the target::

        loss = -log( sum over alignments a of  prod over t of exp(log_probs[t, a_t]) )

    Parameters
    ----------
    log_probs : array of a real floating dtype, shape (T, N, C) or (T, C)
        Log-probabilities of the classes at every frame, as `log_softmax` returns them. -inf is a
        class of probability 0. Frames beyond a sequence's length may hold anything.
    target : array of an integer dtype, shape (N, S), (sum of `target_lengths`,) or, alone, (S,)
        The labels of every sequence: class indices, none of them `blank`. Padded, where what
        stands behind a sequence's length may be anything, or one after the other.
    input_lengths, target_lengths : array of an integer dtype, shape (N,); alone, () or (1,)
        How many frames, at most T, and labels, at most S, every sequence has.
    blank : int, default 0
        The class that is no label.
    zero_infinity : bool, default False
        Make the loss of a sequence without an alignment 0 instead of +inf.
    where : array of bool, broadcastable to the sequences, optional
        Sequences that count; the others add nothing, whatever `log_probs` holds there.
    sample_weight : array, broadcastable to the sequences, optional
        Weights of the sequences, at least 0.
    reduction : {"mean", "sum", "none"}
        "mean" first divides each loss by its target's length, at least 1, as PyTorch does.
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (N,) after "none" (or () for one sequence alone). Dtype
        and device of `log_probs`; float16 and bfloat16 are computed in float32 and rounded once.

    Raises
    ------
    TypeError
        `log_probs` is not real floating, labels or lengths are not integers, or the arrays come
        from two libraries.
    ValueError
        The shapes do not fit, a length is out of range, a label is the blank, a weight is
        negative, or `blank` is no class.
    IndexError
        A label is no class.

    Notes
    -----
    With the blank between all labels and at both ends, the probability of having reached each of
    those places goes from frame to frame in logarithms. The gradient in `log_probs[t, c]` is minus
    the probability that a random alignment of the target is at c in frame t, found by going back
    from the last frame too; it is that of the formula above, for any `log_probs`. (PyTorch's is
    that by the logits, ``exp(log_probs)`` more, which is the same behind a `log_softmax`.) A target
    without an alignment (longer than its frames allow) has loss +inf and gradient 0. Where values
    cannot be read (on a GPU, under ``jax.jit``, on Dask), a sequence with a bad label or length is
    NaN. The frames are a loop in Python, in
    JAX a ``lax.scan``.

    Source: A. Graves et al., "Connectionist temporal classification" (2006),
    doi:10.1145/1143844.1143891.

    Examples
    --------
    Two frames; the target is the one label 1. It is "1 1", "1 blank" or "blank 1":

    >>> import numpy as np
    >>> import portable_losses as pl
    >>> log_probs = np.log(np.asarray([[0.5, 0.5], [0.75, 0.25]]))
    >>> loss = pl.ctc_loss(log_probs, np.asarray([1]), np.asarray(2), np.asarray(1))
    >>> print(np.exp(-loss).round(4))
    0.625
    """
    xp = namespace_of(
        log_probs=log_probs,
        target=target,
        input_lengths=input_lengths,
        target_lengths=target_lengths,
        optional={"sample_weight": sample_weight},
    )
    check_real_floating(xp, log_probs=log_probs)
    check_integer(xp, target=target)
    check_known(log_probs, (0, -1), name="log_probs")  # the sequences are not counted
    check_known(target, (-1,), name="target")
    shape = tuple(log_probs.shape)
    _check_shapes(shape, target, blank)
    alone, sequences = len(shape) == 2, 1 if len(shape) == 2 else shape[1]
    z = widen(log_probs, xp=xp)
    labels = as_index(target, xp=xp)
    if alone:
        z, labels = z[:, None, :], labels[None, :]
    read = partial(_read_lengths, sequences=sequences, alone=alone, xp=xp)
    frames_of, bad_frames = read(input_lengths, shape[0], name="input_lengths")
    labels_of, bad_counts = read(target_lengths, labels.shape[-1], name="target_lengths")
    bad_sum: Array | None = None
    if labels.ndim == 1:
        labels, bad_sum = _padded(labels, labels_of, xp=xp)
    labels, bad_labels = _read_labels(labels, labels_of, shape[-1], blank, xp=xp)

    lattice = _lattice(z, labels, frames_of, labels_of, blank, xp=xp)
    loss = 0.0 - _log_likelihood(*lattice, xp=xp)
    loss = mark_invalid(loss, bad_frames, bad_counts, bad_sum, bad_labels, xp=xp)
    if zero_infinity:
        loss = _where(loss == INF, 0.0, loss, xp=xp)
    if reduction == "mean":
        loss = loss / narrow(_where(labels_of > 1, labels_of, 1, xp=xp), loss.dtype, xp=xp)
    if alone:
        loss = loss[0]
    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=log_probs.dtype,
        denominator=denominator,
        xp=xp,
    )


# ---- what is given ---------------------------------------------------------------------------


def _check_shapes(shape: tuple[int, ...], target: Array, blank: int) -> None:
    """Raise ValueError unless there are T frames, N sequences, C classes, and their labels."""
    if len(shape) not in (2, 3):
        msg = f"`log_probs` must have shape (T, N, C) or (T, C), got {shape}"
        raise ValueError(msg)
    if target.ndim != 1 and (len(shape) == 2 or not same_shape(target.shape[:-1], shape[1:2])):
        wanted = "(S,)" if len(shape) == 2 else f"({shape[1]}, S) or (sum of `target_lengths`,)"
        msg = (
            f"`target` must have shape {wanted} for `log_probs` of shape {shape}, "
            f"got shape {tuple(target.shape)}"
        )
        raise ValueError(msg)
    if not 0 <= blank < shape[-1]:
        msg = f"`blank` must be a class, in [0, {shape[-1]}), got {blank}"
        raise ValueError(msg)


def _read_lengths(
    x: Array, most: int, *, name: str, sequences: int, alone: bool, xp: Namespace
) -> tuple[Array, Array | None]:
    """Return the lengths of the sequences, all in range, and the mask of bad ones."""
    if kind_of(x, xp=xp) != "integral":
        msg = f"`{name}` must have an integer dtype, got {x.dtype}"
        raise TypeError(msg)
    if not (same_shape(x.shape, (sequences,)) or (alone and not x.ndim)):
        msg = f"`{name}` must have shape ({sequences},), got {tuple(x.shape)}"
        raise ValueError(msg)
    x = xp.reshape(as_index(x, xp=xp), (-1,))
    bad = (x < 0) | (x > most)
    invalid = check_values(x, bad, lambda: f"lie in [0, {most}]", name=name, xp=xp)
    return _where(bad, most, x, xp=xp), invalid


def _padded(target: Array, lengths: Array, *, xp: Namespace) -> tuple[Array, Array | None]:
    """Return the rows of a flat `target`, padded, and the mask that its size is not their sum."""
    size, place = target.shape[0], places_along(-1, lengths, dtype=lengths.dtype, xp=xp)
    ends = total(_where(place <= place[:, None], lengths, 0, xp=xp), axis=-1, xp=xp)
    whole = ends[-1:]
    what = lambda: f"sum to {size}, the size of a flat `target`"  # noqa: E731
    invalid = check_values(whole, whole != size, what, name="target_lengths", xp=xp)
    longest = size
    if lengths.shape[0] and readable(lengths, xp=xp):
        longest = int(xp.max(lengths))
    places = (ends - lengths)[:, None] + _count(longest, lengths, xp=xp)
    places = _where((places >= 0) & (places < size), places, 0, xp=xp)
    flat = xp.take(target, xp.reshape(places, (-1,)), axis=0)
    return reshape(flat, places.shape, xp=xp), invalid


def _read_labels(
    labels: Array, lengths: Array, classes: int, blank: int, *, xp: Namespace
) -> tuple[Array, Array | None]:
    """Return the labels, the blank beyond their end, and the mask of rows with a bad label."""
    used = _count(labels.shape[1], lengths, xp=xp) < lengths[:, None]
    unknown = used & ((labels < 0) | (labels >= classes))
    blanks = used & (labels == blank)
    indices = lambda: f"hold class indices in [0, {classes})"  # noqa: E731
    first = check_values(labels, unknown, indices, name="target", xp=xp, error=IndexError)
    what = f"not hold the blank, {blank}, as a label"
    second = check_values(labels, blanks, what, name="target", xp=xp)
    invalid = join_masks(first, second, xp=xp)
    if invalid is not None:
        invalid = xp.any(invalid, axis=-1)
    return _where(used & ~unknown, labels, blank, xp=xp), invalid


def _count(size: int, like: Array, *, xp: Namespace) -> Array:
    """``arange(size)`` on the device of `like`."""
    return as_index(arange(size, like, xp=xp), xp=xp)


# ---- the lattice: a place for every label, and for the blanks around them ----------------------


class Lattice(NamedTuple):
    """What alignments may do, as arrays over frames T, sequences N and places L.

    Parameters
    ----------
    emissions : array, shape (T, N, L)
        Log-probability of being at the place in the frame; 0 in frames that are not there.
    active : array of bool, shape (T, N, 1)
        The frames that are there.
    jumps : array of bool, shape (N, L)
        The places that may be reached from two places before.
    final : array of bool, shape (N, L)
        The places to be at after the last frame.
    """

    emissions: Array
    active: Array
    jumps: Array
    final: Array


def _lattice(
    log_probs: Array,
    labels: Array,
    frames_of: Array,
    labels_of: Array,
    blank: int,
    *,
    xp: Namespace,
) -> Lattice:
    """Return the lattice of blanks and labels, ``blank l_1 blank l_2 ... blank``."""
    frames, sequences, _ = log_probs.shape
    size = 2 * labels.shape[1] + 1
    device = device_of(labels, xp=xp)
    blanks = xp.full_like(labels, blank, device=device)
    column = xp.full_like(labels_of[:, None], blank, device=device)
    classes = column
    if size > 1:
        between = xp.reshape(xp.stack([blanks, labels], axis=-1), (-1, size - 1))
        classes = concat([between, column], axis=1, xp=xp)
    two_before = concat([column, column, classes], axis=1, xp=xp)[:, :size]

    whole = (frames, sequences, size)
    wanted = broadcast_to(classes[None, ...], whole, like=log_probs[..., :1], xp=xp)
    emissions = take_along_axis(log_probs, wanted, axis=-1, xp=xp)
    # +inf is the logarithm of no probability.
    emissions = _where(emissions < INF, emissions, NAN, xp=xp)
    active = _count(frames, labels, xp=xp)[:, None, None] < frames_of[None, :, None]
    place, last = _count(size, labels, xp=xp), 2 * labels_of[:, None]
    return Lattice(
        _where(active, emissions, 0.0, xp=xp),
        active,
        (classes != blank) & (classes != two_before),
        (place == last) | (place == last - 1),
    )


# ---- the pair --------------------------------------------------------------------------------


def _log_likelihood_grad(
    grad: Array,
    out: Array,
    emissions: Array,
    active: Array,
    jumps: Array,
    final: Array,
    *,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """``grad`` times the probability of every place in every frame: forward times backward.

    It is normalised in each frame, so each frame's logarithms may be shifted: they stay small and
    keep their digits however long the sequence is.
    """

    def ahead(state: Array, emission: Array, active: Array) -> Array:
        moved = _moved(state, jumps, back=False, xp=xp) + emission
        return _scaled(_where(active, moved, state, xp=xp), xp=xp)

    def back(state: Array, emission: Array, active: Array) -> Array:
        moved = _moved(state + emission, jumps, back=True, xp=xp)
        return _scaled(_where(active, moved, state, xp=xp), xp=xp)

    first = _start(emissions, jumps, xp=xp)
    before = scan(ahead, first, (emissions, active), xp=xp)[1:, ...]
    last = _where(final, constant(0.0, emissions, xp=xp), -INF, xp=xp)
    reverse = (xp.flip(emissions, axis=0), xp.flip(active, axis=0))
    after = xp.flip(scan(back, last, reverse, xp=xp)[:-1, ...], axis=0)
    possible = (out != -INF)[None, :, None]
    shares = _softmax(_where(possible, before + after, 0.0, xp=xp), xp=xp)
    slopes = grad[None, :, None] * _where(possible, shares, 0.0, xp=xp)
    return _where(active, slopes, 0.0, xp=xp), None, None, None


@with_gradient(_log_likelihood_grad)
def _log_likelihood(
    emissions: Array, active: Array, jumps: Array, final: Array, *, xp: Namespace
) -> Array:
    """Return ``log sum exp`` over all paths through the lattice, for every sequence."""

    def ahead(state: Array, emission: Array, active: Array) -> Array:
        moved = _moved(state, jumps, back=False, xp=xp) + emission
        return _where(active, moved, state, xp=xp)

    first = _start(emissions, jumps, xp=xp)
    states = scan(ahead, first, (emissions, active), xp=xp)
    return _logsumexp(_where(final, states[-1, ...], -INF, xp=xp), xp=xp)[..., 0]


def _start(emissions: Array, jumps: Array, *, xp: Namespace) -> Array:
    """Return the log-probabilities before the first frame: 0 at the first place, else -inf."""
    first = places_along(-1, jumps, xp=xp) == 0
    state = _where(first, constant(0.0, emissions, xp=xp), -INF, xp=xp)
    return broadcast_to(state, jumps.shape, like=jumps, xp=xp)


def _moved(state: Array, jumps: Array, *, back: bool, xp: Namespace) -> Array:
    """Return the log-probabilities after a step: stay, go on by one, or by two where `jumps`.

    With `back` those before such a step.
    """
    shape = (*state.shape[:-1], 1)
    edge = broadcast_to(constant(-INF, state, xp=xp), shape, like=state[..., :1], xp=xp)
    if back:
        jumping = _where(jumps, state, -INF, xp=xp)
        one = concat([state, edge, edge], axis=-1, xp=xp)[..., 1:-1]
        two = concat([jumping, edge, edge], axis=-1, xp=xp)[..., 2:]
    else:
        wide = concat([edge, edge, state], axis=-1, xp=xp)
        one, two = wide[..., 1:-1], _where(jumps, wide[..., :-2], -INF, xp=xp)
    return _logsumexp(xp.stack([state, one, two], axis=-1), xp=xp)[..., 0]


def _scaled(state: Array, *, xp: Namespace) -> Array:
    """``state - max(state)`` along the last axis; a row of -inf stays."""
    top = stop_gradient(xp.max(state, axis=-1, keepdims=True), xp=xp)
    return state - _where(top > -INF, top, 0.0, xp=xp)
