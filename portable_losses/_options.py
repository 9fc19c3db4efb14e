"""Checks of the options that are no arrays: numbers, flags and names, each with its message.

What a check returns is Python's own number or bool. `_arguments.py` applies them to all options of
a function by its signature, for `@public`.
"""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._dtypes import kind_of
from portable_losses._plain import Unfit
from portable_losses._polyfill import constant, readable
from portable_losses._tape import TapeArray
from portable_losses._typing import Array
from portable_losses._values import check_values

__all__ = [
    "FINITE",
    "FRACTION",
    "NONNEGATIVE",
    "NORM",
    "POSITIVE",
    "SHARE",
    "UNIT",
    "WEIGHT",
    "Domain",
    "as_callable",
    "as_choice",
    "as_flag",
    "as_integer",
    "as_number",
    "check_choice",
    "check_count",
    "check_flag",
    "check_fraction",
    "check_integer",
    "check_nonnegative",
    "check_number",
    "check_order",
    "check_positive",
    "in_domain",
    "is_number",
    "item",
    "require",
]


class Domain(NamedTuple):
    """The numbers that an option may be."""

    requirement: str
    holds: Callable[[Any], Any]  # of a number or an array
    infinite: bool = False  # may it be infinity?
    broadcasts: bool = False  # may it be an array of more axes, which the function checks?
    fills: bool = False  # does a number stand for a 0-d array in the dtype of the first argument?
    of_arrays: Any = None  # the domain of arrays, where that is another


FINITE = Domain("be a finite number", lambda v: v == v)
POSITIVE = Domain("be greater than 0", lambda v: v > 0)
NONNEGATIVE = Domain("be at least 0", lambda v: v >= 0)
FRACTION = Domain("lie in [0, 1]", lambda v: (v >= 0) & (v <= 1))
UNIT = Domain("lie in (0, 1)", lambda v: (v > 0) & (v < 1))
SHARE = Domain("lie in (0, 1]", lambda v: (v > 0) & (v <= 1))
WEIGHT = NONNEGATIVE._replace(broadcasts=True, fills=True)
NORM = Domain("be greater than 0", lambda v: v > 0, infinite=True)


# ---- one by one ------------------------------------------------------------------------------


def check_number(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one is finite."""
    return _all_in(FINITE, numbers)


def check_positive(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one is finite and above zero."""
    return _all_in(POSITIVE, numbers)


def check_nonnegative(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one is finite and at least zero."""
    return _all_in(NONNEGATIVE, numbers)


def check_fraction(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one lies in [0, 1]."""
    return _all_in(FRACTION, numbers)


def check_count(**numbers: int) -> dict[str, int]:
    """Return Python ints; TypeError, ValueError unless every one is at least 1."""
    found = check_integer(**numbers)
    for name, value in found.items():
        require(value >= 1, name, "be at least 1", value)
    return found


def check_integer(**numbers: int) -> dict[str, int]:
    """Return Python ints; TypeError, ValueError unless every one is an integer of 64 bits."""
    return {name: as_integer(name, value) for name, value in numbers.items()}


def check_order(**numbers: float | Array) -> Array | None:
    """Raise ValueError if the first of two numbers is above the second; a mask if unreadable."""
    (name, low), (above, high) = numbers.items()
    bad: Any = low > high
    if is_number(low) and is_number(high):
        if bad:  # torch.compile cannot write the message
            require(False, name, f"be at most `{above}` = {high}", low)
        return None
    xp = namespace_of_type(bad)
    low = constant(low, high, xp=xp) if is_number(low) else low
    return check_values(low, bad, f"be at most `{above}`", name=name, xp=xp)


def check_flag(**flags: bool) -> dict[str, bool]:
    """Return Python bools; TypeError unless every one is a bool."""
    return {name: as_flag(name, value) for name, value in flags.items()}


def check_choice(choices: tuple[object, ...], **options: object) -> None:
    """Raise ValueError unless every option is one of `choices`."""
    for name, value in options.items():
        as_choice(choices, name, value)


def is_number(value: float | Array) -> bool:
    """Return whether an option that was checked is a Python number, and no array."""
    return isinstance(value, int | float)


def require(holds: bool, name: str, requirement: str, value: object) -> None:
    """Raise ValueError unless the `requirement` of `name` `holds`."""
    if not holds:
        msg = f"`{name}` must {requirement}, got {_shown(value)}"
        raise ValueError(msg)


def _all_in(domain: Domain, numbers: dict[str, float]) -> dict[str, float]:
    """Return Python numbers, each of which lies in `domain`."""
    return {n: in_domain(domain, n, as_number(n, value)) for n, value in numbers.items()}


def in_domain(domain: Domain, name: str, value: float) -> float:
    """Return `value`; ValueError unless it lies in `domain`."""
    if not domain.holds(value):
        require(False, name, domain.requirement, value)
    if value - value != 0 and not domain.infinite:  # math.isfinite cannot be traced
        require(False, name, "be a finite number", value)
    return value


def as_number(name: str, value: Any) -> float:
    """Return a real number, or a 0-d array that holds one in memory, as a Python number."""
    kind = value.__class__
    if kind is float or (kind is int and -_INT64 <= value < _INT64):
        return float(value) if kind is float else value
    if isinstance(value, TapeArray) or not isinstance(value, Real):
        value = item(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        msg = f"`{name}` must be a Python number, got {type(value).__name__}"
        raise Unfit(msg, name)
    if isinstance(value, Integral) and -_INT64 <= int(value) < _INT64:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        msg = f"`{name}` must be a finite number, got {_shown(value)}"
        raise ValueError(msg) from None


def item(value: Any) -> Any:
    """Return the Python number in a 0-d array of a library without derivatives, else `value`."""
    if isinstance(value, int | float):  # what torch.compile has in place of one has no attributes
        return value
    if not hasattr(value, "dtype") or value.ndim or isinstance(value, TapeArray):
        return value
    try:
        xp = namespace_of_type(value)
    except TypeError:
        return value
    backend = backend_of(xp)
    if backend.autodiff.differentiates or not readable(value, xp=xp):
        return value
    kind = {"bool": bool, "integral": int, "real floating": float}.get(kind_of(value, xp=xp))
    return value if kind is None else kind(value)


def as_integer(name: str, value: Any) -> int:
    """Return an integer of 64 bits as a Python int."""
    if value.__class__ is not int:
        value = item(value)
        if isinstance(value, bool) or not isinstance(value, Integral):
            msg = f"`{name}` must be an int, got {_shown(value)}"
            raise TypeError(msg)
        value = int(value)
    require(-_INT64 <= value < _INT64, name, "fit an integer of 64 bits", value)
    return int(value)


def as_flag(name: str, value: Any) -> bool:
    """Return True or False, of Python or NumPy, as Python's."""
    if value.__class__ is not bool:
        value = item(value)
    if not isinstance(value, bool):
        msg = f"`{name}` must be True or False, got {_shown(value)}"
        raise TypeError(msg)
    return value


def as_choice(choices: tuple[Any, ...], name: str, value: Any) -> Any:
    """Return `value`, one of `choices`, which are names or numbers."""
    if value.__class__ is str and value in choices:
        return value
    if not isinstance(value, str):
        found = item(value)
        if isinstance(found, Real) and not isinstance(found, bool):
            value = next((choice for choice in choices if choice == found), found)
        else:
            require(False, name, f"be one of {choices}", value)
    if value not in choices:
        require(False, name, f"be one of {choices}", value)
    return value


def as_callable(name: str, value: Any) -> Any:
    """Return `value`; TypeError unless it can be called."""
    if not callable(value):
        msg = f"`{name}` must be a function, got {_shown(value)}"
        raise TypeError(msg)
    return value


def _shown(value: object) -> str:
    """Return one short line for a message."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python prints no int of more than 4300 digits
        return f"an {type(value).__name__} of too many digits"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


_INT64 = 2**63
_WIDTH = 80
