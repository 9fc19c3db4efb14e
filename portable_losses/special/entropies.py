"""Products with a logarithm, where zero times infinity is zero; entropies."""

from portable_losses._gradient import elementwise_call, with_gradient
from portable_losses._polyfill import constant, maximum, total, where
from portable_losses._public import public
from portable_losses._row_functions import along_axes, of_rows
from portable_losses._stable import INF, NAN, log, log1p
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_axes, check_real_floating, namespace_of
from portable_losses.special.logistic import FAR, exponential

__all__ = ["entr", "entropy", "rel_entr", "xlog1py", "xlogy"]


@public
def xlogy(x: Array, y: Array, /) -> Array:
    """Product with a logarithm: ``x * log(y)``, and 0 where `x` is 0.

    Parameters
    ----------
    x, y : arrays of a real floating dtype, shapes that broadcast together
        Coefficient, and argument of the logarithm, at least 0.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. 0 where x = 0, unless y is NaN; NaN where y < 0 and x != 0.

    Raises
    ------
    TypeError
        `x` or `y` is not a real floating array, or they come from two libraries.
    ValueError
        The shapes do not broadcast.

    Notes
    -----
    The gradient is ``log(y)`` in x and ``x / y`` in y; where x = 0 the latter is 0, also at
    y = 0, and the former is 0 at y <= 0.

    Source: scipy.special.xlogy.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.xlogy(np.asarray([0.0, 2.0]), np.asarray([0.0, 1.0]))
    array([0., 0.])
    """
    return elementwise_call(_xlogy, x, y)


@public
def xlog1py(x: Array, y: Array, /) -> Array:
    """Product with a logarithm of one plus: ``x * log(1 + y)``, and 0 where `x` is 0.

    Parameters
    ----------
    x, y : arrays of a real floating dtype, shapes that broadcast together
        Coefficient, and argument, at least -1.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. 0 where x = 0, unless y is NaN; NaN where y < -1, x != 0.

    Raises
    ------
    TypeError
        `x` or `y` is not a real floating array, or they come from two libraries.
    ValueError
        The shapes do not broadcast.

    Notes
    -----
    The gradient is ``log1p(y)`` in x, 0 where x = 0 and y <= -1, and ``x / (1 + y)`` in y, 0
    where x = 0, also at y = -1. Source: scipy.special.xlog1py.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.xlog1py(np.asarray([0.0, 1e20]), np.asarray([-1.0, 1e-20]))
    array([0., 1.])
    """
    return elementwise_call(_xlog1py, x, y)


@public
def entr(x: Array, /) -> Array:
    """Share of an entropy: ``-x * log(x)``.

    Parameters
    ----------
    x : array of a real floating dtype, shape (...)
        Probabilities.

    Returns
    -------
    array
        Shape, dtype and device of `x`. 0 at 0, -inf below 0 and at +inf.

    Raises
    ------
    TypeError
        `x` is not a real floating array.

    Notes
    -----
    The gradient is ``-1 - log(x)``: +inf at 0, NaN below, its digits kept by its root at 1/e.

    Source: scipy.special.entr.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.entr(np.asarray([0.0, 0.5, 1.0])).round(4)
    array([0.    , 0.3466, 0.    ])
    """
    return elementwise_call(_entr, x)


@public
def rel_entr(x: Array, y: Array, /) -> Array:
    """Share of a relative entropy: ``x * log(x / y)``.

    Parameters
    ----------
    x, y : arrays of a real floating dtype, shapes that broadcast together
        Probabilities.

    Returns
    -------
    array
        Broadcast shape, promoted dtype. 0 where x = 0 <= y; +inf elsewhere where one of the two is
        not positive.

    Raises
    ------
    TypeError
        `x` or `y` is not a real floating array, or they come from two libraries.
    ValueError
        The shapes do not broadcast.

    Notes
    -----
    Where x and y are within a factor of two, ``x * log1p((x - y) / y)``, whose difference is exact;
    the logarithms are subtracted only where the quotient overflows or underflows. The gradient is
    ``1 + log(x / y)`` in x and ``-x / y`` in y; 0 in both where x = y = 0.

    Source: scipy.special.rel_entr.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> pl.rel_entr(np.asarray([0.0, 0.5, 1.0]), np.asarray([0.0, 0.25, 0.0])).round(4)
    array([0.    , 0.3466,    inf])
    """
    return elementwise_call(_rel_entr, x, y)


@public
def entropy(p: Array, /, *, axis: int | tuple[int, ...] = -1, log_input: bool = False) -> Array:
    """Entropy of a distribution, in nats: ``-sum(p * log(p))`` along `axis`.

    Parameters
    ----------
    p : array of a real floating dtype, shape (...)
        Probabilities, or their logarithms.
    axis : int or tuple of int, default -1
        The axes of the classes.
    log_input : bool, default False
        `p` holds logarithms l of probabilities: ``-sum(exp(l) * l)``.

    Returns
    -------
    array
        Shape of `p` without `axis`; dtype and device of `p`. A probability of 0, or a logarithm of
        -inf, adds 0; a negative probability makes -inf.

    Raises
    ------
    TypeError
        `p` is not a real floating array.
    ValueError
        `axis` names an axis twice.
    IndexError
        There is no such axis.

    Notes
    -----
    The probabilities are not normalised. The gradient is ``-1 - log(p)``, +inf at 0, and by
    logarithms ``-(1 + l) * exp(l)``, 0 at -inf.

    Source: C. E. Shannon, "A mathematical theory of communication" (1948).

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> print(pl.entropy(np.asarray([0.5, 0.5, 0.0])).round(4))
    0.6931
    """
    xp = namespace_of(p=p)
    check_real_floating(xp, p=p)
    return along_axes(_entropy, p, check_axes(axis, p.ndim), xp=xp, log_input=log_input)


@of_rows()
def _entropy(z: Array, *, axes: tuple[int, ...], log_input: bool, xp: Namespace) -> Array:
    """``-sum(p * log(p))``."""
    return total((_entr_of_log if log_input else _entr)(z, xp=xp), axis=axes, xp=xp)


def _times_log(x: Array, logarithm: Array, *, xp: Namespace) -> Array:
    """``x * logarithm``, 0 where x is 0, whatever the logarithm is."""
    return x * where(x == 0, 0.0, logarithm, xp=xp)


def _quotient_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``1 / y`` and ``-out / y``, never by ``y**2``; 0 at the pole."""
    pole = y == 0
    below = where(pole, 1.0, y, xp=xp)
    return grad * where(pole, 0.0, 1 / below, xp=xp), -grad * where(pole, 0.0, out / below, xp=xp)


@with_gradient(_quotient_grad, elementwise=True)
def _quotient(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``x / y`` without a warning at y = 0: infinite there, and 0 where x is 0."""
    pole = y == 0
    ratio = x / where(pole, 1.0, y, xp=xp)
    ratio = where(pole & (x > 0), INF, ratio, xp=xp)
    return where(pole & (x < 0), -INF, ratio, xp=xp)


def _xlogy_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``log(y)`` in x, ``x / y`` in y; where x is 0, 0 instead of an infinity."""
    off = (x == 0) & (y <= 0)
    in_x = where(off, 0.0, log(where(off, 1.0, y, xp=xp), xp=xp), xp=xp)
    return grad * in_x, grad * _quotient(x, y, xp=xp)


@with_gradient(_xlogy_grad, elementwise=True)
def _xlogy(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``x * log(y)``, 0 where x is 0 and y no NaN."""
    return where(y != y, y, _times_log(x, log(y, xp=xp), xp=xp), xp=xp)


def _xlog1py_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``log1p(y)`` in x, ``x / (1 + y)`` in y; where x is 0, 0 instead of an infinity."""
    off = (x == 0) & (y <= -1)
    in_x = where(off, 0.0, _log1p(where(off, 0.0, y, xp=xp), xp=xp), xp=xp)
    return grad * in_x, grad * _quotient(x, 1 + y, xp=xp)


@with_gradient(_xlog1py_grad, elementwise=True)
def _xlog1py(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``x * log1p(y)``, 0 where x is 0 and y no NaN."""
    return where(y != y, y, _times_log(x, _log1p(y, xp=xp), xp=xp), xp=xp)


def _log1p(y: Array, *, xp: Namespace) -> Array:
    """``log1p(y)``, which PyTorch has a third off where y is subnormal: it is y there."""
    return where(xp.abs(y) < 1e-20, y, log1p(y, xp=xp), xp=xp)


# ---- entropies --------------------------------------------------------------------------------


def _entr_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``-1 - log(x)``: +inf at 0, NaN below."""
    slope = -1.0 - xp.log(where(x > 0, x, 1.0, xp=xp))
    return (grad * where(x > 0, slope, _at_zero(INF, x, xp=xp), xp=xp),)


@with_gradient(_entr_grad, elementwise=True)
def _entr(x: Array, *, xp: Namespace) -> Array:
    """``-x log(x)``: 0 at 0, -inf below."""
    inside = where(x > 0, x, 1.0, xp=xp)
    value = where(x != x, x, inside * (0.0 - xp.log(inside)), xp=xp)
    return where(x < 0, -INF, value, xp=xp)


def _entr_of_log_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``-(1 + x) * exp(x)``."""
    z, scaled, scale = _powers(x, xp=xp)
    return (grad * (-(1 + z) * scaled * scale),)


@with_gradient(_entr_of_log_grad, elementwise=True)
def _entr_of_log(x: Array, *, xp: Namespace) -> Array:
    """``-x exp(x)``: 0 at -inf."""
    z, scaled, scale = _powers(x, xp=xp)
    return -z * scaled * scale


def _powers(x: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """Return ``max(x, -1000)``, and its exponential as a product of two."""
    z = maximum(x, -1000.0, xp=xp)
    return z, *exponential(z, None, z < FAR, xp=xp)[1:]


def _at_zero(value: float, x: Array, *, xp: Namespace) -> Array:
    """Return `value` where x is 0, else NaN: the slope of entr where x is not positive."""
    return where(x == 0, constant(value, x, xp=xp), NAN, xp=xp)


def _positive_finite(x: Array, y: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """Return the mask of ``0 < x, y < inf``, and x and y with 1 elsewhere."""
    inside = (x > 0) & (y > 0) & (x < INF) & (y < INF)
    return inside, where(inside, x, 1.0, xp=xp), where(inside, y, 1.0, xp=xp)


def _is_close(x: Array, y: Array) -> Array:
    """Return the mask of ``1/2 <= x / y <= 2``: there ``x - y`` is exact (Sterbenz)."""
    return (0.5 * x <= y) & (0.5 * y <= x)


def _log_ratio_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array | None, ...]:
    """``1 / x`` and ``-1 / y``."""
    return grad / x, -grad / y


@with_gradient(_log_ratio_grad, elementwise=True)
def _log_ratio(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``log(x / y)`` of positive, finite numbers: no overflow, and all digits where x is near y.

    It is that of the larger over the smaller, whose quotient less 1 cancels nothing; of their roots
    where they are so far apart that the quotient might overflow.
    """
    above = x >= y
    high, low = where(above, x, y, xp=xp), where(above, y, x, xp=xp)
    far = high * 2.0**-40 > low
    high, low = (where(far, xp.sqrt(one), one, xp=xp) for one in (high, low))
    size = xp.log1p((high - low) / low) * where(far, 2.0, constant(1.0, x, xp=xp), xp=xp)
    return where(above, size, -size, xp=xp)


def _off_domain(x: Array, y: Array, at_zero: Array | float, *, xp: Namespace) -> Array:
    """Return the relative entropy where not both are positive and finite; `at_zero` at x = 0."""
    value = where((x == 0) & (y >= 0), at_zero, constant(INF, x, xp=xp), xp=xp)
    value = where((x > 0) & (x < INF) & (y == INF), constant(-INF, x, xp=xp), value, xp=xp)
    unknown = (x != x) | (y != y) | (x == INF) & (y == INF)
    return where(unknown, NAN, value, xp=xp)


def _slope_in_x(x: Array, y: Array, *, xp: Namespace) -> Array:
    """Return ``log(x / y)`` where it is infinite, 0 at (0, 0), NaN off the domain."""
    rises = where((x > 0) & (y < INF), constant(INF, x, xp=xp), NAN, xp=xp)
    value = where((y > 0) & (x < INF), constant(-INF, x, xp=xp), rises, xp=xp)
    return where((x >= 0) & (y >= 0), where((x == 0) & (y == 0), 0.0, value, xp=xp), NAN, xp=xp)


def _rel_entr_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    """``1 + log(x / y)`` in x, ``-x / y`` in y."""
    inside, p, q = _positive_finite(x, y, xp=xp)
    in_x = where(inside, 1 + _log_ratio(p, q, xp=xp), _slope_in_x(x, y, xp=xp), xp=xp)
    return grad * in_x, grad * where(
        inside, -_quotient(p, q, xp=xp), _slope_in_y(x, y, 0.0, xp=xp), xp=xp
    )


def _slope_in_y(x: Array, y: Array, rest: float, *, xp: Namespace) -> Array:
    """Return ``rest - x / y`` where it is infinite or x is 0, NaN off the domain."""
    value = where((x > 0) & (y < INF), constant(-INF, x, xp=xp), NAN, xp=xp)
    value = where((x < INF) & (y == INF) | (x == 0), rest, value, xp=xp)
    return where((x >= 0) & (y >= 0), value, NAN, xp=xp)


@with_gradient(_rel_entr_grad, elementwise=True)
def _rel_entr(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``x log(x / y)``: 0 where x = 0 <= y, +inf elsewhere off the positive numbers."""
    inside, p, q = _positive_finite(x, y, xp=xp)
    return where(inside, p * _log_ratio(p, q, xp=xp), _off_domain(x, y, 0.0, xp=xp), xp=xp)


def _kl_div_grad(
    grad: Array, out: Array, x: Array, y: Array, *, xp: Namespace
) -> tuple[Array, Array]:
    """``log(x / y)`` in x, ``1 - x / y`` in y."""
    inside, p, q = _positive_finite(x, y, xp=xp)
    in_x = where(inside, _log_ratio(p, q, xp=xp), _slope_in_x(x, y, xp=xp), xp=xp)
    return grad * in_x, grad * where(inside, (q - p) / q, _slope_in_y(x, y, 1.0, xp=xp), xp=xp)


@with_gradient(_kl_div_grad, elementwise=True)
def _kl_div(x: Array, y: Array, *, xp: Namespace) -> Array:
    """``x log(x / y) - x + y``, at least 0, with all digits where x and y are close."""
    inside, p, q = _positive_finite(x, y, xp=xp)
    close = _is_close(p, q)
    a, b = where(close, p, 1.0, xp=xp), where(close, q, 1.0, xp=xp)
    difference = a - b
    share = difference / b
    r = share / (2 + share)  # log(x / y) = 2 atanh(r), whose first term cancels the difference
    square = r * r
    series = 0.0 * r
    for k in range(35, 1, -2):
        series = series * square + 1 / k
    near = difference * r + 2 * (a * r) * square * series
    far = p * _log_ratio(p, q, xp=xp) + (q - p)
    beside = where(y < INF, y, 0.0, xp=xp)
    value = where(inside, where(close, near, far, xp=xp), _off_domain(x, y, beside, xp=xp), xp=xp)
    return where((x >= 0) & (x < INF) & (y == INF), INF, value, xp=xp)
