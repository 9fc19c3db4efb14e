"""Checks of the options that are no arrays: Python numbers and names, each with its message."""

from itertools import pairwise
from numbers import Integral, Real

from portable_losses._typing import Reduction

INF = float("inf")  # math.isfinite cannot be traced by torch.compile
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum", "none")


def check_number(**numbers: float) -> None:
    """Raise ValueError unless every number is finite."""
    for name, value in numbers.items():
        require(-INF < _number(name, value) < INF, name, "be a finite number", value)


def check_count(**numbers: int) -> None:
    """Raise unless every number is an int of at least 1: TypeError, ValueError."""
    for name, value in numbers.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            msg = f"`{name}` must be an int, got {value!r}"
            raise TypeError(msg)
        require(value >= 1, name, "be at least 1", value)


def check_positive(**numbers: float) -> None:
    """Raise ValueError unless every number is finite and greater than zero."""
    for name, value in numbers.items():
        require(_number(name, value) > 0, name, "be greater than 0", value)
        check_number(**{name: value})


def check_nonnegative(**numbers: float) -> None:
    """Raise ValueError unless every number is finite and at least zero."""
    for name, value in numbers.items():
        require(_number(name, value) >= 0, name, "be at least 0", value)
        check_number(**{name: value})


def check_fraction(**numbers: float) -> None:
    """Raise ValueError unless every number lies in [0, 1]."""
    for name, value in numbers.items():
        require(0 <= _number(name, value) <= 1, name, "lie in [0, 1]", value)


def check_order(**numbers: float) -> None:
    """Raise ValueError unless every number is finite and at most the next one."""
    check_number(**numbers)
    for (name, low), (above, high) in pairwise(numbers.items()):
        if not low <= high:  # torch.compile cannot write the message
            require(False, name, f"be at most `{above}` = {high}", low)


def check_inside(low: float, high: float, **numbers: float) -> None:
    """Raise ValueError unless every number lies strictly between `low` and `high`."""
    for name, value in numbers.items():
        require(low < _number(name, value) < high, name, f"lie in ({low}, {high})", value)


def check_outside(low: float, high: float, **numbers: float) -> None:
    """Raise ValueError if a number lies strictly between `low` and `high`, or is not finite."""
    check_number(**numbers)
    for name, value in numbers.items():
        require(not low < value < high, name, f"not lie in ({low}, {high})", value)


def check_choice(choices: tuple[object, ...], **options: object) -> None:
    """Raise ValueError unless every option is one of `choices`."""
    for name, value in options.items():
        if value not in choices:
            require(False, name, f"be one of {choices}", value)


def check_reduction(reduction: str, *more: str) -> None:
    """Raise ValueError unless `reduction` is one of the three or of `more`."""
    if reduction not in REDUCTIONS:
        check_choice((*REDUCTIONS, *more), reduction=reduction)


def _number(name: str, value: float) -> float:
    """Return `value`; TypeError unless it is a Python number."""
    if value.__class__ is not float and (not isinstance(value, Real) or isinstance(value, bool)):
        msg = f"`{name}` must be a Python number, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def require(holds: bool, name: str, requirement: str, value: object) -> None:
    """Raise ValueError unless the `requirement` of `name` `holds`."""
    if not holds:
        msg = f"`{name}` must {requirement}, got {value!r}"
        raise ValueError(msg)
