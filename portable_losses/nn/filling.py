"""Fills a parameter with random numbers, or with one number."""

from collections.abc import Callable
from math import prod
from typing import TypeVar

from array_api_compat import device

from portable_losses._options import check_nonnegative, check_number
from portable_losses.autograd import Tensor
from portable_losses.autograd._libraries import library_of
from portable_losses.nn.generator import Generator, as_array, draw_normal, draw_uniform

__all__ = ["constant_", "normal_", "ones_", "uniform_", "zeros_"]

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


def _fill(parameter: Leaf, draw: Callable[[int], list[float]]) -> Leaf:
    """Put the numbers that `draw` returns under `parameter`, and return it."""
    array = checked_leaf(parameter).array
    shape = tuple(array.shape)
    xp = library_of(array).xp
    parameter.array = as_array(
        draw(prod(shape)), shape, xp=xp, dtype=array.dtype, device=device(array)
    )
    return parameter


def checked_leaf(parameter: Leaf) -> Leaf:
    """Return `parameter`; raise unless it may be filled."""
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
