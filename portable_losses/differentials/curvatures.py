"""The curvature by which boosting divides, where a loss has none of its own.

A leaf of a boosted tree steps by the sum of the gradients over the sum of the curvatures. The
second derivative of a loss that is linear in pieces is 0, so 1 stands for it, as in LightGBM and
scikit-learn: the leaf then steps by the mean of the slopes. Of every other loss it is the second
derivative, 0 where that is negative.
"""

from collections.abc import Callable
from typing import Any

from portable_losses import losses
from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace, Options

__all__ = ["boosting", "is_piecewise_linear"]

_ALWAYS = frozenset(
    [
        losses.epsilon_insensitive_loss,
        losses.hinge_embedding_loss,
        losses.hinge_loss,
        losses.kl_div,
        losses.l1_loss,
        losses.mape_loss,
        losses.margin_ranking_loss,
        losses.multiclass_hinge_loss,
        losses.multiclass_perceptron_loss,
        losses.multilabel_margin_loss,
        losses.nll_loss,
        losses.perceptron_loss,
        losses.quantile_loss,
        losses.tvd_loss,
    ]
)


def is_piecewise_linear(loss: Callable[..., Any], options: Options) -> bool:
    """Say whether the second derivative of a loss is 0 wherever it has one."""
    if loss is losses.smooth_l1_loss:
        beta = options.get("beta", 1.0)
        return isinstance(beta, int | float) and beta == 0
    if loss is losses.multi_margin_loss:
        return bool(options.get("p", 1) == 1)
    return loss in _ALWAYS


def boosting(second: Array, *, xp: Namespace) -> Array:
    """Return a second derivative, 0 where it is negative."""
    return where(second <= 0, 0.0, second, xp=xp)
