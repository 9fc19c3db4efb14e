"""What stands beside a Tensor in NumPy's functions: taken where the Tensor is, or refused."""

import operator
from collections.abc import Callable
from importlib import import_module
from typing import Any

import array_api_compat
import numpy as np
import pytest

from portable_losses.autograd import Tensor, tensor
from tests.autograd.numpy_calls import OVER, Call, floating_arrays, on_tensors
from tests.libraries import EVERY_ROW, Library, named

FILES = "calculus elementwise linear_algebra products reductions shapes sorting statistics"
CASES: list[Call] = [
    one
    for file in FILES.split()
    for one in import_module(f"tests.autograd.test_numpy_{file}").CASES
]
FIRST = {one.name: one for one in reversed(CASES)}
SEVERAL = [one for one in CASES if len(floating_arrays(one)) > 1]


@pytest.mark.parametrize("library", [named("torch"), named("array_api_strict")], ids=str)
def test_no_floating_array_of_another_library_is_converted(library: Library) -> None:
    calls = [one for one in SEVERAL if library.name not in one.not_on]
    assert len({one.name for one in calls}) > 80
    for one in calls:
        found = floating_arrays(one)
        for foreign in range(len(found)):
            leaves = [x if i == foreign else tensor(library.array(x)) for i, x in enumerate(found)]
            with pytest.raises(TypeError, match="arrays of two libraries meet"):
                on_tensors(one, library, *leaves)


@pytest.mark.parametrize("one", CASES if EVERY_ROW else FIRST.values(), ids=str)
def test_arrays_of_integers_and_truth_values_go_where_the_tensor_is(one: Call) -> None:
    found = floating_arrays(one)
    if not found or "array_api_strict" in one.not_on:
        return
    library = named("array_api_strict, device1")
    leaves = [tensor(library.array(x)) for x in found]
    for out in on_tensors(one._replace(constants=False), library, *leaves):
        if isinstance(out, Tensor):
            assert array_api_compat.device(out.array) == leaves[0].device


@pytest.mark.parametrize("library", OVER, ids=str)
@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "**", "//", "<", "<=", "==", "!=", ">"])
def test_operators_take_numpy_integers_and_no_floating_array(sign: str, library: Library) -> None:
    signs: dict[str, Callable[[Any, Any], Any]] = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "**": operator.pow,
        "//": operator.floordiv,
        "<": operator.lt,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
        ">": operator.gt,
    }
    x, counts = np.asarray([0.5, 2.0, 4.0]), np.asarray([1, 2, 3])
    mine = tensor(library.array(x))
    both = signs[sign](counts, mine), signs[sign](x, counts)
    np.testing.assert_allclose(library.numpy(both[0]), signs[sign](counts, x))
    if library.name != "numpy":
        for left, right in ((mine, x), (x, mine)):
            with pytest.raises(TypeError, match="arrays of two libraries meet"):
                signs[sign](left, right)
