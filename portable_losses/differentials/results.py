"""What `derivatives` returns, and the arrays of the caller's to which it is written."""

from collections import namedtuple
from collections.abc import Sequence
from itertools import product
from typing import Any

from array_api_compat import is_writeable_array

from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of

__all__ = ["KINDS", "Derivatives", "check_out", "check_shapes", "targets", "written"]


class Derivatives(tuple[Any, ...]):
    """What `derivatives` returns: a named tuple of what was asked for; the rest is None.

    Parameters
    ----------
    value : array
        The loss of each sample.
    gradient : array, shape of the input
        The derivative by each entry.
    hessian : array
        The second derivatives.
    probabilities : array, shape of the input
        What the logits say.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> value, gradient = pl.derivatives(pl.mse_loss, np.asarray([3.0]), np.asarray([1.0]))
    >>> float(value[0]), float(gradient[0])
    (4.0, 4.0)
    """

    __slots__ = ()

    value: Array
    gradient: Array
    hessian: Array = None  # for `order=1`
    probabilities: Array = None


def _kinds() -> dict[tuple[int, bool], Any]:
    """Return the named tuples, by the order and whether there are probabilities."""
    made: dict[tuple[int, bool], Any] = {}
    for order, shown in product((1, 2), (False, True)):
        fields = ["value", "gradient", *["hessian"] * (order == 2), *["probabilities"] * shown]
        named: Any = namedtuple  # of fields that a type checker cannot know
        base = named("Derivatives", fields)
        made[order, shown] = type("Derivatives", (base, Derivatives), {"__slots__": ()})
    return made


KINDS = _kinds()


def check_out(out: Sequence[Array | None] | None, count: int, *, xp: Namespace) -> None:
    """Raise unless `out` has an array to write to, or None, `count` times."""
    if out is None:
        return
    if not isinstance(out, list | tuple) or len(out) != count:
        got = f"{len(out)} entries" if isinstance(out, list | tuple) else repr(out)
        msg = f"`out` must be a list or tuple of {count} entries, an array or None each, got {got}"
        raise ValueError(msg)
    for into in out:
        if into is None:
            continue
        if not hasattr(into, "shape") or namespace_of(out=into) is not xp:
            msg = f"`out` must hold arrays of the input's library and None, got {into!r}"
            raise TypeError(msg)
        if not is_writeable_array(into):
            msg = f"`out` must hold arrays that can be written to, got a {type(into).__name__}"
            raise ValueError(msg)


def check_shapes(out: Sequence[Array | None], results: Sequence[tuple[Any, Any]]) -> None:
    """Raise ValueError unless the arrays of `out` have these shapes and dtypes."""
    for into, (shape, dtype) in zip(out, results, strict=True):
        if into is not None and (tuple(into.shape) != tuple(shape) or into.dtype != dtype):
            msg = (
                f"`out` must have shape {tuple(shape)} and dtype {dtype}, "
                f"got {tuple(into.shape)} and {into.dtype}"
            )
            raise ValueError(msg)


def targets(
    out: Sequence[Array | None], rows: Array, x: Array, hessian: str | None
) -> Sequence[Array | None]:
    """Return `out` checked, if a sweep of `rows` has its results as they are: the rows of `x`."""
    if not out or rows is not x or hessian == "row":
        return ()
    check_shapes(out, [(rows.shape[:-1], rows.dtype), *[(rows.shape, rows.dtype)] * (len(out) - 1)])
    return out


def written(made: Sequence[Array], out: Sequence[Array | None]) -> list[Array]:
    """Return the results, written to the arrays of `out` where they are not there already."""
    check_shapes(out, [(x.shape, x.dtype) for x in made])  # all, before the first is written to
    for x, into in zip(made, out, strict=True):
        if into is not None and into is not x:
            into[...] = x
    return [x if into is None else into for x, into in zip(made, out, strict=True)]
