"""The options of a public function: what each may be, by its signature and its domain."""

from collections import abc
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from portable_losses._backend import namespace_of_type
from portable_losses._dtypes import is_half, kind_of, largest, narrow, tiny
from portable_losses._notes import noted
from portable_losses._options import (
    POSITIVE,
    Domain,
    as_callable,
    as_choice,
    as_flag,
    as_integer,
    as_number,
    in_domain,
    item,
    require,
)
from portable_losses._polyfill import device_of, where
from portable_losses._stable import INF, NAN
from portable_losses._tape import TapeArray, TapeNamespace
from portable_losses._typing import Array
from portable_losses._validation import namespace_of
from portable_losses._values import check_values, mark_invalid

__all__ = ["OptionChecks", "call_with_arrays"]

SMALLEST, LARGEST = 1.1754943508222875e-38, 3.4028234663852886e38  # normal numbers of float32


class OptionChecks:
    """The checks of the options of one function.

    A number lies in the domain of its name in `domains`, and may come as a 0-d array where its
    annotation has ``Array``. The annotation says what any other option is: a bool, an int, one of a
    Literal's, a function.
    """

    def __init__(self, parameters: Mapping[str, Parameter], domains: dict[str, Domain]) -> None:
        keywords = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
        if "denominator" in keywords:  # that of every mean
            domains = {**domains, "denominator": POSITIVE}
        self.arrays = {n for n in domains if Any in get_args(parameters[n].annotation)}
        self.optional = {n for n, p in parameters.items() if p.default is None}
        self.places = [(i, n) for i, n in enumerate(parameters) if n in domains.keys() - keywords]
        found = {n: _check_of(n, p.annotation) for n, p in keywords.items() if n not in domains}
        self.domains = domains
        self.others = {name: check for name, check in found.items() if check is not None}

    def __call__(self, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Domain] | None:
        """Make all of `given` Python's; return the domains of those that stay arrays, if any."""
        as_arrays: dict[str, Domain] | None = None
        if given.get("denominator") is not None:
            chosen = given.get("reduction", "mean")
            require(chosen == "mean", "reduction", "be 'mean' with `denominator`", chosen)
        for name, value in given.items():
            if value.__class__ is NoneType and name in self.optional:
                continue
            check = self.domains.get(name)
            if check is None:
                if name in self.others:
                    given[name] = self.others[name](name, value)
            elif value.__class__ is not float or not SMALLEST < value < LARGEST or check.fills:
                if name in self.arrays and _stays_array(value, check):
                    alone = getattr(value, "ndim", None) == 0 and not check.fills
                    if not check.broadcasts or alone:
                        as_arrays = {**(as_arrays or {}), name: check}
                    continue  # an array of data is for the function to check
                given[name] = _number_of(check, name, value, args)
            elif not check.holds(value):  # a usual number is not looked at again
                in_domain(check, name, value)
        return as_arrays

    def named(self, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
        """Return `given` with the options among the positional arguments."""
        return given | {name: args[i] for i, name in self.places if i < len(args)}

    def placed(
        self, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional arguments and `given`, each option in its place again."""
        for i, name in self.places:
            if name in given and i < len(args):
                args = (*args[:i], given[name], *args[i + 1 :])
                given = {n: value for n, value in given.items() if n != name}
        return args, given


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
            return partial(as_choice, get_args(kind))
        if origin is abc.Callable:
            return as_callable
        if kind is bool or kind is int:
            return as_flag if kind is bool else as_integer
    return None


def _number_of(domain: Domain, name: str, value: Any, args: tuple[Any, ...]) -> Any:
    """Return a number of the domain as Python's, which fits the dtype to compute in."""
    number = in_domain(domain, name, as_number(name, value))
    size = abs(number)
    if not (SMALLEST < size < LARGEST or size == 0):
        number = _fitting(domain, name, number, args)
    return _filling(number, args) if domain.fills else number


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
    low, high = (SMALLEST, LARGEST) if half else (tiny(x, xp=xp), largest(x, xp=xp))
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
    made = xp.full((), value, dtype=dtype, device=device_of(x, xp=xp))
    if (note := noted()) is not None:
        note.derived.append((made, (), lambda: made))
    return made


def _stays_array(value: Any, domain: Domain) -> bool:
    """Return whether an option is an array that may have derivatives, or cannot be read."""
    if (
        value.__class__ is float
        or isinstance(value, Real)
        or not (domain.broadcasts or hasattr(value, "dtype"))
    ):
        return False
    found = item(value)
    return found is value or (domain.fills and not isinstance(found, bool))


def call_with_arrays(
    function: Callable[..., Any],
    first: str,
    domains: Mapping[str, Domain],
    checks: OptionChecks,
    *args: Any,
    **given: Any,
) -> Any:
    """Call a function some of whose number options are arrays, checked and in its dtype.

    As every check of values it raises where looking is free, and leaves NaN elsewhere.
    """
    if not args:
        return function(**given)
    x: Array = args[0]
    for name in domains:
        value = given[name]
        require(not value.ndim, name, "be a Python number or an array of shape ()", value)
    xp = namespace_of(**{first: x, **{name: given[name] for name in domains}})
    half = x.dtype if is_half(x, xp=xp) else None
    dtype: Any = None
    if kind_of(x, xp=xp) == "real floating":
        dtype = x.dtype if half is None else xp.float32
    invalid: list[Array | None] = []
    for name, domain in domains.items():
        value, domain = given[name], domain.of_arrays or domain
        kind = kind_of(value, xp=xp)
        if kind not in ("real floating", "integral"):
            msg = f"`{name}` must have a real floating or integer dtype, got {value.dtype}"
            raise TypeError(msg)
        inside = domain.holds(value)
        if kind == "real floating":
            inside = inside & (abs(value) < INF)
        value = value if dtype is None else narrow(value, dtype, xp=xp)
        bad = check_values(value, ~inside, domain.requirement, name=name, xp=xp)
        if bad is not None and name == "denominator":
            value = where(bad, NAN, value, xp=xp)
        elif bad is not None:  # whatever is computed is NaN in the end
            value = where(bad, 0.5, value, xp=xp)
            invalid.append(bad)
        given[name] = value
    if isinstance(xp, TapeNamespace) and not isinstance(x, TapeArray):
        args = (xp.astype(x, x.dtype, copy=False), *args[1:])  # the function finds the tape
    args, given = checks.placed(args, given)
    made = function(*args, **given)
    if isinstance(made, tuple):
        return tuple(mark_invalid(out, *invalid, xp=xp) for out in made)
    made = mark_invalid(made, *invalid, xp=xp)
    return narrow(made, half, xp=xp) if half is not None else made
