"""XGBoost grows the same trees with our objectives as with its own, and learns others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

import portable_losses as pl
from benchmarks.objectives import CASES, Case, Data, by_xgboost, houses, real, synthetic
from portable_losses import objectives
from tests.double import Array as OnCard
from tests.libraries import named

ROUNDS = 4
SETS = [synthetic(1000), houses(1000), *real()]
OWN = [case for case in CASES if case.xgboost]
EQUAL = [
    pytest.param(case, data, id=f"{case.xgboost} {data.name}")
    for case in OWN
    for data in SETS
    if case.labels in data.labels and not case.refits
]


@pytest.mark.parametrize("case, data", EQUAL)
@pytest.mark.parametrize("weighted", [False, True])
def test_trees_equal_those_of_the_builtin_objective(case: Case, data: Data, weighted: bool) -> None:
    pair = by_xgboost(case, data, rounds=ROUNDS, weighted=weighted)
    assert pair.same_splits
    assert pair.distance() < 1e-5  # float32 gradients, rounded in another order


@pytest.mark.parametrize(
    "case", [case for case in OWN if case.refits], ids=lambda case: case.xgboost
)
def test_where_the_builtin_objective_refits_its_leaves_ours_learns_too(case: Case) -> None:
    data = houses(1000)
    pair = by_xgboost(case, data, rounds=30, weighted=False)
    assert not pair.same_splits
    assert pair.ours_loss < 2 * pair.theirs_loss


def test_a_curvature_that_is_not_the_builtin_one_grows_other_trees() -> None:
    data = synthetic(500)
    matrix = xgb.DMatrix(data.features, data.labels["class"])
    scores: Any = np.zeros((500, 3), dtype=np.float32)
    builtin = objectives.xgboost(pl.cross_entropy)(scores, matrix)
    plain = objectives.xgboost(pl.cross_entropy, hessian="boosting")(scores, matrix)
    np.testing.assert_array_equal(builtin[0], plain[0])
    np.testing.assert_allclose(builtin[1], 2 * plain[1], rtol=1e-6)
    with pytest.raises(ValueError, match="`hessian` must be"):
        objectives.xgboost(pl.cross_entropy, hessian="exact")  # type: ignore[arg-type]


# ---- losses that XGBoost has not -----------------------------------------------------------------
def expectile(scores: Any, labels: Any, tau: float = 0.8) -> Any:
    xp, d = scores.__array_namespace__(), scores - labels
    return xp.where(d > 0, 1 - tau, tau) * d * d


def barron(scores: Any, labels: Any, alpha: float = -2.0) -> Any:
    """Barron's general robust loss, of scale 1."""
    part = abs(alpha - 2)
    return part / alpha * (((scores - labels) ** 2 / part + 1) ** (alpha / 2) - 1)


LACKING: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
    (pl.sigmoid_focal_loss, "binary", {"gamma": 2.0, "alpha": 0.25}),
    (pl.softmax_focal_loss, "class", {}),
    (pl.generalized_cross_entropy, "class", {"q": 0.7}),
    (pl.poly_loss, "class", {}),
    (pl.log_cosh_loss, "number", {}),
    (pl.squared_epsilon_insensitive_loss, "number", {}),
    (pl.exponential_loss, "binary", {}),
    (pl.squared_hinge_loss, "binary", {}),
    (pl.modified_huber_loss, "binary", {}),
    (pl.multiclass_hinge_loss, "class", {}),
    (expectile, "number", {"tau": 0.8}),
    (barron, "number", {"alpha": -2.0}),
    (pl.expectile_loss, "number", {"tau": 0.8}),
    (pl.general_robust_loss, "number", {"alpha": -2.0}),
    (pl.general_robust_loss, "number", {"alpha": 0.0, "scale": 2.0}),
]


@pytest.mark.parametrize("loss, labels, options", LACKING, ids=lambda x: getattr(x, "__name__", ""))
def test_losses_that_it_lacks_fall_from_round_to_round(
    loss: Callable[..., Any], labels: str, options: dict[str, Any]
) -> None:
    data = synthetic(600)
    matrix = xgb.DMatrix(data.features, data.labels[labels], weight=data.weights)
    objective = objectives.xgboost(loss, **options)
    start = objective.init_score(matrix)
    parameters = {"nthread": 1, "base_score": start, "max_depth": 4}
    if labels == "class":
        parameters["num_class"] = 3
    seen: dict[str, Any] = {}
    xgb.train(
        parameters,
        matrix,
        12,
        obj=objective,
        custom_metric=objective.eval,
        evals=[(matrix, "train")],
        evals_result=seen,
        verbose_eval=False,
    )
    history = seen["train"][objective.__name__]
    shape = (600, 3) if labels == "class" else (600,)
    first = objective.mean(np.broadcast_to(np.float32(start), shape).copy(), *_of(matrix))
    assert history[-1] < 0.85 * first
    assert history[-1] < history[4] < history[0] < first


def _of(matrix: Any) -> tuple[Any, Any]:
    return matrix.get_label(), matrix.get_weight()


def test_a_ranking_loss_reads_the_groups() -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(2, 9, size=80)
    x = random.normal(size=(int(sizes.sum()), 4)).astype(np.float32)
    relevance = (x[:, 0] + 0.3 * random.normal(size=len(x)) > 0).astype(np.float32)
    matrix = xgb.DMatrix(x, relevance, group=sizes)
    objective = objectives.xgboost(pl.ranking_softmax_loss)
    scores = random.normal(size=len(x)).astype(np.float32)
    gradient, hessian = objective(scores, matrix)
    ends = np.cumsum(sizes)
    for start, end in zip(ends - sizes, ends, strict=True):  # group by group, from the formula
        z, y = scores[start:end].astype(np.float64), relevance[start:end]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        np.testing.assert_allclose(gradient[start:end], y.sum() * p - y, atol=2e-5)
        np.testing.assert_allclose(hessian[start:end], y.sum() * p * (1 - p), atol=2e-5)
    assert objective.init_score(matrix) == 0
    booster = xgb.train({"nthread": 1, "base_score": 0.0}, matrix, 15, obj=objective)
    trained = objective.mean(booster.predict(matrix), relevance, None, sizes)
    assert trained < 0.75 * objective.mean(np.zeros(len(x)), relevance, None, sizes)
    with pytest.raises(ValueError, match="needs the groups"):
        objective(relevance, scores)
    with pytest.raises(ValueError, match="must add up to"):
        objective.mean(scores, relevance, None, sizes[:-1])


def test_an_ordinal_loss_learns_one_score_of_several_classes() -> None:
    data, cuts = synthetic(600), np.asarray([-1.0, 1.0])
    classes = np.digitize(data.labels["number"], np.quantile(data.labels["number"], [0.3, 0.7]))
    matrix = xgb.DMatrix(data.features, classes, weight=data.weights)
    objective = objectives.xgboost(pl.ordinal_cross_entropy, thresholds=cuts)
    start = objective.init_score(matrix)
    booster = xgb.train({"nthread": 1, "base_score": start}, matrix, 12, obj=objective)
    scores = booster.predict(matrix)
    first = objective.mean(np.full(600, start), classes, data.weights)
    assert objective.mean(scores, classes, data.weights) < 0.6 * first
    assert np.mean(np.digitize(scores, cuts) == classes) > 0.8
    shares = objective.predict(scores.astype(np.float64))
    assert shares.shape == (600, 3)
    below = pl.sigmoid(cuts - scores[:, None].astype(np.float64))
    ends = np.concatenate([np.zeros((600, 1)), below, np.ones((600, 1))], axis=1)
    np.testing.assert_allclose(shares, np.diff(ends, axis=1), rtol=1e-12)


def test_scikit_learn_style_estimators_take_it() -> None:
    data = synthetic(400)
    objective = objectives.xgboost(pl.log_cosh_loss)
    model = xgb.XGBRegressor(
        n_estimators=5, n_jobs=1, objective=objective, eval_metric=objective.metric, base_score=0.0
    )
    labels = data.labels["number"]
    model.fit(
        data.features,
        labels,
        sample_weight=data.weights,
        eval_set=[(data.features, labels)],
        verbose=False,
    )
    matrix = xgb.DMatrix(data.features, labels, weight=data.weights)
    booster = xgb.train({"nthread": 1, "base_score": 0.0}, matrix, 5, obj=objective)
    np.testing.assert_array_equal(model.predict(data.features), booster.predict(matrix))
    seen = model.evals_result()["validation_0"]["metric"]
    last = objective.mean(model.predict(data.features), labels)
    np.testing.assert_allclose(seen[-1], last, rtol=1e-4)  # XGBoost keeps five digits


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.xgboost)
def test_arrays_on_a_card_stay_there(case: Case) -> None:
    data = synthetic(50)

    class Matrix:
        def get_label(self) -> Any:
            return np.asarray(data.labels[case.labels], dtype=np.float32)

        def get_weight(self) -> Any:
            return np.asarray(data.weights, dtype=np.float32)

        def get_uint_info(self, name: str) -> Any:
            return np.asarray([], dtype=np.uint32)

    shape = (50, 3) if case.labels == "class" else (50,)
    scores = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    objective = objectives.xgboost(case.loss, **case.options)
    card = named("double")
    with card.active():
        found = objective(card.array(scores), Matrix())
    for one, other in zip(found, objective(scores, Matrix()), strict=True):
        assert isinstance(one, OnCard)
        assert one.dtype == np.float32
        np.testing.assert_allclose(one.revealed, other, rtol=2e-6, atol=1e-7)


def test_the_first_score_is_the_best_constant() -> None:
    data = synthetic(500)
    shares = np.asarray([0.2, 0.5, 0.3])
    labels: Any = np.repeat([0.0, 1.0, 2.0], [20, 50, 30])
    found = np.asarray(objectives.xgboost(pl.cross_entropy).init_score(labels))
    np.testing.assert_allclose(np.exp(found) / np.exp(found).sum(), shares, rtol=1e-12)
    for loss, kind, options in (one for one in LACKING if one[1] != "class"):
        y, w = data.labels[kind], data.weights
        objective = objectives.xgboost(loss, **options)
        best = objective.init_score(y, w)
        around = [best - 1e-3, best, best + 1e-3]
        losses = [objective.mean(np.full(500, z), y, w) for z in around]
        assert losses[1] <= min(losses) + 1e-12, loss
