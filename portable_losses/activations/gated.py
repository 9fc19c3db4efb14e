"""Gated linear units: one array times an activation of another, its gate."""

from collections.abc import Callable
from typing import Literal

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import differentiable_again
from portable_losses._polyfill import where
from portable_losses._public import public
from portable_losses._typing import Array, Namespace
from portable_losses._validation import (
    check_axis,
    check_even,
    check_real_floating,
    check_same_shape,
    namespace_of,
)
from portable_losses.activations.logistic import _sigmoid
from portable_losses.special.logistic import _gelu_tanh, _silu
from portable_losses.special.normal import _gelu

__all__ = ["geglu", "glu", "reglu", "swiglu"]


@public
def glu(x: Array, gate: Array | None = None, /, *, axis: int = -1) -> Array:
    """Gated linear unit: ``x * sigmoid(gate)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        What passes the gate; without `gate`, that in the first half along `axis` and the gate in
        the second.
    gate : array of a real floating dtype, shape of `x`, optional
    axis : int, default -1
        The axis that is halved; of no effect with `gate`.

    Returns
    -------
    array
        Shape of `x`, with half its size along `axis` unless `gate` is given; dtype and device of
        `x`.

    Raises
    ------
    TypeError
        An array is not real floating, or the two come from two libraries.
    ValueError
        The size along `axis` is odd, or the shapes differ.
    IndexError
        There is no such axis.

    Notes
    -----
    A gate at -inf closes: 0. The gradients are ``sigmoid(gate)`` by x and
    ``x * sigmoid(gate) * sigmoid(-gate)`` by the gate.

    Source: Y. N. Dauphin et al., "Language modeling with gated convolutional networks" (2016),
    arXiv:1612.08083.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.glu(np.asarray([3.0, 4.0, 0.0, -np.inf]))
    array([1.5, 0. ])
    """
    return _gated(x, gate, axis, _sigmoid)


@public
def swiglu(x: Array, gate: Array | None = None, /, *, axis: int = -1) -> Array:
    """Linear unit with a silu for its gate: ``x * silu(gate)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        What passes the gate; without `gate`, that in the first half along `axis` and the gate in
        the second.
    gate : array of a real floating dtype, shape of `x`, optional
    axis : int, default -1
        The axis that is halved; of no effect with `gate`.

    Returns
    -------
    array
        Shape of `x`, with half its size along `axis` unless `gate` is given; dtype and device of
        `x`.

    Raises
    ------
    TypeError
        An array is not real floating, or the two come from two libraries.
    ValueError
        The size along `axis` is odd, or the shapes differ.
    IndexError
        There is no such axis.

    Notes
    -----
    The gate comes second, as in `glu`; ``swiglu(a, b) = silu(a) * b`` elsewhere has it first.
    The gradients are ``silu(gate)`` by x and x times the slope of `silu` by the gate.

    Source: N. Shazeer, "GLU variants improve transformer" (2020), arXiv:2002.05202.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.swiglu(np.asarray([3.0, 4.0]), np.asarray([1.0, -np.inf])).round(4)
    array([ 2.1932, -0.    ])
    """
    return _gated(x, gate, axis, _silu)


@public
def geglu(
    x: Array,
    gate: Array | None = None,
    /,
    *,
    axis: int = -1,
    approximate: Literal["none", "tanh"] = "none",
) -> Array:
    """Linear unit with a gelu for its gate: ``x * gelu(gate)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        What passes the gate; without `gate`, that in the first half along `axis` and the gate in
        the second.
    gate : array of a real floating dtype, shape of `x`, optional
    axis : int, default -1
        The axis that is halved; of no effect with `gate`.
    approximate : {"none", "tanh"}
        Which form of `gelu`.

    Returns
    -------
    array
        Shape of `x`, with half its size along `axis` unless `gate` is given; dtype and device of
        `x`.

    Raises
    ------
    TypeError
        An array is not real floating, or the two come from two libraries.
    ValueError
        The size along `axis` is odd, the shapes differ, or `approximate` is neither of the two.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradients are ``gelu(gate)`` by x and x times the slope of `gelu` by the gate.

    Source: N. Shazeer, "GLU variants improve transformer" (2020), arXiv:2002.05202.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.geglu(np.asarray([3.0, 4.0]), np.asarray([1.0, -np.inf])).round(4)
    array([ 2.524, -0.   ])
    """
    return _gated(x, gate, axis, _gelu if approximate == "none" else _gelu_tanh)


@public
def reglu(x: Array, gate: Array | None = None, /, *, axis: int = -1) -> Array:
    """Linear unit with a relu for its gate: ``x * max(gate, 0)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        What passes the gate; without `gate`, that in the first half along `axis` and the gate in
        the second.
    gate : array of a real floating dtype, shape of `x`, optional
    axis : int, default -1
        The axis that is halved; of no effect with `gate`.

    Returns
    -------
    array
        Shape of `x`, with half its size along `axis` unless `gate` is given; dtype and device of
        `x`.

    Raises
    ------
    TypeError
        An array is not real floating, or the two come from two libraries.
    ValueError
        The size along `axis` is odd, or the shapes differ.
    IndexError
        There is no such axis.

    Notes
    -----
    The gradients are ``max(gate, 0)`` by x, and by the gate x where the gate is above 0, else 0.

    Source: N. Shazeer, "GLU variants improve transformer" (2020), arXiv:2002.05202.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.reglu(np.asarray([3.0, 4.0]), np.asarray([0.5, -1.0]))
    array([1.5, 0. ])
    """
    return _gated(x, gate, axis, _positive_part)


def _positive_part(x: Array, *, xp: Namespace) -> Array:
    """``max(x, 0)``, with gradient 0 at 0."""
    return where(x <= 0, 0.0, differentiable_again(x, xp=xp), xp=xp)


def _gated(x: Array, gate: Array | None, axis: int, activation: Callable[..., Array]) -> Array:
    """Return ``x * activation(gate)``, the two being halves of `x` where there is no gate."""
    xp = namespace_of(x=x, optional={"gate": gate})
    check_real_floating(xp, x=x)
    passing = x
    place = check_axis(axis, x.ndim if gate is None else max(x.ndim, 1))
    if gate is None:
        before = (slice(None),) * place
        half = check_even(x.shape[place], name="x", axis=axis) // 2
        passing, gate = x[(*before, slice(half), ...)], x[(*before, slice(half, None), ...)]
    check_real_floating(xp, gate=gate)
    check_same_shape(x=passing, gate=gate)

    opened = activation(widen(gate, xp=xp), xp=xp)
    passing = differentiable_again(widen(passing, xp=xp), xp=xp)
    return narrow(xp.multiply(passing, opened), x.dtype, xp=xp)
