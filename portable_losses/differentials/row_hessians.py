"""Hessians of losses of rows that have a formula for them; value and gradient are the tape's.

Each is ``factor * (diag(a) - b b' / n)``, or a sum of squares of differences with one class, or of
terms of the logarithms of the softmax.
"""

import math
from collections.abc import Callable
from typing import Any

from portable_losses import losses
from portable_losses._indexing import as_index
from portable_losses._options import is_number
from portable_losses._polyfill import broadcast_to, constant, device_of, total
from portable_losses._polyfill import where as _where
from portable_losses._rows import as_rows, from_rows, place_of_largest
from portable_losses._stable import NAN
from portable_losses._typing import Array, Namespace, Options
from portable_losses.activations import sparsemax
from portable_losses.activations.logistic import _sigmoid, _softplus
from portable_losses.activations.softmaxes import _log_softmax, probabilities
from portable_losses.differentials.curvatures import boosting
from portable_losses.special import logsumexp

__all__ = ["FORMULAS", "hessian_of_rows"]

# Of a row: the diagonal, and a function that returns the matrix.
Hessian = tuple[Array, Callable[[], Array]]


def _softmax_rows(z: Array, *, xp: Namespace) -> tuple[Array, Array, Array, Hessian]:
    """Return the softmax q, ``q - 1``, the logarithm of q, and ``diag(q) - q q'``."""
    log_q = _log_softmax(z, xp=xp)
    q, less = probabilities(z, log_q, xp=xp)
    diagonal = -(q * less)
    return q, less, log_q, (diagonal, lambda: _outer(-q, q, diagonal, xp=xp))


def _regret_rows(z: Array, target: Array, options: Options, *, xp: Namespace) -> Hessian | None:
    """Of `logsumexp`."""
    return _softmax_rows(z, xp=xp)[-1] if options.get("max_fun") is logsumexp else None


def _distilled_rows(z: Array, target: Array, options: Options, *, xp: Namespace) -> Hessian | None:
    """Of terms of ``log(q)``, the student's, whose derivatives are ``q a`` and ``q b``.

    With A and B the sums of those it is ``d_ij q_i (b_i - A) + q_i q_j (A + B - b_i - b_j)``,
    which no number changes that is added to a and b. The temperature cancels.
    """
    temperature, beta = options.get("temperature", 1.0), options.get("beta", 0.5)
    divergence = options.get("divergence", "kl")
    if not is_number(temperature) or not is_number(beta):
        return None
    if divergence == "js" and beta in (0, 1):
        divergence = "reverse_kl" if beta else "kl"
    z = z / temperature
    q, less, log_q, of_kl = _softmax_rows(z, xp=xp)
    if divergence == "kl":
        return of_kl
    u = _log_softmax(target / temperature, xp=xp) - log_q
    if divergence == "js":
        u = u + (math.log(beta) - math.log1p(-beta))
        a = (beta - 1) * _softplus(u, beta=1.0, xp=xp)
        b = a + (1 - beta) * _sigmoid(u, xp=xp)
    else:
        a, b = -u, 1 - u
    a, b = (_where(q == 0, 0.0, one, xp=xp) for one in (a, b))
    of_a, of_b = (total(q * one, axis=-1, keepdims=True, xp=xp) for one in (a, b))
    _, largest = place_of_largest(z, xp=xp)
    others = total(_where(largest, 0.0, q * b, xp=xp), axis=-1, keepdims=True, xp=xp)
    apart = _where(largest, others + less * b, of_b - b, xp=xp)  # B - b_i, where q_i is near 1, too
    diagonal = q * (q * apart - less * (b - of_a))

    def matrix() -> Array:
        mixed = (of_a + of_b - b)[..., :, None] - b[..., None, :]
        pairs = q[..., :, None] * q[..., None, :] * mixed
        return _with_diagonal(pairs, diagonal, xp=xp)

    return diagonal, matrix


def _sparsemax_rows(z: Array, target: Array, options: Options, *, xp: Namespace) -> Hessian | None:
    """``diag(s) - s s' / n`` of the n classes s whose probability is not 0."""
    support = xp.astype(sparsemax(z, axis=-1) > 0, z.dtype)
    n = total(support, axis=-1, keepdims=True, xp=xp)
    diagonal = support * ((n - 1) / n)
    return diagonal, lambda: _outer(-support, support / n, diagonal, xp=xp)


def _margin_rows(x: Array, target: Array, options: Options, *, xp: Namespace) -> Hessian | None:
    """``2 weight_y / C * sum over near j != y of (e_j - e_y)(e_j - e_y)'``."""
    margin, weight = options.get("margin", 1.0), options.get("weight")
    if not is_number(margin):
        return None
    classes = xp.arange(x.shape[-1], device=device_of(x, xp=xp))
    own = classes == as_index(target, xp=xp)[..., None]
    score = total(_where(own, x, 0.0, xp=xp), axis=-1, keepdims=True, xp=xp)
    near = xp.astype(~own & (x - score + margin > 0), x.dtype)
    number = total(near, axis=-1, keepdims=True, xp=xp)
    factor = constant(2 / x.shape[-1], x, xp=xp)
    if weight is not None:
        of_class = broadcast_to(xp.astype(weight, x.dtype), tuple(x.shape), like=x, xp=xp)
        factor = factor * total(_where(own, of_class, 0.0, xp=xp), axis=-1, keepdims=True, xp=xp)
    diagonal = factor * _where(own, number, near, xp=xp)
    one = factor * xp.astype(own, x.dtype)

    def matrix() -> Array:
        pairs = one[..., :, None] * near[..., None, :] + near[..., :, None] * one[..., None, :]
        return _with_diagonal(0.0 - pairs, diagonal, xp=xp)

    return diagonal, matrix


def _outer(a: Array, b: Array, diagonal: Array, *, xp: Namespace) -> Array:
    """Return the matrices ``a b'`` of rows, with a diagonal of their own."""
    return _with_diagonal(a[..., :, None] * b[..., None, :], diagonal, xp=xp)


def _with_diagonal(matrices: Array, diagonal: Array, *, xp: Namespace) -> Array:
    """Return matrices with another diagonal."""
    classes = xp.arange(diagonal.shape[-1], device=device_of(diagonal, xp=xp))
    return _where(classes[:, None] == classes, diagonal[..., None], matrices, xp=xp)


FORMULAS: dict[Callable[..., Any], Callable[..., Hessian | None]] = {
    losses.distillation_loss: _distilled_rows,
    losses.fenchel_young_loss: _regret_rows,
    losses.multi_margin_loss: _margin_rows,
    losses.sparsemax_loss: _sparsemax_rows,
}


def hessian_of_rows(
    loss: Callable[..., Any],
    x: Array,
    target: Array,
    gradient: Array,
    axis: int,
    kind: str,
    options: Options,
    *,
    xp: Namespace,
) -> Array | None:
    """Return the Hessian, 0 in rows that are left out, NaN where the gradient is; None: none."""
    rows = as_rows(x, (axis,), xp=xp)
    by_class = tuple(target.shape) == tuple(x.shape) and not xp.isdtype(target.dtype, "integral")
    found = FORMULAS[loss](
        rows, as_rows(target, (axis,), xp=xp) if by_class else target, options, xp=xp
    )
    if found is None:
        return None
    diagonal, matrix = found
    counts = options.get("where")
    if loss is losses.sparsemax_loss and not by_class:
        there = target != options.get("ignore_index", -100)
        counts = there if counts is None else counts & there
    slopes = as_rows(gradient, (axis,), xp=xp)
    made = matrix() if kind == "row" else diagonal
    made = _where((slopes == slopes)[(..., None) if kind == "row" else ...], made, NAN, xp=xp)
    if counts is not None:
        counts = broadcast_to(counts, tuple(rows.shape[:-1]), like=rows[..., 0], xp=xp)
        made = _where(counts[(..., *(None,) * (made.ndim - counts.ndim))], made, 0.0, xp=xp)
    if kind == "row":
        return made
    made = from_rows(made, (axis,), tuple(x.shape), xp=xp)
    return boosting(made, xp=xp) if kind == "boosting" else made
