"""A kernel is compared with the portable pair, on the card at hand, before its first use.

No test of ours can hold on every card, driver and compiler. So the first call of each kind (of a
function, its options, the tile that it uses, a dtype and a device) tries the kernel and the pair
on rows that are hard: ties, -inf, NaN, one class, a certain row, logits 1e4 apart. Where it fails
to compile, or value or gradient differ, there is one warning, and all such calls run the pair.
"""

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from portable_losses._backend import Pair
from portable_losses._typing import Array, Options

__all__ = ["Case", "Trials", "checked", "comparing", "first_difference"]

Run = Callable[[Pair, tuple[Any, ...], Options, tuple[int, ...]], Any]

VALUE_ULPS, GRADIENT_ULPS = 2, 4
TERMS_ULPS = 8  # of the largest term, where a result is a difference

_COMPARING: ContextVar[bool] = ContextVar("portable_losses_comparing", default=False)


class Case(NamedTuple):
    """The arrays and options to try.

    ``differs`` says whether results may be small differences of terms of about 1; where it is
    False, small results must be right as well.
    """

    arrays: tuple[Any, ...]  # of NumPy
    options: Options
    grads: tuple[Any, ...]  # one for each result
    differs: bool
    slack: float = 0.0  # units in the last place for what the options do


class Trials(NamedTuple):
    """What a trial asks of a library."""

    asarray: Callable[[Any, Array], Array]  # an array of NumPy, on the device of another array
    numpy: Callable[[Array], Any]
    place: Callable[[Array], Any]  # the device of an array, as a key
    possible: Callable[[], bool] = lambda: True  # may results be waited for now?


def comparing() -> bool:
    """Say whether the portable pair runs for a comparison: then no kernel may take its calls."""
    return _COMPARING.get()


def checked(
    run: Run,
    trials: Trials,
    kind: Callable[[tuple[Any, ...], Options], tuple[Any, ...]],
    cases: Callable[[tuple[Any, ...], Options], Iterator[Case]],
) -> Run:
    """Return `run`, or the pair where the two disagree; each `kind` of call is tried once."""
    verdicts: dict[tuple[Any, ...], bool] = {}

    def serve(
        pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
    ) -> Any:
        """Run the kernel where it has passed its trial, the pair otherwise."""
        x = arrays[0]
        key = (*kind(arrays, options), x.dtype, trials.place(x))
        if key not in verdicts and trials.possible():
            fault = _fault(run, trials, pair, x, cases(arrays, options))
            verdicts[key] = fault is None
            if fault is not None:
                warnings.warn(_message(key, fault), RuntimeWarning, stacklevel=2)
        if verdicts.get(key, False):
            return run(pair, arrays, options, wanted)
        return pair.forward(*arrays, **options), pair.backward

    return serve


def _message(key: tuple[Any, ...], fault: str) -> str:
    """Return the warning's text."""
    name, *_, place = key
    return (
        f"the kernel of {name} on {place} is not used, as it disagrees with the portable formula: "
        f"{fault}. Results are right without it, only slower."
    )


def _fault(run: Run, trials: Trials, pair: Pair, like: Array, cases: Iterator[Case]) -> str | None:
    """Return the first difference or error of all cases; None where there is none."""
    try:
        found = (first_difference(run, trials, pair, like, case) for case in cases)
        return next((one for one in found if one is not None), None)
    except Exception as error:  # compilers and drivers raise errors of any type
        return f"{type(error).__name__}: {error}"


def first_difference(run: Run, trials: Trials, pair: Pair, like: Array, case: Case) -> str | None:
    """Return how `run` and the pair differ on the arrays of a case; None where they do not."""
    arrays = tuple(None if x is None else trials.asarray(x, like) for x in case.arrays)
    grads = tuple(trials.asarray(g, like) for g in case.grads)
    out, backward = run(pair, arrays, case.options, (0,))
    several = isinstance(out, tuple)
    grad = grads if several else grads[0]
    slope = backward(grad, out, *arrays, **case.options)[0]
    with _portable_alone():
        wanted = pair.forward(*arrays, **case.options)
        wanted_slope = pair.backward(grad, wanted, *arrays, **case.options)[0]
    results = zip(out, wanted, strict=True) if several else [(out, wanted)]
    values = [_difference(trials, *two, VALUE_ULPS, case) for two in results]
    named = [*(("value", x) for x in values)]
    named.append(("gradient", _difference(trials, slope, wanted_slope, GRADIENT_ULPS, case)))
    return next((f"{name}s {x}" for name, x in named if x is not None), None)


def _difference(trials: Trials, got: Array, want: Array, ulps: int, case: Case) -> str | None:
    """Return how one result differs by more than rounding; None where it does not."""
    got, want = trials.numpy(got), trials.numpy(want)
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"are {got.dtype}{got.shape}, not {want.dtype}{want.shape}"
    limits = np.finfo(want.dtype)
    terms = TERMS_ULPS * (1 + case.slack) if case.differs else 0.0
    # the order of a sum is free: its error grows with the square root of its length, at most
    ulps_ = ulps + case.slack + np.sqrt(case.arrays[0].shape[-1]) / 8
    far = float(limits.eps) * (ulps_ * np.abs(want) + terms) + float(limits.smallest_normal)
    with np.errstate(invalid="ignore"):
        near = (np.abs(got - want) <= far) | (got == want) | ((got != got) & (want != want))
    if near.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~near)[0])
    return f"differ at {place} of shape {want.shape}: {got[place]} and not {want[place]}"


@contextmanager
def _portable_alone() -> Generator[None, None, None]:
    """Let no kernel take a call within the block."""
    token = _COMPARING.set(True)
    try:
        yield
    finally:
        _COMPARING.reset(token)
