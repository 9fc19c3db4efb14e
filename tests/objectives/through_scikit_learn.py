"""A plugin for pytest: scikit-learn's own losses compute by `portable_losses.objectives.sklearn`.

``python -m pytest -p tests.objectives.through_scikit_learn --pyargs sklearn._loss`` runs its tests.
"""

from collections.abc import Callable
from typing import Any

from sklearn._loss import loss as theirs
from sklearn.metrics import _regression as metrics
from sklearn.utils._array_api import _average, get_namespace

import portable_losses as pl
from portable_losses import objectives

Made = Callable[[Any], Any]

OURS: dict[str, Made] = {
    "HalfSquaredError": lambda _: objectives.sklearn(pl.mse_loss),
    "AbsoluteError": lambda _: objectives.sklearn(pl.l1_loss),
    "PinballLoss": lambda one: objectives.sklearn(pl.quantile_loss, q=one.closs.quantile),
    "HuberLoss": lambda one: objectives.sklearn(pl.huber_loss, delta=one.closs.delta),
    "HalfPoissonLoss": lambda _: objectives.sklearn(pl.poisson_deviance_loss),
    "HalfGammaLoss": lambda _: objectives.sklearn(pl.gamma_deviance_loss),
    "HalfTweedieLoss": lambda one: objectives.sklearn(
        pl.tweedie_deviance_loss, power=one.closs.power
    ),
    "HalfTweedieLossIdentity": lambda one: objectives.sklearn(
        pl.tweedie_deviance_loss, power=one.closs.power, log_input=False, hessian="diagonal"
    ),
    "HalfBinomialLoss": lambda _: objectives.sklearn(pl.binary_cross_entropy_with_logits),
    "HalfMultinomialLoss": lambda one: objectives.sklearn(
        pl.cross_entropy, n_classes=one.n_classes
    ),
    "ExponentialLoss": lambda _: objectives.sklearn(pl.exponential_loss),
}
METHODS = (
    *("loss", "gradient", "loss_gradient", "gradient_hessian", "gradient_proba"),
    *("predict_proba", "fit_intercept_only", "constant_to_optimal_zero"),
    *("in_y_true_range", "in_y_pred_range", "__call__"),
)


def _by_ours(name: str, make: Made) -> Callable[..., Any]:
    """Return a method that asks ours."""

    def method(self: Any, *args: Any, **options: Any) -> Any:
        CALLS.append(name)
        return getattr(make(self), name)(*args, **options)

    return method


CALLS: list[str] = []
for _name, _make in OURS.items():
    for _kind in (getattr(theirs, _name), getattr(theirs, f"{_name}ArrayAPI", None)):
        for _method in METHODS if _kind is not None else ():
            if hasattr(_kind, _method):
                setattr(_kind, _method, _by_ours(_method, _make))


def _mean_deviance(y_true: Any, y_pred: Any, sample_weight: Any, power: float) -> float:
    """Return the mean of ours, for the metrics of deviances."""
    CALLS.append("deviance")
    xp, _ = get_namespace(y_true)
    x = xp.asarray(y_pred)  # or a number
    x = x if xp.isdtype(x.dtype, "real floating") else xp.astype(x, xp.float64)
    x = xp.broadcast_to(x, y_true.shape)
    one = pl.tweedie_deviance_loss(x, y_true, power=power, log_input=False, reduction="none")
    return float(_average(one, weights=sample_weight))


setattr(metrics, "_mean_tweedie_deviance", _mean_deviance)  # noqa: B010 - it has no type


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many calls ours had."""
    terminalreporter.write_line(f"{len(CALLS)} calls of our losses")
