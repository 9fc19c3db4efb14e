"""`detect_anomaly`, and what an error says about where it came from."""

import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses.autograd import (
    checkpoint,
    custom_vjp,
    detect_anomaly,
    enable_grad,
    grad,
    namespace,
    no_grad,
    tensor,
)
from portable_losses.autograd.graph.node import Node
from tests.autograd.cases import LIBRARIES

NP = namespace(np)
HERE = Path(__file__).name
pytestmark = pytest.mark.filterwarnings("ignore:.*(divide by zero|invalid value|overflow)")


def message(f: Any, **options: Any) -> str:
    with pytest.raises(FloatingPointError) as info, detect_anomaly(**options):
        f()
    return str(info.value)


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name != "dask.array"])
def test_the_operation_and_the_users_line_are_named(name: str) -> None:
    array_library = import_module(name)
    xp = namespace(array_library)
    x = tensor(array_library.asarray([[1.0, 2.0], [3.0, 0.0]]))
    found = message(lambda: xp.log(x) * 0.0)
    assert found.startswith("`log` made an infinity at (1, 1) of (2, 2) ")
    assert HERE in found
    assert "xp.log(x) * 0.0" in found  # the line itself
    assert "given (2, 2)" in found
    found = message(lambda: xp.log(x) * 0.0, infinities=False)
    assert found.startswith("`multiply` made a NaN at (1, 1)")


def test_our_own_frames_are_not_the_users_line() -> None:
    x = tensor(np.asarray([np.nan, 1.0]))
    found = message(lambda: pl.softplus(x))
    assert "was given a NaN" in found
    assert HERE in found
    assert "smooth.py" not in found


def test_the_gradient_that_made_it_is_named_with_the_line_of_the_call() -> None:
    x = tensor(np.asarray([4.0, 0.0]))

    def run() -> None:
        y = NP.sqrt(x)  # the root of it
        NP.sum(y).backward()

    found = message(run)
    assert found.startswith("the gradient of `sqrt` by argument 0 made an infinity at (1,)")
    assert "the root of it" in found
    y = NP.sqrt(x)
    found = message(lambda: NP.sum(y).backward())
    assert "called in a line before `detect_anomaly`" in found


def test_functions_of_functions_are_watched_too() -> None:
    x = np.asarray([4.0, 0.0])
    assert "gradient of `sqrt`" in message(lambda: grad(lambda x: NP.sum(NP.sqrt(x)))(x))
    again = checkpoint(lambda x: NP.sum(NP.sqrt(x)))
    assert "gradient of `sqrt`" in message(lambda: grad(again)(x))
    wrong = custom_vjp(lambda x: x, lambda grad, out, x: (grad * np.inf,))
    assert "made an infinity" in message(lambda: grad(lambda x: NP.sum(wrong(x)))(x))


def test_a_recorded_gradient_is_watched() -> None:
    x = tensor(np.asarray([0.0]))

    def run() -> None:
        NP.sum(NP.sqrt(x)).backward(create_graph=True)

    with pytest.raises(FloatingPointError) as info, detect_anomaly():
        run()
    assert any("in the gradient of `sqrt`" in note for note in info.value.__notes__)


def test_infinities_that_were_given_pass() -> None:
    mask = np.asarray([0.0, -np.inf])
    x = tensor(np.asarray([1.0, 2.0]))
    with detect_anomaly():
        y = NP.exp(x + mask)
        z = NP.where(mask == 0.0, x, -np.inf)
        NP.sum(y).backward()
    assert z.tolist() == [1.0, -np.inf]


def test_a_gradient_given_with_a_nan_is_refused() -> None:
    x = tensor(np.asarray([1.0, 2.0]))
    found = message(lambda: (x * 2).backward(np.asarray([1.0, np.nan])))
    assert "given to the backward walk holds a NaN" in found


def test_it_is_off_outside_and_in_other_threads_and_leaves_no_trace() -> None:
    x = tensor(np.asarray([0.0]))
    found: list[Any] = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(NP.log(x).item()))
        thread.start()
        thread.join()
        with no_grad():
            assert NP.log(x).item() == -np.inf  # not recorded, not looked at
            with enable_grad(), pytest.raises(FloatingPointError):
                NP.log(x)
    assert found == [-np.inf]
    assert type(NP.log(x)._node) is Node


def test_what_cannot_be_read_is_said_once() -> None:
    da = pytest.importorskip("dask.array")
    jax = pytest.importorskip("jax")
    xp = namespace(da)
    x = tensor(da.zeros(3, chunks=2))
    with detect_anomaly(), pytest.warns(RuntimeWarning, match="lazy or traced") as caught:
        xp.log(xp.log(x))
    assert len(caught) == 1
    f = jax.jit(grad(lambda x: namespace(jax.numpy).log(x)))
    with detect_anomaly(), pytest.warns(RuntimeWarning, match="lazy or traced"):
        f(jax.numpy.zeros(()))


# ---- context ------------------------------------------------------------------------------------


def notes(f: Any, kind: type[Exception]) -> str:
    with pytest.raises(kind) as info:
        f()
    return "\n".join(info.value.__notes__)


def test_an_error_of_the_library_says_the_operation_and_the_shapes() -> None:
    x, y = tensor(np.ones((2, 3))), tensor(np.ones((4, 3)))
    assert "in `add` of (2, 3) float64, (4, 3) float64" in notes(lambda: x + y, ValueError)
    assert "in `subtract` of (5,) float64, (2, 3) float64" in notes(
        lambda: np.ones(5) - x, ValueError
    )
    assert "in `matmul` of (2, 3)" in notes(lambda: NP.matmul(x, y), ValueError)
    assert "in `concat` of (2, 3) float64, (3,)" in notes(lambda: NP.concat([x, y[0]]), ValueError)
    assert "in `sum` of (2, 3)" in notes(lambda: NP.sum(x, axis=5), np.exceptions.AxisError)
    assert "in `getitem` of (2, 3) float64, 7" in notes(lambda: x[7], IndexError)


def test_an_error_of_a_rule_says_whose_gradient_it_was() -> None:
    def fails(grad: Any, out: Any, x: Any) -> Any:
        msg = "out of luck"
        raise LookupError(msg)

    def unlucky(x: Any) -> Any:
        return x * 2

    x = tensor(np.ones(3))
    y = NP.sum(custom_vjp(unlucky, fails)(x))
    found = notes(y.backward, LookupError)
    assert "in the gradient of `unlucky` of (3,) float64 for a gradient of (3,) float64" in found
