"""What a library that fits models must know of a loss, and its arguments do not say."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

from portable_losses import losses
from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace, Options
from portable_losses.activations import sigmoid, softmax
from portable_losses.special import logit

__all__ = ["LINKS", "Facts", "facts_of", "takes_classes", "takes_rows"]

Link = Literal["identity", "log", "logit", "half_logit", "softmax"]


@dataclass(frozen=True)
class Facts:
    """How a loss reads scores and labels.

    Parameters
    ----------
    link : str
        What makes scores of predictions: a key of `LINKS`.
    labels : {"numbers", "signs", "places", "relevances"}
        "signs": the loss wants -1 and 1, and 0 becomes -1. "places": integers. "relevances": a row
        of the loss is a group of samples.
    best : {"mean", "quantile"}, optional
        The best constant prediction; without one it is searched for.
    half : bool
        Do the libraries take half of it?
    """

    link: Link = "identity"
    labels: Literal["numbers", "signs", "places", "relevances"] = "numbers"
    best: Literal["mean", "quantile"] | None = None
    half: bool = False


_OF_LOSS: dict[Callable[..., Any], Facts] = {
    losses.mse_loss: Facts(best="mean", half=True),
    losses.l1_loss: Facts(best="quantile"),
    losses.quantile_loss: Facts(best="quantile"),
    losses.poisson_deviance_loss: Facts("log", best="mean", half=True),
    losses.poisson_nll_loss: Facts("log", best="mean"),
    losses.gamma_deviance_loss: Facts("log", best="mean", half=True),
    losses.tweedie_deviance_loss: Facts("log", best="mean", half=True),
    losses.binary_cross_entropy_with_logits: Facts("logit", best="mean"),
    losses.sigmoid_focal_loss: Facts("logit"),
    losses.exponential_loss: Facts("half_logit", "signs", best="mean"),
    losses.soft_margin_loss: Facts("logit", "signs", best="mean"),
    losses.hinge_loss: Facts(labels="signs"),
    losses.squared_hinge_loss: Facts(labels="signs"),
    losses.modified_huber_loss: Facts(labels="signs"),
    losses.perceptron_loss: Facts(labels="signs"),
    losses.cross_entropy: Facts("softmax", best="mean"),
    losses.softmax_focal_loss: Facts("softmax"),
    losses.generalized_cross_entropy: Facts("softmax"),
    losses.poly_loss: Facts("softmax"),
    losses.ordinal_cross_entropy: Facts(labels="places"),
    losses.ranking_softmax_loss: Facts(labels="relevances"),
}
# With one of these options the best constant is no longer the mean of the labels.
_MOVES_THE_MEAN = {"pos_weight", "weight", "label_smoothing", "z_loss", "softcap"}


def facts_of(loss: Callable[..., Any], options: Options) -> Facts:
    """Return what is known of a loss with its options; of somebody's own loss, the defaults."""
    facts = _OF_LOSS.get(loss, Facts())
    link = facts.link if options.get("log_input", True) else "identity"
    best = None if facts.best == "mean" and _MOVES_THE_MEAN & options.keys() else facts.best
    return Facts(link, facts.labels, best, facts.half)


def takes_rows(loss: Callable[..., Any]) -> bool:
    """Say whether a loss is one of rows: a number for all scores of a sample."""
    return "axis" in signature(loss).parameters


def takes_classes(loss: Callable[..., Any], scores: Array, labels: Array) -> bool:
    """Say whether the labels are places of classes among the scores of a row."""
    return takes_rows(loss) and labels.ndim == scores.ndim - 1


# ---- from scores to predictions, and back -------------------------------------------------------
def _symmetric(p: Array, *, xp: Namespace) -> Array:
    """``log(p)`` less its mean over the classes, which are the last axis."""
    logarithm = xp.log(p)
    return logarithm - xp.mean(logarithm, axis=-1, keepdims=True)


def _log(p: Array, *, xp: Namespace) -> Array:
    """``log(p)``, -inf at 0."""
    return where(p == 0, -float("inf"), xp.log(where(p == 0, 1.0, p, xp=xp)), xp=xp)


# By name: from predictions to scores, and from scores to predictions.
LINKS: dict[Link, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "identity": (lambda p, *, xp: p, lambda z, *, xp: z),
    "log": (_log, lambda z, *, xp: xp.exp(z)),
    "logit": (lambda p, *, xp: logit(p), lambda z, *, xp: sigmoid(z)),
    "half_logit": (lambda p, *, xp: logit(p) / 2, lambda z, *, xp: sigmoid(2 * z)),
    "softmax": (_symmetric, lambda z, *, xp: softmax(z, axis=-1)),
}
