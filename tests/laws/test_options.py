"""Options of a wrong type or value: one error that names the option, alike on every library."""

import inspect
import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest

from portable_losses import autograd, nn, optim
from tests.libraries import EVERY_ROW, LIBRARIES
from tests.rows import ONCE
from tests.samples import Sample

HUGE = 10**400
NO_NUMBERS: tuple[Any, ...] = (
    "1",
    None,
    True,
    1j,
    [1.0],
    Decimal(1),
    np.ones(2),
    np.True_,
    HUGE,
    -HUGE,
    print,
)
NO_INTEGERS: tuple[Any, ...] = (
    "a",
    None,
    0.5,
    True,
    [0],
    -(2**63) - 1,
    2**63,
    np.zeros(2),
    Fraction(1),
    HUGE,
)
NO_FLAGS: tuple[Any, ...] = ("yes", None, 1, 0.0, [], np.zeros(2), np.int8(1))
NO_NAMES: tuple[Any, ...] = ("other", None, 3, [], np.zeros(2), b"mean", True)
NO_AXES: tuple[Any, ...] = (9, -9, True, 1.5, "a", [0], np.zeros(2, int), HUGE)
NO_FUNCTIONS: tuple[Any, ...] = ("a", 1.0, [])
ELSEWHERE = [
    one for one in LIBRARIES[1:] if EVERY_ROW or one.name in ("array_api_strict", "torch", "double")
]


def kinds(annotation: Any) -> tuple[Any, ...]:
    """Return what an option may be, of a union or of one type."""
    members = get_args(annotation)
    return members if members and get_origin(annotation) is not Literal else (annotation,)


def wrong(name: str, option: inspect.Parameter) -> Iterator[Any]:
    """Yield values that an option may not have; its annotation says what it is."""
    found = kinds(option.annotation)
    values: tuple[Any, ...]
    for kind in found:
        if name == "axis":
            values = NO_AXES if option.kind is option.KEYWORD_ONLY else ()
        elif kind is float:
            values = (*NO_NUMBERS, math.nan)
        else:
            values = {int: NO_INTEGERS, bool: NO_FLAGS}.get(kind, ())
        if get_origin(kind) is Literal and str not in found:
            values = NO_NAMES
        elif callable(kind) and "Callable" in str(kind):
            values = NO_FUNCTIONS
        yield from (v for v in values if v is not None or option.default is not None)


def options_of(row: Sample) -> list[tuple[str, Any]]:
    """Return the options of a function, each with a value that is wrong."""
    parameters = inspect.signature(row.function).parameters
    found = []
    for name, option in parameters.items():
        broadcasts = name in ("alpha", "q", "tau", "var", "pos_weight", "b")
        for value in wrong(name, option):
            if broadcasts and isinstance(value, list | str | np.ndarray | type(print)):
                continue  # an array may be right there
            found.append((name, value))
    return found


CASES = [row for row in ONCE if options_of(row)]


def error_of(row: Sample, name: str, value: Any, arrays: dict[Any, Any]) -> Exception:
    """Return what the call raises with this value of an option."""
    given = {k: arrays.get(k, v) for k, v in row.options.items()}
    positional = [arrays.get(i, a) for i, a in enumerate(row.arrays)]
    place = list(inspect.signature(row.function).parameters).index(name)
    if place < len(positional):
        positional[place] = value
    else:
        given[name] = value
    with pytest.raises((TypeError, ValueError, IndexError)) as found:
        row.function(*positional, **given)
    return found.value


@pytest.mark.parametrize("row", CASES, ids=str)
def test_a_wrong_option_raises_alike_on_every_library(row: Sample) -> None:
    known = row.on(LIBRARIES[0])
    others = {str(one): row.on(one) for one in ELSEWHERE}
    if row.given[0].dtype.kind == "f":
        others["tape"] = {**known, 0: autograd.tensor(known[0], requires_grad=True)}
    for name, value in options_of(row):
        want = error_of(row, name, value, known)
        assert f"`{name}`" in str(want), (name, value, want)
        for library, arrays in others.items():
            got = error_of(row, name, value, arrays)
            assert (type(got), str(got)) == (type(want), str(want)), (name, value, library)


NUMBERS = [
    (0.5, (np.float32(0.5), np.float64(0.5), np.asarray(0.5), Fraction(1, 2))),
    (1, (np.int8(1), np.int64(1), np.asarray(1), Fraction(1))),
]


def numbers_of(row: Sample) -> list[str]:
    """Return the options of a function that are numbers."""
    found = inspect.signature(row.function).parameters.values()
    names = [p.name for p in found if float in kinds(p.annotation) and p.kind is p.KEYWORD_ONLY]
    mean = row.options.get("reduction", "mean") == "mean"
    return [name for name in names if mean or name != "denominator"]  # that of a mean


WITH_NUMBERS = [row for row in ONCE if numbers_of(row)]


def results(row: Sample, arrays: dict[Any, Any], **options: Any) -> list[tuple[Any, bytes]]:
    """Return dtype and bits of what the call returns."""
    positional = [arrays.get(i, a) for i, a in enumerate(row.arrays)]
    given = {k: arrays.get(k, v) for k, v in row.options.items()} | options
    made = row.function(*positional, **given)
    outs = [np.asarray(out) for out in (made if isinstance(made, tuple) else (made,))]
    return [(out.dtype, out.tobytes()) for out in outs]


@pytest.mark.parametrize("row", WITH_NUMBERS, ids=str)
def test_real_numbers_of_every_kind_are_python_numbers(row: Sample) -> None:
    arrays = row.on(LIBRARIES[0], "float32")
    for name in numbers_of(row):
        for plain, others in NUMBERS:
            try:
                want = results(row, arrays, **{name: plain})
            except ValueError:  # out of the domain
                continue
            for value in others:
                assert results(row, arrays, **{name: value}) == want, (name, value)


@pytest.mark.parametrize("row", WITH_NUMBERS, ids=str)
def test_a_number_that_the_dtype_does_not_hold_raises_or_is_its_limit(row: Sample) -> None:
    arrays = row.on(LIBRARIES[0], "float32")
    for name in numbers_of(row):
        with pytest.raises(ValueError, match=f"`{name}` must"):
            results(row, arrays, **{name: 1e308})
        try:
            made = results(row, arrays, **{name: 5e-324})
        except ValueError as error:
            assert str(error).endswith(("got 5e-324", "got 0.125")), error  # noqa: PT017
        else:
            assert made == results(row, arrays, **{name: 0.0})


@pytest.mark.parametrize("value", ["1", None, True, [0.1], HUGE, math.nan, math.inf, -1.0], ids=str)
def test_optimizers_check_their_options_alike(value: Any) -> None:
    parameter = nn.Parameter(np.ones(2))
    makers: dict[str, tuple[Any, ...]] = {
        "lr": (optim.SGD, optim.Adam, optim.AdamW),
        "weight_decay": (optim.SGD, optim.Adam, optim.AdamW),
        "momentum": (optim.SGD,),
        "eps": (optim.Adam,),
        "betas": (optim.Adam,),
    }
    for name, classes in makers.items():
        for maker in classes:
            given: dict[str, Any] = {"lr": 0.1, name: (value, 0.9) if name == "betas" else value}
            with pytest.raises((TypeError, ValueError), match=f"`{name}` must"):
                maker([parameter], **given)


def test_options_of_optimizers_become_python_numbers() -> None:
    given: dict[str, Any] = {"lr": Fraction(1, 4), "momentum": np.float32(0.5)}
    optimizer = optim.SGD([nn.Parameter(np.ones(2))], **given)
    group = optimizer.param_groups[0]
    assert (type(group["lr"]), type(group["momentum"])) == (float, float)


@pytest.mark.parametrize("value", NO_FLAGS, ids=repr)
def test_a_layer_takes_no_other_flag_than_a_bool(value: Any) -> None:
    with pytest.raises(TypeError, match="`bias` must be True or False"):
        nn.Linear(2, 3, bias=value)
    with pytest.raises(TypeError, match="`bias` must be True or False"):
        nn.LinearCrossEntropyLoss(2, 3, bias=value)
