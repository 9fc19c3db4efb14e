"""Jacobians and Hessians as a whole, and structures of arrays as one vector."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from math import prod
from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._typing import of_function
from portable_losses.autograd._libraries import library_of, library_of_argument
from portable_losses.autograd.rules.complex_numbers import is_complex
from portable_losses.autograd.tensors.tensor import Tensor
from portable_losses.autograd.tensors.unwrapping import unwrap
from portable_losses.autograd.transforms.call import positions
from portable_losses.autograd.transforms.functional import grad, vjp
from portable_losses.autograd.transforms.nested import flatten_nested
from portable_losses.autograd.transforms.numbers import arrays_for_numbers, numbers_for_arrays

__all__ = ["flatten", "hessian", "jacobian"]


@of_function
def jacobian(
    f: Callable[..., Any], /, *, argnums: int | Sequence[int] = 0, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of `f`, row by row.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, or nested lists, tuples and dicts of them.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.
    holomorphic : bool, optional
        True promises that complex results are holomorphic in complex arguments, without which
        their derivative is no one matrix.

    Returns
    -------
    callable
        Same arguments as `f`. For every array of the result, in the result's nesting, there is
        one array for every array of the argument, in its nesting (a tuple of such for several
        `argnums`), of shape ``result.shape + argument.shape``.

    Raises
    ------
    TypeError
        When called, if an argument is no floating array, or without `holomorphic` if both an
        argument and a result are complex.
    ValueError
        When called, if `f` returns what is no Tensor.

    Notes
    -----
    One walk back for every entry of the result, a second one where it is complex and an argument
    is real. What the entries are:

    - of a real result: its gradient as `grad` gives it, ``d/da + i d/db`` by ``a + i b``, which
      PyTorch has too and JAX has conjugated;
    - of a complex result by a real argument: the derivative, real and imaginary part apart;
    - of a complex result by a complex argument: the complex derivative, as JAX has it. Of a
      function that is not holomorphic, take real and imaginary part as two results instead.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import jacobian
    >>> jacobian(lambda x: x[:1] * x)(np.asarray([1.0, 2.0])).tolist()
    [[2.0, 0.0], [2.0, 1.0]]
    >>> jacobian(lambda z: z * z, holomorphic=True)(np.asarray(1 + 2j)).tolist()
    (2+4j)
    """

    @wraps(f)
    def jacobian_of_f(*args: Any, **options: Any) -> Any:
        places = positions(argnums, len(args))

        def of_chosen(*chosen: Any) -> Any:
            full = list(args)
            for i, x in zip(places, chosen, strict=True):
                full[i] = x
            return f(*full, **options)

        chosen, numbers = arrays_for_numbers([args[i] for i in places], list(args))
        out, pullback = vjp(of_chosen, *chosen)
        outs, rebuild = flatten_nested(out)
        by_complex, by_real = _kinds(flatten_nested(chosen)[0])
        blocks: list[Any] = []
        for i, x in enumerate(outs):
            complex_result, _ = _kinds([x])
            if complex_result and by_complex and not holomorphic:
                raise TypeError(_NO_MATRIX)
            rows = [
                [pullback(rebuild(seeds)) for seeds in _units(outs, i, unit)]
                for unit in ((1, 1j) if complex_result and by_real else (1,))
            ]
            stacked = _stacked(rows, x, chosen)
            blocks.append(stacked[0] if isinstance(argnums, int) else tuple(stacked))
        made = rebuild(blocks)
        return numbers_for_arrays(made) if numbers else made

    return jacobian_of_f


@of_function
def hessian(f: Callable[..., Any], /, *, argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the function that computes the Hessian of `f`.

    Parameters
    ----------
    f : callable
        Takes real arrays, or nested structures of them, and returns one real number.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Same arguments as `f`. For every array of the argument there is, nested as the argument
        is, one array for every array of the argument (for several `argnums` a tuple of tuples).

    Raises
    ------
    TypeError, ValueError
        As in `grad` and `jacobian`.

    Notes
    -----
    The Jacobian of the gradient: one walk for every entry of the argument.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.asarray([3.0, 5.0])).tolist()
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums=argnums), argnums=argnums)


def flatten(tree: Any, /) -> tuple[Any, Callable[[Any], Any]]:
    """Return all arrays of a nested structure as one vector, and the function back.

    Parameters
    ----------
    tree : array or nested lists, tuples and dicts of arrays
        Of one library; a Python number is an array without axes.

    Returns
    -------
    tuple
        ``(vector, unflatten)``; ``unflatten(vector)`` has the structure, shapes and dtypes of
        `tree`, and both are recorded where Tensors are.

    Raises
    ------
    ValueError
        If there is no array in `tree`.
    TypeError
        If something in it is no array.

    Notes
    -----
    The vector has the dtype to which the arrays promote.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import flatten
    >>> vector, unflatten = flatten({"w": np.asarray([[1.0, 2.0]]), "b": np.asarray(3.0)})
    >>> vector.tolist()
    [1.0, 2.0, 3.0]
    >>> unflatten(vector * 2)["w"].tolist()
    [[2.0, 4.0]]
    """
    arrays, rebuild = flatten_nested(arrays_for_numbers(tree)[0])
    if not arrays:
        msg = "`tree` must hold at least one array"
        raise ValueError(msg)
    for x in arrays:
        library_of_argument(unwrap(x)[0])
    xp = _space(*arrays)
    vector = xp.concat([xp.reshape(x, (-1,)) for x in arrays])
    shapes = [(tuple(x.shape), x.dtype) for x in arrays]
    length = sum(prod(shape) for shape, _ in shapes)

    def unflatten(vector: Any, /) -> Any:
        if tuple(vector.shape) != (length,):
            msg = f"`vector` must have shape {(length,)}, got {tuple(vector.shape)}"
            raise ValueError(msg)
        xp, start, parts = _space(vector), 0, []
        for shape, dtype in shapes:
            stop = start + prod(shape)
            parts.append(xp.astype(xp.reshape(vector[start:stop], shape), dtype, copy=False))
            start = stop
        return rebuild(parts)

    return vector, unflatten


# ---- inside -------------------------------------------------------------------------------------


def _library(x: Any) -> Any:
    return library_of(x).xp


def _space(*xs: Any) -> Any:
    """Return the namespace for arrays of which some may be Tensors."""
    if any(isinstance(x, Tensor) for x in xs):
        return library_of(xs[0]).tape
    return _library(xs[0])


_NO_MATRIX = (
    "the derivative of a complex result by a complex argument is one matrix only if the function "
    "is holomorphic: say `holomorphic=True`, or take real and imaginary part, `vjp` or `jvp`"
)


def _kinds(xs: Sequence[Any]) -> tuple[bool, bool]:
    """Say whether any array is complex, and whether any is not."""
    found = [is_complex(x, xp=_library(x)) for x in xs]
    return any(found), not all(found)


def _units(outs: Sequence[Any], i: int, unit: complex) -> Iterator[list[Any]]:
    """Yield, for every entry of ``outs[i]``, cotangents that are `unit` there and 0 elsewhere."""
    raws = [unwrap(x)[0] for x in outs]
    zeros = [_library(x).zeros_like(x) for x in raws]
    x, xp = raws[i], _library(raws[i])
    size = prod(x.shape)
    units = xp.eye(size, dtype=x.dtype, device=device_of(x, xp=xp)) * unit
    for k in range(size):
        yield [*zeros[:i], xp.reshape(units[k, ...], tuple(x.shape)), *zeros[i + 1 :]]


def _stacked(rows: Sequence[Sequence[Any]], out: Any, chosen: Sequence[Any]) -> list[Any]:
    """Return what the rows hold for every argument as one array each, nested as the argument.

    `rows` is of the cotangent 1, and of i where that says more.
    """
    blocks: list[Any] = []
    for j, argument in enumerate(chosen):
        arrays, rebuild = flatten_nested(argument)
        parts: list[Any] = []
        for k, x in enumerate(arrays):
            by_one, *by_i = [[flatten_nested(row[j])[0][k] for row in walk] for walk in rows]
            block = _stack(by_one, out, x)
            xp = _space(block)
            if is_complex(unwrap(out)[0], xp=_library(out)):
                if is_complex(unwrap(x)[0], xp=_library(x)):
                    block = xp.conj(block)
                else:
                    kind = xp.result_type(block.dtype, xp.complex64)
                    turned = xp.astype(_stack(by_i[0], out, x), kind)
                    block = xp.astype(block, kind) + turned * 1j
            parts.append(block)
        blocks.append(rebuild(parts))
    return blocks


def _stack(gradients: Sequence[Any], out: Any, x: Any) -> Any:
    """Return the gradients by `x` of every entry of `out` as one array."""
    shape = (*out.shape, *x.shape)
    if not gradients:
        raw = unwrap(x)[0]
        xp = _library(raw)
        return xp.zeros(shape, dtype=x.dtype, device=device_of(raw, xp=xp))
    xp = _space(*gradients)
    return xp.reshape(xp.stack(gradients), shape)
