"""Functions whose bad entries are NaN, as pairs: where values cannot be read, in one pass."""

from collections.abc import Callable
from typing import Any

from portable_losses._backend import Pair, namespace_of_type
from portable_losses._dtypes import is_half
from portable_losses._gradient import attach_pair, elementwise_call, entrywise, made_by, pair_of
from portable_losses._polyfill import where
from portable_losses._stable import NAN
from portable_losses._typing import Array, Namespace
from portable_losses._unread import weighs_unread
from portable_losses._values import mark_invalid

__all__ = ["marked", "marked_call"]


def marked(pair: Pair) -> Pair:
    """Return the pair of ``(*arrays, bad)``, NaN in value and gradient where `bad` is True."""
    found = _MARKED.get(pair.forward)
    if found is not None:
        return found

    @entrywise
    def forward(*given: Array, xp: Namespace, **options: Any) -> Array:
        """The loss, NaN where it is bad."""
        *arrays, bad = given
        return where(bad, NAN, pair.forward(*arrays, xp=xp, **options), xp=xp)

    def backward(
        grad: Array, out: Array, *given: Array, xp: Namespace, **options: Any
    ) -> tuple[Array | None, ...]:
        """The gradients of the loss, NaN where it is bad."""
        *arrays, bad = given
        options = {"xp": xp, **options}
        loss = attach_pair(pair, tuple(arrays), options)
        found = pair.backward(grad, loss, *arrays, **options)
        return (*[None if g is None else where(bad, NAN, g, xp=xp) for g in found], None)

    forward.__name__ = backward.__name__ = f"{pair.forward.__name__}_marked"
    made_by(forward, marked, pair)
    made = _MARKED[pair.forward] = Pair(forward, backward, elementwise=True, masked=True)
    return made


_MARKED: dict[Any, Pair] = {}


def marked_call(
    function: Callable[..., Array], x: Array, bad: Array | None, **options: Any
) -> Array:
    """Return `elementwise_call` of one array, NaN where it is bad: in one pass on Dask."""
    pair, xp = pair_of(function), namespace_of_type(x)
    plain = all(isinstance(one, float | int) for one in options.values())
    if bad is None or pair is None or not plain or is_half(x, xp=xp) or not weighs_unread(x):
        return mark_invalid(elementwise_call(function, x, **options), bad, xp=xp)
    return attach_pair(marked(pair), (x, bad), {"xp": xp, **options})
