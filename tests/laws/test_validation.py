"""The switch of the checks of values: where it reaches, and when it comes back."""

import threading

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Arrays, Backend
from tests.double import ImplicitConversion
from tests.libraries import named


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
