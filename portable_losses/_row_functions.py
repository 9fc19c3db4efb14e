"""Functions of rows, each of which a library may run as one operation."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from portable_losses._backend import Pair, backend_of, namespace_of_type
from portable_losses._dtypes import computable, is_half, narrow, widen
from portable_losses._gradient import by_kernel, register
from portable_losses._polyfill import is_known
from portable_losses._rows import as_rows, from_rows
from portable_losses._typing import Array, Namespace

__all__ = ["along_axes", "of_rows", "row_call"]


def along_axes(
    function: Any,
    x: Array,
    axes: tuple[int, ...],
    *others: Array | None,
    keeps: bool = False,
    xp: Namespace,
    **options: Any,
) -> Array:
    """Return ``function(x, *others, axes=axes, xp=xp, **options)``, decorated with `of_rows`.

    Along one axis it works on rows; along several as it stands, without a kernel. `keeps` says that
    the result has the shape of `x`.
    """
    if len(axes) == 1 and is_known(x.shape[axes[0]]):
        all_ = computable(x, xp=xp), *others
        given = [None if y is None else as_rows(y, axes, xp=xp) for y in all_]
        made = function(*given, axes=(-1,), xp=xp, **options)
        return from_rows(made, axes, tuple(x.shape), xp=xp) if keeps else made
    wide = widen(x, xp=xp)
    held = [y if y is None or y.dtype != x.dtype else widen(y, xp=xp) for y in others]
    found = function.__wrapped__(wide, *held, axes=axes, xp=xp, **options)
    return narrow(found, x.dtype, xp=xp)


def of_rows(*, wide: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate ``f(*arrays, xp, **options)``, whose rows depend on the rows at their place alone.

    Rows are the last axis; a result has one entry for each of theirs, or a number (with the axis
    kept or not). Where options are Python values, a library may run the function as one operation,
    whose gradient is derived from it as the tape would. Arrays of half dtypes are computed in
    float32; the results are rounded to that of the first, unless they are to be `wide`.

    A loss may be called with what its gradients will be, `foreseen` (`losses/_foreseen.py`): a
    kernel then computes the gradient by the first array along with it.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, run by a kernel where there is one."""

        @wraps(function)
        def forward(*arrays: Array, foreseen: Any = None, xp: Namespace, **options: Any) -> Any:
            return function(*arrays, xp=xp, **options)

        @wraps(function)
        def call(*arrays: Array, foreseen: Any = None, xp: Namespace, **options: Any) -> Any:
            seen = {} if foreseen is None else {"foreseen": foreseen}
            made = by_kernel(call, arrays, {**options, **seen}, wide=wide)
            if made is not None:
                return made
            dtype, half = arrays[0].dtype, is_half(arrays[0], xp=xp)
            arrays = tuple([widen(x, xp=xp) if _is(x, dtype) else x for x in arrays])
            made = function(*arrays, xp=xp, **options)
            if wide or not half:
                return made
            several = isinstance(made, tuple)
            found = tuple([narrow(x, dtype, xp=xp) for x in (made if several else (made,))])
            return found if several else found[0]

        register(call, Pair(forward, _derived(function), rows=True, derived=True))
        return call

    return decorate


def _is(x: Array | None, dtype: Any) -> bool:
    return x is not None and x.dtype == dtype


def _derived(function: Callable[..., Any]) -> Callable[..., tuple[Array | None, ...]]:
    """Return the backward of a function, by what its operations have."""

    def backward(
        grad: Any,
        out: Any,
        *arrays: Array | None,
        foreseen: Any = None,
        xp: Namespace,
        **options: Any,
    ) -> tuple[Array | None, ...]:
        own = backend_of(xp).autodiff.pull_back
        if own is not None:
            return own(function, grad, arrays, options)
        places = [
            i
            for i, x in enumerate(arrays)
            if x is not None and xp.isdtype(x.dtype, "real floating")
        ]

        def moving(*given: Array) -> Any:
            full = list(arrays)
            for i, x in zip(places, given, strict=True):
                full[i] = x
            return function(*full, xp=namespace_of_type(given[0]), **options)

        tape = import_module("portable_losses.autograd")
        found = iter(tape.vjp(moving, *(arrays[i] for i in places))[1](grad))
        return tuple([next(found) if i in places else None for i in range(len(arrays))])

    return backward


def row_call(function: Callable[..., Array], x: Array, *, xp: Namespace) -> Array:
    """Return ``function(x, xp=xp)`` of rows; half dtypes are computed in float32, rounded once."""
    made = by_kernel(function, (x,), {})
    return narrow(function(widen(x, xp=xp), xp=xp), x.dtype, xp=xp) if made is None else made
