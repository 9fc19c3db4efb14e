"""Value, gradient, Hessian and probabilities of `cross_entropy`, of each row in one sweep."""

from collections.abc import Sequence
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._options import FRACTION, NONNEGATIVE, POSITIVE, is_number
from portable_losses._polyfill import broadcast_to, constant, device_of, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import weigh
from portable_losses._rows import as_rows, from_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses._values import mark_invalid
from portable_losses.activations.hyperbolic import _softcap_grad, softcap_in_parts
from portable_losses.activations.softmaxes import (
    log_softmax_in_parts,
    probabilities,
    softmax_in_parts,
)
from portable_losses.differentials.curvatures import boosting
from portable_losses.differentials.duals import Inseparable
from portable_losses.differentials.results import targets
from portable_losses.differentials.weights import times, weight_of_samples
from portable_losses.losses._targets import LAST, Target, axis_of_classes, read_target
from portable_losses.losses.categorical import _cross_entropy, _cross_entropy_grad

__all__ = ["of_softmax_rows"]

ROW, BOOSTING = "row", "boosting"  # Hessians beside "diagonal"


@public(label_smoothing=FRACTION, z_loss=NONNEGATIVE, softcap=POSITIVE)
def of_softmax_rows(
    logits: Array,
    target: Array,
    /,
    *,
    axis: int = LAST,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    z_loss: float | Array = 0.0,
    softcap: float | Array | None = None,
    where: Array | None = None,
    sample_weight: Array | None = None,
    hessian: str | None = None,
    shows_probabilities: bool = False,
    out: Sequence[Array | None] = (),
) -> tuple[Array, ...]:
    """Return value, gradient, the Hessian if one is named, and the probabilities if asked for.

    They are in `out` where it has arrays that the sweep can write to. The other options are
    those of `cross_entropy`. Inseparable where one of them is an array.
    """
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    numbers = (label_smoothing, z_loss, 0 if softcap is None else softcap)
    if not all(map(is_number, numbers)) or (hessian == ROW and (softcap is not None or z_loss)):
        raise Inseparable
    check_real_floating(xp, logits=logits)
    place = axis_of_classes(axis, logits, target, name="logits", xp=xp)
    z = as_rows(logits, (place,), xp=xp)
    read, invalid = read_target(
        z,
        target,
        axis=place,
        weight=weight,
        ignore_index=ignore_index,
        mask=where,
        name="logits",
        xp=xp,
    )
    rows = tuple(z.shape[:-1])
    sample_weight = weight_of_samples(sample_weight, z, rows, xp=xp)
    if sample_weight is not None:
        sample_weight = broadcast_to(sample_weight, rows, like=z[..., 0], xp=xp)

    options: dict[str, Any] = {
        "label_smoothing": label_smoothing,
        "softcap": softcap,
        "z_loss": z_loss,
        "hessian": hessian,
        "shows_probabilities": shows_probabilities,
        "xp": xp,
    }
    run = backend_of(xp).speed.several_of_rows
    arrays = (z, *read, sample_weight)
    into = targets(out, z, logits, hessian)
    if run is None:
        value, *made = _of_rows(*arrays, **options)
    else:
        value, *made = run(_of_rows, arrays, options, into)

    found = [mark_invalid(value, invalid, xp=xp)]
    found += [mark_invalid(x, invalid, xp=xp, of_rows=True) for x in made]
    return _arranged(found, hessian, place, tuple(logits.shape), xp=xp)


def _arranged(
    made: list[Array], hessian: str | None, place: int, shape: tuple[int, ...], *, xp: Namespace
) -> tuple[Array, ...]:
    """Return the results with the classes where they are in the logits; matrices at the end."""
    value, gradient, *rest = made
    found = [value, from_rows(gradient, (place,), shape, xp=xp)]
    if hessian == ROW:
        p, less, scale, *rest = rest
        found.append(_matrices(p, less, scale, xp=xp))
    return (*found, *(from_rows(x, (place,), shape, xp=xp) for x in rest))


def _matrices(p: Array, less: Array, scale: Array, *, xp: Namespace) -> Array:
    """``scale * (diag(p) - p p')``, the diagonal from ``less = p - 1``: `scale` has two entries."""
    classes = xp.arange(p.shape[-1], device=device_of(p, xp=xp))
    own = classes[:, None] == classes
    factors = _where(own, less[..., None, :], p[..., None, :], xp=xp)
    return -(scale[..., None] * p[..., :, None]) * factors


def _of_rows(
    z: Array,
    *arrays: Array | None,
    label_smoothing: float,
    softcap: float | None,
    z_loss: float,
    hessian: str | None,
    shows_probabilities: bool,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return what is asked for of each row; `arrays` are a `Target`'s, and the weights of rows."""
    *held, weight = arrays
    target = Target(*held)
    own: dict[str, Any] = {"label_smoothing": label_smoothing, "with_lse": z_loss != 0, "xp": xp}
    out = _cross_entropy(z, *target, softcap=softcap, foreseen=None, **own)
    value, *rest = out
    lse = rest[0] if rest else None
    one = _where(value == value, constant(1.0, value, xp=xp), 1.0, xp=xp)
    grads = (one,) if lse is None else (one, 2 * z_loss * lse)
    of_z = _cross_entropy_grad(grads, out, z, *target, softcap=softcap, foreseen=None, **own)[0]
    if lse is not None:
        value = value + z_loss * lse * lse
    of_entries = None if weight is None else weight[..., None]
    found = [times(weight, value, xp=xp), times(of_entries, of_z, xp=xp)]

    seen = target.mask_logits(z, absent=-INF, xp=xp)
    capped, lost = (seen, None) if softcap is None else softcap_in_parts(seen, softcap, xp=xp)
    p, less = probabilities(capped, log_softmax_in_parts(capped, lost, xp=xp), lost, xp=xp)
    scale = _sum_of_coefficients(target, seen, label_smoothing, xp=xp)
    if hessian == ROW:
        scale = one[..., None] if scale is None else scale
        scale = times(weight, target.mask_rows(scale[..., 0], xp=xp), xp=xp)[..., None]
        found += [_where(scale == 0, 0.0, x, xp=xp) for x in (p, less)]
        found.append(scale)
    elif hessian is not None:
        second = -(p * less)
        bend = second if scale is None else scale * _where(scale == 0, 0.0, second, xp=xp)
        if lse is not None:
            bend = bend + 2 * z_loss * (p * p + lse[..., None] * second)
        if softcap is not None:
            slope = _softcap_grad(1.0, capped, seen, cap=softcap, xp=xp)[0]
            bent = -2 * (_where(slope == 0, 0.0, capped, xp=xp) / softcap) / softcap
            bend = bend * slope * slope + of_z * bent
        bend = target.mask_logits(bend, absent=0.0, xp=xp)
        if hessian == BOOSTING:
            bend = boosting(bend, xp=xp)
        found.append(times(of_entries, bend, xp=xp))
    if shows_probabilities and target.row_mask is not None:  # in p such rows are replaced
        seen = target._replace(row_mask=None).mask_logits(z, absent=-INF, xp=xp)
        parts = (seen, None) if softcap is None else softcap_in_parts(seen, softcap, xp=xp)
        p = softmax_in_parts(*parts, xp=xp)
    return (*found, p) if shows_probabilities else tuple(found)


def _sum_of_coefficients(
    target: Target, like: Array, label_smoothing: float, *, xp: Namespace
) -> Array | None:
    """Return the sum of ``q * weight`` over the classes, by which p is multiplied; None: 1."""
    if target.q is None and target.weight is None:
        return None
    q = target.smoothed(like, label_smoothing=label_smoothing, xp=xp)
    coefficient = q if target.weight is None else weigh(q, target.weight, xp=xp)
    return total(coefficient, axis=-1, keepdims=True, xp=xp)
