"""What the boosting libraries have in common: they ask for two derivatives of a row's loss."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, ClassVar, Literal

from portable_losses._dtypes import narrow
from portable_losses._options import as_choice
from portable_losses._plain import numpy_or
from portable_losses._polyfill import broadcast_to, device_of, where
from portable_losses._typing import Array, Namespace
from portable_losses._validation import namespace_of
from portable_losses.differentials import derivatives
from portable_losses.objectives._best import best_constant
from portable_losses.objectives._facts import LINKS, facts_of, takes_classes, takes_rows
from portable_losses.objectives._groups import rows_of_groups

__all__ = ["Factor", "Objective"]

Hessian = Literal["builtin", "boosting", "diagonal"]
# How many times the second derivative the library's own objective takes: of the number of scores
# of a sample, and of `max_delta_step`.
Factor = Callable[[int, float], float]


class Objective:
    """A loss as a boosting library wants it; `xgboost` and its neighbours return one of these.

    Parameters
    ----------
    loss : callable
        A loss of this package, of one element or of a row; or one of your own,
        ``loss(scores, labels)``, written on the arrays' namespace.
    hessian : {"builtin", "boosting", "diagonal"}
        The curvature: of the library's own objective, of `derivatives`, or the second derivative.
    max_delta_step : float
        The library's own Poisson objective multiplies its curvature by the exponential of it.
    **options
        Those of the loss.
    """

    # The curvatures of the library's own objectives, where they differ from that of `derivatives`.
    _factors: ClassVar[Mapping[Callable[..., Any], Factor]] = {}
    _always_one: ClassVar[frozenset[Callable[..., Any]]] = frozenset()
    _dtype: ClassVar[str | None] = None  # of what is returned; None: that of the scores

    def __init__(
        self,
        loss: Callable[..., Any],
        *,
        hessian: Hessian = "builtin",
        max_delta_step: float = 0.7,
        **options: Any,
    ) -> None:
        self._loss = loss
        self.hessian = as_choice(("builtin", "boosting", "diagonal"), "hessian", hessian)
        self.max_delta_step = max_delta_step
        self.options = options
        self.__name__ = getattr(loss, "__name__", type(loss).__name__)
        self._facts = facts_of(loss, options)
        self._whole = loss if "reduction" in signature(loss).parameters else _Unreduced(loss)

    def __repr__(self) -> str:
        """Return the call that makes it."""
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({self.__name__}{options})"

    # ---- what the libraries ask for ------------------------------------------------------------
    def _slopes(
        self, scores: Array, labels: Array, weight: Array | None, groups: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the gradient and the curvature, in the shape of the scores."""
        kind = "diagonal" if self.hessian == "diagonal" else "boosting"
        factor = 0.5 if self._facts.half else 1.0
        xp = namespace_of(scores=scores)
        if self._facts.labels == "relevances":
            rows = rows_of_groups(scores, labels, weight, groups, xp=xp)
            found = self._derivatives(
                *rows.arrays, order=2, hessian=kind, factor=factor, where=rows.mask
            )
            gradient, hessian = rows.back(found.gradient), rows.back(found.hessian)
        else:
            found = self._derivatives(scores, labels, weight, order=2, hessian=kind, factor=factor)
            gradient, hessian = found.gradient, found.hessian
        if self.hessian == "builtin" and self._loss in self._always_one:
            hessian = self._ones(hessian, weight, xp=xp)
        elif self.hessian == "builtin" and self._loss in self._factors:
            size = int(scores.shape[-1]) if scores.ndim > 1 else 1
            hessian = hessian * self._factors[self._loss](size, self.max_delta_step)
        if self._dtype is None:
            return gradient, hessian
        dtype = getattr(xp, self._dtype)
        return narrow(gradient, dtype, xp=xp), narrow(hessian, dtype, xp=xp)

    def _derivatives(self, scores: Array, labels: Array, weight: Any, **more: Any) -> Any:
        """Return the derivatives by the scores, in whose library labels and weights are put."""
        xp = namespace_of(scores=scores)
        labels = self._labels(scores, labels, xp=xp)
        if weight is not None:
            weight = _beside(scores, weight, xp=xp)
            if weight.ndim < labels.ndim:
                weight = xp.expand_dims(weight, axis=-1)
        return derivatives(
            self._whole, scores, labels, sample_weight=weight, **more, **self._beside(scores, xp=xp)
        )

    def _beside(self, scores: Array, *, xp: Namespace) -> dict[str, Any]:
        """Return the options, arrays among them where the scores are."""
        return {
            name: _beside(scores, value, xp=xp) if hasattr(value, "dtype") else value
            for name, value in self.options.items()
        }

    def _labels(self, scores: Array, labels: Array, *, xp: Namespace) -> Array:
        """Return the labels as the loss wants them: classes, -1 and 1, or numbers."""
        labels = _beside(scores, labels, xp=xp)
        if takes_classes(self._loss, scores, labels) or self._facts.labels == "places":
            return xp.astype(labels, xp.int64)
        if self._facts.labels == "signs":
            labels = where(labels > 0, 1.0, -1.0, xp=xp)
        if labels.ndim < scores.ndim:  # several scores for one label: quantiles, for example
            labels = broadcast_to(labels[:, None], scores.shape, like=labels, xp=xp)
        return narrow(labels, scores.dtype, xp=xp)

    # ---- what their users ask for --------------------------------------------------------------
    def mean(
        self,
        scores: Array,
        labels: Array,
        weight: Array | None = None,
        groups: Array | None = None,
    ) -> float:
        """Return the weighted mean of the loss over samples (of a ranking loss, over groups)."""
        xp = namespace_of(scores=scores)
        if self._facts.labels == "relevances":
            rows = rows_of_groups(scores, labels, weight, groups, xp=xp)
            found = self._derivatives(*rows.arrays, where=rows.mask)
            weight = rows.arrays[2]
        else:
            found = self._derivatives(scores, labels, weight)
        total = float(xp.sum(found.value))
        if weight is None:
            return total / max(int(found.value.shape[0]), 1)
        return total / (float(xp.sum(_beside(scores, weight, xp=xp))) or 1.0)

    def init_score(self, data: Any, sample_weight: Array | None = None) -> Any:
        """Return the score from which to start: the constant with the least loss.

        Parameters
        ----------
        data : DMatrix, Dataset, Pool, or array of labels, shape (n,)
            Anything with `get_label` and `get_weight`, or the labels themselves.
        sample_weight : array, shape (n,), optional
            Their weights, where `data` is an array.

        Returns
        -------
        float, or list of floats
            A score for each class, where the labels are classes.
        """
        labels, weight = data, sample_weight
        if hasattr(data, "get_label"):
            labels, weight = data.get_label(), _or_none(data.get_weight())
        xp = numpy_or(None, "data") if isinstance(labels, list) else namespace_of(data=labels)
        labels = xp.asarray(labels, device=None) if isinstance(labels, list) else labels
        labels = xp.astype(labels, xp.float64)
        if self._facts.labels == "relevances":
            return 0.0  # the same for all scores of a group changes nothing
        classes = int(xp.max(labels)) + 1 if takes_rows(self._loss) else None
        return best_constant(self._derivatives, self._facts, self.options, labels, weight, classes)

    def predict(self, scores: Array) -> Array:
        """Return predictions in the unit of the labels: probabilities, means, numbers.

        Of `ordinal_cross_entropy` the probability of each class, shape (n, K).
        """
        if self._facts.labels == "places":
            return self._of_places(scores)
        return LINKS[self._facts.link][1](scores, xp=namespace_of(scores=scores))

    def _of_places(self, scores: Array) -> Array:
        """Return the probability of each class in an order: none is a difference of two."""
        xp = namespace_of(scores=scores)
        options = self._beside(scores, xp=xp)
        options.pop("ignore_index", None)
        cuts = options.pop("thresholds")
        places = xp.arange(cuts.shape[-1] + 1, device=device_of(scores, xp=xp))
        rows = scores[..., None] + xp.zeros_like(places, dtype=scores.dtype)
        places = broadcast_to(places, tuple(rows.shape), like=rows, xp=xp)
        loss = self._whole(rows, places, thresholds=cuts[..., None, :], reduction="none", **options)
        return xp.exp(-loss)

    def _ones(self, hessian: Array, weight: Any, *, xp: Namespace) -> Array:
        """Return the weights as curvatures, 1 without any."""
        ones = xp.ones_like(hessian)
        if weight is None:
            return ones
        weight = narrow(_beside(hessian, weight, xp=xp), hessian.dtype, xp=xp)
        return ones * (weight if weight.ndim == hessian.ndim else weight[:, None])


class _Unreduced:
    """A loss of somebody's own, which knows no reduction, as one that does."""

    def __init__(self, loss: Callable[..., Any]) -> None:
        self._loss = loss
        self.__name__ = getattr(loss, "__name__", type(loss).__name__)
        own = signature(loss)
        reduction = Parameter("reduction", Parameter.KEYWORD_ONLY)
        parameters = sorted([*own.parameters.values(), reduction], key=lambda one: one.kind)
        self.__signature__ = own.replace(parameters=parameters)

    def __call__(self, scores: Array, labels: Array, /, *, reduction: str, **options: Any) -> Array:
        """Return the loss of each sample."""
        return self._loss(scores, labels, **options)


def _beside(scores: Array, x: Array, *, xp: Namespace) -> Array:
    """Return an array where the scores are: the libraries keep labels in host memory."""
    return xp.asarray(x, device=device_of(scores, xp=xp))


def _or_none(weight: Any) -> Any:
    """Return None for weights that are not there: XGBoost has an empty array for them."""
    return None if weight is None or len(weight) == 0 else weight
