"""Learning-rate schedules: PyTorch's rates, resuming, several groups, errors."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portable_losses import nn, optim
from portable_losses.optim import lr_scheduler

UNTYPED: Any = lr_scheduler  # for calls that a type checker refuses as well

STEPS = 14
SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("StepLR", {"step_size": 4}),
    ("MultiStepLR", {"milestones": [7, 2, 2], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 6}),
    ("LinearLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 3}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 20}),
    ("OneCycleLR", {"max_lr": 2.0, "total_steps": STEPS}),
    ("OneCycleLR", {"max_lr": 2.0, "epochs": 7, "steps_per_epoch": 2, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": STEPS, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": STEPS, "pct_start": 0.5, "div_factor": 4.0}),
]
NAMES = [f"{name} {sorted(options)} {i}" for i, (name, options) in enumerate(SCHEDULES)]


def optimizers(kind: str) -> tuple[optim.Optimizer, Any]:
    """The same optimiser of ours and of PyTorch's, with two groups."""
    torch = pytest.importorskip("torch")
    options: dict[str, Any] = {"lr": 0.5} if kind == "Adam" else {"lr": 0.5, "momentum": 0.9}
    ours: list[dict[str, Any]] = [
        {"params": [nn.Parameter(np.ones(1))]},
        {"params": [nn.Parameter(np.ones(1))]},
    ]
    theirs: list[dict[str, Any]] = [
        {"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(2)
    ]
    for groups in (ours, theirs):
        groups[1]["lr"] = 0.125
    return getattr(optim, kind)(ours, **options), getattr(torch.optim, kind)(theirs, **options)


def read(optimizer: Any) -> list[Any]:
    """The rate and the momentum of each group."""
    return [
        (group["lr"], group["betas"][0] if "betas" in group else group["momentum"])
        for group in optimizer.param_groups
    ]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=NAMES)
def test_every_rate_is_pytorchs(name: str, options: dict[str, Any], kind: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers(kind)
    mine = getattr(lr_scheduler, name)(ours, **options)
    peer = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for _ in range(STEPS - 1):
        np.testing.assert_allclose(read(ours), read(theirs), rtol=1e-12, atol=1e-15)
        assert mine.get_last_lr() == [rate for rate, _ in read(ours)]
        mine.step()
        peer.step()


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
def test_a_warm_up_and_a_cosine_are_joined_as_pytorch_does() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers("SGD")

    def joined(module: Any, optimizer: Any) -> Any:
        parts = [
            module.LinearLR(optimizer, start_factor=0.1, total_iters=4),
            module.CosineAnnealingLR(optimizer, T_max=5),
            module.ConstantLR(optimizer, factor=0.25, total_iters=100),
        ]
        return module.SequentialLR(optimizer, parts, milestones=[4, 9])

    mine, peer = joined(lr_scheduler, ours), joined(torch.optim.lr_scheduler, theirs)
    for _ in range(STEPS):
        np.testing.assert_allclose(read(ours), read(theirs), rtol=1e-12, atol=1e-15)
        mine.step()
        peer.step()


@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=NAMES)
def test_a_saved_schedule_goes_on(name: str, options: dict[str, Any]) -> None:
    def made() -> tuple[Any, Any]:
        groups = [{"params": [nn.Parameter(np.ones(1))]}, {"params": [nn.Parameter(np.ones(1))]}]
        optimizer = optim.SGD(groups, lr=0.5, momentum=0.9)
        return optimizer, getattr(lr_scheduler, name)(optimizer, **options)

    first, schedule = made()
    for _ in range(5):
        schedule.step()
    second, resumed = made()
    second.load_state_dict(first.state_dict())  # the rates of now; the schedule has the first ones
    resumed.load_state_dict(schedule.state_dict())
    for _ in range(3):
        assert read(first) == read(second)
        schedule.step()
        resumed.step()


def test_a_group_that_is_added_later_begins_with_its_own_rate() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    schedule = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    schedule.step()
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 8.0})
    schedule.step()
    assert schedule.get_last_lr() == [0.25, 2.0]


def test_a_rate_is_the_one_of_the_next_step() -> None:
    p = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([p], lr=1.0)
    schedule = lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    for _ in range(3):
        p.grad = np.ones(1)
        optimizer.step()
        schedule.step()
    assert p.array.tolist() == [-1.75]


def sgd(**options: Any) -> optim.Optimizer:
    return optim.SGD([nn.Parameter(np.ones(1))], lr=0.5, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: UNTYPED.StepLR(sgd(), 0), ValueError, "`step_size` must be at least 1"),
        (lambda: UNTYPED.StepLR(sgd(), 1.5), TypeError, "`step_size` must be an int, got 1.5"),
        (lambda: UNTYPED.StepLR(sgd(), 2, -1.0), ValueError, "`gamma` must be at least 0"),
        (lambda: UNTYPED.StepLR([], 2), TypeError, "`optimizer` must be an Optimizer, got"),
        (lambda: UNTYPED.MultiStepLR(sgd(), [3, 0]), ValueError, "`milestones` must be at le"),
        (lambda: UNTYPED.LinearLR(sgd(), 0.0), ValueError, "`start_factor` must be greater"),
        (lambda: UNTYPED.LinearLR(sgd(), 2.0), ValueError, "`start_factor` must lie in [0,"),
        (lambda: UNTYPED.LambdaLR(sgd(), 3.0), TypeError, "`lr_lambda` must be callable, go"),
        (lambda: UNTYPED.LambdaLR(sgd(), [abs, abs]), ValueError, "one entry for each of 1"),
        (lambda: UNTYPED.OneCycleLR(sgd(momentum=0.9), 1.0), ValueError, "`total_steps` mu"),
        (
            lambda: UNTYPED.OneCycleLR(sgd(momentum=0.9), 1.0, 5, anneal_strategy="exp"),
            ValueError,
            "`anneal_strategy` must be one of ('cos', 'linear'), got 'exp'",
        ),
        (lambda: UNTYPED.OneCycleLR(sgd(), 0.0, 5), ValueError, "`max_lr` must be greater"),
        (
            lambda: UNTYPED.SequentialLR(sgd(), [], []),
            ValueError,
            "`milestones` must be one less than the schedules, got 0 for 0",
        ),
        (
            lambda: UNTYPED.SequentialLR(sgd(), [UNTYPED.StepLR(sgd(), 1)], []),
            ValueError,
            "`schedulers` must all be of `optimizer`",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_one_cycle_ends_with_its_last_step() -> None:
    schedule = lr_scheduler.OneCycleLR(sgd(momentum=0.9), 1.0, total_steps=2)
    schedule.step()
    schedule.step()
    with pytest.raises(ValueError, match="`step` must be called at most total_steps=2 times"):
        schedule.step()


def test_milestones_that_do_not_rise_are_refused() -> None:
    optimizer = sgd()
    parts = [lr_scheduler.StepLR(optimizer, 1) for _ in range(3)]
    with pytest.raises(ValueError, match=re.escape("`milestones` must rise, got [4, 4]")):
        lr_scheduler.SequentialLR(optimizer, parts, [4, 4])


def test_a_saved_schedule_of_other_groups_is_refused() -> None:
    schedule = lr_scheduler.StepLR(sgd(), 1)
    with pytest.raises(ValueError, match="`state` must have base_lrs for 1 groups, got 2"):
        schedule.load_state_dict({"last_epoch": 1, "base_lrs": [1.0, 2.0]})
