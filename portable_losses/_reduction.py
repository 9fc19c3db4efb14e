"""The one place where a loss of many elements becomes one number."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portable_losses._dtypes import is_half, kind_of, narrow
from portable_losses._gradient import (
    by_kernel,
    constant_number,
    pair_of,
    stop_gradient,
    with_gradient,
)
from portable_losses._marked import marked
from portable_losses._notes import noted
from portable_losses._options import is_number
from portable_losses._polyfill import (
    broadcast_arrays,
    broadcast_to,
    device_of,
    is_eager,
    is_known,
    knows_shape,
    total,
)
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF
from portable_losses._sums import summed, summed_pair
from portable_losses._tape import TapeArray, inner_of, raw_array
from portable_losses._typing import Array, BatchReduction, Namespace, Options, Reduction
from portable_losses._unread import weighs_unread
from portable_losses._validation import (
    check_bool,
    check_broadcasts_to,
    check_floating,
    in_one_dtype,
)
from portable_losses._values import as_weight, join_masks, mark_invalid
from portable_losses._weighted import (
    NotInOnePass,
    in_one_pass,
    weighted,
)

__all__ = ["contribution", "itself", "reduce", "reduced", "weigh"]

FEW = 2**16  # entries that are added up as a plan does: fewer than several threads pay for


def weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return ``weight * loss``, and 0 where `weight` is exactly 0, whatever `loss` is there."""
    weight, loss = broadcast_arrays(weight, loss, xp=xp)
    return _weigh(weight, loss, xp=xp)


def _weigh_grad(
    grad: Array, out: Array, weight: Array, loss: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """`loss` in the weight, `weight` in the loss; 0 in both where the loss does not contribute."""
    contributes = _contributes(weight, loss, xp=xp)
    in_weight = grad * _where(contributes, loss, 0.0, xp=xp)
    return in_weight, weight * _where(contributes, grad, 0.0, xp=xp)


@with_gradient(_weigh_grad, elementwise=True)
def _weigh(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """``weight * loss``, 0 where the loss does not contribute."""
    return weight * contribution(weight, loss, xp=xp)


def contribution(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return `loss`, and 0 where it is not finite and `weight` is 0."""
    return _where(_contributes(weight, loss, xp=xp), loss, 0.0, xp=xp)


def _contributes(weight: Array, loss: Array, *, xp: Namespace) -> Array:
    """Return a mask, False only where `weight` is 0 and `loss` is not finite.

    A finite loss contributes with weight 0 too: it is the slope in the weight.
    """
    return (weight != 0) | (xp.abs(loss) < INF)


def reduced(
    function: Callable[..., Array],
    arrays: Mapping[str, Array | None],
    reduction: Reduction,
    *,
    xp: Namespace,
    where: Array | None = None,
    sample_weight: Array | None = None,
    weight: Array | None = None,
    denominator: float | Array | None = None,
    invalid: Sequence[Array | None] = (),
    **options: Any,
) -> Array:
    """Return `reduce` of an elementwise pair of `arrays`, by their names, and of its `options`.

    The arrays are checked, and computed in the dtype of the first, half dtypes in float32. The
    losses are multiplied with `weight`, by which a mean does not divide. `denominator` is what it
    divides by instead. `invalid` has the masks of entries that are bad. Where a kernel takes the
    arrays as they are, no check is needed; where it adds up as it computes, nothing is written but
    the sum.
    """
    given: tuple[Any, ...] = tuple(arrays.values())
    dtype = given[0].dtype
    masks = [mask for mask in invalid if mask is not None]
    if weighs_unread(given[0]):
        options = {name: constant_number(x) for name, x in options.items()}
        denominator = constant_number(denominator)
    number: Any = denominator
    kept, over = reduction, None
    if denominator is not None and not (is_number(denominator) or _handed_on(denominator)):
        number, kept, over = None, "sum", denominator
    values = in_one_pass()
    if values is not None or (masks and weighs_unread(given[0])):
        try:
            check_floating(xp, **arrays)
            read = is_eager(raw_array(given[0]), xp=inner_of(xp))
            given = _in_dtype_of_first(given, xp=xp) if read else in_one_dtype(xp, *given)
            made = weighted(
                function,
                dict(zip(arrays, given, strict=True)),
                kept,
                values=values or {},
                mask=where,
                weight=sample_weight,
                factor=weight,
                denominator=number,
                invalid=masks,
                options=options,
                xp=xp,
            )
            return narrow(made if over is None else xp.divide(made, over), dtype, xp=xp)
        except NotInOnePass:
            if values is not None:
                raise
    whole = reduction != "none" and where is sample_weight is weight is None
    for checked in (False, True):  # a kernel may take the arrays as they are
        if checked:
            check_floating(xp, **arrays)
            given = _in_dtype_of_first(given, xp=xp)
        if whole and (checked or not masks):
            divisor = number if kept == "mean" else 1  # None: how many there are
            made = _summed(function, given, masks, options, divisor=divisor, xp=xp)
            if made is not None:
                return narrow(made if over is None else xp.divide(made, over), dtype, xp=xp)
        loss = by_kernel(function, given, options, wide=True)
        if loss is not None:
            break
    else:
        loss = function(*in_one_dtype(xp, *given), xp=xp, **options)
    if weight is not None:
        factor = as_weight(weight, tuple(loss.shape), name="weight", like=loss, xp=xp)
        loss = weigh(factor, loss, xp=xp)
    loss = mark_invalid(loss, *masks, xp=xp)
    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        denominator=denominator,
        dtype=dtype,
        xp=xp,
    )


def _handed_on(denominator: Any) -> bool:
    """Say whether the pass that adds up takes a number that it need not read here."""
    return not isinstance(denominator, TapeArray) and weighs_unread(denominator)


def _summed(
    function: Callable[..., Array],
    arrays: tuple[Any, ...],
    masks: list[Array],
    options: Options,
    *,
    divisor: Any,
    xp: Namespace,
) -> Array | None:
    """Return `summed`, NaN if an entry is in one of the masks."""
    if not masks:
        return summed(function, arrays, options, divisor=divisor)
    pair = pair_of(function)
    if pair is None:
        return None
    given = (*arrays, join_masks(*masks, xp=xp))
    return summed_pair(marked(pair), given, options, divisor=divisor)


def _in_dtype_of_first(arrays: tuple[Any, ...], *, xp: Namespace) -> tuple[Any, ...]:
    """Return the arrays in one dtype to compute in; halves stay, and numbers beside them."""
    first = arrays[0]
    if not is_half(first, xp=xp):
        return in_one_dtype(xp, *arrays)
    return tuple(
        [
            x if x is None or kind_of(x, xp=xp) != "bool" else narrow(x, first.dtype, xp=xp)
            for x in arrays
        ]
    )


def reduce(
    loss: Array,
    reduction: BatchReduction,
    *,
    xp: Namespace,
    dtype: Any,
    where: Array | None = None,
    sample_weight: Array | None = None,
    counts: Array | None = None,
    denominator: float | Array | None = None,
    batch: Array | None = None,
) -> Array:
    """Return the mean of `loss`, its sum, or `loss` itself, rounded once to `dtype`.

    With weights s and the counts c, an array (None: 1), the mean is ``sum(s * loss) / sum(s * c)``,
    and 0 with gradient 0 where there is nothing to divide by. What the mask `where` leaves out adds
    0 to both sums. With a `denominator` the mean is ``sum(s * loss) / denominator``. Where
    `batch` is given, "batchmean" is the sum divided by the number of its rows.
    """
    if in_one_pass() is not None:
        raise NotInOnePass
    weight = as_weight(sample_weight, tuple(loss.shape), name="sample_weight", like=loss, xp=xp)
    if where is not None:
        check_bool(xp, where=where)
        check_broadcasts_to(tuple(loss.shape), where=where)
        mask = broadcast_to(where, loss.shape, like=loss, xp=xp)
        loss = _where(mask, loss, 0.0, xp=xp)
        counted = narrow(mask, loss.dtype, xp=xp)
        counts = counted if counts is None else _where(mask, counts, 0.0, xp=xp)
    elif counts is None and reduction == "mean" and not knows_shape(loss):
        counts = _one_each(loss, xp=xp)
    terms, given = loss, weight
    if weight is not None:
        loss = weigh(weight, loss, xp=xp)
    if reduction == "none":
        return narrow(loss, dtype, xp=xp)
    free = reduction == "mean" and weight is None and counts is None and denominator is None
    if free and math.prod(loss.shape):
        count = math.prod(loss.shape)
        made = _few_added(loss, count, xp=xp)
        made = xp.mean(loss) if made is None else made
        return _added(loss, narrow(made, dtype, xp=xp), count)
    if reduction == "sum":
        made = _few_added(loss, 1, xp=xp) if weight is None else None
        made = total(loss, xp=xp) if made is None else made
        return _added(terms, narrow(made, dtype, xp=xp), 1, weight)
    result = total(loss, xp=xp)
    if denominator is not None:
        return _added(terms, narrow(result / denominator, dtype, xp=xp), denominator, given)
    if reduction == "batchmean" and batch is not None:
        result = result / _row_count(batch, xp=xp)
    elif reduction == "mean":
        if weight is not None:
            weight = broadcast_to(weight, loss.shape, like=loss, xp=xp)
        if weight is not None or counts is not None:  # else `loss` is empty, and its mean 0
            divisor = total(_product(counts, weight, xp=xp), xp=xp)
            number = _constant(divisor, xp=xp) if weight is None else None
            made = None if number is None else _few_added(loss, number or 1.0, xp=xp)
            result = result / _where(divisor == 0, 1.0, divisor, xp=xp) if made is None else made
            if (note := noted()) is not None:
                note.derived.append((divisor, (counts, given), _constant_divisor))
                return _added(terms, narrow(result, dtype, xp=xp), divisor, given)
    return narrow(result, dtype, xp=xp)


def itself(x: Array, *, xp: Namespace) -> Array:
    """Return `x`: the entries of what is added up."""
    return x


@with_gradient(lambda grad, out, x, *, xp: (grad,), elementwise=True)
def _entries(x: Array, *, xp: Namespace) -> Array:
    return itself(x, xp=xp)


def _few_added(x: Array, divisor: float, *, xp: Namespace) -> Array | None:
    """Return the sum of few entries over a number, by the code of plans; None where there is none.

    Of many entries the library's own sum needs no memory for the gradient.
    """
    few = is_eager(raw_array(x), xp=inner_of(xp)) and 0 < math.prod(x.shape) < FEW
    pair = pair_of(_entries)
    return summed_pair(pair, (x,), {}, divisor=divisor) if few and pair else None


def _constant(x: Array, *, xp: Namespace) -> float | None:
    """Return a number that can be read and is not differentiated; else None."""
    constant = not getattr(x, "requires_grad", False)
    read = constant and is_eager(raw_array(x), xp=inner_of(xp))
    return float(x) if read else None


def _added(terms: Array, made: Array, divisor: Any, weight: Array | None = None) -> Array:
    """Return `made`, the sum of the terms over the divisor, and note that it is."""
    note = noted()
    if note is not None and (weight is None or _is_like(weight, terms)):
        note.added = terms, made, divisor, weight
    return made


def _is_like(weight: Array, terms: Array) -> bool:
    """Say whether weights are constants of the shape of the terms."""
    return not isinstance(weight, TapeArray) and tuple(weight.shape) == tuple(terms.shape)


def _product(counts: Array | None, weight: Array | None, *, xp: Namespace) -> Any:
    if counts is None or weight is None:
        return weight if counts is None else counts
    return xp.multiply(weight, counts)


def _constant_divisor(counts: Any, weight: Any) -> float | None:
    """Return the sum of the product of constants; None of others, or where it is 0."""
    for x in (counts, weight):
        if getattr(x, "requires_grad", False):
            return None
    if counts is None or weight is None:
        found: Any = weight if counts is None else counts
    else:
        found = weight * counts
    return None if found is None else float(found.sum()) or None


def _row_count(x: Array, *, xp: Namespace) -> Any:
    """Return the number of rows of `x`, at least 1: an array where the library does not know it."""
    size = x.shape[0] if x.ndim else 1
    if is_known(size):
        return max(size, 1)
    first = total(_one_each(x, xp=xp), axis=0, xp=xp)[(0,) * (x.ndim - 1)]
    return _where(first == 0, 1.0, first, xp=xp)


def _one_each(x: Array, *, xp: Namespace) -> Array:
    """Return 1 for every entry of `x`: their sum is a number that a lazy library need not know."""
    return xp.ones_like(stop_gradient(x, xp=xp), device=device_of(x, xp=xp))
