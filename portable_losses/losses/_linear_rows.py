"""The pair of `linear_cross_entropy`: the rows of a linear layer, a block at a time."""

from typing import Any, NamedTuple

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import with_gradient
from portable_losses._polyfill import concat, total
from portable_losses._polyfill import where as _where
from portable_losses._rows import largest_along
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses.activations.hyperbolic import _softcap_grad, softcap_in_parts
from portable_losses.activations.softmaxes import _log_softmax_grad, log_softmax_in_parts
from portable_losses.losses._targets import Target, idle_rows
from portable_losses.special.log_exp import _logsumexp_grad, logsumexp_in_parts

__all__ = ["_linear_cross_entropy"]

BLOCK_BYTES = 2**23  # of logits; about eight arrays of this size are alive at a time


class Layer(NamedTuple):
    """A linear layer in the dtype to compute in, and the cap on what comes out of it."""

    weight: Array
    bias: Array | None
    softcap: float | None

    def raw(self, hidden: Array) -> Array:
        """Return the logits before the cap."""
        z = hidden @ self.weight.T
        return z if self.bias is None else z + self.bias

    def capped(self, raw: Array, *, xp: Namespace) -> tuple[Array, Array | None]:
        """Return the logits, and what rounding them has lost."""
        return (raw, None) if self.softcap is None else softcap_in_parts(raw, self.softcap, xp=xp)

    def uncapped(self, grad: Array, z: Array, raw: Array, *, xp: Namespace) -> Array:
        """Return the gradient by `raw` for `grad`, that by the logits `z`."""
        if self.softcap is None:
            return grad
        return _softcap_grad(grad, z, raw, cap=self.softcap, xp=xp)[0]


def _layer(
    hidden: Array, weight: Array, bias: Array | None, softcap: float | None, *, xp: Namespace
) -> Layer:
    """Return the layer in the dtype to compute in: that of the widened `hidden`."""
    dtype = widen(hidden[..., :0], xp=xp).dtype
    bias = None if bias is None else narrow(bias, dtype, xp=xp)
    return Layer(narrow(weight, dtype, xp=xp), bias, softcap)


def _blocks(size: int, chunk_size: int | None, layer: Layer, *, xp: Namespace) -> list[slice]:
    """Return slices that cut `size` rows into blocks: one of no rows, and of an unknown number."""
    if not isinstance(size, int):
        return [slice(None)]
    weight = layer.weight
    row_bytes = weight.shape[0] * xp.finfo(weight.dtype).bits // 8
    count = chunk_size or max(BLOCK_BYTES // row_bytes, 1)
    found = [slice(0, min(count, size))]
    while found[-1].stop < size:  # no range, for which torch.compile takes a graph for each size
        found.append(slice(found[-1].stop, min(found[-1].stop + count, size)))
    return found


class Block(NamedTuple):
    """The logits of a block of rows, in two parts, and how much each of their terms counts.

    `idle` has the rows all of whose coefficients are 0 and that hold no finite logits; they are
    replaced. It is None where no row can be that.
    """

    x: Array
    raw: Array
    z: Array
    rest: Array | None
    target: Target
    q: Array
    idle: Array | None


def _block(
    layer: Layer,
    hidden: Array,
    labels: Array,
    class_weight: Array | None,
    *,
    label_smoothing: float,
    with_lse: bool,
    masked: bool,
    xp: Namespace,
) -> Block:
    """Return the logits of the rows `hidden`; with `masked`, -1 among `labels` leaves a row out."""
    x, like = widen(hidden, xp=xp), layer.weight.T
    out: Array | None = None
    if masked and labels.ndim == 1:
        out = labels[:, None] < 0
        labels = _where(labels < 0, 0, labels, xp=xp)
    target = _target_of(labels, class_weight, like, xp=xp)
    q = target.probabilities(like, xp=xp)
    if label_smoothing:
        q = (1 - label_smoothing) * q + label_smoothing / like.shape[-1]
    if out is not None:
        q = _where(out, 0.0, q, xp=xp)
    # The logsumexp of a row counts whatever the coefficients are, except where it is left out.
    weighed = not with_lse and (class_weight is not None or target.q is not None)
    if out is None and not weighed:
        raw = layer.raw(x)
        return Block(x, raw, *layer.capped(raw, xp=xp), target, q, None)
    coefficient = q if class_weight is None or not weighed else q * class_weight
    finite = xp.all(xp.isfinite(x), axis=-1, keepdims=True)
    x = _where(idle_rows(coefficient, finite, xp=xp), 0.0, x, xp=xp)
    raw = layer.raw(x)
    finite = xp.isfinite(largest_along(raw, (-1,), xp=xp))
    idle = idle_rows(coefficient, finite, xp=xp)
    raw = _where(idle, 0.0, raw, xp=xp)
    return Block(x, raw, *layer.capped(raw, xp=xp), target, q, idle)


def _linear_cross_entropy_grad(
    grad: tuple[Array, ...],
    out: tuple[Array, ...],
    hidden: Array,
    weight: Array,
    bias: Array | None,
    target: Array,
    class_weight: Array | None,
    *,
    chunk_size: int | None,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    foreseen: tuple[Array | None, float] | None,
    masked: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """`_cross_entropy_grad` of a block of rows at a time, and from there to the layer."""
    layer = _layer(hidden, weight, bias, softcap, xp=xp)
    of_probabilities = target.ndim == 2 and xp.isdtype(target.dtype, "real floating")
    in_hidden: list[Array] = []
    in_target: list[Array] = []
    in_weight: Any = 0
    in_bias: Any = 0
    in_class: Any = 0
    for rows in _blocks(hidden.shape[0], chunk_size, layer, xp=xp):
        g = grad[0][rows, None]
        x, raw, z, rest, _, q, idle = _block(
            layer,
            hidden[rows, ...],
            target[rows, ...],
            class_weight,
            label_smoothing=label_smoothing,
            with_lse=with_lse,
            masked=masked,
            xp=xp,
        )
        log_p = log_softmax_in_parts(z, rest, xp=xp)
        parts = (z,) if rest is None else (z, rest)
        coefficient = q if class_weight is None else q * class_weight
        in_z: Array = _log_softmax_grad(-g * coefficient, log_p, *parts, xp=xp)[0]
        if with_lse:
            in_lse = _logsumexp_grad(grad[1][rows, None], out[1][rows, None], *parts, xp=xp)[0]
            in_z = xp.add(in_z, in_lse)
        in_z = layer.uncapped(in_z, z, raw, xp=xp)
        in_hidden.append(narrow(in_z @ layer.weight, hidden.dtype, xp=xp))
        in_weight = in_z.T @ x + in_weight
        if bias is not None:
            in_bias = total(in_z, axis=0, xp=xp) + in_bias
        if class_weight is None and not of_probabilities:
            continue
        contributes = (coefficient != 0) | (log_p > -INF)
        if idle is not None:
            contributes = contributes & ~idle
        in_coefficient = g * _where(contributes, -log_p, 0.0, xp=xp)
        if class_weight is not None:
            in_class = total(q * in_coefficient, axis=0, xp=xp) + in_class
            in_coefficient = in_coefficient * class_weight
        if of_probabilities:
            in_q = (1 - label_smoothing) * in_coefficient
            in_target.append(narrow(in_q, target.dtype, xp=xp))
    return (
        concat(in_hidden, xp=xp),
        narrow(in_weight, weight.dtype, xp=xp),
        None if bias is None else narrow(in_bias, bias.dtype, xp=xp),
        concat(in_target, xp=xp) if of_probabilities else None,
        None if class_weight is None else in_class,
    )


@with_gradient(_linear_cross_entropy_grad, kernel="linear_cross_entropy", by={"softcap": None})
def _linear_cross_entropy(
    hidden: Array,
    weight: Array,
    bias: Array | None,
    target: Array,
    class_weight: Array | None,
    *,
    chunk_size: int | None,
    label_smoothing: float,
    softcap: float | None,
    with_lse: bool,
    foreseen: tuple[Array | None, float] | None,
    masked: bool,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the loss of each row, and its logsumexp; `target` holds indices or probabilities.

    `foreseen`, read by kernels alone, has the factors of these rows (see `_foreseen`) and `z_loss`.
    With `masked`, an index of -1 leaves its row out.
    """
    layer = _layer(hidden, weight, bias, softcap, xp=xp)
    losses: list[Array] = []
    lses: list[Array] = []
    for rows in _blocks(hidden.shape[0], chunk_size, layer, xp=xp):
        block = _block(
            layer,
            hidden[rows, ...],
            target[rows, ...],
            class_weight,
            label_smoothing=label_smoothing,
            with_lse=with_lse,
            masked=masked,
            xp=xp,
        )
        terms = 0.0 - log_softmax_in_parts(block.z, block.rest, xp=xp)
        losses.append(block.target.select(terms, label_smoothing=label_smoothing, xp=xp))
        if with_lse:
            lses.append(logsumexp_in_parts(block.z, block.rest, xp=xp)[..., 0])
    parts = (losses, lses) if with_lse else (losses,)
    return tuple(concat(part, xp=xp) for part in parts)


def _target_of(labels: Array, class_weight: Array | None, like: Array, *, xp: Namespace) -> Target:
    """Return the target of a block: `labels` are indices (N,) or probabilities (N, C)."""
    if labels.ndim == 1:
        return Target(indices=labels, weight=class_weight)
    return Target(q=narrow(labels, like.dtype, xp=xp), weight=class_weight)
