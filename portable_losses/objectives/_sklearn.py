"""scikit-learn's interface of a loss, over any array library."""

import sys
from collections.abc import Callable
from inspect import signature
from typing import Any, Literal

from portable_losses._plain import default_floating, numpy_or
from portable_losses._polyfill import device_of, maximum
from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of
from portable_losses._values import validation
from portable_losses.objectives._best import best_constant, weighted_mean
from portable_losses.objectives._facts import LINKS, Link, facts_of, takes_rows
from portable_losses.objectives._intervals import Interval, intervals_of
from portable_losses.objectives._objective import Objective

__all__ = ["BinaryLoss", "MulticlassLoss", "SklearnLink", "SklearnLoss", "sklearn"]


class SklearnLink:
    """From predictions to scores (`link`) and back (`inverse`), by a name of scikit-learn's."""

    def __init__(self, name: Link, interval_y_pred: Interval) -> None:
        self.name: Link = name
        self.interval_y_pred = interval_y_pred
        self.is_multiclass = name == "softmax"

    def link(self, y_pred: Array) -> Array:
        """Return the scores of predictions."""
        return LINKS[self.name][0](y_pred, xp=namespace_of(y_pred=y_pred))

    def inverse(self, raw_prediction: Array) -> Array:
        """Return the predictions of scores."""
        xp = namespace_of(raw_prediction=raw_prediction)
        return LINKS[self.name][1](raw_prediction, xp=xp)

    def symmetrize_raw_prediction(self, raw_prediction: Array) -> Array:
        """Return scores less their mean over the classes."""
        xp = namespace_of(raw_prediction=raw_prediction)
        return raw_prediction - xp.mean(raw_prediction, axis=1, keepdims=True)


class SklearnLoss(Objective):
    """What `sklearn` returns: a loss with the methods and attributes of scikit-learn's `BaseLoss`.

    Arrays `*_out` are written to and returned; `n_threads` is ignored.
    """

    constant_hessian = False
    is_multiclass = False

    def __init__(
        self,
        loss: Callable[..., Any],
        *,
        n_classes: int | None = None,
        hessian: Literal["boosting", "diagonal"] | None = None,
        xp: Namespace | None = None,
        device: Any = None,
        **options: Any,
    ) -> None:
        smooth = facts_of(loss, options).half
        Objective.__init__(
            self, loss, hessian=hessian or ("diagonal" if smooth else "boosting"), **options
        )
        drops = "full" in signature(loss).parameters and self._facts.link == "log"
        if drops and options.get("power") != 0:  # scikit-learn keeps the square's
            self.options.setdefault("full", False)
        self.n_classes = n_classes
        self.xp, self.device = xp, device
        self.interval_y_true, self.interval_y_pred = intervals_of(loss, self._facts, options)
        self.link = SklearnLink(self._facts.link, self.interval_y_pred)
        self.approx_hessian = self._facts.best == "quantile"
        self.differentiable = not self.approx_hessian

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
        """Be an instance of `BaseLoss`, which scikit-learn asks for, without importing it."""
        module = sys.modules.get("sklearn._loss.loss")
        return type(self) if module is None else module.BaseLoss

    def __reduce__(self) -> Any:
        """Return how to make it again: `__class__` is not the class."""
        return object.__new__, (type(self),), self.__dict__

    # ---- value and derivatives, one per sample -------------------------------------------------
    def loss(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        loss_out: Array | None = None,
        n_threads: int = 1,
    ) -> Array:
        """Return the weighted loss of each sample."""
        return _into(loss_out, self._found(y_true, raw_prediction, sample_weight).value)

    def gradient(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        gradient_out: Array | None = None,
        n_threads: int = 1,
    ) -> Array:
        """Return the gradient by the scores."""
        return _into(gradient_out, self._found(y_true, raw_prediction, sample_weight).gradient)

    def loss_gradient(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        loss_out: Array | None = None,
        gradient_out: Array | None = None,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return the loss and its gradient, of one pass."""
        found = self._found(y_true, raw_prediction, sample_weight)
        return _into(loss_out, found.value), _into(gradient_out, found.gradient)

    def gradient_hessian(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        gradient_out: Array | None = None,
        hessian_out: Array | None = None,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return the gradient and the curvature, of rows the diagonal, of one pass."""
        found = self._found(y_true, raw_prediction, sample_weight, order=2, hessian=self.hessian)
        return _into(gradient_out, found.gradient), _into(hessian_out, found.hessian)

    def __call__(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        n_threads: int = 1,
    ) -> float:
        """Return the weighted mean of the loss."""
        value = self.loss(y_true, raw_prediction)
        xp = namespace_of(value=value)
        weight = None if sample_weight is None else xp.astype(sample_weight, value.dtype)
        return float(weighted_mean(value, weight, xp=xp))

    def _found(self, labels: Array, scores: Array, weight: Any, **more: Any) -> Any:
        """Return the derivatives of half of a deviance, and of the whole of other losses."""
        if scores.ndim == 2 and scores.shape[1] == 1:
            scores = scores[:, 0]
        with validation(enabled=False):  # scikit-learn has looked; NaN where it has not
            if self._facts.labels == "signs":
                return self._of_shares(labels, scores, weight, **more)
            factor = 0.5 if self._facts.half else 1.0
            return self._derivatives(scores, labels, weight, factor=factor, **more)

    def _of_shares(self, labels: Array, scores: Array, weight: Any, **more: Any) -> Any:
        """``y * loss(z, 1) + (1 - y) * loss(z, -1)`` for labels between 0 and 1."""
        share = labels if weight is None else labels * weight
        rest = 1 - labels if weight is None else (1 - labels) * weight
        xp = namespace_of(labels=labels)
        ones = xp.ones_like(labels)
        up = self._derivatives(scores, ones, share, **more)
        down = self._derivatives(scores, -ones, rest, **more)
        return type(up)(*(a + b for a, b in zip(up, down, strict=True)))

    # ---- constants -----------------------------------------------------------------------------
    def fit_intercept_only(self, y_true: Array, sample_weight: Array | None = None) -> Array:
        """Return the score, or one for each class, with the least loss over all samples."""
        best = best_constant(
            self._derivatives,
            self._facts,
            self.options,
            y_true,
            sample_weight,
            self.n_classes if self.is_multiclass else None,
        )
        xp = namespace_of(y_true=y_true)
        floating = xp.isdtype(y_true.dtype, "real floating")
        dtype = y_true.dtype if floating else default_floating(xp)
        return xp.asarray(best, dtype=dtype, device=device_of(y_true, xp=xp))

    def constant_to_optimal_zero(self, y_true: Array, sample_weight: Array | None = None) -> Array:
        """Return what is added to the loss, so that it is 0 where the prediction is the label."""
        xp = namespace_of(y_true=y_true)
        if self._facts.link in ("identity", "softmax") or self.options.get("power") == 0:
            return xp.zeros_like(y_true)
        best = maximum(y_true, 0, xp=xp) if self._facts.link == "log" else y_true
        return 0 - self.loss(y_true, self.link.link(best), sample_weight)

    def init_gradient_and_hessian(
        self, n_samples: int, dtype: Any = None, order: Literal["C", "F"] = "F"
    ) -> tuple[Array, Array]:
        """Return two NumPy arrays to be written to, in float64 unless `dtype` is float32."""
        xp = numpy_or(None)
        if dtype is not None and dtype not in (xp.float32, xp.float64):
            msg = f"`dtype` must be float32 or float64, got {dtype}"
            raise ValueError(msg)
        columns = self.n_classes if self.is_multiclass else 1

        def empty() -> Array:
            shape = (n_samples, columns) if order == "C" else (columns, n_samples)
            made = xp.empty(shape, dtype=dtype or xp.float64, device=None)
            made = made if order == "C" else made.T
            return made if self.is_multiclass else made[:, 0]

        return empty(), empty()

    # ---- domains -------------------------------------------------------------------------------
    def in_y_true_range(self, y: Array | float) -> bool:
        """Say whether all labels are in the domain of the loss."""
        if not self.interval_y_true.includes(y):
            return False
        if not self.is_multiclass:
            return True
        xp = namespace_of(y=y)
        return bool(xp.all(y == xp.round(y)))

    def in_y_pred_range(self, y: Array | float) -> bool:
        """Say whether all predictions are possible ones."""
        return self.interval_y_pred.includes(y)


class BinaryLoss(SklearnLoss):
    """A loss of two classes: it has probabilities."""

    def predict_proba(self, raw_prediction: Array) -> Array:
        """Return the probabilities of both classes, shape (n, 2), each with its own digits."""
        z = raw_prediction[:, 0] if raw_prediction.ndim > 1 else raw_prediction
        xp = namespace_of(raw_prediction=z)
        return xp.stack([self.link.inverse(-z), self.link.inverse(z)], axis=1)


class MulticlassLoss(SklearnLoss):
    """A loss of several classes: rows of scores, and of probabilities."""

    is_multiclass = True

    def predict_proba(self, raw_prediction: Array) -> Array:
        """Return the probabilities of the classes, in the shape of the scores."""
        return self.link.inverse(raw_prediction)

    def gradient_proba(
        self,
        y_true: Array,
        raw_prediction: Array,
        sample_weight: Array | None = None,
        gradient_out: Array | None = None,
        proba_out: Array | None = None,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return the gradient and the probabilities, of one pass."""
        found = self._found(y_true, raw_prediction, sample_weight, probabilities=True)
        return _into(gradient_out, found.gradient), _into(proba_out, found.probabilities)


def _into(out: Any, x: Any) -> Array:
    """Return `x`, or `out` with its values."""
    if out is None or x is None:
        return x
    out = out[:, 0] if out.ndim == x.ndim + 1 else out
    out[...] = namespace_of(x=x).astype(x, out.dtype, copy=False)
    return out


def sklearn(
    loss: Callable[..., Any],
    *,
    n_classes: int | None = None,
    hessian: Literal["boosting", "diagonal"] | None = None,
    xp: Namespace | None = None,
    device: Any = None,
    **options: Any,
) -> Any:
    """Return a loss with the interface that scikit-learn's own losses have.

    Parameters
    ----------
    loss : callable
        A loss of this package, of one element or of a row; or one of your own,
        ``loss(scores, labels)``, of one element, written on the arrays' namespace.
    n_classes : int, optional
        How many classes the rows of a loss of rows have; without it 3, as in scikit-learn.
    hessian : {"boosting", "diagonal"}, optional
        The curvature of `gradient_hessian`: never negative, and 1 where the loss is linear in
        pieces; or the second derivative, which is the default for the squared error and deviances.
    xp, device : optional
        Kept as attributes, which scikit-learn's array API losses have; arrays tell theirs.
    **options
        Those of the loss. Not `reduction` and `sample_weight`.

    Returns
    -------
    SklearnLoss
        It has `loss`, `gradient`, `loss_gradient`, `gradient_hessian`, `fit_intercept_only`,
        `constant_to_optimal_zero`, `init_gradient_and_hessian`, `link`, and for classes
        `predict_proba` and `gradient_proba`. `HistGradientBoostingRegressor(loss=...)` and
        `HistGradientBoostingClassifier(loss=...)` take it; a linear model returns it from
        `_get_loss`.

    Notes
    -----
    Half of the squared error and of deviances is taken, and the deviances of logarithms come
    without their terms in the label alone, as there. Labels are numbers, classes from 0 on, or 0
    and 1 (or between them), for losses of -1 and 1, too.

    Arrays may be of any library: under ``array_api_dispatch`` scikit-learn hands on what it got.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> half = pl.objectives.sklearn(pl.poisson_deviance_loss)
    >>> half.gradient(np.asarray([2.0]), np.asarray([0.0]))
    array([-1.])
    >>> np.round(half.fit_intercept_only(np.asarray([1.0, 3.0])), 4)
    np.float64(0.6931)
    """
    if takes_rows(loss):
        n_classes = 3 if n_classes is None else n_classes
        kind: type[SklearnLoss] = MulticlassLoss
    else:
        made = SklearnLoss(loss, **options)
        kind = BinaryLoss if made.link.name in ("logit", "half_logit") else SklearnLoss
        n_classes = 2 if kind is BinaryLoss else n_classes
    return kind(loss, n_classes=n_classes, hessian=hessian, xp=xp, device=device, **options)
