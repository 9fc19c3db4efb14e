"""The checks that a function begins with: what they return, and the switch of those of values."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._backend import Arrays, Backend
from portable_losses._gradient import elementwise_call
from portable_losses._reduction import reduce
from portable_losses._typing import Array
from portable_losses._validation import as_floating, namespace_of
from portable_losses._values import (
    check_all_in,
    check_bits,
    check_indices,
    check_signs,
    check_values,
    join_masks,
    mark_invalid,
)
from tests.double import ImplicitConversion
from tests.libraries import Library, named


def checks() -> bool:
    """Are values looked at?"""
    p = np.asarray([1.5])
    try:
        return not np.isnan(pl.binary_cross_entropy(p, np.ones(1)))
    except ValueError:
        return True


def test_validation_comes_back_after_the_block_and_after_an_error() -> None:
    assert checks()
    with pl.validation(False):
        assert not checks()
        with pl.validation(True):
            assert checks()
        assert not checks()
    assert checks()
    with pytest.raises(KeyError), pl.validation(False):
        raise KeyError
    assert checks()


def test_validation_as_a_function_stays_until_it_is_called_again() -> None:
    pl.validation(False)
    try:
        assert not checks()
    finally:
        pl.validation(True)
    assert checks()


def test_validation_belongs_to_its_thread() -> None:
    seen: list[bool] = []
    switched, looked = threading.Event(), threading.Event()

    def other() -> None:
        with pl.validation(False):
            switched.set()
            looked.wait(10)
            seen.append(checks())

    thread = threading.Thread(target=other)
    thread.start()
    switched.wait(10)
    seen.append(checks())
    looked.set()
    thread.join()
    assert seen == [True, False]
    assert checks()


def test_validation_off_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    double = named("double")  # which refuses to be read, and is asked for once it says it is free
    eager = Backend("tests", arrays=Arrays(readable=lambda x: True))
    monkeypatch.setitem(_backend._LOADED, "tests", eager)
    p, y = double.array(np.asarray([1.5])), double.array(np.ones(1))
    with pytest.raises(ImplicitConversion):
        pl.binary_cross_entropy(p, y)
    with pl.validation(False):
        assert np.isnan(double.numpy(pl.binary_cross_entropy(p, y)))


# ---- the arrays of a function --------------------------------------------------------------------


def offset_loss(input: Array, target: Array, /, *, offset: Array | None = None) -> Array:
    """A loss with an optional array whose name no other file knows."""
    xp = namespace_of(input=input, target=target, optional={"offset": offset})
    x, y = as_floating(xp, input=input, target=target)
    d = x - y if offset is None else x - y - offset
    return reduce(d * d, "sum", dtype=input.dtype, xp=xp)


def test_a_new_optional_array_is_named_at_the_call_alone(library: Library) -> None:
    with library.active():
        x, y = library.array([1.0, 3.0]), library.array([0, 1])
        assert library.numpy(offset_loss(x, y)) == 5
        assert library.numpy(offset_loss(x, y, offset=library.array([1.0, 2.0]))) == 0
        with pytest.raises(TypeError, match="`offset` must be an array of an Array API library"):
            offset_loss(x, y, offset=1.0)


NOTHING: Any = None


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda x: pl.mse_loss(x, NOTHING), "target"),
        (lambda x: pl.mse_loss(NOTHING, x), "input"),
        (lambda x: pl.prelu(x, NOTHING), "weight"),
        (lambda x: pl.linear_cross_entropy(x, NOTHING, x), "weight"),
        (lambda x: pl.xlogy(x, NOTHING), "y"),
        (lambda x: pl.logit(NOTHING), "p"),
        (lambda x: pl.relu(NOTHING), "x"),
    ],
)
def test_a_required_array_that_is_none_is_a_type_error_that_names_it(
    call: Callable[[Array], Array], name: str
) -> None:
    with pytest.raises(TypeError, match=f"`{name}` must be an array .*, got NoneType"):
        call(np.ones((2, 3)))


def test_the_arrays_of_a_loss_come_in_the_dtype_of_the_first(library: Library) -> None:
    with library.active():
        xp = library.xp
        x, y = library.array([1.0, 2.0], "float32"), library.array([1, 0])
        a, b, c = as_floating(xp, input=x, target=y, label=y == 1)
        assert a.dtype == b.dtype == c.dtype == x.dtype
        np.testing.assert_array_equal(library.numpy(b), library.numpy(c))
        with pytest.raises(TypeError, match="`target` must have a real floating dtype"):
            as_floating(xp, target=y, input=x)
        with pytest.raises(ValueError, match=r"shapes must be equal, got a: \(2,\), b: \(1,\)"):
            as_floating(xp, a=x, b=y[:1])


def test_half_dtypes_are_computed_in_float32_unless_nothing_is_rounded() -> None:
    seen: list[Any] = []

    def twice(x: Array, *, xp: Any) -> Array:
        seen.append(x.dtype)
        return 2 * x

    x = np.asarray([0.5], np.float16)
    assert elementwise_call(twice, x).dtype == np.float16
    assert elementwise_call(twice, x, widened=False).dtype == np.float16
    assert seen == [np.float32, np.float16]


# ---- checks of values have one contract ----------------------------------------------------------

CHECKS: dict[str, tuple[Callable[[Array, Any], Any], list[float], list[float]]] = {
    "values": (
        lambda x, xp: check_values(x, x > 1, "be small", name="x", xp=xp), [0, 1, 1], [0, 2, 1]
    ),
    "all in": (lambda x, xp: check_all_in(0, 1, x=x, xp=xp), [0, 0.5, 1], [0, 1.5, 1]),
    "at least": (lambda x, xp: check_all_in(0, np.inf, x=x, xp=xp), [0, 9, 1], [0, -1, 1]),
    "signs": (lambda x, xp: check_signs(x=x, xp=xp), [-1, 1, 1], [1, 0, -1]),
    "bits": (lambda x, xp: check_bits(x=x, xp=xp), [0, 1, 1], [1, -1, 0]),
    "indices": (lambda x, xp: check_indices(x, 3, name="x", xp=xp), [0, 2, 1], [0, 3, 1]),
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_returns_none_raises_or_returns_where_it_could_not(
    library: Library, check: str
) -> None:
    run, good, bad = CHECKS[check]
    kind = "int64" if check == "indices" else "float64"
    with library.active():
        fine, wrong = library.array(good, kind), library.array(bad, kind)
        if library.readable:
            assert run(fine, library.xp) is None
            with pytest.raises((ValueError, IndexError), match=r"`x` must .* at position \(1,\)"):
                run(wrong, library.xp)
        with pl.validation(False):
            np.testing.assert_array_equal(library.numpy(run(fine, library.xp)), [False] * 3)
            np.testing.assert_array_equal(
                library.numpy(run(wrong, library.xp)), [False, True, False]
            )


def test_what_is_marked_is_nan_in_value_and_both_derivatives_and_nothing_else_is() -> None:
    mask, row = np.asarray([False, True, False]), np.asarray([True, False])

    def cube(x: Array) -> Array:
        xp = x.__array_namespace__()
        return xp.sum(mark_invalid(x**3, None, mask, None, xp=xp))

    def rows(x: Array) -> Array:
        xp = x.__array_namespace__()
        return mark_invalid(x, row, xp=xp, of_rows=True)

    x = np.asarray([1.0, 2.0, 3.0])
    slope = autograd.grad(cube)
    second = autograd.grad(lambda x: x.__array_namespace__().sum(slope(x)))(x)
    for got, want in ((slope(x), [3, np.nan, 27]), (second, [6, np.nan, 18])):
        np.testing.assert_array_equal(got, want)
    marked = rows(autograd.tensor(np.ones((2, 2))))
    np.testing.assert_array_equal(marked.array, [[np.nan] * 2, [1, 1]])


def test_masks_are_joined_and_none_is_no_mask() -> None:
    a, b = np.asarray([True, False, False]), np.asarray([False, True, False])
    assert join_masks(None, None, xp=np) is None
    assert join_masks(None, a, xp=np) is a
    np.testing.assert_array_equal(join_masks(a, None, b, xp=np), [True, True, False])
