"""Random weights of a size that keeps the variance from layer to layer: Glorot's and He's."""

from math import prod, sqrt

from portable_losses._options import check_choice, check_number, check_positive
from portable_losses.autograd import Tensor
from portable_losses.nn.filling import Leaf, checked_leaf, normal_, uniform_
from portable_losses.nn.generator import Generator

__all__ = [
    "calculate_gain",
    "kaiming_normal_",
    "kaiming_uniform_",
    "xavier_normal_",
    "xavier_uniform_",
]


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
    shape = checked_leaf(parameter).shape
    if len(shape) < 2:
        msg = f"`parameter` must have at least 2 axes, (out, in, ...), got shape {shape}"
        raise ValueError(msg)
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field
