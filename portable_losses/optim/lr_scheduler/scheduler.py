"""What the schedules share, and several of them in sequence."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from portable_losses._options import check_count, check_positive
from portable_losses.optim.optimizer import Optimizer

__all__ = ["LRScheduler", "SequentialLR", "for_groups", "numbers_for_groups"]


class LRScheduler(ABC):
    """What the schedules share; a subclass defines `rates`.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups' ``"lr"`` is set: when the schedule is made, and at every `step`.

    Attributes
    ----------
    last_epoch : int
        How often `step` was called.
    base_lrs : list of float
        The learning rate of each group before any schedule set it.

    Raises
    ------
    TypeError
        `optimizer` is no Optimizer.

    Notes
    -----
    A rate depends on the number of the step and on the first rate alone, so a schedule can be
    saved, loaded and repeated; one schedule at a time sets the rates of an optimiser, and
    `SequentialLR` joins several. Call `step` after the optimiser's.

    Source: torch.optim.lr_scheduler, for the names and the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> class Halving(optim.lr_scheduler.LRScheduler):
    ...     def rates(self, step):
    ...         return [base * 0.5**step for base in self.base_lrs]
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=0.8)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.4]
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            msg = f"`optimizer` must be an Optimizer, got {type(optimizer).__name__}"
            raise TypeError(msg)
        self.optimizer = optimizer
        self.base_lrs = optimizer.first_rates()
        self.last_epoch = 0
        self._set()

    @abstractmethod
    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps, from `base_lrs`."""

    def step(self) -> None:
        """Go one step on and set the groups' rates."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group, as last set."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _set(self) -> None:
        self.base_lrs = self.optimizer.first_rates()  # groups may have been added
        rates = self.rates(self.last_epoch)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps and the first rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Parameters
        ----------
        state : mapping
            ``"last_epoch"`` and ``"base_lrs"``, one for each group.

        Raises
        ------
        ValueError
            There are as many first rates as groups, or not.
        """
        rates = list(state["base_lrs"])
        if len(rates) != len(self.optimizer.param_groups):
            groups = len(self.optimizer.param_groups)
            msg = f"`state` must have base_lrs for {groups} groups, got {len(rates)}"
            raise ValueError(msg)
        self.optimizer.set_first_rates(rates)
        self.last_epoch = int(state["last_epoch"])
        self._set()


class SequentialLR(LRScheduler):
    """Schedules one after the other, each from its own beginning.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        All of `optimizer`.
    milestones : sequence of int
        The steps at which the second and every later one begins, rising.

    Raises
    ------
    ValueError
        There is not one milestone less than schedules, the milestones do not rise, or a schedule
        belongs to another optimiser.

    Notes
    -----
    Source: torch.optim.lr_scheduler.SequentialLR.

    Examples
    --------
    A warm-up and then half a cosine:

    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> from portable_losses.optim import lr_scheduler
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> schedule = lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], milestones=[2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> [round(rate, 3) for rate in rates]
    [0.5, 0.75, 1.0, 0.854, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
    ) -> None:
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            msg = (
                "`milestones` must be one less than the schedules, got "
                f"{len(self.milestones)} for {len(self.schedulers)}"
            )
            raise ValueError(msg)
        for milestone in self.milestones:
            check_count(milestones=milestone)
        if sorted(set(self.milestones)) != self.milestones:
            msg = f"`milestones` must rise, got {self.milestones}"
            raise ValueError(msg)
        if any(one.optimizer is not optimizer for one in self.schedulers):
            msg = "`schedulers` must all be of `optimizer`, got one of another optimiser"
            raise ValueError(msg)
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        place = bisect_right(self.milestones, step)
        one = self.schedulers[place]
        one.base_lrs = self.base_lrs
        return one.rates(step - (self.milestones[place - 1] if place else 0))


def for_groups(name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """Return one value for each group: `value` itself, or its entries."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        msg = f"`{name}` must have one entry for each of {groups} groups, got {len(value)}"
        raise ValueError(msg)
    return list(value)


def numbers_for_groups(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """Return one number above 0 for each group."""
    numbers = for_groups(name, value, optimizer)
    for number in numbers:
        check_positive(**{name: number})
    return numbers
