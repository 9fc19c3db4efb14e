"""Hessians of losses of rows that have a formula for them; value and gradient are the tape's.

Each is ``factor * (diag(a) - b b' / n)``, or a sum of squares of differences with one class.
"""

from collections.abc import Callable
from typing import Any

from portable_losses import losses
from portable_losses._indexing import as_index
from portable_losses._options import is_number
from portable_losses._polyfill import broadcast_to, constant, device_of, total
from portable_losses._polyfill import where as _where
from portable_losses._rows import as_rows, from_rows
from portable_losses._stable import NAN
from portable_losses._typing import Array, Namespace, Options
from portable_losses.activations import sparsemax
from portable_losses.activations.softmaxes import _log_softmax, probabilities
from portable_losses.differentials.curvatures import boosting

__all__ = ["FORMULAS", "hessian_of_rows"]

# Of a row: the diagonal, and a function that returns the matrix.
Hessian = tuple[Array, Callable[[], Array]]


def _softmax_rows(z: Array, target: Array, options: Options, *, xp: Namespace) -> Hessian | None:
    """Of "kl": ``diag(q) - q q'`` of q, the student's probabilities at the temperature."""
    temperature = options.get("temperature", 1.0)
    if options.get("divergence", "kl") != "kl" or not is_number(temperature):
        return None
    z = z / temperature
    q, less = probabilities(z, _log_softmax(z, xp=xp), xp=xp)
    diagonal = -(q * less)
    return diagonal, lambda: _outer(-q, q, diagonal, xp=xp)


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
        return _where(classes[:, None] == classes, diagonal[..., None], 0.0 - pairs, xp=xp)

    return diagonal, matrix


def _outer(a: Array, b: Array, diagonal: Array, *, xp: Namespace) -> Array:
    """Return the matrices ``a b'`` of rows, with a diagonal of their own."""
    classes = xp.arange(a.shape[-1], device=device_of(a, xp=xp))
    own = classes[:, None] == classes
    return _where(own, diagonal[..., None], a[..., :, None] * b[..., None, :], xp=xp)


FORMULAS: dict[Callable[..., Any], Callable[..., Hessian | None]] = {
    losses.distillation_loss: _softmax_rows,
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
