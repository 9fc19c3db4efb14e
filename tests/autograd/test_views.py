"""Updates in place and views: what NumPy does, with right gradients, or a refusal."""

import random
from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import Tensor, grad, gradcheck, namespace, no_grad, tensor

NP = namespace(np)
X = np.asarray([1.0, 2.0, 3.0])


def through_a_slice(xp: Any, x: Any) -> Any:
    y = x * 2
    z = y[1:]
    z += x[:2] ** 2
    z[0] = x[2] * 3
    return xp.sum(y**2)


def through_a_slice_of_a_slice(xp: Any, x: Any) -> Any:
    y = x * 2
    z = y[1:][1:]
    z *= x[0]
    y[1:] -= x[1:]
    return xp.sum(y**3) + xp.sum(z)


def of_the_base(xp: Any, x: Any) -> Any:
    y = x * 2
    z = y[:2]
    y *= x
    return xp.sum(z**2)


def through_shapes(xp: Any, x: Any) -> Any:
    y = xp.reshape(x * x, (1, 3))
    z = xp.permute_dims(y, (1, 0))
    flipped = xp.flip(z, axis=0)
    flipped[0, :] = x[1] ** 3
    z += 1.0
    return xp.sum(y * xp.expand_dims(x, axis=0)) + xp.sum(flipped[0, :])


PROGRAMS = [through_a_slice, through_a_slice_of_a_slice, of_the_base, through_shapes]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_view_and_its_base_show_each_other(program: Any, array_library: Any) -> None:
    xp = namespace(array_library)
    x = array_library.asarray(X.tolist(), dtype=array_library.float64)
    expected = program(np, X.copy())
    value = program(xp, tensor(x, requires_grad=False))
    np.testing.assert_allclose(float(value), expected, rtol=1e-14)
    gradcheck(lambda x: program(xp, x), (x,), order=2, atol=1e-5)


def _random_program(xp: Any, x: Any, seed: int) -> Any:
    """Take views of one array and update them, the same for every `xp`; return all of them."""
    dice = random.Random(seed)
    arrays = [x * 1.0]
    for _ in range(14):
        a = arrays[dice.randrange(len(arrays))]
        key = dice.choice([(..., slice(1, None)), (slice(None, None, 2), ...), (0, ...), (..., -1)])
        kind = dice.randrange(9)
        if kind == 0 and a.ndim and min(a.shape) > 1:
            arrays.append(a[key])
        elif kind == 1:
            arrays.append(xp.permute_dims(a, tuple(reversed(range(a.ndim)))))
        elif kind == 2 and a.ndim:  # of no axes NumPy returns a number
            arrays.append(xp.flip(a))
        elif kind == 3:
            arrays.append(xp.reshape(a, (-1,)))
        elif kind == 4:
            arrays.append(xp.expand_dims(a, axis=0))
        elif kind == 5:
            a += 0.5
        elif kind == 6:
            a *= a + 1.5
        elif kind == 7 and a.ndim and min(a.shape) > 1:
            a[key] = a[key] * 0.25 + 1.0
        elif kind == 8 and a.ndim and min(a.shape) > 1:
            part = a[key]
            part -= 0.125
    return arrays


@pytest.mark.parametrize("seed", range(60))
def test_a_random_program_of_views_and_updates_does_what_numpy_does(seed: int) -> None:
    x = np.linspace(0.5, 1.5, 12).reshape(3, 4)
    expected = _random_program(np, x, seed)
    got = _random_program(NP, tensor(x), seed)
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine.array, theirs, rtol=1e-13)

    def total(xp: Any, x: Any) -> Any:
        return sum(xp.sum(a * (i + 1.0)) for i, a in enumerate(_random_program(xp, x, seed)))

    direction = np.cos(np.arange(12.0)).reshape(3, 4)
    slope: Any = np.sum(grad(lambda x: total(NP, x))(x) * direction)
    h = 1e-6 * direction
    difference = (total(np, x + h) - total(np, x - h)) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


def test_a_reshape_is_a_view_where_numpy_makes_one() -> None:
    y = tensor(np.ones((2, 3))) * 2
    flat = NP.reshape(y, (-1,))
    flat += 1
    assert y.tolist() == [[3.0] * 3] * 2
    turned = NP.reshape(y.T, (-1,))  # a copy in NumPy
    turned += 1
    assert y.tolist() == [[3.0] * 3] * 2
    y += 5
    assert turned.tolist() == [4.0] * 6


def test_a_reshape_that_may_be_a_copy_is_not_updated_where_nobody_can_say() -> None:
    strict = pytest.importorskip("array_api_strict")
    xp = namespace(strict)
    y = tensor(strict.ones((2, 3))) * 2
    turned = xp.reshape(y.T, (6,))
    with pytest.raises(RuntimeError, match="copy it with"):
        turned += 1
    y += 1
    with pytest.raises(RuntimeError, match="copy it with"):
        xp.sum(turned)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: NP.broadcast_to(y, (2, 3)),
        lambda y: NP.broadcast_arrays(y, np.ones((2, 3)))[0],
        lambda y: NP.real(y * 1j),
    ],
)
def test_what_cannot_be_updated_says_so(make: Any) -> None:
    y = tensor(X) * 2
    view = make(y)
    with pytest.raises(RuntimeError, match="is not updated in place"):
        view += 1
    assert y.tolist() == [2.0, 4.0, 6.0]


def test_several_views_at_once_follow_their_base() -> None:
    y = tensor(np.ones((2, 3))) * 2
    first, second = NP.unstack(y)
    (wide,) = NP.broadcast_arrays(y)
    first += 1
    y[1, 0] = 7.0
    assert y.tolist() == [[3.0, 3.0, 3.0], [7.0, 2.0, 2.0]]
    assert (second.tolist(), wide.tolist()) == ([7.0, 2.0, 2.0], y.tolist())


def test_a_single_entry_is_a_number_and_no_view() -> None:
    y = tensor(X) * 2
    number, row = y[0], NP.reshape(y, (1, 3))[0]
    number += 100.0
    assert y.tolist() == [2.0, 4.0, 6.0]
    row += 1.0
    assert y.tolist() == [3.0, 5.0, 7.0]
    for entry in y:
        entry += 100.0
    assert y.tolist() == [3.0, 5.0, 7.0]
    y[0, ...] += 1.0
    assert y.tolist() == [4.0, 5.0, 7.0]


def test_a_copy_is_no_view() -> None:
    y = tensor(X) * 2
    copies = [NP.asarray(y, copy=True), y + 0, y[y > 0], NP.take(y, np.arange(3)), y.detach()]
    for copied in copies:
        copied += 1
    assert y.tolist() == [2.0, 4.0, 6.0]
    y += 10
    assert [c.tolist() for c in copies] == [[3.0, 5.0, 7.0]] * len(copies)


def test_a_leaf_is_not_updated_through_a_view_of_it() -> None:
    x = tensor(X)
    view = x[1:]
    with pytest.raises(RuntimeError, match="a leaf that requires a gradient"):
        view += 1
    assert (x.tolist(), view.tolist()) == ([1.0, 2.0, 3.0], [2.0, 3.0])
    with no_grad():
        view = x[1:]
        view += 1
        x[:1] -= 1
    assert (x.tolist(), x.is_leaf, x.requires_grad) == ([0.0, 3.0, 4.0], True, True)
    assert not view.requires_grad  # it was taken as a constant
    NP.sum(x * x).backward()
    assert x.grad.tolist() == [0.0, 6.0, 8.0]


def test_a_view_of_a_constant_becomes_tracked_with_it() -> None:
    x = tensor(X)
    room = NP.zeros(3)
    part = room[1:]
    room[1] = x[0] * 5
    NP.sum(part).backward()
    assert x.grad.tolist() == [5.0, 0.0, 0.0]


def test_a_view_keeps_its_history_when_it_is_first_read_without_one() -> None:
    x = tensor(X)
    y = x * 2
    part = y[1:]
    y *= 3
    with no_grad():
        assert part.tolist() == [12.0, 18.0]
    NP.sum(part).backward()
    assert x.grad.tolist() == [0.0, 6.0, 6.0]


def test_what_was_saved_before_an_update_stays_as_it_was() -> None:
    x = tensor(X)
    y = x * 2
    part = y[1:]
    squared = part * part
    part *= 10
    y[0] = 0.0
    NP.sum(squared).backward()
    assert x.grad.tolist() == [0.0, 16.0, 24.0]


def test_a_view_keeps_shape_and_dtype() -> None:
    y = tensor(X) * 2
    part = y[1:]
    with pytest.raises(TypeError, match="keeps shape and dtype"):
        part += np.ones((2, 2))
    assert y.tolist() == [2.0, 4.0, 6.0]


def test_a_view_is_no_leaf() -> None:
    constant = tensor(X, requires_grad=False)
    with pytest.raises(RuntimeError, match="a view cannot become a leaf"):
        constant[1:].requires_grad_()


def test_a_chain_of_views_differentiates_and_keeps_nothing_alive() -> None:
    x = tensor(X)
    y = x
    for _ in range(3000):
        y = NP.flip(y)[...]
    NP.sum(y * X).backward()
    assert x.grad.tolist() == X.tolist()
    z = NP.ones(3)
    deep = z
    for _ in range(40):
        deep = deep[...]
    with pytest.raises(RuntimeError, match="copy it in between"):
        deep += 1
    z += 1
    with pytest.raises(RuntimeError, match="copy it in between"):
        _ = deep + 1


def test_an_update_of_a_part_costs_one_assignment(monkeypatch: pytest.MonkeyPatch) -> None:
    y = tensor(X) * 2
    y[1:] += 1.0
    assert isinstance(y, Tensor)
    node: Any = y._node
    assert node.operation.name == "setitem"
    assert node.parents[0].operation.name == "multiply"  # not a second assignment
