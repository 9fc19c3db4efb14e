"""Entries that a loss leaves out: masked by `where`, or of weight 0 and without a finite loss.

What is left out may hold anything. So it is replaced before a loss is computed: what comes after,
a selection among losses or a product with 0, would leave NaN in the gradient, which is a product
of 0 with the slope at that entry.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

from portable_losses._backend import backend_of_array, namespace_of_type
from portable_losses._dtypes import kind_of
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import (
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    is_eager,
    readable,
)
from portable_losses._polyfill import where as _where
from portable_losses._stable import INF, NAN
from portable_losses._tape import TapeArray, inner_of, raw_array
from portable_losses._typing import Array, Axis, Namespace
from portable_losses._validation import (
    check_axes,
    check_broadcasts_to,
    check_real,
    fits_into,
    namespace_of,
    same_shape,
)
from portable_losses._values import is_positive, validation
from portable_losses._weighted import NotInOnePass, harmless_values

__all__ = ["Entries", "leaves_out", "settle", "weightless"]

P = ParamSpec("P")
R = TypeVar("R")


class Entries(NamedTuple):
    """What stands in an array for the entries of a loss that is left out."""

    value: float  # in the domain of the loss
    axes: Axis = None  # of the array, beyond those of the loss; None: the option `axis`
    broadcasts: bool = False  # may the array have fewer entries than the loss?


def leaves_out(
    *,
    weights: tuple[str, ...] = ("sample_weight",),
    masks_loss: bool = True,
    bound: Callable[..., Array] | None = None,
    elementwise: bool | Literal["unread"] = False,
    **arrays: float | Entries,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a loss whose `arrays` have a value in its domain where an entry is left out.

    Left out are the entries that the option `where` masks, if it has no more axes than the
    unreduced loss (with `masks_loss` False never), and those where one of the `weights` is 0 and
    the loss is infinite or NaN. A weight of 0 is no mask: where the loss is finite, it is the slope
    in the weight. To see which losses are finite, the loss of constants is computed; or else
    ``bound(*arrays, xp=xp)``, which is finite only where the loss is. An `elementwise` one ends in
    `reduced`, which then decides that itself where a library adds up as it computes; one that is so
    "unread" only where values cannot be read.
    """

    def decorate(loss: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(loss).parameters
        names = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
        axis = parameters["axis"].default if "axis" in parameters else None
        specs = {n: e if isinstance(e, Entries) else Entries(e) for n, e in arrays.items()}
        asked = ("where", *weights)
        values = {n: e.value for n, e in specs.items()} if elementwise else None

        @wraps(loss)
        def call(*args: P.args, **options: P.kwargs) -> R:
            for name in asked:
                if options.get(name) is not None:
                    break
            else:
                return loss(*args, **options)
            given: dict[str, Any] = dict(zip(names, args, strict=False))
            if len(given) < len(args) or any(given.get(name) is None for name in specs):
                return loss(*args, **options)  # which raises
            untyped: Any = loss
            made: Any = None
            changed: tuple[list[Any], dict[str, Any]] = ([], {})
            fits = values is not None and _has_one_pass(args[0], unread=elementwise == "unread")
            if fits:
                try:
                    made = _in_one_pass(untyped, values, args, options)
                    fits = False
                except ValueError:  # what is bad may be left out
                    pass
            if made is None:
                changed = _changed(
                    loss, given, dict(options), specs, weights, axis, masks_loss, bound
                )
                made = _in_one_pass(untyped, values, *changed) if fits else None
            found: R = untyped(*changed[0], **changed[1]) if made is None else made
            return found

        return call

    return decorate


def _in_one_pass(
    loss: Callable[..., Any], values: Any, args: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Return a loss that leaves out entries itself; None where it cannot."""
    try:
        with harmless_values(values):
            return loss(*args, **options)
    except NotInOnePass:
        return None


def _has_one_pass(x: Any, *, unread: bool) -> bool:
    """Say whether the library of `x` may compute a loss and add it up in one pass, here and now."""
    if _is_written(x):
        return False
    raw = raw_array(x)
    backend = backend_of_array(raw)
    kernel = None if backend is None else backend.speed.elementwise_kernel
    if kernel is None or kernel.sums is None:
        return False
    xp = namespace_of_type(raw)
    floating = kind_of(raw, xp=xp) == "real floating"
    if not floating or not kernel.accepts(raw):
        return False
    return (not unread) if is_eager(raw, xp=xp) else kernel.counts_unread is not None


def _changed(
    loss: Callable[..., Any],
    given: dict[str, Any],
    options: dict[str, Any],
    specs: Mapping[str, Entries],
    weights: tuple[str, ...],
    axis: Axis,
    masks_loss: bool,
    bound: Callable[..., Array] | None,
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arrays and the options with harmless values in the entries that are left out."""
    held = {name: options[name] for name in weights if options.get(name) is not None}
    mask = options.get("where")
    xp = namespace_of(**{n: given[n] for n in specs}, optional={"where": mask, **held})
    first = next(iter(specs))
    along = options.get("axis", axis)
    axes = {
        n: _axes_beyond(e, given[n], along) if given[n].ndim == given[first].ndim else ()
        for n, e in specs.items()
    }
    shape = _without(given[first], axes[first])
    floating = kind_of(given[first], xp=xp) == "real floating"
    if not floating or not all(
        _agrees(_without(given[n], axes[n]), shape, e) for n, e in specs.items()
    ):
        return list(given.values()), options  # the loss says what does not fit
    fits = mask is not None and masks_loss and fits_into(mask.shape, shape)
    if fits and kind_of(mask, xp=xp) == "bool":
        for name, weight in held.items():
            check_broadcasts_to(shape, **{name: weight})
            options[name] = held[name] = _selected(mask, weight, 1, xp=xp)
        given = _replaced(mask, given, specs, axes, shape, xp=xp)
    of_one_entry = [n for n in specs if not axes[n]]
    bad = _weightless_entries(loss, given, options, held, shape, bound, of_one_entry, xp=xp)
    if bad is not None:
        given = _replaced(~bad, given, specs, axes, shape, xp=xp)
        if mask is not None and mask.ndim > len(shape):  # a mask of classes: now all are there
            options["where"] = xp.logical_or(mask, expand_dims(bad, axes[first], xp=xp))
        for name, weight in held.items():  # no slope in a weight of 0 of what is left out
            options[name] = _selected(~xp.logical_and(bad, weight == 0), weight, 0, xp=xp)
    return list(given.values()), options


def _agrees(own: tuple[int, ...], shape: tuple[int, ...], entries: Entries) -> bool:
    """Return whether the shape of an array fits that of the loss; if not, the loss says so."""
    return fits_into(own, shape) if entries.broadcasts else same_shape(own, shape)


def _without(x: Array, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def _axes_beyond(entries: Entries, x: Array, axis: Axis) -> tuple[int, ...]:
    """Return the axes of an array that the unreduced loss lacks."""
    if entries.axes is not None:
        return check_axes(entries.axes, x.ndim)
    return () if axis is None else check_axes(axis, x.ndim)


def _replaced(
    kept: Array,
    given: dict[str, Any],
    specs: Mapping[str, Entries],
    axes: Mapping[str, tuple[int, ...]],
    shape: tuple[int, ...],
    *,
    xp: Namespace,
) -> dict[str, Any]:
    """Return the arrays, with their harmless value where the mask `kept` is False."""
    kept = expand_dims(kept, range(len(shape) - kept.ndim), xp=xp)
    made = dict(given)
    for name, entries in specs.items():
        x, mask = given[name], kept
        if x.ndim != len(shape):  # class indices have no axis of the classes
            mask = expand_dims(mask, axes[name], xp=xp)
        made[name] = _selected(mask, x, entries.value, xp=xp)
    return made


def _selected(mask: Array, x: Array, value: float, *, xp: Namespace) -> Array:
    """Return `x`, and `value` in its dtype where the mask is False."""
    kind = kind_of(x, xp=xp)
    other: Any = value if kind == "real floating" else int(value)
    return _where(mask, x, bool(value) if kind == "bool" else other, xp=xp)


def _weightless_entries(
    loss: Callable[..., Any],
    given: dict[str, Any],
    options: dict[str, Any],
    held: dict[str, Any],
    shape: tuple[int, ...],
    bound: Callable[..., Array] | None,
    of_one_entry: list[str],
    *,
    xp: Namespace,
) -> Array | None:
    """Return the mask of the entries of weight 0 without a finite loss; None if there are none.

    Where a loss is of one entry of each array, these must be finite as well: its slope may be
    infinite at an infinity where the loss is not.
    """
    others = _constants({k: v for k, v in options.items() if k not in held})
    plain = {**others, **dict.fromkeys(held), "reduction": "none"}

    def unreduced() -> Array:
        if bound is not None:
            return bound(*_constants(given).values(), xp=namespace_of(**given))
        constants = _constants(given)
        made = loss(*constants.values(), **plain)
        found = raw_array(made[0] if isinstance(made, tuple) else made)
        for name in of_one_entry:
            x, raw = raw_array(constants[name]), inner_of(xp)
            if kind_of(x, xp=raw) == "real floating":
                found = _where(raw.abs(x) < INF, found, NAN, xp=raw)
        return found

    return weightless(unreduced, held, shape, xp=xp)


def weightless(
    unreduced: Callable[[], Array], weights: dict[str, Array], shape: tuple[int, ...], *, xp: Any
) -> Array | None:
    """Return the mask where a weight is 0 and the loss is not finite; None if no weight is 0.

    `unreduced` computes the loss of constants without weights, of that `shape`. It is called if a
    weight is 0, or cannot be read.
    """
    zero: Array | None = None
    for name, weight in weights.items():
        check_real(xp, **{name: weight})
        check_broadcasts_to(shape, **{name: weight})
        if is_positive(weight):
            continue
        is_zero = stop_gradient(weight, xp=namespace_of_type(weight)) == 0
        zero = is_zero if zero is None else xp.logical_or(zero, is_zero)
    if zero is None:
        return None
    zero, xp = raw_array(zero), inner_of(xp)  # constants, also where the loss is on the tape
    if not readable(zero, xp=xp):
        values = unreduced()
    elif bool(namespace_of_type(zero).any(zero)):
        with validation(False):  # a bad label of weight 0 is left out, not refused
            values = unreduced()
    else:
        return None
    endless = ~(xp.abs(raw_array(values)) < INF)
    return xp.logical_and(broadcast_to(zero, shape, like=endless, xp=xp), endless)


def settle(x: Array, is_zero: Array, *, xp: Namespace) -> Array:
    """Return `x`, and 0 where it is not finite and `is_zero` says that its coefficient is 0."""
    is_zero, x = broadcast_arrays(is_zero, x, xp=xp)
    return _where(is_zero & ~xp.isfinite(x), 0.0, x, xp=xp)


def _constants(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays without their history, anything else as it is."""
    return {name: _constant(name, x) for name, x in given.items()}


def _constant(name: str, x: Any) -> Any:
    """Return an array without its history; of one that is only written down what stands for it."""
    if isinstance(x, int | float) or not hasattr(x, "shape"):  # of a symbol that is no question
        return x
    if _is_written(x):
        return raw_array(x)
    return stop_gradient(x, xp=namespace_of(**{name: x}))


def _is_written(x: Any) -> bool:
    """Say whether what is done with an array is only written down."""
    return isinstance(x, TapeArray) and not x.recorded
