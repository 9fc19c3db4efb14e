"""Operators on derivatives, built from `vjp`: products with Jacobians and Hessians.

A product with a Jacobian from the right is the transpose of the transpose: the pullback is linear
in its cotangent, and is pulled back itself. Nothing here has a rule of its own, and every result
is differentiated again like any other.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from portable_losses._typing import of_function
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.tensors.tensor import Tensor, tensor_of
from portable_losses.autograd.tensors.unwrapping import unwrap
from portable_losses.autograd.transforms.call import Call, check_tensor
from portable_losses.autograd.transforms.functional import grad, vjp
from portable_losses.autograd.transforms.nested import flatten_nested
from portable_losses.autograd.transforms.numbers import arrays_for_numbers, numbers_for_arrays

__all__ = ["elementwise_grad", "ggnvp", "hvp", "jvp"]


@of_function
def elementwise_grad(
    f: Callable[..., Any], /, *, argnums: int | Sequence[int] = 0
) -> Callable[..., Any]:
    """Return the derivative of a function that works entry by entry.

    Parameters
    ----------
    f : callable
        Takes arrays and returns an array, each entry of which depends on one entry of each.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Same arguments as `f`; returns an array of the shape of the argument.

    Raises
    ------
    TypeError, ValueError
        As in `grad`.

    Notes
    -----
    It is the gradient of the sum of all entries, for any `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import elementwise_grad
    >>> elementwise_grad(lambda x: x**3)(np.asarray([1.0, 2.0])).tolist()
    [3.0, 12.0]
    """

    @wraps(f)
    def derivative(*args: Any, **options: Any) -> Any:
        def total(*xs: Any) -> Any:
            out = f(*xs, **options)
            return out.__array_namespace__().sum(out) if isinstance(out, Tensor) else out

        return grad(total, argnums=argnums)(*args)

    return derivative


@of_function
def jvp(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], /) -> tuple[Any, Any]:
    """Return ``f(*args)``, and the product of its Jacobian with `tangents`.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, or nested lists, tuples and dicts of arrays.
    args : sequence
        The arguments of `f`.
    tangents : sequence
        One per argument, nested as it is, with arrays of the same shapes and dtypes.

    Returns
    -------
    tuple
        ``(result, tangent)``, both nested as the result of `f`.

    Raises
    ------
    TypeError
        If an argument is no floating array.
    ValueError
        If `tangents` does not fit `args`, or `f` returns what is no Tensor.

    Notes
    -----
    The pullback of the pullback: two walks, about three times the cost of `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import jvp
    >>> y, dy = jvp(lambda x: x * x, (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 10.0]),))
    >>> dy.tolist()
    [2.0, 40.0]
    """
    args, numbers = arrays_for_numbers(args)
    tangents, _ = arrays_for_numbers(tangents, args)
    if numbers:
        pair: tuple[Any, Any] = numbers_for_arrays(jvp(f, args, tangents))
        return pair
    _check_fit(args, tangents, "tangents")
    call = Call(args, tuple(range(len(args))))
    result = call.run(f, {})
    outs, rebuild = flatten_nested(result)
    for out in outs:
        check_tensor(out)
    reached, given = call.reached(outs), flatten_nested(list(tangents))[0]
    record = call.is_enclosed(reached) or bool(recorder() and any(unwrap(v)[1] for v in given))
    # Linear in the cotangent, so that any one will do; with 1, unlike 0, no 0 * inf is met.
    ones = [_library(out).ones_like(out.array) for out in outs]
    back = Call(ones, tuple(range(len(outs))))
    pulled = flatten_nested(call.pull_back(outs, back.args, reached, record=True, free=False))[0]
    moving = [(x, v) for x, v in zip(pulled, given, strict=True) if unwrap(x)[1] is not None]
    seeds = [v if record else unwrap(v)[0] for _, v in moving]
    found = back.pull_back_through([x for x, _ in moving], seeds, (), record=record)
    pushed = [
        _library(out).zeros_like(out.array) if v is None else v
        for out, v in zip(outs, found, strict=True)
    ]
    shown = [call.for_caller(v if isinstance(v, Tensor) else tensor_of(v), record) for v in pushed]
    return call.tree_for_caller(result), rebuild(shown)


@of_function
def hvp(f: Callable[..., Any], args: Sequence[Any], v: Sequence[Any], /) -> tuple[Any, ...]:
    """Return the product of the Hessian of `f` with `v`, without the Hessian.

    Parameters
    ----------
    f : callable
        Takes arrays, or nested structures of them, and returns one real number.
    args : sequence
        The arguments of `f`; all of them are differentiated by.
    v : sequence
        One per argument, nested as it is.

    Returns
    -------
    tuple
        One entry per argument, nested as it is.

    Raises
    ------
    TypeError, ValueError
        As in `grad`, and ValueError if `v` does not fit `args`.

    Notes
    -----
    The Hessian is symmetric, so the pullback of the gradient is the product.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import hvp
    >>> x, v = np.asarray([1.0, 0.0]), np.asarray([1.0, 1.0])
    >>> hvp(lambda x: (x @ x) ** 2, (x,), (v,))[0].tolist()
    [12.0, 4.0]
    """
    args, numbers = arrays_for_numbers(args)
    v, _ = arrays_for_numbers(v, args)
    if numbers:
        found: tuple[Any, ...] = numbers_for_arrays(hvp(f, args, v))
        return found
    _check_fit(args, v, "v")
    _, pullback = vjp(grad(f, argnums=tuple(range(len(args)))), *args)
    product: tuple[Any, ...] = pullback(tuple(v))
    return product


def ggnvp(
    f: Callable[..., Any], loss: Callable[..., Any], args: Sequence[Any], v: Sequence[Any], /
) -> tuple[Any, ...]:
    """Return the product of the generalised Gauss-Newton matrix of ``loss(f(*args))`` with `v`.

    ``J.T @ H @ J @ v`` with the Jacobian J of `f` and the Hessian H of `loss` at ``f(*args)``.

    Parameters
    ----------
    f : callable
        The model: takes arrays, or nested structures of them, and returns such.
    loss : callable
        Takes what `f` returns, and returns one real number.
    args : sequence
        The arguments of `f`; all of them are differentiated by.
    v : sequence
        One per argument, nested as it is.

    Returns
    -------
    tuple
        One entry per argument, nested as it is.

    Raises
    ------
    TypeError, ValueError
        As in `jvp` and `hvp`.

    Notes
    -----
    Where `loss` is convex the matrix is positive semidefinite, which the Hessian need not be.
    Source: N. N. Schraudolph (2002), doi:10.1162/08997660260028683.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import ggnvp
    >>> x, v = np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0])
    >>> ggnvp(lambda x: x * x, lambda y: y @ y, (x,), (v,))[0].tolist()
    [8.0, 0.0]
    """
    args, numbers = arrays_for_numbers(args)
    v, _ = arrays_for_numbers(v, args)
    if numbers:
        found: tuple[Any, ...] = numbers_for_arrays(ggnvp(f, loss, args, v))
        return found
    out, moved = jvp(f, args, v)
    (curved,) = hvp(loss, (out,), (moved,))
    _, pullback = vjp(f, *args)
    product: tuple[Any, ...] = pullback(curved)
    return product


# ---- inside -------------------------------------------------------------------------------------


def _library(x: Any) -> Any:
    return library_of(x).xp


def _check_fit(args: Sequence[Any], others: Sequence[Any], name: str) -> None:
    """Raise ValueError unless there is one array for every array, of the same shape and dtype."""
    arrays, given = flatten_nested(list(args))[0], flatten_nested(list(others))[0]
    if len(args) != len(others) or len(arrays) != len(given):
        msg = f"`{name}` must have {len(arrays)} arrays, as the arguments have, got {len(given)}"
        raise ValueError(msg)
    for x, other in zip(arrays, given, strict=True):
        if tuple(x.shape) != tuple(other.shape) or x.dtype != other.dtype:
            msg = (
                f"`{name}` must have the shapes and dtypes of the arguments, "
                f"got {tuple(other.shape)} {other.dtype} for {tuple(x.shape)} {x.dtype}"
            )
            raise ValueError(msg)
