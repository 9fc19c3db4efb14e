"""Optimisers: PyTorch's numbers on every library, groups, state, errors."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from portable_losses import nn, optim
from portable_losses.autograd import tensor
from tests.conftest import QUICK
from tests.libraries import LIBRARIES, Library

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.2}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2}),
    ("Adam", {}),
    ("Adam", {"lr": 0.3, "betas": (0.5, 0.7), "eps": 1e-3, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.1, "betas": (0.9, 0.3), "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.3, "weight_decay": 0.5, "amsgrad": True}),
]
NAMES = [f"{name} {options}" for name, options in SETTINGS]
STEPS = 6
START = np.asarray([[1.0, -2.0, 0.5], [3.0, 0.0, -0.25]])
GRADS = (
    np.random.default_rng(0).standard_normal((STEPS, 2, 3))
    * 10.0 ** np.arange(-2, 4)[:, None, None]
)


@cache
def torchs_steps(setting: int) -> list[Any]:
    torch = pytest.importorskip("torch")
    name, options = SETTINGS[setting]
    p = torch.nn.Parameter(torch.asarray(START.copy()))
    optimizer = getattr(torch.optim, name)([p], **options)
    steps: list[Any] = []
    for grad in GRADS:
        p.grad = torch.asarray(grad.copy())
        optimizer.step()
        steps.append(p.detach().numpy().copy())
    return steps


def made(setting: int, params: Any) -> optim.Optimizer:
    name, options = SETTINGS[setting]
    optimizer: optim.Optimizer = getattr(optim, name)(params, **options)
    return optimizer


def walk(library: Library, p: nn.Parameter, optimizer: optim.Optimizer, grads: Any) -> list[Any]:
    steps: list[Any] = []
    for grad in grads:
        p.grad = library.array(grad)
        optimizer.step()
        steps.append(library.numpy(p))
    return steps


@pytest.mark.parametrize("setting", range(len(SETTINGS)), ids=NAMES)
def test_every_step_is_pytorchs(library: Library, setting: int) -> None:
    p = nn.Parameter(library.array(START))
    steps = walk(library, p, made(setting, [p]), GRADS)
    np.testing.assert_allclose(steps, torchs_steps(setting), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("setting", [3, 6], ids=[NAMES[3], NAMES[6]])
def test_a_step_works_in_every_year_of_the_standard(every_library: Library, setting: int) -> None:
    p = nn.Parameter(every_library.array(START))
    steps = walk(every_library, p, made(setting, [p]), GRADS[:2])
    np.testing.assert_allclose(steps, torchs_steps(setting)[:2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("setting", range(len(SETTINGS)), ids=NAMES)
def test_dtype_and_device_are_kept(library: Library, setting: int) -> None:
    p = nn.Parameter(library.array(START, "float32"))
    device = p.device
    p.grad = library.array(GRADS[0], "float32")
    made(setting, [p]).step()
    assert p.dtype == library.xp.float32
    assert p.device == device


@pytest.mark.parametrize("setting", range(len(SETTINGS)), ids=NAMES)
def test_nothing_of_the_callers_is_written_to(setting: int) -> None:
    start, grad = START.copy(), GRADS[0].copy()
    p = nn.Parameter(start)
    p.grad = grad
    optimizer = made(setting, [p])
    optimizer.step()
    optimizer.step()
    np.testing.assert_array_equal(start, START)
    np.testing.assert_array_equal(grad, GRADS[0])


@pytest.mark.parametrize("setting", range(len(SETTINGS)), ids=NAMES)
def test_training_goes_on_from_a_saved_state(setting: int) -> None:
    first = nn.Parameter(START.copy())
    half = made(setting, [first])
    numpy = Library("numpy", "numpy")
    walk(numpy, first, half, GRADS[:3])
    second = nn.Parameter(first.array)
    other = made(setting, [second])
    other.load_state_dict(half.state_dict())
    expected = walk(numpy, first, half, GRADS[3:])
    np.testing.assert_array_equal(walk(numpy, second, other, GRADS[3:]), expected)


def test_a_saved_state_does_not_change_with_later_steps() -> None:
    p = nn.Parameter(START.copy())
    optimizer = optim.Adam([p])
    p.grad = GRADS[0]
    optimizer.step()
    saved = optimizer.state_dict()
    moment = saved["state"][0]["exp_avg"].copy()
    optimizer.step()
    assert saved["state"][0]["step"] == 1
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], moment)


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    optimizer = optim.Adam([p, q], weight_decay=0.5)
    p.grad = np.ones(2)
    optimizer.step()
    assert q.array.tolist() == [1.0, 1.0]
    assert optimizer.state_dict()["state"].keys() == {0}


def test_zero_grad_forgets_the_gradients() -> None:
    p = nn.Parameter(np.ones(2))
    p.grad = np.ones(2)
    optim.SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


def test_a_result_of_before_a_step_still_has_the_gradient_of_before() -> None:
    p = nn.Parameter(np.asarray(3.0))
    result = p * p
    p.grad = np.asarray(1.0)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.zero_grad()
    result.backward()
    assert p.grad.item() == 6.0


def test_under_pytorch_no_graph_of_its_own_is_kept() -> None:
    torch = pytest.importorskip("torch")
    p = nn.Parameter(torch.ones(2, dtype=torch.float64, requires_grad=True))
    p.grad = torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    optimizer.step()
    assert not p.array.requires_grad
    assert not optimizer.state_dict()["state"][0]["momentum_buffer"].requires_grad


def test_a_step_runs_inside_jax_jit() -> None:
    jax = pytest.importorskip("jax")

    def one_step(array: Any) -> Any:
        p = nn.Parameter(array)
        optimizer = optim.Adam([p], lr=0.1)
        xp = p.__array_namespace__()
        xp.sum(p * p).backward()
        optimizer.step()
        return p.array

    array = jax.numpy.asarray([1.0, -2.0])
    np.testing.assert_allclose(jax.jit(one_step)(array), [0.9, -1.9], rtol=1e-7)


def test_plain_tensors_are_trained_as_well() -> None:
    x = tensor(np.asarray(1.0))
    optimizer = optim.SGD([x], lr=0.5)
    (3 * x).backward()
    optimizer.step()
    assert x.item() == -0.5


def test_groups_have_options_of_their_own() -> None:
    p, q, r = (nn.Parameter(np.ones(1)) for _ in range(3))
    groups: list[dict[str, Any]] = [{"params": [p]}, {"params": q, "lr": 0.5}]
    optimizer = optim.SGD(groups, lr=0.1)
    optimizer.add_param_group({"params": [r], "momentum": 0.9})
    for parameter in (p, q, r):
        parameter.grad = np.ones(1)
    optimizer.step()
    assert [float(x.array[0]) for x in (p, q, r)] == [0.9, 0.5, 0.9]
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert p.array.tolist() == [0.9]
    assert repr(optimizer).count("lr=") == 3


# ---- errors ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name, options, message",
    [
        ("SGD", {"lr": -1.0}, "`lr` must be at least 0, got -1.0"),
        ("SGD", {"lr": 0.1, "momentum": -0.5}, "`momentum` must be at least 0, got -0.5"),
        ("SGD", {"lr": 0.1, "weight_decay": -1}, "`weight_decay` must be at least 0, got -1"),
        ("SGD", {"lr": 0.1, "dampening": float("nan")}, "`dampening` must be a finite number"),
        ("SGD", {"lr": 0.1, "nesterov": True}, "`nesterov` must come with momentum > 0"),
        (
            "SGD",
            {"lr": 0.1, "nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "got momentum=0.9, dampening=0.1",
        ),
        ("Adam", {"lr": float("nan")}, "`lr` must be at least 0, got nan"),
        ("Adam", {"betas": (1.0, 0.9)}, "`betas` must be two numbers in [0, 1), got (1.0, 0.9)"),
        ("Adam", {"betas": (0.9, -0.1)}, "`betas` must be two numbers in [0, 1), got (0.9, -0.1)"),
        ("Adam", {"betas": (0.9,)}, "`betas` must be two numbers in [0, 1), got (0.9,)"),
        ("AdamW", {"eps": -1e-8}, "`eps` must be at least 0, got -1e-08"),
        ("AdamW", {"weight_decay": -0.1}, "`weight_decay` must be at least 0, got -0.1"),
    ],
)
def test_an_option_out_of_its_domain_is_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    p = nn.Parameter(np.ones(1))
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(optim, name)([p], **options)
    optimizer = optim.SGD([p], lr=0.1) if name == "SGD" else getattr(optim, name)([p])
    with pytest.raises(ValueError, match=re.escape(message)):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], **options})


@pytest.mark.parametrize(
    "params, error, message",
    [
        ([], ValueError, "`params` must hold at least one parameter, got none"),
        ([{"params": []}], ValueError, "`params` must hold at least one parameter, got none"),
        ([np.ones(2)], TypeError, "`params` must hold Parameters, got ndarray"),
        (np.ones(2), TypeError, "`params` must be an iterable of parameters, got one ndarray"),
        (nn.Parameter(np.ones(2)), TypeError, "got one Parameter"),
        ([nn.Parameter(np.ones(2)) * 2], ValueError, "`params` must hold leaves"),
        ([nn.Parameter(np.ones(2))] * 2, ValueError, "each parameter once, got one of shape (2,)"),
        ([tensor(np.ones(2) * 1j, requires_grad=False)], TypeError, "real floating dtype"),
        ([{"lr": 0.1}], TypeError, 'a group must be a mapping with the key "params"'),
        ([{"params": nn.Parameter(np.ones(1)), "rate": 1}], TypeError, "got 'rate'"),
    ],
)
def test_parameters_that_cannot_be_trained_are_refused(
    params: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        optim.SGD(params, lr=0.1)


def stepped(shape: tuple[int, ...], **options: Any) -> optim.Adam:
    p = nn.Parameter(np.ones(shape))
    p.grad = np.ones(shape)
    optimizer = optim.Adam([p], **options)
    optimizer.step()
    return optimizer


def test_a_state_that_does_not_fit_is_refused() -> None:
    saved = stepped((2,)).state_dict()
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    with pytest.raises(ValueError, match=re.escape("groups of [2] parameters, got [1]")):
        optim.Adam([p, q]).load_state_dict(saved)
    with pytest.raises(ValueError, match=re.escape("`exp_avg` must have shape (3,), got (2,)")):
        optim.Adam([q]).load_state_dict(saved)
    with pytest.raises(ValueError, match="`state` must have the options"):
        optim.SGD([p], lr=0.1).load_state_dict(saved)
    bad = {**saved, "param_groups": [{**saved["param_groups"][0], "lr": -1.0}]}
    with pytest.raises(ValueError, match="`lr` must be at least 0"):
        optim.Adam([p]).load_state_dict(bad)


def test_a_state_of_another_library_is_refused() -> None:
    torch = pytest.importorskip("torch")
    p = nn.Parameter(torch.ones(2, dtype=torch.float64))
    with pytest.raises(TypeError, match="`exp_avg` must be an array of"):
        optim.Adam([p]).load_state_dict(stepped((2,)).state_dict())


# ---- half precision ------------------------------------------------------------------------------
# A float16 in the namespace is what NumPy and PyTorch have, and array-api-strict has not.
WITH_HALVES = [one for one in QUICK if hasattr(one.xp, "float16")]
ON_HALVES = [
    *((one, i) for one in WITH_HALVES for i in range(len(SETTINGS))),
    *((one, 6) for one in LIBRARIES if one.module == "jax.numpy"),
]


@pytest.mark.parametrize(("library", "setting"), ON_HALVES, ids=str)
@pytest.mark.parametrize("master", [False, True], ids=["rounded", "master weights"])
def test_halves_are_changed_in_float32_and_rounded_once(
    library: Library, setting: int, master: bool
) -> None:
    """Against the same steps of a float32 parameter, rounded: at the end, or after each step."""
    name, options = SETTINGS[setting]
    half = nn.Parameter(library.array(START, "float16"))
    single = nn.Parameter(library.array(START, "float32"))
    ours = getattr(optim, name)([half], master_weights=master, **options)
    peer = getattr(optim, name)([single], **options)
    xp = library.xp
    for grad in GRADS:
        small = library.array(grad, "float16")
        half.grad, single.grad = small, xp.astype(small, xp.float32)
        ours.step()
        peer.step()
        rounded = xp.astype(single.array, xp.float16)
        np.testing.assert_array_equal(library.numpy(half), library.numpy(rounded))
        if not master:
            single.array = xp.astype(rounded, xp.float32)
    assert half.dtype == xp.float16
    for value in ours.state_dict()["state"][0].values():
        assert isinstance(value, int) or value.dtype == xp.float32


def test_adam_trains_halves_without_infinities() -> None:
    p = nn.Parameter(np.asarray([1e-4, -2.0, 300.0], np.float16))
    optimizer = optim.Adam([p], lr=1e-2)
    for _ in range(50):
        p.grad = p.array  # squares from 1e-8 to 9e4, which halves do not hold
        optimizer.step()
    assert np.all(np.isfinite(p.array))


def test_small_steps_add_up_with_master_weights() -> None:
    def trained(master: bool) -> float:
        p = nn.Parameter(np.ones(1, np.float16))
        optimizer = optim.SGD([p], lr=1e-4, master_weights=master)
        for _ in range(1000):
            p.grad = np.ones(1, np.float16)
            optimizer.step()
        return float(p.array[0])

    assert trained(False) == 1.0  # half a unit in the last place is 2.4e-4
    assert trained(True) == float(np.float16(0.9))


def test_a_value_put_in_between_takes_the_place_of_the_master_weight() -> None:
    p = nn.Parameter(np.ones(2, np.float16))
    optimizer = optim.SGD([p], lr=1e-4, master_weights=True)
    for value in (None, [5.0, None]):
        if value is not None:
            p.array = np.asarray([5.0, p.array[1]], np.float16)
        p.grad = np.ones(2, np.float16)
        optimizer.step()
    master = optimizer.state_dict()["state"][0]["master"]
    np.testing.assert_allclose(master, [5.0 - 1e-4, 1.0 - 2e-4], rtol=1e-6)


def test_master_weights_go_on_from_a_saved_state() -> None:
    def made(array: Any) -> tuple[nn.Parameter, optim.Optimizer]:
        p = nn.Parameter(array)
        return p, optim.AdamW([p], lr=1e-4, master_weights=True)

    numpy = Library("numpy", "numpy")
    first, half = made(START.astype(np.float16))
    grads = [g.astype(np.float16) for g in GRADS]
    for grad in grads[:3]:
        first.grad = grad
        half.step()
    second, other = made(first.array)
    other.load_state_dict(half.state_dict())
    for p, optimizer in ((first, half), (second, other)):
        for grad in grads[3:]:
            p.grad = grad
            optimizer.step()
    np.testing.assert_array_equal(numpy.numpy(first), numpy.numpy(second))


@pytest.mark.parametrize("name", ["amsgrad", "master_weights"])
def test_a_flag_is_a_bool(name: str) -> None:
    with pytest.raises(TypeError, match=f"`{name}` must be True or False, got 1"):
        optim.Adam([nn.Parameter(np.ones(1))], **{name: 1})  # type: ignore[arg-type]
