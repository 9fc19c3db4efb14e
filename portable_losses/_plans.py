"""Plans: what a call did, done again without its Python.

::

    first call     checks, formula, reduction; what they do is noted          (`_notes.py`)
    later calls    the tests of values that were noted, then the kernel

A plan is for arrays of the same types, dtypes and shapes, and the same options. There is one only
where the result is what a kernel made of the arguments alone, and where no value was read but in
tests; a test that fails takes the long way, which says what is wrong. A library has plans if its
`Speed.repeats` says when nobody watches its operations.
"""

from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

from portable_losses._arguments import LARGEST, SMALLEST
from portable_losses._backend import Backend, Pair, backend_of, listed_backend
from portable_losses._notes import NOTE, Note
from portable_losses._sums import sum_of
from portable_losses._tape import TapeArray
from portable_losses._typing import Array, Options
from portable_losses._values import validating

__all__ = ["Plans", "are_apart", "key_of_call", "may_repeat"]

KEPT = 256  # plans of one function
_PLAIN = frozenset([float, int, bool, str, type(None)])  # what an option may be in a plan
_COUNTS = frozenset([float, int])
_UNKNOWN: Any = object()

Args = tuple[Any, ...]
Given = Mapping[str, Any]


class Plan(NamedTuple):
    """How a call is repeated.

    Its values are None, the arguments, the options with these `names`, and what the `steps` make
    of them: the places of the operands, a function, and whether it is a test. `arrays` are the
    places of those that `run` takes, None where these are the arguments as they stand. `run`
    returns None for arrays that it does not take. `changes` are the places of options of `run` that
    depend on values: the divisor of a sum, the weights of its terms. None is one that takes the
    long way. `direct` is there where `run` takes the arguments and then so many times None, and
    nothing but arguments are tested: the place of each among them, and its test.
    """

    backend: Backend
    names: tuple[str, ...]
    steps: tuple[tuple[tuple[int, ...], Callable[..., Any], bool], ...]
    arrays: tuple[int, ...] | None
    run: Callable[..., Any]
    changes: tuple[tuple[str, int], ...] = ()
    direct: tuple[tuple[None, ...], tuple[tuple[int, Callable[..., Any]], ...]] | None = None

    def __call__(self, args: Args, options: Given) -> Any:
        """Return the result; None where the call must take the long way."""
        if self.direct is not None:  # mostly; what follows would take it a fifth longer
            others, asked = self.direct
            for i, test in asked:
                if not test(args[i]):
                    return None
            return self.run(*args, *others)
        steps, arrays = self.steps, self.arrays
        values = [None, *args]
        if self.names:
            values += [options[name] for name in self.names]
        place = values.__getitem__
        for places, function, tests in steps:
            made = function(*map(place, places))
            if not tests:
                values.append(made)
            elif not made:
                return None
        if arrays is None:
            return self.run(*args)
        changed = {}
        for name, i in self.changes:
            changed[name] = x = values[i]
            if x is None:
                return None
        return self.run(*map(place, arrays), **changed)


class Plans:
    """The plans of one function."""

    __slots__ = ("_function", "_known")

    def __init__(self, function: Callable[[Args, dict[str, Any]], Any]) -> None:
        self._function = function
        self._known: dict[Any, Plan | None] = {}  # None: there can be no plan

    def __call__(self, backend: Backend, args: Args, options: dict[str, Any]) -> Any:
        """Return the result of the function."""
        if options and options.get("denominator") is not None:
            options["denominator"] = _as_number(options["denominator"], backend)
        key = key_of_call(args, options)
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
        note, given = Note(), options.copy()  # the checks put arrays in place of some numbers
        before = NOTE.set(note)
        try:
            made = self._function(args, options)
        finally:
            NOTE.reset(before)
        if not note.looked and are_apart(args, given):
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = _plan(note, backend, args, given, made)
        return made


def may_repeat(x: Any) -> Backend | None:
    """Return the backend of the library of `x` if plans serve its calls here and now."""
    if isinstance(x, TapeArray):
        if not x.recorded:
            return None
        x = x.array
    backend = listed_backend(x.__class__)
    if backend is None or (repeats := backend.speed.repeats) is None or not repeats():
        return None
    return backend if NOTE.get() is None else None


def _as_number(x: Any, backend: Backend) -> Any:
    """Return the number in a constant of shape () that is read for free; else `x`."""
    if x.__class__ in _COUNTS or getattr(x, "ndim", None) != 0 or isinstance(x, TapeArray):
        return x
    readable = backend.arrays.readable
    read = listed_backend(x.__class__) is backend and readable is not None and readable(x)
    if getattr(x, "requires_grad", False) or not (read or issubclass(x.__class__, Real)):
        return x
    number = x.item()
    return number if number.__class__ in _COUNTS else x


def key_of_call(args: Args, options: Given) -> tuple[Any, ...] | None:
    """Return what tells calls apart that need plans of their own; None where there are none."""
    key: list[Any] = [validating()]
    try:
        for x in args:
            if x.__class__ in _PLAIN:
                key.append(_plain_key(x))
                continue
            if isinstance(x, TapeArray):
                x = x.array
                key.append(True)
            key += (x.__class__, x.dtype, x.shape)
        for name, x in options.items():
            kind = x.__class__
            if name == "denominator" and kind in _COUNTS:  # another one at each call
                key += (name, kind)
                continue
            if kind in _PLAIN:
                key += (name, _plain_key(x))
                continue
            if isinstance(x, TapeArray):
                x = x.array
                key.append(True)
            key += (name, x.__class__, x.dtype, x.shape)
    except AttributeError:  # a number, a list
        return None
    return tuple(key)


def _plain_key(x: Any) -> tuple[type, Any]:
    """Return what tells a number, a word or None apart from others: -0.0 from 0.0 as well."""
    kind = x.__class__
    return kind, str(x) if not x and kind is float else x


def are_apart(args: Args, options: Given) -> bool:
    """Say whether no array is given twice: of one that is, the place in a plan is not known."""
    arrays = [id(x) for x in (*args, *options.values()) if x.__class__ not in _PLAIN]
    return len(set(arrays)) == len(arrays)


def _plan(
    note: Note, backend: Backend, args: Args, options: dict[str, Any], made: Any
) -> Plan | None:
    """Return the plan by the note of a call; None where it cannot be repeated."""
    terms, total, divisor, weights = note.added or (None, None, None, None)
    served = next((x for x in note.served if x.out is made or _only(x.out) is terms), None)
    if served is None:
        return None
    pair, arrays, given, out = served
    places, changes = _Places(note, args, options), dict[str, Any]()
    asked = [*note.tests, *(test for x, test in note.classes if all(x is not y for y in arrays))]
    for x, test in asked:
        places.test(x, test)
    if total is made and out is not made:
        if pair.elementwise:  # whose terms a kernel would add up in another order
            return None
        if weights is not None:
            changes["weights"] = places.of_constant(weights)
        if places.may_change(divisor):
            changes["divisor"], divisor = places.of_divisor(divisor), 1
        if changes:  # then the kernel makes what is foreseen of them
            if given.get("foreseen") is None:
                return None
            given = {**given, "foreseen": (1.0, given["foreseen"][1])}
            if "weights" in changes:
                given["weights"] = 1.0
        pair, given = sum_of(pair, pair.kernel), {"divisor": divisor, **given}
    elif out is not made or given.get("foreseen") is not None:
        return None
    if not all(_is_plain(x) for name, x in given.items() if name != "xp"):
        return None
    counted = given.get("divisor")
    if places.may_change(counted):
        changes["divisor"] = places.of_divisor(counted)
    if places.denominator is not None and "divisor" not in changes:
        return None
    found = [places.of(x) for x in arrays]
    run = None if places.lost else repeated(pair, arrays, given, backend_of(given["xp"]))
    if run is None:
        return None
    as_given = len(args) == len(arrays) and all(x is y for x, y in zip(args, arrays, strict=True))
    own = None if as_given and not changes else tuple(found)
    steps, changed = tuple(places.steps), tuple(changes.items())
    return Plan(
        backend, places.names, steps, own, run, changed, _direct(len(args), found, steps, changed)
    )


def _direct(count: int, found: list[int], steps: tuple[Any, ...], changes: tuple[Any, ...]) -> Any:
    """Return `Plan.direct` of a plan with so many arguments and arrays at the places `found`."""
    rest = len(found) - count
    if changes or found != [*range(1, count + 1), *[0] * rest]:
        return None
    if not all(tests and at[0] <= count for at, _, tests in steps):
        return None
    return (None,) * rest, tuple([(at[0] - 1, test) for at, test, _ in steps])


def repeated(
    pair: Pair, arrays: tuple[Array, ...], options: Options, backend: Backend
) -> Callable[..., Any] | None:
    """Return what `attach_gradient` does with a pair that has a kernel, looked up once.

    It takes arrays of these types, dtypes and shapes, and options that have changed. None where it
    cannot be repeated.
    """
    kernel: Any = pair.kernel
    if kernel.ready is None:
        return None
    if backend.autodiff.attach_gradient is not None:
        again = backend.autodiff.repeat_gradient
        return None if again is None else again(pair, arrays, options)
    run = kernel.ready(pair, arrays, options, ())
    if run is None:
        return None

    def value(*arrays: Array, **changed: Any) -> Any:
        made = run(arrays, **changed)
        return None if made is None else made[0]

    return value


def _only(out: Any) -> Any:
    """Return the result of a pair, or the only one of them."""
    return out[0] if out.__class__ is tuple and len(out) == 1 else out


def _is_plain(x: Any) -> bool:
    return all(map(_is_plain, x)) if x.__class__ is tuple else x.__class__ in _PLAIN


class _Places:
    """The places of what a call has used among the values of its plan, and the steps to there.

    `lost` says that one is neither an argument nor derived from some.
    """

    def __init__(self, note: Note, args: Args, options: Given) -> None:
        self._derived = note.derived
        number = options.get("denominator")
        self.denominator = number if number.__class__ in _COUNTS else None
        counted = None if self.denominator is None else "denominator"
        self.names = tuple(
            [n for n, x in options.items() if x.__class__ not in _PLAIN or n == counted]
        )
        given = (*args, *[options[name] for name in self.names])
        self._known = {id(x): place for place, x in enumerate(given, start=1)}
        self._count = 1 + len(given)
        self.steps: list[tuple[tuple[int, ...], Callable[..., Any], bool]] = []
        self.lost = False

    def may_change(self, x: Any) -> bool:
        """Say whether a divisor is not the same at every call."""
        if x is None:
            return False
        return x is self.denominator or any(x is made for made, _, _ in self._derived)

    def of(self, x: Any) -> int:
        """Return the place of an array or a number."""
        if x is None:
            return 0
        place = self._known.get(id(x))
        if place is not None:
            return place
        for made, sources, function in self._derived:
            if made is x:
                place = self._step(tuple([self.of(source) for source in sources]), function)
                self._known[id(x)] = place
                return place
        self.lost = True
        return 0

    def of_constant(self, x: Any) -> int:
        """Return the place of an array that is None where it is differentiated."""
        return self._step((self.of(x),), _if_constant)

    def of_divisor(self, x: Any) -> int:
        """Return the place of a divisor; of one that is given it is None where it needs a check."""
        return self._step((self.of(x),), _if_usual) if x is self.denominator else self.of(x)

    def test(self, x: Any, test: Callable[[Any], bool]) -> None:
        """Add the step that tests an array, a Tensor's own."""
        own = partial(_passes, test) if isinstance(x, TapeArray) else test
        self.steps.append(((self.of(x),), own, True))

    def _step(self, places: tuple[int, ...], function: Callable[..., Any]) -> int:
        self.steps.append((places, function, False))
        self._count += 1
        return self._count - 1


def _passes(test: Callable[[Any], bool], x: Any) -> bool:
    return test(x.array)


def _if_constant(x: Any) -> Any:
    return None if getattr(x, "requires_grad", False) else x


def _if_usual(x: Any) -> Any:
    """Return a number that needs no check; None of others."""
    return x if SMALLEST < x < LARGEST else None
