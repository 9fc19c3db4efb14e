"""Modules: what they find, what they save, and what assignment does."""

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

from portable_losses import nn, optim
from portable_losses.autograd import tensor
from tests.libraries import Library


class Scaled(nn.Module):
    """A module below a module, a parameter of its own, and something that is neither."""

    def __init__(self, library: Library) -> None:
        self.inner = nn.Sequential(linear(library, 3, 4), nn.Tanh(), linear(library, 4, 2, seed=1))
        self.scale = nn.Parameter(library.array(np.asarray([2.0, 3.0])))
        self.name = "scaled"

    def forward(self, x: Any) -> Any:
        return self.scale * self.inner(x)


def linear(library: Library, inputs: int, outputs: int, *, seed: int = 0) -> nn.Linear:
    return nn.Linear(
        inputs,
        outputs,
        xp=library.xp,
        dtype=library.xp.float64,
        device=library._device(),
        rng=seed,
    )


def test_parameters_are_found_by_dotted_name_in_order_of_assignment(library: Library) -> None:
    names = [name for name, _ in Scaled(library).named_parameters()]
    assert names == ["scale", "inner.0.weight", "inner.0.bias", "inner.2.weight", "inner.2.bias"]


def test_gradients_reach_every_parameter_from_a_plain_array(library: Library) -> None:
    model = Scaled(library)
    out = model(library.array(np.ones((5, 3))))
    out.__array_namespace__().sum(out).backward()
    assert [p.grad.shape for p in model.parameters()] == [p.shape for p in model.parameters()]
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [None] * 5


def test_a_module_takes_tensors_as_well_and_carries_their_gradient(library: Library) -> None:
    layer = linear(library, 3, 1)
    x = tensor(library.array(np.ones((2, 3))))
    out = layer(x)
    out.__array_namespace__().sum(out).backward()
    expected = np.broadcast_to(library.numpy(layer.weight), (2, 3))
    np.testing.assert_allclose(library.numpy(x.grad), expected, rtol=1e-15)


def test_an_array_assigned_to_a_parameter_becomes_its_value(library: Library) -> None:
    layer = linear(library, 3, 2)
    before = layer.weight
    layer.weight = library.array(np.ones((2, 3)))
    layer.bias = tensor(library.array(np.zeros(2)))
    assert layer.weight is before
    assert isinstance(layer.bias, nn.Parameter)
    out = layer(library.array(np.ones((1, 3))))
    np.testing.assert_array_equal(library.numpy(out), [[3.0, 3.0]])


def test_an_optimiser_goes_on_with_a_parameter_that_was_assigned_to() -> None:
    layer = nn.Linear(1, 1, bias=False, rng=0)
    optimizer = optim.SGD(layer.parameters(), lr=1.0)
    layer.weight = np.asarray([[5.0]])
    layer(np.asarray([[2.0]])).backward()
    optimizer.step()
    assert layer.weight.array.tolist() == [[3.0]]


def test_assigning_forgets_the_gradient_of_the_old_value() -> None:
    layer = nn.Linear(1, 1, rng=0)
    layer(np.asarray([[2.0]])).backward()
    layer.weight = np.asarray([[5.0]])
    assert layer.weight.grad is None


def test_a_parameter_assigned_to_a_parameter_replaces_the_object() -> None:
    first, second = nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)
    first.weight = second.weight
    assert first.weight is second.weight
    both = nn.Sequential(first, second)
    assert len(list(both.parameters())) == 3
    assert list(both.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_bias_that_was_left_out_may_be_assigned_later() -> None:
    layer = nn.Linear(2, 1, bias=False, rng=0)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.bias = np.asarray([1.0])
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_what_has_no_real_numbers_is_not_assigned_to_a_parameter() -> None:
    layer = nn.Linear(2, 1, rng=0)
    with pytest.raises(TypeError, match="an array is needed, got str"):
        layer.weight = "text"
    with pytest.raises(TypeError, match="`data` must have a real floating dtype, got complex128"):
        layer.weight = np.asarray([[1j, 2]])


def test_numbers_become_a_parameter_like_the_one_they_are_assigned_to(library: Library) -> None:
    layer = linear(library, 2, 1)
    before = layer.weight
    layer.weight = [[1, 2]]
    assert layer.weight is before
    assert layer.weight.dtype == library.xp.float64
    np.testing.assert_array_equal(library.numpy(layer.weight), [[1.0, 2.0]])
    assert nn.Parameter([1, 2]).array.tolist() == [1.0, 2.0]


def test_a_recorded_result_is_not_assigned_to_a_parameter() -> None:
    layer = nn.Linear(2, 1, rng=0)
    with pytest.raises(ValueError, match=re.escape("got a recorded result; use `.detach()`")):
        layer.weight = layer.weight * 2


def test_state_is_a_snapshot_and_can_be_loaded(library: Library) -> None:
    model, other = Scaled(library), Scaled(library)
    x = library.array(np.ones((5, 3)))
    state = model.state_dict()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    out = model(x)
    out.__array_namespace__().sum(out).backward()
    optimizer.step()
    trained = library.numpy(model(x))
    assert not np.allclose(trained, library.numpy(other(x)))
    assert other.load_state_dict(model.state_dict()) == ([], [])
    np.testing.assert_array_equal(library.numpy(other(x)), trained)
    model.load_state_dict(state)
    np.testing.assert_array_equal(library.numpy(model.scale), [2.0, 3.0])


def test_a_state_with_other_names_is_refused_with_all_of_them() -> None:
    layer = nn.Linear(2, 1, rng=0)
    message = "`state` must have the names of Linear, got missing: ['bias'], unexpected: ['b']"
    with pytest.raises(ValueError, match=re.escape(message)):
        layer.load_state_dict({"weight": np.ones((1, 2)), "b": np.ones(1)})
    found = layer.load_state_dict({"weight": np.ones((1, 2)), "b": np.ones(1)}, strict=False)
    assert (found.missing, found.unexpected) == (["bias"], ["b"])
    assert layer.weight.array.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    "weight, error, message",
    [
        (np.ones((2, 1)), ValueError, "`weight` must have shape (1, 2), got (2, 1)"),
        (np.ones((1, 2), np.float32), TypeError, "`weight` must have dtype float64, got float32"),
        ([[1.0, 2.0]], TypeError, "an array is needed, got list"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    weight: Any, error: type[Exception], message: str
) -> None:
    layer = nn.Linear(2, 1, rng=0)
    before = layer.state_dict()
    with pytest.raises(error, match=re.escape(message)):
        layer.load_state_dict({"bias": np.ones(1), "weight": weight})
    assert all(value is before[name] for name, value in layer.state_dict().items())


def test_a_state_of_another_library_is_refused(library: Library) -> None:
    if library.module == "numpy":
        state: Any = {"weight": pytest.importorskip("torch").ones((1, 2)), "bias": None}
        layer = nn.Linear(2, 1, rng=0)
    else:
        state = nn.Linear(2, 1, rng=0).state_dict()
        layer = linear(library, 2, 1)
    with pytest.raises(TypeError, match="`weight` must be an array of"):
        layer.load_state_dict(state)


def test_a_state_on_another_device_is_refused() -> None:
    strict = pytest.importorskip("array_api_strict")
    layer = nn.Linear(2, 1, xp=strict, rng=0)
    elsewhere = nn.Linear(2, 1, xp=strict, device=strict.Device("device1"), rng=0)
    with pytest.raises(TypeError, match="`weight` must be on device"):
        layer.load_state_dict(elsewhere.state_dict())


def test_to_moves_and_converts_every_parameter() -> None:
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    model = nn.Sequential(nn.Linear(2, 2, xp=strict, rng=0), nn.Linear(2, 1, xp=strict, rng=0))
    assert model.to(device=device, dtype=strict.float32) is model
    assert {(p.device, p.dtype) for p in model.parameters()} == {(device, strict.float32)}
    assert all(p.requires_grad for p in model.parameters())


def test_training_is_a_flag_of_every_module_below() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    assert model.training
    assert model.eval() is model
    assert [module.training for module in model.modules()] == [False] * 4
    model.train()
    assert [module.training for module in model.modules()] == [True] * 4


def test_apply_calls_a_function_with_every_module_the_inner_ones_first() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    seen: list[str] = []
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_a_module_that_is_used_twice_is_listed_once() -> None:
    layer = nn.Linear(2, 2, rng=0)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert len(list(model.parameters())) == 2


def test_a_module_without_forward_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="Module must define `forward`"):
        nn.Module()(1)


def test_a_copy_of_a_module_has_parameters_of_its_own() -> None:
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.ReLU())
    twin = copy.deepcopy(model)
    next(twin.parameters()).array[0, 0] = 7.0
    assert next(model.parameters()).array[0, 0] != 7.0
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())


def test_a_shallow_copy_of_a_parameter_shares_its_gradient() -> None:
    p = nn.Parameter(np.asarray(3.0))
    twin = copy.copy(p)
    (twin * twin).backward()
    assert p.grad.item() == 6.0


def test_a_module_can_be_pickled() -> None:
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.GELU(approximate="tanh"))
    model.scale = nn.Parameter(np.ones(2), requires_grad=False)
    again = pickle.loads(pickle.dumps(model))
    x = np.ones((3, 2))
    np.testing.assert_array_equal(again(x).array, model(x).array)
    assert [p.requires_grad for p in again.parameters()] == [False, True, True]


def test_a_parameter_without_gradient_stays_without_when_it_is_copied_or_replaced() -> None:
    frozen = nn.Parameter(np.ones(2), requires_grad=False)
    assert not copy.deepcopy(frozen).requires_grad
    assert not copy.copy(frozen).requires_grad
    assert not frozen.replace(np.zeros(2)).requires_grad


def test_a_module_shows_what_it_is_made_of() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Flatten(), nn.Identity())
    assert repr(model) == (
        "Sequential(Linear(2, 3, bias=False), Flatten(start_axis=1, end_axis=-1), Identity())"
    )
    assert repr(nn.LeakyReLU(negative_slope=0.2)) == "LeakyReLU(negative_slope=0.2)"
