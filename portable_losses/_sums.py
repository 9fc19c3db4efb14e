"""The sum of a pair's entries over a number, by a kernel that adds up as it computes.

So a mean loss reads its arrays, and nothing is written but the sum and, for backward, the slope.
"""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._backend import Kernel, Pair, namespace_of_type
from portable_losses._gradient import _attach_kernel, _kernel_of, attach_gradient, pair_of
from portable_losses._polyfill import device_of, knows_shape, total
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Namespace, Options

__all__ = ["sum_of", "summed", "summed_again", "summed_pair", "summed_with_gradient"]


def summed(
    function: Callable[..., Any],
    arrays: tuple[Array, ...],
    options: Options,
    *,
    divisor: Any,
) -> Array | None:
    """Return the sum of a pair's entries over a number by a kernel that adds up in its own pass.

    Else None. No `divisor` is how many there are; where nothing is read it may be a 0-d array. The
    result is float32 where the arrays are of one half dtype.
    """
    pair = pair_of(function)
    if pair is None:
        return None
    return summed_pair(pair, arrays, options, divisor=divisor)


def summed_pair(
    pair: Pair, arrays: tuple[Any, ...], options: Options, *, divisor: Any, weights: Any = None
) -> Array | None:
    """Return the sum of a pair's entries over a number, None: how many there are; as `summed`.

    The entries are multiplied with constant `weights`, if there are any.
    """
    found = _kernel_of(pair, arrays, options)
    if found is None:
        return None
    backend, kernel, raws = found
    if kernel.sums is None or not kernel.sums(pair, raws, options):
        return None
    if divisor is None and kernel.counts_unread is not None and not knows_shape(raws[0]):
        divisor = kernel.counts_unread(None, raws[0], None, None)
    divisor = math.prod(raws[0].shape) if divisor is None else divisor
    unread = not isinstance(divisor, float | int)
    if unread and any(isinstance(x, TapeArray) for x in arrays):
        # Recorded as a division: no slope waits for what it divides by (`graph/walk.py`).
        added = summed_pair(pair, arrays, options, divisor=1, weights=weights)
        return None if added is None else added / divisor
    options = {"divisor": divisor, **options}
    if weights is not None:
        options["weights"] = weights
    return _attach_kernel(sum_of(pair, kernel), arrays, raws, options, backend)


def summed_with_gradient(
    pair: Pair, arrays: tuple[Array, ...], options: Options, *, divisor: float
) -> tuple[Array, Array] | None:
    """Return what `summed_pair` does, and its gradient by the first array."""
    found = _kernel_of(pair, arrays, options)
    if found is None:
        return None
    _, kernel, raws = found
    if kernel.sums is None or not kernel.sums(pair, raws, options):
        return None
    own = {"xp": namespace_of_type(raws[0]), "divisor": divisor, **options}
    value, pull = kernel.run(sum_of(pair, kernel), raws, own, (0,))
    one = value**0  # 1, also of a value that is not finite
    return value, pull(one, value, *raws, **own)[0]


def summed_again(
    pair: Pair, arrays: tuple[Array, ...], options: Options, *, divisor: float, sloped: bool
) -> Callable[[tuple[Array, ...], float], Any] | None:
    """Return what gives the sum over a divisor and, if it is `sloped`, the gradient again.

    Of arrays of these types, dtypes and shapes, by the first; it returns None for some that it does
    not take. None where there is no such.
    """
    found = _kernel_of(pair, arrays, options)
    if found is None or found[1].ready is None:
        return None
    _, kernel, raws = found
    if kernel.sums is None or not kernel.sums(pair, raws, options):
        return None
    own = {"xp": namespace_of_type(raws[0]), "divisor": divisor, **options}
    run = kernel.ready(sum_of(pair, kernel), raws, own, (0,) if sloped else ())

    def again(arrays: tuple[Array, ...], divisor: float) -> Any:
        """Return the sum and the gradient, or None."""
        made: Any = run(arrays, divisor)
        if made is None:
            return None
        value, slope = made
        if callable(slope):
            whole: Any = slope(value**0, value, *arrays, **{**own, "divisor": divisor})
            slope = whole[0]
        return value, slope

    return None if run is None else again


def sum_of(pair: Pair, kernel: Kernel) -> Pair:
    """Return the pair that adds up the entries of one, or of its only result, by this kernel."""
    found = _SUMS.get((pair.forward, kernel.run))
    if found is not None:
        return found

    def forward(
        *arrays: Array, divisor: float, xp: Namespace, weights: Any = None, **options: Any
    ) -> Array:
        """Return the sum of the entries times constant `weights` over `divisor`."""
        out = pair.forward(*arrays, xp=xp, **options)
        entries = out[0] if isinstance(out, tuple) else out
        return total(entries if weights is None else weights * entries, xp=xp) / divisor

    def backward(
        grad: Array,
        out: Array,
        *arrays: Array,
        divisor: float,
        xp: Namespace,
        weights: Any = None,
        **options: Any,
    ) -> tuple[Array | None, ...]:
        """Return the gradients of the entries, each of which has that of the sum."""
        options = {"xp": xp, **options}
        out = attach_gradient(pair, arrays, options)
        several = isinstance(out, tuple)
        entries = out[0] if several else out
        # A product: PyTorch cannot batch a view of a gradient that is batched.
        ones = xp.ones_like(entries, device=device_of(entries, xp=xp))
        spread = ones * (grad / divisor)
        if weights is not None:
            spread = spread * weights
        return pair.backward((spread,) if several else spread, out, *arrays, **options)

    made = Pair(forward, backward, kernel=kernel, summand=pair, wide=True)
    _SUMS[pair.forward, kernel.run] = made
    return made


_SUMS: dict[Any, Pair] = {}
