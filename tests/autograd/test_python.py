"""What Python asks of a Tensor: numbers, iteration, copies, pickles, texts, other libraries."""

import copy
import math
import operator
import pickle
from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import Tensor, namespace, tensor, value_and_grad
from portable_losses.autograd.tensors import python

NP = namespace(np)


def of(library: Any, values: Any, dtype: str = "float64") -> Any:
    return library.asarray(values, dtype=getattr(library, dtype))


def test_one_entry_is_a_python_number(array_library: Any) -> None:
    x = tensor(of(array_library, 2.5))
    assert (float(x), int(x), bool(x), complex(x), x.item()) == (2.5, 2, True, 2.5 + 0j, 2.5)
    index = tensor(of(array_library, 1, "int64"), requires_grad=False)
    assert [10, 20][index] == 20
    with pytest.raises(TypeError):
        operator.index(x)


def test_several_entries_are_no_number() -> None:
    x = tensor(np.ones(2))
    for convert in (float, int, bool):
        with pytest.raises((TypeError, ValueError)):
            convert(x)


def test_a_number_that_left_the_tape_is_no_result() -> None:
    with pytest.raises(ValueError, match="must return a Tensor, got float"):
        value_and_grad(float)(np.asarray(2.0))


def test_length_and_iteration_go_along_the_first_axis(array_library: Any) -> None:
    x = tensor(of(array_library, [[1.0, 2.0], [3.0, 4.0]]))
    assert len(x) == 2
    assert [row.tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    assert all(row.requires_grad for row in x)
    assert [float(v) for v in x[0, :]] == [1.0, 2.0]
    scalar = tensor(of(array_library, 1.0))
    for use in (len, iter):
        with pytest.raises(TypeError, match="without axes"):
            use(scalar)


@pytest.mark.parametrize(
    "leave, error",
    [
        (np.asarray, TypeError),
        (lambda x: np.array([x, x]), TypeError),
        (lambda x: np.array([x[0], x[1]], dtype=object), TypeError),
        (lambda x: np.vectorize(abs)(x), TypeError),
        (lambda x: np.zeros(2).__setitem__(slice(None), x), TypeError),
        (lambda x: np.add(np.ones(2), 1.0, out=np.ones(2)).__iadd__(x), TypeError),
        (np.from_dlpack, BufferError),
    ],
)
def test_a_tracked_tensor_is_not_converted(leave: Any, error: type[Exception]) -> None:
    x = tensor(np.ones(2))
    with pytest.raises(error):
        leave(x)
    if leave is np.asarray:
        with pytest.raises(error, match=r"use `.detach\(\)`"):
            leave(x)
        assert np.asarray(x.detach(), dtype=np.float32).tolist() == [1.0, 1.0]
    if leave is np.from_dlpack:
        assert leave(x.detach()).tolist() == [1.0, 1.0]


def stores(statement: str) -> Any:
    """Return a function of an array `b` and a number `v` that runs a statement."""
    return lambda b, v: exec(statement, {"b": b, "v": v})


STORES: dict[str, Any] = {
    "place": stores("b[0] = v"),
    "slice": stores("b[0:1] = v"),
    "mask": stores("b[b == 0] = v"),
    "list": stores("b[[0, 1]] = v"),
    "several": stores("b[0], b[1] = v, v"),
    "flat": stores("b.flat[0] = v"),
    "put": lambda b, v: np.put(b, 0, v),
    "array": lambda b, v: np.array([v, 2.0]),
    "full": lambda b, v: np.full(3, v),
    "out": lambda b, v: np.add(1.0, v, out=b),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64", "bool"])
def test_a_tracked_number_is_not_stored_where_its_gradient_would_be_lost(
    store: str, dtype: str
) -> None:
    numbers: Any = np.zeros(3, dtype)
    v = tensor(np.asarray(3.0))
    # NumPy raises its own ValueError, from ours, where the element could be a sequence
    with pytest.raises((TypeError, ValueError)) as raised:
        STORES[store](numbers, v)
    first: BaseException = raised.value
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    if store != "flat":  # there NumPy forgets the error
        assert "its gradient would be lost" in str(first)
    assert not numbers.any()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next tracked number that becomes one of Python's warn, as in a new process."""
    monkeypatch.setattr(python, "_SAID", [])


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    "leave",
    [float, int, complex, math.exp, lambda v: np.zeros(3).fill(v)],
)
def test_a_tracked_number_that_becomes_one_of_python_s_warns_once(leave: Any) -> None:
    v = tensor(np.asarray(3.0))
    with pytest.warns(UserWarning, match=r"`\.item\(\)` says that this is meant.*np\.stack"):
        leave(v)
    leave(v)


@pytest.mark.usefixtures("silent")
def test_nothing_warns_where_no_gradient_is_lost() -> None:
    v = tensor(np.asarray(3.0))
    assert (v.item(), float(v.detach()), bool(v), f"{v:.2f}") == (3.0, 3.0, True, "3.00")


def test_a_number_that_is_asked_for_may_be_stored() -> None:
    v, numbers = tensor(np.asarray(3.0)), np.zeros(6)
    numbers[1] = numbers[0] = v.item()
    numbers[2] = v.detach()
    numbers[int(v.item())] = 1.0
    numbers[4] = v.item() + v.item()
    held: list[Any] = [None]
    held[0] = v
    assert numbers.tolist() == [3.0, 3.0, 3.0, 1.0, 6.0, 0.0]
    assert held[0].requires_grad


def test_the_text_says_library_dtype_device_and_whether_it_is_tracked() -> None:
    torch = pytest.importorskip("torch")
    x = tensor(np.asarray([1.0, 2.0]))
    assert repr(x) == "Tensor(array([1., 2.]), numpy float64 on cpu, tracked)"
    assert repr(x.detach()) == "Tensor(array([1., 2.]), numpy float64 on cpu)"
    assert (
        repr(tensor(torch.ones(1))) == "Tensor(tensor([1.]), torch torch.float32 on cpu, tracked)"
    )


def test_copies_and_pickles() -> None:
    x = tensor(np.ones(2))
    y = x * 2
    twin = copy.copy(x)
    NP.sum(twin * y).backward()
    assert twin.grad.tolist() == x.grad.tolist() == [4.0, 4.0]  # one leaf, one gradient
    deep = copy.deepcopy([x, x])
    assert deep[0] is deep[1]
    assert (deep[0].is_leaf, deep[0].requires_grad, deep[0].grad) == (True, True, None)
    view = pickle.loads(pickle.dumps(x[:1]))
    assert (type(view), view.tolist(), view.requires_grad) == (Tensor, [1.0], True)


def test_requires_grad_is_set_on_leaves() -> None:
    x = tensor(np.ones(2), requires_grad=False)
    assert x.requires_grad_() is x
    NP.sum(x * x).backward()
    assert x.grad.tolist() == [2.0, 2.0]
    x.requires_grad = False
    assert not (x * 2).requires_grad
    y = tensor(np.ones(2)) * 2
    y.requires_grad = True  # it does already
    with pytest.raises(RuntimeError, match="only a leaf"):
        y.requires_grad = False
    with pytest.raises(TypeError, match="floating"):
        tensor(np.asarray([1]), requires_grad=False).requires_grad_()


def test_a_hook_on_a_leaf_sees_the_whole_gradient_and_must_fit() -> None:
    x = tensor(np.ones(2))
    seen: list[Any] = []
    first = x.register_hook(lambda g: seen.append(g.tolist()))
    second = x.register_hook(lambda g: g * 10)
    NP.sum(x * x + x).backward()
    assert (seen, x.grad.tolist()) == ([[3.0, 3.0]], [30.0, 30.0])
    first.remove()
    second.remove()
    x.register_hook(lambda g: g[:1])
    with pytest.raises(ValueError, match=r"a hook must return a gradient of shape \(2,\)"):
        NP.sum(x * x).backward()


def test_a_retained_gradient_follows_an_update() -> None:
    y = tensor(np.ones(2)) * 2
    y.retain_grad()
    y *= 3
    NP.sum(y * y).backward()
    assert y.grad.tolist() == [12.0, 12.0]
