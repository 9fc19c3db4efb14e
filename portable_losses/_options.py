"""What options may be: numbers, flags and names, and numbers that come as arrays.

`options` decorates a public function. It reads from the signature what each option is, checks those
that are given before any work, and hands them on as Python numbers, or as 0-d arrays where the
signature has ``float | Array``. The functions below check options one by one, elsewhere.
"""

import inspect
from collections import abc
from collections.abc import Callable
from functools import partial, wraps
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._dtypes import is_half, kind_of, largest, narrow, tiny
from portable_losses._polyfill import constant, device_of, readable, where
from portable_losses._stable import INF
from portable_losses._tape import TapeArray, TapeNamespace
from portable_losses._typing import Array, Reduction
from portable_losses._validation import namespace_of
from portable_losses._values import check_values, mark_invalid

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
    "check_choice",
    "check_count",
    "check_flag",
    "check_fraction",
    "check_integer",
    "check_nonnegative",
    "check_number",
    "check_order",
    "check_positive",
    "check_reduction",
    "is_number",
    "options",
    "require",
]

Function = TypeVar("Function", bound=Callable[..., Any])

REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum", "none")


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
    return _in_domain(FINITE, numbers)


def check_positive(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one is finite and above zero."""
    return _in_domain(POSITIVE, numbers)


def check_nonnegative(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one is finite and at least zero."""
    return _in_domain(NONNEGATIVE, numbers)


def check_fraction(**numbers: float) -> dict[str, float]:
    """Return Python numbers; TypeError, ValueError unless every one lies in [0, 1]."""
    return _in_domain(FRACTION, numbers)


def check_count(**numbers: int) -> dict[str, int]:
    """Return Python ints; TypeError, ValueError unless every one is at least 1."""
    found = check_integer(**numbers)
    for name, value in found.items():
        require(value >= 1, name, "be at least 1", value)
    return found


def check_integer(**numbers: int) -> dict[str, int]:
    """Return Python ints; TypeError, ValueError unless every one is an integer of 64 bits."""
    return {name: _integer(name, value) for name, value in numbers.items()}


def check_order(**numbers: float | Array) -> Array | None:
    """Raise ValueError if the first of two numbers is above the second; a mask if unreadable."""
    (name, low), (above, high) = numbers.items()
    bad: Any = low > high
    if is_number(low) and is_number(high):
        require(not bad, name, f"be at most `{above}` = {high}", low)
        return None
    xp = namespace_of_type(bad)
    low = constant(low, high, xp=xp) if is_number(low) else low
    return check_values(low, bad, f"be at most `{above}`", name=name, xp=xp)


def check_flag(**flags: bool) -> dict[str, bool]:
    """Return Python bools; TypeError unless every one is a bool."""
    return {name: _flag(name, value) for name, value in flags.items()}


def check_choice(choices: tuple[object, ...], **options: object) -> None:
    """Raise ValueError unless every option is one of `choices`."""
    for name, value in options.items():
        _choice(choices, name, value)


def check_reduction(reduction: str, *more: str) -> None:
    """Raise ValueError unless `reduction` is one of the three or of `more`."""
    _choice((*REDUCTIONS, *more), "reduction", reduction)


def is_number(value: float | Array) -> bool:
    """Return whether an option that was checked is a Python number, and no array."""
    return isinstance(value, int | float)


def require(holds: bool, name: str, requirement: str, value: object) -> None:
    """Raise ValueError unless the `requirement` of `name` `holds`."""
    if not holds:
        msg = f"`{name}` must {requirement}, got {_shown(value)}"
        raise ValueError(msg)


def _in_domain(domain: Domain, numbers: dict[str, float]) -> dict[str, float]:
    """Return Python numbers, each of which lies in `domain`."""
    return {n: _number_in(domain, n, _number(n, value)) for n, value in numbers.items()}


def _number_in(domain: Domain, name: str, value: float) -> float:
    """Return `value`; ValueError unless it lies in `domain`."""
    if not domain.holds(value):
        require(False, name, domain.requirement, value)
    if value - value != 0 and not domain.infinite:  # math.isfinite cannot be traced
        require(False, name, "be a finite number", value)
    return value


def _number(name: str, value: Any) -> float:
    """Return a real number, or a 0-d array that holds one in memory, as a Python number."""
    kind = value.__class__
    if kind is float or (kind is int and -_INT64 <= value < _INT64):
        return float(value) if kind is float else value
    if isinstance(value, TapeArray) or not isinstance(value, Real):
        value = _item(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        msg = f"`{name}` must be a Python number, got {type(value).__name__}"
        raise TypeError(msg)
    if isinstance(value, Integral) and -_INT64 <= int(value) < _INT64:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        msg = f"`{name}` must be a finite number, got {_shown(value)}"
        raise ValueError(msg) from None


def _item(value: Any) -> Any:
    """Return the Python number in a 0-d array of a library without derivatives, else `value`."""
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


def _integer(name: str, value: Any) -> int:
    """Return an integer of 64 bits as a Python int."""
    if value.__class__ is not int:
        value = _item(value)
        if isinstance(value, bool) or not isinstance(value, Integral):
            msg = f"`{name}` must be an int, got {_shown(value)}"
            raise TypeError(msg)
        value = int(value)
    require(-_INT64 <= value < _INT64, name, "fit an integer of 64 bits", value)
    return int(value)


def _flag(name: str, value: Any) -> bool:
    """Return True or False, of Python or NumPy, as Python's."""
    if value is True or value is False:
        return bool(value)
    value = _item(value)
    if not isinstance(value, bool):
        msg = f"`{name}` must be True or False, got {_shown(value)}"
        raise TypeError(msg)
    return value


def _choice(choices: tuple[Any, ...], name: str, value: Any) -> Any:
    """Return `value`, one of `choices`, which are names or numbers."""
    if not isinstance(value, str):
        found = _item(value)
        if isinstance(found, Real) and not isinstance(found, bool):
            value = next((choice for choice in choices if choice == found), found)
        else:
            require(False, name, f"be one of {choices}", value)
    if value not in choices:
        require(False, name, f"be one of {choices}", value)
    return value


def _callable(name: str, value: Any) -> Any:
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
_SMALLEST, _LARGEST = 1.1754943508222875e-38, 3.4028234663852886e38  # normal numbers of float32


# ---- all of a function -----------------------------------------------------------------------


def options(**domains: Domain) -> Callable[[Function], Function]:
    """Decorate a function whose number options lie in `domains`.

    The signature says what the other options are: a bool, an int, one of a Literal's, a function.
    What a call gives of them is checked before any work and handed on as Python's. A number whose
    annotation has ``Array`` may come as a 0-d array, by which the result is differentiated.
    """

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters
        keywords = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
        arrays = {n for n in domains if Any in get_args(parameters[n].annotation)}
        optional = {n for n, p in keywords.items() if p.default is None}
        places = {n: i for i, n in enumerate(parameters) if n in domains and n not in keywords}
        found = {n: _check_of(n, p.annotation) for n, p in keywords.items() if n not in domains}
        checks = {name: check for name, check in found.items() if check is not None}
        first = next(iter(parameters))

        def run(*args: Any, **given: Any) -> Any:
            for name, place in places.items():
                if name in given:
                    args = (*args[:place], given.pop(name), *args[place + 1 :])
            return function(*args, **given)

        @wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            as_arrays: dict[str, Domain] = {}
            value: Any
            for name, place in places.items():
                if place < len(args):
                    given[name] = args[place]
            for name, value in given.items():
                if value is None and name in optional:
                    continue
                domain = domains.get(name)
                if domain is not None:
                    if value.__class__ is not float:
                        if name in arrays and _stays_array(value, domain):
                            if not (domain.broadcasts and getattr(value, "ndim", 1)):
                                as_arrays[name] = domain
                            continue  # an array of more axes is for the function to check
                        given[name] = value = _number(name, value)
                    size = abs(_number_in(domain, name, value))
                    if not (_SMALLEST < size < _LARGEST or size == 0):
                        given[name] = value = _fitting(domain, name, value, args)
                    if domain.fills:
                        given[name] = _filling(value, args)
                elif name in checks:
                    given[name] = checks[name](name, value)
            if as_arrays:
                return _with_arrays(run, first, args, given, as_arrays)
            return run(*args, **given) if places else function(*args, **given)

        made: Any = call
        return made  # type: ignore[no-any-return]

    return decorate


def _check_of(name: str, annotation: Any) -> Callable[[str, Any], Any] | None:
    """Return the check of an option that is no number, by its annotation; None for an array."""
    if name == "axis":  # its check has the number of axes
        return None
    for kind in get_args(annotation) if isinstance(annotation, UnionType) else (annotation,):
        origin = get_origin(kind)
        if kind is float:
            msg = f"`{name}` must have a domain"
            raise TypeError(msg)
        if origin is Literal:
            return partial(_choice, get_args(kind))
        if origin is abc.Callable:
            return _callable
        if kind is bool or kind is int:
            return _flag if kind is bool else _integer
    return None


def _fitting(domain: Domain, name: str, value: float, args: tuple[Any, ...]) -> float:
    """Return a number of an extreme size, which must fit the dtype to compute in."""
    try:
        xp = namespace_of_type(args[0])
    except (IndexError, TypeError):  # the function says that its argument is no array
        return value
    x: Array = args[0]
    if kind_of(x, xp=xp) != "real floating":
        return value
    size, half = abs(value), is_half(x, xp=xp)
    low, high = (_SMALLEST, _LARGEST) if half else (tiny(x, xp=xp), largest(x, xp=xp))
    if low <= size <= high or (domain.infinite and size == INF):
        return value
    if size < low and domain.holds(0.0):
        return 0.0
    bound = f"at least {low}" if size < low else f"of a size up to {high}"
    require(False, name, f"be {bound}, to fit the dtype {x.dtype}", value)
    return value


def _filling(value: float, args: tuple[Any, ...]) -> Any:
    """Return `value` as a 0-d array like the first argument, if that is a real floating one."""
    try:
        xp = namespace_of_type(args[0])
    except (IndexError, TypeError):
        return value
    x: Array = args[0]
    if kind_of(x, xp=xp) != "real floating":
        return value
    dtype = xp.float32 if is_half(x, xp=xp) else x.dtype
    return xp.full((), value, dtype=dtype, device=device_of(x, xp=xp))


# ---- numbers that come as arrays --------------------------------------------------------------


def _stays_array(value: Any, domain: Domain) -> bool:
    """Return whether an option is an array that may have derivatives, or cannot be read."""
    if isinstance(value, Real) or not (domain.broadcasts or hasattr(value, "dtype")):
        return False
    return _item(value) is value


def _with_arrays(
    function: Callable[..., Any],
    first: str,
    args: tuple[Any, ...],
    given: dict[str, Any],
    domains: dict[str, Domain],
) -> Any:
    """Call a function some of whose number options are arrays, checked and in its dtype.

    As every check of values it raises where looking is free, and leaves NaN elsewhere.
    """
    if not args:
        return function(**given)
    x: Array = args[0]
    for name in domains:
        require(
            not given[name].ndim, name, "be a Python number or an array of shape ()", given[name]
        )
    xp = namespace_of(**{first: x, **{name: given[name] for name in domains}})
    if isinstance(xp, TapeNamespace) and not isinstance(x, TapeArray):
        args = (xp.asarray(x), *args[1:])  # so that the function finds the tape
    dtype: Any = None
    if kind_of(x, xp=xp) == "real floating":
        dtype = xp.float32 if is_half(x, xp=xp) else x.dtype
    invalid: list[Array | None] = []
    for name, domain in domains.items():
        value, domain = given[name], domain.of_arrays or domain
        if kind_of(value, xp=xp) not in ("real floating", "integral"):
            msg = f"`{name}` must have a real floating or integer dtype, got {value.dtype}"
            raise TypeError(msg)
        inside = domain.holds(value) & (abs(value) < INF)
        value = value if dtype is None else narrow(value, dtype, xp=xp)
        bad = check_values(value, ~inside, domain.requirement, name=name, xp=xp)
        if bad is not None:  # whatever is computed is NaN in the end
            value = where(bad, 0.5, value, xp=xp)
            invalid.append(bad)
        given[name] = value
    made = function(*args, **given)
    if isinstance(made, tuple):
        return tuple(mark_invalid(out, *invalid, xp=xp) for out in made)
    made = mark_invalid(made, *invalid, xp=xp)
    return narrow(made, x.dtype, xp=xp) if is_half(x, xp=xp) else made
