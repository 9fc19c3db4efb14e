"""Random and constant values for parameters, in PyTorch's spelling.

Every function takes a `Parameter` (or a leaf Tensor), puts a new array under it, of the library,
dtype and device that it has, and returns it. No array is written to.

Where a function has `rng`, it is

- None: one generator for all calls, seeded by `manual_seed` (else by the operating system);
- an int: a seed for this call alone, so two layers of one seed and shape are equal;
- a ``random.Random``: goes on from call to call, and is the usual choice;
- a generator like NumPy's, with ``random(size)`` and ``standard_normal(size)``.

The numbers are drawn in Python in double precision and rounded to the dtype, so one seed gives the
same weights on every library and device.
"""

from collections.abc import Callable
from math import prod, sqrt
from typing import TypeVar

from array_api_compat import device

from portable_losses._validation import (
    check_choice,
    check_nonnegative,
    check_number,
    check_positive,
)
from portable_losses.autograd import Tensor
from portable_losses.autograd.namespaces import library_of
from portable_losses.nn.generator import (
    Generator,
    as_array,
    draw_normal,
    draw_uniform,
    manual_seed,
)

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "manual_seed",
    "normal_",
    "ones_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

Leaf = TypeVar("Leaf", bound=Tensor)


def normal_(
    parameter: Leaf, /, *, mean: float = 0.0, std: float = 1.0, rng: Generator = None
) -> Leaf:
    """Fill with normal numbers.

    Parameters
    ----------
    parameter : Parameter
    mean, std : float
        Mean and standard deviation; `std` at least 0.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain.

    Notes
    -----
    Box and Muller's method, from a ``random.Random`` or a seed; NumPy's generators use their own.

    Examples
    --------
    >>> from portable_losses import nn
    >>> layer = nn.Linear(784, 10)
    >>> weight = nn.init.normal_(layer.weight, std=0.01, rng=0)
    >>> bool(abs(weight.array).max() < 0.05)
    True
    """
    check_number(mean=mean)
    check_nonnegative(std=std)
    return _fill(parameter, lambda n: [mean + std * x for x in draw_normal(n, rng)])


def uniform_(
    parameter: Leaf, /, *, low: float = 0.0, high: float = 1.0, rng: Generator = None
) -> Leaf:
    """Fill with numbers that are uniform in [low, high).

    Parameters
    ----------
    parameter : Parameter
    low, high : float
        `high` at least `low`.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain.

    Notes
    -----
    ``low + (high - low) * u`` with u uniform in [0, 1).

    Examples
    --------
    >>> from portable_losses import nn
    >>> layer = nn.Linear(3, 2)
    >>> weight = nn.init.uniform_(layer.weight, low=-0.1, high=0.1, rng=0)
    >>> bool(abs(weight.array).max() <= 0.1)
    True
    """
    check_number(low=low, high=high)
    if high < low:
        msg = f"`high` must be at least `low`, got low={low!r}, high={high!r}"
        raise ValueError(msg)
    return _fill(parameter, lambda n: [low + (high - low) * x for x in draw_uniform(n, rng)])


def constant_(parameter: Leaf, value: float, /) -> Leaf:
    """Fill with one number.

    Parameters
    ----------
    parameter : Parameter
    value : float
        A finite number.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array.

    Notes
    -----
    As ``torch.nn.init.constant_``.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.constant_(nn.Linear(3, 2).bias, 0.5).array
    array([0.5, 0.5])
    """
    check_number(value=value)
    return _fill(parameter, lambda n: [float(value)] * n)


def zeros_(parameter: Leaf, /) -> Leaf:
    """Fill with 0.

    Parameters
    ----------
    parameter : Parameter

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array.

    Notes
    -----
    As ``torch.nn.init.zeros_``.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.zeros_(nn.Linear(3, 2).bias).array
    array([0., 0.])
    """
    return constant_(parameter, 0.0)


def ones_(parameter: Leaf, /) -> Leaf:
    """Fill with 1.

    Parameters
    ----------
    parameter : Parameter

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array.

    Notes
    -----
    As ``torch.nn.init.ones_``.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.ones_(nn.Linear(3, 2).bias).array
    array([1., 1.])
    """
    return constant_(parameter, 1.0)


def xavier_uniform_(parameter: Leaf, /, *, gain: float = 1.0, rng: Generator = None) -> Leaf:
    """Fill with uniform numbers of standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Parameters
    ----------
    parameter : Parameter
        In the layout of `Linear`: (out, in, ...).
    gain : float
        What makes up for the nonlinearity; see `calculate_gain`.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain, or there are less than 2 axes.

    Notes
    -----
    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks" (2010).

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.xavier_uniform_(nn.Linear(3, 2).weight, rng=0).shape
    (2, 3)
    """
    bound = sqrt(3.0) * _xavier(parameter, gain)
    return uniform_(parameter, low=-bound, high=bound, rng=rng)


def xavier_normal_(parameter: Leaf, /, *, gain: float = 1.0, rng: Generator = None) -> Leaf:
    """Fill with normal numbers of standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Parameters
    ----------
    parameter : Parameter
        In the layout of `Linear`: (out, in, ...).
    gain : float
        What makes up for the nonlinearity; see `calculate_gain`.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain, or there are less than 2 axes.

    Notes
    -----
    Source: that of `xavier_uniform_`.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.xavier_normal_(nn.Linear(3, 2).weight, rng=0).shape
    (2, 3)
    """
    return normal_(parameter, std=_xavier(parameter, gain), rng=rng)


def kaiming_uniform_(
    parameter: Leaf,
    /,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: Generator = None,
) -> Leaf:
    """Fill with uniform numbers of standard deviation ``gain / sqrt(fan)``.

    Parameters
    ----------
    parameter : Parameter
        In the layout of `Linear`: (out, in, ...).
    negative_slope : float
        Of the leaky_relu that follows; 0 is relu. (PyTorch calls it `a`.)
    mode : {"fan_in", "fan_out"}
        Keep the variance forward, or that of the gradient backward.
    nonlinearity : str
        What follows; see `calculate_gain`.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain, or there are less than 2 axes.

    Notes
    -----
    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers" (2015),
    arXiv:1502.01852.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.kaiming_uniform_(nn.Linear(3, 2).weight, rng=0).shape
    (2, 3)
    """
    bound = sqrt(3.0) * _kaiming(parameter, negative_slope, mode, nonlinearity)
    return uniform_(parameter, low=-bound, high=bound, rng=rng)


def kaiming_normal_(
    parameter: Leaf,
    /,
    *,
    negative_slope: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    rng: Generator = None,
) -> Leaf:
    """Fill with normal numbers of standard deviation ``gain / sqrt(fan)``.

    Parameters
    ----------
    parameter : Parameter
        In the layout of `Linear`: (out, in, ...).
    negative_slope : float
        Of the leaky_relu that follows; 0 is relu. (PyTorch calls it `a`.)
    mode : {"fan_in", "fan_out"}
        Keep the variance forward, or that of the gradient backward.
    nonlinearity : str
        What follows; see `calculate_gain`.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Returns
    -------
    Parameter
        `parameter` itself.

    Raises
    ------
    TypeError
        `parameter` is a plain array, or `rng` is no generator.
    ValueError
        An option is out of its domain, or there are less than 2 axes.

    Notes
    -----
    Source: that of `kaiming_uniform_`.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.kaiming_normal_(nn.Linear(3, 2).weight, rng=0).shape
    (2, 3)
    """
    return normal_(parameter, std=_kaiming(parameter, negative_slope, mode, nonlinearity), rng=rng)


def calculate_gain(nonlinearity: str, *, negative_slope: float = 0.01) -> float:
    """Return the factor that makes up for what a nonlinearity does to the variance.

    Parameters
    ----------
    nonlinearity : {"linear", "sigmoid", "tanh", "relu", "leaky_relu"}
        For "tanh" it is 5/3, for "relu" sqrt(2), for "leaky_relu" sqrt(2 / (1 + slope**2)).
    negative_slope : float
        Of leaky_relu.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        `nonlinearity` is none of these.

    Notes
    -----
    Source: torch.nn.init.calculate_gain.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.calculate_gain("leaky_relu", negative_slope=1.0)
    1.0
    """
    check_choice(("linear", "sigmoid", "tanh", "relu", "leaky_relu"), nonlinearity=nonlinearity)
    check_number(negative_slope=negative_slope)
    gains = {"tanh": 5 / 3, "relu": sqrt(2.0), "leaky_relu": sqrt(2 / (1 + negative_slope**2))}
    return gains.get(nonlinearity, 1.0)


def _xavier(parameter: Tensor, gain: float) -> float:
    check_positive(gain=gain)
    fan_in, fan_out = _fans(parameter)
    return gain * _root(2, fan_in + fan_out)


def _kaiming(parameter: Tensor, negative_slope: float, mode: str, nonlinearity: str) -> float:
    check_choice(("fan_in", "fan_out"), mode=mode)
    gain = calculate_gain(nonlinearity, negative_slope=negative_slope)
    return gain * _root(1, _fans(parameter)[("fan_in", "fan_out").index(mode)])


def _root(numerator: int, fan: int) -> float:
    return sqrt(numerator / fan) if fan else 0.0


def _fans(parameter: Tensor) -> tuple[int, int]:
    """Return how many inputs an output has, and the other way round."""
    shape = _leaf(parameter).shape
    if len(shape) < 2:
        msg = f"`parameter` must have at least 2 axes, (out, in, ...), got shape {shape}"
        raise ValueError(msg)
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _fill(parameter: Leaf, draw: Callable[[int], list[float]]) -> Leaf:
    array = _leaf(parameter).array
    shape = tuple(array.shape)
    xp = library_of(array)
    parameter.array = as_array(
        draw(prod(shape)), shape, xp=xp, dtype=array.dtype, device=device(array)
    )
    return parameter


def _leaf(parameter: Leaf) -> Leaf:
    if not isinstance(parameter, Tensor):
        msg = (
            f"`parameter` must be a Parameter, got {type(parameter).__name__}: "
            "arrays are not written to; wrap it with nn.Parameter"
        )
        raise TypeError(msg)
    if not parameter.is_leaf:
        msg = "`parameter` must be a leaf, got a recorded result"
        raise ValueError(msg)
    return parameter
