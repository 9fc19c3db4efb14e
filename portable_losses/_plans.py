"""Plans: what a call did, done again without its Python.

::

    first call     checks, formula, reduction; what they do is noted          (`_notes.py`)
    later calls    the tests of values that were noted, then the kernel

A plan is for arrays of the same types, dtypes and shapes, and the same options. There is one only
where the result is what a kernel made of the arguments alone, and where no value was read but in
tests; a test that fails takes the long way, which says what is wrong. A library has plans if its
`Speed.repeats` says when nobody watches its operations.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from portable_losses._backend import Backend, backend_of, listed_backend
from portable_losses._gradient import repeated, sum_of
from portable_losses._notes import NOTE, Note
from portable_losses._tape import TapeArray
from portable_losses._values import validating

__all__ = ["Plans", "may_repeat"]

KEPT = 256  # plans of one function
_PLAIN = frozenset([float, int, bool, str, type(None)])  # what an option may be in a plan
_UNKNOWN: Any = object()

Args = tuple[Any, ...]
Given = Mapping[str, Any]
Way = Callable[[Args, Given], Any]  # to an array of a call


class Plan(NamedTuple):
    """How a call is repeated.

    `tests` have the way to an array each; `arrays` the ways to those that `run` takes, None where
    these are the arguments as they stand. `run` returns None for arrays that it does not take.
    `divisor` is the way to that of a sum, where it depends on values.
    """

    backend: Backend
    tests: tuple[tuple[Way, Callable[[Any], bool]], ...]
    arrays: tuple[Way, ...] | None
    run: Callable[..., Any]
    divisor: Way | None = None

    def __call__(self, args: Args, options: Given) -> Any:
        """Return the result; None where the call must take the long way."""
        for way, test in self.tests:
            x = way(args, options)
            if not test(x.array if isinstance(x, TapeArray) else x):
                return None
        if self.arrays is None:
            return self.run(*args)
        arrays = [way(args, options) for way in self.arrays]
        if self.divisor is None:
            return self.run(*arrays)
        divisor = self.divisor(args, options)
        return self.run(*arrays, divisor=divisor) if divisor == divisor else None


class Plans:
    """The plans of one function."""

    __slots__ = ("_function", "_known")

    def __init__(self, function: Callable[[Args, dict[str, Any]], Any]) -> None:
        self._function = function
        self._known: dict[Any, Plan | None] = {}  # None: there can be no plan

    def __call__(self, backend: Backend, args: Args, options: dict[str, Any]) -> Any:
        """Return the result of the function."""
        key = _key(args, options)
        plan = self._known.get(key, _UNKNOWN) if key else None
        if plan is None:
            return self._function(args, options)
        if plan is not _UNKNOWN and plan.backend is backend:
            quiet = backend.arrays.quiet
            if quiet is None:
                made = plan(args, options)
            else:
                with quiet():
                    made = plan(args, options)
            return self._function(args, options) if made is None else made
        note = Note()
        before = NOTE.set(note)
        try:
            made = self._function(args, options)
        finally:
            NOTE.reset(before)
        if not note.looked and _are_apart(args, options):
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = _plan(note, backend, args, options, made)
        return made


def may_repeat(x: Any) -> Backend | None:
    """Return the backend of the library of `x` if plans serve its calls here and now."""
    backend = listed_backend((x.array if isinstance(x, TapeArray) else x).__class__)
    if backend is None or (repeats := backend.speed.repeats) is None or not repeats():
        return None
    return backend if NOTE.get() is None else None


def _key(args: Args, options: Given) -> tuple[Any, ...] | None:
    """Return what tells calls apart that need plans of their own; None where there are none."""
    key: list[Any] = [validating()]
    try:
        for x in args:
            if isinstance(x, TapeArray):
                x = x.array
                key.append(True)
            key += (x.__class__, x.dtype, x.shape)
        for name, x in options.items():
            kind = x.__class__
            if kind in _PLAIN:
                key += (name, kind, str(x) if not x and kind is float else x)  # -0.0 == 0.0
                continue
            if isinstance(x, TapeArray):
                x = x.array
                key.append(True)
            key += (name, x.__class__, x.dtype, x.shape)
    except AttributeError:  # a number, a list
        return None
    return tuple(key)


def _are_apart(args: Args, options: Given) -> bool:
    """Say whether no array is given twice: of one that is, the place in a plan is not known."""
    arrays = [id(x) for x in (*args, *options.values()) if x.__class__ not in _PLAIN]
    return len(set(arrays)) == len(arrays)


def _plan(
    note: Note, backend: Backend, args: Args, options: dict[str, Any], made: Any
) -> Plan | None:
    """Return the plan by the note of a call; None where it cannot be repeated."""
    terms, total, divisor = note.added or (None, None, None)
    found = [one for one in note.served if one.out is made or _only(one.out) is terms]
    if not found or ((foreseen := found[0].options.get("foreseen")) and total is not made):
        return None
    pair, arrays, given, out = found[0]
    if out is not made:
        if total is not made:
            return None
        pair, given = sum_of(pair, pair.kernel), {"divisor": divisor, **given}
    places = {id(x): place for place, x in (*enumerate(args), *options.items())}
    ways = [_way(x, places, note) for x in arrays]
    tests = [(_way(x, places, note), test) for x, test in note.tests]
    if None in ways or any(way is None for way, _ in tests):
        return None
    if not all(_is_plain(x) for name, x in given.items() if name != "xp"):
        return None
    counted = any(given.get("divisor") is made for made, _, _ in note.derived)
    divisor = _way(given["divisor"], places, note) if counted else None
    run = repeated(pair, arrays, given, backend_of(given["xp"]))
    as_given = len(args) == len(arrays) and all(x is y for x, y in zip(args, arrays, strict=True))
    as_given = as_given and divisor is None
    return run and Plan(backend, tuple(tests), None if as_given else tuple(ways), run, divisor)


def _only(out: Any) -> Any:
    """Return the result of a pair, or the only one of them."""
    return out[0] if out.__class__ is tuple and len(out) == 1 else out


def _is_plain(x: Any) -> bool:
    return all(map(_is_plain, x)) if x.__class__ is tuple else x.__class__ in _PLAIN


def _derived(function: Callable[..., Any], ways: Sequence[Any]) -> Way:
    """Return the way to what a function makes of the arrays on these ways."""
    return lambda args, options: function(*[way(args, options) for way in ways])


def _way(x: Any, places: Mapping[int, Any], note: Note) -> Way | None:
    """Return how an array is found among the arguments; None where it is not."""
    if x is None:
        return lambda args, options: None
    place = places.get(id(x))
    if place is None:
        for made, sources, function in note.derived:
            if made is x:
                found = [_way(source, places, note) for source in sources]
                return None if None in found else _derived(function, found)
        return None
    if place.__class__ is int:
        return lambda args, options: args[place]
    return lambda args, options: options[place]
