"""What the losses share that compare each row of a batch with all others."""

from collections.abc import Callable
from typing import Any

from portable_losses._dtypes import astype_like, widen
from portable_losses._gradient import stop_gradient
from portable_losses._indexing import as_index
from portable_losses._polyfill import broadcast_to, check_known, places_along, total
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_bool,
    check_broadcasts_to,
    check_integer,
    check_ndim,
    check_real_floating,
    same_shape,
)
from portable_losses.losses._left_out import weightless
from portable_losses.special.log_exp import _logsumexp

__all__ = ["as_labels", "diagonal", "log_sum", "pairs_of", "weightless_rows", "without_rows"]


def as_labels(x: Array, y: Array, *, prefix: str = "", xp: Namespace) -> Array:
    """Return `y` in one dtype for all labels, checked: N integers for a real floating (N, D)."""
    embeddings, labels = f"{prefix}embeddings", f"{prefix}labels"
    check_real_floating(xp, **{embeddings: x})
    check_ndim(2, "(N, D)", **{embeddings: x})
    check_known(x, name=embeddings, now=False)
    check_integer(xp, **{labels: y})
    if not same_shape(x.shape[:1], y.shape):
        msg = f"`{labels}` must have shape {tuple(x.shape[:1])}, got shape {tuple(y.shape)}"
        raise ValueError(msg)
    return as_index(y, xp=xp)


def pairs_of(where: Array, x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return the mask of the rows of `x` to take, as a column, and that of the pairs of them."""
    check_bool(xp, where=where)
    check_broadcasts_to(tuple(x.shape[:1]), where=where)
    mask = broadcast_to(widen(where, xp=xp), x.shape[:1], like=x[:, 0], xp=xp)
    return mask[:, None], mask[:, None] & mask[None, :]


def weightless_rows(
    losses: Callable[..., Array],
    arrays: tuple[Array | None, ...],
    sample_weight: Array,
    *,
    xp: Namespace,
) -> tuple[Array | None, Array]:
    """Return the mask of the rows of weight 0 without a finite loss, if any, and the weights.

    Left out as well are rows of the first array that are not finite: their loss may be, where they
    are compared with nothing. The weights are 0, without a derivative, in these rows.
    """
    x: Any = arrays[0]
    constants = [None if a is None else stop_gradient(a, xp=xp) for a in arrays]

    def unreduced() -> Array:
        finite = xp.all(xp.isfinite(constants[0]), axis=-1)
        return _where(finite, losses(*constants), NAN, xp=xp)

    held = {"sample_weight": sample_weight}
    bad = weightless(unreduced, held, tuple(x.shape[:1]), xp=xp)
    if bad is None:
        return None, sample_weight
    weight = broadcast_to(astype_like(sample_weight, x, xp=xp), bad.shape, like=bad, xp=xp)
    return bad, _where(bad, 0.0, weight, xp=xp)


def without_rows(bad: Array, x: Array, *, xp: Namespace) -> Array:
    """Return `x` with a harmless value in the rows of the mask `bad`."""
    return _where(xp.reshape(bad, (-1, *(1,) * (x.ndim - 1))), 0.5, x, xp=xp)


def log_sum(x: Array, *, xp: Namespace) -> Array:
    """``log(sum(exp(x)))`` along the last axis; -inf where there is nothing to contrast with."""
    if 0 in x.shape:
        return total(x, axis=-1, xp=xp) - INF
    return _logsumexp(x, xp=xp)[..., 0]


def diagonal(s: Array, *, xp: Namespace) -> Array:
    """Return the mask of the diagonal."""
    return places_along(-2, s, xp=xp) == places_along(-1, s, xp=xp)
