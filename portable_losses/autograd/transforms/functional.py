"""Derivatives as transformations of functions: `grad`, `value_and_grad`, `vjp`."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from portable_losses._backend import namespace_of_type
from portable_losses._dtypes import kind_of
from portable_losses._gradient import stop_gradient as stop_gradient_of
from portable_losses._typing import of_function
from portable_losses.autograd._libraries import library_of, library_of_argument
from portable_losses.autograd.graph.recording import recorder
from portable_losses.autograd.tensors.tensor import Tensor
from portable_losses.autograd.tensors.unwrapping import is_tracked
from portable_losses.autograd.transforms.call import Call, check_tensor
from portable_losses.autograd.transforms.nested import flatten_nested
from portable_losses.autograd.transforms.numbers import arrays_for_numbers

__all__ = ["grad", "stop_gradient", "value_and_grad", "vjp"]


@of_function
def grad(
    f: Callable[..., Any],
    /,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_unused: bool = True,
) -> Callable[..., Any]:
    """Return the function that computes the gradient of `f`.

    Parameters
    ----------
    f : callable
        Takes arrays (or nested lists, tuples and dicts of arrays) and returns one real number: a
        Tensor without axes. Python numbers may stand for arrays; their gradients are numbers.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.
    has_aux : bool, optional
        `f` returns ``(number, aux)``, and the new function ``(gradient, aux)``.
    allow_unused : bool, optional
        False raises ValueError where the number does not depend on an argument, instead of
        returning zeros for it.

    Returns
    -------
    callable
        Same arguments as `f`; returns plain arrays, nested as the argument (a tuple of such for
        several `argnums`). Inside another differentiation the arrays are Tensors.

    Raises
    ------
    TypeError
        When called, if an argument to differentiate by is no array or not floating.
    ValueError
        When called, if `f` returns no Tensor without axes, or does not use an argument that it
        has to.

    Notes
    -----
    An argument that `f` does not use has gradient 0. What `no_grad` says outside does not reach
    into `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import grad
    >>> grad(lambda x: (x * x).__array_namespace__().sum(x * x))(np.asarray([1.0, 2.0]))
    array([2., 4.])
    """
    both = value_and_grad(f, argnums=argnums, has_aux=has_aux, allow_unused=allow_unused)

    @wraps(f)
    def gradient(*args: Any, **options: Any) -> Any:
        value, gradients = both(*args, **options)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


@of_function
def value_and_grad(
    f: Callable[..., Any],
    /,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_unused: bool = True,
) -> Callable[..., Any]:
    """Return the function that computes `f` and its gradient.

    Parameters
    ----------
    f : callable
        As in `grad`.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.
    has_aux : bool, optional
        `f` returns ``(number, aux)``.
    allow_unused : bool, optional
        As in `grad`.

    Returns
    -------
    callable
        Returns ``(value, gradient)``, or ``((value, aux), gradient)`` with `has_aux`.

    Raises
    ------
    TypeError, ValueError
        As in `grad`.

    Notes
    -----
    `f` runs once.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import value_and_grad
    >>> value, gradient = value_and_grad(lambda x: x @ x)(np.asarray([1.0, 2.0]))
    >>> float(value), gradient.tolist()
    (5.0, [2.0, 4.0])
    """

    @wraps(f)
    def value_and_gradient(*args: Any, **options: Any) -> Any:
        call = Call(args, argnums)
        result = call.run(f, options)
        out, aux = _with_aux(result) if has_aux else (result, None)
        _check_number(out)
        reached = call.reached([out])
        enclosed = call.is_enclosed(reached)
        value = call.for_caller(out, enclosed)
        aux = call.tree_for_caller(aux) if has_aux else None  # before the graph is freed
        gradients = call.pull_back(
            [out], [None], reached, record=enclosed, allow_unused=allow_unused
        )
        return (value, aux) if has_aux else value, gradients

    return value_and_gradient


@of_function
def vjp(f: Callable[..., Any], /, *args: Any, has_aux: bool = False) -> Any:
    """Run `f` and return its result with the function that pulls a cotangent back.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, or nested lists, tuples and dicts of arrays.
    *args : array
        All of them are differentiated by.
    has_aux : bool, optional
        `f` returns ``(result, aux)``.

    Returns
    -------
    tuple
        ``(result, pullback)``, or ``(result, pullback, aux)``. ``pullback(cotangent)`` takes the
        structure of the result, returns a tuple with one entry per argument, and may be called
        more than once.

    Raises
    ------
    TypeError
        If an argument is no array or not floating, real or complex.
    ValueError
        If `f` returns what is no Tensor, or a cotangent does not fit the result.

    Notes
    -----
    A row of the Jacobian is the pullback of a unit vector.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import vjp
    >>> y, pullback = vjp(lambda x: x * x, np.asarray([1.0, 2.0]))
    >>> pullback(np.asarray([1.0, 10.0]))[0].tolist()
    [2.0, 40.0]
    """
    call = Call(args, tuple(range(len(args))))
    result = call.run(f, {})
    result, aux = _with_aux(result) if has_aux else (result, None)
    outs, _ = flatten_nested(result)
    for out in outs:
        check_tensor(out)

    def pullback(cotangent: Any, /) -> tuple[Any, ...]:
        seeds, _ = flatten_nested(arrays_for_numbers(cotangent, outs)[0])
        if len(seeds) != len(outs):
            msg = f"the cotangent must have {len(outs)} arrays, got {len(seeds)}"
            raise ValueError(msg)
        reached = call.reached(outs)
        record = call.is_enclosed(reached) or bool(recorder() and any(map(is_tracked, seeds)))
        gradients: tuple[Any, ...] = call.pull_back(outs, seeds, reached, record=record, free=False)
        return gradients

    shown = call.tree_for_caller(result)
    return (shown, pullback, call.tree_for_caller(aux)) if has_aux else (shown, pullback)


def stop_gradient(x: Any, /) -> Any:
    """Return `x` as a constant: no derivative of any order passes through it.

    Parameters
    ----------
    x : array
        A Tensor, or an array of any library (which is told in its own way).

    Returns
    -------
    array
        The values of `x`: a Tensor where `x` is one.

    Raises
    ------
    TypeError
        If `x` is no array.

    Notes
    -----
    Over a library that differentiates by itself, it is told as well.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import grad, stop_gradient
    >>> float(grad(lambda x: x * stop_gradient(x))(np.asarray(3.0)))
    3.0
    """
    if isinstance(x, Tensor):
        return stop_gradient_of(x, xp=library_of(x.array).tape)
    library_of_argument(x)
    return stop_gradient_of(x, xp=namespace_of_type(x))


def _with_aux(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        msg = f"with `has_aux` the function returns a pair, got {type(result).__name__}"
        raise ValueError(msg)
    return result


def _check_number(out: Any) -> None:
    """Raise ValueError unless the result is one real number, on the tape."""
    check_tensor(out)
    array = out.array
    if array.shape or kind_of(array, xp=library_of(array).xp) != "real floating":
        msg = f"the function must return one real number, got shape {out.shape} of {out.dtype}"
        raise ValueError(msg)
