"""Graphs: how they are walked, kept, freed and protected; the imperative face."""

import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import Tensor, enable_grad, grad, namespace, no_grad, tensor
from portable_losses.autograd.graph.node import reachable

NP = namespace(np)


class Witness(np.ndarray):
    pass


def leaf(*values: float) -> Tensor:
    return tensor(np.asarray(values))


def values_of(x: Any) -> list[float]:
    assert isinstance(x, Tensor)
    return list(x.tolist())


def test_backward_collects_at_every_leaf() -> None:
    x, y, constant = leaf(1.0, 2.0), leaf(3.0, 4.0), np.asarray([5.0, 6.0])
    NP.sum(x * y * constant + x).backward()
    assert values_of(x.grad) == [16.0, 25.0]
    assert values_of(y.grad) == [5.0, 12.0]


def test_gradients_add_up_until_they_are_zeroed() -> None:
    x = leaf(2.0)
    for _ in range(2):
        NP.sum(x * x).backward()
    assert values_of(x.grad) == [8.0]
    x.zero_grad()
    assert x.grad is None
    x.grad = np.asarray([1.0])
    NP.sum(x * x).backward()
    assert values_of(x.grad) == [5.0]


def test_a_chain_of_twenty_thousand_operations_needs_no_recursion() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1e-4
    y.backward()
    assert values_of(x.grad) == [1.0]
    z = x
    for _ in range(20_000):
        z = z * 1.0
    del z  # freed without having been walked


def test_a_graph_dies_with_its_last_reference() -> None:
    def build() -> tuple[Tensor, Tensor]:
        x = tensor(np.ones(3).view(Witness))
        return x, NP.sum(NP.exp(x) * x[1:2] + NP.concat([x, x])[:3])

    build()  # what is made once is made now
    gc.collect()
    gc.disable()
    try:
        x, y = build()
        alive = weakref.ref(x.array)
        y.backward(retain_graph=True)
        grad = x.grad
        del x, y
        assert alive() is None
        del grad
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_backward_lets_go_of_what_it_needed() -> None:
    x = leaf(1.0)
    middle = NP.exp(x)
    y = middle * middle
    y.backward()
    assert y._node is not None
    assert y._node.args is None
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        NP.sum(middle).backward()


def test_a_second_walk_that_fails_changes_no_gradient() -> None:
    x = leaf(1.0)
    middle = NP.exp(x)
    (middle * 2.0).backward()
    before = values_of(x.grad)
    with pytest.raises(RuntimeError):
        (x * middle).backward()
    assert values_of(x.grad) == before


def test_a_retained_graph_is_walked_twice() -> None:
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert values_of(x.grad) == [12.0]


def test_created_gradients_are_differentiated_again() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first is not None
    x.zero_grad()
    first.backward()
    assert values_of(x.grad) == [12.0]


def test_more_than_one_entry_needs_a_gradient_to_begin_with() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    with pytest.raises(ValueError, match=r"shape \(2,\) needs a `gradient`"):
        y.backward()
    with pytest.raises(ValueError, match=r"`gradient` must have shape \(2,\)"):
        y.backward(np.ones(3))
    y.backward(np.asarray([1.0, 10.0]))
    assert values_of(x.grad) == [2.0, 40.0]


def test_backward_of_a_constant_is_refused() -> None:
    with pytest.raises(RuntimeError, match="needs a tracked Tensor"):
        tensor(np.ones(1), requires_grad=False).backward()


def test_results_know_whether_they_are_leaves() -> None:
    x = leaf(1.0)
    y = x * 2
    assert (x.is_leaf, y.is_leaf, y.detach().is_leaf) == (True, False, True)
    assert (x.requires_grad, y.requires_grad, y.detach().requires_grad) == (True, True, False)


def test_only_a_retained_gradient_is_kept_between() -> None:
    x = leaf(2.0)
    kept, other = x * 3.0, x * 5.0
    kept.retain_grad()
    (kept * other).backward()
    assert values_of(kept.grad) == [10.0]
    assert other.grad is None


def test_a_hook_sees_and_replaces_the_gradient() -> None:
    seen: list[list[float]] = []
    x = leaf(2.0)
    y = x * 3.0

    def double(g: Tensor) -> Tensor:
        seen.append(values_of(g))
        return g * 2

    hook = y.register_hook(double)
    (y * 1.0).backward(retain_graph=True)
    assert (seen, values_of(x.grad)) == ([[1.0]], [6.0])
    hook.remove()
    hook.remove()
    x.zero_grad()
    (y * 1.0).backward()
    assert values_of(x.grad) == [3.0]


def test_nothing_is_recorded_under_no_grad() -> None:
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad
        assert not NP.exp(x).requires_grad
        assert not x[0].requires_grad
        assert not NP.stack([x, x]).requires_grad
        assert not NP.prod(x).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @no_grad()
    def decorated() -> Tensor:
        return x * 2

    assert not decorated().requires_grad
    assert not decorated().requires_grad


def test_no_grad_belongs_to_its_thread() -> None:
    x = leaf(1.0)
    found: list[bool] = []
    with no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert found == [True]


def test_threads_record_graphs_of_their_own() -> None:
    results: dict[int, list[float]] = {}

    def work(i: int) -> None:
        x = leaf(float(i))
        for _ in range(50):
            x.zero_grad()
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            NP.sum(y * y).backward()
        results[i] = values_of(x.grad)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: [2.0 * 21 * 21 * i] for i in range(6)}


def test_gradients_share_no_memory() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (x + y).backward(seed)
    assert x.grad is not None
    assert y.grad is not None
    x.grad.array[0] = 7.0
    assert values_of(y.grad) == [1.0, 1.0]
    assert list(seed) == [1.0, 1.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: NP.sum(x),
        lambda x: NP.sum(NP.reshape(x, (2, 2)) + 1.0),
        lambda x: NP.mean(NP.broadcast_to(x, (3, 4))),
        lambda x: NP.sum(NP.concat([x, x])),
    ],
)
def test_a_gradient_may_be_written_to(f: Any) -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    f(x).backward()
    assert x.grad is not None
    before = x.grad.array.copy()
    x.grad.array[0] += 1.0  # neither read-only nor the same memory as its neighbours
    np.testing.assert_array_equal(x.grad.array - before, [1.0, 0.0, 0.0, 0.0])


def test_an_update_in_place_leaves_earlier_results_alone() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    squared = y * y
    part = y[:2]
    y[0] = 100.0
    y += x
    assert y.tolist() == [101.0, 6.0, 9.0]
    assert part.tolist() == [101.0, 6.0]  # a view, as in NumPy
    (NP.sum(squared) + NP.sum(y) * 10.0).backward()
    np.testing.assert_array_equal(x.grad.array, [8.0 + 10.0, 16.0 + 30.0, 24.0 + 30.0])


def test_the_gradient_of_an_assigned_value_is_what_arrives_there() -> None:
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = x * 2
    y[1:] = v
    NP.sum(y * np.asarray([1.0, 10.0, 100.0])).backward()
    assert values_of(x.grad) == [2.0, 0.0, 0.0]
    assert values_of(v.grad) == [110.0]


def test_of_two_values_for_one_place_the_last_has_the_gradient() -> None:
    x, v = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 2
    y[np.asarray([0, 0])] = v
    NP.sum(y * np.asarray([10.0, 1.0])).backward()
    assert y.tolist() == [4.0, 4.0]
    assert (values_of(x.grad), values_of(v.grad)) == ([0.0, 2.0], [0.0, 10.0])


def test_a_leaf_is_updated_in_place_under_no_grad_only() -> None:
    x = leaf(1.0, 2.0)
    NP.sum(x * x).backward()
    with pytest.raises(RuntimeError, match="no_grad"):
        x -= 1.0
    with pytest.raises(RuntimeError, match="no_grad"):
        x[0] = 1.0
    same = x
    with no_grad():
        x -= 0.5 * x.grad
    assert same is x
    assert x.is_leaf
    assert x.requires_grad
    assert (x.tolist(), values_of(x.grad)) == ([0.0, 0.0], [2.0, 4.0])


def test_an_update_in_place_keeps_shape_and_dtype() -> None:
    y = leaf(1.0) * 2
    with pytest.raises(TypeError, match="keeps shape and dtype"):
        y += np.ones((2, 1))
    whole = tensor(np.ones(2, dtype=np.int64), requires_grad=False)
    with pytest.raises(TypeError, match="keeps shape and dtype"):
        whole += 0.5


def test_leaves_are_copied_and_pickled_and_results_lose_their_history() -> None:
    x = leaf(1.0, 2.0)
    copied, loaded = copy.deepcopy(x), pickle.loads(pickle.dumps(x))
    for other in (copied, loaded):
        assert (other.requires_grad, other.is_leaf, other.tolist()) == (True, True, [1.0, 2.0])
    copied.array[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    assert copy.copy(x)._node is x._node
    with pytest.raises(RuntimeError, match="only leaves"):
        copy.deepcopy(x * 2)
    assert not pickle.loads(pickle.dumps((x * 2).detach())).requires_grad
    left_behind = pickle.loads(pickle.dumps(x * 2))  # the values, and no history
    assert (left_behind.is_leaf, left_behind.requires_grad) == (True, True)


def test_a_walk_that_meets_a_freed_node_collects_nothing() -> None:
    x = leaf(1.0, 2.0)
    shared = NP.exp(x)
    kept = shared * 2.0
    kept.retain_grad()
    first, second = NP.sum(shared), NP.sum(kept) + NP.sum(x)
    first.backward()
    before = values_of(x.grad)
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        second.backward()
    assert kept.grad is None
    assert values_of(x.grad) == before


def test_a_freed_graph_within_a_differentiated_function_is_no_constant() -> None:
    def loss(x: Any) -> Any:
        inner = NP.sum(NP.exp(x))
        inner.backward()
        return inner * 2.0

    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        grad(loss)(np.asarray([0.0, 1.0]))


def test_a_freed_node_shows_its_hook_nothing() -> None:
    x = leaf(1.0)
    y = NP.exp(x)
    seen: list[Any] = []
    y.register_hook(seen.append)
    first, second = NP.sum(y), NP.sum(y)
    first.backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        second.backward()
    assert len(seen) == 1


def test_a_walk_completes_a_gradient_before_it_hands_it_on() -> None:
    x = leaf(0.5, -1.0)
    y = x * 1.0
    a = NP.exp(y)  # young and old users of y, in one graph with a chain between them
    z = NP.sin(NP.cos(NP.exp(y * a))) + y
    NP.sum(a * z + y).backward()

    def loss(v: Any) -> Any:
        e = np.exp(v)
        return (np.sin(np.cos(np.exp(v * e))) + v) * e + v

    at, h = np.asarray([0.5, -1.0]), 1e-6
    np.testing.assert_allclose(
        x.grad.array, (loss(at + h) - loss(at - h)) / (2 * h), rtol=1e-8, atol=1e-8
    )


def test_a_walk_visits_the_newest_node_first() -> None:
    x = leaf(1.0)
    y = NP.exp(x) * x + x
    assert y._node is not None
    numbers = [node.number for node in reachable([y._node]).order]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
