"""XGBoost's `obj` and `custom_metric`, and the `objective` of its scikit-learn estimators."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from portable_losses import losses
from portable_losses._typing import Array
from portable_losses.objectives._objective import Factor, Hessian, Objective

__all__ = ["XGBoostObjective", "xgboost"]

POISSON: dict[Callable[..., Any], Factor] = dict.fromkeys(
    [losses.poisson_deviance_loss, losses.poisson_nll_loss],
    lambda _, max_delta_step: math.exp(max_delta_step),
)


class XGBoostObjective(Objective):
    """What `xgboost` returns: call it, or hand it to ``xgboost.train(..., obj=...)``."""

    _factors = {**POISSON, losses.cross_entropy: lambda _, __: 2.0}
    _dtype = "float32"

    def __call__(
        self, first: Array, second: Any, sample_weight: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the gradient and the curvature in float32.

        Of scores and a DMatrix (``xgboost.train``), or of labels, scores and weights (XGBoost's
        scikit-learn estimators).
        """
        return self._slopes(*_read(first, second, sample_weight))

    def eval(self, scores: Array, data: Any) -> tuple[str, float]:
        """Return the name of the loss and its mean: ``xgboost.train(..., custom_metric=...)``."""
        return self.__name__, self.mean(*_read(scores, data, None))

    def metric(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
        """Return the mean of the loss: the `eval_metric` of XGBoost's scikit-learn estimators."""
        return self.mean(y_pred, y_true, sample_weight)


def _read(
    first: Array, second: Any, weight: Array | None
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return scores, labels, weights and the sizes of groups."""
    if not hasattr(second, "get_label"):
        return second, first, weight, None
    given: Any = second.get_weight()
    ends = [int(end) for end in second.get_uint_info("group_ptr")]
    sizes = [end - start for start, end in pairwise(ends)]
    return first, second.get_label(), given if len(given) else None, sizes


def xgboost(
    loss: Callable[..., Any],
    *,
    hessian: Hessian = "builtin",
    max_delta_step: float = 0.7,
    **options: Any,
) -> XGBoostObjective:
    """Return a loss as XGBoost's `obj`, with the metric and the first score that go with it.

    Parameters
    ----------
    loss : callable
        A loss of this package, of one element or of a row; or one of your own,
        ``loss(scores, labels)``, of one element, written on the arrays' namespace.
    hessian : {"builtin", "boosting", "diagonal"}
        The curvature: as XGBoost's own objective takes it; as `derivatives` has it for boosting
        (never negative, 1 where the loss is linear in pieces); or the second derivative. They
        differ for the Poisson losses, of which XGBoost takes ``exp(max_delta_step)`` times the
        second derivative, and for `cross_entropy`, of which it takes twice.
    max_delta_step : float, default 0.7
        XGBoost's parameter of that name, 0.7 for its ``count:poisson``; the trees are the same
        where it is among the parameters of the training, too.
    **options
        Those of the loss. Not `reduction` and `sample_weight`: weights are the DMatrix's.

    Returns
    -------
    XGBoostObjective
        A callable: `obj`. Its method `eval` is the `custom_metric`, `metric` the `eval_metric` of
        the scikit-learn estimators, `init_score` gives ``params["base_score"]``, and `predict`
        makes probabilities and means of scores.

    Notes
    -----
    Labels -1 and 1 may be 0 and 1. The half of the squared error and of deviances is taken, as
    ``reg:squarederror``, ``reg:gamma`` and ``reg:tweedie`` do. A ranking loss reads the groups of
    the DMatrix. Scores in CuPy arrays give CuPy arrays; labels and weights go there.

    ``reg:absoluteerror`` and ``reg:quantileerror`` set the leaves anew, to quantiles of what is
    left, which no objective from outside can do: trees differ.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> objective = pl.objectives.xgboost(pl.sigmoid_focal_loss, gamma=2.0)
    >>> scores, labels = np.zeros(2, dtype=np.float32), np.asarray([0.0, 1.0])
    >>> gradient, hessian = objective(labels, scores)
    >>> gradient.dtype, bool(gradient[0] == -gradient[1])
    (dtype('float32'), True)

    With XGBoost::

        parameters = {"base_score": objective.init_score(data)}
        xgb.train(parameters, data, obj=objective, custom_metric=objective.eval)
    """
    return XGBoostObjective(loss, hessian=hessian, max_delta_step=max_delta_step, **options)
