"""Value, gradient and Hessian of losses that have no pass of their own, by the tape."""

import inspect
from collections.abc import Callable
from typing import Any

from portable_losses._polyfill import broadcast_to, device_of, total, where
from portable_losses._stable import NAN
from portable_losses._typing import Array, Namespace, Options
from portable_losses._validation import check_axis
from portable_losses.autograd.transforms.functional import vjp
from portable_losses.autograd.transforms.products import elementwise_grad
from portable_losses.differentials.curvatures import boosting, is_piecewise_linear
from portable_losses.differentials.row_hessians import FORMULAS, hessian_of_rows
from portable_losses.differentials.weights import times, weight_of_samples
from portable_losses.losses import generalized_kl_div, js_div, multilabel_soft_margin_loss

__all__ = ["by_tape", "class_axis", "of_regions"]

# Losses whose rows have diagonal Hessians.
SEPARABLE: tuple[Callable[..., Any], ...] = (
    generalized_kl_div,
    js_div,
    multilabel_soft_margin_loss,
)


def class_axis(loss: Callable[..., Any], options: Options, ndim: int) -> int | None:
    """Return the axis of the classes, counted from the front; None where a loss has none."""
    parameters = inspect.signature(loss).parameters
    if "axis" not in parameters:
        return None
    axis = options.get("axis", parameters["axis"].default)
    return check_axis(int(axis), ndim) if isinstance(axis, int) else None


def by_tape(
    loss: Callable[..., Any],
    x: Array,
    others: tuple[Array, ...],
    order: int,
    hessian: str,
    options: Options,
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return value, gradient and Hessian of the loss of each sample, by the tape."""

    def run(x: Array) -> Array:
        return loss(x, *others, reduction="none", **options)

    value, pullback = vjp(run, x)
    if order == 1:
        return value, pullback(xp.ones_like(value))[0]
    axis = class_axis(loss, options, x.ndim)
    if is_piecewise_linear(loss, options):
        gradient = pullback(xp.ones_like(value))[0]
        if hessian == "boosting":
            return value, gradient, xp.ones_like(gradient)
        flat = where(gradient == gradient, 0.0 * xp.ones_like(gradient), NAN, xp=xp)
        if hessian == "row" and axis is not None:
            flat = xp.moveaxis(flat, axis, -1)[..., None]
            flat = xp.broadcast_to(flat, (*flat.shape[:-1], x.shape[axis]))
        return value, gradient, flat
    if axis is not None and loss in FORMULAS:
        gradient = pullback(xp.ones_like(value))[0]
        made = hessian_of_rows(loss, x, others[0], gradient, axis, hessian, options, xp=xp)
        if made is not None:
            return value, gradient, made
    gradient, pullback = vjp(elementwise_grad(run), x)
    if hessian != "row" and (loss in SEPARABLE or (axis is None and value.ndim == x.ndim)):
        second = pullback(xp.ones_like(gradient))[0]
    elif axis is None or value.ndim != x.ndim - 1:
        msg = f"`order` must be 1 for {loss.__name__}, whose samples have several axes"
        raise ValueError(msg)
    else:
        columns = _columns(pullback, x, axis, hessian, xp=xp)
        second = xp.stack(columns, axis=-1 if hessian == "row" else axis)
    return value, gradient, boosting(second, xp=xp) if hessian == "boosting" else second


def of_regions(
    loss: Callable[..., Any],
    x: Array,
    others: tuple[Array, ...],
    sample_weight: Array | None,
    options: Options,
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return value and gradient of a loss whose samples are regions, sequences or hidden rows."""
    shares: Options = {}
    if sample_weight is not None:  # 0 leaves out in the loss itself, which other weights would not
        shares = {"sample_weight": xp.astype(sample_weight != 0, x.dtype)}
    value, pullback = vjp(lambda x: loss(x, *others, reduction="none", **options, **shares), x)
    weight = weight_of_samples(sample_weight, value, tuple(value.shape), xp=xp)
    if weight is None:
        return value, pullback(xp.ones_like(value))[0]
    weight = broadcast_to(weight, tuple(value.shape), like=value, xp=xp)
    return times(weight, value, xp=xp), pullback(weight)[0]


def _columns(
    pullback: Callable[..., Any], x: Array, axis: int, hessian: str, *, xp: Namespace
) -> list[Array]:
    """Return the columns of the Hessian of each row, or the diagonal's entries."""
    places = xp.arange(x.shape[axis], device=device_of(x, xp=xp))
    places = xp.reshape(places, (-1, *(1,) * (x.ndim - axis - 1)))
    columns = []
    for k in range(x.shape[axis]):
        own = xp.broadcast_to(places == k, x.shape)
        column = pullback(xp.astype(own, x.dtype))[0]
        if hessian == "row":
            columns.append(xp.moveaxis(column, axis, -1))
        else:
            columns.append(total(where(own, column, 0.0, xp=xp), axis=axis, xp=xp))
    return columns
