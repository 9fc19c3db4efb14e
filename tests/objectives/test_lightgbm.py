"""LightGBM grows the same trees with our objectives as with its own, and learns others."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

import portable_losses as pl
from benchmarks.objectives import CASES, Case, Data, by_lightgbm, houses, real, synthetic
from portable_losses import objectives

SETS = [synthetic(2000), houses(3000), *real()]
OWN = [case for case in CASES if case.lightgbm]
QUIET = {"num_threads": 1, "verbose": -1}


@pytest.mark.parametrize(
    "case, data",
    [
        pytest.param(case, data, id=f"{case.lightgbm} {data.name}")
        for case in OWN
        for data in SETS
        if case.labels in data.labels and not case.refits
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_trees_equal_those_of_the_builtin_objective(case: Case, data: Data, weighted: bool) -> None:
    pair = by_lightgbm(case, data, rounds=15, weighted=weighted)
    assert pair.distance() < 1e-5
    # LightGBM's own binary objective multiplies the weights in another order: two thresholds of
    # one gain may change places.
    assert pair.same_splits or (weighted and pair.distance() < 1e-7)


@pytest.mark.parametrize(
    "case", [case for case in OWN if case.refits], ids=lambda case: case.lightgbm
)
def test_where_the_builtin_objective_refits_its_leaves_ours_learns_too(case: Case) -> None:
    pair = by_lightgbm(case, houses(3000), rounds=100, weighted=False)
    assert not pair.same_splits
    assert pair.ours_loss < 2 * pair.theirs_loss


@pytest.mark.parametrize(
    "loss, labels",
    [
        (pl.sigmoid_focal_loss, "binary"),
        (pl.softmax_focal_loss, "class"),
        (pl.generalized_cross_entropy, "class"),
        (pl.log_cosh_loss, "number"),
        (pl.exponential_loss, "binary"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_losses_that_it_lacks_fall_from_round_to_round(loss: Any, labels: str) -> None:
    data = synthetic(1000)
    objective = objectives.lightgbm(loss)
    y = data.labels[labels]
    start = np.asarray(objective.init_score(y, data.weights))
    first = np.array(np.broadcast_to(start, (1000, *start.shape)))
    train = lgb.Dataset(data.features, y, weight=data.weights, init_score=first)
    seen: dict[str, Any] = {}
    lgb.train(
        {**QUIET, "objective": objective, "num_class": 3 if labels == "class" else 1},
        train,
        20,
        valid_sets=[train],
        valid_names=["train"],
        feval=objective.eval,
        callbacks=[lgb.record_evaluation(seen)],
    )
    history = seen["train"][objective.__name__]
    assert history[-1] < 0.8 * objective.mean(first, y, data.weights)
    assert history[-1] < history[4] < history[0]


def test_a_ranking_loss_reads_the_groups() -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(2, 9, size=150)
    x = random.normal(size=(int(sizes.sum()), 4))
    relevance = (x[:, 0] + 0.3 * random.normal(size=len(x)) > 0).astype(np.float64)
    objective = objectives.lightgbm(pl.ranking_softmax_loss)
    data = lgb.Dataset(x, relevance, group=sizes, init_score=np.zeros(len(x)))
    booster = lgb.train({**QUIET, "objective": objective}, data, 20)
    before = objective.mean(np.zeros(len(x)), relevance, None, sizes)
    assert objective.mean(booster.predict(x), relevance, None, sizes) < 0.8 * before
    ranker = lgb.LGBMRanker(objective=objective, n_estimators=20, n_jobs=1, verbose=-1)
    ranker.fit(x, relevance, group=sizes)
    assert objective.metric(relevance, ranker.predict(x), None, sizes)[1] < 0.8 * before


def test_an_ordinal_loss_learns_one_score_of_several_classes() -> None:
    data, cuts = synthetic(1000), np.asarray([-1.0, 1.0])
    classes = np.digitize(data.labels["number"], np.quantile(data.labels["number"], [0.3, 0.7]))
    objective = objectives.lightgbm(pl.ordinal_cross_entropy, thresholds=cuts)
    start = objective.init_score(classes)
    first = np.full(1000, start)
    train = lgb.Dataset(data.features, classes, init_score=first)
    booster = lgb.train({**QUIET, "objective": objective}, train, 20)
    scores = start + np.asarray(booster.predict(data.features))
    assert objective.mean(scores, classes) < 0.6 * objective.mean(first, classes)
    assert np.mean(np.digitize(scores, cuts) == classes) > 0.8


def test_scikit_learn_style_estimators_take_it() -> None:
    data = synthetic(1000)
    objective = objectives.lightgbm(pl.binary_cross_entropy_with_logits)
    ours: Any = lgb.LGBMClassifier(objective=objective, n_estimators=5, n_jobs=1, verbose=-1)
    theirs: Any = lgb.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, boost_from_average=False)
    y, options = data.labels["binary"], {"sample_weight": data.weights}
    ours.fit(
        data.features, y, eval_X=data.features, eval_y=y, eval_metric=objective.metric, **options
    )
    theirs.fit(data.features, y, **options)
    scores = ours.predict(data.features, raw_score=True)
    np.testing.assert_allclose(
        scores, theirs.predict(data.features, raw_score=True), rtol=0, atol=1e-6
    )
    assert "binary_cross_entropy_with_logits" in ours.evals_result_["valid_0"]
