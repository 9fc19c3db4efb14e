"""scikit-learn's own models fit by our losses, on the arrays of several libraries."""

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn._loss import loss as theirs
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
    _logistic,
)
from sklearn.linear_model._glm.glm import _GeneralizedLinearRegressor

import portable_losses as pl
from benchmarks.objectives import synthetic
from portable_losses import objectives
from tests.libraries import Library, named

DATA = synthetic(300)
CLASSIFIER: Any = HistGradientBoostingClassifier
REGRESSOR: Any = HistGradientBoostingRegressor
X, Y = DATA.features.astype(np.float64), DATA.labels


@pytest.fixture(params=["numpy", "torch", "array_api_strict"])
def dispatched(request: pytest.FixtureRequest) -> Iterator[Library]:
    library = named(request.param)
    with library.active(), config_context(array_api_dispatch=True):
        yield library


# ---- linear models -------------------------------------------------------------------------------
def linear(loss: Callable[..., Any], **options: Any) -> Any:
    """A generalised linear model of scikit-learn's with one of our losses."""

    class Model(_GeneralizedLinearRegressor):
        def _get_loss(self, xp: Any = None, device: Any = None) -> Any:
            return objectives.sklearn(loss, xp=xp, device=device, **options)

    return Model


GLMS: list[tuple[Any, Any, Any, Any, str]] = [
    (pl.poisson_deviance_loss, {}, PoissonRegressor, {}, "count"),
    (pl.gamma_deviance_loss, {}, GammaRegressor, {}, "positive"),
    (pl.tweedie_deviance_loss, {"power": 1.5}, TweedieRegressor, {"power": 1.5}, "count"),
]


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
@pytest.mark.parametrize("loss, options, kind, more, labels", GLMS, ids=[g[4] for g in GLMS])
def test_a_glm_has_the_coefficients_of_its_own_loss(
    loss: Any, options: Any, kind: Any, more: Any, labels: str, solver: str
) -> None:
    settings = {"alpha": 0.1, "solver": solver, "tol": 1e-9, "max_iter": 1000}
    ours = linear(loss, **options)(**settings).fit(X, Y[labels], sample_weight=DATA.weights)
    own = kind(**settings, **more).fit(X, Y[labels], sample_weight=DATA.weights)
    np.testing.assert_allclose(ours.coef_, own.coef_, rtol=0, atol=1e-7)
    np.testing.assert_allclose(ours.predict(X), own.predict(X), rtol=1e-6)
    score = own.score(X, Y[labels], sample_weight=DATA.weights)
    np.testing.assert_allclose(
        ours.score(X, Y[labels], sample_weight=DATA.weights), score, rtol=1e-6
    )


def test_a_poisson_regression_fits_arrays_of_other_libraries(dispatched: Library) -> None:
    model = linear(pl.poisson_deviance_loss)(alpha=0.1, tol=1e-8)
    fitted = model.fit(dispatched.array(X), dispatched.array(Y["count"]))
    with config_context(array_api_dispatch=False):
        own = PoissonRegressor(alpha=0.1, tol=1e-8).fit(X, Y["count"])
    np.testing.assert_allclose(dispatched.numpy(fitted.coef_), own.coef_, rtol=0, atol=1e-5)
    assert type(fitted.coef_) is type(dispatched.array(X))


@pytest.mark.parametrize("labels", ["binary", "class"])
def test_logistic_regression_fits_arrays_of_other_libraries(
    dispatched: Library, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def binomial(**options: Any) -> Any:
        calls.append(2)
        return objectives.sklearn(pl.binary_cross_entropy_with_logits, **options)

    def multinomial(n_classes: int, **options: Any) -> Any:
        calls.append(n_classes)
        return objectives.sklearn(pl.cross_entropy, n_classes=n_classes, **options)

    with config_context(array_api_dispatch=False):
        own = LogisticRegression(tol=1e-8).fit(X, Y[labels])
    for suffix in ("", "ArrayAPI"):
        monkeypatch.setattr(_logistic, f"HalfBinomialLoss{suffix}", binomial)
        monkeypatch.setattr(_logistic, f"HalfMultinomialLoss{suffix}", multinomial)
    fitted = LogisticRegression(tol=1e-8).fit(dispatched.array(X), dispatched.array(Y[labels]))
    np.testing.assert_allclose(dispatched.numpy(fitted.coef_), own.coef_, rtol=0, atol=1e-4)
    probabilities = dispatched.numpy(fitted.predict_proba(dispatched.array(X)))
    np.testing.assert_allclose(probabilities, own.predict_proba(X), rtol=0, atol=1e-5)
    assert calls


# ---- histogram boosting --------------------------------------------------------------------------
SHARED: dict[str, Any] = {"max_iter": 4, "random_state": 0}
REGRESSIONS: list[tuple[Any, Any, Any, str]] = [
    (pl.mse_loss, {}, {"loss": "squared_error"}, "number"),
    (pl.gamma_deviance_loss, {}, {"loss": "gamma"}, "positive"),
    (pl.poisson_deviance_loss, {}, {"loss": "poisson"}, "count"),
    (pl.l1_loss, {}, {"loss": "absolute_error"}, "number"),
    (pl.quantile_loss, {"q": 0.8}, {"loss": "quantile", "quantile": 0.8}, "number"),
]


@pytest.mark.parametrize(
    "loss, options, own, labels", REGRESSIONS, ids=[one[2]["loss"] for one in REGRESSIONS]
)
def test_histogram_boosting_grows_the_trees_of_its_own_loss(
    loss: Any, options: Any, own: Any, labels: str
) -> None:
    # The weighted quantile from which it starts is a label: there its own slope is -1, ours 0.
    weighted = loss not in (pl.l1_loss, pl.quantile_loss)
    weights = {"sample_weight": DATA.weights if weighted else None}
    ours = REGRESSOR(loss=objectives.sklearn(loss, **options), **SHARED)
    builtin = REGRESSOR(**own, **SHARED)
    found = ours.fit(X, Y[labels], **weights).predict(X)
    np.testing.assert_allclose(found, builtin.fit(X, Y[labels], **weights).predict(X), rtol=1e-5)


@pytest.mark.parametrize("labels", ["binary", "class"])
def test_histogram_boosting_classifies_as_with_its_own_loss(labels: str) -> None:
    loss = (
        objectives.sklearn(pl.cross_entropy, n_classes=3)
        if labels == "class"
        else objectives.sklearn(pl.binary_cross_entropy_with_logits)
    )
    ours = CLASSIFIER(loss=loss, **SHARED).fit(X, Y[labels])
    own = CLASSIFIER(**SHARED).fit(X, Y[labels])
    np.testing.assert_allclose(ours.predict_proba(X), own.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize(
    "loss, labels",
    [
        (objectives.sklearn(pl.sigmoid_focal_loss, gamma=2.0), "binary"),
        (objectives.sklearn(pl.exponential_loss), "binary"),
        (objectives.sklearn(pl.softmax_focal_loss, n_classes=3), "class"),
        (objectives.sklearn(pl.generalized_cross_entropy, n_classes=3), "class"),
        (objectives.sklearn(pl.log_cosh_loss), "number"),
    ],
    ids=repr,
)
def test_losses_that_it_lacks_learn(loss: Any, labels: str) -> None:
    kind = REGRESSOR if labels == "number" else CLASSIFIER
    model = kind(loss=loss, early_stopping=True, max_iter=10, random_state=0)
    copied: Any = clone(model)
    fitted = copied.fit(X, Y[labels])
    assert fitted.score(X, Y[labels]) > 0.5
    assert pickle.loads(pickle.dumps(fitted)).score(X, Y[labels]) == fitted.score(X, Y[labels])


# ---- the interface -------------------------------------------------------------------------------
def test_it_passes_for_a_loss_of_scikit_learn_and_can_be_copied() -> None:
    half = objectives.sklearn(pl.poisson_deviance_loss)
    assert isinstance(half, theirs.BaseLoss)
    copies: list[Any] = [copy.deepcopy(half), pickle.loads(pickle.dumps(half))]
    copies.append(clone(half, safe=False))
    for one in copies:
        assert repr(one) == "SklearnLoss(poisson_deviance_loss, full=False)"
        np.testing.assert_array_equal(one.loss(Y["count"], X[:, 0]), half.loss(Y["count"], X[:, 0]))
    wanted = {name for name in dir(theirs.BaseLoss) if not name.startswith("_")}
    assert wanted <= set(dir(half))
    assert not hasattr(half, "predict_proba")


def test_hard_scores_lose_no_normal_result() -> None:
    """Where scikit-learn's own array API losses return 0, infinities or NaN."""
    z = np.asarray([-1000.0, -745.0, -700.0, -40.0, 40.0, 700.0, 745.0, 1000.0])
    half = objectives.sklearn(pl.binary_cross_entropy_with_logits)
    loss, gradient = half.loss_gradient(np.zeros(8), z)
    tail = np.exp(z[:4])
    np.testing.assert_allclose(loss, [*np.log1p(tail), *z[4:]], rtol=1e-14)
    np.testing.assert_allclose(gradient, [*(tail / (1 + tail)), 1, 1, 1, 1], rtol=1e-14)
    np.testing.assert_allclose(half.predict_proba(z)[:, 0], 1 - gradient, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(half.predict_proba(-z)[:4, 0], tail / (1 + tail), rtol=1e-14)


@pytest.mark.parametrize("order", ["C", "F"])
def test_results_are_written_to_the_arrays_that_it_makes(order: Any) -> None:
    loss = objectives.sklearn(pl.cross_entropy, n_classes=3)
    scores = np.asarray(X[:, :3], order=order)
    gradient, hessian = loss.init_gradient_and_hessian(300, np.float32, order)
    found = loss.gradient_hessian(Y["class"], scores, DATA.weights, gradient, hessian)
    assert found[0] is gradient
    assert found[1] is hessian
    own = theirs.HalfMultinomialLoss(n_classes=3)
    expected = own.gradient_hessian(Y["class"], scores, DATA.weights)
    for one, other in zip(found, expected, strict=True):
        assert one.flags[f"{order}_CONTIGUOUS"]
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="`dtype` must be float32 or float64"):
        loss.init_gradient_and_hessian(3, np.int64)
