"""Schedules that go along a curve between two rates."""

import math
from bisect import bisect_left
from collections.abc import Sequence

from portable_losses._options import (
    check_choice,
    check_count,
    check_fraction,
    check_nonnegative,
    check_positive,
)
from portable_losses.optim.lr_scheduler.scheduler import LRScheduler, numbers_for_groups
from portable_losses.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "OneCycleLR"]


class CosineAnnealingLR(LRScheduler):
    """Rate that falls along half a cosine: from the first rate to `eta_min` in `T_max` steps.

    With t the number of steps::

        lr = eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Steps to the lowest rate, at least 1; afterwards the rate rises again, as the cosine does.
    eta_min : float, default 0.0
        The lowest rate, at least 0.

    Raises
    ------
    TypeError
        `T_max` is no int.
    ValueError
        An option is out of its domain.

    Notes
    -----
    Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts"
    (2016), arXiv:1608.03983; torch.optim.lr_scheduler.CosineAnnealingLR for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> schedule.step()
    >>> round(schedule.get_last_lr()[0], 12)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803
        check_count(T_max=T_max)
        check_nonnegative(eta_min=eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        share = step / self.T_max
        return [along_cosine(base, self.eta_min, share) for base in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Rate that rises to `max_lr` and falls far below its start, within one training.

    ::

        base / div_factor ... max_lr:   pct_start of the steps
        max_lr ... the lowest rate:     the rest, the lowest being max_lr / div_factor
                                        / final_div_factor

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or sequence of one for each group
        The highest rate, greater than 0.
    total_steps : int, optional
        Steps of the whole training; or else `epochs` and `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
    pct_start : float, default 0.3
        Share of the steps in which the rate rises, in [0, 1].
    anneal_strategy : {"cos", "linear"}
        Along half a cosine, or along a line.
    cycle_momentum : bool, default True
        Let ``"momentum"`` (the first of ``"betas"`` of Adam) go the other way.
    base_momentum, max_momentum : float, default 0.85 and 0.95
        The lowest, at the highest rate, and the highest momentum.
    div_factor : float, default 25.0
        `max_lr` over the first rate, greater than 0.
    final_div_factor : float, default 1e4
        The first rate over the lowest, greater than 0.
    three_phase : bool, default False
        Fall to the first rate as slowly as the rate rose, and to the lowest in the rest.

    Raises
    ------
    TypeError
        A number of steps is no int.
    ValueError
        There is no number of steps, an option is out of its domain, the optimiser has no momentum
        to cycle, or `step` is called more than `total_steps` times.

    Notes
    -----
    The optimiser's own rate is not used.

    Source: L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
    large learning rates" (2017), arXiv:1708.07120; torch.optim.lr_scheduler.OneCycleLR for the
    arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=0.1, momentum=0.9)
    >>> schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> rates = []
    >>> for _ in range(10):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> [round(rate, 2) for rate in rates]
    [0.04, 0.52, 1.0, 0.95, 0.81, 0.61, 0.39, 0.19, 0.05, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                msg = (
                    "`total_steps` must be given, or `epochs` and `steps_per_epoch`, "
                    f"got epochs={epochs!r}, steps_per_epoch={steps_per_epoch!r}"
                )
                raise ValueError(msg)
            check_count(epochs=epochs, steps_per_epoch=steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        check_count(total_steps=total_steps)
        check_fraction(pct_start=pct_start)
        check_choice(("cos", "linear"), anneal_strategy=anneal_strategy)
        check_positive(div_factor=div_factor, final_div_factor=final_div_factor)
        self.max_lrs = numbers_for_groups("max_lr", max_lr, optimizer)
        self.total_steps = total_steps
        self.cycle_momentum = cycle_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.base_momentums = numbers_for_groups("base_momentum", base_momentum, optimizer)
        self.max_momentums = numbers_for_groups("max_momentum", max_momentum, optimizer)
        self._anneal = along_cosine if anneal_strategy == "cos" else along_line
        top = pct_start * total_steps - 1
        self._ends = [top, 2 * top, total_steps - 1] if three_phase else [top, total_steps - 1]
        if cycle_momentum:
            for group in optimizer.param_groups:
                if "momentum" not in group and "betas" not in group:
                    msg = "`cycle_momentum` must be False for an optimiser without momentum"
                    raise ValueError(msg)
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        firsts = [top / self.div_factor for top in self.max_lrs]
        return [
            self._at(step, first, top, first / self.final_div_factor)
            for first, top in zip(firsts, self.max_lrs, strict=True)
        ]

    def _set(self) -> None:
        if self.last_epoch > self.total_steps:
            msg = f"`step` must be called at most total_steps={self.total_steps} times"
            raise ValueError(msg)
        super()._set()
        if not self.cycle_momentum:
            return
        for i, group in enumerate(self.optimizer.param_groups):
            high, low = self.max_momentums[i], self.base_momentums[i]
            momentum = self._at(self.last_epoch, high, low, high)
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _at(self, step: int, first: float, top: float, last: float) -> float:
        """Return the number at `step` on the way from `first` over `top` to `last`."""
        values = [first, top, last] if len(self._ends) == 2 else [first, top, first, last]
        phase = min(bisect_left(self._ends, step), len(self._ends) - 1)
        start, end = (self._ends[phase - 1] if phase else 0.0), self._ends[phase]
        share = (step - start) / (end - start) if end != start else 1.0
        return self._anneal(values[phase], values[phase + 1], share)


def along_cosine(first: float, last: float, share: float) -> float:
    """Return the number at `share` of half a cosine from `first` to `last`."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def along_line(first: float, last: float, share: float) -> float:
    """Return the number at `share` of a line from `first` to `last`."""
    return first + (last - first) * share
