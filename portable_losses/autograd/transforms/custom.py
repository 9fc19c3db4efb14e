"""`custom_vjp`: a function with a gradient that the user has written."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from array_api_compat import array_namespace

from portable_losses._backend import Pair
from portable_losses._gradient import attach_gradient
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.tensor import Tensor

__all__ = ["custom_vjp"]


def custom_vjp(f: Callable[..., Any], vjp: Callable[..., Any], /) -> Callable[..., Any]:
    """Return `f` with the gradient that `vjp` computes.

    Parameters
    ----------
    f : callable, ``f(*arrays, **options)``
        Returns an array, or a tuple of arrays. It runs on plain arrays, unrecorded, so it may use
        whatever the library has.
    vjp : callable, ``vjp(grad, out, *arrays, **options)``
        Returns a tuple with one gradient, or None, per array. `grad` is the gradient of the
        result `out`; both are tuples where `f` returns one.

    Returns
    -------
    callable
        Same arguments as `f`. Positional arguments are arrays, or None for an absent one;
        everything else is an option, given by keyword, and constant.

    Raises
    ------
    TypeError
        When called, if `f` returns a Tensor: it has found one that is no argument of it.
    ValueError
        When differentiated, if `vjp` returns another number of gradients.

    Notes
    -----
    Write `vjp` with operators and with ``array_api_compat.array_namespace`` of its arguments: in
    a derivative of higher order they are Tensors. On arrays of a library that differentiates by
    itself (PyTorch, JAX) the function differentiates there as well, in the same way.

    Examples
    --------
    >>> import numpy as np
    >>> from array_api_compat import array_namespace
    >>> from portable_losses.autograd import custom_vjp, grad
    >>> absolute = custom_vjp(
    ...     lambda x: abs(x),
    ...     lambda grad, out, x: (grad * array_namespace(x).sign(x) * 10,),
    ... )
    >>> float(grad(absolute)(np.asarray(-2.0)))
    -10.0
    """

    def forward(*arrays: Any, xp: Any, **options: Any) -> Any:
        out = f(*arrays, **options)
        for x in out if isinstance(out, tuple) else (out,):
            if isinstance(x, Tensor):
                msg = "a function with a gradient of its own returned a Tensor; pass it as argument"
                raise TypeError(msg)
        return out

    def backward(grad: Any, out: Any, *arrays: Any, xp: Any, **options: Any) -> Any:
        parts = vjp(grad, out, *arrays, **options)
        if not isinstance(parts, tuple) or len(parts) != len(arrays):
            got = len(parts) if isinstance(parts, tuple) else type(parts).__name__
            msg = f"`vjp` must return a tuple of {len(arrays)} gradients, got {got}"
            raise ValueError(msg)
        return parts

    forward.__name__ = getattr(f, "__name__", "custom_vjp")
    pair = Pair(forward, backward)

    @wraps(f)
    def call(*arrays: Any, **options: Any) -> Any:
        tensors = [x for x in arrays if isinstance(x, Tensor)]
        if tensors:
            xp = library_of(tensors[0]).tape
        else:
            xp = array_namespace(*(x for x in arrays if x is not None))
        return attach_gradient(pair, arrays, {"xp": xp, **options})

    return call
