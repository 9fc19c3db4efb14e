"""`derivatives`: value, gradient and Hessian of a loss, one per sample, never reduced."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Literal

from portable_losses._backend import backend_of
from portable_losses._dtypes import narrow, widen
from portable_losses._options import is_number
from portable_losses._polyfill import expand_dims, knows_shape, readable
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Options
from portable_losses._validation import (
    check_broadcastable,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations import sigmoid, softmax
from portable_losses.differentials.by_tape import by_tape, class_axis, of_regions
from portable_losses.differentials.curvatures import is_piecewise_linear
from portable_losses.differentials.duals import Inseparable
from portable_losses.differentials.one_pass import BOOSTING, CONSTANT, SECOND, in_one_pass
from portable_losses.differentials.results import KINDS, Derivatives, check_out, written
from portable_losses.differentials.softmax_rows import of_softmax_rows
from portable_losses.differentials.weighed_rows import TERMS, of_weighed_rows
from portable_losses.differentials.weights import times, weight_of_samples
from portable_losses.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    ctc_loss,
    dice_loss,
    jaccard_loss,
    linear_cross_entropy,
    tversky_loss,
)

__all__ = ["Derivatives", "derivatives"]


def derivatives(
    loss: Callable[..., Any],
    input: Array,
    target: Array,
    /,
    *others: Array,
    order: Literal[1, 2] = 1,
    hessian: Literal["diagonal", "row", "boosting"] = "diagonal",
    probabilities: bool = False,
    sample_weight: Array | None = None,
    factor: float = 1.0,
    out: Sequence[Array | None] | None = None,
    **options: Any,
) -> Derivatives:
    """Return a loss, its gradient and its Hessian by `input`, one per sample and never reduced.

    Parameters
    ----------
    loss : callable
        A loss of this package that is computed of each entry, or of each row of classes; with
        ``order=1`` also of each region, sequence or hidden row (`dice_loss`, `ctc_loss`,
        `linear_cross_entropy` and the like).
    input, target, *others : array
        The arrays that the loss takes by position. One prediction is spread over several targets.
    order : {1, 2}, default 1
        2 returns the Hessian, too.
    hessian : {"diagonal", "row", "boosting"}, default "diagonal"
        The second derivative by each entry; of losses of rows the whole matrix of a row, shape
        (..., K, K); or the curvature by which boosting divides: the diagonal, 0 where that is
        negative, and 1 for losses that are linear in pieces (``docs/derivatives.md`` lists them).
    probabilities : bool, default False
        Return those of the logits, too: of `binary_cross_entropy_with_logits`, `cross_entropy`.
    sample_weight : array, broadcastable to the value, optional
        Multiplies value, gradient and Hessian, may be negative; 0 wins over infinities and NaN.
    factor : float, default 1.0
        Multiplies all three, in the same pass: 0.5 for the half of a deviance or a square.
    out : sequence of arrays and None, optional
        Where the results are written, in their order; of NumPy and CuPy. Those without gaps, of
        the dtype of `input`, and of memory that is not read are written to in the pass itself.
    **options
        Those of the loss, but for its `reduction`. A 0-d array whose value is read for free may
        stand for a number.

    Returns
    -------
    Derivatives
        The named tuple ``(value, gradient)``, with `hessian` and `probabilities` where they are
        asked for. Dtype and device of `input`; gradient, diagonal and probabilities of its shape,
        in its order in memory.

    Raises
    ------
    TypeError, ValueError, IndexError
        As the loss; and if `loss` compares the samples of a batch, or an option is unknown.

    Notes
    -----
    Where the loss is of one entry, all results come from one pass of one compiled formula; those of
    `cross_entropy`, `poly_loss`, the softmax focal loss, `generalized_cross_entropy` and
    `ranking_softmax_loss` from one sweep of each row. Other losses of rows run on the tape.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> z, y = np.asarray([0.0, 2.0]), np.asarray([1, 1])
    >>> found = pl.derivatives(pl.binary_cross_entropy_with_logits, z, y, order=2)
    >>> found.gradient.round(4).tolist(), found.hessian.round(4).tolist()
    ([-0.5, -0.1192], [0.25, 0.105])
    """
    given = dict(zip(_names(loss, options), (input, target, *others), strict=False))
    xp = namespace_of(**given, optional={"sample_weight": sample_weight})
    check_real_floating(xp, **{next(iter(given)): input})
    _check(order, hessian, factor)
    options = _with_numbers(loss, options)
    check_out(out, 1 + order + probabilities, xp=xp)
    quiet = backend_of(xp).arrays.quiet
    with nullcontext() if quiet is None else quiet():
        x, y = _broadcast(loss, input, target, options)
        arrays = (widen(x, xp=xp), y, *others)
        asked = (order, hessian, probabilities, sample_weight, float(factor))
        into = out if out is not None and arrays[0].dtype == input.dtype else ()
        found = _differentiated(loss, arrays, *asked, options, into, xp=xp)
        made = [in_order_of(narrow(a, input.dtype, xp=xp), input, into) for a in found]
    result: Derivatives
    result = KINDS[order, probabilities](*(made if out is None else written(made, out)))
    return result


def _with_numbers(loss: Callable[..., Any], options: Options) -> Options:
    """Return the options, of 0-d arrays the number where the loss takes no other one.

    Nothing is differentiated by them here.
    """
    parameters = inspect.signature(loss).parameters
    made = dict(options)
    for name, x in options.items():
        taken = parameters.get(name)
        if taken is None or taken.annotation is not float or getattr(x, "ndim", None) != 0:
            continue
        if readable(x, xp=namespace_of(**{name: x})):
            made[name] = float(x)
    return made


def _check(order: int, hessian: str, factor: Any) -> None:
    """Raise ValueError for options that there are not."""
    if order not in (1, 2) or isinstance(order, bool):
        msg = f"`order` must be 1 or 2, got {order!r}"
        raise ValueError(msg)
    if hessian not in ("diagonal", "row", "boosting"):
        msg = f"`hessian` must be 'diagonal', 'row' or 'boosting', got {hessian!r}"
        raise ValueError(msg)
    if not is_number(factor) or not -INF < factor < INF:
        msg = f"`factor` must be a finite number, got {factor!r}"
        raise ValueError(msg)


def _names(loss: Callable[..., Any], options: Options) -> list[str]:
    """Return the names of the arrays of a loss; TypeError where it is none of samples."""
    parameters = inspect.signature(loss).parameters
    name = getattr(loss, "__name__", repr(loss))
    if "reduction" not in parameters:
        msg = f"`loss` must be a loss with the option `reduction`, got {name}"
        raise TypeError(msg)
    if name in _OF_BATCHES:
        msg = f"`loss` must be one of samples, got {name}, which compares those of a batch"
        raise ValueError(msg)
    for option in ("reduction", "denominator", "return_lse"):
        if option in options:
            msg = f"`derivatives` takes no `{option}=`: its value is that of each sample"
            raise TypeError(msg)
    return [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]


_OF_BATCHES = ("circle_loss", "info_nce_loss", "ntxent_loss")
_OF_REGIONS = frozenset([ctc_loss, dice_loss, jaccard_loss, linear_cross_entropy, tversky_loss])


def _differentiated(
    loss: Callable[..., Any],
    arrays: tuple[Array, ...],
    order: int,
    hessian: str,
    probabilities: bool,
    sample_weight: Array | None,
    factor: float,
    options: Options,
    out: Sequence[Array | None],
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the weighted derivatives; a sample of weight 0 that the loss refuses is left out."""
    asked = (order, hessian, probabilities, sample_weight, factor)
    try:
        return _of_samples(loss, arrays, *asked, options, out, xp=xp)
    except (ValueError, IndexError):
        counts = None if sample_weight is None else sample_weight != 0
        if counts is None or "where" in options or not readable(counts, xp=xp):
            raise
        if bool(xp.all(counts)):
            raise
        more = {**options, "where": counts}
        return _of_samples(loss, arrays, *asked, more, out, xp=xp)


def _of_samples(
    loss: Callable[..., Any],
    arrays: tuple[Array, ...],
    order: int,
    hessian: str,
    probabilities: bool,
    sample_weight: Array | None,
    factor: float,
    options: Options,
    out: Sequence[Array | None],
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the weighted derivatives, in one pass where the loss is of one entry."""
    x, *others = arrays
    axis = class_axis(loss, options, x.ndim)
    if axis is None and loss not in _OF_REGIONS:
        last = None
        if order == 2:
            last = {"diagonal": SECOND, "boosting": BOOSTING, "row": None}[hessian]
            if last is None:
                msg = f"`hessian` must be 'diagonal' or 'boosting' for {loss.__name__}, got 'row'"
                raise ValueError(msg)
            if last == BOOSTING and is_piecewise_linear(loss, options):
                last = CONSTANT
        try:
            weight = weight_of_samples(sample_weight, x, tuple(x.shape), xp=xp)
            more: Options = {"factor": factor, "probabilities": probabilities, "xp": xp}
            return in_one_pass(loss, x, tuple(others), last, weight, options, out, **more)
        except Inseparable:
            pass
    asked = (order, hessian, probabilities, sample_weight)
    made = _otherwise(loss, arrays, axis, *asked, options, out if factor == 1 else (), xp=xp)
    if factor == 1:
        return made
    count = len(made) - probabilities
    return (*(factor * one for one in made[:count]), *made[count:])


def _otherwise(
    loss: Callable[..., Any],
    arrays: tuple[Array, ...],
    axis: int | None,
    order: int,
    hessian: str,
    probabilities: bool,
    sample_weight: Array | None,
    options: Options,
    out: Sequence[Array | None],
    *,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return the weighted derivatives of a loss that is not computed entry by entry."""
    x, *others = arrays
    if loss in _OF_REGIONS:
        if order == 2:
            msg = f"`order` must be 1 for {loss.__name__}, whose samples are more than a row each"
            raise ValueError(msg)
        return of_regions(loss, x, tuple(others), sample_weight, options, xp=xp)
    if loss is cross_entropy:
        try:
            found: tuple[Array, ...] = of_softmax_rows(
                *arrays,
                **options,
                sample_weight=sample_weight,
                hessian=hessian if order == 2 else None,
                shows_probabilities=probabilities,
                out=out,
            )
        except Inseparable:
            pass
        else:
            return found
    if loss in TERMS and not probabilities:
        try:
            return of_weighed_rows(
                loss,
                arrays,
                options,
                sample_weight=sample_weight,
                hessian=hessian if order == 2 else None,
                out=out,
            )
        except Inseparable:
            pass
    made = by_tape(loss, x, tuple(others), order, hessian, options, xp=xp)
    value = made[0]
    weight = weight_of_samples(sample_weight, value, tuple(value.shape), xp=xp)
    more = (_probabilities(loss, x, options),) if probabilities else ()
    if weight is None:
        return (*made, *more)
    weighted = [times(_spread(weight, x, value.ndim, axis, xp=xp), x, xp=xp) for x in made]
    return (*weighted, *more)


def _spread(weight: Array, x: Array, ndim: int, axis: int | None, *, xp: Namespace) -> Array:
    """Return the weights of samples of `ndim` axes beside `x`, which may have those of classes."""
    if x.ndim == ndim:
        return weight
    weight = expand_dims(weight, range(ndim - weight.ndim), xp=xp)
    if axis is None or x.ndim > ndim + 1:
        return weight[(..., *(None,) * (x.ndim - ndim))]
    return xp.expand_dims(weight, axis=axis)


def in_order_of(made: Array, x: Array, out: Sequence[Any]) -> Array:
    """Return an array in the order of columns in memory if `x` is, unless it is one of `out`."""
    if any(made is one for one in out):
        return made
    flags: Any = getattr(x, "flags", None)
    by_columns = getattr(flags, "f_contiguous", False) and not flags.c_contiguous
    if not by_columns or made.shape != x.shape or made.flags.f_contiguous:
        return made
    return made.copy(order="F")


def _broadcast(
    loss: Callable[..., Any], x: Array, y: Array, options: Options
) -> tuple[Array, Array]:
    """Return the input and the target, one prediction spread over several targets."""
    first, second = tuple(x.shape), tuple(y.shape)
    if first == second or loss in _OF_REGIONS or not (knows_shape(x) and knows_shape(y)):
        return x, y
    xp = namespace_of(input=x, target=y)
    axis = class_axis(loss, options, x.ndim)
    if axis is None:
        check_broadcastable(input=x, target=y)
        shape = _joined(first, second)
        return xp.broadcast_to(x, shape), xp.broadcast_to(y, shape)
    rows, shape = first[:axis] + first[axis + 1 :], first
    if len(second) == len(first) and all(n in (1, m) for n, m in zip(first, second, strict=True)):
        shape = second  # probabilities
    elif axis == x.ndim - 1 and rows != second:
        shape = (*_joined(rows, second), first[-1])
    return (x if shape == first else xp.broadcast_to(x, shape)), y


def _joined(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape to which two that fit broadcast."""
    size = max(len(first), len(second))
    one = (1,) * (size - len(first)) + first
    other = (1,) * (size - len(second)) + second
    return tuple([m if n == 1 else n for n, m in zip(one, other, strict=True)])


def _probabilities(loss: Callable[..., Any], x: Array, options: Options) -> Array:
    """Return what the loss takes its logits for: sigmoid, or softmax."""
    if loss is binary_cross_entropy_with_logits:
        return sigmoid(x)
    axis_of_rows: Any = class_axis(loss, options, x.ndim)
    if loss is cross_entropy:
        return softmax(x, axis=axis_of_rows)
    msg = f"`probabilities` are those of logits, which {loss.__name__} does not take"
    raise ValueError(msg)
