"""CatBoost's `loss_function` and `eval_metric`: derivatives of the negated loss."""

from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._typing import Array
from portable_losses._validation import namespace_of
from portable_losses.differentials import derivatives
from portable_losses.objectives._facts import takes_rows
from portable_losses.objectives._objective import Hessian, Objective

__all__ = ["CatBoostObjective", "catboost"]


class CatBoostObjective(Objective):
    """What `catboost` returns: hand it to CatBoost as `loss_function` and as `eval_metric`."""

    def calc_ders_range(
        self, approxes: Array, targets: Array, weights: Array | None
    ) -> list[tuple[float, float]]:
        """Return both derivatives of the negated loss for each sample."""
        gradient, hessian = self._slopes(approxes, targets, weights)
        return list(zip((-gradient).tolist(), (-hessian).tolist(), strict=True))

    def calc_ders_multi(
        self, approxes: Array, target: float, weight: float | None
    ) -> tuple[list[float], list[list[float]]]:
        """Return gradient and matrix of second derivatives of the negated loss, of one sample."""
        xp = namespace_of(approxes=approxes)
        scores = approxes[None, :]
        labels = self._labels(scores, xp.asarray([target], device=None), xp=xp)
        kind: Any = "row" if takes_rows(self._loss) else "diagonal"
        found: Any = derivatives(self._whole, scores, labels, order=2, hessian=kind, **self.options)
        share = (1.0 if weight is None else weight) / (2 if self._facts.half else 1)
        gradient, hessian = -share * found.gradient[0, :], -share * found.hessian[0, ...]
        if hessian.ndim == 1:
            hessian = xp.linalg.diagonal(hessian)
        return gradient.tolist(), hessian.tolist()

    # ---- the metric ----------------------------------------------------------------------------
    def is_max_optimal(self) -> bool:
        """Say that less is better."""
        return False

    def evaluate(
        self, approxes: Sequence[Array], target: Array, weight: Array | None
    ) -> tuple[float, float]:
        """Return the sum of the weighted losses, and of the weights."""
        xp = namespace_of(approxes=approxes[0])
        scores = approxes[0] if len(approxes) == 1 else xp.stack(list(approxes), axis=-1)
        total = float(len(target) if weight is None else xp.sum(weight))
        return self.mean(scores, target, weight) * total, total

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean of the two sums."""
        return error / (weight or 1.0)


def catboost(
    loss: Callable[..., Any], *, hessian: Hessian = "builtin", **options: Any
) -> CatBoostObjective:
    """Return a loss as CatBoost's `loss_function`, which is its `eval_metric` as well.

    Parameters
    ----------
    loss : callable
        A loss of this package, of one element or of a row; or one of your own,
        ``loss(scores, labels)``, of one element, written on the arrays' namespace.
    hessian : {"builtin", "boosting", "diagonal"}
        The curvature: as `derivatives` has it for boosting (never negative, 1 where the loss is
        linear in pieces), which is CatBoost's own, too; or the second derivative. Rows of scores
        have the whole matrix in any case.
    **options
        Those of the loss. Not `reduction` and `sample_weight`: weights are the Pool's.

    Returns
    -------
    CatBoostObjective
        An object with CatBoost's `calc_ders_range`, `calc_ders_multi` and the three methods of a
        metric; `init_score` gives what the Pool's `baseline` repeats for each sample, and
        `predict` makes probabilities and means of scores.

    Notes
    -----
    CatBoost maximises, so the derivatives are those of the negated loss. Of several scores it asks
    sample by sample, which is slow. Its own objectives take several steps in each leaf: trees are
    the same with the same ``leaf_estimation_method`` and ``leaf_estimation_iterations``.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> objective = pl.objectives.catboost(pl.mse_loss)
    >>> objective.calc_ders_range(np.asarray([1.0, 2.0]), np.asarray([3.0, 2.0]), None)
    [(2.0, -1.0), (-0.0, -1.0)]

    With CatBoost::

        CatBoost({"loss_function": objective, "eval_metric": objective}).fit(features, labels)
    """
    return CatBoostObjective(loss, hessian=hessian, **options)
