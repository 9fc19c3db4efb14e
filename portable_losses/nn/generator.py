"""Random numbers that are the same on every library: drawn in Python, then made an array."""

import random
from math import cos, log, pi, sin, sqrt
from typing import Any, TypeAlias

from portable_losses._typing import Array, Namespace

__all__ = ["Generator", "as_source", "draw_normal", "draw_uniform", "manual_seed"]

# None, a seed, a random.Random, or numpy.random.Generator and its like (`random`,
# `standard_normal`, both of a size).
Generator: TypeAlias = Any

_DEFAULT = random.Random()


def manual_seed(seed: int, /) -> None:
    """Seed the generator that is used where `rng` is None.

    Parameters
    ----------
    seed : int
        At least 0.

    Returns
    -------
    None

    Raises
    ------
    TypeError
        `seed` is no int.
    ValueError
        `seed` is negative.

    Notes
    -----
    The generator is one for the whole process; threads that draw from it at once share it. A
    ``random.Random`` given as `rng` is used by that call alone.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.init.manual_seed(0)
    >>> first = nn.Linear(2, 1).weight.tolist()
    >>> nn.init.manual_seed(0)
    >>> nn.Linear(2, 1).weight.tolist() == first
    True
    """
    _DEFAULT.seed(_checked(seed, "seed"))


def draw_uniform(size: int, rng: Generator) -> list[float]:
    """Return `size` numbers, uniform in [0, 1)."""
    source = as_source(rng)
    if isinstance(source, random.Random):
        draw = source.random
        return [draw() for _ in range(size)]
    return _listed(source.random(size))


def draw_normal(size: int, rng: Generator) -> list[float]:
    """Return `size` numbers of the standard normal distribution."""
    source = as_source(rng)
    if not isinstance(source, random.Random):
        return _listed(source.standard_normal(size))
    # Box and Muller's pairs. Python promises `random` alone to stay as it is between its versions,
    # not `gauss`.
    draw = source.random
    numbers: list[float] = []
    for _ in range((size + 1) // 2):
        radius, angle = sqrt(-2 * log(1 - draw())), 2 * pi * draw()
        numbers += (radius * cos(angle), radius * sin(angle))
    return numbers[:size]


def as_array(
    numbers: list[float],
    shape: tuple[int, ...],
    *,
    xp: Namespace,
    dtype: Any = None,
    device: Any = None,
) -> Array:
    """Return `numbers` as an array; without `dtype` in the library's default one."""
    return xp.reshape(xp.asarray(numbers, dtype=dtype, device=device), shape)


def as_source(rng: Generator) -> Any:
    """Return what draws the numbers for `rng`; TypeError if it is no generator."""
    if rng is None:
        return _DEFAULT
    if isinstance(rng, int) and not isinstance(rng, bool):
        return random.Random(_checked(rng, "rng"))
    known = isinstance(rng, random.Random)
    if known or (hasattr(rng, "standard_normal") and hasattr(rng, "random")):
        return rng
    msg = (
        "`rng` must be None, a seed, a random.Random, or a generator with `standard_normal(size)` "
        f"and `random(size)` as NumPy's, got {type(rng).__name__}"
    )
    raise TypeError(msg)


def _checked(seed: int, name: str) -> int:
    """Return `seed`; raise unless it is an int of at least 0."""
    if not isinstance(seed, int) or isinstance(seed, bool):
        msg = f"`{name}` must be an int, got {seed!r}"
        raise TypeError(msg)
    if seed < 0:
        msg = f"`{name}` must be at least 0, got {seed}"
        raise ValueError(msg)
    return seed


def _listed(drawn: Any) -> list[float]:
    numbers: list[float] = drawn.tolist()
    return numbers
