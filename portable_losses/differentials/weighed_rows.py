"""Value, gradient and Hessian of losses that are sums of terms of ``l = -log(softmax)``.

With a_c and b_c the first and second derivatives of the terms by l, times their coefficients, S and
T their sums, the gradient is that of log-softmax for -a, and the Hessian of a row::

    H[k, j] = p_k (d_kj - p_j) S + p_k p_j T - p_k p_j (b_k / p_k + b_j / p_j) + d_kj b_k
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from portable_losses import losses
from portable_losses._backend import backend_of
from portable_losses._dtypes import tiny
from portable_losses._options import FINITE, FRACTION, NONNEGATIVE, is_number
from portable_losses._polyfill import broadcast_to, constant, device_of, minimum, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import weigh
from portable_losses._rows import as_rows, from_rows
from portable_losses._stable import INF, expm1
from portable_losses._typing import Array, Namespace, Options
from portable_losses._validation import check_real_floating, namespace_of
from portable_losses._values import mark_invalid
from portable_losses.activations.softmaxes import _log_softmax, _log_softmax_grad, probabilities
from portable_losses.differentials.curvatures import boosting
from portable_losses.differentials.duals import Inseparable
from portable_losses.differentials.results import targets
from portable_losses.differentials.weights import times, weight_of_samples
from portable_losses.losses._targets import LAST, Target, axis_of_classes, read_target

__all__ = ["TERMS", "of_weighed_rows"]

ROW, BOOSTING = "row", "boosting"  # Hessians beside "diagonal"
Terms = Callable[..., tuple[Array, Array, Array]]


def _plain(loss: Array, p: Array, less: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """``l``."""
    one = _where(p == p, constant(1.0, p, xp=xp), 1.0, xp=xp)
    return loss, one, _where(p == p, constant(0.0, p, xp=xp), 0.0, xp=xp)


def _poly(
    loss: Array, p: Array, less: Array, *, epsilon: float, xp: Namespace
) -> tuple[Array, Array, Array]:
    """``l + epsilon * (1 - p)``."""
    return loss - epsilon * expm1(-loss, xp=xp), 1 + epsilon * p, -epsilon * p


def _focal(
    loss: Array, p: Array, less: Array, *, gamma: float, xp: Namespace
) -> tuple[Array, Array, Array]:
    """``m**gamma * l`` with ``m = 1 - p``; l over m is 1 where m is 0, and p times l 0 where p is.

    With u = p / m the slope is ``m**gamma * (1 + gamma * u * l)``, and that of it ``m**gamma *
    gamma * u * (2 - l - (1 - gamma) * u * l)``.
    """
    if gamma == 0:
        return _plain(loss, p, less, xp=xp)
    nothing = less == 0
    m = _where(nothing, 1.0, -less, xp=xp)
    power = _where(nothing, 0.0, m**gamma, xp=xp)
    near = minimum(loss, 1000.0, xp=xp)  # from there on p is 0
    over = _where(nothing, 1.0, near / m, xp=xp)
    first = power * (1 + gamma * (p * over))
    last = _where(nothing, 0.0, m ** (gamma - 1), xp=xp)
    second = gamma * (p * last) * (2 - near + (gamma - 1) * (p * over))
    return power * loss, first, second


def _tempered(
    loss: Array, p: Array, less: Array, *, q: float, xp: Namespace
) -> tuple[Array, Array, Array]:
    """``(1 - p**q) / q``."""
    if q == 0:
        return _plain(loss, p, less, xp=xp)
    there = p >= tiny(p, xp=xp)
    power = _where(there, _where(there, p, 1.0, xp=xp) ** q, xp.exp(-q * loss), xp=xp)
    return -xp.expm1(-q * loss) / q, power, -q * power


TERMS: dict[Callable[..., Any], tuple[Terms, str | None]] = {  # and the option that they take
    losses.generalized_cross_entropy: (_tempered, "q"),
    losses.poly_loss: (_poly, "epsilon"),
    losses.ranking_softmax_loss: (_plain, None),
    losses.softmax_focal_loss: (_focal, "gamma"),
}


def of_weighed_rows(
    loss: Callable[..., Any],
    arrays: tuple[Array, ...],
    options: Options,
    *,
    sample_weight: Array | None,
    hessian: str | None,
    out: Sequence[Array | None] = (),
) -> tuple[Array, ...]:
    """Return value, gradient, and the Hessian if one is named; in `out` where the sweep can.

    Inseparable where an option is an array, and where the loss would refuse the arrays.
    """
    known = signature(loss).parameters
    if any(name not in known for name in options) or len(arrays) != 2:
        raise Inseparable
    terms, name = TERMS[loss]
    held = dict(options)
    own = held.setdefault(name, known[name].default) if name else None
    alpha = held.pop("alpha", None)
    if is_number(alpha) or alpha is None:
        factor = 1.0 if alpha is None else alpha
    elif alpha.ndim == 1 and "weight" not in held:
        factor, held["weight"] = 1.0, alpha
    else:
        raise Inseparable
    if own is not None and not is_number(own):
        raise Inseparable
    if loss is losses.ranking_softmax_loss and tuple(arrays[0].shape) != tuple(arrays[1].shape):
        raise Inseparable
    try:
        return _of_rows(
            *arrays,
            **held,
            terms=terms,
            own=name,
            factor=factor,
            lists=loss is losses.ranking_softmax_loss,
            sample_weight=sample_weight,
            hessian=hessian,
            out=out,
        )
    except (TypeError, ValueError, IndexError):
        loss(*arrays, reduction="none", **options)  # names what it refuses
        raise


@public(label_smoothing=FRACTION, factor=NONNEGATIVE, epsilon=FINITE, gamma=NONNEGATIVE, q=FRACTION)
def _of_rows(
    logits: Array,
    target: Array,
    /,
    *,
    terms: Any,
    own: Any,
    factor: float,
    epsilon: float = 0.0,
    gamma: float = 0.0,
    q: float = 0.0,
    lists: bool,
    axis: int = LAST,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float | Array = 0.0,
    where: Array | None = None,
    sample_weight: Array | None = None,
    hessian: str | None = None,
    out: Sequence[Array | None] = (),
) -> tuple[Array, ...]:
    """Read the arrays as the losses do, and return what each row's sweep makes."""
    xp = namespace_of(logits=logits, target=target, optional={"sample_weight": sample_weight})
    if not is_number(label_smoothing):
        raise Inseparable
    check_real_floating(xp, logits=logits)
    place = axis_of_classes(axis, logits, target, name="logits", xp=xp)
    z = as_rows(logits, (place,), xp=xp)
    more: dict[str, Any] = {"weight": weight, "ignore_index": ignore_index, "mask": where}
    read, invalid = read_target(z, target, axis=place, name="logits", xp=xp, **more)
    if lists and read.class_mask is not None:
        read = read._replace(row_mask=xp.any(read.class_mask, axis=-1))
    rows = tuple(z.shape[:-1])
    sample_weight = weight_of_samples(sample_weight, z, rows, xp=xp)
    if sample_weight is not None:
        sample_weight = broadcast_to(sample_weight, rows, like=z[..., 0], xp=xp)
    options: dict[str, Any] = {
        "terms": terms,
        "own": ((own, {"epsilon": epsilon, "gamma": gamma, "q": q}[own]),) if own else (),
        "factor": factor,
        "label_smoothing": label_smoothing,
        "hessian": hessian,
        "xp": xp,
    }
    run = backend_of(xp).speed.several_of_rows
    arrays = (z, *read, sample_weight)
    into = targets(out, z, logits, hessian)
    made = _sweep(*arrays, **options) if run is None else run(_sweep, arrays, options, into)

    value, gradient, *rest = (
        mark_invalid(x, invalid, xp=xp, of_rows=i > 0) for i, x in enumerate(made)
    )
    shape = tuple(logits.shape)
    if hessian == ROW:
        rest = [_matrices(*rest, xp=xp)]
    else:
        rest = [from_rows(x, (place,), shape, xp=xp) for x in rest]
    return (value, from_rows(gradient, (place,), shape, xp=xp), *rest)


def _matrices(p: Array, diagonal: Array, bent: Array, sums: Array, *, xp: Namespace) -> Array:
    """Return the matrices of rows: ``p_k p_j (T - S) - p_k b_j - p_j b_k``, and the diagonal."""
    classes = xp.arange(p.shape[-1], device=device_of(p, xp=xp))
    mixed = p[..., :, None] * (p[..., None, :] * (sums[..., None] / 2) - bent[..., None, :])
    rest = p[..., None, :] * (p[..., :, None] * (sums[..., None] / 2) - bent[..., :, None])
    return _where(classes[:, None] == classes, diagonal[..., None], mixed + rest, xp=xp)


def _sweep(
    z: Array,
    *arrays: Array | None,
    terms: Terms,
    own: tuple[tuple[str, Any], ...],
    factor: float,
    label_smoothing: float,
    hessian: str | None,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return what is asked for of each row; `arrays` are a `Target`'s, and the weights of rows."""
    *held, weight = arrays
    target = Target(*held)
    z = target.mask_logits(z, absent=-INF, xp=xp)
    z = target.settle(z, label_smoothing=label_smoothing, xp=xp)
    out = _log_softmax(z, xp=xp)
    p, less = probabilities(z, out, xp=xp)
    value, slope, bend = terms(0.0 - out, p, less, xp=xp, **dict(own))
    value = factor * target.select(value, label_smoothing=label_smoothing, xp=xp)
    coefficient = target.smoothed(z, label_smoothing=label_smoothing, xp=xp)
    if target.weight is not None:
        coefficient = weigh(coefficient, target.weight, xp=xp)
    a = factor * weigh(coefficient, slope, xp=xp)
    gradient = _log_softmax_grad(0.0 - a, out, z, xp=xp)[0]
    of_entries = None if weight is None else weight[..., None]
    gradient = times(of_entries, target.mask_logits(gradient, absent=0.0, xp=xp), xp=xp)
    found = (times(weight, value, xp=xp), gradient)
    if hessian is None:
        return found

    b = factor * weigh(coefficient, bend, xp=xp)
    of_slopes = total(a, axis=-1, keepdims=True, xp=xp)
    of_bends = total(b, axis=-1, keepdims=True, xp=xp)
    second = p * (p * (of_bends - b)) + b * less * less - p * less * of_slopes
    second = target.mask_logits(second, absent=0.0, xp=xp)
    if hessian == BOOSTING:
        second = boosting(second, xp=xp)
    if hessian != ROW:
        return (*found, times(of_entries, second, xp=xp))
    counted = times(of_entries, target.mask_logits(b, absent=0.0, xp=xp), xp=xp)
    sums = times(weight, target.mask_rows((of_bends - of_slopes)[..., 0], xp=xp), xp=xp)
    one = target.mask_logits(p, absent=0.0, xp=xp)
    return (*found, one, times(of_entries, second, xp=xp), counted, sums[..., None])
