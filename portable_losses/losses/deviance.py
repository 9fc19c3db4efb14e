"""Deviances of exponential families: Poisson, gamma, Tweedie."""

from typing import Any

from portable_losses._options import Domain
from portable_losses._public import public
from portable_losses._reduction import reduced
from portable_losses._stable import INF
from portable_losses._typing import Array, Reduction
from portable_losses._validation import check_floating, namespace_of
from portable_losses._values import check_all_above, check_all_in
from portable_losses.losses._deviances import (
    deviance,
    deviance_of_mean,
    squared_error,
    squared_error_of_mean,
)
from portable_losses.losses._left_out import leaves_out

__all__ = ["gamma_deviance_loss", "poisson_deviance_loss", "tweedie_deviance_loss"]


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def poisson_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
    full : bool, default True
        False leaves out the terms in the target alone, which no prediction changes:
        ``2 * (mu - t * log(mu))``.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

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
    >>> import portable_losses as pl
    >>> x, counts = np.asarray([0.0, 0.0]), np.asarray([1, 0])
    >>> pl.poisson_deviance_loss(x, counts, reduction="none")
    array([0., 2.])
    """
    return _deviance_loss(
        input,
        target,
        power=1.0,
        log_input=log_input,
        full=full,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


@public
@leaves_out(input=0.5, target=1, elementwise=True)
def gamma_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
    full : bool, default True
        False leaves out the terms in the target alone, which no prediction changes:
        ``2 * (t / mu + log(mu))``.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

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
    >>> import portable_losses as pl
    >>> x, t = np.asarray([0.0, 0.0]), np.asarray([1.0, 2.0])
    >>> pl.gamma_deviance_loss(x, t, reduction="none").round(4)
    array([0.    , 0.6137])
    """
    return _deviance_loss(
        input,
        target,
        power=2.0,
        log_input=log_input,
        full=full,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


@public(power=Domain("not lie in (0, 1)", lambda v: not 0 < v < 1))
@leaves_out(input=0.5, target=1, elementwise=True)
def tweedie_deviance_loss(
    input: Array,
    target: Array,
    /,
    *,
    power: float = 1.5,
    log_input: bool = True,
    full: bool = True,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
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
    full : bool, default True
        False leaves out the terms in the target alone, which no prediction changes:
        ``2 * (mu**b / b - t * mu**a / a)``.
    where : array of bool, broadcastable to `input`, optional
        Elements that count; the others add nothing, whatever they hold.
    sample_weight : array, broadcastable to `input`, optional
        Weights of the elements, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

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
    >>> import portable_losses as pl
    >>> x, t = np.asarray([0.0, 0.0]), np.asarray([0.0, 4.0])
    >>> pl.tweedie_deviance_loss(x, t, reduction="none")
    array([4., 4.])
    """
    return _deviance_loss(
        input,
        target,
        power=power,
        log_input=log_input,
        full=full,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        denominator=denominator,
    )


def _deviance_loss(
    input: Array,
    target: Array,
    *,
    power: float,
    log_input: bool,
    full: bool,
    where: Array | None,
    sample_weight: Array | None,
    reduction: Reduction,
    denominator: float | Array | None,
) -> Array:
    """Return the reduced unit deviance of the family whose variance grows as ``mu**power``."""
    xp = namespace_of(input=input, target=target, optional={"sample_weight": sample_weight})
    check_floating(xp, input=input, target=target)
    bad_target = bad_input = None
    if 1 <= power < 2:
        bad_target = check_all_in(0, INF, xp=xp, target=target)
    elif power >= 2:
        bad_target = check_all_above(0, xp=xp, target=target)
    if power != 0 and not log_input:
        advice = "; for logarithms pass log_input=True"
        bad_input = check_all_above(0, xp=xp, advice=advice, input=input)

    own: dict[str, Any] = {"power": power, "factor": 2.0} if power else {}
    if full:
        pair = deviance if power else squared_error
    else:
        pair = deviance_of_mean if power else squared_error_of_mean
    return reduced(
        pair,
        {"input": input, "target": target},
        reduction,
        where=where,
        sample_weight=sample_weight,
        invalid=(bad_target, bad_input),
        denominator=denominator,
        xp=xp,
        log_input=log_input,
        **own,
    )
