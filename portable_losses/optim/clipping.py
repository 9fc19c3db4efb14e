"""Gradient clipping, between `backward` and a step, in PyTorch's spelling."""

import math
from collections.abc import Iterable
from typing import Any

from portable_losses._dtypes import narrow, widen
from portable_losses._options import check_flag, check_positive, require
from portable_losses._polyfill import clip, constant, minimum, readable, total, where
from portable_losses._rows import finite_or_nan
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace
from portable_losses.autograd import Tensor
from portable_losses.autograd._libraries import library_of

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    *,
    error_if_nonfinite: bool = False,
) -> Array:
    """Scale all gradients together such that their norm is at most `max_norm`.

    With n the norm of all entries of all gradients::

        g = g * min(1, max_norm / (n + 1e-6))

    Parameters
    ----------
    parameters : Parameter, or iterable of them
        Whose `grad` is replaced; those without one are left alone. All of one library.
    max_norm : float
        Greater than 0.
    norm_type : float, default 2.0
        The p of the norm, greater than 0; ``math.inf`` for the largest absolute value.
    error_if_nonfinite : bool, default False
        Raise where the norm is infinite or NaN, if its value can be read.

    Returns
    -------
    array
        The norm before clipping: shape (), float32 for gradients in half precision, else the dtype
        and device of the first gradient; 0 if there is no gradient. Raw array of the library.

    Raises
    ------
    TypeError
        An entry of `parameters` is no Tensor, or they come from two libraries.
    ValueError
        `max_norm` or `norm_type` is not greater than 0, no parameter is given, or the norm is not
        finite.

    Notes
    -----
    The entries are divided by the largest of them before they are raised to a power, so the norm
    does not overflow or vanish where its value is a number of the dtype; where it is infinite,
    finite entries become 0 and infinite ones NaN, and where it is NaN all are, as PyTorch's.

    Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural
    networks" (2012), arXiv:1211.5063; ``torch.nn.utils.clip_grad_norm_`` for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> p = nn.Parameter(np.asarray([3.0, 4.0]))
    >>> (p @ p).backward()
    >>> float(optim.clip_grad_norm_([p], max_norm=1.0))
    10.0
    >>> p.grad.array.round(6)
    array([0.6, 0.8])
    """
    max_norm = check_positive(max_norm=max_norm)["max_norm"]
    check_flag(error_if_nonfinite=error_if_nonfinite)
    if norm_type != INF:
        norm_type = check_positive(norm_type=norm_type)["norm_type"]
    held, xp = _with_gradients(parameters)
    grads = [widen(p.grad.array, xp=xp) for p in held]
    if not grads:
        first = _listed(parameters)[0].array
        return xp.zeros_like(widen(xp.zeros_like(first[(0,) * first.ndim]), xp=xp))
    sizes = [_largest(g, xp=xp) for g in grads]
    dtype = sizes[0].dtype
    top = xp.max(xp.stack([narrow(size, dtype, xp=xp) for size in sizes]))
    norm = top
    if norm_type != INF:
        # Of zeros alone, and where the largest is infinite or NaN, there is nothing to divide by.
        unit = where((top > 0) & (top < INF), top, 1.0, xp=xp)
        powers = [
            total((xp.abs(g) / narrow(unit, g.dtype, xp=xp)) ** float(norm_type), xp=xp)
            for g in grads
        ]
        sum_ = total(xp.stack([narrow(power, dtype, xp=xp) for power in powers]), xp=xp)
        norm = unit * sum_ ** (1.0 / norm_type)
    if error_if_nonfinite and readable(norm, xp=xp):
        require(math.isfinite(float(norm)), "parameters", "have a finite norm", float(norm))
    scale = minimum(max_norm / (norm + 1e-6), 1.0, xp=xp)
    for p, g in zip(held, grads, strict=True):
        raw = p.grad.array
        g = finite_or_nan(g, xp=xp)  # infinity times 0 would warn
        p.grad = narrow(g * narrow(scale, g.dtype, xp=xp), raw.dtype, xp=xp)
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every entry of every gradient to ``[-clip_value, clip_value]``.

    Parameters
    ----------
    parameters : Parameter, or iterable of them
        Whose `grad` is replaced; those without one are left alone. All of one library.
    clip_value : float
        Greater than 0.

    Returns
    -------
    None

    Raises
    ------
    TypeError
        An entry of `parameters` is no Tensor, or they come from two libraries.
    ValueError
        `clip_value` is not greater than 0, or no parameter is given.

    Notes
    -----
    NaN stays NaN.

    Source: ``torch.nn.utils.clip_grad_value_``.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> p = nn.Parameter(np.asarray([3.0, -0.25]))
    >>> (p @ p).backward()
    >>> optim.clip_grad_value_([p], clip_value=1.0)
    >>> p.grad.array
    array([ 1. , -0.5])
    """
    clip_value = check_positive(clip_value=clip_value)["clip_value"]
    held, xp = _with_gradients(parameters)
    for p in held:
        p.grad = clip(p.grad.array, -clip_value, clip_value, xp=xp)


def _listed(parameters: Any) -> list[Tensor]:
    """Return the parameters, checked."""
    listed: list[Any] = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not listed:
        msg = "`parameters` must hold at least one parameter, got none"
        raise ValueError(msg)
    for p in listed:
        if not isinstance(p, Tensor):
            msg = f"`parameters` must hold Parameters, got {type(p).__name__}"
            raise TypeError(msg)
    return listed


def _with_gradients(parameters: Any) -> tuple[list[Tensor], Namespace]:
    """Return the parameters that have a gradient, and their one library."""
    listed = _listed(parameters)
    library = library_of(listed[0].array)
    for p in listed:
        other = library_of(p.array)
        if other is not library:
            msg = f"`parameters` must be of one library, got {library.name} and {other.name}"
            raise TypeError(msg)
    return [p for p in listed if p.grad is not None], library.xp


def _largest(g: Array, *, xp: Namespace) -> Array:
    """Return the largest absolute value of `g`, 0 of nothing."""
    if 0 in g.shape:
        return constant(0.0, g, xp=xp)
    return xp.max(xp.abs(g))
