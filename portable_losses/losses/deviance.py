"""Deviances of exponential families: Poisson, gamma, Tweedie."""

import math

from portable_losses._dtypes import computable, largest, tiny
from portable_losses._gradient import stop_gradient, with_gradient
from portable_losses._options import Domain
from portable_losses._polyfill import clip, constant
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._stable import INF, NAN
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import as_floating, namespace_of
from portable_losses._values import check_all_in, check_values, mark_invalid
from portable_losses.losses._left_out import leaves_out
from portable_losses.special.entropy import _log_ratio

__all__ = ["gamma_deviance_loss", "poisson_deviance_loss", "tweedie_deviance_loss"]


@public
@leaves_out(input=0.5, target=1)
def poisson_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    log_input: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Unit deviance of the Poisson distribution.

    With mu the expected count and t the target::

        loss = 2 * (t * log(t / mu) - t + mu)

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Logarithm of the expected value; or the expected value itself, greater than 0.
    target : array of any real dtype, shape of `input`
        Observed counts, at least 0; converted to the dtype of `input`.
    log_input : bool, default True
        Is `input` a logarithm?
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target or an expected value is out of its domain, a weight is negative,
        or `reduction` is unknown.

    Notes
    -----
    0 where the two agree, and computed there without cancellation. The gradient in ``log(mu)`` is
    ``2 * (mu - t)``.

    Source: P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> x, counts = np.asarray([0.0, 0.0]), np.asarray([1, 0])
    >>> poisson_deviance_loss(x, counts, reduction="none")
    array([0., 2.])
    """
    return _deviance_loss(
        input,
        target,
        power=1.0,
        log_input=log_input,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
    )


@public
@leaves_out(input=0.5, target=1)
def gamma_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    log_input: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Unit deviance of the gamma distribution.

    With mu the expected value and t the target::

        loss = 2 * (t / mu - 1 - log(t / mu))

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Logarithm of the expected value; or the expected value itself, greater than 0.
    target : array of any real dtype, shape of `input`
        Observations, greater than 0; converted to the dtype of `input`.
    log_input : bool, default True
        Is `input` a logarithm?
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target or an expected value is out of its domain, a weight is negative,
        or `reduction` is unknown.

    Notes
    -----
    0 where the two agree, and computed there without cancellation. The gradient in ``log(mu)`` is
    ``2 * (1 - t / mu)``.

    Source: P. McCullagh, J. A. Nelder, "Generalized Linear Models" (1989), section 8.3.

    Examples
    --------
    >>> import numpy as np
    >>> x, t = np.asarray([0.0, 0.0]), np.asarray([1.0, 2.0])
    >>> gamma_deviance_loss(x, t, reduction="none").round(4)
    array([0.    , 0.6137])
    """
    return _deviance_loss(
        input,
        target,
        power=2.0,
        log_input=log_input,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
    )


@public(power=Domain("not lie in (0, 1)", lambda v: not 0 < v < 1))
@leaves_out(input=0.5, target=1)
def tweedie_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    power: float = 1.5,
    log_input: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """Unit deviance of the Tweedie distribution whose variance grows as ``mu**power``.

    With mu the expected value, t the target, ``a = 1 - power`` and ``b = 2 - power``::

        loss = 2 * (t * (t**a - mu**a) / a - (t**b - mu**b) / b)

    with the logarithm of ``t / mu`` for a quotient by 0, and ``max(t, 0)`` under a power.

    Parameters
    ----------
    input : array of a real floating dtype, shape (...)
        Logarithm of the expected value; or the expected value itself, greater than 0.
    target : array of any real dtype, shape of `input`
        Observations: at least 0 for a power in [1, 2), greater than 0 from 2 on, any below 1;
        converted to the dtype of `input`.
    power : float, default 1.5
        0 is the normal distribution, 1 Poisson, (1, 2) compound Poisson and gamma, 2 gamma, 3
        inverse Gaussian. No distribution has a power in (0, 1).
    log_input : bool, default True
        Is `input` a logarithm?
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    array
        Shape () after "mean" and "sum", (...) after "none". Dtype and device of `input`.

    Raises
    ------
    TypeError
        `input` is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes differ, a target or an expected value is out of its domain, `power` lies in
        (0, 1), a weight is negative, or `reduction` is unknown.

    Notes
    -----
    At a power of 0 the loss is ``(t - mu)**2``, for any t and mu. Near ``t = mu`` a series in
    ``log(t / mu)`` is used, which neither cancels there nor has a singularity at a power of 1 or 2.
    The gradient in ``log(mu)`` is ``2 * (mu**b - t * mu**a)``.

    Source: B. Jørgensen, "Exponential dispersion models" (1987),
    doi:10.1111/j.2517-6161.1987.tb01685.x.

    Examples
    --------
    >>> import numpy as np
    >>> x, t = np.asarray([0.0, 0.0]), np.asarray([0.0, 4.0])
    >>> tweedie_deviance_loss(x, t, reduction="none")
    array([4., 4.])
    """
    return _deviance_loss(
        input,
        target,
        power=power,
        log_input=log_input,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
    )


def _deviance_loss(
    input: Array,
    target: Array,
    *,
    power: float,
    log_input: bool,
    where: Array | None,
    sample_weight: Array | None,
    reduction: Reduction,
) -> Array:
    """Return the reduced unit deviance of the family whose variance grows as ``mu**power``."""
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    x, t = as_floating(xp, input=input, target=target)
    bad_target = bad_input = None
    if 1 <= power < 2:
        bad_target = check_all_in(0, INF, xp=xp, target=target)
    elif power >= 2:
        target = computable(target, xp=xp)
        bad_target = check_values(target, target <= 0, "be greater than 0", name="target", xp=xp)
    if power != 0 and not log_input:
        what = "be greater than 0; for logarithms pass log_input=True"
        bad_input = check_values(input, input <= 0, what, name="input", xp=xp)

    if power == 0:
        d = (xp.exp(x) if log_input else x) - t
        loss = d * d
    else:
        loss = 2 * _half_deviance(x, t, power=power, log_input=log_input, xp=xp)
    loss = mark_invalid(loss, bad_target, bad_input, xp=xp)

    return reduce(
        loss, reduction, where=where, sample_weight=sample_weight, dtype=input.dtype, xp=xp
    )


# ---- half the deviance ------------------------------------------------------------------------
# m is the expected value, r = log(t / m); a t that is not positive is replaced by 1.


def _mean(x: Array, *, xp: Namespace) -> Array:
    """``x``, and 1 where it is not positive."""
    return _where(x <= 0, 1.0, x, xp=xp)


def _bound(x: Array, *, xp: Namespace) -> float:
    """Return the largest b for which ``exp(b)`` and ``exp(-b)`` are normal numbers, nearly."""
    return math.log(largest(x, xp=xp)) - 2


def _power_of_mean(x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``m**c``."""
    if c == 0:
        return _where(x == x, constant(1.0, x, xp=xp), NAN, xp=xp)
    power: Array = xp.exp(c * x) if log_input else _mean(x, xp=xp) ** c
    return power


def _times_power(y: Array, x: Array, c: float, *, log_input: bool, xp: Namespace) -> Array:
    """``y * m**c``, computed so that it overflows only where the product does."""
    if not log_input:
        m = _mean(x, xp=xp)
        if c >= -2:
            return y / m * m ** (c + 1) if c <= -1 else y * m**c
        power, half = m ** (c + 1), m ** ((c + 1) / 2)  # the power alone may overflow
        ends = (power == INF) | (power < tiny(x, xp=xp))
        return _where(ends, y / m * half * half, y / m * power, xp=xp)
    bound, e = _bound(x, xp=xp), c * x
    shift = _where(e > bound, bound, _where(e < -bound, -bound, 0.0 * y, xp=xp), xp=xp)
    return y * xp.exp(shift) * xp.exp(e - shift)


def _log_ratio_of(x: Array, t: Array, *, log_input: bool, xp: Namespace) -> tuple[Array, Array]:
    """Return t, 1 where it is not positive, and ``r = log(t / m)``."""
    y = _where(t > 0, t, 1.0, xp=xp)
    if not log_input:
        return y, _log_ratio(y, _mean(x, xp=xp), xp=xp)
    bound, size = _bound(x, xp=xp), xp.abs(x)
    mean = xp.exp(clip(x, -bound, bound, xp=xp))
    direct = (size < 0.5) | ~(size < bound)  # elsewhere the logarithm would round more
    return y, _where(direct, xp.log(y) - x, _log_ratio(y, mean, xp=xp), xp=xp)


def _gap(high: Array, low: Array, r: Array, c: float, *, xp: Namespace) -> Array:
    """``(high - low) / c`` for ``high = low * exp(c * r)``, and ``low * r`` at c = 0."""
    if c == 0:
        return low * r
    small = xp.abs(c * r) < 1
    near = _where(small, low, 0.0, xp=xp) * xp.expm1(_where(small, c * r, 0.0, xp=xp))
    return _where(small, near, high - low, xp=xp) / c


def _curve(r: Array, b: float, *, xp: Namespace) -> Array:
    """Half the deviance over ``m**b``, as a power series, for ``|r| * max(1, |b|) <= 1``."""
    coefficients, factor = [], 0.0
    for k in range(1, 21):
        factor = 1 + b * factor
        coefficients.append(factor / math.factorial(k + 1))
    result = 0.0 * r
    for c in reversed(coefficients):
        result = result * r + c
    return result * r * r


def _slope_in_mean_grad(
    grad: Array,
    out: Array,
    x: Array,
    t: Array,
    r: Array,
    *,
    power: float,
    log_input: bool,
    xp: Namespace,
) -> tuple[Array | None, ...]:
    """The derivatives of ``m**(c + 1) - t * m**c`` by x and t, in which no digit is lost."""
    c = 1 - power if log_input else -power
    less = c if log_input else c - 1  # the power of m in its derivative
    xs = _where(t == 0, 1.0, x, xp=xp) if c <= 0 else x
    y = _where(t > 0, t, 1.0, xp=xp)
    bend = 0.0 * t
    if c + 1:
        bend = bend + (c + 1) * _power_of_mean(x, less + 1, log_input=log_input, xp=xp)
    if c:
        drop = -c * _times_power(y, xs, less, log_input=log_input, xp=xp)
        bend = bend + _where(t > 0, drop, -c * t, xp=xp)
    return grad * bend, -grad * _power_of_mean(x, c, log_input=log_input, xp=xp), None


@with_gradient(_slope_in_mean_grad)
def _slope_in_mean(
    x: Array, t: Array, r: Array, *, power: float, log_input: bool, xp: Namespace
) -> Array:
    """``(m - t) * m**(-power) * dm/dx``; r, which x and t say, comes along as a constant."""
    a = 1 - power
    c = a if log_input else -power
    y = _where(t > 0, t, 1.0, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x  # m**a has no part where t = 0
    upper = _power_of_mean(x, c + 1, log_input=log_input, xp=xp)
    lower = _times_power(y, xs, c, log_input=log_input, xp=xp)
    below = r < 0  # upper - lower from the larger one, as lower / upper = exp(r)
    share = xp.expm1(_where(below, r, -r, xp=xp))
    slope = _where(below, upper, lower, xp=xp) * _where(below, -share, share, xp=xp)
    rest = upper - t * _power_of_mean(x, c, log_input=log_input, xp=xp) if a > 0 else upper
    return _where(t > 0, slope, rest, xp=xp)


def _half_deviance_grad(
    grad: Array, out: Array, x: Array, t: Array, *, power: float, log_input: bool, xp: Namespace
) -> tuple[Array | None, ...]:
    """``(m - t) * m**(-power) * dm/dx`` in x, ``(t**a - m**a) / a`` in t, with a = 1 - power."""
    a = 1 - power
    y, r = _log_ratio_of(x, t, log_input=log_input, xp=xp)
    constant_r = stop_gradient(r, xp=xp)
    in_x = _slope_in_mean(x, t, constant_r, power=power, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x
    part = _power_of_mean(xs, a, log_input=log_input, xp=xp)
    rest = -part / a if a > 0 else 0.0  # infinite at t = 0, which adds nothing
    in_t = _where(t > 0, _gap(y**a, part, r, a, xp=xp), rest, xp=xp)
    return grad * in_x, grad * in_t


@with_gradient(_half_deviance_grad)
def _half_deviance(x: Array, t: Array, *, power: float, log_input: bool, xp: Namespace) -> Array:
    """``t * (t**a - m**a) / a - (t**b - m**b) / b``, with a = 1 - power and b = 2 - power."""
    a, b = 1 - power, 2 - power
    y, r = _log_ratio_of(x, t, log_input=log_input, xp=xp)
    xs = _where(t == 0, 1.0, x, xp=xp) if a <= 0 else x
    whole = _power_of_mean(x, b, log_input=log_input, xp=xp)
    lower = _times_power(y, xs, a, log_input=log_input, xp=xp)
    near = xp.abs(r) * max(1.0, abs(b)) < 1
    series = _where(near, whole, 0.0, xp=xp) * _curve(_where(near, r, 0.0, xp=xp), b, xp=xp)
    drop = _where(whole < INF, r, 0.0, xp=xp) if a == 0 else r  # avoids inf - inf
    far = _gap(y**b, lower, drop, a, xp=xp) - _gap(y**b, whole, r, b, xp=xp)
    rest = whole / b if b else whole
    if a > 0:
        rest = rest - t * _power_of_mean(x, a, log_input=log_input, xp=xp) / a
    return _where(t > 0, _where(near, series, far, xp=xp), rest, xp=xp)
