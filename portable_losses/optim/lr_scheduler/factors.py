"""Schedules whose rate is the first rate times a factor."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from portable_losses._options import check_count, check_fraction, check_nonnegative, check_positive
from portable_losses.optim.lr_scheduler.scheduler import LRScheduler, for_groups
from portable_losses.optim.optimizer import Optimizer

__all__ = ["ConstantLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "StepLR"]


class StepLR(LRScheduler):
    """Rate that falls by a factor every few steps: ``lr = base * gamma**(step // step_size)``.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Steps between two falls, at least 1.
    gamma : float, default 0.1
        The factor, at least 0.

    Raises
    ------
    TypeError
        `step_size` is no int.
    ValueError
        An option is out of its domain.

    Notes
    -----
    Source: torch.optim.lr_scheduler.StepLR.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        check_count(step_size=step_size)
        check_nonnegative(gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        factor = self.gamma ** (step // self.step_size)
        return [base * factor for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Rate that falls by a factor at given steps: ``base * gamma**(milestones reached)``.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
        The steps, in any order; one that stands there twice counts twice.
    gamma : float, default 0.1
        The factor, at least 0.

    Raises
    ------
    TypeError
        A milestone is no int.
    ValueError
        A milestone is below 1, or `gamma` is below 0.

    Notes
    -----
    Source: torch.optim.lr_scheduler.MultiStepLR.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        for milestone in milestones:
            check_count(milestones=milestone)
        check_nonnegative(gamma=gamma)
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        factor = self.gamma ** bisect_right(self.milestones, step)
        return [base * factor for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Rate that falls by a factor at every step: ``base * gamma**step``.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor, at least 0.

    Raises
    ------
    ValueError
        `gamma` is below 0.

    Notes
    -----
    Source: torch.optim.lr_scheduler.ExponentialLR.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        check_nonnegative(gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        factor = self.gamma**step
        return [base * factor for base in self.base_lrs]


class LambdaLR(LRScheduler):
    """Rate that a function of the step gives: ``base * lr_lambda(step)``.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable, or sequence of one for each group
        Takes the number of steps and returns a factor.

    Raises
    ------
    TypeError
        `lr_lambda` is not callable.
    ValueError
        There are not as many functions as groups.

    Notes
    -----
    Source: torch.optim.lr_scheduler.LambdaLR.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        self.lr_lambdas = for_groups("lr_lambda", lr_lambda, optimizer)
        for f in self.lr_lambdas:
            if not callable(f):
                msg = f"`lr_lambda` must be callable, got {type(f).__name__}"
                raise TypeError(msg)
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * float(f(step)) for base, f in pairs]


class LinearLR(LRScheduler):
    """Rate whose factor goes along a line, a warm-up: from `start_factor` to `end_factor`.

    With t the number of steps, at most `total_iters`::

        lr = base * (start_factor + (end_factor - start_factor) * t / total_iters)

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float, default 1/3
        In [0, 1], greater than 0.
    end_factor : float, default 1.0
        In [0, 1].
    total_iters : int, default 5
        Steps until `end_factor` is reached, at least 1.

    Raises
    ------
    TypeError
        `total_iters` is no int.
    ValueError
        An option is out of its domain.

    Notes
    -----
    Source: P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017),
    arXiv:1706.02677, for the warm-up; torch.optim.lr_scheduler.LinearLR for the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        check_positive(start_factor=start_factor)
        check_fraction(start_factor=start_factor, end_factor=end_factor)
        check_count(total_iters=total_iters)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        share = min(step, self.total_iters) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * share
        return [base * factor for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """Rate that is smaller for the first steps: ``base * factor``, and `base` afterwards.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float, default 1/3
        In [0, 1].
    total_iters : int, default 5
        How many steps, at least 1.

    Raises
    ------
    TypeError
        `total_iters` is no int.
    ValueError
        An option is out of its domain.

    Notes
    -----
    Source: torch.optim.lr_scheduler.ConstantLR.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.asarray(3.0))], lr=1.0)
    >>> schedule = optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=1)
    >>> schedule.get_last_lr()
    [0.5]
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5) -> None:
        check_fraction(factor=factor)
        check_count(total_iters=total_iters)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rates(self, step: int) -> list[float]:
        """Return the rate of each group after `step` steps."""
        factor = self.factor if step < self.total_iters else 1.0
        return [base * factor for base in self.base_lrs]
