"""Compare gradients with differences of the function itself."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._typing import of_function
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.unwrapping import unwrap
from portable_losses.autograd.transforms.functional import grad, vjp
from portable_losses.autograd.transforms.nested import flatten_nested

__all__ = ["gradcheck"]

_LARGEST_EPS = 1e-12


@of_function
def gradcheck(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-6,
    order: int = 1,
) -> None:
    """Raise AssertionError unless the gradients of `f` agree with central differences.

    Parameters
    ----------
    f : callable
        Takes the arrays `args` and returns a Tensor, or a nested structure of Tensors.
    args : sequence of array
        float64 or complex128 arrays of one library, at a point where `f` is smooth.
    eps : float, optional
        Step of the differences.
    atol, rtol : float, optional
        Absolute and relative tolerance.
    order : int, optional
        2 checks the gradient of the gradient as well, and so on.

    Returns
    -------
    None
        If all is well.

    Raises
    ------
    TypeError
        If an argument is of lower precision, in which differences say nothing.
    AssertionError
        With both numbers, if they differ by more than ``atol + rtol * abs(difference)``.

    Notes
    -----
    One random direction (always the same) is enough: a wrong entry of the Jacobian is missed only
    if it is orthogonal to it. The result is projected onto another one. Of complex numbers the
    real part of ``conj(gradient) * direction`` is the slope, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import gradcheck
    >>> gradcheck(lambda x: x**3, [np.asarray([0.5, 2.0])], order=2)
    """
    rng = random.Random(20)
    weights: list[Any] = []

    def projected(*xs: Any) -> Any:
        outs, _ = flatten_nested(f(*xs))
        if not weights:
            weights.extend(_direction(out.array, rng) for out in outs)
        return _product(outs, weights)

    for i, x in enumerate(args):
        if library_of(x).xp.finfo(x.dtype).eps > _LARGEST_EPS:
            msg = f"`args` must be float64 or complex128, got {x.dtype} for argument {i}"
            raise TypeError(msg)
    directions = [_direction(x, rng) for x in args]
    for _ in range(order):
        projected = _check_and_differentiate(projected, args, directions, eps, atol, rtol)
        directions = [_direction(x, rng) for x in args]


def _check_and_differentiate(
    f: Callable[..., Any],
    args: Sequence[Any],
    directions: Sequence[Any],
    eps: float,
    atol: float,
    rtol: float,
) -> Callable[..., Any]:
    """Check the derivative of `f` along `directions`, and return that derivative as a function."""
    slope = grad(f, argnums=tuple(range(len(args))))

    def along(*xs: Any) -> Any:
        return _product(slope(*xs), directions)

    got = float(along(*args))
    ahead, behind = (
        float(vjp(f, *(x + sign * eps * v for x, v in zip(args, directions, strict=True)))[0])
        for sign in (1, -1)
    )
    expected = (ahead - behind) / (2 * eps)
    if not abs(got - expected) <= atol + rtol * abs(expected):
        msg = f"the gradient gives {got!r} along a direction, differences give {expected!r}"
        raise AssertionError(msg)
    return along


def _product(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    """Return the sum of all products, for complex numbers of the real parts of ``conj(x) * y``."""
    total: Any = 0.0
    for x, y in zip(xs, ys, strict=True):
        xp = library_of(y).tape
        product = x * y
        if xp.isdtype(product.dtype, "complex floating"):
            product = xp.real(xp.conj(x) * y)
        total = total + xp.sum(product)
    return total


def _direction(x: Any, rng: random.Random) -> Any:
    """Return random numbers of the shape, dtype and device of `x`."""
    x = unwrap(x)[0]
    count = 1
    for n in x.shape:
        count *= n
    xp = library_of(x).xp
    numbers: list[Any] = [rng.gauss(0.0, 1.0) for _ in range(count)]
    if xp.isdtype(x.dtype, "complex floating"):
        numbers = [complex(number, rng.gauss(0.0, 1.0)) for number in numbers]
    return xp.reshape(
        xp.asarray(numbers, dtype=x.dtype, device=device_of(x, xp=xp)), tuple(x.shape)
    )
