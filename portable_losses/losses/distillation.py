"""What a student learns from a teacher's probabilities."""

from typing import Literal

from portable_losses._dtypes import is_half, largest
from portable_losses._gradient import stop_gradient
from portable_losses._options import FRACTION, POSITIVE, UNIT, is_number, require
from portable_losses._polyfill import total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._row_functions import of_rows
from portable_losses._rows import as_rows, entry, largest_along, place_of_largest
from portable_losses._stable import INF, NAN, log1p
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    check_axis,
    check_classes,
    check_real_floating,
    namespace_of,
    of_one_dtype,
)
from portable_losses.activations.softmaxes import log_softmax_in_parts, softmax_in_parts
from portable_losses.losses._foreseen import foreseen_mean
from portable_losses.losses._jensen_shannon import _js
from portable_losses.losses._kullback_leibler import _generalized_kl
from portable_losses.losses._left_out import leaves_out
from portable_losses.special.two_floats import quotient_in_parts, sum_of

__all__ = ["distillation_loss"]

CLOSE = 30.0  # above, ratios are those of the logarithms: in their exponentials one term rules
NEAREST = -2.0  # logarithms below are rounded by as much as two probabilities


@public(temperature=POSITIVE, beta=FRACTION._replace(of_arrays=UNIT))
@leaves_out(student_logits=0.5, teacher_logits=0.5)
def distillation_loss(
    student_logits: Array,
    teacher_logits: Array,
    /,
    *,
    temperature: float | Array = 1.0,
    divergence: Literal["kl", "reverse_kl", "js"] = "kl",
    beta: float | Array = 0.5,
    axis: int = -1,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Divergence of a student's class probabilities from a teacher's.

    ``temperature**2 * D(p, q)`` with ``p = softmax(teacher_logits / temperature)`` and
    ``q = softmax(student_logits / temperature)``.

    Parameters
    ----------
    student_logits : array of a real floating dtype, shape (..., C)
        Unnormalized log-probabilities. -inf is a class of probability 0.
    teacher_logits : array of a real floating dtype, shape of `student_logits`
        The same of the teacher, which gets no gradient.
    temperature : float or 0-d array, default 1.0
        Divides the logits. Greater than 0.
    divergence : {"kl", "reverse_kl", "js"}
        ``KL(p | q)``, ``KL(q | p)``, or `js_div` with `beta`.
    beta : float or 0-d array in [0, 1], default 0.5
        Share of the teacher in the mixture of "js". An array lies in (0, 1).
    axis : int, default -1
        The axis of the classes.
    where : array of bool, broadcastable to the rows, optional
        Rows that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to the rows, optional
        Weights of the rows, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", that of the rows after "none". Dtype and device of
        `student_logits`.

    Raises
    ------
    TypeError
        An argument is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, an option is out of its domain, or a weight is negative.
    IndexError
        There is no such axis.

    Notes
    -----
    Everything is computed from log-probabilities, each class as ``p * log(p / q) - p + q``: at
    least 0, so that the loss of a student close to its teacher does not cancel. The gradient of
    "kl" is ``temperature * (q - p)``.

    Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network" (2015),
    arXiv:1503.02531.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> student, teacher = np.asarray([[0.0, 0.0]]), np.asarray([[40.0, 0.0]])
    >>> print(pl.distillation_loss(student, teacher).round(4))
    0.6931
    """
    xp = namespace_of(
        student_logits=student_logits,
        teacher_logits=teacher_logits,
        optional={"sample_weight": sample_weight},
    )
    check_real_floating(xp, student_logits=student_logits, teacher_logits=teacher_logits)
    student, teacher = of_one_dtype(
        xp, student_logits=student_logits, teacher_logits=teacher_logits
    )
    place = check_axis(axis, student_logits.ndim)
    check_classes(tuple(student_logits.shape), place, name="student_logits")

    square = temperature * temperature
    if is_number(square):
        limit = xp.finfo(xp.float32).max if is_half(student, xp=xp) else largest(student, xp=xp)
        fits = square <= limit
        require(fits, "temperature", "have a square that fits the dtype", temperature)

    teacher = stop_gradient(teacher, xp=xp)
    rows = [as_rows(z, (place,), xp=xp) for z in (student, teacher)]
    seen = foreseen_mean(
        reduction,
        rows[0],
        tuple(rows[0].shape[:-1]),
        where,
        sample_weight,
        denominator=denominator,
        xp=xp,
    )
    options = {"temperature": temperature, "divergence": divergence, "beta": beta}
    loss = _distilled(*rows, **options, foreseen=seen, xp=xp)

    dtype = student_logits.dtype
    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=dtype,
        denominator=denominator,
        xp=xp,
    )


@of_rows(wide=True)
def _distilled(
    student: Array,
    teacher: Array,
    *,
    temperature: float | Array,
    divergence: str,
    beta: float | Array,
    xp: Namespace,
) -> Array:
    """Return the divergence of each row of a student's logits from a teacher's."""
    rows = [quotient_in_parts(z, temperature, xp=xp) for z in (student, teacher)]
    lq, lp = (log_softmax_in_parts(*z, xp=xp) for z in rows)
    q, p = (softmax_in_parts(*z, xp=xp) for z in rows)
    mixes = divergence == "js" and (not is_number(beta) or 0 < beta < 1)
    if not mixes and (divergence == "kl" or (divergence == "js" and beta == 0)):
        k, _ = place_of_largest(stop_gradient(lp, xp=xp), xp=xp)
        ratio = _log_ratio(_gaps(student, teacher, k, xp=xp) / temperature, p, xp=xp)
        terms = _generalized_kl(lq, lp, q, p, ratio, nearest=NEAREST, xp=xp)
    else:
        k, _ = place_of_largest(stop_gradient(lq, xp=xp), xp=xp)
        gaps = stop_gradient(_gaps(teacher, student, k, xp=xp) / temperature, xp=xp)
        ratio = _log_ratio(gaps, q, xp=xp)
        if mixes:
            known = q, p, ratio, gaps, entry(p, k, xp=xp), entry(q, k, xp=xp)
            constant = [stop_gradient(z, xp=xp) for z in known]
            terms = _js(lq, lp, *constant, beta=beta, log_target=True, xp=xp)
        else:
            terms = _generalized_kl(lp, lq, p, q, ratio, gaps, nearest=NEAREST, xp=xp)
    return temperature * temperature * total(terms, axis=-1, xp=xp)


def _gaps(x: Array, y: Array, k: Array, *, xp: Namespace) -> Array:
    """Return ``x - y`` less that at k, rounded once; 0 where both are -inf."""
    x, y = (stop_gradient(z, xp=xp) for z in (x, y))
    none = (x == -INF) & (y == -INF)
    d, rest = sum_of(*(_where(none, 0.0, z, xp=xp) for z in (x, -y)))
    rest = _where(xp.abs(d) < INF, rest, 0.0, xp=xp)
    gaps, more = sum_of(d, -entry(d, k, xp=xp))
    return gaps + _where(xp.abs(gaps) < INF, more + (rest - entry(rest, k, xp=xp)), 0.0, xp=xp)


def _log_ratio(d: Array, p: Array, *, xp: Namespace) -> Array:
    """Return the logarithm of ``softmax(z + d) / p`` for ``p = softmax(z)``; NaN in rows far apart.

    It is d without a common part, which the difference of two rounded logarithms is not.
    """
    d, p = (stop_gradient(x, xp=xp) for x in (d, p))
    near = largest_along(d, (-1,), xp=xp) < CLOSE
    common = log1p(
        total(p * xp.expm1(_where(near, d, 0.0, xp=xp)), axis=-1, keepdims=True, xp=xp), xp=xp
    )
    return _where(near, d - common, NAN, xp=xp)
