"""CatBoost grows the same trees with our objectives as with its own."""

from typing import Any

import catboost
import numpy as np
import pytest

import portable_losses as pl
from benchmarks.objectives import Data, real, synthetic
from portable_losses import objectives

CANCER, DIGITS = real()
SHARED = {
    "iterations": 8,
    "depth": 4,
    "learning_rate": 0.3,
    "thread_count": 1,
    "random_seed": 0,
    "bootstrap_type": "No",
    "random_strength": 0,
    "leaf_estimation_iterations": 1,
    "leaf_estimation_method": "Newton",
    "boost_from_average": False,
    "allow_writing_files": False,
    "logging_level": "Silent",
}
CASES = [
    (pl.mse_loss, {}, "number", "RMSE"),
    (pl.binary_cross_entropy_with_logits, {}, "binary", "Logloss"),
    (pl.poisson_deviance_loss, {}, "count", "Poisson"),
    (pl.tweedie_deviance_loss, {"power": 1.5}, "count", "Tweedie:variance_power=1.5"),
    (pl.log_cosh_loss, {}, "number", "LogCosh"),
    (pl.huber_loss, {"delta": 1.0}, "number", "Huber:delta=1.0"),
]


def fitted(loss: Any, data: Data, labels: str, metric: Any, weighted: bool, **more: Any) -> Any:
    model = catboost.CatBoost({**SHARED, **more, "loss_function": loss, "eval_metric": metric})
    weights = data.weights if weighted else None
    return model.fit(data.features, data.labels[labels], sample_weight=weights)


@pytest.mark.parametrize("loss, options, labels, name", CASES, ids=[case[3] for case in CASES])
@pytest.mark.parametrize("data", [synthetic(500), CANCER], ids=lambda data: data.name)
@pytest.mark.parametrize("weighted", [False, True])
def test_trees_equal_those_of_the_builtin_objective(
    loss: Any, options: Any, labels: str, name: str, data: Data, weighted: bool
) -> None:
    if labels not in data.labels:
        labels = "number"
    objective = objectives.catboost(loss, **options)
    ours = fitted(objective, data, labels, objective, weighted)
    theirs = fitted(name, data, labels, objective, weighted)
    scores = [one.predict(data.features, prediction_type="RawFormulaVal") for one in (ours, theirs)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-6 * np.max(np.abs(scores[1])))
    history = ours.evals_result_["learn"]["CatBoostObjective"]
    np.testing.assert_allclose(
        history[-1],
        objective.mean(scores[0], data.labels[labels], data.weights if weighted else None),
        rtol=1e-6,
    )
    assert history[-1] < history[0]


def test_several_classes_have_the_matrix_of_second_derivatives() -> None:
    data = synthetic(300)
    objective = objectives.catboost(pl.cross_entropy)
    several = {"classes_count": 3, "iterations": 3}
    ours = fitted(objective, data, "class", objective, weighted=True, **several)
    theirs = fitted("MultiClass", data, "class", objective, weighted=True, **several)
    scores = [one.predict(data.features, prediction_type="RawFormulaVal") for one in (ours, theirs)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in scores]
    np.testing.assert_allclose(centred[0], centred[1], rtol=0, atol=1e-6)


def test_a_loss_that_it_lacks_learns() -> None:
    data = synthetic(400)
    objective = objectives.catboost(pl.exponential_loss)
    model = fitted(objective, data, "binary", objective, weighted=False)
    scores = model.predict(data.features, prediction_type="RawFormulaVal")
    y = data.labels["binary"]
    assert objective.mean(scores, y) < 0.9 * objective.mean(np.zeros(len(y)), y)
    assert np.mean((objective.predict(scores) > 0.5) == y) > 0.7
