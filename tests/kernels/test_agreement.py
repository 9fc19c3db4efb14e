"""The check at first use: a kernel that disagrees with its portable pair is never used."""

import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from portable_losses._backend import Pair
from tests.kernels.gpu_cases import PAIRS, agreement, cases, gpu_rows, hard_rows

NUMPY = import_module("array_api_compat.numpy")
TRIALS = agreement.Trials(lambda x, _: np.asarray(x), np.asarray, lambda _: "a card")


def by_the_pair(pair: Pair, arrays: Any, options: Any, wanted: bool) -> Any:
    """A kernel that is right: it runs the pair."""
    with np.errstate(all="ignore"):
        return pair.forward(*arrays, **options), pair.backward


def spoiled(value: float = 1.0, slope: float = 1.0, *, at: Any = ..., put: Any = None) -> Any:
    """A kernel whose values and slopes are wrong by a factor, or whose entry at a place is."""

    def run(pair: Pair, arrays: Any, options: Any, wanted: bool) -> Any:
        out, backward = by_the_pair(pair, arrays, options, wanted)

        def back(*given: Any, **options: Any) -> Any:
            first, *rest = backward(*given, **options)
            return (first * np.float32(slope), *rest)

        if isinstance(out, tuple):
            return tuple(x * np.float32(value) for x in out), back
        out = out * np.float32(value)
        if put is not None:
            out[at] = put
        return out, back

    return run


def broken(*_: Any) -> Any:
    msg = "no such instruction"
    raise RuntimeError(msg)


WRONG: dict[str, Any] = {
    "values": spoiled(1 + 1e-4),
    "slopes": spoiled(slope=1 + 1e-4),
    "shape": lambda *a: (by_the_pair(*a)[0][:1], a[0].backward),
    "dtype": lambda *a: (by_the_pair(*a)[0].astype(np.float64), a[0].backward),
    "NaN that should not be": spoiled(at=(0, 0), put=np.nan),
    "a number for NaN": spoiled(at=(12, 0), put=0.0),
    "failure": broken,
}


def serving(run: Any, tried: list[int]) -> Any:
    def case_of(arrays: Any, options: Any) -> Iterator[Any]:
        for classes in (1, 5, 32):
            tried.append(classes)
            yield hard_rows.case_of_rows("softmax", classes, options)

    return agreement.checked(run, TRIALS, lambda *_: ("softmax",), case_of)


X = np.asarray([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]], np.float32)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:array_api_compat")
@pytest.mark.parametrize("fault", WRONG)
def test_a_kernel_that_disagrees_is_refused_with_one_warning(fault: str) -> None:
    tried: list[int] = []
    serve, options = serving(WRONG[fault], tried), {"xp": NUMPY}
    with np.errstate(all="ignore"):
        with pytest.warns(RuntimeWarning, match="kernel of softmax on a card is not used") as seen:
            out, backward = serve(PAIRS["softmax"], (X,), options, True)
        assert len(seen) == 1
        np.testing.assert_array_equal(out, PAIRS["softmax"].forward(X, **options))
        assert backward is PAIRS["softmax"].backward
        before = len(tried)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            serve(PAIRS["softmax"], (X,), options, True)
        assert len(tried) == before


def test_a_kernel_that_agrees_serves_and_is_tried_once_for_each_kind() -> None:
    tried: list[int] = []
    ran: list[Any] = []

    def run(pair: Pair, arrays: Any, *rest: Any) -> Any:
        ran.append(arrays[0])
        return by_the_pair(pair, arrays, *rest)

    serve = serving(run, tried)
    with np.errstate(all="ignore"):
        for _ in range(3):
            serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
        assert tried == [1, 5, 32]
        assert [x is X for x in ran] == [False] * 3 + [True] * 3
        serve(PAIRS["softmax"], (X.astype(np.float64),), {"xp": NUMPY}, True)
    assert tried == [1, 5, 32] * 2


def test_a_kernel_waits_for_a_time_when_it_can_be_tried() -> None:
    """While a graph of launches is recorded, nothing can be waited for."""
    now = [False]
    trials, ran = TRIALS._replace(possible=lambda: now[0]), list[str]()

    def run(*given: Any) -> Any:
        ran.append("kernel")
        return by_the_pair(*given)

    serve = agreement.checked(run, trials, lambda *_: ("softmax",), lambda *_: iter(()))
    serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
    assert ran == []
    now[0] = True
    serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
    assert ran == ["kernel"]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("wrong", ["values", "slopes"])
def test_every_trial_sees_a_kernel_that_is_a_little_wrong(name: str, wrong: str) -> None:
    run = WRONG[wrong]
    for classes in (3, 37):
        for one, said, case in cases(NUMPY, classes):
            with np.errstate(all="ignore"):
                found = one == name and agreement.first_difference(
                    run, TRIALS, PAIRS[name], case.arrays[0], case
                )
                right = agreement.first_difference(
                    by_the_pair, TRIALS, PAIRS[one], case.arrays[0], case
                )
            assert right is None
            assert found or one != name, said


@pytest.mark.parametrize("run", [spoiled(1 + 6e-7), spoiled(slope=1 + 6e-7)], ids=["loss", "slope"])
def test_the_trial_of_a_plain_cross_entropy_sees_five_units_in_the_last_place(run: Any) -> None:
    options = {"xp": NUMPY, "label_smoothing": 0.0, "softcap": None, "with_lse": False}
    case = hard_rows.case_of_cross_entropy(5, options, weighted=False, masked=False)
    with np.errstate(all="ignore"):
        found = agreement.first_difference(
            run, TRIALS, PAIRS["cross_entropy"], case.arrays[0], case
        )
    assert found is not None


@pytest.mark.parametrize("classes", [1, 32, 33, 128, 500, 2048, 2049, 10**6])
def test_a_trial_uses_the_tile_of_the_call(classes: int) -> None:
    assert {gpu_rows.tile(n) for n in gpu_rows.widths(classes)} == {gpu_rows.tile(classes)}
