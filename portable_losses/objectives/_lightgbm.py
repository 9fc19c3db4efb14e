"""LightGBM's `objective` and `feval`, and those of its scikit-learn estimators."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses import losses
from portable_losses._typing import Array
from portable_losses.objectives._objective import Hessian, Objective
from portable_losses.objectives._xgboost import POISSON

__all__ = ["LightGBMObjective", "lightgbm"]


class LightGBMObjective(Objective):
    """What `lightgbm` returns: call it, or hand it to LightGBM as ``params["objective"]``."""

    _factors = {**POISSON, losses.cross_entropy: lambda classes, _: classes / max(classes - 1, 1)}
    _always_one = frozenset([losses.huber_loss])
    _dtype = "float32"

    def __call__(
        self, first: Array, second: Any, weight: Array | None = None, group: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the gradient and the curvature in float32.

        Of scores and a Dataset (``lightgbm.train``), or of labels, scores, weights and the sizes
        of groups (LightGBM's scikit-learn estimators).
        """
        return self._slopes(*_read(first, second, weight, group))

    def init_score(self, data: Any, sample_weight: Array | None = None) -> Any:
        """Return the score from which LightGBM's own objective starts, or the best constant.

        That is the mean for `huber_loss`, and the logarithms of the shares for `cross_entropy`.
        """
        if self._loss is losses.huber_loss:
            return LightGBMObjective(losses.mse_loss).init_score(data, sample_weight)
        best = super().init_score(data, sample_weight)
        if not isinstance(best, list) or self._facts.link != "softmax":
            return best
        total = math.log(math.fsum(map(math.exp, best)))
        return [score - total for score in best]

    def eval(self, scores: Array, data: Any) -> tuple[str, float, bool]:
        """Return the name of the loss, its mean, and that less is better: `feval`."""
        return self.__name__, self.mean(*_read(scores, data, None, None)), False

    def metric(
        self,
        y_true: Array,
        y_pred: Array,
        weight: Array | None = None,
        group: Array | None = None,
    ) -> tuple[str, float, bool]:
        """Return the same of labels and scores: `eval_metric` of the scikit-learn estimators."""
        return self.__name__, self.mean(y_pred, y_true, weight, group), False


def _read(
    first: Array, second: Any, weight: Array | None, group: Array | None
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return scores, labels, weights and the sizes of groups."""
    if not hasattr(second, "get_label"):
        return second, first, weight, group
    return first, second.get_label(), second.get_weight(), second.get_group()


def lightgbm(
    loss: Callable[..., Any],
    *,
    hessian: Hessian = "builtin",
    max_delta_step: float = 0.7,
    **options: Any,
) -> LightGBMObjective:
    """Return a loss as LightGBM's `objective`, with the metric and the first score for it.

    Parameters
    ----------
    loss : callable
        A loss of this package, of one element or of a row; or one of your own,
        ``loss(scores, labels)``, of one element, written on the arrays' namespace.
    hessian : {"builtin", "boosting", "diagonal"}
        The curvature: as LightGBM's own objective takes it; as `derivatives` has it for boosting
        (never negative, 1 where the loss is linear in pieces); or the second derivative. They
        differ for the Poisson losses, of which LightGBM takes ``exp(max_delta_step)`` times the
        second derivative, for `huber_loss`, where it takes 1, and for `cross_entropy` of K
        classes, of which it takes ``K / (K - 1)`` times.
    max_delta_step : float, default 0.7
        LightGBM's parameter ``poisson_max_delta_step``.
    **options
        Those of the loss. Not `reduction` and `sample_weight`: weights are the Dataset's.

    Returns
    -------
    LightGBMObjective
        A callable: ``params["objective"]``. Its method `eval` is the `feval`, `metric` the
        `eval_metric` of the scikit-learn estimators, `init_score` gives what the Dataset's
        `init_score` repeats for each sample, and `predict` makes probabilities and means of scores.

    Notes
    -----
    LightGBM starts its own objectives from the best constant and adds it to the first tree. Those
    from outside start at the Dataset's `init_score`, which predictions leave out: add it to them.

    ``regression_l1`` and ``quantile`` set the leaves anew, to quantiles of what is left, which no
    objective from outside can do: trees differ.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> objective = pl.objectives.lightgbm(pl.huber_loss, delta=0.9)
    >>> gradient, hessian = objective(np.zeros(2), np.asarray([0.5, 3.0]))
    >>> print(gradient, hessian)
    [0.5 0.9] [1. 1.]

    With LightGBM::

        start = objective.init_score(labels)
        data = lgb.Dataset(features, labels, init_score=np.full(len(labels), start))
        booster = lgb.train({"objective": objective}, data, feval=objective.eval)
        predictions = objective.predict(start + booster.predict(features))
    """
    return LightGBMObjective(loss, hessian=hessian, max_delta_step=max_delta_step, **options)
