"""Products with a logarithm, where zero times infinity is zero."""

from portable_losses._gradient import with_gradient
from portable_losses._portable import INF, log, log1p, narrow, where, widen
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_real_floating, namespace_of

__all__ = ["xlog1py", "xlogy"]


def xlogy(x: Array, y: Array, /) -> Array:
    """Product with a logarithm: ``x * log(y)``, and 0 where `x` is 0.

    Parameters
    ----------
    x, y : arrays of a real floating dtype, shapes that broadcast together
        Coefficient, and argument of the logarithm, at least 0.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. 0 where x = 0, unless y is NaN; NaN where y < 0 and
        x is not 0.

    Raises
    ------
    TypeError
        `x` or `y` is not a real floating array, or they come from two libraries.

    Notes
    -----
    The gradient is ``log(y)`` in x and ``x / y`` in y; where x = 0 the latter is 0, also at
    y = 0, and the former is 0 at y <= 0.

    Source: scipy.special.xlogy.

    Examples
    --------
    >>> import numpy as np
    >>> xlogy(np.asarray([0.0, 2.0]), np.asarray([0.0, 1.0]))
    array([0., 0.])
    """
    xp = namespace_of(x=x, y=y)
    check_real_floating(xp, x=x, y=y)

    dtype = xp.result_type(x, y)
    x, y = (widen(narrow(a, dtype, xp=xp), xp=xp) for a in xp.broadcast_arrays(x, y))
    return narrow(_xlogy(x, y, xp=xp), dtype, xp=xp)


def xlog1py(x: Array, y: Array, /) -> Array:
    """Product with a logarithm of one plus: ``x * log(1 + y)``, and 0 where `x` is 0.

    Parameters
    ----------
    x, y : arrays of a real floating dtype, shapes that broadcast together
        Coefficient, and argument, at least -1.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. 0 where x = 0, unless y is NaN; NaN where y < -1 and
        x is not 0.

    Raises
    ------
    TypeError
        `x` or `y` is not a real floating array, or they come from two libraries.

    Notes
    -----
    The gradient is ``log1p(y)`` in x and ``x / (1 + y)`` in y; where x = 0 the latter is 0, also
    at y = -1, and the former is 0 at y <= -1.

    Source: scipy.special.xlog1py.

    Examples
    --------
    >>> import numpy as np
    >>> xlog1py(np.asarray([0.0, 1e20]), np.asarray([-1.0, 1e-20]))
    array([0., 1.])
    """
    xp = namespace_of(x=x, y=y)
    check_real_floating(xp, x=x, y=y)

    dtype = xp.result_type(x, y)
    x, y = (widen(narrow(a, dtype, xp=xp), xp=xp) for a in xp.broadcast_arrays(x, y))
    return narrow(_xlog1py(x, y, xp=xp), dtype, xp=xp)


def _product(x: Array, logarithm: Array, *, xp: Namespace) -> Array:
    """Return ``x * logarithm``, 0 where x is 0 and the logarithm -inf, +inf or off its domain."""
    inside = where(x == 0, 0.0, logarithm, xp=xp)
    return x * inside


def _quotient(x: Array, y: Array, *, xp: Namespace) -> Array:
    """Return ``x / y`` without a warning, and 0 where x is 0, also at y = 0."""
    pole = y == 0
    ratio = x / where(pole, 1.0, y, xp=xp)
    ratio = where(pole & (x > 0), INF, ratio, xp=xp)
    return where(pole & (x < 0), -INF, ratio, xp=xp)


def _xlogy_backward(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    del out
    off = (x == 0) & (y <= 0)
    in_x = where(off, 0.0, log(where(off, 1.0, y, xp=xp), xp=xp), xp=xp)
    return grad * in_x, grad * _quotient(x, y, xp=xp)


@with_gradient(_xlogy_backward)
def _xlogy(x: Array, y: Array, *, xp: Namespace) -> Array:
    nan = y != y
    return where(nan, y, _product(x, log(y, xp=xp), xp=xp), xp=xp)


def _xlog1py_backward(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    del out
    off = (x == 0) & (y <= -1)
    in_x = where(off, 0.0, log1p(where(off, 0.0, y, xp=xp), xp=xp), xp=xp)
    return grad * in_x, grad * _quotient(x, 1 + y, xp=xp)


@with_gradient(_xlog1py_backward)
def _xlog1py(x: Array, y: Array, *, xp: Namespace) -> Array:
    nan = y != y
    return where(nan, y, _product(x, log1p(y, xp=xp), xp=xp), xp=xp)
