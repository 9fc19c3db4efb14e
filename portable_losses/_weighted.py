"""A loss of one element with its weight and its mask, as one elementwise pair.

A backend that adds up in the pass that computes a loss then has the weights in that pass, too.
What is left out (`losses/_left_out.py`) is decided entry by entry there: no array is made for it.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from portable_losses._backend import (
    Pair,
    backend_of,
    backend_of_array,
    namespace_of_type,
    traced_as_constant,
)
from portable_losses._dtypes import is_half, kind_of, narrow
from portable_losses._gradient import (
    attach_pair,
    backend_reads_late,
    entrywise,
    made_by,
    pair_of,
)
from portable_losses._notes import noted
from portable_losses._polyfill import broadcast_to, device_of, is_eager, total, where
from portable_losses._stable import INF
from portable_losses._sums import summed_pair
from portable_losses._tape import TapeArray, inner_of, raw_array
from portable_losses._typing import Array, Namespace, Options, Reduction
from portable_losses._unread import CHECKED, checked, counted, divisor_unread, nan_where
from portable_losses._validation import check_bool, check_broadcasts_to, check_real, namespace_of
from portable_losses._values import as_weight

__all__ = [
    "NotInOnePass",
    "harmless_values",
    "in_one_pass",
    "spread",
    "weighted",
]


class NotInOnePass(Exception):  # noqa: N818 - no error: the weights take a pass of their own
    """A loss and its weights are not computed together."""


_HARMLESS: ContextVar[Mapping[str, float] | None] = ContextVar("harmless", default=None)


@contextmanager
def harmless_values(values: Mapping[str, float]) -> Generator[None, None, None]:
    """Let `reduced` leave out entries itself, by a value in the domain for each array.

    NotInOnePass where it cannot.
    """
    token = _HARMLESS.set(values)
    try:
        yield
    finally:
        _HARMLESS.reset(token)


@traced_as_constant
def in_one_pass() -> Mapping[str, float] | None:
    """Return the values of `harmless_values`; None outside of it."""
    return _HARMLESS.get()


def weighted(
    function: Callable[..., Array],
    arrays: Mapping[str, Array | None],
    reduction: Reduction,
    *,
    values: Mapping[str, float],
    mask: Array | None,
    weight: Array | None,
    factor: Array | None,
    denominator: float | None,
    invalid: Sequence[Array],
    options: Options,
    xp: Namespace,
) -> Array:
    """Return the reduced loss of arrays in one dtype, its weights and mask in the same pass.

    A mean divides by `denominator`, or by the sum of `weight`, and not of `factor`. `invalid` has
    the entries that are bad: where they count they are NaN, which only a library that is not read
    looks at here.
    """
    pair, given = pair_of(function), tuple(arrays.values())
    name, first = next(iter(arrays.items()))
    shape = tuple(first.shape)  # type: ignore[union-attr]
    backend = backend_of_array(raw_array(first))
    plain = all(
        x is None or isinstance(x, float | int | str) or backend_reads_late(backend, x)
        for x in options.values()
    )
    fits = plain and all(x is None or tuple(x.shape) == shape for x in given)
    if pair is None or not fits or is_half(first, xp=xp):
        raise NotInOnePass
    unread = not is_eager(raw_array(first), xp=inner_of(xp))
    if invalid and not unread:
        raise NotInOnePass
    if weight is not None:
        if unread:
            weight = _unread_weight(weight, name="sample_weight", like=first, xp=xp)
        else:
            weight = as_weight(weight, shape, name="sample_weight", like=first, xp=xp)
            weight = spread(weight, first, xp=xp)
    if mask is not None:
        namespace_of(**{name: first}, where=mask)
        check_bool(xp, where=mask)
        check_broadcasts_to(shape, where=mask)
        mask = spread(mask, first, xp=xp)
    if unread:
        return _weighted_unread(
            _with_weights(pair, tuple([values.get(name) for name in arrays])),
            given,
            reduction,
            weight=weight,
            factor=_unread_weight(factor, name="weight", like=first, xp=xp),
            mask=mask,
            denominator=denominator,
            bad=_bad(invalid, first, xp=xp),
            options=options,
            xp=xp,
        )
    each = _with_weight(pair, tuple([values.get(name) for name in arrays]))
    product = weight
    if factor is not None:
        factor = as_weight(factor, shape, name="weight", like=first, xp=xp)
        factor = spread(factor, first, xp=xp)
        product = factor if weight is None else xp.multiply(factor, weight)
    given = (*given, product, mask)
    if reduction == "none":
        return attach_pair(each, given, {"xp": xp, **options})
    divisor: Any = 1 if denominator is None else denominator
    if reduction == "mean" and denominator is None:
        counts = weight is None and mask is None
        divisor = math.prod(shape) if counts else _divisor(weight, mask, xp=xp)
    constant = isinstance(divisor, float | int)
    made = summed_pair(each, given, options, divisor=divisor if constant else 1)
    if made is None:
        raise NotInOnePass
    return made if constant else made / divisor


def _weighted_unread(
    each: Pair,
    arrays: tuple[Any, ...],
    reduction: Reduction,
    *,
    weight: Array | None,
    factor: Array | None,
    mask: Array | None,
    denominator: float | None,
    bad: Array | None,
    options: Options,
    xp: Namespace,
) -> Array:
    """Return the reduced loss of a library that is not read: weights are checked in its pass."""
    given = (*arrays, weight, factor, bad, mask)
    if reduction == "none":
        return attach_pair(each, given, {"xp": xp, **options})
    divisor: Any = 1
    if reduction == "mean" and denominator is not None:
        divisor = denominator
    elif reduction == "mean" and not isinstance(weight, TapeArray):
        divisor = divisor_unread(arrays[0], weight, mask)
    made = summed_pair(each, given, options, divisor=divisor)
    if reduction == "mean" and denominator is None and isinstance(weight, TapeArray):
        sum_of_weights = summed_pair(CHECKED, (weight, mask), {}, divisor=1)
        if made is not None and sum_of_weights is not None:
            made = made / where(sum_of_weights == 0, 1.0, sum_of_weights, xp=xp)
    if made is None:
        raise NotInOnePass
    return made


def _bad(masks: Sequence[Array], like: Array, *, xp: Namespace) -> Array | None:
    """Return the mask of what any of `masks` has, None without any: no task of its own on Dask."""
    joined: Array | None = None
    for mask in masks:
        own = spread(raw_array(mask), like, xp=xp)
        joined = own if joined is None else _either(joined, own, xp=inner_of(xp))
    return joined


@entrywise
def _either(first: Array, second: Array, *, xp: Namespace) -> Array:
    return first | second


def _unread_weight(weight: Array | None, *, name: str, like: Array, xp: Namespace) -> Array | None:
    """Return a weight in the dtype and the shape of `like`; its values are not checked."""
    if weight is None:
        return None
    check_real(xp, **{name: weight})
    check_broadcasts_to(tuple(like.shape), **{name: weight})
    return spread(narrow(weight, like.dtype, xp=namespace_of_type(weight)), like, xp=xp)


def spread(x: Array, like: Array, *, xp: Namespace) -> Array:
    """Return `x` with an entry in memory for each of `like`."""
    if tuple(x.shape) == tuple(like.shape):
        return x
    if not is_eager(raw_array(like), xp=inner_of(xp)):
        like = like if isinstance(x, TapeArray) else raw_array(like)
        return broadcast_to(x, tuple(like.shape), like=like, xp=namespace_of_type(x))
    made = _spread(x, like, xp=xp)
    if (note := noted()) is not None:
        note.derived.append((made, (x, like), partial(_spread, xp=xp)))
    return made


def _spread(x: Array, like: Array, *, xp: Namespace) -> Array:
    """Return `x` plus zeros in the shape of an eager array."""
    like = raw_array(like)
    zeros = inner_of(xp).zeros_like(like, dtype=x.dtype, device=device_of(like, xp=inner_of(xp)))
    own = namespace_of_type(x)
    return own.logical_or(x, zeros) if kind_of(x, xp=own) == "bool" else own.add(x, zeros)


def _divisor(weight: Array | None, mask: Array | None, *, xp: Namespace) -> Any:
    """Return the sum of the weights that count, 1 for 0: a number unless it is differentiated."""
    if isinstance(weight, TapeArray) or getattr(weight, "requires_grad", False):
        divisor = total(counted(weight, mask, xp=xp), xp=xp)
        return where(divisor == 0, 1.0, divisor, xp=xp)
    function = partial(_constant_divisor, xp=inner_of(xp))
    divisor = function(weight, mask)
    if (note := noted()) is not None:
        note.derived.append((divisor, (weight, mask), function))
    return divisor


def _constant_divisor(weight: Array | None, mask: Any, *, xp: Namespace) -> float | None:
    """Return that of constants, as a number; None of others."""
    if getattr(weight, "requires_grad", False):
        return None  # in a call by a plan: it takes the long way
    mask = raw_array(mask)
    if weight is None:
        return float(xp.count_nonzero(mask)) or 1.0
    divisor = None if mask is None else summed_pair(_COUNTED, (weight, mask), {}, divisor=1)
    if divisor is None:
        divisor = total(counted(weight, mask, xp=xp), xp=xp)
    return float(divisor) or 1.0


_COUNTED = Pair(
    counted, lambda *_, **__: (None, None), elementwise=True, masked=True
)  # of constants


# ---- the pair ----------------------------------------------------------------------------------


def _with_weight(pair: Pair, values: tuple[float | None, ...]) -> Pair:
    """Return the pair of ``(*arrays, weight, mask)``; `values` are the harmless ones of arrays."""
    found = _MADE.get((pair.forward, values))
    if found is not None:
        return found

    def forward(*given: Array, xp: Namespace, **options: Any) -> Array:
        """``weight * loss``, 0 where the entry is left out."""
        *arrays, weight, mask = given
        arrays = _replaced(arrays, mask, values, xp=xp)
        loss = pair.forward(*arrays, xp=xp, **options)
        kept = _kept(loss, arrays, weight, mask, xp=xp)
        product = loss if weight is None else weight * loss
        return product if kept is None else where(kept, product, 0.0, xp=xp)

    def backward(
        grad: Array, out: Array, *given: Array, xp: Namespace, **options: Any
    ) -> tuple[Array | None, ...]:
        """The gradients of the loss times the weight, and the loss; 0 where it is left out."""
        *arrays, weight, mask = given
        options = {"xp": xp, **options}
        arrays = _replaced(arrays, mask, values, xp=xp)
        loss = pair.forward(*arrays, **options)
        kept = _kept(loss, arrays, weight, mask, xp=xp)
        if kept is not None and backend_of(xp).autodiff.differentiates:
            arrays = _replaced(arrays, kept, values, xp=xp)  # for the derivative of this one
            loss = attach_pair(pair, tuple(arrays), options)
        inner = grad if weight is None else grad * weight
        found = [*pair.backward(inner, loss, *arrays, **options)]
        found += [None if weight is None else grad * loss, None]
        if kept is None:
            return tuple(found)
        return tuple([None if g is None else where(kept, g, 0.0, xp=xp) for g in found])

    forward.__name__ = backward.__name__ = f"{pair.forward.__name__}_weighted"
    made_by(forward, _with_weight, pair, values)
    made = _MADE[pair.forward, values] = Pair(forward, backward, elementwise=True, masked=True)
    return made


_MADE: dict[Any, Pair] = {}


def _with_weights(pair: Pair, values: tuple[float | None, ...]) -> Pair:
    """Return the pair of ``(*arrays, weight, factor, bad, mask)``, which checks the weights.

    It is NaN where an entry counts and is bad or one of its weights negative.
    """
    key = pair.forward, values, "checked"
    if key in _MADE:
        return _MADE[key]

    def parts(given: tuple[Any, ...], options: Options) -> tuple[Any, ...]:
        """Return the arrays, the loss, the weight, and where an entry counts (None: everywhere)."""
        *arrays, weight, factor, bad, mask = given
        xp = options["xp"]
        arrays = _replaced(arrays, mask, values, xp=xp)
        loss = nan_where(bad, pair.forward(*arrays, **options), xp=xp)
        weights = [checked(x, None, xp=xp) for x in (weight, factor) if x is not None]
        weight = weights[0] if weights else None
        if len(weights) > 1:
            weight = weights[0] * weights[1]
        return arrays, loss, weight, _kept(loss, arrays, weight, mask, xp=xp)

    @entrywise
    def forward(*given: Array, xp: Namespace, **options: Any) -> Array:
        """``weight * factor * loss``, 0 where the entry is left out."""
        _, loss, weight, kept = parts(given, {"xp": xp, **options})
        product = loss if weight is None else weight * loss
        return product if kept is None else where(kept, product, 0.0, xp=xp)

    def backward(
        grad: Array, out: Array, *given: Array, xp: Namespace, **options: Any
    ) -> tuple[Array | None, ...]:
        """Those of the loss times the weights, and by these; 0 where the entry is left out."""
        options = {"xp": xp, **options}
        weight, factor, bad, _ = given[-4:]
        arrays, loss, product, kept = parts(given, options)
        if backend_of(xp).autodiff.differentiates:  # for the derivative of this one
            arrays = _replaced(arrays, kept, values, xp=xp)
            loss = nan_where(bad, attach_pair(pair, tuple(arrays), options), xp=xp)
        inner = nan_where(bad, grad if product is None else grad * product, xp=xp)
        found = [*pair.backward(inner, loss, *arrays, **options)]
        for own, other in ((weight, factor), (factor, weight)):
            slope = grad * loss if other is None else grad * checked(other, None, xp=xp) * loss
            found.append(None if own is None else nan_where(own < 0, slope, xp=xp))
        found += [None, None]
        if kept is None:
            return tuple(found)
        return tuple([None if g is None else where(kept, g, 0.0, xp=xp) for g in found])

    forward.__name__ = backward.__name__ = f"{pair.forward.__name__}_weighted"
    made_by(forward, _with_weights, pair, values)
    made = _MADE[key] = Pair(forward, backward, elementwise=True, masked=True)
    return made


def _replaced(
    arrays: list[Any], kept: Array | None, values: tuple[float | None, ...], *, xp: Namespace
) -> list[Any]:
    """Return the arrays with their harmless values where the mask is False."""
    if kept is None:
        return arrays
    return [
        x if x is None or value is None else where(kept, x, value, xp=xp)
        for x, value in zip(arrays, values, strict=True)
    ]


def _kept(
    loss: Array, arrays: list[Any], weight: Array | None, mask: Array | None, *, xp: Namespace
) -> Array | None:
    """Return where an entry counts: in the mask, and not of weight 0 without a finite loss.

    The arrays must be finite as well there: a slope may be infinite where the loss is not.
    """
    if weight is None:
        return mask
    finite = xp.abs(loss) < INF
    for x in arrays:
        if x is not None:
            finite = finite & (xp.abs(x) < INF)
    counts = (weight != 0) | finite
    return counts if mask is None else mask & counts
