"""Numbers for an array: its domain says which are allowed, its mood where they lie."""

import math
from collections.abc import Callable
from random import Random

__all__ = ["BAD_VALUES", "DOMAINS", "INTEGERS", "RANGES", "SPECIALS", "floats"]

#: decimal exponents of the smallest normal and the largest number, and the smallest subnormal
RANGES = {
    "float16": (-4.2, 4.8, 2.0**-24),
    "bfloat16": (-37.9, 38.5, 2.0**-126),
    "float32": (-37.9, 38.5, 2.0**-149),
    "float64": (-307.6, 308.2, 2.0**-1074),
}
MOODS = ["ordinary"] * 9 + ["tails"] * 4 + ["ties"] * 2 + ["zeros", "subnormal", "special", "wide"]


def _magnitude(r: Random, dtype: str, mood: str) -> float:
    """Return a number of at least 0 as `mood` has them."""
    low, high, least = RANGES[dtype]
    if mood == "ordinary":
        return abs(r.gauss(0.0, 2.0))
    if mood == "ties":
        return r.choice((0.0, 0.5, 1.0, 1.0, 2.0, 3.0, 6.0))
    if mood == "zeros":
        return 0.0 if r.random() < 0.7 else 1.0
    if mood == "subnormal":
        return least * r.choice((1, 2, 3, 1000))
    if mood == "wide":
        return float(10.0 ** r.uniform(low, high))
    return float(10.0 ** r.uniform(max(low, -20.0), min(high, 4.0)))


def _real(r: Random, dtype: str, mood: str) -> float:
    return math.copysign(_magnitude(r, dtype, mood), r.random() - 0.5)


def _nonnegative(r: Random, dtype: str, mood: str) -> float:
    return _magnitude(r, dtype, mood)


def _positive(r: Random, dtype: str, mood: str) -> float:
    return _magnitude(r, dtype, mood) or 1.0


def _nonpositive(r: Random, dtype: str, mood: str) -> float:
    return -_magnitude(r, dtype, mood)


def _probability(r: Random, dtype: str, mood: str) -> float:
    if mood in ("ordinary", "special"):
        return r.random()
    if mood in ("ties", "zeros"):
        return r.choice((0.0, 0.25, 0.5, 1.0))
    small = min(_magnitude(r, dtype, mood), 1.0)
    return 1.0 - small if r.random() < 0.3 else small


def _weight(r: Random, dtype: str, mood: str) -> float:
    return r.choice((0.0, 1.0, 0.5, 2.0, 0.25, r.random(), 3.0))


def _above_minus_one(r: Random, dtype: str, mood: str) -> float:
    x = _magnitude(r, dtype, mood)
    return x if r.random() < 0.6 else -min(x, 0.875)


#: a domain, and how to draw from it
DOMAINS: dict[str, Callable[[Random, str, str], float]] = {
    "real": _real,
    "nonnegative": _nonnegative,
    "positive": _positive,
    "nonpositive": _nonpositive,
    "probability": _probability,
    "share": _probability,
    "weight": _weight,
    "above -1": _above_minus_one,
    "sign": lambda r, dtype, mood: r.choice((-1.0, 1.0)),
    "sign or share": lambda r, dtype, mood: r.choice((-1.0, _probability(r, dtype, mood))),
    "bit": lambda r, dtype, mood: r.choice((0.0, 1.0)),
    "inside (0, 1)": lambda r, dtype, mood: r.choice((0.1, 0.5, 0.75, 0.9)),
}
#: what may stand in an array of the domain beside ordinary numbers
SPECIALS = {
    "real": (math.nan, math.inf, -math.inf),
    "nonnegative": (math.nan,),
    "positive": (math.nan,),
    "nonpositive": (math.nan, -math.inf),
    "probability": (math.nan,),
    "share": (math.nan,),
    "weight": (),
    "above -1": (math.nan,),
    "sign": (math.nan,),
    "sign or share": (math.nan,),
    "bit": (math.nan,),
    "inside (0, 1)": (),
}
#: what may not, and is checked wherever values can be read
BAD_VALUES = {
    "nonnegative": (-1.0, -0.5),
    "positive": (-1.0, 0.0),
    "probability": (-0.5, 1.5),
    "share": (-0.5, -1.0),
    "weight": (-1.0, -0.25),
    "above -1": (-1.5, -2.0),
    "sign": (0.0, 0.5, 2.0),
    "sign or share": (-0.5, 1.5, 2.0),
    "bit": (-1.0, 0.5, 2.0),
    "inside (0, 1)": (-1.0, 0.0, 1.0, 2.0),
}
#: the integers of a domain, for targets of an integer dtype
INTEGERS = {
    "real": (0, 1, 2, 3, 5),
    "nonnegative": (0, 1, 2, 7),
    "positive": (1, 2, 7),
    "probability": (0, 1),
    "share": (0, 1),
    "weight": (0, 1, 2),
    "above -1": (0, 1, 2),
    "sign": (-1, 1),
    "sign or share": (-1, 0, 1),
    "bit": (0, 1),
}


def floats(r: Random, domain: str, dtype: str, count: int) -> list[float]:
    """Draw `count` numbers of `domain` in one mood."""
    mood = r.choice(MOODS)
    one = DOMAINS[domain]
    drawn = "ordinary" if mood == "special" else mood
    values = [one(r, dtype, drawn) for _ in range(count)]
    if mood == "special" and count and SPECIALS[domain]:
        for _ in range(1 + (r.random() < 0.3)):
            values[r.randrange(count)] = r.choice(SPECIALS[domain])
    return values
